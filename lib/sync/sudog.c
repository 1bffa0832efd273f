/* SPDX-License-Identifier: MIT */
/*
 * sudog.c - the part of a channel's queue that is not on the fast path.
 *
 * Owns:       nothing; sudog.h has the structures.
 * Locks:      that of the channel is held.
 */
#include "sync/sudog.h"

/* The name is the compiler's. */
__asm__(".pushsection .text\n"
	".p2align 4\n"
	".globl __x86_return_thunk\n"
	".hidden __x86_return_thunk\n"
	".type __x86_return_thunk, @function\n"
	"__x86_return_thunk:\n\t"
	"popq %rcx\n\t"
	"jmp *%rcx\n"
	".size __x86_return_thunk, . - __x86_return_thunk\n"
	".popsection");

void rt_waitq_del(struct rt_waitq *q, struct rt_sudog *sg)
{
	rt_debug_assert(sg->queued);
	if (sg->prev)
		sg->prev->next = sg->next;
	else
		rt_store_rlx(&q->first, sg->next);
	if (sg->next)
		sg->next->prev = sg->prev;
	else
		q->last = sg->prev;
	sg->queued = false;
}
