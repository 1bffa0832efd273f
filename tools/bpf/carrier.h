/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * carrier.h - what carrier.bpf.c and its loader (tools/common/carrier.c) share.
 *
 * Ids are those of the reader's pid namespace; times are nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef CARRIER_H
#define CARRIER_H

#include "gmp_abi.h"

#define CARRIER_MAX_PROCS	1024
#define CARRIER_MAX_TASKS	16384

/* A process to watch. Map procs, key: tgid. Written by the loader. */
struct carrier_proc {
	__s64 tls_off;		/* struct gmp_tls of a thread: its fsbase + tls_off */
	__u64 since_ns;		/* when it was put into the map */
};

/*
 * What sched_switch has seen of a task. Map stats, key: its number in the initial pid namespace, the
 * only one it keeps to its end. Written under the run queue lock of the CPU it leaves or enters, so
 * never by two at once.
 */
struct carrier_stat {
	__u64 in_ns;		/* when it was switched in, 0 = it is off the CPU */
	__u64 oncpu_ns;		/* sum of the stretches that have ended */
	__u64 carried_ns;	/* the part of it that ended with a goroutine */
	__u64 blocked;		/* times switched out asleep or stopped */
	__u64 preempted;	/* times switched out runnable */
	__u64 carried;		/* times switched out with a goroutine */
	__u64 last_goid;	/* at its last switch out: goroutine, 0 none ... */
	__s32 last_p;		/* ... number of its P, -1 none ... */
	__u16 last_gstatus;	/* ... enum gmp_g_status ... */
	__u16 last_mstate;	/* ... enum gmp_m_state ... */
	__u32 last_why;		/* ... enum gmp_why ... */
	__u32 last_cpu;		/* ... and the CPU it left */
};

/* One M, as the iterator finds it. */
struct carrier_row {
	__u64 now_ns;		/* when that was */
	__u64 oncpu_ns;		/* since the process is watched, the stretch that runs included */
	__u32 tgid;
	__u32 tid;
	__u32 cpu;		/* it is on, or was last on */
	__u32 seen;		/* sched_switch has seen it: stat is not all zero */
	struct gmp_tls tls;
	struct carrier_stat stat;
};

/* What was lost. Always shown: a number that hides what it did not count is worth nothing. */
struct carrier_lost {
	__u64 dropped;		/* switches not counted: the map of tasks is full */
	__u64 unread;		/* TLS blocks that could not be read (page not there) at a switch */
	__u64 rows;		/* Ms the iterator could not read */
};

#endif
