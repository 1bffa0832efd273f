/* SPDX-License-Identifier: MIT */
/* outlive_test.c - objects that outlive a run: who waited in them is forgotten with it. */
#include <gmprt.h>
#include <pthread.h>

#include "death_util.h"

static struct gmp_mutex m;
static struct gmp_sem s;
static uint32_t there;

static uint32_t get(uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void set(uint32_t *p, uint32_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* ---- a run ends while goroutines still run -------------------------------------------------- */

static void waits_for_m(void *arg)
{
	(void)arg;
	gmp_mutex_lock(&m);
	gmp_mutex_unlock(&m);
}

/* Cannot be stopped, and unlocks when main has returned long ago. */
static void unlocks_late(void *arg)
{
	uint64_t end;

	(void)arg;
	gmp_nopreempt_begin();
	gmp_mutex_lock(&m);
	set(&there, 1);
	end = gmp_now() + 300000000;
	while (gmp_now() < end)
		;
	gmp_mutex_unlock(&m);
	set(&there, 2);
	gmp_nopreempt_end();
}

static int returns_first(void *arg)
{
	(void)arg;
	gmp_lock_os_thread();	/* else the calling thread may carry the other, and cannot return */
	gmp_go(unlocks_late, NULL);
	while (!get(&there))
		gmp_yield();
	gmp_go(waits_for_m, NULL);
	settle(1);
	return 7;
}

TEST(an_unlock_while_the_run_ends)
{
	setenv("GMP_MAXPROCS", "4", 1);
	CHECK_EQ(gmp_run(returns_first, NULL), 7);
	CHECK_EQ(get(&there), 2);
}

/* ---- threads outside ------------------------------------------------------------------------------ */

static struct gmp_cond c;
static uint32_t stop;

static void *signals(void *arg)
{
	(void)arg;
	while (!get(&stop)) {
		gmp_cond_broadcast(&c);
		gmp_sem_release(&s, 1);
		gmp_sem_try(&s, 1);
	}
	return NULL;
}

static void waits_on_c(void *arg)
{
	struct gmp_mutex own = { 0 };

	(void)arg;
	gmp_mutex_lock(&own);
	for (;;)
		gmp_cond_wait(&c, &own);
}

static void waits_on_s(void *arg)
{
	(void)arg;
	for (;;)
		gmp_sem_acquire(&s, 1);
}

static int returns_soon(void *arg)
{
	(void)arg;
	for (int i = 0; i < 8; i++) {
		gmp_go(waits_on_c, NULL);
		gmp_go(waits_on_s, NULL);
	}
	gmp_sleep(100000);
	return 1;
}

PTEST(threads_outside_wake_while_runs_end)
{
	pthread_t t[2];

	memset(&s, 0, sizeof(s));
	set(&stop, 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, signals, NULL), 0);
	for (int i = 0; i < GMPTEST_SCALE(400); i++)
		CHECK_EQ(gmp_run(returns_soon, NULL), 1);
	set(&stop, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

/* ---- a mutex ------------------------------------------------------------------------------------ */

static int leaves_waiters(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		gmp_go(waits_for_m, NULL);
	settle(3);
	return 1;
}

static void counts(void *arg)
{
	gmp_mutex_lock(&m);
	gmp_yield();
	++*(int *)arg;
	gmp_mutex_unlock(&m);
}

static int uses_it(void *arg)
{
	int n = 0;

	(void)arg;
	for (int i = 0; i < 10; i++)
		gmp_go(counts, &n);
	for (;;) {
		gmp_mutex_lock(&m);
		if (n == 10)
			break;
		gmp_mutex_unlock(&m);
		gmp_sleep(1000000);
	}
	gmp_mutex_unlock(&m);
	return n;
}

PTEST(waiters_of_a_mutex_are_forgotten)
{
	memset(&m, 0, sizeof(m));
	gmp_mutex_lock(&m);
	CHECK_EQ(gmp_run(leaves_waiters, NULL), 1);
	gmp_mutex_unlock(&m);
	CHECK_EQ(gmp_run(uses_it, NULL), 10);
}

/* ---- a semaphore --------------------------------------------------------------------------------- */

static void wants_three(void *arg)
{
	(void)arg;
	gmp_sem_acquire(&s, 3);
}

static int leaves_one_who_wants_three(void *arg)
{
	(void)arg;
	gmp_go(wants_three, NULL);
	settle(1);
	return 1;
}

static int takes_one(void *arg)
{
	(void)arg;
	CHECK_EQ(gmp_sem_acquire(&s, 1), 0);
	CHECK_EQ(gmp_sem_try(&s, 1), 0);
	CHECK_EQ(gmp_sem_try(&s, 1), -EBUSY);
	return 2;
}

PTEST(waiters_of_a_semaphore_are_forgotten)
{
	memset(&s, 0, sizeof(s));
	CHECK_EQ(gmp_sem_release(&s, 2), 0);
	CHECK_EQ(gmp_run(leaves_one_who_wants_three, NULL), 1);
	CHECK_EQ(gmp_run(takes_one, NULL), 2);
}

/* ---- a context ------------------------------------------------------------------------------------- */

static struct gmp_ctx *ctx;

static void wants_with_context(void *arg)
{
	(void)arg;
	gmp_sem_acquire_ctx(ctx, &s, 3);
}

static int leaves_one_with_a_context(void *arg)
{
	(void)arg;
	gmp_go(wants_with_context, NULL);
	settle(1);
	return 1;
}

PTEST(a_context_forgets_who_waited)
{
	memset(&s, 0, sizeof(s));
	ctx = gmp_ctx_with_cancel(gmp_ctx_background());
	CHECK_EQ(gmp_run(leaves_one_with_a_context, NULL), 1);
	gmp_ctx_cancel(ctx, 0);
	gmp_ctx_unref(ctx);
}

/* Nor may its timer be one of the next run, or looked at when its context is gone. */
static void *makes_deadlines(void *arg)
{
	struct gmp_ctx *d;

	(void)arg;
	while (!get(&stop)) {
		d = gmp_ctx_with_timeout(gmp_ctx_background(), (int64_t)(gmp_now() % 300000));
		gmp_ctx_cancel(d, 0);
		gmp_ctx_unref(d);
		d = gmp_ctx_with_timeout(gmp_ctx_background(), (int64_t)(gmp_now() % 300000));
		gmp_ctx_unref(d);
	}
	return NULL;
}

PTEST(threads_outside_make_deadlines_while_runs_end)
{
	pthread_t t;

	set(&stop, 0);
	CHECK_EQ(pthread_create(&t, NULL, makes_deadlines, NULL), 0);
	for (int i = 0; i < GMPTEST_SCALE(400); i++)
		CHECK_EQ(gmp_run(returns_soon, NULL), 1);
	set(&stop, 1);
	pthread_join(t, NULL);
}
