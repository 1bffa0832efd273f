/* SPDX-License-Identifier: MIT */
/*
 * timer_test.c - gmp_now, gmp_sleep, gmp_timer, gmp_after.
 *
 * What Go's own tests check, and where it is checked here:
 *   time/sleep_test.go  TestSleep                 sleeps_at_least_as_long
 *                       TestSleepZeroDeadlock     sleep_of_nothing_returns
 *                       TestAfterFunc             a_timer_may_start_itself_again
 *                       TestAfter                 after_delivers_the_time
 *                       TestAfterTick             ticker_test.c
 *                       TestAfterStop             stop_in_time stop_too_late
 *                       TestAfterStress           timer_life_test.c
 *                       TestAfterQueuing          in_order_of_time
 *                       TestTimerStopStress       timer_life_test.c
 *                       TestReset                 reset
 *                       TestOverflowSleep         endless_durations
 *                       TestOverflowPeriod-       unit/timers_test.c
 *                       TestZeroTimer*            zero_timer
 *                       TestTimerModifiedEarlier  moved_earlier
 *                       TestAdjustTimers          moved_back_and_forth
 *                       TestIssue5745             not here: it is about panics
 *   runtime/time_test.go TestFakeTime             not here: no fake clock
 * Machines that run tests are busy: what is late is not wrong, what is early is.
 */
#include "timer_util.h"

/* ---- sleep -------------------------------------------------------------------------------------- */

GTEST(sleeps_at_least_as_long)
{
	static const int64_t ns[] = { 1, 1000, 50000, MS, 5 * MS, 30 * MS };

	for (size_t i = 0; i < sizeof(ns) / sizeof(ns[0]); i++) {
		uint64_t start = gmp_now();

		gmp_sleep(ns[i]);
		CHECK(gmp_now() - start >= (uint64_t)ns[i]);
		CHECK(gmp_now() - start < (uint64_t)LATE);
	}
}

GTEST(sleep_of_nothing_returns)
{
	for (int i = 0; i < 1000; i++) {
		gmp_sleep(0);
		gmp_sleep(-1);
		gmp_sleep(INT64_MIN);
	}
}

TEST(sleep_outside_of_a_run)
{
	uint64_t start = gmp_now();

	gmp_sleep(5 * MS);
	CHECK(gmp_now() - start >= 5 * MS);
	CHECK(start != 0);
}

struct sleeper {
	struct gmp_wg *wg;
	uint64_t until;
	uint32_t *early;
};

static void sleep_until(void *arg)
{
	struct sleeper *s = arg;
	uint64_t now = gmp_now();

	if (s->until > now)
		gmp_sleep((int64_t)(s->until - now));
	if (gmp_now() < s->until)
		__atomic_add_fetch(s->early, 1, __ATOMIC_RELAXED);
}

GTEST(many_sleepers)
{
	enum { N = GMPTEST_SCALE(5000) };
	struct sleeper *s = calloc(N, sizeof(*s));
	uint64_t seed = gmptest_seed(), start = gmp_now();
	struct gmp_wg wg = { 0 };
	uint32_t early = 0;

	for (int i = 0; i < N; i++) {
		s[i] = (struct sleeper){ &wg, start + gmptest_rand(&seed) % (50 * MS), &early };
		CHECK(gmp_wg_go(&wg, sleep_until, &s[i]) > 0);
	}
	gmp_wg_wait(&wg);
	CHECK_EQ(early, 0);
	CHECK(gmp_now() - start < (uint64_t)LATE);
	free(s);
}

static void sleep_briefly(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++)
		gmp_sleep(i % 7 * 10000);
}

GTEST(short_sleeps)
{
	struct gmp_wg wg = { 0 };

	for (int i = 0; i < 100; i++)
		CHECK(gmp_wg_go(&wg, sleep_briefly, NULL) > 0);
	gmp_wg_wait(&wg);
}

/* ---- bad input ------------------------------------------------------------------------------------ */

GTEST(zero_timer)
{
	struct gmp_timer t = { 0 };

	CHECK_EQ(gmp_timer_stop(&t), 0);
	CHECK_EQ(gmp_timer_stop_wait(&t), 0);
	CHECK_EQ(gmp_timer_reset(&t, MS), -EINVAL);
	CHECK_EQ(gmp_timer_start(&t, MS, NULL, NULL), -EINVAL);
	CHECK_EQ(gmp_timer_start(NULL, MS, shoot, NULL), -EINVAL);
	CHECK_EQ(gmp_timer_stop(NULL), -EINVAL);
	CHECK_EQ(gmp_timer_stop_wait(NULL), -EINVAL);
	CHECK_EQ(gmp_timer_reset(NULL, MS), -EINVAL);
	CHECK_EQ(gmp_timer_stop(&t), 0);
}

TEST(nothing_runs_timers_without_a_run)
{
	struct gmp_timer t = { 0 };

	CHECK_EQ(gmp_timer_start(&t, MS, shoot, NULL), -ESRCH);
	CHECK_EQ(gmp_timer_stop(&t), 0);
	CHECK_EQ(gmp_timer_stop_wait(&t), 0);
	CHECK(gmp_after(MS) == NULL);
}

