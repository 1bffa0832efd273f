/* SPDX-License-Identifier: MIT */
/*
 * chanmem.c - where the heads of channels come from.
 *
 * Owns:       chunks of heads, which are never given back; a free list per group of Ps.
 * Invariants: a head on a free list has refs 0 and nobody in its queues.
 * Locks:      pool->lock, a leaf; one at a time.
 *
 * Why not malloc: rt_unlock() reads `waiters` after it has let go of the lock, and rt_park_unlock()
 * does so for a G that may run, drop the last reference and free the channel in between. A late reader
 * meets the head of some channel, whose lock at most gets a futex call too many; it never meets an
 * unmapped page. (Rejected: a locked instruction in each such unlock.) It is faster as well.
 */
#include "sync/chan.h"

#include <stdlib.h>

#define POOLS		16u
#define CHUNK_CHANS	63u

struct chunk {
	struct chunk *next;		/* so that leak checkers find them */
	struct gmp_chan chan[CHUNK_CHANS];
};

struct pool {
	struct rt_lock lock;
	struct gmp_chan *free;		/* lock; atomic for a look from outside */
} rt_aligned(64);

static struct pool pools[POOLS] = { [0 ... POOLS - 1] = { .lock = RT_LOCK_INIT(CHANPOOL) } };
static struct chunk *chunks;		/* atomic */

static struct pool *near_pool(void)
{
	struct rt_m *mp = rt_getm();
	struct rt_p *pp = mp ? rt_load_rlx(&mp->p) : NULL;

	return &pools[pp ? (uint32_t)pp->id % POOLS : 0];
}

static struct gmp_chan *pop(struct pool *pool)
{
	struct gmp_chan *c;

	rt_lock(&pool->lock);
	c = pool->free;
	if (c)
		rt_store_rlx(&pool->free, c->link);
	rt_unlock(&pool->lock);
	return c;
}

static void put_list(struct pool *pool, struct gmp_chan *first, struct gmp_chan *last)
{
	rt_lock(&pool->lock);
	last->link = pool->free;
	rt_store_rlx(&pool->free, first);
	rt_unlock(&pool->lock);
}

/* All of another pool's: who makes channels on one P and drops them on another gets them back. */
static bool take_over(struct pool *to, struct pool *from)
{
	struct gmp_chan *first, *last;

	if (from == to || !rt_load_rlx(&from->free))
		return false;
	rt_lock(&from->lock);
	first = from->free;
	rt_store_rlx(&from->free, NULL);
	rt_unlock(&from->lock);
	if (!first)
		return false;
	for (last = first; last->link; last = last->link)
		;
	put_list(to, first, last);
	return true;
}

static bool new_chunk(struct pool *to)
{
	struct chunk *k = aligned_alloc(_Alignof(struct chunk), sizeof(*k));

	if (!k)
		return false;
	memset(k, 0, sizeof(*k));
	do {
		k->next = rt_load_rlx(&chunks);
	} while (!rt_cas_ar(&chunks, k->next, k));
	for (uint32_t i = 0; i + 1 < CHUNK_CHANS; i++)
		k->chan[i].link = &k->chan[i + 1];
	put_list(to, &k->chan[0], &k->chan[CHUNK_CHANS - 1]);
	return true;
}

static bool refill(struct pool *to)
{
	for (uint32_t i = 0; i < POOLS; i++)
		if (take_over(to, &pools[i]))
			return true;
	return new_chunk(to);
}

/* A head, all but its lock yet to be filled in; NULL: no memory. Any thread. */
struct gmp_chan *rt_chan_alloc(void)
{
	struct pool *pool = near_pool();
	struct gmp_chan *c;

	while (!(c = pop(pool)))
		if (!refill(pool))
			return NULL;
	return c;
}

void rt_chan_free(struct gmp_chan *c)
{
	put_list(near_pool(), c, c);
}
