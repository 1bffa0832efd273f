/* SPDX-License-Identifier: MIT */
/* preempt.h - asking running goroutines to stop. See preempt.c. */
#ifndef RT_PREEMPT_H
#define RT_PREEMPT_H

#include "sched/sched.h"

/* m0, before it is an M, and when it is none any more: the handler's signal is not blocked between the two. */
void rt_preempt_let_through(void);
void rt_preempt_block_again(void);
int rt_preempt_init(void);	/* installs the handler; 0 or -errno */
uintptr_t rt_preempt_handler(void);	/* its address; 0: not installed */
uintptr_t rt_preempt_cookie(void);	/* si_value of a signal that is ours */
void rt_preempt_fini(void);

/* What was found of the thread. */
enum rt_asked {
	RT_ASKED_ASLEEP,	/* in a system call, or has no CPU */
	RT_ASKED_UNSURE,	/* it runs, but slept since it was asked about last: ask again soon */
	RT_ASKED_COMPUTES,	/* and has been sent a signal */
};

/* The running G's slice is over (pp->attention): lets others run, if that may be. @mp: the caller's. */
void rt_preempt_here(struct rt_m *mp);

/* Asks P @pp, for @why (RT_ATT_*), to come to a scheduling point: its M is signalled if it computes. */
bool rt_preempt_lost(void);	/* Ms that go on without a P; false: there is none */
uint32_t rt_preempt_lost_awake(void);
bool rt_preempt_sleeps(struct rt_m *mp);	/* in the kernel; a look at /proc */
enum rt_asked rt_preempt_one(struct rt_p *pp, uint32_t why);
void rt_preempt_interrupt(uint32_t tid);	/* the M's sleep in the kernel */
/* Asks all Ps that run. Any thread. */
void rt_preempt_all(uint32_t why);

#endif
