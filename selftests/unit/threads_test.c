/* SPDX-License-Identifier: MIT */
/*
 * threads_test.c - how many Ms there are: no more than the limit, few when they are idle; and what one does
 * that has no P.
 *
 * The limit is that of the scheduler, set lower.
 */
#include "sched/hot.h"

#include <dirent.h>
#include <gmprt.h>
#include <unistd.h>

#include "gmptest.h"

#define MS	1000000ll
#define THREADS	24

static int tasks(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;

	CHECK(d);
	while ((e = readdir(d)) != NULL)
		n += atoi(e->d_name) > 0;
	closedir(d);
	return n;
}

static uint32_t go_on;	/* atomic */
static int inside;		/* calls in progress; atomic */
static struct gmp_wg done;

static void blocks(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED);
	gmp_syscall_begin();
	while (!rt_load_acq(&go_on))
		usleep(1000);
	gmp_syscall_end();
	__atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
	gmp_wg_done(&done);
}

static void block_all(int n)
{
	rt_store_rel(&go_on, 0);
	gmp_wg_add(&done, n);
	for (int i = 0; i < n; i++)
		gmp_go(blocks, NULL);
	for (int i = 0; i < 5000 && __atomic_load_n(&inside, __ATOMIC_RELAXED) < n; i++)
		gmp_sleep(MS);
	CHECK(tasks() > n);	/* each on a thread of its own, and this */
}

static void release(void)
{
	rt_store_rel(&go_on, 1);
	gmp_wg_wait(&done);
}

/* ---- idle ones end ------------------------------------------------------------------------------------- */

/* Four idle ones may stay, and m0; sysmon, and liburcu's that frees them, are no Ms. */
static int burst_of_calls(void *arg)
{
	struct gmp_stats st = { .size = sizeof(st) };
	uint64_t t0;

	(void)arg;
	block_all(THREADS);
	CHECK_EQ(gmp_stats(&st), 0);
	CHECK(st.threads > THREADS);
	release();
	t0 = rt_now();
	gmp_sleep(2000 * MS);
	CHECK(tasks() > THREADS);	/* not at once: the next burst may come soon */
	while ((tasks() > 8 || rt_sched.mdead) && rt_now() - t0 < 20000 * (uint64_t)MS)
		gmp_sleep(100 * MS);
	CHECK_EQ(gmp_stats(&st), 0);
	printf("# %d tasks, %u Ms, %u of them idle, after %llu ms\n", tasks(), st.threads, st.idle_threads,
	       (unsigned long long)((rt_now() - t0) / 1000000));
	CHECK(tasks() <= 8);
	CHECK(st.threads <= 6);
	CHECK(!rt_sched.mdead);		/* joined */
	block_all(THREADS);		/* and new ones can be made */
	release();
	return 0;
}

TEST(idle_threads_end_after_seconds)
{
	setenv("GMP_MAXPROCS", "1", 1);
	CHECK_EQ(gmp_run(burst_of_calls, NULL), 0);
}

/* ---- the limit -------------------------------------------------------------------------------------------- */

static int limited(void *arg)
{
	rt_sched.maxmcount = THREADS;
	block_all((int)(intptr_t)arg);
	release();
	return 0;
}

/*
 * All but two in calls, one that runs goroutine 1, and m0, which is in nobody's call: it may not sleep
 * yet, when it has just handed on a goroutine that wanted to make one there, and one more is made.
 */
TEST(as_many_as_allowed)
{
	setenv("GMP_MAXPROCS", "1", 1);
	CHECK_EQ(gmp_run(limited, (void *)(THREADS - 2)), 0);
}

static void too_many(const char *text)
{
	setenv("GMP_MAXPROCS", "1", 1);
	DEATH(_exit(gmp_run(limited, (void *)(intptr_t)(THREADS + 10))), text);
}

TEST(one_more_is_fatal)
{
	too_many("runtime: program exceeds 24-thread limit\nfatal error: thread exhaustion\n");
}

static int the_limit(void *arg)
{
	(void)arg;
	return (int)rt_sched.maxmcount;
}

TEST(the_limit_is_ten_thousand)
{
	CHECK_EQ(gmp_run(the_limit, NULL), 10000);
}

/* ---- without a P --------------------------------------------------------------------------------------------- */

static int gate[2];
static struct rt_m *caller;	/* the M of the call; atomic */
static uint32_t came_back;	/* atomic */

static void one_call(void *arg)
{
	char c;

	(void)arg;
	gmp_syscall_begin();
	rt_store_rel(&caller, rt_getm());	/* not before: it may go to another thread for its call */
	CHECK_EQ(read(gate[0], &c, 1), 1);
	gmp_syscall_end();
	rt_store_rel(&came_back, 1);
}

static bool sleeps_without(const struct rt_m *mp)
{
	return rt_load_acq(&mp->slot->mstate) == GMP_M_IDLE && !rt_load_rlx(&mp->p);
}

/*
 * The only P is ours and stays so. The M of a call that has ended queues its goroutine, which needs none, and
 * sleeps; it runs the goroutine only when a P is to be had.
 */
static int keeps_the_only_p(void *arg)
{
	struct rt_m *other;

	(void)arg;
	CHECK_EQ(pipe(gate), 0);
	CHECK(gmp_go(one_call, NULL) > 1);
	while ((other = rt_load_acq(&caller)) == NULL)
		gmp_yield();		/* until sysmon took the P from that call */
	gmp_nopreempt_begin();
	CHECK(other != rt_getm());
	CHECK_EQ(write(gate[1], "x", 1), 1);
	while (rt_load_acq(&rt_sched.globq.n) != 1 || !sleeps_without(other)) {
		CHECK(!rt_load_acq(&came_back));
		usleep(100);
	}
	usleep(20000);
	CHECK(!rt_load_acq(&came_back));
	CHECK(sleeps_without(other));
	gmp_nopreempt_end();
	while (!rt_load_acq(&came_back))
		gmp_yield();
	return 0;
}

TEST(an_m_without_a_p_queues_its_goroutine_and_sleeps)
{
	setenv("GMP_MAXPROCS", "1", 1);
	CHECK_EQ(gmp_run(keeps_the_only_p, NULL), 0);
}
