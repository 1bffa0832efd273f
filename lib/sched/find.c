/* SPDX-License-Identifier: MIT */
/*
 * find.c - what an M without a goroutine does: look everywhere, then sleep.
 *
 * Order, as Go's findRunnable: stop requests, timers, every 61st tick the global queue, own queue,
 * global queue, network (without sleeping), other Ps; then the P is given up, everything is looked
 * at once more (MO-6), and the M sleeps in the poll (one of them) or on its note.
 *
 * Spinning: an M that steals without having found anything counts in nmspinning; at most half as
 * many as there are busy Ps. The one that finds work starts the next.
 */
#include "sched/hot.h"
#include "sched/rcu.h"
#include "sched/time.h"

/* ---- small sources ---------------------------------------------------------------------------------- */

/*
 * What was asked of this P while it ran. A stop is left standing: whoever asked for it takes it back
 * (rt_world_start()), and this P's owner may have looked at gcwaiting before it was asked.
 */
static void attend(struct rt_p *pp)
{
	uint32_t att = rt_and_ar(&pp->attention, RT_ATT_STOP);
	struct rt_g *gp;

	if (!(att & RT_ATT_PREEMPT))
		return;
	rt_own_add(&pp->c.preempts, 1);
	gp = rt_runnext_take(pp);	/* must not inherit the slice once more */
	if (gp)
		rt_runq_push(pp, gp);
}

/*
 * Another M sleeps without a P and has goroutines tied to it, and it is their turn: our P goes there, we look
 * for another. True: @mp has no P any more.
 */
static bool serve_tied(struct rt_m *mp)
{
	struct rt_m *other;

	/* One of its own runs first, if it has any: rt_tied_next(). Two such Ms would swap a P for ever. */
	if (likely(!rt_load_rlx(&rt_sched.nmtied)) || !rt_tied_turn(mp->p))
		return false;
	rt_lock(&rt_sched.lock);
	other = rt_load_rlx(&rt_sched.gcwaiting) ? NULL : rt_m_tied_get();
	rt_unlock(&rt_sched.lock);
	mp->p->tied_due = 0;
	if (!other)
		return false;
	if (rt_load_rlx(&rt_sched.nmtied))
		rt_tied_set_due(mp->p, 1);
	rt_m_give_p(other, rt_p_release(mp), false);
	return true;
}

static struct rt_g *from_globq(struct rt_p *pp, uint32_t max)
{
	struct rt_g *gp;

	if (!rt_load_rlx(&rt_sched.globq.n) && !pp->yieldq.n)
		return NULL;
	rt_lock(&rt_sched.lock);
	gp = rt_globq_get(pp, max);
	rt_unlock(&rt_sched.lock);
	return gp;
}

/* Network results: the first is ours, the others are queued. */
static struct rt_g *first_of(struct rt_gqueue *q)
{
	struct rt_g *gp;

	if (!q->head)
		return NULL;
	for (gp = q->head; gp; gp = gp->schedlink)
		rt_g_set_status(gp, GMP_G_WAITING, GMP_G_RUNNABLE);
	gp = rt_gqueue_pop(q);
	rt_inject(q);
	return gp;
}

static struct rt_g *from_net(void)
{
	struct rt_gqueue q = { 0 };

	if (rt_poller()->waiters() == 0 || rt_load_rlx(&rt_sched.lastpoll) == 0)
		return NULL;
	rt_poller()->poll(0, &q);
	return first_of(&q);
}

/* The time, if it was asked for; else 0. */
static uint64_t run_own_timers(struct rt_p *pp)
{
	uint64_t now;
	bool ran;

	if (!rt_timers_next(pp))
		return 0;
	now = rt_now();
	rt_store_rlx(&rt_sched.coarse_now, now);
	rt_timers_run(pp, now, &ran);
	return now;
}

/* Own timers, every 61st tick the global queue, own queue. */
static struct rt_g *find_near(struct rt_m *mp, struct rt_p *pp, uint64_t *now)
{
	struct rt_g *gp;

	*now = run_own_timers(pp);
	if (pp->schedtick % RT_GLOBQ_TICK == 0) {
		gp = from_globq(pp, 1);
		if (gp) {
			rt_own_add(&pp->c.globq_ticks, 1);
			return gp;
		}
	}
	gp = mp->tied.n ? rt_tied_take(mp, pp) : NULL;
	if (!gp)
		gp = rt_runq_get(pp);
	if (!gp)
		gp = from_globq(pp, 0);
	return gp ? gp : rt_tied_pop(mp, pp);
}

