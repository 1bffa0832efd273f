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
 *   RT_TIED        stopped by SIGURG in the program's own code.
 *   RT_TIED_ALONE  its M blocked, in whatever library, and lost its P. It may have a lock of that library:
 *                  malloc's, stdio's, that of gmtime().
 *
 * An M with such a goroutine gives its P to another M when there is more to do: what runs on top of a tied
 * goroutine and blocks, in the kernel or on a lock of another kind, keeps that from going on; and it may be
 * the one that would end the wait (selftests/litmus/tied.pml). For RT_TIED_ALONE that holds always: the
 * thread blocked with it, so there are no more threads than without. For RT_TIED while no more than
 * RT_TIED_MAX of them wait; then others run on such an M as well, for a thousand tight loops must not need a
 * thousand threads. Rejected: others on such an M always (a goroutine that read a pipe stopped one that
 * computed, though the kernel had said that the P may go); the same with one P and no module only, where what
 * blocks keeps the P (what it waits for could then not go on even without one).
 *
 * What RT_TIED_ALONE was stopped in may be malloc(), with its lock: its thread calls none before that goroutine has
 * gone on (mp->in_library), which is the first thing that it does with a P. It makes no M for others meanwhile.
 *
 * Without the module the P does not come back from an M that blocks in a library. When each P is with such an M, and
 * has been for longer than a time slice, the first that waits here goes on without a P: as the goroutine whose
 * lock they wait for may be among these, and no other will ever get one (sysmon.c: rescue_from_sleepers()). It
 * may block once more, or be asked back after a slice; then the next one goes on. So each has its turn.
 */
#include "sched/hot.h"
#include "sched/sched.h"
#include "sched/time.h"

/* With more tied goroutines than this waiting, an M with such runs others as well. */
#define RT_TIED_MAX	32u
#define SHARE_NS	100000000u

/* ---- the M's own --------------------------------------------------------------------------------------- */

/*
 * They stand in no queue others see, and are served as if they stood at the end of that of @pp: the first one
 * after as many others as are queued now, or, when there are several, after their share of these. After
 * one at least: a timer may be why it was stopped, and what that readies is queued later.
 */
static uint64_t others_first(struct rt_p *pp, uint64_t among)
{
	uint64_t n = rt_load_rlx(&pp->runqtail) - rt_load_rlx(&pp->runqhead) + pp->yieldq.n +
		     rt_load_rlx(&rt_sched.globq.n) / rt_sched.maxprocs;

	n /= among;
	return n ? n : 1;
}

static void tied_set_wait(struct rt_m *mp, struct rt_p *pp)
{
	mp->tied_wait = (uint32_t)others_first(pp, mp->tied.n ? mp->tied.n : 1);
}

/* @gp was stopped in the program's own code. Only this M takes it, and that after the switch. */
void rt_tied_push(struct rt_m *mp, struct rt_g *gp)
{
	gp->tied = RT_TIED;
	rt_gqueue_push(&mp->tied, gp);
	rt_add_ar(&rt_sched.ntied, 1);
	if (mp->tied.n == 1 && !mp->rescued)	/* one that was rescued has no P */
		tied_set_wait(mp, mp->p);
}

static struct rt_g *pop(struct rt_m *mp)
{
	struct rt_g *gp = rt_gqueue_pop(&mp->tied);

	if (gp)
		rt_sub_ar(&rt_sched.ntied, 1);
	return gp;
}

/* The first, or NULL. */
struct rt_g *rt_tied_pop(struct rt_m *mp, struct rt_p *pp)
{
	struct rt_g *gp = pop(mp);

	tied_set_wait(mp, pp);
	return gp;
}

bool rt_tied_is_due(const struct rt_p *pp)
{
	return pp->tied_due && pp->schedtick >= pp->tied_due && rt_load_rlx(&rt_sched.nmtied);
}

/*
 * @pp goes to another M: when the first of those that wait with tied goroutines has its turn; after 61 others at
 * most; not later if it is now. @before: what that M runs before it looks at the queue.
 */
