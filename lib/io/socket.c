/* SPDX-License-Identifier: MIT */
/*
 * socket.c - making TCP sockets.
 *
 * Owns:    nothing; numbers that the caller closes or installs (netfd.c).
 * Options: TCP_NODELAY, and keep-alive probes after 15 s, 15 s apart, 9 of them: as Go's. The kernel
 *          gives a connection the options of its listening socket, so an accept costs no call for them.
 */
#include "io/socket.h"

#include <netinet/tcp.h>

int rt_socket_set(int fd, int level, int option, int value)
{
	return (int)rt_syscall6(SYS_setsockopt, fd, level, option, (long)&value, sizeof(value), 0);
}

int rt_socket_error(int fd)
{
	int value = 0;
	socklen_t len = sizeof(value);
	long err = rt_syscall6(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, (long)&value, (long)&len, 0);

	return err ? (int)err : -value;
}

static int set_tcp_options(int fd)
{
	static const struct { int level, option, value; } opts[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 15 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 15 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 9 },
	};
	int err = 0;

	for (size_t i = 0; i < RT_ARRAY_SIZE(opts) && !err; i++)
		err = rt_socket_set(fd, opts[i].level, opts[i].option, opts[i].value);
	return err;
}

int rt_socket_tcp(const struct rt_sockaddr *addr)
{
	int fd, err;

	fd = (int)rt_syscall6(SYS_socket, addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			      0, 0, 0, 0);
	if (fd < 0)
		return fd;
	err = set_tcp_options(fd);
	if (!err)
		return fd;
	rt_socket_close(fd);
	return err;
}
