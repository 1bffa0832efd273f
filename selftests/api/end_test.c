/* SPDX-License-Identifier: MIT */
/*
 * end_test.c - the end of gmp_run() when somebody is elsewhere: in a call, in a stop of the world.
 */
#include <gmprt.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "death_util.h"

static int fds[2];
static uint32_t inside, after, m0_tid;

static uint32_t get(uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void set(uint32_t *p, uint32_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static uint32_t gettid_(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

/* ---- m0 in somebody else's call -------------------------------------------------------------------- */

static void reads_declared(void *arg)
{
	char c;

	(void)arg;
	gmp_syscall_begin();
	set(&inside, gettid_());
	(void)!read(fds[0], &c, 1);
	gmp_syscall_end();
	set(&after, 1);
}

/* Main parks, so that with one P m0 carries the reader first. */
static int leaves_a_reader(void *arg)
{
	(void)arg;
	CHECK(gmp_go(reads_declared, NULL) > 1);
	while (!get(&inside))
		gmp_sleep(1000000);
	CHECK(get(&inside) != m0_tid);
	return 5;
}

static int nothing(void *arg)
{
	gmp_sleep(1000000);
	return *(int *)arg;
}

PTEST(m0_is_left_for_a_declared_call)
{
	int six = 6;

	CHECK_EQ(pipe(fds), 0);
	set(&inside, 0);
	m0_tid = gettid_();
	CHECK_EQ(gmp_run(leaves_a_reader, NULL), 5);
	CHECK_EQ(write(fds[1], "x", 1), 1);
	CHECK_EQ(gmp_run(nothing, &six), 6);
	close(fds[0]);
	close(fds[1]);
}

/* ---- Ms left behind, and the next run ----------------------------------------------------------------- */

static struct gmp_chan *shared;

/* Nobody saw it block: it still thinks that it has a P. */
static void reads_silently(void *arg)
{
	char c;

	(void)arg;
	set(&inside, 1);
	(void)!read(fds[0], &c, 1);
	set(&after, 1);		/* the program's own code: nothing of ours can stop it */
	gmp_yield();
	set(&after, 2);
}

static void computes(void *arg)
{
	gmp_nopreempt_begin();
	set(&inside, 1);
	while (!get(arg))
		;
	set(&after, 1);
	gmp_chan_recv(NULL, NULL);
	set(&after, 2);
}

static void reads_in_a_deferred_call(void *arg)
{
	CHECK_EQ(gmp_defer(reads_silently, arg), 0);
}

struct leftover {
	void (*fn)(void *);
	uint32_t go, after;	/* how far it comes */
};

static int leaves_one(void *arg)
{
	struct leftover *l = arg;

	gmp_lock_os_thread();	/* nobody else's silent call shall keep m0 */
	CHECK(gmp_go(l->fn, &l->go) > 1);
	while (!get(&inside))
		gmp_sleep(1000000);
	return 0;
}

static void echoes(void *arg)
{
	long v;

	while (gmp_chan_recv(arg, &v) == 1)
		gmp_chan_send(arg, &v);
}

/* Another whole run, with work for all threads; in the middle of it the leftover comes back. */
static int works_on(void *arg)
{
	struct leftover *l = arg;

	shared = gmp_chan_make(sizeof(long), 0);
	for (int i = 0; i < 4; i++)
		CHECK(gmp_go(echoes, shared) > 1);
	for (long i = 0; i < 2000; i++) {
		long v = i;

		if (i == 1000) {
			set(&l->go, 1);
			CHECK_EQ(write(fds[1], "x", 1), 1);
		}
		CHECK_EQ(gmp_chan_send(shared, &v), 0);
		CHECK_EQ(gmp_chan_recv(shared, &v), 1);
		CHECK_EQ(v, i);
	}
	while (get(&after) < l->after)
		gmp_yield();
	gmp_sleep(20000000);
	CHECK_EQ(get(&after), l->after);
	CHECK_EQ(gmp_num_goroutine(), 5);
	return 0;
}

static void leave_behind(void (*fn)(void *), uint32_t how_far)
{
	struct leftover l = { fn, 0, how_far };
	int six = 6;

	CHECK_EQ(pipe(fds), 0);
	set(&inside, 0);
	set(&after, 0);
	CHECK_EQ(gmp_run(leaves_one, &l), 0);
	CHECK_EQ(gmp_run(works_on, &l), 0);
	CHECK_EQ(gmp_run(nothing, &six), 6);
	CHECK_EQ(gmp_stats(&(struct gmp_stats){ .size = sizeof(struct gmp_stats) }), -ESRCH);
}

TEST(left_behind_in_a_declared_call)
{
	leave_behind(reads_declared, 0);
}

TEST(left_behind_in_a_silent_call)
{
	leave_behind(reads_silently, 1);
}

TEST(left_behind_in_a_deferred_call)
{
	leave_behind(reads_in_a_deferred_call, 1);
}

TEST(left_behind_in_a_loop)
{
	setenv("GMP_MAXPROCS", "2", 1);
	leave_behind(computes, 1);
}

/* The end of one run; it comes back before the next begins, and ends as if it had been in time. */
TEST(left_behind_and_back_between_the_runs)
{
	struct leftover l = { reads_declared, 0, 0 };
	int six = 6;

	CHECK_EQ(pipe(fds), 0);
	for (int i = 0; i < 3; i++) {
		set(&inside, 0);
		set(&after, 0);
		CHECK_EQ(gmp_run(leaves_one, &l), 0);
		CHECK_EQ(write(fds[1], "x", 1), 1);
		usleep(20000);
		CHECK_EQ(get(&after), 0);
	}
	CHECK_EQ(gmp_run(nothing, &six), 6);
}

static int deadlocks(void *arg)
{
	(void)arg;
	return gmp_chan_recv(NULL, NULL);
}

static void deadlocks_beside_a_ghost(void *arg)
{
	struct leftover l = { reads_declared, 0, 0 };

	(void)arg;
	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(gmp_run(leaves_one, &l), 0);
	gmp_run(deadlocks, NULL);
}

TEST(deadlock_beside_one_left_behind)
{
	struct death d = die(deadlocks_beside_a_ghost, NULL);

	EXITED(d, 2);
	HAS(d, "all goroutines are asleep - deadlock!");
}

/* ---- a stop of the world that main does not wait for -------------------------------------------------- */

static void stops(void *arg)
{
	(void)arg;
	set(&inside, 1);
	gmp_stop_world("test");
	gmp_start_world();
	set(&inside, 2);
}

/* Main computes, so the stopper waits for it; then it returns at once. */
static int returns_under_a_stop(void *arg)
{
	(void)arg;
	gmp_nopreempt_begin();
	CHECK(gmp_go(stops, NULL) > 1);
	while (!get(&inside))
		;
	for (uint64_t end = gmp_now() + 5000000; gmp_now() < end;)
		;
	CHECK_EQ(get(&inside), 1);
	return 0;
}

TEST(main_returns_while_another_stops_the_world)
{
	uint64_t start;

	setenv("GMP_MAXPROCS", "2", 1);
	for (int i = 0; i < 10; i++) {
		set(&inside, 0);
		start = gmp_now();
		CHECK_EQ(gmp_run(returns_under_a_stop, NULL), 0);
		CHECK(gmp_now() - start < 1900000000);	/* nobody was waited for in vain */
	}
}

static void ends_stopped(void *arg)
{
	(void)arg;
	CHECK_EQ(gmp_stop_world("test"), 0);
}

static int waits_for_it(void *arg)
{
	(void)arg;
	CHECK(gmp_go(ends_stopped, NULL) > 1);
	gmp_sleep(1000000000);
	return 0;
}

static int main_ends_stopped(void *arg)
{
	ends_stopped(arg);
	return 0;
}

static void run_it(void *fn)
{
	_exit(gmp_run((int (*)(void *))(uintptr_t)fn, NULL));
}

PTEST(ending_in_a_stopped_world_is_fatal)
{
	struct death d = die(run_it, (void *)(uintptr_t)waits_for_it);

	EXITED(d, 2);
	HAS(d, "fatal error: goroutine ended while it had the world stopped");
	d = die(run_it, (void *)(uintptr_t)main_ends_stopped);
	EXITED(d, 2);
	HAS(d, "fatal error: goroutine ended while it had the world stopped");
}

/* ---- SIGURG is the program's ------------------------------------------------------------------------------ */

static uint32_t early, late;

static void on_early(int sig)
{
	(void)sig;
	__atomic_add_fetch(&early, 1, __ATOMIC_RELAXED);
}

static void on_late(int sig)
{
	(void)sig;
	__atomic_add_fetch(&late, 1, __ATOMIC_RELAXED);
}

static int raises(void *arg)
{
	(void)arg;
	pthread_kill(pthread_self(), SIGURG);
	return 0;
}

static int replaces(void *arg)
{
	(void)arg;
	signal(SIGURG, on_late);
	return 0;
}

TEST(handlers_of_sigurg_are_kept)
{
	struct sigaction now;

	signal(SIGURG, on_early);
	CHECK_EQ(gmp_run(raises, NULL), 0);
	CHECK_EQ(get(&early), 1);
	sigaction(SIGURG, NULL, &now);
	CHECK(now.sa_handler == on_early);
	CHECK_EQ(gmp_run(replaces, NULL), 0);
	sigaction(SIGURG, NULL, &now);
	CHECK(now.sa_handler == on_late);
}

/* ---- preemption without a descriptor to look into /proc ---------------------------------------------------- */

static void tight(void *arg)
{
	static volatile uint64_t sink;

	(void)arg;
	set(&inside, 1);
	for (;;)
		sink++;
}

static int uses_all_descriptors(void *arg)
{
	(void)arg;
	CHECK(gmp_go(tight, NULL) > 1);
	while (dup(0) >= 0)
		;
	CHECK_EQ(errno, EMFILE);
	while (!get(&inside))
		gmp_yield();
	for (int i = 0; i < 5; i++)
		gmp_yield();
	return 0;
}

static void run_without_descriptors(void *arg)
{
	(void)arg;
	_exit(gmp_run(uses_all_descriptors, NULL));
}

TEST(preempts_without_descriptors)
{
	struct death d;

	setenv("GMP_MAXPROCS", "1", 1);
	d = die(run_without_descriptors, NULL);
	EXITED(d, 0);
}

/* ---- what abandoned goroutines had -------------------------------------------------------------------------- */

static void waits_with_a_name(void *arg)
{
	CHECK_EQ(gmp_set_name("abandoned"), 0);
	CHECK_EQ(gmp_set_label("k", "v"), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(gmp_defer((void (*)(void *))(uintptr_t)set, arg), 0);
	gmp_chan_recv(NULL, NULL);
	__asm__ volatile("");
}

static int abandons(void *arg)
{
	for (int i = 0; i < 10; i++)
		CHECK(gmp_go(waits_with_a_name, arg) > 1);
	settle(10);
	return 0;
}

TEST(names_and_deferred_calls_are_freed)
{
	size_t before = 0;

	setenv("GMP_MAXPROCS", "1", 1);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(gmp_run(abandons, NULL), 0);
		if (i == 20)
			before = mallinfo2().uordblks;
	}
	CHECK(mallinfo2().uordblks < before + 64 * 1024);
}
