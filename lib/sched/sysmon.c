/* SPDX-License-Identifier: MIT */
/*
 * sysmon.c - the monitor: a thread without a P that looks after those that have one.
 *
 * Every 20 us to 10 ms: retakes Ps from system calls, preempts what ran for 10 ms, polls the network
 * when nobody did for 10 ms, starts an M for a timer that is due on a busy P. It doubles its sleep
 * after 50 rounds with nothing to do, and sleeps without limit while all Ps are idle.
 */
#include <sys/prctl.h>
#include <time.h>

#include "debug/schedtrace.h"
#include "sched/env.h"
#include "sched/hot.h"
#include "sched/preempt.h"
#include "sched/rcu.h"
#include "sched/time.h"

#define MIN_NS		20000
#define MAX_NS		10000000
#define TIMER_NS	1000000		/* longest nap while a busy P has timers */
#define IDLE_ROUNDS	50
#define POLL_NS		10000000ull
#define STRANGERS_NS	250000000	/* how often it is looked whether foreign threads are left */

static struct {
	pthread_t thread;
	bool started;
	uint32_t stop;		/* atomic */
} mon;

/* ---- system calls and long runs -------------------------------------------------------------------------- */

/* Long enough in the call, or wanted by others: as Go's retake(). */
static bool should_retake(struct rt_p *pp, uint64_t now)
{
	uint64_t tick = rt_load_rlx(&pp->syscalltick);

	if (pp->seen_syscalltick != tick) {
		pp->seen_syscalltick = tick;
		pp->seen_syscallwhen = now;
		return false;
	}
	return !rt_runq_empty(pp) ||
	       rt_load_acq(&rt_sched.nmspinning) + rt_load_acq(&rt_sched.npidle) == 0 ||
	       pp->seen_syscallwhen + RT_FORCE_PREEMPT_NS <= now;
}

static bool retake_syscall(struct rt_p *pp, uint64_t now)
{
	uint64_t w = rt_load_acq(pp->word);

	if (GMP_P_WORD_STATUS(w) != GMP_P_SYSCALL || !should_retake(pp, now))
		return false;
	rt_inject_at(RT_INJ_RETAKE);
	if (!rt_p_retake(pp, w))
		return false;
	rt_own_add(&pp->c.handoffs, 1);		/* it is ours until rt_handoff() */
	rt_handoff(pp);
	return true;
}

static void check_slice(struct rt_p *pp, uint64_t now)
{
	uint64_t tick = rt_load_rlx(&pp->schedtick);

	if (pp->seen_schedtick != tick) {
		pp->seen_schedtick = tick;
		pp->seen_schedwhen = now;
		return;
	}
	if (pp->seen_schedwhen + RT_FORCE_PREEMPT_NS <= now)
		rt_preempt_one(pp, RT_ATT_PREEMPT);
}

static bool retake(uint64_t now)
{
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);
	bool did = false;

	for (uint32_t i = 0; i < n; i++) {
		struct rt_p *pp = allp[i];
		uint32_t status = GMP_P_WORD_STATUS(rt_load_acq(pp->word));

		if (status == GMP_P_RUNNING || status == GMP_P_SYSCALL)
			check_slice(pp, now);
		if (status == GMP_P_SYSCALL)
			did |= retake_syscall(pp, now);
	}
	return did;
}

/* ---- network and timers ------------------------------------------------------------------------------------- */

static bool poll_network(uint64_t now)
{
	uint64_t last = rt_load_acq(&rt_sched.lastpoll);
	struct rt_gqueue q = { 0 };

	if (last == 0 || last + POLL_NS >= now || rt_netpoll->waiters() == 0)
		return false;
	if (!rt_cas_ar(&rt_sched.lastpoll, last, now))
		return false;
	rt_netpoll->poll(0, &q);
	if (!q.head)
		return false;
	rt_ready_list(&q);
	return true;
}

/*
 * A timer is due on a P that runs: its owner looks at the next scheduling point, and is made to if it
 * has not had one since the last round; another M may help. Returns when to look again.
 */
static uint64_t timer_due(struct rt_p *pp)
{
	bool stuck = rt_load_rlx(&pp->schedtick) == pp->timer_schedtick;

	if (stuck)
		rt_preempt_one(pp, RT_ATT_TIMER);
	else
		rt_or_ar(&pp->attention, RT_ATT_TIMER);
	if (rt_load_acq(&rt_sched.npidle))
		rt_wakep();
	return stuck ? TIMER_NS : MIN_NS;	/* look again soon whether it has looked */
}

/* Returns the time until the next timer of a P that is busy, at most TIMER_NS: it may set an earlier one. */
static uint64_t check_timers(uint64_t now)
{
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);
	uint64_t least = MAX_NS;

	for (uint32_t i = 0; i < n; i++) {
		struct rt_p *pp = allp[i];
		uint64_t when = rt_timers_next(pp);

		if (when && GMP_P_WORD_STATUS(rt_load_rlx(pp->word)) == GMP_P_RUNNING) {
			uint64_t left = when <= now ? timer_due(pp) : when - now;

			left = left < TIMER_NS ? left : TIMER_NS;
			least = left < least ? left : least;
		}
		pp->timer_schedtick = rt_load_rlx(&pp->schedtick);
	}
	return least;
}

