/* SPDX-License-Identifier: MIT */
/* What the locks, wait groups, conditions, semaphores, pools and groups of sync.h order. */
#include "litmus.h"

#define TASKS	4
#define TURNS	1000

static struct msg m, own[TASKS];
static struct gmp_wg all;
static uint64_t turns;

/* TASKS goroutines; each runs fn(its number) and is waited for. */
static void run_tasks(void (*fn)(void *))
{
	turns = 0;
	msg_put(&m, 0);
	for (uintptr_t i = 0; i < TASKS; i++)
		CHECK(gmp_wg_go(&all, fn, (void *)i) > 1);
	gmp_wg_wait(&all);
}

/* One turn in a critical section: sees the last one's message, leaves its own. */
static void turn(uint64_t *seed)
{
	msg_check(&m, turns);
	jitter(seed);
	msg_put(&m, ++turns);
}

/* ---- mutex ---------------------------------------------------------------------------------------- */

static struct gmp_mutex mutex;

static void locks(void *arg)
{
	uint64_t seed = gmptest_seed() + (uintptr_t)arg;

	for (int i = 0; i < TURNS; i++) {
		gmp_mutex_lock(&mutex);
		turn(&seed);
		gmp_mutex_unlock(&mutex);
	}
}

GTEST(unlock_before_lock)
{
	run_tasks(locks);
	CHECK_EQ(turns, TASKS * TURNS);
}

static void trylocks(void *arg)
{
	uint64_t seed = gmptest_seed() + (uintptr_t)arg;

	for (int i = 0; i < TURNS; i++) {
		while (gmp_mutex_trylock(&mutex))
			gmp_yield();
		turn(&seed);
		gmp_mutex_unlock(&mutex);
	}
}

GTEST(unlock_before_a_trylock_that_succeeds)
{
	run_tasks(trylocks);
	CHECK_EQ(turns, TASKS * TURNS);
}

/* ---- read-write mutex ------------------------------------------------------------------------------- */

static struct gmp_rwmutex rw;

/* As a reader, writes what only a writer reads. */
static void reads(struct msg *mine, uint64_t n, uint64_t *seed, int by_try)
{
	if (by_try)
		while (gmp_rwmutex_tryrlock(&rw))
			gmp_yield();
	else
		gmp_rwmutex_rlock(&rw);
	msg_check(&m, m.at[0].v);
	jitter(seed);
	msg_put(mine, n);
	gmp_rwmutex_runlock(&rw);
}

static void writes(uint64_t *seed, int by_try)
{
	if (by_try)
		while (gmp_rwmutex_trylock(&rw))
			gmp_yield();
	else
		gmp_rwmutex_lock(&rw);
	for (int i = 0; i < TASKS; i++)
		msg_check(&own[i], own[i].at[0].v);
	turn(seed);
	gmp_rwmutex_unlock(&rw);
}

static void reads_and_writes(void *arg)
{
	struct msg *mine = &own[(uintptr_t)arg];
	uint64_t seed = gmptest_seed() + (uintptr_t)arg;

	for (uint64_t n = 1; n <= TURNS; n++) {
		if (n % 4 == 0)
			writes(&seed, n % 8 == 0);
		else
			reads(mine, n, &seed, n % 4 == 1);
	}
}

GTEST(readers_and_writers_of_an_rwmutex)
{
	run_tasks(reads_and_writes);
	CHECK_EQ(turns, TASKS * TURNS / 4);
}

/* ---- once --------------------------------------------------------------------------------------------- */

static struct gmp_once *once;

static void called_once(void *arg)
{
	uint64_t seed = (uintptr_t)arg * 2 + 1;

	jitter(&seed);
	msg_put(&m, (uintptr_t)arg);
}

static void wants_it_done(void *arg)
{
	gmp_once_do(once, called_once, arg);
	msg_check(&m, (uintptr_t)arg);
}

GTEST(the_one_call_before_every_return)
{
	for (uintptr_t k = 1; k <= ROUNDS / 4; k++) {
		struct gmp_once one = { 0 };

		once = &one;
		for (int i = 0; i < TASKS; i++)
			CHECK(gmp_wg_go(&all, wants_it_done, (void *)k) > 1);
		wants_it_done((void *)k);
		gmp_wg_wait(&all);
	}
}

/* ---- condition ------------------------------------------------------------------------------------------ */

static struct gmp_cond cond;
static uint32_t waiting;		/* mutex */

/* The edge of the signal itself: the message is put without the mutex. */
static void waits_for_a_signal(void *arg)
{
	gmp_mutex_lock(&mutex);
	waiting++;
	gmp_cond_wait(&cond, &mutex);
	waiting--;
	msg_check(&m, (uintptr_t)arg);
	gmp_mutex_unlock(&mutex);
}

static void all_wait(uint32_t n)
{
	for (;;) {
		gmp_mutex_lock(&mutex);
		if (waiting == n)
			break;
		gmp_mutex_unlock(&mutex);
		gmp_yield();
	}
	gmp_mutex_unlock(&mutex);
}

