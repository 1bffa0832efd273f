/* SPDX-License-Identifier: MIT */
/*
 * fdmutex.c - life, read lock and write lock of a descriptor, in one word (drawn in fdmutex.h).
 *
 * Owns:       mu->state, the lists of those who wait.     Not here: waiting for I/O (netpoll.c).
 * Invariants: RWAIT set <=> the read list is not empty, whenever mu->lock is free and the word is
 *             OPEN; likewise WWAIT. A G on a list is GMP_G_WAITING. A waiter holds no reference:
 *             it gets the lock and the holder's reference together.
 * Locks:      mu->lock guards the lists only; the fast paths are one compare-and-swap.
 * Ordering:   MO-N1 the word, MO-N2 its release.   Progress: fast paths lock-free.
 *
 * Handing over instead of letting the woken one compete again (as Go's fdMutex does): many writers of
 * one descriptor are served in order, and the slow path has no loop. It costs nothing here, for
 * whoever comes back at once would find the lock taken and park, where Go's would overtake.
 */
#include "io/fdmutex.h"

#include <errno.h>

#include "sched/sched.h"

#define OPEN		1ull
#define LOCKED(mode)	(2ull << (mode))
#define WAITING(mode)	(8ull << (mode))
#define REF		(1ull << 5)
#define REF_MASK	(((1ull << 20) - 1) << 5)

rt_static_assert((REF_MASK >> (RT_FDMU_GEN_SHIFT - 1)) == 1, "no gap before the generation");

/* Lies on the stack of the parked G. */
struct rt_fdwait {
	struct rt_fdwait *next;		/* ring; mu->lock */
	struct rt_g *gp;		/* const */
	int err;			/* by the waker, before rt_ready() */
};

/* ---- the rings --------------------------------------------------------------------------- */

static void ring_push(struct rt_fdwait **tail, struct rt_fdwait *w)
{
	if (*tail) {
		w->next = (*tail)->next;
		(*tail)->next = w;
	} else {
		w->next = w;
	}
	*tail = w;
}

static struct rt_fdwait *ring_pop(struct rt_fdwait **tail)
{
	struct rt_fdwait *w = (*tail)->next;

	if (w == *tail)
		*tail = NULL;
	else
		(*tail)->next = w->next;
	return w;
}

/* ---- references -------------------------------------------------------------------------- */

/* 0 when a call that means generation @gen may begin. */
static inline int may_enter(uint64_t word, uint64_t gen)
{
	if (unlikely((word >> RT_FDMU_GEN_SHIFT) != gen || !(word & OPEN)))
		return -EBADF;
	if (unlikely((word & REF_MASK) == REF_MASK))
		return -EBUSY;
	return 0;
}

static inline bool was_last(uint64_t word)
{
	return !(word & (REF_MASK | OPEN));
}

void rt_fdmutex_open(struct rt_fdmutex *mu)
{
	rt_lock_rank(&mu->lock, FDMUTEX);
	/* MO-N1: release publishes the descriptor; pairs with the acquire in ref(), lock(), close(). */
	rt_store_rel(&mu->state, rt_load_rlx(&mu->state) | OPEN);
}

int rt_fdmutex_ref(struct rt_fdmutex *mu, uint64_t gen)
{
	uint64_t old;
	int err;

	do {
		old = rt_load_rlx(&mu->state);
		err = may_enter(old, gen);
		if (err)
			return err;
	} while (!rt_cas_ar(&mu->state, old, old + REF));	/* MO-N1: acquire */
	return 0;
}

bool rt_fdmutex_unref(struct rt_fdmutex *mu)
{
	uint64_t old = rt_load_rlx(&mu->state);

	rt_assert(old & REF_MASK);
	/* MO-N2: release; pairs with itself in whoever drops the last one and destroys. */
	return was_last(rt_sub_ar(&mu->state, REF));
}

/* ---- the two locks ----------------------------------------------------------------------- */

/*
 * One step under mu->lock. 0: got it. 1: @mode is taken, and the word says that somebody waits.
 * The bit is set by compare-and-swap while LOCKED is seen, so the holder cannot leave unnoticed.
 */
static int lock_or_announce(struct rt_fdmutex *mu, uint64_t gen, enum rt_io_mode mode)
{
	for (;;) {
		uint64_t old = rt_load_rlx(&mu->state);
		int err = may_enter(old, gen);

		if (err)
			return err;
		if (!(old & LOCKED(mode))) {
			if (rt_cas_ar(&mu->state, old, (old | LOCKED(mode)) + REF))
				return 0;
		} else if (rt_cas_ar(&mu->state, old, old | WAITING(mode))) {
			return 1;
		}
	}
}

