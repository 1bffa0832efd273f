/* SPDX-License-Identifier: MIT */
/* fdmutex_test.c - the descriptor's word, its slots and handles, where programs cannot look. */
#include <gmprt.h>

#include "gmptest.h"
#include "io/fdtable.h"

TEST(life_of_a_word)
{
	struct rt_fdmutex mu = { 0 };

	CHECK_EQ(rt_fdmutex_ref(&mu, 0), -EBADF);	/* all zero is free */
	CHECK(rt_fdmutex_retire(&mu));
	CHECK_EQ(rt_fdmutex_gen(&mu), 1);
	CHECK_EQ(rt_fdmutex_ref(&mu, 1), -EBADF);
	rt_fdmutex_open(&mu);
	CHECK_EQ(rt_fdmutex_ref(&mu, 0), -EBADF);
	CHECK_EQ(rt_fdmutex_ref(&mu, 2), -EBADF);
	CHECK_EQ(rt_fdmutex_ref(&mu, 1), 0);
	CHECK_EQ(rt_fdmutex_lock(&mu, 1, RT_IO_READ), 0);
	CHECK_EQ(rt_fdmutex_lock(&mu, 1, RT_IO_WRITE), 0);
	CHECK_EQ(rt_fdmutex_lock(&mu, 1, RT_IO_READ), -EWOULDBLOCK);
	CHECK_EQ(rt_fdmutex_close(&mu, 2), -EBADF);
	CHECK_EQ(rt_fdmutex_close(&mu, 1), 0);
	CHECK_EQ(rt_fdmutex_close(&mu, 1), -EBADF);
	CHECK_EQ(rt_fdmutex_lock(&mu, 1, RT_IO_READ), -EBADF);
	CHECK(!rt_fdmutex_unref(&mu));
	CHECK(!rt_fdmutex_unlock(&mu, RT_IO_READ));
	CHECK(!rt_fdmutex_unref(&mu));
	CHECK(rt_fdmutex_unlock(&mu, RT_IO_WRITE));	/* the last */
	CHECK(rt_fdmutex_retire(&mu));
	CHECK_EQ(rt_fdmutex_gen(&mu), 2);
}

TEST(generations_run_out)
{
	struct rt_fdmutex mu = { .state = (RT_FDMU_GEN_MAX - 1) << RT_FDMU_GEN_SHIFT };

	CHECK(rt_fdmutex_retire(&mu));
	rt_fdmutex_open(&mu);
	CHECK_EQ(rt_fdmutex_ref(&mu, RT_FDMU_GEN_MAX), 0);
	CHECK_EQ(rt_fdmutex_close(&mu, RT_FDMU_GEN_MAX), 0);
	CHECK(!rt_fdmutex_unref(&mu));
	CHECK(rt_fdmutex_unref(&mu));
	CHECK(!rt_fdmutex_retire(&mu));			/* not to be used again */
	CHECK_EQ(rt_fdmutex_ref(&mu, RT_FDMU_GEN_MAX), -EBADF);
}

TEST(references_run_out)
{
	struct rt_fdmutex mu = { 0 };
	uint32_t n = 0;

	CHECK(rt_fdmutex_retire(&mu));
	rt_fdmutex_open(&mu);
	while (rt_fdmutex_ref(&mu, 1) == 0)
		n++;
	CHECK_EQ(n, (1 << 20) - 1);
	CHECK_EQ(rt_fdmutex_ref(&mu, 1), -EBUSY);
	CHECK_EQ(rt_fdmutex_lock(&mu, 1, RT_IO_READ), -EBUSY);
	CHECK_EQ(rt_fdmutex_close(&mu, 1), -EBUSY);
	CHECK_EQ(rt_fdmutex_gen(&mu), 1);		/* nothing spilled over */
	while (n--)
		CHECK(!rt_fdmutex_unref(&mu));
	CHECK_EQ(rt_fdmutex_close(&mu, 1), 0);
	CHECK(rt_fdmutex_unref(&mu));
}

