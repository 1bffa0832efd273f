/* SPDX-License-Identifier: MIT */
/* proc_test.c - gmp_run, gmp_go, GMP_GO, yield, goexit, defer, maxprocs, lock_os_thread, world. */
#include <gmprt.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "gmptest.h"

static uint32_t done;

static void count(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);
}

static uint32_t so_far(void)
{
	return __atomic_load_n(&done, __ATOMIC_RELAXED);
}

static void wait_for(uint32_t n)
{
	while (so_far() < n)
		gmp_yield();
}

/* ---- gmp_run ------------------------------------------------------------------------------------------ */

static int seven(void *arg)
{
	CHECK_EQ(gmp_goid(), 1);
	return *(int *)arg + 1;
}

TEST(run_returns_the_result_of_main)
{
	int six = 6;

	CHECK_EQ(gmp_run(seven, &six), 7);
	CHECK_EQ(gmp_run(seven, &six), 7);
	CHECK_EQ(gmp_goid(), 0);
}

TEST(run_refuses_null)
{
	CHECK_EQ(gmp_run(NULL, NULL), -EINVAL);
}

GTEST(run_inside_a_run_is_busy)
{
	int six = 6;

	CHECK_EQ(gmp_run(seven, &six), -EBUSY);
}

static void for_ever(void *arg)
{
	(void)arg;
	for (;;)
		gmp_yield();
}

static int leave_some(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++)
		CHECK(gmp_go(for_ever, NULL) > 1);
	gmp_yield();
	return 0;
}

TEST(return_of_main_ends_all_others)
{
	for (int i = 0; i < 50; i++)
		CHECK_EQ(gmp_run(leave_some, NULL), 0);
}

static int many_threads(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2000; i++)
		gmp_go(count, NULL);
	wait_for(2000);
	return 0;
}

TEST(a_run_can_follow_a_run)
{
	setenv("GMP_MAXPROCS", "4", 1);
	for (int i = 0; i < GMPTEST_SCALE(50); i++) {
		done = 0;
		CHECK_EQ(gmp_run(many_threads, NULL), 0);
	}
}

/* Address space for no more than @bytes; without an end: as before. */
static void limit_memory(size_t bytes)
{
	unsigned long pages = 0;
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	FILE *f = fopen("/proc/self/statm", "r");

	CHECK(f && fscanf(f, "%lu", &pages) == 1);
	fclose(f);
	CHECK_EQ(getrlimit(RLIMIT_AS, &limit), 0);
	limit.rlim_cur = bytes ? pages * (size_t)getpagesize() + bytes : limit.rlim_max;
	CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
}

TEST(no_room_for_the_first_stack)
{
	size_t before = gmp_set_max_stack(1ul << 30);
	int six = 6;

	limit_memory(512ul << 20);
	CHECK_EQ(gmp_run(seven, &six), -ENOMEM);
	limit_memory(0);
	CHECK_EQ(gmp_run(seven, &six), 7);
	CHECK_EQ(gmp_set_max_stack(before), 1l << 30);
	limit_memory(512ul << 20);
	CHECK_EQ(gmp_run(seven, &six), 7);
}

TEST(go_without_a_run)
{
	CHECK_EQ(gmp_go(count, NULL), -ESRCH);
	gmp_yield();
	CHECK_EQ(gmp_num_goroutine(), 0);
}

/* ---- gmp_go -------------------------------------------------------------------------------------------- */

GTEST(go_runs_all)
{
	for (int i = 0; i < GMPTEST_SCALE(10000); i++)
		CHECK(gmp_go(count, NULL) > 1);
	wait_for(GMPTEST_SCALE(10000));
	while (gmp_num_goroutine() > 1)
		gmp_yield();
	CHECK_EQ(gmp_num_goroutine(), 1);
}

GTEST(goids_are_never_reused)
{
	uint64_t last = 1;

	for (uint32_t i = 0; i < 1000; i++) {
		int64_t goid = gmp_go(count, NULL);

		CHECK(goid > 1);
		if (gmp_maxprocs(0) == 1)
			CHECK((uint64_t)goid > last);
		last = (uint64_t)goid;
		wait_for(i + 1);
	}
}

