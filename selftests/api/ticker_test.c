/* SPDX-License-Identifier: MIT */
/*
 * ticker_test.c - gmp_tick_*.
 *
 * What Go's own tests check, and where it is checked here:
 *   time/tick_test.go   TestTicker                     ticks_at_its_pace reset_changes_the_pace
 *                                                      no_tick_after_stop
 *                       TestTickerStopWithDirect-
 *                       Initialization                 null
 *                       TestTeardown                   made_and_stopped_a_lot
 *                       TestTick                       null (a ticker nobody stops: Go's Tick)
 *                       TestNewTickerLtZeroDuration    refuses_no_duration
 *                       TestTickerResetLtZeroDuration  refuses_no_duration
 *   time/sleep_test.go  TestAfterTick                  ticks_at_its_pace
 */
#include <gmprt.h>

#include "gmptest.h"

#define MS	1000000ll

TEST(null)
{
	CHECK(gmp_tick_chan(NULL) == NULL);
	CHECK_EQ(gmp_tick_reset(NULL, MS), -EINVAL);
	gmp_tick_stop(NULL);
	CHECK(gmp_tick_new(MS) == NULL);	/* no gmp_run(): nobody would tick */
}

GTEST(refuses_no_duration)
{
	struct gmp_tick *t = gmp_tick_new(MS);

	CHECK(gmp_tick_new(0) == NULL);
	CHECK(gmp_tick_new(-1) == NULL);
	CHECK_EQ(gmp_tick_reset(t, 0), -EINVAL);
	CHECK_EQ(gmp_tick_reset(t, -MS), -EINVAL);
	CHECK_EQ(gmp_chan_recv(gmp_tick_chan(t), NULL), 1);	/* it goes on as before */
	gmp_tick_stop(t);
}

/* @n ticks that @ns apart cannot all come before n * ns; each carries the time it was sent. */
static void count_ticks(struct gmp_tick *t, int n, int64_t ns, uint64_t start)
{
	uint64_t last = 0, at = 0;

	for (int i = 1; i <= n; i++) {
		CHECK_EQ(gmp_chan_recv(gmp_tick_chan(t), &at), 1);
		CHECK(at > last && at <= gmp_now());
		CHECK(at >= start + (uint64_t)ns);
		last = at;
	}
	/* Dropped ticks do not come later: n of them take at least n - 1 periods, less one in the buffer. */
	CHECK(last >= start + (uint64_t)(n - 1) * (uint64_t)ns);
}

GTEST(ticks_at_its_pace)
{
	uint64_t start = gmp_now();
	struct gmp_tick *t = gmp_tick_new(2 * MS);

	CHECK(t != NULL);
	CHECK_EQ(gmp_chan_cap(gmp_tick_chan(t)), 1);
	count_ticks(t, 10, 2 * MS, start);
	gmp_tick_stop(t);
}

GTEST(reset_changes_the_pace)
{
	struct gmp_tick *t = gmp_tick_new(3600000 * MS);

	for (int64_t ns = MS; ns <= 4 * MS; ns *= 2) {
		uint64_t start = gmp_now();

		CHECK_EQ(gmp_tick_reset(t, ns), 0);
		while (gmp_chan_try_recv(gmp_tick_chan(t), NULL) == 1)
			start = gmp_now() - (uint64_t)ns;	/* one of the old pace */
		count_ticks(t, 4, ns, start);
	}
	CHECK_EQ(gmp_tick_reset(t, 3600000 * MS), 0);
	gmp_chan_try_recv(gmp_tick_chan(t), NULL);
	gmp_sleep(5 * MS);
	CHECK_EQ(gmp_chan_try_recv(gmp_tick_chan(t), NULL), -EAGAIN);
	gmp_tick_stop(t);
}

GTEST(slow_receivers_miss_ticks)
{
	struct gmp_tick *t = gmp_tick_new(MS / 2);
	uint64_t at;

	gmp_sleep(20 * MS);
	CHECK_EQ(gmp_chan_len(gmp_tick_chan(t)), 1);
	CHECK_EQ(gmp_chan_recv(gmp_tick_chan(t), &at), 1);
	gmp_tick_stop(t);
}

GTEST(no_tick_after_stop)
{
	for (int i = 0; i < 200; i++) {
		struct gmp_tick *t = gmp_tick_new(20000);
		struct gmp_chan *c = gmp_chan_ref(gmp_tick_chan(t));

		CHECK_EQ(gmp_chan_recv(c, NULL), 1);
		for (int k = i % 5; k > 0; k--)
			gmp_yield();
		gmp_tick_stop(t);
		gmp_chan_try_recv(c, NULL);
		for (int k = 0; k < 3; k++)
			gmp_yield();
		CHECK_EQ(gmp_chan_try_recv(c, NULL), -EAGAIN);	/* nothing new, and not closed */
		gmp_chan_unref(c);
	}
}

static void use_one(void *arg)
{
	struct gmp_tick *t = gmp_tick_new(50000 + (intptr_t)arg * 1000);

	CHECK(t != NULL);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(gmp_chan_recv(gmp_tick_chan(t), NULL), 1);
	gmp_tick_stop(t);
}

GTEST(made_and_stopped_a_lot)
{
	struct gmp_wg wg = { 0 };

	for (int i = 0; i < 20; i++) {
		struct gmp_tick *t = gmp_tick_new(3600000 * MS);

		gmp_tick_stop(t);
	}
	for (intptr_t i = 0; i < 100; i++)
		CHECK(gmp_wg_go(&wg, use_one, (void *)i) > 0);
	gmp_wg_wait(&wg);
}

/* ---- the end of a run ------------------------------------------------------------------------------- */

static struct gmp_tick *survivor;

static int leave_ticking(void *arg)
{
	(void)arg;
	survivor = gmp_tick_new(MS);
	return gmp_chan_recv(gmp_tick_chan(survivor), NULL);
}

static int reset_survivor(void *arg)
{
	int r;

	(void)arg;
	gmp_chan_try_recv(gmp_tick_chan(survivor), NULL);
	gmp_sleep(5 * MS);
	CHECK_EQ(gmp_chan_len(gmp_tick_chan(survivor)), 0);
	CHECK_EQ(gmp_tick_reset(survivor, MS), 0);
	r = gmp_chan_recv(gmp_tick_chan(survivor), NULL);
	return r;
}

TEST(a_ticker_stands_still_between_runs)
{
	CHECK_EQ(gmp_run(leave_ticking, NULL), 1);
	CHECK_EQ(gmp_tick_reset(survivor, MS), -ESRCH);
	CHECK_EQ(gmp_run(reset_survivor, NULL), 1);
	gmp_tick_stop(survivor);
}
