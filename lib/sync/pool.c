/* SPDX-License-Identifier: MIT */
/*
 * pool.c - gmp_pool: objects kept for reuse, near the P that used them last.
 *
 * Owns:       what p->root points to. Not here: the objects; nothing of them is read or written.
 * Invariants: a shelf is for the P of its number; it is only a preference. Every access is atomic or
 *             under the shelf's lock, so it does not matter when a goroutine is moved, a P is taken
 *             away, the number of Ps changes or the caller is no M at all: an object is in one place.
 *             A shelf is one atomic pointer, enough for most, and crates of 62 behind it.
 *             root and the rows of shelves are made on demand and stay until gmp_pool_drain(): row k
 *             has 2^k shelves, so that growing moves nothing and readers need no protection.
 * Locks:      the shelf's (rank POOL, a leaf); one at a time. Memory is allocated without it.
 * Ordering:   MO-S12 publication of root and rows: release; pairs with MO-S13, the acquire where
 *             they are read. MO-S23 first: release by who puts, acquire by who takes; in crates the
 *             lock orders (MO-1): who gets an object sees what was done to it before.
 *
 * Rejected: Go's way of pinning the goroutine to its P and touching the own shelf with plain stores. C
 * code here can lose its P at any instruction (a page fault with gmp.ko loaded). And a lock for all:
 * its unlock's store stands in the way of the next locked instruction, 30 ns a pair instead of 6.
 */
#include <errno.h>
#include <gmprt/sync.h>
#include <stdlib.h>
#include <string.h>

#include "sched/sched.h"

#define ROWS		11	/* 2^11 - 1 shelves: more than RT_MAX_P */
#define CRATE_LEN	62

rt_static_assert((1u << ROWS) - 1 > RT_MAX_P, "a shelf for each P");

struct crate {
	struct crate *next;
	size_t n;
	void *obj[CRATE_LEN];
};

struct shelf {
	struct rt_lock lock;
	uint32_t n;		/* objects in crates; lock, atomic for those who look for some */
	void *first;		/* atomic, MO-S23 */
	struct crate *top;	/* NULL or not empty; lock */
	struct crate *spare;	/* empty, kept against thrashing; lock */
} rt_aligned(64);

struct root {
	struct shelf *row[ROWS];	/* atomic */
};

/* ---- crates of a shelf: all with its lock held --------------------------------------------------------- */

/* False when a crate is needed and neither a spare nor *@fresh is there; *@fresh is used up if taken. */
static bool shelf_push(struct shelf *s, void *obj, struct crate **fresh)
{
	if (!s->top || s->top->n == CRATE_LEN) {
		struct crate **from = s->spare ? &s->spare : fresh;
		struct crate *c = *from;

		if (!c)
			return false;
		*from = NULL;
		c->next = s->top;
		c->n = 0;
		s->top = c;
	}
	s->top->obj[s->top->n++] = obj;
	rt_store_rlx(&s->n, s->n + 1);
	return true;
}

/* NULL when there is nothing; *@empty is a crate to free, if any. */
static void *shelf_pop(struct shelf *s, struct crate **empty)
{
	struct crate *c = s->top;
	void *obj;

	if (!c)
		return NULL;
	obj = c->obj[--c->n];
	if (!c->n) {
		s->top = c->next;
		*empty = s->spare;
		s->spare = c;
	}
	rt_store_rlx(&s->n, s->n - 1);
	return obj;
}

/* ---- finding shelves ---------------------------------------------------------------------------- */

/* Number of the shelf of whoever calls: a P's, from 1; 0 outside. Only a preference. */
static uint32_t my_number(void)
{
	struct rt_m *mp = rt_getm();
	struct rt_p *pp = mp ? mp->p : NULL;

	return pp ? (uint32_t)pp->id + 1 : 0;
}

static struct shelf *shelf_find(struct root *root, uint32_t number)
{
	uint32_t k = 31u - (uint32_t)__builtin_clz(number + 1);
	struct shelf *row = rt_load_acq(&root->row[k]);	/* MO-S13: pairs with MO-S12 */

	return row ? &row[number + 1 - (1u << k)] : NULL;
}

/* Puts @fresh at *@at unless somebody was faster; returns what is there. */
static void *publish(void **at, void *fresh)
{
	/* MO-S12: release; pairs with the acquire MO-S13 of those who read it. */
	if (fresh && !rt_cas_ar(at, NULL, fresh))
		free(fresh);
	return rt_load_acq(at);
}

