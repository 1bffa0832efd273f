/* SPDX-License-Identifier: MIT */
/*
 * context.c - struct gmp_ctx.
 *
 * Owns:       contexts, their tree, after-functions. Not here: channels (chan.c), timers (sched/time.c).
 * Invariants: ctx->err goes from 0 to its error once, under ctx->lock; who does that ends the context:
 *             closes done, runs the hooks, ends the children, stops the timer.
 *             A child counts a reference of its parent; the parent's list of children counts none.
 *             A context is on that list from its creation until it ends or is freed.
 *             With err set nothing is added to the lists any more.
 * Locks:      ctx->lock, rank CTX: guards err (writes), cause, done (writes), children, hooks, and the
 *             sibling links of its children. Never two contexts at a time. Under it: WAITQ, by hooks.
 * Ordering:   MO-S14 err: release in end_one(), acquire in gmp_ctx_err(): what came before the end is
 *             seen. MO-S15 done: publication of the channel. MO-S16 refs: the last unref sees what
 *             all others did. MO-S17 timer_ran, reap: who frees, drawn below.
 *
 * Every context can end by itself, one made for a value too: so there is one kind of node, and done,
 * err and cause are read where they are. (Go's value contexts ask their parent for these at each call.)
 *
 * The list does not keep a child alive, so its last unref races with an end that comes from above:
 * the ender holds the parent's lock while it takes a reference, which fails at 0; the unref at 0 takes
 * the same lock to leave the list before it frees anything.
 *
 * The timer does not keep its context alive either: a context that nobody refers to is freed at once,
 * not an hour later. When the timer was not to be stopped any more:
 *
 *   last unref                              timer function, in the scheduler
 *   U1 refs = 0                             T1 refs: 0? else +1, end, timer_ran = 1, -1, finished
 *   U2 rt_timer_del() false                 T2 it was 0:
 *   U3 timer_ran? free, finished            T3 xchg(reap, 1): was 1? free
 *   U4 xchg(reap, 1): was 1? free
 *
 * U4 and T3 are reached together or not at all: the second of them frees. Contexts that are freed in
 * the scheduler and have drop functions to call are given to a goroutine.
 */
#include <errno.h>
#include <gmprt/chan.h>
#include <gmprt/context.h>
#include <gmprt/proc.h>
#include <stdlib.h>

#include "sched/sched.h"
#include "sched/time.h"
#include "sync/context.h"
#include "sync/duration.h"

struct gmp_ctx {
	/* const */
	struct gmp_ctx *parent;
	uint64_t deadline;		/* own or inherited, 0 = none */
	const void *key;		/* NULL: no value here */
	void *value;
	void (*drop)(void *);
	bool drops;			/* it or one above it has a drop function */

	uint32_t refs;			/* atomic, MO-S16 */
	int32_t err;			/* atomic, MO-S14 */
	int32_t cause;			/* written before err */
	struct gmp_chan *done;		/* atomic, MO-S15; NULL until somebody asks */

	struct rt_lock lock;
	struct gmp_ctx *children;	/* lock */
	struct rt_ctx_hook *hooks;	/* lock */
	struct rt_ctx_hook *waiters;	/* lock; on stacks of the run waiters_run */
	uint32_t waiters_run;		/* lock */
	struct gmp_ctx *next, *prev;	/* among the children of parent: its lock */
	bool linked;			/* parent's lock */

	bool armed;			/* the timer was set; whoever ends it, then the last unref */
	uint32_t armed_gen;		/* const; in this gmp_run() */
	uint32_t timer_ran;		/* atomic, MO-S17 */
	uint32_t reap;			/* atomic, MO-S17 */
	struct rt_timer timer;
};

static struct gmp_ctx background = { .refs = 1, .lock = RT_LOCK_INIT(CTX) };

static inline bool is_root(const struct gmp_ctx *ctx)
{
	return !ctx || ctx == &background;
}

/* ---- references, and the end of memory -------------------------------------------------------- */

/* False when the last reference is gone already. */
static bool try_ref(struct gmp_ctx *ctx)
{
	uint32_t refs = rt_load_rlx(&ctx->refs);

	while (refs && !rt_cas_acq(&ctx->refs, refs, refs + 1))
		refs = rt_load_rlx(&ctx->refs);
	return refs != 0;
}

