/* SPDX-License-Identifier: MIT */
/* on_time.c - sleep, timers, tickers, contexts: what was started fires once, or was stopped in time. */
#include "torture.h"

void op_sleep(struct torture *t, uint64_t *rnd)
{
	int64_t ns = (int64_t)below(rnd, 300000) - 1000;
	uint64_t begin = gmp_now();

	(void)t;
	gmp_sleep(ns);
	MUST((int64_t)(gmp_now() - begin) >= ns);
}

static void fires(void *arg)
{
	struct torture *t = arg;

	count(&t->n.fired, 1);
}

/* Its own goroutine runs the function, which may be late: the sums are compared at the end. */
void op_timer(struct torture *t, uint64_t *rnd)
{
	struct gmp_timer tm = { 0 };
	int r;

	MUST(gmp_timer_start(&tm, below(rnd, 200000), fires, t) == 0);
	count(&t->n.timers, 1);
	if (below(rnd, 2))
		gmp_sleep(below(rnd, 200000));
	if (below(rnd, 2)) {
		r = gmp_timer_reset(&tm, below(rnd, 100000));
		MUST(r == 0 || r == 1);
		if (r == 0)
			count(&t->n.timers, 1);		/* the first has fired, or will */
	}
	r = below(rnd, 2) ? gmp_timer_stop(&tm) : gmp_timer_stop_wait(&tm);
	MUST(r == 0 || r == 1);
	if (r == 1)
		count(&t->n.stopped, 1);
}

void op_ticker(struct torture *t, uint64_t *rnd)
{
	struct gmp_tick *k = gmp_tick_new(1 + below(rnd, 200000));
	struct gmp_chan *after = gmp_after(below(rnd, 100000));
	uint64_t v = 0;

	(void)t;
	MUST(k && after);
	for (uint32_t i = below(rnd, 4); i > 0; i--)
		MUST(gmp_chan_recv(gmp_tick_chan(k), &v) == 1 && v);
	gmp_tick_stop(k);
	if (below(rnd, 2))
		MUST(gmp_chan_recv(after, &v) == 1 && v);
	gmp_chan_unref(after);
}

static void cancel_it(void *arg)
{
	gmp_ctx_cancel(arg, -EPROTO);
	gmp_ctx_unref(arg);
}

/* The child ends with its parent, for the parent's reason, or before it for its own. */
void op_context(struct torture *t, uint64_t *rnd)
{
	struct gmp_ctx *parent = gmp_ctx_with_cancel(gmp_ctx_background());
	struct gmp_ctx *child = gmp_ctx_with_timeout(parent, 20000 + below(rnd, 300000));
	int err;

	MUST(parent && child);
	count(&t->n.contexts, 1);
	if (below(rnd, 2))
		MUST(gmp_go(cancel_it, gmp_ctx_ref(parent)) > 1);
	MUST(gmp_chan_recv(gmp_ctx_done(child), NULL) == 0);
	err = gmp_ctx_err(child);
	MUST(err == -ETIMEDOUT || err == -ECANCELED);
	MUST(err == -ETIMEDOUT || gmp_ctx_cause(child) == -EPROTO);
	gmp_ctx_unref(child);
	gmp_ctx_unref(parent);
}

static void after_ran(void *arg)
{
	struct torture *t = arg;

	count(&t->n.after_ran, 1);
}

void op_after_func(struct torture *t, uint64_t *rnd)
{
	struct gmp_ctx *ctx = gmp_ctx_with_timeout(gmp_ctx_background(), below(rnd, 150000));
	struct gmp_after_func *h;
	int r;

	MUST(ctx);
	h = gmp_ctx_after_func(ctx, after_ran, t);
	MUST(h);
	count(&t->n.after_started, 1);
	if (below(rnd, 2))
		gmp_sleep(below(rnd, 150000));
	r = gmp_after_func_stop(h);
	MUST(r == 0 || r == 1);
	if (r == 1)
		count(&t->n.after_stopped, 1);
	gmp_ctx_cancel(ctx, 0);
	gmp_ctx_unref(ctx);
}
