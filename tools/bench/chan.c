/* SPDX-License-Identifier: MIT */
/* chan.c - channels and select. Elements are of 8 bytes. */
#include <errno.h>

#include "bench.h"

struct pair {
	struct gmp_chan *ping, *pong;
	long n;
	struct gmp_wg *wg;
};

static void echoer(void *arg)
{
	struct pair *p = arg;
	uint64_t v;

	while (gmp_chan_recv(p->ping, &v) == 1)
		gmp_chan_send(p->pong, &v);
	gmp_wg_done(p->wg);
}

static void caller(void *arg)
{
	struct pair *p = arg;

	for (uint64_t i = 0; i < (uint64_t)p->n; i++) {
		uint64_t v = i;

		gmp_chan_send(p->ping, &v);
		gmp_chan_recv(p->pong, &v);
	}
	gmp_chan_close(p->ping);
	gmp_wg_done(p->wg);
}

static int run_pairs(struct bench *b, long pairs, long n)
{
	struct pair *p = bench_alloc((size_t)pairs, sizeof(*p));
	struct gmp_wg wg = { 0 };
	uint64_t t0;

	gmp_wg_add(&wg, (int)(2 * pairs));
	for (long i = 0; i < pairs; i++) {
		p[i] = (struct pair){ gmp_chan_make(8, 0), gmp_chan_make(8, 0), n, &wg };
		if (!p[i].ping || !p[i].pong)
			return -ENOMEM;
	}
	t0 = bench_now();
	for (long i = 0; i < pairs; i++) {
		bench_go(echoer, &p[i]);
		bench_go(caller, &p[i]);
	}
	gmp_wg_wait(&wg);
	bench_per_op(b, t0, (double)pairs * (double)n);
	return 0;
}

int bench_chanpp(struct bench *b)
{
	return run_pairs(b, 1, b->arg[0]);
}

int bench_pingpairs(struct bench *b)
{
	return run_pairs(b, b->arg[0], b->arg[1]);
}

/* ---- producers and consumers ---------------------------------------------------------------------- */

static struct {
	struct gmp_chan *c;
	long each;
	atomic_long got;
	struct gmp_wg producers, consumers;
} pc;

static void producer(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < (uint64_t)pc.each; i++)
		gmp_chan_send(pc.c, &i);
	gmp_wg_done(&pc.producers);
}

static void consumer(void *arg)
{
	uint64_t v;
	long n = 0;

	(void)arg;
	while (gmp_chan_recv(pc.c, &v) == 1)
		n++;
	atomic_fetch_add(&pc.got, n);
	gmp_wg_done(&pc.consumers);
}

int bench_prodcons(struct bench *b)
{
	long producers = b->arg[0], consumers = b->arg[1];
	uint64_t t0;

	pc.each = b->arg[2] / producers;
	pc.c = gmp_chan_make(8, 128);
	if (!pc.c)
		return -ENOMEM;
	gmp_wg_add(&pc.producers, (int)producers);
	gmp_wg_add(&pc.consumers, (int)consumers);
	t0 = bench_now();
	for (long i = 0; i < consumers; i++)
		bench_go(consumer, NULL);
	for (long i = 0; i < producers; i++)
		bench_go(producer, NULL);
	gmp_wg_wait(&pc.producers);
	gmp_chan_close(pc.c);
	gmp_wg_wait(&pc.consumers);
	bench_per_op(b, t0, (double)pc.each * (double)producers);
	return atomic_load(&pc.got) == pc.each * producers ? 0 : -EIO;
}

/* ---- select ------------------------------------------------------------------------------------------ */

static struct {
	struct gmp_chan *c[4];
	long n;
} sel;

/* One sender, on each of the four in turn. */
static void sender(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < (uint64_t)sel.n; i++)
		gmp_chan_send(sel.c[i % 4], &i);
}

int bench_select4(struct bench *b)
{
	uint64_t v, t0, sum = 0;

	sel.n = b->arg[0];
	for (int i = 0; i < 4; i++) {
		sel.c[i] = gmp_chan_make(8, 0);
		if (!sel.c[i])
			return -ENOMEM;
	}
	bench_go(sender, NULL);
	t0 = bench_now();
	for (long i = 0; i < sel.n; i++) {
		struct gmp_case cs[] = {
			GMP_CASE_RECV(sel.c[0], &v), GMP_CASE_RECV(sel.c[1], &v),
			GMP_CASE_RECV(sel.c[2], &v), GMP_CASE_RECV(sel.c[3], &v),
		};

		if (gmp_select(cs, 4) < 0)
			return -EIO;
		sum += v;
	}
	bench_per_op(b, t0, (double)sel.n);
	return sum == (uint64_t)sel.n * (uint64_t)(sel.n - 1) / 2 ? 0 : -EIO;
}

/* One case and `default`, never ready. */
int bench_selectdef(struct bench *b)
{
	struct gmp_chan *c = gmp_chan_make(8, 0);
	uint64_t v, t0 = bench_now();

	for (long i = 0; i < b->arg[0]; i++) {
		struct gmp_case cs = GMP_CASE_RECV(c, &v);

		if (gmp_select_try(&cs, 1) != -EAGAIN)
			return -EIO;
	}
	bench_per_op(b, t0, (double)b->arg[0]);
	return 0;
}
