/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * gmp_abi.h - the one contract between gmp.ko, libgmprt, the BPF programs and the tools.
 *
 * Everyone includes this file, nobody copies it. It compiles as C11, C++17, kernel C and BPF C.
 *
 * 1. What a thread publishes without the module
 *    struct gmp_tls       one per M, thread-local, found at fsbase + gmp_rt_layout.tls_off
 *    struct gmp_g_head    first member of every G; Gs live in chunks that never move
 *    struct gmp_rt_layout one per process, exported, also found through the ELF note "GMP"
 *
 * 2. What a process shares with the module, after open("/dev/gmp")
 *    GMP_IOC_ATTACH       binds the open file to the calling process
 *    mmap(GMP_MMAP_USER)  read-write: struct gmp_m_user[nr_m], then struct gmp_p_shared[nr_p]
 *    mmap(GMP_MMAP_KERN)  read-only:  struct gmp_m_kern[nr_m]
 *    GMP_IOC_M_REGISTER   binds the calling thread (its task_struct) to one index of these arrays
 *
 * Every field says who writes it: "k:w" the kernel, "u:w" the process; all others only read.
 * The kernel trusts nothing that is u:w: a lying process spoils its own numbers, no more.
 * Times are nanoseconds of CLOCK_MONOTONIC unless the name says otherwise. Reserved fields are zero.
 *
 * Extending: a new command, or new values of an enum. Sizes are exact: a struct whose `size` is not
 * the one of this header is refused with EINVAL, so that old and new never half understand each other.
 */
#ifndef GMP_ABI_H
#define GMP_ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#include <linux/ioctl.h>
#endif

#define GMP_ABI_VERSION		1

/* ---- words ------------------------------------------------------------------------------- */

/* G status: the numbers are Go's. lib/sched/runtime.h says who owns a G in each of them. */
enum gmp_g_status {
	GMP_G_IDLE	= 0,	/* allocated, not yet initialised */
	GMP_G_RUNNABLE	= 1,	/* on exactly one run queue */
	GMP_G_RUNNING	= 2,	/* carried by an M that holds a P */
	GMP_G_SYSCALL	= 3,	/* carried by an M that is in a declared system call */
	GMP_G_WAITING	= 4,	/* parked; see its wait reason */
	GMP_G_DEAD	= 6,	/* unused: on a free list, or just ended */
	GMP_G_COPYSTACK	= 8,	/* never used here: C stacks do not move */
	GMP_G_PREEMPTED	= 9,	/* never used here: who was preempted is RUNNABLE */
};

/* P status: the numbers are Go's. It is the low byte of the P word below. */
enum gmp_p_status {
	GMP_P_IDLE	= 0,
	GMP_P_RUNNING	= 1,
	GMP_P_SYSCALL	= 2,	/* BLOCKED in the drawing below: takeable */
	GMP_P_GCSTOP	= 3,
	GMP_P_DEAD	= 4,
};

/* What an M does. Published in gmp_tls and gmp_m_user; the tools show it where there is no G. */
enum gmp_m_state {
	GMP_M_NONE	= 0,	/* outside the runtime */
	GMP_M_RUNNING	= 1,	/* carries a goroutine */
	GMP_M_SCHED	= 2,	/* on g0: in the scheduler */
	GMP_M_SPINNING	= 3,	/* on g0: looks for work without having found any */
	GMP_M_IDLE	= 4,	/* sleeps without a P */
	GMP_M_NETPOLL	= 5,	/* sleeps in epoll_wait for everyone */
	GMP_M_SYSMON	= 6,	/* the monitor; never has a P */
	GMP_M_LOCKED	= 7,	/* sleeps until its locked goroutine is runnable */
};

