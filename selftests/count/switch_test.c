/* SPDX-License-Identifier: MIT */
/*
 * switch_test.c - instructions that gmp.ko adds to a context switch, and the runtime needs for a switch
 * of goroutines. Counted, not timed: for a guest of `vm/run.sh -c`, whose time stamp counter is the number
 * of instructions executed. The module is not loaded when this begins, nor when it ends.
 *
 * How to read it: a round trip of a byte through two pipes on one CPU is two context switches; the task
 * looked at leaves its CPU once and comes back once, its partner, which the module does not know, too.
 * Each number is the median of many, and interrupts of the timer fall out; the differences of two repeat
 * to the instruction. A repeated string instruction counts once for each round.
 */
#include <gmprt.h>

#include "../kmod/kmod_module.h"
#include "gmptest.h"

#define ROUNDS		400
#define PROCESSES	9
#define VARIES		64	/* what a read and a write of a pipe cost, from one process to the next (6.1) */

static uint64_t instructions(void)
{
	uint32_t lo, hi;

	__asm__ __volatile__("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* A thousand rounds of five instructions: is this a guest that counts? */
static int counts(void)
{
	uint64_t t0 = instructions(), n = 1000;

	__asm__ __volatile__("1: nop; nop; nop; dec %0; jnz 1b" : "+r"(n) : : "cc");
	t0 = instructions() - t0;
	return t0 >= 5000 && t0 < 5100;
}

static uint64_t median(uint64_t *v, size_t n)
{
	gmptest_sort(v, n);
	return v[n / 2];
}

/* ---- the tasks ------------------------------------------------------------------------------------ */

/* What the task looked at is to the module. */
enum role {
	STRANGER,		/* not registered */
	IDLE_M,			/* registered, carries nothing */
	CARRIER,		/* carries a goroutine */
	CARRIER_ACCT,		/* ... of a process that accounts by goroutine */
	CARRIER_HANDOFF,	/* ... that lets its P go when it blocks; nobody waits for a P */
};

static void become(enum role role)
{
	struct gmp_handoff how = { .size = sizeof(how), .delay_ns = -1 };
	struct gmp_attach a = {
		.size = sizeof(a), .nr_m = 8, .nr_p = 4, .flags = role == CARRIER_ACCT ? GMP_ATTACH_ACCT : 0,
	};
	struct dev d = { .fd = -1 };

	if (role == STRANGER)
		return;
	d.fd = dev_open();
	CHECK(d.fd >= 0);
	CHECK_EQ(do_ioctl(d.fd, GMP_IOC_ATTACH, &a), 0);
	d.a = a;
	CHECK_EQ(dev_map(&d), 0);
	CHECK_EQ(dev_register(d.fd, 0, 0), 0);
	if (role == IDLE_M)
		return;
	carry(&d.u[0], 7, 1);
	d.p[1].word = GMP_P_WORD(GMP_P_RUNNING, 1, 1);
	if (role == CARRIER_HANDOFF)
		CHECK_EQ(do_ioctl(d.fd, GMP_IOC_HANDOFF, &how), 0);
}

/* Of one priority, above all else: neither preempts the other, both always go the same way. */
static void be_first(void)
{
	struct sched_param sp = { .sched_priority = 10 };

	CHECK_EQ(sched_setscheduler(0, SCHED_FIFO, &sp), 0);
}

static void pass_on(int from, int to)
{
	char c;

	CHECK_EQ(read(from, &c, 1), 1);
	CHECK_EQ(write(to, &c, 1), 1);
}

/* Round trips by pipe, which block, or by sched_yield(), which does not. */
static void trips(uint64_t *v, int from, int to, bool yields)
{
	char c = 0;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t t0 = instructions();

		if (yields) {
			sched_yield();
		} else {
			CHECK_EQ(write(to, &c, 1), 1);
			CHECK_EQ(read(from, &c, 1), 1);
		}
		v[i] = instructions() - t0;
	}
}

static int run_task(enum role role, bool yields, uint64_t *result)
{
	int there[2], back[2];
	uint64_t v[ROUNDS];
	pid_t partner;

	become(role);
	CHECK(!pipe(there) && !pipe(back));
	be_first();
	partner = fork();
	CHECK(partner >= 0);
	if (!partner) {
		for (;;) {
			if (yields)
				sched_yield();
			else
				pass_on(there[0], back[1]);
		}
	}
	trips(v, back[0], there[1], yields);
	kill(partner, SIGKILL);
	waitpid(partner, NULL, 0);
	*result = median(v, ROUNDS);
	return 0;
}

/* In a process of its own: a registration ends with it. */
static uint64_t one_process(enum role role, bool yields)
{
	uint64_t *result = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), n;
	pid_t pid;

	CHECK(result != MAP_FAILED);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid)
		_exit(run_task(role, yields, result));
	CHECK_EQ(end_child(pid), 0);
	n = *result;
	munmap(result, 4096);
	CHECK(n > 0);
	return n;
}

/* The least of some: from one process to the next it is a few instructions more or less, by where its pages lie. */
static uint64_t round_trip(enum role role, bool yields)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < PROCESSES; i++) {
		uint64_t n = one_process(role, yields);

		least = n < least ? n : least;
	}
	return least;
}

/* ---- the kernel's switch ---------------------------------------------------------------------------- */

static void need_module(const char *params)
{
	if (!counts())
		SKIP("the time stamp counter does not count instructions: vm/run.sh -c");
	CHECK_EQ(prepare_module(), 0);
	unload_module();	/* of a case that failed */
	CHECK_EQ(load_module(params), 0);
}

/* What the last process left is taken away a little later. */
static void no_module(void)
{
	CHECK(WAIT_FOR(unload_module() == 0));
}

