/* SPDX-License-Identifier: MIT */
/*
 * cond.c - gmp_cond.
 *
 * Owns:       c->waiters. Not here: the queue (sema.c, keyed by the address of c).
 * Invariants: `waiters` is the length of the queue, changed together with it under the bucket's
 *             lock; read without it only to find that there is nobody to signal.
 *             A waiter is queued before the mutex is unlocked: a signal that comes after that
 *             unlock finds it, parked or not. Go does this with tickets; here the queue itself is
 *             the order, and a waiter granted before it parked does not park.
 * Locks:      the bucket's (rank WAITQ). The caller's mutex is a mutex of goroutines: not held when
 *             the bucket's lock is taken the second time.
 * Ordering:   MO-S9 waiters: raised (release) before the mutex is unlocked; a signaller that locked
 *             the mutex after that reads it (acquire) and sees it. A signaller without the mutex has
 *             no such order and none is promised. What came before a signal is seen by the one it
 *             lets go: MO-S0.
 */
#include <gmprt/sync.h>

#include "sched/sched.h"
#include "sync/sema.h"

RT_PUBLIC void gmp_cond_wait(struct gmp_cond *c, struct gmp_mutex *m)
{
	struct rt_waiter w;
	struct rt_bucket *b;

	if (unlikely(!c || !m))
		rt_throw("gmp_cond_wait: NULL");
	w.gp = rt_must_park("gmp_cond_wait");
	b = rt_bucket_lock(c);
	rt_waiter_add(b, &w, c, false);
	rt_add_ar(&c->waiters, 1);	/* MO-S9: release; pairs with nobody_waits() */
	rt_unlock(&b->lock);

	gmp_mutex_unlock(m);

	rt_lock(&b->lock);	/* *c may be gone if we were granted meanwhile */
	rt_waiter_park(b, &w, GMP_WAIT_COND);
	rt_mutex_lock(m, GMP_WAIT_MUTEX, "gmp_cond_wait");
}

static inline bool nobody_waits(struct gmp_cond *c)
{
	return rt_load_acq(&c->waiters) == 0;	/* MO-S9: acquire; pairs with gmp_cond_wait() */
}

RT_PUBLIC void gmp_cond_signal(struct gmp_cond *c)
{
	struct rt_waiter *w;
	struct rt_bucket *b;
	struct rt_g *gp = NULL;

	if (unlikely(!c))
		rt_throw("gmp_cond_signal: NULL condition");
	if (nobody_waits(c))
		return;
	rt_waiters_enter();
	b = rt_bucket_lock(c);
	w = rt_waiter_pop(b, c);
	rt_store_rlx(&c->waiters, w ? c->waiters - 1 : 0);	/* 0: they waited in an earlier run */
	if (w)
		gp = rt_waiter_grant(w);
	rt_unlock(&b->lock);
	if (gp)
		rt_ready(gp);
	rt_waiters_leave();
}

RT_PUBLIC void gmp_cond_broadcast(struct gmp_cond *c)
{
	struct rt_gqueue q = { 0 };
	struct rt_waiter *w;
	struct rt_bucket *b;
	struct rt_g *gp;

	if (unlikely(!c))
		rt_throw("gmp_cond_broadcast: NULL condition");
	if (nobody_waits(c))
		return;
	rt_waiters_enter();
	b = rt_bucket_lock(c);
	rt_store_rlx(&c->waiters, 0);
	while ((w = rt_waiter_pop(b, c)) != NULL) {
		gp = rt_waiter_grant(w);
		if (gp)
			rt_gqueue_push(&q, gp);
	}
	rt_unlock(&b->lock);
	if (q.n)
		rt_ready_list(&q);
	rt_waiters_leave();
}
