/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h - the tracepoints gmp:*, for bpftrace, perf and trace-cmd.
 *
 * Fired under the run queue lock: a probe does not sleep and does not fault.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM gmp

#if !defined(GMP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define GMP_TRACE_H

#include <linux/tracepoint.h>
#include <gmp_abi.h>

TRACE_DEFINE_ENUM(GMP_WHY_BLOCKED);
TRACE_DEFINE_ENUM(GMP_WHY_PREEMPTED);
TRACE_DEFINE_ENUM(GMP_WHY_STOPPED);
TRACE_DEFINE_ENUM(GMP_WHY_DEAD);

/**
 * gmp_carrier - a task that carries a goroutine leaves the CPU
 * @tgid: process, as the initial pid namespace numbers it
 * @tid: thread, likewise
 * @m: number of the M, as it was registered
 * @p: number of its P, -1 without one; written by user space
 * @goid: the goroutine it carries, never 0; written by user space
 * @why: enum gmp_why
 * @oncpu_ns: how long it ran, since it was switched in or registered
 */
TRACE_EVENT(gmp_carrier,

	TP_PROTO(pid_t tgid, pid_t tid, u32 m, s32 p, u64 goid, u32 why, u64 oncpu_ns),

	TP_ARGS(tgid, tid, m, p, goid, why, oncpu_ns),

	TP_STRUCT__entry(
		__field(pid_t,	tgid)
		__field(pid_t,	tid)
		__field(u32,	m)
		__field(s32,	p)
		__field(u64,	goid)
		__field(u64,	oncpu_ns)
		__field(u32,	why)
	),

	TP_fast_assign(
		__entry->tgid = tgid;
		__entry->tid = tid;
		__entry->m = m;
		__entry->p = p;
		__entry->goid = goid;
		__entry->oncpu_ns = oncpu_ns;
		__entry->why = why;
	),

	TP_printk("tgid=%d tid=%d m=%u p=%d goid=%llu why=%s oncpu_ns=%llu",
		  __entry->tgid, __entry->tid, __entry->m, __entry->p, __entry->goid,
		  __print_symbolic(__entry->why,
				   { GMP_WHY_BLOCKED,	"blocked" },
				   { GMP_WHY_PREEMPTED,	"preempted" },
				   { GMP_WHY_STOPPED,	"stopped" },
				   { GMP_WHY_DEAD,	"dead" }),
		  __entry->oncpu_ns)
);

#endif /* GMP_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