/* Why a G waits. X(enumerator, text); texts are Go's where Go has one. */
#define GMP_WAIT_REASONS(X)					\
	X(GMP_WAIT_NONE,		"")			\
	X(GMP_WAIT_CHAN_RECV,		"chan receive")		\
	X(GMP_WAIT_CHAN_SEND,		"chan send")		\
	X(GMP_WAIT_CHAN_RECV_NIL,	"chan receive (nil chan)") \
	X(GMP_WAIT_CHAN_SEND_NIL,	"chan send (nil chan)")	\
	X(GMP_WAIT_SELECT,		"select")		\
	X(GMP_WAIT_SELECT_NONE,		"select (no cases)")	\
	X(GMP_WAIT_IO,			"IO wait")		\
	X(GMP_WAIT_SLEEP,		"sleep")		\
	X(GMP_WAIT_SEMACQUIRE,		"semacquire")		\
	X(GMP_WAIT_MUTEX,		"sync.Mutex.Lock")	\
	X(GMP_WAIT_RWMUTEX_R,		"sync.RWMutex.RLock")	\
	X(GMP_WAIT_RWMUTEX_W,		"sync.RWMutex.Lock")	\
	X(GMP_WAIT_WG,			"sync.WaitGroup.Wait")	\
	X(GMP_WAIT_COND,		"sync.Cond.Wait")	\
	X(GMP_WAIT_ONCE,		"sync.Once.Do")		\
	X(GMP_WAIT_GROUP,		"group limit")		\
	X(GMP_WAIT_TIMER_STOP,		"timer stop")		\
	X(GMP_WAIT_PREEMPTED,		"preempted")		\
	X(GMP_WAIT_STOP_WORLD,		"stopping the world")	\
	X(GMP_WAIT_FILE,		"file IO")		\
	X(GMP_WAIT_PROCESS,		"process wait")		\
	X(GMP_WAIT_LOCKED_M,		"waiting for its thread")

#define GMP_WAIT_ENUM_(e, text)	e,
enum gmp_wait_reason { GMP_WAIT_REASONS(GMP_WAIT_ENUM_) GMP_WAIT_COUNT };
#undef GMP_WAIT_ENUM_

/* Why a task that carried a goroutine left the CPU: field `why` of the tracepoint gmp:gmp_carrier. */
enum gmp_why {
	GMP_WHY_BLOCKED		= 0,	/* went to sleep: system call, page fault, futex */
	GMP_WHY_PREEMPTED	= 1,	/* still runnable: the kernel gave the CPU to another task */
	GMP_WHY_STOPPED		= 2,	/* SIGSTOP, ptrace */
	GMP_WHY_DEAD		= 3,	/* its last switch */
};

/* Why a task is an M no more: field `why` of the tracepoint gmp:gmp_m_detach. */
enum gmp_detach {
	GMP_DETACH_UNREGISTER	= 0,	/* it asked for it, or was registered anew in another group */
	GMP_DETACH_EXEC		= 1,	/* it runs another program */
	GMP_DETACH_EXIT		= 2,	/* it made its last switch */
};

/*
 * What a task waited for when it blocked, as /proc/gmp names it: the class of the system call it is in,
 * or what else made it sleep. X(enumerator, text); new ones come at the end.
 */
#define GMP_CAUSES(X)						\
	X(GMP_CAUSE_OTHER,	"other")	/* on its way back to user code, frozen, exiting */ \
	X(GMP_CAUSE_FAULT,	"fault")	/* page fault of user code */		\
	X(GMP_CAUSE_STOP,	"stop")		/* SIGSTOP, ptrace */			\
	X(GMP_CAUSE_FUTEX,	"futex")	/* futex and its kin */			\
	X(GMP_CAUSE_SLEEP,	"sleep")	/* nanosleep, clock_nanosleep */	\
	X(GMP_CAUSE_POLL,	"poll")		/* poll, select, epoll_wait, io_uring_enter */ \
	X(GMP_CAUSE_READ,	"read")		/* read and its kin, of any kind of file */ \
	X(GMP_CAUSE_WRITE,	"write")	/* write and its kin, likewise */	\
	X(GMP_CAUSE_NET,	"net")		/* accept, connect, send*, recv* */	\
	X(GMP_CAUSE_FILE,	"file")		/* open, stat, fsync, flock, rename, ... */ \
	X(GMP_CAUSE_PROCESS,	"process")	/* wait4, clone, vfork, exit, ... */	\
	X(GMP_CAUSE_MEMORY,	"memory")	/* mmap, munmap, madvise, ... */	\
	X(GMP_CAUSE_IPC,	"ipc")		/* System V and POSIX message queues, semaphores */ \
	X(GMP_CAUSE_SIGNAL,	"signal")	/* pause, sigsuspend, sigtimedwait */	\
	X(GMP_CAUSE_SYSCALL,	"syscall")	/* any other system call */

#define GMP_CAUSE_ENUM_(e, text)	e,
enum gmp_cause { GMP_CAUSES(GMP_CAUSE_ENUM_) GMP_CAUSE_COUNT };
#undef GMP_CAUSE_ENUM_

