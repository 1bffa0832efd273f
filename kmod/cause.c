// SPDX-License-Identifier: GPL-2.0-only
/*
 * cause.c - why a task blocks, how often and how long: by system call class, and in powers of two.
 *
 * Owns:       the table of system calls; struct gmp_tally and what may be done to it; the sums per CPU.
 * Invariants: every block has exactly one cause, decided when the task is switched out: the sum of n[]
 *             is gmp_m_kern.blocked, the sum of ns[] its blocked_ns, the sum of slept[] its woken.
 * Locks:      none; the callers' (account.c).
 *
 * What a task is doing is in the registers it left user code with: the system call entry stores the
 * number in orig_ax, every exception stores -1 there. Nothing is hooked and nobody else pays.
 *
 *   stopped                                 stop     whatever it was doing before
 *   exiting or dumping core                 other    but exit() itself: process
 *   orig_ax >= 0                            the class of the call; a page fault of the kernel within
 *                                           it (copying to the caller's memory) is the call's
 *   orig_ax < 0, interruptible + freezable  other    on the way back to user code: the freezer, and
 *     or frozen                                      waits of this module in task_work
 *   orig_ax < 0                             fault    all other exceptions end in a signal
 *
 * Considered and not taken: the tracepoints exceptions:page_fault_*, which every fault of every
 * process would pay and which have no end; task->in_user_fault, which kernels without
 * CONFIG_MEMCG_V1 do not have and which is not yet set while the fault waits for mmap_lock; the raw
 * system call number as the key (some 450 counters for each thread).
 */
#include <linux/nospec.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <asm/syscall.h>
#include <asm/unistd.h>

#include "internal.h"

static DEFINE_PER_CPU(struct gmp_causes, cause_totals);

/* ---- system calls ---------------------------------------------------------------------------- */

#define CALL(name, class)	[__NR_##name] = GMP_CAUSE_##class

