/* SPDX-License-Identifier: MIT */
/*
 * netpoll.c - the poll descriptor: semaphores, deadlines, eviction (drawn in netpoll.h).
 *
 * Owns:       struct rt_polldesc.      Not here: the kernel's side (netpoll_epoll.c), system calls
 *             (netfd.c), who may read or write (fdmutex.c).
 * Invariants: at most one G waits for a mode, for the lock of that mode is held; `armed` is 0 or not
 *             after the earliest deadline that is still to come; a poll descriptor's memory is never
 *             anything else, so a late event or timer finds one, if perhaps a newer one.
 * Locks:      pd->lock; timers' locks inside it; never a lock while a G is made ready.
 * Ordering:   MO-N4 the semaphores, MO-N5 (drawn at block()).
 *
 * As Go's netpoll.go, but for: one timer a descriptor; a deadline that moves into the future leaves an
 * earlier timer as it is, which on firing arms itself anew (a server that moves the deadline with
 * each request would else pay two heap operations for it); a timer needs no sequence number, for it
 * compares the deadline itself with the clock; no event-error bit, for a call that is tried again
 * reports the error itself.
 */
#include "io/netpoll.h"

#include <errno.h>

#include "sched/sched.h"

#define PD_NIL		((uintptr_t)0)
#define PD_READY	((uintptr_t)1)
#define PD_WAIT		((uintptr_t)2)

#define CLOSING		1u
#define EXPIRED(mode)	(2u << (mode))

static uint32_t waiters;	/* atomic */

uint32_t rt_netpoll_waiters(void)
{
	return rt_load_rlx(&waiters);
}

void rt_netpoll_forget_waiters(void)
{
	rt_store_rlx(&waiters, 0);
}

/* ---- the semaphores ---------------------------------------------------------------------- */

/* The parking callback; on false the G goes on at once. Counted before it can be taken out. */
static bool commit(struct rt_g *gp, void *sem)
{
	rt_add_rlx(&waiters, 1);
	/* MO-N4: release hands the saved G to take_out(). */
	if (rt_cas_ar((uintptr_t *)sem, PD_WAIT, (uintptr_t)gp))
		return true;
	rt_add_rlx(&waiters, -1);
	return false;
}

/* Leaves @to in the semaphore; who waited there, if somebody did. The caller readies it. */
static struct rt_g *take_out(uintptr_t *sem, uintptr_t to)
{
	uintptr_t old;

	do {
		old = rt_load_rlx(sem);
		if (old == PD_READY || (old == PD_NIL && to == PD_NIL))
			return NULL;
		/* MO-N4: acquire pairs with commit(), release with the exchange in block(). */
	} while (!rt_cas_ar(sem, old, to));
	if (old == PD_NIL || old == PD_WAIT)
		return NULL;
	rt_add_rlx(&waiters, -1);
	return (struct rt_g *)old;
}

int rt_netpoll_check(const struct rt_polldesc *pd, enum rt_io_mode mode)
{
	uint32_t info = rt_load_rlx(&pd->info);

	if (likely(!(info & (CLOSING | EXPIRED(mode)))))
		return 0;
	return info & CLOSING ? -ECANCELED : -ETIMEDOUT;
}

/*
 * True: ready. False: woken by, or kept from parking by, a deadline or a close.
 *
 *   block                               set_deadline, deadline_fired, evict
 *   B1 semaphore = WAIT                 S1 info |= EXPIRED or CLOSING
 *   B2 full fence            MO-N5      S2 full fence
 *   B3 read info: set? do not park      S3 read semaphore: WAIT or G? take it out
 *
 * One of the two sees the other's store. WAIT that was taken out makes commit() refuse.
 */
