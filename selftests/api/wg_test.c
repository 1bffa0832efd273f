/* SPDX-License-Identifier: MIT */
/*
 * wg_test.c - gmp_wg.
 *
 * Go's sync/waitgroup_test.go   here
 *   TestWaitGroup               two_groups_take_turns
 *   TestWaitGroupMisuse         misuse_is_fatal
 *   TestWaitGroupRace           on_the_stack_of_the_waiter
 *   TestWaitGroupAlign          inside_another_struct
 */
#include <gmprt.h>
#include <pthread.h>

#include "gmptest.h"

static struct gmp_wg wg, wg2;
static uint32_t count;

static uint32_t get(uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void inc(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
}

static int32_t counter(struct gmp_wg *w)
{
	return (int32_t)(w->state >> 32);
}

static int waits(struct gmp_wg *w)
{
	return (int)(__atomic_load_n(&w->state, __ATOMIC_ACQUIRE) & 1);
}

/* ---- Go's ----------------------------------------------------------------------------------------- */

static uint32_t exited;

static void both(void *arg)
{
	(void)arg;
	gmp_wg_done(&wg);
	gmp_wg_wait(&wg2);
	__atomic_add_fetch(&exited, 1, __ATOMIC_RELEASE);
}

GTEST(two_groups_take_turns)
{
	for (int round = 0; round < 8; round++) {
		exited = 0;
		gmp_wg_add(&wg, 16);
		gmp_wg_add(&wg2, 16);
		for (int i = 0; i < 16; i++)
			gmp_go(both, NULL);
		gmp_wg_wait(&wg);
		for (int i = 0; i < 16; i++) {
			CHECK_EQ(get(&exited), 0);
			gmp_wg_done(&wg2);
		}
		while (get(&exited) != 16)
			gmp_yield();
	}
}

static void done_it(void *arg)
{
	inc(NULL);
	gmp_wg_done(arg);
}

GTEST(on_the_stack_of_the_waiter)
{
	for (int i = 0; i < 5000; i++) {
		struct gmp_wg local = { 0 };
		uint32_t before = get(&count);

		gmp_wg_add(&local, 1);
		gmp_go(done_it, &local);
		gmp_wg_add(&local, 1);
		gmp_go(done_it, &local);
		gmp_wg_wait(&local);
		CHECK_EQ(get(&count), before + 2);
		CHECK_EQ(counter(&local), 0);
		memset(&local, 0xff, sizeof(local));
	}
}

GTEST(inside_another_struct)
{
	struct {
		char c;
		struct gmp_wg wg;
	} s = { 0 };

	gmp_wg_add(&s.wg, 1);
	gmp_go(done_it, &s.wg);
	gmp_wg_wait(&s.wg);
}

static void negative(void)
{
	gmp_wg_add(&wg, 1);
	gmp_wg_done(&wg);
	gmp_wg_done(&wg);
}

static void wait_outside(void)
{
	gmp_wg_add(&wg, 1);
	gmp_wg_wait(&wg);
}

static int wait_for_nobody(void *arg)
{
	(void)arg;
	gmp_wg_add(&wg, 1);
	gmp_wg_wait(&wg);
	return 0;
}

static void overflow(void)
{
	gmp_wg_add(&wg, INT32_MAX);
	gmp_wg_add(&wg, 1);
}

TEST(misuse_is_fatal)
{
	DEATH(gmp_wg_add(&wg, -1), "fatal error: sync: negative waitgroup counter");
	DEATH(negative(), "negative waitgroup counter");
	DEATH(overflow(), "negative waitgroup counter");
	DEATH(wait_outside(), "gmp_wg_wait: would park outside a goroutine");
	DEATH(gmp_run(wait_for_nobody, NULL), "all goroutines are asleep - deadlock!");
	DEATH(gmp_wg_add(NULL, 1), "gmp_wg_add");
	DEATH(gmp_wg_done(NULL), "gmp_wg_done");
	DEATH(gmp_wg_wait(NULL), "gmp_wg_wait");
	DEATH(gmp_wg_go(NULL, inc, NULL), "gmp_wg_go");
}

/* ---- ours ----------------------------------------------------------------------------------------- */

TEST(an_empty_group_never_waits)
{
	gmp_wg_wait(&wg);
	gmp_wg_add(&wg, 3);
	gmp_wg_add(&wg, -3);
	gmp_wg_wait(&wg);
	CHECK_EQ(counter(&wg), 0);
}

static void wait_then_count(void *arg)
{
	gmp_wg_wait(arg);
	inc(NULL);
}

GTEST(all_waiters_are_released)
{
	struct gmp_wg gate = { 0 };

	gmp_wg_add(&gate, 2);
	for (int i = 0; i < 500; i++)
		gmp_wg_go(&wg, wait_then_count, &gate);
	while (!waits(&gate))
		gmp_yield();
	gmp_wg_done(&gate);
	gmp_yield();
	CHECK_EQ(get(&count), 0);
	gmp_wg_done(&gate);
	gmp_wg_wait(&wg);
	CHECK_EQ(get(&count), 500);
}

static void open_and_done(uint32_t *open, struct gmp_wg *w)
{
	gmp_yield();
	__atomic_store_n(open, 1, __ATOMIC_RELEASE);
	gmp_wg_done(w);
}

/* Go forbids this: one waiter begins the next round before the other one has run. */
static void use_again(void *arg)
{
	struct gmp_wg *w = arg;

	for (int i = 0; i < 5; i++) {
		uint32_t open = 0;

		gmp_wg_wait(w);
		gmp_wg_add(w, 1);
		GMP_GO(open_and_done, &open, w);
		gmp_wg_wait(w);
		CHECK_EQ(get(&open), 1);	/* not let go for an earlier round */
	}
}

GTEST(used_again_at_once)
{
	struct gmp_wg w = { 0 };

	for (int i = 0; i < 200; i++) {
		gmp_wg_add(&w, 1);
		gmp_wg_go(&wg, use_again, &w);
		gmp_wg_go(&wg, use_again, &w);
		gmp_yield();
		gmp_wg_done(&w);
		gmp_wg_wait(&wg);
		CHECK_EQ(counter(&w), 0);
	}
}

static uint32_t late;

static void set_late(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&late, 1, __ATOMIC_RELAXED);
}

