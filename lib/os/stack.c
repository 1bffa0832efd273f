/* SPDX-License-Identifier: MIT */
/*
 * stack.c - stacks of goroutines.
 *
 * Owns:       slabs (one mmap each) cut into stacks of one size, and a free list per size.
 * Invariants: a stack is in use, in the cache of one P, or on one free list. Slabs are never
 *             unmapped while goroutines exist; neighbours with equal protection are one mapping.
 * Locks:      `pool.lock` (rank STACK, a leaf).
 *
 * Guards. Below each stack lie 64 KiB that must not be touched. Three ways to forbid it:
 *   MADV_GUARD_INSTALL (6.13+)  costs no mapping: every stack gets one.
 *   mprotect(PROT_NONE)         two mappings a stack: for the first GUARDED_MAX stacks only, so that
 *                               a million goroutines fit under the default vm.max_map_count.
 *   nothing                     beyond these, the 64 KiB lie unused: an overflow up to that size hits
 *                               nobody, but is not reported.
 * Rejected: mmap per stack (65530 mappings), segmented or moving stacks (C holds pointers into them).
 *
 * Colours. Tops at the same offset of every page fall into the same cache sets: ten thousand parked
 * goroutines would share a few lines. Each stack begins at one of COLOURS offsets.
 */
#include "os/stack.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/sanitize.h"
#include "base/throw.h"
#include "os/lock.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define PAGE		4096ul
#define SLAB_STACKS	32u
#define SIZES		17		/* 16 KiB << 0 .. 1 GiB */
#define GUARDED_MAX	8192u
#define COLOURS		15u

struct slab {
	struct slab *next;	/* the record lies in its own first page */
	size_t len;
};

static struct {
	struct rt_lock lock;
	struct rt_stack *free[SIZES];	/* lock */
	struct slab *slabs;		/* lock */
	uint64_t reserved, stacks;	/* lock; atomic for readers */
	uint32_t guarded;		/* lock; mprotect()ed stacks */
	uint32_t colour;		/* lock */
	bool no_madv_guard;		/* lock; the kernel has none */
} pool;

static bool guard(uintptr_t at)
{
	if (!pool.no_madv_guard) {
		if (madvise((void *)at, RT_STACK_GUARD, MADV_GUARD_INSTALL) == 0)
			return true;
		if (errno != EINVAL)
			return false;
		pool.no_madv_guard = true;
	}
	if (pool.guarded >= GUARDED_MAX)
		return true;
	pool.guarded++;
	return mprotect((void *)at, RT_STACK_GUARD, PROT_NONE) == 0;
}

/* Cuts one stack of class @c out of [at, at + guard + size) and puts it on the free list. */
static bool carve(uintptr_t at, unsigned int c)
{
	size_t size = (size_t)RT_STACK_MIN << c;
	uintptr_t hi = at + RT_STACK_GUARD + size;
	struct rt_stack *s;

	if (!guard(at))
		return false;
	s = rt_stack_at(hi - 64 * (pool.colour++ % COLOURS));
	rt_san_new_stack(at + RT_STACK_GUARD, hi);
	s->lo = at + RT_STACK_GUARD;
	s->size_class = c;
	s->next = pool.free[c];
	pool.free[c] = s;
	rt_store_rlx(&pool.stacks, pool.stacks + 1);
	return true;
}

/* One stack is cut at once, the others when they are wanted: pages are touched only then. */
static struct {
	uintptr_t at, end;
} rest[SIZES];		/* pool.lock */

static bool new_slab(unsigned int c)
{
	size_t stride = ((size_t)RT_STACK_MIN << c) + RT_STACK_GUARD;
	size_t n = stride > (8u << 20) ? 1 : SLAB_STACKS;
	size_t len = PAGE + n * stride;
	struct slab *sl;

	sl = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (sl == MAP_FAILED)
		return false;
	madvise(sl, len, MADV_NOHUGEPAGE);	/* a huge page would commit eight stacks at once */
	sl->next = pool.slabs;
	sl->len = len;
	pool.slabs = sl;
	rest[c].at = (uintptr_t)sl + PAGE;
	rest[c].end = (uintptr_t)sl + len;
	rt_store_rlx(&pool.reserved, pool.reserved + len);
	return true;
}

static bool refill(unsigned int c)
{
	size_t stride = ((size_t)RT_STACK_MIN << c) + RT_STACK_GUARD;

	if (rest[c].at == rest[c].end && !new_slab(c))
		return false;
	if (!carve(rest[c].at, c))
		return false;
	rest[c].at += stride;
	return true;
}

struct rt_stack *rt_stack_alloc(size_t size)
{
	unsigned int c = rt_stack_class(size);
	struct rt_stack *s = NULL;
	int saved = errno;

	if (size > RT_STACK_LIMIT)
		return NULL;
	rt_lock(&pool.lock);
	if (pool.free[c] || refill(c)) {
		s = pool.free[c];
		pool.free[c] = s->next;
	}
	rt_unlock(&pool.lock);
	errno = saved;
	return s;
}

void rt_stack_free(uintptr_t lo, uintptr_t hi)
{
	struct rt_stack *s = rt_stack_at(hi);
	unsigned int c = rt_stack_class(hi - lo);

	s->lo = lo;
	s->size_class = c;
	rt_lock(&pool.lock);
	s->next = pool.free[c];
	pool.free[c] = s;
	rt_unlock(&pool.lock);
}

/* No stack is handed out any more; the memory stays, for somebody may still run there. */
void rt_stack_forget_all(void)
{
	pool.slabs = NULL;
	rt_stack_release_all();
}

void rt_stack_release_all(void)
{
	struct slab *sl = pool.slabs;

	while (sl) {
		struct slab *next = sl->next;

		/* goroutines that the run left behind had frames there */
		rt_san_clean_stack((uintptr_t)sl, (uintptr_t)sl + sl->len);
		munmap(sl, sl->len);
		sl = next;
	}
	pool.slabs = NULL;
	pool.reserved = pool.stacks = 0;
	pool.guarded = pool.colour = 0;
	for (unsigned int c = 0; c < SIZES; c++) {
		pool.free[c] = NULL;
		rest[c].at = rest[c].end = 0;
	}
}

void rt_stack_stats(uint64_t *reserved, uint64_t *stacks)
{
	*reserved = rt_load_rlx(&pool.reserved);
	*stacks = rt_load_rlx(&pool.stacks);
}
