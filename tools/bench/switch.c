/* SPDX-License-Identifier: MIT */
/*
 * switch.c - gmp_yield(): from one goroutine to the next, and through many.
 *
 * The clock starts when all tasks have begun: their first run, which takes a stack, is not counted.
 */
#include "bench.h"

static struct {
	long tasks, rounds;
	atomic_long started, ended;
	uint64_t t0, t1;
	struct gmp_wg wg;
} y;

static void yielder(void *arg)
{
	(void)arg;
	if (atomic_fetch_add(&y.started, 1) + 1 == y.tasks)
		y.t0 = bench_now();
	while (atomic_load(&y.started) < y.tasks)
		gmp_yield();
	for (long i = 0; i < y.rounds; i++)
		gmp_yield();
	if (atomic_fetch_add(&y.ended, 1) + 1 == y.tasks)
		y.t1 = bench_now();
	gmp_wg_done(&y.wg);
}

static int run(struct bench *b, long tasks, long rounds)
{
	y.tasks = tasks;
	y.rounds = rounds;
	gmp_wg_add(&y.wg, (int)tasks);
	for (long i = 0; i < tasks; i++)
		bench_go(yielder, NULL);
	gmp_wg_wait(&y.wg);
	b->value = (double)(y.t1 - y.t0) / ((double)tasks * (double)rounds);
	return 0;
}

int bench_yield(struct bench *b)
{
	return run(b, 2, b->arg[0] / 2);
}

int bench_yieldmany(struct bench *b)
{
	return run(b, b->arg[0], b->arg[1]);
}
