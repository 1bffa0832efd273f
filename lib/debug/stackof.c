/* SPDX-License-Identifier: MIT */
/*
 * stackof.c - gmp_stack_of(): the stack of one goroutine as addresses, inside the process.
 *
 * A stack can be walked only while its goroutine stands still: the caller's own does, in this call;
 * others do while the world is stopped.
 */
#include <errno.h>
#include <limits.h>

#include "debug/unwind.h"
#include "gmprt/debug.h"

struct list {
	uintptr_t *pcs;
	size_t n, max;
	size_t skip;
};

static bool add(const struct rt_frame *f, void *arg)
{
	struct list *l = arg;

	if (l->skip) {
		l->skip--;
		return true;
	}
	if (l->n < l->max)
		l->pcs[l->n++] = f->pc;
	return l->n < l->max;
}

static rt_noinline int own_stack(struct list *l)
{
	struct rt_regs regs;

	rt_regs_here(&regs);
	l->skip = 1;		/* this frame; that of gmp_stack_of() stays */
	rt_unwind(&regs, 0, 0, add, l);
	return (int)l->n;
}

static struct rt_g *find(uint64_t goid)
{
	struct rt_g *gp;

	for (uint64_t i = 0; (gp = rt_g_nth(i)) != NULL; i++)
		if (rt_load_rlx(&gp->h.goid) == goid)
			return gp;
	return NULL;
}

/* The world is stopped. */
static int stack_of(const struct rt_g *gp, struct list *l)
{
	uint32_t status = gp ? rt_load_acq(&gp->h.status) : GMP_G_DEAD;
	struct rt_regs regs;

	if (status == GMP_G_DEAD || status == GMP_G_IDLE)
		return -ESRCH;
	if (status == GMP_G_SYSCALL || status == GMP_G_RUNNING)
		return -EBUSY;
	if (rt_regs_parked(gp, &regs))
		rt_unwind(&regs, gp->stack_lo, gp->stack_hi, add, l);
	else if (l->max)
		l->pcs[l->n++] = gp->h.start_pc;	/* has not run yet */
	return (int)l->n;
}

RT_PUBLIC int gmp_stack_of(uint64_t goid, uintptr_t *pcs, size_t n)
{
	struct list l = { .pcs = pcs, .max = n < INT_MAX ? n : INT_MAX };
	struct rt_g *self = rt_getg();
	bool stopped;
	int ret;

	if (!pcs && n)
		return -EINVAL;
	if (!goid)
		return -ESRCH;
	if (self && self->h.goid == goid)
		return own_stack(&l);
	if (!rt_may_park("gmp_stack_of"))
		return -EWOULDBLOCK;
	stopped = rt_getm()->stops_world;
	if (!stopped)
		rt_world_stop();
	ret = stack_of(find(goid), &l);
	if (!stopped)
		rt_world_start();
	return ret;
}
