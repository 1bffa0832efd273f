/* SPDX-License-Identifier: MIT */
/*
 * pool_test.c - gmp_pool.
 *
 * Go's sync/pool_test.go          here
 *   TestPool                      what_is_put_comes_out
 *   TestPoolNew                   an_empty_pool_gives_null (the caller makes a new one)
 *   TestPoolGC, TestPoolRelease   drain_empties_it (no collector: the user drains)
 *   TestPoolStress                stressed_nothing_doubles
 *   TestPoolDequeue, TestPoolChain  stressed_nothing_doubles (the inside differs)
 */
#include <gmprt.h>
#include <pthread.h>
#include <sched.h>

#include "gmptest.h"

static struct gmp_pool pool;
static struct gmp_wg wg;

GTEST(what_is_put_comes_out)
{
	char a, b, c;
	unsigned int seen = 0;

	CHECK(!gmp_pool_get(&pool));
	CHECK_EQ(gmp_pool_put(&pool, &a), 0);
	CHECK(gmp_pool_get(&pool) == &a);
	CHECK(!gmp_pool_get(&pool));
	gmp_pool_put(&pool, &a);
	gmp_pool_put(&pool, &b);
	gmp_pool_put(&pool, &c);
	for (int i = 0; i < 3; i++) {
		char *x = gmp_pool_get(&pool);

		seen |= x == &a ? 1 : x == &b ? 2 : x == &c ? 4 : 8;
	}
	CHECK_EQ(seen, 7);
	CHECK(!gmp_pool_get(&pool));
	gmp_pool_drain(&pool, NULL);
}

TEST(an_empty_pool_gives_null)
{
	CHECK(!gmp_pool_get(&pool));
	gmp_pool_drain(&pool, free);
	CHECK(!gmp_pool_get(&pool));
	CHECK_EQ(gmp_pool_put(&pool, NULL), -EINVAL);
	CHECK_EQ(gmp_pool_put(NULL, &pool), -EINVAL);
}

static int dropped;

static void count_and_free(void *p)
{
	dropped++;
	free(p);
}

GTEST(drain_empties_it)
{
	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < 1000; i++)
			CHECK_EQ(gmp_pool_put(&pool, malloc(8)), 0);
		gmp_pool_drain(&pool, count_and_free);
		CHECK_EQ(dropped, 1000 * round);
		CHECK(!gmp_pool_get(&pool));
		CHECK_EQ(pool.root, 0);
	}
}

/* ---- nothing doubles, nothing is lost -------------------------------------------------------------- */

#define OBJECTS	2000

struct object {
	uint32_t out;	/* 1 while somebody has it */
	uint32_t plain;	/* no atomic: only one has it at a time */
};

static struct object objects[OBJECTS];

static void use(struct object *o)
{
	CHECK_EQ(__atomic_exchange_n(&o->out, 1, __ATOMIC_RELAXED), 0);
	o->plain++;
}

static void put_back(struct object *o)
{
	CHECK_EQ(__atomic_exchange_n(&o->out, 0, __ATOMIC_RELAXED), 1);
	CHECK_EQ(gmp_pool_put(&pool, o), 0);
}

static void stress(uint64_t seed)
{
	struct object *mine[40];
	uint32_t n = 0;

	for (int i = 0; i < 5000; i++) {
		if (n < 40 && gmptest_rand(&seed) % 2) {
			mine[n] = gmp_pool_get(&pool);
			if (mine[n])
				use(mine[n++]);
		} else if (n > 0) {
			put_back(mine[--n]);
		}
		if (gmptest_rand(&seed) % 16 == 0)
			gmp_yield();
	}
	while (n > 0)
		put_back(mine[--n]);
	gmp_wg_done(&wg);
}

static void change_procs(void *arg)
{
	(void)arg;
	for (int i = 0; i < 30; i++) {
		gmp_maxprocs(1 + i % 5);
		for (int k = 0; k < 50; k++)
			gmp_yield();
	}
}

static void check_all_there(void)
{
	int n = 0;

	for (struct object *o; (o = gmp_pool_get(&pool)) != NULL; n++)
		use(o);
	CHECK_EQ(n, OBJECTS);
	gmp_pool_drain(&pool, NULL);
}

static void stress_all(void)
{
	uint64_t seed = gmptest_seed();

	for (int i = 0; i < OBJECTS; i++)
		gmp_pool_put(&pool, &objects[i]);
	gmp_wg_add(&wg, 10);
	for (int i = 1; i <= 10; i++)
		GMP_GO(stress, seed * (uint64_t)i | 1);
}

GTEST(stressed_nothing_doubles)
{
	stress_all();
	gmp_wg_wait(&wg);
	check_all_there();
}

GTEST(the_number_of_ps_changes)
{
	stress_all();
	gmp_wg_go(&wg, change_procs, NULL);
	gmp_wg_wait(&wg);
	check_all_there();
}

/* ---- threads -------------------------------------------------------------------------------------------- */

static void *thread_stress(void *arg)
{
	uint64_t seed = (uint64_t)(uintptr_t)arg;

	for (int i = 0; i < 3000; i++) {
		struct object *o = gmp_pool_get(&pool);

		if (!o)
			continue;
		use(o);
		if (gmptest_rand(&seed) % 64 == 0)
			sched_yield();
		put_back(o);
	}
	return NULL;
}

GTEST(threads_may_share_it)
{
	pthread_t t;

	stress_all();
	CHECK_EQ(pthread_create(&t, NULL, thread_stress, (void *)(uintptr_t)(gmptest_seed() | 1)), 0);
	gmp_wg_wait(&wg);
	pthread_join(t, NULL);
	check_all_there();
}

TEST(misuse_is_fatal)
{
	DEATH(gmp_pool_get(NULL), "gmp_pool_get");
	DEATH(gmp_pool_drain(NULL, NULL), "gmp_pool_drain");
}
