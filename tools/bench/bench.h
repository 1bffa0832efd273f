/* SPDX-License-Identifier: MIT */
/*
 * bench.h - what the workloads share: their arguments, their result, clocks and percentiles.
 *
 * A workload is a function that runs as goroutine 1, reads b->arg, sets b->value (in the unit that
 * main.c's table names) and, with bench_more(), what else is to be printed as key=value. It returns
 * 0 or a negative errno.
 */
#ifndef BENCH_H
#define BENCH_H

#include <gmprt.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_ARGS	3

struct bench {
	int procs;
	long arg[BENCH_ARGS];
	const char *text;	/* the last argument, when it is no number */
	double value;
	char more[256];
};

uint64_t bench_now(void);		/* ns, CLOCK_MONOTONIC */
uint64_t bench_cpu(void);		/* ns of CPU time of the whole process */
uint64_t bench_rss(void);		/* bytes resident now */
uint64_t bench_max_rss(void);		/* bytes resident at most so far */
long bench_mappings(void);		/* lines of /proc/self/maps */
void bench_more(struct bench *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Sorts @v and returns its @p-th percentile (50 = median, 100 = largest). */
uint64_t bench_percentile(uint64_t *v, size_t n, double p);
void *bench_alloc(size_t n, size_t size);	/* zeroed; ends the program when there is none */
void bench_go(void (*fn)(void *), void *arg);	/* gmp_go() that ends the program on failure */
/* b->value = ns between @t0 and now, for each of @n operations */
void bench_per_op(struct bench *b, uint64_t t0, double n);

/* switch.c */
int bench_yield(struct bench *b);
int bench_yieldmany(struct bench *b);
/* chan.c */
int bench_chanpp(struct bench *b);
int bench_pingpairs(struct bench *b);
int bench_prodcons(struct bench *b);
int bench_select4(struct bench *b);
int bench_selectdef(struct bench *b);
/* spawn.c */
int bench_spawn(struct bench *b);
int bench_spawnjoin(struct bench *b);
int bench_skynet(struct bench *b);
int bench_fib(struct bench *b);
int bench_park(struct bench *b);
/* mutex.c */
int bench_mutex(struct bench *b);
/* timer.c */
int bench_timers(struct bench *b);
int bench_sleepchurn(struct bench *b);
int bench_timerstop(struct bench *b);
/* block.c */
int bench_sysret(struct bench *b);
int bench_blocksys(struct bench *b);
int bench_handoff(struct bench *b);
int bench_fault(struct bench *b);
int bench_preempt(struct bench *b);
/* echo.c */
int bench_echo(struct bench *b);
/* load.c, slowfile.c: no goroutines; they return an exit status */
int load_echo(int argc, char **argv);
int load_slowfile(int argc, char **argv);

#endif
