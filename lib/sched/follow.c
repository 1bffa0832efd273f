/* SPDX-License-Identifier: MIT */
/*
 * follow.c - the number of Ps follows the CPUs that the process may use.
 *
 * Unless somebody chose a number (GMP_MAXPROCS, gmp_maxprocs()), it is what affinity and cgroup quota
 * allow (os/cpus.c), and changes with them. sysmon looks once a second, while it is awake: with
 * nothing running nothing can be too many. It holds no P and cannot stop the world; a goroutine of the
 * runtime does. (Go 1.25 keeps that one parked; one is made here when it is wanted, which is
 * hardly ever.)
 *
 * The affinity looked at is sysmon's own: a program pins its threads, and those it was cloned from, but
 * hardly this one, so what changes this one meant the process (taskset -a, a cpuset).
 *
 * Ordering: MO-12, drawn at fix_procs() in world.c.
 */
#include "os/cpus.h"
#include "sched/sched.h"

#define LOOK_NS		1000000000ull

static struct rt_cpus cpus;	/* sysmon only */
static uint64_t next_look;	/* sysmon only */
static uint32_t wanted;		/* atomic: written before, read by the follower */

static void follower(void *arg)
{
	(void)arg;
	/* No memory for more Ps: as many as there are will do; the next look tries again. */
	rt_world_set_procs(rt_load_acq(&wanted), true);
	rt_store_rel(&rt_sched.procs_update, 0);	/* MO-12 */
}

static void start_follower(uint32_t n)
{
	rt_store_rel(&wanted, n);
	rt_store_rlx(&rt_sched.procs_update, 1);
	rt_smp_mb();					/* MO-12 */
	if (rt_load_rlx(&rt_sched.procs_fixed) || rt_spawn_system(follower, NULL) < 0)
		rt_store_rel(&rt_sched.procs_update, 0);
}

void rt_follow_init(uint64_t now)
{
	next_look = now + LOOK_NS;
	if (!rt_load_rlx(&rt_sched.procs_fixed))
		rt_cpus_find(&cpus);
}

void rt_follow_cpus(uint64_t now)
{
	uint32_t n;

	if (likely(now < next_look) || rt_load_rlx(&rt_sched.procs_fixed) ||
	    rt_load_acq(&rt_sched.procs_update))
		return;
	next_look = now + LOOK_NS;
	n = rt_cpus_allowed(&cpus);
	if (n > RT_MAX_P)
		n = RT_MAX_P;
	if (n != rt_load_rlx(&rt_sched.maxprocs))
		start_follower(n);
}
