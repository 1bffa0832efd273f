/* SPDX-License-Identifier: MIT */
/*
 * handoff.c - the module lets the P of an M go that blocks in its goroutine's own code.
 *
 * Owns:       slot->lost; standby Ms; what the module is told of the runtime's queues.
 * Invariants: the word of an M's P is RUNNING(m) whenever m executes the runtime's code on behalf of a
 *             goroutine, or slot->lost is set. The kernel makes it SYSCALL(m, seq) only while m sleeps
 *             in other code, and RUNNING(m) again before m goes on (kmod/handoff.c).
 * Ordering:   MO-8 for the word. slot->lost is written by the kernel on the thread's own CPU before
 *             the thread goes on: program order is enough.
 *
 * So a P can be lost between any two instructions of the program or of a library, but not between two
 * of the runtime; nor in a call the runtime makes into a library (os/callout.c sets slot->crit).
 * Code of the runtime that begins on a goroutine's stack asks rt_m_p(), and is then safe until it
 * returns, calls code of the program, or switches.
 *
 * An M whose P was taken does not go on: the module sends it a SIGURG on its way back to user mode,
 * whose handler queues the goroutine with those tied to this thread, and gives the thread to the
 * scheduler (preempt.c). Where that cannot be (signal handlers, SIGURG blocked) it runs on until it
 * enters the runtime or blocks once more: there are then more threads running than Ps, for a while,
 * but nobody touches a P that is not his.
 *
 * Idle Ms sleep in the module instead of on their notes. There is always one while the module is
 * used: the last one that leaves starts the next. When the program forbids our ioctl() in the midst of a run they
 * sleep on their notes again: all goes on as without the module, but for Ps that the kernel lets go still.
 */
#include <errno.h>

#include "os/futex.h"
#include "os/kern.h"
#include "os/textmap.h"
#include "sched/env.h"
#include "sched/hot.h"
#include "sched/preempt.h"
#include "sched/rcu.h"

#define LONG_NS	(5 * 1000000000ll)

/* ---- the M that blocked ------------------------------------------------------------------------------- */

/* Another has the P: pp->m is his. Nothing of the P is touched. */
void rt_p_lost(struct rt_m *mp)
{
	rt_store_rlx(&mp->p, NULL);
	rt_publish_p(mp, -1);
	mp->rescued = false;
	rt_compiler_barrier();
	rt_store_rlx(&mp->slot->lost, 0);
}

static bool regain_locked(struct rt_g *gp, void *arg)
{
	struct rt_gqueue q = { 0 };

	(void)arg;
	rt_gqueue_push(&q, gp);
	rt_inject(&q);
	return true;
}

/*
 * Only this thread can go on with it (tied.c). A locked goroutine waits in the global queue, from where it
 * comes back here; any other on its M. That one may come back without a P: rt_m_rescue().
 */
void rt_p_wait(struct rt_m *mp, struct rt_g *gp)
{
	rt_store_rlx(&gp->h.wait_reason, GMP_WAIT_PREEMPTED);
	rt_g_set_status(gp, GMP_G_RUNNING, GMP_G_RUNNABLE);
	if (gp->lockedm) {
		mp->after_g = gp;
		mp->after_fn = regain_locked;
	} else {
		rt_tied_alone(mp, gp);
	}
	rt_switch_g0(mp, gp);
}

/* The same for one that is stopped in the program's own code, and was in no other since its last voluntary stop. */
void rt_p_wait_tied(struct rt_m *mp, struct rt_g *gp)
{
	rt_store_rlx(&gp->h.wait_reason, GMP_WAIT_PREEMPTED);
	rt_g_set_status(gp, GMP_G_RUNNING, GMP_G_RUNNABLE);
	rt_tied_push(mp, gp);
	rt_switch_g0(mp, gp);
}

/* What goes on in the runtime needs a P. */
void rt_p_regain(struct rt_m *mp, struct rt_g *gp)
{
	do {
		rt_p_wait(mp, gp);
	} while (unlikely(!rt_m_p(mp)));
}

/*
 * One of the Ms that wait for a P goes on with its first tied goroutine, and without a P: as one whose P was
 * just taken, until it enters the runtime. sysmon; see there. False: there is none.
 */
bool rt_m_rescue(void)
{
	struct rt_m *mp = NULL;

	rt_lock(&rt_sched.lock);
	/* The world stands: nobody is stuck but by its own doing. While it is being stopped, that may need us. */
	if (!rt_load_rlx(&rt_sched.gcwaiting) || rt_sched.stopwait)
		/* Without the module one that is stuck in the runtime, for want of a P, would be first for ever. */
		mp = rt_sched.handoff ? rt_m_tied_get_alone() : rt_m_tied_get();
	rt_unlock(&rt_sched.lock);
	if (!mp)
		return false;
	rt_store_rlx(&mp->unowned, true);
	rt_m_give_p(mp, NULL, false);
	return true;
}

/* ---- the M that takes over ------------------------------------------------------------------------------ */

bool rt_standby_uses(struct rt_m *mp)
{
	return rt_sched.handoff && mp->slot != &mp->own_slot && !rt_m_has_tied(mp);
}

/* sched.lock held. The P, now between two Ms, or NULL: its M came back, or the world stops. */
static struct rt_p *take(uint32_t p)
{
	struct rt_p *pp;

	if (p >= rt_sched.maxprocs || rt_sched.gcwaiting || rt_load_acq(&rt_sched.ending))
		return NULL;	/* whoever stops the world takes it himself */
	pp = rt_sched.allp[p];
	if (!rt_p_retake(pp, rt_load_acq(pp->word)))
		return NULL;
	rt_own_add(&pp->c.handoffs, 1);
	return pp;
}

