/* SPDX-License-Identifier: MIT */
/*
 * callout.c - the runtime's calls of libc, fenced in for the module.
 *
 * The module lets the P of an M go that sleeps outside the runtime's code (sched/handoff.c). Sleep in
 * malloc(), called by the runtime, is outside by the instruction pointer, yet the caller may hold a
 * lock of the runtime or a pointer to its P. So slot->crit is not 0 meanwhile: the module leaves the P
 * alone. lib/Makefile gives the runtime's references of X the name rt_out_X, by objcopy, when all but
 * this file is linked together: the calls that compilers make by themselves (memcpy) are caught, too,
 * and no caller need think of it. selftests/harness/callout_test.sh holds the list complete.
 *
 * Rejected: crit at every entry of the runtime (two stores on every operation, for calls that hardly
 * any makes); own versions of the string functions (slower than libc's where it matters).
 *
 * Plain accesses: the word is the thread's own; the kernel reads it on this CPU, when the thread sleeps.
 * A thread that is no M has no slot. Nothing called here switches goroutines.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "sched/runtime.h"

static inline struct gmp_m_user *enter(void)
{
	struct gmp_m_user *u = RT_TLS_READ(struct gmp_m_user *, slot);

	if (u)
		rt_store_rlx(&u->crit, u->crit + 1);
	rt_compiler_barrier();
	return u;
}

static inline void leave(struct gmp_m_user *u)
{
	rt_compiler_barrier();
	if (u)
		rt_store_rlx(&u->crit, u->crit - 1);
}

#define OUT(type, name, params, args)				\
	type rt_out_##name params;				\
	type rt_out_##name params				\
	{							\
		struct gmp_m_user *u = enter();			\
		type result = name args;				\
								\
		leave(u);					\
		return result;					\
	}

#define OUT_VOID(name, params, args)				\
	void rt_out_##name params;				\
	void rt_out_##name params				\
	{							\
		struct gmp_m_user *u = enter();			\
								\
		name args;					\
		leave(u);					\
	}

/* ---- memory and text ----------------------------------------------------------------------------------- */

OUT(void *, malloc, (size_t n), (n))
OUT(void *, calloc, (size_t n, size_t size), (n, size))
OUT(void *, aligned_alloc, (size_t align, size_t n), (align, n))
OUT_VOID(free, (void *p), (p))
OUT(void *, memcpy, (void *to, const void *from, size_t n), (to, from, n))
OUT(void *, memset, (void *to, int c, size_t n), (to, c, n))
OUT(void *, memmove, (void *to, const void *from, size_t n), (to, from, n))
OUT(void *, memchr, (const void *p, int c, size_t n), (p, c, n))
OUT(int, memcmp, (const void *a, const void *b, size_t n), (a, b, n))
OUT(size_t, strlen, (const char *s), (s))
OUT(size_t, strnlen, (const char *s, size_t n), (s, n))
OUT(size_t, strcspn, (const char *s, const char *reject), (s, reject))
OUT(size_t, strspn, (const char *s, const char *accept), (s, accept))
OUT(unsigned long long, strtoull, (const char *s, char **end, int base), (s, end, base))
OUT(int, strcmp, (const char *a, const char *b), (a, b))
OUT(int, strncmp, (const char *a, const char *b, size_t n), (a, b, n))
OUT(char *, strchr, (const char *s, int c), (s, c))
OUT(char *, strrchr, (const char *s, int c), (s, c))

int rt_out_snprintf(char *to, size_t n, const char *format, ...);
int rt_out_snprintf(char *to, size_t n, const char *format, ...)
{
	struct gmp_m_user *u = enter();
	va_list ap;
	int ret;

	va_start(ap, format);
	ret = vsnprintf(to, n, format, ap);
	va_end(ap);
	leave(u);
	return ret;
}

OUT(int, vsnprintf, (char *to, size_t n, const char *format, va_list ap), (to, n, format, ap))

/* ---- the kernel ------------------------------------------------------------------------------------------ */

OUT(void *, mmap, (void *at, size_t n, int prot, int flags, int fd, off_t off), (at, n, prot, flags, fd, off))
OUT(int, munmap, (void *at, size_t n), (at, n))
OUT(int, mprotect, (void *at, size_t n, int prot), (at, n, prot))
OUT(int, madvise, (void *at, size_t n, int advice), (at, n, advice))
OUT(int, clock_gettime, (clockid_t id, struct timespec *ts), (id, ts))
OUT(int, nanosleep, (const struct timespec *ts, struct timespec *rem), (ts, rem))
OUT(int, sched_yield, (void), ())
OUT(int, open, (const char *path, int flags, mode_t mode), (path, flags, mode))
OUT(int, close, (int fd), (fd))
OUT(ssize_t, read, (int fd, void *to, size_t n), (fd, to, n))
OUT(ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n))
OUT(pid_t, getpid, (void), ())
OUT(long, syscall, (long nr, long a, long b, long c, long d, long e, long f), (nr, a, b, c, d, e, f))
OUT(int, ioctl, (int fd, unsigned long cmd, void *arg), (fd, cmd, arg))
OUT(FILE *, fopen, (const char *path, const char *mode), (path, mode))
OUT(char *, fgets, (char *to, int n, FILE *f), (to, n, f))
OUT(int, fclose, (FILE *f), (f))

/* ---- threads ---------------------------------------------------------------------------------------------- */

OUT(int, pthread_create, (pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg),
    (t, attr, fn, arg))
OUT(int, pthread_join, (pthread_t t, void **ret), (t, ret))
