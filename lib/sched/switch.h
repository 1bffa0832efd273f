/* SPDX-License-Identifier: MIT */
/*
 * switch.h - from one goroutine to the next without g0, inline: what yield, park, channels and the end
 * of a goroutine share.
 *
 * Owns:       what is published when a G is carried; mp->after_*, which whoever leaves a G sets and the
 *             context switched to commits, first thing (rt_switched()).
 * Not here:   g0's loop and what only g0 can do (proc.c).
 * Invariants: a G is found by others only after its context is saved. One exception, while there is
 *             one P (sched.single): whoever else finds the G cannot run it, for that takes the P, which
 *             this M has until it is in another context. So the lock of a wait list is let go, and
 *             a yielding G queued, before the switch, and nothing is left to commit.
 * Price:      a switch is some hundred instructions, no locked one, no clock, no call but rt_switch().
 *             A return that the CPU cannot foresee costs as much as all of them: who switches returns by
 *             an indirect jump (RT_RETURN_BY_JUMP), and is called last by what wraps it.
 */
#ifndef RT_SWITCH_H
#define RT_SWITCH_H

#include "arch/x86_64/gobuf.h"
#include "debug/canary.h"
#include "sched/eh.h"
#include "sched/hot.h"

/* ---- commit of the last switch --------------------------------------------------------------------- */

void rt_commit_fn(struct rt_m *mp, struct rt_g *gp);

/* First thing on every context that was switched to. */
static rt_always_inline void rt_switched(struct rt_g *self)
{
	struct rt_m *mp = rt_getm();
	struct rt_g *gp = mp->after_g;
	struct rt_lock *l;

	rt_san_enter(&self->san);
	if (!gp)
		return;
	mp->after_g = NULL;
	l = mp->after_lock;
	if (likely(l)) {
		mp->after_lock = NULL;
		rt_inject_at(RT_INJ_PARKED);
		rt_unlock(l);
		return;
	}
	rt_commit_fn(mp, gp);
}

/* ---- what is published when a G is carried ------------------------------------------------------------ */

static rt_always_inline void rt_carry_common(struct rt_m *mp, struct rt_g *gp)
{
	struct gmp_tls *t = mp->tls;
	struct gmp_m_user *u = mp->slot;
	uint64_t switches = t->switches + 1;

	if (unlikely(mp->acct))
		rt_acct_switch(mp, gp);
	rt_g_set_status(gp, GMP_G_RUNNABLE, GMP_G_RUNNING);
	rt_store_rlx(&gp->m, mp);
	rt_store_rlx(&gp->h.m_id, mp->id);
	rt_store_rlx(&gp->h.runs, gp->h.runs + 1);
	rt_store_rlx(&mp->curg, gp);
	rt_store_rlx(&t->switches, switches);
	rt_store_rlx(&u->switches, switches);	/* both began at 0 */
}

/* From another G: the M is RUNNING, its G was, and that stands there already. */
static rt_always_inline void rt_carry_next(struct rt_m *mp, struct rt_g *gp)
{
	struct gmp_tls *t = mp->tls;
	struct gmp_m_user *u = mp->slot;
	uint64_t goid = gp->h.goid;

	rt_carry_common(mp, gp);
	rt_store_rlx(&t->g, (uintptr_t)gp);
	rt_store_rlx(&t->goid, goid);
	rt_store_rlx(&u->goid, goid);
}

/* From g0. */
static inline void rt_carry(struct rt_m *mp, struct rt_g *gp)
{
	rt_carry_common(mp, gp);
	rt_publish(mp, gp, gp->h.goid, GMP_G_RUNNING, GMP_M_RUNNING);
}

static rt_always_inline void rt_put_down(struct rt_g *gp)
{
	rt_canary_check(gp);
	rt_store_rlx(&gp->m, NULL);
	rt_store_rlx(&gp->h.wait_since, rt_coarse_now());
}

/* ---- the next G, when it is near ------------------------------------------------------------------------ */

bool rt_tick_look(struct rt_p *pp, uint64_t tick, struct rt_g **gp);	/* true: g0 must look */
bool rt_pick_special(struct rt_m *mp, struct rt_p *pp, struct rt_g *gp);	/* false: g0 must */

