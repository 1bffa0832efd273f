/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h - the tracepoints gmp:*, for bpftrace, perf and trace-cmd.
 *
 * Most are fired under the run queue lock: a probe does not sleep and does not fault. Each has a line
 * for bpftrace in Documentation/man/gmp.4; a test runs them all.
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
TRACE_DEFINE_ENUM(GMP_DETACH_UNREGISTER);
TRACE_DEFINE_ENUM(GMP_DETACH_EXEC);
TRACE_DEFINE_ENUM(GMP_DETACH_EXIT);

/**
 * gmp_m_attach - a task is an M from now on
 * @tgid: process, as the initial pid namespace numbers it
 * @tid: thread, likewise
 * @m: number of the M, as it was registered
 * @slot: its index in the shared memory
 *
 * Fired by the task itself.
 */
TRACE_EVENT(gmp_m_attach,

	TP_PROTO(pid_t tgid, pid_t tid, u32 m, u32 slot),

	TP_ARGS(tgid, tid, m, slot),

	TP_STRUCT__entry(
		__field(pid_t,	tgid)
		__field(pid_t,	tid)
		__field(u32,	m)
		__field(u32,	slot)
	),

	TP_fast_assign(
		__entry->tgid = tgid;
		__entry->tid = tid;
		__entry->m = m;
		__entry->slot = slot;
	),

	TP_printk("tgid=%d tid=%d m=%u slot=%u", __entry->tgid, __entry->tid, __entry->m,
		  __entry->slot)
);

/**
 * gmp_m_detach - a task is an M no more
 * @tgid: process, as the initial pid namespace numbers it
 * @tid: thread, likewise
 * @m: number of the M, as it was registered
 * @slot: its index in the shared memory
 * @why: enum gmp_detach
 * @lived_ns: how long it was one
 *
 * Fired by the task itself; one that exits does so in its last switch, after its last gmp_carrier.
 */
TRACE_EVENT(gmp_m_detach,

	TP_PROTO(pid_t tgid, pid_t tid, u32 m, u32 slot, u32 why, u64 lived_ns),

	TP_ARGS(tgid, tid, m, slot, why, lived_ns),

	TP_STRUCT__entry(
		__field(pid_t,	tgid)
		__field(pid_t,	tid)
		__field(u32,	m)
		__field(u32,	slot)
		__field(u64,	lived_ns)
		__field(u32,	why)
	),

	TP_fast_assign(
		__entry->tgid = tgid;
		__entry->tid = tid;
		__entry->m = m;
		__entry->slot = slot;
		__entry->lived_ns = lived_ns;
		__entry->why = why;
	),

	TP_printk("tgid=%d tid=%d m=%u slot=%u why=%s lived_ns=%llu",
		  __entry->tgid, __entry->tid, __entry->m, __entry->slot,
		  __print_symbolic(__entry->why,
				   { GMP_DETACH_UNREGISTER,	"unregister" },
				   { GMP_DETACH_EXEC,		"exec" },
				   { GMP_DETACH_EXIT,		"exit" }),
		  __entry->lived_ns)
);

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

/**
 * gmp_block - an M went to sleep, and its P may be taken
 * @m: number of the M
 * @p: number of the P
 * @goid: the goroutine it carries; written by user space
 * @tgid: process, as the initial pid namespace numbers it
 */
TRACE_EVENT(gmp_block,

	TP_PROTO(pid_t tgid, u32 m, u32 p, u64 goid),

	TP_ARGS(tgid, m, p, goid),

	TP_STRUCT__entry(
		__field(u32,	m)
		__field(u32,	p)
		__field(u64,	goid)
		__field(pid_t,	tgid)
	),

	TP_fast_assign(
		__entry->m = m;
		__entry->p = p;
		__entry->goid = goid;
		__entry->tgid = tgid;
	),

	TP_printk("m=%u p=%u goid=%llu tgid=%d", __entry->m, __entry->p, __entry->goid, __entry->tgid)
);

/**
 * gmp_handoff - a standby M is woken to take the P of an M that sleeps
 * @m: number of the M that sleeps
 * @to: number of the standby M
 * @p: number of the P
 * @tgid: process, as the initial pid namespace numbers it
 */
TRACE_EVENT(gmp_handoff,

	TP_PROTO(pid_t tgid, u32 m, u32 to, u32 p),

	TP_ARGS(tgid, m, to, p),

	TP_STRUCT__entry(
		__field(u32,	m)
		__field(u32,	to)
		__field(u32,	p)
		__field(pid_t,	tgid)
	),

	TP_fast_assign(
		__entry->m = m;
		__entry->to = to;
		__entry->p = p;
		__entry->tgid = tgid;
	),

	TP_printk("m=%u to=%u p=%u tgid=%d", __entry->m, __entry->to, __entry->p, __entry->tgid)
);

/**
 * gmp_preempt - the runtime wants an M to come to a scheduling point
 * @m: number of the M
 * @goid: the goroutine it carries; written by user space
 * @tgid: process, as the initial pid namespace numbers it
 */
TRACE_EVENT(gmp_preempt,

	TP_PROTO(pid_t tgid, u32 m, u64 goid),

	TP_ARGS(tgid, m, goid),

	TP_STRUCT__entry(
		__field(u32,	m)
		__field(u64,	goid)
		__field(pid_t,	tgid)
	),

	TP_fast_assign(
		__entry->m = m;
		__entry->goid = goid;
		__entry->tgid = tgid;
	),

	TP_printk("m=%u goid=%llu tgid=%d", __entry->m, __entry->goid, __entry->tgid)
);

/**
 * gmp_return - an M that went to sleep is on a CPU again
 * @m: number of the M
 * @p: number of the P it had
 * @lost: 1: somebody took it meanwhile
 * @tgid: process, as the initial pid namespace numbers it
 */
TRACE_EVENT(gmp_return,

	TP_PROTO(pid_t tgid, u32 m, u32 p, u32 lost),

	TP_ARGS(tgid, m, p, lost),

	TP_STRUCT__entry(
		__field(u32,	m)
		__field(u32,	p)
		__field(u32,	lost)
		__field(pid_t,	tgid)
	),

	TP_fast_assign(
		__entry->m = m;
		__entry->p = p;
		__entry->lost = lost;
		__entry->tgid = tgid;
	),

	TP_printk("m=%u p=%u lost=%u tgid=%d", __entry->m, __entry->p, __entry->lost, __entry->tgid)
);

#endif /* GMP_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
