/* SPDX-License-Identifier: MIT */
/*
 * crowd_test.c - /proc/gmp/<tgid>/goroutines of a process with very many goroutines: every one has its
 * row, nobody waits for the reader, and nothing is allocated that grows with the list. In the guest, as
 * root. GMP_CROWD= says how many; make check-soak reads a million.
 */
#include <fcntl.h>
#include <gmprt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "gmptest.h"

#define CROWD	200000
#define CGROUP	"/sys/fs/cgroup/gmp_crowd"

static long crowd(void)
{
	const char *n = getenv("GMP_CROWD");

	return n ? atol(n) : CROWD;
}

/* ---- the process that is looked at ------------------------------------------------------------------------ */

static int ready[2];

static void never_runs(void *arg)
{
	(void)arg;
}

/* One P, which this goroutine keeps: it does not yield, and sleeps where the runtime does not see it. */
static int make_crowd(void *arg)
{
	long n = (long)arg;
	char c;

	while (n--)
		CHECK(gmp_go(never_runs, NULL) > 0);
	CHECK_EQ(write(ready[1], "x", 1), 1);
	for (;;)
		(void)!read(ready[1], &c, 1);	/* the wrong end: fails at once; the process is stopped anyway */
	return 0;
}

static pid_t start_crowd(long n)
{
	pid_t pid;
	char c;

	CHECK(pipe(ready) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("GMP_DEBUG", "kern=ko,asyncpreemptoff=1", 1);
		setenv("GMP_MAXPROCS", "1", 1);
		_exit(gmp_run(make_crowd, (void *)n));
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK(kill(pid, SIGSTOP) == 0);		/* it has nothing more to do, and the readers have the CPUs */
	return pid;
}

/* ---- its readers, in a process and a control group of their own --------------------------------------------- */

static char list_path[64], status_path[64];

static struct {
	_Atomic int over;
	long rows;
	uint64_t bytes, ns, longest_read;
} list;

static void *read_list(void *arg)
{
	static char buf[65536];
	int fd = open(list_path, O_RDONLY | O_CLOEXEC);
	uint64_t begin = gmp_now(), before;
	ssize_t n;

	CHECK(fd >= 0);
	for (;;) {
		before = gmp_now();
		n = read(fd, buf, sizeof(buf));
		if (gmp_now() - before > list.longest_read)
			list.longest_read = gmp_now() - before;
		CHECK(n >= 0);
		if (!n)
			break;
		for (ssize_t i = 0; i < n; i++)
			list.rows += buf[i] == '\n';
		list.bytes += (uint64_t)n;
	}
	list.ns = gmp_now() - begin;
	list.over = 1;
	close(fd);
	return arg;
}

static void read_status(void)
{
	char buf[4096];
	int fd = open(status_path, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

#define LOOKS	10000

static int readers(void)
{
	static uint64_t took[LOOKS];
	pthread_t t;
	int n = 0;

	CHECK_EQ(pthread_create(&t, NULL, read_list, NULL), 0);
	while (!list.over && n < LOOKS) {
		took[n] = gmp_now();
		read_status();
		took[n] = gmp_now() - took[n];
		n++;
		usleep(1000);
	}
	CHECK_EQ(pthread_join(t, NULL), 0);
	gmptest_sort(took, (size_t)n);
	printf("# %ld rows, %llu MB in %.2f s, the longest read() %.1f ms; meanwhile %d reads of status: median %.2f ms, "
	       "longest %.1f ms\n", list.rows, (unsigned long long)list.bytes >> 20, (double)list.ns / 1e9,
	       (double)list.longest_read / 1e6, n, (double)took[n / 2] / 1e6, (double)took[n - 1] / 1e6);
	fflush(stdout);
	/* with a lock held, or without giving way, one of them would have taken as long as the whole */
	CHECK(n >= 5);
	CHECK(took[n - 1] < list.ns / 2);
	CHECK(list.longest_read < list.ns / 2);
	CHECK_EQ(list.rows, crowd() + 2);	/* goroutine 1 and the header */
	return 0;
}

static long long number_in(const char *path)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -1;
	close(fd);
	return atoll(text);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) > 0);
	close(fd);
}

/* The most that its control group ever had, of which the reader's own pages are a part. */
static long long peak_of_readers(void)
{
	long long peak;
	int status;
	pid_t pid;

	write_text("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	CHECK(mkdir(CGROUP, 0755) == 0 || errno == EEXIST);
	pid = fork();
	if (!pid) {
		write_text(CGROUP "/cgroup.procs", "0");
		_exit(readers());
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	peak = number_in(CGROUP "/memory.peak");
	for (int i = 0; i < 1000 && rmdir(CGROUP); i++)
		usleep(10000);
	return peak;
}

TEST(every_goroutine_of_a_crowd)
{
	long long peak;
	pid_t pid;

	if (!getenv("GMPTEST_TIMEOUT"))
		alarm(220);	/* as selftests/timeouts: a case's minute is not enough in a guest on a busy host */
	pid = start_crowd(crowd());
	snprintf(list_path, sizeof(list_path), "/proc/gmp/%d/goroutines", pid);
	snprintf(status_path, sizeof(status_path), "/proc/gmp/%d/status", pid);
	peak = peak_of_readers();
	printf("# the readers' control group had %lld kB at most\n", peak / 1024);
	CHECK(peak > 0 && peak < crowd() * 160 / 3);	/* a row has some 170 bytes; more than half of it is theirs */
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}
