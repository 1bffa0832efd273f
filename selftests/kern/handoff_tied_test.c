/* SPDX-License-Identifier: MIT */
/*
 * handoff_tied_test.c - a goroutine that was stopped where it did not ask for it goes on on its own thread only;
 * nothing that runs meanwhile may keep that thread. In the guest, as root, with gmp.ko.
 */
#include <gmprt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "gmptest.h"

#define MS	1000000ll

static struct gmp_wg wg;

static void nap(int64_t ns)
{
	struct timespec ts = { .tv_nsec = ns };

	nanosleep(&ts, NULL);
}

/* In the program's own code, where a signal may stop it. */
static void compute(int64_t ns)
{
	uint64_t end = gmp_now() + (uint64_t)ns;
	volatile uint64_t x = 1;

	do {
		for (int i = 0; i < 1000; i++)
			x = x * 6364136223846793005ull + 1;
	} while (gmp_now() < end);
}

static int run_on(const char *procs, int (*fn)(void *))
{
	setenv("GMP_MAXPROCS", procs, 1);
	setenv("GMP_DEBUG", "kern=ko", 1);
	return gmp_run(fn, NULL);
}

/* ---- locks of libraries that know nothing of us -------------------------------------------------------- */

#define LOCKERS	8
#define ROUNDS	20

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int rounds;
static uint64_t guarded;

/* Holds the lock while it sleeps, so that its P goes, and while it computes for more than a time slice. */
static void locker(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		nap(MS / 2);
		if (i % 5 == 0)
			compute(12 * MS);
		guarded++;
		pthread_mutex_unlock(&lock);
		rounds++;
		gmp_yield();
	}
	gmp_wg_done(&wg);
}

static int lockers(void *arg)
{
	struct gmp_stats st = { .size = sizeof(st) };

	(void)arg;
	rounds = 0;
	guarded = 0;
	gmp_wg_add(&wg, LOCKERS);
	for (int i = 0; i < LOCKERS; i++)
		CHECK(gmp_go(locker, NULL) > 0);
	gmp_wg_wait(&wg);
	CHECK_EQ(rounds, LOCKERS * ROUNDS);
	CHECK_EQ(guarded, LOCKERS * ROUNDS);
	CHECK_EQ(gmp_stats(&st), 0);
	printf("# %llu handoffs, %llu goroutines stopped\n", (unsigned long long)st.handoffs,
	       (unsigned long long)st.preemptions);
	CHECK(st.handoffs > 0);
	return 0;
}

TEST(a_lock_held_over_a_block_on_one_P)	{ CHECK_EQ(run_on("1", lockers), 0); }
TEST(a_lock_held_over_a_block_on_two_Ps)	{ CHECK_EQ(run_on("2", lockers), 0); }

/* gmtime() has a lock of libc's; each goroutine blocks for it, and goes on within libc. */
static void teller(void *arg)
{
	time_t t = 0;
	struct tm tm;

	(void)arg;
	for (int i = 0; i < 2000; i++, t += 86400) {
		CHECK(gmtime_r(&t, &tm) == &tm);
		if (i % 64 == 0)
			gmp_yield();
	}
	gmp_wg_done(&wg);
}

static int tellers(void *arg)
{
	(void)arg;
	gmp_wg_add(&wg, 32);
	for (int i = 0; i < 32; i++)
		CHECK(gmp_go(teller, NULL) > 0);
	gmp_wg_wait(&wg);
	return 0;
}

TEST(the_lock_of_gmtime)	{ CHECK_EQ(run_on("2", tellers), 0); }

/* ---- one that computes, one that blocks ------------------------------------------------------------------- */

static struct {
	int fd[2];
	_Atomic bool reads;
} pair;

static void reader(void *arg)
{
	char c;

	(void)arg;
	gmp_sleep(5 * MS);	/* its timer stops the one that computes */
	pair.reads = true;
	CHECK_EQ(read(pair.fd[0], &c, 1), 1);
	pair.reads = false;
	gmp_wg_done(&wg);
}

/* Ends what the other waits for: on that one's thread it never would. */
static void computer(void *arg)
{
	uint64_t begun = 0;

	(void)arg;
	while (!begun || gmp_now() < begun + 30 * MS) {
		compute(MS / 4);
		if (!begun && pair.reads)
			begun = gmp_now();
	}
	CHECK(pair.reads);
	CHECK_EQ(write(pair.fd[1], "x", 1), 1);
	gmp_wg_done(&wg);
}

static int both(void *arg)
{
	(void)arg;
	CHECK_EQ(pipe(pair.fd), 0);
	for (int i = 0; i < 5; i++) {
		gmp_wg_add(&wg, 2);
		CHECK(gmp_go(computer, NULL) > 0);
		CHECK(gmp_go(reader, NULL) > 0);
		gmp_wg_wait(&wg);
	}
	return 0;
}

TEST(one_that_computes_is_not_kept_by_one_that_reads)	{ CHECK_EQ(run_on("1", both), 0); }

/* ---- many that compute -------------------------------------------------------------------------------------- */

#define LOOPS	200

static _Atomic bool stop;
static _Atomic int looping;

static void loop(void *arg)
{
	(void)arg;
	looping++;
	while (!stop)
		compute(MS);
	gmp_wg_done(&wg);
}

static int loops(void *arg)
{
	struct gmp_stats st = { .size = sizeof(st) };

	(void)arg;
	stop = false;
	gmp_wg_add(&wg, LOOPS);
	for (int i = 0; i < LOOPS; i++)
		CHECK(gmp_go(loop, NULL) > 0);
	while (looping < LOOPS)
		gmp_sleep(MS);
	CHECK_EQ(gmp_stats(&st), 0);
	printf("# %d loops, %u threads\n", LOOPS, st.threads);
	CHECK(st.threads < 64);
	stop = true;
	gmp_wg_wait(&wg);
	return 0;
}

TEST(many_loops_need_few_threads)	{ CHECK_EQ(run_on("2", loops), 0); }
