/* SPDX-License-Identifier: MIT */
/*
 * proc.c - the scheduler: from one goroutine to the next.
 *
 * Owns:       g0's loop; the first and last code of a G; the rare parts of the switch (switch.h).
 * Not here:   where Gs come from (runq.c, find.c), why they stop (wakeup.c, syscall.c).
 * Invariants: a G is found by others only after its context is saved: whoever leaves one sets
 *             mp->after_*, and the context switched to commits it, first thing (rt_switched()).
 *
 * A goroutine that stops looks for the next one itself and switches straight to it; g0 is entered
 * only when there is none at hand, or when something needs the whole scheduler (a stop, timers,
 * every 61st tick). Rejected: always through g0 as Go does (two switches for one); leaving the saved
 * context to be awaited by a flag in the G (a spinning M may wait for one that lost its CPU).
 */
#include "debug/overflow.h"
#include "sched/defer.h"
#include "sched/gocall.h"
#include "sched/rcu.h"
#include "sched/switch.h"
#include "sched/time.h"

#define TIMER_TICKS	16u	/* how often a busy P looks at the clock for its timers */

struct rt_sched rt_sched = { .lock = RT_LOCK_INIT(SCHED) };

/* ---- rare parts of switch.h ------------------------------------------------------------------------- */

rt_noinline void rt_commit_fn(struct rt_m *mp, struct rt_g *gp)
{
	rt_park_fn fn = mp->after_fn;

	mp->after_fn = NULL;
	rt_inject_at(RT_INJ_PARKED);
	if (!fn(gp, mp->after_arg))
		rt_ready(gp);
}

/* Every TIMER_TICKS schedulings: is a timer due? Also the quiescent state of RCU. */
static bool timer_due(struct rt_p *pp)
{
	uint64_t next = rt_timers_next(pp);

	rt_rcu_quiescent();
	return next && next <= rt_now();
}

static inline uint64_t multiple_after(uint64_t tick, uint64_t of)
{
	return (tick / of + 1) * of;
}

/* What is done at some ticks only; sets the next of them. *gp: this one runs next. */
rt_noinline bool rt_tick_look(struct rt_p *pp, uint64_t tick, struct rt_g **gp)
{
	uint64_t timers = multiple_after(tick, TIMER_TICKS);
	uint64_t globq = multiple_after(tick, RT_GLOBQ_TICK);

	pp->tick_look = timers < globq ? timers : globq;
	if (rt_tied_is_due(pp))
		return true;
	if (pp->tied_due <= tick)
		pp->tied_due = 0;	/* somebody else served them */
	else if (pp->tied_due < pp->tick_look)
		pp->tick_look = pp->tied_due;
	if (tick % TIMER_TICKS == 0 && timer_due(pp))
		return true;
	if (tick % RT_GLOBQ_TICK != 0)
		return false;
	if (rt_load_rlx(&rt_sched.globq.n) || rt_load_rlx(&rt_sched.nmtied))
		return true;
	if (pp->yieldq.n) {	/* the global queue is in here: no lock, no need of g0 */
		rt_own_add(&pp->c.globq_ticks, 1);
		*gp = rt_yieldq_get(pp, 1);
	}
	return false;
}

/* @gp, which was picked, has no stack yet, or is another thread's. */
rt_noinline bool rt_pick_special(struct rt_m *mp, struct rt_p *pp, struct rt_g *gp)
{
	if (likely(!gp->lockedm && rt_g_bind_stack(pp, gp)))
		return true;
	mp->picked = gp;
	return false;
}

static inline void to_g0(struct rt_m *mp)
{
	if (unlikely(mp->acct))
		rt_acct_switch(mp, NULL);
	rt_store_rlx(&mp->curg, NULL);
	rt_publish_m(mp, GMP_M_SCHED);
	if (unlikely(rt_load_rlx(&mp->slot->lost)))
		rt_p_lost(mp);
}

/* Calls itself, with nothing more to keep; on the way back it may be another M's thread. */
static rt_noinline void switch_g0_busy(struct rt_m *mp, struct rt_g *gp)
{
	struct rt_eh mine = rt_eh_take(mp);

	rt_switch_g0(mp, gp);
	*rt_getm()->eh = mine;
}

rt_noinline void rt_leave_busy(struct rt_m *mp, struct rt_g *gp)
{
	struct rt_eh mine = rt_eh_take(mp);

	rt_switch_off(mp, gp);
	*rt_getm()->eh = mine;
}

rt_noinline RT_RETURN_BY_JUMP void rt_switch_g0(struct rt_m *mp, struct rt_g *gp)
{
	if (rt_eh_busy(mp)) {
		switch_g0_busy(mp, gp);
		return;
	}
	rt_put_down(gp);
	to_g0(mp);
	rt_san_leave(&gp->san, &mp->g0.san, mp->g0.stack_lo, mp->g0.stack_hi);
	rt_switch(&gp->sp, mp->g0.sp);
	rt_switched(gp);
}

void rt_switch_off(struct rt_m *mp, struct rt_g *gp)
{
	rt_leave(mp, gp, true);
}

/* ---- first and last code of a G --------------------------------------------------------------------------------- */

_Noreturn void rt_g_main(void)
{
	struct rt_g *gp = rt_getg();

	rt_switched(gp);
	if (unlikely(gp->h.flags & GMP_GF_PACKED))
		rt_go_run_pack(gp->arg);
	else
		((void (*)(void *))(uintptr_t)gp->h.start_pc)(gp->arg);
	rt_g_exit();
}

