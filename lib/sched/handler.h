/* SPDX-License-Identifier: MIT */
/*
 * handler.h - calls that would park, made in the program's signal handlers.
 *
 * A handler on the thread's alternate stack (SA_ONSTACK) cannot be left for another goroutine: the next
 * signal would write over its frames. Nor can one that interrupted the runtime (rt_may_park()). Such a call is
 * fatal, by name. A handler on the goroutine's own stack cannot be told from the code that it interrupted, and can
 * be left as that code can.
 *
 * Price: two compares of the stack pointer with memory where a goroutine is about to be left; all else
 * is asked off that stack only.
 */
#ifndef RT_HANDLER_H
#define RT_HANDLER_H

#include "sched/runtime.h"

/* Is this not the stack of @gp, which runs? In assembler, so that no frame pointer is made for it. */
static rt_always_inline bool rt_off_stack(const struct rt_g *gp)
{
	bool below, above;

	__asm__ __volatile__("cmpq %1, %%rsp" : "=@ccb"(below) : "m"(gp->stack_lo));
	if (unlikely(below))
		return true;
	__asm__ __volatile__("cmpq %1, %%rsp" : "=@cca"(above) : "m"(gp->stack_hi));
	return unlikely(above);
}

/* Off the stack of the running G: is it the one for signals? Else the program switched to it by itself. */
rt_cold bool rt_on_alternate_stack(void);

/*
 * @call may park, and this is not the stack of the running G, or the runtime was interrupted. Fatal; returns if
 * that can be left all the same: on a stack that the program switched to by itself. Context: any lock held.
 */
rt_cold void rt_in_handler(const char *call);

/* Is rt_in_handler() to be asked by @gp, which runs on @mp? crit lies beside what a switch reads anyway. */
static rt_always_inline bool rt_may_be_handler(const struct rt_m *mp, const struct rt_g *gp)
{
	return unlikely(rt_off_stack(gp) || rt_load_rlx(&mp->slot->crit));
}

/* May @gp be left here, on @mp, though it did not ask for it? */
static inline bool rt_may_be_left(const struct rt_m *mp, const struct rt_g *gp)
{
	return !rt_load_rlx(&mp->slot->crit) && !(rt_off_stack(gp) && rt_on_alternate_stack());
}

/* At the beginning of a @call that may park: as rt_may_park(), but outside of a goroutine it may be made. */
static inline void rt_check_stack(const char *call)
{
	struct rt_g *gp = rt_getg();

	if (gp && rt_may_be_handler(rt_getm(), gp))
		rt_in_handler(call);
}

#endif