/* ---- stealing ------------------------------------------------------------------------------------------ */

static struct rt_g *steal_from(struct rt_p *pp, struct rt_p *victim, bool last, uint64_t now)
{
	bool ran = false;

	if (victim == pp)
		return NULL;
	if (last && rt_timers_next(victim)) {
		/* Its owner may be in a long computation: run its timers, what they ready is ours. */
		rt_timers_run(victim, now, &ran);
		if (ran) {
			struct rt_g *gp = rt_runq_get(pp);

			if (gp)
				return gp;
		}
	}
	if (GMP_P_WORD_STATUS(rt_load_rlx(victim->word)) == GMP_P_IDLE)
		return NULL;		/* its queue is empty, or in transit with an M */
	return rt_runq_steal(pp, victim, last);
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t t = a % b;

		a = b;
		b = t;
	}
	return a;
}

/* Visits all Ps in a random order: start and stride random, stride coprime to the number. */
static struct rt_g *steal_pass(struct rt_m *mp, struct rt_p *pp, bool last, uint64_t now)
{
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);
	uint32_t at = rt_rand(mp) % n;
	uint32_t stride = rt_rand(mp) % n + 1;

	while (gcd(stride, n) != 1)
		stride = stride % n + 1;
	for (uint32_t i = 0; i < n; i++, at = (at + stride) % n) {
		struct rt_g *gp;

		if (rt_load_rlx(&rt_sched.gcwaiting))
			return NULL;
		gp = steal_from(pp, allp[at], last, now);
		if (gp)
			return gp;
	}
	return NULL;
}

static struct rt_g *steal(struct rt_m *mp, struct rt_p *pp, uint64_t now)
{
	if (rt_sched.single)
		return NULL;
	if (!now)
		now = rt_now();
	for (int i = 0; i < RT_STEAL_TRIES; i++) {
		struct rt_g *gp = steal_pass(mp, pp, i == RT_STEAL_TRIES - 1, now);

		if (gp)
			return gp;
	}
	return NULL;
}

/* At most half as many spin as there are busy Ps: more would only fight for the same work. */
bool rt_may_spin(const struct rt_m *mp)
{
	if (rt_sched.single)
		return false;
	return mp->spinning || 2 * rt_load_rlx(&rt_sched.nmspinning) <
			       rt_sched.maxprocs - rt_load_rlx(&rt_sched.npidle);
}

static void begin_spin(struct rt_m *mp)
{
	if (mp->spinning)
		return;
	rt_store_rlx(&mp->spinning, true);
	rt_add_ar(&rt_sched.nmspinning, 1);
	rt_publish_m(mp, GMP_M_SPINNING);
}

/* Found work while spinning: somebody else must look for the next. */
static void end_spin(struct rt_m *mp)
{
	rt_store_rlx(&mp->spinning, false);
	rt_sub_ar(&rt_sched.nmspinning, 1);
	if (rt_load_acq(&rt_sched.npidle))
		rt_wakep();
}

/* ---- giving up the P --------------------------------------------------------------------------------------- */

/* Under sched.lock once more, then the P is idle. A G, or NULL with the P gone. */
static struct rt_g *release_p(struct rt_m *mp)
{
	struct rt_m *other;
	struct rt_g *gp;

	rt_lock(&rt_sched.lock);
	if (rt_load_acq(&rt_sched.gcwaiting) || rt_load_acq(&rt_sched.ending) ||
	    rt_load_acq(&mp->p->attention)) {
		rt_unlock(&rt_sched.lock);
		return NULL;		/* still with the P: the caller starts over */
	}
	gp = rt_globq_get(mp->p, 0);
	other = gp ? NULL : rt_m_tied_get();
	if (other)
		rt_m_give_p(other, rt_p_release(mp), false);
	else if (!gp)
		rt_p_idle_put(rt_p_release(mp));
	rt_unlock(&rt_sched.lock);
	return gp;
}

/* MO-6: T3. Work in a queue, and a P to run it with: then this M has the P. */
static bool recheck_queues(struct rt_m *mp)
{
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);
	struct rt_p *pp;

	for (uint32_t i = 0; i < n; i++) {
		if (rt_runq_empty(allp[i]))
			continue;
		rt_lock(&rt_sched.lock);
		pp = rt_p_idle_get();
		rt_unlock(&rt_sched.lock);
		if (!pp)
			return false;	/* all Ps run: their owners will see it */
		rt_p_acquire(mp, pp);
		return true;
	}
	return false;
}

