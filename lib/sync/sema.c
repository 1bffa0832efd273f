/* SPDX-License-Identifier: MIT */
/*
 * sema.c - wait queues keyed by an address, and the counting semaphore on top of them.
 *
 * Owns:       the table of buckets. Waiters lie on the stacks of the Gs that wait: no allocation.
 *             Not here: when to wait (mutex.c and the rest), how to park (sched/wakeup.c).
 * Invariants: an address has a node in its bucket's tree exactly while somebody waits for it; that
 *             node is the first of its queue. The tree is ordered by address and, as a heap, by a
 *             hash of it: a treap (as Go's semaRoot), so that a hundred thousand locks with waiters
 *             cost a search of a few dozen steps.
 *             A waiter is queued or granted, never both, and is granted exactly once.
 * Locks:      everything under the lock of the bucket (rank WAITQ). A G is made ready after it.
 * Ordering:   MO-S0, the lock itself: what a waker did before it took the lock is seen by the
 *             waiter it pops. rt_ready() hands that on to the G.
 *
 * Go's semaphores count a release that finds nobody and let the woken try again. Here a release
 * either pops a waiter, which then owns the token, or counts: both under the lock, so a waiter is
 * woken once, for good. That is also what makes objects safe to free: after the token is given, the
 * address serves as a number only. (A mutex on the stack of a function that returns as soon as it
 * has the lock is common in C; Go leaves this to its collector.)
 *
 * Rejected: queues inside the objects. A lock in the object is still read by rt_unlock() after the
 * waiter can already run and free it; and every object would grow by two pointers.
 */
#include "sync/sema.h"

#include <gmprt/proc.h>

#include "sched/sched.h"

#define BUCKETS_LOG2	12	/* 256 KiB, of which only what is used is resident */

static struct rt_bucket table[1u << BUCKETS_LOG2] = {
	[0 ... (1u << BUCKETS_LOG2) - 1] = { .lock = RT_LOCK_INIT(WAITQ) }
};

static uint64_t mix(uintptr_t key)
{
	return (uint64_t)key * 0x9e3779b97f4a7c15ull;
}

/**
 * rt_bucket_lock() - find and lock the bucket of an address
 * Context: any thread, any stack, between rt_waiters_enter() and _leave() if it may be none of ours.
 * Locks: out, rank WAITQ. @addr is not followed.
 *
 * Waiters of a gmp_run() that is over are forgotten: their stacks are gone. Not before it is: Ms go on
 * for a while when main has returned, and so do the waiters they know of.
 */
struct rt_bucket *rt_bucket_lock(const void *addr)
{
	/* Objects are 8 bytes apart at least: words of one object share a bucket. */
	struct rt_bucket *b = &table[mix((uintptr_t)addr >> 3) >> (64 - BUCKETS_LOG2)];

	rt_lock(&b->lock);
	if (unlikely(!rt_waiters_alive() || b->gen != rt_load_rlx(&rt_sched.gen))) {
		b->root = NULL;
		b->gen = rt_load_rlx(&rt_sched.gen);
	}
	return b;
}

/* ---- the treap: no parent links, a place is the address of the pointer to it -------------- */

static struct rt_waiter **tree_find(struct rt_bucket *b, uintptr_t key)
{
	struct rt_waiter **pp = &b->root;

	while (*pp && (*pp)->key != key)
		pp = key < (*pp)->key ? &(*pp)->left : &(*pp)->right;
	return pp;
}

/* Puts @w where its priority belongs; what was there is split by key into its two sides. */
static void tree_insert(struct rt_bucket *b, struct rt_waiter *w)
{
	struct rt_waiter **pp = &b->root, **lo = &w->left, **hi = &w->right, *t;

	while (*pp && (*pp)->prio >= w->prio)
		pp = w->key < (*pp)->key ? &(*pp)->left : &(*pp)->right;
	t = *pp;
	*pp = w;
	while (t) {
		if (t->key < w->key) {
			*lo = t;
			lo = &t->right;
			t = t->right;
		} else {
			*hi = t;
			hi = &t->left;
			t = t->left;
		}
	}
	*lo = NULL;
	*hi = NULL;
}

/* Takes out the node at @pp; its two sides are merged by priority. */
static void tree_remove(struct rt_waiter **pp)
{
	struct rt_waiter *l = (*pp)->left, *r = (*pp)->right;

	while (l && r) {
		if (l->prio >= r->prio) {
			*pp = l;
			pp = &l->right;
			l = l->right;
		} else {
			*pp = r;
			pp = &r->left;
			r = r->left;
		}
	}
	*pp = l ? l : r;
}

/* @w takes the place of @old, the head of its queue, in the tree. */
static void tree_replace(struct rt_waiter **pp, struct rt_waiter *old, struct rt_waiter *w)
{
	w->left = old->left;
	w->right = old->right;
	w->prio = old->prio;
	w->tail = old->tail;
	*pp = w;
}

