/* SPDX-License-Identifier: MIT */
/* What the start and the end of goroutines, of runs and of a stopped world order. */
#include "litmus.h"

#include <pthread.h>

static struct msg m, back;
static struct gmp_chan *end;

static void started(void *arg)
{
	msg_check(&m, (uintptr_t)arg);
	CHECK_EQ(gmp_chan_send(end, NULL), 0);
}

static int started_in_a_group(void *arg)
{
	started(arg);
	return 0;
}

static void started_with(uint64_t k, const char *text)
{
	CHECK(text != NULL);
	started((void *)(uintptr_t)k);
}

/* Each way to start a goroutine; the answer orders the rounds. */
GTEST(go_statement_before_the_start)
{
	struct gmp_go_attr attr = { .size = sizeof(attr), .name = "litmus" };
	static struct gmp_wg wg;
	static struct gmp_group group;

	end = gmp_chan_make(0, 0);
	for (uintptr_t k = 1; k <= ROUNDS; k++) {
		void *arg = (void *)k;

		msg_put(&m, k);
		switch (k % 5) {
		case 0:
			CHECK(gmp_go(started, arg) > 1);
			break;
		case 1:
			CHECK(gmp_go_attr(&attr, started, arg) > 1);
			break;
		case 2:
			CHECK(GMP_GO(started_with, k, "text") > 1);
			break;
		case 3:
			CHECK(gmp_wg_go(&wg, started, arg) > 1);
			break;
		default:
			CHECK(gmp_group_go(&group, started_in_a_group, arg) > 1);
		}
		CHECK_EQ(gmp_chan_recv(end, NULL), 1);
	}
	gmp_wg_wait(&wg);
	CHECK_EQ(gmp_group_wait(&group), 0);
	gmp_group_destroy(&group);
	gmp_chan_unref(end);
}

static void *starter(void *arg)
{
	msg_put(&m, (uintptr_t)arg);
	CHECK(gmp_go(started, arg) > 1);
	return NULL;
}

GTEST(go_statement_of_a_thread_before_the_start)
{
	end = gmp_chan_make(0, 0);
	for (uintptr_t k = 1; k <= 200; k++) {
		pthread_t th;

		CHECK_EQ(pthread_create(&th, NULL, starter, (void *)k), 0);
		CHECK_EQ(gmp_chan_recv(end, NULL), 1);
		CHECK_EQ(pthread_join(th, NULL), 0);
	}
	gmp_chan_unref(end);
}

/* ---- runs -------------------------------------------------------------------------------------- */

static void last_words(void *arg)
{
	msg_check(&m, (uintptr_t)arg + 1);	/* what the function did */
	msg_put(&back, (uintptr_t)arg);
}

static int main_g(void *arg)
{
	uintptr_t k = (uintptr_t)arg;

	msg_check(&m, k);
	CHECK_EQ(gmp_defer(last_words, arg), 0);
	for (int i = 0; i < 4; i++)	/* ends on another thread than it began on, as often as not */
		gmp_yield();
	msg_put(&m, k + 1);
	return (int)k;
}

TEST(a_run_begins_after_the_call_and_its_end_before_the_return)
{
	for (uintptr_t k = 1; k <= 40; k++) {
		CHECK_EQ(gmp_maxprocs((int)(k % 4) + 1) >= 1, 1);
		msg_put(&m, k);
		CHECK_EQ(gmp_run(main_g, (void *)k), (int)k);
		msg_check(&m, k + 1);
		msg_check(&back, k);
	}
}

/* ---- deferred calls ------------------------------------------------------------------------------ */

static void deferred_last(void *arg)
{
	msg_check(&back, (uintptr_t)arg);
	CHECK_EQ(gmp_chan_send(end, NULL), 0);
}

static void deferred_first(void *arg)
{
	msg_check(&m, (uintptr_t)arg);
	gmp_yield();
	msg_put(&back, (uintptr_t)arg);
}

static void deferring(void *arg)
{
	CHECK_EQ(gmp_defer(deferred_last, arg), 0);
	CHECK_EQ(gmp_defer(deferred_first, arg), 0);
	gmp_yield();
	msg_put(&m, (uintptr_t)arg);
	if ((uintptr_t)arg % 2)
		gmp_goexit();
}

GTEST(a_goroutine_before_its_deferred_calls)
{
	end = gmp_chan_make(0, 0);
	for (uintptr_t k = 1; k <= ROUNDS; k++) {
		CHECK(gmp_go(deferring, (void *)k) > 1);
		CHECK_EQ(gmp_chan_recv(end, NULL), 1);
	}
	gmp_chan_unref(end);
}

/* ---- a stopped world ------------------------------------------------------------------------------- */

#define WORKERS	3

static struct msg own[WORKERS], of_the_stopper;
static uint32_t over;

/* Not stopped between its own words, nor between those it reads. */
static void worker(void *arg)
{
	struct msg *mine = &own[(uintptr_t)arg];
	uint64_t n = 0, seen = 0;

	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		gmp_nopreempt_begin();
		msg_put(mine, ++n);
		CHECK(of_the_stopper.at[0].v >= seen);
		seen = of_the_stopper.at[0].v;
		msg_check(&of_the_stopper, seen);
		gmp_nopreempt_end();
		gmp_yield();
	}
	gmp_chan_send(end, NULL);
}

GTEST(a_stopped_world_is_ordered_on_both_sides)
{
	end = gmp_chan_make(0, WORKERS);
	__atomic_store_n(&over, 0, __ATOMIC_RELAXED);
	for (uintptr_t i = 0; i < WORKERS; i++)
		CHECK(gmp_go(worker, (void *)i) > 1);
	for (uint64_t k = 1; k <= 200; k++) {
		CHECK_EQ(gmp_stop_world("litmus"), 0);
		for (int i = 0; i < WORKERS; i++)
			msg_check(&own[i], own[i].at[0].v);
		msg_put(&of_the_stopper, k);
		CHECK_EQ(gmp_start_world(), 0);
		gmp_yield();
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < WORKERS; i++)
		CHECK_EQ(gmp_chan_recv(end, NULL), 1);
	gmp_chan_unref(end);
}
