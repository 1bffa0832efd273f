/* SPDX-License-Identifier: MIT */
/*
 * netpoll.h - goroutines that wait for descriptors: the poll descriptor, and what a backend supplies.
 *
 * A poll descriptor holds two binary semaphores, one for its reader and one for its writer:
 *
 *             ready()                      wait(): consumes it
 *     NIL ---------------> READY ------------------------------> NIL
 *      | wait()              ^
 *      v       ready()       |     commit() is the G's parking callback: it runs when the G's
 *     WAIT ------------------+     context is saved. A G in the word is WAITING and belongs to
 *      | commit()            |     whoever takes it out of the word.
 *      v       ready()       |
 *      G  -------------------+
 *
 * timeout and close take WAIT and G back to NIL. wait() always leaves NIL behind.
 */
#ifndef RT_NETPOLL_H
#define RT_NETPOLL_H

#include "io/fdmutex.h"
#include "sched/time.h"

#define RT_POLL_READ	1u		/* sets of modes: 1 << enum rt_io_mode */
#define RT_POLL_WRITE	2u
#define RT_POLL_TRY	4u		/* in a report: a read is always worth a try from now on */

struct rt_gqueue;

struct rt_polldesc {
	uintptr_t sem[2];		/* NIL, READY, WAIT or a G; atomic, MO-N4 */
	uint32_t info;			/* CLOSING, EXPIRED; written under lock; atomic, MO-N5 */
	bool out_armed;			/* writability is reported too; holder of the write lock */
	bool drained;			/* the last read took all there was; holder of the read lock */
	bool try_first;			/* RT_POLL_TRY was reported; atomic, only ever set */
	struct rt_lock lock;		/* rank POLLDESC, above TIMERS: guards the rest */
	uint64_t deadline[2];		/* absolute, 0 = none */
	uint64_t armed;			/* when `timer` is due, 0 = not set; see netpoll.c */
	struct rt_timer timer;		/* one for both deadlines */
};

/* ---- netpoll.c --------------------------------------------------------------------------- */

void rt_netpoll_reset(struct rt_polldesc *pd);	/* a descriptor of its own again; nobody waits */

/* Drops a stale readiness, before I/O is tried. Context: holder of the lock of @mode. */
void rt_netpoll_prepare(struct rt_polldesc *pd, enum rt_io_mode mode);

/* Nothing was reported since the last rt_netpoll_prepare(). Context: holder of the lock of @mode. */
static inline bool rt_netpoll_quiet(const struct rt_polldesc *pd, enum rt_io_mode mode)
{
	return rt_load_rlx(&pd->sem[mode]) == 0 && !rt_load_rlx(&pd->try_first);
}

/* Return: 0, -ECANCELED closing, -ETIMEDOUT deadline past. Context: any thread. */
int rt_netpoll_check(const struct rt_polldesc *pd, enum rt_io_mode mode);

/**
 * rt_netpoll_wait() - park until I/O of @mode may succeed
 * Context: holder of the lock of @mode (one waiter a mode); no runtime lock held.
 * Return: 0 try again, -ECANCELED closed, -ETIMEDOUT, -EWOULDBLOCK not a goroutine.
 */
int rt_netpoll_wait(struct rt_polldesc *pd, enum rt_io_mode mode);

/* I/O of @modes may succeed: who waits goes onto @q. Context: a backend's poll(); any stack. */
void rt_netpoll_ready(struct rt_polldesc *pd, unsigned int modes, struct rt_gqueue *q);

/**
 * rt_netpoll_set_deadline() - of one or both modes; those who wait are held to it
 * @when: absolute rt_now(), 0 = none
 * Context: any thread with a reference. Return: 0; -ECANCELED closing; -ESRCH a deadline in the future
 * while gmp_run() does not run.
 */
int rt_netpoll_set_deadline(struct rt_polldesc *pd, unsigned int modes, uint64_t when);

/* Closing: those who wait get -ECANCELED, those who would are refused. Once. */
void rt_netpoll_evict(struct rt_polldesc *pd);

/* End of gmp_run(): who waited no longer exists; deadlines go with them. */
void rt_netpoll_forget(struct rt_polldesc *pd);

uint32_t rt_netpoll_waiters(void);		/* Gs parked here; a moment ahead at most */
void rt_netpoll_forget_waiters(void);		/* end of gmp_run() */

/* ---- a backend (netpoll_epoll.c) --------------------------------------------------------- */

/* Once; calls rt_netpoll_set(). Return: 0 or -errno, then the next call tries again. Any thread. */
int rt_netpoll_init(void);
/* Edge-triggered reports of readability under @tag. -EPERM: cannot be polled (a plain file). */
int rt_netpoll_add(int fd, uint64_t tag);
/* Reports of writability too, the present state included. */
int rt_netpoll_arm_out(int fd, uint64_t tag);
int rt_netpoll_del(int fd);

#endif
