/* SPDX-License-Identifier: MIT */
/*
 * m_idle.c - Ms without a P: their sleep, and who wakes them.
 *
 * Owns:       the idle list.
 * Invariants: an M sleeps in rt_m_stop() only without a P and on this list or that of tied.c; whoever takes it off
 *             sets nextp and wakes it, once.
 * Locks:      sched.lock.
 * Ordering:   MO-9: nextp and spinning are written before rt_note_wake(), read after the sleep. nextp is
 *             released by itself, too: at the end rt_m_wake_all() may wake an M to which a P is on its way.
 */
#include "os/futex.h"
#include "os/kern.h"
#include "sched/hot.h"
#include "sched/m.h"
#include "sched/rcu.h"

#define IDLE_KEEP	4u			/* idle Ms that stay for ever */
#define IDLE_NS		(5 * 1000000000ll)	/* others end after this long */

/* ---- idle list; sched.lock held ---------------------------------------------------------------------- */

/* The last to sleep is the first to wake, but for m0: gmp_run() returns there, it had best be free. */
static void idle_put(struct rt_m *mp)
{
	struct rt_m **at = &rt_sched.midle;

	while (!mp->created && *at)
		at = &(*at)->schedlink;
	mp->idle = true;
	mp->schedlink = *at;
	*at = mp;
	rt_own_add(&rt_sched.nmidle, 1);
}

static struct rt_m *idle_get(void)
{
	struct rt_m *mp = rt_sched.midle;

	if (!mp)
		return NULL;
	rt_sched.midle = mp->schedlink;
	rt_own_add(&rt_sched.nmidle, -1);
	mp->idle = false;
	return mp;
}

static void idle_remove(struct rt_m *mp)
{
	struct rt_m **p = &rt_sched.midle;

	while (*p != mp)
		p = &(*p)->schedlink;
	*p = mp->schedlink;
	rt_own_add(&rt_sched.nmidle, -1);
	mp->idle = false;
}

bool rt_m_unidle(struct rt_m *mp)
{
	if (!mp->idle)
		return false;
	idle_remove(mp);
	return true;
}

/* ---- start and stop ------------------------------------------------------------------------------------ */

/* Ends the sleep of an M without a P. Where it sleeps is decided before: it may be gone afterwards. */
static void m_wake(struct rt_m *mp)
{
	uint32_t id = mp->id, tid = mp->tid;

	if (!rt_standby_uses(mp))
		rt_note_wake(&mp->park);	/* MO-9 */
	else if (rt_xchg_ar(&mp->park.key, 1) == 0)
		rt_standby_wake(id, tid, &mp->park.key);	/* MO-9; the module remembers one that comes too early */
}

/* @mp sleeps and was taken off its list: it goes on with @pp. */
void rt_m_give_p(struct rt_m *mp, struct rt_p *pp, bool spinning)
{
	rt_inject_at(RT_INJ_M_START);
	rt_store_rlx(&mp->spinning, spinning);
	rt_store_rel(&mp->nextp, pp);	/* MO-9 */
	m_wake(mp);
}

/*
 * Off its list, the M that @pp is to go to: one that waits with tied goroutines when it is their turn, or an idle
 * one for what is queued. NULL: nobody needs it. sched.lock held.
 */
static struct rt_m *next_in_line(struct rt_p *pp)
{
	struct rt_m *mp = rt_tied_turn(pp) ? rt_m_tied_get() : NULL;

	if (!mp && rt_p_has_queued(pp))
		mp = idle_get();
	return mp ? mp : rt_m_tied_get();
}

/* A P without an M and without work of its own goes where it is wanted. sched.lock held. */
static void place(struct rt_p *pp)
{
	struct rt_m *mp;

	if (rt_load_rlx(&rt_sched.gcwaiting)) {
		rt_p_stop(pp, GMP_P_IDLE);
		rt_gcstop_taken(pp);
		return;
	}
	mp = next_in_line(pp);
	if (mp)
		rt_m_give_p(mp, pp, false);
	else
		rt_p_idle_put(pp);
}

