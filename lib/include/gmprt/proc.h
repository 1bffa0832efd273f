/* SPDX-License-Identifier: MIT */
/*
 * proc.h - running goroutines.
 *
 * In every contract: "parks" = may give the thread to another goroutine; a call that does not say so
 * never parks. Errors are negative errnos, returned; errno itself is not used, and says nothing after a call
 * that parks. That a goroutine goes on on another thread is seen to by <gmprt.h> (errno.h); code that includes
 * single headers, or none, reads errno in a function of its own, not inlined, or includes <gmprt/errno.h>.
 *
 * Signal handlers. Wherever the signal came in, a handler may call gmp_goid(), gmp_now() and gmp_dump(), no
 * others: what it interrupted may be the library itself, or malloc() in it, and then any other call may hang
 * or spoil everything. Only one that is known to have interrupted the program's own code (raise(), a fault)
 * may make all calls that do not park. A call that would park, or stop the world, ends the program with its
 * name ("fatal error: gmp_sleep: called in a signal handler") in a goroutine on the thread's alternate stack
 * (SA_ONSTACK; with SS_AUTODISARM that cannot be told), and where it can be told that the library was
 * interrupted. On the goroutine's own stack (no SA_ONSTACK) it is not told from the code it interrupted: it
 * parks, the signal stays blocked on the thread, and the handler may go on on another.
 */
#ifndef GMPRT_PROC_H
#define GMPRT_PROC_H

#include "base.h"

GMP_BEGIN_DECLS

/**
 * gmp_run() - start the runtime and run @main_fn as goroutine 1 on the calling thread
 * @main_fn: the main goroutine; its return ends all others where they stand
 * @arg: passed to it
 *
 * Context: any thread that is not running a goroutine. Blocks the calling thread until @main_fn has
 * returned. Afterwards no goroutine runs and gmp_run() may be called again. What abandoned
 * goroutines held (memory, descriptors, a mutex) stays held; their stacks are unmapped.
 *
 * Goroutines in a call that does not end are left behind: gmp_run() waits 0.2 s for declared calls
 * (gmp_syscall_begin()), 2 s for others and for loops that cannot be stopped. If such a call ends later
 * the goroutine goes no further than gmp_syscall_end(), its next call that parks, or its end; its
 * thread sleeps for ever, and the stacks of that run stay mapped. Only if a goroutine makes an
 * undeclared call on the calling thread itself, gmp_run() returns when that call ends: declare such
 * calls, or have @main_fn call gmp_lock_os_thread() first.
 *
 * A goroutine that runs while @main_fn returns is stopped at its next call that parks, or by a signal.
 * What it calls until then works as before, -ESRCH is not returned to it; but what it starts, a
 * goroutine or a timer, will not run any more.
 *
 * Channels, mutexes and the like may outlive a run. Who waited in them is forgotten with it; what is
 * queued in a channel stays; a mutex that an abandoned goroutine held stays locked, a wait group keeps
 * its count. A read-write mutex alone takes no notice: who waited in it counts as if he had it.
 * Return: the result of @main_fn; -EBUSY while another gmp_run() runs (also from a goroutine), or while
 * a thread that the last one left behind cannot be told to be outside of the runtime; -EINVAL @main_fn
 * is NULL, -ENOMEM or -EAGAIN when the first threads or @main_fn's stack cannot be had.
 * Since: 0.1
 */
int gmp_run(int (*main_fn)(void *), void *arg);

/**
 * gmp_go() - start a goroutine
 * @fn: runs in it; its return ends the goroutine
 * @arg: passed to it
 *
 * Context: goroutines, and any other thread while gmp_run() runs. Does not park, but a caller whose 10 ms
 * are over may be preempted here as it may be anywhere: it goes on on the same thread.
 * Return: its goid (> 1); -EINVAL @fn is NULL, -EAGAIN too many goroutines, -ENOMEM, -ESRCH
 * gmp_run() does not run.
 * Since: 0.1
 */
int64_t gmp_go(void (*fn)(void *), void *arg);

/**
 * struct gmp_go_attr - how a goroutine is to be started
 * @size: sizeof(struct gmp_go_attr)
 * @name: shown by every tool; copied; NULL = none
 * @max_stack: bytes of stack; 0 = the default of gmp_set_max_stack()
 * @flags: must be zero
 */
struct gmp_go_attr {
	size_t size;
	const char *name;
	size_t max_stack;
	uint32_t flags;
};

/**
 * gmp_go_attr() - start a goroutine with attributes
 *
 * As gmp_go(). @a NULL = all defaults. Return: also -EINVAL for a bad size, flag or a stack over 1 GiB.
 * Since: 0.1
 */
int64_t gmp_go_attr(const struct gmp_go_attr *a, void (*fn)(void *), void *arg);

/**
 * gmp_yield() - let the others run: to the end of the global run queue
 *
 * Context: goroutines; elsewhere it does nothing. Parks. Not for signal handlers.
 * Since: 0.1
 */
void gmp_yield(void);

/**
 * gmp_goexit() - end the calling goroutine
 *
 * Runs its deferred calls, not C++ destructors. In goroutine 1 the others go on; when all have ended
 * the program ends with a deadlock report. Fatal outside of a goroutine.
 * Since: 0.1
 */
