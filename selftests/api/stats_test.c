/* SPDX-License-Identifier: MIT */
/*
 * stats_test.c - gmp_stats(): the numbers agree with what was done.
 */
#include <gmprt.h>
#include <pthread.h>

#include "death_util.h"

static struct gmp_stats now(void)
{
	struct gmp_stats st = { .size = sizeof(st) };

	CHECK_EQ(gmp_stats(&st), 0);
	return st;
}

static void nothing(void *arg)
{
	(void)arg;
}

static void wait_alone(void)
{
	while (gmp_num_goroutine() > 1)
		gmp_yield();
}

GTEST(what_is_there)
{
	struct gmp_stats st = now();

	CHECK_EQ(st.procs, atoi(getenv("GMP_MAXPROCS")));
	CHECK(st.idle_procs < st.procs);
	CHECK(st.threads >= 1 && st.threads <= st.threads_created);
	CHECK_EQ(st.goroutines, 1);
	CHECK(st.stacks >= 1 && st.stack_bytes >= 262144);
	CHECK_EQ(st.declared_syscalls, 0);
	CHECK_EQ(st.size, sizeof(st));
}

GTEST(spawns_and_switches)
{
	struct gmp_stats a = now(), b;

	for (int i = 0; i < 100; i++)
		CHECK(gmp_go(nothing, NULL) > 0);
	wait_alone();
	b = now();
	CHECK_EQ(b.spawned - a.spawned, 100);
	CHECK(b.switches - a.switches >= 100);
	CHECK_EQ(b.goroutines, 1);
}

static struct gmp_chan *c;

static void echo(void *arg)
{
	int v;

	(void)arg;
	while (gmp_chan_recv(c, &v) == 1)
		;
}

GTEST(parks_and_wakeups)
{
	struct gmp_stats a, b;
	int v = 1;

	c = gmp_chan_make(sizeof(int), 0);
	gmp_go(echo, NULL);
	a = now();
	for (int i = 0; i < 100; i++)
		gmp_chan_send(c, &v);
	b = now();
	CHECK(b.parks > a.parks);
	CHECK(b.readies > a.readies);
	gmp_chan_close(c);
}

/* With one P nobody takes anything away: the queue is as long as what was put there. */
static int queued(void *arg)
{
	struct gmp_stats st;

	(void)arg;
	gmp_nopreempt_begin();		/* nor does anybody run because a slice is over */
	for (int i = 0; i < 50; i++)
		gmp_go(nothing, NULL);
	st = now();
	CHECK_EQ(st.local_queues + st.global_queue, 50);
	CHECK_EQ(st.goroutines, 51);
	for (int i = 0; i < 300; i++)
		gmp_go(nothing, NULL);
	st = now();
	CHECK_EQ(st.local_queues + st.global_queue, 350);
	CHECK(st.overflows >= 1 && st.overflowed >= 128);
	gmp_nopreempt_end();
	return 0;
}

TEST(queues_of_one_p)
{
	setenv("GMP_MAXPROCS", "1", 1);
	CHECK_EQ(gmp_run(queued, NULL), 0);
}

static void in_call(void *arg)
{
	gmp_syscall_begin();
	while (!__atomic_load_n((int *)arg, __ATOMIC_ACQUIRE))
		usleep(1000);
	gmp_syscall_end();
}

GTEST(system_calls)
{
	int leave = 0;

	gmp_go(in_call, &leave);
	settle(1);
	CHECK_EQ(now().declared_syscalls, 1);
	__atomic_store_n(&leave, 1, __ATOMIC_RELEASE);
	wait_alone();
	CHECK_EQ(now().declared_syscalls, 0);
}

/* ---- sizes, places ---------------------------------------------------------------------------------------- */

GTEST(sizes)
{
	struct gmp_stats st = { .size = sizeof(st) + 8 };

	CHECK_EQ(gmp_stats(NULL), -EINVAL);
	CHECK_EQ(gmp_stats(&st), -EINVAL);
	st.size = 0;
	CHECK_EQ(gmp_stats(&st), -EINVAL);
	memset(&st, 0xff, sizeof(st));
	st.size = offsetof(struct gmp_stats, threads);
	CHECK_EQ(gmp_stats(&st), 0);
	CHECK_EQ(st.size, offsetof(struct gmp_stats, threads));
	CHECK_EQ(st.procs, atoi(getenv("GMP_MAXPROCS")));
	CHECK_EQ(st.threads, ~0u);		/* an old caller's memory ends before it */
}

static void *thread(void *arg)
{
	struct gmp_stats *st = arg;

	for (int i = 0; i < 100; i++) {
		st->size = sizeof(*st);
		CHECK_EQ(gmp_stats(st), 0);
	}
	return NULL;
}

/* Also while the number of Ps changes under the reader. */
GTEST(from_a_foreign_thread)
{
	struct gmp_stats st;
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, thread, &st), 0);
	for (int i = 0; i < 20; i++)
		gmp_maxprocs(1 + i % 9);
	gmp_syscall_begin();
	pthread_join(t, NULL);
	gmp_syscall_end();
	CHECK_EQ(st.goroutines, 1);
}

TEST(outside_of_a_run)
{
	struct gmp_stats st = { .size = sizeof(st) };

	CHECK_EQ(gmp_stats(&st), -ESRCH);
}
