/* SPDX-License-Identifier: MIT */
/* mutex.c - tasks that take one mutex, again and again. */
#include <errno.h>

#include "bench.h"

static struct {
	struct gmp_mutex m;
	struct gmp_wg wg;
	long each, sum;		/* sum: m */
} mx;

static void locker(void *arg)
{
	(void)arg;
	for (long i = 0; i < mx.each; i++) {
		gmp_mutex_lock(&mx.m);
		mx.sum++;
		gmp_mutex_unlock(&mx.m);
	}
	gmp_wg_done(&mx.wg);
}

int bench_mutex(struct bench *b)
{
	long tasks = b->arg[0];
	uint64_t t0;

	mx.each = b->arg[1];
	gmp_wg_add(&mx.wg, (int)tasks);
	t0 = bench_now();
	for (long i = 0; i < tasks; i++)
		bench_go(locker, NULL);
	gmp_wg_wait(&mx.wg);
	bench_per_op(b, t0, (double)tasks * (double)mx.each);
	return mx.sum == tasks * mx.each ? 0 : -EIO;
}
