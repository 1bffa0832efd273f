/* SPDX-License-Identifier: MIT */
/*
 * preempt_stay_test.c - a goroutine that was stopped by SIGURG goes on on its thread until it stops by itself, and
 * finds errno as it was: compiled code may hold the address of either. After gmp_yield() it may be anywhere.
 *
 * How often a goroutine was stopped it sees in its own head: times switched to, without having called anything.
 */
#include <gmprt.h>

#include "gmptest.h"
#include "sched/sched.h"

enum { LOOPS = 5, ROUNDS = 4, STOPS = 5 };

static struct gmp_wg wg;
static uint32_t moves, stops;	/* atomic */

static void nothing_called(void)
{
	for (volatile int i = 0; i < 1000; i++)
		;
}

/* Until it was stopped some times. Reads its thread and its errno without a call, by addresses fetched before. */
static void one_round(struct rt_g *gp, int mine)
{
	uint64_t runs = rt_load_rlx(&gp->h.runs);
	uint32_t tid = rt_tls.tid;
	int *error = &errno;

	*error = mine;
	while (rt_load_rlx(&gp->h.runs) - runs < STOPS) {
		nothing_called();
		if (*(volatile uint32_t *)&rt_tls.tid != tid || *(volatile int *)error != mine)
			break;
	}
	CHECK_EQ(*(volatile uint32_t *)&rt_tls.tid, tid);
	CHECK_EQ(*(volatile int *)error, mine);
	rt_add_rlx(&stops, STOPS);
}

static void is_stopped(void *arg)
{
	struct rt_g *gp = rt_getg();
	uint32_t tid;

	for (int i = 0; i < ROUNDS; i++) {
		one_round(gp, 1000 + (int)(intptr_t)arg);
		tid = rt_tls.tid;
		gmp_yield();
		rt_add_rlx(&moves, *(volatile uint32_t *)&rt_getm()->tid != tid);
	}
}

/* With one P they run on one thread, one on top of the other; with more each has its own while it is stopped. */
GTEST(stays_on_its_thread_with_its_errno)
{
	for (intptr_t i = 0; i < LOOPS; i++)
		CHECK(gmp_wg_go(&wg, is_stopped, (void *)i) > 1);
	gmp_wg_wait(&wg);
	printf("# stopped %u times; on another thread after %u of %d yields\n", stops, moves, LOOPS * ROUNDS);
	CHECK_EQ(stops, LOOPS * ROUNDS * STOPS);
}
