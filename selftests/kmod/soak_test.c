// SPDX-License-Identifier: GPL-2.0-only
/*
 * soak_test.c - the same thing very often, and what memory it cost in the end: none.
 *
 * Processes that attach and exit, the module that comes and goes, whole families that are killed in
 * the middle of their work. A tenth of what `make check-soak` does (GMP_SOAK=10: 10,000 cycles, 1,000
 * loads, 100 storms).
 *
 * What is left behind is looked for where it would be charged: each kind runs in a memory control group
 * of its own, whose kernel memory must be in the end what it was, but for half the size of the smallest
 * thing that could be lost, times the rounds. What is charged to nobody must be in the kernel's sums.
 * The first rounds are not counted, they fill caches. Under KASAN, where what is freed stays a while,
 * kmemleak is asked instead, by the runner, at the end of all tests.
 */
#include "kmod_harness.h"
#include "kmod_module.h"
#include <sys/prctl.h>

/* At its full length on a busy machine. The runner has a limit, too. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	7200

static bool all_gone(void)
{
	return WAIT_FOR(stat_value("processes") == 0 && stat_value("ms") == 0);
}

/* ---- memory -------------------------------------------------------------------------------- */

#define GROUP	"/sys/fs/cgroup/gmp_soak"

struct soak_kind {
	const char *what;
	int (*rounds)(int n);	/* returns how many went wrong */
	int n;
	int bytes;		/* half of the least that a round could lose */
};

struct memory {
	long long charged;	/* bytes: kernel memory of the group */
	long long kernel;	/* kB: what nobody can get back, and nothing but the kernel uses */
};

/* What was given to RCU is freed a little later, and caches are trimmed when asked. */
static struct memory memory_now(void)
{
	static const char *const sums[] = { "SUnreclaim", "VmallocUsed", "Percpu" };
	struct memory now = { 0 };
	unsigned int i;

	write_file("/proc/sys/vm/drop_caches", "3");
	sleep_ms(200);
	now.charged = file_value(GROUP "/memory.stat", "kernel", ' ');
	for (i = 0; i < ARRAY_SIZE(sums); i++)
		now.kernel += file_value("/proc/meminfo", sums[i], ':');
	return now;
}

/* For some seconds it may look so. */
static bool is_lost(const struct soak_kind *k, const struct memory *before, ull ns)
{
	bool lost = true;
	struct memory now;
	int i;

	for (i = 0; i < 20 && lost; i++) {
		now = memory_now();
		lost = now.charged - before->charged > (long long)k->n * k->bytes + 32768 ||
		       now.kernel - before->kernel > (long long)k->n * k->bytes / 1024 + 256;
	}
	ksft_print_msg("%d %s, %llu us each; charged %+lld B, in all %+lld kB\n", k->n, k->what,
		       ns / 1000 / k->n, now.charged - before->charged, now.kernel - before->kernel);
	fflush(stdout);		/* nobody else does before _exit() */
	return lost && !is_slow_kernel();
}

static int soak_child(void *arg)
{
	const struct soak_kind *k = arg;
	struct memory before;
	ull begin;

	if (write_file(GROUP "/cgroup.procs", "0"))
		return 1;
	if (k->rounds(k->n / 4 + 1) || !all_gone())
		return 2;
	before = memory_now();
	if (before.charged < 0)
		return 3;
	begin = now_ns();
	if (k->rounds(k->n))
		return 4;
	begin = now_ns() - begin;
	if (!all_gone())
		return 5;
	return is_lost(k, &before, begin) ? 6 : 0;
}

/* Returns 0 if all went well and nothing was lost, or where it went wrong. */
static int soak(struct soak_kind k)
{
	const char *times = getenv("GMP_SOAK");
	int err;

	k.n *= times ? atoi(times) : 1;
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		return -errno;
	err = run_child(soak_child, &k);
	return err || WAIT_FOR(!rmdir(GROUP)) ? err : -EBUSY;
}

/* ---- the rounds ---------------------------------------------------------------------------- */

static int attach_and_exit(void *arg)
{
	struct dev d;
	int i = *(int *)arg;

	if (dev_attach(&d, 1 + i % 300, 1 + i % 8) || dev_register(d.fd, i % (1 + i % 300), i))
		return 1;
	carry(&d.u[i % (1 + i % 300)], i, 0);
	if (i % 2)
		sched_yield();
	return 0;
}

static int attach_rounds(int n)
{
	int i, bad = 0;

	for (i = 0; i < n; i++)
		bad += run_child(attach_and_exit, &i);
	return bad;
}

TEST(attach_exit_cycles)
{
	EXPECT_EQ(0, soak((struct soak_kind) { "attach/exit cycles", attach_rounds, 1000, 128 }));
}

static int load_rounds(int n)
{
	int i, bad = 0;

	for (i = 0; i < n; i++) {
		bad += !WAIT_FOR(unload_module() == 0);
		bad += load_module("") != 0;
	}
	return bad;
}

TEST(load_unload_cycles)
{
	ASSERT_EQ(0, prepare_module());
	EXPECT_EQ(0, soak((struct soak_kind) { "module loads", load_rounds, 100, 128 }));
}

/* ---- storms -------------------------------------------------------------------------------- */

#define FAMILY	4
#define HANDS	4

struct hand {
	struct dev *d;
	int slot;
};

/* Works, sleeps a moment, gives its slot back and takes it again. */
static void *hand_main(void *arg)
{
	struct hand *h = arg;
	uint64_t goid = 1;

	for (;;) {
		dev_register(h->d->fd, h->slot, h->slot);
		while (++goid % 64) {
			carry(&h->d->u[h->slot], goid, h->slot);
			if (goid % 16 == 0)
				usleep(1);
		}
		dev_unregister(h->d->fd);
	}
	return NULL;
}

static int member_main(void *arg)
{
	struct hand hand[HANDS];
	struct dev d;
	pthread_t t;
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dev_attach(&d, 16, 4))
		return 1;
	tell(*(int *)arg);
	for (i = 0; i < HANDS; i++) {
		hand[i] = (struct hand) { &d, i };
		if (pthread_create(&t, NULL, hand_main, &hand[i]))
			return 2;
	}
	for (;;)
		try_read("/proc/gmp/tasks");
}

/* All at once, at any point, or before they have begun. */
static int storm_rounds(int n)
{
	int ready[2], i, k, bad = 0;
	pid_t pid[FAMILY];

	if (pipe(ready))
		return -1;
	for (i = 0; i < n; i++) {
		for (k = 0; k < FAMILY; k++)
			pid[k] = start_child(member_main, &ready[1]);
		for (k = 0; k < FAMILY && i % 4; k++)
			hear(ready[0]);
		usleep(rand() % 20000);
		for (k = 0; k < FAMILY; k++)
			kill(pid[k], SIGKILL);
		for (k = 0; k < FAMILY; k++)
			bad += end_child(pid[k]) != 256 + SIGKILL || has_dir(pid[k]);
	}
	close(ready[0]);
	close(ready[1]);
	return bad;
}

TEST(kill_9_storms)
{
	EXPECT_EQ(0, soak((struct soak_kind) { "kill -9 storms of 20 threads", storm_rounds, 10,
					       FAMILY * HANDS * 128 }));
}

TEST_HARNESS_MAIN
