/* SPDX-License-Identifier: MIT */
/*
 * lockrank.c - RT_DEBUG builds: no lock is taken under one that lockrank.def does not allow.
 *
 * Owns:       what each thread holds: a number a rank, and the highest address. Its own thread only.
 * Invariants: what is checked is the table, not what happened to run: an inversion is found the first
 *             time one of its halves runs, with no other thread in the way.
 *
 * Held locks belong to the thread also across a switch: a parking goroutine's lock is released by
 * whatever runs next on the same thread.
 */
#include "os/lock.h"

#if RT_DEBUG
#include <stdio.h>

#include "base/throw.h"

static const char *const name_of[RT_RANKS] = {
	[RT_RANK_NONE] = "a lock without a rank",
#define RT_RANK(name, where, guards)	[RT_RANK_##name] = #name " (" where ")",
#define RT_NEST(outer, inner)
#define RT_NEST_BY_ADDRESS(name)
#define RT_NEST_STOPPED(name)
#include "os/lockrank.def"
#undef RT_RANK
#undef RT_NEST
#undef RT_NEST_BY_ADDRESS
#undef RT_NEST_STOPPED
};

static const bool legal[RT_RANKS][RT_RANKS] = {
#define RT_RANK(name, where, guards)
#define RT_NEST(outer, inner)		[RT_RANK_##outer][RT_RANK_##inner] = true,
#define RT_NEST_BY_ADDRESS(name)	[RT_RANK_##name][RT_RANK_##name] = true,
#define RT_NEST_STOPPED(name)		[RT_RANK_##name][RT_RANK_##name] = true,
#include "os/lockrank.def"
#undef RT_NEST_BY_ADDRESS
#undef RT_NEST
#undef RT_NEST_STOPPED
};

static const bool by_address[RT_RANKS] = {
#define RT_NEST(outer, inner)
#define RT_NEST_BY_ADDRESS(name)	[RT_RANK_##name] = true,
#define RT_NEST_STOPPED(name)
#include "os/lockrank.def"
};

static __thread struct {
	uint16_t n[RT_RANKS];
	uint32_t total;
	uint32_t *shown;	/* a copy of it; NULL: nobody looks */
	uintptr_t highest[RT_RANKS];
} held __attribute__((tls_model("initial-exec")));

static rt_cold _Noreturn void refuse(uint32_t outer, uint32_t inner, const char *why)
{
	static __thread char text[160];

	snprintf(text, sizeof(text), "lock order: %s taken under %s%s", name_of[inner], name_of[outer], why);
	held.total = 0;
	__builtin_memset(held.n, 0, sizeof(held.n));	/* the dump takes locks, too */
	rt_throw(text);
}

static void count(uint32_t rank, int n)
{
	held.n[rank] = (uint16_t)(held.n[rank] + n);
	held.total += (uint32_t)n;
	if (held.shown)
		rt_store_rlx(held.shown, held.total);
}

void rt_lock_check(const struct rt_lock *l)
{
	uint32_t inner = l->rank;

	if (inner == RT_RANK_NONE || inner >= RT_RANKS)
		rt_throw("lock order: a lock without a rank");
	for (uint32_t outer = 0; held.total && outer < RT_RANKS; outer++) {
		if (held.n[outer] && !legal[outer][inner])
			refuse(outer, inner, "");
	}
	if (by_address[inner] && held.n[inner] && held.highest[inner] >= (uintptr_t)l)
		refuse(inner, inner, " at a higher address");
	held.highest[inner] = (uintptr_t)l;
	count(inner, 1);
}

void rt_lock_drop(const struct rt_lock *l)
{
	if (l->rank >= RT_RANKS || !held.n[l->rank])
		rt_throw("lock order: a lock is released that this thread does not hold");
	count(l->rank, -1);
}

uint32_t rt_locks_held(void)
{
	return held.total;
}

void rt_locks_show(uint32_t *n)
{
	held.shown = n;
}
#endif
