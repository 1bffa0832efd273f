/* SPDX-License-Identifier: MIT */
/*
 * g.c - life of a G: where it comes from, its stack, where it goes.
 *
 * Owns:       the table of all Gs (chunks that never move nor go, so that outside readers and old
 *             pointers always meet a G), the free lists, the numbers (goids).
 * Invariants: a DEAD G is on exactly one free list, and its goid is 0; a P keeps at most
 *             RT_GFREE_HIGH of them.
 * Locks:      `tab.lock` (rank GTAB, a leaf) for new chunks and the global free list.
 *
 * A G has no stack until it first runs, and gives it back when it ends: a goroutine that starts
 * where another just ended reuses the hot one.
 */
#include "sched/hot.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "arch/x86_64/gobuf.h"
#include "debug/canary.h"
#include "sched/defer.h"

#define CHUNK_GS	RT_G_PER_CHUNK
#define CHUNK_BYTES	(CHUNK_GS * sizeof(struct rt_g))
#define SMALL_CHUNKS	8u		/* with 4 KiB pages, each by itself */
#define SLAB_CHUNKS	32u		/* then so many at once: 6 MiB, three huge pages */
#define HUGE_PAGE	(2ul << 20)
#define MAX_CHUNKS	16384u		/* 16.7 million goroutines at once */
#define CARVE		RT_GFREE_LOW

static struct {
	struct rt_lock lock;
	struct rt_gqueue free;		/* lock */
	uint64_t used;			/* lock; Gs ever cut; atomic for readers */
	uint64_t nchunks;		/* lock; atomic for readers: MO-7 */
	char *slab, *slab_end;		/* lock; of the slab, what is not yet cut */
	struct rt_g *chunk[MAX_CHUNKS];	/* written once each, before nchunks */
	struct gmp_g_acct *acct[MAX_CHUNKS];	/* lock; accounts of a chunk, or NULL; atomic for readers */
} tab = { .lock = RT_LOCK_INIT(GTAB) };

_Noreturn void rt_g_bad_edge(struct rt_g *gp, uint32_t from, uint32_t to)
{
	char text[128];

	snprintf(text, sizeof(text), "goroutine %llu: status %u, wanted the edge %u -> %u",
		 (unsigned long long)gp->h.goid, gp->h.status, from, to);
	rt_throw(text);
}

static void *map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/*
 * Who makes ten thousand goroutines makes a hundred thousand: room for many, aligned to huge pages. A
 * G is new once in its life, and what that costs is the page fault (66 ns of 4 KiB pages, 14 of 2 MiB).
 */
