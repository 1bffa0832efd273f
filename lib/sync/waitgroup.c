/* SPDX-License-Identifier: MIT */
/*
 * waitgroup.c - gmp_wg.
 *
 * Owns:       wg->state. Not here: the queue of those that wait (sema.c, keyed by the address).
 * State:      bits 32-63 the counter (signed), bits 1-31 the round, bit 0 WAIT: somebody waits for
 *             the end of this round.
 * Invariants: WAIT is set only while the counter is above 0, under the bucket's lock and together
 *             with queueing. The step that brings the counter to 0 clears it and begins the next
 *             round, in one, and then releases the waiters of the rounds up to its own: never one that
 *             came later. The queue is in order of rounds.
 * Locks:      the bucket's (rank WAITQ).
 * Ordering:   MO-S3 add/done: release (and acquire, to pass on what earlier ones released); pairs
 *             with MO-S4, the acquire in wait.
 *
 * After that step *wg is not touched any more, its address serves as a number: a wait group may lie
 * on the stack of the function that waits. Go has no rounds, and must therefore forbid to use a group
 * again before all its waiters have run; here that is allowed.
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

static inline uint32_t round_of(uint64_t state)
{
	return (uint32_t)state & ~WAIT;
}

/* The counter is 0 and nobody waits, one round later. */
static inline uint64_t next_round(uint64_t state)
{
	return (uint32_t)(round_of(state) + 2);
}

/* The waiters of @round, and of earlier ones should they be late, may go. */
static rt_noinline void release_all(struct gmp_wg *wg, uint32_t round)
{
	struct rt_gqueue q = { 0 };
	struct rt_bucket *b;
	struct rt_waiter *w;

	rt_waiters_enter();
	b = rt_bucket_lock(wg);
	while ((w = rt_waiter_first(b, wg)) != NULL && (int32_t)((uint32_t)w->n - round) <= 0) {
		rt_waiter_del(b, w);
		rt_gqueue_push(&q, rt_waiter_grant(w));
	}
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
	bool wake;

	do {
		old = rt_load_rlx(&wg->state);
		new = old + ((uint64_t)(uint32_t)delta << 32);
		if (unlikely(counter(new) < 0))
			rt_throw("sync: negative waitgroup counter");
		wake = counter(new) == 0 && (old & WAIT);
		if (wake)
			new = next_round(old);
		/* MO-S3: release; pairs with the acquire MO-S4 in gmp_wg_wait(). */
	} while (unlikely(!rt_cas_ar(&wg->state, old, new)));
	if (unlikely(wake))
		release_all(wg, round_of(old));
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

RT_PUBLIC void gmp_wg_wait(struct gmp_wg *wg)
{
	struct rt_waiter w;
	struct rt_bucket *b;
	uint64_t state;

	if (unlikely(!wg))
		rt_throw("gmp_wg_wait: NULL wait group");
	/* MO-S4: acquire; pairs with the release MO-S3 in gmp_wg_done(). */
	if (counter(rt_load_acq(&wg->state)) == 0)
		return;
	w.gp = rt_may_park();
	if (!w.gp)
		rt_throw("gmp_wg_wait: would park outside a goroutine");
	b = rt_bucket_lock(wg);
	do {
		state = rt_load_acq(&wg->state);	/* MO-S4 */
		if (counter(state) == 0) {
			rt_unlock(&b->lock);
			return;
		}
	} while (!rt_cas_ar(&wg->state, state, state | WAIT));
	w.n = round_of(state);
	rt_waiter_add(b, &w, wg, false);
	rt_waiter_park(b, &w, GMP_WAIT_WG);
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
