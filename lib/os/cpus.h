/* SPDX-License-Identifier: MIT */
/* cpus.h - how many CPUs this process may use. */
#ifndef RT_CPUS_H
#define RT_CPUS_H

#include "base/compiler.h"

/* Where the hierarchies of cgroups can be seen: `root` of one is mounted at `at`; at[0] == 0: nowhere. */
struct rt_cpus {
	struct rt_cpus_mount {
		char root[1024], at[1024];
	} v1, v2;
};

/* Looks the mounts up. Context: any thread; some milliseconds where there are thousands of mounts. */
void rt_cpus_find(struct rt_cpus *c);

/**
 * rt_cpus_allowed() - the least of the affinity mask and of the cgroup's CPU quota, at least 1
 *
 * The mask is that of the calling thread; a quota of 1.5 CPUs counts as 2. Cheap enough to be asked
 * once a second: a few dozen system calls, no allocation. Context: any thread, no lock held.
 */
uint32_t rt_cpus_allowed(const struct rt_cpus *c);

/* The quota alone, ~0u = none. */
uint32_t rt_cpus_quota(const struct rt_cpus *c);

/* Put before every path that is read; "" but in tests, which have a root of their own. */
extern const char *rt_cpus_root;

#endif
