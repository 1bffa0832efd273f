/* SPDX-License-Identifier: MIT */
/* eh.c - see eh.h. */
#include "sched/eh.h"

extern struct rt_eh *__cxa_get_globals(void) __attribute__((weak));

struct rt_eh *rt_eh_here(void)
{
	return __cxa_get_globals ? __cxa_get_globals() : NULL;
}
