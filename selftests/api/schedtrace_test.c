/* SPDX-License-Identifier: MIT */
/*
 * schedtrace_test.c - GMP_DEBUG=schedtrace=MS[,scheddetail=1]: Go's lines, at Go's pace.
 */
#include <gmprt.h>

#include "death_util.h"

static struct gmp_chan *never;
static _Atomic int stop;

static void waits(void *arg)
{
	int v;

	(void)arg;
	gmp_chan_recv(never, &v);
}

static void locks(void *arg)
{
	gmp_lock_os_thread();
	waits(arg);
}

static void computes(void *arg)
{
	(void)arg;
	while (!stop)
		for (volatile int i = 0; i < 1000; i++)
			;	/* under TSan the load is a call of its runtime, where nobody is stopped */
}

static void set_up(void)
{
	never = gmp_chan_make(sizeof(int), 0);
	gmp_go(waits, NULL);
	gmp_go(locks, NULL);
}

static int idle_main(void *ms)
{
	set_up();
	settle(2);
	gmp_sleep((intptr_t)ms * 1000000);
	return 0;
}

static int busy_main(void *ms)
{
	uint64_t end;

	set_up();
	settle(2);
	end = gmp_now() + (uint64_t)(intptr_t)ms * 1000000;
	gmp_go(computes, NULL);
	while (gmp_now() < end)
		gmp_yield();
	stop = 1;
	return 0;
}

struct how {
	const char *debug;
	int (*fn)(void *);
	int ms;
};

static void run(void *arg)
{
	const struct how *h = arg;

	setenv("GMP_DEBUG", h->debug, 1);
	_exit(gmp_run(h->fn, (void *)(intptr_t)h->ms));
}

static struct death trace(const char *debug, int (*fn)(void *), int ms)
{
	struct how h = { debug, fn, ms };
	struct death d = die(run, &h);

	EXITED(d, 0);
	return d;
}

/* How often a line like @regex comes. */
static int lines_like(const struct death *d, const char *regex)
{
	int n = 0;
	regex_t re;
	regmatch_t m;

	CHECK_EQ(regcomp(&re, regex, REG_EXTENDED | REG_NEWLINE), 0);
	for (const char *p = d->text; regexec(&re, p, 1, &m, 0) == 0; p += m.rm_eo)
		n++;
	regfree(&re);
	return n;
}

#define SUMMARY "^SCHED [0-9]+ms: gomaxprocs=[0-9]+ idleprocs=[0-9]+ threads=[0-9]+ spinningthreads=[0-9]+ " \
		"needspinning=0 idlethreads=[0-9]+ runqueue=[0-9]+"

/* Never more often than asked, less what sysmon's own sleep was too long before. */
static void check_pace(const char *text, long ms)
{
	long last = -ms, at;

	for (const char *p = text; (p = strstr(p, "SCHED ")) != NULL; last = at) {
		at = strtol(p + 6, (char **)&p, 10);
		CHECK(at - last >= ms - 1);
	}
}

static const char *queues(void)
{
	const char *p = getenv("GMP_MAXPROCS");

	if (strcmp(p, "1") == 0)
		return SUMMARY " \\[[0-9]+\\]$";
	if (strcmp(p, "2") == 0)
		return SUMMARY " \\[[0-9]+ [0-9]+\\]$";
	return SUMMARY " \\[[0-9]+ [0-9]+ [0-9]+ [0-9]+\\]$";
}

PTEST(a_line_at_each_interval)
{
	struct death d = trace("schedtrace=50", busy_main, 600);
	int n = lines_like(&d, queues());

	CHECK(strncmp(d.text, "SCHED 0ms: gomaxprocs=", 22) == 0);
	CHECK(n >= 2);		/* 13, less what a busy machine costs */
	CHECK_EQ(n, count(d.text, "\n"));
	check_pace(d.text, 50);
}

/* Nothing runs, everybody sleeps: it goes on all the same. */
PTEST(while_idle)
{
	struct death d = trace("schedtrace=50", idle_main, 400);
	int n = lines_like(&d, queues());
	char text[64];

	CHECK(n >= 2);
	snprintf(text, sizeof(text), "idleprocs=%s ", getenv("GMP_MAXPROCS"));
	HAS(d, text);
}

PTEST(details)
{
	struct death d = trace("schedtrace=100,scheddetail=1", busy_main, 500);
	int p = atoi(getenv("GMP_MAXPROCS"));
	int n = lines_like(&d, SUMMARY " gcwaiting=(true|false) nmidlelocked=[0-9]+ stopwait=[0-9]+ "
			       "sysmonwait=(true|false)$");

	CHECK(n >= 1);
	CHECK_EQ(lines_like(&d, "^  P[0-9]+: status=[0-4] schedtick=[0-9]+ syscalltick=[0-9]+ m=([0-9]+|nil) "
				"runqsize=[0-9]+ gfreecnt=[0-9]+ timerslen=[0-9]+$"), n * p);
	CHECK(lines_like(&d, "^  M[0-9]+: p=([0-9]+|nil) curg=([0-9]+|nil) mallocing=0 throwing=0 preemptoff= "
			     "locks=[0-9]+ dying=0 spinning=(true|false) blocked=(true|false) "
			     "lockedg=([0-9]+|nil)$") >= n);
	LIKE(d, "^  G1: status=[0-9]+\\([a-z ]*\\) m=([0-9]+|nil) lockedm=([0-9]+|nil)$");
	CHECK(lines_like(&d, "^  G1: ") >= n - 1);	/* it may have ended before the last */
	LIKE(d, "^  G[0-9]+: status=4\\(chan receive\\) m=nil lockedm=nil$");
	LIKE(d, "^  G[0-9]+: status=4\\(chan receive\\) m=nil lockedm=[0-9]+$");
	LIKE(d, "^  M[0-9]+: .* lockedg=[0-9]+$");
}

/* Ps come and go under the printer. */
static int resizes(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200; i++) {
		CHECK(gmp_maxprocs(1 + i % 7) > 0);
		gmp_sleep(2000000);
	}
	return 0;
}

PTEST(while_ps_come_and_go)
{
	struct death d = trace("schedtrace=1", resizes, 0);

	CHECK(lines_like(&d, "^SCHED ") > 3);
	CHECK_EQ(lines_like(&d, SUMMARY " \\[[0-9 ]+\\]$"), lines_like(&d, "^SCHED "));
}

TEST(off_by_default)
{
	struct death d = trace("stats=0", idle_main, 30);

	CHECK_EQ(strlen(d.text), 0);
}

static int two_runs(void *ms)
{
	static int n;

	return n++ ? idle_main(ms) : 0;
}

static void run_two(void *arg)
{
	(void)arg;
	setenv("GMP_DEBUG", "schedtrace=1000", 1);
	CHECK_EQ(gmp_run(two_runs, NULL), 0);
	_exit(gmp_run(two_runs, (void *)300));
}

/* The clock begins again with each run. */
TEST(second_run)
{
	struct death d;

	setenv("GMP_MAXPROCS", "1", 1);
	d = die(run_two, NULL);
	EXITED(d, 0);
	CHECK(lines_like(&d, "^SCHED 0ms: ") >= 1);
	CHECK_EQ(lines_like(&d, "^SCHED 0ms: "), lines_like(&d, "^SCHED "));
}