static bool add_slab(void)
{
	size_t n = (SLAB_CHUNKS * CHUNK_BYTES + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	char *p = map(n + HUGE_PAGE), *at;

	if (!p)
		return false;
	at = (char *)(((uintptr_t)p + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	if (at > p)
		munmap(p, (size_t)(at - p));
	if (at < p + HUGE_PAGE)
		munmap(at + n, (size_t)(p + HUGE_PAGE - at));
	madvise(at, n, MADV_HUGEPAGE);		/* or not: it is faster only */
	tab.slab = at;
	tab.slab_end = at + n;
	return true;
}

static void *new_chunk(void)
{
	char *c;

	if (tab.nchunks < SMALL_CHUNKS)
		return map(CHUNK_BYTES);
	if ((size_t)(tab.slab_end - tab.slab) < CHUNK_BYTES && !add_slab())
		return NULL;
	c = tab.slab;
	tab.slab += CHUNK_BYTES;
	return c;
}

/* Accounts for the Gs of a chunk that have none. Without memory they go without. */
static void add_acct(uint64_t c)
{
	void *p;

	if (tab.acct[c])
		return;
	p = mmap(NULL, CHUNK_GS * sizeof(*tab.acct[c]), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p != MAP_FAILED)
		rt_store_rel(&tab.acct[c], p);
}

static bool add_chunk(void)
{
	struct rt_g *c;

	if (tab.nchunks == MAX_CHUNKS)
		return false;
	c = new_chunk();
	if (!c)
		return false;
	tab.chunk[tab.nchunks] = c;
	if (rt_sched.acct)
		add_acct(tab.nchunks);
	rt_store_rel(&tab.nchunks, tab.nchunks + 1);	/* MO-7: pairs with rt_g_nth() */
	return true;
}

/* Why there is none to be had: as many as there may be, or no memory for more. */
int rt_g_none(void)
{
	return rt_load_rlx(&tab.nchunks) == MAX_CHUNKS ? -EAGAIN : -ENOMEM;
}

static void set_acct(struct rt_g *gp, uint64_t i, bool on)
{
	struct gmp_g_acct *a = tab.acct[i / CHUNK_GS];

	gp->acct = on && a ? &a[i % CHUNK_GS] : NULL;
}

/* Up to @n Gs into @q: from the global free list, else new ones. */
static void refill(struct rt_gqueue *q, uint32_t n)
{
	rt_lock(&tab.lock);
	while (n > 0 && tab.free.head) {
		rt_gqueue_push(q, rt_gqueue_pop(&tab.free));
		n--;
	}
	for (; n > 0; n--) {
		struct rt_g *gp;

		if (tab.used == tab.nchunks * CHUNK_GS && !add_chunk())
			break;
		gp = &tab.chunk[tab.used / CHUNK_GS][tab.used % CHUNK_GS];
		gp->h.status = GMP_G_DEAD;
		set_acct(gp, tab.used, rt_sched.acct);
		rt_gqueue_push(q, gp);
		rt_store_rel(&tab.used, tab.used + 1);
	}
	rt_unlock(&tab.lock);
}

static uint64_t next_goid(struct rt_p *pp)
{
	if (!pp)
		return rt_add_rlx(&rt_sched.goidgen, 1);
	if (pp->goid_next == pp->goid_end) {
		pp->goid_end = rt_add_rlx(&rt_sched.goidgen, RT_GOID_BATCH) + 1;
		pp->goid_next = pp->goid_end - RT_GOID_BATCH;
	}
	return pp->goid_next++;
}

/* What the last owner left that the next must not see. */
static inline void reset(struct rt_g *gp)
{
	rt_store_rlx(&gp->h.wait_reason, GMP_WAIT_NONE);
	rt_store_rlx(&gp->h.flags, 0);
	rt_store_rlx(&gp->h.runs, 0);
	rt_store_rlx(&gp->h.cpu_ns, 0);
	rt_store_rlx(&gp->h.m_id, ~0u);
	rt_store_rlx(&gp->h.name, 0);
	gp->sp = NULL;
	gp->param = NULL;
	rt_store_rlx(&gp->lockedm, NULL);
	gp->defers = NULL;
	gp->labels = NULL;
	gp->max_stack = 0;
	gp->select_done |= 1;	/* never goes back: a late timer of an earlier select loses (select.c) */
	gp->nopreempt = gp->tied = 0;
	if (unlikely(gp->acct))
		memset(gp->acct, 0, sizeof(*gp->acct));
}

struct rt_g *rt_g_new(struct rt_p *pp)
{
	struct rt_gqueue few = { 0 };
	struct rt_gqueue *q = pp ? &pp->gfree : &few;
	struct rt_g *gp;

	if (unlikely(!q->head))
		refill(q, pp ? CARVE : 1);
	else
		rt_own_add(&pp->c.gfree_hits, 1);
	gp = rt_gqueue_pop(q);
	if (unlikely(!gp))
		return NULL;
	if (q->head) {		/* the next one, while this one is filled in */
		__builtin_prefetch(&q->head->h, 1);
		__builtin_prefetch(&q->head->sp, 1);
		__builtin_prefetch(&q->head->stack_lo, 1);
	}
	rt_g_set_status(gp, GMP_G_DEAD, GMP_G_IDLE);
	reset(gp);
	rt_store_rlx(&gp->h.goid, next_goid(pp));
	return gp;
}

static void free_overflow(struct rt_p *pp)
{
	struct rt_gqueue out = { 0 };

	while (pp->gfree.n > RT_GFREE_LOW)
		rt_gqueue_push(&out, rt_gqueue_pop(&pp->gfree));
	rt_lock(&tab.lock);
	rt_gqueue_append(&tab.free, &out);
	rt_unlock(&tab.lock);
}

void rt_g_free(struct rt_p *pp, struct rt_g *gp)
{
	rt_store_rlx(&gp->h.goid, 0);
	if (!pp) {
		rt_lock(&tab.lock);
		rt_gqueue_push_front(&tab.free, gp);
		rt_unlock(&tab.lock);
		return;
	}
	rt_gqueue_push_front(&pp->gfree, gp);	/* the hottest first */
	if (unlikely(pp->gfree.n >= RT_GFREE_HIGH))
		free_overflow(pp);
}

/* ---- stacks ----------------------------------------------------------------------------------- */

static size_t default_stack = RT_STACK_DEFAULT;	/* atomic */

size_t rt_stack_default(size_t bytes)
{
	return bytes ? __atomic_exchange_n(&default_stack, bytes, __ATOMIC_RELAXED)
		     : rt_load_rlx(&default_stack);
}

static size_t wanted_stack(struct rt_g *gp)
{
	return gp->max_stack ? gp->max_stack : rt_load_rlx(&default_stack);
}

static struct rt_stack *cached_stack(struct rt_p *pp, uint32_t size_class)
{
	struct rt_stack *s = pp->stacks;

	if (!s || s->size_class != size_class)
		return NULL;
	pp->stacks = s->next;
	pp->nstacks--;
	rt_own_add(&pp->c.stack_hits, 1);
	return s;
}

/* Whoever looks whose guard was hit reads them of all Gs (debug/overflow.c). */
static void set_stack(struct rt_g *gp, uintptr_t lo, uintptr_t hi)
{
	rt_store_rlx(&gp->stack_lo, lo);
	rt_store_rlx(&gp->stack_hi, hi);
}

bool rt_g_bind_stack(struct rt_p *pp, struct rt_g *gp)
{
	size_t size = wanted_stack(gp);
	struct rt_stack *s = pp ? cached_stack(pp, rt_stack_class(size)) : NULL;

	if (unlikely(!s)) {
		s = rt_stack_alloc(size);
		if (!s)
			return false;
		gp->gap = s->gap;	/* what a P keeps has a guard */
	}
	set_stack(gp, s->lo, rt_stack_hi(s));
	rt_canary_set(gp);
	gp->sp = rt_prepare(gp->stack_hi);
	rt_san_init_stack(&gp->san);
	return true;
}

bool rt_g_cache_stack(struct rt_p *pp, struct rt_g *gp)
{
	uint32_t size_class = rt_stack_class(gp->stack_hi - gp->stack_lo);
	struct rt_stack *s = rt_stack_at(gp->stack_hi);

	if (pp->nstacks >= RT_STACK_CACHE || size_class != rt_stack_class(rt_stack_default(0)))
		return false;
	s->lo = gp->stack_lo;
	s->size_class = size_class;
	s->next = pp->stacks;
	pp->stacks = s;
	pp->nstacks++;
	set_stack(gp, 0, 0);
	return true;
}

void rt_g_free_stack(struct rt_g *gp)
{
	uintptr_t lo = gp->stack_lo, hi = gp->stack_hi;
	bool gap = gp->gap;

	set_stack(gp, 0, 0);	/* first: it is another's as soon as it is free */
	gp->gap = 0;
	gp->sp = NULL;
	if (hi)
		rt_stack_free(lo, hi, gap);
}

/* ---- the table as a whole --------------------------------------------------------------------- */

struct rt_g *rt_g_nth(uint64_t i)
{
	/* MO-7: acquire; pairs with refill() and add_chunk(): a counted G lies in a set chunk. */
	if (i >= rt_load_acq(&tab.used))
		return NULL;
	return &tab.chunk[i / CHUNK_GS][i % CHUNK_GS];
}

void rt_g_table(uint64_t *chunks, uint64_t *nchunks, uint64_t *acct)
{
	*acct = rt_sched.acct ? (uintptr_t)tab.acct : 0;
	*chunks = (uintptr_t)tab.chunk;
	*nchunks = (uintptr_t)&tab.nchunks;
}

/* No run: all Gs are dead. Those of earlier runs get accounts, or lose them. */
void rt_g_acct(bool on)
{
	for (uint64_t c = 0; on && c < tab.nchunks; c++)
		add_acct(c);
	for (uint64_t i = 0; i < tab.used; i++)
		set_acct(rt_g_nth(i), i, on);
}

void rt_g_purge(struct rt_p *pp)
{
	struct rt_stack *s;

	while ((s = pp->stacks) != NULL) {
		pp->stacks = s->next;
		rt_stack_free(s->lo, rt_stack_hi(s), false);
	}
	pp->nstacks = 0;
	rt_lock(&tab.lock);
	rt_gqueue_append(&tab.free, &pp->gfree);
	rt_unlock(&tab.lock);
}

/*
 * No goroutine runs any more: all Gs are free again, whatever they were doing. Stacks are separate, and
 * still there: records of deferred calls lie on them.
 */
void rt_g_release_all(void)
{
	struct rt_g *gp;

	tab.free = (struct rt_gqueue){ 0 };
	for (uint64_t i = 0; (gp = rt_g_nth(i)) != NULL; i++) {
		rt_defers_drop(gp);
		if (gp->h.status != GMP_G_DEAD && (gp->labels || gp->h.name))
			rt_label_ops->drop(gp);
		rt_store_rlx(&gp->h.goid, 0);	/* a ghost may have looked just before it became one */
		rt_store_rlx(&gp->h.status, GMP_G_DEAD);
		if (gp->ghost)
			continue;
		gp->m = NULL;
		set_stack(gp, 0, 0);
		gp->gap = 0;
		gp->sp = NULL;
		rt_gqueue_push(&tab.free, gp);
	}
}