static bool drop_ref(struct gmp_ctx *ctx)
{
	return rt_sub_ar(&ctx->refs, 1) == 0;	/* MO-S16: pairs with itself */
}

/* Locks: ctx->parent->lock held. */
static void unlink_child(struct gmp_ctx *ctx)
{
	ctx->linked = false;
	if (ctx->next)
		ctx->next->prev = ctx->prev;
	if (ctx->prev)
		ctx->prev->next = ctx->next;
	else
		ctx->parent->children = ctx->next;
}

static void leave_parent(struct gmp_ctx *ctx)
{
	if (is_root(ctx->parent))
		return;
	rt_lock(&ctx->parent->lock);
	if (ctx->linked)
		unlink_child(ctx);
	rt_unlock(&ctx->parent->lock);
}

/* The last unref: is freeing left to us? See the drawing above. */
static bool may_free(struct gmp_ctx *ctx)
{
	if (!ctx->armed || rt_timer_del(&ctx->timer))
		return true;
	if (rt_load_acq(&ctx->timer_ran))	/* MO-S17: pairs with deadline_passed() */
		return true;
	if (ctx->armed_gen != rt_load_rlx(&rt_sched.gen) || !rt_load_acq(&rt_sched.alive))
		return true;	/* that gmp_run() is over: nobody calls it, nor will */
	return rt_xchg_ar(&ctx->reap, 1) != 0;	/* MO-S17 */
}

/* Frees @ctx, and those above it whose last reference this was. */
static void reap(void *arg)
{
	struct gmp_ctx *ctx = arg, *parent;

	do {
		parent = ctx->parent;
		if (ctx->drop)
			ctx->drop(ctx->value);
		if (ctx->done)
			gmp_chan_unref(ctx->done);
		free(ctx);
		ctx = parent;
		if (is_root(ctx) || !drop_ref(ctx))
			return;
		leave_parent(ctx);
	} while (may_free(ctx));
}

/* In the scheduler no user's function may be called: a goroutine does that. */
static void reap_in(struct gmp_ctx *ctx, bool scheduler)
{
	if (!scheduler || !ctx->drops || gmp_go(reap, ctx) < 0)
		reap(ctx);
}

static void put(struct gmp_ctx *ctx, bool scheduler)
{
	if (is_root(ctx) || !drop_ref(ctx))
		return;
	leave_parent(ctx);
	if (may_free(ctx))
		reap_in(ctx, scheduler);
}

RT_PUBLIC struct gmp_ctx *gmp_ctx_ref(struct gmp_ctx *ctx)
{
	if (!is_root(ctx))
		rt_add_rlx(&ctx->refs, 1);
	return ctx;
}

RT_PUBLIC void gmp_ctx_unref(struct gmp_ctx *ctx)
{
	put(ctx, false);
}

/* ---- the end of a context ------------------------------------------------------------------------- */

/*
 * Hooks without run() lie on stacks of goroutines that wait; those of a run that is over are gone with
 * them. The others outlive it. ctx->lock held, between rt_waiters_enter() and _leave().
 */
static struct rt_ctx_hook **waiters_of(struct gmp_ctx *ctx)
{
	if (unlikely(!rt_waiters_alive() || ctx->waiters_run != rt_load_rlx(&rt_sched.gen))) {
		ctx->waiters = NULL;
		ctx->waiters_run = rt_load_rlx(&rt_sched.gen);
	}
	return &ctx->waiters;
}

static struct rt_ctx_hook **list_of(struct gmp_ctx *ctx, const struct rt_ctx_hook *h)
{
	return h->run ? &ctx->hooks : waiters_of(ctx);
}

/* The first of a list, off it. */
static struct rt_ctx_hook *take_hook(struct rt_ctx_hook **list)
{
	struct rt_ctx_hook *h = *list;

	if (!h)
		return NULL;
	*list = h->next;
	if (h->next)
		h->next->prev = NULL;
	h->linked = false;
	return h;
}

