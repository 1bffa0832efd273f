/* SPDX-License-Identifier: MIT */
/*
 * timer_life_test.c - timers: whose memory they are, waiting for functions, threads, stress, ends.
 *
 * What Go's own tests check, and where it is checked here:
 *   time/sleep_test.go  TestAfterStress      stress_with_maxprocs_and_yields
 *                       TestTimerStopStress  stop_stress
 *   the others: timer_test.c
 */
#include "timer_util.h"

/* ---- whose memory it is --------------------------------------------------------------------------------- */

static void free_myself(void *arg)
{
	struct shot *s = arg;
	struct gmp_chan *c = s->c;

	memset(s, 0xee, sizeof(*s));
	free(s);
	gmp_chan_send(c, NULL);
}

GTEST(function_may_free_its_timer)
{
	struct gmp_chan *c = gmp_chan_make(0, 100);

	for (int i = 0; i < 1000; i++) {
		struct shot *s = calloc(1, sizeof(*s));

		s->c = c;
		CHECK_EQ(gmp_timer_start(&s->t, i % 3 * 100000, free_myself, s), 0);
	}
	for (int i = 0; i < 1000; i++)
		gmp_chan_recv(c, NULL);
	gmp_chan_unref(c);
}

static uint32_t dead_hits;

static void hit_dead(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&dead_hits, 1, __ATOMIC_RELAXED);
}

/* Stopped, it may be overwritten at once: also while its heap is busy with others. */
GTEST(stopped_timer_may_be_freed)
{
	for (int i = 0; i < 20000; i++) {
		struct gmp_timer *t = calloc(1, sizeof(*t));

		CHECK_EQ(gmp_timer_start(t, i % 4 ? i % 8 * 1000 : 3600000 * MS, hit_dead, NULL), 0);
		if (i % 16 == 0)
			gmp_yield();
		gmp_timer_stop(t);
		memset(t, 0xee, sizeof(*t));
		free(t);
	}
	gmp_sleep(2 * MS);
}

/* ---- stop_wait --------------------------------------------------------------------------------------------- */

struct slow {
	struct gmp_timer t;
	uint32_t state;		/* 1 began, 2 ended */
	int how;
};

static uint32_t go_on;

static void deferred(void *arg)
{
	struct slow *s = arg;

	do
		gmp_sleep(2 * MS);
	while (s->how == 3 && !__atomic_load_n(&go_on, __ATOMIC_ACQUIRE));
	__atomic_store_n(&s->state, 2, __ATOMIC_RELEASE);
}

static void slow_fn(void *arg)
{
	struct slow *s = arg;

	__atomic_store_n(&s->state, 1, __ATOMIC_RELEASE);
	CHECK_EQ(gmp_timer_stop_wait(&s->t), 0);	/* does not wait for itself */
	if (s->how % 3 == 0) {
		deferred(s);
		return;
	}
	CHECK_EQ(gmp_defer(deferred, s), 0);
	if (s->how == 2)
		gmp_goexit();
}

GTEST(stop_wait_waits_for_the_function)
{
	for (int i = 0; i < 30; i++) {
		struct slow s = { .how = i % 3 };

		CHECK_EQ(gmp_timer_start(&s.t, 0, slow_fn, &s), 0);
		while (__atomic_load_n(&s.state, __ATOMIC_ACQUIRE) == 0)
			gmp_yield();
		CHECK_EQ(gmp_timer_stop(&s.t), 0);	/* this one does not wait */
		CHECK_EQ(gmp_timer_stop_wait(&s.t), 0);
		CHECK_EQ(__atomic_load_n(&s.state, __ATOMIC_ACQUIRE), 2);
	}
}

static void touch(void *arg)
{
	struct slow *s = arg;

	for (int i = 0; i < 5; i++) {
		__atomic_add_fetch(&s->state, 1, __ATOMIC_RELAXED);
		gmp_yield();
	}
}

/* Due just now: after stop_wait its function has run whole or not at all, and runs no more. */
GTEST(stop_wait_against_firing)
{
	for (int i = 0; i < 3000; i++) {
		struct slow s = { .state = 0 };
		uint32_t state;
		int r;

		CHECK_EQ(gmp_timer_start(&s.t, i % 5 * 500, touch, &s), 0);
		for (int k = i % 7; k > 0; k--)
			gmp_yield();
		r = gmp_timer_stop_wait(&s.t);
		state = __atomic_load_n(&s.state, __ATOMIC_RELAXED);
		CHECK_EQ(state, r ? 0 : 5);
	}
}