/* ---- 1. published by every M, with or without the module --------------------------------- */

#define GMP_TLS_MAGIC	0x31534c5450524d47ULL	/* "GMPRTLS1", little endian */

/**
 * struct gmp_tls - what a thread publishes of itself
 * @magic: GMP_TLS_MAGIC once the thread is an M, else 0
 * @tid: init-namespace or container tid as gettid() says: check it
 * @m_id: number of the M, from 0 (m0)
 * @m: address of its struct rt_m
 * @g: address of the running G (struct gmp_g_head first), 0 in the scheduler
 * @goid: goid of that G, 0 in the scheduler
 * @gstatus: enum gmp_g_status of that G as it runs: RUNNING or SYSCALL
 * @mstate: enum gmp_m_state
 * @p: number of the P it holds, -1 without one
 * @switches: goroutines this M has switched to, ever
 * @slot: address of its struct gmp_m_user, for the runtime's own use
 *
 * 64 bytes, 64-byte aligned, thread-local; written only by its own thread, with plain stores.
 */
struct gmp_tls {
	__u64	magic;
	__u32	tid;
	__u32	m_id;
	__u64	m;
	__u64	g;
	__u64	goid;
	__u16	gstatus;
	__u16	mstate;
	__s32	p;
	__u64	switches;
	__u64	slot;
};

/**
 * struct gmp_g_head - what a goroutine publishes of itself
 * @goid: never reused; 1 is the main goroutine; 0 = unused
 * @status: enum gmp_g_status
 * @wait_reason: enum gmp_wait_reason; meaningful only while WAITING
 * @flags: GMP_GF_*
 * @wait_since: when it last stopped running; the runtime's coarse clock (some ms)
 * @start_pc: the function it runs
 * @create_pc: where it was created (return address of the call)
 * @parent: goid of its creator, 0 from outside
 * @runs: times it was switched to
 * @cpu_ns: 0 while nobody asked for per-goroutine accounting
 * @m_id: M that runs it or ran it last, ~0 never
 * @reserved: zero
 * @name: address of a NUL-ended text, or 0
 *
 * First member of every G, at the G's own address. Guarded as lib/sched/runtime.h says.
 */
struct gmp_g_head {
	__u64	goid;
	__u32	status;
	__u16	wait_reason;
	__u16	flags;
	__u64	wait_since;
	__u64	start_pc;
	__u64	create_pc;
	__u64	parent;
	__u64	runs;
	__u64	cpu_ns;
	__u32	m_id;
	__u32	reserved;
	__u64	name;
};

#define GMP_GF_SYSTEM	0x0001	/* belongs to the runtime itself: not counted, not in deadlock checks */
#define GMP_GF_PACKED	0x0002	/* made by GMP_GO(): start_pc has arguments of its own */

#define GMP_LAYOUT_MAGIC	0x3159414c50524d47ULL	/* "GMPRLAY1", little endian */
/* ELF note in .note.gmp; desc: s64 from desc's own address to gmp_rt_layout */
#define GMP_NOTE_NAME		"GMP"
#define GMP_NOTE_TYPE		1