/*
 * No M could be made for @pp. One may have gone to sleep meanwhile, which found no idle P: it gets this
 * one. Else @pp is idle again and its work waits for whoever looks next: an M, or sysmon.
 */
static void start_failed(struct rt_p *pp, bool spinning)
{
	struct rt_g *gp;

	rt_lock(&rt_sched.lock);
	while ((gp = rt_runq_get(pp)) != NULL)
		rt_globq_put(gp);
	rt_yieldq_flush(pp);
	if (!rt_load_acq(&rt_sched.ending))
		place(pp);
	rt_unlock(&rt_sched.lock);
	if (spinning)
		rt_sub_ar(&rt_sched.nmspinning, 1);
}

/* The same with @gp, if not NULL, which the M was to run first. */
void rt_m_give_back(struct rt_p *pp, bool spinning, struct rt_g *gp)
{
	if (gp) {
		rt_lock(&rt_sched.lock);
		rt_globq_put(gp);
		rt_unlock(&rt_sched.lock);
	}
	start_failed(pp, spinning);
}

static int start(struct rt_p *pp, bool spinning, bool tied)
{
	struct rt_m *mp;
	int err;

	rt_lock(&rt_sched.lock);
	if (!pp)
		pp = rt_p_idle_get();
	if (!pp) {
		rt_unlock(&rt_sched.lock);
		if (spinning)
			rt_sub_ar(&rt_sched.nmspinning, 1);
		return 0;
	}
	mp = tied && rt_tied_turn(pp) ? rt_m_tied_get() : NULL;
	if (!mp)
		mp = idle_get();
	rt_unlock(&rt_sched.lock);
	if (mp) {
		rt_m_give_p(mp, pp, spinning);
		return 0;
	}
	err = rt_m_create(pp, spinning, NULL);
	if (err)
		start_failed(pp, spinning);
	return err;
}

int rt_m_start(struct rt_p *pp, bool spinning)
{
	return start(pp, spinning, true);
}

/* For what is queued: an M with tied goroutines would run one of these. */
int rt_m_start_other(struct rt_p *pp)
{
	return start(pp, false, false);
}

/* As rt_m_start(), for an M without tied goroutines, which is to run @gp first; m0 only for main. */
void rt_m_start_with(struct rt_p *pp, struct rt_g *gp)
{
	struct rt_m *mp = NULL;

	rt_lock(&rt_sched.lock);
	if (rt_sched.midle && (rt_sched.midle->created || gp->h.goid == 1))
		mp = idle_get();
	rt_unlock(&rt_sched.lock);
	if (mp) {
		mp->picked = gp;
		rt_m_give_p(mp, pp, false);
	} else if (rt_m_create(pp, false, gp)) {
		rt_m_give_back(pp, false, gp);
	}
}

/* An M that slept long and is one of many ends; false: somebody just took it off the list. */
static bool retire(struct rt_m *mp)
{
	bool gone = false;

	rt_lock(&rt_sched.lock);
	if (mp->idle && mp->created && rt_sched.nmidle > IDLE_KEEP) {
		idle_remove(mp);
		gone = true;
	}
	rt_unlock(&rt_sched.lock);
	return gone;
}

/* Sleeps on the M's note; true when woken, false when it is to end. */
static bool sleep_idle(struct rt_m *mp)
{
	int64_t ns = mp->created ? IDLE_NS : -1;

	while (!(rt_standby_uses(mp) ? rt_standby_sleep(mp, ns) : rt_note_sleep_for(&mp->park, ns))) {
		if (retire(mp))
			return false;
	}
	return true;
}

/* After the sleep: takes the P it was given. False: it was woken without one, to end; but see rt_m_rescue(). */
static bool resumed(struct rt_m *mp)
{
	struct rt_p *pp = rt_load_acq(&mp->nextp);	/* MO-9 */

	rt_note_clear(&mp->park);
	rt_publish_m(mp, GMP_M_SCHED);
	if (!pp)
		return rt_load_rlx(&mp->unowned);
	rt_store_rlx(&rt_sched.coarse_now, rt_now());	/* nobody may have looked at the clock meanwhile */
	rt_store_rlx(&mp->nextp, NULL);
	rt_tied_granted(mp);
	rt_p_acquire(mp, pp);
	return true;
}