TEST(too_many_unrefs_are_fatal)
{
	static struct rt_fdmutex mu;

	CHECK(rt_fdmutex_retire(&mu));
	rt_fdmutex_open(&mu);
	DEATH(rt_fdmutex_unref(&mu), "assertion failed");
	DEATH(rt_fdmutex_unlock(&mu, RT_IO_READ), "assertion failed");
}

TEST(handles_name_slots)
{
	struct rt_netfd *a = rt_fdtable_get(), *b = rt_fdtable_get(), *c;
	uint64_t ha = rt_netfd_handle(a), hb = rt_netfd_handle(b);

	CHECK(a && b && a != b && ha != hb);
	CHECK(rt_fdtable_slot(ha) == a && rt_fdtable_slot(hb) == b);
	CHECK_EQ(rt_handle_gen(ha), 1);
	CHECK(rt_fdtable_slot(0) == NULL);
	CHECK(rt_fdtable_slot(ha & ~RT_FD_HANDLE) == NULL);
	CHECK(rt_fdtable_slot(ha + ((uint64_t)RT_FD_CHUNK << 3)) == NULL);
	rt_fdtable_put(b);
	CHECK(rt_fdtable_peek(hb) == NULL);
	c = rt_fdtable_get();
	CHECK(c == b);					/* last in, first out */
	CHECK(rt_netfd_handle(c) != hb);
	CHECK(rt_fdtable_peek(hb) == NULL);
	CHECK(rt_fdtable_peek(rt_netfd_handle(c)) == c);
}

/* More slots than a chunk has; none is given out twice, none moves. */
TEST(table_grows)
{
	enum { N = 3 * RT_FD_CHUNK + 7 };
	static struct rt_netfd *f[N];

	for (int i = 0; i < N; i++) {
		f[i] = rt_fdtable_get();
		CHECK(f[i] != NULL);
		CHECK_EQ(f[i]->index, i);
	}
	for (int i = 0; i < N; i++)
		CHECK(rt_fdtable_slot(rt_netfd_handle(f[i])) == f[i]);
	for (int i = 0; i < N; i++)
		rt_fdtable_put(f[i]);
	for (int i = N; i-- > 0;)
		CHECK(rt_fdtable_get() == f[i]);
}

/* ---- the locks under contention ---------------------------------------------------------- */

static struct rt_fdmutex shared;
static uint32_t inside, ended;
static uint64_t taken;

static void take_turns(void *unused)
{
	(void)unused;
	for (int i = 0; i < 2000; i++) {
		int err = rt_fdmutex_lock(&shared, 1, RT_IO_WRITE);

		if (err) {
			CHECK(err == -EBADF || err == -ECANCELED);
			break;
		}
		CHECK_EQ(__atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED), 1);
		/* the lock guards it; a plain load and a plain store, but for the one who looks on */
		__atomic_store_n(&taken, taken + 1, __ATOMIC_RELAXED);
		if (i % 16 == 0)
			gmp_yield();
		CHECK_EQ(__atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED), 0);
		rt_fdmutex_unlock(&shared, RT_IO_WRITE);
	}
	__atomic_add_fetch(&ended, 1, __ATOMIC_RELEASE);
}

static void run_takers(uint32_t n)
{
	CHECK(rt_fdmutex_retire(&shared));
	rt_fdmutex_open(&shared);
	for (uint32_t i = 0; i < n; i++)
		CHECK(gmp_go(take_turns, NULL) > 1);
}

static void await(uint32_t n)
{
	while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) < n)
		gmp_yield();
}

GTEST(one_holds_it)
{
	run_takers(16);
	await(16);
	CHECK_EQ(taken, 16 * 2000);
	CHECK_EQ(rt_fdmutex_close(&shared, 1), 0);
	CHECK(rt_fdmutex_unref(&shared));
}

/* Closed in the middle: all come out, the last one out is told so, exactly once. */
GTEST(closed_while_they_wait)
{
	run_takers(32);
	while (__atomic_load_n(&taken, __ATOMIC_RELAXED) < 1000)
		gmp_yield();
	CHECK_EQ(rt_fdmutex_close(&shared, 1), 0);
	await(32);
	CHECK(rt_fdmutex_unref(&shared));
	CHECK(rt_fdmutex_retire(&shared));
}