/**
 * struct gmp_rt_layout - where an outside reader finds everything
 * @magic: GMP_LAYOUT_MAGIC
 * @version: GMP_ABI_VERSION
 * @size: sizeof(struct gmp_rt_layout)
 * @ready: u:w 1 while gmp_run() runs
 * @maxprocs: u:w number of Ps
 * @tls_off: struct gmp_tls of a thread: its fsbase + tls_off
 * @g_chunks: address of an array of chunk addresses
 * @g_nchunks: address of a u64: chunks in use; grows only
 * @g_per_chunk: Gs in a chunk
 * @g_size: bytes of a G, which begins with its struct gmp_g_head
 * @g_off_sp: u64 in a G: saved stack pointer of a G that does not run; 0 = never ran
 * @g_off_stack_lo: u64: where its stack begins
 * @g_off_stack_hi: u64: where that ends
 * @g_sp_off_pc: where the resume address lies, from the saved stack pointer
 * @g_sp_off_bp: where the saved rbp lies, from the saved stack pointer
 * @reserved0: zero
 * @allm: address of the pointer to the first struct rt_m
 * @m_off_alllink: in an M: the next one
 * @m_off_id: u32: its number
 * @m_off_tid: u32: its thread
 * @m_off_curg: in an M: the G it carries
 * @m_off_p: in an M: the P it holds
 * @m_off_tls: pointer to its struct gmp_tls
 * @allp: address of the pointer to the array
 * @p_off_id: s32: its number
 * @p_off_word: address of its word (a pointer to u64)
 * @p_off_m: in a P: the M that holds it
 * @p_off_runqhead: u32: where its run queue begins
 * @p_off_runqtail: u32: where that ends
 * @p_off_runnext: the G that is next in line
 * @p_off_schedtick: u64: schedulings so far
 * @p_off_ng: s64: its part of GMP_NOW_GOROUTINES; 0 = there are no parts
 * @globq_len: address of a u64: length of the global run queue
 * @sched_words: address of struct gmp_sched_word[]: enum gmp_sched_now
 * @nr_sched_words: how many of these
 * @p_off_counters: u64[] in a P: enum gmp_sched_counter
 * @nr_p_counters: how many of these
 * @g_acct_size: sizeof(struct gmp_g_acct)
 * @g_acct: address of an array as g_chunks, of chunks of struct gmp_g_acct; or 0
 * @reserved3: zero
 *
 * So that a stripped binary can be read without DWARF. Exported as the data symbol gmp_rt_layout. @tls_off
 * and the addresses are valid once @ready is 1. Offsets are in bytes, of pointers unless it says otherwise;
 * the table of all Gs are chunks that never move, of @g_per_chunk Gs of @g_size bytes.
 */
struct gmp_rt_layout {
	__u64	magic;
	__u32	version;
	__u32	size;
	__u32	ready;
	__u32	maxprocs;
	__s64	tls_off;

	/* the table of all Gs: chunks of g_per_chunk Gs of g_size bytes */
	__u64	g_chunks;
	__u64	g_nchunks;
	__u32	g_per_chunk;
	__u32	g_size;
	__u32	g_off_sp;
	__u32	g_off_stack_lo;
	__u32	g_off_stack_hi;
	__u32	g_sp_off_pc;
	__u32	g_sp_off_bp;
	__u32	reserved0;

	/* all Ms: a list */
	__u64	allm;
	__u32	m_off_alllink;
	__u32	m_off_id;
	__u32	m_off_tid;
	__u32	m_off_curg;
	__u32	m_off_p;
	__u32	m_off_tls;

	/* all Ps: an array of pointers */
	__u64	allp;
	__u32	p_off_id;
	__u32	p_off_word;
	__u32	p_off_m;
	__u32	p_off_runqhead;
	__u32	p_off_runqtail;
	__u32	p_off_runnext;
	__u32	p_off_schedtick;
	__u32	p_off_ng;

	__u64	globq_len;

	/* counters of the scheduler; 0 where there are none */
	__u64	sched_words;
	__u32	nr_sched_words;
	__u32	p_off_counters;
	__u32	nr_p_counters;
	__u32	g_acct_size;
	__u64	g_acct;
	__u64	reserved3[4];
};

/**
 * struct gmp_sched_word - where a number of the scheduler lies
 * @addr: its address
 * @size: 4 or 8 bytes
 * @reserved: zero
 */
struct gmp_sched_word {
	__u64	addr;
	__u32	size;
	__u32	reserved;
};

/* Numbers of the scheduler as of now. X(enumerator, name in /proc/gmp/<tgid>/sched); append only. */
#define GMP_SCHED_NOWS(X)						\
	X(GMP_NOW_PROCS,	"procs")	/* Ps */		\
	X(GMP_NOW_PROCS_IDLE,	"procs_idle")				\
	X(GMP_NOW_THREADS,	"threads")	/* Ms, the monitor not counted */ \
	X(GMP_NOW_THREADS_IDLE,	"threads_idle")				\
	X(GMP_NOW_SPINNING,	"threads_spinning") /* look for work */	\
	X(GMP_NOW_THREADS_MADE,	"threads_created") /* ever */		\
	X(GMP_NOW_SYSCALLS,	"syscalls")	/* declared ones, in progress */ \
	X(GMP_NOW_GOROUTINES,	"goroutines")	/* the Ps' parts, too; not the runtime's own */ \
	X(GMP_NOW_GLOBAL_QUEUE,	"global_queue")

