/* SPDX-License-Identifier: MIT */
/*
 * world.c - stop-the-world and start-the-world; the number of Ps; the deadlock report.
 *
 * Owns:       sched.gcwaiting, stopwait, stopnote; the gate that lets one stopper in at a time.
 * Invariants: while the world is stopped every P but the stopper's is GCSTOP and every M but the
 *             stopper's M is asleep, or in a system call without a P.
 * Locks:      gate.lock (rank WORLD), then sched.lock.
 *
 * stopwait counts Ps that are not GCSTOP yet. Each P gets there once: a running one by its own M at
 * its next scheduling point, one in a system call by the stopper's exchange (or by its M, when it
 * entered the call after the stopper looked), an idle one by the stopper.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "debug/layout.h"
#include "gmprt/proc.h"
#include "sched/env.h"
#include "sched/hot.h"
#include "sched/preempt.h"
#include "sched/rcu.h"
#include "sched/time.h"

#define STOP_RETRY_NS	100000

static struct {
	struct rt_lock lock;
	bool held;			/* lock */
	struct rt_gqueue waiting;	/* lock */
} gate = { .lock = RT_LOCK_INIT(WORLD) };

static void gate_enter(struct rt_g *gp)
{
	rt_lock(&gate.lock);
	if (!gate.held) {
		gate.held = true;
		rt_unlock(&gate.lock);
		return;
	}
	rt_gqueue_push(&gate.waiting, gp);
	rt_park_unlock(&gate.lock, GMP_WAIT_STOP_WORLD);	/* woken with the gate in hand */
}

static void gate_leave(void)
{
	struct rt_g *gp;

	rt_lock(&gate.lock);
	gp = rt_gqueue_pop(&gate.waiting);
	gate.held = gp != NULL;
	rt_unlock(&gate.lock);
	if (gp)
		rt_ready(gp);
}

void rt_world_reset(void)
{
	memset(&gate, 0, sizeof(gate));
	rt_lock_rank(&gate.lock, WORLD);
	rt_sched.gcwaiting = rt_sched.stopwait = 0;
	rt_note_clear(&rt_sched.stopnote);
}

/* ---- stop -------------------------------------------------------------------------------------------- */

/* One more P is GCSTOP. sched.lock held. */
void rt_gcstop_taken(struct rt_p *pp)
{
	(void)pp;
	rt_own_add(&rt_sched.stopwait, -1);
	if (rt_sched.stopwait == 0)
		rt_note_wake(&rt_sched.stopnote);
}

void rt_gcstop_m(struct rt_m *mp)
{
	struct rt_p *pp = mp->p;

	if (mp->spinning) {
		rt_store_rlx(&mp->spinning, false);
		rt_sub_ar(&rt_sched.nmspinning, 1);
	}
	rt_inject_at(RT_INJ_GCSTOP);
	rt_lock(&rt_sched.lock);
	if (!rt_load_rlx(&rt_sched.gcwaiting)) {	/* it started again before we got here */
		rt_unlock(&rt_sched.lock);
		return;
	}
	rt_p_forget(mp);
	rt_p_stop(pp, GMP_P_RUNNING);
	rt_gcstop_taken(pp);
	rt_unlock(&rt_sched.lock);
}

static bool take_syscall_p(struct rt_p *pp)
{
	uint64_t w = rt_load_acq(pp->word);

	if (GMP_P_WORD_STATUS(w) != GMP_P_SYSCALL ||
	    !rt_p_cas(pp, w, GMP_P_WORD(GMP_P_GCSTOP, 0, GMP_P_WORD_SEQ(w))))
		return false;
	rt_store_rlx(&pp->m, NULL);
	return true;
}

void rt_world_take_syscall_p(struct rt_p *pp)
{
	rt_lock(&rt_sched.lock);
	if (rt_load_rlx(&rt_sched.gcwaiting) && take_syscall_p(pp))
		rt_gcstop_taken(pp);
	rt_unlock(&rt_sched.lock);
}

void rt_attention_all(uint32_t what)
{
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);

	for (uint32_t i = 0; i < n; i++)
		rt_or_ar(&allp[i]->attention, what);
}

/* All that can be stopped at once is; what remains runs and will stop itself. sched.lock held. */
static void stop_at_once(struct rt_m *mp)
{
	struct rt_p *pp;

	rt_p_stop(mp->p, GMP_P_RUNNING);
	rt_own_add(&rt_sched.stopwait, -1);
	for (uint32_t i = 0; i < rt_sched.maxprocs; i++) {
		if (take_syscall_p(rt_sched.allp[i]))
			rt_own_add(&rt_sched.stopwait, -1);
	}
	while ((pp = rt_p_idle_get()) != NULL) {
		rt_p_stop(pp, GMP_P_IDLE);
		rt_own_add(&rt_sched.stopwait, -1);
	}
}

