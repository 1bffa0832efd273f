/* SPDX-License-Identifier: MIT */
/*
 * acct_test.c - accounting by goroutine: each gets what it used, and the sums are the kernel's.
 * In the guest, as root.
 */
#include <dirent.h>
#include <fcntl.h>
#include <gmprt.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "gmptest.h"

static char text[1 << 20];

/* 0: it has ended */
static ssize_t read_path(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t got, have = 0;

	if (fd < 0)
		return 0;
	while ((got = read(fd, text + have, sizeof(text) - 1 - (size_t)have)) > 0)
		have += got;
	close(fd);
	text[have] = 0;
	return have;
}

static void read_proc(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/gmp/%d/%s", getpid(), name);
	CHECK(read_path(path) > 0);
}

static uint64_t field(const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\n%s:\t", name);
	at = strstr(text, key);
	CHECK(at);
	return strtoull(at + strlen(key), NULL, 10);
}

struct g_row {
	unsigned long long goid, runs, cpu, blocked, runnable;
	char carriers[256], name[256];
};

static bool row_of(uint64_t goid, struct g_row *r)
{
	read_proc("goroutines");
	for (const char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
		CHECK_EQ(sscanf(line + 1, "%llu %*s %*s %*u %*d %*d %llu %llu %llu %llu %*u %*s %*s %*s %255s %255s",
				&r->goid, &r->runs, &r->cpu, &r->blocked, &r->runnable, r->carriers, r->name), 7);
		if (r->goid == goid)
			return true;
	}
	return false;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Works for about @ns of CPU time and says how much it was, by the kernel's clock. */
static uint64_t spin_ns(uint64_t ns)
{
	uint64_t begin, used;

	gmp_nopreempt_begin();
	begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	do {
		used = clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
	} while (used < ns);
	gmp_nopreempt_end();
	return used;
}

/* Each of these runs in a process of its own: GMP_DEBUG is read by gmp_run(). */
static void run_with(const char *debug, const char *procs, int (*fn)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		setenv("GMP_DEBUG", debug, 1);
		setenv("GMP_MAXPROCS", procs, 1);
		_exit(gmp_run(fn, arg));
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/*
 * An emulated guest on a busy host stands still at any instruction, for tens of milliseconds, and books
 * that as CPU time. So nothing here is "about" anything: what is measured is measured twice, inside and
 * outside, and what the module says lies between.
 */
#define SLACK_NS	12000000u	/* what runs is booked at ticks: 4 ms, of three threads at most */

static bool between(uint64_t lo, uint64_t have, uint64_t hi)
{
	bool ok = have + SLACK_NS + lo / 100 >= lo && have <= hi + SLACK_NS + hi / 100;

	if (!ok)
		printf("# %llu is not between %llu and %llu\n", (unsigned long long)have, (unsigned long long)lo,
		       (unsigned long long)hi);
	return ok;
}

/* ---- each gets what it used ------------------------------------------------------------------------------------ */

#define SPIN_NS	200000000ull
#define WORKERS	3

struct worker {
	uint64_t goid;
	uint64_t work_ns, sleep_ns;
	uint64_t used, slept;
	bool done;
};

static void work(void *arg)
{
	struct worker *w = arg;
	struct timespec ts = { 0, (long)w->sleep_ns };
	uint64_t begin;

	w->goid = gmp_goid();
	for (int i = 0; i < 10; i++) {
		w->used += spin_ns(w->work_ns / 10);
		gmp_yield();
	}
	begin = clock_ns(CLOCK_MONOTONIC);
	if (w->sleep_ns)
		while (syscall(SYS_nanosleep, &ts, &ts))	/* blocks its thread; a preemption may end it */
			;
	w->slept = clock_ns(CLOCK_MONOTONIC) - begin;
	gmp_yield();
	__atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
	gmp_sleep(60000000000ll);
}

static void wait_for(struct worker *w)
{
	while (!__atomic_load_n(&w->done, __ATOMIC_ACQUIRE))
		gmp_sleep(1000000);
}

static int each_its_own(void *arg)
{
	struct worker w[WORKERS] = { { .work_ns = SPIN_NS }, { .work_ns = 2 * SPIN_NS },
				     { .work_ns = SPIN_NS / 2, .sleep_ns = SPIN_NS } };
	uint64_t begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID), all, used = 0;
	struct g_row r;

	(void)arg;
	for (int i = 0; i < WORKERS; i++)
		CHECK(gmp_go(work, &w[i]) > 0);
	for (int i = 0; i < WORKERS; i++)
		wait_for(&w[i]);
	all = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin;
	for (int i = 0; i < WORKERS; i++)
		used += w[i].used;
	for (int i = 0; i < WORKERS; i++) {
		CHECK(row_of(w[i].goid, &r));
		CHECK(between(w[i].used, r.cpu, all - (used - w[i].used)));
		CHECK(between(w[i].sleep_ns * 3 / 4, r.blocked, w[i].slept));
		CHECK(strcmp(r.carriers, "-") != 0);
		CHECK(r.runs >= 11);
	}
	return 0;
}

TEST(each_gets_what_it_used)
{
	run_with("acct=1", "1", each_its_own, NULL);
	run_with("acct=1", "2", each_its_own, NULL);
}

/* One that never stops is seen to use what it uses. */
static int running(void *arg)
{
	struct g_row a, b;
	uint64_t t[4];

	(void)arg;
	t[0] = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	CHECK(row_of(gmp_goid(), &a));
	t[1] = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	spin_ns(SPIN_NS);
	t[2] = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	CHECK(row_of(gmp_goid(), &b));
	t[3] = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	CHECK(between(t[2] - t[1], b.cpu - a.cpu, t[3] - t[0]));
	return 0;
}

TEST(of_the_one_that_runs)
{
	run_with("acct=1", "1", running, NULL);
}

/* With one P the second of two waits while the first works. */
static int waits_for_the_p(void *arg)
{
	struct worker w = { .work_ns = 0 };
	uint64_t t[4];
	struct g_row r;

	(void)arg;
	t[0] = clock_ns(CLOCK_MONOTONIC);
	CHECK(gmp_go(work, &w) > 0);
	t[1] = clock_ns(CLOCK_MONOTONIC);
	spin_ns(SPIN_NS);
	t[2] = clock_ns(CLOCK_MONOTONIC);
	wait_for(&w);
	t[3] = clock_ns(CLOCK_MONOTONIC);
	CHECK(row_of(w.goid, &r));
	CHECK(between(t[2] - t[1], r.runnable, t[3] - t[0]));
	CHECK(r.cpu < t[3] - t[0] - SPIN_NS);
	return 0;
}

TEST(time_on_the_run_queue)
{
	run_with("acct=1", "1", waits_for_the_p, NULL);
}

static int nothing_counted(void *arg)
{
	struct g_row r;

	(void)arg;
	spin_ns(20000000);
	gmp_yield();
	CHECK(row_of(gmp_goid(), &r));
	CHECK_EQ(r.cpu + r.blocked + r.runnable, 0);
	CHECK_EQ(strcmp(r.carriers, "-"), 0);
	read_proc("status");
	CHECK_EQ(field("GoroutineNs") + field("SchedulerNs"), 0);
	return 0;
}

TEST(only_if_asked_for)
{
	run_with("stats=0", "1", nothing_counted, NULL);
}

/* ---- the sums ----------------------------------------------------------------------------------------------------- */

static volatile bool stop;

static void spinner(void *arg)
{
	(void)arg;
	while (!stop)
		for (volatile int i = 0; i < 100000; i++)
			;
}

static struct gmp_chan *ping, *pong;

static void ponger(void *arg)
{
	int v;

	(void)arg;
	while (gmp_chan_recv(ping, &v) == 1)
		gmp_chan_send(pong, &v);
}

static void pinger(void *arg)
{
	int v = 1;

	(void)arg;
	while (!stop) {
		for (int i = 0; i < 2000; i++) {
			gmp_chan_send(ping, &v);
			gmp_chan_recv(pong, &v);
		}
		gmp_sleep(2000000);
	}
	gmp_chan_close(ping);
}

static void sleeper(void *arg)
{
	struct timespec ts = { 0, 3000000 };

	(void)arg;
	while (!stop) {
		gmp_sleep(1000000);
		gmp_syscall_begin();
		nanosleep(&ts, NULL);
		gmp_syscall_end();
	}
}

static void short_one(void *arg)
{
	(void)arg;
	spin_ns(300000);
}

static void spawner(void *arg)
{
	(void)arg;
	while (!stop) {
		for (int i = 0; i < 10; i++)
			gmp_go(short_one, NULL);
		gmp_sleep(10000000);
	}
}

struct sums {
	uint64_t times;		/* utime + stime */
	uint64_t sched;		/* what the scheduler says, in ns: schedstat */
	uint64_t ours;		/* OnCpuNs of status */
};

static char rows[sizeof(text)];

/* The row of the M with that number of a thread, in rows; what it had used before it was registered. */
static bool is_m(int tid, uint64_t *base)
{
	unsigned long long ns;
	int its;

	for (const char *line = strchr(rows, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
		CHECK_EQ(sscanf(line + 1, "%d %*u %*d %*u %*s %*s %*s %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u "
				"%*u %*u %*s %*u %*u %llu", &its, &ns), 2);
		if (its == tid) {
			*base = ns;
			return true;
		}
	}
	return false;
}

/* utime + stime, of a process or of one thread */
static uint64_t times_of(const char *path)
{
	unsigned long long u, s;

	if (read_path(path) <= 0)
		return 0;
	CHECK_EQ(sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &u, &s), 2);
	return (u + s) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* Takes from @sum what is not the Ms': threads that are none, and what those had used before they were. */
static void less_of_thread(struct sums *sum, int tid)
{
	unsigned long long oncpu = 0;
	char path[64];
	uint64_t base;

	if (is_m(tid, &base)) {
		sum->times -= base;
		sum->sched -= base;
		return;
	}
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	sum->times -= times_of(path);
	snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", tid);
	if (read_path(path) > 0)
		sscanf(text, "%llu", &oncpu);
	sum->sched -= oncpu;
}

/* Of the process, in which Ms that have ended are counted, less what is not the Ms'. */
static struct sums cpu_of_ms(void)
{
	struct sums sum;
	struct dirent *d;
	DIR *dir;

	read_proc("status");
	sum.ours = field("OnCpuNs");
	read_proc("tasks");
	memcpy(rows, text, sizeof(rows));
	sum.times = times_of("/proc/self/stat");
	sum.sched = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	dir = opendir("/proc/self/task");
	CHECK(dir);
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.')
			less_of_thread(&sum, atoi(d->d_name));
	closedir(dir);
	return sum;
}

static double percent(uint64_t have, uint64_t want)
{
	return ((double)have - (double)want) * 100 / (double)want;
}

/* Between what the kernel says before and after, and no more than 1 % beside it. */
static bool within(uint64_t have, uint64_t before, uint64_t after)
{
	return percent(have, before) > -1 && percent(have, after) < 1;
}

static int mixed_load(void *arg)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + *(uint64_t *)arg, goroutines, scheduler, all;
	void (*fns[])(void *) = { spinner, spinner, ponger, pinger, sleeper, sleeper, sleeper, spawner };
	struct sums before, after;

	ping = gmp_chan_make(sizeof(int), 0);
	pong = gmp_chan_make(sizeof(int), 0);
	for (size_t i = 0; i < sizeof(fns) / sizeof(*fns); i++)
		CHECK(gmp_go(fns[i], NULL) > 0);
	while (clock_ns(CLOCK_MONOTONIC) < end)
		gmp_sleep(50000000);
	before = cpu_of_ms();
	read_proc("status");
	goroutines = field("GoroutineNs");
	scheduler = field("SchedulerNs");
	after = cpu_of_ms();
	stop = true;
	all = goroutines + scheduler;
	printf("# goroutines %.3f s + scheduler %.3f s = %.3f s\n", (double)goroutines / 1e9,
	       (double)scheduler / 1e9, (double)all / 1e9);
	printf("# utime+stime before %+.2f %%, after %+.2f %%; schedstat before %+.2f %%, after %+.2f %%\n",
	       percent(all, before.times), percent(all, after.times), percent(all, before.sched),
	       percent(all, after.sched));
	CHECK(within(all, before.times, after.times));
	CHECK(within(all, before.sched, after.sched));
	CHECK(within(all, before.ours, after.ours));
	CHECK(goroutines > all / 2);
	return 0;
}

TEST(the_sums_are_the_kernels)
{
	uint64_t ns = 10000000000ull;

	run_with("acct=1", "2", mixed_load, &ns);
}