/* The spinning M's way to sleep; true: it has a P again and must look again. */
static bool stop_spinning(struct rt_m *mp)
{
	if (!mp->spinning)
		return false;
	rt_inject_at(RT_INJ_P_IDLE);
	rt_store_rlx(&mp->spinning, false);
	rt_sub_ar(&rt_sched.nmspinning, 1);	/* MO-6: T1 */
	rt_inject_at(RT_INJ_SPUN);
	rt_smp_mb();				/* MO-6: T2 */
	if (!recheck_queues(mp))
		return false;
	begin_spin(mp);
	return true;
}

/* It goes to sleep for another reason than having found nothing. */
static void stop_spinning_quietly(struct rt_m *mp)
{
	if (!mp->spinning)
		return;
	rt_store_rlx(&mp->spinning, false);
	rt_sub_ar(&rt_sched.nmspinning, 1);
	if (rt_load_acq(&rt_sched.npidle))
		rt_wakep();
}

/* A P for what the poll brought, if one is idle. */
static struct rt_p *idle_p(void)
{
	struct rt_p *pp = NULL;

	if (rt_load_acq(&rt_sched.npidle)) {
		rt_lock(&rt_sched.lock);
		pp = rt_p_idle_get();
		rt_unlock(&rt_sched.lock);
	}
	return pp;
}

static int64_t poll_delay(uint64_t until)
{
	uint64_t now = rt_now();

	rt_store_rlx(&rt_sched.coarse_now, now);
	if (!until)
		return -1;
	return until > now ? (int64_t)(until - now) : 0;
}

/*
 * One M sleeps in the poll for all: for descriptors and for the next timer.
 * MO-10: poll_until and lastpoll = 0 are published, full fence, then the timers are read once more;
 * pairs with rt_timer_set(): deadline published, full fence, lastpoll and poll_until read.
 */
static void sleep_in_poll(struct rt_m *mp, struct rt_gqueue *q)
{
	uint64_t until = rt_timers_next_all(), again;

	rt_store_rlx(&rt_sched.poll_until, until);
	rt_smp_mb();				/* MO-10 */
	again = rt_timers_next_all();
	/* Only ever earlier: who armed a later timer meanwhile has read the first and relies on it. */
	if (again && (!until || again < until)) {
		until = again;
		rt_store_rel(&rt_sched.poll_until, until);
	}
	rt_publish_m(mp, GMP_M_NETPOLL);
	rt_rcu_offline();
	rt_inject_at(RT_INJ_POLL);
	rt_poller()->poll(poll_delay(until), q);
	rt_inject_at(RT_INJ_POLLED);
	rcu_thread_online();
	rt_publish_m(mp, GMP_M_SCHED);
	rt_store_rlx(&rt_sched.poll_until, 0);
	rt_store_rel(&rt_sched.lastpoll, rt_now());
	rt_store_rlx(&rt_sched.coarse_now, rt_load_rlx(&rt_sched.lastpoll));
	/*
	 * MO-10: lastpoll is not 0, full fence, then idle_p() reads npidle; pairs with release_p() and
	 * the exchange in poll_for_all(): its P idle, then lastpoll read. One of the two goes on.
	 */
	rt_smp_mb();
}

static bool somebody_polls(void)
{
	return rt_load_acq(&rt_sched.lastpoll) == 0;
}

/* Without a P. True: has one (*gp may be a G to run); false: nothing to wait for here. */
static bool poll_for_all(struct rt_m *mp, struct rt_g **gp)
{
	struct rt_gqueue q = { 0 };
	struct rt_p *pp;

	*gp = NULL;
	if (rt_poller()->waiters() == 0 && rt_timers_next_all() == 0)
		return false;
	if (rt_xchg_ar(&rt_sched.lastpoll, 0) == 0)
		return false;		/* another M does */
	if (rt_load_acq(&rt_sched.ending)) {
		rt_store_rel(&rt_sched.lastpoll, rt_now());
		return false;
	}
	sleep_in_poll(mp, &q);
	pp = idle_p();
	if (!pp) {
		uint64_t when = rt_timers_next_all();

		rt_ready_list(&q);
		if (when)
			rt_sysmon_tell(when);	/* all Ps are busy, maybe with long runs */
		return false;
	}
	rt_p_acquire(mp, pp);
	*gp = first_of(&q);
	return true;
}