void rt_tied_set_due(struct rt_p *pp, uint32_t before)
{
	uint64_t n = others_first(pp, (uint64_t)rt_load_rlx(&rt_sched.nmtied) + 1);

	if (rt_tied_is_due(pp))
		return;
	pp->tied_due = pp->schedtick + before + (n < RT_GLOBQ_TICK ? n : RT_GLOBQ_TICK);
	pp->tick_look = 0;		/* is worked out anew */
}

/*
 * If some M waits, does it get this P now? The 61st tick is not theirs: it is the global queue's, and Ms that come
 * one after the other would take each of them. Called with the P in hand.
 */
bool rt_tied_turn(struct rt_p *pp)
{
	if (!rt_p_has_queued(pp))
		return true;
	if (!pp->tied_due && rt_load_rlx(&rt_sched.nmtied))
		rt_tied_set_due(pp, 0);	/* the first that asks for those that came without a P: they lost it */
	return rt_tied_is_due(pp);
}

/* @gp came out of a taken block, or was stopped before it has stopped by itself after that. */
void rt_tied_alone(struct rt_m *mp, struct rt_g *gp)
{
	gp->tied = RT_TIED_ALONE;
	mp->alone = gp;
	if (!mp->p || rt_load_rlx(&mp->slot->lost)) {
		mp->in_library = true;
		mp->served = false;
	}
}

/* A P was given to @mp, for these if it has any: the first runs at once. */
void rt_tied_granted(struct rt_m *mp)
{
	mp->served = false;
	mp->tied_wait = 0;
}

/*
 * May others run on this M, which has tied goroutines? Where there are more of these than is good for the number
 * of threads; and for a while when there was no thread to be had: else those that are queued would never run.
 * (mp->alone is not shared even then: with no thread to be had, and such a goroutine that computes on each, they
 * wait.)
 */
bool rt_tied_shares(const struct rt_m *mp)
{
	if (mp->alone)
		return false;
	return rt_load_rlx(&rt_sched.ntied) > RT_TIED_MAX || rt_coarse_now() < rt_load_rlx(&rt_sched.share_until);
}

/* No other thread could be made: not to be tried again at each time slice. */
void rt_tied_share(void)
{
	rt_store_rlx(&rt_sched.share_until, rt_coarse_now() + SHARE_NS);
}

/* The one that @mp runs before it looks elsewhere, or NULL. */
struct rt_g *rt_tied_next(struct rt_m *mp)
{
	struct rt_g *gp = mp->alone;

	mp->alone = NULL;
	if (!gp && (!mp->served || !rt_tied_shares(mp)))
		gp = rt_tied_pop(mp, mp->p);
	return gp;
}

/* After a sleep without a P, which is over without one: rt_m_rescue(). */
struct rt_g *rt_tied_any(struct rt_m *mp)
{
	struct rt_g *gp = mp->alone;

	mp->alone = NULL;
	return gp ? gp : pop(mp);
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

static struct rt_m *unlink_after(struct rt_m *last)
{
	struct rt_m *mp = last ? last->schedlink : rt_sched.mtied;

	if (last)
		last->schedlink = mp->schedlink;
	else
		rt_sched.mtied = mp->schedlink;
	if (rt_sched.mtied_tail == mp)
		rt_sched.mtied_tail = last;
	rt_store_rel(&rt_sched.nmtied, rt_sched.nmtied - 1);
	mp->wants_p = false;
	return mp;
}

struct rt_m *rt_m_tied_get(void)
{
	return rt_sched.mtied ? unlink_after(NULL) : NULL;
}

/* To be rescued, with the module: one whose goroutine was stopped in a library, where the locks are, before any other. */
struct rt_m *rt_m_tied_get_alone(void)
{
	struct rt_m *last = NULL;

	for (struct rt_m *mp = rt_sched.mtied; mp; mp = mp->schedlink) {
		if (mp->alone)
			return unlink_after(last);
		last = mp;
	}
	return rt_m_tied_get();
}
