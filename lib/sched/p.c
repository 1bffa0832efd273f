/* SPDX-License-Identifier: MIT */
/*
 * p.c - the Ps: their words, who holds them, the idle list, how many there are.
 *
 * Owns:       allp, the P words, sched.pidle.
 * Invariants: a P is held by one M (word RUNNING(m)), or in a system call (SYSCALL(m, seq)), or on the
 *             idle list, or in transit to an M (IDLE, in mp->nextp), or stopped (GCSTOP), or DEAD.
 * Locks:      sched.lock for the idle list and for allp; the words change by compare and exchange.
 * Ordering:   MO-8: the exchange that gives a P away releases what its owner did to it; the one that
 *             takes it acquires that.
 *
 * P structs are never freed: a P that is not wanted any more is DEAD and is used again. The array of
 * pointers grows by replacement; readers keep the old one until the end of their RCU section.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/hot.h"
#include "sched/rcu.h"
#include "sched/time.h"

struct allp {
	struct rt_later later;
	uint32_t n;
	struct rt_p *p[];
};

static uint64_t word_of(uint32_t status, struct rt_m *mp, uint64_t old)
{
	return GMP_P_WORD(status, mp ? mp->id + 1 : 0, GMP_P_WORD_SEQ(old));
}

_Noreturn void rt_p_bad_edge(struct rt_p *pp, uint64_t w, uint32_t from, uint32_t to)
{
	char text[128];

	snprintf(text, sizeof(text), "P %d: word %#llx, wanted the edge %u -> %u", pp->id,
		 (unsigned long long)w, from, to);
	rt_throw(text);
}

/* A transition nobody may compete for. */
static void p_set(struct rt_p *pp, uint32_t from, uint32_t to, struct rt_m *mp)
{
	uint64_t w = rt_load_rlx(pp->word);

	if (GMP_P_WORD_STATUS(w) != from || !rt_p_cas(pp, w, word_of(to, mp, w)))
		rt_p_bad_edge(pp, w, from, to);
}

void rt_p_acquire(struct rt_m *mp, struct rt_p *pp)
{
	if (mp->p)
		rt_throw("P: an M acquires a second one");
	p_set(pp, GMP_P_IDLE, GMP_P_RUNNING, mp);
	rt_store_rlx(&mp->p, pp);
	rt_store_rlx(&pp->m, mp);
	rt_publish_p(mp, pp->id);
}

/* What remains once the word says that the P is not this M's any more. */
void rt_p_forget(struct rt_m *mp)
{
	struct rt_p *pp = mp->p;

	rt_store_rlx(&pp->m, NULL);
	rt_store_rlx(&mp->p, NULL);
	rt_publish_p(mp, -1);
}

struct rt_p *rt_p_release(struct rt_m *mp)
{
	struct rt_p *pp = mp->p;

	rt_p_forget(mp);
	p_set(pp, GMP_P_RUNNING, GMP_P_IDLE, NULL);
	return pp;
}

void rt_p_stop(struct rt_p *pp, uint32_t from)
{
	p_set(pp, from, GMP_P_GCSTOP, NULL);
}

void rt_p_unstop(struct rt_p *pp)
{
	p_set(pp, GMP_P_GCSTOP, GMP_P_IDLE, NULL);
}

/* The stopper's own P: from GCSTOP straight back to RUNNING. */
void rt_p_resume_own(struct rt_m *mp)
{
	p_set(mp->p, GMP_P_GCSTOP, GMP_P_RUNNING, mp);
	rt_publish_p(mp, mp->p->id);
}

/* ---- idle list; sched.lock held ----------------------------------------------------------------- */

void rt_p_idle_put(struct rt_p *pp)
{
	if (!rt_runq_empty(pp))
		rt_throw("P: idle with work in its queue");
	pp->link = rt_sched.pidle;
	rt_sched.pidle = pp;
	rt_store_rel(&rt_sched.npidle, rt_sched.npidle + 1);	/* MO-6 */
}

struct rt_p *rt_p_idle_get(void)
{
	struct rt_p *pp = rt_sched.pidle;

	if (!pp)
		return NULL;
	rt_sched.pidle = pp->link;
	pp->link = NULL;
	rt_store_rlx(&rt_sched.npidle, rt_sched.npidle - 1);
	if (rt_sched.sysmonwait)
		rt_sysmon_wake();
	return pp;
}

/* ---- how many: the world is stopped, or has not begun -------------------------------------------- */

static struct rt_p *p_new(int32_t id)
{
	struct rt_p *pp = aligned_alloc(64, sizeof(*pp));

