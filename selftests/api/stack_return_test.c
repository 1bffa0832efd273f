/* SPDX-License-Identifier: MIT */
/*
 * stack_return_test.c - memory of stacks: what a burst of goroutines touched goes back to the kernel
 * within seconds; what is in steady use does not; sizes from a page to the limit work; growing is no
 * scheduling point.
 */
#include <alloca.h>
#include <gmprt.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "gmptest.h"

#define MS	1000000ll
#define KIB	1024l
#define MIB	(1024 * KIB)

/* Resident memory of this process, in bytes: VmRSS's own file, which is exact. */
static long rss(void)
{
	char line[128];
	long kib = -1;
	FILE *f = fopen("/proc/self/smaps_rollup", "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Rss: %ld kB", &kib) == 1)
			break;
	fclose(f);
	CHECK(kib > 0);
	return kib * KIB;
}

static long mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	long n = 0;
	int c;

	CHECK(f);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

/* ---- after a burst ------------------------------------------------------------------------------------ */

#define BURST	10000
#define TOUCHED	(64 * KIB)

static struct gmp_wg touched, done, release;

static __attribute__((noinline)) void touch(long bytes)
{
	volatile char frame[TOUCHED];

	for (long i = 0; i < bytes; i += 4096)
		frame[i] = 1;
	__asm__ volatile("" : : "r"(frame) : "memory");
}

static void guest(void *arg)
{
	touch((long)arg);
	gmp_wg_done(&touched);
	gmp_wg_wait(&release);
	gmp_wg_done(&done);
}

static void burst(void)
{
	gmp_wg_add(&touched, BURST);
	gmp_wg_add(&done, BURST);
	gmp_wg_add(&release, 1);
	for (int i = 0; i < BURST; i++)
		CHECK(gmp_go(guest, (void *)TOUCHED) > 0);
	gmp_wg_wait(&touched);
	gmp_wg_done(&release);
	gmp_wg_wait(&done);
}

/* How long until no more than @limit is resident; -1: not within 20 s. @busy: others run meanwhile. */
static long falls_below(long limit, int busy)
{
	uint64_t t0 = gmp_now();

	while (gmp_now() - t0 < 20000 * (uint64_t)MS) {
		if (rss() <= limit)
			return (long)((gmp_now() - t0) / (uint64_t)MS);
		if (busy)
			gmp_yield();
		else
			gmp_sleep(200 * MS);
	}
	return -1;
}

/* The tops of the stacks stay: a page each. Twice: what was given back can be used again. */
static int burst_main(void *arg)
{
	long before = rss(), peak, ms;

	for (int round = arg ? 1 : 0; round < 2; round++) {
		burst();
		peak = rss();
		CHECK(peak > BURST * TOUCHED);
		ms = falls_below(before + BURST * 2 * 4096 + 64 * MIB, arg != NULL);
		printf("# %ld MiB before, %ld MiB at once, %ld MiB after %ld ms; %ld mappings\n",
		       before / MIB, peak / MIB, rss() / MIB, ms, mappings());
		CHECK(ms >= 0);
	}
	return 0;
}

TEST(a_burst_is_given_back_when_all_is_idle)
{
	setenv("GMP_MAXPROCS", "2", 1);
	CHECK_EQ(gmp_run(burst_main, NULL), 0);
}

TEST(a_burst_is_given_back_while_others_run)
{
	setenv("GMP_MAXPROCS", "1", 1);
	CHECK_EQ(gmp_run(burst_main, "busy"), 0);
}

/* ---- steady use ------------------------------------------------------------------------------------------ */

static long pages_of(volatile char *p, long bytes)
{
	unsigned char in[64];
	uintptr_t at = (uintptr_t)p & ~4095ul;
	long n = 0;

	CHECK(bytes / 4096 <= (long)sizeof(in));
	CHECK(mincore((void *)at, (size_t)bytes, in) == 0);
	for (long i = 0; i < bytes / 4096; i++)
		n += in[i] & 1;
	return n;
}

static long cold;	/* goroutines that found fewer pages than the last one left */
static int first;

static __attribute__((noinline)) void look_and_touch(void)
{
	volatile char frame[32 * KIB];

	if (!first && pages_of(frame + 4096, 24 * KIB) < 6)
		cold++;
	for (long i = 0; i < 32 * KIB; i += 4096)
		frame[i] = 1;
}

static void steady(void *arg)
{
	look_and_touch();
	gmp_wg_done(arg);
}

