/* SPDX-License-Identifier: MIT */
/*
 * wg_step_test.c - the last done of a wait group and letting its waiters go are one step.
 *
 * Were they two, others could wait in between, for the next end of the same group, or in another one
 * at the same address, and be let go by the end of the first.
 */
#include <gmprt.h>
#include <pthread.h>

#include "gmptest.h"
#include "sched/hot.h"
#include "sync/sema.h"

static struct gmp_wg wg, through;

static void waits(void *arg)
{
	(void)arg;
	gmp_wg_wait(&wg);
}

static void *is_done(void *arg)
{
	gmp_wg_done(&wg);
	rt_store_rel((uint32_t *)arg, 1);
	return NULL;
}

static uint32_t counter(void)
{
	return (uint32_t)(rt_load_acq(&wg.state) >> 32);
}

GTEST(nobody_sees_the_end_before_the_waiters_are_taken)
{
	uint64_t end = gmp_now() + 50000000;
	struct rt_bucket *b;
	uint32_t ended = 0;
	pthread_t t;

	gmp_wg_add(&wg, 1);
	CHECK(gmp_wg_go(&through, waits, NULL) > 1);
	while (!(rt_load_acq(&wg.state) & 1))
		gmp_yield();
	b = rt_bucket_lock(&wg);
	CHECK_EQ(pthread_create(&t, NULL, is_done, &ended), 0);
	while (gmp_now() < end)
		CHECK_EQ(counter(), 1);
	CHECK_EQ(rt_load_acq(&ended), 0);
	rt_unlock(&b->lock);
	gmp_wg_wait(&through);
	pthread_join(t, NULL);
	CHECK_EQ(counter(), 0);
}
