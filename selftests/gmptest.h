/* SPDX-License-Identifier: MIT */
/*
 * gmptest.h - the tests' frame: TAP out, one child process a test.
 *
 *   TEST(name) { ... }            plain code
 *   GTEST(name) { ... }           runs as goroutine 1; once each with GMP_MAXPROCS 1, 2 and 4
 *   CHECK(c)  CHECK_EQ(a, b)      a failure is told with both values and ends the test
 *   SKIP("reason")                counted and named by the runner
 *   DEATH(statement, "text")      the statement must end a child with status 2, "text" on its stderr
 *   gmptest_seed()                printed once; GMP_SEED=n repeats it
 *   gmptest_rand(&state)          a random number
 *   gmptest_sort(v, n)            numbers, the least first
 *   GMPTEST_SCALE(n)              how often: @n, a twentieth of it under a sanitizer or Valgrind
 *
 * GMPTEST_SKIPS names a file of "PROGRAM CASE reason" lines: tests that cannot be run this time.
 * A test that crashes, hangs (60 s; GMPTEST_TIMEOUT) or leaves by exit() fails alone. Arguments of the
 * program choose tests by a part of their name.
 */
#ifndef GMPTEST_H
#define GMPTEST_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct gmptest {
	const char *name;
	void (*fn)(void);
	int goroutine;
	struct gmptest *next;
};

static struct gmptest *gmptest_all, **gmptest_tail = &gmptest_all;

/* How a child says what became of the test. */
enum { GMPTEST_OK = 0, GMPTEST_FAILED = 1, GMPTEST_SKIPPED = 4, GMPTEST_UNFINISHED = 9 };

#define GMPTEST_DEFINE_(id, in_goroutine) \
	static void gmptest_##id(void); \
	static struct gmptest gmptest_s_##id = { #id, gmptest_##id, in_goroutine, NULL }; \
	__attribute__((constructor)) static void gmptest_c_##id(void) \
	{ \
		*gmptest_tail = &gmptest_s_##id; \
		gmptest_tail = &gmptest_s_##id.next; \
	} \
	static void gmptest_##id(void)

/* Sanitizers make everything some ten times slower, and ThreadSanitizer knows 8000 goroutines at most. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || RT_VALGRIND
#define GMPTEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GMPTEST_SANITIZED 1
#endif
#endif
#ifndef GMPTEST_SANITIZED
#define GMPTEST_SANITIZED 0
#endif
#if GMPTEST_SANITIZED
#define GMPTEST_SCALE(n)	((n) < 20 ? 1 : (n) / 20)
#else
#define GMPTEST_SCALE(n)	(n)
#endif

#define TEST(id)	GMPTEST_DEFINE_(id, 0)
#ifdef GMPRT_H
#define GTEST(id)	GMPTEST_DEFINE_(id, 1)
#endif

#define GMPTEST_FAIL_(...) \
	do { \
		fprintf(stdout, "# %s:%d: ", __FILE__, __LINE__); \
		fprintf(stdout, __VA_ARGS__); \
		fputc('\n', stdout); \
		fflush(stdout); \
		_exit(GMPTEST_FAILED); \
	} while (0)

#define CHECK(c) \
	do { \
		if (!(c)) \
			GMPTEST_FAIL_("not so: %s", #c); \
	} while (0)

#define CHECK_EQ(a, b) \
	do { \
		long long gmptest_a_ = (long long)(a), gmptest_b_ = (long long)(b); \
		if (gmptest_a_ != gmptest_b_) \
			GMPTEST_FAIL_("%s is %lld, %s is %lld", #a, gmptest_a_, #b, gmptest_b_); \
	} while (0)

/* What the kernel is to refuse: Memcheck would complain of it first. It must not park. */
#if RT_VALGRIND
#include <valgrind/valgrind.h>
#define GMPTEST_UNCHECKED(statement) \
	do { \
		VALGRIND_DISABLE_ERROR_REPORTING; \
		statement; \
		VALGRIND_ENABLE_ERROR_REPORTING; \
	} while (0)
