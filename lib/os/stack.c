/* SPDX-License-Identifier: MIT */
/*
 * stack.c - stacks of goroutines.
 *
 * Owns:       slabs (one mmap each) cut into stacks of one size, and the free lists of each size.
 * Invariants: a stack is in use, in the cache of one P, on one free list, or in the hands of the
 *             scavenger. Slabs are never unmapped while goroutines exist; neighbours with equal
 *             protection are one mapping.
 * Locks:      `pool.lock` (rank STACK, a leaf).
 *
 * Below each stack lie 68 KiB that must not be touched: a guard, or a gap (stackguard.c).
 * Rejected: mmap per stack (65530 mappings), segmented or moving stacks (C holds pointers into them).
 *
 * Free stacks keep their pages while they are likely to be used again. Three lists, the hottest first:
 *   young   given back since the scavenger began its round
 *   old     lay there for a whole round, of a second: what a program has left over after a burst
 *   clean   and have given their pages back to the kernel since, but for the one at the top with the
 *           record. They are taken last.
 * The lists are stacks: what a steady program uses is taken and given back at the head of young.
 * Rejected: a time in each record (the scavenger would touch all of them to look); MADV_FREE (nobody
 * sees in RSS that the memory is free until it is short).
 *
 * Colours. Tops at the same offset of every page fall into the same cache sets: ten thousand parked
 * goroutines would share a few lines. Each stack begins at one of COLOURS offsets. And tops an even
 * number of pages apart would share the sets of the TLB: touching those of a thousand stacks in random order
 * takes 20 ns each where they are 320 KiB apart (64 KiB of guard), 6 ns at 324 KiB. On Zen 4.
 */
#include "os/stack.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/sanitize.h"
#include "base/throw.h"
#include "os/clock.h"
#include "os/lock.h"
#include "os/stackguard.h"

#define PAGE		4096ul
_Static_assert(RT_STACK_GUARD / PAGE % 2 == 1 && RT_STACK_MIN / PAGE % 2 == 0, "stacks an even number of pages apart");
#define SLAB_STACKS	32u
#define SLAB_GAPS	256u		/* where there is one guard for all of it */
#define SIZES		17		/* 16 KiB << 0 .. 1 GiB */
#define COLOURS		15u
#define SCAVENGE_BATCH	16u
#define ROUND_NS	1000000000ull	/* so long, or twice as long, a free stack keeps its pages */

struct slab {
	struct slab *next;	/* malloc()ed: a page of its own would be 128 bytes a stack */
	char *at;
	size_t len, stride;
	uintptr_t gap;		/* of the first stack without a guard; 0: all have one; pool.lock, atomic for who looks */
};

static struct {
	struct rt_lock lock;
	struct list {
		struct rt_stack *young, *old, *clean;
		struct rt_stack *eldest;	/* the last of young, if there are any */
	} free[SIZES];			/* lock */
	struct slab *slabs;		/* lock; the list only grows */
	uint64_t reserved, stacks;	/* lock; atomic for readers */
	uint64_t dirty;			/* lock; on young and old; atomic for readers */
	uint64_t next_round;		/* the scavenger's */
	uint64_t gaps;			/* lock; stacks without a guard; atomic for readers */
	struct slab *look;		/* at this one next; who looks, one at a time */
	uint32_t colour;		/* lock */
} pool = { .lock = RT_LOCK_INIT(STACK) };

static struct {
	uint32_t n;
	uint32_t id[RT_VALGRIND ? 1 << 16 : 1];
} told;			/* of what Valgrind knows; pool.lock */

/* ---- the free lists; pool.lock held --------------------------------------------------------------- */

static void put_young(struct list *l, struct rt_stack *s)
{
	if (!l->young)
		l->eldest = s;
	s->next = l->young;
	l->young = s;
	rt_store_rlx(&pool.dirty, pool.dirty + 1);
}

static struct rt_stack *pop(struct rt_stack **list)
{
	struct rt_stack *s = *list;

	if (s)
		*list = s->next;
	return s;
}

static struct rt_stack *take(struct list *l)
{
	struct rt_stack *s = pop(&l->young);

	if (!s)
		s = pop(&l->old);
	if (!s)
		return pop(&l->clean);
	rt_store_rlx(&pool.dirty, pool.dirty - 1);
	return s;
}

/* ---- new ones ---------------------------------------------------------------------------------------- */

/*
 * Valgrind takes a move of the stack pointer from one of the stacks it was told of into another for a
 * switch. It is told when they go: what comes to lie there, a thread's stack, is one and not many.
 */
static void tell_valgrind(uintptr_t lo, uintptr_t hi)
{
	uint32_t id = rt_san_new_stack(lo, hi);

	if (RT_VALGRIND && told.n < RT_ARRAY_SIZE(told.id))
		told.id[told.n++] = id;
}