/* One hook after the other, each under the lock of its own: the list may be long. */
static void run_hooks(struct gmp_ctx *ctx, int err)
{
	struct rt_gqueue q = { 0 };
	struct rt_ctx_hook *h;

	rt_waiters_enter();
	do {
		void (*run)(struct rt_ctx_hook *) = NULL;

		rt_lock(&ctx->lock);
		h = take_hook(waiters_of(ctx));
		if (!h)
			h = take_hook(&ctx->hooks);
		if (h) {
			run = h->run;
			h->fn(h, err, &q);
		}
		rt_unlock(&ctx->lock);
		if (run)
			run(h);
	} while (h);
	if (q.n)
		rt_ready_list(&q);
	rt_waiters_leave();
}

/* Moves the children to @work, with a reference each. Those at 0 are only taken off the list. */
static void take_children(struct gmp_ctx *ctx, struct gmp_ctx **work)
{
	struct gmp_ctx *child;
	bool ours;

	do {
		rt_lock(&ctx->lock);
		child = ctx->children;
		ours = false;
		if (child) {
			unlink_child(child);
			ours = try_ref(child);
		}
		rt_unlock(&ctx->lock);
		if (ours) {
			child->next = *work;	/* off the list, so the link is ours */
			*work = child;
		}
	} while (child);
}

static void end_one(struct gmp_ctx *ctx, int err, int cause, struct gmp_ctx **work)
{
	struct gmp_chan *done;

	rt_lock(&ctx->lock);
	if (ctx->err) {
		rt_unlock(&ctx->lock);
		return;
	}
	ctx->cause = cause;
	rt_store_rel(&ctx->err, err);	/* MO-S14: release; pairs with gmp_ctx_err() */
	done = ctx->done;
	rt_unlock(&ctx->lock);
	if (done)
		gmp_chan_close(done);
	run_hooks(ctx, err);
	take_children(ctx, work);
	if (ctx->armed && rt_timer_del(&ctx->timer))
		ctx->armed = false;
}

/* Ends @ctx and all below it; a list instead of recursion: chains may be longer than a stack. */
static void end(struct gmp_ctx *ctx, int err, int cause, bool scheduler)
{
	struct gmp_ctx *work = NULL, *child;

	end_one(ctx, err, cause, &work);
	leave_parent(ctx);
	while ((child = work) != NULL) {
		work = child->next;
		end_one(child, err, cause, &work);
		put(child, scheduler);
	}
}

/* Timer function: in the scheduler. */
static void deadline_passed(struct rt_timer *t, uint64_t now)
{
	struct gmp_ctx *ctx = rt_container_of(t, struct gmp_ctx, timer);

	(void)now;
	if (!try_ref(ctx)) {
		if (rt_xchg_ar(&ctx->reap, 1))	/* MO-S17: pairs with may_free() */
			reap_in(ctx, true);
		return;
	}
	end(ctx, -ETIMEDOUT, -ETIMEDOUT, true);
	rt_store_rel(&ctx->timer_ran, 1);	/* MO-S17: pairs with may_free() */
	put(ctx, true);
}

RT_PUBLIC void gmp_ctx_cancel(struct gmp_ctx *ctx, int cause)
{
	if (!is_root(ctx))
		end(ctx, -ECANCELED, cause ? cause : -ECANCELED, false);
}

/* ---- constructors ------------------------------------------------------------------------------------ */

/* Puts @ctx below its parent, or ends it as its parent ended. Only its timer may know it yet. */
static void join_parent(struct gmp_ctx *ctx)
{
	struct gmp_ctx *parent = ctx->parent;
	int err, cause;

	if (is_root(parent))
		return;
	rt_lock(&parent->lock);
	err = parent->err;
	cause = parent->cause;
	if (!err) {
		ctx->next = parent->children;
		if (ctx->next)
			ctx->next->prev = ctx;
		parent->children = ctx;
		ctx->linked = true;
	}
	rt_unlock(&parent->lock);
	if (err)
		end(ctx, err, cause, false);
}

/* @deadline: 0 = none of its own. Not below its parent yet. */
static struct gmp_ctx *ctx_new(struct gmp_ctx *parent, uint64_t deadline)
{
	struct gmp_ctx *ctx;

