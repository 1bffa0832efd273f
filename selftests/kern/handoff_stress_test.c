/* SPDX-License-Identifier: MIT */
/*
 * handoff_stress_test.c - what is done to a process from outside while its Ms sleep and come back:
 * SIGSTOP, ptrace, signals, kill -9 at any moment, rmmod. In the guest, as root, with gmp.ko.
 * A failing run is repeated with the GMP_SEED it prints.
 */
#include <fcntl.h>
#include <glob.h>
#include <gmprt.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "gmptest.h"

#define WORKERS	24

static struct shared {
	_Atomic uint64_t blocks, yields, handled;
} *shared;

static void nap(long ns)
{
	struct timespec ts = { .tv_nsec = ns };

	while (nanosleep(&ts, &ts) < 0)
		CHECK_EQ(errno, EINTR);
}

static void worker(void *arg)
{
	uint64_t x = ((uintptr_t)arg + 1) * 0x9e3779b97f4a7c15ull;
	struct gmp_chan *c = gmp_chan_make(sizeof(int), 1);
	int v = 0;

	for (;;) {
		switch (gmptest_rand(&x) % 4) {
		case 0:
			nap(gmptest_rand(&x) % 2000000);
			shared->blocks++;
			break;
		case 1:
			gmp_yield();
			shared->yields++;
			break;
		case 2:
			gmp_sleep(gmptest_rand(&x) % 300000);
			break;
		default:
			CHECK_EQ(gmp_chan_send(c, &v), 0);
			CHECK_EQ(gmp_chan_recv(c, &v), 1);
		}
	}
}

static void on_usr1(int sig)
{
	struct timespec ts = { .tv_nsec = 100000 };

	(void)sig;
	nanosleep(&ts, NULL);	/* blocks in a handler, wherever that came */
	shared->handled++;
}

static int work_forever(void *arg)
{
	(void)arg;
	for (uintptr_t i = 0; i < WORKERS; i++)
		CHECK(gmp_go(worker, (void *)i) > 0);
	for (;;)
		gmp_sleep(1000000000);
	return 0;
}

static pid_t start(const char *procs)
{
	pid_t pid;

	if (!shared)
		shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };

		prctl(PR_SET_PDEATHSIG, SIGKILL);	/* when a check fails: it holds the test's output */
		setenv("GMP_MAXPROCS", procs, 1);
		setenv("GMP_DEBUG", "kern=ko", 1);
		sigaction(SIGUSR1, &sa, NULL);
		_exit(gmp_run(work_forever, NULL));
	}
	return pid;
}

static void show(const char *path)
{
	char text[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY);

	printf("# %s\n", path);
	while (fd >= 0 && (n = read(fd, text, sizeof(text) - 1)) > 0) {
		text[n] = 0;
		for (char *line = text, *end; line; line = end) {
			end = strchr(line, '\n');
			if (end)
				*end++ = 0;
			if (*line)
				printf("#   %s\n", line);
		}
	}
	if (fd >= 0)
		close(fd);
}

/* What there is to know of one that stands still, before it is killed. */
static void show_all(pid_t pid)
{
	static const char *const of_process[] = { "status", "tasks", "ps", "sched", "goroutines" };
	static const char *const of_thread[] = { "wchan", "syscall", "stack", "status" };
	const char *more = getenv("GMPTEST_ON_HANG");
	char path[512];
	glob_t threads;

	for (size_t i = 0; i < sizeof(of_process) / sizeof(of_process[0]); i++) {
		snprintf(path, sizeof(path), "/proc/gmp/%d/%s", pid, of_process[i]);
		show(path);
	}
	snprintf(path, sizeof(path), "/proc/%d/task/*", pid);
	for (size_t t = 0; glob(path, 0, NULL, &threads) == 0 && t < threads.gl_pathc; t++) {
		for (size_t i = 0; i < sizeof(of_thread) / sizeof(of_thread[0]); i++) {
			char file[600];

			snprintf(file, sizeof(file), "%s/%s", threads.gl_pathv[t], of_thread[i]);
			show(file);
		}
	}
	fflush(stdout);
	snprintf(path, sizeof(path), "%s %d", more ? more : ":", pid);
	(void)!system(path);
}

/* It goes on: blocks and switches are seen within five seconds. */
static void check_lives(pid_t pid)
{
	uint64_t blocks = shared->blocks, yields = shared->yields;

	for (int i = 0; i < 5000; i++) {
		if (shared->blocks > blocks + 20 && shared->yields > yields + 20)
			return;
		CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
		nap(1000000);
	}
	show_all(pid);
	GMPTEST_FAIL_("process %d stands still", pid);
}

static void finish(pid_t pid)
{
	int status;

	CHECK(kill(pid, SIGKILL) == 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void stop_and_go(const char *procs)
{
	pid_t pid = start(procs);
	int status;

	for (int i = 0; i < 30; i++) {
		nap(3000000 + i * 100000);
		CHECK(kill(pid, SIGSTOP) == 0);
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status));
		CHECK(kill(pid, SIGCONT) == 0);
	}
	check_lives(pid);
	finish(pid);
}

TEST(sigstop_P1)	{ stop_and_go("1"); }
TEST(sigstop_P3)	{ stop_and_go("3"); }

static void trace_and_let_go(const char *procs)
{
	pid_t pid = start(procs);
	int status;

	check_lives(pid);
	for (int i = 0; i < 20; i++) {
		CHECK(ptrace(PTRACE_SEIZE, pid, 0, 0) == 0);
		CHECK(ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0);
		CHECK_EQ(waitpid(pid, &status, __WALL), pid);
		CHECK(WIFSTOPPED(status));
		nap(500000);
		CHECK(ptrace(PTRACE_DETACH, pid, 0, 0) == 0);
		nap(2000000);
	}
	check_lives(pid);
	finish(pid);
}

TEST(ptrace_P1)		{ trace_and_let_go("1"); }
TEST(ptrace_P3)		{ trace_and_let_go("3"); }

static void signals(const char *procs)
{
	pid_t pid = start(procs);

	check_lives(pid);
	for (int i = 0; i < 300; i++) {
		CHECK(kill(pid, SIGUSR1) == 0);
		nap(1000000);
	}
	CHECK(shared->handled > 50);
	check_lives(pid);
	finish(pid);
}

TEST(handlers_that_block_P1)	{ signals("1"); }
TEST(handlers_that_block_P3)	{ signals("3"); }

TEST(kill_at_any_moment)
{
	uint64_t x = gmptest_seed();

	for (int i = 0; i < 60; i++) {
		pid_t pid = start(i % 2 ? "1" : "3");

		nap(gmptest_rand(&x) % 40000000);
		finish(pid);
	}
}

TEST(rmmod_is_refused_meanwhile)
{
	pid_t pid = start("2");

	check_lives(pid);
	for (int i = 0; i < 20; i++) {
		CHECK(syscall(SYS_delete_module, "gmp", O_NONBLOCK) < 0);
		CHECK_EQ(errno, EWOULDBLOCK);
	}
	check_lives(pid);
	finish(pid);
}
