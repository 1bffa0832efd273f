/* SPDX-License-Identifier: MIT */
/*
 * sem_test.c - gmp_sem.
 *
 * x/sync semaphore_test.go            here
 *   TestWeighted                      hammered_it_excludes
 *   TestWeightedPanic                 bad_numbers_are_refused (there is no size to release beyond)
 *   TestWeightedTryAcquire            try_takes_what_is_there
 *   TestWeightedAcquire               acquire_takes_what_is_there
 *   TestWeightedDoesntBlockIfTooBig   cancel_lets_the_next_in
 *   TestLargeAcquireDoesntStarve      who_wants_many_is_not_starved
 *   TestAllocCancelDoesntStarve       cancel_lets_the_next_in
 *   TestWeightedReleaseCancel         release_against_cancel
 *   TestAcquireCanceled               a_context_that_is_done_wins
 * TestSemaphore of Go's sync           mutex_test.c
 */
#include <gmprt.h>
#include <pthread.h>

#include "gmptest.h"

#define MS	1000000

static struct gmp_sem s;
static struct gmp_wg wg;
static int32_t out;

static int32_t load(int32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static int32_t add(int32_t *p, int32_t n)
{
	return __atomic_add_fetch(p, n, __ATOMIC_ACQ_REL);
}

static int somebody_waits(void)
{
	return (int)(__atomic_load_n(&s.state, __ATOMIC_ACQUIRE) & 1);
}

static int64_t permits(void)
{
	return (int64_t)(__atomic_load_n(&s.state, __ATOMIC_ACQUIRE) >> 1);
}

/* With one P: until all others have parked. With more: time for what must not happen. */
static void let_run(void)
{
	for (int i = 0; i < 200; i++)
		gmp_yield();
}

/* ---- x/sync's ------------------------------------------------------------------------------------ */

#define SIZE	4

static void hammer(void *arg)
{
	long n = (long)arg;

	for (int i = 0; i < 500; i++) {
		CHECK_EQ(gmp_sem_acquire(&s, n), 0);
		CHECK(add(&out, (int32_t)n) <= SIZE);
		if (i % 3 == 0)
			gmp_yield();
		add(&out, (int32_t)-n);
		CHECK_EQ(gmp_sem_release(&s, n), 0);
	}
}

GTEST(hammered_it_excludes)
{
	CHECK_EQ(gmp_sem_release(&s, SIZE), 0);
	for (long i = 0; i < 12; i++)
		gmp_wg_go(&wg, hammer, (void *)(i % SIZE + 1));
	gmp_wg_wait(&wg);
	CHECK_EQ(permits(), SIZE);
	CHECK(!somebody_waits());
}

GTEST(try_takes_what_is_there)
{
	CHECK_EQ(gmp_sem_try(&s, 1), -EBUSY);	/* {0}: none */
	CHECK_EQ(gmp_sem_release(&s, 2), 0);
	CHECK_EQ(gmp_sem_try(&s, 0), 0);
	CHECK_EQ(gmp_sem_try(&s, 1), 0);
	CHECK_EQ(gmp_sem_try(&s, 1), 0);
	CHECK_EQ(gmp_sem_try(&s, 1), -EBUSY);
	CHECK_EQ(gmp_sem_release(&s, 2), 0);
	CHECK_EQ(gmp_sem_try(&s, 3), -EBUSY);
	CHECK_EQ(gmp_sem_try(&s, 2), 0);
}

GTEST(acquire_takes_what_is_there)
{
	CHECK_EQ(gmp_sem_release(&s, 2), 0);
	CHECK_EQ(gmp_sem_acquire(&s, 1), 0);
	CHECK_EQ(gmp_sem_acquire(&s, 0), 0);
	CHECK_EQ(gmp_sem_acquire(&s, 1), 0);
	CHECK_EQ(gmp_sem_try(&s, 1), -EBUSY);
	gmp_sem_release(&s, 1);
	CHECK_EQ(gmp_sem_acquire_ctx(NULL, &s, 1), 0);
	CHECK_EQ(permits(), 0);
}

static int32_t stop;

static void small_taker(void *arg)
{
	(void)arg;
	while (!load(&stop)) {
		gmp_sem_acquire(&s, 1);
		gmp_yield();
		gmp_sem_release(&s, 1);
	}
}

GTEST(who_wants_many_is_not_starved)
{
	gmp_sem_release(&s, 5);
	for (int i = 0; i < 10; i++)
		gmp_wg_go(&wg, small_taker, NULL);
	let_run();
	CHECK_EQ(gmp_sem_acquire(&s, 5), 0);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	CHECK_EQ(gmp_sem_release(&s, 5), 0);
	gmp_wg_wait(&wg);
	CHECK_EQ(permits(), 5);
}

static void acquire_with(struct gmp_ctx *ctx, int64_t n, int *result)
{
	*result = gmp_sem_acquire_ctx(ctx, &s, n);
	add(&out, 1);
}

static int small_result = 1, big_result = 1;

GTEST(cancel_lets_the_next_in)
{
	struct gmp_ctx *ctx = gmp_ctx_with_cancel(gmp_ctx_background());

	gmp_sem_release(&s, 10);
	CHECK_EQ(gmp_sem_acquire(&s, 5), 0);
	GMP_GO(acquire_with, ctx, (int64_t)10, &big_result);	/* more than there will be */
	while (!somebody_waits())
		gmp_yield();
	GMP_GO(acquire_with, gmp_ctx_background(), (int64_t)3, &small_result);
	let_run();
	CHECK_EQ(load(&out), 0);	/* 5 are there, but the first in line wants 10 */
	CHECK_EQ(gmp_sem_try(&s, 1), -EBUSY);
	gmp_ctx_cancel(ctx, 0);
	while (load(&out) != 2)
		gmp_yield();
	CHECK_EQ(big_result, -ECANCELED);
	CHECK_EQ(small_result, 0);
	CHECK_EQ(permits(), 2);
	CHECK(!somebody_waits());
	gmp_ctx_unref(ctx);
}

GTEST(cancel_in_the_middle_of_the_queue)
{
	struct gmp_ctx *ctx = gmp_ctx_with_cancel(gmp_ctx_background());
	int results[3] = { 1, 1, 1 };

	gmp_maxprocs(1);	/* the order of arrival is to be certain */
	GMP_GO(acquire_with, gmp_ctx_background(), (int64_t)2, &results[0]);
	while (!somebody_waits())
		gmp_yield();
	let_run();
	GMP_GO(acquire_with, ctx, (int64_t)1, &results[1]);
	let_run();
	GMP_GO(acquire_with, gmp_ctx_background(), (int64_t)1, &results[2]);
	let_run();
	gmp_ctx_cancel(ctx, 0);
	while (load(&out) != 1)
		gmp_yield();
	CHECK_EQ(results[1], -ECANCELED);
	gmp_sem_release(&s, 2);
	while (load(&out) != 2)
		gmp_yield();
	CHECK_EQ(results[0], 0);
	CHECK_EQ(results[2], 1);
	gmp_sem_release(&s, 1);
	while (load(&out) != 3)
		gmp_yield();
	CHECK_EQ(results[2], 0);
	gmp_ctx_unref(ctx);
}

static void cancel_it(struct gmp_ctx *ctx)
{
	gmp_ctx_cancel(ctx, 0);
	gmp_ctx_unref(ctx);
	gmp_wg_done(&wg);
}

static void release_it(void)
{
	gmp_sem_release(&s, 1);
	gmp_wg_done(&wg);
}

static void call(void (*fn)(void))
{
	fn();
}

/* Whichever comes first: permits are neither lost nor made. */
GTEST(release_against_cancel)
{
	int got = 0, n = 3000;

	for (int i = 0; i < n; i++) {
		struct gmp_ctx *ctx = gmp_ctx_with_cancel(gmp_ctx_background());
		int rc;

		gmp_wg_add(&wg, 2);
		GMP_GO(cancel_it, gmp_ctx_ref(ctx));
		GMP_GO(call, release_it);
		rc = gmp_sem_acquire_ctx(ctx, &s, 1);
		CHECK(rc == 0 || rc == -ECANCELED);
		got += rc == 0;
		gmp_wg_wait(&wg);
		gmp_ctx_unref(ctx);
		CHECK_EQ(permits() + got, i + 1);
		CHECK(!somebody_waits());
	}
}

GTEST(a_context_that_is_done_wins)
{
	struct gmp_ctx *ctx = gmp_ctx_with_cancel(gmp_ctx_background());

	gmp_sem_release(&s, 2);
	CHECK_EQ(gmp_sem_acquire_ctx(ctx, &s, 1), 0);
	gmp_ctx_cancel(ctx, -EIO);
	CHECK_EQ(gmp_sem_acquire_ctx(ctx, &s, 1), -ECANCELED);
	CHECK_EQ(permits(), 1);
	gmp_ctx_unref(ctx);
}

/* ---- ours ------------------------------------------------------------------------------------------ */

GTEST(a_deadline_ends_the_wait)
{
	uint64_t t0 = gmp_now();
	struct gmp_ctx *ctx = gmp_ctx_with_timeout(gmp_ctx_background(), 5 * MS);

	CHECK_EQ(gmp_sem_acquire_ctx(ctx, &s, 1), -ETIMEDOUT);
	CHECK(gmp_now() - t0 >= 5 * MS);
	CHECK(!somebody_waits());
	CHECK_EQ(gmp_sem_acquire_ctx(ctx, &s, 1), -ETIMEDOUT);
	gmp_ctx_unref(ctx);
}

static int order[20];

static void take_in_turn(void *arg)
{
	gmp_sem_acquire(&s, 1);
	order[load(&out)] = (int)(long)arg;	/* one permit at a time */
	add(&out, 1);
}

GTEST(first_come_first_served)
{
	gmp_maxprocs(1);
	for (long i = 0; i < 20; i++) {
		gmp_wg_go(&wg, take_in_turn, (void *)i);
		let_run();
	}
	for (int i = 0; i < 20; i++) {
		gmp_sem_release(&s, 1);
		while (load(&out) != i + 1)
			gmp_yield();
		CHECK_EQ(order[i], i);
	}
	gmp_wg_wait(&wg);
}

static void take_two(void *arg)
{
	(void)arg;
	gmp_sem_acquire(&s, 2);
	add(&out, 1);
}

GTEST(one_release_serves_many)
{
	for (int i = 0; i < 50; i++)
		gmp_wg_go(&wg, take_two, NULL);
	let_run();
	gmp_sem_release(&s, 99);
	while (load(&out) != 49)
		gmp_yield();
	let_run();
	CHECK_EQ(load(&out), 49);
	gmp_sem_release(&s, 1);
	gmp_wg_wait(&wg);
	CHECK_EQ(permits(), 0);
}

static void random_taker(uint64_t seed)
{
	for (int i = 0; i < 300; i++) {
		int64_t n = gmptest_rand(&seed) % 4;
		struct gmp_ctx *ctx = NULL;
		int rc;

		if (gmptest_rand(&seed) % 2)
			ctx = gmp_ctx_with_timeout(gmp_ctx_background(), gmptest_rand(&seed) % 200000);
		rc = gmp_sem_acquire_ctx(ctx, &s, n);
		CHECK(rc == 0 || (ctx && rc == -ETIMEDOUT));
		if (rc == 0) {
			CHECK(add(&out, (int32_t)n) <= SIZE);
			if (gmptest_rand(&seed) % 4 == 0)
				gmp_yield();
			add(&out, (int32_t)-n);
			gmp_sem_release(&s, n);
		}
		gmp_ctx_unref(ctx);
	}
	gmp_wg_done(&wg);
}

GTEST(timeouts_under_load)
{
	uint64_t seed = gmptest_seed();

	gmp_sem_release(&s, SIZE);
	gmp_wg_add(&wg, 16);
	for (int i = 1; i <= 16; i++)
		GMP_GO(random_taker, seed * (uint64_t)i | 1);
	gmp_wg_wait(&wg);
	CHECK_EQ(permits(), SIZE);
	CHECK(!somebody_waits());
}

static void *thread_uses(void *arg)
{
	(void)arg;
	CHECK_EQ(gmp_sem_acquire(&s, 1), -EWOULDBLOCK);
	CHECK_EQ(gmp_sem_acquire_ctx(gmp_ctx_background(), &s, 1), -EWOULDBLOCK);
	CHECK_EQ(gmp_sem_release(&s, 2), 0);
	return NULL;
}

GTEST(a_thread_may_release)
{
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, thread_uses, NULL), 0);
	CHECK_EQ(gmp_sem_acquire(&s, 2), 0);
	pthread_join(t, NULL);
}

