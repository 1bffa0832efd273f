/* SPDX-License-Identifier: MIT */
/*
 * ticker.c - channels that get the time: gmp_after(), tickers.
 *
 * Owns:       struct after until its timer has fired; struct gmp_tick between new and stop.
 * Invariants: each holds one reference of its channel.
 * Locks:      none of its own. The timers' functions send in the scheduler, without waiting.
 */
#include <errno.h>
#include <stdlib.h>

#include "gmprt/chan.h"
#include "gmprt/time.h"
#include "sched/time.h"
#include "sync/duration.h"

struct after {
	struct rt_timer timer;
	struct gmp_chan *c;
};

struct gmp_tick {
	struct rt_timer timer;
	struct gmp_chan *c;		/* const */
};

/* ---- gmp_after() ---------------------------------------------------------------------------------- */

static void after_free(struct after *a)
{
	gmp_chan_unref(a->c);
	free(a);
}

static void after_due(struct rt_timer *t, uint64_t now)
{
	struct after *a = rt_container_of(t, struct after, timer);

	gmp_chan_try_send(a->c, &now);
	after_free(a);
}

static struct after *after_new(void)
{
	struct after *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->c = gmp_chan_make(sizeof(uint64_t), 1);
	if (!a->c) {
		free(a);
		return NULL;
	}
	a->timer.fn = after_due;
	return a;
}

RT_PUBLIC struct gmp_chan *gmp_after(int64_t ns)
{
	struct gmp_chan *c = NULL;
	struct after *a;

	if (!rt_time_enter())
		return NULL;
	a = after_new();
	if (a) {
		c = gmp_chan_ref(a->c);		/* first: it may fire at once */
		if (rt_timer_reset(&a->timer, rt_from_now(ns), 0) < 0) {
			gmp_chan_unref(c);
			after_free(a);
			c = NULL;
		}
	}
	rt_time_leave();
	return c;
}

/* gmp_run() is over: a ticker is still its user's, but of gmp_after() only the channel is. */
static bool is_ours(const struct rt_timer *t)
{
	return t->fn == after_due;
}

static void forgotten(struct rt_timer *t)
{
	after_free(rt_container_of(t, struct after, timer));
}

bool (*const rt_timer_is_ours)(const struct rt_timer *t) = is_ours;
void (*const rt_timer_forgotten)(struct rt_timer *t) = forgotten;

/* ---- tickers ------------------------------------------------------------------------------------------ */

static void tick_due(struct rt_timer *t, uint64_t now)
{
	gmp_chan_try_send(rt_container_of(t, struct gmp_tick, timer)->c, &now);
}

static struct gmp_tick *tick_alloc(void)
{
	struct gmp_tick *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->c = gmp_chan_make(sizeof(uint64_t), 1);
	if (!t->c) {
		free(t);
		return NULL;
	}
	t->timer.fn = tick_due;
	return t;
}

RT_PUBLIC struct gmp_tick *gmp_tick_new(int64_t ns)
{
	struct gmp_tick *t;

	if (ns <= 0)
		return NULL;
	t = tick_alloc();
	if (t && gmp_tick_reset(t, ns) < 0) {
		gmp_tick_stop(t);
		return NULL;
	}
	return t;
}

RT_PUBLIC struct gmp_chan *gmp_tick_chan(struct gmp_tick *t)
{
	return t ? t->c : NULL;
}

RT_PUBLIC int gmp_tick_reset(struct gmp_tick *t, int64_t ns)
{
	int r;

	if (!t || ns <= 0)
		return -EINVAL;
	if (!rt_time_enter())
		return -ESRCH;
	r = rt_timer_reset(&t->timer, rt_from_now(ns), (uint64_t)ns);
	rt_time_leave();
	return r < 0 ? r : 0;
}

RT_PUBLIC void gmp_tick_stop(struct gmp_tick *t)
{
	if (!t)
		return;
	rt_timer_del(&t->timer);
	rt_timer_quiesce(&t->timer);
	gmp_chan_unref(t->c);
	free(t);
}