/* Sums over all Ps since gmp_run() began; fields of the runtime's struct rt_p_counters, in this order. */
#define GMP_SCHED_COUNTERS(X)						\
	X(switches,		"switches")	/* goroutines executed */ \
	X(runnext_hits,		"runnext")	/* ... that were next in line, at once */ \
	X(globq_ticks,		"global_ticks")	/* ... from the global queue, every 61st time */ \
	X(globq_batches,	"global_batches") /* times the global queue was drawn on */ \
	X(globq_got,		"global_got")	/* goroutines that came so */ \
	X(overflows,		"overflows")	/* a queue was full: half of it went to the global one */ \
	X(overflow_gs,		"overflowed")	/* goroutines moved so */ \
	X(steals,		"steals")	/* from another P's queue */ \
	X(stolen,		"stolen")	/* goroutines moved so */ \
	X(stolen_runnext,	"stolen_runnext") /* that part of them that was next in line */ \
	X(handoffs,		"handoffs")	/* Ps taken out of system calls */ \
	X(preempts,		"preemptions")				\
	X(spawns,		"spawned")				\
	X(gfree_hits,		"reused_gs")	/* spawned without a lock */ \
	X(stack_hits,		"reused_stacks")			\
	X(parks,		"parks")				\
	X(readies,		"readies")	/* wake-ups from a thread with a P */ \
	X(rescues,		"rescues")	/* goroutines that went on without a P: sysmon.c */

#define GMP_NOW_ENUM_(e, text)		e,
enum gmp_sched_now { GMP_SCHED_NOWS(GMP_NOW_ENUM_) GMP_NOW_COUNT };
#undef GMP_NOW_ENUM_
#define GMP_COUNTER_ENUM_(e, text)	GMP_COUNTER_##e,
enum gmp_sched_counter { GMP_SCHED_COUNTERS(GMP_COUNTER_ENUM_) GMP_COUNTER_COUNT };
#undef GMP_COUNTER_ENUM_

/**
 * struct gmp_g_acct - what a goroutine cost, besides CPU time
 * @blocked_ns: its M asleep while it carried it
 * @runnable_ns: runnable, before it ran
 * @runnable_at: since when; a clock of the runtime's own
 * @carriers: bit n: an M with a number of n, modulo 64, carried it
 *
 * For those who ask for it (GMP_ATTACH_ACCT): one per G, in a table of the same shape as that of the Gs.
 * Written by the M that carries the G; CPU time is gmp_g_head.cpu_ns.
 */
struct gmp_g_acct {
	__u64	blocked_ns;
	__u64	runnable_ns;
	__u64	runnable_at;
	__u64	carriers;
};

/* ---- 2. shared with the module ------------------------------------------------------------ */

#define GMP_DEV_PATH	"/dev/gmp"

#define GMP_MAX_M	10000u	/* as Go's default limit of threads */
#define GMP_MAX_P	1024u

/**
 * struct gmp_m_user - what an M tells the kernel
 * @goid: u:w running goroutine, 0 in the scheduler
 * @gstatus: u:w enum gmp_g_status
 * @mstate: u:w enum gmp_m_state
 * @p: u:w number of its P, -1 none
 * @crit: u:w not 0: between taking and releasing what belongs to its P
 * @switches: u:w goroutines switched to, ever
 * @lost: k:w 1: its P was taken while it was blocked; u:w 0: it knows
 * @reserved0: zero
 * @acct_base: u:w this M's clock (gmp_m_kern.clock_off) when it began; constant
 * @goroutine_ns: u:w CPU time since, up to its last switch: of goroutines,
 * @scheduler_ns: u:w and of the scheduler; charged before `goid` changes
 *
 * One per M, written by its own thread with plain or release stores, never with a system call. The kernel
 * reads it with READ_ONCE when it switches that thread out. The last three are for accounting by
 * goroutine, all zero without.
 */
struct gmp_m_user {
	__u64	goid;
	__u32	gstatus;
	__u32	mstate;
	__s32	p;
	__u32	crit;
	__u64	switches;
	__u32	lost;
	__u32	reserved0;
	__u64	acct_base;
	__u64	goroutine_ns;
	__u64	scheduler_ns;
};

