/* SPDX-License-Identifier: MIT */
/*
 * time.h - the timers inside the runtime: one heap a P, run by the scheduler.
 *
 * An rt_timer lies in the caller's memory (often on a parked G's stack) and costs no allocation.
 * What it does when it is due, the first of these that is set:
 *   fn        for memory that outlives the call: fn(t, now). It may find that it comes too late:
 *             rt_timer_del() does not wait for it.
 *   detached  for memory that may vanish: gets copies of arg and seq, taken before the timer became
 *             "not set"; nobody touches *t after that.
 *   neither   arg is a parked G, which is made ready.
 * Functions run in the scheduler (g0, or a G's stack at a scheduling point) with no lock held: they
 * may rt_ready(), start goroutines and timers; they may not park. Once rt_timer_del() returned true
 * the timer is nobody's; when it returned false, the function has begun or the timer was not set.
 */
#ifndef RT_TIME_H
#define RT_TIME_H

#include "sched/runtime.h"

/* @name: where the timer was; to compare, not to look into. */
typedef void (*rt_timer_detached)(const void *name, void *arg, uintptr_t seq, uint64_t now);

struct rt_timer {
	uint64_t when;			/* due; guarded by the lock of `heap` */
	uint64_t period;		/* 0 = once; guarded by the same */
	void (*fn)(struct rt_timer *t, uint64_t now);	/* const while set */
	rt_timer_detached detached;	/* const while set */
	void *arg;			/* the owner's */
	uintptr_t seq;			/* the owner's */
	struct rt_timers *heap;		/* where it is; NULL = not set; atomic, MO-T1 */
	uint32_t slot;			/* in that heap; guarded by its lock */
	uint32_t reserved;
};

/**
 * rt_timer_set() - arms a timer, or moves one that is armed
 * @when: absolute rt_now(); a past one is due at once
 * @period: 0, or the distance of what follows; those missed are left out
 *
 * Context: any thread while gmp_run() runs; calls for one timer one at a time (rt_timer_del() may
 * come from anywhere). Locks: takes that of a heap, rank TIMERS. Throws when there is no memory.
 * Return: true when it was armed before.
 */
bool rt_timer_set(struct rt_timer *t, uint64_t when, uint64_t period);

/*
 * As rt_timer_set(), for callers that compete for one timer, and can tell of a lack of memory.
 * _start() only arms what is not set: -EBUSY otherwise; @fill, if any, is called with the timer in
 * hand, under the lock of its heap. _reset() arms or moves: 1 was armed, 0 was not. Both: -ENOMEM.
 */
int rt_timer_start(struct rt_timer *t, uint64_t when, uint64_t period,
		   void (*fill)(struct rt_timer *t, void *arg), void *arg);
int rt_timer_reset(struct rt_timer *t, uint64_t when, uint64_t period);

bool rt_timer_del(struct rt_timer *t);

/* Waits (spinning) until no function of a timer that lies or lay at @t is being called. */
void rt_timer_quiesce(const struct rt_timer *t);

/* Earliest deadline of a P, 0 = none; atomic, anyone. */
uint64_t rt_timers_next(struct rt_p *pp);
/*
 * Runs what is due on @pp. Context: owner of @pp, or a spinning M that helps. @now: 0 = read the
 * clock if needed. Returns the next deadline (0 = none); *ran tells whether something ran.
 */
uint64_t rt_timers_run(struct rt_p *pp, uint64_t now, bool *ran);
/* Earliest of all Ps, 0 = none. Context: an M. */
uint64_t rt_timers_next_all(void);
uint32_t rt_timers_len(const struct rt_p *pp);	/* for schedtrace; those deleted lately included */
int rt_timers_init(struct rt_p *pp);		/* 0 or -ENOMEM */
/*
 * End of gmp_run(): forgets all timers, each of which is "not set" afterwards; the heap stays, for
 * the next run. No M runs; all memory that timers lie in, stacks included, is still there.
 */
void rt_timers_destroy(struct rt_p *pp);
/* World stopped: all timers of a P that goes to another that stays. */
void rt_timers_move(struct rt_p *from, struct rt_p *to);

/*
 * The layer above (sync/ticker.c): is a timer its own, which nobody else frees? It is told of each of these
 * that rt_timers_destroy() forgets.
 */
extern bool (*const rt_timer_is_ours)(const struct rt_timer *t);
extern void (*const rt_timer_forgotten)(struct rt_timer *t);

#endif
