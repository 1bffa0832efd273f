/* SPDX-License-Identifier: MIT */
/*
 * dial.c - connections that go out.
 *
 * Owns:       the socket until it is connected; then it is the caller's.
 * Invariants: the handle is known to nobody else before gmp_dial() returns, but for the watcher of the
 *             context, whose only act on it is a deadline, and that only makes the dial fail.
 *
 *   gmp_dial()                            watcher, when the context ends (its own goroutine)
 *   1 connect, install                    write deadline = long ago
 *   2 watch the context
 *   3 wait for writability  <------------ -ETIMEDOUT
 *   4 stop watching; too late? then the context ended: close, return its error
 *
 * A watcher that is late finds a closed handle (-EBADF), even when its slot has a new owner.
 */
#include <string.h>

#include "gmprt/context.h"
#include "io/netfd.h"
#include "io/socket.h"
#include "sched/handler.h"
#include "sched/sched.h"

#define LONG_AGO	1	/* of gmp_now() */

static void interrupt(void *fd)
{
	gmp_set_write_deadline(fd, LONG_AGO);
}

/* 0 it stands, 1 not yet, -errno it failed. */
static int how_goes_it(int num)
{
	struct rt_sockaddr peer;
	int err = rt_socket_error(num);

	peer.len = sizeof(peer.any);
	if (err)
		return err;
	return rt_syscall6(SYS_getpeername, num, (long)&peer.any, (long)&peer.len, 0, 0, 0) ? 1 : 0;
}

/* Looks first: within a host a connection stands, or is refused, at once. */
static int end_connect(struct gmp_fd *fd)
{
	struct rt_netfd *f;
	int err = rt_netfd_begin(fd, RT_IO_WRITE, &f);

	if (err)
		return err;
	while ((err = how_goes_it(f->fd)) > 0) {
		err = rt_netfd_wait(f, RT_IO_WRITE);
		if (err)
			break;
	}
	rt_netfd_end(f, RT_IO_WRITE);
	return err;
}

static int connect_watched(struct gmp_ctx *ctx, struct gmp_fd *fd)
{
	struct gmp_after_func *watch = gmp_ctx_after_func(ctx, interrupt, fd);
	int err;

	if (!watch)
		return -ENOMEM;
	err = end_connect(fd);
	if (!gmp_after_func_stop(watch))
		err = gmp_ctx_err(ctx);		/* it has set, or will set, the deadline */
	return err;
}

/* The socket is in the table only when it is about to be connected: before, epoll calls it hung up. */
static int install_and_wait(struct gmp_ctx *ctx, int num, bool connected, struct gmp_fd **out)
{
	struct gmp_fd *fd;
	int err = rt_netfd_install(num, RT_FD_TCP, &fd);

	if (err) {
		rt_socket_close(num);
		return err;
	}
	if (!connected)
		err = ctx && gmp_ctx_done(ctx) ? connect_watched(ctx, fd) : end_connect(fd);
	if (err)
		gmp_close(fd);
	else
		*out = fd;
	return err;
}

static int dial(struct gmp_ctx *ctx, const struct rt_sockaddr *addr, struct gmp_fd **out)
{
	int num = rt_socket_tcp(addr);
	long err;

	if (num < 0)
		return num;
	err = rt_syscall6(SYS_connect, num, (long)&addr->sa, addr->len, 0, 0, 0);
	if (!err || err == -EINPROGRESS || err == -EINTR)	/* interrupted: it goes on by itself */
		return install_and_wait(ctx, num, !err, out);
	rt_socket_close(num);
	return (int)err;
}

/* No IPv6 here, or nobody who listens there: IPv4 may do. */
static bool try_other_family(int err)
{
	return err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL || err == -ECONNREFUSED ||
	       err == -ENETUNREACH;
}

RT_PUBLIC int gmp_dial(struct gmp_ctx *ctx, const char *net, const char *addr, struct gmp_fd **out)
{
	struct rt_sockaddr sa;
	int err;

	if (!net || !addr || !out)
		return -EINVAL;
	rt_check_stack("gmp_dial");
	if (strcmp(net, "tcp") != 0)
		return -EPROTONOSUPPORT;
	err = rt_sockaddr_parse(addr, &sa);
	if (!err && ctx)
		err = gmp_ctx_err(ctx);
	if (err)
		return err;
	err = dial(ctx, &sa, out);
	if (sa.wild && try_other_family(err)) {
		rt_sockaddr_wild4(&sa);
		err = dial(ctx, &sa, out);
	}
	return err;
}
