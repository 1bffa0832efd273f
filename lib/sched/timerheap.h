/* SPDX-License-Identifier: MIT */
/*
 * timerheap.h - the heap of time.c: entries, slots, their memory. For time.c and its unit test.
 *
 * Owns:       struct rt_timers.
 * Invariants: ent[] is a heap by `when`, four children to a node; each entry has a slot of its own;
 *             slot[] says what an entry stands for: a timer (t->slot points back), a timer that was
 *             moved to a later time (MOVED: the entry is earlier than t->when), or nothing any more
 *             (a zombie). After heap_first() the first entry is neither moved nor a zombie.
 * Locks:      all under h->lock but heap_reserve(), which takes it.
 *
 * Why entries with slots. Sifting moves 16 bytes in one array (four children are one cache line) and
 * touches no timer: those lie on a million cold stacks. Deleting, and moving to a later time, is one
 * store into a slot, wherever the entry is; zombies go when they come to the top, or all at once when
 * they are the majority. Rejected: an index kept in each timer (a cache miss a level), a pairing heap
 * (the same misses), a wheel (deadlines rounded, or cascades).
 */
#ifndef RT_TIMERHEAP_H
#define RT_TIMERHEAP_H

#include <stdlib.h>
#include <string.h>

#include "sched/time.h"

#define HEAP_ARITY		4u
#define HEAP_PAD		3u	/* entries before ent[0]: ent[1] .. ent[4] share a cache line */
#define HEAP_MIN		60u
#define HEAP_COMPACT_MIN	32u

struct ent {
	uint64_t when;
	uint32_t slot;
	uint32_t unused;
};

struct rt_timers {
	struct rt_lock lock;	/* rank TIMERS */
	uint64_t next;		/* ent[0].when, 0 = empty; written under lock; atomic */
	struct ent *ent;	/* the rest: lock */
	uintptr_t *slot;	/* FREE | next << 2; 0 zombie; timer, timer | MOVED */
	uint32_t n, cap;
	uint32_t zombies;
	uint32_t free;		/* first free slot, NO_SLOT = none */
	struct flight *flights;	/* time.c: what is being called */
	struct rt_timers *link;	/* time.c: all heaps ever made; const */
} rt_aligned(64);

#define MOVED		((uintptr_t)1)
#define FREE		((uintptr_t)2)
#define NO_SLOT		UINT32_MAX

/* ---- the heap: lock held ---------------------------------------------------------------------- */

static inline struct rt_timer *timer_of(uintptr_t s)
{
	return (struct rt_timer *)(s & ~MOVED);
}

static inline void sift_up(struct rt_timers *h, uint32_t i, struct ent e)
{
	while (i > 0) {
		uint32_t up = (i - 1) / HEAP_ARITY;

		if (h->ent[up].when <= e.when)
			break;
		h->ent[i] = h->ent[up];
		i = up;
	}
	h->ent[i] = e;
}

static inline uint32_t least_child(const struct ent *ent, uint32_t c, uint32_t n)
{
	uint32_t end = c + HEAP_ARITY < n ? c + HEAP_ARITY : n;
	uint64_t when = ent[c].when;
	uint32_t m = c;

	for (uint32_t i = c + 1; i < end; i++) {
		bool less = ent[i].when < when;	/* conditional moves: the outcome is a coin's */

		m = less ? i : m;
		when = less ? ent[i].when : when;
	}
	return m;
}

/*
 * @s will be the first soon: its timer, which lies on a stack that was parked long ago, is asked for now.
 * Without this, half of what a sleep costs among a thousand is the wait for that line.
 */
static inline void foresee(const struct rt_timers *h, uint32_t s)
{
	struct rt_timer *t = timer_of(h->slot[s]);

	__builtin_prefetch(&t->fn, 1);
	__builtin_prefetch(&t->heap, 1);	/* the next line, as a rule */
}

static inline void sift_down(struct rt_timers *h, uint32_t i, struct ent e)
{
	uint32_t c;

	while ((c = i * HEAP_ARITY + 1) < h->n) {
		c = least_child(h->ent, c, h->n);
		if (h->ent[c].when >= e.when)
			break;
		h->ent[i] = h->ent[c];
		i = c;
	}
	h->ent[i] = e;
}

static inline uint32_t slot_get(struct rt_timers *h)
{
	uint32_t s = h->free;

	h->free = (uint32_t)(h->slot[s] >> 2);
	return s;
}

static inline void slot_put(struct rt_timers *h, uint32_t s)
{
	h->slot[s] = (uintptr_t)h->free << 2 | FREE;
	h->free = s;
}

/* Room is there: see heap_reserve(). */
static inline void heap_push(struct rt_timers *h, struct rt_timer *t)
{
	uint32_t s = slot_get(h);

	h->slot[s] = (uintptr_t)t;
	t->slot = s;
	rt_own_add(&h->n, 1);
	sift_up(h, h->n - 1, (struct ent){ .when = t->when, .slot = s });
}

