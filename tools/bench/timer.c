/* SPDX-License-Identifier: MIT */
/* timer.c - sleepers and timers. What is counted is CPU time, for the rest is waiting. */
#include <errno.h>

#include "bench.h"

#define MS	1000000ull
#define HOUR	(3600000ull * MS)

/* ---- many sleepers, each once --------------------------------------------------------------------- */

static struct {
	long max_ms;
	uint64_t *late;
	struct gmp_wg wg;
} ts;

static void sleeper(void *arg)
{
	size_t i = (size_t)(uintptr_t)arg;
	/* the same durations in all programs: a hash of the number, in us */
	uint64_t us = 1000 + (i * 2654435761u & 0xffffffffu) % (uint64_t)(ts.max_ms * 1000 - 999);
	uint64_t due = bench_now() + us * 1000;

	gmp_sleep((int64_t)(us * 1000));
	ts.late[i] = bench_now() - due;
	gmp_wg_done(&ts.wg);
}

int bench_timers(struct bench *b)
{
	size_t n = (size_t)b->arg[0];
	uint64_t cpu, t0;

	ts.max_ms = b->arg[1] ? b->arg[1] : 1;
	ts.late = bench_alloc(n, sizeof(*ts.late));
	gmp_wg_add(&ts.wg, (int)n);
	t0 = bench_now();
	cpu = bench_cpu();
	for (size_t i = 0; i < n; i++)
		bench_go(sleeper, (void *)(uintptr_t)i);
	gmp_wg_wait(&ts.wg);
	b->value = (double)(bench_cpu() - cpu) / 1e3 / (double)n;
	bench_more(b, "wall_ms=%.6g", (double)(bench_now() - t0) / 1e6);
	bench_more(b, "p50_late_ms=%.4g", (double)bench_percentile(ts.late, n, 50) / 1e6);
	bench_more(b, "p99_late_ms=%.4g", (double)bench_percentile(ts.late, n, 99) / 1e6);
	bench_more(b, "max_late_ms=%.4g", (double)bench_percentile(ts.late, n, 100) / 1e6);
	return 0;
}

/* ---- a few sleepers, again and again ------------------------------------------------------------------ */

static struct {
	int64_t ns;
	long rounds;
	struct gmp_wg wg;
} sc;

static void napper(void *arg)
{
	(void)arg;
	for (long i = 0; i < sc.rounds; i++)
		gmp_sleep(sc.ns);
	gmp_wg_done(&sc.wg);
}

int bench_sleepchurn(struct bench *b)
{
	long tasks = b->arg[0];
	uint64_t cpu, t0;

	sc.ns = b->arg[1] * 1000;
	sc.rounds = b->arg[2];
	gmp_wg_add(&sc.wg, (int)tasks);
	t0 = bench_now();
	cpu = bench_cpu();
	for (long i = 0; i < tasks; i++)
		bench_go(napper, NULL);
	gmp_wg_wait(&sc.wg);
	b->value = (double)(bench_cpu() - cpu) / ((double)tasks * (double)sc.rounds);
	bench_more(b, "wall_ms=%.6g", (double)(bench_now() - t0) / 1e6);
	return 0;
}

/* ---- timers that never fire, as deadlines of requests ---------------------------------------------------- */

static void never(void *arg)
{
	(void)arg;
}

int bench_timerstop(struct bench *b)
{
	struct gmp_timer t = { 0 };
	long n = b->arg[0];
	uint64_t t0 = bench_now();
	double reset;

	for (long i = 0; i < n; i++) {
		if (gmp_timer_start(&t, HOUR, never, NULL) != 0 || gmp_timer_stop(&t) != 1)
			return -EIO;
	}
	bench_per_op(b, t0, (double)n);
	gmp_timer_start(&t, HOUR, never, NULL);
	t0 = bench_now();
	for (long i = 0; i < n; i++)
		gmp_timer_reset(&t, (int64_t)(HOUR + (uint64_t)i));
	reset = (double)(bench_now() - t0) / (double)n;
	gmp_timer_stop(&t);
	bench_more(b, "reset_ns=%.6g", reset);
	return 0;
}
