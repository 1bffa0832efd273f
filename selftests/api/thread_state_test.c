/* SPDX-License-Identifier: MIT */
/*
 * thread_state_test.c - a goroutine that locks itself to its thread may change it: no other thread gets
 * to be like it.
 */
#include <gmprt.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "gmptest.h"

static struct gmp_wg wg;
static uint32_t inside;

enum { GS = 12 };

/* On as many threads as there are goroutines: each blocks until all do. */
static void looks(void *arg)
{
	char name[16] = "";
	sigset_t mask;

	(void)arg;
	gmp_syscall_begin();
	__atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&inside, __ATOMIC_SEQ_CST) < GS)
		usleep(500);
	prctl(PR_GET_NAME, name);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	CHECK(strcmp(name, "odd") != 0);
	CHECK(!sigismember(&mask, SIGUSR1));
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
	gmp_syscall_end();
}

static void become_odd(void)
{
	sigset_t set;

	prctl(PR_SET_NAME, "odd");
	prctl(PR_SET_TIMERSLACK, 12345);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void makes(void *arg)
{
	(void)arg;
	gmp_lock_os_thread();
	become_odd();
	for (int i = 0; i < GS; i++)
		CHECK(gmp_wg_go(&wg, looks, NULL) > 0);
}

/* The goroutine ends locked, so its thread ends with it. */
GTEST(no_copies_of_a_locked_thread)
{
	CHECK(gmp_wg_go(&wg, makes, NULL) > 0);
	gmp_wg_wait(&wg);
}

static void *foreign(void *arg)
{
	(void)arg;
	become_odd();
	for (int i = 0; i < GS; i++)
		CHECK(gmp_wg_go(&wg, looks, NULL) > 0);
	return NULL;
}

GTEST(no_copies_of_a_foreign_thread)
{
	pthread_t t;

	gmp_wg_add(&wg, 1);
	CHECK_EQ(pthread_create(&t, NULL, foreign, NULL), 0);
	gmp_syscall_begin();
	pthread_join(t, NULL);
	gmp_syscall_end();
	gmp_wg_done(&wg);
	gmp_wg_wait(&wg);
}

static int spawns(void *arg)
{
	(void)arg;
	gmp_lock_os_thread();
	for (int i = 0; i < 20; i++)
		CHECK(gmp_go((void (*)(void *))(uintptr_t)gmp_yield, NULL) > 0);
	return 0;
}

/* Main returns while threads are still to be made for it. */
TEST(the_end_does_not_wait_for_orders)
{
	setenv("GMP_MAXPROCS", "4", 1);
	for (int i = 0; i < 100; i++) {
		uint64_t start = gmp_now();

		CHECK_EQ(gmp_run(spawns, NULL), 0);
		CHECK(gmp_now() - start < 1900000000);
	}
}
