/* SPDX-License-Identifier: MIT */
/*
 * echo.c - a TCP echo server, a goroutine a connection; ends when the last of its clients has gone.
 *
 * What it prints is its CPU time a request, from the first connection on. The client is load.c.
 */
#include <errno.h>
#include <stdio.h>

#include "bench.h"

static struct {
	struct gmp_fd *listener;
	atomic_long open, requests, conns;
} srv;

static void serve(void *arg)
{
	struct gmp_fd *fd = arg;
	char buf[4096];
	long requests = 0;

	for (;;) {
		ssize_t n = gmp_read(fd, buf, sizeof(buf));

		if (n <= 0 || gmp_write(fd, buf, (size_t)n) != n)
			break;
		requests++;
	}
	gmp_close(fd);
	atomic_fetch_add(&srv.requests, requests);
	if (atomic_fetch_sub(&srv.open, 1) == 1)
		gmp_close(srv.listener);	/* ends the accept */
}

int bench_echo(struct bench *b)
{
	struct gmp_fd *conn;
	uint64_t cpu = 0;
	char addr[64];
	int err;

	snprintf(addr, sizeof(addr), "127.0.0.1:%ld", b->arg[0]);
	err = gmp_listen("tcp", addr, &srv.listener);
	if (err)
		return err;
	if (b->arg[0] == 0 && gmp_local_addr(srv.listener, addr, sizeof(addr)) > 0)
		fprintf(stderr, "%s\n", addr);
	while ((err = gmp_accept(srv.listener, &conn)) == 0) {
		if (!cpu)
			cpu = bench_cpu();
		atomic_fetch_add(&srv.open, 1);
		atomic_fetch_add(&srv.conns, 1);
		bench_go(serve, conn);
	}
	if (err != -ECANCELED && err != -EBADF)
		return err;
	b->value = (double)(bench_cpu() - cpu) / 1e3 / (double)atomic_load(&srv.requests);
	bench_more(b, "conns=%ld requests=%ld", atomic_load(&srv.conns), atomic_load(&srv.requests));
	return 0;
}
