/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - gmp_go() and what a goroutine can say about itself.
 *
 * A new G is put into runnext of its creator's P: it runs as soon as that one parks, in a warm cache
 * and, if another G has just ended, on its stack. Nothing of a stack is touched here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/gobuf.h"
#include "gmprt/proc.h"
#include "sched/defer.h"
#include "sched/env.h"
#include "sched/handler.h"
#include "sched/hot.h"
#include "sched/preempt.h"
#include "sched/rcu.h"

/* ---- making ------------------------------------------------------------------------------------------- */

static inline void inherit(struct rt_g *gp, struct rt_g *parent)
{
	rt_store_rlx(&gp->h.parent, parent ? parent->h.goid : 0);
	if (parent && unlikely(parent->labels))
		rt_label_ops->inherit(gp, parent);
}

/* An IDLE G that will run @fn(@arg); NULL: no memory. */
static struct rt_g *make(struct rt_p *pp, void (*fn)(void *), void *arg, void *pc)
{
	struct rt_g *gp = rt_g_new(pp);

	if (unlikely(!gp))
		return NULL;
	rt_store_rlx(&gp->h.start_pc, (uintptr_t)fn);
	rt_store_rlx(&gp->h.create_pc, (uintptr_t)pc);
	gp->arg = arg;
	inherit(gp, rt_getg());
	return gp;
}

static int64_t launch(struct rt_p *pp, struct rt_g *gp)
{
	int64_t goid = (int64_t)gp->h.goid;

	rt_store_rlx(&gp->h.wait_since, rt_coarse_now());
	rt_g_set_status(gp, GMP_G_IDLE, GMP_G_RUNNABLE);
	if (unlikely(!pp)) {
		struct rt_gqueue q = { 0 };

		rt_add_rlx(&rt_sched.ng, 1);
		rt_gqueue_push(&q, gp);
		rt_inject(&q);
		return goid;
	}
	rt_own_add(&pp->ng, 1);
	rt_own_add(&pp->c.spawns, 1);
	rt_runq_push_next(pp, gp);
	rt_wake_after_put();
	if (unlikely(rt_load_rlx(&pp->attention)))
		rt_preempt_here(rt_getm());	/* a loop that starts goroutines may be in here always */
	return goid;
}

static void unmake(struct rt_p *pp, struct rt_g *gp)
{
	if (gp->labels || gp->h.name)
		rt_label_ops->drop(gp);
	rt_g_free_stack(gp);
	rt_g_set_status(gp, GMP_G_IDLE, GMP_G_DEAD);
	rt_g_free(pp, gp);
}

/* The P of the caller, or NULL. A thread that is no M keeps the run alive until leave(); Ms need not. */
static inline int enter(struct rt_p **pp, void (*fn)(void *))
{
	struct rt_m *mp = rt_getm();

	if (unlikely(!fn))
		return -EINVAL;
	*pp = mp ? rt_m_p(mp) : NULL;
	if (likely(*pp) || mp)
		return 0;
	rt_ghost_check();
	return rt_ext_enter() ? 0 : -ESRCH;
}

static inline int64_t leave(struct rt_p *pp, int64_t ret)
{
	if (unlikely(!pp) && !rt_getm())
		rt_ext_leave();
	return ret;
}

static inline int64_t go(void (*fn)(void *), void *arg, uintptr_t tail, void *pc)
{
	struct rt_p *pp;
	int err = enter(&pp, fn);
	struct rt_g *gp;

	if (unlikely(err))
		return err;
	gp = make(pp, fn, arg, pc);
	if (unlikely(!gp))
		return leave(pp, rt_g_none());
	gp->defers = (struct rt_defer *)tail;
	return leave(pp, launch(pp, gp));
}

RT_PUBLIC int64_t gmp_go(void (*fn)(void *), void *arg)
{
	return go(fn, arg, 0, __builtin_return_address(0));
}

/* gmp_go() that gives @tail to rt_defer_tail() when the goroutine has ended; @pc: its creator. */
int64_t rt_go_tail(void (*fn)(void *), void *arg, void *tail, void *pc)
{
	return go(fn, arg, (uintptr_t)tail | RT_DEFER_TAIL, pc);
}

static int check_attr(const struct gmp_go_attr *a)
{
	if (a->size != sizeof(*a) || a->flags || a->max_stack > RT_STACK_LIMIT)
		return -EINVAL;
	return 0;
}

/* What the attributes ask for; 0 or -errno. */
static int apply_attr(struct rt_p *pp, struct rt_g *gp, const struct gmp_go_attr *a)
{
	if (a->max_stack) {
		gp->max_stack = a->max_stack < RT_STACK_MIN ? RT_STACK_MIN : (uint32_t)a->max_stack;
		if (!rt_g_bind_stack(pp, gp))
			return -ENOMEM;
	}
	return a->name ? rt_label_ops->set_name(gp, a->name) : 0;
}

