/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - gmp_mutex.
 *
 * Owns:       m->state, m->run. Not here: the queue of those that wait (sema.c, keyed by the address of m).
 * State:      bit 0 LOCKED, bit 1 WOKEN, bit 2 STARVING, from bit 3 the number of waiters.
 * Invariants: the number is raised together with the queue, under the bucket's lock, so whoever
 *             lowers it (or reads it with STARVING) finds a waiter there.
 *             WOKEN: one waiter was popped, or one G spins; nobody else is woken meanwhile.
 *             STARVING: LOCKED is set only by the waiter that was popped, for itself.
 *             All bits but LOCKED are about waiters, of the gmp_run() number m->run; those of a run that
 *             is over are void (forget_waiters()).
 * Locks:      the bucket's (rank WAITQ) in the slow path; m->run is written under it.
 * Ordering:   MO-S1 lock: acquire, pairs with MO-S2 unlock: release. A popped waiter in starvation
 *             mode gets the order from MO-S0 as well.
 *
 * The modes are Go's. Normal: waiters are FIFO, but the woken one competes with whoever comes and
 * already runs; that is fast, as the lock need not wait for a switch. A waiter that was woken, lost,
 * and waits more than 1 ms in all makes the lock STARVING: it is then handed to the first waiter,
 * newcomers queue at the end. The last waiter, or one that waited less, makes it normal again.
 *
 *   0 --lock--> L        L --unlock--> 0                      one instruction each way
 *   L + wait --> L,n+1 (n queued)       L,n --unlock--> W,n-1 (first one popped) --it locks--> L
 *   L,n --starving waiter queues--> L,S,n+1 --unlock--> S,n+1 (popped) --it takes over--> L,S,n
 *
 * Unlock is one CAS to the final state, also with waiters (Go: a subtract, then a CAS on what it
 * finds). After it, m is used as a number only: whoever gets the lock may free it at once.
 * Rejected: Go's way, with a look at the queue before *m is touched again. Tried: no faster on one P,
 * where the result of the subtraction is wanted (lock xadd), and slower on two (one exchange more).
 */
#include <errno.h>
#include <gmprt/proc.h>
#include <gmprt/sync.h>

#include "sched/sched.h"
#include "sync/sema.h"

#define LOCKED		1u
#define WOKEN		2u
#define STARVING	4u
#define WAITER		8u

#define STARVE_NS	1000000u
#define SPIN_TRIES	4
#define SPIN_PAUSES	30

/* ---- waiters of a run that is over ---------------------------------------------------------------- */

/*
 * Between rt_waiters_enter() and _leave(). A yes is sure under the bucket's lock only: the first waiter of
 * this run may have come just now, and its number not be seen yet.
 */
static inline bool outlived(const struct gmp_mutex *m, uint32_t old)
{
	return unlikely(old & ~LOCKED) &&
	       unlikely(rt_load_rlx(&m->run) != rt_load_rlx(&rt_sched.gen) || !rt_waiters_alive());
}

static rt_cold void forget_waiters(struct gmp_mutex *m)
{
	struct rt_bucket *b = rt_bucket_lock(m);
	uint32_t old;

	do {
		old = rt_load_rlx(&m->state);
	} while (outlived(m, old) && !rt_cas_ar(&m->state, old, old & LOCKED));
	rt_unlock(&b->lock);
}

/* The state, with nothing in it of an earlier run. */
static inline uint32_t state_of(struct gmp_mutex *m)
{
	uint32_t old = rt_load_rlx(&m->state);

	while (outlived(m, old)) {
		forget_waiters(m);
		old = rt_load_rlx(&m->state);
	}
	return old;
}

/* ---- lock -------------------------------------------------------------------------------------------- */

/* What one call of lock_slow() remembers between its attempts. */
struct attempt {
	uint64_t since;		/* when it first parked, 0 = did not */
	int spins;
	bool awoke;		/* WOKEN is ours to clear */
	bool starving;
};

/* Spinning pays only while the holder may run elsewhere and nothing else is to be done here. */
static bool can_spin(const struct attempt *a)
{
	struct rt_m *mp = rt_getm();

	if (a->spins >= SPIN_TRIES || rt_sched.maxprocs < 2 || !mp || !mp->p)
		return false;
	if (rt_load_rlx(&rt_sched.npidle) + rt_load_rlx(&rt_sched.nmspinning) + 1 >= rt_sched.maxprocs)
		return false;
	return rt_runq_empty(mp->p);
}

static void spin(struct gmp_mutex *m, uint32_t old, struct attempt *a)
{
	/* Tell unlock that it need not wake anybody: one is here. */
	if (!a->awoke && !(old & WOKEN) && old >= WAITER && rt_cas_acq(&m->state, old, old | WOKEN))
		a->awoke = true;
	for (int i = 0; i < SPIN_PAUSES; i++)
		rt_cpu_relax();
	a->spins++;
}

/* The lock is free, and in normal mode: true when it is ours now. */
static bool take(struct gmp_mutex *m, uint32_t old, const struct attempt *a)
{
	uint32_t new = old | LOCKED;

	if (a->awoke)
		new &= ~WOKEN;
	return rt_cas_acq(&m->state, old, new);	/* MO-S1: pairs with MO-S2 */
}