/*
 * The P word: who may run on this P. One u64, changed only by compare and exchange.
 *
 *   bits 0-7   enum gmp_p_status
 *   bits 8-31  number of the M it belongs to, plus one; 0 = none
 *   bits 32-63 sequence, plus one at every block, so that an old SYSCALL(m) is never taken for a new one;
 *              it begins at 1: a word that is all zero says that there is no such P
 *
 *   IDLE          --acquire-->          RUNNING(m)       a scheduler that found work
 *   RUNNING(m)    --release-->          IDLE             the M itself
 *   RUNNING(m)    --enter syscall-->    SYSCALL(m, seq)  the M itself, gmp_syscall_begin()
 *   RUNNING(m)    --block-->            SYSCALL(m, seq)  the kernel, when m goes to sleep (GMP_IOC_HANDOFF)
 *   SYSCALL(m,s)  --return-->           RUNNING(m)       who set it: gmp_syscall_end(), or the kernel
 *                                                        when m is on a CPU again: nothing lost
 *   SYSCALL(m,s)  --take-->             IDLE             a standby M, sysmon: the P moves on
 *   SYSCALL(m,s)  --stop-->             GCSTOP           stop-the-world
 *   RUNNING, IDLE --stop-->             GCSTOP           stop-the-world, or the M itself when asked
 */
#define GMP_P_WORD(status, m_plus_1, seq) \
	((__u64)(status) | ((__u64)(m_plus_1) << 8) | ((__u64)(seq) << 32))
#define GMP_P_WORD_STATUS(w)	((__u32)((w) & 0xff))
#define GMP_P_WORD_M(w)		((__u32)(((w) >> 8) & 0xffffff))	/* number of the M, plus one */
#define GMP_P_WORD_SEQ(w)	((__u32)((w) >> 32))

/**
 * struct gmp_p_shared - what both know of a P
 * @word: k:w u:w by compare and exchange only
 * @runq_head: u:w address of a u32: where its run queue begins, or 0
 * @runq_tail: u:w address of a u32: where it ends; the same number: empty
 * @work: u:w GMP_WORK() words of this P
 * @reserved: zero
 */
struct gmp_p_shared {
	__u64	word;
	__u64	runq_head;
	__u64	runq_tail;
	__u64	work[4];
	__u64	reserved;
};

/*
 * Where the kernel finds out whether somebody would have use for a P: the user address of a counter or
 * pointer that is not 0 when there is work. Read when an M blocks, without faulting; what cannot be
 * read counts as work.
 */
#define GMP_WORK_U32		1ull	/* bit 0 of the address: the word has 32 bits, not 64 */
#define GMP_WORK(addr, bits)	((__u64)(addr) | ((bits) == 32 ? GMP_WORK_U32 : 0))

/**
 * struct gmp_m_kern - what a task did since it was registered
 * @seq: k:w sequence counter
 * @tid: k:w in the pid namespace of the process; 0 = index not in use
 * @attached_ns: k:w when it was registered
 * @oncpu_ns: k:w on a CPU, as of its last switch out; first field of schedstat, so over the task's whole
 *   life, as the next one
 * @runq_ns: k:w runnable but waiting for a CPU; second field of schedstat
 * @blocked_ns: k:w asleep or stopped, summed when it is switched in again
 * @blocked: k:w times it was switched out asleep or stopped
 * @preempted: k:w times it was switched out runnable
 * @woken: k:w times it was switched in after a block
 * @carried: k:w times it was switched out carrying a goroutine
 * @carried_ns: k:w on-CPU time of the stretches that ended so
 * @last_goid: k:w goroutine it carried at its last switch out, 0 none
 * @last_out_ns: k:w when it was last switched out
 * @last_cpu: k:w CPU it last ran on
 * @last_why: k:w enum gmp_why of its last switch out
 * @p_blocked: k:w times its P became takeable because it went to sleep
 * @p_woken: k:w times a standby M was woken for that P
 * @p_lost: k:w times it came back and the P was gone
 * @clock_off: k:w what is to be added; see below
 * @clock_mult: k:w ns per cycle times 2^32; 0: no such clock on this machine
 * @reserved1: zero
 *
 * Read it under @seq: odd or changed = read again.
 *
 * The M's own clock is its on-CPU time, without a system call. With GMP_ATTACH_ACCT, else 0:
 *   now = (rdtsc * clock_mult >> 32) + clock_off	(128-bit product)
 * read by the M itself; @clock_off before and after must be the same, else once more. It stands still while
 * the M is off its CPU and is set anew each time that begins, by what the scheduler booked (@oncpu_ns): so it
 * may then fall back by the few cycles both disagree about.
 */
