/* SPDX-License-Identifier: MIT */
/*
 * runq.c - per-P run queue, runnext, global queue, yield queue, stealing.
 *
 * Owns:       pp->runq*, pp->runnext, pp->yieldq, sched.globq.     Not here: whom to wake (wakeup.c).
 * Invariants: tail - head <= RT_RUNQ_LEN; a queued G is RUNNABLE and on exactly one queue.
 * Locks:      globq under sched.lock; the ring is lock-free: one producer (the owner), many consumers.
 * Ordering:   MO-4 slot publish: release of tail, acquire in thieves.
 *             MO-5 slot reuse:   the consumer's exchange of head releases, the producer's load acquires.
 * Progress:   put is bounded, pop and steal are lock-free.
 *
 * One P (sched.single): nobody steals, for a thief needs a P of its own; so the owner advances head
 * and takes runnext with plain stores. The number of Ps changes only while the world is stopped.
 *
 * The yield queue. gmp_yield() puts a G at the end of the global queue, which is under a lock. While
 * there is one P, that end may be the P's own list `yieldq`: everyone else appends to globq, and
 * every append or take by this P first looks whether globq is empty. So the order of a locked queue
 * is kept: globq first, then yieldq.
 */
#include "sched/hot.h"

#define CACHED_GS	16	/* so few are in the cache anyway */
#define RUNNEXT_GRACE	64	/* pauses, some 3 us as Go's: a running P gets to its runnext itself */

/* ---- global queue; sched.lock held ------------------------------------------------------------- */

void rt_globq_put(struct rt_g *gp)
{
	rt_gqueue_push(&rt_sched.globq, gp);
}

void rt_globq_put_batch(struct rt_gqueue *q)
{
	rt_gqueue_append(&rt_sched.globq, q);
}

void rt_yieldq_flush(struct rt_p *pp)
{
	rt_gqueue_append(&rt_sched.globq, &pp->yieldq);
}

/* Go's share: len / procs + 1, at most half a ring. */
static uint32_t fair_share(uint64_t len, uint32_t max)
{
	uint64_t n = len / rt_sched.maxprocs + 1;

	if (n > len)
		n = len;
	if (max && n > max)
		n = max;
	return n > RT_GLOBQ_BATCH_MAX ? RT_GLOBQ_BATCH_MAX : (uint32_t)n;
}

/* The first of a share is returned, the others go to the ring of @pp. */
static struct rt_g *take_share(struct rt_p *pp, struct rt_gqueue *q, uint32_t max)
{
	uint32_t n = fair_share(q->n, max);
	struct rt_g *gp;

	if (n == 0)
		return NULL;
	rt_own_add(&pp->c.globq_batches, 1);
	rt_own_add(&pp->c.globq_got, n);
	gp = rt_gqueue_pop(q);
	while (--n > 0) {
		struct rt_g *next = rt_gqueue_pop(q);

		rt_prefetch_g(next);
		rt_runq_push(pp, next);
	}
	return gp;
}

struct rt_g *rt_globq_get(struct rt_p *pp, uint32_t max)
{
	rt_yieldq_flush(pp);
	return take_share(pp, &rt_sched.globq, max);
}

/*
 * The same of the yield queue, which there is with one P only: the first, and up to @max - 1 more to
 * the ring, where there is room for them. Without a count for each.
 */
struct rt_g *rt_yieldq_get(struct rt_p *pp, uint64_t max)
{
	struct rt_gqueue *q = &pp->yieldq;
	uint64_t n = q->n < max ? q->n : max;
	struct rt_g *gp = q->head, *next = gp->schedlink;
	uint32_t t = pp->runqtail;

	rt_own_add(&pp->c.globq_batches, 1);
	rt_own_add(&pp->c.globq_got, n);
	for (uint64_t i = 1; i < n; i++, next = next->schedlink) {
		if (n > CACHED_GS)
			rt_prefetch_g(next);
		rt_store_rlx(&pp->runq[t++ % RT_RUNQ_LEN], next);
	}
	rt_store_rel(&pp->runqtail, t);			/* MO-4 */
	q->head = next;
	if (!next)
		q->tail = NULL;
	rt_store_rlx(&q->n, q->n - n);
	return gp;
}

/* ---- the ring ------------------------------------------------------------------------------------ */

/*
 * The ring is full: half of it and @gp go to the global queue, in order. The Gs are linked only once
 * they are ours: a thief may take, run and queue one while we still look at it.
 */
static bool put_overflow(struct rt_p *pp, struct rt_g *gp, uint32_t h, uint32_t t)
{
	struct rt_g *half[RT_RUNQ_LEN / 2];
	struct rt_gqueue batch = { 0 };
	uint32_t n = (t - h) / 2;

	for (uint32_t i = 0; i < n; i++)
		half[i] = rt_load_rlx(&pp->runq[(h + i) % RT_RUNQ_LEN]);
	if (!rt_cas_ar(&pp->runqhead, h, h + n))	/* MO-5; a thief was first: there is room now */
		return false;
	for (uint32_t i = 0; i < n; i++)
		rt_gqueue_push(&batch, half[i]);
	rt_gqueue_push(&batch, gp);
	rt_own_add(&pp->c.overflows, 1);
	rt_own_add(&pp->c.overflow_gs, batch.n);
	rt_lock(&rt_sched.lock);
	rt_yieldq_flush(pp);
	rt_globq_put_batch(&batch);
	rt_unlock(&rt_sched.lock);
	return true;
}

