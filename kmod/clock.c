// SPDX-License-Identifier: GPL-2.0-only
/*
 * clock.c - the clock of an M: its on-CPU time, which it reads itself with rdtsc and no system call.
 *
 * Owns:       gmp_m_kern.clock_off and .clock_mult.
 * Invariants: at every switch in the clock is set to task->se.sum_exec_runtime, which the scheduler
 *             booked to the nanosecond when the task was switched out: what it reads in between adds
 *             up to that, with no drift however long it runs.
 * Locks:      none; written by the task itself, in sched_in and when it registers.
 *
 *          M runs        off its CPU         M runs
 *   tsc  |------------|................|------------
 *   clock  = tsc + off1   (stands)       = tsc + off2,  off2 = off1 - the time off
 *
 * Only the rate of the counter must be constant and the same everywhere: it is read on the CPU it was
 * read on when the clock was set, for a task that moves is switched in anew.
 *
 * The conversion is the same here and there, so its error (ns per cycle in 32 bits of fraction) is one
 * of rate only, 10^-9. Considered and not taken: clock_gettime(CLOCK_THREAD_CPUTIME_ID), a system call
 * at each switch; publishing off-CPU time and letting the reader take the difference: the few hundred
 * nanoseconds between the scheduler's book-keeping and ours, at each switch, would be nobody's.
 */
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/time64.h>
#include <linux/timex.h>
#include <asm/tsc.h>

#include "internal.h"

static u64 clock_mult;	/* constant after init; 0: the counter cannot be used */

/* What user space does, too: rt_acct_tsc_ns() of the library. */
static u64 tsc_ns(void)
{
	return mul_u64_u64_shr(rdtsc_ordered(), clock_mult, 32);
}

/*
 * Another CPU may book the current stretch meanwhile (a wake-up to here does, under the run queue's lock,
 * which is not ours to take): then some hundred nanoseconds, from the switch in to here, are missing
 * until the next switch in.
 */
static u64 booked_ns(void)
{
	return READ_ONCE(current->se.sum_exec_runtime);
}

/* How long the current stretch of the task has not been added to sum_exec_runtime yet. */
static u64 unbooked_ns(void)
{
	s64 ns = local_clock() - READ_ONCE(current->se.exec_start);

	/* exec_start is then of another clock, one that leaves out interrupts or stolen time */
	if (IS_ENABLED(CONFIG_IRQ_TIME_ACCOUNTING) || IS_ENABLED(CONFIG_PARAVIRT_TIME_ACCOUNTING))
		return 0;
	return clamp_t(s64, ns, 0, NSEC_PER_SEC);
}

/**
 * gmp_clock_anchor() - set the clock of the calling task, which has come to run
 * @k: its kernel words
 *
 * Context: the task itself, preemption off. Interrupts are held off: a tick books what ran so far.
 */
void gmp_clock_anchor(struct gmp_m_kern *k)
{
	unsigned long flags;
	u64 off;

	if (!k->clock_mult)
		return;
	local_irq_save(flags);
	off = booked_ns() + unbooked_ns() - tsc_ns();
	local_irq_restore(flags);
	WRITE_ONCE(k->clock_off, off);
}

/**
 * gmp_clock_open() - give the calling task a clock, if this machine can
 * @k: its kernel words
 *
 * Context: the task itself, preemption off.
 */
void gmp_clock_open(struct gmp_m_kern *k)
{
	WRITE_ONCE(k->clock_mult, clock_mult);
	gmp_clock_anchor(k);
}

/**
 * gmp_clock_init() - find out whether the cycle counter can be used
 *
 * Context: module init. Without it processes that ask for accounting by goroutine get none.
 */
void gmp_clock_init(void)
{
	if (tsc_khz && !check_tsc_unstable())
		clock_mult = div64_u64((u64)USEC_PER_SEC << 32, tsc_khz);
	else
		pr_info("gmp: the cycle counter is not stable: no accounting by goroutine\n");
}