/* ---- start, stop, reset ------------------------------------------------------------------------------ */

GTEST(fires_once_and_not_early)
{
	static const int64_t ns[] = { -5, 0, 1, 100000, 3 * MS };

	for (size_t i = 0; i < sizeof(ns) / sizeof(ns[0]); i++) {
		struct shot s = { .fired = 0 };
		uint64_t start = gmp_now();

		CHECK_EQ(gmp_timer_start(&s.t, ns[i], shoot, &s), 0);
		wait_fired(&s, 1);
		CHECK(ns[i] <= 0 || s.at - start >= (uint64_t)ns[i]);
		gmp_sleep(MS);
		CHECK_EQ(fired(&s), 1);
		CHECK_EQ(gmp_timer_stop_wait(&s.t), 0);
	}
}

GTEST(busy_while_it_waits)
{
	struct shot s = { .fired = 0 }, other = { .fired = 0 };

	CHECK_EQ(gmp_timer_start(&s.t, 3600000 * MS, shoot, &s), 0);
	CHECK_EQ(gmp_timer_start(&s.t, 0, shoot, &other), -EBUSY);
	CHECK_EQ(gmp_timer_reset(&s.t, 0), 1);
	wait_fired(&s, 1);
	CHECK_EQ(fired(&other), 0);
	CHECK_EQ(gmp_timer_start(&s.t, 0, shoot, &other), 0);
	wait_fired(&other, 1);
	CHECK_EQ(fired(&s), 1);
	CHECK_EQ(gmp_timer_stop_wait(&s.t), 0);
}

GTEST(stop_in_time)
{
	struct shot s = { .fired = 0 };

	for (int i = 0; i < 100; i++) {
		CHECK_EQ(gmp_timer_start(&s.t, 3600000 * MS, shoot, &s), 0);
		CHECK_EQ(gmp_timer_stop(&s.t), 1);
		CHECK_EQ(gmp_timer_stop(&s.t), 0);
	}
	gmp_sleep(2 * MS);
	CHECK_EQ(fired(&s), 0);
}

GTEST(stop_too_late)
{
	struct shot s = { .fired = 0 };

	CHECK_EQ(gmp_timer_start(&s.t, 0, shoot, &s), 0);
	wait_fired(&s, 1);
	CHECK_EQ(gmp_timer_stop(&s.t), 0);
	CHECK_EQ(gmp_timer_reset(&s.t, 3600000 * MS), 0);	/* not waiting: armed anew */
	CHECK_EQ(gmp_timer_stop_wait(&s.t), 1);
	CHECK_EQ(fired(&s), 1);
}

/* Many timers around it that stay: the one that stops is found among them. */
GTEST(stop_among_others)
{
	enum { N = 1000 };
	struct shot *s = calloc(N, sizeof(*s));
	uint64_t seed = gmptest_seed();
	int stopped[N];

	for (int i = 0; i < N; i++)
		CHECK_EQ(gmp_timer_start(&s[i].t, (5 + gmptest_rand(&seed) % 20) * MS, shoot, &s[i]), 0);
	for (int i = 0; i < N; i += 2)
		stopped[i] = gmp_timer_stop(&s[i].t);	/* 1 if in time */
	gmp_sleep(30 * MS);
	for (int i = 1; i < N; i += 2)
		wait_fired(&s[i], 1);
	for (int i = 0; i < N; i++) {
		CHECK(gmp_timer_stop_wait(&s[i].t) == 0);
		CHECK_EQ(fired(&s[i]), i % 2 ? 1 : !stopped[i]);
	}
	free(s);
}

GTEST(reset)
{
	struct shot s = { .fired = 0 };
	uint64_t start = gmp_now();

	CHECK_EQ(gmp_timer_start(&s.t, 3600000 * MS, shoot, &s), 0);
	CHECK_EQ(gmp_timer_reset(&s.t, 10 * MS), 1);
	CHECK_EQ(gmp_timer_reset(&s.t, 20 * MS), 1);
	wait_fired(&s, 1);
	CHECK(s.at - start >= 20 * MS);
	CHECK_EQ(gmp_timer_reset(&s.t, MS), 0);
	wait_fired(&s, 2);
	CHECK_EQ(gmp_timer_stop_wait(&s.t), 0);
}

GTEST(endless_durations)
{
	struct shot s = { .fired = 0 };

	CHECK_EQ(gmp_timer_start(&s.t, INT64_MAX, shoot, &s), 0);
	gmp_sleep(2 * MS);
	CHECK_EQ(fired(&s), 0);
	CHECK_EQ(gmp_timer_reset(&s.t, INT64_MAX - 1), 1);
	CHECK_EQ(gmp_timer_stop(&s.t), 1);
	CHECK_EQ(gmp_timer_start(&s.t, INT64_MIN, shoot, &s), 0);
	wait_fired(&s, 1);
	CHECK_EQ(gmp_timer_stop_wait(&s.t), 0);
}

