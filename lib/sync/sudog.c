/* SPDX-License-Identifier: MIT */
/*
 * sudog.c - the part of a channel's queue that is not on the fast path.
 *
 * Owns:       nothing; sudog.h has the structures.
 * Locks:      that of the channel is held.
 */
#include "sync/sudog.h"

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
