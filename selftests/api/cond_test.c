/* SPDX-License-Identifier: MIT */
/*
 * cond_test.c - gmp_cond.
 *
 * Go's sync/cond_test.go         here
 *   TestCondSignal               signal_wakes_one
 *   TestCondSignalGenerations    signals_reach_old_waiters_first
 *   TestCondBroadcast            broadcast_wakes_all
 *   TestRace                     a_chain_of_conditions
 *   TestCondSignalStealing       a_signal_is_not_stolen
 *   TestCondCopy                 (copies are not detected here)
 */
#include <gmprt.h>
#include <pthread.h>

#include "gmptest.h"

static struct gmp_mutex m;
static struct gmp_cond c;
static struct gmp_wg wg;
static int32_t running, awake;

static int32_t load(int32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static int32_t add(int32_t *p, int32_t n)
{
	return __atomic_add_fetch(p, n, __ATOMIC_ACQ_REL);
}

static void wait_until(int32_t *p, int32_t n)
{
	while (load(p) != n)
		gmp_yield();
}

/* Time for what must not happen. */
static void let_run(void)
{
	for (int i = 0; i < 200; i++)
		gmp_yield();
}

static void waiter(void *arg)
{
	(void)arg;
	gmp_mutex_lock(&m);
	add(&running, 1);
	gmp_cond_wait(&c, &m);
	add(&awake, 1);
	gmp_mutex_unlock(&m);
}

GTEST(signal_wakes_one)
{
	for (int i = 0; i < 10; i++)
		gmp_wg_go(&wg, waiter, NULL);
	wait_until(&running, 10);
	for (int n = 0; n < 10; n++) {
		let_run();
		CHECK_EQ(load(&awake), n);	/* no spurious wake-up */
		gmp_mutex_lock(&m);
		gmp_cond_signal(&c);
		gmp_mutex_unlock(&m);
		wait_until(&awake, n + 1);
	}
	gmp_cond_signal(&c);
	gmp_wg_wait(&wg);
	CHECK_EQ(c.waiters, 0);
}

static int order[100];

static void generation(void *arg)
{
	gmp_mutex_lock(&m);
	add(&running, 1);
	gmp_cond_wait(&c, &m);
	order[load(&awake)] = (int)(long)arg;
	add(&awake, 1);
	gmp_mutex_unlock(&m);
}

GTEST(signals_reach_old_waiters_first)
{
	for (long i = 0; i < 100; i++) {
		gmp_wg_go(&wg, generation, (void *)i);
		if (i > 0)
			wait_until(&awake, (int32_t)i);
		wait_until(&running, (int32_t)i + 1);
		gmp_mutex_lock(&m);	/* it waits now */
		gmp_cond_signal(&c);
		gmp_mutex_unlock(&m);
	}
	gmp_wg_wait(&wg);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(order[i], i);
}

GTEST(waiters_are_woken_in_order)
{
	for (long i = 0; i < 50; i++) {
		gmp_wg_go(&wg, generation, (void *)i);
		wait_until(&running, (int32_t)i + 1);
	}
	for (int i = 0; i < 50; i++) {
		gmp_mutex_lock(&m);
		gmp_cond_signal(&c);
		gmp_mutex_unlock(&m);
		wait_until(&awake, i + 1);
		CHECK_EQ(order[i], i);
	}
	gmp_wg_wait(&wg);
}

static int32_t leave;

static void waits_again(void *arg)
{
	(void)arg;
	gmp_mutex_lock(&m);
	while (!leave) {
		add(&running, 1);
		gmp_cond_wait(&c, &m);
		add(&awake, 1);
	}
	gmp_mutex_unlock(&m);
}

GTEST(broadcast_wakes_all)
{
	for (int i = 0; i < 200; i++)
		gmp_wg_go(&wg, waits_again, NULL);
	for (int round = 1; round <= 5; round++) {
		wait_until(&running, 200 * round);
		CHECK_EQ(load(&awake), 200 * (round - 1));
		gmp_mutex_lock(&m);
		leave = round == 5;
		gmp_cond_broadcast(&c);
		gmp_mutex_unlock(&m);
	}
	gmp_wg_wait(&wg);
	CHECK_EQ(load(&awake), 1000);
	CHECK_EQ(c.waiters, 0);
}

static int x;

static void chain(void *arg)
{
	long me = (long)arg;

	gmp_mutex_lock(&m);
	while (x != me)
		gmp_cond_wait(&c, &m);
	x++;
	gmp_cond_broadcast(&c);
	gmp_mutex_unlock(&m);
}

GTEST(a_chain_of_conditions)
{
	for (int round = 0; round < 20; round++) {
		x = 0;
		for (long i = 7; i >= 0; i--)
			gmp_wg_go(&wg, chain, (void *)i);
		gmp_wg_wait(&wg);
		CHECK_EQ(x, 8);
	}
}

/* A waiter that comes after the signal must not get what was meant for the one before. */
static void first(void *arg)
{
	(void)arg;
	gmp_mutex_lock(&m);
	add(&running, 1);
	gmp_cond_wait(&c, &m);
	gmp_mutex_unlock(&m);
	add(&awake, 1);
}

static int done;

static void second(void *arg)
{
	(void)arg;
	gmp_mutex_lock(&m);
	add(&running, 1);
	while (!done)
		gmp_cond_wait(&c, &m);
	gmp_mutex_unlock(&m);
}

GTEST(a_signal_is_not_stolen)
{
	for (int i = 0; i < 500; i++) {
		running = awake = done = 0;
		gmp_wg_go(&wg, first, NULL);
		wait_until(&running, 1);
		gmp_mutex_lock(&m);
		gmp_mutex_unlock(&m);
		gmp_wg_go(&wg, second, NULL);
		gmp_cond_signal(&c);	/* the second may begin to wait just now */
		wait_until(&awake, 1);
		wait_until(&running, 2);
		gmp_mutex_lock(&m);
		done = 1;
		gmp_cond_broadcast(&c);
		gmp_mutex_unlock(&m);
		gmp_wg_wait(&wg);
	}
}

/* ---- a queue, under load ----------------------------------------------------------------------------- */

#define ITEMS	20000
#define ROOM	4

static struct gmp_cond not_full, not_empty;
static int queued, taken;

static void produce(void *arg)
{
	(void)arg;
	for (int i = 0; i < ITEMS / 4; i++) {
		gmp_mutex_lock(&m);
		while (queued == ROOM)
			gmp_cond_wait(&not_full, &m);
		queued++;
		gmp_mutex_unlock(&m);
		gmp_cond_signal(&not_empty);
	}
}

static void consume(void *arg)
{
	(void)arg;
	for (int i = 0; i < ITEMS / 4; i++) {
		gmp_mutex_lock(&m);
		while (queued == 0)
			gmp_cond_wait(&not_empty, &m);
		queued--;
		taken++;
		gmp_cond_signal(&not_full);
		gmp_mutex_unlock(&m);
	}
}

GTEST(a_bounded_queue)
{
	for (int i = 0; i < 4; i++) {
		gmp_wg_go(&wg, produce, NULL);
		gmp_wg_go(&wg, consume, NULL);
	}
	gmp_wg_wait(&wg);
	CHECK_EQ(queued, 0);
	CHECK_EQ(taken, ITEMS);
}

/* The condition is gone as soon as the wait returns. */
struct call {
	struct gmp_mutex m;
	struct gmp_cond c;
	int done;
};

static void answer(struct call *call)
{
	gmp_mutex_lock(&call->m);
	call->done = 1;
	gmp_cond_signal(&call->c);
	gmp_mutex_unlock(&call->m);
	gmp_wg_done(&wg);
}

GTEST(on_the_stack_of_the_waiter)
{
	for (int i = 0; i < 3000; i++) {
		struct call call = { 0 };

		gmp_wg_add(&wg, 1);
		GMP_GO(answer, &call);
		gmp_mutex_lock(&call.m);
		while (!call.done)
			gmp_cond_wait(&call.c, &call.m);
		gmp_mutex_unlock(&call.m);
		memset(&call, 0xa5, sizeof(call));
	}
	gmp_wg_wait(&wg);
}

/* ---- outside ---------------------------------------------------------------------------------------------- */

static void *thread_signals(void *arg)
{
	(void)arg;
	while (__atomic_load_n(&c.waiters, __ATOMIC_ACQUIRE) == 0)
		;
	gmp_cond_signal(&c);
	while (__atomic_load_n(&c.waiters, __ATOMIC_ACQUIRE) == 0)
		;
	gmp_cond_broadcast(&c);
	return NULL;
}

GTEST(a_thread_may_signal)
{
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, thread_signals, NULL), 0);
	gmp_mutex_lock(&m);
	gmp_cond_wait(&c, &m);
	gmp_cond_wait(&c, &m);
	gmp_mutex_unlock(&m);
	pthread_join(t, NULL);
}

static int wait_unlocked(void *arg)
{
	(void)arg;
	gmp_cond_wait(&c, &m);
	return 0;
}

TEST(misuse_is_fatal)
{
	DEATH(gmp_run(wait_unlocked, NULL), "unlock of unlocked mutex");
	DEATH(gmp_cond_wait(&c, &m), "gmp_cond_wait: would park outside a goroutine");
	DEATH(gmp_cond_wait(NULL, &m), "gmp_cond_wait");
	DEATH(gmp_cond_wait(&c, NULL), "gmp_cond_wait");
	DEATH(gmp_cond_signal(NULL), "gmp_cond_signal");
	DEATH(gmp_cond_broadcast(NULL), "gmp_cond_broadcast");
}
