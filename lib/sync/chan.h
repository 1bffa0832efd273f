/* SPDX-License-Identifier: MIT */
/*
 * chan.h - inside a channel: what chan.c and select.c share.
 *
 * Invariants (lock free): at least one of the queues has no live waiter, but for one select that both
 * sends and receives here; with capacity: somebody waits to receive only when count is 0, to send
 * only when count is cap. Nobody waits in a closed channel.
 *
 * rt_chan_send_now() and rt_chan_recv_now() do what can be done at once, under the lock. The G they
 * name is the caller's to rt_chan_wake(), after the lock is released.
 */
#ifndef RT_CHAN_H
#define RT_CHAN_H

#include <errno.h>
#include <string.h>

#include "gmprt/chan.h"
#include "sched/hot.h"
#include "sync/sudog.h"

/* Two cache lines; a small buffer lies in what is left of the second. */
struct gmp_chan {
	struct rt_lock lock;		/* rank CHAN, by address */
	uint32_t refs;			/* atomic, MO-C4; 0: on a free list */
	uint32_t closed;		/* set once, under lock; atomic, MO-C1 */
	size_t count;			/* elements in the ring; lock; atomic for readers, MO-C2 */
	size_t cap;			/* const */
	size_t elem_size;		/* const */
	struct rt_waitq recvq;		/* lock */
	uint32_t gen;			/* which gmp_run() the waiters belong to; lock */
	uint32_t mallocked;		/* const: buf is to be freed */

	struct rt_waitq sendq;		/* lock */
	char *sendp, *recvp;		/* next place to fill, to empty; lock */
	char *buf, *end;		/* const */
	union {
		char small[16];
		struct gmp_chan *link;	/* free list */
	};
} rt_aligned(128);

rt_static_assert(sizeof(struct gmp_chan) == 128, "chan: two cache lines");

enum { RT_CHAN_WAIT = -EAGAIN };	/* nothing can be done at once; the lock is still held */

static inline void rt_chan_copy(void *to, const void *from, size_t n)
{
	if (likely(n == 8)) {
		memcpy(to, from, 8);
		return;
	}
	switch (n) {
	case 4:
		memcpy(to, from, 4);
		break;
	case 16:
		memcpy(to, from, 16);
		break;
	case 0:
		break;
	default:
		memcpy(to, from, n);
	}
}

static inline void rt_chan_give(const struct gmp_chan *c, void *to, const void *from)
{
	if (likely(to))
		rt_chan_copy(to, from, c->elem_size);
}

static inline char *rt_chan_step(const struct gmp_chan *c, char *at)
{
	at += c->elem_size;
	return at == c->end ? c->buf : at;
}

void rt_chan_forget(struct gmp_chan *c);

/* Waiters of an earlier gmp_run() are gone, stacks and all. */
static inline void rt_chan_check_gen(struct gmp_chan *c)
{
	if (unlikely(c->gen != rt_load_rlx(&rt_sched.gen)))
		rt_chan_forget(c);
}

struct rt_sudog *rt_chan_take_foreign(struct gmp_chan *c, struct rt_waitq *q);

/* Who waits first, to be granted and then woken with rt_chan_wake(); NULL: nobody. */
static inline struct rt_sudog *rt_chan_take(struct gmp_chan *c, struct rt_waitq *q)
{
	if (!q->first)
		return NULL;
	if (unlikely(!rt_getm()))
		return rt_chan_take_foreign(c, q);
	rt_chan_check_gen(c);
	return rt_waitq_take(q);
}

void rt_chan_wake_slow(struct rt_g *gp);

/* No lock held. */
static inline void rt_chan_wake(struct rt_g *gp)
{
	struct rt_m *mp = rt_getm();

	if (likely(mp && rt_m_p(mp)))
		rt_ready_hot(mp->p, gp);
	else
		rt_chan_wake_slow(gp);
}

/* The waiter learns how it went, a select also for which case; it runs on when it is made ready. */
static inline struct rt_g *rt_chan_grant(struct rt_sudog *sg, bool ok)
{
	sg->ok = ok;
	if (sg->select)
		sg->g->param = sg;
	return sg->g;
}

/* 0, -EPIPE closed, or RT_CHAN_WAIT. Lock held. */
static inline int rt_chan_send_now(struct gmp_chan *c, const void *elem, struct rt_g **wake)
{
	struct rt_sudog *sg;

	if (unlikely(c->closed))
		return -EPIPE;
	sg = rt_chan_take(c, &c->recvq);
	if (sg) {
		rt_chan_give(c, sg->elem, elem);
		*wake = rt_chan_grant(sg, true);
		return 0;
	}
	if (c->count == c->cap)
		return RT_CHAN_WAIT;
	rt_chan_copy(c->sendp, elem, c->elem_size);
	c->sendp = rt_chan_step(c, c->sendp);
	rt_store_rlx(&c->count, c->count + 1);
	return 0;
}

/* 1, 0 closed and empty, or RT_CHAN_WAIT. Lock held. */
static inline int rt_chan_recv_now(struct gmp_chan *c, void *elem, struct rt_g **wake)
{
	struct rt_sudog *sg = rt_chan_take(c, &c->sendq);

	if (c->count) {
		rt_chan_give(c, elem, c->recvp);
		c->recvp = rt_chan_step(c, c->recvp);
		if (!sg) {
			rt_store_rlx(&c->count, c->count - 1);
			return 1;
		}
		rt_chan_copy(c->sendp, sg->elem, c->elem_size);	/* it was full: the place just emptied */
		c->sendp = c->recvp;
	} else if (sg) {
		rt_chan_give(c, elem, sg->elem);
	} else {
		if (!c->closed)
			return RT_CHAN_WAIT;
		if (elem)
			memset(elem, 0, c->elem_size);
		return 0;
	}
	*wake = rt_chan_grant(sg, true);
	return 1;
}

/*
 * Without the lock. False: there was a moment since the call began at which the operation had to wait.
 * MO-C2: the queue and the count are read before `closed`. Each is one word; a channel without a
 * buffer is decided by the queue, one with a buffer by the count (full: nobody waits to receive). A
 * channel seen open afterwards was open at that moment, for it never opens again. The reverse order
 * would not do: a close takes those who wait off the queue, and what was seen open before might be
 * seen without receivers because it is closed now.
 */
static inline bool rt_chan_can_send(const struct gmp_chan *c)
{
	return rt_load_acq(&c->recvq.first) || rt_load_acq(&c->count) < c->cap ||
	       rt_load_acq(&c->closed);
}

static inline bool rt_chan_empty(const struct gmp_chan *c)
{
	return rt_load_acq(&c->count) == 0 && !rt_load_acq(&c->sendq.first);
}

static inline bool rt_chan_can_recv(const struct gmp_chan *c)
{
	return !rt_chan_empty(c) || rt_load_acq(&c->closed);
}

/* chanmem.c */
struct gmp_chan *rt_chan_alloc(void);
void rt_chan_free(struct gmp_chan *c);

#endif