rt_cold void rt_runq_put_slow(struct rt_p *pp, struct rt_g *gp, uint32_t h, uint32_t t)
{
	while (!put_overflow(pp, gp, h, t)) {
		h = rt_load_acq(&pp->runqhead);
		if (t - h < RT_RUNQ_LEN) {
			rt_runq_push(pp, gp);
			return;
		}
	}
}

void rt_runq_put(struct rt_p *pp, struct rt_g *gp, bool next)
{
	if (next)
		rt_runq_push_next(pp, gp);
	else
		rt_runq_push(pp, gp);
}

struct rt_g *rt_runq_get(struct rt_p *pp)
{
	struct rt_g *gp = rt_runnext_take(pp);

	return gp ? gp : rt_runq_pop(pp);
}

/* As much as fits goes to the ring; the rest to the global queue. */
void rt_runq_put_batch(struct rt_p *pp, struct rt_gqueue *q)
{
	uint32_t h = rt_load_acq(&pp->runqhead);	/* MO-5 */
	uint32_t t = pp->runqtail;

	while (q->head && t - h < RT_RUNQ_LEN)
		rt_store_rlx(&pp->runq[t++ % RT_RUNQ_LEN], rt_gqueue_pop(q));
	rt_store_rel(&pp->runqtail, t);			/* MO-4 */
	if (!q->head)
		return;
	rt_lock(&rt_sched.lock);
	rt_yieldq_flush(pp);
	rt_globq_put_batch(q);
	rt_unlock(&rt_sched.lock);
}

/*
 * A G may move from runnext to the ring between two reads: read the tail again to have one moment.
 */
bool rt_runq_empty(struct rt_p *pp)
{
	for (;;) {
		uint32_t h = rt_load_acq(&pp->runqhead);
		uint32_t t = rt_load_acq(&pp->runqtail);
		struct rt_g *next = rt_load_acq(&pp->runnext);

		if (t == rt_load_acq(&pp->runqtail))
			return h == t && !next;
	}
}

/* ---- stealing -------------------------------------------------------------------------------------- */

/*
 * runnext is taken only on a thief's last pass, and only from a P that runs: the G that was just
 * readied there is about to run, and its data is in that CPU's cache.
 */
static uint32_t steal_runnext(struct rt_p *pp, struct rt_p *victim, struct rt_g **slot)
{
	struct rt_g *next = rt_load_acq(&victim->runnext);

	if (!next)
		return 0;
	if (GMP_P_WORD_STATUS(rt_load_rlx(victim->word)) == GMP_P_RUNNING) {
		for (int i = 0; i < RUNNEXT_GRACE; i++)
			rt_cpu_relax();
	}
	if (!rt_cas_ar(&victim->runnext, next, NULL))
		return 0;
	rt_own_add(&pp->c.stolen_runnext, 1);
	rt_store_rlx(slot, next);
	return 1;
}

/* Copies half of the victim's ring to ours, from @t on; how many. The slots are ours: not published. */
static uint32_t grab(struct rt_p *pp, struct rt_p *victim, uint32_t t, bool runnext)
{
	for (;;) {
		uint32_t h = rt_load_acq(&victim->runqhead);	/* MO-5 */
		uint32_t vt = rt_load_acq(&victim->runqtail);	/* MO-4 */
		uint32_t n = vt - h;

		n -= n / 2;
		if (n == 0)
			return runnext ? steal_runnext(pp, victim, &pp->runq[t % RT_RUNQ_LEN]) : 0;
		if (n > RT_RUNQ_LEN / 2)
			continue;	/* head and tail are not of one moment */
		for (uint32_t i = 0; i < n; i++)
			rt_store_rlx(&pp->runq[(t + i) % RT_RUNQ_LEN],
				     rt_load_rlx(&victim->runq[(h + i) % RT_RUNQ_LEN]));
		rt_inject_at(RT_INJ_STEAL);
		if (rt_cas_ar(&victim->runqhead, h, h + n))
			return n;
	}
}

/* The last of the stolen runs at once, the others go to our ring (which is empty). */
struct rt_g *rt_runq_steal(struct rt_p *pp, struct rt_p *victim, bool runnext)
{
	uint32_t t = pp->runqtail;
	uint32_t n = grab(pp, victim, t, runnext);
	struct rt_g *gp;

	if (n == 0)
		return NULL;
	rt_own_add(&pp->c.steals, 1);
	rt_own_add(&pp->c.stolen, n);
	n--;
	gp = rt_load_rlx(&pp->runq[(t + n) % RT_RUNQ_LEN]);
	if (n > 0)
		rt_store_rel(&pp->runqtail, t + n);	/* MO-4 */
	return gp;
}