/* Somebody must be awake at @when: the M in the poll, or a new one that goes there. */
void rt_poller_until(uint64_t when)
{
	uint64_t until;

	if (!when)
		return;
	rt_smp_mb();				/* MO-10: the deadline was published before */
	until = rt_load_acq(&rt_sched.poll_until);
	if (somebody_polls()) {
		if (until == 0 || until > when)
			rt_poller()->wake();
	} else {
		rt_wakep();
	}
}

/* ---- all of it ------------------------------------------------------------------------------------------------ */

/* With the P: from everywhere but sleeping. */
static struct rt_g *look(struct rt_m *mp, struct rt_p *pp)
{
	uint64_t now = 0;
	struct rt_g *gp;

	attend(pp);
	gp = find_near(mp, pp, &now);
	if (gp)
		return gp;
	gp = from_net();
	if (gp || !rt_may_spin(mp))
		return gp;
	begin_spin(mp);
	return steal(mp, pp, now);
}

static struct rt_g *found(struct rt_m *mp, struct rt_g *gp)
{
	struct rt_p *pp = mp->p;

	mp->served = true;
	rt_store_rlx(&pp->schedtick, pp->schedtick + 1);
	if (mp->spinning)
		end_spin(mp);
	return gp;
}

/* Chosen for us by somebody else, or by ourselves on a stack where it could not be dealt with. */
static struct rt_g *take_picked(struct rt_m *mp)
{
	struct rt_g *gp = mp->picked;

	mp->picked = NULL;
	return found(mp, gp);
}

/*
 * What it was stopped in may be malloc(), with a lock of that, and to make an M takes the same lock. So it goes on
 * before anything else is done here; that includes the duty of who spins: an idle M is woken, none is made.
 */
static struct rt_g *take_alone(struct rt_m *mp)
{
	struct rt_g *gp = found(mp, rt_tied_next(mp));

	mp->in_library = false;
	return gp;
}

/* Woken without a P, to go on all the same: rt_m_rescue(). */
static struct rt_g *take_unowned(struct rt_m *mp)
{
	struct rt_g *gp = rt_tied_any(mp);

	mp->in_library = false;
	if (unlikely(!gp))
		rt_store_rlx(&mp->unowned, false);	/* else rt_execute() does */
	return gp;
}

/*
 * An M with tied goroutines runs one of them when it was given the P for that; later, after a time slice,
 * others come first, and these run elsewhere (tied.c). True: the P is gone.
 */
static bool leave_to_others(struct rt_m *mp)
{
	struct rt_p *pp = mp->p;
	bool queued;

	attend(pp);
	run_own_timers(pp);
	if (!mp->served || !rt_p_has_work(pp) || rt_tied_shares(mp))
		return false;
	stop_spinning_quietly(mp);
	rt_tied_set_due(pp, 0);
	queued = rt_p_has_queued(pp);
	pp = rt_p_release(mp);
	if (!queued)
		rt_m_start(pp, false);
	else if (rt_m_start_other(pp) < 0)
		rt_tied_share();	/* no thread to be had: others run on ours then, or never */
	return true;
}

struct rt_g *rt_find_runnable(struct rt_m *mp)
{
	struct rt_g *gp;

	for (;;) {
		rt_rcu_quiescent();
		if (unlikely(rt_load_acq(&rt_sched.ending)))
			return NULL;
		if (!mp->p) {
			if (!rt_m_stop(mp))
				return NULL;
			if (unlikely(mp->unowned))
				return take_unowned(mp);
			continue;
		}
		if (mp->picked)
			return take_picked(mp);
		if (unlikely(rt_load_acq(&rt_sched.gcwaiting))) {
			rt_gcstop_m(mp);
			continue;
		}
		if (unlikely(mp->in_library))
			return take_alone(mp);
		if (unlikely(rt_m_has_tied(mp))) {
			if (leave_to_others(mp))
				continue;
			gp = rt_tied_next(mp);
			if (gp)
				return found(mp, gp);
		}
		if (serve_tied(mp)) {
			stop_spinning_quietly(mp);
			continue;
		}
		gp = look(mp, mp->p);
		if (!gp)
			gp = release_p(mp);
		if (gp)
			return found(mp, gp);
		if (mp->p || stop_spinning(mp))
			continue;
		if (poll_for_all(mp, &gp) && gp)
			return found(mp, gp);
	}
}
