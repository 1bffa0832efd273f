/* SPDX-License-Identifier: MIT */
/* on_net.c - two goroutines and a pair of sockets: what is written is read, in order, or the end is told. */
#include "torture.h"

#include <sys/socket.h>

struct line {
	struct torture *t;
	struct gmp_fd *fd;
	uint32_t bytes, seed;
};

static void write_all(void *arg)
{
	struct line *l = arg;
	uint8_t buf[256];
	uint32_t at = 0;

	while (at < l->bytes) {
		size_t n = l->bytes - at < sizeof(buf) ? l->bytes - at : sizeof(buf);

		for (size_t i = 0; i < n; i++)
			buf[i] = (uint8_t)(l->seed + at + i);
		MUST(gmp_write(l->fd, buf, n) == (ssize_t)n);
		at += n;
	}
	count(&l->t->n.bytes_out, at);
	MUST(gmp_close(l->fd) == 0);
	free(l);
}

static void read_all(struct torture *t, struct gmp_fd *fd, uint32_t bytes, uint32_t seed)
{
	uint8_t buf[300];
	uint32_t at = 0;
	ssize_t n;

	while ((n = gmp_read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			MUST(buf[i] == (uint8_t)(seed + at + (uint32_t)i));
		at += (uint32_t)n;
	}
	MUST(n == 0 && at == bytes);
	count(&t->n.bytes_in, at);
}

/* Nobody writes: the deadline ends it, or a close from elsewhere. */
static void close_it(void *arg)
{
	gmp_close(arg);
}

static void wait_in_vain(struct gmp_fd *fd, uint64_t *rnd)
{
	char c;
	ssize_t n;

	if (below(rnd, 2)) {
		MUST(gmp_set_read_deadline(fd, soon(rnd)) == 0);
		MUST(gmp_read(fd, &c, 1) == -ETIMEDOUT);
		MUST(gmp_close(fd) == 0);
		return;
	}
	MUST(gmp_go(close_it, fd) > 1);
	n = gmp_read(fd, &c, 1);
	MUST(n == -ECANCELED || n == -EBADF);
}

void op_net(struct torture *t, uint64_t *rnd)
{
	struct gmp_fd *a, *b;
	struct line *l;
	int fd[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
	MUST(gmp_fd_adopt(fd[0], &a) == 0 && gmp_fd_adopt(fd[1], &b) == 0);
	if (below(rnd, 3) == 0) {
		wait_in_vain(a, rnd);
		MUST(gmp_close(b) == 0);
		return;
	}
	l = malloc(sizeof(*l));
	MUST(l);
	*l = (struct line){ t, b, below(rnd, 3000), draw(rnd) };
	{
		uint32_t bytes = l->bytes, seed = l->seed;	/* the writer frees *l */

		MUST(gmp_go(write_all, l) > 1);
		read_all(t, a, bytes, seed);
	}
	MUST(gmp_close(a) == 0);
}
