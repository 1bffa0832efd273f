/* SPDX-License-Identifier: MIT */
/*
 * traceback_test.c - what a dying program prints: fatal errors, SIGQUIT, GMP_TRACEBACK.
 *
 * Go's runtime/crash_test.go    here
 *   TestCrashHandler            fatal_error
 *   TestRecursivePanic          two_die_at_once
 *   runtime/crash_unix_test.go
 *   TestSignalM, SIGQUIT        sigquit, sigquit_of_the_program
 */
#include <gmprt.h>
#include <pthread.h>
#include <sys/resource.h>

#include "death_util.h"

static struct gmp_chan *never;
static struct gmp_mutex mutex;

static void waiter(void *arg)
{
	int v;

	(void)arg;
	gmp_chan_recv(never, &v);
	__asm__ volatile("");
}

static void set_up(void)
{
	never = gmp_chan_make(sizeof(int), 0);
	gmp_go(waiter, NULL);
	settle(1);
}

static __attribute__((noinline)) void misuse(void)
{
	gmp_mutex_unlock(&mutex);
	__asm__ volatile("");
}

static int fatal_main(void *arg)
{
	(void)arg;
	set_up();
	misuse();
	return 0;
}

static void run_fatal(void *level)
{
	if (level)
		setenv("GMP_TRACEBACK", level, 1);
	_exit(gmp_run(fatal_main, NULL));
}

PTEST(fatal_error)
{
	struct death d = die(run_fatal, NULL);

	EXITED(d, 2);
	CHECK(strstr(d.text, "fatal error: sync: unlock of unlocked mutex\n\ngoroutine 1 [running]:") == d.text);
	LIKE(d, "^misuse\\(\\.\\.\\.\\)$");
	LIKE(d, "^fatal_main\\(\\.\\.\\.\\)$");
	LIKE(d, "^goroutine [0-9]+ \\[chan receive\\]:$");
	LIKE(d, "^waiter\\(\\.\\.\\.\\)$");
	LACKS(d, "rt_throw");
}

/* ---- GMP_TRACEBACK ----------------------------------------------------------------------------------- */

TEST(traceback_none)
{
	struct death d = die(run_fatal, "none");

	EXITED(d, 2);
	CHECK_EQ(strcmp(d.text, "fatal error: sync: unlock of unlocked mutex\n\n"), 0);
}

TEST(traceback_single)
{
	struct death d = die(run_fatal, "single");

	EXITED(d, 2);
	LIKE(d, "^misuse\\(");
	CHECK_EQ(count(d.text, "goroutine "), 1);
}

TEST(traceback_system)
{
	struct death d = die(run_fatal, "system");

	EXITED(d, 2);
	LIKE(d, "^rt_throw\\(");
	LIKE(d, "^rt_g_main\\(");
	LIKE(d, "^waiter\\(");
}

static void run_crash(void *level)
{
	struct rlimit none = { 0 };

	setrlimit(RLIMIT_CORE, &none);
	run_fatal(level);
}

TEST(traceback_crash)
{
	struct death d = die(run_crash, "crash");

	KILLED(d, SIGABRT);
	LIKE(d, "^rt_throw\\(");
	LIKE(d, "^waiter\\(");
}

/* ---- not on a goroutine's stack, and several at once ----------------------------------------------------- */

static int all_wait(void *arg)
{
	(void)arg;
	set_up();
	waiter(NULL);
	return 0;
}

static void run_all_wait(void *arg)
{
	(void)arg;
	_exit(gmp_run(all_wait, NULL));
}

PTEST(fatal_error_of_the_scheduler)
{
	struct death d = die(run_all_wait, NULL);

	EXITED(d, 2);
	HAS(d, "fatal error: all goroutines are asleep - deadlock!\n\nruntime stack:\n");
	LIKE(d, "^rt_checkdead\\(");
	LIKE(d, "^goroutine 1 \\[chan receive\\]:$");
	LIKE(d, "^all_wait\\(");
}

static _Atomic int go;

static void dies_too(void *arg)
{
	(void)arg;
	while (!go)
		;
	misuse();
}

static int many_die(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		gmp_go(dies_too, NULL);
	gmp_sleep(10000000);
	go = 1;
	misuse();
	return 0;
}

static void run_many_die(void *arg)
{
	(void)arg;
	_exit(gmp_run(many_die, NULL));
}

PTEST(two_die_at_once)
{
	struct death d = die(run_many_die, NULL);

	EXITED(d, 2);
	CHECK_EQ(count(d.text, "fatal error: "), 1);
	CHECK_EQ(count(d.text, "goroutine 1 ["), 1);
}

/* ---- SIGQUIT ------------------------------------------------------------------------------------------------ */

static __attribute__((noinline)) void compute(void)
{
	for (;;)
		__asm__ volatile("");
}

static int quits_itself(void *arg)
{
	(void)arg;
	set_up();
	kill(getpid(), SIGQUIT);
	compute();
	return 0;
}

static void run_quit(void *arg)
{
	(void)arg;
	signal(SIGQUIT, SIG_DFL);	/* shells ignore it in what they start in the background */
	_exit(gmp_run(quits_itself, NULL));
}