/* Queues and parks; false when the state was no longer @old. */
static bool wait_turn(struct gmp_mutex *m, uint32_t old, struct attempt *a, enum gmp_wait_reason why)
{
	struct rt_waiter w = { .gp = rt_getg() };
	bool lifo = a->since != 0;
	uint32_t new = old + WAITER;
	struct rt_bucket *b;

	if (a->starving && (old & LOCKED))
		new |= STARVING;
	if (a->awoke)
		new &= ~WOKEN;
	b = rt_bucket_lock(m);
	if (!(old & ~LOCKED))
		rt_store_rlx(&m->run, rt_load_rlx(&rt_sched.gen));	/* nobody waits: whatever stood there is void */
	if (!rt_cas_acq(&m->state, old, new)) {
		rt_unlock(&b->lock);
		return false;
	}
	if (!a->since)
		a->since = rt_now();	/* not before it queues: it would stand before others the next time */
	rt_waiter_add(b, &w, m, lifo);
	rt_waiter_park(b, &w, why);
	return true;
}

/* Popped by an unlock in starvation mode: the lock is ours, the state does not say so yet. */
static void take_over(struct gmp_mutex *m, uint32_t old, const struct attempt *a)
{
	uint32_t delta = LOCKED - WAITER;

	if ((old & (LOCKED | WOKEN)) || old < WAITER)
		rt_throw("sync: inconsistent mutex state");
	if (!a->starving || old / WAITER == 1)
		delta -= STARVING;
	rt_add_ar(&m->state, delta);	/* MO-S1: pairs with MO-S2 */
}

static rt_noinline void lock_slow(struct gmp_mutex *m, enum gmp_wait_reason why, const char *call)
{
	struct attempt a = { 0 };

	rt_waiters_enter();
	for (;;) {
		uint32_t old = state_of(m);

		if (!(old & (LOCKED | STARVING))) {
			if (take(m, old, &a))
				break;
			continue;
		}
		if (!(old & STARVING) && can_spin(&a)) {
			spin(m, old, &a);
			continue;
		}
		rt_must_park(call);
		if (!wait_turn(m, old, &a, why))
			continue;
		a.starving = a.starving || rt_now() - a.since > STARVE_NS;
		old = rt_load_rlx(&m->state);
		if (old & STARVING) {
			take_over(m, old, &a);
			break;
		}
		a.awoke = true;
		a.spins = 0;
	}
	rt_waiters_leave();
}

/* Pops the first waiter; there is one, says the state. @m is not followed any more. */
static void wake_first(struct gmp_mutex *m, bool handoff)
{
	struct rt_bucket *b;
	struct rt_waiter *w;
	struct rt_g *gp;

	b = rt_bucket_lock(m);
	w = rt_waiter_pop(b, m);
	if (!w)
		rt_throw("sync: inconsistent mutex state");
	gp = rt_waiter_grant(w);
	rt_unlock(&b->lock);
	rt_ready(gp);
	if (handoff)
		rt_yield_politely();	/* the lock is gone already: do not let its new owner wait for us */
}

static rt_noinline void unlock_slow(struct gmp_mutex *m)
{
	uint32_t old, new;
	bool wake;

	rt_waiters_enter();
	do {
		old = state_of(m);
		if (!(old & LOCKED))
			rt_throw("sync: unlock of unlocked mutex");
		new = old & ~LOCKED;
		wake = old & STARVING;
		if (!wake && old >= WAITER && !(old & WOKEN)) {
			new = (new - WAITER) | WOKEN;
			wake = true;
		}
	} while (!rt_cas_ar(&m->state, old, new));	/* MO-S2: release; pairs with MO-S1 */
	if (wake)
		wake_first(m, old & STARVING);
	rt_waiters_leave();
}

/* rt_mutex_lock() - gmp_mutex_lock(); @why is shown while it waits, @call named if it may not. */
void rt_mutex_lock(struct gmp_mutex *m, enum gmp_wait_reason why, const char *call)
{
	/* MO-S1: acquire; pairs with the release MO-S2 in gmp_mutex_unlock(). */
	if (unlikely(!rt_cas_acq(&m->state, 0, LOCKED)))
		lock_slow(m, why, call);
}

RT_PUBLIC void gmp_mutex_lock(struct gmp_mutex *m)
{
	if (unlikely(!m))
		rt_throw("gmp_mutex_lock: NULL mutex");
	if (unlikely(!rt_cas_acq(&m->state, 0, LOCKED)))	/* MO-S1 */
		lock_slow(m, GMP_WAIT_MUTEX, "gmp_mutex_lock");
}

static rt_cold uint32_t true_state(struct gmp_mutex *m)
{
	uint32_t old;

	rt_waiters_enter();
	old = state_of(m);
	rt_waiters_leave();
	return old;
}

RT_PUBLIC int gmp_mutex_trylock(struct gmp_mutex *m)
{
	uint32_t old;

	if (unlikely(!m))
		rt_throw("gmp_mutex_trylock: NULL mutex");
	old = rt_load_rlx(&m->state);
	if (unlikely(old & STARVING))
		old = true_state(m);
	if (old & (LOCKED | STARVING))
		return -EBUSY;
	return rt_cas_acq(&m->state, old, old | LOCKED) ? 0 : -EBUSY;	/* MO-S1 */
}

RT_PUBLIC void gmp_mutex_unlock(struct gmp_mutex *m)
{
	if (unlikely(!m))
		rt_throw("gmp_mutex_unlock: NULL mutex");
	/* MO-S2: release; pairs with the acquire MO-S1 in gmp_mutex_lock(). */
	if (unlikely(!rt_cas_ar(&m->state, LOCKED, 0)))
		unlock_slow(m);
}
