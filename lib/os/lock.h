/* SPDX-License-Identifier: MIT */
/*
 * lock.h - the lock inside the runtime. Blocks the M (a thread), never the G.
 *
 * For sections of a few dozen instructions that neither park nor call user code. All-zero is
 * unlocked. Order of locks: Documentation/locking.rst, checked in RT_DEBUG builds.
 */
#ifndef RT_LOCK_H
#define RT_LOCK_H

#include "base/atomic.h"

struct rt_lock {
	uint32_t word;		/* 0 free, 1 held; atomic, MO-1 */
	uint32_t waiters;	/* threads in the slow path; atomic */
};

void rt_lock_slow(struct rt_lock *l);
void rt_lock_wake(struct rt_lock *l);

/* Asymmetric fence for the slow path: set up once, before the second thread exists. */
void rt_lock_init_once(void);

static inline bool rt_trylock(struct rt_lock *l)
{
	/* MO-1: acquire; pairs with the release in rt_unlock(). */
	return rt_load_rlx(&l->word) == 0 && rt_cas_acq(&l->word, 0, 1);
}

static inline void rt_lock(struct rt_lock *l)
{
	if (unlikely(!rt_cas_acq(&l->word, 0, 1)))
		rt_lock_slow(l);
}

/*
 * One plain store and one plain load: no locked instruction. The StoreLoad order between the two
 * is bought by the waiter, with membarrier() between raising `waiters` and its futex wait (MO-2).
 */
static inline void rt_unlock(struct rt_lock *l)
{
	rt_store_rel(&l->word, 0);
	rt_compiler_barrier();
	if (unlikely(rt_load_rlx(&l->waiters)))
		rt_lock_wake(l);
}

#endif