GTEST(go_refuses_null)
{
	struct gmp_go_attr bad = { .size = 1 };
	struct gmp_go_attr huge = { .size = sizeof(huge), .max_stack = (1ul << 30) + 1 };
	struct gmp_go_attr flags = { .size = sizeof(flags), .flags = 1 };

	CHECK_EQ(gmp_go(NULL, NULL), -EINVAL);
	CHECK_EQ(gmp_go_attr(&bad, count, NULL), -EINVAL);
	CHECK_EQ(gmp_go_attr(&huge, count, NULL), -EINVAL);
	CHECK_EQ(gmp_go_attr(&flags, count, NULL), -EINVAL);
	CHECK_EQ(gmp_go_attr(NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(so_far(), 0);
}

/* Touches @kib of its stack. */
static void deep(void *arg)
{
	size_t n = (size_t)arg << 10;
	volatile char *p = __builtin_alloca(n);

	for (size_t i = 0; i < n; i += 4096)
		p[n - 1 - i] = 1;
	count(NULL);
}

GTEST(stacks_are_as_large_as_asked)
{
	struct gmp_go_attr big = { .size = sizeof(big), .max_stack = 64u << 20 };

	CHECK(gmp_go(deep, (void *)200) > 1);
	CHECK(gmp_go_attr(&big, deep, (void *)(60ul << 10)) > 1);
	wait_for(2);
	CHECK_EQ(gmp_set_max_stack(1u << 20), 256u << 10);
	CHECK(gmp_go(deep, (void *)900) > 1);
	wait_for(3);
	CHECK_EQ(gmp_set_max_stack(0), 1u << 20);
}

static void *outside(void *arg)
{
	(void)arg;
	CHECK_EQ(gmp_goid(), 0);
	for (int i = 0; i < 1000; i++)
		CHECK(gmp_go(count, NULL) > 1);
	return NULL;
}

GTEST(go_from_a_thread_that_is_no_m)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, outside, NULL), 0);
	wait_for(4000);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

/* ---- order ------------------------------------------------------------------------------------------------ */

static int order[16];
static _Atomic int nr_order;

static void note_order(void *arg)
{
	order[nr_order++] = (int)(intptr_t)arg;
}

static void two_rounds(void *arg)
{
	note_order(arg);
	gmp_yield();
	note_order((void *)((intptr_t)arg + 10));
}

static uint64_t preemptions(void)
{
	struct gmp_stats st = { .size = sizeof(st) };

	CHECK_EQ(gmp_stats(&st), 0);
	return st.preemptions;
}

/* Whoever has had its 10 ms does not hand the rest on to the newest: then the order is another. */
static int six_of_three(void *arg)
{
	static const int want[] = { 3, 1, 2, 13, 11, 12 };
	uint64_t before;

	(void)arg;
	do {
		gmp_sleep(1000000);	/* a new slice */
		before = preemptions();
		nr_order = 0;
		for (intptr_t i = 1; i <= 3; i++)
			gmp_go(two_rounds, (void *)i);
		for (int i = 0; i < 8; i++)
			gmp_yield();
		CHECK_EQ(nr_order, 6);
	} while (preemptions() != before);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(order[i], want[i]);
	return 0;
}

/*
 * One P: the newest goroutine runs next, the older ones in order; a yield goes behind all. gmp_go() must
 * not be stopped for a late timer, which sysmon does on a busy machine and counts as no preemption.
 */
TEST(order_of_one_p)
{
	setenv("GMP_MAXPROCS", "1", 1);
	setenv("GMP_DEBUG", "asyncpreemptoff=1", 1);
	CHECK_EQ(gmp_run(six_of_three, NULL), 0);
}

/* ---- ends --------------------------------------------------------------------------------------------------- */

static void exits(void *arg)
{
	CHECK_EQ(gmp_defer(count, NULL), 0);
	CHECK_EQ(gmp_defer(note_order, arg), 0);
	gmp_goexit();
}

static void defers_more(void *arg)
{
	(void)arg;
	gmp_yield();
	CHECK_EQ(gmp_defer(count, NULL), 0);
}

GTEST(goexit_runs_deferred_calls)
{
	CHECK(gmp_go(exits, (void *)5) > 1);
	wait_for(1);
	CHECK_EQ(nr_order, 1);
	CHECK_EQ(gmp_defer(defers_more, NULL), 0);
	CHECK_EQ(gmp_defer(NULL, NULL), -EINVAL);
}

TEST(defer_outside)
{
	CHECK_EQ(gmp_defer(count, NULL), -EPERM);
}

static int defer_in_main(void *arg)
{
	(void)arg;
	CHECK_EQ(gmp_defer(defers_more, NULL), 0);
	return 3;
}

TEST(deferred_calls_of_main_run_before_run_returns)
{
	CHECK_EQ(gmp_run(defer_in_main, NULL), 3);
	CHECK_EQ(done, 1);
}

TEST(goexit_outside_is_fatal)
{
	DEATH(gmp_goexit(), "gmp_goexit outside of a goroutine");
}