struct gmp_m_kern {
	__u32	seq;
	__u32	tid;
	__u64	attached_ns;
	__u64	oncpu_ns;
	__u64	runq_ns;
	__u64	blocked_ns;
	__u64	blocked;
	__u64	preempted;
	__u64	woken;
	__u64	carried;
	__u64	carried_ns;
	__u64	last_goid;
	__u64	last_out_ns;
	__u32	last_cpu;
	__u32	last_why;
	__u64	p_blocked;
	__u64	p_woken;
	__u64	p_lost;

	__u64	clock_off;
	__u64	clock_mult;
	__u64	reserved1[14];
};

/*
 * Offsets for mmap(); lengths are what GMP_IOC_ATTACH answers, exactly. Errors: EINVAL another offset or
 * length, or MAP_PRIVATE; EACCES another protection; ENOTCONN not attached; EPERM another process.
 */
#define GMP_MMAP_USER	0x00000000ULL	/* PROT_READ | PROT_WRITE, MAP_SHARED */
#define GMP_MMAP_KERN	0x40000000ULL	/* PROT_READ, MAP_SHARED */

#define GMP_ATTACH_ACCT	0x0001u	/* accounting by goroutine: each M gets its own clock in gmp_m_kern */

/**
 * struct gmp_attach - argument of GMP_IOC_ATTACH
 * @size: u:w sizeof(struct gmp_attach)
 * @flags: u:w GMP_ATTACH_*
 * @nr_m: u:w indexes wanted, 1 .. GMP_MAX_M
 * @nr_p: u:w Ps wanted, 1 .. GMP_MAX_P
 * @tls_off: u:w struct gmp_tls: fsbase + tls_off
 * @layout: u:w address of gmp_rt_layout, or 0
 * @user_len: k:w length of the mapping at GMP_MMAP_USER
 * @kern_len: k:w length of the mapping at GMP_MMAP_KERN
 * @p_off: k:w where struct gmp_p_shared[nr_p] begins in the first
 * @abi_version: k:w GMP_ABI_VERSION of the module
 * @reserved: zero
 *
 * Errors: EINVAL size, flags or a number out of range, or reserved not zero; EBUSY this file or this
 * process is attached already; EPERM the file was opened by another process; EAGAIN a limit on
 * processes or bytes (gmp.4) is reached; ENOMEM; EFAULT; EOPNOTSUPP from a 32-bit program.
 */
struct gmp_attach {
	__u32	size;
	__u32	flags;
	__u32	nr_m;
	__u32	nr_p;
	__s64	tls_off;
	__u64	layout;
	__u64	user_len;
	__u64	kern_len;
	__u64	p_off;
	__u32	abi_version;
	__u32	reserved;
};

/**
 * struct gmp_m_register - argument of GMP_IOC_M_REGISTER
 * @size: u:w sizeof(struct gmp_m_register)
 * @flags: u:w must be zero
 * @slot: u:w 0 .. nr_m - 1
 * @m_id: u:w number shown to readers
 *
 * Binds the calling thread to index @slot until it unregisters, exits or execs.
 * Errors: EINVAL size, flags or slot out of range; ENOTCONN not attached; EBUSY slot in use;
 * EEXIST the thread has a slot; EPERM called from another process; EAGAIN a limit on threads is
 * reached; ENOMEM; EFAULT; EINTR. A slot whose thread is exiting is waited for, a second at most.
 */
struct gmp_m_register {
	__u32	size;
	__u32	flags;
	__u32	slot;
	__u32	m_id;
};

#define GMP_IOC_MAGIC		0xb7
#define GMP_IOC_ATTACH		_IOWR(GMP_IOC_MAGIC, 0x01, struct gmp_attach)
#define GMP_IOC_M_REGISTER	_IOW(GMP_IOC_MAGIC, 0x02, struct gmp_m_register)
/* No argument; unbinds the calling thread. Errors: ENOTCONN not attached; ENOENT it has no slot. */
#define GMP_IOC_M_UNREGISTER	_IO(GMP_IOC_MAGIC, 0x03)

