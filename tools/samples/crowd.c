/* SPDX-License-Identifier: MIT */
/*
 * crowd.c - very many goroutines at once: what they cost in memory and in mappings.
 *
 * usage: crowd [N [KIB]]
 *   N    goroutines, 1000000 unless given; all are parked at the same time, then all released
 *   KIB  of its stack that each fills before it parks, and checks afterwards; 0 unless given
 *
 * Prints a line for each of the three moments: before, all parked, all ended. Ends with 0 when every
 * goroutine was there, parked, woken and found its stack as it had left it.
 */
#include <gmprt.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	long n, kib;
	struct gmp_chan *gate;
	atomic_long arrived, intact;
	long rss_before;
} crowd;

static long resident(void)
{
	long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%ld %ld", &size, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static long mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	long n = 0;
	int c;

	if (!f)
		return 0;
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static void report(const char *when)
{
	long rss = resident();

	printf("%-8s goroutines=%d mappings=%ld rss_mib=%ld rss_per_goroutine=%ld\n", when,
	       gmp_num_goroutine(), mappings(), rss >> 20, (rss - crowd.rss_before) / crowd.n);
	fflush(stdout);
}

static void wait_at_gate(void)
{
	char none;

	atomic_fetch_add(&crowd.arrived, 1);
	gmp_chan_recv(crowd.gate, &none);
}

/* A KiB of stack in each call; the innermost one waits. True: all is as it was. */
static __attribute__((noinline)) int deep(long kib, unsigned char mark)
{
	volatile unsigned char block[1024 - 64];
	int intact = 1;

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (unsigned char)(mark + i);
	if (kib > 1)
		intact = deep(kib - 1, (unsigned char)(mark + 7));
	else
		wait_at_gate();
	for (size_t i = 0; i < sizeof(block); i++)
		intact &= block[i] == (unsigned char)(mark + i);
	return intact;
}

static void member(void *arg)
{
	if (crowd.kib) {
		atomic_fetch_add(&crowd.intact, deep(crowd.kib, (unsigned char)(uintptr_t)arg));
		return;
	}
	wait_at_gate();
	atomic_fetch_add(&crowd.intact, 1);
}

static int gather(struct gmp_wg *wg)
{
	for (long i = 0; i < crowd.n; i++) {
		int64_t goid = gmp_wg_go(wg, member, (void *)(uintptr_t)i);

		if (goid < 0) {
			fprintf(stderr, "crowd: goroutine %ld: %s\n", i, strerror((int)-goid));
			return 1;
		}
	}
	while (atomic_load(&crowd.arrived) < crowd.n)
		gmp_yield();
	gmp_sleep(1000000);	/* the last of them on its way into the channel */
	return 0;
}

static int crowd_main(void *arg)
{
	struct gmp_wg wg = { 0 };

	(void)arg;
	crowd.gate = gmp_chan_make(1, 0);
	crowd.rss_before = resident();
	report("before");
	if (!crowd.gate || gather(&wg))
		return 1;
	report("parked");
	gmp_chan_close(crowd.gate);
	gmp_wg_wait(&wg);
	while (gmp_num_goroutine() > 1)
		gmp_yield();	/* a goroutine is counted by the group a little shorter than it is there */
	report("ended");
	gmp_chan_unref(crowd.gate);
	if (atomic_load(&crowd.intact) == crowd.n)
		return 0;
	fprintf(stderr, "crowd: %ld of %ld found their stacks intact\n", atomic_load(&crowd.intact), crowd.n);
	return 1;
}

int main(int argc, char **argv)
{
	int err;

	crowd.n = argc > 1 ? atol(argv[1]) : 1000000;
	crowd.kib = argc > 2 ? atol(argv[2]) : 0;
	if (argc > 3 || crowd.n < 1 || crowd.kib < 0 || crowd.kib > 128) {
		fprintf(stderr, "usage: crowd [N [KIB]], KIB at most 128\n");
		return 2;
	}
	err = gmp_run(crowd_main, NULL);
	if (err < 0)
		fprintf(stderr, "crowd: %s\n", strerror(-err));
	return err != 0;
}