/* ---- threads --------------------------------------------------------------------------------------------------- */

static long tid(void)
{
	return syscall(SYS_gettid);
}

static void stays(void *arg)
{
	long mine;

	(void)arg;
	gmp_lock_os_thread();
	gmp_lock_os_thread();
	gmp_unlock_os_thread();
	mine = tid();
	for (int i = 0; i < 300; i++) {
		gmp_yield();
		CHECK_EQ(tid(), mine);
	}
	gmp_unlock_os_thread();
	count(NULL);
}

GTEST(locked_goroutines_stay_on_their_thread)
{
	for (int i = 0; i < 8; i++)
		gmp_go(stays, NULL);
	stays(NULL);
	wait_for(9);
}

static struct gmp_chan *values;

static void sends_locked(void *arg)
{
	gmp_lock_os_thread();
	for (intptr_t i = 0; i < (intptr_t)arg; i++)
		CHECK_EQ(gmp_chan_send(values, &i), 0);
	gmp_unlock_os_thread();
}

/* Both ends wait for the other: who is locked is parked and woken like anybody. */
GTEST(a_locked_goroutine_sends_and_receives)
{
	intptr_t got, n = 10;

	values = gmp_chan_make(sizeof(intptr_t), 0);
	gmp_lock_os_thread();
	CHECK(gmp_go(sends_locked, (void *)n) > 1);
	for (intptr_t i = 0; i < n; i++) {
		CHECK_EQ(gmp_chan_recv(values, &got), 1);
		CHECK_EQ(got, i);
	}
	gmp_unlock_os_thread();
	gmp_chan_unref(values);
}

static void ends_locked(void *arg)
{
	gmp_lock_os_thread();
	gmp_yield();
	__atomic_store_n((long *)arg, tid(), __ATOMIC_RELAXED);
	count(NULL);
}

static bool is_a_thread(long t)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%ld", t);
	return access(path, F_OK) == 0;
}

GTEST(ending_locked_ends_the_thread)
{
	long t;

	CHECK(is_a_thread(tid()));
	for (uint32_t i = 0; i < 50; i++) {
		gmp_go(ends_locked, &t);
		wait_for(i + 1);
		while (is_a_thread(__atomic_load_n(&t, __ATOMIC_RELAXED)))
			gmp_yield();
	}
}

static void blocks(void *arg)
{
	struct timespec ts = { .tv_nsec = 20000000 };

	(void)arg;
	gmp_syscall_begin();
	nanosleep(&ts, NULL);
	gmp_syscall_end();
	count(NULL);
}

static uint32_t inside;

/* Leaves its call only when all twenty are in theirs: with their Ps they could not be. */
static void blocks_until_all_do(void *arg)
{
	struct timespec ts = { .tv_nsec = 1000000 };

	(void)arg;
	gmp_syscall_begin();
	__atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&inside, __ATOMIC_RELAXED) < 20)
		nanosleep(&ts, NULL);
	gmp_syscall_end();
	count(NULL);
}

GTEST(declared_system_calls_give_their_p_away)
{
	for (int i = 0; i < 20; i++)
		gmp_go(blocks_until_all_do, NULL);
	wait_for(20);
}

/* ---- world -------------------------------------------------------------------------------------------------------- */

static uint32_t running, stop_all;

static void spin_politely(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stop_all, __ATOMIC_RELAXED)) {
		__atomic_add_fetch(&running, 1, __ATOMIC_RELAXED);
		gmp_yield();
	}
	count(NULL);
}

GTEST(stopped_world_stands_still)
{
	struct timespec ts = { .tv_nsec = 2000000 };
	uint32_t seen;

	for (int i = 0; i < 8; i++)
		gmp_go(spin_politely, NULL);
	for (int i = 0; i < 50; i++) {
		gmp_yield();
		CHECK_EQ(gmp_stop_world("test"), 0);
		CHECK_EQ(gmp_stop_world("again"), -EBUSY);
		seen = __atomic_load_n(&running, __ATOMIC_RELAXED);
		nanosleep(&ts, NULL);
		CHECK_EQ(__atomic_load_n(&running, __ATOMIC_RELAXED), seen);
		CHECK_EQ(gmp_start_world(), 0);
	}
	CHECK_EQ(gmp_start_world(), -EINVAL);
	__atomic_store_n(&stop_all, 1, __ATOMIC_RELAXED);
	wait_for(8);
}