/*
 * sched.lock held; somebody needs a P and has said so where the kernel looks (nmtied, globq). MO-H1: that,
 * full fence, then the words; the kernel does the reverse when an M blocks: word, full barrier, then
 * it looks for work. Either it sees the work and wakes a standby M, or the P is found here.
 * Not those of declared calls (pp->m is NULL there): they are sysmon's to take.
 */
struct rt_p *rt_handoff_any(void)
{
	struct rt_p *pp;

	if (!rt_sched.handoff)
		return NULL;
	rt_smp_mb();				/* MO-H1 */
	for (uint32_t i = 0; i < rt_sched.maxprocs; i++) {
		if (!rt_load_rlx(&rt_sched.allp[i]->m))
			continue;
		pp = take(i);
		if (pp)
			return pp;
	}
	return NULL;
}

/* Work was queued by a thread without a P. */
void rt_handoff_wake(void)
{
	struct rt_p *pp;

	if (!rt_sched.handoff || rt_load_acq(&rt_sched.npidle))
		return;
	rt_lock(&rt_sched.lock);
	pp = rt_sched.globq.n ? rt_handoff_any() : NULL;
	rt_unlock(&rt_sched.lock);
	if (pp)
		rt_handoff(pp);
}

/* Offline for RCU, as who sleeps is. True: this M has a P in nextp. False: it sleeps on, or somebody just gave it another one. */
static bool take_blocked(struct rt_m *mp, uint32_t p)
{
	struct rt_p *pp;
	bool mine;

	rt_lock(&rt_sched.lock);
	pp = take(p);
	mine = pp && rt_m_unidle(mp);
	if (mine)
		rt_store_rlx(&mp->nextp, pp);
	rt_unlock(&rt_sched.lock);
	if (pp && !mine) {
		rcu_thread_online();
		rt_handoff(pp);
		rcu_thread_offline();
	}
	return mine;
}

/*
 * The module cannot be asked any more: the program has closed our descriptor, as daemons do, or forbids ioctl().
 * From now on Ms sleep on their notes, and sysmon finds the Ps that the kernel lets go.
 *
 * MO-3: `refused`, full fence (that of the exchange), the key, read by the futex; rt_standby_wake(): the key, the
 * same, then `refused`. A filter may be one thread's alone: then others still sleep in the module.
 */
static bool sleep_refused(struct rt_m *mp, int64_t ns)
{
	rt_xchg_ar(&rt_sched.refused, 1);
	return rt_note_sleep_for(&mp->park, ns);
}

/*
 * Never without a limit: where neither a kick nor a signal gets through (GMP_DEBUG=asyncpreemptoff) a wake-up is
 * late, not lost.
 */
bool rt_standby_sleep(struct rt_m *mp, int64_t ns)
{
	while (rt_load_acq(&mp->park.key) == 0) {	/* MO-3 */
		uint32_t p;
		int ret;

		if (rt_load_rlx(&rt_sched.refused))
			return sleep_refused(mp, ns);
		ret = rt_sched.kern->standby(ns < 0 ? LONG_NS : ns, &p);
		if (ret == 0 && take_blocked(mp, p))
			return true;
		if (ret == -ETIMEDOUT && ns >= 0)
			return false;
		if (ret < 0 && ret != -EINTR && ret != -ETIMEDOUT)
			return sleep_refused(mp, ns);
	}
	return true;
}

/* The M of slot @id, whose @key was just set, sleeps in the module, or did when that was possible. It may be gone. */
void rt_standby_wake(uint32_t id, uint32_t tid, uint32_t *key)
{
	int err = rt_sched.kern->kick(id);

	if (rt_load_rlx(&rt_sched.refused))	/* MO-3 */
		rt_futex_wake(key, 1);
	if (err && err != -ENOENT)
		rt_preempt_interrupt(tid);	/* GMP_IOC_STANDBY returns, and the key is read */
}

/* ---- bring-up ---------------------------------------------------------------------------------------------- */

/* Work that the kernel reads when the M of @pp blocks. Timers and the network are sysmon's. */
void rt_handoff_word(struct rt_p *pp)
{
	struct gmp_p_shared *ps = &rt_sched.p_shared[pp->id];

	ps->runq_head = (uintptr_t)&pp->runqhead;
	ps->runq_tail = (uintptr_t)&pp->runqtail;
	ps->work[0] = GMP_WORK((uintptr_t)&pp->runnext, 64);
	ps->work[1] = GMP_WORK((uintptr_t)&pp->yieldq.n, 64);
}

/* Context: m0, before there is another thread: where Ms sleep must not change while one does. */
void rt_handoff_init(void)
{
	struct gmp_handoff how = {
		.size = sizeof(how),
		.handler = rt_preempt_handler(),
		.cookie = rt_preempt_cookie(),
		.delay_ns = rt_env.handoff_ns,
		.work = { GMP_WORK((uintptr_t)&rt_sched.globq.n, 64),
			  GMP_WORK((uintptr_t)&rt_sched.nmtied, 32) },
	};
	uintptr_t lo, hi;

	/* A sanitizer's runtime is called from everywhere in ours, and is not fenced in. */
	if (RT_SANITIZED || rt_env.nohandoff || rt_sched.m0->slot == &rt_sched.m0->own_slot ||
	    !rt_textmap_bounds(&lo, &hi))
		return;
	how.text_lo = lo;
	how.text_hi = hi;
	if (rt_sched.kern->handoff(&how) < 0)
		return;
	rt_sched.handoff = true;
}

/* The first standby M. Without it sysmon does what it can. */
void rt_handoff_start(void)
{
	if (rt_sched.handoff)
		rt_m_start_idle();
}
