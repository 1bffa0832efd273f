/* SPDX-License-Identifier: MIT */
/* futex.h - the two futex operations the runtime uses. Private to this process. */
#ifndef RT_FUTEX_H
#define RT_FUTEX_H

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/inject.h"

#define RT_KERNEL_SIGSET	8u	/* size of the sigset_t of a system call */

/* A raw system call that leaves errno alone: the caller may be a goroutine about to move. */
static inline long rt_syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret = rt_inject_syscall(nr, b);	/* first: a call would not keep what follows */
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	if (ret)
		return ret;
	__asm__ __volatile__("syscall"
			     : "=a"(ret)
			     : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			     : "rcx", "r11", "memory");
	return ret;
}

/* 0 woken, -EAGAIN *p was not @val, -EINTR, -ETIMEDOUT after @timeout (relative; NULL = none). */
static inline long rt_futex_wait(uint32_t *p, uint32_t val, const struct timespec *timeout)
{
	return rt_syscall6(SYS_futex, (long)p, FUTEX_WAIT_PRIVATE, val, (long)timeout, 0, 0);
}

static inline long rt_futex_wake(uint32_t *p, int n)
{
	return rt_syscall6(SYS_futex, (long)p, FUTEX_WAKE_PRIVATE, n, 0, 0, 0);
}

#endif
