/* SPDX-License-Identifier: MIT */
/*
 * inject.h - numbered points at which a test build loses time, and calls it lets fail.
 *
 * Built with -DRT_INJECT only (selftests/torture/, selftests/fault/); else all of it is nothing.
 *
 *   rt_inject_at(POINT)    a window between two steps that another thread may use: there the thread now
 *                          and then spins, yields or sleeps. GMP_INJECT=SEED[:ONE_IN] switches it on:
 *                          one pass in ONE_IN (64) is delayed, for a time drawn from SEED, the point
 *                          and the thread. GMP_INJECT=SEED:ONE_IN:POINT: at that point only.
 *   rt_inject_syscall()    a raw system call of the runtime (epoll, futex, ...): what the hook says, of
 *                          its number and second argument, when a test has set one and it is not 0,
 *                          is its result.
 *
 * What the runtime calls in libc (mmap, malloc, pthread_create) needs nothing here: a test replaces
 * it by the linker's --wrap.
 */
#ifndef RT_INJECT_H
#define RT_INJECT_H

#include "base/compiler.h"

/* The numbers are for GMP_INJECT; new ones at the end. selftests/torture/ comes by each of them, or fails. */
enum rt_inject_point {
	RT_INJ_NONE,
	RT_INJ_PARKED,		/* 1  a G is saved, its lock or wait list not yet let go */
	RT_INJ_READY,		/* 2  between RUNNABLE and the queue */
	RT_INJ_SUBMITTED,	/* 3  work is queued, nobody told: MO-6 S1, S2 */
	RT_INJ_STEAL,		/* 4  slots are read, head is not moved */
	RT_INJ_POP,		/* 5  the same, by the owner */
	RT_INJ_P_IDLE,		/* 6  its P given up, still spinning: MO-6 before T1 */
	RT_INJ_SPUN,		/* 7  spins no more, the queues not looked at again: T2, T3 */
	RT_INJ_M_STOP,		/* 8  found nothing, not yet on the idle list */
	RT_INJ_M_SLEEP,		/* 9  on that list, not yet asleep */
	RT_INJ_M_START,		/* 10 off that list, not yet given its P */
	RT_INJ_SYSCALL_ENTER,	/* 11 the P is let go, the stopper not looked for */
	RT_INJ_SYSCALL_EXIT,	/* 12 back, the P not taken */
	RT_INJ_RETAKE,		/* 13 a P was seen in a call, not taken */
	RT_INJ_HANDOFF,		/* 14 it was taken, nobody runs it */
	RT_INJ_WORLD_STOP,	/* 15 gcwaiting is set, nobody stopped */
	RT_INJ_GCSTOP,		/* 16 an M saw it and has not stopped its P */
	RT_INJ_WORLD_START,	/* 17 Ps are free again, their Ms not started */
	RT_INJ_SELECT_LOCKED,	/* 18 all channels are locked */
	RT_INJ_SELECT_QUEUED,	/* 19 on all channels, about to park */
	RT_INJ_SELECT_WON,	/* 20 the waker won, the G not woken */
	RT_INJ_TIMER_DUE,	/* 21 off its heap, its function not called */
	RT_INJ_TIMER_TELL,	/* 22 a new first deadline, the sleeper not told: MO-10 */
	RT_INJ_POLL,		/* 23 poll_until is published, the poll not entered: MO-10 */
	RT_INJ_POLLED,		/* 24 the poll was left, lastpoll not set */
	RT_INJ_PREEMPT,		/* 25 the signal's handler has decided to stop the G */
	RT_INJ_CHAN,		/* 26 a channel is locked */
	RT_INJ_SEMA,		/* 27 counted as a waiter, not on the list */
	RT_INJ_SEMA_WAKE,	/* 28 taken off the list, not woken */
	RT_INJ_FD,		/* 29 a descriptor was not ready, the waiter not registered */
	RT_INJ_END,		/* 30 main has returned, nobody knows */
	RT_INJ_LOCKED_M,	/* 31 a locked G is queued, its M not woken */
	RT_INJ_POINTS
};

#if RT_INJECT

void rt_inject_init(void);			/* reads GMP_INJECT */
void rt_inject_delay(enum rt_inject_point at);
extern uint32_t rt_inject_one_in;		/* 0: off */
extern uint64_t rt_inject_passed[RT_INJ_POINTS];	/* how often, while it is on; atomic */
extern long (*rt_inject_hook)(long nr, long arg2);	/* set before gmp_run(); 0: make the call */

static inline void rt_inject_at(enum rt_inject_point at)
{
	if (rt_inject_one_in)
		rt_inject_delay(at);
}

static inline long rt_inject_syscall(long nr, long arg2)
{
	return rt_inject_hook ? rt_inject_hook(nr, arg2) : 0;
}

#else

#define rt_inject_init()	((void)0)
#define rt_inject_at(at)	((void)(at))
#define rt_inject_syscall(nr, arg2)	0

#endif
#endif