#else
#define GMPTEST_UNCHECKED(statement)	do { statement; } while (0)
#endif

#define SKIP(why) \
	do { \
		printf("#skip %s\n", why); \
		fflush(stdout); \
		_exit(GMPTEST_SKIPPED); \
	} while (0)

/* fork() with a pipe from the child, whose ends that are left open are closed at exec. */
static inline pid_t gmptest_fork(int fd[2])
{
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -1;
	fflush(stdout);
	pid = fork();
	if (pid)
		close(fd[1]);
	else
		close(fd[0]);
	return pid;
}

/* What the child of gmptest_fork() wrote is in @text, its wait status is returned. */
static inline int gmptest_collect(int fd, pid_t pid, char *text, size_t n)
{
	size_t have = 0;
	int status;

	for (;;) {
		char sink[512];
		ssize_t got = have < n - 1 ? read(fd, text + have, n - 1 - have)
					   : read(fd, sink, sizeof(sink));

		if (got <= 0)
			break;
		if (have < n - 1)
			have += (size_t)got;
	}
	text[have] = 0;
	close(fd);
	if (waitpid(pid, &status, 0) < 0)
		return -1;
	return status;
}

#define DEATH(statement, want) \
	do { \
		char gmptest_text_[65536]; \
		int gmptest_fd_[2], gmptest_st_; \
		pid_t gmptest_pid_ = gmptest_fork(gmptest_fd_); \
		CHECK(gmptest_pid_ >= 0); \
		if (gmptest_pid_ == 0) { \
			dup2(gmptest_fd_[1], 2); \
			alarm(30); \
			statement; \
			_exit(99); \
		} \
		gmptest_st_ = gmptest_collect(gmptest_fd_[0], gmptest_pid_, gmptest_text_, \
					      sizeof(gmptest_text_)); \
		if (!WIFEXITED(gmptest_st_) || WEXITSTATUS(gmptest_st_) != 2) \
			GMPTEST_FAIL_("wait status %#x, wanted exit 2; stderr: %s", gmptest_st_, \
				      gmptest_text_); \
		if (!strstr(gmptest_text_, want)) \
			GMPTEST_FAIL_("stderr lacks \"%s\": %s", want, gmptest_text_); \
	} while (0)

