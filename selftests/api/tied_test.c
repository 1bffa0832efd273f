/* SPDX-License-Identifier: MIT */
/*
 * tied_test.c - goroutines that compute are stopped, and stay with their threads: what is left for others, when no
 * thread can be made, and when the runtime lets them go on without a P. (kern/handoff_tied_test.c: with the module.)
 */
#include <dlfcn.h>
#include <errno.h>
#include <gmprt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "gmptest.h"

#define MS	1000000ll
#define LOOPS	4

static _Atomic bool stop, no_threads, slow;
static _Atomic int denied, slept;
static _Atomic uint64_t turns[LOOPS], yields, sleeps;

/* ---- what the library calls ------------------------------------------------------------------------------ */

/* liburcu's thread is not ours to deny: it would end the process. */
static bool for_urcu(const void *caller)
{
	Dl_info info;

	return dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "urcu");
}

int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (no_threads && !for_urcu(__builtin_return_address(0))) {
		denied++;
		return EAGAIN;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
	return real(t, attr, fn, arg);
}

#if !GMPTEST_SANITIZED	/* these bring their own, and call it before anything of ours may run */
void *__libc_malloc(size_t n);

/* One call of malloc() that takes longer than sysmon believes in. */
void *malloc(size_t n)
{
	if (atomic_exchange(&slow, false)) {
		usleep(300000);
		slept++;
	}
	return __libc_malloc(n);
}
#endif

/* ---- who runs --------------------------------------------------------------------------------------------- */

static void loop(void *arg)
{
	_Atomic uint64_t *n = arg;

	while (!stop)
		++*n;
}

static void yielder(void *arg)
{
	(void)arg;
	while (!stop) {
		yields++;
		gmp_yield();
	}
}

static void sleeper(void *arg)
{
	(void)arg;
	while (!stop) {
		sleeps++;
		gmp_sleep(MS);
	}
}

static void start_loops(int n)
{
	stop = false;
	for (int i = 0; i < n; i++)
		CHECK(gmp_go(loop, &turns[i]) > 0);
}

/* All of them have done some more within ten seconds. */
static bool all_go_on(int loops)
{
	uint64_t then[LOOPS], y = yields + 3, s = sleeps + 3;
	bool all = false;

	for (int i = 0; i < loops; i++)
		then[i] = turns[i];
	for (int tries = 0; tries < 100 && !all; tries++) {
		gmp_sleep(100 * MS);
		all = yields > y && sleeps > s;
		for (int i = 0; i < loops; i++)
			all = all && turns[i] > then[i];
	}
	return all;
}

static int without_threads(void *arg)
{
	(void)arg;
	CHECK(gmp_go(yielder, NULL) > 0);
	CHECK(gmp_go(sleeper, NULL) > 0);
	no_threads = true;
	start_loops(LOOPS);
	for (int i = 0; i < 5; i++)
		CHECK(all_go_on(LOOPS));
	CHECK(denied > 0);
	no_threads = false;
	CHECK(all_go_on(LOOPS));
	stop = true;
	return 0;
}

TEST(others_run_when_no_thread_can_be_made)
{
	setenv("GMP_MAXPROCS", "2", 1);
	setenv("GMP_DEBUG", "kern=none", 1);
	CHECK_EQ(gmp_run(without_threads, NULL), 0);
}

/* ---- rescued ------------------------------------------------------------------------------------------------ */

static void nothing(void *arg)
{
	(void)arg;
}

/* They may go on without a P for a while: but not while the world stands, and not for ever. */
static bool stand_still(void)
{
	uint64_t then[LOOPS];
	bool still = true;

	CHECK_EQ(gmp_stop_world("test"), 0);
	for (int i = 0; i < LOOPS; i++)
		then[i] = turns[i];
	usleep(50000);
	for (int i = 0; i < LOOPS; i++)
		still = still && turns[i] == then[i];
	gmp_start_world();
	return still;
}

static int rescued(void *arg)
{
	struct gmp_stats st = { .size = sizeof(st) };
	bool still = false;

	(void)arg;
	start_loops(LOOPS);
	gmp_sleep(100 * MS);
	slow = true;
	for (int i = 0; i < 100000 && !slept; i++)
		gmp_defer(nothing, NULL);
	CHECK_EQ(slept, 1);
	for (int i = 0; i < 100 && !still; i++) {
		gmp_sleep(20 * MS);
		still = stand_still();
	}
	CHECK(still);
	CHECK_EQ(gmp_stats(&st), 0);
	printf("# %llu went on without a P\n", (unsigned long long)st.rescues);
	return 0;
}

/* The run ends with the loops still there, on whatever threads. */
TEST(rescued_loops_come_back)
{
#if GMPTEST_SANITIZED
	SKIP("the sanitizer brings its own allocator: no call of it can be made slow");
#endif
	setenv("GMP_MAXPROCS", "2", 1);
	setenv("GMP_DEBUG", "kern=none", 1);
	CHECK_EQ(gmp_run(rescued, NULL), 0);
}
