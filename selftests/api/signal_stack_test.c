/* SPDX-License-Identifier: MIT */
/*
 * signal_stack_test.c - calls on a stack that is not the goroutine's: in handlers with SA_ONSTACK, and where the
 * program itself has switched stacks. That each call that may park is refused there: badinput_signal_test.
 */
#include <gmprt.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <ucontext.h>

#include "gmptest.h"

#define SLICES_NS	50000000ull	/* several time slices */

static void on_alternate_stack(void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_ONSTACK };

	CHECK_EQ(sigaction(SIGUSR1, &sa, NULL), 0);
	raise(SIGUSR1);
}

/* ---- calls that give way only if they may --------------------------------------------------------------- */

static _Atomic int in_handler, ran_meanwhile, ran;

static void counts(void *arg)
{
	(void)arg;
	ran++;
	ran_meanwhile += in_handler;
}

static void spin(uint64_t ns)
{
	uint64_t begin = gmp_now();

	while (gmp_now() - begin < ns)
		;
}

static void starts_many(int sig)
{
	uint64_t begin = gmp_now();

	(void)sig;
	in_handler = 1;
	while (gmp_now() - begin < SLICES_NS) {
		CHECK(gmp_go(counts, NULL) > 0);
		spin(100000);
	}
	in_handler = 0;
}

static int starts_in_handler(void *arg)
{
	(void)arg;
	on_alternate_stack(starts_many);
	while (!ran)
		gmp_yield();
	CHECK_EQ(ran_meanwhile, 0);
	return 0;
}

/* The time slice ends in the handler; there is one P. */
TEST(go_in_a_handler_does_not_give_way)
{
	setenv("GMP_MAXPROCS", "1", 1);
	CHECK_EQ(gmp_run(starts_in_handler, NULL), 0);
}

static struct gmp_mutex m;
static _Atomic int locked_by_other;

/* Has waited so long by its second turn that the mutex is to be handed to it. */
static void starves(void *arg)
{
	(void)arg;
	gmp_mutex_lock(&m);
	locked_by_other = 1;
	ran_meanwhile += in_handler;
	gmp_mutex_unlock(&m);
}

static void unlocks(int sig)
{
	(void)sig;
	in_handler = 1;
	gmp_mutex_unlock(&m);
	in_handler = 0;
}

static int unlocks_in_handler(void *arg)
{
	(void)arg;
	gmp_mutex_lock(&m);
	CHECK(gmp_go(starves, NULL) > 0);
	gmp_yield();			/* it waits */
	spin(5000000);
	gmp_mutex_unlock(&m);		/* woken: it will find that it was overtaken, and starves */
	gmp_mutex_lock(&m);
	gmp_yield();
	on_alternate_stack(unlocks);
	while (!locked_by_other)
		gmp_yield();
	CHECK_EQ(ran_meanwhile, 0);
	return 0;
}

TEST(unlock_in_a_handler_does_not_give_way)
{
	setenv("GMP_MAXPROCS", "1", 1);
	CHECK_EQ(gmp_run(unlocks_in_handler, NULL), 0);
}

/* ---- the end of a system call, which may wait for a P ----------------------------------------------------- */

static void ends_call(int sig)
{
	(void)sig;
	gmp_syscall_end();
}

static int ends_call_in_handler(void *arg)
{
	(void)arg;
	gmp_syscall_begin();
	on_alternate_stack(ends_call);
	return 0;
}

TEST(syscall_end_in_a_handler)
{
	DEATH(gmp_run(ends_call_in_handler, NULL), "fatal error: gmp_syscall_end: called in a signal handler\n");
}

/* ---- the program's own coroutines: they may park ------------------------------------------------------------- */

static ucontext_t outer, inner;
static struct gmp_chan *c;

static void coroutine(void)
{
	int v = 0;

	gmp_yield();
	CHECK_EQ(gmp_chan_recv(c, &v), 1);
	CHECK_EQ(v, 7);
	gmp_sleep(1000);
	swapcontext(&inner, &outer);
}

static void sends(void *arg)
{
	int v = 7;

	(void)arg;
	gmp_yield();
	CHECK_EQ(gmp_chan_send(c, &v), 0);
}

static void run_on_own_stack(void (*fn)(void))
{
	static char stack[1 << 18];

	gmp_lock_os_thread();		/* swapcontext() has a signal mask, and that is the thread's */
	CHECK_EQ(getcontext(&inner), 0);
	inner.uc_stack.ss_sp = stack;
	inner.uc_stack.ss_size = sizeof(stack);
	makecontext(&inner, fn, 0);
	CHECK_EQ(swapcontext(&outer, &inner), 0);
}

static void skip_if_sanitized(void)
{
#if GMPTEST_SANITIZED
	SKIP("the sanitizer is not told of this stack");
#endif
}

GTEST(a_stack_of_the_programs_own_may_park)
{
	skip_if_sanitized();
	c = gmp_chan_make(sizeof(int), 0);
	CHECK(gmp_go(sends, NULL) > 0);
	run_on_own_stack(coroutine);
	gmp_chan_unref(c);
}

static _Atomic bool others_ran;

static void runs(void *arg)
{
	(void)arg;
	others_ran = true;
}

/* The signal does not stop it there: the calls that begin goroutines do. */
static void begins_goroutines(void)
{
	for (int i = 0; i < 10000000 && !others_ran; i++)
		CHECK(gmp_go(runs, NULL) > 0);
	swapcontext(&inner, &outer);
}

GTEST(there_others_get_their_turn)
{
	skip_if_sanitized();
	run_on_own_stack(begins_goroutines);
	CHECK(others_ran);
}