/* In no P's hands: every owner of a P looks at these before it gives it up. */
static bool work_waits(void)
{
	return rt_load_acq(&rt_sched.globq.n) || rt_load_acq(&rt_sched.nmtied);
}

/* Work is queued, a P is idle and nobody comes: a thread could not be made before. */
static void retry_start(void)
{
	if (work_waits() && rt_load_acq(&rt_sched.npidle) && !rt_load_acq(&rt_sched.nmspinning) &&
	    !rt_load_acq(&rt_sched.gcwaiting))
		rt_wakep();
}

/* ---- the thread ------------------------------------------------------------------------------------------------ */

static void nap(uint64_t ns)
{
	struct timespec ts = { .tv_nsec = (long)ns };

	rcu_thread_offline();
	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
	rcu_thread_online();
}

static bool all_idle(void)
{
	return rt_load_acq(&rt_sched.gcwaiting) ||
	       (rt_load_acq(&rt_sched.npidle) == rt_load_rlx(&rt_sched.maxprocs) && !work_waits());
}

/*
 * Nothing runs: sleeps until somebody takes a P.
 *
 * First the question whether anything ever will. Ms ask it themselves when they go to sleep, but the
 * last event may be the end of a thread: of an M with its locked goroutine, of one too many, or of a
 * stranger, who tells nobody. While there are strangers the question is asked again.
 */
static void deep_sleep(void)
{
	int64_t limit = rt_env.schedtrace_ms ? MAX_NS : -1;

	if (rt_load_rlx(&rt_sched.mdead))
		rt_m_reap();		/* or their threads would be strangers */
	rt_lock(&rt_sched.lock);
	if (!all_idle() || rt_load_acq(&mon.stop)) {
		rt_unlock(&rt_sched.lock);
		return;
	}
	if (rt_checkdead() && limit < 0)
		limit = STRANGERS_NS;
	rt_store_rel(&rt_sched.sysmonwait, 1);
	rt_unlock(&rt_sched.lock);
	rcu_thread_offline();
	rt_note_sleep_for(&rt_sched.sysmonnote, limit);
	rcu_thread_online();
	rt_lock(&rt_sched.lock);
	rt_store_rel(&rt_sched.sysmonwait, 0);
	rt_note_clear(&rt_sched.sysmonnote);
	rt_unlock(&rt_sched.lock);
}

static uint64_t next_nap(uint64_t ns, uint32_t idle)
{
	if (idle == 0)
		return MIN_NS;
	if (idle > IDLE_ROUNDS)
		ns *= 2;
	return ns > MAX_NS ? MAX_NS : ns;
}

/* True when it had something to do; *until_timer as check_timers() says. */
static bool round_of_checks(uint64_t *until_timer)
{
	uint64_t now = rt_now();
	bool did;

	rt_store_rlx(&rt_sched.coarse_now, now);
	did = poll_network(now);
	did |= retake(now);
	*until_timer = check_timers(now);
	retry_start();
	rt_follow_cpus(now);
	rt_schedtrace(now);
	if (rt_load_rlx(&rt_sched.mdead))
		rt_m_reap();
	return did;
}

static void *sysmon(void *arg)
{
	uint64_t ns = MIN_NS, until_timer = MAX_NS;
	uint32_t idle = 0;

	(void)arg;
	rcu_register_thread();
	prctl(PR_SET_TIMERSLACK, 1000);		/* else every nap is 50 us longer */
	rt_tls.mstate = GMP_M_SYSMON;
	rt_follow_init(rt_now());
	while (!rt_load_acq(&mon.stop)) {
		ns = next_nap(ns, idle);
		nap(ns < until_timer ? ns : until_timer);
		if (ns == MAX_NS && all_idle()) {
			deep_sleep();
			idle = 0;
		}
		idle = round_of_checks(&until_timer) ? 0 : idle + 1;
	}
	rt_tls.mstate = GMP_M_NONE;
	rcu_unregister_thread();
	return NULL;
}

/* Threads that are no Ms and wake nobody: this one, liburcu's, once something was handed to it, a sanitizer's. */
uint32_t rt_helper_threads(void)
{
	return (mon.started ? 1 : 0) + (rt_load_rlx(&rt_rcu_thread) ? 1 : 0) + RT_SAN_THREADS;
}

int rt_sysmon_start(void)
{
	int err;

	rt_store_rel(&mon.stop, 0);
	rt_note_clear(&rt_sched.sysmonnote);
	rt_sched.sysmonwait = 0;
	err = pthread_create(&mon.thread, NULL, sysmon, NULL);
	mon.started = err == 0;
	return -err;
}

/* Any thread; a wake-up too many is harmless. */
void rt_sysmon_wake(void)
{
	rt_note_wake(&rt_sched.sysmonnote);
}

void rt_sysmon_stop(void)
{
	if (!mon.started)
		return;
	rt_store_rel(&mon.stop, 1);
	rt_sysmon_wake();
	pthread_join(mon.thread, NULL);
	mon.started = false;
}
