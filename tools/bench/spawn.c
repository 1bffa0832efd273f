/* SPDX-License-Identifier: MIT */
/* spawn.c - goroutines that begin and end: many at once, one at a time, trees, parked crowds. */
#include <errno.h>

#include "bench.h"

static void ends(void *arg)
{
	gmp_wg_done(arg);
}

int bench_spawn(struct bench *b)
{
	struct gmp_wg wg = { 0 };
	uint64_t before = bench_rss(), t0 = bench_now();

	gmp_wg_add(&wg, (int)b->arg[0]);
	for (long i = 0; i < b->arg[0]; i++)
		bench_go(ends, &wg);
	gmp_wg_wait(&wg);
	bench_per_op(b, t0, (double)b->arg[0]);
	bench_more(b, "rss_mb=%.1f", (double)(bench_max_rss() - before) / 1048576);
	return 0;
}

int bench_spawnjoin(struct bench *b)
{
	struct gmp_wg wg = { 0 };
	uint64_t t0 = bench_now();

	for (long i = 0; i < b->arg[0]; i++) {
		gmp_wg_add(&wg, 1);
		bench_go(ends, &wg);
		gmp_wg_wait(&wg);
	}
	bench_per_op(b, t0, (double)b->arg[0]);
	return 0;
}

/* ---- skynet: a tree, ten children a node, sums go up over channels ------------------------------------- */

struct node {
	struct gmp_chan *up;
	long num, size;
};

static void skynet(void *arg)
{
	struct node *nd = arg;
	struct node child[10];
	struct gmp_chan *c;
	uint64_t v, sum = 0;

	if (nd->size == 1) {
		sum = (uint64_t)nd->num;
		gmp_chan_send(nd->up, &sum);
		return;
	}
	c = gmp_chan_make(8, 0);
	for (int i = 0; i < 10; i++) {
		child[i] = (struct node){ c, nd->num + i * (nd->size / 10), nd->size / 10 };
		bench_go(skynet, &child[i]);
	}
	for (int i = 0; i < 10; i++) {
		gmp_chan_recv(c, &v);
		sum += v;
	}
	gmp_chan_unref(c);
	gmp_chan_send(nd->up, &sum);
}

int bench_skynet(struct bench *b)
{
	struct node root = { gmp_chan_make(8, 0), 0, 1 };
	uint64_t v, t0;

	while (root.size * 10 <= b->arg[0])
		root.size *= 10;
	t0 = bench_now();
	bench_go(skynet, &root);
	gmp_chan_recv(root.up, &v);
	b->value = (double)(bench_now() - t0) / 1e6;
	bench_more(b, "leaves=%ld rss_mb=%.1f", root.size, (double)bench_max_rss() / 1048576);
	return v == (uint64_t)root.size * (uint64_t)(root.size - 1) / 2 ? 0 : -EIO;
}

/* ---- fib: fork the left, call the right, join; no cutoff -------------------------------------------------- */

struct fib {
	struct gmp_wg *wg;
	long n, result;
};

static long fib(long n);

static void fib_child(void *arg)
{
	struct fib *f = arg;

	f->result = fib(f->n);
	gmp_wg_done(f->wg);
}

static long fib(long n)
{
	struct gmp_wg wg = { 0 };
	struct fib f = { &wg, n - 1, 0 };
	long right;

	if (n < 2)
		return n;
	gmp_wg_add(&wg, 1);
	bench_go(fib_child, &f);
	right = fib(n - 2);
	gmp_wg_wait(&wg);
	return f.result + right;
}

int bench_fib(struct bench *b)
{
	uint64_t ns, t0 = bench_now();
	long a = 0, c = 1, r = fib(b->arg[0]);

	ns = bench_now() - t0;
	for (long i = 0; i < b->arg[0]; i++) {
		long next = a + c;

		a = c;
		c = next;
	}
	b->value = (double)ns / 1e6;
	bench_more(b, "fork_ns=%.6g", (double)ns / (double)(c - 1));	/* forks: fib(n + 1) - 1 */
	return r == a ? 0 : -EIO;
}

/* ---- park: what a waiting goroutine costs ----------------------------------------------------------------- */

static struct {
	struct gmp_chan *gate;
	atomic_long parked;
	struct gmp_wg wg;
} pk;

static void waiter(void *arg)
{
	uint64_t v;

	(void)arg;
	atomic_fetch_add(&pk.parked, 1);
	gmp_chan_recv(pk.gate, &v);
	gmp_wg_done(&pk.wg);
}

int bench_park(struct bench *b)
{
	long n = b->arg[0];
	uint64_t before, t0;

	pk.gate = gmp_chan_make(8, 0);
	gmp_wg_add(&pk.wg, (int)n);
	before = bench_rss();
	for (long i = 0; i < n; i++)
		bench_go(waiter, NULL);
	while (atomic_load(&pk.parked) < n)
		gmp_yield();
	gmp_sleep(20000000);
	b->value = (double)(bench_rss() - before) / (double)n;
	bench_more(b, "mappings=%ld", bench_mappings());
	t0 = bench_now();
	gmp_chan_close(pk.gate);
	gmp_wg_wait(&pk.wg);
	bench_more(b, "release_ns=%.6g", (double)(bench_now() - t0) / (double)n);
	return 0;
}
