/* SPDX-License-Identifier: MIT */
/*
 * stack_gap_test.c - stacks without a guard, as old kernels have them when they are many: one that runs
 * over is told of all the same.
 *
 * GMP_DEBUG=stackguards=N: as where madvise() knows no guards, and N stacks may have one of mprotect().
 */
#include <gmprt.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "death_util.h"

#define STACK		(256 << 10)
#define GUARD		(68 << 10)
#define MADV_GUARDS	102		/* MADV_GUARD_INSTALL */

static __attribute__((noinline)) int recurse(uintptr_t to)
{
	volatile char frame[400];

	frame[to % 400] = 1;
	return (uintptr_t)frame > to ? recurse(to) + frame[to % 400] : 1;
}

/* So far beyond the end of this goroutine's stack of 256 KiB, and back. */
static __attribute__((noinline)) void run_over(size_t by)
{
	char here = 0;

	recurse((uintptr_t)&here - STACK - by);
	__asm__ volatile("");
}

static void into_the_gap(void *arg)
{
	(void)arg;
	run_over(GUARD / 2);
}

/* As far as the stack below, and well into it. */
static void beyond(void *arg)
{
	(void)arg;
	run_over(GUARD + STACK / 2);
}

static void parks_for_ever(void *arg)
{
	(void)arg;
	gmp_sleep(INT64_MAX);
}

static void beyond_then_parks(void *arg)
{
	beyond(arg);
	parks_for_ever(arg);
}

static int *volatile null;

static void beyond_then_null(void *arg)
{
	beyond(arg);
	*null = 1;
}

static __attribute__((noinline)) void create(void (*fn)(void *))
{
	CHECK(gmp_go(fn, NULL) > 0);
	__asm__ volatile("");
}

static void crowd(int n)
{
	for (int i = 0; i < n; i++)
		CHECK(gmp_go(parks_for_ever, NULL) > 0);
	settle(n);
}

/* ---- the child ------------------------------------------------------------------------------------------- */

static const char *debug_words;		/* GMP_DEBUG; NULL: none */
static int (*main_fn)(void *);
static void *main_arg;

static void child(void *arg)
{
	struct rlimit none = { 0 };
	int r;

	setrlimit(RLIMIT_CORE, &none);
	if (debug_words)
		setenv("GMP_DEBUG", debug_words, 1);
	if (arg)
		((void (*)(void))(uintptr_t)arg)();
	r = gmp_run(main_fn, main_arg);
	fflush(stdout);
	_exit(r);
}

/* What comes of gmp_run(@fn, @arg); @before is called in the child. */
static struct death dies(const char *words, void (*before)(void), int (*fn)(void *), void *arg)
{
	debug_words = words;
	main_fn = fn;
	main_arg = arg;
	return die(child, (void *)(uintptr_t)before);
}

#define FN(f)	((void *)(uintptr_t)(f))

static void is_report(struct death d)
{
	EXITED(d, 2);
	LIKE(d, "^runtime: goroutine [0-9]+: stack exceeds 262144-byte limit$");
	LIKE(d, "^fatal error: stack overflow$");
	LIKE(d, "^created by (create|0x[0-9a-f]+) in goroutine 1$");	/* a dump that fails on a slow machine has no names */
	CHECK_EQ(count(d.text, "fatal error: "), 1);
}

static void is_late_report(struct death d)
{
	is_report(d);
	LIKE(d, "^runtime: stack=\\[0x[0-9a-f]+, 0x[0-9a-f]+\\] has no guard: ");
}

/* The access itself failed. */
static void is_guard_report(struct death d)
{
	is_report(d);
	LIKE(d, "^runtime: sp=0x[0-9a-f]+ stack=\\[0x[0-9a-f]+, 0x[0-9a-f]+\\]$");
}

/* ---- who looks ------------------------------------------------------------------------------------------- */

/*
 * Below its stack are those of some that sleep, which it may write over; main's is the lowest, and has a
 * guard. Only when it has run over, main returns.
 */