TEST(bad_numbers_are_refused)
{
	CHECK_EQ(gmp_sem_release(&s, -1), -EINVAL);
	CHECK_EQ(gmp_sem_release(NULL, 1), -EINVAL);
	CHECK_EQ(gmp_sem_acquire(&s, -1), -EINVAL);
	CHECK_EQ(gmp_sem_acquire(NULL, 1), -EINVAL);
	CHECK_EQ(gmp_sem_acquire_ctx(NULL, &s, INT64_MIN), -EINVAL);
	CHECK_EQ(gmp_sem_acquire_ctx(NULL, NULL, 1), -EINVAL);
	CHECK_EQ(gmp_sem_try(&s, -1), -EINVAL);
	CHECK_EQ(gmp_sem_try(NULL, 1), -EINVAL);
	CHECK_EQ(gmp_sem_acquire(&s, 1), -EWOULDBLOCK);
	CHECK_EQ(gmp_sem_release(&s, GMP_SEM_MAX), 0);
	CHECK_EQ(gmp_sem_release(&s, 1), -EOVERFLOW);
	CHECK_EQ(gmp_sem_release(&s, INT64_MAX), -EOVERFLOW);
	CHECK_EQ(gmp_sem_acquire(&s, INT64_MAX), -EWOULDBLOCK);
	CHECK_EQ(gmp_sem_acquire(&s, GMP_SEM_MAX), 0);
	CHECK_EQ(gmp_sem_try(&s, 1), -EBUSY);
}
