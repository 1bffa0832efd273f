/* SPDX-License-Identifier: MIT */
/*
 * rwmutex_test.c - gmp_rwmutex.
 *
 * Go's sync/rwmutex_test.go       here
 *   TestParallelReaders           readers_share
 *   TestRWMutex (HammerRWMutex)   hammered_with_readers_and_writers, try_locks
 *   TestRLocker                   (no such type here)
 *   TestMutexMisuse (mutex_test)  misuse_is_fatal
 *   from the documentation        a_waiting_writer_holds_back_readers, readers_go_before_the_next_writer,
 *                                 another_goroutine_may_unlock
 */
#include <gmprt.h>
#include <pthread.h>

#include "gmptest.h"

static struct gmp_rwmutex rw;
static struct gmp_wg wg;

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

/* As in Go's: what is inside now; 10000 for a writer. */
static int32_t activity, rounds = 200;

static void reader(void *arg)
{
	(void)arg;
	for (int i = 0; i < rounds; i++) {
		gmp_rwmutex_rlock(&rw);
		int32_t n = add(&activity, 1);

		CHECK(n >= 1 && n < 10000);
		if (i % 3 == 0)
			gmp_yield();
		add(&activity, -1);
		gmp_rwmutex_runlock(&rw);
	}
}

static void writer(void *arg)
{
	(void)arg;
	for (int i = 0; i < rounds; i++) {
		gmp_rwmutex_lock(&rw);
		CHECK_EQ(add(&activity, 10000), 10000);
		if (i % 3 == 0)
			gmp_yield();
		add(&activity, -10000);
		gmp_rwmutex_unlock(&rw);
	}
}

static void hammer(int readers)
{
	gmp_wg_go(&wg, writer, NULL);
	for (int i = 0; i < readers / 2; i++)
		gmp_wg_go(&wg, reader, NULL);
	gmp_wg_go(&wg, writer, NULL);
	for (int i = readers / 2; i < readers; i++)
		gmp_wg_go(&wg, reader, NULL);
	gmp_wg_wait(&wg);
	CHECK_EQ(rw.readers, 0);
	CHECK_EQ(rw.leaving, 0);
	CHECK_EQ(rw.reader_sem, 0);
	CHECK_EQ(rw.writer_sem, 0);
}

GTEST(hammered_with_readers_and_writers)
{
	hammer(1);
	hammer(3);
	hammer(10);
	rounds = 20;
	hammer(100);
}

static int32_t inside, leave;

static void read_until_told(void *arg)
{
	(void)arg;
	gmp_rwmutex_rlock(&rw);
	add(&inside, 1);
	wait_until(&leave, 1);
	gmp_rwmutex_runlock(&rw);
}

GTEST(readers_share)
{
	for (int n = 1; n <= 4; n++) {
		inside = leave = 0;
		for (int i = 0; i < n; i++)
			gmp_wg_go(&wg, read_until_told, NULL);
		wait_until(&inside, n);
		__atomic_store_n(&leave, 1, __ATOMIC_RELEASE);
		gmp_wg_wait(&wg);
	}
}

GTEST(try_locks)
{
	CHECK_EQ(gmp_rwmutex_tryrlock(&rw), 0);
	CHECK_EQ(gmp_rwmutex_tryrlock(&rw), 0);
	CHECK_EQ(gmp_rwmutex_trylock(&rw), -EBUSY);
	gmp_rwmutex_runlock(&rw);
	CHECK_EQ(gmp_rwmutex_trylock(&rw), -EBUSY);
	gmp_rwmutex_runlock(&rw);
	CHECK_EQ(gmp_rwmutex_trylock(&rw), 0);
	CHECK_EQ(gmp_rwmutex_trylock(&rw), -EBUSY);
	CHECK_EQ(gmp_rwmutex_tryrlock(&rw), -EBUSY);
	gmp_rwmutex_unlock(&rw);
	CHECK_EQ(gmp_rwmutex_tryrlock(&rw), 0);
	gmp_rwmutex_runlock(&rw);
}

static void unlocks(void *arg)
{
	(void)arg;
	gmp_rwmutex_unlock(&rw);
}

