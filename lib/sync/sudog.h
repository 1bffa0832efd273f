/* SPDX-License-Identifier: MIT */
/*
 * sudog.h - a goroutine in the queue of a channel (Go's sudog and waitq).
 *
 * A sudog lies on the stack of the G that waits: C stacks do not move, so none is allocated. It is
 * alive while it is queued and until its G was woken by whoever took it off. A select has one per
 * case; its G is won by one compare and exchange of gp->select_done (MO-C3), and takes the others off
 * itself before it returns.
 */
#ifndef RT_SUDOG_H
#define RT_SUDOG_H

#include "sched/runtime.h"

/* All fields: lock of the channel; "const" after it was queued. */
struct rt_sudog {
	struct rt_sudog *next, *prev;
	struct rt_g *g;			/* const */
	void *elem;			/* what it sends, or where to put what it receives, or NULL; const */
	struct gmp_chan *c;		/* const; for dumps */
	uint32_t ticket;		/* select: value of g->select_done while it is open; const */
	bool select;			/* const */
	bool queued;
	bool ok;			/* set by the waker: an element passed; false: closed */
	uint32_t order;			/* select.c: scratch, while it enqueues */
};

struct rt_waitq {
	struct rt_sudog *first, *last;	/* first is atomic for readers: a hint, MO-C2 */
};

static inline void rt_waitq_add(struct rt_waitq *q, struct rt_sudog *sg)
{
	struct rt_sudog *last = q->last;

	sg->queued = true;
	sg->next = NULL;
	sg->prev = last;
	q->last = sg;
	if (last)
		last->next = sg;
	else
		rt_store_rlx(&q->first, sg);
}

/* From anywhere in the queue. */
void rt_waitq_del(struct rt_waitq *q, struct rt_sudog *sg);

/*
 * A select begins: a number that no waker, not even one of an earlier select that comes late, takes
 * for another. Even: open; plus one: won.
 */
static inline uint32_t rt_select_open(struct rt_g *gp)
{
	uint32_t ticket = (rt_load_rlx(&gp->select_done) | 1) + 1;

	rt_store_rlx(&gp->select_done, ticket);
	return ticket;
}

/* MO-C3: one of all who would wake this select does; acquire and release, in case they meet here only. */
static inline bool rt_select_win(struct rt_g *gp, uint32_t ticket)
{
	return rt_load_rlx(&gp->select_done) == ticket &&
	       rt_cas_ar(&gp->select_done, ticket, ticket + 1);
}

/* The first whose G is now the caller's to wake, or NULL. */
static inline struct rt_sudog *rt_waitq_take(struct rt_waitq *q)
{
	struct rt_sudog *sg;

	while ((sg = q->first) != NULL) {
		rt_store_rel(&q->first, sg->next);	/* MO-C2: a close before is seen, too */
		if (sg->next)
			sg->next->prev = NULL;
		else
			q->last = NULL;
		sg->queued = false;
		if (likely(!sg->select) || rt_select_win(sg->g, sg->ticket))
			return sg;
	}
	return NULL;
}

#endif