/* The numbers of 64-bit programs. What is not here, or newer than this table, is "syscall". */
static const u8 class_of[] = {
	CALL(futex, FUTEX), CALL(futex_waitv, FUTEX),
#ifdef __NR_futex_wait		/* 6.7 */
	CALL(futex_wait, FUTEX), CALL(futex_requeue, FUTEX), CALL(futex_wake, FUTEX),
#endif
	CALL(nanosleep, SLEEP), CALL(clock_nanosleep, SLEEP),

	CALL(poll, POLL), CALL(ppoll, POLL), CALL(select, POLL), CALL(pselect6, POLL),
	CALL(epoll_wait, POLL), CALL(epoll_pwait, POLL), CALL(epoll_pwait2, POLL),
	CALL(io_getevents, POLL), CALL(io_pgetevents, POLL), CALL(io_uring_enter, POLL),

	CALL(read, READ), CALL(pread64, READ), CALL(readv, READ), CALL(preadv, READ),
	CALL(preadv2, READ), CALL(readahead, READ), CALL(getdents, READ), CALL(getdents64, READ),
	CALL(getrandom, READ),

	CALL(write, WRITE), CALL(pwrite64, WRITE), CALL(writev, WRITE), CALL(pwritev, WRITE),
	CALL(pwritev2, WRITE), CALL(sendfile, WRITE), CALL(splice, WRITE), CALL(vmsplice, WRITE),
	CALL(tee, WRITE), CALL(copy_file_range, WRITE),

	CALL(accept, NET), CALL(accept4, NET), CALL(connect, NET), CALL(sendto, NET),
	CALL(sendmsg, NET), CALL(sendmmsg, NET), CALL(recvfrom, NET), CALL(recvmsg, NET),
	CALL(recvmmsg, NET), CALL(shutdown, NET), CALL(bind, NET), CALL(listen, NET),

	CALL(open, FILE), CALL(openat, FILE), CALL(openat2, FILE), CALL(creat, FILE),
	CALL(close, FILE), CALL(close_range, FILE), CALL(stat, FILE), CALL(fstat, FILE),
	CALL(lstat, FILE), CALL(newfstatat, FILE), CALL(statx, FILE), CALL(statfs, FILE),
	CALL(fstatfs, FILE), CALL(access, FILE), CALL(faccessat, FILE), CALL(faccessat2, FILE),
	CALL(readlink, FILE), CALL(readlinkat, FILE), CALL(fsync, FILE), CALL(fdatasync, FILE),
	CALL(sync, FILE), CALL(syncfs, FILE), CALL(sync_file_range, FILE), CALL(flock, FILE),
	CALL(fcntl, FILE), CALL(truncate, FILE), CALL(ftruncate, FILE), CALL(fallocate, FILE),
	CALL(rename, FILE), CALL(renameat, FILE), CALL(renameat2, FILE), CALL(unlink, FILE),
	CALL(unlinkat, FILE), CALL(link, FILE), CALL(linkat, FILE), CALL(symlink, FILE),
	CALL(symlinkat, FILE), CALL(mkdir, FILE), CALL(mkdirat, FILE), CALL(rmdir, FILE),
	CALL(chmod, FILE), CALL(fchmod, FILE), CALL(fchmodat, FILE), CALL(chown, FILE),
	CALL(fchown, FILE), CALL(lchown, FILE), CALL(fchownat, FILE), CALL(utimensat, FILE),
	CALL(setxattr, FILE), CALL(fsetxattr, FILE), CALL(getxattr, FILE), CALL(fgetxattr, FILE),
	CALL(mount, FILE), CALL(umount2, FILE),

	CALL(wait4, PROCESS), CALL(waitid, PROCESS), CALL(clone, PROCESS), CALL(clone3, PROCESS),
	CALL(fork, PROCESS), CALL(vfork, PROCESS), CALL(execve, PROCESS), CALL(execveat, PROCESS),
	CALL(exit, PROCESS), CALL(exit_group, PROCESS), CALL(ptrace, PROCESS), CALL(unshare, PROCESS),

	CALL(mmap, MEMORY), CALL(munmap, MEMORY), CALL(mremap, MEMORY), CALL(mprotect, MEMORY),
	CALL(madvise, MEMORY), CALL(process_madvise, MEMORY), CALL(brk, MEMORY), CALL(mlock, MEMORY),
	CALL(mlock2, MEMORY), CALL(munlock, MEMORY), CALL(mlockall, MEMORY), CALL(msync, MEMORY),
	CALL(mincore, MEMORY), CALL(mbind, MEMORY), CALL(membarrier, MEMORY),
	CALL(process_vm_readv, MEMORY), CALL(process_vm_writev, MEMORY),

	CALL(semop, IPC), CALL(semtimedop, IPC), CALL(msgrcv, IPC), CALL(msgsnd, IPC),
	CALL(mq_timedreceive, IPC), CALL(mq_timedsend, IPC), CALL(mq_open, IPC),

	CALL(pause, SIGNAL), CALL(rt_sigsuspend, SIGNAL), CALL(rt_sigtimedwait, SIGNAL),
};

/*
 * A 32-bit call (int $0x80) has another numbering, an x32 one a number that is out of range. Masked, for
 * the class is an index in its turn: the number is any the program chose.
 */
static enum gmp_cause class_of_call(unsigned int nr)
{
	enum gmp_cause class = GMP_CAUSE_OTHER;

	if (nr < ARRAY_SIZE(class_of) && !in_ia32_syscall())
		class = class_of[array_index_nospec(nr, ARRAY_SIZE(class_of))];
	return class == GMP_CAUSE_OTHER ? GMP_CAUSE_SYSCALL : class;
}

/* ---- causes ------------------------------------------------------------------------------------ */

static bool is_leaving_kernel(unsigned int state)
{
	const unsigned int park = TASK_INTERRUPTIBLE | TASK_FREEZABLE;

	return (state & TASK_FROZEN) || (state & park) == park;
}

/**
 * gmp_cause_now() - why the calling task blocks
 * @why: GMP_WHY_BLOCKED or GMP_WHY_STOPPED
 *
 * Context: sched_out: run queue lock held, interrupts off.
 */
enum gmp_cause gmp_cause_now(enum gmp_why why)
{
	int nr = syscall_get_nr(current, task_pt_regs(current));

