/* SPDX-License-Identifier: MIT */
/*
 * sockaddr.h - addresses as text: "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", ":80".
 * Numbers only: no names are resolved here. No state; any thread.
 */
#ifndef RT_SOCKADDR_H
#define RT_SOCKADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/compiler.h"

struct rt_sockaddr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage any;
	};
	socklen_t len;
	bool wild;		/* no host, or [::]: every address of both families */
};

/* Return: 0, -EINVAL not an address of the forms above, -ENODEV no such zone. */
int rt_sockaddr_parse(const char *text, struct rt_sockaddr *out);

/* The same port of every IPv4 address; for hosts without IPv6. */
void rt_sockaddr_wild4(struct rt_sockaddr *a);

/* Return: length without the final NUL; -ENOSPC @n is too small; -EAFNOSUPPORT. */
int rt_sockaddr_text(const struct rt_sockaddr *a, char *buf, size_t n);

#endif
