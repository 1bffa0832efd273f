/* SPDX-License-Identifier: MIT */
/*
 * time.c - timers: armed on the heap of a P, called by the scheduler.
 *
 * Owns:       struct rt_timer while it is set; one heap a P (timerheap.h), never freed.
 * Invariants: t->heap says in which heap @t is, and only under its lock is that certain; `next` of
 *             a heap is exact while its lock is free.
 * Locks:      h->lock, rank TIMERS, a leaf; never held while a function is called.
 * Ordering:   MO-T1 t->heap, MO-T2 h->next, MO-T3 the list of heaps, MO-10 who sleeps until when.
 * Not here:   who runs it and who sleeps for it (find.c, sysmon.c); public timers (sync/timer.c).
 */
#include "sched/time.h"

#include <errno.h>
#include <sched.h>

#include "sched/rcu.h"
#include "sched/sched.h"
#include "sched/timerheap.h"

#define BATCH		16u	/* functions collected under one lock */
#define READY_MAX	128u	/* Gs likewise */

/* Functions taken off a heap and not yet all called; on the stack of the caller. Lock of the heap. */
struct flight {
	struct flight *next;
	unsigned int n;
	struct due {
		struct rt_timer *t;
		void (*fn)(struct rt_timer *t, uint64_t now);
		rt_timer_detached detached;
		void *arg;
		uintptr_t seq;
	} due[BATCH];
};

static struct rt_timers *heaps;		/* pushed with the world stopped; atomic for readers */
static struct rt_timers *first_heap;	/* of P 0: for threads without a P; atomic */

/* ---- arm ------------------------------------------------------------------------------------------ */

static struct rt_timers *near_heap(void)
{
	struct rt_m *mp = rt_getm();
	struct rt_p *pp = mp ? rt_m_p(mp) : NULL;

	return pp ? pp->timers : rt_load_acq(&first_heap);
}

/* Somebody else will run on this P when we park: nobody looks at its timers for up to a time slice. */
static bool others_wait(void)
{
	struct rt_m *mp = rt_getm();
	struct rt_p *pp = mp ? rt_m_p(mp) : NULL;

	return !pp || mp->tied.n || rt_p_has_work(pp);
}

/*
 * A new first deadline: somebody must be awake by then. MO-10: the deadline is published, full fence,
 * then one looks who sleeps; who goes to sleep (find.c) does the reverse. On our own P too: this G may
 * compute for long, or end, and its M then finds that another sleeps for all of them.
 */
static rt_noinline void tell(uint64_t when)
{
	rt_inject_at(RT_INJ_TIMER_TELL);
	rt_smp_mb();				/* MO-10 */
	if (rt_load_rlx(&rt_sched.lastpoll) == 0) {
		uint64_t until = rt_load_acq(&rt_sched.poll_until);

		if (until == 0 || until > when)
			rt_poller()->wake();
	} else if (rt_load_rlx(&rt_sched.npidle) != 0) {
		rt_poller_until(when);
	} else if (others_wait()) {
		rt_sysmon_tell(when);
	}
}

/*
 * The heap of @t, locked: where it is, or else where it shall be; *armed says which. NULL: no memory.
 * MO-T1: whoever makes t->heap not NULL holds that heap's lock and keeps it until the entry is there,
 * so a lock taken after t->heap was read and still true when it is read again means: @t is in there.
 */
static struct rt_timers *heap_lock(struct rt_timer *t, bool shared, bool *armed)
{
	for (;;) {
		struct rt_timers *h = rt_load_acq(&t->heap);	/* MO-T1 */

		*armed = h != NULL;
		if (!h)
			h = near_heap();
		if (unlikely(!heap_reserve(h)))
			return NULL;
		if (*armed) {
			if (rt_load_rlx(&t->heap) == h)
				return h;
		} else if (!shared) {
			rt_store_rlx(&t->heap, h);
			return h;
		} else if (rt_cas_ar(&t->heap, NULL, h)) {	/* MO-T1 */
			return h;
		}
		rt_unlock(&h->lock);
	}
}

/* @t is in h already: to a later time in place, to an earlier one by a new entry. */
static void move(struct rt_timers *h, struct rt_timer *t, uint64_t when)
{
	uint64_t old = t->when;

	t->when = when;
	if (when == old)
		return;
	if (when > old) {
		h->slot[t->slot] = (uintptr_t)t | MOVED;
		return;
	}
	/* The entry of a timer that was moved before may be earlier than `when`: still a new one. */
	heap_unlink(h, t);
	heap_push(h, t);
}

