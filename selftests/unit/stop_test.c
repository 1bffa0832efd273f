/* SPDX-License-Identifier: MIT */
/* stop_test.c - stops are not lost, and wait for no system call; threads that ended are joined before gmp_run() returns. */
#include <fcntl.h>
#include <gmprt.h>

#include "gmptest.h"
#include "sched/sched.h"

/* g0 takes back what it did; a stop is the stopper's. */
GTEST(a_stop_request_outlives_a_scheduling_point)
{
	struct rt_p *pp;
	uint32_t left;

	gmp_lock_os_thread();
	gmp_nopreempt_begin();
	pp = rt_getm()->p;
	rt_or_ar(&pp->attention, RT_ATT_STOP | RT_ATT_PREEMPT);
	gmp_unlock_os_thread();
	gmp_yield();
	/* Here perhaps on another P: nobody else clears it, so it may be looked at from anywhere. */
	left = rt_and_ar(&pp->attention, ~RT_ATT_STOP);
	CHECK_EQ(left & RT_ATT_STOP, RT_ATT_STOP);
}

static uint32_t in_call, stopped;	/* atomic */

static void calls_until_stopped(void *arg)
{
	(void)arg;
	gmp_syscall_begin();
	rt_store_rel(&in_call, 1);
	while (!rt_load_acq(&stopped))
		usleep(100);
	gmp_syscall_end();
}

/* Who stops the world takes the P of the call: its M comes back only after that, and nobody else would. */
static int stops_beside_a_call(void *arg)
{
	struct gmp_wg wg = { 0 };

	(void)arg;
	CHECK(gmp_wg_go(&wg, calls_until_stopped, NULL) > 1);
	while (!rt_load_acq(&in_call))
		;
	CHECK_EQ(gmp_stop_world("test"), 0);
	for (uint32_t i = 0; i < rt_sched.maxprocs; i++)
		CHECK_EQ(GMP_P_WORD_STATUS(rt_load_acq(rt_sched.allp[i]->word)), GMP_P_GCSTOP);
	rt_store_rel(&stopped, 1);
	CHECK_EQ(gmp_start_world(), 0);
	gmp_wg_wait(&wg);
	return 0;
}

TEST(the_world_stops_without_those_in_system_calls)
{
	setenv("GMP_MAXPROCS", "2", 1);
	setenv("GMP_DEBUG", "sysmon=0", 1);
	CHECK_EQ(gmp_run(stops_beside_a_call, NULL), 0);
}

static void work(void *arg)
{
	gmp_wg_done(arg);
}

static int spawn_some(void *arg)
{
	struct gmp_wg wg = { 0 };

	(void)arg;
	gmp_wg_add(&wg, 50);
	for (int i = 0; i < 50; i++)
		gmp_go(work, &wg);
	gmp_wg_wait(&wg);
	return 0;
}

TEST(all_threads_are_joined)
{
	setenv("GMP_MAXPROCS", "4", 1);
	for (int i = 0; i < 200; i++) {
		CHECK_EQ(gmp_run(spawn_some, NULL), 0);
		CHECK(rt_sched.mdead == NULL);
	}
}

/* ---- a goroutine that still runs when main has returned ------------------------------------------------- */

#define FAR	3600000000000ull

static struct {
	struct gmp_fd *fd;
	struct gmp_timer timer;
	int null;
	int64_t go, go_in_call;
	int deadline, timed, stats, met, dumped;
	uint32_t begun, done;	/* atomic; how many */
} late;

static void never_called(void *arg)
{
	(void)arg;
	_exit(GMPTEST_FAILED);
}

/* Nobody stops it here: it sees the run's end from inside. */
static void straggler(void *arg)
{
	struct gmp_stats st = { .size = sizeof(st) };

	(void)arg;
	gmp_nopreempt_begin();
	rt_add_ar(&late.begun, 1);
	while (rt_load_acq(&rt_sched.running))
		;
	late.go = gmp_go(never_called, NULL);
	late.deadline = gmp_set_deadline(late.fd, gmp_now() + FAR);
	late.timed = gmp_timer_start(&late.timer, FAR, never_called, NULL);
	late.stats = gmp_stats(&st);
	late.met = gmp_goroutines(NULL, NULL);
	late.dumped = gmp_dump(late.null);
	rt_add_ar(&late.done, 1);
}

/* Without a P. */
static void straggler_in_a_call(void *arg)
{
	(void)arg;
	gmp_syscall_begin();
	rt_add_ar(&late.begun, 1);
	while (rt_load_acq(&rt_sched.running))
		;
	late.go_in_call = gmp_go(never_called, NULL);
	rt_add_ar(&late.done, 1);
	gmp_syscall_end();
}

/* Stops there: nobody has Ps to give any more. Nor does it choose for the next run. */
static void straggler_who_wants_procs(void *arg)
{
	(void)arg;
	gmp_nopreempt_begin();
	rt_add_ar(&late.begun, 1);
	while (rt_load_acq(&rt_sched.running))
		;
	rt_add_ar(&late.done, 1);
	gmp_maxprocs(7);
	_exit(GMPTEST_FAILED);
}

static int returns_meanwhile(void *arg)
{
	int p[2];

	(void)arg;
	gmp_lock_os_thread();	/* m0, on which gmp_run() ends the run, must carry nobody else */
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(gmp_fd_adopt(p[0], &late.fd), 0);
	CHECK(gmp_go(straggler, NULL) > 1);
	CHECK(gmp_go(straggler_in_a_call, NULL) > 1);
	CHECK(gmp_go(straggler_who_wants_procs, NULL) > 1);
	while (rt_load_acq(&late.begun) < 3)
		gmp_yield();
	return 0;
}

TEST(calls_work_until_the_goroutine_is_stopped)
{
	setenv("GMP_MAXPROCS", "4", 1);
	late.null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	CHECK_EQ(gmp_run(returns_meanwhile, NULL), 0);
	while (rt_load_acq(&late.done) < 3)	/* a slow machine: left behind */
		usleep(1000);
	CHECK(late.go > 1);
	CHECK(late.go_in_call > 1);
	CHECK_EQ(gmp_maxprocs(0), 4);
	CHECK_EQ(late.deadline, 0);
	CHECK_EQ(late.timed, 0);
	CHECK_EQ(late.stats, 0);
	CHECK(late.met >= 1);
	CHECK_EQ(late.dumped, 0);
}
