/* SPDX-License-Identifier: MIT */
/*
 * sanitize.h - tells ThreadSanitizer, AddressSanitizer and Valgrind about our stacks.
 *
 * Each has its own idea of what a switch is: TSan has fibers, ASan wants the bounds of the stack that
 * is entered, Valgrind the bounds of every stack once. In other builds all of this is nothing.
 *
 *   rt_san_leave(from, to)  just before a switch; @from NULL: that context is never resumed
 *   rt_san_enter(g)         first thing on the context that was switched to
 *
 * Both must be inlined: TSan counts entries and exits of functions per fiber, and these two begin on
 * one and end on another.
 */
#ifndef RT_SANITIZE_H
#define RT_SANITIZE_H

#include <signal.h>

#include "base/compiler.h"

#if defined(RT_TSAN)		/* a file that is itself not instrumented: lib/Makefile */
#elif defined(__SANITIZE_THREAD__)
#define RT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RT_TSAN 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#define RT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RT_ASAN 1
#endif
#endif

#ifndef RT_TSAN
#define RT_TSAN 0
#endif
#ifndef RT_VALGRIND
#define RT_VALGRIND 0
#endif
#if RT_TSAN || RT_ASAN
#define RT_SANITIZED 1
#else
#define RT_SANITIZED 0
#endif

#if RT_TSAN
#include <sanitizer/tsan_interface.h>

struct rt_san {
	void *fiber;
};

static inline void rt_san_init_thread(struct rt_san *s)
{
	s->fiber = __tsan_get_current_fiber();
}

static inline void rt_san_init_stack(struct rt_san *s)
{
	if (!s->fiber)
		s->fiber = __tsan_create_fiber(0);
}

/* Not from the fiber itself. */
static inline void rt_san_drop_stack(struct rt_san *s)
{
	if (s->fiber)
		__tsan_destroy_fiber(s->fiber);
	s->fiber = NULL;
}

static rt_always_inline void rt_san_leave(struct rt_san *from, struct rt_san *to, uintptr_t lo, uintptr_t hi)
{
	(void)from;
	(void)lo;
	(void)hi;
	__tsan_switch_to_fiber(to->fiber, 0);
}

static rt_always_inline void rt_san_enter(struct rt_san *s)
{
	(void)s;
}

/* Given to code that is not instrumented (liburcu), and taken back from it on another thread. */
#define rt_san_give(p)	__tsan_release(p)
#define rt_san_take(p)	__tsan_acquire(p)

/* A descriptor that a raw system call is about to close: its number's next user is no party to this one. */
void __sanitizer_syscall_pre_impl_close(long fd);
#define rt_san_close(fd)	__sanitizer_syscall_pre_impl_close(fd)

#elif RT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

struct rt_san {
	void *fake;
};

static inline void rt_san_init_thread(struct rt_san *s)
{
	(void)s;
}

static inline void rt_san_init_stack(struct rt_san *s)
{
	s->fake = NULL;
}

static inline void rt_san_drop_stack(struct rt_san *s)
{
	(void)s;
}

static rt_always_inline void rt_san_leave(struct rt_san *from, struct rt_san *to, uintptr_t lo, uintptr_t hi)
{
	(void)to;
	__sanitizer_start_switch_fiber(from ? &from->fake : NULL, (void *)lo, hi - lo);
}

static rt_always_inline void rt_san_enter(struct rt_san *s)
{
	__sanitizer_finish_switch_fiber(s->fake, NULL, NULL);
}

#else

struct rt_san {
};

static inline void rt_san_init_thread(struct rt_san *s)
{
	(void)s;
}

static inline void rt_san_init_stack(struct rt_san *s)
{
	(void)s;
}

static inline void rt_san_drop_stack(struct rt_san *s)
{
	(void)s;
}

static rt_always_inline void rt_san_leave(struct rt_san *from, struct rt_san *to, uintptr_t lo, uintptr_t hi)
{
	(void)from;
	(void)to;
	(void)lo;
	(void)hi;
}

static rt_always_inline void rt_san_enter(struct rt_san *s)
{
	(void)s;
}
#endif

#ifndef rt_san_give
#define rt_san_give(p)	((void)(p))
#define rt_san_take(p)	((void)(p))
#define rt_san_close(fd)	((void)(fd))
#endif

#if RT_VALGRIND
#include <valgrind/memcheck.h>
#define rt_san_new_stack(lo, hi)	VALGRIND_STACK_REGISTER(lo, (hi) - 1)
#define rt_san_no_stack(id)		VALGRIND_STACK_DEREGISTER(id)
/* Written below what was the stack pointer there, by another goroutine. */
#define rt_san_room(lo, hi)		((void)VALGRIND_MAKE_MEM_UNDEFINED(lo, (hi) - (lo)))
#else
#define rt_san_new_stack(lo, hi)	((void)(lo), (void)(hi), 0u)
#define rt_san_no_stack(id)		((void)(id))
#define rt_san_room(lo, hi)		((void)(lo), (void)(hi))
#endif

/*
 * For SIGURG and SIGQUIT. TSan holds signals back until the next call of libc, which may be one of ours, with a
 * lock held; the handler, which goes by the interrupted pc, would stop the goroutine there. The other
 * name of sigaction() is not TSan's.
 */
#if RT_TSAN
int __sigaction(int sig, const struct sigaction *sa, struct sigaction *old);
#define rt_sigaction	__sigaction
#else
#define rt_sigaction	sigaction
#endif

/*
 * TSan has a thread of its own from the first pthread_create() on; it is no stranger to who counts
 * threads. (After fork() in a process that never made one there are two: no deadlock is reported then.)
 */
#define RT_SAN_THREADS	(RT_TSAN ? 1u : 0u)

/* What a signal handler does before it knows that it did not interrupt the sanitizer's runtime. */
#define rt_not_sanitized	__attribute__((no_sanitize("thread", "address")))

/* Some function of the sanitizer's runtime; linked statically it lies in the program's text. */
static inline uintptr_t rt_san_runtime(void)
{
#if RT_TSAN
	return (uintptr_t)__tsan_get_current_fiber;
#elif RT_ASAN
	return (uintptr_t)__sanitizer_start_switch_fiber;
#else
	return 0;
#endif
}

/*
 * First thing on a stack that clone() put under a copy of this process: ASan would take it for a
 * place on the stack of the thread that was copied.
 */
static rt_always_inline void rt_san_other_stack(uintptr_t lo, uintptr_t hi)
{
#if RT_ASAN
	static void *kept;	/* not NULL as an argument: the caller's variables may lie in there */

	__sanitizer_start_switch_fiber(&kept, (void *)lo, hi - lo);
	__sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#else
	(void)lo;
	(void)hi;
#endif
}

/*
 * memcpy() for what lies between a caller's variables too: the arguments of GMP_GO() are taken off its
 * stack with what surrounds them. ASan forbids the gaps, and TSan knows who else uses the variables.
 */
static inline void rt_copy_blind(void *to, const void *from, size_t n)
{
#if RT_SANITIZED
	__asm__ __volatile__("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
#else
	__builtin_memcpy(to, from, n);
#endif
}

/* A stack that is used again by another goroutine: what ASan poisoned for the last one is void. */
static inline void rt_san_clean_stack(uintptr_t lo, uintptr_t hi)
{
#if RT_ASAN
	__asan_unpoison_memory_region((void *)lo, hi - lo);
#else
	(void)lo;
	(void)hi;
#endif
}

#endif