/* A P whose M went into a call while we looked elsewhere: it may not have seen gcwaiting in time. */
static void retake_syscalls(void)
{
	rt_lock(&rt_sched.lock);
	for (uint32_t i = 0; i < rt_sched.maxprocs; i++) {
		if (take_syscall_p(rt_sched.allp[i]))
			rt_gcstop_taken(rt_sched.allp[i]);
	}
	rt_unlock(&rt_sched.lock);
}

/* Main has returned meanwhile: Ms end without stopping first, and nobody waits for this G any more. */
static _Noreturn void give_up(struct rt_m *mp)
{
	struct rt_g *gp = rt_getg();

	mp->stops_world = false;
	rt_p_forget(mp);		/* GCSTOP already */
	rt_g_set_status(gp, GMP_G_RUNNING, GMP_G_WAITING);
	rt_switch_g0(mp, gp);
	rt_throw("a goroutine goes on after the end of gmp_run()");
}

void rt_world_stop(void)
{
	struct rt_m *mp;
	bool wait;

	gate_enter(rt_getg());
	mp = rt_getm();
	if (unlikely(!rt_m_p(mp)))
		rt_p_regain(mp, rt_getg());
	rt_lock(&rt_sched.lock);
	rt_store_rlx(&rt_sched.stopwait, rt_sched.maxprocs);
	rt_store_rel(&rt_sched.gcwaiting, 1);
	rt_attention_all(RT_ATT_STOP);
	rt_inject_at(RT_INJ_WORLD_STOP);
	stop_at_once(mp);
	wait = rt_sched.stopwait > 0;
	rt_unlock(&rt_sched.lock);
	mp->stops_world = true;
	while (wait && !rt_note_sleep_for(&rt_sched.stopnote, STOP_RETRY_NS)) {
		if (unlikely(rt_load_acq(&rt_sched.ending)))
			give_up(mp);
		retake_syscalls();
		rt_preempt_all(RT_ATT_STOP);
	}
	rt_note_clear(&rt_sched.stopnote);
}

/* ---- start --------------------------------------------------------------------------------------------- */

/*
 * To an M that lost its P to the stop and has tied goroutines, if nothing else is queued there, or it is its turn.
 * sched.lock held.
 */
static bool give_to_tied(struct rt_p *pp)
{
	struct rt_m *mp = rt_runq_empty(pp) || rt_tied_is_due(pp) ? rt_m_tied_get() : NULL;

	if (!mp)
		return false;
	rt_m_give_p(mp, pp, false);
	return true;
}

/* All Ps but @own are idle again; those with work are linked and returned. sched.lock held. */
static struct rt_p *free_ps(struct rt_p *own)
{
	struct rt_p *busy = NULL;

	for (int32_t i = (int32_t)rt_sched.maxprocs - 1; i >= 0; i--) {
		struct rt_p *pp = rt_sched.allp[i];

		rt_and_ar(&pp->attention, ~RT_ATT_STOP);
		if (pp == own)
			continue;
		rt_p_unstop(pp);
		if (give_to_tied(pp)) {
			continue;
		} else if (rt_runq_empty(pp)) {
			rt_p_idle_put(pp);
		} else {
			pp->link = busy;
			busy = pp;
		}
	}
	return busy;
}

static void start_busy(struct rt_p *busy)
{
	while (busy) {
		struct rt_p *pp = busy;

		busy = pp->link;
		pp->link = NULL;
		rt_m_start(pp, false);
	}
}

void rt_world_start(void)
{
	struct rt_m *mp = rt_getm();
	struct rt_p *busy;

	mp->stops_world = false;
	rt_lock(&rt_sched.lock);
	rt_p_resume_own(mp);
	busy = free_ps(mp->p);
	rt_store_rel(&rt_sched.gcwaiting, 0);
	if (rt_sched.sysmonwait)
		rt_sysmon_wake();
	rt_unlock(&rt_sched.lock);
	rt_inject_at(RT_INJ_WORLD_START);
	start_busy(busy);
	if (!rt_sched.single)
		rt_wakep();
	gate_leave();
}

/* ---- how many Ps ------------------------------------------------------------------------------------------ */

