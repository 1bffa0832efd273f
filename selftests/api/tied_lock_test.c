/* SPDX-License-Identifier: MIT */
/*
 * tied_lock_test.c - locks that know nothing of us, without the module: a goroutine is stopped while it has one, and
 * each P is held by one that waits for it. (kern/handoff_lock_test.c: with the module.)
 *
 * In each case the one that others wait for goes on computing until as many as there are Ps say that they are about to
 * wait: so it was stopped before, and who waits has the P it would need.
 */
#include <gmprt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "gmptest.h"

#define MS	1000000ll

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct gmp_wg wg;
static _Atomic int waiting;
static _Atomic bool has_b, stopping, stop;
static _Atomic uint64_t turns[2];
static bool told;
static long count;

static void compute_until_all_wait(void)
{
	while (waiting < gmp_maxprocs(0))
		;
}

/* Whom the others wait for starts them: else one P would be theirs before it has begun. */
static void start_for_each_p(void (*fn)(void *))
{
	for (int i = 0; i < gmp_maxprocs(0); i++)
		CHECK(gmp_wg_go(&wg, fn, NULL) > 0);
}

static uint64_t rescues(void)
{
	struct gmp_stats st = { .size = sizeof(st) };

	CHECK_EQ(gmp_stats(&st), 0);
	return st.rescues;
}

static int run_one(void *fn)
{
	CHECK(gmp_wg_go(&wg, *(void (**)(void *))fn, NULL) > 0);
	gmp_wg_wait(&wg);
	return 0;
}

/* Also twice: each time the lock is given back as it was found. */
static void run_with(const char *procs, int (*fn)(void *), void *arg)
{
	if (GMPTEST_SANITIZED)
		SKIP("its threads sleep for each other, whatever the program does");
	setenv("GMP_DEBUG", "kern=none", 1);
	setenv("GMP_MAXPROCS", procs, 1);
	for (int i = 0; i < 2; i++) {
		waiting = 0;
		has_b = stopping = stop = told = false;
		CHECK_EQ(gmp_run(fn, arg), 0);
	}
}

/* ---- a mutex ------------------------------------------------------------------------------------------------ */

static void locks_a(void *arg)
{
	(void)arg;
	waiting++;
	pthread_mutex_lock(&a);
	count++;
	pthread_mutex_unlock(&a);
}

static void has_a(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&a);
	start_for_each_p(locks_a);
	compute_until_all_wait();
	pthread_mutex_unlock(&a);
}

static void (*const mutex)(void *) = has_a;

TEST(the_owner_of_a_mutex_goes_on_1p)
{
	run_with("1", run_one, (void *)&mutex);
}

TEST(the_owner_of_a_mutex_goes_on_2p)
{
	run_with("2", run_one, (void *)&mutex);
}

TEST(the_owner_of_a_mutex_goes_on_4p)
{
	run_with("4", run_one, (void *)&mutex);
}

/* ---- one mutex inside another -------------------------------------------------------------------------------- */

static void locks_b(void *arg)
{
	(void)arg;
	while (!has_b)
		;
	waiting++;
	pthread_mutex_lock(&b);
	count++;
	pthread_mutex_unlock(&b);
}

static void locks_a_inside_b(void *arg)
{
	pthread_mutex_lock(&b);
	has_b = true;
	locks_a(arg);
	pthread_mutex_unlock(&b);
}

static void has_a_of_both(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&a);
	CHECK(gmp_wg_go(&wg, locks_a_inside_b, NULL) > 0);
	start_for_each_p(locks_b);
	compute_until_all_wait();
	pthread_mutex_unlock(&a);
}

static void (*const nested)(void *) = has_a_of_both;

TEST(owners_of_nested_mutexes_go_on_1p)
{
	run_with("1", run_one, (void *)&nested);
}

TEST(owners_of_nested_mutexes_go_on_2p)
{
	run_with("2", run_one, (void *)&nested);
}

TEST(owners_of_nested_mutexes_go_on_4p)
{
	run_with("4", run_one, (void *)&nested);
}

/* ---- a condition variable ------------------------------------------------------------------------------------ */

