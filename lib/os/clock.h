/* SPDX-License-Identifier: MIT */
/* clock.h - CLOCK_MONOTONIC in nanoseconds. */
#ifndef RT_CLOCK_H
#define RT_CLOCK_H

#include <time.h>

#include "base/compiler.h"

static inline uint64_t rt_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);	/* vDSO: 22 ns */
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#endif
