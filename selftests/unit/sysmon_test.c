/* SPDX-License-Identifier: MIT */
/*
 * sysmon_test.c - the monitor's numbers (20 us to 10 ms, 10 ms for a slice and for the network) and whom
 * it helps: timers behind tight loops, others behind system calls, descriptors nobody polls.
 *
 * Times are bounds that hold on a busy machine; what must be exact is counted.
 */
#include "sched/sched.h"

#include <dirent.h>
#include <gmprt.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "gmptest.h"

#define US	1000ull
#define MS	1000000ull

/* Runs as goroutine 1 with one P and, if @debug, that GMP_DEBUG. */
static int run1(int (*fn)(void *), const char *procs, const char *debug)
{
	setenv("GMP_MAXPROCS", procs, 1);
	if (debug)
		setenv("GMP_DEBUG", debug, 1);
	return gmp_run(fn, NULL);
}

static uint32_t stop;	/* atomic */

/* Seldom at the atomic load: in a TSan build that is a call of its runtime, where nobody is stopped. */
static void tight(void *arg)
{
	(void)arg;
	while (!rt_load_rlx(&stop))
		for (volatile int i = 0; i < 1000; i++)
			;
}

/* A quarter of @v is less than this: what the machine's other work does not explain. */
static uint64_t quarter(uint64_t *v, size_t n)
{
	gmptest_sort(v, n);
	printf("# %zu: least %llu us, quarter %llu us, median %llu us, most %llu us\n", n,
	       (unsigned long long)(v[0] / US), (unsigned long long)(v[n / 4] / US),
	       (unsigned long long)(v[n / 2] / US), (unsigned long long)(v[n - 1] / US));
	return v[n / 4];
}

/* ---- the length of its naps ---------------------------------------------------------------------------- */

TEST(from_20_us_to_10_ms)
{
	uint64_t ns = 5 * MS;

	for (uint32_t idle = 0; idle <= 50; idle++) {
		ns = idle ? rt_sysmon_nap(ns, idle) : rt_sysmon_nap(5 * MS, 0);
		CHECK_EQ(ns, 20 * US);
	}
	for (uint64_t want = 40 * US; want < 10 * MS; want *= 2) {
		ns = rt_sysmon_nap(ns, 51);
		CHECK_EQ(ns, want);
	}
	CHECK_EQ(rt_sysmon_nap(ns, 60), 10 * MS);
	CHECK_EQ(rt_sysmon_nap(10 * MS, 1000000), 10 * MS);
	CHECK_EQ(rt_sysmon_nap(10 * MS, 0), 20 * US);
}

/* ---- slices of 10 ms ---------------------------------------------------------------------------------------- */

static int two_tight(void *arg)
{
	struct gmp_stats st = { .size = sizeof(st) };
	uint64_t t0 = rt_now(), ns;

	(void)arg;
	gmp_go(tight, NULL);
	while (rt_now() - t0 < 400 * MS)
		for (volatile int i = 0; i < 100000; i++)
			;	/* not in the clock's code all the time: that is libc's */
	CHECK_EQ(gmp_stats(&st), 0);
	ns = rt_now() - t0;
	rt_store_rlx(&stop, 1);
	printf("# %llu preemptions in %llu ms, asked %llu times\n", (unsigned long long)st.preemptions,
	       (unsigned long long)(ns / MS), (unsigned long long)rt_load_rlx(&rt_sysmon_count.slices));
	CHECK(st.preemptions >= 2);
	CHECK(st.preemptions <= ns / (10 * MS) + 1);	/* never before 10 ms are over */
	return 0;
}

TEST(slices_of_10_ms)
{
	CHECK_EQ(run1(two_tight, "1", NULL), 0);
}

/* ---- the network, when nobody polls it ------------------------------------------------------------------------ */

static int pipe_fd[2];
static uint32_t got;	/* atomic */

static void reader(void *arg)
{
	struct gmp_fd *fd = arg;
	char c;

	CHECK_EQ(gmp_read(fd, &c, 1), 1);
	rt_store_rel(&got, 1);
}

