/* SPDX-License-Identifier: MIT */
/* util.c - clocks, memory, percentiles: see bench.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

uint64_t bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t bench_cpu(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t bench_rss(void)
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	fclose(f);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t bench_max_rss(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (uint64_t)ru.ru_maxrss * 1024;
}

long bench_mappings(void)
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

void bench_more(struct bench *b, const char *fmt, ...)
{
	size_t at = strlen(b->more);
	va_list ap;

	if (at + 1 >= sizeof(b->more))
		return;
	b->more[at++] = ' ';
	va_start(ap, fmt);
	vsnprintf(b->more + at, sizeof(b->more) - at, fmt, ap);
	va_end(ap);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t bench_percentile(uint64_t *v, size_t n, double p)
{
	size_t at;

	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), compare);
	at = (size_t)((double)n * p / 100);
	return v[at < n ? at : n - 1];
}

void *bench_alloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p) {
		fprintf(stderr, "gmpbench: out of memory\n");
		exit(1);
	}
	return p;
}

void bench_go(void (*fn)(void *), void *arg)
{
	int64_t goid = gmp_go(fn, arg);

	if (goid < 0) {
		fprintf(stderr, "gmpbench: gmp_go: %s\n", strerror((int)-goid));
		exit(1);
	}
}

void bench_per_op(struct bench *b, uint64_t t0, double n)
{
	b->value = (double)(bench_now() - t0) / n;
}
