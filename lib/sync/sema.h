/* SPDX-License-Identifier: MIT */
/*
 * sema.h - wait queues keyed by an address, and the counting semaphore on top of them.
 *
 * Whatever parks in sync/ parks here: the objects themselves hold a few integers and no list, so
 * all-zero is ready, and nobody touches an object after the step that lets its owner free it.
 */
#ifndef RT_SEMA_H
#define RT_SEMA_H

#include "sched/runtime.h"

struct gmp_mutex;
struct gmp_sem;

/* One parked (or about to park) G; lies on its stack. All fields: lock of the bucket. */
struct rt_waiter {
	uintptr_t key;			/* address it waits for; const while queued */
	struct rt_g *gp;		/* const */
	struct rt_waiter *left, *right;	/* tree of addresses; head of a queue only */
	struct rt_waiter *next, *prev;	/* queue of one address; NULL at its ends */
	struct rt_waiter *tail;		/* head of a queue only */
	uint32_t prio;			/* heap order of the tree; from the address */
	bool queued;			/* on a queue */
	bool parked;			/* its G is WAITING (or will be before the lock is free) */
	bool granted;			/* taken off by whoever lets it go on */
	int result;			/* the owner's: what its call is to answer */
	int64_t n;			/* the owner's: permits it wants */
};

struct rt_bucket {
	struct rt_lock lock;		/* rank WAITQ: below it SCHED only */
	uint32_t gen;			/* the gmp_run() that root belongs to; lock */
	struct rt_waiter *root;		/* treap of the queues' heads; lock */
} rt_aligned(64);

/* The bucket of an address, locked. Any thread, any stack. */
struct rt_bucket *rt_bucket_lock(const void *addr);

/* All below: the bucket's lock is held, and stays held unless the text says otherwise. */
void rt_waiter_add(struct rt_bucket *b, struct rt_waiter *w, const void *addr, bool lifo);
void rt_waiter_del(struct rt_bucket *b, struct rt_waiter *w);
struct rt_waiter *rt_waiter_first(struct rt_bucket *b, const void *addr);
struct rt_waiter *rt_waiter_pop(struct rt_bucket *b, const void *addr);
struct rt_g *rt_waiter_grant(struct rt_waiter *w);
void rt_waiter_park(struct rt_bucket *b, struct rt_waiter *w, enum gmp_wait_reason why);

/* A counter that Gs wait for; each call is whole, no lock held, the G may park in the first. */
void rt_semacquire(uint32_t *addr, bool lifo, enum gmp_wait_reason why);
void rt_semrelease(uint32_t *addr, bool handoff);

struct gmp_wg;

/* sem.c, for group.c: gmp_sem_acquire() that says why and for whom it waits. */
int rt_sem_acquire(struct gmp_sem *s, int64_t n, enum gmp_wait_reason why, const char *call);

/* waitgroup.c, for group.c: gmp_wg_wait() of another name. 0; -EWOULDBLOCK outside of a goroutine. */
int rt_wg_wait(struct gmp_wg *wg, const char *call);

/* mutex.c, for once.c and rwmutex.c: gmp_mutex_lock() that says why and for whom it waits. */
void rt_mutex_lock(struct gmp_mutex *m, enum gmp_wait_reason why, const char *call);

#endif
