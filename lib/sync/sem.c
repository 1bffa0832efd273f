/* SPDX-License-Identifier: MIT */
/*
 * sem.c - gmp_sem, the weighted semaphore.
 *
 * Owns:       s->state. Not here: the queue of those that wait (sema.c, keyed by the address of s).
 * State:      bit 0 QUEUE: somebody waits; from bit 1 the number of permits.
 * Invariants: QUEUE changes together with the queue, under the bucket's lock. While it is set only
 *             the holder of that lock changes the state: permits go to the first waiter or nobody,
 *             so that one who wants many is not starved by those who want few. QUEUE without a queue
 *             is what a gmp_run() left behind that is over.
 * Locks:      the bucket's (rank WAITQ); in cancelled() under the context's (rank CTX).
 * Ordering:   MO-S10 take: acquire; pairs with MO-S11 give: release. Those that park: MO-S0.
 */
#include <errno.h>
#include <gmprt/sync.h>

#include "sched/sched.h"
#include "sync/context.h"
#include "sync/sema.h"

#define QUEUE	1u
#define ONE	2u

static inline int64_t permits(uint64_t state)
{
	return (int64_t)(state >> 1);
}

static inline bool fits(uint64_t state, int64_t n)
{
	return !(state & QUEUE) && permits(state) >= n;
}

/* Takes @n if nobody waits and they are there. */
static inline bool take(struct gmp_sem *s, int64_t n)
{
	uint64_t state;

	do {
		state = rt_load_rlx(&s->state);
		if (!fits(state, n))
			return false;
	} while (!rt_cas_acq(&s->state, state, state - (uint64_t)n * ONE));	/* MO-S10 */
	return true;
}

/*
 * Gives permits to the first waiters for as long as they suffice; the Gs to be made ready go to @q.
 * Locks: bucket held, QUEUE set. A waiter keeps *s alive until the lock is free.
 */
static void serve(struct rt_bucket *b, struct gmp_sem *s, struct rt_gqueue *q)
{
	uint64_t state = rt_load_rlx(&s->state);
	struct rt_waiter *w;

	while ((w = rt_waiter_first(b, s)) != NULL && permits(state) >= w->n) {
		struct rt_g *gp;

		state -= (uint64_t)w->n * ONE;
		rt_waiter_del(b, w);
		gp = rt_waiter_grant(w);
		if (gp)
			rt_gqueue_push(q, gp);
	}
	if (!w)
		state &= ~(uint64_t)QUEUE;
	rt_store_rel(&s->state, state);	/* MO-S11: pairs with take() */
}

static void ready_all(struct rt_gqueue *q)
{
	if (q->n == 1)
		rt_ready(q->head);
	else if (q->n)
		rt_ready_list(q);
}

/* The bucket, locked; QUEUE is not set unless somebody waits. Between rt_waiters_enter() and _leave(). */
static struct rt_bucket *lock_queue(struct gmp_sem *s)
{
	struct rt_bucket *b = rt_bucket_lock(s);
	uint64_t state = rt_load_rlx(&s->state);

	if (unlikely(state & QUEUE) && unlikely(!rt_waiter_first(b, s)))
		rt_cas_ar(&s->state, state, state & ~(uint64_t)QUEUE);	/* MO-S11 of those before */
	return b;
}

/* take(), but for those who waited for a run that is over. */
static bool take_or_forget(struct gmp_sem *s, int64_t n)
{
	uint64_t state;
	bool did;

	if (likely(take(s, n)))
		return true;
	state = rt_load_rlx(&s->state);
	if (likely(!(state & QUEUE) || permits(state) < n))
		return false;
	rt_waiters_enter();
	rt_unlock(&lock_queue(s)->lock);
	did = take(s, n);
	rt_waiters_leave();
	return did;
}

/* Locks the bucket and queues @w; NULL, and no lock, when the permits could be taken after all. */
static struct rt_bucket *queue_up(struct gmp_sem *s, struct rt_waiter *w)
{
	struct rt_bucket *b = lock_queue(s);
	uint64_t state = rt_load_rlx(&s->state);

	/* Until QUEUE is set, others come and go without the lock. */
	while (fits(state, w->n) || !rt_cas_acq(&s->state, state, state | QUEUE)) {
		if (take(s, w->n)) {
			rt_unlock(&b->lock);
			return NULL;
		}
		state = rt_load_rlx(&s->state);
	}
	rt_waiter_add(b, w, s, false);
	return b;
}

/* ---- waiting with a context ------------------------------------------------------------------ */

struct ctx_waiter {
	struct rt_waiter w;
	struct rt_ctx_hook hook;
	struct gmp_sem *s;
};