static inline void heap_pop(struct rt_timers *h)
{
	struct ent e;
	uint32_t c;

	slot_put(h, h->ent[0].slot);
	rt_own_add(&h->n, -1);
	e = h->ent[h->n];
	c = h->n > 1 ? least_child(h->ent, 1, h->n) : 0;
	if (c == 0 || h->ent[c].when >= e.when) {
		h->ent[0] = e;
		return;
	}
	h->ent[0] = h->ent[c];
	sift_down(h, c, e);
	foresee(h, h->ent[c].slot);	/* new among the four that may be next */
}

/* Makes the first entry what it claims to be. Its time, 0 = none. */
static inline uint64_t heap_first(struct rt_timers *h)
{
	while (h->n > 0) {
		uint32_t s = h->ent[0].slot;
		uintptr_t v = h->slot[s];

		if (likely(v && !(v & MOVED)))
			return h->ent[0].when;
		if (!v) {
			h->zombies--;
			heap_pop(h);
		} else {
			h->slot[s] = v & ~MOVED;
			sift_down(h, 0, (struct ent){ .when = timer_of(v)->when, .slot = s });
		}
	}
	return 0;
}

/* Before the lock is let go of. True: the first deadline became earlier. */
static inline bool heap_publish(struct rt_timers *h)
{
	uint64_t old = h->next, next = heap_first(h);

	if (next == old)
		return false;
	rt_store_rel(&h->next, next);	/* MO-T2: pairs with rt_timers_next() */
	return next && (!old || next < old);
}

/* All entries true and none a zombie, then a heap again. */
static inline void heap_compact(struct rt_timers *h)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->n; i++) {
		struct ent e = h->ent[i];
		uintptr_t v = h->slot[e.slot];

		if (!v) {
			slot_put(h, e.slot);
			continue;
		}
		if (v & MOVED) {
			h->slot[e.slot] = v & ~MOVED;
			e.when = timer_of(v)->when;
		}
		h->ent[n++] = e;
	}
	rt_store_rlx(&h->n, n);
	h->zombies = 0;
	for (uint32_t i = n > 1 ? (n - 2) / HEAP_ARITY + 1 : 0; i-- > 0;)
		sift_down(h, i, h->ent[i]);
}

static inline void heap_unlink(struct rt_timers *h, struct rt_timer *t)
{
	uint32_t s = t->slot;

	if (h->ent[h->n - 1].slot == s) {	/* the newest, as a rule: arm and stop leave no trace */
		rt_own_add(&h->n, -1);
		slot_put(h, s);
		return;
	}
	h->slot[s] = 0;
	h->zombies++;
	if (unlikely(h->zombies > HEAP_COMPACT_MIN && h->zombies > h->n / 2))
		heap_compact(h);
}

/* ---- memory ------------------------------------------------------------------------------------- */

struct arrays {
	struct ent *ent;
	uintptr_t *slot;
	uint32_t cap;
};

static inline bool arrays_alloc(struct arrays *a, uint32_t cap)
{
	size_t bytes = (sizeof(struct ent) * (cap + (size_t)HEAP_PAD) + 63) & ~(size_t)63;
	struct ent *base = aligned_alloc(64, bytes);

	a->slot = malloc(sizeof(*a->slot) * cap);
	if (!base || !a->slot) {
		free(base);
		free(a->slot);
		return false;
	}
	a->ent = base + HEAP_PAD;
	a->cap = cap;
	return true;
}

static inline void arrays_free(struct ent *ent, uintptr_t *slot)
{
	if (ent)
		free(ent - HEAP_PAD);
	free(slot);
}

/* The new arrays in, the old ones out into @a. */
static inline void arrays_swap(struct rt_timers *h, struct arrays *a)
{
	struct arrays old = { h->ent, h->slot, h->cap };

	if (h->n)
		memcpy(a->ent, h->ent, sizeof(*a->ent) * h->n);
	if (h->cap)
		memcpy(a->slot, h->slot, sizeof(*a->slot) * h->cap);
	h->ent = a->ent;
	h->slot = a->slot;
	h->cap = a->cap;
	for (uint32_t s = h->cap; s-- > old.cap;)
		slot_put(h, s);
	*a = old;
}

/*
 * Locks the heap with room for one more. The memory is fetched with the lock free, since others wait
 * for it spinning. False: none, and the lock is not held.
 */
static inline bool heap_reserve(struct rt_timers *h)
{
	for (;;) {
		struct arrays a;
		uint32_t cap;

		rt_lock(&h->lock);
		if (likely(h->n < h->cap))
			return true;
		cap = h->cap;
		rt_unlock(&h->lock);
		if (cap > UINT32_MAX / 4 || !arrays_alloc(&a, cap ? cap * 2 : HEAP_MIN))
			return false;
		rt_lock(&h->lock);
		if (h->cap < a.cap)
			arrays_swap(h, &a);
		rt_unlock(&h->lock);
		arrays_free(a.ent, a.slot);
	}
}

#endif