static void resizes(void *arg)
{
	uint64_t s = gmptest_seed() + (uintptr_t)arg;

	for (int i = 0; i < 100; i++) {
		CHECK(gmp_maxprocs((int)(gmptest_rand(&s) % 8) + 1) >= 1);
		gmp_yield();
	}
	count(NULL);
}

GTEST(maxprocs_changes_under_load)
{
	int old = gmp_maxprocs(0);

	for (int i = 0; i < 8; i++)
		gmp_go(spin_politely, NULL);
	for (intptr_t i = 0; i < 4; i++)
		gmp_go(resizes, (void *)i);
	wait_for(4);
	CHECK(gmp_maxprocs(old) >= 1);
	CHECK_EQ(gmp_maxprocs(0), old);
	CHECK_EQ(gmp_maxprocs(1025), -EINVAL);
	__atomic_store_n(&stop_all, 1, __ATOMIC_RELAXED);
	wait_for(12);
}

static int many_ps(void *arg)
{
	CHECK_EQ(gmp_maxprocs(0), (intptr_t)arg);
	CHECK_EQ(gmp_maxprocs(1024), (intptr_t)arg);
	CHECK_EQ(gmp_maxprocs(0), 1024);
	for (int i = 0; i < GMPTEST_SCALE(2000); i++)
		CHECK(gmp_go(count, NULL) > 1);
	wait_for(GMPTEST_SCALE(2000));
	CHECK_EQ(gmp_stop_world("test"), 0);
	CHECK_EQ(gmp_start_world(), 0);
	CHECK_EQ(gmp_maxprocs(2), 1024);
	wait_for(GMPTEST_SCALE(2000));
	CHECK_EQ(gmp_maxprocs(0), 2);
	return 0;
}

/* The most there can be. */
TEST(begins_with_1024_ps)
{
	setenv("GMP_MAXPROCS", "1024", 1);
	CHECK_EQ(gmp_run(many_ps, (void *)1024), 0);
}

TEST(grows_to_1024_ps)
{
	setenv("GMP_MAXPROCS", "2", 1);
	CHECK_EQ(gmp_run(many_ps, (void *)2), 0);
}

/* ---- preemption ------------------------------------------------------------------------------------------------ */

static _Atomic uint64_t sink;		/* who loses a count is nobody's loss: no read-modify-write */

static void tight(void *arg)
{
	(void)arg;
	count(NULL);
	for (;;)
		atomic_store_explicit(&sink, sink + 1, memory_order_relaxed);
}

static void tight_until(void *arg)
{
	uint32_t *flag = arg;

	while (!__atomic_load_n(flag, __ATOMIC_RELAXED))
		atomic_store_explicit(&sink, sink + 1, memory_order_relaxed);
	count(NULL);
}

GTEST(tight_loops_do_not_keep_others_from_running)
{
	for (int i = 0; i < 20; i++)
		gmp_go(tight, NULL);
	wait_for(20);	/* each must have been preempted for the next to begin */
}

GTEST(main_returns_while_tight_loops_run)
{
	for (int i = 0; i < 4; i++)
		gmp_go(tight, NULL);
	wait_for(4);
}

GTEST(preempted_goroutines_go_on)
{
	static uint32_t flag;

	for (int i = 0; i < 10; i++)
		gmp_go(tight_until, &flag);
	for (int i = 0; i < 10; i++)
		gmp_yield();
	__atomic_store_n(&flag, 1, __ATOMIC_RELAXED);
	wait_for(10);
}

GTEST(the_world_stops_with_tight_loops_and_system_calls)
{
	static uint32_t flag;

	for (int i = 0; i < 3; i++) {
		gmp_go(tight_until, &flag);
		gmp_go(blocks, NULL);
	}
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(gmp_stop_world("test"), 0);
		CHECK_EQ(gmp_start_world(), 0);
		CHECK(gmp_maxprocs(i % 4 + 1) >= 1);
	}
	__atomic_store_n(&flag, 1, __ATOMIC_RELAXED);
	wait_for(6);
}

static uint64_t cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Hardly ever in the clock's code: there nobody is stopped anyway. */
GTEST(nopreempt_regions_are_not_interrupted)
{
	uint64_t end;

	gmp_nopreempt_begin();
	gmp_go(count, NULL);	/* in the region: a slice that ends in this call would run it */
	gmp_nopreempt_begin();
	gmp_nopreempt_end();
	end = cpu_ms() + 200;
	do {
		for (volatile int i = 0; i < 1000000; i++)
			;
	} while (cpu_ms() < end);
	if (gmp_maxprocs(0) == 1)
		CHECK_EQ(so_far(), 0);
	gmp_nopreempt_end();
	wait_for(1);
}