static void *stop_wait_outside(void *arg)
{
	struct slow *s = arg;

	CHECK_EQ(gmp_timer_stop_wait(&s->t), -EWOULDBLOCK);
	__atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
	return NULL;
}

GTEST(stop_wait_outside_of_a_goroutine)
{
	struct slow s = { .how = 3 };
	pthread_t t;

	CHECK_EQ(gmp_timer_start(&s.t, 0, slow_fn, &s), 0);
	while (__atomic_load_n(&s.state, __ATOMIC_ACQUIRE) == 0)
		gmp_yield();
	CHECK_EQ(pthread_create(&t, NULL, stop_wait_outside, &s), 0);
	pthread_join(t, NULL);
	CHECK_EQ(gmp_timer_stop_wait(&s.t), 0);
	CHECK_EQ(s.state, 2);
}

/* ---- from other threads ----------------------------------------------------------------------------------------------- */

static void *start_outside(void *arg)
{
	struct shot *s = arg;

	for (int i = 0; i < 200; i++) {
		CHECK_EQ(gmp_timer_start(&s->t, 3600000 * MS, shoot, s), 0);
		CHECK_EQ(gmp_timer_stop(&s->t), 1);
	}
	CHECK_EQ(gmp_timer_start(&s->t, 2 * MS, shoot, s), 0);
	return NULL;
}

/* All goroutines are parked: only the new deadline can wake somebody. */
GTEST(a_thread_outside_arms_a_timer_for_sleeping_ps)
{
	for (int i = 0; i < 20; i++) {
		struct shot s = { .fired = 0 };
		pthread_t t;

		CHECK_EQ(pthread_create(&t, NULL, start_outside, &s), 0);
		gmp_sleep(i % 2 ? 300 * MS / 100 : MS);
		pthread_join(t, NULL);
		wait_fired(&s, 1);
		CHECK_EQ(gmp_timer_stop_wait(&s.t), 0);
	}
}

static void *send_soon(void *arg)
{
	struct shot *s = arg;

	gmp_sleep(20 * MS);
	CHECK_EQ(gmp_timer_start(&s->t, MS, free_myself, s), 0);
	return NULL;
}

GTEST(an_earlier_deadline_wakes_the_sleeping_poller)
{
	struct gmp_chan *c = gmp_chan_make(0, 1);
	struct shot far = { .fired = 0 }, *s = calloc(1, sizeof(*s));
	uint64_t start = gmp_now();
	pthread_t t;

	s->c = c;
	CHECK_EQ(gmp_timer_start(&far.t, 3600000 * MS, shoot, &far), 0);
	CHECK_EQ(pthread_create(&t, NULL, send_soon, s), 0);
	CHECK_EQ(gmp_chan_recv(c, NULL), 1);
	CHECK(gmp_now() - start >= 21 * MS);
	CHECK_EQ(gmp_timer_stop(&far.t), 1);
	pthread_join(t, NULL);
	gmp_chan_unref(c);
}

/* ---- stress ------------------------------------------------------------------------------------------------------------- */

struct shared {
	struct gmp_timer t[8];
	struct gmp_wg wg;
	uint32_t fired;
	uint64_t seed;
};

static void count_shared(void *arg)
{
	__atomic_add_fetch(&((struct shared *)arg)->fired, 1, __ATOMIC_RELAXED);
}

/* Everybody starts, stops and resets the same few timers. */
static void fight(void *arg)
{
	struct shared *x = arg;
	uint64_t s = __atomic_add_fetch(&x->seed, 0x9e3779b97f4a7c15ull, __ATOMIC_RELAXED);

	for (int i = 0; i < 2000; i++) {
		struct gmp_timer *t = &x->t[gmptest_rand(&s) % 8];
		int64_t ns = gmptest_rand(&s) % 4 ? gmptest_rand(&s) % 20000 : 3600000 * MS;
		int r;

		switch (gmptest_rand(&s) % 4) {
		case 0:
			r = gmp_timer_start(t, ns, count_shared, x);
			CHECK(r == 0 || r == -EBUSY);
			break;
		case 1:
			r = gmp_timer_stop(t);
			CHECK(r == 0 || r == 1);
			break;
		case 2:
			r = gmp_timer_reset(t, ns);
			CHECK(r == 0 || r == 1 || r == -EINVAL);
			break;
		default:
			if (gmptest_rand(&s) % 8 == 0)
				gmp_sleep(ns % 30000);
			else
				gmp_yield();
		}
	}
}

