/* SPDX-License-Identifier: MIT */
/*
 * group.c - gmp_group: goroutines that end together, with the first error of any (Go's errgroup).
 *
 * Owns:       g->err, g->ctx. Not here: counting (waitgroup.c), the limit (sem.c: a permit each).
 * Invariants: err goes from 0 to the first negative result; ctx, if it was not made by the init, from
 *             NULL to a context that is cancelled if err is set: both under a bucket's lock, so that
 *             one who makes the context and one who fails cannot miss each other.
 *             A goroutine of the group touches *g last when it lowers the wait group.
 * Locks:      the bucket of &g->err (rank WAITQ); nothing waits there.
 * Ordering:   MO-S3 / MO-S4 of the wait group: after the wait err is what it will be.
 */
#include <errno.h>
#include <gmprt/context.h>
#include <gmprt/proc.h>
#include <gmprt/sync.h>
#include <string.h>

#include "sched/defer.h"
#include "sync/sema.h"

RT_PUBLIC int gmp_group_init(struct gmp_group *g, struct gmp_ctx *ctx, int limit)
{
	if (!g)
		return -EINVAL;
	memset(g, 0, sizeof(*g));
	if (limit > 0) {
		g->limit = limit;
		gmp_sem_release(&g->sem, limit);
	}
	if (ctx) {
		g->ctx = gmp_ctx_with_cancel(ctx);
		if (!g->ctx)
			return -ENOMEM;
	}
	return 0;
}

RT_PUBLIC struct gmp_ctx *gmp_group_ctx(struct gmp_group *g)
{
	struct gmp_ctx *fresh, *ctx;
	struct rt_bucket *b;
	int err;

	if (!g)
		rt_throw("gmp_group_ctx: NULL group");
	ctx = rt_load_acq(&g->ctx);	/* MO-S20: acquire; pairs with the release below */
	if (ctx)
		return ctx;
	fresh = gmp_ctx_with_cancel(gmp_ctx_background());
	if (!fresh)
		return NULL;
	rt_waiters_enter();
	b = rt_bucket_lock(&g->err);
	ctx = g->ctx;
	if (!ctx)
		rt_store_rel(&g->ctx, fresh);	/* MO-S20 */
	err = g->err;
	rt_unlock(&b->lock);
	rt_waiters_leave();
	if (ctx) {
		gmp_ctx_unref(fresh);
		return ctx;
	}
	if (err)
		gmp_ctx_cancel(fresh, err);
	return fresh;
}

/* The first error is the group's, and cancels the others. */
static void fail(struct gmp_group *g, int err)
{
	struct rt_bucket *b = rt_bucket_lock(&g->err);
	struct gmp_ctx *ctx = NULL;

	if (!g->err) {
		rt_store_rel(&g->err, err);
		ctx = g->ctx;
	}
	rt_unlock(&b->lock);
	gmp_ctx_cancel(ctx, err);	/* NULL: nothing to cancel yet */
}

/* ---- its goroutines ------------------------------------------------------------------------------ */

struct job {
	struct gmp_group *g;
	int (*fn)(void *);
	void *arg;
	void *pc;		/* of its creator */
	int result;
};

static void job_done(void *arg)
{
	struct job *job = arg;
	struct gmp_group *g = job->g;

	if (job->result < 0)
		fail(g, job->result);
	if (g->limit)
		gmp_sem_release(&g->sem, 1);
	gmp_wg_done(&g->wg);
}

static void job_main(void *p)
{
	struct job *job = p;	/* at the top of our own stack */
	struct rt_g *gp = rt_getg();
	struct rt_defer d;

	rt_store_rlx(&gp->h.start_pc, (uintptr_t)job->fn);	/* for the tools: not us */
	rt_store_rlx(&gp->h.create_pc, (uintptr_t)job->pc);
	rt_defer_push(gp, &d, job_done, job);	/* gmp_goexit() comes by here */
	job->result = job->fn(job->arg);
	rt_defers_run(gp);	/* what it deferred, then job_done() */
}

/* The permit, if there is a limit, is ours already. */
static int64_t start(struct gmp_group *g, int (*fn)(void *), void *arg, void *pc)
{
	struct job job = { .g = g, .fn = fn, .arg = arg, .pc = pc };
	int64_t goid;

	gmp_wg_add(&g->wg, 1);
	goid = gmp_go_copy(job_main, &job, sizeof(job));
	if (goid >= 0)
		return goid;
	if (g->limit)
		gmp_sem_release(&g->sem, 1);
	gmp_wg_done(&g->wg);
	return goid;
}

RT_PUBLIC int64_t gmp_group_go(struct gmp_group *g, int (*fn)(void *), void *arg)
{
	int err;

	if (!g || !fn)
		return -EINVAL;
	err = g->limit ? rt_sem_acquire(&g->sem, 1, GMP_WAIT_GROUP, "gmp_group_go") : 0;
	return err ? err : start(g, fn, arg, __builtin_return_address(0));
}

RT_PUBLIC int64_t gmp_group_try_go(struct gmp_group *g, int (*fn)(void *), void *arg)
{
	int err;

	if (!g || !fn)
		return -EINVAL;
	err = g->limit ? gmp_sem_try(&g->sem, 1) : 0;
	return err ? err : start(g, fn, arg, __builtin_return_address(0));
}

RT_PUBLIC int gmp_group_wait(struct gmp_group *g)
{
	int err;

	if (!g)
		rt_throw("gmp_group_wait: NULL group");
	err = rt_wg_wait(&g->wg, "gmp_group_wait");
	if (err)
		return err;	/* they go on, and with them the context */
	gmp_ctx_cancel(rt_load_acq(&g->ctx), g->err);	/* MO-S20 */
	return g->err;
}

RT_PUBLIC void gmp_group_destroy(struct gmp_group *g)
{
	if (!g)
		return;
	gmp_ctx_unref(g->ctx);
	memset(g, 0, sizeof(*g));
}
