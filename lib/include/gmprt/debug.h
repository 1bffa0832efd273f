/* SPDX-License-Identifier: MIT */
/*
 * debug.h - looking into a running program.
 *
 * Signals. While gmp_run() runs, SIGQUIT prints all goroutines and ends the program with status 2,
 * unless the program had set SIGQUIT to anything but the default (where it was ignored when the program began, as
 * in background jobs of a shell script, to a handler). SIGSEGV is answered with "fatal error:
 * stack overflow" when a goroutine ran into the guard below its stack; every other SIGSEGV goes to
 * the handler that was installed before gmp_run(), or to the default action, as if the runtime were
 * not there. A handler installed while gmp_run() runs replaces these two: it may call what sigaction()
 * gave it as the old one. The threads of the runtime have alternate signal stacks of 64 KiB: give
 * handlers SA_ONSTACK. During a dump SIGURG is the runtime's. Of what is declared here gmp_dump() alone is
 * for signal handlers (proc.h).
 *
 * Environment. GMP_TRACEBACK, for fatal errors and SIGQUIT: none, single (the goroutine that died),
 * all (the default), system (also the runtime's own goroutines and frames), crash (as system, then
 * abort()); Go's 0, 1 and 2 are none, all and system. GMP_DEBUG=acct=1: with gmp.ko, CPU time, time blocked and
 * time runnable of each goroutine in /proc/gmp/<pid>/goroutines; a switch then reads the cycle counter
 * twice. GMP_DEBUG=schedtrace=MS[,scheddetail=1]: the scheduler's state on stderr every MS milliseconds, in
 * Go's words. GMP_DEBUG=updatemaxprocs=0: the number of Ps is what the CPUs allowed at the start; else it
 * follows them. GMP_DEBUG=handoffdelay=US: with gmp.ko, a thread that blocks sleeps so many microseconds, up to
 * 1000000, before another one is woken to go on with the other goroutines; else its parameter handoff_delay_us.
 */
#ifndef GMPRT_DEBUG_H
#define GMPRT_DEBUG_H

#include "base.h"

GMP_BEGIN_DECLS

/**
 * gmp_kern_backend() - who helps from the kernel: "ko" with gmp.ko attached, else "none"
 *
 * Any thread. Before and after gmp_run(): "none". Since: 0.1
 */
const char *gmp_kern_backend(void);

/**
 * gmp_dump() - print all goroutines with their stacks
 * @fd: where to
 *
 * As SIGQUIT does: status, what each waits for and for how many minutes, stack, where it was created.
 * Files and lines come from libdw if it is installed; without debug information there are addresses
 * that addr2line understands. A copy of the process does the work; goroutines go on meanwhile. Those
 * that compute are held for as long as the copy takes; those in a system call that would fail with
 * EINTR are not touched and have no stack shown. Context: any thread, signal handlers. Does not park.
 * Return: 0; -EBUSY another dump is being made, -EBADF @fd is negative, -EIO it could not be written,
 * -ESRCH gmp_run() does not run.
 * Since: 0.1
 */
int gmp_dump(int fd);

/**
 * struct gmp_goroutine - what can be told about a goroutine at a glance
 * @goid: its number
 * @parent: that of its creator, 0 = a thread that ran no goroutine
 * @status: enum gmp_g_status of <gmprt/gmp_abi.h>
 * @status_text: "runnable", "running", "syscall", "waiting", ...; never NULL
 * @wait_reason: "chan receive", "sleep", ...; "" when it does not wait; never NULL
 * @wait_ns: for how long it has not run, to some milliseconds; 0 when it runs
 * @runs: how often it was switched to
 * @start_pc: the function it runs
 * @create_pc: the return address of the call that made it
 * @thread: number of the M that runs it or ran it last, -1 = none yet
 * @locked: 1 when it is locked to its thread
 * @name: "name{key=value,...}", "" without
 */