/* MO-H1: what waits was published before. */
static struct rt_p *free_p(void)
{
	struct rt_p *pp = rt_load_rlx(&rt_sched.gcwaiting) ? NULL : rt_p_idle_get();

	return pp ? pp : rt_handoff_any();
}

/*
 * @mp has tied goroutines and stands in line for a P behind others. Those that can be had now go to whose turn
 * it is: taken by who came last, one that computes would have each P that those before it let go. Returned
 * if that is @mp. sched.lock held.
 */
static struct rt_p *wait_in_line(struct rt_m *mp)
{
	struct rt_m *next;
	struct rt_p *pp;

	rt_m_tied_put(mp);
	while (mp->wants_p && (pp = free_p()) != NULL) {
		next = next_in_line(pp);
		if (next == mp)
			return pp;
		rt_m_give_p(next, pp, false);
	}
	return NULL;
}

/*
 * Sleeps until given a P, or until the end. Context: g0, no P. Return: false when this M is to end.
 */
bool rt_m_stop(struct rt_m *mp)
{
	struct rt_p *pp;
	bool woken;

	rt_inject_at(RT_INJ_M_STOP);
	rt_lock(&rt_sched.lock);
	if (rt_load_acq(&rt_sched.ending)) {
		rt_unlock(&rt_sched.lock);
		return false;
	}
	if (!rt_m_has_tied(mp)) {
		idle_put(mp);
	} else if ((pp = wait_in_line(mp)) != NULL) {
		rt_unlock(&rt_sched.lock);
		rt_tied_granted(mp);
		rt_p_acquire(mp, pp);
		return true;
	}
	rt_checkdead();
	rt_unlock(&rt_sched.lock);
	rt_publish_m(mp, GMP_M_IDLE);
	rt_rcu_offline();
	rt_inject_at(RT_INJ_M_SLEEP);
	woken = sleep_idle(mp);
	rcu_thread_online();
	woken = woken && resumed(mp);
	if (woken && rt_sched.handoff && !rt_load_rlx(&rt_sched.nmidle))
		rt_m_start_idle();	/* the next M that blocks needs one, too; without it, sysmon helps */
	return woken;
}

/* The M waits for its locked goroutine: whoever schedules that gives it a P. g0, no P. */
bool rt_m_stop_locked(struct rt_m *mp)
{
	rt_lock(&rt_sched.lock);
	if (rt_load_acq(&rt_sched.ending)) {
		rt_unlock(&rt_sched.lock);
		return false;
	}
	rt_own_add(&rt_sched.nmidlelocked, 1);
	rt_checkdead();
	rt_unlock(&rt_sched.lock);
	rt_publish_m(mp, GMP_M_LOCKED);
	rt_rcu_offline();
	rt_note_sleep(&mp->park);
	rcu_thread_online();
	return resumed(mp);
}

/* Gives P @pp to @mp, which waits in rt_m_stop_locked(). */
void rt_m_start_locked(struct rt_m *mp, struct rt_p *pp)
{
	rt_lock(&rt_sched.lock);
	rt_own_add(&rt_sched.nmidlelocked, -1);	/* may be before its ++: the sum is what counts */
	rt_unlock(&rt_sched.lock);
	rt_store_rel(&mp->nextp, pp);	/* MO-9 */
	rt_note_wake(&mp->park);
}

/* The end: wakes all. They find no P and leave; who sleeps later sees `ending` first. */
void rt_m_wake_all(void)
{
	rt_lock(&rt_sched.lock);
	while (idle_get() || rt_m_tied_get())
		;
	for (struct rt_m *mp = rt_sched.allm; mp; mp = mp->alllink)
		rt_note_wake(&mp->park);
	if (rt_sched.handoff) {
		for (struct rt_m *mp = rt_sched.allm; mp; mp = mp->alllink)
			rt_standby_wake(mp->id, mp->tid, &mp->park.key);
	}
	rt_unlock(&rt_sched.lock);
}