	if (!pp)
		return NULL;
	memset(pp, 0, sizeof(*pp));
	pp->id = id;
	pp->own_word = GMP_P_WORD(GMP_P_DEAD, 0, 1);
	pp->word = &pp->own_word;
	if (rt_timers_init(pp) < 0) {
		free(pp);
		return NULL;
	}
	return pp;
}

static struct allp *allp_of(struct rt_p **p)
{
	return p ? rt_container_of(p, struct allp, p) : NULL;
}

/* Makes room for @n pointers and Ps; what exists stays. */
static int grow(uint32_t n)
{
	struct allp *old = allp_of(rt_sched.allp);
	uint32_t have = old ? old->n : 0;
	struct allp *a;

	if (n <= have)
		return 0;
	a = calloc(1, sizeof(*a) + n * sizeof(a->p[0]));
	if (!a)
		return -ENOMEM;
	if (have)
		memcpy(a->p, old->p, have * sizeof(a->p[0]));
	for (a->n = have; a->n < n; a->n++) {
		a->p[a->n] = p_new((int32_t)a->n);
		if (!a->p[a->n])
			break;
	}
	if (a->n < n) {
		while (a->n > have)
			free(a->p[--a->n]);
		free(a);
		return -ENOMEM;
	}
	rt_store_rel(&rt_sched.allp, a->p);	/* pairs with rt_all_ps() */
	if (old)
		rt_free_later(&old->later, old);
	return 0;
}

/* A P that is not wanted any more gives everything away. */
static void p_destroy(struct rt_p *pp)
{
	struct rt_g *gp;

	rt_lock(&rt_sched.lock);
	while ((gp = rt_runq_get(pp)) != NULL)
		rt_globq_put(gp);
	rt_yieldq_flush(pp);
	rt_unlock(&rt_sched.lock);
	rt_timers_move(pp, rt_sched.allp[0]);
	rt_g_purge(pp);
	rt_add_rlx(&rt_sched.ng, pp->ng);
	rt_store_rlx(&pp->ng, 0);
	p_set(pp, GMP_P_GCSTOP, GMP_P_DEAD, NULL);
}

/*
 * Where the word lives: in the page shared with the module when there is one. It stays there until the
 * end of the run: sysmon looks at words while the world is stopped. A P that is new in this run has no reader.
 */
static void place_word(struct rt_p *pp)
{
	uint64_t *at = &pp->own_word, w = rt_load_rlx(pp->word);

	if (rt_sched.p_shared && (uint32_t)pp->id < rt_sched.nr_p_slots)
		at = (uint64_t *)&rt_sched.p_shared[pp->id].word;
	if (at == pp->word)
		return;
	if (at != &pp->own_word)
		rt_handoff_word(pp);
	rt_store_rlx(at, w);
	pp->word = at;
}

int rt_p_resize(uint32_t n)
{
	uint32_t old = rt_sched.maxprocs;
	int err = grow(n);

	if (err)
		return err;
	for (uint32_t i = n; i < old; i++)
		p_destroy(rt_sched.allp[i]);
	for (uint32_t i = 0; i < n; i++) {
		struct rt_p *pp = rt_sched.allp[i];

		place_word(pp);
		if (i >= old)
			p_set(pp, GMP_P_DEAD, GMP_P_GCSTOP, NULL);
	}
	/* One P may keep a private end of the global queue; several may not. */
	if (n > 1) {
		rt_lock(&rt_sched.lock);
		rt_yieldq_flush(rt_sched.allp[0]);
		rt_unlock(&rt_sched.lock);
	}
	rt_store_rel(&rt_sched.maxprocs, n);	/* after allp: pairs with rt_all_ps() */
	rt_store_rlx(&rt_sched.single, n == 1);
	return 0;
}

/*
 * End of gmp_run(): no M but m0 is left. Forgets all work; the Ps wait for the next run, those too that
 * a smaller number of Ps had retired: the page with their words goes.
 */
void rt_p_release_all(void)
{
	struct allp *all = allp_of(rt_sched.allp);

	for (uint32_t i = 0; all && i < all->n; i++) {
		struct rt_p *pp = rt_sched.allp[i];
		struct rt_timers *timers = pp->timers;

		rt_timers_destroy(pp);
		memset(pp, 0, sizeof(*pp));
		pp->id = (int32_t)i;
		pp->timers = timers;
		pp->own_word = GMP_P_WORD(GMP_P_DEAD, 0, 1);
		pp->word = &pp->own_word;
	}
	rt_sched.maxprocs = 0;
	rt_sched.ng = 0;		/* what is left of it stood in the Ps */
	rt_sched.pidle = NULL;
	rt_sched.npidle = 0;
}
