/* SPDX-License-Identifier: MIT */
/*
 * stack_overflow_test.c - running into the guard is reported; every other SIGSEGV is the program's.
 *
 * Go's runtime/crash_test.go: TestStackOverflow -> in_a_goroutine, in_main.
 */
#include <gmprt.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "death_util.h"

static volatile int enough = 1 << 30;

static __attribute__((noinline)) int recurse(int n)
{
	volatile char frame[400];

	frame[n % 400] = (char)n;
	return n < enough ? n + recurse(n + 1) + frame[n % 400] : 0;
}

static void overflows(void *arg)
{
	(void)arg;
	recurse(0);
	__asm__ volatile("");
}

static struct gmp_go_attr attr = { .size = sizeof(attr) };

static __attribute__((noinline)) void create(void)
{
	CHECK(gmp_go_attr(&attr, overflows, NULL) > 0);
	__asm__ volatile("");
}

static int make_one(void *arg)
{
	(void)arg;
	create();
	gmp_sleep(35000000000);	/* die() waits for 40 s; in a guest on a busy host it takes its time */
	return 0;
}

static int in_goroutine_1(void *arg)
{
	overflows(arg);
	return 0;
}

static void run_main(void *fn)
{
	int (*main_fn)(void *) = (int (*)(void *))(uintptr_t)fn;
	struct rlimit none = { 0 };

	setrlimit(RLIMIT_CORE, &none);
	_exit(gmp_run(main_fn, NULL));
}

#define DIE(fn)	die(run_main, (void *)(uintptr_t)(fn))

static void check_report(struct death d, const char *size)
{
	EXITED(d, 2);
	LIKE(d, "^runtime: goroutine [0-9]+: stack exceeds [0-9]+-byte limit$");
	HAS(d, size);
	LIKE(d, "^runtime: sp=0x[0-9a-f]+ stack=\\[0x[0-9a-f]+, 0x[0-9a-f]+\\]$");
	LIKE(d, "^fatal error: stack overflow$");
	LIKE(d, "^goroutine [0-9]+ \\[running\\]:");
	LIKE(d, "^recurse\\(\\.\\.\\.\\)$");
	LIKE(d, "^\\.\\.\\.[0-9]+ frames elided\\.\\.\\.$");
	LIKE(d, "^overflows\\(\\.\\.\\.\\)$");
	CHECK_EQ(count(d.text, "fatal error: "), 1);
}

PTEST(in_a_goroutine)
{
	struct death d = DIE(make_one);

	check_report(d, "exceeds 262144-byte limit");
	LIKE(d, "^created by create in goroutine 1$");
	LIKE(d, "^goroutine 1 \\[(sleep|runnable|running)\\]:");	/* as far as it came meanwhile */
}

PTEST(in_main)
{
	check_report(DIE(in_goroutine_1), "runtime: goroutine 1: stack exceeds 262144-byte limit");
}

TEST(of_another_size)
{
	attr.max_stack = 1 << 20;
	check_report(DIE(make_one), "exceeds 1048576-byte limit");
}

TEST(of_a_large_one)
{
	attr.max_stack = 64 << 20;
	check_report(DIE(make_one), "exceeds 67108864-byte limit");
}

/* A page is made 16 KiB: too few frames to leave any out. */
TEST(of_the_smallest)
{
	struct death d;

	attr.max_stack = 4096;
	d = DIE(make_one);
	EXITED(d, 2);
	HAS(d, "exceeds 16384-byte limit");
	LIKE(d, "^fatal error: stack overflow$");
	LIKE(d, "^created by create in goroutine 1$");
}

/* Not the first user of that stack. */
static int reuses(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		gmp_go((void (*)(void *))(uintptr_t)gmp_yield, NULL);
		gmp_yield();
	}
	return make_one(arg);
}

PTEST(on_a_stack_used_before)
{
	check_report(DIE(reuses), "262144");
}

static int in_a_second_run(void *arg)
{
	return arg ? 0 : make_one(arg);
}

static void run_twice(void *arg)
{
	CHECK_EQ(gmp_run(in_a_second_run, arg), 0);
	run_main((void *)(uintptr_t)in_a_second_run);
}

TEST(second_run)
{
	check_report(die(run_twice, "first"), "262144");
}

/* A thread that the program gave an alternate stack of its own keeps that. */
static char own_stack[65536];

static void run_own_altstack(void *fn)
{
	stack_t ss = { .ss_sp = own_stack, .ss_size = sizeof(own_stack) }, now;

	CHECK_EQ(sigaltstack(&ss, NULL), 0);
	CHECK_EQ(gmp_run(in_a_second_run, "first"), 0);
	CHECK_EQ(sigaltstack(NULL, &now), 0);
	CHECK(now.ss_sp == own_stack);
	run_main(fn);
}

