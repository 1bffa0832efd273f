/* SPDX-License-Identifier: MIT */
/*
 * sockaddr.c - text to socket address and back (forms: sockaddr.h).
 *
 * Owns: nothing. What one function prints the other reads. An IPv4 peer of a socket of both families
 * is printed as what it is, 1.2.3.4:5, not as [::ffff:1.2.3.4]:5.
 */
#include "io/sockaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define HOST_MAX	(INET6_ADDRSTRLEN + IF_NAMESIZE)	/* with "%zone"; both count a NUL */
#define TEXT_MAX	(HOST_MAX + sizeof("[]:65535"))

/* ---- reading ----------------------------------------------------------------------------- */

/* 1 to 5 digits, at most 65535. */
static int parse_port(const char *s, uint16_t *port)
{
	unsigned int v = 0, i;

	for (i = 0; s[i] >= '0' && s[i] <= '9' && i < 5; i++)
		v = v * 10 + (unsigned int)(s[i] - '0');
	if (i == 0 || s[i] != '\0' || v > 65535)
		return -EINVAL;
	*port = htons((uint16_t)v);
	return 0;
}

static int parse_v4(const char *host, struct rt_sockaddr *out)
{
	out->in.sin_family = AF_INET;
	out->len = sizeof(out->in);
	return inet_pton(AF_INET, host, &out->in.sin_addr) == 1 ? 0 : -EINVAL;
}

/* @host may be changed. */
static int parse_v6(char *host, struct rt_sockaddr *out)
{
	char *zone = strchr(host, '%');

	out->in6.sin6_family = AF_INET6;
	out->len = sizeof(out->in6);
	if (zone)
		*zone++ = '\0';
	if (inet_pton(AF_INET6, host, &out->in6.sin6_addr) != 1)
		return -EINVAL;
	if (zone) {
		out->in6.sin6_scope_id = if_nametoindex(zone);
		if (!out->in6.sin6_scope_id)
			return -ENODEV;
	}
	out->wild = IN6_IS_ADDR_UNSPECIFIED(&out->in6.sin6_addr);
	return 0;
}

/* Cuts "host:port" or "[host]:port" at the colon; *port stays in @text. */
static int split(const char *text, char host[HOST_MAX], bool *bracketed, const char **port)
{
	const char *end;
	size_t n;

	*bracketed = text[0] == '[';
	if (*bracketed)
		text++;
	end = strchr(text, *bracketed ? ']' : ':');
	if (!end)
		return -EINVAL;
	n = (size_t)(end - text);
	if (n >= HOST_MAX)
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (*bracketed && *++end != ':')
		return -EINVAL;
	*port = end + 1;
	return 0;
}

int rt_sockaddr_parse(const char *text, struct rt_sockaddr *out)
{
	char host[HOST_MAX];
	const char *port_text;
	bool bracketed;
	uint16_t port;
	int err;

	memset(out, 0, sizeof(*out));
	err = split(text, host, &bracketed, &port_text);
	if (!err)
		err = parse_port(port_text, &port);
	if (err)
		return err;
	if (bracketed)
		err = parse_v6(host, out);
	else if (host[0])
		err = parse_v4(host, out);
	else
		err = parse_v6(strcpy(host, "::"), out);
	if (out->sa.sa_family == AF_INET)
		out->in.sin_port = port;
	else
		out->in6.sin6_port = port;
	return err;
}

void rt_sockaddr_wild4(struct rt_sockaddr *a)
{
	uint16_t port = a->in6.sin6_port;

	memset(a, 0, sizeof(*a));
	a->in.sin_family = AF_INET;
	a->in.sin_port = port;
	a->len = sizeof(a->in);
}

/* ---- printing ---------------------------------------------------------------------------- */

static int text_v4(const struct in_addr *addr, uint16_t port, char *buf, size_t n)
{
	char host[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, addr, host, sizeof(host));
	return snprintf(buf, n, "%s:%u", host, ntohs(port));
}

static int text_v6(const struct sockaddr_in6 *in6, char *buf, size_t n)
{
	char host[INET6_ADDRSTRLEN], zone[IF_NAMESIZE + 1] = "%";

	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		return text_v4((const struct in_addr *)&in6->sin6_addr.s6_addr[12], in6->sin6_port,
			       buf, n);
	inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	if (!in6->sin6_scope_id || !if_indextoname(in6->sin6_scope_id, zone + 1))
		zone[0] = '\0';
	return snprintf(buf, n, "[%s%s]:%u", host, zone, ntohs(in6->sin6_port));
}

int rt_sockaddr_text(const struct rt_sockaddr *a, char *buf, size_t n)
{
	char text[TEXT_MAX];
	int len;

	if (a->sa.sa_family == AF_INET)
		len = text_v4(&a->in.sin_addr, a->in.sin_port, text, sizeof(text));
	else if (a->sa.sa_family == AF_INET6)
		len = text_v6(&a->in6, text, sizeof(text));
	else
		return -EAFNOSUPPORT;
	if ((size_t)len >= n)
		return -ENOSPC;
	memcpy(buf, text, (size_t)len + 1);
	return len;
}