GTEST(moved_earlier)
{
	struct shot s = { .fired = 0 };

	for (uint32_t i = 1; i <= 20; i++) {
		uint64_t start = gmp_now();

		CHECK(gmp_timer_start(&s.t, 3600000 * MS, shoot, &s) == 0);
		CHECK_EQ(gmp_timer_reset(&s.t, MS / 2), 1);
		wait_fired(&s, i);
		CHECK(gmp_now() - start < (uint64_t)LATE);
	}
	CHECK_EQ(gmp_timer_stop_wait(&s.t), 0);
}

GTEST(moved_back_and_forth)
{
	enum { N = 200 };
	struct shot *s = calloc(N, sizeof(*s));
	uint64_t seed = gmptest_seed();
	uint64_t when[N];

	for (int i = 0; i < N; i++)
		CHECK_EQ(gmp_timer_start(&s[i].t, 3600000 * MS, shoot, &s[i]), 0);
	for (int round = 0; round < 20; round++)
		for (int i = 0; i < N; i++)
			CHECK_EQ(gmp_timer_reset(&s[i].t, (600000 + gmptest_rand(&seed) % 100000) * MS), 1);
	for (int i = 0; i < N; i++) {
		int64_t ns = gmptest_rand(&seed) % (20 * MS);

		when[i] = gmp_now() + (uint64_t)ns;
		CHECK_EQ(gmp_timer_reset(&s[i].t, ns), 1);
	}
	for (int i = 0; i < N; i++) {
		wait_fired(&s[i], 1);
		CHECK(s[i].at >= when[i]);
		CHECK_EQ(gmp_timer_stop_wait(&s[i].t), 0);
	}
	free(s);
}

/* ---- functions ------------------------------------------------------------------------------------------------ */

static void again(void *arg)
{
	struct shot *s = arg;

	if (__atomic_add_fetch(&s->fired, 1, __ATOMIC_RELEASE) < 100)
		CHECK_EQ(gmp_timer_start(&s->t, 1000, again, s), 0);
}

GTEST(a_timer_may_start_itself_again)
{
	struct shot s = { .fired = 0 };

	CHECK_EQ(gmp_timer_start(&s.t, 0, again, &s), 0);
	wait_fired(&s, 100);
	CHECK_EQ(gmp_timer_stop_wait(&s.t), 0);
}

struct ordered {
	struct shot s;
	struct gmp_chan *out;
	int i;
};

static void report(void *arg)
{
	struct ordered *o = arg;

	gmp_chan_send(o->out, &o->i);
}

/* One try, 0.3 ms << @wide apart; those that become due together may come in any order. */
static bool came_in_order(int wide)
{
	static const int slots[] = { 5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0 };
	enum { N = sizeof(slots) / sizeof(slots[0]) };
	struct ordered o[N];
	struct gmp_chan *out = gmp_chan_make(sizeof(int), N);
	int last = -1, i;
	bool ok = true;

	for (int k = 0; k < N; k++) {
		o[k] = (struct ordered){ .out = out, .i = k };
		CHECK_EQ(gmp_timer_start(&o[k].s.t, (1 + slots[k]) * (300000ll << wide), report, &o[k]), 0);
	}
	for (int k = 0; k < N; k++) {
		CHECK_EQ(gmp_chan_recv(out, &i), 1);
		ok = ok && slots[i] >= last;
		last = slots[i];
	}
	gmp_chan_unref(out);
	return ok;
}

GTEST(in_order_of_time)
{
	int wide = 0;

	while (!came_in_order(wide))	/* the machine was busy for that long */
		CHECK(++wide < 10);
}

/* ---- gmp_after ---------------------------------------------------------------------------------------------------- */

GTEST(after_delivers_the_time)
{
	uint64_t start = gmp_now(), at = 0;
	struct gmp_chan *c = gmp_after(5 * MS);

	CHECK(c != NULL);
	CHECK_EQ(gmp_chan_cap(c), 1);
	CHECK_EQ(gmp_chan_recv(c, &at), 1);
	CHECK(at >= start + 5 * MS && at <= gmp_now());
	CHECK_EQ(gmp_chan_try_recv(c, &at), -EAGAIN);	/* once, and not closed */
	gmp_chan_unref(c);
	c = gmp_after(-1);
	CHECK_EQ(gmp_chan_recv(c, NULL), 1);
	gmp_chan_unref(c);
}

GTEST(after_may_be_dropped)
{
	for (int i = 0; i < 1000; i++)
		gmp_chan_unref(gmp_after(i % 3 * 1000));
	gmp_sleep(2 * MS);
}

GTEST(after_in_a_select)
{
	struct gmp_chan *never = gmp_chan_make(1, 0), *c = gmp_after(2 * MS);
	uint64_t at;
	struct gmp_case k[] = { GMP_CASE_RECV(never, NULL), GMP_CASE_RECV(c, &at) };

	CHECK_EQ(gmp_select(k, 2), 1);
	gmp_chan_unref(c);
	gmp_chan_unref(never);
}
