/* SPDX-License-Identifier: MIT */
/* errno_test.c - errno of system calls in goroutines that go on on another thread (gmprt/errno.h). */
#include <fcntl.h>
#include <gmprt.h>

#include "gmptest.h"

enum { GOROUTINES = 8, CALLS = 300 };

static struct gmp_wg wg;
static uint32_t moved, wrong;	/* atomic */

static void count_if(int so, uint32_t *n)
{
	if (so)
		__atomic_add_fetch(n, 1, __ATOMIC_ACQ_REL);
}

static int opens_nothing(void)
{
	return open("/nonexistent/file", O_RDONLY);
}

static void goes_around(void *arg)
{
	uint64_t rng = 88172645463325252ull + (uintptr_t)arg;

	for (int i = 0; i < CALLS; i++) {
		pid_t tid = gettid();

		errno = 0;
		gmp_sleep(gmptest_rand(&rng) % 50000);
		count_if(gettid() != tid, &moved);
		count_if(opens_nothing() >= 0 || errno != ENOENT, &wrong);
	}
}

GTEST(of_a_system_call_after_a_park)
{
	for (intptr_t i = 0; i < GOROUTINES; i++)
		CHECK(gmp_wg_go(&wg, goes_around, (void *)i) > 1);
	gmp_wg_wait(&wg);
	printf("# on another thread after %u of %d sleeps\n", moved, GOROUTINES * CALLS);
	CHECK_EQ(wrong, 0);
}

static int sets_errno(void *arg)
{
	errno = ENOTTY;
	*(int *)arg = errno;
	return 0;
}

/* An lvalue as any, inside and outside of a run. */
TEST(as_any_other)
{
	int seen = 0, *at = &errno;

	errno = 0;
	CHECK_EQ(gmp_run(sets_errno, &seen), 0);
	CHECK_EQ(seen, ENOTTY);
	errno = EPERM;
	errno++;
	CHECK_EQ(errno, EPERM + 1);
	CHECK_EQ(*at, errno);
	CHECK_EQ(close(-1), -1);
	CHECK_EQ(errno, EBADF);
}
