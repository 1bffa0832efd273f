/* SPDX-License-Identifier: MIT */
/*
 * sysmon.c - the monitor: a thread without a P that looks after those that have one.
 *
 * Every 20 us to 10 ms: retakes Ps from system calls, preempts what ran for 10 ms, polls the network
 * when nobody did for 10 ms. It doubles its sleep after 50 rounds with nothing to do, and sleeps without
 * limit while all Ps are idle.
 *
 * Timers of busy Ps. Its sleep ends at the next deadline of any P that is busy; then that P is stopped,
 * for long enough to run its timers. So a ticker behind a tight loop is late by what it takes to wake
 * this thread and to deliver a signal, some 30 us (Go: up to 20 ms). A timer that is set to fire
 * before the end of a long sleep ends it (MO-13); one that beats a sleep of TIMER_NS does not: it may be
 * late by that much once, and pays for no system call.
 * Rejected: a timer of the kernel for each M (timer_create() with SIGEV_THREAD_ID). It would come when
 * the thread has long entered a system call, which would fail with EINTR: every call of usleep(1000)
 * behind a ticker of 1 ms. Only somebody else can look first whether a thread computes. Timers of
 * the thread's CPU time do not come in system calls, but only at ticks of the kernel, 1 to 10 ms late.
 */
#include <sys/prctl.h>
#include <time.h>

#include "debug/overflow.h"
#include "debug/schedtrace.h"
#include "os/futex.h"
#include "sched/env.h"
#include "sched/hot.h"
#include "sched/preempt.h"
#include "sched/rcu.h"
#include "sched/time.h"

#define MIN_NS		20000
#define MAX_NS		10000000
#define TIMER_NS	1000000		/* longest nap while busy Ps have timers, or had lately */
#define TIMER_ROUNDS	50		/* lately: within so many naps */
#define LONG_RUN_NS	100000		/* a P whose Gs run that long on average is stopped for a timer */
#define SCAVENGE_NS	10000000ull	/* how often, and for how long, it gives pages of stacks back */
#define SCAVENGE_FOR_NS	300000ull
#define UNSERVED_NS	1000000000ull
#define IDLE_ROUNDS	50
#define POLL_NS		10000000ull
#define STUCK_NS	100000000ull	/* a call of the runtime that sleeps so long may wait for ever */
#define RESCUE_NS	1000000ull
#define STRANGERS_NS	250000000	/* how often it is looked whether foreign threads are left */

static struct {
	pthread_t thread;
	bool started;
	uint32_t stop;		/* atomic */
	bool scavenges;		/* there are pages to give back, now or in a second; sysmon's */
	uint64_t next_scavenge;	/* sysmon's */
	uint64_t rescued;	/* when Ms were rescued, or asked to come back; 0: all have */
	uint64_t next_rescue;	/* from those that sleep with all Ps, at the earliest */
	uint32_t told;		/* futex: 1 = a timer comes before the end of the nap */
} mon;

struct rt_sysmon_count rt_sysmon_count;

/* ---- system calls and long runs -------------------------------------------------------------------------- */

/* In no P's hands: every owner of a P looks at these before it gives it up. */
static bool work_waits(void)
{
	return rt_load_acq(&rt_sched.globq.n) || rt_load_acq(&rt_sched.nmtied);
}

/* Some P has more to do than it does now. */
static bool any_queue(void)
{
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);

	for (uint32_t i = 0; i < n; i++) {
		if (!rt_runq_empty(allp[i]))
			return true;
	}
	return false;
}

static bool timer_is_due(struct rt_p *pp, uint64_t now)
{
	uint64_t when = rt_timers_next(pp);

	return when && when <= now;
}

static bool has_queued(struct rt_p *pp)
{
	return !rt_runq_empty(pp) || rt_load_rlx(&rt_sched.globq.n) || rt_load_rlx(&pp->yieldq.n);
}