static void untell_valgrind(void)
{
	while (told.n)
		rt_san_no_stack(told.id[--told.n]);
}

/* One stack is cut at once, the others when they are wanted: pages are touched only then. */
static struct {
	struct slab *slab;
	uintptr_t at, end;
} rest[SIZES];		/* pool.lock */

/* When guards are out they stay out: in a slab those with one come first. */
static void count_gap(struct slab *sl, uintptr_t at)
{
	if (!sl->gap)
		rt_store_rlx(&sl->gap, at);
	rt_store_rlx(&pool.gaps, pool.gaps + 1);
}

/* Cuts one stack of class @c out of [at, at + guard + size). NULL: its guard cannot be had. */
static struct rt_stack *carve(uintptr_t at, unsigned int c)
{
	size_t size = (size_t)RT_STACK_MIN << c;
	uintptr_t hi = at + RT_STACK_GUARD + size;
	enum rt_guard got = rt_guard_at(at, at == (uintptr_t)rest[c].slab->at);
	struct rt_stack *s;

	if (got == RT_GUARD_ERROR)
		return NULL;
	if (got == RT_GUARD_NONE)
		count_gap(rest[c].slab, at);
	s = rt_stack_at(hi - 64 * (pool.colour++ % COLOURS));
	tell_valgrind(at + RT_STACK_GUARD, hi);
	s->lo = at + RT_STACK_GUARD;
	s->size_class = c;
	s->gap = got == RT_GUARD_NONE;
	rt_store_rlx(&pool.stacks, pool.stacks + 1);
	return s;
}

