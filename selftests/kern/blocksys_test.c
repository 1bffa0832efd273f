/* SPDX-License-Identifier: MIT */
/*
 * blocksys_test.c - two goroutines compute, eight sleep a millisecond at a time in calls that nobody declared:
 * how much of the work is kept, and how many calls are done, with the module and without. In the guest.
 */
#include <gmprt.h>
#include <stdatomic.h>

#include "gmptest.h"

#define PROCS		2
#define BLOCKERS	8
#define RUN_NS		600000000ull
#define ROUNDS		3

static struct {
	uint64_t end;
	_Atomic uint64_t work, calls;
	struct gmp_wg wg;
	int blockers;
} bs;

static void compute(void *arg)
{
	volatile uint64_t x = 1;
	uint64_t units = 0;

	(void)arg;
	do {
		for (int i = 0; i < 5000; i++)
			x = x * 6364136223846793005ull + 1;
		units++;
	} while (gmp_now() < bs.end);
	bs.work += units;
	gmp_wg_done(&bs.wg);
}

static void blocker(void *arg)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	uint64_t calls = 0;

	(void)arg;
	while (gmp_now() < bs.end) {
		nanosleep(&ms, NULL);
		calls++;
	}
	bs.calls += calls;
	gmp_wg_done(&bs.wg);
}

static int work_beside(void *arg)
{
	(void)arg;
	gmp_wg_add(&bs.wg, PROCS + bs.blockers);
	bs.end = gmp_now() + RUN_NS;
	for (int i = 0; i < bs.blockers; i++)
		CHECK(gmp_go(blocker, NULL) > 0);
	for (int i = 0; i < PROCS; i++)
		CHECK(gmp_go(compute, NULL) > 0);
	gmp_wg_wait(&bs.wg);
	return 0;
}

/* Units of work; *calls a second. */
static double measure(const char *debug, int blockers, double *calls)
{
	bs.work = bs.calls = 0;
	bs.blockers = blockers;
	setenv("GMP_MAXPROCS", "2", 1);
	setenv("GMP_DEBUG", debug, 1);
	CHECK_EQ(gmp_run(work_beside, NULL), 0);
	*calls = (double)bs.calls * 1e9 / (double)RUN_NS;
	return (double)bs.work;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), by_size);
	return v[ROUNDS / 2];
}

/* In turns: the machine may have less and less to spare for us. */
TEST(work_kept_and_calls_done)
{
	static const char *const how[] = { "kern=ko", "kern=none" };
	double kept[2][ROUNDS], calls[2][ROUNDS], none;

	for (int r = 0; r < ROUNDS; r++) {
		for (int k = 0; k < 2; k++) {
			double alone = measure(how[k], 0, &none);

			kept[k][r] = 100 * measure(how[k], BLOCKERS, &calls[k][r]) / alone;
		}
	}
	printf("# 2 Ps, 2 compute, 8 in sleeps of 1 ms (8000/s): with the module %.0f %% of the work, %.0f calls/s; "
	       "without %.0f %%, %.0f calls/s\n", median(kept[0]), median(calls[0]), median(kept[1]), median(calls[1]));
	fflush(stdout);
	/* On a busy host the figures say little: that all got on is all that can be asked. */
	CHECK(median(calls[0]) > 0 && median(calls[1]) > 0);
	CHECK(median(kept[0]) > 0 && median(kept[1]) > 0);
}