/*
 * Long enough in the call, or wanted by others: as Go's retake(). @slice_over: the P has not scheduled
 * for 10 ms. Without that, a G that makes one short call after the other would never be met in the
 * same call twice, and keep its P from all others.
 */
static bool should_retake(struct rt_p *pp, uint64_t word, uint64_t now, bool slice_over)
{
	uint64_t tick = GMP_P_WORD_SEQ(word);	/* plus one at each block, whoever saw it */

	if (timer_is_due(pp, now))
		return true;
	if (pp->seen_syscalltick != tick) {
		pp->seen_syscalltick = tick;
		pp->seen_syscallwhen = now;
		/* Not for want of others who look for work: it would go forth and back each round. */
		return slice_over && has_queued(pp);
	}
	if (has_queued(pp) || work_waits() || pp->seen_syscallwhen + RT_FORCE_PREEMPT_NS <= now)
		return true;
	if (rt_load_rlx(&pp->m) && !any_queue())
		return false;	/* it did not declare the call, the module saw it sleep: see handoff.c */
	return rt_load_acq(&rt_sched.nmspinning) + rt_load_acq(&rt_sched.npidle) == 0;
}

static bool retake_syscall(struct rt_p *pp, uint64_t now, bool slice_over)
{
	uint64_t w = rt_load_acq(pp->word);

	if (GMP_P_WORD_STATUS(w) != GMP_P_SYSCALL || !should_retake(pp, w, now, slice_over))
		return false;
	rt_inject_at(RT_INJ_RETAKE);
	if (!rt_p_retake(pp, w))
		return false;
	rt_own_add(&pp->c.handoffs, 1);		/* it is ours until rt_handoff() */
	rt_handoff(pp);
	return true;
}

/* True when it has run, or been in system calls, for a whole slice. */
static bool check_slice(struct rt_p *pp, uint64_t now, bool *unsure)
{
	uint64_t tick = rt_load_rlx(&pp->schedtick);

	if (pp->seen_schedtick != tick) {
		pp->seen_schedtick = tick;
		pp->seen_schedwhen = now;
		return false;
	}
	if (pp->seen_schedwhen + RT_FORCE_PREEMPT_NS > now)
		return false;
	rt_own_add(&rt_sysmon_count.slices, 1);
	*unsure |= rt_preempt_one(pp, RT_ATT_PREEMPT) == RT_ASKED_UNSURE;
	return true;
}

/* Has slept for 100 ms in a call the runtime made. Without the module: has not come back from one. */
static bool stuck_in_call(struct rt_p *pp, uint64_t now)
{
	struct rt_m *mp = rt_load_acq(&pp->m);
	uint64_t which = rt_load_rlx(&pp->schedtick) + 1;

	if (mp && rt_sched.m_kern && mp->slot != &mp->own_slot) {
		const struct gmp_m_kern *k = &rt_sched.m_kern[mp->id];

		which = rt_load_rlx(&k->blocked);
		if (rt_load_rlx(&k->woken) == which || rt_load_rlx(&k->last_why) != GMP_WHY_BLOCKED)
			mp = NULL;	/* it is awake, or a debugger has it */
	}
	if (!mp || !rt_load_rlx(&mp->slot->crit))
		which = 0;
	if (!which || pp->seen_sleep != which) {
		pp->seen_sleep = which;
		pp->seen_sleepwhen = now;
		return false;
	}
	return pp->seen_sleepwhen + STUCK_NS <= now;
}

/*
 * An M that sleeps in a call of the runtime keeps its P, for it may hold a lock of ours (os/callout.c). If
 * what it waits for is malloc's lock, and the goroutine that has that lock waits for a P itself, on the thread
 * it is tied to (it slept in malloc(), and its P was taken), then neither would ever go on. So one of those
 * that wait goes on without a P, each millisecond another one, until it leaves its CPU or enters the runtime.
 * Rejected: not to stop a goroutine inside libraries when its P was taken (it would compute on without one,
 * for as long as it likes); to let the P of such an M go (it is half through a change of it).
 */