static void runlocks(void *arg)
{
	(void)arg;
	gmp_rwmutex_runlock(&rw);
}

/* Who locked it does not matter, in either way. */
GTEST(another_goroutine_may_unlock)
{
	gmp_rwmutex_lock(&rw);
	CHECK(gmp_wg_go(&wg, unlocks, NULL) > 1);
	gmp_rwmutex_rlock(&rw);
	gmp_rwmutex_rlock(&rw);
	gmp_wg_wait(&wg);
	CHECK(gmp_wg_go(&wg, runlocks, NULL) > 1);
	CHECK(gmp_wg_go(&wg, runlocks, NULL) > 1);
	gmp_rwmutex_lock(&rw);
	gmp_rwmutex_unlock(&rw);
	gmp_wg_wait(&wg);
	CHECK_EQ(gmp_rwmutex_trylock(&rw), 0);
	gmp_rwmutex_unlock(&rw);
}

static void tight_reader(void *arg)
{
	(void)arg;
	while (!load(&activity)) {
		gmp_rwmutex_rlock(&rw);
		gmp_rwmutex_runlock(&rw);
	}
}

/* Readers that leave between the two steps of a writer that comes: no token may be left over. */
GTEST(readers_leave_while_a_writer_comes)
{
	int n = gmp_maxprocs(0) == 1 ? 1000 : 50000;	/* with one P nothing races */

	gmp_wg_go(&wg, tight_reader, NULL);
	for (int i = 0; i < n; i++) {
		gmp_rwmutex_lock(&rw);
		gmp_rwmutex_unlock(&rw);
		if (i % 1000 == 0)
			gmp_yield();
	}
	__atomic_store_n(&activity, 1, __ATOMIC_RELEASE);
	gmp_wg_wait(&wg);
	CHECK_EQ(rw.writer_sem, 0);
	CHECK_EQ(rw.leaving, 0);
}

/* ---- who goes first ----------------------------------------------------------------------------- */

static char order[64];
static int32_t n_order;

static void note(char c)
{
	order[add(&n_order, 1) - 1] = c;
}

static void write_once(void *arg)
{
	gmp_rwmutex_lock(&rw);
	note((char)(long)arg);
	gmp_rwmutex_unlock(&rw);
}

static void read_once(void *arg)
{
	gmp_rwmutex_rlock(&rw);
	note((char)(long)arg);
	gmp_rwmutex_runlock(&rw);
}

/* A writer that has announced itself makes `readers` negative. */
static void wait_for_writer(void)
{
	while (load(&rw.readers) >= 0)
		gmp_yield();
}

GTEST(a_waiting_writer_holds_back_readers)
{
	gmp_rwmutex_rlock(&rw);
	gmp_wg_go(&wg, write_once, (void *)'w');
	wait_for_writer();
	CHECK_EQ(gmp_rwmutex_tryrlock(&rw), -EBUSY);
	for (int i = 0; i < 5; i++)
		gmp_wg_go(&wg, read_once, (void *)'r');
	while ((load(&rw.readers) & 0xff) != 6)
		gmp_yield();
	CHECK_EQ(n_order, 0);
	gmp_rwmutex_runlock(&rw);
	gmp_wg_wait(&wg);
	CHECK_EQ(strcmp(order, "wrrrrr"), 0);
}

static int32_t hold;

static void write_and_hold(void *arg)
{
	(void)arg;
	gmp_rwmutex_lock(&rw);
	note('W');
	wait_until(&hold, 0);
	gmp_rwmutex_unlock(&rw);
}

GTEST(readers_go_before_the_next_writer)
{
	hold = 1;
	gmp_wg_go(&wg, write_and_hold, NULL);
	wait_until(&n_order, 1);
	gmp_wg_go(&wg, write_once, (void *)'w');
	while (__atomic_load_n(&rw.w.state, __ATOMIC_ACQUIRE) >> 3 != 1)
		gmp_yield();
	for (int i = 0; i < 3; i++)
		gmp_wg_go(&wg, read_once, (void *)'r');
	while ((load(&rw.readers) & 0xff) != 3)
		gmp_yield();
	__atomic_store_n(&hold, 0, __ATOMIC_RELEASE);
	gmp_wg_wait(&wg);
	CHECK_EQ(strcmp(order, "Wrrrw"), 0);
}

