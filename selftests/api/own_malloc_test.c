/* SPDX-License-Identifier: MIT */
/*
 * own_malloc_test.c - a program that brings its allocator: its code is the program's own, where a signal may
 * stop a goroutine, but not when it is the runtime that allocates.
 */
#include <gmprt.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "gmptest.h"

#define LONG_NS	60000000ull	/* several time slices */

void *__libc_memalign(size_t align, size_t n);
void *__libc_malloc(size_t n);

static _Atomic bool slow;
static _Atomic uint64_t others, others_meanwhile;
static _Atomic int calls;

static bool until_others_run;	/* sysmon may wait long for a CPU on a busy machine */

/* Hardly ever in a library: each look at the clock comes after a long loop of the program's own. */
static void compute(uint64_t before)
{
	uint64_t begin = gmp_now();

	while (gmp_now() - begin < LONG_NS ||
	       (until_others_run && others == before && gmp_now() - begin < 100 * LONG_NS))
		for (volatile int i = 0; i < 200000; i++)
			;
}

static _Atomic bool signals;

static inline void dawdle(void)
{
	uint64_t before = others;

	if (atomic_exchange(&signals, false))
		raise(SIGUSR1);
	if (!atomic_exchange(&slow, false))
		return;
	calls++;
	compute(before);
	others_meanwhile = others - before;
}

#if !GMPTEST_SANITIZED
void *malloc(size_t n)
{
	dawdle();
	return __libc_malloc(n);
}

void *aligned_alloc(size_t align, size_t n)
{
	dawdle();
	return __libc_memalign(align, n);
}

#endif

static void skip_if_replaced(void)
{
#if GMPTEST_SANITIZED
	SKIP("the sanitizer brings its own allocator");
#endif
}

static void other(void *arg)
{
	_Atomic bool *stop = arg;

	while (!*stop) {
		others++;
		gmp_yield();
	}
}

static int program(void *by_program)
{
	_Atomic bool stop = false;
	struct gmp_chan *c = NULL;

	CHECK(gmp_go(other, &stop) > 0);
	while (others < 3)
		gmp_yield();
	slow = true;
	if (by_program)
		free(malloc(100));
	else
		c = gmp_chan_make(1000, 1000);	/* the buffer, if no chunk of channels before */
	CHECK_EQ(calls, 1);
	stop = true;
	gmp_chan_unref(c);
	return 0;
}

TEST(the_runtime_allocates)
{
	skip_if_replaced();
	setenv("GMP_MAXPROCS", "1", 1);
	CHECK_EQ(gmp_run(program, NULL), 0);
	CHECK_EQ(others_meanwhile, 0);
}

/* The other way round, or the first one would say nothing. */
TEST(the_program_allocates)
{
	skip_if_replaced();
	setenv("GMP_MAXPROCS", "1", 1);
	until_others_run = true;
	CHECK_EQ(gmp_run(program, &slow), 0);
	CHECK(others_meanwhile > 0);
}

static void sleeps(int sig)
{
	(void)sig;
	gmp_sleep(1000);
}

static int signalled(void *arg)
{
	(void)arg;
	signals = true;
	gmp_chan_unref(gmp_chan_make(1000, 1000));
	CHECK(!signals);
	return 0;
}

/* On the goroutine's own stack, where the stack pointer says nothing. */
TEST(a_handler_that_interrupts_the_runtime_cannot_wait)
{
	struct sigaction sa = { .sa_handler = sleeps };

	skip_if_replaced();
	CHECK_EQ(sigaction(SIGUSR1, &sa, NULL), 0);
	DEATH(gmp_run(signalled, NULL), "fatal error: gmp_sleep: called inside the runtime");
}