/* Takes @cw off the queue with @err unless it has its permits; who comes next may fit now. */
static void give_up(struct rt_bucket *b, struct ctx_waiter *cw, int err, struct rt_gqueue *q)
{
	struct rt_g *gp;

	if (!cw->w.queued)
		return;
	rt_waiter_del(b, &cw->w);
	cw->w.result = err;
	serve(b, cw->s, q);
	gp = rt_waiter_grant(&cw->w);
	if (gp)
		rt_gqueue_push(q, gp);
}

/* The context ended; called under its lock. */
static void cancelled(struct rt_ctx_hook *h, int err, struct rt_gqueue *q)
{
	struct ctx_waiter *cw = rt_container_of(h, struct ctx_waiter, hook);
	struct rt_bucket *b = rt_bucket_lock(cw->s);	/* run_hooks() keeps the waiters */

	give_up(b, cw, err, q);
	rt_unlock(&b->lock);
}

static int wait_ctx(struct gmp_ctx *ctx, struct gmp_sem *s, int64_t n, struct rt_g *gp)
{
	struct ctx_waiter cw = { .w = { .gp = gp, .n = n }, .hook = { .fn = cancelled }, .s = s };
	struct rt_gqueue q = { 0 };
	struct rt_bucket *b = queue_up(s, &cw.w);
	int err;

	if (!b)
		return 0;
	rt_unlock(&b->lock);		/* rank CTX comes before WAITQ */
	err = rt_ctx_hook_add(ctx, &cw.hook);
	rt_lock(&b->lock);
	if (err)
		give_up(b, &cw, err, &q);	/* grants: the park below returns at once */
	rt_waiter_park(b, &cw.w, GMP_WAIT_SEMACQUIRE);
	ready_all(&q);
	if (!err)
		rt_ctx_hook_del(ctx, &cw.hook);
	return cw.w.result;
}

/* ---- the calls --------------------------------------------------------------------------------- */

int rt_sem_acquire(struct gmp_sem *s, int64_t n, enum gmp_wait_reason why, const char *call)
{
	struct rt_waiter w = { .n = n };
	struct rt_bucket *b;

	if (unlikely(!s || n < 0))
		return -EINVAL;
	if (likely(take_or_forget(s, n)))
		return 0;
	w.gp = rt_may_park(call);
	if (!w.gp)
		return -EWOULDBLOCK;
	b = queue_up(s, &w);
	if (b)
		rt_waiter_park(b, &w, why);
	return 0;
}

RT_PUBLIC int gmp_sem_acquire(struct gmp_sem *s, int64_t n)
{
	return rt_sem_acquire(s, n, GMP_WAIT_SEMACQUIRE, "gmp_sem_acquire");
}

RT_PUBLIC int gmp_sem_acquire_ctx(struct gmp_ctx *ctx, struct gmp_sem *s, int64_t n)
{
	struct rt_g *gp;
	int err;

	if (unlikely(!s || n < 0))
		return -EINVAL;
	err = gmp_ctx_err(ctx);
	if (err)
		return err;
	if (likely(take_or_forget(s, n)))
		return 0;
	gp = rt_may_park("gmp_sem_acquire_ctx");
	return gp ? wait_ctx(ctx, s, n, gp) : -EWOULDBLOCK;
}

RT_PUBLIC int gmp_sem_try(struct gmp_sem *s, int64_t n)
{
	if (unlikely(!s || n < 0))
		return -EINVAL;
	return take_or_forget(s, n) ? 0 : -EBUSY;
}

static rt_noinline int release_slow(struct gmp_sem *s, int64_t n)
{
	struct rt_gqueue q = { 0 };
	struct rt_bucket *b;
	uint64_t state;
	int err = 0;

	rt_waiters_enter();
	b = rt_bucket_lock(s);
	do {
		state = rt_load_rlx(&s->state);
		if (n > GMP_SEM_MAX - permits(state)) {
			err = -EOVERFLOW;
			break;
		}
	} while (!rt_cas_ar(&s->state, state, state + (uint64_t)n * ONE));	/* MO-S11 */
	if (!err && (state & QUEUE))
		serve(b, s, &q);
	rt_unlock(&b->lock);
	ready_all(&q);
	rt_waiters_leave();
	return err;
}

RT_PUBLIC int gmp_sem_release(struct gmp_sem *s, int64_t n)
{
	uint64_t state;

	if (unlikely(!s || n < 0))
		return -EINVAL;
	do {
		state = rt_load_rlx(&s->state);
		if (unlikely((state & QUEUE) || n > GMP_SEM_MAX - permits(state)))
			return release_slow(s, n);
	} while (!rt_cas_ar(&s->state, state, state + (uint64_t)n * ONE));
	/* MO-S11: release; pairs with the acquire MO-S10 in take(). */
	return 0;
}
