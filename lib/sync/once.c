/* SPDX-License-Identifier: MIT */
/*
 * once.c - gmp_once.
 *
 * Owns:       once->done. Not here: waiting for the one who runs the function (mutex.c).
 * Invariants: done is set after the function has ended, under m, and never cleared; all others wait
 *             for m. (A single compare-and-swap would be wrong, as Go's once.go says: the loser would
 *             return before the winner's function has.)
 * Ordering:   MO-S18 done: release after the function, pairs with MO-S19, the acquire of all who find
 *             it set.
 */
#include <gmprt/sync.h>

#include "sched/defer.h"
#include "sync/sema.h"

/* Also a deferred call: after gmp_goexit() in the function. */
static void finish(void *arg)
{
	struct gmp_once *once = arg;

	rt_store_rel(&once->done, 1);	/* MO-S18: release; pairs with MO-S19 in gmp_once_do() */
	gmp_mutex_unlock(&once->m);
}

static void run(struct gmp_once *once, void (*fn)(void *), void *arg)
{
	struct rt_g *gp = rt_getg();
	struct rt_defer d;

	if (gp)
		rt_defer_push(gp, &d, finish, once);
	fn(arg);
	if (gp)
		rt_defer_remove(gp, &d);
	finish(once);
}

RT_PUBLIC void gmp_once_do(struct gmp_once *once, void (*fn)(void *), void *arg)
{
	if (unlikely(!once || !fn))
		rt_throw("gmp_once_do: NULL");
	/* MO-S19: acquire; pairs with the release MO-S18 in finish(). */
	if (likely(rt_load_acq(&once->done)))
		return;
	rt_mutex_lock(&once->m, GMP_WAIT_ONCE, "gmp_once_do");
	if (rt_load_rlx(&once->done))	/* m orders it */
		gmp_mutex_unlock(&once->m);
	else
		run(once, fn, arg);
}
