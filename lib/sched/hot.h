/* SPDX-License-Identifier: MIT */
/*
 * hot.h - what runs at every switch, inline: status edges, the run queue's owner side, publishing.
 *
 * No system call, no locked instruction while there is one P, no allocation.
 */
#ifndef RT_HOT_H
#define RT_HOT_H

#include <string.h>

#include "sched/acct.h"
#include "sched/sched.h"

/* ---- status of a G ----------------------------------------------------------------------- */

/* The table of legal edges; drawn in Documentation/design.rst. Folds to a constant. */
static inline bool rt_g_edge_legal(uint32_t from, uint32_t to)
{
	switch (from) {
	case GMP_G_DEAD:
		return to == GMP_G_IDLE;
	case GMP_G_IDLE:
		return to == GMP_G_RUNNABLE || to == GMP_G_DEAD;
	case GMP_G_RUNNABLE:
		return to == GMP_G_RUNNING;
	case GMP_G_RUNNING:
		return to == GMP_G_RUNNABLE || to == GMP_G_WAITING || to == GMP_G_SYSCALL ||
		       to == GMP_G_DEAD;
	case GMP_G_SYSCALL:
		return to == GMP_G_RUNNING || to == GMP_G_RUNNABLE;
	case GMP_G_WAITING:
		return to == GMP_G_RUNNABLE;
	}
	return false;
}

rt_cold _Noreturn void rt_g_bad_edge(struct rt_g *gp, uint32_t from, uint32_t to);

/*
 * The one transition function. Plain accesses: a G always has exactly one owner, who alone moves it;
 * a wrong owner shows here as a wrong `from`.
 */
static inline void rt_g_set_status(struct rt_g *gp, uint32_t from, uint32_t to)
{
	if (unlikely(!rt_g_edge_legal(from, to) || rt_load_rlx(&gp->h.status) != from))
		rt_g_bad_edge(gp, from, to);
	if (to == GMP_G_RUNNABLE && unlikely(rt_sched.acct))
		rt_acct_runnable(gp);
	rt_store_rlx(&gp->h.status, to);
}

/* ---- the word of a P (gmp_abi.h) ----------------------------------------------------------- */

/* The table of legal edges; drawn in Documentation/design.rst. Folds where the caller knows them. */
static inline bool rt_p_edge_legal(uint32_t from, uint32_t to)
{
	switch (from) {
	case GMP_P_IDLE:
		return to == GMP_P_RUNNING || to == GMP_P_GCSTOP;
	case GMP_P_RUNNING:
		return to == GMP_P_IDLE || to == GMP_P_SYSCALL || to == GMP_P_GCSTOP;
	case GMP_P_SYSCALL:
		return to == GMP_P_RUNNING || to == GMP_P_IDLE || to == GMP_P_GCSTOP;
	case GMP_P_GCSTOP:
		return to == GMP_P_IDLE || to == GMP_P_RUNNING || to == GMP_P_DEAD;
	case GMP_P_DEAD:
		return to == GMP_P_GCSTOP;
	}
	return false;
}

rt_cold _Noreturn void rt_p_bad_edge(struct rt_p *pp, uint64_t w, uint32_t from, uint32_t to);

static inline void rt_p_check_edge(struct rt_p *pp, uint64_t old, uint64_t new)
{
	uint32_t from = GMP_P_WORD_STATUS(old), to = GMP_P_WORD_STATUS(new);

	if (unlikely(!rt_p_edge_legal(from, to)))
		rt_p_bad_edge(pp, old, from, to);
}

/* The transition, against others who may want the same. False: the word was not @old. */
static inline bool rt_p_cas(struct rt_p *pp, uint64_t old, uint64_t new)
{
	rt_p_check_edge(pp, old, new);
	return rt_cas_ar(pp->word, old, new);	/* MO-8 */
}

/* The same by the M that holds the P: nobody else may change a RUNNING word. */
static inline void rt_p_store(struct rt_p *pp, uint64_t old, uint64_t new)
{
	rt_p_check_edge(pp, old, new);
	rt_store_rel(pp->word, new);		/* MO-8 */
}

/* ---- publishing (gmp_abi.h, section 1 and 2) ----------------------------------------------- */

static inline void rt_publish(struct rt_m *mp, struct rt_g *gp, uint64_t goid, uint32_t gstatus,
			      uint32_t mstate)
{
	struct gmp_tls *t = mp->tls;
	struct gmp_m_user *u = mp->slot;

	t->g = (uintptr_t)gp;
	rt_store_rlx(&t->goid, goid);
	rt_store_rlx(&t->gstatus, (uint16_t)gstatus);
	rt_store_rlx(&t->mstate, (uint16_t)mstate);
	rt_store_rlx(&u->gstatus, gstatus);
	rt_store_rlx(&u->mstate, mstate);
	rt_store_rlx(&u->goid, goid);
}

/* The M enters the scheduler, or another state without a G. */
static inline void rt_publish_m(struct rt_m *mp, enum gmp_m_state mstate)
{
	rt_publish(mp, NULL, 0, 0, mstate);
}

