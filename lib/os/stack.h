/* SPDX-License-Identifier: MIT */
/*
 * stack.h - stacks of goroutines: reserved address space, committed on touch, guarded.
 *
 * A stack is [lo, hi); below lo lie RT_STACK_GUARD bytes that no access survives (or, on kernels
 * where a guard costs a mapping and many exist already, a gap: nothing else uses it, see stackguard.c).
 */
#ifndef RT_STACK_H
#define RT_STACK_H

#include "base/compiler.h"

/* An odd number of pages, so that the tops of neighbours do not share the sets of the TLB: see stack.c. */
#define RT_STACK_GUARD		(68u << 10)
#define RT_STACK_DEFAULT	(256u << 10)
#define RT_STACK_MIN		(16u << 10)	/* the sizes are twos of this */
#define RT_STACK_LIMIT		(1u << 30)

/* A free stack: the record lies at its own top, in the page that is touched first anyway. */
struct rt_stack {
	struct rt_stack *next;
	uintptr_t lo;
	uint32_t size_class;
	bool gap;		/* no guard below it */
};

/* Which of the sizes 16 KiB << n holds @size bytes. */
static inline uint32_t rt_stack_class(size_t size)
{
	return size <= RT_STACK_MIN ? 0 : 64 - (uint32_t)__builtin_clzl((size - 1) / RT_STACK_MIN);
}

/* The record of the stack that ends at @hi. */
static inline struct rt_stack *rt_stack_at(uintptr_t hi)
{
	return (struct rt_stack *)(hi - 64);
}

static inline uintptr_t rt_stack_hi(struct rt_stack *s)
{
	return (uintptr_t)s + 64;
}

/**
 * rt_stack_alloc() - a stack of at least @size usable bytes
 * Context: any; takes the stack lock. Return: the record at its top, or NULL.
 */
struct rt_stack *rt_stack_alloc(size_t size);

/**
 * rt_stack_free() - gives a stack back
 * The caller may still run on it as long as nobody else can allocate (its P's cache): then use the
 * cache of the P instead. Context: any; takes the stack lock.
 */
void rt_stack_free(uintptr_t lo, uintptr_t hi, bool gap);

/**
 * rt_stack_scavenge() - gives the pages of stacks that were free for a second or two back to the kernel
 *
 * Works for about @budget_ns. Context: one thread (sysmon); takes the stack lock for short.
 * Return: true while there may be something to do later.
 */
bool rt_stack_scavenge(uint64_t now, uint64_t budget_ns);

/* Is there any stack without a guard? Context: any. */
bool rt_stack_gaps(void);

/**
 * rt_stack_look() - looks at gaps below stacks until the time @end, going on where it stopped
 *
 * @found: one ran over. Context: one thread (sysmon). Return: true at the end of a round.
 */
bool rt_stack_look(uint64_t end, bool *found);

/* At all of them: the lo of the highest that ran over, or 0. Context: any, also signal handlers. */
uintptr_t rt_stack_look_all(void);

/* Unmaps all; only when no goroutine exists. */
void rt_stack_release_all(void);
void rt_stack_forget_all(void);	/* the same, but nothing is unmapped */

/* Bytes of address space reserved and stacks in being, for statistics. */
void rt_stack_stats(uint64_t *reserved, uint64_t *stacks);

#endif