static rt_noinline int lock_slow(struct rt_fdmutex *mu, uint64_t gen, enum rt_io_mode mode)
{
	struct rt_fdwait w = { .gp = rt_may_park_locked() };
	int got;

	if (!w.gp)
		return -EWOULDBLOCK;
	rt_lock(&mu->lock);
	got = lock_or_announce(mu, gen, mode);
	if (got <= 0) {
		rt_unlock(&mu->lock);
		return got;
	}
	ring_push(&mu->tail[mode], &w);
	rt_park_unlock(&mu->lock, GMP_WAIT_IO);
	return w.err;
}

int rt_fdmutex_lock(struct rt_fdmutex *mu, uint64_t gen, enum rt_io_mode mode)
{
	uint64_t old;
	int err;

	do {
		old = rt_load_rlx(&mu->state);
		err = may_enter(old, gen);
		if (err)
			return err;
		if (unlikely(old & LOCKED(mode)))
			return lock_slow(mu, gen, mode);
	} while (!rt_cas_ar(&mu->state, old, (old | LOCKED(mode)) + REF));	/* MO-N1: acquire */
	return 0;
}

/* Gives the lock and the reference to the first who waits, or drops both when nobody does. */
static rt_noinline bool unlock_slow(struct rt_fdmutex *mu, enum rt_io_mode mode)
{
	struct rt_fdwait **tail = &mu->tail[mode], *w;
	uint64_t old, new;

	rt_lock(&mu->lock);
	do {
		old = rt_load_rlx(&mu->state);
		w = !(old & OPEN) || !*tail ? NULL : (*tail)->next;	/* closed: close() wakes all */
		if (!w)
			new = (old & ~(LOCKED(mode) | WAITING(mode))) - REF;
		else if (w == *tail)
			new = old & ~WAITING(mode);
		else
			new = old;
	} while (!rt_cas_ar(&mu->state, old, new));	/* MO-N1: release to the next holder; MO-N2 */
	if (w) {
		ring_pop(tail);
		w->err = 0;
	}
	rt_unlock(&mu->lock);
	if (!w)
		return was_last(new);
	rt_ready(w->gp);
	return false;
}

bool rt_fdmutex_unlock(struct rt_fdmutex *mu, enum rt_io_mode mode)
{
	uint64_t old, new;

	do {
		old = rt_load_rlx(&mu->state);
		rt_assert((old & LOCKED(mode)) && (old & REF_MASK));
		if (unlikely(old & WAITING(mode)))
			return unlock_slow(mu, mode);
		new = (old & ~LOCKED(mode)) - REF;
	} while (!rt_cas_ar(&mu->state, old, new));	/* MO-N1: release to the next holder; MO-N2 */
	return was_last(new);
}

/* ---- the end ----------------------------------------------------------------------------- */

/* Every waiter of both lists onto @q, with -ECANCELED. */
static void cancel_waiters(struct rt_fdmutex *mu, struct rt_gqueue *q)
{
	rt_lock(&mu->lock);
	for (int mode = RT_IO_READ; mode <= RT_IO_WRITE; mode++) {
		while (mu->tail[mode]) {
			struct rt_fdwait *w = ring_pop(&mu->tail[mode]);

			w->err = -ECANCELED;
			rt_gqueue_push(q, w->gp);
		}
	}
	rt_unlock(&mu->lock);
}

int rt_fdmutex_close(struct rt_fdmutex *mu, uint64_t gen)
{
	struct rt_gqueue woken = { 0 };
	uint64_t old;
	int err;

	do {
		old = rt_load_rlx(&mu->state);
		err = may_enter(old, gen);
		if (err)
			return err;
	} while (!rt_cas_ar(&mu->state, old, (old & ~OPEN) + REF));	/* MO-N1: acquire */

	/* From here nobody joins a list: lock_or_announce() looks at OPEN under the same lock. */
	if (old & (WAITING(RT_IO_READ) | WAITING(RT_IO_WRITE))) {
		cancel_waiters(mu, &woken);
		rt_ready_list(&woken);
	}
	return 0;
}

bool rt_fdmutex_retire(struct rt_fdmutex *mu)
{
	uint64_t gen = rt_fdmutex_gen(mu);

	rt_assert(was_last(rt_load_rlx(&mu->state)));
	rt_assert(!mu->tail[RT_IO_READ] && !mu->tail[RT_IO_WRITE]);
	if (gen == RT_FDMU_GEN_MAX)
		return false;
	rt_store_rlx(&mu->state, (gen + 1) << RT_FDMU_GEN_SHIFT);
	return true;
}

bool rt_fdmutex_reset(struct rt_fdmutex *mu)
{
	uint64_t old = rt_load_rlx(&mu->state);
	bool closing = !(old & OPEN) && (old & REF_MASK);

	mu->tail[RT_IO_READ] = mu->tail[RT_IO_WRITE] = NULL;
	rt_store_rlx(&mu->state, (old >> RT_FDMU_GEN_SHIFT) << RT_FDMU_GEN_SHIFT | (old & OPEN));
	return closing;
}