static bool rescue(struct rt_p *pp, uint64_t now)
{
	if (!stuck_in_call(pp, now) || !rt_load_acq(&rt_sched.nmtied) || !rt_m_rescue())
		return false;
	pp->seen_sleepwhen = now - STUCK_NS + RESCUE_NS;
	rt_own_add(&pp->c.rescues, 1);
	if (!mon.rescued)
		mon.rescued = now;
	return true;
}

static bool sleeps_past_slice(struct rt_p *pp, uint64_t now)
{
	struct rt_m *mp = rt_load_acq(&pp->m);

	return mp && GMP_P_WORD_STATUS(rt_load_acq(pp->word)) == GMP_P_RUNNING &&
	       pp->seen_schedtick == rt_load_rlx(&pp->schedtick) &&
	       pp->seen_schedwhen + RT_FORCE_PREEMPT_NS <= now && rt_preempt_sleeps(mp);
}

/* No P is left that would ever be given to who waits: those of a stopped world are not. */
static bool sleep_all(uint64_t now)
{
	uint32_t n, asleep = 0;
	struct rt_p **allp = rt_all_ps(&n);

	for (uint32_t i = 0; i < n; i++) {
		if (GMP_P_WORD_STATUS(rt_load_acq(allp[i]->word)) == GMP_P_GCSTOP)
			continue;
		if (!sleeps_past_slice(allp[i], now))
			return false;
		asleep++;
	}
	return asleep > 0 && rt_preempt_lost_awake() < n;
}

/*
 * Without the module an M that sleeps in a library keeps its P. When all of them do, beyond their time slice, what
 * they wait for may be a lock that a goroutine has which was stopped, and waits for a P (tied.c). So one that
 * waits goes on without, each millisecond another one, while fewer than there are Ps compute so. A P whose M
 * computes is no reason, whatever it waits for: it is given up when its slice is over.
 * Rejected: only if all sleep the same sleep as long as that (who waits may ask, with usleep() between); to
 * take the P of a sleeper (it may wake at any instruction of ours, and nothing tells it before it goes on).
 */
static bool rescue_from_sleepers(uint64_t now)
{
	uint32_t n;

	if (rt_sched.handoff || !rt_load_acq(&rt_sched.nmtied) || now < mon.next_rescue || !sleep_all(now) ||
	    !rt_m_rescue())
		return false;
	mon.next_rescue = now + RESCUE_NS;
	rt_own_add(&rt_all_ps(&n)[0]->c.rescues, 1);
	if (!mon.rescued)
		mon.rescued = now;
	return true;
}

/* Those that were rescued have had a time slice: they come back, or compute on without a P for ever. */
static void end_rescues(uint64_t now)
{
	if (!mon.rescued || mon.rescued + RT_FORCE_PREEMPT_NS > now)
		return;
	mon.rescued = rt_preempt_lost() ? now : 0;
}

static bool retake(uint64_t now)
{
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);
	bool did = false;

	for (uint32_t i = 0; i < n; i++) {
		struct rt_p *pp = allp[i];
		uint32_t status = GMP_P_WORD_STATUS(rt_load_acq(pp->word));
		bool slice_over = false;

		if (status == GMP_P_RUNNING || status == GMP_P_SYSCALL)
			slice_over = check_slice(pp, now, &did);	/* unsure: look again soon */
		if (status == GMP_P_SYSCALL)
			did |= retake_syscall(pp, now, slice_over);
		if (status == GMP_P_RUNNING)
			did |= rescue(pp, now);
	}
	return did;
}

/* ---- network and timers ------------------------------------------------------------------------------------- */