/* ---- other threads, freeing, misuse ---------------------------------------------------------------- */

static void *thread_reads(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++) {
		if (gmp_rwmutex_tryrlock(&rw) == 0)
			gmp_rwmutex_runlock(&rw);
		if (gmp_rwmutex_trylock(&rw) == 0)
			gmp_rwmutex_unlock(&rw);
	}
	return NULL;
}

GTEST(threads_may_try)
{
	pthread_t t;

	rounds = 500;
	CHECK_EQ(pthread_create(&t, NULL, thread_reads, NULL), 0);
	gmp_wg_go(&wg, writer, NULL);
	gmp_wg_go(&wg, reader, NULL);
	gmp_wg_wait(&wg);
	pthread_join(t, NULL);
	CHECK_EQ(rw.readers, 0);
}

struct shared {
	struct gmp_rwmutex rw;
	int refs;
};

static void drop_ref(void *arg)
{
	struct shared *s = arg;
	int left;

	gmp_rwmutex_rlock(&s->rw);
	left = s->refs;
	gmp_rwmutex_runlock(&s->rw);
	CHECK(left > 0);
	gmp_rwmutex_lock(&s->rw);
	left = --s->refs;
	gmp_rwmutex_unlock(&s->rw);
	if (left == 0) {
		memset(s, 0xa5, sizeof(*s));
		free(s);
	}
}

GTEST(the_last_writer_may_free_it)
{
	for (int i = 0; i < 1000; i++) {
		struct shared *s = calloc(1, sizeof(*s));

		s->refs = 4;
		for (int k = 0; k < 3; k++)
			gmp_wg_go(&wg, drop_ref, s);
		drop_ref(s);
		gmp_wg_wait(&wg);
	}
}

static void unlock_read_locked(void)
{
	gmp_rwmutex_rlock(&rw);
	gmp_rwmutex_unlock(&rw);
}

static void runlock_write_locked(void)
{
	gmp_rwmutex_lock(&rw);
	gmp_rwmutex_runlock(&rw);
}

static void unlock_twice(void)
{
	gmp_rwmutex_lock(&rw);
	gmp_rwmutex_unlock(&rw);
	gmp_rwmutex_unlock(&rw);
}

static void wait_outside(int how)
{
	gmp_rwmutex_lock(&rw);
	if (how)
		gmp_rwmutex_lock(&rw);
	else
		gmp_rwmutex_rlock(&rw);
}

static void wait_for_reader_outside(void)
{
	gmp_rwmutex_rlock(&rw);
	gmp_rwmutex_lock(&rw);
}

TEST(misuse_is_fatal)
{
	DEATH(gmp_rwmutex_unlock(&rw), "fatal error: sync: unlock of unlocked rwmutex");
	DEATH(unlock_read_locked(), "unlock of unlocked rwmutex");
	DEATH(unlock_twice(), "unlock of unlocked rwmutex");
	DEATH(gmp_rwmutex_runlock(&rw), "runlock of unlocked rwmutex");
	DEATH(runlock_write_locked(), "runlock of unlocked rwmutex");
	DEATH(wait_outside(0), "gmp_rwmutex_rlock: would park outside a goroutine");
	DEATH(wait_outside(1), "gmp_rwmutex_lock: would park outside a goroutine");
	DEATH(wait_for_reader_outside(), "gmp_rwmutex_lock: would park outside a goroutine");
	DEATH(gmp_rwmutex_rlock(NULL), "gmp_rwmutex_rlock");
	DEATH(gmp_rwmutex_runlock(NULL), "gmp_rwmutex_runlock");
	DEATH(gmp_rwmutex_lock(NULL), "gmp_rwmutex_lock");
	DEATH(gmp_rwmutex_unlock(NULL), "gmp_rwmutex_unlock");
	DEATH(gmp_rwmutex_tryrlock(NULL), "gmp_rwmutex_tryrlock");
	DEATH(gmp_rwmutex_trylock(NULL), "gmp_rwmutex_trylock");
}
