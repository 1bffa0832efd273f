/* SPDX-License-Identifier: MIT */
/*
 * once_test.c - gmp_once.
 *
 * Go's sync/once_test.go    here
 *   TestOnce                called_once_by_many
 *   TestOncePanic           goexit_counts_as_done (C has no panic; gmp_goexit() is what unwinds)
 */
#include <gmprt.h>

#include "gmptest.h"

static struct gmp_once once;
static struct gmp_wg wg;
static int ran;

static void run_slowly(void *arg)
{
	for (int i = 0; i < 20; i++)
		gmp_yield();
	ran += (int)(long)arg;
}

static void caller(void *arg)
{
	gmp_once_do(&once, run_slowly, arg);
	CHECK_EQ(ran, 1);	/* complete for all who return */
}

GTEST(called_once_by_many)
{
	for (int i = 0; i < 100; i++)
		gmp_wg_go(&wg, caller, (void *)1);
	gmp_wg_wait(&wg);
	gmp_once_do(&once, run_slowly, (void *)100);
	CHECK_EQ(ran, 1);
}

static int deferred;

static void note_deferred(void *arg)
{
	(void)arg;
	deferred++;
}

static void leave(void *arg)
{
	(void)arg;
	gmp_defer(note_deferred, NULL);
	gmp_yield();
	ran++;
	gmp_goexit();
}

static void caller_that_leaves(void *arg)
{
	(void)arg;
	gmp_once_do(&once, leave, NULL);
	/* Only those get here who did not run it. */
	CHECK_EQ(ran, 1);
	CHECK_EQ(deferred, 1);
}

GTEST(goexit_counts_as_done)
{
	for (int i = 0; i < 20; i++)
		gmp_wg_go(&wg, caller_that_leaves, NULL);
	gmp_wg_wait(&wg);
	gmp_once_do(&once, leave, NULL);
	CHECK_EQ(ran, 1);
	CHECK_EQ(once.done, 1);
	CHECK_EQ(once.m.state, 0);
}

static void defers(void *arg)
{
	(void)arg;
	ran++;
	gmp_defer(note_deferred, NULL);
}

static void caller_that_goes_on(void *arg)
{
	(void)arg;
	gmp_defer(note_deferred, NULL);
	gmp_once_do(&once, defers, NULL);
	CHECK_EQ(deferred, 0);		/* at the end of the goroutine, not of the function */
	gmp_once_do(&once, defers, NULL);
}

GTEST(what_the_function_defers_stays)
{
	gmp_wg_go(&wg, caller_that_goes_on, NULL);
	gmp_wg_wait(&wg);
	CHECK_EQ(ran, 1);
	CHECK_EQ(deferred, 2);
}

static struct gmp_once inner;

static void outer_fn(void *arg)
{
	gmp_once_do(&inner, run_slowly, arg);
	ran += 10;
}

GTEST(nested_in_another)
{
	gmp_once_do(&once, outer_fn, (void *)1);
	CHECK_EQ(ran, 11);
}

static void quickly(void *arg)
{
	(void)arg;
	ran++;
}

TEST(works_outside_of_a_run)
{
	gmp_once_do(&once, quickly, NULL);
	gmp_once_do(&once, quickly, NULL);
	CHECK_EQ(ran, 1);
}

static void itself(void *arg)
{
	gmp_once_do(arg, itself, arg);
}

static int main_itself(void *arg)
{
	itself(arg);
	return 0;
}

TEST(misuse_is_fatal)
{
	DEATH(gmp_run(main_itself, &once), "all goroutines are asleep - deadlock!");
	DEATH(itself(&once), "gmp_once_do: would park outside a goroutine");
	DEATH(gmp_once_do(NULL, quickly, NULL), "gmp_once_do");
	DEATH(gmp_once_do(&once, NULL, NULL), "gmp_once_do");
}