GTEST(signal_before_the_wait_it_ends)
{
	for (uintptr_t k = 1; k <= ROUNDS / 4; k++) {
		uint32_t n = (uint32_t)(k % 3) + 1;

		for (uint32_t i = 0; i < n; i++)
			CHECK(gmp_wg_go(&all, waits_for_a_signal, (void *)k) > 1);
		all_wait(n);
		msg_put(&m, k);
		if (n == 1)
			gmp_cond_signal(&cond);
		else
			gmp_cond_broadcast(&cond);
		gmp_wg_wait(&all);
	}
}

/* ---- wait group --------------------------------------------------------------------------------------------- */

static struct gmp_wg wg;

static void does_its_part(void *arg)
{
	uintptr_t k = (uintptr_t)arg;
	uint64_t seed = k;

	jitter(&seed);
	msg_put(&own[k % TASKS], k);
	gmp_wg_done(&wg);
}

static void also_waits(void *arg)
{
	(void)arg;
	gmp_wg_wait(&wg);
	for (int i = 0; i < TASKS; i++)
		CHECK(own[i].at[0].v != 0);
}

GTEST(done_before_wait)
{
	for (uintptr_t k = TASKS; k <= ROUNDS; k += TASKS) {
		gmp_wg_add(&wg, TASKS);
		for (uintptr_t i = 0; i < TASKS; i++)
			CHECK(gmp_go(does_its_part, (void *)(k + i)) > 1);
		CHECK(gmp_wg_go(&all, also_waits, NULL) > 1);
		gmp_wg_wait(&wg);
		for (uintptr_t i = 0; i < TASKS; i++)
			msg_check(&own[i], k + i);
		gmp_wg_wait(&all);
	}
}

static void done_by_its_end(void *arg)
{
	msg_put(&m, (uintptr_t)arg);
	if ((uintptr_t)arg % 2)
		gmp_goexit();
}

GTEST(end_of_a_wg_goroutine_before_wait)
{
	for (uintptr_t k = 1; k <= ROUNDS; k++) {
		CHECK(gmp_wg_go(&wg, done_by_its_end, (void *)k) > 1);
		gmp_wg_wait(&wg);
		msg_check(&m, k);
	}
}

/* ---- semaphore ------------------------------------------------------------------------------------------------ */

static struct gmp_sem sem;

static void acquires(void *arg)
{
	uint64_t seed = gmptest_seed() + (uintptr_t)arg;

	for (int i = 0; i < TURNS; i++) {
		if (i % 3 == 0)
			CHECK_EQ(gmp_sem_acquire(&sem, 2), 0);
		else if (i % 3 == 1)
			CHECK_EQ(gmp_sem_acquire_ctx(NULL, &sem, 2), 0);
		else
			while (gmp_sem_try(&sem, 2))
				gmp_yield();
		turn(&seed);
		CHECK_EQ(gmp_sem_release(&sem, 1), 0);
		CHECK_EQ(gmp_sem_release(&sem, 1), 0);
	}
}

GTEST(release_before_acquire)
{
	memset(&sem, 0, sizeof(sem));
	CHECK_EQ(gmp_sem_release(&sem, 2), 0);
	run_tasks(acquires);
	CHECK_EQ(turns, TASKS * TURNS);
}

/* ---- pool ------------------------------------------------------------------------------------------------------- */

static struct gmp_pool pool;
static struct msg objects[TASKS * 2];

static void puts_and_gets(void *arg)
{
	uint64_t seed = gmptest_seed() + (uintptr_t)arg;

	for (int i = 0; i < TURNS; i++) {
		struct msg *obj = gmp_pool_get(&pool);

		if (!obj) {
			gmp_yield();
			continue;
		}
		msg_check(obj, obj->at[0].v);
		jitter(&seed);
		msg_put(obj, obj->at[0].v + 1);
		CHECK_EQ(gmp_pool_put(&pool, obj), 0);
	}
}

GTEST(put_before_the_get_that_takes_it)
{
	for (int i = 0; i < TASKS * 2; i++)
		CHECK_EQ(gmp_pool_put(&pool, &objects[i]), 0);
	run_tasks(puts_and_gets);
	gmp_pool_drain(&pool, NULL);
}

/* ---- group ------------------------------------------------------------------------------------------------------- */

static int in_a_group(void *arg)
{
	msg_put(&own[(uintptr_t)arg % TASKS], (uintptr_t)arg);
	return (uintptr_t)arg % 7 ? 0 : -EIO;
}

GTEST(end_of_a_group_goroutine_before_wait)
{
	for (uintptr_t k = TASKS; k <= ROUNDS; k += TASKS) {
		struct gmp_group g;

		CHECK_EQ(gmp_group_init(&g, NULL, k % 8 ? 0 : 2), 0);
		for (uintptr_t i = 0; i < TASKS; i++)
			CHECK(gmp_group_go(&g, in_a_group, (void *)(k + i)) > 1);
		gmp_group_wait(&g);
		for (uintptr_t i = 0; i < TASKS; i++)
			msg_check(&own[i], k + i);
		gmp_group_destroy(&g);
	}
}