	if (why == GMP_WHY_STOPPED)
		return GMP_CAUSE_STOP;
	if (nr == __NR_exit || nr == __NR_exit_group)
		return class_of_call(nr);
	if (current->flags & (PF_EXITING | PF_POSTCOREDUMP | PF_DUMPCORE))
		return GMP_CAUSE_OTHER;
	if (nr >= 0)
		return class_of_call(nr);
	return is_leaving_kernel(READ_ONCE(current->__state)) ? GMP_CAUSE_OTHER : GMP_CAUSE_FAULT;
}

#define CAUSE_NAME(e, text)	[e] = text,
static const char * const cause_names[] = { GMP_CAUSES(CAUSE_NAME) };
#undef CAUSE_NAME

/**
 * gmp_cause_name() - a cause as the files in /proc/gmp name it
 * @cause: below GMP_CAUSE_COUNT
 */
const char *gmp_cause_name(enum gmp_cause cause)
{
	return cause_names[cause];
}

/* ---- tallies ------------------------------------------------------------------------------------- */

static unsigned int bucket_of(u64 ns)
{
	return min_t(unsigned int, fls64(ns >> (GMP_HIST_SHIFT + 1)), GMP_HIST_BUCKETS - 1);
}

/**
 * gmp_hist_from() - the shortest time that falls into a bucket
 * @bucket: below GMP_HIST_BUCKETS
 */
u64 gmp_hist_from(unsigned int bucket)
{
	return bucket ? BIT_ULL(GMP_HIST_SHIFT + bucket) : 0;
}

/* One writer at a time, others read under the sequence counter: whole words. */
static void add_to(u64 *word, u64 n)
{
	WRITE_ONCE(*word, *word + n);
}

/**
 * gmp_tally_blocked() - the calling task blocks
 * @t: its tally
 * @cause: from gmp_cause_now()
 *
 * Context: sched_out, within kern_begin() and kern_end(); as the next two in sched_in.
 */
void gmp_tally_blocked(struct gmp_tally *t, enum gmp_cause cause)
{
	add_to(&t->n[cause], 1);
	this_cpu_inc(cause_totals.n[cause]);
}

/**
 * gmp_tally_slept() - the block of the calling task is over
 * @t: its tally
 * @cause: what gmp_cause_now() said when it began
 * @ns: how long it took
 */
void gmp_tally_slept(struct gmp_tally *t, enum gmp_cause cause, u64 ns)
{
	add_to(&t->ns[cause], ns);
	add_to(&t->slept[bucket_of(ns)], 1);
	this_cpu_add(cause_totals.ns[cause], ns);
}

/**
 * gmp_tally_waited() - the calling task got a CPU
 * @t: its tally
 * @ns: how long it was runnable without one
 */
void gmp_tally_waited(struct gmp_tally *t, u64 ns)
{
	add_to(&t->waited[bucket_of(ns)], 1);
}

/**
 * gmp_tally_add() - add up
 * @to: what grows; its guard is held
 * @what: by what
 */
void gmp_tally_add(struct gmp_tally *to, const struct gmp_tally *what)
{
	unsigned int i;

	for (i = 0; i < GMP_CAUSE_COUNT; i++) {
		to->n[i] += what->n[i];
		to->ns[i] += what->ns[i];
	}
	for (i = 0; i < GMP_HIST_BUCKETS; i++) {
		to->slept[i] += what->slept[i];
		to->waited[i] += what->waited[i];
	}
}

/**
 * gmp_causes_read() - blocks by cause, of every M of every process since the module was loaded
 * @sum: filled in; no snapshot: the counters go on meanwhile
 */
void gmp_causes_read(struct gmp_causes *sum)
{
	unsigned int i;
	int cpu;

	*sum = (struct gmp_causes) { };
	for_each_possible_cpu(cpu) {
		const struct gmp_causes *c = per_cpu_ptr(&cause_totals, cpu);

		for (i = 0; i < GMP_CAUSE_COUNT; i++) {
			/* each is whole, together they are no snapshot */
			sum->n[i] += READ_ONCE(c->n[i]);
			sum->ns[i] += READ_ONCE(c->ns[i]);
		}
	}
}