	if (!parent)
		return NULL;
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return NULL;
	rt_lock_rank(&ctx->lock, CTX);
	ctx->refs = 1;
	ctx->parent = gmp_ctx_ref(parent);
	ctx->drops = parent->drops;
	ctx->deadline = deadline;
	if (parent->deadline && (!deadline || parent->deadline <= deadline))
		ctx->deadline = parent->deadline;
	return ctx;
}

RT_PUBLIC struct gmp_ctx *gmp_ctx_background(void)
{
	return &background;
}

RT_PUBLIC struct gmp_ctx *gmp_ctx_with_cancel(struct gmp_ctx *parent)
{
	struct gmp_ctx *ctx = ctx_new(parent, 0);

	if (ctx)
		join_parent(ctx);
	return ctx;
}

/*
 * @when is this context's own deadline, earlier than its parent's. Before it joins the parent, who
 * must find the timer when it ends the context. 0 or -ENOMEM.
 */
static int arm(struct gmp_ctx *ctx, uint64_t when)
{
	if (when <= rt_now()) {
		end(ctx, -ETIMEDOUT, -ETIMEDOUT, false);
		return 0;
	}
	ctx->timer.fn = deadline_passed;
	ctx->armed = true;
	ctx->armed_gen = rt_load_rlx(&rt_sched.gen);
	return rt_timer_start(&ctx->timer, when, 0, NULL, NULL);
}

/* The same while somebody is sure to run timers: else the next gmp_run() would find it. */
static int arm_now(struct gmp_ctx *ctx, uint64_t when)
{
	int err = rt_time_enter() ? 0 : -ESRCH;

	if (err)
		return err;
	err = arm(ctx, when);
	rt_time_leave();
	return err;
}

RT_PUBLIC struct gmp_ctx *gmp_ctx_with_deadline(struct gmp_ctx *parent, uint64_t when)
{
	struct gmp_ctx *ctx = ctx_new(parent, when);

	if (!ctx || !when || rt_load_acq(&parent->err) || (parent->deadline && parent->deadline <= when))
		goto join;
	if (arm_now(ctx, when)) {
		ctx->armed = false;
		gmp_ctx_unref(ctx);
		return NULL;
	}
join:
	if (ctx)
		join_parent(ctx);
	return ctx;
}

RT_PUBLIC struct gmp_ctx *gmp_ctx_with_timeout(struct gmp_ctx *parent, int64_t ns)
{
	/* Not 0, which means none. No overflow: the clock is below 2^63. */
	return gmp_ctx_with_deadline(parent, ns > 0 ? rt_now() + (uint64_t)ns : 1);
}

RT_PUBLIC struct gmp_ctx *gmp_ctx_with_value(struct gmp_ctx *parent, const void *key, void *value,
					     void (*drop)(void *value))
{
	struct gmp_ctx *ctx;

	if (!key)
		rt_throw("gmp_ctx_with_value: NULL key");
	ctx = ctx_new(parent, 0);
	if (!ctx)
		return NULL;
	ctx->key = key;
	ctx->value = value;
	ctx->drop = drop;
	ctx->drops = ctx->drops || drop;
	join_parent(ctx);
	return ctx;
}

/* ---- questions ------------------------------------------------------------------------------------------ */

RT_PUBLIC int gmp_ctx_err(struct gmp_ctx *ctx)
{
	return ctx ? rt_load_acq(&ctx->err) : 0;	/* MO-S14: acquire; pairs with end_one() */
}

RT_PUBLIC int gmp_ctx_cause(struct gmp_ctx *ctx)
{
	return gmp_ctx_err(ctx) ? ctx->cause : 0;
}

RT_PUBLIC int gmp_ctx_deadline(struct gmp_ctx *ctx, uint64_t *when)
{
	if (is_root(ctx) || !ctx->deadline)
		return 0;
	if (when)
		*when = ctx->deadline;
	return 1;
}

RT_PUBLIC void *gmp_ctx_value(struct gmp_ctx *ctx, const void *key)
{
	for (; key && !is_root(ctx); ctx = ctx->parent)
		if (ctx->key == key)
			return ctx->value;
	return NULL;
}

