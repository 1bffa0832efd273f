/* SPDX-License-Identifier: MIT */
/*
 * tied.c - goroutines that can go on on one thread only, and Ms that need a P for them.
 *
 * Owns:       mp->tied, mp->alone; the list of Ms that wait for a P with such goroutines (sched.mtied).
 * Invariants: a goroutine in mp->tied or mp->alone is RUNNABLE and in no queue. While mp->alone is set its M
 *             runs nothing else. An M on sched.mtied sleeps, or is about to.
 * Locks:      sched.lock for the list; the rest is its M's own.
 *
 * A goroutine that did not stop by itself is tied to its thread until it does: compiled code may hold the
 * address of a thread-local. There are two kinds:
 *
 *   RT_TIED        stopped by SIGURG in the program's own code. Others run on its M meanwhile: a thousand
 *                  tight loops need no more threads than Ps.
 *   RT_TIED_ALONE  its M blocked, in whatever library, and lost its P. It may have a lock of that library:
 *                  malloc's, stdio's, that of gmtime(). Another goroutine on this thread would wait for it, with
 *                  the thread, and the one that has the lock could never go on. So there is none: its M runs
 *                  it before anything else, or nothing. It is one such goroutine that an M has, at most; the
 *                  thread blocked with it, so there are no more threads than without this.
 */
#include "sched/hot.h"
#include "sched/sched.h"
#include "sched/time.h"

/* ---- the M's own --------------------------------------------------------------------------------------- */

/*
 * They stand in no queue others see, and are served as if they stood at the end of ours: the first one
 * after as many others as are queued now, or, when there are several, after their share of these. After
 * one at least: a timer may be why it was stopped, and what that readies is queued later.
 */
static void tied_set_wait(struct rt_m *mp, struct rt_p *pp)
{
	uint64_t n = rt_load_rlx(&pp->runqtail) - rt_load_rlx(&pp->runqhead) + pp->yieldq.n +
		     rt_load_rlx(&rt_sched.globq.n) / rt_sched.maxprocs;

	n /= mp->tied.n ? mp->tied.n : 1;
	mp->tied_wait = n ? (uint32_t)n : 1;
}

/* @gp was stopped in the program's own code. Only this M takes it, and that after the switch. */
void rt_tied_push(struct rt_m *mp, struct rt_g *gp)
{
	gp->tied = RT_TIED;
	rt_gqueue_push(&mp->tied, gp);
	if (mp->tied.n == 1)
		tied_set_wait(mp, mp->p);
}

/* The first, or NULL. */
struct rt_g *rt_tied_pop(struct rt_m *mp, struct rt_p *pp)
{
	struct rt_g *gp = rt_gqueue_pop(&mp->tied);

	tied_set_wait(mp, pp);
	return gp;
}

/* @gp came out of a taken block, or was stopped before it has stopped by itself after that. */
void rt_tied_alone(struct rt_m *mp, struct rt_g *gp)
{
	gp->tied = RT_TIED_ALONE;
	mp->alone = gp;
}

/* After a sleep without a P, which is over without one: rt_m_rescue(). */
struct rt_g *rt_tied_any(struct rt_m *mp)
{
	struct rt_g *gp = mp->alone;

	mp->alone = NULL;
	return gp ? gp : rt_gqueue_pop(&mp->tied);
}

/* ---- Ms that wait for a P with them; sched.lock held ------------------------------------------------------ */

/* Such an M is work for whoever has a P: its goroutines can run nowhere else. */
void rt_m_tied_put(struct rt_m *mp)
{
	mp->wants_p = true;
	mp->schedlink = NULL;
	if (rt_sched.mtied_tail)
		rt_sched.mtied_tail->schedlink = mp;
	else
		rt_sched.mtied = mp;
	rt_sched.mtied_tail = mp;
	rt_store_rel(&rt_sched.nmtied, rt_sched.nmtied + 1);
}

/* @mp was just put at the end. */
void rt_m_tied_remove(struct rt_m *mp)
{
	struct rt_m *last = NULL;

	for (struct rt_m *m = rt_sched.mtied; m != mp; m = m->schedlink)
		last = m;
	if (last)
		last->schedlink = NULL;
	else
		rt_sched.mtied = NULL;
	rt_sched.mtied_tail = last;
	rt_store_rel(&rt_sched.nmtied, rt_sched.nmtied - 1);
	mp->wants_p = false;
}

struct rt_m *rt_m_tied_get(void)
{
	struct rt_m *mp = rt_sched.mtied;

	if (!mp)
		return NULL;
	rt_sched.mtied = mp->schedlink;
	if (!rt_sched.mtied)
		rt_sched.mtied_tail = NULL;
	rt_store_rel(&rt_sched.nmtied, rt_sched.nmtied - 1);
	mp->wants_p = false;
	return mp;
}