GMP_NORETURN void gmp_goexit(void);

/**
 * gmp_defer() - call a function when this goroutine ends, last first
 *
 * @fn may park and may defer more. Goroutine 1's run before gmp_run() returns.
 * Return: 0; -EINVAL @fn is NULL, -ENOMEM, -EPERM outside of a goroutine.
 * Since: 0.1
 */
int gmp_defer(void (*fn)(void *), void *arg);

/**
 * gmp_maxprocs() - how many goroutines may run at once
 * @n: the new number of Ps, 1 to 1024; 0 or less only asks
 *
 * Changing it stops the world. Parks. Before gmp_run(): the number the next run begins with.
 * Return: the previous number; -EINVAL over 1024, -ENOMEM, -EWOULDBLOCK to change it from a thread
 * that runs no goroutine, -EBUSY inside gmp_stop_world().
 * Since: 0.1
 */
int gmp_maxprocs(int n);

/** gmp_num_goroutine() - goroutines that have not ended. Any thread. Since: 0.1 */
int gmp_num_goroutine(void);

/** gmp_goid() - number of the calling goroutine, 0 elsewhere; also in signal handlers. Since: 0.1 */
uint64_t gmp_goid(void);

#define GMP_NAME_MAX	63	/* bytes of a name */
#define GMP_LABELS_MAX	170	/* bytes of all labels of a goroutine, written {key=value,key=value} */

/**
 * gmp_set_name() - name the calling goroutine, for every tool and dump
 * @name: copied; no control characters; NULL or "": none
 *
 * A new goroutine has no name, whatever its creator's is.
 * Return: 0; -EINVAL a control character, -ENAMETOOLONG over GMP_NAME_MAX, -ENOMEM, -EPERM outside of
 * a goroutine.
 * Since: 0.1
 */
int gmp_set_name(const char *name);

/**
 * gmp_set_label() - label the calling goroutine; those it starts from now on inherit its labels
 * @key: not empty; like @value copied, without control characters and { } = ,
 * @value: NULL: take the label off
 *
 * Tools show them behind the name: name{key=value,...}.
 * Return: 0; -EINVAL bad text, -ENOSPC no room within GMP_LABELS_MAX, -ENOMEM, -EPERM outside of a
 * goroutine. On failure the labels are as before.
 * Since: 0.1
 */
int gmp_set_label(const char *key, const char *value);

/**
 * gmp_get_name(), gmp_get_label() - what the calling goroutine is named, or labelled under @key
 * Return: length of the text in @buf ("" when there is no name); -ENOENT no such label, -ENOSPC @buf
 * too small, -EINVAL NULL, -EPERM outside of a goroutine.
 * Since: 0.1
 */
int gmp_get_name(char *buf, size_t n);
int gmp_get_label(const char *key, char *buf, size_t n);

/**
 * gmp_lock_os_thread() - tie this goroutine and its thread to each other
 *
 * Nests; each call wants its gmp_unlock_os_thread(). A goroutine that ends while locked ends its
 * thread too. The first may park. Outside of a goroutine both do nothing.
 * Since: 0.1
 */
void gmp_lock_os_thread(void);
void gmp_unlock_os_thread(void);

/**
 * gmp_set_max_stack() - default stack of goroutines made from now on
 * @bytes: 16 KiB to 1 GiB of address space, rounded up to a power of two; 0 only asks
 *
 * Return: the previous value.
 * Since: 0.1
 */
size_t gmp_set_max_stack(size_t bytes);

/**
 * gmp_nopreempt_begin() - this goroutine is not to be stopped by a signal until gmp_nopreempt_end()
 *
 * Nests. For code that holds a lock of another library, or is called back by one that does: who waits
 * for such a lock keeps a thread, and maybe its P, from the goroutine that has it. It may still park.
 * Outside of a goroutine both do nothing.
 * Since: 0.1
 */
void gmp_nopreempt_begin(void);
void gmp_nopreempt_end(void);

/**
 * gmp_syscall_begin() - a system call that may block follows
 *
 * Until gmp_syscall_end() the thread may lose its P to others, so nothing of this library may be
 * called between the two (gmp_goid() may). Outside of a goroutine both do nothing. Not nested.
 * gmp_syscall_begin() may park, gmp_syscall_end() parks when no P is free. Not for signal handlers.
 * Since: 0.1
 */
void gmp_syscall_begin(void);
void gmp_syscall_end(void);

/**
 * gmp_stop_world() - stop all other goroutines
 * @why: for the reader of a dump
 *
 * Parks until it is this goroutine's turn. Until gmp_start_world() nothing else runs, and this
 * goroutine must not park. Not for signal handlers. Return: 0; -EBUSY stopped by this goroutine already, -EWOULDBLOCK outside.
 * Since: 0.1
 */
int gmp_stop_world(const char *why);
/**
 * gmp_start_world() - let the others go on
 * Return: 0; -EINVAL when this goroutine did not stop them.
 * Since: 0.1
 */
int gmp_start_world(void);

/* For GMP_GO() only: @fn(copy of the @n bytes at @args) in a new goroutine. */
int64_t gmp_go_copy(void (*fn)(void *), const void *args, size_t n);

GMP_END_DECLS

#include "go.h"

#endif
