/* SPDX-License-Identifier: MIT */
/*
 * timer.c - gmp_now(), gmp_sleep(), gmp_timer.
 *
 * Owns:       the calls of timer functions that have not ended (struct call), in a table by the
 *             address of the timer. A struct gmp_timer is a struct rt_timer, and time.c's while it waits.
 * Invariants: between leaving its heap and the end of its goroutine a timer's call is to be found: in
 *             flight (time.c), then in the table; the flight ends after the table has it.
 * Locks:      bucket->lock, rank WAITQ; nothing below it but SCHED, through rt_park_unlock().
 * Not here:   gmp_after(), tickers (ticker.c).
 *
 * The table is there because *t is not: its function may have freed it, and still somebody else may
 * ask, of a timer that is there, whether its function runs. An address that was used again is told
 * from the old one only in so far as one waits for both.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "arch/x86_64/gobuf.h"
#include "gmprt/proc.h"
#include "gmprt/time.h"
#include "sched/defer.h"
#include "sched/sched.h"
#include "sched/time.h"
#include "sync/duration.h"

#define BUCKETS		64u
#define RETRY_NS	1000000u

rt_static_assert(sizeof(struct gmp_timer) == sizeof(struct rt_timer), "gmp_timer holds an rt_timer");

/* A G in gmp_timer_stop_wait(); on its stack. Lock of the bucket. */
struct waiter {
	struct waiter *next;
	struct rt_g *gp;
};

struct call {
	struct call *next;		/* bucket */
	struct waiter *waiters;		/* bucket */
	struct rt_g *gp;		/* its goroutine, once it runs; atomic: one compares with oneself */
	const void *timer;		/* const: where it was */
	void (*fn)(void *);		/* const */
	void *arg;			/* const */
	uint32_t gen;			/* const: which gmp_run() it belongs to */
	struct rt_defer defer;
	struct rt_timer retry;
};

static struct bucket {
	struct rt_lock lock;		/* rank WAITQ */
	struct call *calls;		/* lock */
} rt_aligned(64) table[BUCKETS] = { [0 ... BUCKETS - 1] = { .lock = RT_LOCK_INIT(WAITQ) } };

static struct bucket *bucket_of(const void *timer)
{
	return &table[((uintptr_t)timer >> 3) * 0x9e3779b97f4a7c15ull >> 58];
}

/* ---- the clock ----------------------------------------------------------------------------------- */

RT_PUBLIC uint64_t gmp_now(void)
{
	return rt_now();
}

/* On another stack, the G is saved; once the timer is set *t may be gone. */
static bool asleep(struct rt_g *gp, void *arg)
{
	struct rt_timer *t = arg;

	(void)gp;
	rt_timer_set(t, t->when, 0);
	return true;
}

