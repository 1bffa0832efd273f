/* SPDX-License-Identifier: MIT */
/* spawn_test.c - starting goroutines: the one that starts them is preempted, all are counted. */
#include <gmprt.h>

#include <pthread.h>
#include <stdatomic.h>

#include "gmptest.h"

/* ---- a loop that does nothing but start goroutines ------------------------------------------------------ */

static atomic_int saw;

static void first(void *arg)
{
	(void)arg;
	gmp_yield();		/* behind all that wait by now */
	atomic_store(&saw, 1);
}

static void nothing(void *arg)
{
	(void)arg;
}

/*
 * Such a loop is in the library nearly always, where no signal stops it: gmp_go() must let others run
 * when the slice is over. On one P `first` runs only then; before, it never did.
 */
GTEST(a_loop_of_gmp_go_is_preempted)
{
	uint64_t end = gmp_now() + (GMPTEST_SANITIZED ? 100 : 20) * 1000000000ull;

	atomic_store(&saw, 0);
	CHECK(gmp_go(first, NULL) > 0);
	while (!atomic_load(&saw) && gmp_now() < end)
		for (int i = 0; i < 64; i++)
			CHECK(gmp_go(nothing, NULL) > 0);
	CHECK(atomic_load(&saw));
}

static _Atomic long ran;

static void takes_time(void *arg)
{
	uint64_t end = gmp_now() + 5000;

	(void)arg;
	while (gmp_now() < end)
		;
	ran++;
}

/*
 * Its place is at the end of the queue: those it has started run before it starts more. Else there would be ever
 * more of them. A ring's length may be left over: the 61st look is at the global queue.
 */
static int starts_no_more_than_run(void *arg)
{
	uint64_t last = gmp_now(), now;
	long made = 0, stops = 0;

	for (ran = 0; stops < 3; last = now) {
		long before = made;

		for (int i = 0; i < 16; i++, made++)
			CHECK(gmp_go(takes_time, arg) > 0);
		now = gmp_now();
		if (now - last < 15000000)	/* it was not stopped in there, or for no longer than a slice */
			continue;
		printf("# stopped for %llu ms: %ld of %ld have run\n", (unsigned long long)(now - last) / 1000000,
		       ran, before);
		CHECK(before - ran <= 512);
		stops++;
	}
	return 0;
}

TEST(those_it_started_run_before_it_starts_more)
{
	setenv("GMP_MAXPROCS", "1", 1);
	CHECK_EQ(gmp_run(starts_no_more_than_run, NULL), 0);
}

/* Not inside such a region: the others wait, and nothing breaks. */
GTEST(a_region_without_preemption_holds_in_gmp_go)
{
	uint64_t end = gmp_now() + 60000000;
	int n = gmp_maxprocs(0);

	atomic_store(&saw, 0);
	gmp_nopreempt_begin();
	CHECK(gmp_go(first, NULL) > 0);
	while (gmp_now() < end)
		for (int i = 0; i < 64; i++)
			CHECK(gmp_go(nothing, NULL) > 0);
	CHECK(n > 1 || !atomic_load(&saw));
	gmp_nopreempt_end();
}

/* ---- how many there are ------------------------------------------------------------------------------------ */

static void *from_thread(void *arg)
{
	for (int i = 0; i < 100; i++)
		CHECK(gmp_go(nothing, arg) > 0);
	return NULL;
}

static void spawn_some(void *arg)
{
	for (int i = 0; i < 100; i++)
		CHECK(gmp_go(nothing, arg) > 0);
}

/* Counted per P: they begin on one, end on another, the number of Ps changes, threads start some. */
GTEST(the_number_is_right_when_all_have_ended)
{
	int procs = gmp_maxprocs(0);
	struct gmp_wg wg = { 0 };
	pthread_t t;

	for (int round = 0; round < 8; round++) {
		CHECK_EQ(pthread_create(&t, NULL, from_thread, NULL), 0);
		for (int i = 0; i < 20; i++)
			CHECK(gmp_wg_go(&wg, spawn_some, NULL) > 0);
		gmp_maxprocs(round % 4 + 1);
		gmp_wg_wait(&wg);
		pthread_join(t, NULL);
	}
	gmp_maxprocs(procs);
	for (int i = 0; i < 20000 && gmp_num_goroutine() > 1; i++)
		gmp_sleep(1000000);	/* the last may end on a thread that has no CPU now */
	CHECK_EQ(gmp_num_goroutine(), 1);
}