TEST(with_an_alternate_stack_of_the_program)
{
	setenv("GMP_MAXPROCS", "1", 1);
	check_report(die(run_own_altstack, (void *)(uintptr_t)in_goroutine_1), "262144");
}

/* The next best guard: kernels without MADV_GUARD_INSTALL are what mprotect() is for; both fault here. */
static int guard_kills(void *arg)
{
	char here = 0;
	uintptr_t below = (uintptr_t)&here - (256 << 10) - 4096;

	(void)arg;
	*(volatile char *)below = 1;
	return here;
}

TEST(the_guard_itself)
{
	struct death d = DIE(guard_kills);

	EXITED(d, 2);
	HAS(d, "fatal error: stack overflow");
}

/* ---- what is not an overflow ------------------------------------------------------------------------- */

static int *volatile null;

static int touch_null(void *arg)
{
	(void)arg;
	return *null;
}

/* AddressSanitizer catches them for the program. */
#ifdef __SANITIZE_ADDRESS__
#define SKIP_WITH_ASAN()	SKIP("AddressSanitizer has a handler of its own")
#else
#define SKIP_WITH_ASAN()
#endif

PTEST(null_kills_as_ever)
{
	struct death d;

	SKIP_WITH_ASAN();
	d = DIE(touch_null);
	KILLED(d, SIGSEGV);
	CHECK_EQ(strcmp(d.text, ""), 0);
}

static int segv_by_kill(void *arg)
{
	(void)arg;
	raise(SIGSEGV);
	return 0;
}

PTEST(sent_kills_as_ever)
{
	SKIP_WITH_ASAN();
	KILLED(DIE(segv_by_kill), SIGSEGV);
}

static sigjmp_buf back;
static volatile uintptr_t seen;
static volatile int calls, on_alt;

static void on_segv(int sig, siginfo_t *si, void *uc)
{
	stack_t ss;

	(void)uc;
	calls += sig == SIGSEGV;
	seen = (uintptr_t)si->si_addr;
	sigaltstack(NULL, &ss);
	on_alt = !!(ss.ss_flags & SS_ONSTACK);
	siglongjmp(back, 1);
}

static int catches(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++) {
		if (sigsetjmp(back, 1) == 0)
			*(volatile int *)4096 = 1;
	}
	return calls == 10 && seen == 4096 && on_alt ? 7 : 8;
}

TEST(handler_of_before_is_called)
{
	struct sigaction sa = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO }, now;

	sigaction(SIGSEGV, &sa, NULL);
	CHECK_EQ(gmp_run(catches, NULL), 7);
	sigaction(SIGSEGV, NULL, &now);
	CHECK(now.sa_sigaction == on_segv);
}

static void run_with_handler(void *fn)
{
	struct sigaction sa = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &sa, NULL);
	run_main(fn);
}

/* An overflow is reported all the same. */
TEST(overflow_with_a_handler)
{
	check_report(die(run_with_handler, (void *)(uintptr_t)make_one), "262144");
}

static void plain_handler(int sig)
{
	(void)sig;
	calls++;
	siglongjmp(back, 1);
}

static int catches_once(void *arg)
{
	(void)arg;
	if (sigsetjmp(back, 1) == 0)
		*(volatile int *)4096 = 1;
	return calls;
}

TEST(plain_handler_of_before)
{
	struct sigaction sa = { .sa_handler = plain_handler };

	sigaction(SIGSEGV, &sa, NULL);
	CHECK_EQ(gmp_run(catches_once, NULL), 1);
}

static void run_once_then_die(void *arg)
{
	struct sigaction sa = { .sa_handler = plain_handler, .sa_flags = SA_RESETHAND };

	sigaction(SIGSEGV, &sa, NULL);
	(void)arg;
	run_main((void *)(uintptr_t)catches);
}

TEST(one_shot_handler_of_before)
{
	KILLED(die(run_once_then_die, NULL), SIGSEGV);
}

static int kill_self(void *arg)
{
	(void)arg;
	raise(SIGSEGV);
	return 5;
}

static void run_ignored(void *fn)
{
	signal(SIGSEGV, SIG_IGN);
	run_main(fn);
}

/* Ignored: what was sent is; a fault cannot be. */
TEST(ignored_by_the_program)
{
	EXITED(die(run_ignored, (void *)(uintptr_t)kill_self), 5);
	KILLED(die(run_ignored, (void *)(uintptr_t)touch_null), SIGSEGV);
}