RT_PUBLIC int64_t gmp_go_attr(const struct gmp_go_attr *a, void (*fn)(void *), void *arg)
{
	struct rt_p *pp;
	struct rt_g *gp;
	int err;

	if (a && check_attr(a))
		return -EINVAL;
	err = enter(&pp, fn);
	if (err)
		return err;
	gp = make(pp, fn, arg, __builtin_return_address(0));
	if (!gp)
		return leave(pp, rt_g_none());
	err = a ? apply_attr(pp, gp, a) : 0;
	if (err) {
		unmake(pp, gp);
		return leave(pp, err);
	}
	return leave(pp, launch(pp, gp));
}

/*
 * Binds a stack with the parts at its top: @room bytes, the first, the second. Where the first lies is
 * the argument of the goroutine. 0 or -ENOMEM.
 */
static int put_parts(struct rt_p *pp, struct rt_g *gp, const struct rt_go_parts *p)
{
	size_t n = ((p->head_bytes + p->tail_bytes + 63) & ~63ul) + p->room;
	uintptr_t at;

	if (n > RT_STACK_LIMIT / 4)
		return -ENOMEM;
	if (2 * n > rt_stack_default(0) / 2)	/* once here, once as arguments, and as much again to run */
		gp->max_stack = (uint32_t)n * 4;
	if (!rt_g_bind_stack(pp, gp))
		return -ENOMEM;
	at = (gp->stack_hi - 64 - n) & ~63ul;	/* 64: where the record of a free stack lies */
	rt_san_room(at - 64, gp->stack_hi);	/* and for rt_prepare() */
	memcpy((void *)(at + p->room), p->head, p->head_bytes);
	rt_copy_blind((void *)(at + p->room + p->head_bytes), p->tail, p->tail_bytes);
	gp->arg = (void *)(at + p->room);
	gp->sp = rt_prepare(at);
	return 0;
}

static int64_t go_parts(const struct rt_go_parts *parts, void (*fn)(void *), uint16_t flags, void *pc)
{
	struct rt_p *pp;
	int err = enter(&pp, fn);
	struct rt_g *gp;

	if (err)
		return err;
	gp = make(pp, fn, NULL, pc);
	if (!gp)
		return leave(pp, rt_g_none());
	rt_store_rlx(&gp->h.flags, flags);
	err = put_parts(pp, gp, parts);
	if (err) {
		unmake(pp, gp);
		return leave(pp, err);
	}
	return leave(pp, launch(pp, gp));
}

int64_t rt_go_pack(const struct rt_go_parts *parts, void (*fn)(void *), void *pc)
{
	return go_parts(parts, fn, GMP_GF_PACKED, pc);
}

RT_PUBLIC int64_t gmp_go_copy(void (*fn)(void *), const void *args, size_t n)
{
	struct rt_go_parts parts = { args, n, NULL, 0, 0 };

	if (n && !args)
		return -EINVAL;
	if (n > RT_STACK_LIMIT / 4)
		return -ENOMEM;
	return go_parts(&parts, fn, 0, __builtin_return_address(0));
}

/* A goroutine of the runtime itself: not counted, not shown, no reason against a deadlock report. */
int rt_spawn_system(void (*fn)(void *), void *arg)
{
	struct rt_g *gp = make(NULL, fn, arg, __builtin_return_address(0));
	struct rt_gqueue q = { 0 };

	if (!gp)
		return rt_g_none();
	gp->h.flags = GMP_GF_SYSTEM;
	gp->h.wait_since = rt_coarse_now();
	rt_g_set_status(gp, GMP_G_IDLE, GMP_G_RUNNABLE);
	rt_gqueue_push(&q, gp);
	rt_inject(&q);
	return 0;
}

int rt_spawn_main(void (*fn)(void *), void *arg, struct rt_p *pp)
{
	struct rt_g *gp = make(pp, fn, arg, (void *)(uintptr_t)rt_sched.main_fn);

	/* Others get their stacks when they begin: too late for gmp_run() to answer. */
	if (!gp || !rt_g_bind_stack(pp, gp))
		return -ENOMEM;
	rt_sched.main_g = gp;
	rt_add_rlx(&rt_sched.ng, 1);
	rt_g_set_status(gp, GMP_G_IDLE, GMP_G_RUNNABLE);
	rt_sched.m0->picked = gp;	/* through a queue another M could steal it: main begins on m0 */
	return 0;
}

/* ---- ends ------------------------------------------------------------------------------------------------- */

