/* SPDX-License-Identifier: MIT */
/*
 * sigmask_test.c - signal masks: those that gmp_run() finds, and those that goroutines make.
 */
#include <gmprt.h>
#include <pthread.h>

#include "death_util.h"

static volatile uint64_t counts[3];

static void counts_for_ever(void *arg)
{
	volatile uint64_t *n = arg;

	for (;;)
		++*n;
}

/* Each time all loops are stopped: with one P they run at all only because each is. */
static int stops_tight_loops(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		CHECK(gmp_go(counts_for_ever, (void *)&counts[i]) > 1);
	for (int i = 0; i < 5; i++) {
		uint64_t before;

		gmp_sleep(1000000);
		CHECK_EQ(gmp_stop_world("test"), 0);
		before = counts[0] + counts[1] + counts[2];
		for (volatile int k = 0; k < 100000;)
			k = k + 1;
		CHECK_EQ(counts[0] + counts[1] + counts[2], before);
		CHECK_EQ(gmp_start_world(), 0);
	}
	return 0;
}

/* ---- before the run ------------------------------------------------------------------------------------ */

static void check_mask(const sigset_t *want)
{
	sigset_t now;

	CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
	for (int s = 1; s <= SIGRTMAX; s++) {
		if (sigismember(want, s) != sigismember(&now, s))
			GMPTEST_FAIL_("signal %d: blocked %d, wanted %d", s, sigismember(&now, s),
				      sigismember(want, s));
	}
}

static void run_with(const sigset_t *mask)
{
	sigset_t want;

	CHECK_EQ(pthread_sigmask(SIG_SETMASK, mask, NULL), 0);
	CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &want), 0);
	CHECK_EQ(gmp_run(stops_tight_loops, NULL), 0);
	check_mask(&want);
}

/* As programs do that take their signals by sigwait() or signalfd(). SIGALRM ends a test that hangs. */
static sigset_t all_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGALRM);
	return all;
}

PTEST(all_signals_blocked_before_the_run)
{
	sigset_t all = all_signals(), none, urg;

	sigemptyset(&none);
	sigemptyset(&urg);
	sigaddset(&urg, SIGURG);
	run_with(&all);
	run_with(&none);
	run_with(&urg);
}

/* What the program blocked stays so in every goroutine, but for the runtime's own signal. */
static void is_blocked(void *arg)
{
	sigset_t now;

	CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
	CHECK_EQ(sigismember(&now, SIGUSR1), 1);
	CHECK_EQ(sigismember(&now, SIGTERM), 1);
	gmp_wg_done(arg);
}

static int others_stay_blocked(void *arg)
{
	static struct gmp_wg wg;

	(void)arg;
	gmp_wg_add(&wg, 20);
	for (int i = 0; i < 20; i++)
		CHECK(gmp_go(is_blocked, &wg) > 1);
	gmp_wg_wait(&wg);
	return 0;
}

PTEST(what_the_program_blocked_stays_blocked)
{
	sigset_t all = all_signals();

	CHECK_EQ(pthread_sigmask(SIG_SETMASK, &all, NULL), 0);
	CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &all), 0);
	CHECK_EQ(gmp_run(others_stay_blocked, NULL), 0);
	check_mask(&all);
}

/* ---- in the run ---------------------------------------------------------------------------------------- */

static void change_mask(int how, int sig)
{
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, sig);
	CHECK_EQ(pthread_sigmask(how, &one, NULL), 0);
}

static void masks_and_counts(void *arg)
{
	change_mask(SIG_BLOCK, SIGUSR1);
	counts_for_ever(arg);
}

/* The thread's mask stays for whoever runs there next. */
static void only_masks(void *arg)
{
	change_mask(SIG_BLOCK, SIGUSR2);
	gmp_wg_done(arg);
}

static int stops_loops_with_masks(void *arg)
{
	static struct gmp_wg wg;

	for (int i = 0; i < 8; i++) {
		gmp_wg_add(&wg, 1);
		CHECK(gmp_go(only_masks, &wg) > 1);
	}
	gmp_wg_wait(&wg);
	for (int i = 0; i < 3; i++)
		CHECK(gmp_go(masks_and_counts, (void *)&counts[i]) > 1);
	return stops_tight_loops(arg);
}

PTEST(masks_of_goroutines)
{
	if (GMPTEST_SANITIZED)
		SKIP("another mask counts as a handler's under sanitizers");
	CHECK_EQ(gmp_run(stops_loops_with_masks, NULL), 0);
}

/* ---- a handler on the goroutine's own stack ------------------------------------------------------------ */

static volatile int inside;
static _Atomic int rounds;

/* Long enough for several signals, and many times as often as others are to come by. */
static void computes(int sig)
{
	struct timespec now;
	uint64_t end = 0, ns;

	(void)sig;
	inside++;
	do {
		for (volatile int k = 0; k < 10000;)
			k = k + 1;
		clock_gettime(CLOCK_MONOTONIC, &now);
		ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
		end = end ? end : ns + 40000000;
	} while (ns < end);
	inside--;
}

/* Where one is stopped, it is stopped with the world, or another goroutine has its P. */
static void looks(void *arg)
{
	(void)arg;
	for (;;) {
		CHECK_EQ(gmp_stop_world("look"), 0);
		CHECK_EQ(inside, 0);
		CHECK_EQ(gmp_start_world(), 0);
		rounds++;
		gmp_sleep(1000000);
	}
}

static void raise_here(int times)
{
	for (int i = 0; i < times; i++) {
		int before = rounds;

		CHECK_EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
		while (rounds == before)
			;	/* the loop itself is stopped */
	}
}

static int raises(void *arg)
{
	(void)arg;
	CHECK(gmp_go(looks, NULL) > 1);
	raise_here(2);
	if (GMPTEST_SANITIZED)
		return 0;
	change_mask(SIG_BLOCK, SIGUSR2);
	raise_here(2);
	/* Blocked, sent, let in: the handler has the mask that the goroutine had before. */
	for (int i = 0; i < 3; i++) {
		change_mask(SIG_BLOCK, SIGUSR1);
		CHECK_EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
		for (int before = rounds; rounds == before;)
			;
		change_mask(SIG_UNBLOCK, SIGUSR1);
	}
	return 0;
}

static void run_raises(int flags)
{
	struct sigaction sa = { .sa_handler = computes, .sa_flags = flags };

	sigemptyset(&sa.sa_mask);
	CHECK_EQ(sigaction(SIGUSR1, &sa, NULL), 0);
	CHECK_EQ(gmp_run(raises, NULL), 0);
	CHECK_EQ(inside, 0);
}

PTEST(not_in_a_handler_on_the_goroutines_stack)
{
	run_raises(SA_RESTART);
	run_raises(SA_RESTART | SA_SIGINFO);
}