static void *writer(void *arg)
{
	(void)arg;
	usleep(20000);
	CHECK_EQ(write(pipe_fd[1], "x", 1), 1);
	return NULL;
}

/* The only P computes and cannot be preempted: that the reader is runnable is sysmon's work alone. */
static int behind_a_loop(void *arg)
{
	struct gmp_fd *fd;
	uint64_t t0, before;
	pthread_t t;

	(void)arg;
	CHECK(pipe(pipe_fd) == 0);
	CHECK_EQ(gmp_fd_adopt(pipe_fd[0], &fd), 0);
	gmp_go(reader, fd);
	gmp_yield();
	CHECK(pthread_create(&t, NULL, writer, NULL) == 0);
	t0 = rt_now();
	before = rt_load_rlx(&rt_sysmon_count.netpolls);
	while (!rt_load_rlx(&rt_sched.globq.n) && rt_now() - t0 < 10000 * MS)
		;
	printf("# runnable after %llu ms, %llu polls\n", (unsigned long long)((rt_now() - t0) / MS),
	       (unsigned long long)(rt_load_rlx(&rt_sysmon_count.netpolls) - before));
	CHECK_EQ(rt_load_rlx(&rt_sched.globq.n), 1);
	CHECK(rt_load_rlx(&rt_sysmon_count.netpolls) > before);
	CHECK(rt_load_rlx(&rt_sysmon_count.netpolls) - before <= (rt_now() - t0) / (10 * MS) + 1);
	while (!rt_load_acq(&got))
		gmp_yield();
	pthread_join(t, NULL);
	return 0;
}

TEST(polls_the_network_every_10_ms)
{
	CHECK_EQ(run1(behind_a_loop, "1", "asyncpreemptoff=1"), 0);
}

/* ---- timers behind tight loops ----------------------------------------------------------------------------------- */

/* Under a tool everything takes ten times as long; what sysmon does not serve waits for a slice of 10 ms. */
#if GMPTEST_SANITIZED
#define LATE_NS	(5 * MS)
#else
#define LATE_NS	MS		/* TIMER_NS of sysmon.c */
#endif
#define QUIET_NS	(100 * US)
#define QUIET_ENOUGH	20u

static uint64_t cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000 * MS + (uint64_t)ts.tv_nsec;
}

