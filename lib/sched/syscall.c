/* SPDX-License-Identifier: MIT */
/*
 * syscall.c - declared system calls: the P stays takeable, as Go's Psyscall.
 *
 * Owns:       the edges RUNNING <-> SYSCALL of a G and of a P word, and handing a taken P on.
 * Invariants: between rt_entersyscall() and rt_exitsyscall() the M has no P (mp->p is NULL, mp->oldp
 *             remembers it) and touches nothing that belongs to one.
 * Ordering:   MO-8: entering releases the P, taking and coming back acquire it. The sequence in the
 *             word makes SYSCALL(m, s) of an earlier call differ from this one's: no ABA.
 */
#include "sched/hot.h"
#include "sched/rcu.h"
#include "sched/time.h"

#define LEAVE_TRIES	3

static uint64_t syscall_word(struct rt_p *pp, struct rt_m *mp)
{
	return GMP_P_WORD(GMP_P_SYSCALL, mp->id + 1, GMP_P_WORD_SEQ(rt_load_rlx(pp->word)));
}

/* On g0: @gp and the P go to another M; this one waits until somebody serves its tied Gs. */
static bool move_commit(struct rt_g *gp, void *arg)
{
	struct rt_m *mp = rt_getm();

	(void)arg;
	if (rt_m_has_tied(mp))
		rt_tied_set_due(mp->p, 1);
	rt_m_start_with(rt_p_release(mp), gp);
	return true;
}

/*
 * A thread that goroutines are tied to must not block: they could not run meanwhile. Nor must m0, but
 * for main: gmp_run() returns on it, and cannot while it is in somebody else's call. Then the caller
 * goes on elsewhere, and makes its call there.
 */
static inline bool must_leave(const struct rt_m *mp, const struct rt_g *gp)
{
	if (likely(!mp->tied.n && mp->created))
		return false;
	return !gp->lockedm && (mp->tied.n || gp->h.goid != 1);
}

static rt_noinline void leave_once(struct rt_m *mp, struct rt_g *gp)
{
	rt_g_set_status(gp, GMP_G_RUNNING, GMP_G_RUNNABLE);
	mp->after_g = gp;
	mp->after_fn = move_commit;
	rt_switch_g0(mp, gp);
}

/*
 * A voluntary stop: @gp is tied no more; goes on on a thread that may block. May park. After some tries
 * it stays where it is: when no thread can be made it would come back for ever.
 */
void rt_leave_m(struct rt_g *gp)
{
	struct rt_m *mp;

	gp->tied = 0;
	for (int i = 0; i < LEAVE_TRIES; i++) {
		mp = rt_getm();
		if (likely(!must_leave(mp, gp)))
			return;
		leave_once(mp, gp);
	}
}

void rt_entersyscall(void)
{
	struct rt_m *mp;
	struct rt_g *gp = rt_getg();
	struct rt_p *pp;
	uint64_t w;

	mp = rt_getm();
	if (unlikely(!rt_m_p(mp)))
		rt_p_regain(mp, gp);
	rt_leave_m(gp);
	mp = rt_getm();
	pp = mp->p;
	w = rt_load_rlx(pp->word);

	rt_g_set_status(gp, GMP_G_RUNNING, GMP_G_SYSCALL);
	rt_store_rlx(&mp->tls->gstatus, GMP_G_SYSCALL);
	rt_store_rlx(&mp->slot->gstatus, GMP_G_SYSCALL);
	rt_store_rlx(&gp->h.wait_since, rt_coarse_now());
	rt_add_rlx(&rt_sched.nsyscall, 1);
	rt_own_add(&pp->syscalltick, 1);
	mp->oldp = pp;
	rt_p_forget(mp);
	rt_p_store(pp, w, GMP_P_WORD(GMP_P_SYSCALL, mp->id + 1, GMP_P_WORD_SEQ(w) + 1));
	rt_inject_at(RT_INJ_SYSCALL_ENTER);
	if (unlikely(rt_load_rlx(&rt_sched.sysmonwait)))
		rt_sysmon_wake();
	if (unlikely(rt_load_rlx(&rt_sched.gcwaiting)))
		rt_world_take_syscall_p(pp);
}

static void back_to_running(struct rt_m *mp, struct rt_g *gp)
{
	rt_g_set_status(gp, GMP_G_SYSCALL, GMP_G_RUNNING);
	rt_store_rlx(&mp->tls->gstatus, GMP_G_RUNNING);
	rt_store_rlx(&mp->slot->gstatus, GMP_G_RUNNING);
}

