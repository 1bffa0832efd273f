/* SPDX-License-Identifier: MIT */
/* duration.h - what timer.c and ticker.c share: when "in @ns" is, and who may set timers. */
#ifndef RT_DURATION_H
#define RT_DURATION_H

#include "sched/sched.h"

/* Absolute time of what is to happen in @ns, or up to a microsecond later; never earlier. Saturates. */
uint64_t rt_from_now(int64_t ns);

/* Somebody will run the timers, and goes on to until rt_time_leave(). */
static inline bool rt_time_enter(void)
{
	return likely(rt_getm() != NULL) || rt_ext_enter();
}

static inline void rt_time_leave(void)
{
	if (unlikely(!rt_getm()))
		rt_ext_leave();
}

#endif
