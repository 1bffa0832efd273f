/* SPDX-License-Identifier: MIT */
/* defer.h - calls at the end of a goroutine. */
#ifndef RT_DEFER_H
#define RT_DEFER_H

#include "sched/sched.h"

struct rt_defer {
	struct rt_defer *next;
	void (*fn)(void *);
	void *arg;
	bool borrowed;		/* lies in a frame of the goroutine: not freed */
};

/*
 * The list may end in a word of the layer above instead of NULL: tagged, and given to rt_defer_tail()
 * after all others. So a goroutine that a wait group counts costs no record (sync/waitgroup.c).
 */
#define RT_DEFER_TAIL	1ul
extern void (*const rt_defer_tail)(void *arg);

void rt_defers_run_slow(struct rt_g *gp);
void rt_defers_drop(struct rt_g *gp);	/* never to be run: @gp was abandoned */

/* Runs them, last first; they may park and defer more. On the goroutine's own stack. */
static inline void rt_defers_run(struct rt_g *gp)
{
	if (unlikely(gp->defers != NULL))
		rt_defers_run_slow(gp);
}

/*
 * The same without allocation, for a function of the library that calls a user's: @d lies in its
 * frame, which is still there when gmp_goexit() was called further down.
 */
static inline void rt_defer_push(struct rt_g *gp, struct rt_defer *d, void (*fn)(void *), void *arg)
{
	*d = (struct rt_defer){ .next = gp->defers, .fn = fn, .arg = arg, .borrowed = true };
	gp->defers = d;
}

/* The user's function has returned. What it deferred itself stays, on top of @d. */
static inline void rt_defer_remove(struct rt_g *gp, struct rt_defer *d)
{
	struct rt_defer **pd = &gp->defers;

	while (*pd != d)
		pd = &(*pd)->next;
	*pd = d->next;
}

#endif