/* For a moment somebody is registered: the static key of preempt notifiers stays on for a minute. */
static void key_on(void)
{
	round_trip(IDLE_M, false);
}

/*
 * A round trip is two switches, in each of which one task leaves and one comes. With the key off
 * the kernel executes nothing of ours; with it on, a look at the task's own empty list each way.
 */
TEST(strangers_pay_for_the_key_alone)
{
	uint64_t none[2], off[2], on[2];

	if (!counts())
		SKIP("the time stamp counter does not count instructions: vm/run.sh -c");
	for (int y = 0; y < 2; y++)
		none[y] = round_trip(STRANGER, y);
	need_module("");
	for (int y = 0; y < 2; y++)
		off[y] = round_trip(STRANGER, y);
	key_on();
	for (int y = 0; y < 2; y++)
		on[y] = round_trip(STRANGER, y);
	no_module();
	for (int y = 0; y < 2; y++) {
		printf("# a task gmp.ko does not know, %s: %llu instructions a switch without the module; "
		       "with it %+lld, while any process is attached %+lld\n", y ? "sched_yield()" : "pipe",
		       (ull)none[y] / 2, (long long)(off[y] - none[y]) / 2, (long long)(on[y] - none[y]) / 2);
	}
	CHECK_EQ(off[1], none[1]);
	CHECK(on[1] >= off[1] && on[1] - off[1] <= 2 * 24);
	CHECK(off[0] <= none[0] + VARIES && on[0] <= none[0] + 2 * 24 + VARIES);
}

static void show(const char *what, uint64_t with, uint64_t without)
{
	printf("# %s: %+lld instructions to leave a CPU and come back\n", what, (long long)(with - without));
	CHECK(with > without);
	CHECK(with - without < 3000);	/* nothing was forgotten in there, such as a lock, a search, a print */
}

TEST(registered_threads)
{
	static const struct {
		const char *what;
		enum role role;
		bool yields;
	} rows[] = {
		{ "an M without a goroutine that blocks", IDLE_M, false },
		{ "an M with a goroutine that blocks", CARRIER, false },
		{ "... accounting by goroutine", CARRIER_ACCT, false },
		{ "... handoff, nobody waits for a P", CARRIER_HANDOFF, false },
		{ "an M with a goroutine that is preempted", CARRIER, true },
		{ "... accounting by goroutine", CARRIER_ACCT, true },
		{ "... handoff", CARRIER_HANDOFF, true },
	};
	uint64_t stranger[2];

	need_module("handoff=1");
	key_on();
	for (int y = 0; y < 2; y++)
		stranger[y] = round_trip(STRANGER, y);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		show(rows[i].what, round_trip(rows[i].role, rows[i].yields), stranger[rows[i].yields]);
	no_module();
}

/* ---- the runtime's switch ----------------------------------------------------------------------------- */

#define BATCH	100

static struct {
	uint64_t v[ROUNDS];
	struct gmp_chan *there, *back;
	bool stop;
} run;

static void yielder(void *arg)
{
	(void)arg;
	while (!run.stop)
		gmp_yield();
}

static void answerer(void *arg)
{
	uint64_t v;

	(void)arg;
	while (gmp_chan_recv(run.there, &v) == 1)
		gmp_chan_send(run.back, &v);
}

/* Two goroutines by turns: @BATCH rounds are twice as many switches. */
static void yields(void)
{
	run.stop = false;
	CHECK(gmp_go(yielder, NULL));
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t t0 = instructions();

		for (int j = 0; j < BATCH; j++)
			gmp_yield();
		run.v[i] = instructions() - t0;
	}
	run.stop = true;
}

static void messages(void)
{
	uint64_t v = 1;

	run.there = gmp_chan_make(sizeof(v), 0);
	run.back = gmp_chan_make(sizeof(v), 0);
	CHECK(gmp_go(answerer, NULL));
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t t0 = instructions();

		for (int j = 0; j < BATCH; j++) {
			gmp_chan_send(run.there, &v);
			gmp_chan_recv(run.back, &v);
		}
		run.v[i] = instructions() - t0;
	}
	gmp_chan_close(run.there);
}

static int start(void *arg)
{
	double *result = arg;

	yields();
	result[0] = (double)median(run.v, ROUNDS) / (2 * BATCH);
	messages();
	result[1] = (double)median(run.v, ROUNDS) / BATCH;
	return 0;
}

/* In a process of its own, on one P; sysmon would only add its wake-ups. */
static void goroutines(const char *debug, double *result)
{
	double *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	CHECK(shared != MAP_FAILED);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		setenv("GMP_MAXPROCS", "1", 1);
		setenv("GMP_DEBUG", debug, 1);
		_exit(gmp_run(start, shared));
	}
	CHECK_EQ(end_child(pid), 0);
	memcpy(result, shared, 2 * sizeof(*result));
	munmap(shared, 4096);
}

TEST(switches_of_goroutines)
{
	static const struct {
		const char *what, *debug;
	} rows[] = {
		{ "without the module", "kern=none,sysmon=0" },
		{ "attached to gmp.ko", "kern=ko,handoff=0,sysmon=0" },
		{ "attached, with handoff", "kern=ko,sysmon=0" },
		{ "attached, accounting by goroutine", "kern=ko,handoff=0,acct=1,sysmon=0" },
	};
	double n[2], none[2] = { 0 };

	need_module("handoff=1");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		goroutines(rows[i].debug, n);
		if (i == 0)
			memcpy(none, n, sizeof(n));
		printf("# goroutines, %s: gmp_yield() %.1f instructions a switch (%+.1f), a round trip over two "
		       "channels %.1f (%+.1f)\n", rows[i].what, n[0], n[0] - none[0], n[1], n[1] - none[1]);
		CHECK(n[0] > 20 && n[0] < 1000);
	}
	no_module();
}
