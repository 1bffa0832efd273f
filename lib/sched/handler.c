/* SPDX-License-Identifier: MIT */
/*
 * handler.c - see handler.h. Which stack is this?
 *
 * Off the goroutine's stack there may be code that the program switched to by itself (its own coroutines):
 * that may park, as ever. The kernel knows its alternate stack; it does not tell of one with SS_AUTODISARM,
 * where a next signal does no harm.
 */
#include "sched/handler.h"

#include "os/futex.h"

static bool on_alternate_stack(void)
{
	stack_t now = { 0 };

	return rt_syscall6(SYS_sigaltstack, 0, (long)&now, 0, 0, 0, 0) == 0 && (now.ss_flags & SS_ONSTACK);
}

void rt_in_handler(const char *call)
{
	if (on_alternate_stack())
		rt_throw_call(call, "called in a signal handler");
}