static rt_always_inline struct rt_g *rt_pick_queued(struct rt_m *mp, struct rt_p *pp)
{
	struct rt_g *gp;

	if (unlikely(mp->tied.n)) {
		if (!rt_tied_shares(mp))
			return NULL;
		gp = rt_tied_take(mp, pp);
		if (gp)
			return gp;
	}
	gp = rt_runq_pop(pp);
	if (!gp && pp->yieldq.n && !rt_load_rlx(&rt_sched.globq.n))
		gp = rt_yieldq_get(pp, RT_GLOBQ_BATCH_MAX);
	return gp;
}

/* The next G to run on @pp without entering g0; NULL: g0 must look. */
static rt_always_inline struct rt_g *rt_pick(struct rt_m *mp, struct rt_p *pp)
{
	uint64_t tick = pp->schedtick;
	struct rt_g *gp = NULL;

	if (unlikely(rt_load_rlx(&pp->attention) || mp->lockedg))
		return NULL;
	if (unlikely(tick >= pp->tick_look) && rt_tick_look(pp, tick, &gp))
		return NULL;
	if (likely(!gp) && (gp = rt_runnext_take(pp)) != NULL) {
		rt_own_add(&pp->c.runnext_hits, 1);	/* inherits the time slice: no tick */
	} else {
		if (likely(!gp))
			gp = rt_pick_queued(mp, pp);
		if (!gp)
			return NULL;
		rt_store_rlx(&pp->schedtick, tick + 1);
	}
	if (unlikely(gp->lockedm || !gp->sp) && !rt_pick_special(mp, pp, gp))
		return NULL;
	rt_own_add(&pp->c.switches, 1);
	return gp;
}

/* ---- leaving a G --------------------------------------------------------------------------------------------- */

/* rt_leave() by a goroutine that throws or catches (eh.h); always as if @self. */
void rt_leave_busy(struct rt_m *mp, struct rt_g *gp);

/* See rt_switch_off() in sched.h. @self: what is next may be @gp, for it was queued before. */
static rt_always_inline void rt_leave(struct rt_m *mp, struct rt_g *gp, bool self)
{
	struct rt_p *pp = mp->p;
	struct rt_g *next;

	if (rt_eh_busy(mp)) {
		rt_leave_busy(mp, gp);
		return;
	}
	next = likely(pp) ? rt_pick(mp, pp) : NULL;
	if (unlikely(!next)) {
		rt_switch_g0(mp, gp);
		return;
	}
	if (self && unlikely(next == gp)) {
		rt_carry_next(mp, gp);
		return;
	}
	rt_put_down(gp);
	rt_carry_next(mp, next);
	rt_san_leave(&gp->san, &next->san, next->stack_lo, next->stack_hi);
	rt_switch(&gp->sp, next->sp);
	rt_switched(gp);
}

static rt_always_inline struct rt_g *rt_parker(struct rt_m *mp)
{
	struct rt_g *gp = mp ? mp->curg : NULL;

	if (unlikely(!gp))
		rt_throw("park outside of a goroutine");
	return gp;
}

static rt_always_inline void rt_begin_park(struct rt_m *mp, struct rt_g *gp, enum gmp_wait_reason why)
{
	if (unlikely(mp->stops_world))
		rt_throw("park while the world is stopped");
	rt_store_rlx(&gp->h.wait_reason, (uint16_t)why);
	gp->tied = 0;
	if (unlikely(rt_load_rlx(&mp->slot->lost)))
		rt_p_lost(mp);
	else
		rt_own_add(&mp->p->c.parks, 1);
	rt_g_set_status(gp, GMP_G_RUNNING, GMP_G_WAITING);
}

/* rt_park_unlock(), inline. @mp: rt_getm(), read since the last park; @gp: mp->curg. */
static rt_always_inline void rt_park_unlock_hot(struct rt_m *mp, struct rt_g *gp, struct rt_lock *l,
						enum gmp_wait_reason why)
{
	rt_begin_park(mp, gp, why);
	if (rt_sched.single && likely(mp->p)) {
		rt_unlock(l);
	} else {
		mp->after_g = gp;
		mp->after_lock = l;
	}
	rt_leave(mp, gp, false);
}

#endif