/* The P is where we left it: takes it back. */
static bool retake_own(struct rt_m *mp)
{
	struct rt_p *pp = mp->oldp;
	uint64_t w = syscall_word(pp, mp);

	if (!rt_p_cas(pp, w, GMP_P_WORD(GMP_P_RUNNING, mp->id + 1, GMP_P_WORD_SEQ(w))))
		return false;
	rt_store_rlx(&mp->p, pp);
	rt_store_rlx(&pp->m, mp);
	rt_publish_p(mp, pp->id);
	return true;
}

static bool take_idle(struct rt_m *mp)
{
	struct rt_p *pp = NULL;

	if (!rt_load_acq(&rt_sched.npidle) || rt_load_acq(&rt_sched.gcwaiting))
		return false;
	rt_lock(&rt_sched.lock);
	if (!rt_load_rlx(&rt_sched.gcwaiting) && !rt_load_rlx(&rt_sched.ending))
		pp = rt_p_idle_get();
	rt_unlock(&rt_sched.lock);
	if (!pp)
		return false;
	rt_p_acquire(mp, pp);
	return true;
}

/* On g0, without a P: the G waits for one like any other. */
static bool exit_commit(struct rt_g *gp, void *arg)
{
	struct rt_gqueue q = { 0 };

	(void)arg;
	rt_g_set_status(gp, GMP_G_SYSCALL, GMP_G_RUNNABLE);
	rt_gqueue_push(&q, gp);
	rt_inject(&q);
	return true;
}

void rt_exitsyscall(void)
{
	struct rt_m *mp = rt_getm();
	struct rt_g *gp = rt_getg();

	rt_sub_ar(&rt_sched.nsyscall, 1);
	rt_inject_at(RT_INJ_SYSCALL_EXIT);
	if (likely(!rt_load_acq(&rt_sched.ending)) && (retake_own(mp) || take_idle(mp))) {
		mp->oldp = NULL;
		back_to_running(mp, gp);
		return;
	}
	mp->oldp = NULL;
	mp->after_g = gp;
	mp->after_fn = exit_commit;
	rt_switch_g0(mp, gp);
}

/* ---- the others' side ----------------------------------------------------------------------------------- */

bool rt_p_retake(struct rt_p *pp, uint64_t word)
{
	if (GMP_P_WORD_STATUS(word) != GMP_P_SYSCALL)
		return false;
	if (!rt_p_cas(pp, word, GMP_P_WORD(GMP_P_IDLE, 0, GMP_P_WORD_SEQ(word))))
		return false;
	rt_store_rlx(&pp->m, NULL);	/* an M that the kernel saw block has not forgotten it */
	return true;
}

bool rt_p_has_queued(struct rt_p *pp)
{
	return !rt_runq_empty(pp) || pp->yieldq.n || rt_load_acq(&rt_sched.globq.n);
}

bool rt_p_has_work(struct rt_p *pp)
{
	return rt_p_has_queued(pp) || rt_load_acq(&rt_sched.nmtied);
}

/* Nobody spins and no P is idle: the last one that could look for work is this. */
static bool claim_spinning(void)
{
	return rt_load_acq(&rt_sched.nmspinning) + rt_load_acq(&rt_sched.npidle) == 0 &&
	       rt_cas_ar(&rt_sched.nmspinning, 0, 1);
}

/* Under sched.lock: idle, unless something came up. True: an M is wanted after all. */
static bool put_or_keep(struct rt_p *pp)
{
	if (rt_load_rlx(&rt_sched.gcwaiting)) {
		rt_p_stop(pp, GMP_P_IDLE);
		rt_gcstop_taken(pp);
		return false;
	}
	if (rt_load_acq(&rt_sched.ending))
		return false;
	if (rt_p_has_work(pp))
		return true;
	if (rt_sched.npidle == rt_sched.maxprocs - 1 && rt_load_acq(&rt_sched.lastpoll) != 0)
		return true;	/* the last running P: somebody must poll */
	rt_p_idle_put(pp);
	return false;
}

void rt_handoff(struct rt_p *pp)
{
	bool keep;

	rt_inject_at(RT_INJ_HANDOFF);
	if (rt_load_acq(&rt_sched.ending))
		return;			/* nobody will run anything: it may lie about */
	if (rt_p_has_work(pp)) {
		rt_m_start(pp, false);
		return;
	}
	if (!rt_sched.single && claim_spinning()) {
		rt_m_start(pp, true);
		return;
	}
	rt_lock(&rt_sched.lock);
	keep = put_or_keep(pp);
	rt_unlock(&rt_sched.lock);
	if (keep)
		rt_m_start(pp, false);
	else
		rt_poller_until(rt_timers_next(pp));
}
