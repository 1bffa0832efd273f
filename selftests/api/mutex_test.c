/* SPDX-License-Identifier: MIT */
/*
 * mutex_test.c - gmp_mutex.
 *
 * Go's sync/mutex_test.go     here
 *   TestSemaphore             hammered_as_a_semaphore (sync.h has no bare semaphore: gmp_sem of 1)
 *   TestMutex                 trylock_tells_free_from_locked, hammered_it_excludes
 *   TestMutexMisuse           misuse_is_fatal (rwmutex: rwmutex_test.c)
 *   TestMutexFairness         a_hog_does_not_starve_others
 */
#include <gmprt.h>
#include <pthread.h>

#include "gmptest.h"

#define MS	1000000

static struct gmp_mutex mu;
static struct gmp_wg wg;
static long counter;

static uint32_t waiting(struct gmp_mutex *m)
{
	return __atomic_load_n(&m->state, __ATOMIC_ACQUIRE) >> 3;
}

static void hammer(void *arg)
{
	for (long i = 0; i < (long)arg; i++) {
		if (i % 3 == 0) {
			if (gmp_mutex_trylock(&mu))
				continue;
		} else {
			gmp_mutex_lock(&mu);
		}
		counter++;
		if (i % 7 == 0)
			gmp_yield();
		counter++;
		gmp_mutex_unlock(&mu);
	}
}

GTEST(hammered_it_excludes)
{
	for (int i = 0; i < 10; i++)
		CHECK(gmp_wg_go(&wg, hammer, (void *)1000) > 0);
	gmp_wg_wait(&wg);
	CHECK(counter >= 10 * 2 * 666 && counter <= 10 * 2 * 1000);
	CHECK_EQ(mu.state, 0);
}

static struct gmp_sem sem;

static void hammer_sem(void *arg)
{
	for (long i = 0; i < (long)arg; i++) {
		CHECK_EQ(gmp_sem_acquire(&sem, 1), 0);
		counter++;
		CHECK_EQ(gmp_sem_release(&sem, 1), 0);
	}
}

GTEST(hammered_as_a_semaphore)
{
	gmp_sem_release(&sem, 1);
	for (int i = 0; i < 10; i++)
		gmp_wg_go(&wg, hammer_sem, (void *)1000);
	gmp_wg_wait(&wg);
	CHECK_EQ(counter, 10000);
}

GTEST(trylock_tells_free_from_locked)
{
	gmp_mutex_lock(&mu);
	CHECK_EQ(gmp_mutex_trylock(&mu), -EBUSY);
	gmp_mutex_unlock(&mu);
	CHECK_EQ(gmp_mutex_trylock(&mu), 0);
	CHECK_EQ(gmp_mutex_trylock(&mu), -EBUSY);
	gmp_mutex_unlock(&mu);
}

/* ---- order ----------------------------------------------------------------------------------------- */

static int order[32], n_order;

static void note_order(void *arg)
{
	gmp_mutex_lock(&mu);
	order[n_order++] = (int)(long)arg;
	gmp_mutex_unlock(&mu);
}

GTEST(waiters_are_served_in_order)
{
	gmp_mutex_lock(&mu);
	for (long i = 0; i < 32; i++) {
		gmp_wg_go(&wg, note_order, (void *)i);
		while (waiting(&mu) != (uint32_t)i + 1)
			gmp_yield();
	}
	gmp_mutex_unlock(&mu);
	gmp_wg_wait(&wg);
	for (int i = 0; i < 32; i++)
		CHECK_EQ(order[i], i);
}

/* Woken, overtaken, queued again: before those that came after it. */
GTEST(who_was_overtaken_is_first_again)
{
	gmp_maxprocs(1);
	gmp_mutex_lock(&mu);
	for (long i = 0; i < 3; i++) {
		gmp_wg_go(&wg, note_order, (void *)i);
		while (waiting(&mu) != (uint32_t)i + 1)
			gmp_yield();
	}
	gmp_mutex_unlock(&mu);	/* 0 is woken, but does not run before we yield */
	gmp_mutex_lock(&mu);
	while (waiting(&mu) != 3)
		gmp_yield();
	CHECK_EQ(n_order, 0);
	gmp_mutex_unlock(&mu);
	gmp_wg_wait(&wg);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(order[i], i);
}

static uint32_t stop;

static void hog(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		gmp_mutex_lock(&mu);
		gmp_sleep(MS / 10);
		gmp_mutex_unlock(&mu);
	}
}

GTEST(a_hog_does_not_starve_others)
{
	gmp_wg_go(&wg, hog, NULL);
	for (int i = 0; i < 10; i++) {
		gmp_sleep(MS / 10);
		gmp_mutex_lock(&mu);
		gmp_mutex_unlock(&mu);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	gmp_wg_wait(&wg);
	CHECK_EQ(mu.state, 0);
}

/* The hog never sleeps: only starvation mode lets the other one in before its slice is over. */
static void busy_hog(void *arg)
{
	uint64_t end = gmp_now() + 2000 * (uint64_t)MS;

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED) && gmp_now() < end) {
		gmp_mutex_lock(&mu);
		for (uint64_t t = gmp_now(); gmp_now() - t < MS / 10;)
			;
		gmp_mutex_unlock(&mu);
		gmp_yield();
	}
}