static bool poll_network(uint64_t now)
{
	uint64_t last = rt_load_acq(&rt_sched.lastpoll);
	struct rt_gqueue q = { 0 };

	if (last == 0 || last + POLL_NS >= now || rt_poller()->waiters() == 0)
		return false;
	if (!rt_cas_ar(&rt_sched.lastpoll, last, now))
		return false;
	rt_own_add(&rt_sysmon_count.netpolls, 1);
	rt_poller()->poll(0, &q);
	if (!q.head)
		return false;
	rt_ready_list(&q);
	return true;
}

/* Its Gs run for long, each: no scheduling point is near. */
static bool long_runs(const struct rt_p *pp, uint64_t now)
{
	uint64_t runs = rt_load_rlx(&pp->c.switches) - pp->timer_switches;

	return runs * LONG_RUN_NS < now - pp->timer_looked;
}

/*
 * A timer is due on a P that runs: its owner looks at the next scheduling point, and is made to if that
 * may be far; another M may help. Returns when to look again: soon at first, whether it has looked
 * and what its next deadline is; ever later if it cannot be stopped where it is (libc).
 */
static uint64_t timer_due(struct rt_p *pp, uint64_t now)
{
	uint64_t again = (uint64_t)MIN_NS << (pp->timer_asked < 6 ? pp->timer_asked : 6);

	if (long_runs(pp, now)) {
		rt_own_add(&rt_sysmon_count.timers, 1);
		rt_preempt_one(pp, RT_ATT_TIMER);
		pp->timer_asked++;
	} else {
		rt_or_ar(&pp->attention, RT_ATT_TIMER);
	}
	if (rt_load_acq(&rt_sched.npidle))
		rt_wakep();
	return again;
}

/* Returns the time until the next timer of a P that is busy, ~0 = it has none. */
static uint64_t check_timer(struct rt_p *pp, uint64_t now)
{
	uint32_t status = GMP_P_WORD_STATUS(rt_load_rlx(pp->word));
	uint64_t when = rt_timers_next(pp), left = UINT64_MAX;

	if (!when || (status != GMP_P_RUNNING && status != GMP_P_SYSCALL)) {
		pp->timer_asked = 0;
	} else if (when > now) {
		pp->timer_asked = 0;
		left = when - now;
	} else if (status == GMP_P_RUNNING) {
		left = timer_due(pp, now);
	} else {
		left = MIN_NS;		/* retake() will take it */
	}
	pp->timer_switches = rt_load_rlx(&pp->c.switches);
	pp->timer_looked = now;
	return left;
}

/* Returns how long to sleep at most. */
static uint64_t check_timers(uint64_t now)
{
	static uint32_t since;		/* naps since a busy P had a timer */
	uint64_t least = UINT64_MAX;
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t left = check_timer(allp[i], now);

		least = left < least ? left : least;
	}
	since = least < UINT64_MAX ? 0 : since < TIMER_ROUNDS ? since + 1 : since;
	if (since < TIMER_ROUNDS && least > TIMER_NS)
		return TIMER_NS;
	return least < MAX_NS ? least : MAX_NS;
}

/*
 * All Ps are idle, a timer or a descriptor is waited for, and nobody sleeps in the poll: who was to go
 * there is on his way, or is a thread that could not be made, when others had just gone to sleep without.
 */
static bool unpolled(void)
{
	return rt_load_acq(&rt_sched.lastpoll) != 0 &&
	       rt_load_acq(&rt_sched.npidle) == rt_load_rlx(&rt_sched.maxprocs) &&
	       (rt_timers_next_all() || rt_poller()->waiters());
}

/* Work is queued, or a poll is due, a P is idle and nobody comes: a thread could not be made before. */
static void retry_start(void)
{
	if ((work_waits() || unpolled()) && rt_load_acq(&rt_sched.npidle) && !rt_load_acq(&rt_sched.nmspinning) &&
	    !rt_load_acq(&rt_sched.gcwaiting))
		rt_wakep();
}

/*
 * Every M waits for the goroutine locked to it, and there are goroutines, timers or descriptors to
 * serve: only a new thread can, and one could not be made. Once so, it stays so but for us and for
 * strangers.
 */