PTEST(sigquit)
{
	struct death d = die(run_quit, NULL);

	EXITED(d, 2);
	LIKE(d, "^SIGQUIT: quit$");
	LIKE(d, "^PC=0x[0-9a-f]+ m=-?[0-9]+ sigcode=0$");
	LIKE(d, "^goroutine 1 \\[running\\]:");
	LIKE(d, "^quits_itself\\(");
	LIKE(d, "^goroutine [0-9]+ \\[chan receive\\]:$");
	LIKE(d, "^waiter\\(");
}

static int main_waits(const struct gmp_goroutine *g, void *arg)
{
	*(int *)arg |= g->goid == 1 && g->status == 4;
	return 0;
}

static void *quit_when_asleep(void *arg)
{
	int waits = 0;

	while (!waits) {
		usleep(1000);
		gmp_goroutines(main_waits, &waits);
	}
	usleep(100000);		/* and the threads go to sleep, too */
	kill(getpid(), SIGQUIT);
	return arg;
}

/* Everybody is asleep, in a poll that has no end. */
static int quit_asleep(void *arg)
{
	int64_t ns = (intptr_t)arg;
	pthread_t t;

	set_up();
	CHECK_EQ(pthread_create(&t, NULL, quit_when_asleep, NULL), 0);
	gmp_sleep(ns);
	return 0;
}

static void run_quit_asleep(void *arg)
{
	(void)arg;
	signal(SIGQUIT, SIG_DFL);
	_exit(gmp_run(quit_asleep, (void *)(intptr_t)20000000000ll));
}

PTEST(sigquit_while_asleep)
{
	struct death d = die(run_quit_asleep, NULL);

	EXITED(d, 2);
	LIKE(d, "^goroutine 1 \\[sleep\\]:$");
	LIKE(d, "^gmp_sleep\\(");
	LIKE(d, "^quit_asleep\\(");
}

static volatile sig_atomic_t got;

static void on_quit(int sig)
{
	got = sig;
}

static int quit_main(void *arg)
{
	(void)arg;
	raise(SIGQUIT);
	return got;
}

TEST(sigquit_of_the_program)
{
	struct sigaction sa;

	signal(SIGQUIT, on_quit);
	CHECK_EQ(gmp_run(quit_main, NULL), SIGQUIT);
	signal(SIGQUIT, SIG_DFL);
	CHECK_EQ(sigaction(SIGQUIT, NULL, &sa), 0);
	CHECK(sa.sa_handler == SIG_DFL);
}

/* This program again, with SIGQUIT as it is at that moment. */
static void run_again(void *how)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	CHECK(n > 0);
	self[n] = 0;
	setenv("SIGQUIT_TEST", how, 1);
	signal(SIGQUIT, strcmp(how, "began ignored") == 0 ? SIG_IGN : SIG_DFL);
	execl(self, "traceback_test", (char *)NULL);
}

/* Before main(): that of the tests sets SIGQUIT to the default. */
__attribute__((constructor)) static void again(void)
{
	const char *how = getenv("SIGQUIT_TEST");

	if (!how)
		return;
	if (strcmp(how, "ignores") == 0)
		signal(SIGQUIT, SIG_IGN);
	_exit(gmp_run(quit_main, NULL));
}

TEST(sigquit_ignored_by_who_started_the_program)
{
	struct death d = die(run_again, "began ignored");

	EXITED(d, 2);
	LIKE(d, "^SIGQUIT: quit$");
	LIKE(d, "^goroutine 1 \\[running\\]:");
}

TEST(sigquit_ignored_by_the_program)
{
	struct death d = die(run_again, "ignores");

	EXITED(d, 0);
	LACKS(d, "SIGQUIT");
}

static int handler_is_ours(void *arg)
{
	struct sigaction sa;

	(void)arg;
	sigaction(SIGQUIT, NULL, &sa);
	return sa.sa_handler != SIG_DFL;
}

TEST(signals_are_given_back)
{
	struct sigaction before, segv, quit;

	signal(SIGQUIT, SIG_DFL);
	sigaction(SIGSEGV, NULL, &before);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(gmp_run(handler_is_ours, NULL), 1);
		sigaction(SIGSEGV, NULL, &segv);
		sigaction(SIGQUIT, NULL, &quit);
		CHECK(segv.sa_handler == before.sa_handler && quit.sa_handler == SIG_DFL);
	}
}

static int takes_signals(void *arg)
{
	(void)arg;
	signal(SIGSEGV, on_quit);
	signal(SIGQUIT, on_quit);
	return 0;
}

/* What the program installs meanwhile is not taken away at the end. */
TEST(later_handlers_stay)
{
	struct sigaction segv, quit;

	CHECK_EQ(gmp_run(takes_signals, NULL), 0);
	sigaction(SIGSEGV, NULL, &segv);
	sigaction(SIGQUIT, NULL, &quit);
	CHECK(segv.sa_handler == on_quit && quit.sa_handler == on_quit);
}