static inline void rt_publish_p(struct rt_m *mp, int32_t p)
{
	rt_store_rlx(&mp->tls->p, p);
	rt_store_rlx(&mp->slot->p, p);
}

/*
 * @gp is to run soon, after as many others as are taken from the global queue at once: its lines in the
 * cache, and the frames it returns to. Of ten thousand goroutines none is there by itself.
 */
static inline void rt_prefetch_g(struct rt_g *gp)
{
	__builtin_prefetch(&gp->h, 1);
	if (gp->sp) {
		__builtin_prefetch(gp->sp);
		__builtin_prefetch((char *)gp->sp + 64);
	} else {
		__builtin_prefetch(&gp->stack_lo, 1);
	}
}

/* ---- the owner's side of the run queue: see runq.c for the protocol -------------------------- */

static inline struct rt_g *rt_runnext_take(struct rt_p *pp)
{
	struct rt_g *gp = rt_load_rlx(&pp->runnext);

	if (!gp)
		return NULL;
	if (likely(rt_sched.single)) {
		rt_store_rlx(&pp->runnext, NULL);
		return gp;
	}
	/* Only the owner sets it, so a failed exchange means: stolen. */
	return rt_cas_ar(&pp->runnext, gp, NULL) ? gp : NULL;
}

static inline struct rt_g *rt_runq_pop(struct rt_p *pp)
{
	for (;;) {
		uint32_t h = rt_load_acq(&pp->runqhead);	/* MO-5 */
		struct rt_g *gp;

		if (rt_load_rlx(&pp->runqtail) == h)
			return NULL;
		gp = rt_load_rlx(&pp->runq[h % RT_RUNQ_LEN]);
		if (likely(rt_sched.single)) {
			rt_store_rlx(&pp->runqhead, h + 1);
			return gp;
		}
		rt_inject_at(RT_INJ_POP);
		if (rt_cas_ar(&pp->runqhead, h, h + 1))
			return gp;
	}
}

void rt_runq_put_slow(struct rt_p *pp, struct rt_g *gp, uint32_t h, uint32_t t);

static inline void rt_runq_push(struct rt_p *pp, struct rt_g *gp)
{
	uint32_t h = rt_load_acq(&pp->runqhead);	/* MO-5: consumers are done with the slot */
	uint32_t t = pp->runqtail;

	if (unlikely(t - h >= RT_RUNQ_LEN)) {
		rt_runq_put_slow(pp, gp, h, t);
		return;
	}
	rt_store_rlx(&pp->runq[t % RT_RUNQ_LEN], gp);
	rt_store_rel(&pp->runqtail, t + 1);		/* MO-4: publishes the slot */
}

/* @gp runs next; who was next goes to the tail. */
static inline void rt_runq_push_next(struct rt_p *pp, struct rt_g *gp)
{
	struct rt_g *old;

	if (rt_sched.single) {
		old = pp->runnext;
		rt_store_rlx(&pp->runnext, gp);
	} else {
		old = rt_load_rlx(&pp->runnext);
		if (old)
			old = rt_xchg_ar(&pp->runnext, gp);
		else
			rt_store_rel(&pp->runnext, gp);	/* nobody but us sets it from NULL */
	}
	if (old)
		rt_runq_push(pp, old);
}

/* ---- Gs tied to the M: tied.c ---------------------------------------------------------------- */

struct rt_g *rt_tied_pop(struct rt_m *mp, struct rt_p *pp);

static inline bool rt_m_has_tied(const struct rt_m *mp)
{
	return mp->tied.n || mp->alone;
}

/* The first of them when its turn has come: others run before it as often as were queued. */
static inline struct rt_g *rt_tied_take(struct rt_m *mp, struct rt_p *pp)
{
	if (mp->tied_wait > 0) {
		mp->tied_wait--;
		return NULL;
	}
	return rt_tied_pop(mp, pp);
}

/* ---- wake-ups -------------------------------------------------------------------------------- */

/*
 * After work was queued: another P may be needed. MO-6, the submitter's half:
 *   queue the work; full fence; look for spinning Ms.    (wakeup.c draws both halves)
 */
static inline void rt_wake_after_put(void)
{
	if (rt_sched.single)
		return;		/* the only P is ours */
	rt_inject_at(RT_INJ_SUBMITTED);
	rt_smp_mb();
	if (rt_load_rlx(&rt_sched.npidle) != 0 && rt_load_rlx(&rt_sched.nmspinning) == 0)
		rt_wakep();
}

/* rt_ready() on an M with the P @pp, inline. */
static rt_always_inline void rt_ready_hot(struct rt_p *pp, struct rt_g *gp)
{
	rt_g_set_status(gp, GMP_G_WAITING, GMP_G_RUNNABLE);
	rt_inject_at(RT_INJ_READY);
	rt_own_add(&pp->c.readies, 1);
	rt_runq_push_next(pp, gp);
	rt_wake_after_put();
}

#endif