static bool unserved(void)
{
	if (rt_load_acq(&rt_sched.mcount) != rt_load_acq(&rt_sched.nmidlelocked) ||
	    rt_load_acq(&rt_sched.ending) || rt_load_acq(&rt_sched.gcwaiting))
		return false;
	return work_waits() || rt_timers_next_all() || rt_poller()->waiters();
}

/* Tries again for a while; then what would be a hang is a message. */
static void retry_unserved(uint64_t now)
{
	static uint64_t since;

	if (!unserved()) {
		since = 0;
		return;
	}
	if (!since)
		since = now;
	if (now - since > UNSERVED_NS)
		rt_throw("no thread can be made, and all others wait for goroutines locked to them");
	rt_wakep();
}

/* Also while all Ps are idle, before the deep sleep: that is when most stacks are free. */
static void scavenge(uint64_t now)
{
	if (now < mon.next_scavenge)
		return;
	mon.next_scavenge = now + SCAVENGE_NS;
	mon.scavenges = rt_stack_scavenge(now, SCAVENGE_FOR_NS);
}

/* ---- the thread ------------------------------------------------------------------------------------------------ */

static bool timer_before(uint64_t until)
{
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t when = rt_timers_next(allp[i]);

		if (when && when < until && GMP_P_WORD_STATUS(rt_load_rlx(allp[i]->word)) != GMP_P_IDLE)
			return true;
	}
	return false;
}

/*
 * MO-13: the end of the nap is published, full fence, the timers are read; rt_sysmon_tell(): the deadline
 * was published, full fence, the end of the nap is read. So a timer that somebody sets while this thread
 * goes to sleep is seen, or ends the sleep.
 */
static void nap(uint64_t ns)
{
	struct timespec ts = { .tv_nsec = (long)ns };
	uint64_t until = rt_now() + ns;

	rt_store_rlx(&rt_sched.sysmon_until, until);
	rt_smp_mb();				/* MO-13 */
	if (ns > TIMER_NS && timer_before(until))
		return;
	rt_rcu_offline();
	rt_futex_wait(&mon.told, 0, &ts);
	rcu_thread_online();
	rt_store_rlx(&rt_sched.sysmon_until, 0);
	if (rt_xchg_ar(&mon.told, 0))		/* MO-13: who told us now is read below, or wakes us again */
		rt_own_add(&rt_sysmon_count.told, 1);
}

/* A timer was set for @when and its P may be busy: this comes before a long nap ends. Any thread. */
void rt_sysmon_tell(uint64_t when)
{
	if (when + TIMER_NS < rt_load_rlx(&rt_sched.sysmon_until) && rt_xchg_ar(&mon.told, 1) == 0)
		rt_futex_wake(&mon.told, 1);
}

/* Nor while the world stands; while it is being stopped, that may need us: rescue_from_sleepers(). */
static bool all_idle(void)
{
	if (rt_load_acq(&rt_sched.gcwaiting))
		return !rt_load_rlx(&rt_sched.stopwait);
	return rt_load_acq(&rt_sched.npidle) == rt_load_rlx(&rt_sched.maxprocs) && !work_waits();
}

/*
 * Nothing runs: sleeps until somebody takes a P.
 *
 * First the question whether anything ever will. Ms ask it themselves when they go to sleep, but the
 * last event may be the end of a thread: of an M with its locked goroutine, of one too many, or of a
 * stranger, who tells nobody. While there are strangers the question is asked again.
 */
