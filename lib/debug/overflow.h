/* SPDX-License-Identifier: MIT */
/* overflow.h - stacks that ran over. See overflow.c. */
#ifndef RT_OVERFLOW_H
#define RT_OVERFLOW_H

#include "debug/unwind.h"

/* Reports it if @at, where an access failed, is the guard below a stack. Context: a handler of SIGSEGV. */
void rt_overflow_at(uintptr_t at, const struct rt_regs *regs);

/* The same of the running @gp, whose stack has no guard, if it ran over. Context: on that stack. */
rt_noinline void rt_overflow_look(const struct rt_g *gp);

/* ... of all stacks without a guard. Context: any. */
void rt_overflow_look_all(void);

/*
 * sysmon's: looks at some of the stacks without a guard, a round of all of them every few seconds. @idle:
 * nothing runs. rt_overflow_due(): in how many ns to look again; 0: nothing ran since the last whole round began.
 */
void rt_overflow_round_init(void);
void rt_overflow_round(uint64_t now, bool idle);
uint64_t rt_overflow_due(uint64_t now);

#endif
