/* SPDX-License-Identifier: MIT */
/*
 * leak.c - gmp_goroutines(), gmp_leak_check(): a tour of all goroutines of a running program.
 *
 * The table of Gs never moves and never shrinks, so no lock is needed to walk it; a G may end, and its
 * struct begin another life, while it is read. A goid is never given twice: what was read between two
 * looks at the same goid belongs to that goroutine.
 */
#include <errno.h>
#include <limits.h>

#include "debug/traceback.h"
#include "gmprt/debug.h"
#include "sync/label.h"

rt_static_assert(sizeof(((struct gmp_goroutine *)0)->name) == RT_LABEL_TEXT, "a whole text");

static bool alive(uint32_t status)
{
	return status != GMP_G_DEAD && status != GMP_G_IDLE;
}

static bool stands(uint32_t status)
{
	return status == GMP_G_WAITING || status == GMP_G_SYSCALL || status == GMP_G_RUNNABLE;
}

static void fill(struct gmp_goroutine *g, const struct rt_g *gp, uint64_t now)
{
	uint64_t since = rt_load_rlx(&gp->h.wait_since);

	g->parent = rt_load_rlx(&gp->h.parent);
	g->status = rt_load_rlx(&gp->h.status);
	g->status_text = rt_status_text(g->status);
	g->wait_reason = g->status == GMP_G_WAITING ? rt_wait_text(rt_load_rlx(&gp->h.wait_reason)) : "";
	g->wait_ns = stands(g->status) && now > since ? now - since : 0;
	g->runs = rt_load_rlx(&gp->h.runs);
	g->start_pc = rt_load_rlx(&gp->h.start_pc);
	g->create_pc = rt_load_rlx(&gp->h.create_pc);
	g->thread = (int)rt_load_rlx(&gp->h.m_id);
	g->locked = rt_load_rlx(&gp->lockedm) != NULL;
	rt_label_read(gp, g->name, sizeof(g->name));
}

/* False: nobody, or the runtime's own, or it went away while we looked. */
static bool read_g(struct gmp_goroutine *g, const struct rt_g *gp, uint64_t now)
{
	uint64_t goid = rt_load_acq(&gp->h.goid);

	if (!goid || (rt_load_rlx(&gp->h.flags) & GMP_GF_SYSTEM))
		return false;
	g->goid = goid;
	fill(g, gp, now);
	rt_smp_mb();		/* what was read, before the goid again */
	return rt_load_rlx(&gp->h.goid) == goid && alive(g->status);
}

struct tour {
	int (*cb)(const struct gmp_goroutine *g, void *arg);
	void *arg;
	uint64_t self;		/* left out, with goroutine 1; 0 = nobody is */
};

static int walk(const struct tour *t)
{
	struct gmp_goroutine g;
	uint64_t now = rt_now();
	struct rt_g *gp;
	int n = 0;

	for (uint64_t i = 0; (gp = rt_g_nth(i)) != NULL && n < INT_MAX; i++) {
		if (!read_g(&g, gp, now) || (t->self && (g.goid == t->self || g.goid == 1)))
			continue;
		n++;
		if (t->cb && t->cb(&g, t->arg))
			break;
	}
	return n;
}

static int tour(const struct tour *t)
{
	int n;

	if (rt_getg())
		return walk(t);
	if (!rt_ext_enter())
		return -ESRCH;
	n = walk(t);
	rt_ext_leave();
	return n;
}

RT_PUBLIC int gmp_goroutines(int (*cb)(const struct gmp_goroutine *g, void *arg), void *arg)
{
	return tour(&(struct tour){ .cb = cb, .arg = arg });
}

RT_PUBLIC int gmp_leak_check(int (*cb)(const struct gmp_goroutine *g, void *arg), void *arg)
{
	struct rt_g *gp = rt_getg();

	return tour(&(struct tour){ .cb = cb, .arg = arg, .self = gp ? gp->h.goid : 1 });
}