/* ---- queues ---------------------------------------------------------------------------- */

/**
 * rt_waiter_add() - queue @w for @addr
 * @lifo: before all others (it waited before, and lost), else behind them
 *
 * @w->gp must be set; @w must stay until it is granted or deleted.
 * Locks: bucket held. The G may then do other things (but not return) before rt_waiter_park().
 */
void rt_waiter_add(struct rt_bucket *b, struct rt_waiter *w, const void *addr, bool lifo)
{
	struct rt_waiter **pp, *head;

	w->key = (uintptr_t)addr;
	w->next = w->prev = NULL;
	w->queued = true;
	w->parked = w->granted = false;
	pp = tree_find(b, w->key);
	head = *pp;
	if (!head) {
		w->prio = (uint32_t)(mix(w->key) >> 16);
		w->tail = w;
		tree_insert(b, w);
	} else if (lifo) {
		tree_replace(pp, head, w);
		w->next = head;
		head->prev = w;
	} else {
		w->prev = head->tail;
		head->tail->next = w;
		head->tail = w;
	}
}

/* Takes @w off its queue wherever it stands there. Locks: bucket held. */
void rt_waiter_del(struct rt_bucket *b, struct rt_waiter *w)
{
	struct rt_waiter **pp = tree_find(b, w->key), *head = *pp;

	rt_debug_assert(w->queued && head);
	w->queued = false;
	if (w == head) {
		if (!w->next) {
			tree_remove(pp);
			return;
		}
		tree_replace(pp, w, w->next);
		w->next->prev = NULL;
		return;
	}
	w->prev->next = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		head->tail = w->prev;
}

/* The one that waits longest for @addr, or NULL; it stays queued. Locks: bucket held. */
struct rt_waiter *rt_waiter_first(struct rt_bucket *b, const void *addr)
{
	return *tree_find(b, (uintptr_t)addr);
}

/* As rt_waiter_first(), and takes it off. */
struct rt_waiter *rt_waiter_pop(struct rt_bucket *b, const void *addr)
{
	struct rt_waiter *w = rt_waiter_first(b, addr);

	if (w)
		rt_waiter_del(b, w);
	return w;
}

/**
 * rt_waiter_grant() - let a waiter go on that was taken off its queue
 * Locks: bucket held; @w may be gone as soon as it is released.
 * Return: the G for rt_ready(), after the lock is released; NULL when it has not parked yet: it
 * will see the grant and not park at all.
 */
struct rt_g *rt_waiter_grant(struct rt_waiter *w)
{
	rt_debug_assert(!w->queued && !w->granted);
	w->granted = true;
	return w->parked ? w->gp : NULL;
}

/**
 * rt_waiter_park() - park the running G until @w is granted; returns at once if it is
 * Locks: bucket held in, released out. Never returns without a grant.
 */
void rt_waiter_park(struct rt_bucket *b, struct rt_waiter *w, enum gmp_wait_reason why)
{
	if (w->granted) {
		rt_unlock(&b->lock);
		return;
	}
	w->parked = true;
	rt_park_unlock(&b->lock, why);
	rt_debug_assert(w->granted);
}

/* ---- the semaphore ----------------------------------------------------------------------- */

/**
 * rt_semacquire() - take one from *@addr, wait for it while there is none
 * Context: a goroutine; parks. FIFO; @lifo goes before those that wait.
 * Ordering: MO-S0: what came before the rt_semrelease() that let it go is seen.
 */
void rt_semacquire(uint32_t *addr, bool lifo, enum gmp_wait_reason why)
{
	struct rt_waiter w = { .gp = rt_getg() };
	struct rt_bucket *b;

	if (!w.gp)
		rt_throw("sync: semacquire outside a goroutine");
	b = rt_bucket_lock(addr);
	if (*addr > 0) {
		(*addr)--;
		rt_unlock(&b->lock);
		return;
	}
	rt_inject_at(RT_INJ_SEMA);
	rt_waiter_add(b, &w, addr, lifo);
	rt_waiter_park(b, &w, why);
}

/**
 * rt_semrelease() - give one to the first that waits, or count it
 * @handoff: the caller gives up its turn, so that the one that waited runs at once
 *
 * Context: any thread, any stack. *@addr may be gone when this returns.
 */
void rt_semrelease(uint32_t *addr, bool handoff)
{
	struct rt_bucket *b;
	struct rt_waiter *w;
	struct rt_g *gp = NULL;

	rt_waiters_enter();
	b = rt_bucket_lock(addr);
	w = rt_waiter_pop(b, addr);
	if (w)
		gp = rt_waiter_grant(w);
	else
		(*addr)++;
	rt_unlock(&b->lock);
	rt_inject_at(RT_INJ_SEMA_WAKE);
	if (gp)
		rt_ready(gp);
	rt_waiters_leave();
	if (gp && handoff)
		rt_yield_politely();
}