static int ends(void *fn)
{
	crowd(3);
	create((void (*)(void *))(uintptr_t)fn);
	for (int i = 0; i < 1000; i++)
		gmp_yield();
	gmp_sleep(1000000);
	return 0;
}

static void dies_at_its_end(void *fn)
{
	struct death d = dies("stackguards=0", NULL, ends, fn);

	is_late_report(d);
	LIKE(d, "^goroutine [0-9]+ \\[running\\]:");
	LIKE(d, "^created by create in goroutine 1$");
}

PTEST(seen_when_it_ends)
{
	dies_at_its_end(FN(beyond));
}

PTEST(seen_when_it_hit_nobody)
{
	dies_at_its_end(FN(into_the_gap));
}

static int parks(void *fn)
{
	crowd(3);
	create((void (*)(void *))(uintptr_t)fn);
	parks_for_ever(NULL);
	return 0;
}

/* Main has nothing but that to wait for, and all are idle. */
PTEST(seen_by_sysmon_when_it_parks)
{
	struct death d = dies("stackguards=0", NULL, parks, FN(beyond_then_parks));

	is_late_report(d);
	LIKE(d, "^goroutine [0-9]+ \\[sleep[^\n]*\\]:");
}

static int computes(void *fn)
{
	crowd(3);
	create((void (*)(void *))(uintptr_t)fn);
	for (;;)
		gmp_yield();
	return 0;
}

PTEST(seen_by_sysmon_while_others_run)
{
	is_late_report(dies("stackguards=0", NULL, computes, FN(beyond_then_parks)));
}

PTEST(seen_at_the_end_of_the_run)
{
	is_late_report(dies("stackguards=0,sysmon=0", NULL, ends, FN(beyond_then_parks)));
}

/* AddressSanitizer catches the SIGSEGV for the program. */
PTEST(seen_before_a_fault_kills)
{
#ifdef __SANITIZE_ADDRESS__
	SKIP("AddressSanitizer has a handler of its own");
#endif
	is_late_report(dies("stackguards=0", NULL, ends, FN(beyond_then_null)));
}

/* ---- more stacks than guards ---------------------------------------------------------------------------------- */

static int the_last(void *fn)
{
	crowd(300);
	return ends(fn);
}

PTEST(more_stacks_than_guards)
{
	is_late_report(dies("stackguards=100", NULL, the_last, FN(beyond)));
}

/* What has a guard is told of at once. */
PTEST(those_with_a_guard)
{
	is_guard_report(dies("stackguards=100", NULL, parks, FN(beyond)));
}

static void churns(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++)
		gmp_yield();
}

/* Stacks come and go, and are used again. */
static int reuses(void *fn)
{
	for (int i = 0; i < GMPTEST_SCALE(20) + 2; i++) {
		for (int k = 0; k < 300; k++)
			CHECK(gmp_go(churns, NULL) > 0);
		gmp_sleep(1000000);
	}
	return fn ? the_last(fn) : 0;
}

/* A P may have kept one with a guard for it. */
PTEST(used_before)
{
	is_report(dies("stackguards=100", NULL, reuses, FN(beyond)));
}

PTEST(nothing_is_said_without_a_reason)
{
	struct death d = dies("stackguards=100", NULL, reuses, NULL);

	EXITED(d, 0);
	CHECK_EQ(strcmp(d.text, ""), 0);
}

/* Nearly to the end; and what reads the gap, or puts zeros there, is no overflow: mlockall(), a debugger. */
static void not_quite(void *arg)
{
	volatile char here = 0;
	uintptr_t below = (uintptr_t)&here - STACK - GUARD / 2;

	(void)arg;
	run_over(0 - 8192ul);
	CHECK_EQ(*(volatile char *)below, 0);
	*(volatile char *)(below + 4096) = 0;
	CHECK_EQ(*(volatile char *)(below - 4096), 0);
}

PTEST(a_page_of_zeros_is_no_overflow)
{
	struct death d = dies("stackguards=0", NULL, ends, FN(not_quite));

	EXITED(d, 0);
	CHECK_EQ(strcmp(d.text, ""), 0);
}