/* One goroutine after the other for longer than two rounds of the scavenger, on the same stack: it stays warm. */
static int steady_main(void *arg)
{
	static struct gmp_wg wg;
	uint64_t end = gmp_now() + 2500 * (uint64_t)MS;
	long n = 0;

	(void)arg;
	for (first = 1; gmp_now() < end; first = 0, n++) {
		gmp_wg_add(&wg, 1);
		gmp_go(steady, &wg);
		gmp_wg_wait(&wg);
		gmp_sleep(MS);
	}
	printf("# %ld goroutines, %ld met a cold stack\n", n, cold);
	CHECK(n > 10);
	CHECK(cold <= 2);
	return 0;
}

TEST(what_is_in_use_stays_warm)
{
	setenv("GMP_MAXPROCS", "1", 1);
	CHECK_EQ(gmp_run(steady_main, NULL), 0);
}

/* ---- sizes ------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) long dig(long bytes)
{
	volatile char frame[2048];

	frame[0] = (char)bytes;
	return bytes <= (long)sizeof(frame) ? frame[0] : dig(bytes - (long)sizeof(frame)) + frame[0];
}

static long depth;

static void digger(void *arg)
{
	dig(depth);
	gmp_wg_done(arg);
}

static void check_size(size_t size)
{
	static struct gmp_wg wg;
	struct gmp_go_attr a = { .size = sizeof(a), .max_stack = size };
	long use = (long)(size < 16384 ? 16384 : size);

	/* three quarters of it, but not more memory than a test may take */
	depth = use / 4 * 3 < 48 * MIB ? use / 4 * 3 : 48 * MIB;
	gmp_wg_add(&wg, 1);
	CHECK(gmp_go_attr(&a, digger, &wg) > 0);
	gmp_wg_wait(&wg);
}

/* From a page, which is made 16 KiB, to 1 GiB; the steps between are rounded up. */
GTEST(sizes_from_a_page_to_the_limit)
{
	struct gmp_go_attr a = { .size = sizeof(a), .max_stack = (1ul << 30) + 1 };

	for (size_t size = 4096; size <= 1ul << 30; size *= 2)
		check_size(size);
	check_size(1);
	check_size(16385);
	check_size((1ul << 30) - 1);
	CHECK_EQ(gmp_go_attr(&a, digger, NULL), -EINVAL);
}

GTEST(the_default_is_settable)
{
	static struct gmp_wg wg;
	size_t old = gmp_set_max_stack(8 << 20);

	CHECK_EQ(old, 256 << 10);
	depth = 6 << 20;
	gmp_wg_add(&wg, 2);
	gmp_go(digger, &wg);
	gmp_go(digger, &wg);
	gmp_wg_wait(&wg);
	CHECK_EQ(gmp_set_max_stack(1), 8 << 20);
	CHECK_EQ(gmp_set_max_stack(1ul << 40), 16 << 10);	/* never less than that, nor more than 1 GiB */
	CHECK_EQ(gmp_set_max_stack(old), 1 << 30);
	CHECK_EQ(gmp_set_max_stack(0), old);
}

/* ---- growth --------------------------------------------------------------------------------------------- */

static int others_ran;

static void other(void *arg)
{
	(void)arg;
	others_ran++;
}

static uint64_t switches(void)
{
	struct gmp_stats st = { .size = sizeof(st) };

	CHECK_EQ(gmp_stats(&st), 0);
	return st.switches;
}

static long faults(void)
{
	struct rusage ru;

	CHECK_EQ(getrusage(RUSAGE_THREAD, &ru), 0);
	return ru.ru_minflt;
}

static __attribute__((noinline)) void grow(long bytes)
{
	volatile char *frame = alloca((size_t)bytes);

	for (long i = bytes - 1; i >= 0; i -= 4096)
		frame[i] = 1;
}

/* Somebody else could run, and does at the first switch: there is none while pages come in. */
static void grows(void *arg)
{
	uint64_t before;
	long taken;

	(void)arg;
	CHECK(gmp_go(other, NULL) > 1);
	before = switches();
	taken = faults();
	grow(4 * MIB);
	taken = faults() - taken;
	CHECK_EQ(switches() - before, 0);
	CHECK_EQ(others_ran, 0);
	printf("# %ld page faults\n", taken);
	CHECK(taken >= 2);	/* 1024, where pages are small */
	gmp_yield();
	CHECK_EQ(others_ran, 1);
	gmp_wg_done(&done);
}

static int grows_beside_another(void *arg)
{
	struct gmp_go_attr attr = { .size = sizeof(attr), .max_stack = 16 * MIB };

	gmp_wg_add(&done, 1);
	CHECK(gmp_go_attr(&attr, grows, arg) > 1);
	gmp_wg_wait(&done);
	return 0;
}

TEST(growth_is_no_scheduling_point)
{
	setenv("GMP_MAXPROCS", "1", 1);
	setenv("GMP_DEBUG", "sysmon=0", 1);	/* nor is anybody's slice over */
	CHECK_EQ(gmp_run(grows_beside_another, NULL), 0);
}