/* False: it was time to look at the stacks, and nothing else. */
static bool deep_sleep(void)
{
	int64_t limit = rt_env.schedtrace_ms ? MAX_NS : -1;
	int64_t due = (int64_t)rt_overflow_due(rt_now());
	bool to_look, woken;

	if (rt_load_rlx(&rt_sched.mdead))
		rt_m_reap();		/* or their threads would be strangers */
	rt_lock(&rt_sched.lock);
	if (!all_idle() || rt_load_acq(&mon.stop)) {
		rt_unlock(&rt_sched.lock);
		return true;
	}
	if (rt_checkdead() && limit < 0)
		limit = STRANGERS_NS;
	if (unserved() || unpolled() || mon.rescued)
		limit = MAX_NS;
	to_look = due && (limit < 0 || due < limit);
	rt_store_rel(&rt_sched.sysmonwait, 1);
	rt_unlock(&rt_sched.lock);
	rt_rcu_offline();
	woken = rt_note_sleep_for(&rt_sched.sysmonnote, to_look ? due : limit);
	rcu_thread_online();
	rt_lock(&rt_sched.lock);
	rt_store_rel(&rt_sched.sysmonwait, 0);
	rt_note_clear(&rt_sched.sysmonnote);
	rt_unlock(&rt_sched.lock);
	return woken || !to_look;
}

/* From the length of the last nap and the number of rounds in a row that found nothing to do. */
uint64_t rt_sysmon_nap(uint64_t ns, uint32_t idle)
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

	rt_own_add(&rt_sysmon_count.rounds, 1);
	rt_store_rlx(&rt_sched.coarse_now, now);
	rt_m_make_wanted();
	did = poll_network(now);
	did |= retake(now);
	did |= rescue_from_sleepers(now);
	end_rescues(now);
	*until_timer = check_timers(now);
	retry_start();
	retry_unserved(now);
	rt_follow_cpus(now);
	scavenge(now);
	if (rt_stack_gaps())
		rt_overflow_round(now, all_idle());
	rt_schedtrace(now);
	if (rt_load_rlx(&rt_sched.mdead))
		rt_m_reap();
	rt_rcu_round(now);
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
	rt_overflow_round_init();
	while (!rt_load_acq(&mon.stop)) {
		ns = rt_sysmon_nap(ns, idle);
		nap(ns < until_timer ? ns : until_timer);
		if (ns == MAX_NS && all_idle() && !mon.scavenges && deep_sleep())
			idle = 0;	/* else one nap, and it sleeps again */
		idle = round_of_checks(&until_timer) ? 0 : idle + 1;
	}
	rt_tls.mstate = GMP_M_NONE;
	rt_rcu_leave();
	return NULL;
}

/*
 * Threads that are no Ms and wake nobody: this one, a sanitizer's. Not the one of rcu.c, which comes and goes: what is
 * asked while it is there is asked again.
 */
uint32_t rt_helper_threads(void)
{
	return (mon.started ? 1 : 0) + RT_SAN_THREADS;
}

int rt_sysmon_start(void)
{
	int err;

	if (rt_env.nosysmon)
		return 0;
	rt_store_rel(&mon.stop, 0);
	rt_note_clear(&rt_sched.sysmonnote);
	mon.told = 0;
	rt_sched.sysmonwait = 0;
	err = rt_m_clone(&mon.thread, sysmon, NULL);
	rt_store_rlx(&mon.started, err == 0);
	return err;
}

/* Written before any M but m0 exists, and when `ending` is set. */
bool rt_sysmon_runs(void)
{
	return rt_load_rlx(&mon.started);
}

/* Any thread; a wake-up too many is harmless. */
void rt_sysmon_wake(void)
{
	rt_note_wake(&rt_sched.sysmonnote);
}

/*
 * Out of a nap, or a deep sleep. Both words stay set until it has seen them, and it makes its round
 * after it has cleared them: what the caller did before is seen there.
 */
void rt_sysmon_call(void)
{
	rt_sysmon_wake();
	rt_store_rel(&mon.told, 1);
	rt_futex_wake(&mon.told, 1);
}

void rt_sysmon_stop(void)
{
	if (!mon.started)
		return;
	rt_store_rel(&mon.stop, 1);
	rt_sysmon_call();
	pthread_join(mon.thread, NULL);
	rt_store_rlx(&mon.started, false);
}
