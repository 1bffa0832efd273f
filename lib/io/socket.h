/* SPDX-License-Identifier: MIT */
/* socket.h - sockets of the kernel, before they are descriptors of ours. Results: 0, number, -errno. */
#ifndef RT_SOCKET_H
#define RT_SOCKET_H

#include "io/sockaddr.h"
#include "os/futex.h"

/* A TCP socket of the family of @addr that does not block, with the options of Go's net package. */
int rt_socket_tcp(const struct rt_sockaddr *addr);

int rt_socket_set(int fd, int level, int option, int value);
/* What became of a connection in the making: 0 or -errno. */
int rt_socket_error(int fd);

static inline void rt_socket_close(int fd)
{
	rt_syscall6(SYS_close, fd, 0, 0, 0, 0, 0);
}

#endif