static bool block(struct rt_polldesc *pd, enum rt_io_mode mode)
{
	uintptr_t *sem = &pd->sem[mode], old;

	while (!rt_cas_ar(sem, PD_NIL, PD_WAIT)) {
		if (rt_cas_ar(sem, PD_READY, PD_NIL))
			return true;
		if (rt_load_rlx(sem) > PD_READY)
			rt_throw("netpoll: double wait");
	}
	rt_inject_at(RT_INJ_FD);
	rt_smp_mb();	/* MO-N5 */
	if (rt_netpoll_check(pd, mode) == 0)
		rt_park(commit, sem, GMP_WAIT_IO);
	/* MO-N4: what the poller did before it set READY is seen; and no READY is lost. */
	old = rt_xchg_ar(sem, PD_NIL);
	if (old > PD_WAIT)
		rt_throw("netpoll: corrupted poll descriptor");
	return old == PD_READY;
}

void rt_netpoll_prepare(struct rt_polldesc *pd, enum rt_io_mode mode)
{
	if (rt_load_rlx(&pd->sem[mode]) == PD_READY)
		rt_cas_ar(&pd->sem[mode], PD_READY, PD_NIL);
}

int rt_netpoll_wait(struct rt_polldesc *pd, enum rt_io_mode mode)
{
	int err = rt_netpoll_check(pd, mode);

	if (err)
		return err;
	if (!rt_may_park_locked())
		return -EWOULDBLOCK;
	/* Woken by a deadline that was moved before we ran: as if it had not been. */
	while (!block(pd, mode)) {
		err = rt_netpoll_check(pd, mode);
		if (err)
			return err;
	}
	/* Closed while it waited, and then, before it ran, the other side did something. */
	return rt_load_rlx(&pd->info) & CLOSING ? -ECANCELED : 0;
}

void rt_netpoll_ready(struct rt_polldesc *pd, unsigned int modes, struct rt_gqueue *q)
{
	if (modes & RT_POLL_TRY)
		rt_store_rlx(&pd->try_first, true);	/* before READY: MO-N4 */
	for (int mode = RT_IO_READ; mode <= RT_IO_WRITE; mode++) {
		struct rt_g *gp = modes & 1u << mode ? take_out(&pd->sem[mode], PD_READY) : NULL;

		if (gp)
			rt_gqueue_push(q, gp);
	}
}

/* ---- deadlines --------------------------------------------------------------------------- */

static void assert_lock_held(const struct rt_polldesc *pd)
{
	rt_debug_assert(rt_load_rlx(&pd->lock.word) != 0);
}

/* Publishes @info, then takes out who must not wait any longer. pd->lock held. */
static void publish(struct rt_polldesc *pd, uint32_t info, struct rt_gqueue *q)
{
	assert_lock_held(pd);
	rt_store_rlx(&pd->info, info);
	if (!info)
		return;
	rt_smp_mb();	/* MO-N5 */
	for (int mode = RT_IO_READ; mode <= RT_IO_WRITE; mode++) {
		struct rt_g *gp = NULL;

		if (info & (CLOSING | EXPIRED(mode)))
			gp = take_out(&pd->sem[mode], PD_NIL);
		if (gp)
			rt_gqueue_push(q, gp);
	}
}

/* The earliest deadline that has not expired, 0 = none. */
static uint64_t next_deadline(const struct rt_polldesc *pd)
{
	uint64_t next = 0;

	for (int mode = RT_IO_READ; mode <= RT_IO_WRITE; mode++) {
		uint64_t when = pd->deadline[mode];

		if (when && !(pd->info & EXPIRED(mode)) && (!next || when < next))
			next = when;
	}
	return next;
}

static void deadline_fired(struct rt_timer *t, uint64_t now);

/* Sees to it that the timer fires no later than the next deadline. pd->lock held. */
static void arm(struct rt_polldesc *pd)
{
	uint64_t next = next_deadline(pd);

	assert_lock_held(pd);
	if (!next && pd->armed) {
		rt_timer_del(&pd->timer);
		pd->armed = 0;
	} else if (next && (!pd->armed || next < pd->armed)) {
		pd->timer.fn = deadline_fired;
		pd->armed = next;
		rt_timer_set(&pd->timer, next, 0);
	}
}

