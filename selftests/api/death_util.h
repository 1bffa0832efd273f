/* SPDX-License-Identifier: MIT */
/*
 * death_util.h - what a program says while it dies, for the tests of reports.
 *
 *   struct death d = die(fn, arg);     runs fn(arg) in a child, both outputs in d.text
 *   HAS(d, "text")  LACKS(d, "text")   a failure shows the whole text
 *   for_procs(fn)                      once each with GMP_MAXPROCS 1, 2 and 4
 *   settle(n)                          in a goroutine: until n others wait or are in a system call
 */
#ifndef DEATH_UTIL_H
#define DEATH_UTIL_H

#include <regex.h>
#include <signal.h>

#include "gmptest.h"

struct death {
	int status;
	char *text;
};

static inline struct death die(void (*fn)(void *), void *arg)
{
	static char text[1 << 20];
	struct death d = { .text = text };
	int fd[2];
	pid_t pid = gmptest_fork(fd);

	CHECK(pid >= 0);
	if (pid == 0) {
		dup2(fd[1], 1);
		dup2(fd[1], 2);
		alarm(40);
		fn(arg);
		fflush(stdout);
		_exit(99);
	}
	d.status = gmptest_collect(fd[0], pid, text, sizeof(text));
	return d;
}

static inline int matches(const char *text, const char *regex)
{
	regex_t re;
	int found;

	if (regcomp(&re, regex, REG_EXTENDED | REG_NOSUB | REG_NEWLINE))
		GMPTEST_FAIL_("bad regex: %s", regex);
	found = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return found;
}

static inline int count(const char *text, const char *word)
{
	int n = 0;

	for (const char *p = text; (p = strstr(p, word)) != NULL; p += strlen(word))
		n++;
	return n;
}

#define HAS(d, want) \
	do { \
		if (!strstr((d).text, want)) \
			GMPTEST_FAIL_("lacks \"%s\": status %#x\n%s", want, (d).status, (d).text); \
	} while (0)
#define LACKS(d, bad) \
	do { \
		if (strstr((d).text, bad)) \
			GMPTEST_FAIL_("has \"%s\": status %#x\n%s", bad, (d).status, (d).text); \
	} while (0)
#define LIKE(d, regex) \
	do { \
		if (!matches((d).text, regex)) \
			GMPTEST_FAIL_("nothing like \"%s\": status %#x\n%s", regex, (d).status, (d).text); \
	} while (0)
#define EXITED(d, code) \
	do { \
		if (!WIFEXITED((d).status) || WEXITSTATUS((d).status) != (code)) \
			GMPTEST_FAIL_("wait status %#x, wanted exit %d:\n%s", (d).status, code, (d).text); \
	} while (0)
#define KILLED(d, sig) \
	do { \
		if (!WIFSIGNALED((d).status) || WTERMSIG((d).status) != (sig)) \
			GMPTEST_FAIL_("wait status %#x, wanted signal %d:\n%s", (d).status, sig, (d).text); \
	} while (0)

static inline void for_procs(void (*fn)(void))
{
	static const char *const procs[] = { "1", "2", "4" };
	const char *only = getenv("GMPTEST_PROCS");

	for (int i = 0; i < 3; i++) {
		setenv("GMP_MAXPROCS", only ? only : procs[i], 1);
		fn();
		if (only)
			break;
	}
}

#ifdef GMPRT_H
static inline int settled_one(const struct gmp_goroutine *g, void *arg)
{
	*(int *)arg += g->goid != 1 && (g->status == 3 || g->status == 4);
	return 0;
}

static inline void settle(int n)
{
	for (int have = 0; have < n;) {
		gmp_sleep(1000000);
		have = 0;
		gmp_goroutines(settled_one, &have);
	}
	gmp_sleep(1000000);	/* a status is set just before the switch */
}
#endif

#define PTEST(id) \
	static void gmptest_each_##id(void); \
	TEST(id) \
	{ \
		for_procs(gmptest_each_##id); \
	} \
	static void gmptest_each_##id(void)

#endif
