/* SPDX-License-Identifier: MIT */
/*
 * rcu.h - liburcu, QSBR flavour: what is read while others change it (allm, allp, ...).
 *
 * Every M is a registered reader, online while it runs, offline while it sleeps in the scheduler. A
 * scheduling point is a quiescent state: nothing read under RCU survives a park, nor being stopped by SIGURG.
 * Users of liburcu (QSBR) in goroutines get the same for free: see Documentation/design.rst.
 */
#ifndef RT_RCU_H
#define RT_RCU_H

#include <errno.h>
#include "base/sanitize.h"
#if !defined(_LGPL_SOURCE) && !RT_SANITIZED
#define _LGPL_SOURCE		/* inline the short ones: allowed to every licence the LGPL fits with */
#endif
#include <urcu-qsbr.h>

#include "sched/runtime.h"

/*
 * All Ps and their number. The number is read first, so the array is at least that long even when
 * this M has no P and the world is stopped and resized meanwhile. Acquire: pairs with rt_p_resize().
 */
static inline struct rt_p **rt_all_ps(uint32_t *n)
{
	*n = rt_load_acq(&rt_sched.maxprocs);
	return rt_load_acq(&rt_sched.allp);	/* rcu_dereference(), in words that TSan knows */
}

/*
 * liburcu is not instrumented: what a reader has read before its quiescent state is given to TSan, and
 * taken by who frees. One word for all, taken by nobody else, so that it hides no race of others.
 */
extern char rt_rcu_seen;

static inline void rt_rcu_quiescent(void)
{
	rt_san_give(&rt_rcu_seen);
	rcu_quiescent_state();
}

static inline void rt_rcu_offline(void)
{
	rt_san_give(&rt_rcu_seen);
	rcu_thread_offline();
}

static inline void rt_rcu_leave(void)
{
	rt_san_give(&rt_rcu_seen);
	rcu_unregister_thread();
}

/* A member of what is freed so, not the first thing a reader looks at: it is written at once. */
struct rt_later {
	struct rt_later *next;
	void *what;
};

/*
 * Frees @what, which readers cannot find any more and in which @piece lies, when none has it in hand: a
 * grace period later, or at the end of the run. Any thread, any lock; allocates nothing.
 */
void rt_free_later(struct rt_later *piece, void *what);
/* sysmon's part of it. */
void rt_rcu_round(uint64_t now);
/* The end of a run: nobody reads any more. Context: m0, which is no M any more. */
void rt_rcu_drain(void);

#endif
