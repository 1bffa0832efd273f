/* SPDX-License-Identifier: MIT */
/*
 * lockrank_test.c - an inversion of two locks ends the process, naming both; what is legal does not.
 *
 * The check is compiled here a second time, as in RT_DEBUG builds, whatever the library's build is: its
 * functions are not in the library then. In a library built with DEBUG=1 they are, and are used.
 */
#include "gmptest.h"

#ifdef RT_DEBUG
#define LIBRARY_CHECKS 1
#else
#define LIBRARY_CHECKS 0
#define RT_DEBUG 1
#endif

#include "os/lock.h"

#if !LIBRARY_CHECKS
#include "os/lockrank.c"
#endif

static struct rt_lock world = RT_LOCK_INIT(WORLD), sched = RT_LOCK_INIT(SCHED), gtab = RT_LOCK_INIT(GTAB),
		      none, chan[2] = { RT_LOCK_INIT(CHAN), RT_LOCK_INIT(CHAN) };

static void take(struct rt_lock *outer, struct rt_lock *inner)
{
	rt_lock_check(outer);
	rt_lock_check(inner);
	rt_lock_drop(inner);
	rt_lock_drop(outer);
}

TEST(what_the_table_allows)
{
	take(&world, &sched);
	take(&chan[0], &sched);
	take(&chan[0], &chan[1]);
	CHECK_EQ(rt_locks_held(), 0);
}

TEST(what_is_held_is_shown_to_others)
{
	uint32_t n = 9;

	rt_locks_show(&n);
	rt_lock_check(&world);
	CHECK_EQ(n, 1);
	rt_lock_check(&sched);
	CHECK_EQ(n, 2);
	rt_lock_drop(&world);
	CHECK_EQ(n, 1);
	rt_lock_drop(&sched);
	CHECK_EQ(n, 0);
	rt_locks_show(NULL);
	take(&world, &sched);
	CHECK_EQ(n, 0);
}

TEST(an_inversion_names_both)
{
	DEATH(take(&sched, &world),
	      "lock order: WORLD (sched/world.c) taken under SCHED (sched/runtime.h)");
}

TEST(what_is_not_listed_is_not_allowed)
{
	DEATH(take(&gtab, &sched), "lock order: SCHED (sched/runtime.h) taken under GTAB (sched/g.c)");
	DEATH(take(&sched, &sched), "lock order: SCHED (sched/runtime.h) taken under SCHED");
}

TEST(channels_by_address)
{
	DEATH(take(&chan[1], &chan[0]), "lock order: CHAN (sync/chan.h) taken under CHAN (sync/chan.h) at a "
					"higher address");
	DEATH(take(&chan[0], &chan[0]), "at a higher address");
}

TEST(every_lock_has_a_rank)
{
	DEATH(take(&none, &sched), "lock order: a lock without a rank");
}

TEST(only_what_is_held_is_released)
{
	DEATH(rt_lock_drop(&sched), "lock order: a lock is released that this thread does not hold");
}
