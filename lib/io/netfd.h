/* SPDX-License-Identifier: MIT */
/*
 * netfd.h - what the calls on descriptors share: begin and end of a call, system calls, installing.
 */
#ifndef RT_NETFD_H
#define RT_NETFD_H

#include <errno.h>

#include "gmprt/net.h"
#include "io/fdtable.h"
#include "os/futex.h"

/*
 * System calls whose descriptor does not block. An interrupted one is tried again: no call of ours
 * is ever ended by a signal. The result is a value; errno is not touched (its address belongs to
 * the thread, and a goroutine may go on with another).
 */
static inline long rt_sys_retry(long nr, long a, long b, long c, long d, long e, long f)
{
	long r;

	do {
		r = rt_syscall6(nr, a, b, c, d, e, f);
	} while (unlikely(r == -EINTR));
	return r;
}

/**
 * rt_netfd_install() - a handle for a non-blocking descriptor
 * Return: 0 and *out, the descriptor is the handle's; or -errno, it is still the caller's: -ENOMEM,
 * -EPERM cannot be polled, -EMFILE, -ENFILE, -ENOSPC (limits of epoll).
 */
int rt_netfd_install(int fd, enum rt_fd_kind kind, struct gmp_fd **out);

/* The last reference of a closed descriptor is gone: closes it in the kernel, frees the slot. */
void rt_netfd_destroy(struct rt_netfd *f);

/* A short call that does not wait. 0 and *f, to be ended by rt_netfd_unref(); or -EBADF, -EBUSY. */
int rt_netfd_ref(struct gmp_fd *fd, struct rt_netfd **f);
void rt_netfd_unref(struct rt_netfd *f);

/*
 * A call that reads or writes: the lock of @mode, a deadline that is not past. 0 and *f, to be ended
 * by rt_netfd_end(); or what rt_fdmutex_lock() and rt_netpoll_check() give. May park.
 */
int rt_netfd_begin(struct gmp_fd *fd, enum rt_io_mode mode, struct rt_netfd **f);
void rt_netfd_end(struct rt_netfd *f, enum rt_io_mode mode);

/* After -EAGAIN: parks until another try may succeed. 0 or what rt_netpoll_wait() gives. */
int rt_netfd_wait(struct rt_netfd *f, enum rt_io_mode mode);

#endif