static void waits(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&a);
	waiting++;
	while (!told)
		pthread_cond_wait(&changed, &a);
	pthread_mutex_unlock(&a);
}

static void tells(void *arg)
{
	(void)arg;
	start_for_each_p(waits);
	compute_until_all_wait();
	pthread_mutex_lock(&a);
	told = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&a);
}

static void (*const cond)(void *) = tells;

TEST(who_is_to_signal_goes_on_1p)
{
	run_with("1", run_one, (void *)&cond);
}

TEST(who_is_to_signal_goes_on_2p)
{
	run_with("2", run_one, (void *)&cond);
}

TEST(who_is_to_signal_goes_on_4p)
{
	run_with("4", run_one, (void *)&cond);
}

/* ---- many at once ---------------------------------------------------------------------------------------------- */

static void locks_often(void *arg)
{
	static volatile long table[64];

	(void)arg;
	for (int i = 0; i < 100000; i++) {
		pthread_mutex_lock(&a);
		for (int k = 0; k < 64; k++)
			table[k] += k;
		count++;
		pthread_mutex_unlock(&a);
	}
}

static int eight_lock_often(void *arg)
{
	(void)arg;
	count = 0;
	for (int i = 0; i < 8; i++)
		CHECK(gmp_wg_go(&wg, locks_often, NULL) > 0);
	gmp_wg_wait(&wg);
	CHECK_EQ(count, 800000);
	printf("# %llu rescues\n", (unsigned long long)rescues());
	return 0;
}

TEST(eight_share_a_mutex_1p)
{
	run_with("1", eight_lock_often, NULL);
}

TEST(eight_share_a_mutex_2p)
{
	run_with("2", eight_lock_often, NULL);
}

TEST(eight_share_a_mutex_4p)
{
	run_with("4", eight_lock_often, NULL);
}

/* ---- the world ------------------------------------------------------------------------------------------------- */

static void has_a_until_stop(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&a);
	CHECK(gmp_wg_go(&wg, locks_a, NULL) > 0);
	while (!waiting || !stopping)
		;
	pthread_mutex_unlock(&a);
}

/*
 * One P is ours, the other that of who sleeps: it cannot be stopped before the lock is free. (No sleep: who would run
 * a timer that is set on the other P?)
 */
static int stop_while_one_sleeps(void *arg)
{
	(void)arg;
	CHECK(gmp_wg_go(&wg, has_a_until_stop, NULL) > 0);
	while (!waiting)
		gmp_yield();
	stopping = true;
	CHECK_EQ(gmp_stop_world("test"), 0);
	CHECK_EQ(gmp_start_world(), 0);
	gmp_wg_wait(&wg);
	return 0;
}

TEST(the_world_stops_when_a_p_sleeps_for_a_lock)
{
	run_with("2", stop_while_one_sleeps, NULL);
}

/* ---- who computes is no reason ------------------------------------------------------------------------------------ */

static int ends[2];

static void reads(void *arg)
{
	char c;

	(void)arg;
	CHECK_EQ(read(ends[0], &c, 1), 1);
}

static void computes(void *arg)
{
	_Atomic uint64_t *n = arg;

	while (!stop)
		++*n;
}

/* A few may be: on a busy machine a thread sleeps now and then for the kernel's own sake. */
static int one_reads_others_compute(void *arg)
{
	(void)arg;
	CHECK_EQ(pipe(ends), 0);
	CHECK(gmp_wg_go(&wg, reads, NULL) > 0);
	for (int i = 0; i < 2; i++)
		CHECK(gmp_wg_go(&wg, computes, (void *)&turns[i]) > 0);
	for (int i = 0; i < 200; i++)
		gmp_sleep(10 * MS);
	printf("# %llu rescues\n", (unsigned long long)rescues());
	CHECK(rescues() < 15);
	CHECK(turns[0] > 0 && turns[1] > 0);
	stop = true;
	CHECK_EQ(write(ends[1], "x", 1), 1);
	gmp_wg_wait(&wg);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

TEST(nobody_goes_on_without_a_p_beside_one_that_computes)
{
	run_with("2", one_reads_others_compute, NULL);
}
