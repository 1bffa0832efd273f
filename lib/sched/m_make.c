/* SPDX-License-Identifier: MIT */
/*
 * m_make.c - threads are made here, or by sysmon, and this is what they run.
 *
 * Owns:       sched.mwanted.
 * Invariants: a thread is made with all signals blocked, from m0 or from what is like it.
 * Locks:      sched.lock.
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>

#include "sched/hot.h"
#include "sched/m.h"

/* What a thread has of its maker: the mask was all signals until here, the slack may be sysmon's. */
static void inherit_from_m0(struct rt_m *mp)
{
	mp->sigmask = rt_sched.sigmask;
	prctl(PR_SET_TIMERSLACK, rt_sched.timerslack);
	pthread_sigmask(SIG_SETMASK, &mp->sigmask, NULL);
}

static void *m_thread(void *arg)
{
	struct rt_m *mp = arg;

	rt_m_thread_init(mp);
	inherit_from_m0(mp);
	rt_m_register(mp);
	if (mp->nextp)
		rt_p_acquire(mp, mp->nextp);
	mp->nextp = NULL;
	rt_schedule();
	rt_m_thread_exit(mp);
	rt_lock(&rt_sched.lock);
	rt_m_unlink(mp);
	mp->schedlink = rt_sched.mdead;
	rt_store_rlx(&rt_sched.mdead, mp);
	if (rt_sched.sysmonwait)
		rt_sysmon_wake();	/* to join us: what a thread leaves behind is its stack */
	rt_unlock(&rt_sched.lock);
	return NULL;
}

/* Signals are the program's: none is delivered to a thread of ours before it is set up. */
int rt_m_clone(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	sigset_t all, was;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	err = pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return -err;
}

static int m_clone(struct rt_m *mp)
{
	int err = rt_m_clone(&mp->thread, m_thread, mp);

	if (err)
		rt_m_unmake(mp);
	return err;
}

/*
 * A thread is a copy of its maker: name, affinity, credentials, namespaces, seccomp filters. Goroutines
 * lock themselves to threads to change such things, and foreign threads are whatever the program made
 * them: Ms are not made there. sysmon, which m0 made before any goroutine ran, makes them instead.
 */
static bool odd_maker(void)
{
	struct rt_m *mp = rt_getm();

	if (!rt_sysmon_runs())
		return false;		/* an odd thread is better than none */
	if (!mp)
		return rt_tls.mstate != GMP_M_SYSMON;
	return mp->lockedg || mp->end_thread;	/* the latter: its goroutine ended locked */
}

/* Leaves the making to sysmon. False: the run is over, nobody will. */
static bool m_order(struct rt_m *mp)
{
	rt_lock(&rt_sched.lock);
	if (rt_load_acq(&rt_sched.ending)) {
		rt_unlock(&rt_sched.lock);
		rt_m_unmake(mp);
		return false;
	}
	mp->schedlink = rt_sched.mwanted;
	rt_store_rlx(&rt_sched.mwanted, mp);
	rt_unlock(&rt_sched.lock);
	rt_sysmon_call();
	return true;
}

static struct rt_m *wanted_get(void)
{
	struct rt_m *mp;

	if (!rt_load_rlx(&rt_sched.mwanted))
		return NULL;
	rt_lock(&rt_sched.lock);
	mp = rt_sched.mwanted;
	if (mp)
		rt_store_rlx(&rt_sched.mwanted, mp->schedlink);
	rt_unlock(&rt_sched.lock);
	return mp;
}

/* sysmon: makes those that were ordered. */
void rt_m_make_wanted(void)
{
	struct rt_m *mp;

	while ((mp = wanted_get()) != NULL) {
		struct rt_g *gp = mp->picked;
		struct rt_p *pp = mp->nextp;
		bool spinning = mp->spinning;

		if (m_clone(mp))
			rt_m_give_back(pp, spinning, gp);
	}
}

/* The end, after sysmon: nobody will make them. */
void rt_m_forget_wanted(void)
{
	struct rt_m *mp;

	while ((mp = wanted_get()) != NULL)
		rt_m_unmake(mp);
	rt_m_unlink_unmade();
}

int rt_m_create(struct rt_p *pp, bool spinning, struct rt_g *picked)
{
	struct rt_m *mp = rt_getm();

	if (unlikely(mp && mp->in_library))
		return -EAGAIN;		/* its goroutine may have malloc's lock: tied.c */
	mp = rt_m_alloc();
	if (!mp)
		return -EAGAIN;
	mp->created = true;
	rt_store_rlx(&mp->nextp, pp);
	rt_store_rlx(&mp->spinning, spinning);
	mp->picked = picked;
	if (odd_maker())
		return m_order(mp) ? 0 : -EAGAIN;
	return m_clone(mp);
}

int rt_m_start_idle(void)
{
	return rt_m_create(NULL, false, NULL);
}
