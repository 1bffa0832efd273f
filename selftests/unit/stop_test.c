/* SPDX-License-Identifier: MIT */
/* stop_test.c - requests to stop are not lost; threads that ended are joined before gmp_run() returns. */
#include <gmprt.h>

#include "gmptest.h"
#include "sched/sched.h"

/* g0 takes back what it did; a stop is the stopper's. */
GTEST(a_stop_request_outlives_a_scheduling_point)
{
	struct rt_p *pp;
	uint32_t left;

	gmp_lock_os_thread();
	gmp_nopreempt_begin();
	pp = rt_getm()->p;
	rt_or_ar(&pp->attention, RT_ATT_STOP | RT_ATT_PREEMPT);
	gmp_unlock_os_thread();
	gmp_yield();
	/* Here perhaps on another P: nobody else clears it, so it may be looked at from anywhere. */
	left = rt_and_ar(&pp->attention, ~RT_ATT_STOP);
	CHECK_EQ(left & RT_ATT_STOP, RT_ATT_STOP);
}

static void work(void *arg)
{
	gmp_wg_done(arg);
}

static int spawn_some(void *arg)
{
	struct gmp_wg wg = { 0 };

	(void)arg;
	gmp_wg_add(&wg, 50);
	for (int i = 0; i < 50; i++)
		gmp_go(work, &wg);
	gmp_wg_wait(&wg);
	return 0;
}

TEST(all_threads_are_joined)
{
	setenv("GMP_MAXPROCS", "4", 1);
	for (int i = 0; i < 200; i++) {
		CHECK_EQ(gmp_run(spawn_some, NULL), 0);
		CHECK(rt_sched.mdead == NULL);
	}
}
