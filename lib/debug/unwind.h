/* SPDX-License-Identifier: MIT */
/* unwind.h - walking any stack of this process, given its registers. See unwind.c. */
#ifndef RT_UNWIND_H
#define RT_UNWIND_H

#include <ucontext.h>

#include "sched/sched.h"

/* By DWARF's numbers; unwind.c names these offsets in unwind rules. */
enum { RT_REG_BX = 3, RT_REG_BP = 6, RT_REG_SP = 7, RT_REG_PC = 16, RT_REG_COUNT = 17 };

struct rt_regs {
	uint64_t r[RT_REG_COUNT];
};

/* The registers of the calling function, which must not return before the walk is over. */
#define rt_regs_here(regs)							\
	do {									\
		struct rt_regs *rt_r_ = (regs);					\
		*rt_r_ = (struct rt_regs){ 0 };					\
		__asm__ __volatile__("movq %%rbx, 24(%0)\n\t"			\
				     "movq %%rbp, 48(%0)\n\t"			\
				     "movq %%rsp, 56(%0)\n\t"			\
				     "movq %%r12, 96(%0)\n\t"			\
				     "movq %%r13, 104(%0)\n\t"			\
				     "movq %%r14, 112(%0)\n\t"			\
				     "movq %%r15, 120(%0)\n\t"			\
				     "leaq 0f(%%rip), %%rax\n\t"		\
				     "movq %%rax, 128(%0)\n"			\
				     "0:"					\
				     :: "r"(rt_r_) : "rax", "memory");		\
	} while (0)

/* False: it never ran, or does not stand still (the caller knows that it is not RUNNING). */
bool rt_regs_parked(const struct rt_g *gp, struct rt_regs *regs);
void rt_regs_signal(const ucontext_t *uc, struct rt_regs *regs);

struct rt_frame {
	uintptr_t pc;		/* where it will go on, or stood when a signal came */
	uintptr_t at;		/* inside the instruction that is meant: for lines and inlined calls */
};

/* Return false to end the walk. */
typedef bool (*rt_frame_fn)(const struct rt_frame *f, void *arg);

/**
 * rt_unwind() - calls @fn for each frame of the context @regs, the innermost first
 * @lo, @hi: the stack it must stay on; @hi 0 = not known
 *
 * Context: any thread, signal handlers; takes no lock, allocates nothing, but reads what the unwind
 * tables say: a stack that is broken may fault. Return: false when it left [@lo, @hi] or went in circles.
 */
bool rt_unwind(const struct rt_regs *regs, uintptr_t lo, uintptr_t hi, rt_frame_fn fn, void *arg);

#endif