/* The world is stopped by this M. Its own P may be one that goes. */
static int resize(struct rt_m *mp, uint32_t n)
{
	struct rt_p *own = mp->p;
	int err;

	if ((uint32_t)own->id >= n) {
		struct rt_p *p0 = rt_sched.allp[0];

		rt_p_forget(mp);
		rt_store_rlx(&mp->p, p0);
		rt_store_rlx(&p0->m, mp);
	}
	err = rt_p_resize(n);
	rt_layout_maxprocs(rt_sched.maxprocs);
	return err;
}

int rt_world_set_procs(uint32_t n, bool follows)
{
	int err = 0;

	rt_world_stop();
	if (n != rt_sched.maxprocs && !(follows && rt_load_rlx(&rt_sched.procs_fixed)))
		err = resize(rt_getm(), n);
	rt_world_start();
	return err;
}

/*
 * MO-12: what is chosen here stays. `procs_fixed` is set, full fence, procs_update read; follow.c: update
 * set, full fence, fixed read. So either the follower sees that it is too late, or we see that one is on
 * its way, and stop the world after it even if the number is right as it stands.
 */
static bool fix_procs(void)
{
	rt_store_rlx(&rt_sched.procs_fixed, 1);
	rt_smp_mb();
	return rt_load_acq(&rt_sched.procs_update);	/* MO-12: acquire, maxprocs is read after it */
}

static int may_stop(const char *call)
{
	if (!rt_may_park(call))
		return -EWOULDBLOCK;
	return rt_getm()->stops_world ? -EBUSY : 0;
}

RT_PUBLIC int gmp_maxprocs(int n)
{
	int old, err;
	bool busy;

	if (n > (int)RT_MAX_P)
		return -EINVAL;
	if (!rt_getm() && !rt_load_acq(&rt_sched.running))
		return (int)rt_env_maxprocs(n > 0 ? (uint32_t)n : 0);
	old = (int)rt_load_rlx(&rt_sched.maxprocs);
	if (n <= 0)
		return old;
	err = n == old ? 0 : may_stop("gmp_maxprocs");
	if (err)
		return err;		/* and nothing is chosen */
	busy = fix_procs();
	old = (int)rt_load_rlx(&rt_sched.maxprocs);
	if (n == old && !busy)
		return old;
	err = may_stop("gmp_maxprocs");
	if (!err)
		err = rt_world_set_procs((uint32_t)n, false);
	return err ? err : old;
}

RT_PUBLIC int gmp_stop_world(const char *why)
{
	int err = may_stop("gmp_stop_world");

	(void)why;
	if (!err)
		rt_world_stop();
	return err;
}

RT_PUBLIC int gmp_start_world(void)
{
	struct rt_m *mp = rt_getm();

	if (!mp || !rt_getg() || !mp->stops_world)
		return -EINVAL;
	rt_world_start();
	return 0;
}

/* ---- all asleep ---------------------------------------------------------------------------------------------- */

static void say_uncounted(void)
{
	static bool said;

	if (rt_env.stats && !said)
		rt_say("gmprt: /proc/self/status cannot be read: no deadlock is reported\n");
	said = true;
}

/*
 * Threads of the process that are none of ours could wake a goroutine: their number, from the kernel. sched.lock held.
 */
static bool strangers(uint32_t ours)
{
	char line[128];
	unsigned int n = 0;
	FILE *f = fopen("/proc/self/status", "re");

	if (!f) {
		say_uncounted();
		return true;
	}
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Threads: %u", &n) == 1)
			break;
	}
	fclose(f);
	return n != ours;
}

static bool any_timer(void)
{
	return rt_timers_next_all() != 0;
}

/*
 * Called when an M goes to sleep and by sysmon, with sched.lock held: if no M runs, none sleeps in the
 * poll, no timer is set and no thread is foreign, then nothing can ever wake a goroutine. True: but for
 * foreign threads it were so.
 */
bool rt_checkdead(void)
{
	uint32_t asleep = rt_sched.nmidle + rt_sched.nmidlelocked;	/* those of mtied have work */

	if (rt_sched.mcount != asleep || rt_load_acq(&rt_sched.ending) || rt_sched.gcwaiting)
		return false;
	if (rt_load_acq(&rt_sched.nsyscall) || rt_load_acq(&rt_sched.globq.n) || any_timer())
		return false;
	if (rt_load_acq(&rt_sched.external) || rt_poller()->waiters())
		return false;
	if (strangers(rt_sched.mcount + rt_helper_threads() + rt_ghosts()))
		return true;
	if (rt_num_g() == 0)
		rt_throw("no goroutines (main called gmp_goexit) - deadlock!");
	rt_throw("all goroutines are asleep - deadlock!");
}