GTEST(a_starving_waiter_gets_it_by_hand)
{
	uint64_t t0;

	gmp_wg_go(&wg, busy_hog, NULL);
	gmp_wg_go(&wg, busy_hog, NULL);
	for (int i = 0; i < 20; i++) {
		t0 = gmp_now();
		gmp_mutex_lock(&mu);
		CHECK(gmp_now() - t0 < 1000 * (uint64_t)MS);
		gmp_mutex_unlock(&mu);
		gmp_yield();
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	gmp_wg_wait(&wg);
	CHECK_EQ(mu.state, 0);
}

/* ---- who may unlock, and then what ------------------------------------------------------------------- */

static void unlock_it(void *arg)
{
	gmp_mutex_unlock(arg);
}

GTEST(another_goroutine_may_unlock)
{
	gmp_mutex_lock(&mu);
	gmp_wg_go(&wg, unlock_it, &mu);
	gmp_mutex_lock(&mu);
	gmp_mutex_unlock(&mu);
	gmp_wg_wait(&wg);
}

struct shared {
	struct gmp_mutex mu;
	int refs;
	char poison[112];
};

static void drop_ref(void *arg)
{
	struct shared *s = arg;
	int left;

	gmp_mutex_lock(&s->mu);
	left = --s->refs;
	gmp_mutex_unlock(&s->mu);
	if (left == 0) {
		memset(s, 0xa5, sizeof(*s));	/* an unlock still at it would throw, or ASan tell */
		free(s);
	}
}

GTEST(the_last_owner_may_free_it)
{
	for (int i = 0; i < 2000; i++) {
		struct shared *s = calloc(1, sizeof(*s));

		s->refs = 4;
		for (int k = 0; k < 3; k++)
			gmp_wg_go(&wg, drop_ref, s);
		drop_ref(s);
		gmp_wg_wait(&wg);
	}
}

/* ---- many locks at once: the tree of addresses ---------------------------------------------------------- */

#define MANY	3000

static struct gmp_mutex many[MANY];
static uint8_t got[MANY];

static void take_one(void *arg)
{
	long i = (long)arg;

	gmp_mutex_lock(&many[i]);
	got[i]++;
	gmp_mutex_unlock(&many[i]);
}

GTEST(many_locks_have_waiters)
{
	uint64_t rnd = gmptest_seed();

	for (int i = 0; i < MANY; i++)
		gmp_mutex_lock(&many[i]);
	for (long i = 0; i < MANY; i++)
		for (int k = 0; k < 2; k++)
			gmp_wg_go(&wg, take_one, (void *)i);
	for (int i = 0; i < MANY; i++)
		while (waiting(&many[i]) != 2)
			gmp_yield();
	for (int i = 0, at = (int)(gmptest_rand(&rnd) % MANY); i < MANY; i++) {
		gmp_mutex_unlock(&many[at]);
		at = (at + 7) % MANY;	/* 7 and 3000 have no common factor: each once */
	}
	gmp_wg_wait(&wg);
	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(got[i], 2);
		CHECK_EQ(many[i].state, 0);
	}
}

/* ---- outside of goroutines -------------------------------------------------------------------------------- */

TEST(works_without_a_run_while_free)
{
	gmp_mutex_lock(&mu);
	CHECK_EQ(gmp_mutex_trylock(&mu), -EBUSY);
	gmp_mutex_unlock(&mu);
	CHECK_EQ(mu.state, 0);
}

static void *thread_unlocks(void *arg)
{
	while (waiting(arg) != 1)
		;
	gmp_mutex_unlock(arg);
	return NULL;
}

GTEST(a_thread_may_unlock)
{
	pthread_t t;

	gmp_mutex_lock(&mu);
	CHECK_EQ(pthread_create(&t, NULL, thread_unlocks, &mu), 0);
	gmp_mutex_lock(&mu);
	gmp_mutex_unlock(&mu);
	pthread_join(t, NULL);
}

static int unlock_twice(void *arg)
{
	(void)arg;
	gmp_mutex_lock(&mu);
	gmp_mutex_unlock(&mu);
	gmp_mutex_unlock(&mu);
	return 0;
}

static int lock_twice(void *arg)
{
	(void)arg;
	gmp_mutex_lock(&mu);
	gmp_mutex_lock(&mu);
	return 0;
}

static void lock_outside_twice(void)
{
	gmp_mutex_lock(&mu);
	gmp_mutex_lock(&mu);
}

TEST(misuse_is_fatal)
{
	DEATH(gmp_mutex_unlock(&mu), "fatal error: sync: unlock of unlocked mutex");
	DEATH(gmp_run(unlock_twice, NULL), "unlock of unlocked mutex");
	DEATH(gmp_run(lock_twice, NULL), "all goroutines are asleep - deadlock!");
	DEATH(lock_outside_twice(), "gmp_mutex_lock: would park outside a goroutine");
	DEATH(gmp_mutex_lock(NULL), "gmp_mutex_lock");
	DEATH(gmp_mutex_trylock(NULL), "gmp_mutex_trylock");
	DEATH(gmp_mutex_unlock(NULL), "gmp_mutex_unlock");
}