static rt_cold void sleep_thread(uint64_t until)
{
	struct timespec ts = {
		.tv_sec = (time_t)(until / 1000000000u),
		.tv_nsec = (long)(until % 1000000000u),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

RT_PUBLIC RT_RETURN_BY_JUMP void gmp_sleep(int64_t ns)
{
	struct rt_g *gp = rt_may_park("gmp_sleep");
	struct rt_timer t;

	if (ns <= 0)
		return;
	if (unlikely(!gp)) {
		sleep_thread(rt_from_now(ns));
		return;
	}
	t = (struct rt_timer){ .when = rt_from_now(ns), .arg = gp };	/* no function: wakes gp */
	rt_park(asleep, &t, GMP_WAIT_SLEEP);
}

/* ---- calls ------------------------------------------------------------------------------------------ */

/* The last deferred call of its goroutine. */
static void call_ended(void *arg)
{
	struct call *k = arg;
	struct bucket *b = bucket_of(k->timer);
	struct call **pk = &b->calls;
	struct waiter *w, *next;

	rt_lock(&b->lock);
	while (*pk != k)
		pk = &(*pk)->next;
	*pk = k->next;
	rt_unlock(&b->lock);
	for (w = k->waiters; w; w = next) {	/* nobody else finds k any more */
		next = w->next;
		rt_ready(w->gp);
	}
	free(k);
}

static void call_main(void *arg)
{
	struct call *k = arg;
	struct rt_g *gp = rt_getg();

	rt_store_rlx(&gp->h.start_pc, (uintptr_t)k->fn);	/* what a dump should show */
	rt_store_rlx(&k->gp, gp);
	rt_defer_push(gp, &k->defer, call_ended, k);
	k->fn(k->arg);
}

static void try_again(struct rt_timer *t, uint64_t now);

/* Too many goroutines now: in a little while there may be fewer. */
static void launch(struct call *k, uint64_t now)
{
	if (likely(gmp_go(call_main, k) > 0))
		return;
	k->retry.fn = try_again;
	rt_timer_set(&k->retry, now + RETRY_NS, 0);
}

static void try_again(struct rt_timer *t, uint64_t now)
{
	launch(rt_container_of(t, struct call, retry), now);
}

/* In the scheduler; the timer itself may be gone. */
static void fire(const void *timer, void *arg, uintptr_t fn, uint64_t now)
{
	struct bucket *b = bucket_of(timer);
	struct call *k = calloc(1, sizeof(*k));

	if (!k)
		rt_throw("out of memory: call of a timer");
	k->timer = timer;
	k->fn = (void (*)(void *))fn;
	k->arg = arg;
	k->gen = rt_load_rlx(&rt_sched.gen);
	rt_lock(&b->lock);
	k->next = b->calls;
	b->calls = k;
	rt_unlock(&b->lock);
	launch(k, now);
}

/* A call of @timer that is not @self's own, or NULL. Those of earlier runs are swept. Lock held. */
static struct call *find_call(struct bucket *b, const void *timer, struct rt_g *self)
{
	struct call **pk = &b->calls, *k;

	while ((k = *pk) != NULL) {
		if (unlikely(k->gen != rt_load_rlx(&rt_sched.gen))) {
			*pk = k->next;
			free(k);
			continue;
		}
		if (k->timer == timer && (!self || rt_load_rlx(&k->gp) != self))
			return k;
		pk = &k->next;
	}
	return NULL;
}

/* 0, or -EWOULDBLOCK. */
static int wait_for_calls(const void *timer)
{
	struct bucket *b = bucket_of(timer);
	struct rt_g *gp = rt_may_park("gmp_timer_stop_wait");
	struct call *k;

	rt_lock(&b->lock);
	while ((k = find_call(b, timer, gp)) != NULL) {
		struct waiter w = { .next = k->waiters, .gp = gp };

		if (!gp) {
			rt_unlock(&b->lock);
			return -EWOULDBLOCK;
		}
		k->waiters = &w;
		rt_park_unlock(&b->lock, GMP_WAIT_TIMER_STOP);
		rt_lock(&b->lock);
	}
	rt_unlock(&b->lock);
	return 0;
}

/* ---- gmp_timer --------------------------------------------------------------------------------------- */

static inline struct rt_timer *inner(struct gmp_timer *t)
{
	return (struct rt_timer *)(void *)t;
}

struct what {
	void (*fn)(void *);
	void *arg;
};

/* The timer is ours, for we are the one who arms it. */
static void fill(struct rt_timer *t, void *arg)
{
	const struct what *w = arg;

	t->fn = NULL;
	rt_store_rlx(&t->detached, fire);	/* gmp_timer_reset() may be looking */
	t->arg = w->arg;
	t->seq = (uintptr_t)w->fn;
}

RT_PUBLIC int gmp_timer_start(struct gmp_timer *t, int64_t ns, void (*fn)(void *), void *arg)
{
	struct what what = { fn, arg };
	int r;

	if (unlikely(!t || !fn))
		return -EINVAL;
	if (unlikely(!rt_time_enter()))
		return -ESRCH;
	r = rt_timer_start(inner(t), rt_from_now(ns), 0, fill, &what);
	rt_time_leave();
	return r;
}

RT_PUBLIC int gmp_timer_stop(struct gmp_timer *t)
{
	if (unlikely(!t))
		return -EINVAL;
	return rt_timer_del(inner(t));
}

RT_PUBLIC int gmp_timer_reset(struct gmp_timer *t, int64_t ns)
{
	int r;

	if (unlikely(!t || !rt_load_rlx(&inner(t)->detached)))
		return -EINVAL;
	if (unlikely(!rt_time_enter()))
		return -ESRCH;
	r = rt_timer_reset(inner(t), rt_from_now(ns), 0);
	rt_time_leave();
	return r;
}

RT_PUBLIC int gmp_timer_stop_wait(struct gmp_timer *t)
{
	int was, err;

	if (unlikely(!t))
		return -EINVAL;
	was = rt_timer_del(inner(t));
	rt_timer_quiesce(inner(t));
	err = wait_for_calls(t);
	return err ? err : was;
}