/* The lock is held and given up here; *t may be gone when it is. */
static void arm(struct rt_timers *h, struct rt_timer *t, bool armed, uint64_t when, uint64_t period)
{
	bool earlier;

	if (unlikely(when == 0))
		when = 1;
	t->period = period;
	if (armed) {
		move(h, t, when);
	} else {
		t->when = when;
		heap_push(h, t);
	}
	earlier = heap_publish(h);
	rt_unlock(&h->lock);
	if (earlier)
		tell(when);
}

bool rt_timer_set(struct rt_timer *t, uint64_t when, uint64_t period)
{
	bool armed;
	struct rt_timers *h = heap_lock(t, false, &armed);

	if (!h)
		rt_throw("out of memory: timers");
	arm(h, t, armed, when, period);
	return armed;
}

int rt_timer_start(struct rt_timer *t, uint64_t when, uint64_t period,
		   void (*fill)(struct rt_timer *t, void *arg), void *arg)
{
	bool armed;
	struct rt_timers *h = heap_lock(t, true, &armed);

	if (unlikely(!h))
		return -ENOMEM;
	if (armed) {
		rt_unlock(&h->lock);
		return -EBUSY;
	}
	if (fill)
		fill(t, arg);
	arm(h, t, false, when, period);
	return 0;
}

int rt_timer_reset(struct rt_timer *t, uint64_t when, uint64_t period)
{
	bool armed;
	struct rt_timers *h = heap_lock(t, true, &armed);

	if (!h)
		return -ENOMEM;
	arm(h, t, armed, when, period);
	return armed;
}

bool rt_timer_del(struct rt_timer *t)
{
	struct rt_timers *h;

	while ((h = rt_load_acq(&t->heap)) != NULL) {	/* MO-T1 */
		rt_lock(&h->lock);
		if (likely(rt_load_rlx(&t->heap) == h)) {
			heap_unlink(h, t);
			rt_store_rel(&t->heap, NULL);	/* MO-T1: the owner may free or arm it now */
			heap_publish(h);
			rt_unlock(&h->lock);
			return true;
		}
		rt_unlock(&h->lock);
	}
	return false;
}

/* ---- run -------------------------------------------------------------------------------------------- */

/* The next time of a periodic timer that is due: the first one after @now. Saturates. */
static uint64_t next_period(const struct rt_timer *t, uint64_t now)
{
	uint64_t missed = (now - t->when) / t->period;
	uint64_t when;

	if (__builtin_add_overflow(t->when + missed * t->period, t->period, &when))
		return UINT64_MAX;
	return when;
}

/* The first timer is due: off the heap, or to its next time; what it does goes to @f or @q. */
static void take_first(struct rt_timers *h, struct flight *f, struct rt_gqueue *q, uint64_t now)
{
	uint32_t s = h->ent[0].slot;
	struct rt_timer *t = timer_of(h->slot[s]);

	if (t->fn || t->detached)
		f->due[f->n++] = (struct due){ t, t->fn, t->detached, t->arg, t->seq };
	else
		rt_gqueue_push(q, t->arg);
	if (t->period) {
		t->when = next_period(t, now);
		sift_down(h, 0, (struct ent){ .when = t->when, .slot = s });
		return;
	}
	heap_pop(h);
	rt_store_rel(&t->heap, NULL);	/* MO-T1: the last that is done to *t */
}

/* What is due, as much as fits; true: something. */
static bool collect(struct rt_timers *h, struct flight *f, struct rt_gqueue *q, uint64_t now)
{
	uint64_t next;

	f->n = 0;
	while ((next = heap_first(h)) != 0 && next <= now && f->n < BATCH && q->n < READY_MAX)
		take_first(h, f, q, now);
	heap_publish(h);
	return f->n || q->n;
}

static void call(struct flight *f, struct rt_gqueue *q, uint64_t now)
{
	if (q->n == 1)
		rt_ready(rt_gqueue_pop(q));	/* runs here, next */
	else if (q->n)
		rt_ready_list(q);
	for (unsigned int i = 0; i < f->n; i++) {
		struct due *d = &f->due[i];

		if (d->fn)
			d->fn(d->t, now);
		else
			d->detached(d->t, d->arg, d->seq, now);
	}
	*q = (struct rt_gqueue){ 0 };
}

static void land(struct rt_timers *h, struct flight *f)
{
	struct flight **pf = &h->flights;

	while (*pf != f)
		pf = &(*pf)->next;
	*pf = f->next;
}