/* @info, and EXPIRED for every deadline that @now has reached. pd->lock held. */
static uint32_t expire(const struct rt_polldesc *pd, uint32_t info, uint64_t now)
{
	for (int mode = RT_IO_READ; mode <= RT_IO_WRITE; mode++) {
		if (pd->deadline[mode] && pd->deadline[mode] <= now)
			info |= EXPIRED(mode);
	}
	return info;
}

/*
 * The timer's function. It may be late: the deadline moved, the descriptor was closed, or is another
 * one's by now. The deadlines as they stand decide, so nobody is woken who should not be.
 */
static void deadline_fired(struct rt_timer *t, uint64_t now)
{
	struct rt_polldesc *pd = rt_container_of(t, struct rt_polldesc, timer);
	struct rt_gqueue woken = { 0 };

	rt_lock(&pd->lock);
	pd->armed = 0;
	if (!(pd->info & CLOSING)) {
		publish(pd, expire(pd, pd->info, now), &woken);
		arm(pd);
	}
	rt_unlock(&pd->lock);
	if (woken.head)
		rt_ready_list(&woken);
}

int rt_netpoll_set_deadline(struct rt_polldesc *pd, unsigned int modes, uint64_t when)
{
	uint64_t now = when ? rt_now() : 0;
	struct rt_gqueue woken = { 0 };
	uint32_t info;

	if (when > now && !rt_getm() && !rt_load_rlx(&rt_sched.running))
		return -ESRCH;	/* nobody runs timers; a goroutine never gets to see that */
	rt_lock(&pd->lock);
	if (pd->info & CLOSING) {
		rt_unlock(&pd->lock);
		return -ECANCELED;
	}
	info = pd->info;
	for (int mode = RT_IO_READ; mode <= RT_IO_WRITE; mode++) {
		if (modes & 1u << mode) {
			pd->deadline[mode] = when;
			info &= ~EXPIRED(mode);
		}
	}
	publish(pd, expire(pd, info, now), &woken);
	arm(pd);
	rt_unlock(&pd->lock);
	if (woken.head)
		rt_ready_list(&woken);
	return 0;
}

/* ---- begin and end ----------------------------------------------------------------------- */

void rt_netpoll_evict(struct rt_polldesc *pd)
{
	struct rt_gqueue woken = { 0 };

	rt_lock(&pd->lock);
	pd->deadline[RT_IO_READ] = pd->deadline[RT_IO_WRITE] = 0;
	publish(pd, pd->info | CLOSING, &woken);
	arm(pd);
	rt_unlock(&pd->lock);
	if (woken.head)
		rt_ready_list(&woken);
}

void rt_netpoll_reset(struct rt_polldesc *pd)
{
	rt_lock_rank(&pd->lock, POLLDESC);
	rt_lock(&pd->lock);
	if (rt_load_rlx(&pd->sem[RT_IO_READ]) > PD_READY ||
	    rt_load_rlx(&pd->sem[RT_IO_WRITE]) > PD_READY)
		rt_throw("netpoll: somebody waits on a free poll descriptor");
	rt_store_rlx(&pd->sem[RT_IO_READ], PD_NIL);
	rt_store_rlx(&pd->sem[RT_IO_WRITE], PD_NIL);
	rt_store_rlx(&pd->info, 0);
	pd->out_armed = pd->drained = false;
	rt_store_rlx(&pd->try_first, false);
	pd->deadline[RT_IO_READ] = pd->deadline[RT_IO_WRITE] = 0;
	arm(pd);
	rt_unlock(&pd->lock);
}

void rt_netpoll_forget(struct rt_polldesc *pd)
{
	rt_store_rlx(&pd->sem[RT_IO_READ], PD_NIL);
	rt_store_rlx(&pd->sem[RT_IO_WRITE], PD_NIL);
	pd->drained = false;		/* what was reported since is forgotten, too */
	rt_lock(&pd->lock);
	rt_store_rlx(&pd->info, pd->info & CLOSING);
	pd->deadline[RT_IO_READ] = pd->deadline[RT_IO_WRITE] = 0;
	arm(pd);
	rt_unlock(&pd->lock);
}
