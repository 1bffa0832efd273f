/* SPDX-License-Identifier: MIT */
/* net_util.h - what the tests of <gmprt/net.h> share. Include after <gmprt.h>. */
#ifndef NET_UTIL_H
#define NET_UTIL_H

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "gmptest.h"

#define MS	1000000ll

struct pair {
	struct gmp_fd *a, *b;		/* the one that dialled, the one that accepted */
};

static inline void local_text(struct gmp_fd *fd, char text[80])
{
	CHECK(gmp_local_addr(fd, text, 80) > 0);
}

static inline struct gmp_fd *listen_on(const char *addr)
{
	struct gmp_fd *l;

	CHECK_EQ(gmp_listen("tcp", addr, &l), 0);
	return l;
}

static inline struct gmp_fd *dial_to(struct gmp_fd *l)
{
	struct gmp_fd *fd;
	char text[80];

	local_text(l, text);
	CHECK_EQ(gmp_dial(NULL, "tcp", text, &fd), 0);
	return fd;
}

/* Both ends of a connection through @l. */
static inline struct pair connect_via(struct gmp_fd *l)
{
	struct pair p = { .a = dial_to(l) };

	CHECK_EQ(gmp_accept(l, &p.b), 0);
	return p;
}

static inline struct pair tcp_pair(void)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0");
	struct pair p = connect_via(l);

	CHECK_EQ(gmp_close(l), 0);
	return p;
}

static inline void close_pair(struct pair p)
{
	CHECK_EQ(gmp_close(p.a), 0);
	CHECK_EQ(gmp_close(p.b), 0);
}

/* A small send buffer: writes have to wait early. */
static inline void set_buffers(struct gmp_fd *fd, int bytes)
{
	CHECK(setsockopt(gmp_fd_num(fd), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) == 0);
	CHECK(setsockopt(gmp_fd_num(fd), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) == 0);
}

static inline void read_full(struct gmp_fd *fd, void *buf, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t r = gmp_read(fd, (char *)buf + have, n - have);

		CHECK(r > 0);
		have += (size_t)r;
	}
}

/* Of the descriptors in /proc/self/fd: the monitor thread reads /proc now and then, as we do here. */
static inline int is_proc(int dir, const char *name)
{
	char to[16];
	ssize_t n = readlinkat(dir, name, to, sizeof(to));

	return n < 0 || (n >= 6 && memcmp(to, "/proc/", 6) == 0);
}

/* Descriptors of the process. */
static inline int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	int n = 0;

	CHECK(d != NULL);
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.' && !is_proc(dirfd(d), e->d_name);
	closedir(d);
	return n;
}

/* The last call in progress closes the kernel's descriptor: perhaps a moment after gmp_close(). */
static inline void fds_come_to(int n)
{
	for (int i = 0; i < 2000 && count_fds() != n; i++)
		gmp_sleep(MS);
	CHECK_EQ(count_fds(), n);
}

/* Yields until the counter is @n: as far as tests can know, others then wait. */
static inline uint32_t get(uint32_t *n)
{
	return __atomic_load_n(n, __ATOMIC_ACQUIRE);
}

static inline void add(uint32_t *n)
{
	__atomic_add_fetch(n, 1, __ATOMIC_ACQ_REL);
}

static inline void until(uint32_t *n, uint32_t want)
{
	while (get(n) < want)
		gmp_sleep(MS / 10);
}

static inline int count_if_io_wait(const struct gmp_goroutine *g, void *n)
{
	*(uint32_t *)n += strcmp(g->wait_reason, "IO wait") == 0;
	return 0;
}

/* Until @n goroutines wait for descriptors, or for their turn with one. */
static inline void until_waiting(uint32_t n)
{
	for (;;) {
		uint32_t have = 0;

		gmp_goroutines(count_if_io_wait, &have);
		if (have == n)
			return;
		gmp_sleep(MS / 10);
	}
}

/* Long enough for what others began to have come to where it waits; on a busy machine perhaps not. */
static inline void settle(void)
{
	for (int i = 0; i < 100; i++)
		gmp_yield();
	gmp_sleep(5 * MS);
}

#endif
