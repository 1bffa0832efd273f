/* SPDX-License-Identifier: MIT */
/*
 * rt0.c - bring-up and end: gmp_run(). Order, nothing else.
 *
 * The end. Main returns: `ending` is set, every P is asked for attention, every sleeper is woken.
 * Each M leaves rt_schedule() at its next scheduling point, gives up its P and exits; m0 leaves too,
 * waits for the others and takes everything down. When Ms do not come back in time (a system call that
 * never ends) all that they may still use stays; the next gmp_run() deals with them first (ghost.c).
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "debug/layout.h"
#include "debug/overflow.h"
#include "debug/signal.h"
#include "gmprt/proc.h"
#include "os/kern.h"
#include "sched/env.h"
#include "sched/hot.h"
#include "sched/preempt.h"
#include "sched/rcu.h"
#include "sched/time.h"

#define END_NS	2000000000ll

/* ---- sleeping without descriptors: until io/ installs epoll ---------------------------------------------- */

static struct rt_note poll_note;

static void note_poll(int64_t delay, struct rt_gqueue *q)
{
	(void)q;
	rt_note_sleep_for(&poll_note, delay);
	rt_note_clear(&poll_note);
}

static void note_wake(void)
{
	rt_note_wake(&poll_note);
}

static uint32_t note_waiters(void)
{
	return 0;
}

static const struct rt_netpoll_ops note_ops = {
	.poll = note_poll, .wake = note_wake, .waiters = note_waiters,
};

const struct rt_netpoll_ops *rt_netpoll = &note_ops;

void rt_netpoll_set(const struct rt_netpoll_ops *ops)
{
	const struct rt_netpoll_ops *old = rt_netpoll;

	rt_store_rel(&rt_netpoll, ops ? ops : &note_ops);
	rt_smp_mb();
	old->wake();		/* an M that sleeps in the old one must come over */
}

/* ---- the main goroutine ------------------------------------------------------------------------------------- */

static bool main_returned;

static void main_entry(void *arg)
{
	rt_sched.main_result = rt_sched.main_fn(arg);
	main_returned = true;
}

/* Goroutine 1 has ended and its deferred calls have run. After gmp_goexit() the others go on. */
void rt_main_done(struct rt_g *gp)
{
	(void)gp;
	if (!main_returned)
		return;
	rt_inject_at(RT_INJ_END);
	rt_store_rel(&rt_sched.ending, 1);
	rt_smp_mb();
	rt_attention_all(RT_ATT_STOP);
	rt_m_wake_all();
	rt_poller()->wake();
}

/* ---- foreign threads ------------------------------------------------------------------------------------------ */

static uint32_t foreigners;	/* threads between enter and leave; atomic, MO-11 */

/*
 * MO-11: count, full fence, read `running` or `alive`; the end: clear it, full fence, read the count.
 * Two words, for Ms go on for a while after the first: what they wait in is still theirs.
 */
void rt_ext_hold(void)
{
	rt_add_ar(&foreigners, 1);
	rt_smp_mb();
}

bool rt_ext_enter(void)
{
	rt_ext_hold();
	if (rt_load_acq(&rt_sched.running))
		return true;
	rt_ext_leave();
	return false;
}

void rt_ext_leave(void)
{
	rt_sub_ar(&foreigners, 1);
}

static void expel_foreigners(bool *from)
{
	rt_store_rel(from, false);
	rt_smp_mb();
	while (rt_load_acq(&foreigners))
		sched_yield();
}

/* ---- bring-up -------------------------------------------------------------------------------------------------- */

static int64_t tls_offset(void)
{
	uintptr_t fsbase;

	__asm__("movq %%fs:0, %0" : "=r"(fsbase));
	return (int64_t)((uintptr_t)&rt_tls - fsbase);
}

static void attach_kernel(void)
{
	struct rt_kern_shared sh = { 0 };

	rt_sched.kern = rt_kern_attach(tls_offset(), (uintptr_t)&gmp_rt_layout, &sh);
	rt_sched.m_user = sh.m_user;
	rt_sched.p_shared = sh.p_shared;
	rt_sched.m_kern = sh.m_kern;
	rt_sched.acct = rt_env.acct && sh.m_kern;
	rt_g_acct(rt_sched.acct);
	rt_sched.nr_m_slots = sh.nr_m;
	rt_sched.nr_p_slots = sh.nr_p;
}

static void reset_sched(void)
{
	struct rt_p **allp = rt_sched.allp;
	uint64_t mids[RT_ARRAY_SIZE(rt_sched.mids)];

	memcpy(mids, rt_sched.mids, sizeof(mids));	/* of ghosts: their slots are not used again */
	memset(&rt_sched, 0, offsetof(struct rt_sched, gen));
	rt_lock_rank(&rt_sched.lock, SCHED);
	memcpy(rt_sched.mids, mids, sizeof(mids));
	rt_store_rlx(&rt_sched.gen, rt_sched.gen + 1);
	rt_sched.allp = allp;
	rt_sched.maxmcount = GMP_MAX_M;
	rt_sched.coarse_now = rt_now();
	rt_sched.lastpoll = rt_sched.coarse_now;
	main_returned = false;
	rt_world_reset();
	rt_note_clear(&poll_note);
}

