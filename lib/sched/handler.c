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

/* Of this thread: the page that was found not to be. Coroutines of the program's that park often ask once. */
static __thread uintptr_t harmless __attribute__((tls_model("initial-exec")));

bool rt_on_alternate_stack(void)
{
	uintptr_t page = (uintptr_t)__builtin_frame_address(0) >> 12;
	stack_t now = { 0 };

	if (page == harmless)
		return false;
	if (rt_syscall6(SYS_sigaltstack, 0, (long)&now, 0, 0, 0, 0) == 0 && (now.ss_flags & SS_ONSTACK))
		return true;
	harmless = page;
	return false;
}

void rt_in_handler(const char *call)
{
	if (rt_on_alternate_stack())
		rt_throw_call(call, "called in a signal handler");
	if (rt_load_rlx(&rt_getm()->slot->crit))
		rt_throw_call(call, "called inside the runtime (in a signal handler?)");
}
