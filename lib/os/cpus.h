/* SPDX-License-Identifier: MIT */
/* cpus.h - how many CPUs this process may use. */
#ifndef RT_CPUS_H
#define RT_CPUS_H

#include "base/compiler.h"

/* The least of the affinity mask and the cgroup's CPU quota (v1, v2; rounded up), at least 1. */
uint32_t rt_cpus_allowed(void);

#endif
