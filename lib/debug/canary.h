/* SPDX-License-Identifier: MIT */
/*
 * canary.h - a word at the far end of each goroutine's stack, looked at whenever it stops.
 *
 * Debug builds only: it touches a page that nothing else does. It finds what a guard cannot: a frame
 * so large that it reached beyond the guard, and stacks that have none (os/stack.c, old kernels).
 */
#ifndef RT_CANARY_H
#define RT_CANARY_H

#include "sched/runtime.h"

#define RT_CANARY	0x676d707374616b21ull

#if RT_DEBUG
static inline void rt_canary_set(struct rt_g *gp)
{
	*(uint64_t *)gp->stack_lo = RT_CANARY ^ gp->stack_lo;
}

static inline void rt_canary_check(struct rt_g *gp)
{
	if (gp->stack_lo && *(uint64_t *)gp->stack_lo != (RT_CANARY ^ gp->stack_lo)) {
		rt_say("runtime: goroutine %llu: the end of its stack was overwritten\n",
		       (unsigned long long)gp->h.goid);
		rt_throw("stack overflow");
	}
}
#else
static inline void rt_canary_set(struct rt_g *gp)
{
	(void)gp;
}

static inline void rt_canary_check(struct rt_g *gp)
{
	(void)gp;
}
#endif

#endif