/* P 0 for m0, the others idle. */
static void distribute_ps(struct rt_m *m0)
{
	rt_lock(&rt_sched.lock);
	for (uint32_t i = rt_sched.maxprocs; i-- > 0;) {
		rt_p_unstop(rt_sched.allp[i]);
		if (i > 0)
			rt_p_idle_put(rt_sched.allp[i]);
	}
	rt_unlock(&rt_sched.lock);
	rt_p_acquire(m0, rt_sched.allp[0]);
}

static int bring_up(void *arg)
{
	uint32_t n = rt_env_maxprocs(0);
	int err;

	rt_inject_init();
	rt_lock_init_once();
	rt_signal_init();
	attach_kernel();
	rt_sched.procs_fixed = rt_env_fixed();
	err = rt_p_resize(n);
	if (err)
		goto err_detach;
	err = rt_m_init_main();
	if (err)
		goto err_ps;
	distribute_ps(rt_sched.m0);
	rt_layout_publish(tls_offset());
	err = rt_spawn_main(main_entry, arg, rt_sched.allp[0]);
	if (err)
		goto err_m0;
	err = rt_preempt_init();
	if (err)
		goto err_m0;
	rt_handoff_init();
	err = rt_sysmon_start();
	if (err)
		goto err_preempt;
	rt_handoff_start();
	rt_store_rel(&rt_sched.alive, true);
	rt_store_rel(&rt_sched.running, true);
	return 0;

err_preempt:
	rt_preempt_fini();
err_m0:
	rt_layout_withdraw();
	rt_p_release(rt_sched.m0);
	rt_m_end_main();
err_ps:
	rt_p_release_all();
	rt_g_release_all();	/* goroutine 1, and those its P had fetched */
	rt_stack_release_all();
err_detach:
	rt_kern_detach();
	rt_signal_fini();
	return err;
}

/* ---- the end ------------------------------------------------------------------------------------------------------ */

static void print_stats(void)
{
	struct rt_p_counters sum = { 0 };
	uint64_t reserved, stacks;

	for (uint32_t i = 0; i < rt_sched.maxprocs; i++) {
		struct rt_p_counters *c = &rt_sched.allp[i]->c;

		sum.switches += c->switches;
		sum.spawns += c->spawns;
		sum.steals += c->steals;
		sum.overflows += c->overflows;
		sum.handoffs += c->handoffs;
	}
	rt_stack_stats(&reserved, &stacks);
	rt_say("gmprt: kern=%s procs=%u threads=%llu spawned=%llu switches=%llu steals=%llu overflows=%llu "
	       "handoffs=%llu stacks=%llu\n",
	       rt_sched.kern->name, rt_sched.maxprocs, (unsigned long long)rt_sched.mcreated,
	       (unsigned long long)sum.spawns, (unsigned long long)sum.switches,
	       (unsigned long long)sum.steals, (unsigned long long)sum.overflows,
	       (unsigned long long)sum.handoffs, (unsigned long long)stacks);
}

static bool left_behind;	/* Ms, by the last run; gmp_run() alone, which is one at a time */

/* What Ms use. @ghosts: some go on in the program's code, on stacks of that run: these stay for ever. */
static void release_run(bool ghosts)
{
	expel_foreigners(&rt_sched.alive);
	rt_p_release_all();
	rt_g_release_all();
	if (ghosts)
		rt_stack_forget_all();
	else
		rt_stack_release_all();
	rt_rcu_drain();
	rt_kern_detach();
}

/* 0, or -EBUSY: a thread of the last run is still inside the runtime. */
static int settle_last_run(void)
{
	bool ghosts;
	int err;

	if (!left_behind)
		return 0;
	err = rt_ghosts_make(&ghosts);
	if (err)
		return err;
	rt_m_free_unmade();
	release_run(ghosts);
	left_behind = false;
	return 0;
}

static void tear_down(void)
{
	uint32_t left;

	rt_sysmon_stop();
	rt_m_forget_wanted();
	expel_foreigners(&rt_sched.running);
	left = rt_m_wait_others(END_NS);
	rt_overflow_look_all();
	rt_preempt_fini();
	if (rt_env.stats)
		print_stats();
	rt_layout_withdraw();
	if (rt_poller()->teardown)
		rt_poller()->teardown();
	rt_m_end_main();
	left_behind = left > 0;
	if (!left_behind) {
		rt_m_free_unmade();
		release_run(false);
	}
	rt_signal_fini();
}

static void run_m0(void)
{
	for (;;) {
		rt_schedule();
		if (rt_load_acq(&rt_sched.ending))
			return;
		/* Its locked goroutine ended: other threads end then, this one is the program's. */
		rt_sched.m0->end_thread = false;
		if (!rt_m_stop_locked(rt_sched.m0))
			return;
	}
}

static int run(void *arg)
{
	int err = bring_up(arg);

	if (err)
		return err;
	run_m0();
	tear_down();
	return rt_sched.main_result;
}

RT_PUBLIC int gmp_run(int (*main_fn)(void *), void *arg)
{
	static uint32_t busy;
	int err;

	if (!main_fn)
		return -EINVAL;
	rt_ghost_check();
	if (!rt_cas_ar(&busy, 0, 1))
		return -EBUSY;
	err = settle_last_run();
	if (!err) {
		rt_env_read();
		reset_sched();
		rt_sched.main_fn = main_fn;
		err = run(arg);
	}
	rt_store_rel(&busy, 0);
	return err;
}