static void ends_early(void *arg)
{
	gmp_defer(set_late, NULL);
	if (arg)
		gmp_goexit();
	inc(NULL);
}

GTEST(go_counts_goexit_as_done)
{
	for (long i = 0; i < 300; i++)
		CHECK(gmp_wg_go(&wg, ends_early, (void *)(i % 2)) > 1);
	gmp_wg_wait(&wg);
	CHECK_EQ(get(&count), 150);
	CHECK_EQ(get(&late), 300);	/* deferred calls come before done */
	CHECK_EQ(counter(&wg), 0);
}

GTEST(go_that_fails_does_not_count)
{
	CHECK_EQ(gmp_wg_go(&wg, NULL, NULL), -EINVAL);
	CHECK_EQ(counter(&wg), 0);
	gmp_wg_wait(&wg);
}

TEST(go_outside_of_a_run_does_not_count)
{
	CHECK_EQ(gmp_wg_go(&wg, inc, NULL), -ESRCH);
	CHECK_EQ(counter(&wg), 0);
}

static void *thread_done(void *arg)
{
	while (!waits(arg))
		;
	gmp_wg_done(arg);
	return NULL;
}

GTEST(a_thread_may_be_the_last)
{
	pthread_t t;

	gmp_wg_add(&wg, 1);
	CHECK_EQ(pthread_create(&t, NULL, thread_done, &wg), 0);
	gmp_wg_wait(&wg);
	pthread_join(t, NULL);
}

GTEST(many_goroutines)
{
	for (int i = 0; i < GMPTEST_SCALE(20000); i++)
		CHECK(gmp_wg_go(&wg, inc, NULL) > 0);
	gmp_wg_wait(&wg);
	CHECK_EQ(get(&count), GMPTEST_SCALE(20000));
}

static int leave_waiters(void *arg)
{
	gmp_wg_add(arg, 1);
	for (int i = 0; i < 10; i++)
		gmp_go(wait_then_count, arg);
	while (!waits(arg))
		gmp_yield();
	return 0;
}

static int use_elsewhere(void *arg)
{
	(void)arg;
	gmp_wg_go(&wg2, inc, NULL);
	gmp_wg_wait(&wg2);
	return 0;
}

/* Waiters that a run left behind are not found by the next. */
TEST(a_run_ends_with_waiters)
{
	for (int i = 0; i < 20; i++) {
		memset(&wg, 0, sizeof(wg));
		CHECK_EQ(gmp_run(leave_waiters, &wg), 0);
		gmp_wg_done(&wg);
		CHECK_EQ(gmp_run(use_elsewhere, NULL), 0);
	}
}
