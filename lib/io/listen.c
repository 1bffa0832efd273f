/* SPDX-License-Identifier: MIT */
/*
 * listen.c - listening sockets, the connections that come in, both ends' addresses.
 *
 * Owns:       nothing beyond the sockets it installs (netfd.c).
 * Invariants: what is accepted and cannot be given a handle is closed, not forgotten.
 */
#include <string.h>

#include "io/netfd.h"
#include "io/socket.h"
#include "sched/handler.h"
#include "sched/sched.h"

#define BACKLOG		65535		/* the kernel cuts it to net.core.somaxconn */

/* ---- listen ------------------------------------------------------------------------------ */

static int bind_and_listen(int fd, const struct rt_sockaddr *addr)
{
	int err = rt_socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (!err && addr->sa.sa_family == AF_INET6)
		err = rt_socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !addr->wild);
	if (!err)
		err = (int)rt_syscall6(SYS_bind, fd, (long)&addr->sa, addr->len, 0, 0, 0);
	if (!err)
		err = (int)rt_syscall6(SYS_listen, fd, BACKLOG, 0, 0, 0, 0);
	return err;
}

/* A socket that listens on @addr: its number, or -errno. */
static int open_listener(const struct rt_sockaddr *addr)
{
	int fd = rt_socket_tcp(addr);
	int err;

	if (fd < 0)
		return fd;
	err = bind_and_listen(fd, addr);
	if (!err)
		return fd;
	rt_socket_close(fd);
	return err;
}

RT_PUBLIC int gmp_listen(const char *net, const char *addr, struct gmp_fd **out)
{
	struct rt_sockaddr sa;
	int fd, err;

	if (!net || !addr || !out)
		return -EINVAL;
	if (strcmp(net, "tcp") != 0)
		return -EPROTONOSUPPORT;
	err = rt_sockaddr_parse(addr, &sa);
	if (err)
		return err;
	fd = open_listener(&sa);
	if (sa.wild && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)) {
		rt_sockaddr_wild4(&sa);		/* a host without IPv6 */
		fd = open_listener(&sa);
	}
	if (fd < 0)
		return fd;
	err = rt_netfd_install(fd, RT_FD_TCP, out);
	if (err)
		rt_socket_close(fd);
	return err;
}

/* ---- accept ------------------------------------------------------------------------------ */

/* Errors of one connection that failed before it was taken: not the listener's, look for the next. */
static bool is_of_connection(long err)
{
	switch (-err) {
	case ECONNABORTED:
	case EPROTO:
	case ENOPROTOOPT:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
		return true;
	}
	return false;
}

static long accept_next(struct rt_netfd *f)
{
	long r;

	do {
		r = rt_sys_retry(SYS_accept4, f->fd, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC, 0, 0);
	} while (r < 0 && is_of_connection(r));
	return r;
}

RT_PUBLIC int gmp_accept(struct gmp_fd *fd, struct gmp_fd **out)
{
	struct rt_netfd *f;
	long r;
	int err;

	if (!out)
		return -EINVAL;
	rt_check_stack("gmp_accept");
	r = rt_netfd_begin(fd, RT_IO_READ, &f);
	if (r)
		return (int)r;
	do {
		rt_netpoll_prepare(&f->pd, RT_IO_READ);
		r = accept_next(f);
	} while (r == -EAGAIN && (r = rt_netfd_wait(f, RT_IO_READ)) == 0);
	rt_netfd_end(f, RT_IO_READ);
	if (r < 0)
		return (int)r;
	err = rt_netfd_install((int)r, RT_FD_TCP, out);
	if (err)
		rt_socket_close((int)r);
	return err;
}

/* ---- addresses --------------------------------------------------------------------------- */

static int addr_text(struct gmp_fd *fd, long call, char *buf, size_t n)
{
	struct rt_sockaddr sa = { .len = 0 };
	struct rt_netfd *f;
	int r = rt_netfd_ref(fd, &f);

	if (r)
		return r;
	sa.len = sizeof(sa.any);
	r = (int)rt_syscall6(call, f->fd, (long)&sa.any, (long)&sa.len, 0, 0, 0);
	rt_netfd_unref(f);
	return r ? r : rt_sockaddr_text(&sa, buf, n);
}

RT_PUBLIC int gmp_local_addr(struct gmp_fd *fd, char *buf, size_t n)
{
	return addr_text(fd, SYS_getsockname, buf, n);
}

RT_PUBLIC int gmp_peer_addr(struct gmp_fd *fd, char *buf, size_t n)
{
	return addr_text(fd, SYS_getpeername, buf, n);
}