GTEST(many_fight_over_few_timers)
{
	struct shared x = { .seed = gmptest_seed() };
	uint32_t n;

	for (int i = 0; i < 10; i++)
		CHECK(gmp_wg_go(&x.wg, fight, &x) > 0);
	gmp_wg_wait(&x.wg);
	for (int i = 0; i < 8; i++)
		CHECK(gmp_timer_stop_wait(&x.t[i]) >= 0);
	n = __atomic_load_n(&x.fired, __ATOMIC_RELAXED);
	gmp_sleep(2 * MS);
	CHECK_EQ(__atomic_load_n(&x.fired, __ATOMIC_RELAXED), n);
}

GTEST(stop_stress)
{
	enum { N = 100 };
	struct shot *s = calloc(N, sizeof(*s));

	for (int round = 0; round < 20; round++) {
		int stopped = 0, before = 0, after = 0;

		for (int i = 0; i < N; i++) {
			before += (int)fired(&s[i]);
			CHECK_EQ(gmp_timer_start(&s[i].t, i * 2000, shoot, &s[i]), 0);
		}
		for (int i = 0; i < N; i++) {
			if (i % 10 == 0)
				gmp_yield();
			stopped += gmp_timer_stop(&s[N - 1 - i].t);
		}
		for (int i = 0; i < N; i++) {
			CHECK_EQ(gmp_timer_stop_wait(&s[i].t), 0);
			after += (int)fired(&s[i]);
		}
		CHECK_EQ(after - before, N - stopped);
	}
	free(s);
}

static uint32_t stop_burning;

static void burn(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stop_burning, __ATOMIC_RELAXED))
		gmp_yield();
}

GTEST(stress_with_maxprocs_and_yields)
{
	int procs = gmp_maxprocs(0);
	struct gmp_wg wg = { 0 };

	for (int i = 0; i < 4; i++)
		CHECK(gmp_wg_go(&wg, burn, NULL) > 0);
	for (int i = 0; i < 50; i++) {
		struct gmp_chan *c = gmp_after(i % 10 * 100000);

		gmp_maxprocs(1 + i % 5);	/* timers move from Ps that go */
		CHECK_EQ(gmp_chan_recv(c, NULL), 1);
		gmp_chan_unref(c);
	}
	gmp_maxprocs(procs);
	__atomic_store_n(&stop_burning, 1, __ATOMIC_RELAXED);
	gmp_wg_wait(&wg);
}

/* ---- the end of a run ---------------------------------------------------------------------------------------------------- */

static struct shot left;
static struct gmp_chan *left_after;
static struct gmp_timer left_more[100];

static void sleep_long(void *arg)
{
	(void)arg;
	gmp_sleep(3600000 * MS);
}

static int leave_armed(void *arg)
{
	(void)arg;
	CHECK_EQ(gmp_timer_start(&left.t, 3600000 * MS, shoot, &left), 0);
	left_after = gmp_after(3600000 * MS);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(gmp_timer_start(&left_more[i], (3600000 + i) * MS, hit_dead, NULL), 0);
	gmp_go(sleep_long, NULL);
	gmp_yield();
	return 0;
}

static int use_again(void *arg)
{
	(void)arg;
	CHECK_EQ(fired(&left), 0);
	CHECK_EQ(gmp_timer_stop(&left.t), 0);
	CHECK_EQ(gmp_timer_start(&left.t, MS, shoot, &left), 0);
	wait_fired(&left, 1);
	CHECK_EQ(gmp_timer_stop_wait(&left.t), 0);
	CHECK_EQ(gmp_chan_try_recv(left_after, NULL), -EAGAIN);
	gmp_chan_unref(left_after);
	return 0;
}

TEST(timers_end_with_the_run)
{
	for (int i = 0; i < 5; i++) {
		memset(&left, 0, sizeof(left));
		CHECK_EQ(gmp_run(leave_armed, NULL), 0);
		CHECK_EQ(gmp_run(use_again, NULL), 0);
	}
	CHECK_EQ(dead_hits, 0);
}