/* Then the pages of a stack are there before a part of it is a guard, and look as if it had been touched. */
static void lock_all(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &all) == 0)
		CHECK_EQ(mlockall(MCL_FUTURE), 0);
}

PTEST(locked_memory_is_no_overflow)
{
	struct death d = dies("stackguards=1", lock_all, ends, FN(not_quite));

	EXITED(d, 0);
	CHECK_EQ(strcmp(d.text, ""), 0);
}

/* ---- as an old kernel answers --------------------------------------------------------------------------------- */

#define LOAD(field)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS(k, n)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 0, (n))
#define RETURN(k)	BPF_STMT(BPF_RET | BPF_K, (k))

static void set_filter(struct sock_filter *code, size_t n)
{
	struct sock_fprog prog = { .len = (unsigned short)n, .filter = code };

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

static void no_guards_by_madvise(void)
{
	struct sock_filter code[] = {
		LOAD(nr), UNLESS(SYS_madvise, 3),
		LOAD(args[2]), UNLESS(MADV_GUARDS, 1), RETURN(SECCOMP_RET_ERRNO | EINVAL),
		RETURN(SECCOMP_RET_ALLOW),
	};

	set_filter(code, sizeof(code) / sizeof(*code));
}

/* The program has used up all mappings there may be. */
static void no_mappings(void)
{
	struct sock_filter code[] = {
		LOAD(nr), UNLESS(SYS_mprotect, 3),
		LOAD(args[1]), UNLESS(GUARD, 1), RETURN(SECCOMP_RET_ERRNO | ENOMEM),
		RETURN(SECCOMP_RET_ALLOW),
	};

	no_guards_by_madvise();
	set_filter(code, sizeof(code) / sizeof(*code));
}

PTEST(guards_of_mprotect)
{
	is_guard_report(dies(NULL, no_guards_by_madvise, ends, FN(beyond)));
}

PTEST(the_kernel_refuses_a_guard)
{
	is_late_report(dies(NULL, no_mappings, ends, FN(beyond)));
}

static long lines_in(const char *path)
{
	char buf[65536];
	FILE *f = fopen(path, "r");
	long n = 0;
	size_t got;

	CHECK(f);
	while ((got = fread(buf, 1, sizeof(buf), f)) > 0)
		for (size_t i = 0; i < got; i++)
			n += buf[i] == '\n';
	fclose(f);
	return n;
}

static long max_map_count(void)
{
	FILE *f = fopen("/proc/sys/vm/max_map_count", "r");
	long n = 0;

	CHECK(f && fscanf(f, "%ld", &n) == 1);
	fclose(f);
	return n;
}

#define CROWD	GMPTEST_SCALE(20000)	/* more than have a guard under the default vm.max_map_count */

/* Each of them has a stack; half of the mappings are left to the program. */
static int parks_a_crowd(void *fn)
{
	crowd(CROWD);
	CHECK(lines_in("/proc/self/maps") < max_map_count() / 2 + 1000);
	return fn ? ends(fn) : 0;
}

/* It is stopped by the guard of the lowest stack of its slab. It is reported, not whose that is. */
static void does_not_end(void *arg)
{
	(void)arg;
	recurse(0);
}

/* One P: main must have stopped when its stack is written over. */
TEST(without_end)
{
	setenv("GMP_MAXPROCS", "1", 1);
	is_guard_report(dies("stackguards=0,sysmon=0", NULL, parks, FN(does_not_end)));
}

TEST(a_crowd_on_an_old_kernel)
{
	struct death d = dies(NULL, no_guards_by_madvise, parks_a_crowd, NULL);

	EXITED(d, 0);
	setenv("GMP_TRACEBACK", "single", 1);
	d = dies(NULL, no_guards_by_madvise, parks_a_crowd, FN(beyond));
	if (max_map_count() <= 4 * CROWD)
		is_late_report(d);
	else
		is_guard_report(d);
}