RT_PUBLIC struct gmp_chan *gmp_ctx_done(struct gmp_ctx *ctx)
{
	struct gmp_chan *done, *fresh;
	int err;

	if (is_root(ctx))
		return NULL;
	done = rt_load_acq(&ctx->done);	/* MO-S15: acquire; pairs with the release below */
	if (done)
		return done;
	fresh = gmp_chan_make(0, 0);
	if (!fresh)
		rt_throw("gmp_ctx_done: out of memory");
	rt_lock(&ctx->lock);
	done = ctx->done;
	if (!done)
		rt_store_rel(&ctx->done, fresh);	/* MO-S15 */
	err = ctx->err;
	rt_unlock(&ctx->lock);
	if (done) {
		gmp_chan_unref(fresh);
		return done;
	}
	if (err)	/* it ended before it had a channel: closing that is left to us */
		gmp_chan_close(fresh);
	return fresh;
}

/* ---- hooks and after-functions ------------------------------------------------------------------------------ */

int rt_ctx_hook_add(struct gmp_ctx *ctx, struct rt_ctx_hook *h)
{
	struct rt_ctx_hook **list;
	int err;

	h->linked = false;
	if (is_root(ctx))
		return 0;
	rt_lock(&ctx->lock);
	err = ctx->err;
	if (!err) {
		list = list_of(ctx, h);
		h->prev = NULL;
		h->next = *list;
		if (h->next)
			h->next->prev = h;
		*list = h;
		h->linked = true;
	}
	rt_unlock(&ctx->lock);
	return err;
}

bool rt_ctx_hook_del(struct gmp_ctx *ctx, struct rt_ctx_hook *h)
{
	bool was;

	if (is_root(ctx))
		return true;
	rt_lock(&ctx->lock);
	was = h->linked;
	if (was) {
		h->linked = false;
		if (h->next)
			h->next->prev = h->prev;
		if (h->prev)
			h->prev->next = h->next;
		else
			*list_of(ctx, h) = h->next;
	}
	rt_unlock(&ctx->lock);
	return was;
}

struct gmp_after_func {
	struct rt_ctx_hook hook;
	struct gmp_ctx *ctx;		/* const, counted */
	void (*fn)(void *);		/* const */
	void *arg;			/* const */
	uint32_t refs;			/* the handle, and whoever starts it; atomic, MO-S16 */
};

static void after_put(struct gmp_after_func *h)
{
	if (rt_sub_ar(&h->refs, 1))
		return;
	gmp_ctx_unref(h->ctx);
	free(h);
}

/* Under the lock: claims it, so that a stop comes too late and does not free it. */
static void after_claim(struct rt_ctx_hook *hook, int err, struct rt_gqueue *q)
{
	struct gmp_after_func *h = rt_container_of(hook, struct gmp_after_func, hook);

	(void)err;
	(void)q;
	rt_add_rlx(&h->refs, 1);
}

static void after_run(struct rt_ctx_hook *hook)
{
	struct gmp_after_func *h = rt_container_of(hook, struct gmp_after_func, hook);
	int64_t rc = gmp_go(h->fn, h->arg);

	if (rc < 0 && rt_load_acq(&rt_sched.running))
		rt_throw_errno("gmp_ctx_after_func: cannot start a goroutine", (int)rc);
	after_put(h);
}

RT_PUBLIC struct gmp_after_func *gmp_ctx_after_func(struct gmp_ctx *ctx, void (*fn)(void *), void *arg)
{
	struct gmp_after_func *h;

	if (!fn)
		rt_throw("gmp_ctx_after_func: NULL function");
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->hook.fn = after_claim;
	h->hook.run = after_run;
	h->ctx = gmp_ctx_ref(ctx);
	h->fn = fn;
	h->arg = arg;
	h->refs = 1;
	if (rt_ctx_hook_add(ctx, &h->hook) == 0 || gmp_go(fn, arg) >= 0)
		return h;
	after_put(h);
	return NULL;
}

RT_PUBLIC int gmp_after_func_stop(struct gmp_after_func *h)
{
	int prevented;

	if (!h)
		return 0;
	prevented = !is_root(h->ctx) && rt_ctx_hook_del(h->ctx, &h->hook);
	if (is_root(h->ctx))
		prevented = 1;
	after_put(h);
	return prevented;
}