struct gmp_goroutine {
	uint64_t goid;
	uint64_t parent;
	uint32_t status;
	const char *status_text;
	const char *wait_reason;
	uint64_t wait_ns;
	uint64_t runs;
	uintptr_t start_pc;
	uintptr_t create_pc;
	int thread;
	int locked;
	char name[240];
};

/**
 * gmp_goroutines() - call a function for each goroutine
 * @cb: gets what is valid during the call; may park; a result other than 0 ends the tour. NULL: only count
 * @arg: passed to it
 *
 * Nothing is stopped: each one is seen as it was at some moment of the tour, those that begin or end
 * meanwhile perhaps not at all. Any thread. Return: how many were met; -ESRCH gmp_run() does not run.
 * Since: 0.1
 */
int gmp_goroutines(int (*cb)(const struct gmp_goroutine *g, void *arg), void *arg);

/**
 * gmp_leak_check() - the same for those that should have ended: all but goroutine 1, the caller and
 * the runtime's own
 *
 * For the end of a program or test: what still waits there, nobody waits for. Return: how many.
 * Since: 0.1
 */
int gmp_leak_check(int (*cb)(const struct gmp_goroutine *g, void *arg), void *arg);

/**
 * gmp_stack_of() - the stack of a goroutine as addresses, the innermost first
 * @goid: which; gmp_goid() is the caller
 * @pcs: where to
 * @n: how many at most
 *
 * The addresses are where each frame will go on; the call itself is one byte before. Stops the world
 * for another goroutine than the caller, and then parks. Return: the number of addresses; -ESRCH no
 * such goroutine, -EBUSY it is in a system call, -EINVAL @pcs is NULL, -EWOULDBLOCK another than the
 * caller, from a thread that runs no goroutine.
 * Since: 0.1
 */
int gmp_stack_of(uint64_t goid, uintptr_t *pcs, size_t n);

/**
 * struct gmp_stats - numbers of the scheduler; those without "now" are sums since gmp_run() began
 * @size: sizeof(struct gmp_stats), set by the caller
 */
struct gmp_stats {
	size_t size;
	uint32_t procs;			/* Ps: how many goroutines can run at once */
	uint32_t idle_procs;		/* now */
	uint32_t threads;		/* Ms now, the monitor not counted */
	uint32_t idle_threads;		/* now */
	uint32_t spinning_threads;	/* now: awake, looking for work */
	uint32_t declared_syscalls;	/* now: between gmp_syscall_begin() and _end(), library calls too */
	uint64_t threads_created;
	uint64_t goroutines;		/* now */
	uint64_t global_queue;		/* now */
	uint64_t local_queues;		/* now: the sum over all Ps */
	uint64_t stacks;		/* in being, in use or kept for reuse */
	uint64_t stack_bytes;		/* address space reserved for them */
	uint64_t spawned;
	uint64_t switches;		/* goroutines executed */
	uint64_t runnext;		/* ... that were next in line, at once */
	uint64_t global_ticks;		/* ... from the global queue, every 61st time */
	uint64_t global_batches;	/* times the global queue was drawn on */
	uint64_t overflows;		/* a P's queue was full: half of it went to the global one */
	uint64_t overflowed;		/* goroutines moved so */
	uint64_t steals;		/* from another P's queue */
	uint64_t stolen;		/* goroutines moved so */
	uint64_t handoffs;		/* Ps taken out of system calls */
	uint64_t preemptions;
	uint64_t parks;
	uint64_t readies;		/* wake-ups from a thread with a P */
	uint64_t reused_gs, reused_stacks;	/* spawned without a lock */
	uint64_t rescues;		/* goroutines that went on without a P, for another's sake */
};

/**
 * gmp_stats() - read the numbers of the scheduler
 * @st: its size says which version of the struct the caller knows
 *
 * Each number is right by itself; they are not read at one moment. Any thread.
 * Return: 0; -EINVAL @st is NULL or its size is 0 or larger than known, -ESRCH gmp_run() does not run.
 * Since: 0.1
 */
int gmp_stats(struct gmp_stats *st);

GMP_END_DECLS

#endif
