/* SPDX-License-Identifier: MIT */
/*
 * rw.c - bytes in and out of descriptors.
 *
 * Owns:       nothing; one system call a try, no lock beyond the descriptor's word (fdmutex.h).
 * Invariants: a writer holds the write lock from the first byte to the last: nobody's bytes come
 *             between. Bytes are tried first and waited for only on -EAGAIN.
 * Locks:      none.      Ordering: none of its own; see netfd.c.
 *
 * No SIGPIPE: sockets get MSG_NOSIGNAL; for pipes the signal is blocked around the write, and taken
 * back if the write has raised it. Rejected: SIGPIPE ignored or blocked for the whole process, which
 * is the program's to say and which children would inherit.
 */
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "io/netfd.h"
#include "sched/handler.h"
#include "sched/sched.h"

#define SIGPIPE_BIT	(1ull << (SIGPIPE - 1))

/* ---- one try ----------------------------------------------------------------------------- */

static long try_read(struct rt_netfd *f, void *buf, size_t n)
{
	/* recvfrom() is the shorter way; but of no bytes it takes a datagram, and read() does not. */
	if (likely(f->kind <= RT_FD_SOCKET && n))
		return rt_sys_retry(SYS_recvfrom, f->fd, (long)buf, (long)n, 0, 0, 0);
	return rt_sys_retry(SYS_read, f->fd, (long)buf, (long)n, 0, 0, 0);
}

static long try_readv(struct rt_netfd *f, const struct iovec *iov, int cnt)
{
	return rt_sys_retry(SYS_readv, f->fd, (long)iov, cnt, 0, 0, 0);
}

/*
 * SIGPIPE goes to the thread that writes. If it was not blocked before, none was pending for this
 * thread, so one that is pending after -EPIPE is ours.
 */
static rt_noinline long writev_pipe(struct rt_netfd *f, const struct iovec *iov, int cnt)
{
	static const struct timespec at_once;
	uint64_t set = SIGPIPE_BIT, was = 0;
	long r;

	rt_syscall6(SYS_rt_sigprocmask, SIG_BLOCK, (long)&set, (long)&was, RT_KERNEL_SIGSET, 0, 0);
	r = rt_sys_retry(SYS_writev, f->fd, (long)iov, cnt, 0, 0, 0);
	if (was & SIGPIPE_BIT)
		return r;
	if (r == -EPIPE)
		rt_sys_retry(SYS_rt_sigtimedwait, (long)&set, 0, (long)&at_once, RT_KERNEL_SIGSET, 0, 0);
	rt_syscall6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&was, 0, RT_KERNEL_SIGSET, 0, 0);
	return r;
}

static long try_writev(struct rt_netfd *f, const struct iovec *iov, int cnt)
{
	if (likely(f->kind <= RT_FD_SOCKET)) {
		struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)cnt };

		return rt_sys_retry(SYS_sendmsg, f->fd, (long)&msg, MSG_NOSIGNAL, 0, 0, 0);
	}
	if (f->kind == RT_FD_PIPE)
		return writev_pipe(f, iov, cnt);
	return rt_sys_retry(SYS_writev, f->fd, (long)iov, cnt, 0, 0, 0);
}

static long try_write(struct rt_netfd *f, const void *buf, size_t n)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = n };

	if (likely(f->kind <= RT_FD_SOCKET))
		return rt_sys_retry(SYS_sendto, f->fd, (long)buf, (long)n, MSG_NOSIGNAL, 0, 0);
	return try_writev(f, &iov, 1);
}

/* ---- reading ----------------------------------------------------------------------------- */

/*
 * A read of a TCP socket that got less than it asked for has taken all there was; what comes after
 * that makes an edge. So while nothing is reported a try would be in vain, and a server that answers
 * request by request pays one system call less for each.
 *
 * Two things end a read early with more behind it: the end of the stream, and urgent data. Their
 * edge may have been reported together with that of the data, before the read; RT_POLL_TRY remembers
 * them. A socket that others may hold (options that change what a read takes, other protocols, ...)
 * is always tried. So is every other kind: datagrams, descriptors passed, packets end reads early.
 */
static inline bool in_vain(struct rt_netfd *f, size_t n)
{
	return f->pd.drained && n && rt_netpoll_quiet(&f->pd, RT_IO_READ) && rt_may_park_locked();
}

/*
 * A try that was to read @n bytes gave @r. The report that led to it is used up: where the try failed
 * for a reason of its own (-EFAULT) there may be something left that nobody will report again.
 */