static inline uint64_t gmptest_seed(void)
{
	static uint64_t seed;
	const char *s = getenv("GMP_SEED");
	struct timespec ts;

	if (seed)
		return seed;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	seed = s ? strtoull(s, NULL, 0) : ((uint64_t)ts.tv_nsec << 20) ^ (uint64_t)getpid();
	if (!seed)
		seed = 1;
	printf("# GMP_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

/* xorshift64*: a stream of its own for each state. */
static inline uint32_t gmptest_rand(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint32_t)((*state * 0x2545f4914f6cdd1dull) >> 32);
}

static inline int gmptest_by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static inline void gmptest_sort(uint64_t *v, size_t n)
{
	qsort(v, n, sizeof(*v), gmptest_by_value);
}

#ifdef GMPRT_H
static int gmptest_main_g(void *arg)
{
	((struct gmptest *)arg)->fn();
	return GMPTEST_OK;
}
#endif

/* LeakSanitizer looks when a program ends, but children leave by _exit(): so it is told to. */
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>

static inline int gmptest_leaks(void)
{
	return __lsan_do_recoverable_leak_check();
}
#else
static inline int gmptest_leaks(void)
{
	return 0;
}
#endif

static inline void gmptest_child(struct gmptest *t)
{
	const char *limit = getenv("GMPTEST_TIMEOUT");

	alarm(limit ? (unsigned int)atoi(limit) : 60);
#ifdef GMPRT_H
	if (t->goroutine && gmp_run(gmptest_main_g, t) != GMPTEST_OK)
		_exit(GMPTEST_UNFINISHED);
#endif
	if (!t->goroutine)
		t->fn();
	if (gmptest_leaks())
		GMPTEST_FAIL_("%s left memory that nobody knows", t->name);
	fflush(stdout);
	_exit(GMPTEST_OK);
}

/* Runs one test in a child; passes its output on, looking for the reason of a skip. */
static inline int gmptest_run(struct gmptest *t, char *why, size_t n)
{
	int fd[2], status;
	pid_t pid;
	FILE *f;
	char line[1024];

	fflush(stdout);
	if (pipe(fd) < 0)
		return -1;
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		dup2(fd[1], 1);
		close(fd[0]);
		close(fd[1]);
		setvbuf(stdout, NULL, _IOLBF, 0);
		gmptest_child(t);
	}
	close(fd[1]);
	f = fdopen(fd[0], "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "#skip ", 6) == 0)
			snprintf(why, n, "%.*s", (int)strcspn(line + 6, "\n"), line + 6);
		else
			printf("%s%s", line[0] == '#' ? "" : "# ", line);
	}
	if (f)
		fclose(f);
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* True when GMPTEST_SKIPS says that this test cannot be run; why it says so is in @why. */
static inline int gmptest_is_skipped(struct gmptest *t, char *why, size_t n)
{
	const char *file = getenv("GMPTEST_SKIPS");
	FILE *f = file ? fopen(file, "r") : NULL;
	char line[512], program[128], test[128];
	int at, found = 0;

	while (f && !found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%127s %127s %n", program, test, &at) < 2)
			continue;
		found = strcmp(program, program_invocation_short_name) == 0 && strcmp(test, t->name) == 0;
		if (found)
			snprintf(why, n, "%.*s", (int)strcspn(line + at, "\n"), line + at);
	}
	if (f)
		fclose(f);
	return found;
}

static inline int gmptest_report(struct gmptest *t, int nr, const char *procs)
{
	char why[512] = "";
	int status = gmptest_is_skipped(t, why, sizeof(why)) ? W_EXITCODE(GMPTEST_SKIPPED, 0)
							     : gmptest_run(t, why, sizeof(why));
	const char *sep = *procs ? " P=" : "";

	if (WIFEXITED(status) && WEXITSTATUS(status) == GMPTEST_OK) {
		printf("ok %d - %s%s%s\n", nr, t->name, sep, procs);
		return 0;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == GMPTEST_SKIPPED) {
		printf("ok %d - %s%s%s # SKIP %s\n", nr, t->name, sep, procs, why);
		return 0;
	}
	if (WIFSIGNALED(status))
		printf("# killed by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		printf("# exit status %d\n", WEXITSTATUS(status));
	printf("not ok %d - %s%s%s\n", nr, t->name, sep, procs);
	return 1;
}

static inline int gmptest_wanted(struct gmptest *t, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strstr(t->name, argv[i]))
			return 1;
	}
	return argc < 2;
}

#if defined(__SANITIZE_THREAD__)
#include <pthread.h>

static void *gmptest_no_work(void *arg)
{
	return arg;
}

/* ThreadSanitizer starts its own thread once more in a child whose parent never made one (sanitize.h). */
static inline void gmptest_prepare(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, gmptest_no_work, NULL) == 0)
		pthread_join(t, NULL);
}
#else
static inline void gmptest_prepare(void)
{
}
#endif

int main(int argc, char **argv)
{
	static const char *const procs[] = { "1", "2", "4" };
	const char *only = getenv("GMPTEST_PROCS");
	int plan = 0, nr = 0, failed = 0;

	gmptest_prepare();
	/* A shell's background job has these ignored, and would pass that on to what is tested. */
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	for (struct gmptest *t = gmptest_all; t; t = t->next) {
		if (gmptest_wanted(t, argc, argv))
			plan += t->goroutine && !only ? 3 : 1;
	}
	printf("TAP version 13\n1..%d\n", plan);
	for (struct gmptest *t = gmptest_all; t; t = t->next) {
		if (!gmptest_wanted(t, argc, argv))
			continue;
		for (int i = 0; i < (t->goroutine && !only ? 3 : 1); i++) {
			const char *p = t->goroutine ? (only ? only : procs[i]) : "";

			if (*p)
				setenv("GMP_MAXPROCS", p, 1);
			failed += gmptest_report(t, ++nr, p);
		}
	}
	return failed ? 1 : 0;
}

#endif
