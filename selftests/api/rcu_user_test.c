/* SPDX-License-Identifier: MIT */
/*
 * rcu_user_test.c - a program with liburcu (QSBR) of its own: what Documentation/design.rst says of reclamation.
 *
 * A thread that is no M waits for grace periods, while goroutines on every P never rest: were their scheduling
 * points no quiescent states, it would wait for ever.
 */
#include <gmprt.h>
#include <pthread.h>
#include <stdbool.h>
#include <urcu-qsbr.h>

#include "gmptest.h"

enum { PERIODS = 20 };

static struct gmp_wg wg;
static bool over;		/* atomic */

static bool is_over(void)
{
	return __atomic_load_n(&over, __ATOMIC_ACQUIRE);
}

static void *waits_for_grace_periods(void *arg)
{
	(void)arg;
	for (int i = 0; i < PERIODS; i++)
		synchronize_rcu();
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	return NULL;
}

static pthread_t start(void *(*fn)(void *))
{
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, fn, NULL), 0);
	return t;
}

/* ---- only yields --------------------------------------------------------------------------------------- */

static void yields(void *arg)
{
	(void)arg;
	while (!is_over())
		gmp_yield();
}

GTEST(grace_periods_while_all_yield)
{
	int n = 4 * gmp_maxprocs(0);
	pthread_t t;

	for (int i = 0; i < n; i++)
		CHECK(gmp_wg_go(&wg, yields, NULL) > 1);
	t = start(waits_for_grace_periods);
	yields(NULL);
	pthread_join(t, NULL);
	gmp_wg_wait(&wg);
}

/* ---- only parks and wake-ups ----------------------------------------------------------------------------- */

static void hands_on(void *arg)
{
	struct gmp_chan **c = arg;

	while (gmp_chan_recv(c[0], NULL) == 1)
		CHECK_EQ(gmp_chan_send(c[1], NULL), 0);
}

/* Two that do nothing but wake each other. */
static void ping_pong(void *arg)
{
	struct gmp_chan *c[2] = { gmp_chan_make(0, 0), gmp_chan_make(0, 0) };
	struct gmp_wg both = { 0 };

	(void)arg;
	CHECK(gmp_wg_go(&both, hands_on, c) > 1);
	while (!is_over()) {
		CHECK_EQ(gmp_chan_send(c[0], NULL), 0);
		CHECK_EQ(gmp_chan_recv(c[1], NULL), 1);
	}
	gmp_chan_close(c[0]);
	gmp_wg_wait(&both);
	gmp_chan_unref(c[0]);
	gmp_chan_unref(c[1]);
}

GTEST(grace_periods_while_all_park_and_wake)
{
	int n = 2 * gmp_maxprocs(0);
	pthread_t t;

	for (int i = 0; i < n; i++)
		CHECK(gmp_wg_go(&wg, ping_pong, NULL) > 1);
	t = start(waits_for_grace_periods);
	gmp_wg_wait(&wg);
	pthread_join(t, NULL);
}

/* ---- a declared call holds them up, but for one that says it reads nothing ------------------------------------ */

GTEST(grace_periods_while_a_declared_call_is_offline)
{
	pthread_t t;

	gmp_syscall_begin();
	rcu_thread_offline();
	t = start(waits_for_grace_periods);
	pthread_join(t, NULL);
	rcu_thread_online();
	gmp_syscall_end();
	CHECK(is_over());
}

/* ---- what is read stays ------------------------------------------------------------------------------------- */

enum { THINGS = 50 };

static struct thing {
	uint32_t freed;		/* atomic */
} things[THINGS], *shared;	/* RCU */

static void *replaces(void *arg)
{
	(void)arg;
	for (int i = 1; i < THINGS; i++) {
		struct thing *old = shared;

		rcu_assign_pointer(shared, &things[i]);
		synchronize_rcu();
		__atomic_store_n(&old->freed, 1, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Long, so that it is in here that a time slice ends: nobody may be stopped, and others run on this thread. */
static void reads_once(void)
{
	struct thing *t;

	gmp_nopreempt_begin();
	rcu_read_lock();
	t = rcu_dereference(shared);
	for (volatile int i = 0; i < GMPTEST_SCALE(1000000); i++)
		;
	CHECK_EQ(__atomic_load_n(&t->freed, __ATOMIC_RELAXED), 0);
	rcu_read_unlock();
	gmp_nopreempt_end();
}

static void reads(void *arg)
{
	(void)arg;
	while (!is_over()) {
		reads_once();
		gmp_yield();
	}
}

GTEST(what_is_read_between_two_parks_stays)
{
	int n = gmp_maxprocs(0);
	pthread_t t;

	shared = &things[0];
	for (int i = 0; i < 2 * n; i++)
		CHECK(gmp_wg_go(&wg, reads, NULL) > 1);
	t = start(replaces);
	gmp_wg_wait(&wg);
	pthread_join(t, NULL);
}