static inline void learn(struct rt_netfd *f, long r, size_t n)
{
	bool all = r > 0 && (size_t)r < n;

	if (r != -EAGAIN)
		f->pd.drained = all && f->kind == RT_FD_TCP && !rt_load_rlx(&f->shared);
}

RT_PUBLIC ssize_t gmp_read(struct gmp_fd *fd, void *buf, size_t n)
{
	struct rt_netfd *f;
	long r;

	rt_check_stack("gmp_read");
	r = rt_netfd_begin(fd, RT_IO_READ, &f);
	if (r)
		return r;
	if (in_vain(f, n))
		r = rt_netfd_wait(f, RT_IO_READ);
	while (r == 0) {
		rt_netpoll_prepare(&f->pd, RT_IO_READ);
		r = try_read(f, buf, n);
		learn(f, r, n);
		if (r != -EAGAIN)
			break;
		r = rt_netfd_wait(f, RT_IO_READ);
	}
	rt_netfd_end(f, RT_IO_READ);
	return r;
}

RT_PUBLIC ssize_t gmp_readv(struct gmp_fd *fd, const struct iovec *iov, int cnt)
{
	struct rt_netfd *f;
	long r;

	rt_check_stack("gmp_readv");
	r = rt_netfd_begin(fd, RT_IO_READ, &f);
	if (r)
		return r;
	do {
		rt_netpoll_prepare(&f->pd, RT_IO_READ);
		r = try_readv(f, iov, cnt);
		learn(f, r, 0);
	} while (r == -EAGAIN && (r = rt_netfd_wait(f, RT_IO_READ)) == 0);
	rt_netfd_end(f, RT_IO_READ);
	return r;
}

/* ---- writing ----------------------------------------------------------------------------- */

/* What is still to be written: the first `off` bytes of iov[0] are out already. */
struct rest {
	const struct iovec *iov;
	int cnt;
	size_t off;
};

static void advance(struct rest *c, size_t n)
{
	n += c->off;
	while (c->cnt && n >= c->iov->iov_len) {
		n -= c->iov->iov_len;
		c->iov++;
		c->cnt--;
	}
	c->off = n;
}

static inline long try_rest(struct rt_netfd *f, const struct rest *c)
{
	if (c->cnt == 1 || c->off)
		return try_write(f, (char *)c->iov->iov_base + c->off, c->iov->iov_len - c->off);
	return try_writev(f, c->iov, c->cnt);
}

/*
 * All of it: the count, or an error with *done bytes written. The write lock is held. Tried until
 * -EAGAIN, not until a part was taken: only then is an edge sure to come.
 */
static long write_rest(struct rt_netfd *f, struct rest *c, size_t *done)
{
	for (;;) {
		long r = try_rest(f, c);

		if (likely(r >= 0)) {
			*done += (size_t)r;
			advance(c, (size_t)r);
			if (likely(!c->cnt))
				return (long)*done;
			if (r == 0)
				return -EIO;	/* a driver that takes nothing and waits for nothing */
			r = rt_netpoll_check(&f->pd, RT_IO_WRITE);
		} else if (r == -EAGAIN) {
			r = rt_netfd_wait(f, RT_IO_WRITE);
		}
		if (r)
			return r;
	}
}

static long write_locked(struct gmp_fd *fd, struct rest *c, size_t *done)
{
	struct rt_netfd *f;
	long r = rt_netfd_begin(fd, RT_IO_WRITE, &f);

	*done = 0;
	if (r)
		return r;
	r = write_rest(f, c, done);
	rt_netfd_end(f, RT_IO_WRITE);
	return r;
}

static ssize_t write_one(struct gmp_fd *fd, const void *buf, size_t n, size_t *done)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = n };
	struct rest c = { .iov = &iov, .cnt = 1 };

	return write_locked(fd, &c, done);
}

RT_PUBLIC ssize_t gmp_write_n(struct gmp_fd *fd, const void *buf, size_t n, size_t *done)
{
	size_t unasked;

	rt_check_stack("gmp_write_n");
	return write_one(fd, buf, n, done ? done : &unasked);
}

RT_PUBLIC ssize_t gmp_write(struct gmp_fd *fd, const void *buf, size_t n)
{
	size_t unasked;

	rt_check_stack("gmp_write");
	return write_one(fd, buf, n, &unasked);
}

RT_PUBLIC ssize_t gmp_writev(struct gmp_fd *fd, const struct iovec *iov, int cnt)
{
	struct rest c = { .iov = iov, .cnt = cnt };
	size_t done;

	rt_check_stack("gmp_writev");
	if (cnt < 0 || cnt > IOV_MAX)
		return -EINVAL;
	return write_locked(fd, &c, &done);
}