uint64_t rt_timers_run(struct rt_p *pp, uint64_t now, bool *ran)
{
	struct rt_timers *h = pp->timers;
	uint64_t next = rt_timers_next(pp);
	struct rt_gqueue q = { 0 };
	struct flight f;

	*ran = false;
	if (!next)
		return 0;
	if (!now)
		now = rt_now();
	if (next > now)
		return next;
	rt_lock(&h->lock);
	while (collect(h, &f, &q, now)) {
		*ran = true;
		f.next = h->flights;
		h->flights = &f;
		rt_unlock(&h->lock);
		rt_inject_at(RT_INJ_TIMER_DUE);
		call(&f, &q, now);
		rt_lock(&h->lock);
		land(h, &f);
	}
	next = h->next;
	rt_unlock(&h->lock);
	return next;
}

static bool in_flight(struct rt_timers *h, const struct rt_timer *t)
{
	bool found = false;

	rt_lock(&h->lock);
	for (struct flight *f = h->flights; f && !found; f = f->next)
		for (unsigned int i = 0; i < f->n && !found; i++)
			found = f->due[i].t == t;
	rt_unlock(&h->lock);
	return found;
}

void rt_timer_quiesce(const struct rt_timer *t)
{
	for (struct rt_timers *h = rt_load_acq(&heaps); h; h = h->link)
		for (int spins = 0; in_flight(h, t); spins++)
			if (spins < 100)
				rt_cpu_relax();
			else
				sched_yield();	/* whoever calls it may have lost its CPU */
}

/* ---- what others ask ---------------------------------------------------------------------------------- */

uint64_t rt_timers_next(struct rt_p *pp)
{
	/* MO-T2: acquire; a hint but for MO-10, which has its own fence. */
	return rt_load_acq(&pp->timers->next);
}

uint32_t rt_timers_len(const struct rt_p *pp)
{
	return rt_load_rlx(&pp->timers->n);
}

uint64_t rt_timers_next_all(void)
{
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);
	uint64_t least = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t next = rt_timers_next(allp[i]);

		if (next && (!least || next < least))
			least = next;
	}
	return least;
}

/* ---- life of a heap ------------------------------------------------------------------------------------ */

int rt_timers_init(struct rt_p *pp)
{
	struct rt_timers *h = aligned_alloc(64, sizeof(*h));

	if (!h)
		return -ENOMEM;
	memset(h, 0, sizeof(*h));
	rt_lock_rank(&h->lock, TIMERS);
	h->free = NO_SLOT;
	h->link = heaps;
	rt_store_rel(&heaps, h);	/* MO-T3: pairs with rt_timer_quiesce() */
	pp->timers = h;
	if (pp->id == 0)
		rt_store_rel(&first_heap, h);	/* MO-T3: pairs with near_heap() */
	return 0;
}

/* Not set any more: from here @v is its owner's to free, but for those whose owner is the layer above. */
static uintptr_t forget(uintptr_t v)
{
	bool ours = v && rt_timer_is_ours(timer_of(v));

	if (v)
		rt_store_rel(&timer_of(v)->heap, NULL);	/* MO-T1 */
	return ours ? v : 0;
}

void rt_timers_destroy(struct rt_p *pp)
{
	struct rt_timers *h = pp->timers;
	struct ent *ent;
	uintptr_t *slot;
	uint32_t n;

	rt_lock(&h->lock);
	ent = h->ent;
	slot = h->slot;
	n = h->n;
	for (uint32_t i = 0; i < n; i++)
		slot[ent[i].slot] = forget(slot[ent[i].slot]);
	h->ent = NULL;
	h->slot = NULL;
	rt_store_rlx(&h->n, 0);
	h->cap = h->zombies = 0;
	h->free = NO_SLOT;
	h->flights = NULL;
	rt_store_rel(&h->next, 0);
	rt_unlock(&h->lock);
	for (uint32_t i = 0; i < n; i++)
		if (slot[ent[i].slot])
			rt_timer_forgotten(timer_of(slot[ent[i].slot]));
	arrays_free(ent, slot);
}

/* One timer of a heap that is locked into another that is locked and has room. */
static void move_one(struct rt_timers *to, uintptr_t v)
{
	struct rt_timer *t = timer_of(v);

	rt_store_rel(&t->heap, to);	/* MO-T1 */
	heap_push(to, t);
}

/* Threads that are no Ms go on while the world is stopped: both locks, the giver's first. */
void rt_timers_move(struct rt_p *from, struct rt_p *to)
{
	struct rt_timers *a = from->timers, *b = to->timers;

	rt_lock(&a->lock);
	for (uint32_t i = 0; i < a->n; i++) {
		uintptr_t v = a->slot[a->ent[i].slot];

		slot_put(a, a->ent[i].slot);
		if (!v)
			continue;
		if (!heap_reserve(b))
			rt_throw("out of memory: timers");
		move_one(b, v);
		heap_publish(b);
		rt_unlock(&b->lock);
	}
	a->n = a->zombies = 0;
	heap_publish(a);
	rt_unlock(&a->lock);
}
