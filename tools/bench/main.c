/* SPDX-License-Identifier: MIT */
/*
 * main.c - gmpbench: one operation of the runtime at a time, measured.
 *
 * usage: gmpbench WORKLOAD PROCS [ARG...]
 *        gmpbench list                         the workloads, their arguments and defaults
 *        gmpbench echoload PORT CONNS MS       the client of `echo`: closed loop, 64-byte messages
 *        gmpbench slowfile MS                  for `fault`: a file whose pages take MS to read
 *
 * Prints one line, "gmp WORKLOAD procs=P VALUE UNIT [key=value ...]". The programs for Go (go/) and
 * for other rivals take the same arguments and print the same line, with their own first word.
 * Everywhere the last key is cpu=: CPU time of the process while the workload ran, by wall time. On
 * a busy machine VALUE * cpu is what one P would have needed on an idle one.
 * Exit status: 0, 1 the workload failed, 2 usage, 4 it cannot be run here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static const struct workload {
	const char *name;
	const char *args;
	long def[BENCH_ARGS];
	int (*fn)(struct bench *b);
	const char *unit;
} workloads[] = {
	{ "yield", "N", { 10000000 }, bench_yield, "ns" },
	{ "yieldmany", "TASKS ROUNDS", { 10000, 100 }, bench_yieldmany, "ns" },
	{ "chanpp", "N", { 2000000 }, bench_chanpp, "ns" },
	{ "pingpairs", "PAIRS N", { 100, 20000 }, bench_pingpairs, "ns" },
	{ "spawn", "N", { 1000000 }, bench_spawn, "ns" },
	{ "spawnjoin", "N", { 2000000 }, bench_spawnjoin, "ns" },
	{ "skynet", "LEAVES", { 1000000 }, bench_skynet, "ms" },
	{ "park", "N", { 100000 }, bench_park, "bytes" },
	{ "prodcons", "PRODUCERS CONSUMERS N", { 1, 1, 4000000 }, bench_prodcons, "ns" },
	{ "mutex", "TASKS N", { 8, 1000000 }, bench_mutex, "ns" },
	{ "fib", "N", { 25 }, bench_fib, "ms" },
	{ "select4", "N", { 1000000 }, bench_select4, "ns" },
	{ "selectdef", "N", { 20000000 }, bench_selectdef, "ns" },
	{ "timers", "N MAX_MS", { 1000000, 1000 }, bench_timers, "us" },
	{ "sleepchurn", "TASKS US ROUNDS", { 1000, 1000, 1000 }, bench_sleepchurn, "ns" },
	{ "timerstop", "N", { 5000000 }, bench_timerstop, "ns" },
	{ "sysret", "N", { 5000000 }, bench_sysret, "ns" },
	{ "blocksys", "TASKS SLEEP_US SECONDS", { 8, 1000, 2 }, bench_blocksys, "percent" },
	{ "handoff", "N", { 500 }, bench_handoff, "us" },
	{ "fault", "MS FILE", { 50 }, bench_fault, "ms" },
	{ "preempt", "SECONDS", { 2 }, bench_preempt, "us" },
	{ "echo", "PORT", { 0 }, bench_echo, "us" },
};

static int list(void)
{
	for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++) {
		const struct workload *w = &workloads[i];

		printf("%-12s %-26s %s", w->name, w->args, w->unit);
		for (int k = 0; k < BENCH_ARGS && w->def[k]; k++)
			printf(" %ld", w->def[k]);
		putchar('\n');
	}
	return 0;
}

static const struct workload *find(const char *name)
{
	for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++)
		if (strcmp(workloads[i].name, name) == 0)
			return &workloads[i];
	return NULL;
}

static int usage(void)
{
	fprintf(stderr, "usage: gmpbench WORKLOAD PROCS [ARG...]; gmpbench list\n");
	return 2;
}

/* False: not a number where one must be, or too many. */
static bool read_args(struct bench *b, int argc, char **argv)
{
	char *end;

	for (int i = 0; i < argc; i++) {
		long v = strtol(argv[i], &end, 10);

		if (end == argv[i] || *end) {
			if (i != argc - 1)
				return false;
			b->text = argv[i];
		} else if (i >= BENCH_ARGS || v < 0) {
			return false;
		} else {
			b->arg[i] = v;
		}
	}
	return true;
}

struct run {
	const struct workload *w;
	struct bench b;
	double cpu;
};

static int run_main(void *arg)
{
	struct run *r = arg;
	uint64_t t0 = bench_now(), cpu = bench_cpu();
	int err = r->w->fn(&r->b);

	r->cpu = (double)(bench_cpu() - cpu) / (double)(bench_now() - t0);
	return err;
}

int main(int argc, char **argv)
{
	struct run r = { 0 };
	int err;

	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return list();
	if (argc > 2 && strcmp(argv[1], "echoload") == 0)
		return load_echo(argc - 2, argv + 2);
	if (argc > 2 && strcmp(argv[1], "slowfile") == 0)
		return load_slowfile(argc - 2, argv + 2);
	r.w = argc > 2 ? find(argv[1]) : NULL;
	if (!r.w)
		return usage();
	memcpy(r.b.arg, r.w->def, sizeof(r.b.arg));
	r.b.procs = atoi(argv[2]);
	if (r.b.procs < 1 || !read_args(&r.b, argc - 3, argv + 3))
		return usage();
	gmp_maxprocs(r.b.procs);
	err = gmp_run(run_main, &r);
	if (err < 0) {
		fprintf(stderr, "gmpbench %s: %s\n", r.w->name, strerror(-err));
		return err == -ENOTSUP || err == -EPERM ? 4 : 1;
	}
	printf("gmp %s procs=%d %.6g %s%s cpu=%.3f\n", r.w->name, r.b.procs, r.b.value, r.w->unit,
	       r.b.more, r.cpu);
	return 0;
}