/* For @n stacks, or less where there is not so much. Sets @len. */
static char *map_slab(size_t n, size_t stride, size_t *len)
{
	char *at;

	for (;; n /= 2) {
		*len = n * stride;
		at = mmap(NULL, *len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (at != MAP_FAILED || n == 1)
			return at;
	}
}

static bool new_slab(unsigned int c)
{
	size_t stride = ((size_t)RT_STACK_MIN << c) + RT_STACK_GUARD, len;
	size_t n = stride > (8u << 20) ? 1 : rt_guards_are_out() ? SLAB_GAPS : SLAB_STACKS;
	struct slab *sl = malloc(sizeof(*sl));
	char *at;

	if (!sl)
		return false;
	at = map_slab(n, stride, &len);
	if (at == MAP_FAILED) {
		free(sl);
		return false;
	}
	madvise(at, len, MADV_NOHUGEPAGE);	/* a huge page would commit eight stacks at once */
	*sl = (struct slab){ .next = pool.slabs, .at = at, .len = len, .stride = stride };
	rt_store_rel(&pool.slabs, sl);		/* MO-D2: pairs with rt_stack_look() */
	rest[c].slab = sl;
	rest[c].at = (uintptr_t)at;
	rest[c].end = (uintptr_t)at + len;
	rt_store_rlx(&pool.reserved, pool.reserved + len);
	return true;
}

static struct rt_stack *cut(unsigned int c)
{
	struct rt_stack *s;

	if (rest[c].at == rest[c].end && !new_slab(c))
		return NULL;
	s = carve(rest[c].at, c);
	if (s)
		rest[c].at += ((size_t)RT_STACK_MIN << c) + RT_STACK_GUARD;
	return s;
}

/* ---- the two calls ------------------------------------------------------------------------------------- */

struct rt_stack *rt_stack_alloc(size_t size)
{
	unsigned int c = rt_stack_class(size);
	struct rt_stack *s;
	int saved = errno;

	if (size > RT_STACK_LIMIT)
		return NULL;
	rt_lock(&pool.lock);
	s = take(&pool.free[c]);
	if (!s)
		s = cut(c);
	rt_unlock(&pool.lock);
	errno = saved;
	return s;
}

void rt_stack_free(uintptr_t lo, uintptr_t hi, bool gap)
{
	struct rt_stack *s = rt_stack_at(hi);
	unsigned int c = rt_stack_class(hi - lo);

	s->lo = lo;
	s->size_class = c;
	s->gap = gap;
	rt_lock(&pool.lock);
	put_young(&pool.free[c], s);
	rt_unlock(&pool.lock);
}

/* ---- the scavenger --------------------------------------------------------------------------------------- */

/* Up to @n stacks off the old lists, linked. */
static struct rt_stack *take_old(unsigned int n)
{
	struct rt_stack *batch = NULL, *s;

	rt_lock(&pool.lock);
	for (unsigned int c = 0; c < SIZES && n > 0; c++) {
		while (n > 0 && (s = pop(&pool.free[c].old)) != NULL) {
			s->next = batch;
			batch = s;
			n--;
			rt_store_rlx(&pool.dirty, pool.dirty - 1);
		}
	}
	rt_unlock(&pool.lock);
	return batch;
}

/* Without the lock: nobody else knows the stack. */
static void clean(struct rt_stack *s)
{
	uintptr_t top = (uintptr_t)s & ~(PAGE - 1);

	if (top > s->lo)
		madvise((void *)s->lo, top - s->lo, MADV_DONTNEED);
}

static void put_clean(struct rt_stack *batch)
{
	struct rt_stack *s;

	rt_lock(&pool.lock);
	while ((s = pop(&batch)) != NULL) {
		s->next = pool.free[s->size_class].clean;
		pool.free[s->size_class].clean = s;
	}
	rt_unlock(&pool.lock);
}

/* A round is over: what is young grows old. What is old still was not cleaned in time, and stays old. */
static void new_round(void)
{
	rt_lock(&pool.lock);
	for (unsigned int c = 0; c < SIZES; c++) {
		struct list *l = &pool.free[c];

		if (!l->young)
			continue;
		l->eldest->next = l->old;
		l->old = l->young;
		l->young = NULL;
	}
	rt_unlock(&pool.lock);
}

bool rt_stack_scavenge(uint64_t now, uint64_t budget_ns)
{
	uint64_t end = now + budget_ns;
	struct rt_stack *batch;
	int saved = errno;

	while (rt_now() < end && (batch = take_old(SCAVENGE_BATCH)) != NULL) {
		for (struct rt_stack *s = batch; s; s = s->next)
			clean(s);
		put_clean(batch);
	}
	if (now >= pool.next_round) {
		pool.next_round = now + ROUND_NS;
		new_round();
	}
	errno = saved;
	return rt_load_rlx(&pool.dirty) != 0;
}

/* ---- gaps --------------------------------------------------------------------------------------------------- */

bool rt_stack_gaps(void)
{
	return rt_load_rlx(&pool.gaps) != 0;
}

/*
 * The lo of the highest that ran over: those below it are what it ran over. Of stacks not cut yet no gap was
 * written to. Guards are not looked at: with mlockall(MCL_FUTURE) they have pages, which nobody may read.
 */
static uintptr_t look_at_slab(const struct slab *sl)
{
	uintptr_t at = rt_load_rlx(&sl->gap), lo = 0;

	for (; at && at < (uintptr_t)sl->at + sl->len; at += sl->stride)
		if (rt_gap_written(at))
			lo = at + RT_STACK_GUARD;
	return lo;
}

uintptr_t rt_stack_look_all(void)
{
	uintptr_t lo = 0, highest = 0;

	/* MO-D2: acquire, no lock: this may be a signal handler. A slab never goes, nor its place in the list. */
	for (struct slab *sl = rt_load_acq(&pool.slabs); sl; sl = sl->next) {
		lo = look_at_slab(sl);
		if (lo > highest)
			highest = lo;
	}
	return highest;
}

bool rt_stack_look(uint64_t end, bool *found)
{
	if (!pool.look)
		pool.look = rt_load_acq(&pool.slabs);	/* MO-D2: pairs with new_slab() */
	*found = false;
	while (pool.look && !*found) {
		*found = look_at_slab(pool.look) != 0;
		pool.look = pool.look->next;
		if (rt_now() >= end)
			break;
	}
	return !pool.look;
}

/* ---- the end of a run ------------------------------------------------------------------------------------ */

/* The slabs' records, and what they stand for unless somebody may still run @there. */
static void drop_slabs(bool there)
{
	struct slab *sl = pool.slabs;

	while (sl) {
		struct slab *next = sl->next;

		if (!there) {
			/* goroutines that the run left behind had frames there */
			rt_san_clean_stack((uintptr_t)sl->at, (uintptr_t)sl->at + sl->len);
			munmap(sl->at, sl->len);
		}
		free(sl);
		sl = next;
	}
	pool.slabs = NULL;
}

/* No stack is handed out any more; the memory stays, for somebody may still run there. */
void rt_stack_forget_all(void)
{
	drop_slabs(true);
	told.n = 0;
	rt_stack_release_all();
}

void rt_stack_release_all(void)
{
	untell_valgrind();
	drop_slabs(false);
	pool.reserved = pool.stacks = pool.dirty = pool.next_round = 0;
	pool.gaps = 0;
	pool.look = NULL;
	pool.colour = 0;
	rt_guards_forget();
	for (unsigned int c = 0; c < SIZES; c++) {
		pool.free[c] = (struct list){ 0 };
		rest[c].slab = NULL;
		rest[c].at = rest[c].end = 0;
	}
}

void rt_stack_stats(uint64_t *reserved, uint64_t *stacks)
{
	*reserved = rt_load_rlx(&pool.reserved);
	*stacks = rt_load_rlx(&pool.stacks);
}