/* On another stack: the dead G's own may go back to the pool now. */
static bool bury(struct rt_g *gp, void *arg)
{
	(void)arg;
	rt_san_drop_stack(&gp->san);
	rt_san_clean_stack(gp->stack_lo, gp->stack_hi);
	rt_g_free_stack(gp);
	rt_g_free(rt_getm()->p, gp);
	return true;
}

static void end_locked_thread(struct rt_m *mp, struct rt_g *gp)
{
	rt_store_rlx(&gp->lockedm, NULL);
	rt_store_rlx(&mp->lockedg, NULL);
	mp->locked_depth = 0;
	mp->end_thread = true;		/* its state (signal mask, namespaces, ...) is the G's: it goes too */
}

/*
 * Everything but the switch away. The stack is kept by the P's cache: nobody else takes it from there. One
 * without a guard is not, so that what comes from the cache has one, and nobody need ask.
 */
static void release_g(struct rt_m *mp, struct rt_p *pp, struct rt_g *gp)
{
	bool gap = gp->gap;

	if (unlikely(mp->acct))
		rt_acct_switch(mp, NULL);
	rt_canary_check(gp);
	if (unlikely(gap))
		rt_overflow_look(gp);
	rt_g_set_status(gp, GMP_G_RUNNING, GMP_G_DEAD);
	rt_store_rlx(&gp->m, NULL);
	if (!(gp->h.flags & GMP_GF_SYSTEM))
		rt_own_add(&pp->ng, -1);
	if (unlikely(gp->lockedm))
		end_locked_thread(mp, gp);
	if (!RT_SANITIZED && likely(!gap) && likely(rt_g_cache_stack(pp, gp))) {
		rt_g_free(pp, gp);
	} else {
		mp->after_g = gp;
		mp->after_fn = bury;
	}
}

_Noreturn void rt_g_exit(void)
{
	struct rt_g *gp = rt_getg();
	struct rt_g *next;
	struct rt_m *mp;

	if (unlikely(!gp))
		rt_ghost_stop();	/* its run is over */
	rt_defers_run(gp);		/* may park */
	if (unlikely(rt_getm()->stops_world))
		rt_throw("goroutine ended while it had the world stopped");
	if (unlikely(gp->h.goid == 1))
		rt_main_done(gp);
	if (unlikely(gp->labels || gp->h.name))
		rt_label_ops->drop(gp);
	mp = rt_getm();
	if (rt_eh_busy(mp))
		rt_eh_take(mp);		/* gmp_goexit() in a catch block: nobody will leave that */
	if (unlikely(!rt_m_p(mp)))
		rt_p_regain(mp, gp);	/* stays on this thread */
	release_g(mp, mp->p, gp);
	next = unlikely(mp->end_thread) ? NULL : rt_pick(mp, mp->p);
	if (likely(next)) {
		rt_carry_next(mp, next);
		rt_san_leave(NULL, &next->san, next->stack_lo, next->stack_hi);
		rt_jump(next->sp);
	}
	to_g0(mp);
	rt_san_leave(NULL, &mp->g0.san, mp->g0.stack_lo, mp->g0.stack_hi);
	rt_jump(mp->g0.sp);
}

/* ---- g0 -------------------------------------------------------------------------------------------------------------- */

/* rt_m_rescue(): in the state of one whose P was taken just now. Which P it was nobody asks. */
static rt_cold void as_if_lost(struct rt_m *mp)
{
	rt_store_rlx(&mp->p, rt_sched.allp[0]);
	mp->rescued = true;
	rt_store_rlx(&mp->slot->lost, 1);
	rt_store_rel(&mp->unowned, false);	/* rt_preempt_lost() sees one or the other */
}

void rt_execute(struct rt_m *mp, struct rt_g *gp)
{
	if (unlikely(!gp->sp) && !rt_g_bind_stack(mp->p, gp))
		rt_throw("out of memory: no stack for a goroutine");
	if (likely(mp->p))
		rt_own_add(&mp->p->c.switches, 1);
	else
		as_if_lost(mp);
	rt_carry(mp, gp);
	rt_san_leave(&mp->g0.san, &gp->san, gp->stack_lo, gp->stack_hi);
	rt_switch(&mp->g0.sp, gp->sp);
	rt_switched(&mp->g0);
}

/* @gp belongs to another M, which waits for it: that one gets our P. */
static void hand_to_locked(struct rt_m *mp, struct rt_g *gp)
{
	rt_inject_at(RT_INJ_LOCKED_M);
	rt_m_start_locked(gp->lockedm, rt_p_release(mp));
}

/* This M may run only its locked G: gives its P away and waits for it. False: to end. */
static bool wait_for_locked(struct rt_m *mp)
{
	if (mp->p)
		rt_handoff(rt_p_release(mp));
	return rt_m_stop_locked(mp);
}

/* The next G for this M, one way or the other. NULL: the M is to end. */
static struct rt_g *next_for(struct rt_m *mp)
{
	for (;;) {
		struct rt_g *gp;

		if (mp->lockedg)
			return wait_for_locked(mp) ? mp->lockedg : NULL;
		gp = rt_find_runnable(mp);
		if (!gp || !gp->lockedm)
			return gp;
		hand_to_locked(mp, gp);
	}
}

void rt_schedule(void)
{
	struct rt_m *mp = rt_getm();	/* g0 never leaves its thread */
	struct rt_g *gp;

	while (!mp->end_thread && (gp = next_for(mp)) != NULL)
		rt_execute(mp, gp);
	if (mp->spinning) {
		rt_store_rlx(&mp->spinning, false);
		rt_sub_ar(&rt_sched.nmspinning, 1);
	}
	if (mp->p)
		rt_handoff(rt_p_release(mp));
}
