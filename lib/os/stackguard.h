/* SPDX-License-Identifier: MIT */
/* stackguard.h - what lies below a stack: a guard, or a gap that is looked at. See stackguard.c. */
#ifndef RT_STACKGUARD_H
#define RT_STACKGUARD_H

#include "base/compiler.h"

enum rt_guard {
	RT_GUARD,		/* no access survives */
	RT_GUARD_NONE,		/* there are as many as there may be */
	RT_GUARD_ERROR,		/* the kernel has guards for all, and no memory for this one */
};

/*
 * A guard for RT_STACK_GUARD bytes at @at, which nobody has touched. @lowest: below the lowest of a slab,
 * with more behind it that is not the runtime's. Locks: the stack lock.
 */
enum rt_guard rt_guard_at(uintptr_t at, bool lowest);

/* From now on only the lowest get one: it is time for larger slabs. Locks: the stack lock. */
bool rt_guards_are_out(void);

/* Were the RT_STACK_GUARD bytes at @at, which have no guard, written to? Context: any, also signal handlers. */
bool rt_gap_written(uintptr_t at);

/* All that were there are unmapped. */
void rt_guards_forget(void);

#endif
