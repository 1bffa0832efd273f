/* SPDX-License-Identifier: MIT */
/*
 * wakeup.c - park and ready; whom to wake.
 *
 * Owns:       the edges RUNNING -> WAITING -> RUNNABLE and RUNNING -> RUNNABLE (yield).
 * Not here:   the queues (runq.c), the switch (switch.h), the sleeper's half of MO-6 (find.c).
 *
 * MO-6. Work must not lie in a queue while a P is idle and nobody looks for it.
 *
 *   submitter (here)                      last spinning M (find.c)
 *   S1 queue the work                     T1 nmspinning--, its P on the idle list
 *   S2 full fence                         T2 full fence
 *   S3 read npidle, nmspinning            T3 look at all queues again
 *
 * Either S3 sees an idle P and no spinner, and starts one, or T3 sees the work. Only the first of
 * many submitters starts an M: that one, when it finds work, starts the next (rt_wakep() in find.c).
 * With one P there is no other P to wake and no fence to pay: its owner is the submitter, or the
 * submitter has no P and goes through sched.lock.
 */
#include "sched/handler.h"
#include "sched/switch.h"

struct rt_g *rt_may_park_locked(void)
{
	struct rt_m *mp = rt_getm();

	if (!mp || !mp->p)
		return NULL;
	return rt_getg();
}

/* About to switch already, or in a call of libc: only a signal handler gets here, or an allocator of the program's. */
static inline bool inside_runtime(const struct rt_m *mp, const struct rt_g *gp)
{
	return rt_load_rlx(&gp->h.status) != GMP_G_RUNNING || rt_load_rlx(&mp->slot->crit);
}

struct rt_g *rt_may_park(const char *call)
{
	struct rt_m *mp = rt_getm();
	struct rt_g *gp = mp && mp->p ? mp->curg : NULL;

	if (unlikely(!gp)) {
		rt_ghost_check();
		return NULL;
	}
	if (rt_off_stack(gp))
		rt_in_handler(call);
	if (unlikely(inside_runtime(mp, gp)))
		rt_throw_call(call, "called inside the runtime (in a signal handler?)");
	return gp;
}

struct rt_g *rt_must_park(const char *call)
{
	struct rt_g *gp = rt_may_park(call);

	if (unlikely(!gp))
		rt_throw_call(call, "would park outside a goroutine");
	return gp;
}

RT_RETURN_BY_JUMP void rt_park(rt_park_fn fn, void *arg, enum gmp_wait_reason why)
{
	struct rt_m *mp = rt_getm();
	struct rt_g *gp = rt_parker(mp);

	rt_begin_park(mp, gp, why);
	mp->after_g = gp;
	mp->after_fn = fn;
	mp->after_arg = arg;
	rt_leave(mp, gp, false);
}

RT_RETURN_BY_JUMP void rt_park_unlock(struct rt_lock *l, enum gmp_wait_reason why)
{
	struct rt_m *mp = rt_getm();

	rt_park_unlock_hot(mp, rt_parker(mp), l, why);
}

/* ---- ready ------------------------------------------------------------------------------------------ */

/* No P of our own: through the global queue. */
static rt_noinline void ready_remote(struct rt_g *gp)
{
	struct rt_gqueue q = { 0 };

	rt_gqueue_push(&q, gp);
	rt_inject(&q);
}

void rt_ready(struct rt_g *gp)
{
	struct rt_m *mp = rt_getm();
	struct rt_p *pp = mp ? rt_m_p(mp) : NULL;

	if (likely(pp)) {
		rt_ready_hot(pp, gp);
		return;
	}
	rt_g_set_status(gp, GMP_G_WAITING, GMP_G_RUNNABLE);
	rt_inject_at(RT_INJ_READY);
	ready_remote(gp);
}

void rt_ready_list(struct rt_gqueue *q)
{
	for (struct rt_g *gp = q->head; gp; gp = gp->schedlink)
		rt_g_set_status(gp, GMP_G_WAITING, GMP_G_RUNNABLE);
	rt_inject(q);
}

/* As many Ms as there is work for, and Ps. */
static void start_idle(uint64_t n)
{
	for (; n > 0 && rt_load_acq(&rt_sched.npidle) != 0; n--)
		rt_m_start(NULL, false);
}

/*
 * RUNNABLE Gs from anywhere: as many as there are idle Ps go to the global queue, each of which is
 * started; the rest to our own ring, if we have a P (Go's injectglist).
 */
void rt_inject(struct rt_gqueue *q)
{
	struct rt_m *mp = rt_getm();
	struct rt_p *pp = mp ? rt_m_p(mp) : NULL;
	struct rt_gqueue glob = { 0 };
	uint64_t n;

	if (!q->head)
		return;
	if (!pp) {
		n = q->n;
		rt_lock(&rt_sched.lock);
		rt_globq_put_batch(q);
		rt_unlock(&rt_sched.lock);
		rt_inject_at(RT_INJ_SUBMITTED);
		rt_smp_mb();			/* MO-6: S2 */
		start_idle(n);
		rt_handoff_wake();
		return;
	}
	for (n = rt_load_acq(&rt_sched.npidle); glob.n < n && q->head;)
		rt_gqueue_push(&glob, rt_gqueue_pop(q));
	n = glob.n;
	if (n) {
		rt_lock(&rt_sched.lock);
		rt_yieldq_flush(pp);
		rt_globq_put_batch(&glob);
		rt_unlock(&rt_sched.lock);
		start_idle(n);
	}
	if (q->head) {
		rt_runq_put_batch(pp, q);
		rt_wake_after_put();
	}
}

void rt_wakep(void)
{
	if (rt_load_rlx(&rt_sched.nmspinning) != 0 || !rt_cas_ar(&rt_sched.nmspinning, 0, 1))
		return;
	rt_m_start(NULL, true);
}

/* ---- yield ---------------------------------------------------------------------------------------------- */

static bool yield_commit(struct rt_g *gp, void *arg)
{
	struct rt_p *pp = rt_getm()->p;

	(void)arg;
	rt_lock(&rt_sched.lock);
	if (pp)
		rt_yieldq_flush(pp);
	rt_globq_put(gp);
	rt_unlock(&rt_sched.lock);
	if (!rt_sched.single)
		rt_wake_after_put();
	return true;
}

RT_RETURN_BY_JUMP void rt_yield(struct rt_m *mp, struct rt_g *gp)
{
	if (unlikely(rt_load_rlx(&mp->slot->lost))) {
		rt_p_regain(mp, gp);
		return;
	}
	gp->tied = 0;
	rt_g_set_status(gp, GMP_G_RUNNING, GMP_G_RUNNABLE);
	if (likely(rt_sched.single && !gp->lockedm)) {
		rt_gqueue_push(&mp->p->yieldq, gp);	/* before it is saved: see switch.h */
	} else {
		mp->after_g = gp;
		mp->after_fn = yield_commit;
	}
	rt_leave(mp, gp, true);
}
