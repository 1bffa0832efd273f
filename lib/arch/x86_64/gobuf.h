/* SPDX-License-Identifier: MIT */
/*
 * gobuf.h - what a stopped context is, on x86-64.
 *
 * The whole context lies on its own stack; a saved stack pointer names it. From that pointer up:
 * r15 r14 r13 r12 rbx rbp pc. The MXCSR and x87 control words belong to the M, not to the G:
 * saving them would double the cost of a switch (Documentation/design.rst, "Floating point").
 */
#ifndef RT_GOBUF_H
#define RT_GOBUF_H

#include "base/compiler.h"

#define RT_SP_OFF_BP	40
#define RT_SP_OFF_PC	48

/*
 * For a function that switches and then returns to its caller: returns by an indirect jump. The return
 * stack of the CPU knows the callers of the goroutine that ran before, so a ret there is mispredicted
 * each time (7 ns); the branch predictor learns the jump. Who calls such a function calls it last, or
 * has the same problem; on paths that do not switch a ret is better. The thunk is in switch.S.
 */
#if defined(__x86_64__) && defined(__has_attribute) && !defined(__CET__)
#if __has_attribute(function_return)
#define RT_RETURN_BY_JUMP	__attribute__((function_return("thunk-extern")))
#endif
#endif
#ifndef RT_RETURN_BY_JUMP
#define RT_RETURN_BY_JUMP
#endif

/**
 * rt_switch() - save this context in *@save, go on with the one at @to
 * Returns when somebody switches back to *@save, possibly on another thread: nothing thread-local
 * that was read before is valid after.
 */
void rt_switch(void **save, void *to);

/* Go on with the context at @to; the present one is lost. */
_Noreturn void rt_jump(void *to);

/* Leave the present stack for an empty one that ends at @hi, and run rt_g_main() there. */
_Noreturn void rt_start_on(uintptr_t hi);

/* A context at the top of the empty stack that ends at @hi which will run rt_g_main(). */
static inline void *rt_prepare(uintptr_t hi)
{
	extern void rt_g_entry(void);
	uintptr_t *sp = (uintptr_t *)hi - 8;	/* after seven pops: 8 modulo 16 */

	sp[0] = sp[1] = sp[2] = sp[3] = sp[4] = sp[5] = 0;
	sp[6] = (uintptr_t)rt_g_entry;
	sp[7] = 0;
	return sp;
}

#endif
