/* SPDX-License-Identifier: MIT */
/* Nobody is left behind: yields, hogs, timers, system calls, locked threads; the list is Go's. */
#include <gmprt.h>
#include <sys/resource.h>

#include "gmptest.h"

static uint32_t stop, ready;		/* atomic */

static uint32_t get(uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void set(uint32_t *p)
{
	__atomic_store_n(p, 1, __ATOMIC_RELEASE);
}

static struct gmp_wg wg;

static void yields_until_stopped(void *arg)
{
	if (arg)
		gmp_lock_os_thread();
	set(&ready);
	while (!get(&stop))
		gmp_yield();
}

GTEST(who_yields_lets_others_make_progress)
{
	CHECK(gmp_wg_go(&wg, yields_until_stopped, NULL) > 1);
	gmp_sleep(1000000);
	set(&stop);
	gmp_wg_wait(&wg);
}

GTEST(who_yields_locked_lets_others_make_progress)
{
	CHECK(gmp_wg_go(&wg, yields_until_stopped, &wg) > 1);
	gmp_sleep(1000000);
	set(&stop);
	gmp_wg_wait(&wg);
	CHECK(get(&ready));
}

/* ---- as many at once as there are Ps ----------------------------------------------------------------- */

static uint32_t turn;

/* Each waits for its number without ever letting go: all must be running. */
static void waits_for_its_turn(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg, procs = (uint32_t)gmp_maxprocs(0);

	for (int i = 0; i < 3; i++) {
		while (get(&turn) != me + procs * (uint32_t)i)
			;
		__atomic_add_fetch(&turn, 1, __ATOMIC_ACQ_REL);
	}
}

GTEST(goroutines_run_at_the_same_time)
{
	int procs = gmp_maxprocs(0);

	for (int round = 0; round < 5; round++) {
		turn = 0;
		for (intptr_t i = 0; i < procs; i++)
			CHECK(gmp_wg_go(&wg, waits_for_its_turn, (void *)i) > 1);
		gmp_wg_wait(&wg);
	}
}

/* ---- and not more -------------------------------------------------------------------------------------- */

static int32_t at_work, most;	/* atomic */

static void note_how_many(int32_t n)
{
	int32_t seen = __atomic_load_n(&most, __ATOMIC_RELAXED);

	while (n > seen && !__atomic_compare_exchange_n(&most, &seen, n, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* Who is stopped in the middle would count without running: so nobody is. */
static void works(void *arg)
{
	(void)arg;
	for (int i = 0; i < GMPTEST_SCALE(200); i++) {
		gmp_nopreempt_begin();
		note_how_many(__atomic_add_fetch(&at_work, 1, __ATOMIC_ACQ_REL));
		for (volatile int k = 0; k < 5000; k++)
			;
		__atomic_sub_fetch(&at_work, 1, __ATOMIC_ACQ_REL);
		gmp_nopreempt_end();
		gmp_syscall_begin();	/* there are more threads than Ps */
		usleep(i % 8 == 0);
		gmp_syscall_end();
	}
}

GTEST(never_more_run_than_there_are_ps)
{
	int procs = atoi(getenv("GMP_MAXPROCS"));

	for (int i = 0; i < 12; i++)
		CHECK(gmp_wg_go(&wg, works, NULL) > 1);
	gmp_wg_wait(&wg);
	printf("# %d at once\n", most);
	CHECK(most >= 1 && most <= procs);
}

/* ---- hogs --------------------------------------------------------------------------------------------- */

static void hogs(void *arg)
{
	(void)arg;
	while (!get(&stop))
		__asm__ __volatile__("pause");
}

static struct gmp_chan *ping, *pong;

static void answers(void *arg)
{
	(void)arg;
	while (gmp_chan_recv(ping, NULL) == 1)
		CHECK_EQ(gmp_chan_send(pong, NULL), 0);
}

/* Two that wake each other at once do not hold up a hog for ever, nor a hog those two. */
GTEST(ping_pong_beside_a_hog)
{
	ping = gmp_chan_make(0, 0);
	pong = gmp_chan_make(0, 0);
	CHECK(gmp_wg_go(&wg, hogs, NULL) > 1);
	CHECK(gmp_wg_go(&wg, answers, NULL) > 1);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(gmp_chan_send(ping, NULL), 0);
		CHECK_EQ(gmp_chan_recv(pong, NULL), 1);
	}
	gmp_chan_close(ping);
	set(&stop);
	gmp_wg_wait(&wg);
	gmp_chan_unref(ping);
	gmp_chan_unref(pong);
}

static void echo_for_ever(void *arg)
{
	(void)arg;
	while (!get(&stop)) {
		if (gmp_chan_try_send(ping, NULL) == 0)
			gmp_chan_try_recv(ping, NULL);
		gmp_yield();
	}
}

/* Goroutines that are always runnable do not keep a timer from its turn. */
GTEST(timers_beside_busy_goroutines)
{
	struct gmp_chan *after;

	ping = gmp_chan_make(0, 1);
	for (int i = 0; i < 2; i++)
		CHECK(gmp_wg_go(&wg, echo_for_ever, NULL) > 1);
	after = gmp_after(1000000);
	CHECK_EQ(gmp_chan_recv(after, NULL), 1);
	set(&stop);
	gmp_wg_wait(&wg);
	gmp_chan_unref(after);
	gmp_chan_unref(ping);
}

/* ---- after a system call a loop is preempted as before -------------------------------------------------- */

static void loops_after_a_call(void *arg)
{
	struct timespec ts = { .tv_nsec = 100000 };

	(void)arg;
	gmp_syscall_begin();
	nanosleep(&ts, NULL);
	gmp_syscall_end();
	set(&ready);
	while (!get(&stop))
		__asm__ __volatile__("pause");
}

GTEST(a_loop_after_a_system_call_is_preempted)
{
	for (int i = 0; i < 4; i++)
		CHECK(gmp_wg_go(&wg, loops_after_a_call, NULL) > 1);
	while (!get(&ready))
		gmp_yield();
	gmp_sleep(1000000);
	set(&stop);
	gmp_wg_wait(&wg);
}

/* ---- readers at the same time ------------------------------------------------------------------------------ */

static struct gmp_rwmutex rw;
static struct gmp_chan *in, *go_on;

static void reads(void *arg)
{
	(void)arg;
	gmp_rwmutex_rlock(&rw);
	CHECK_EQ(gmp_chan_send(in, NULL), 0);
	CHECK_EQ(gmp_chan_recv(go_on, NULL), 0);
	gmp_rwmutex_runlock(&rw);
}

GTEST(all_readers_are_inside_at_once)
{
	in = gmp_chan_make(0, 0);
	go_on = gmp_chan_make(0, 0);
	for (int i = 0; i < 10; i++)
		CHECK(gmp_wg_go(&wg, reads, NULL) > 1);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(gmp_chan_recv(in, NULL), 1);
	CHECK_EQ(gmp_rwmutex_trylock(&rw), -EBUSY);
	gmp_chan_close(go_on);
	gmp_wg_wait(&wg);
	gmp_rwmutex_lock(&rw);
	gmp_rwmutex_unlock(&rw);
	gmp_chan_unref(in);
	gmp_chan_unref(go_on);
}

/* ---- RLIMIT_SIGPENDING is used up: signals carry nothing ----------------------------------------------- */

static void no_pending_signals(void)
{
	const struct rlimit none = { 0, 0 };

	CHECK_EQ(setrlimit(RLIMIT_SIGPENDING, &none), 0);
}

static void tight(void *n)
{
	__atomic_add_fetch((uint32_t *)n, 1, __ATOMIC_ACQ_REL);
	for (;;)
		__asm__ volatile("");
}

GTEST(no_room_for_pending_signals)
{
	static uint32_t n;

	no_pending_signals();
	for (int i = 0; i < 8; i++)
		CHECK(gmp_go(tight, &n) > 1);
	while (get(&n) < 8)		/* each must have been preempted for the next to begin */
		gmp_yield();
}

static uint32_t urgent;

static void on_urg(int sig)
{
	(void)sig;
	__atomic_add_fetch(&urgent, 1, __ATOMIC_ACQ_REL);
}

static int raises(void *arg)
{
	static uint32_t n;

	gmp_go(tight, &n);
	while (!get(&n))
		gmp_yield();
	for (int i = 0; i < 100; i++)
		raise(SIGURG);
	return arg != NULL;
}

/* Some may be taken for ours: when we had just sent one. */
TEST(the_programs_own_without_room_for_pending_signals)
{
	struct sigaction sa = { .sa_handler = on_urg };

	no_pending_signals();
	CHECK_EQ(sigaction(SIGURG, &sa, NULL), 0);
	CHECK_EQ(gmp_run(raises, NULL), 0);
	CHECK(get(&urgent) >= 50);
}
