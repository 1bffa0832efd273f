/* SPDX-License-Identifier: MIT */
/*
 * waitgroup.c - gmp_wg.
 *
 * Owns:       wg->state. Not here: the queue of those that wait (sema.c, keyed by the address).
 * State:      bits 32-63 the counter (signed), bit 0 WAIT: somebody waits for it to be 0.
 * Invariants: WAIT is set only while the counter is above 0, under the bucket's lock and together
 *             with queueing. The step that brings the counter to 0 while it is set is taken under that
 *             lock, too, and so is letting them all go: nobody who comes later stands among them.
 * Locks:      the bucket's (rank WAITQ).
 * Ordering:   MO-S3 add/done: release (and acquire, to pass on what earlier ones released); pairs
 *             with MO-S4, the acquire in wait.
 *
 * After that step *wg is not touched any more, its address serves as a number: a wait group may lie
 * on the stack of the function that waits. Go must forbid to use a group again before all its waiters
 * have run; here that is allowed. Rejected: the step first, then the lock, with the number of the round
 * to tell whose turn it is: another group at the same address begins with round 0.
 */
#include <errno.h>
#include <gmprt/proc.h>
#include <gmprt/sync.h>

#include "sched/defer.h"
#include "sync/sema.h"

#define WAIT	1u

static inline int32_t counter(uint64_t state)
{
	return (int32_t)(state >> 32);
}

/* After adding @delta. Below 0 is fatal. */
static inline uint64_t added(uint64_t state, int delta)
{
	state += (uint64_t)(uint32_t)delta << 32;
	if (unlikely(counter(state) < 0))
		rt_throw("sync: negative waitgroup counter");
	return state;
}

/* The counter is 0 with @state, and somebody waits for that. */
static inline bool ends_wait(uint64_t state)
{
	return counter(state) == 0 && (state & WAIT);
}

static void take_all(struct rt_bucket *b, struct gmp_wg *wg, struct rt_gqueue *q)
{
	struct rt_waiter *w;

	while ((w = rt_waiter_pop(b, wg)) != NULL)
		rt_gqueue_push(q, rt_waiter_grant(w));
}

/* It was the last, with waiters, when we looked. */
static rt_noinline void add_last(struct gmp_wg *wg, int delta)
{
	struct rt_gqueue q = { 0 };
	struct rt_bucket *b;
	uint64_t old, new;

	rt_waiters_enter();
	b = rt_bucket_lock(wg);
	do {
		old = rt_load_rlx(&wg->state);
		new = added(old, delta);
	} while (!rt_cas_ar(&wg->state, old, ends_wait(new) ? 0 : new));	/* MO-S3 */
	if (ends_wait(new))
		take_all(b, wg, &q);
	rt_unlock(&b->lock);
	if (q.n == 1)
		rt_ready(q.head);
	else if (q.n)
		rt_ready_list(&q);
	rt_waiters_leave();
}

static inline void add(struct gmp_wg *wg, int delta)
{
	uint64_t old, new;

	do {
		old = rt_load_rlx(&wg->state);
		new = added(old, delta);
		if (unlikely(ends_wait(new))) {
			add_last(wg, delta);
			return;
		}
		/* MO-S3: release; pairs with the acquire MO-S4 in gmp_wg_wait(). */
	} while (unlikely(!rt_cas_ar(&wg->state, old, new)));
}

RT_PUBLIC void gmp_wg_add(struct gmp_wg *wg, int delta)
{
	if (unlikely(!wg))
		rt_throw("gmp_wg_add: NULL wait group");
	add(wg, delta);
}

RT_PUBLIC void gmp_wg_done(struct gmp_wg *wg)
{
	if (unlikely(!wg))
		rt_throw("gmp_wg_done: NULL wait group");
	add(wg, -1);
}

/* 0, or -EWOULDBLOCK outside of a goroutine. @call is named where it may not park. */
int rt_wg_wait(struct gmp_wg *wg, const char *call)
{
	struct rt_waiter w;
	struct rt_bucket *b;
	uint64_t state;

	/* MO-S4: acquire; pairs with the release MO-S3 in gmp_wg_done(). */
	if (counter(rt_load_acq(&wg->state)) == 0)
		return 0;
	w.gp = rt_may_park(call);
	if (unlikely(!w.gp))
		return -EWOULDBLOCK;
	b = rt_bucket_lock(wg);
	do {
		state = rt_load_acq(&wg->state);	/* MO-S4 */
		if (counter(state) == 0) {
			rt_unlock(&b->lock);
			return 0;
		}
	} while (!rt_cas_ar(&wg->state, state, state | WAIT));
	rt_waiter_add(b, &w, wg, false);
	rt_waiter_park(b, &w, GMP_WAIT_WG);
	return 0;
}

RT_PUBLIC void gmp_wg_wait(struct gmp_wg *wg)
{
	if (unlikely(!wg))
		rt_throw("gmp_wg_wait: NULL wait group");
	if (unlikely(rt_wg_wait(wg, "gmp_wg_wait") < 0))
		rt_must_park("gmp_wg_wait");	/* fatal: it has no result to say so */
}

/* ---- goroutines that a group counts --------------------------------------------------------- */

/* At the end of such a goroutine, after its deferred calls; gmp_goexit() comes by here too. */
static void counted_ends(void *wg)
{
	add(wg, -1);
}

void (*const rt_defer_tail)(void *arg) = counted_ends;

RT_PUBLIC int64_t gmp_wg_go(struct gmp_wg *wg, void (*fn)(void *), void *arg)
{
	int64_t goid;

	if (unlikely(!wg))
		rt_throw("gmp_wg_go: NULL wait group");
	add(wg, 1);
	goid = rt_go_tail(fn, arg, wg, __builtin_return_address(0));
	if (unlikely(goid < 0))
		add(wg, -1);
	return goid;
}