/* How long the threads of this process waited for a CPU so far: the kernel's own count. */
static uint64_t waited(void)
{
	unsigned long long sum = 0, ran, wait;
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	char path[300];
	FILE *f;

	CHECK(d != NULL);
	while ((e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", e->d_name);
		f = *e->d_name == '.' ? NULL : fopen(path, "re");
		if (!f)
			continue;
		if (fscanf(f, "%llu %llu", &ran, &wait) == 2)
			sum += wait;
		fclose(f);
	}
	closedir(d);
	return sum;
}

/*
 * In CPU time: how long the loop went on after the timer was due, at least. On a busy machine the loop
 * is itself off its CPU for most of the time, and the signal waits for it; or it computes while sysmon waits. So of
 * all ticks only the fastest quarter is asserted. The median is asserted of those in which no thread of ours waited
 * for a CPU, if there are enough: on a quiet machine these are nearly all, on a busy one it is not asserted.
 */
static int ticker_behind_a_loop(void *arg)
{
	static uint64_t late[300], quiet[300];
	size_t n = sizeof(late) / sizeof(late[0]), nr_quiet = 0;

	(void)arg;
	gmp_go(tight, NULL);
	for (size_t i = 0; i < n; i++) {
		uint64_t w0 = waited(), t0 = cpu_now(), spent;

		gmp_sleep((int64_t)MS);
		spent = cpu_now() - t0;
		late[i] = spent > MS ? spent - MS : 0;
		if (waited() - w0 < QUIET_NS)
			quiet[nr_quiet++] = late[i];
	}
	rt_store_rlx(&stop, 1);
	CHECK(rt_load_rlx(&rt_sysmon_count.timers) > 0);
	CHECK(quarter(late, n) < LATE_NS);	/* 30 us on a quiet machine */
	if (nr_quiet >= QUIET_ENOUGH) {
		quarter(quiet, nr_quiet);
		CHECK(quiet[nr_quiet / 2] < LATE_NS);
	}
	return 0;
}

TEST(a_ticker_behind_a_tight_loop)
{
	CHECK_EQ(run1(ticker_behind_a_loop, "1", NULL), 0);
}

/* When it has slept for 10 ms at a time: the timer ends its nap. */
static int timer_after_calm(void *arg)
{
	static uint64_t late[10];
	size_t n = sizeof(late) / sizeof(late[0]);
	uint64_t told = rt_load_rlx(&rt_sysmon_count.told);

	(void)arg;
	gmp_go(tight, NULL);
	for (size_t i = 0; i < n; i++) {
		uint64_t due;

		while (rt_load_rlx(&rt_sched.sysmon_until) < rt_now() + 5 * MS)
			;
		due = rt_now() + 2 * MS;
		gmp_sleep(2 * (int64_t)MS);
		late[i] = rt_now() - due;
	}
	rt_store_rlx(&stop, 1);
	quarter(late, n);
	CHECK(rt_load_rlx(&rt_sysmon_count.told) - told >= n / 2);	/* the others found it awake */
	return 0;
}

TEST(a_timer_ends_a_long_nap)
{
	CHECK_EQ(run1(timer_after_calm, "1", NULL), 0);
}

/* ---- no system call pays for it -------------------------------------------------------------------------------------- */

static unsigned int calls, interrupted;

/* Not declared: the P stays here, and nobody stops a thread that sleeps. */
static void sleeper(void *arg)
{
	(void)arg;
	while (!rt_load_rlx(&stop)) {
		if (poll(NULL, 0, 1) < 0)
			interrupted++;
		if (++calls % 4 == 0)
			gmp_yield();
	}
}

/*
 * The thread is asked about at each tick, in a call or on its way out of one. It may enter the next in the
 * microseconds between the look and the signal; a kernel timer in sysmon's place would hit every tick.
 */
static int ticker_behind_calls(void *arg)
{
	unsigned int ticks = 150;

	(void)arg;
	gmp_go(sleeper, NULL);
	for (unsigned int i = 0; i < ticks; i++)
		gmp_sleep((int64_t)MS);
	rt_store_rlx(&stop, 1);
	gmp_yield();
	printf("# %u of %u calls interrupted in %u ticks\n", interrupted, calls, ticks);
	CHECK(calls >= ticks);
	CHECK(interrupted <= ticks / 10);
	return 0;
}

TEST(a_thread_in_a_system_call_is_not_signalled)
{
	CHECK_EQ(run1(ticker_behind_calls, "1", NULL), 0);
}

/* ---- one short system call after the other ------------------------------------------------------------------------------ */

static void caller(void *arg)
{
	(void)arg;
	while (!rt_load_rlx(&stop)) {
		gmp_syscall_begin();
		usleep(3000);
		gmp_syscall_end();
	}
}

/* Each is over before sysmon looks twice: the P must go all the same, after 10 ms. */
static int behind_short_calls(void *arg)
{
	uint64_t longest = 0, end = rt_now() + 1000 * MS;
	unsigned int n = 0;

	(void)arg;
	gmp_go(tight, NULL);
	gmp_go(caller, NULL);
	gmp_go(caller, NULL);
	for (; rt_now() < end; n++) {
		uint64_t t0 = rt_now();

		gmp_sleep(5 * (int64_t)MS);
		if (rt_now() - t0 > longest)
			longest = rt_now() - t0;
	}
	rt_store_rlx(&stop, 1);
	printf("# %u sleeps of 5 ms in 1 s, the longest %llu ms\n", n, (unsigned long long)(longest / MS));
	CHECK(n >= 10);
	CHECK(longest < 800 * MS);
	return 0;
}

TEST(short_system_calls_keep_no_p)
{
	CHECK_EQ(run1(behind_short_calls, "1", NULL), 0);
}