static struct shelf *row_make(struct root *root, uint32_t k)
{
	size_t size = sizeof(struct shelf) << k;
	struct shelf *row = aligned_alloc(64, size);

	if (row)
		memset(row, 0, size);
	for (uint32_t i = 0; row && i < 1u << k; i++)
		rt_lock_rank(&row[i].lock, POOL);
	return publish((void **)&root->row[k], row);
}

static rt_noinline struct shelf *shelf_make(struct gmp_pool *p, uint32_t number)
{
	struct root *root = (struct root *)rt_load_acq(&p->root);	/* MO-S13 */

	if (!root)
		root = publish((void **)&p->root, calloc(1, sizeof(*root)));
	if (!root)
		return NULL;
	if (!shelf_find(root, number))
		row_make(root, 31u - (uint32_t)__builtin_clz(number + 1));
	return shelf_find(root, number);
}

/* ---- the calls ------------------------------------------------------------------------------------ */

static inline void *take_first(struct shelf *s)
{
	/* MO-S23: acquire; pairs with the release in put_first(). */
	return rt_load_rlx(&s->first) ? rt_xchg_acq(&s->first, NULL) : NULL;
}

static inline bool put_first(struct shelf *s, void *obj)
{
	return !rt_load_rlx(&s->first) && rt_cas_ar(&s->first, NULL, obj);	/* MO-S23: release */
}

static rt_noinline void *take_from_crates(struct shelf *s)
{
	struct crate *empty = NULL;
	void *obj;

	if (rt_load_rlx(&s->n) == 0)
		return NULL;
	rt_lock(&s->lock);
	obj = shelf_pop(s, &empty);
	rt_unlock(&s->lock);
	free(empty);
	return obj;
}

static inline void *take_from(struct shelf *s)
{
	void *obj = take_first(s);

	return likely(obj) ? obj : take_from_crates(s);
}

/* Nothing on the own shelf: all others, also those of Ps that are no more. */
static rt_noinline void *take_elsewhere(struct root *root)
{
	void *obj = NULL;

	for (uint32_t k = 0; k < ROWS && !obj; k++) {
		struct shelf *row = rt_load_acq(&root->row[k]);	/* MO-S13: pairs with MO-S12 */

		for (uint32_t i = 0; row && i < 1u << k && !obj; i++)
			obj = take_from(&row[i]);
	}
	return obj;
}

RT_PUBLIC void *gmp_pool_get(struct gmp_pool *p)
{
	struct root *root;
	struct shelf *s;
	void *obj;

	if (unlikely(!p))
		rt_throw("gmp_pool_get: NULL pool");
	root = (struct root *)rt_load_acq(&p->root);	/* MO-S13: pairs with MO-S12 */
	if (!root)
		return NULL;
	s = shelf_find(root, my_number());
	obj = s ? take_from(s) : NULL;
	return likely(obj) ? obj : take_elsewhere(root);
}

static rt_noinline int put_in_crates(struct shelf *s, void *obj)
{
	struct crate *fresh = NULL;
	bool ok;

	for (;;) {
		rt_lock(&s->lock);
		ok = shelf_push(s, obj, &fresh);
		rt_unlock(&s->lock);
		if (ok)
			break;
		fresh = malloc(sizeof(*fresh));
		if (!fresh)
			return -ENOMEM;
	}
	free(fresh);
	return 0;
}

RT_PUBLIC int gmp_pool_put(struct gmp_pool *p, void *obj)
{
	struct root *root;
	struct shelf *s;
	uint32_t number;

	if (unlikely(!p || !obj))
		return -EINVAL;
	number = my_number();
	root = (struct root *)rt_load_acq(&p->root);	/* MO-S13: pairs with MO-S12 */
	s = likely(root) ? shelf_find(root, number) : NULL;
	if (unlikely(!s)) {
		s = shelf_make(p, number);
		if (!s)
			return -ENOMEM;
	}
	return likely(put_first(s, obj)) ? 0 : put_in_crates(s, obj);
}

static void row_free(struct shelf *row, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		free(row[i].spare);
	free(row);
}

RT_PUBLIC void gmp_pool_drain(struct gmp_pool *p, void (*drop)(void *obj))
{
	struct root *root;
	void *obj;

	if (unlikely(!p))
		rt_throw("gmp_pool_drain: NULL pool");
	while ((obj = gmp_pool_get(p)) != NULL)
		if (drop)
			drop(obj);
	root = (struct root *)p->root;
	p->root = 0;
	for (uint32_t k = 0; root && k < ROWS; k++)
		if (root->row[k])
			row_free(root->row[k], 1u << k);
	free(root);
}