/**
 * struct gmp_handoff - argument of GMP_IOC_HANDOFF
 * @size: u:w sizeof(struct gmp_handoff)
 * @flags: u:w must be zero
 * @text_lo: u:w the runtime's code begins here
 * @text_hi: u:w and ends before this
 * @handler: u:w address of the handler of SIGURG, or 0: no signals
 * @cookie: u:w its si_value; si_code is SI_QUEUE
 * @delay_ns: u:w how long an M must sleep before a standby M is woken, at most 1 s; -1: as the
 *            module's parameter handoff_delay_us says
 * @work: u:w GMP_WORK() words of the process
 *
 * From now on an M that goes to sleep while it carries a goroutine makes its P takeable, unless
 *   - its user mode instruction pointer lies in [@text_lo, @text_hi), the code of the runtime, or
 *   - gmp_m_user.crit is not 0, or
 *   - its signal mask is not that of its registration, or it runs on its alternate stack: then a
 *     signal handler may have interrupted the runtime.
 * An M that finds its P taken gets gmp_m_user.lost = 1 and, where that interrupts nothing, a SIGURG
 * to itself on its way to user mode, if @handler is what handles SIGURG.
 * Errors: EOPNOTSUPP the module's parameter `handoff` is off; EINVAL size, flags, text or delay; ENOTCONN
 * not attached; EBUSY done before; EFAULT.
 */
struct gmp_handoff {
	__u32	size;
	__u32	flags;
	__u64	text_lo;
	__u64	text_hi;
	__u64	handler;
	__u64	cookie;
	__s64	delay_ns;
	__u64	work[4];
};

/**
 * struct gmp_standby - argument of GMP_IOC_STANDBY
 * @size: u:w sizeof(struct gmp_standby)
 * @flags: u:w must be zero
 * @timeout_ns: u:w how long at most; < 0 without limit
 * @p: k:w number of the P
 * @reserved: zero
 *
 * The calling M, which is registered and has no P, sleeps until another one's P is worth taking.
 * Returns 0 with @p set: that P was SYSCALL a moment ago, the caller tries to take it; 1: kicked.
 * Errors: EINVAL size or flags; ENOENT the thread has no slot; EINTR; ETIMEDOUT; ENOTCONN; EFAULT.
 */
struct gmp_standby {
	__u32	size;
	__u32	flags;
	__s64	timeout_ns;
	__u32	p;
	__u32	reserved;
};

#define GMP_IOC_HANDOFF		_IOW(GMP_IOC_MAGIC, 0x04, struct gmp_handoff)
#define GMP_IOC_STANDBY		_IOWR(GMP_IOC_MAGIC, 0x05, struct gmp_standby)
/*
 * The argument is a slot: its M returns from GMP_IOC_STANDBY, now or the next time it calls it.
 * Errors: ENOTCONN; ENOENT nobody has the slot.
 */
#define GMP_IOC_KICK		_IO(GMP_IOC_MAGIC, 0x06)
/*
 * The argument is a slot: its M gets the SIGURG of struct gmp_handoff on its way to user mode, at once
 * when it is there. Unlike one sent with tgkill() it interrupts no system call: where it would, there
 * is none. Errors: ENOTCONN; ENOENT nobody has the slot.
 */
#define GMP_IOC_PREEMPT		_IO(GMP_IOC_MAGIC, 0x07)

/* ---- layout checks ------------------------------------------------------------------------ */

#if defined(__cplusplus)
#define GMP_ABI_ASSERT(c)	static_assert(c, #c)
#else
#define GMP_ABI_ASSERT(c)	_Static_assert(c, #c)
#endif
GMP_ABI_ASSERT(sizeof(struct gmp_tls) == 64);
GMP_ABI_ASSERT(sizeof(struct gmp_g_head) == 80);
GMP_ABI_ASSERT(sizeof(struct gmp_g_acct) == 32);
GMP_ABI_ASSERT(sizeof(struct gmp_sched_word) == 16);
GMP_ABI_ASSERT(sizeof(struct gmp_rt_layout) == 224);
GMP_ABI_ASSERT(sizeof(struct gmp_m_user) == 64);
GMP_ABI_ASSERT(sizeof(struct gmp_p_shared) == 64);
GMP_ABI_ASSERT(sizeof(struct gmp_m_kern) == 256);
GMP_ABI_ASSERT(sizeof(struct gmp_attach) == 64);
GMP_ABI_ASSERT(sizeof(struct gmp_m_register) == 16);
GMP_ABI_ASSERT(sizeof(struct gmp_handoff) == 80);
GMP_ABI_ASSERT(sizeof(struct gmp_standby) == 24);
#undef GMP_ABI_ASSERT

#endif /* GMP_ABI_H */