void rt_defers_run_slow(struct rt_g *gp)
{
	struct rt_defer *d;

	while ((d = gp->defers) != NULL) {
		void (*fn)(void *);
		void *arg;

		if ((uintptr_t)d & RT_DEFER_TAIL) {
			gp->defers = NULL;
			rt_defer_tail((void *)((uintptr_t)d & ~RT_DEFER_TAIL));
			continue;
		}
		fn = d->fn;
		arg = d->arg;
		gp->defers = d->next;
		if (!d->borrowed)
			free(d);
		fn(arg);
		if (unlikely(!rt_getm()))
			rt_ghost_stop();
	}
}

void rt_defers_drop(struct rt_g *gp)
{
	struct rt_defer *d = gp->h.status == GMP_G_DEAD ? NULL : gp->defers;

	while (d && !((uintptr_t)d & RT_DEFER_TAIL)) {
		struct rt_defer *next = d->next;

		if (!d->borrowed)
			free(d);
		d = next;
	}
	gp->defers = NULL;
}

RT_PUBLIC int gmp_defer(void (*fn)(void *), void *arg)
{
	struct rt_g *gp = rt_getg();
	struct rt_defer *d;

	if (!fn)
		return -EINVAL;
	if (!gp)
		return -EPERM;
	d = malloc(sizeof(*d));
	if (!d)
		return -ENOMEM;
	*d = (struct rt_defer){ .next = gp->defers, .fn = fn, .arg = arg };
	gp->defers = d;
	return 0;
}

RT_PUBLIC _Noreturn void gmp_goexit(void)
{
	rt_ghost_check();
	if (!rt_getg())
		rt_throw("gmp_goexit outside of a goroutine");
	rt_check_stack("gmp_goexit");
	rt_g_exit();
}

/* ---- about itself --------------------------------------------------------------------------------------------- */

static rt_noinline rt_cold void yield_off_stack(void)
{
	rt_in_handler("gmp_yield");
	rt_yield(rt_getm(), rt_getg());
}

RT_PUBLIC void gmp_yield(void)
{
	struct rt_m *mp = rt_getm();
	struct rt_g *gp;

	if (unlikely(!mp || !mp->p || (gp = mp->curg) == NULL || mp->stops_world)) {
		rt_ghost_check();
		return;
	}
	if (rt_may_be_handler(mp, gp))
		yield_off_stack();
	else
		rt_yield(mp, gp);
}

/* Of a call that does not park: not in a signal handler. */
void rt_yield_politely(void)
{
	struct rt_g *gp = rt_getg();

	if (gp && rt_may_be_left(rt_getm(), gp))
		gmp_yield();
}

RT_PUBLIC uint64_t gmp_goid(void)
{
	return RT_TLS_READ(uint64_t, goid);
}

/*
 * Each P counts those that began and ended there, so that neither costs a locked instruction. The sum
 * is of no single moment, unless nothing runs; but one that both began and ended before, or neither,
 * is counted right. Context: a reader of RCU.
 */
int64_t rt_num_g(void)
{
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);
	int64_t sum = rt_load_rlx(&rt_sched.ng);

	for (uint32_t i = 0; i < n; i++)
		sum += rt_load_rlx(&allp[i]->ng);
	return sum;
}

RT_PUBLIC void gmp_lock_os_thread(void)
{
	struct rt_g *gp = rt_getg();
	struct rt_m *mp;

	if (!gp)
		return;
	rt_check_stack("gmp_lock_os_thread");
	if (!gp->lockedm && !rt_getm()->stops_world)
		rt_leave_m(gp);		/* those tied to this thread could not run while it is ours */
	mp = rt_getm();
	if (mp->locked_depth == UINT32_MAX)
		return;
	mp->locked_depth++;
	rt_store_rlx(&mp->lockedg, gp);
	rt_store_rlx(&gp->lockedm, mp);
}

RT_PUBLIC void gmp_unlock_os_thread(void)
{
	struct rt_m *mp = rt_getm();
	struct rt_g *gp = rt_getg();

	if (!gp || mp->locked_depth == 0 || --mp->locked_depth > 0)
		return;
	rt_store_rlx(&mp->lockedg, NULL);
	rt_store_rlx(&gp->lockedm, NULL);
}

RT_PUBLIC size_t gmp_set_max_stack(size_t bytes)
{
	if (bytes > RT_STACK_LIMIT)
		bytes = RT_STACK_LIMIT;
	if (bytes && bytes < RT_STACK_MIN)
		bytes = RT_STACK_MIN;
	return rt_stack_default(bytes);
}

RT_PUBLIC void gmp_syscall_begin(void)
{
	if (rt_may_park("gmp_syscall_begin") && !rt_getm()->stops_world)
		rt_entersyscall();
}

RT_PUBLIC void gmp_syscall_end(void)
{
	struct rt_g *gp = rt_getg();

	if (unlikely(!gp)) {
		rt_ghost_check();
	} else if (rt_load_rlx(&gp->h.status) == GMP_G_SYSCALL) {
		if (rt_off_stack(gp))
			rt_in_handler("gmp_syscall_end");
		rt_exitsyscall();
	}
}
