/* SPDX-License-Identifier: MIT */
/*
 * lock.h - the lock inside the runtime. Blocks the M (a thread), never the G.
 *
 * For sections of a few dozen instructions that neither park nor call user code. All-zero is
 * unlocked. Every lock has a rank, given once (RT_LOCK_INIT(), rt_lock_rank()); lockrank.def says which
 * may be taken under which, and RT_DEBUG builds check each acquire (lockrank.c).
 */
#ifndef RT_LOCK_H
#define RT_LOCK_H

#include "base/atomic.h"

enum rt_rank {
	RT_RANK_NONE,
#define RT_RANK(name, where, guards)	RT_RANK_##name,
#define RT_NEST(outer, inner)
#define RT_NEST_BY_ADDRESS(name)
#define RT_NEST_STOPPED(name)
#include "os/lockrank.def"
#undef RT_RANK
#undef RT_NEST
#undef RT_NEST_BY_ADDRESS
#undef RT_NEST_STOPPED
	RT_RANKS
};

#if RT_DEBUG
struct rt_lock {
	uint32_t word;		/* as below */
	uint16_t waiters;
	uint16_t rank;		/* const */
};

#define RT_LOCK_INIT(name)	{ .rank = RT_RANK_##name }
#define rt_lock_rank(l, name)	((void)((l)->rank = RT_RANK_##name))
void rt_lock_check(const struct rt_lock *l);	/* about to be taken; throws */
void rt_lock_drop(const struct rt_lock *l);	/* about to be released */
uint32_t rt_locks_held(void);			/* by this thread */
void rt_locks_show(uint32_t *n);		/* ... kept in *n too, for others; NULL: no more */
#else
struct rt_lock {
	uint32_t word;		/* 0 free, 1 held; atomic, MO-1 */
	uint32_t waiters;	/* threads in the slow path; atomic */
};

#define RT_LOCK_INIT(name)	{ 0 }
#define rt_lock_rank(l, name)	((void)(l))
#define rt_lock_check(l)	((void)(l))
#define rt_lock_drop(l)		((void)(l))
#define rt_locks_show(n)	((void)(n))
#endif

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
	rt_lock_check(l);
	if (unlikely(!rt_cas_acq(&l->word, 0, 1)))
		rt_lock_slow(l);
}

/*
 * One plain store and one plain load: no locked instruction. The StoreLoad order between the two
 * is bought by the waiter, with membarrier() between raising `waiters` and its futex wait (MO-2).
 */
static inline void rt_unlock(struct rt_lock *l)
{
	rt_lock_drop(l);
	rt_store_rel(&l->word, 0);
	rt_compiler_barrier();
	if (unlikely(rt_load_rlx(&l->waiters)))
		rt_lock_wake(l);
}

#endif
