/* SPDX-License-Identifier: MIT */
/* net_close_test.c - what gmp_close() does to those who wait, and to handles that are kept. */
#include <gmprt.h>

#include <pthread.h>

#include "net_util.h"

/* ---- those who wait ---------------------------------------------------------------------- */

struct wait {
	struct gmp_fd *fd;
	int64_t want;			/* result */
	uint32_t *ended;
};

static void wait_read(void *arg)
{
	struct wait *w = arg;
	char c;

	CHECK_EQ(gmp_read(w->fd, &c, 1), w->want);
	add(w->ended);
}

static void wait_accept(void *arg)
{
	struct wait *w = arg;
	struct gmp_fd *fd;

	CHECK_EQ(gmp_accept(w->fd, &fd), w->want);
	add(w->ended);
}

static void wait_write(void *arg)
{
	static char data[8 << 20];
	struct wait *w = arg;

	CHECK_EQ(gmp_write(w->fd, data, sizeof(data)), w->want);
	add(w->ended);
}

/* @n goroutines wait: the first for I/O, the others for their turn. All are told. */
static void close_on(struct gmp_fd *fd, void (*fn)(void *), uint32_t n)
{
	uint32_t ended = 0;
	struct wait w = { fd, -ECANCELED, &ended };

	for (uint32_t i = 0; i < n; i++)
		CHECK(gmp_go(fn, &w) > 1);
	until_waiting(n);
	CHECK_EQ(get(&ended), 0);
	CHECK_EQ(gmp_close(fd), 0);
	until(&ended, n);
	CHECK_EQ(gmp_close(fd), -EBADF);
}

GTEST(close_ends_reads)
{
	struct pair p = tcp_pair(), q = tcp_pair();

	close_on(p.a, wait_read, 1);
	close_on(q.a, wait_read, 20);
	CHECK_EQ(gmp_close(p.b), 0);
	CHECK_EQ(gmp_close(q.b), 0);
}

GTEST(close_ends_accepts)
{
	close_on(listen_on("127.0.0.1:0"), wait_accept, 1);
	close_on(listen_on("127.0.0.1:0"), wait_accept, 20);
}

GTEST(close_ends_writes)
{
	struct pair p = tcp_pair(), q = tcp_pair();

	close_on(p.a, wait_write, 1);
	close_on(q.a, wait_write, 10);
	CHECK_EQ(gmp_close(p.b), 0);
	CHECK_EQ(gmp_close(q.b), 0);
}

/* Readers and writers of one descriptor at the same time. */
GTEST(close_ends_both_sides)
{
	struct pair p = tcp_pair();
	uint32_t ended = 0;
	struct wait w = { p.a, -ECANCELED, &ended };

	for (int i = 0; i < 5; i++) {
		CHECK(gmp_go(wait_read, &w) > 1);
		CHECK(gmp_go(wait_write, &w) > 1);
	}
	until_waiting(10);
	CHECK_EQ(gmp_close(p.a), 0);
	until(&ended, 10);
	CHECK_EQ(gmp_close(p.b), 0);
}

static void *close_from_outside(void *fd)
{
	until_waiting(1);
	CHECK_EQ(gmp_close(fd), 0);
	return NULL;
}

/* Also shows that a thread that is no M gets an M out of its sleep. */
GTEST(close_by_another_thread)
{
	struct pair p = tcp_pair();
	pthread_t t;
	char c;

	CHECK(pthread_create(&t, NULL, close_from_outside, p.a) == 0);
	CHECK_EQ(gmp_read(p.a, &c, 1), -ECANCELED);
	CHECK(pthread_join(t, NULL) == 0);
	CHECK_EQ(gmp_close(p.b), 0);
}

/* ---- handles ----------------------------------------------------------------------------- */

static void all_calls_give_ebadf(struct gmp_fd *fd)
{
	struct gmp_fd *out = NULL;
	struct iovec iov = { NULL, 0 };
	char buf[80];
	size_t done = 3;

	CHECK_EQ(gmp_read(fd, buf, 1), -EBADF);
	CHECK_EQ(gmp_write(fd, buf, 1), -EBADF);
	CHECK_EQ(gmp_write_n(fd, buf, 1, &done), -EBADF);
	CHECK_EQ(done, 0);
	CHECK_EQ(gmp_readv(fd, &iov, 1), -EBADF);
	CHECK_EQ(gmp_writev(fd, &iov, 1), -EBADF);
	CHECK_EQ(gmp_accept(fd, &out), -EBADF);
	CHECK(out == NULL);
	CHECK_EQ(gmp_shutdown(fd, SHUT_RDWR), -EBADF);
	CHECK_EQ(gmp_local_addr(fd, buf, sizeof(buf)), -EBADF);
	CHECK_EQ(gmp_peer_addr(fd, buf, sizeof(buf)), -EBADF);
	CHECK_EQ(gmp_set_deadline(fd, 0), -EBADF);
	CHECK_EQ(gmp_set_read_deadline(fd, 1), -EBADF);
	CHECK_EQ(gmp_set_write_deadline(fd, UINT64_MAX), -EBADF);
	CHECK_EQ(gmp_fd_num(fd), -EBADF);
	CHECK_EQ(gmp_close(fd), -EBADF);
}

GTEST(after_close_every_call_gives_ebadf)
{
	struct pair p = tcp_pair();

	close_pair(p);
	all_calls_give_ebadf(p.a);
	all_calls_give_ebadf(p.b);
}

GTEST(what_is_no_handle_gives_ebadf)
{
	static const uintptr_t junk[] = {
		0, 1, 2, 4096, INTPTR_MAX, UINTPTR_MAX, (uintptr_t)INTPTR_MIN, (uintptr_t)INTPTR_MIN + 12345,
		0x800000000100ffff, 0x80000000ff000001, 0xffffffffffff0000,
	};
	int local;

	all_calls_give_ebadf(NULL);
	all_calls_give_ebadf((struct gmp_fd *)&local);
	all_calls_give_ebadf((struct gmp_fd *)&gmp_close);
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
		all_calls_give_ebadf((struct gmp_fd *)junk[i]);
}

#define KEPT	5000

/* The slot and the number of each are used again at once; the old handles must not reach the new. */
GTEST(kept_handles_do_not_hit_what_came_after)
{
	static struct gmp_fd *old[KEPT];
	struct gmp_fd *l = listen_on("127.0.0.1:0");
	struct pair p = connect_via(l);
	int num = gmp_fd_num(p.a);
	char c;

	for (int i = 0; i < KEPT; i++) {
		int fds[2];

		CHECK(pipe2(fds, O_CLOEXEC) == 0);
		CHECK_EQ(gmp_fd_adopt(fds[0], &old[i]), 0);
		CHECK_EQ(gmp_close(old[i]), 0);
		close(fds[1]);
	}
	for (int i = 1; i < KEPT; i++)
		CHECK(old[i] != old[i - 1]);
	close_pair(p);
	p = connect_via(l);
	while (gmp_fd_num(p.a) != num) {	/* the kernel's number is the same again */
		close_pair(p);			/* sysmon had it, who looks into /proc now and then */
		p = connect_via(l);
	}
	for (int i = 0; i < KEPT; i++) {
		CHECK_EQ(gmp_close(old[i]), -EBADF);
		CHECK_EQ(gmp_write(old[i], "x", 1), -EBADF);
		CHECK_EQ(gmp_set_deadline(old[i], 1), -EBADF);
	}
	CHECK_EQ(gmp_write(p.a, "y", 1), 1);
	CHECK_EQ(gmp_read(p.b, &c, 1), 1);
	CHECK_EQ(c, 'y');
	close_pair(p);
	CHECK_EQ(gmp_close(l), 0);
}

static void read_closed(void *arg)
{
	struct wait *w = arg;
	char c;
	ssize_t n = gmp_read(w->fd, &c, 1);

	/* Not parked yet when it was closed: too late, or, had it begun, just in time to see the end. */
	if (n != -ECANCELED && !(n == 0 && w->want == -EBADF))
		CHECK_EQ(n, w->want);
	add(w->ended);
}

/* A reader that waited on the descriptor before must not be woken by what the next one receives. */
GTEST(the_next_of_the_same_number_is_another)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0");
	uint32_t ended = 0;

	for (int i = 0; i < 200; i++) {
		struct pair p = connect_via(l);
		struct wait w = { p.b, i % 2 ? -ECANCELED : -EBADF, &ended };
		struct pair q;

		CHECK(gmp_go(read_closed, &w) > 1);
		if (i % 2)
			until_waiting(1);
		else
			gmp_yield();
		CHECK_EQ(gmp_close(p.b), 0);
		q = connect_via(l);
		CHECK_EQ(gmp_write(q.a, "x", 1), 1);
		gmp_yield();
		close_pair(q);
		CHECK_EQ(gmp_close(p.a), 0);
		while (get(&ended) < (uint32_t)i + 1)
			gmp_yield();
	}
	CHECK_EQ(gmp_close(l), 0);
}

/* ---- races ------------------------------------------------------------------------------- */

struct race {
	struct gmp_fd *fd;
	uint32_t *ended;
};

static void use_until_closed(void *arg)
{
	struct race *r = arg;
	char buf[64] = { 0 };
	ssize_t n;

	for (int i = 0;; i++) {
		n = i % 2 ? gmp_read(r->fd, buf, sizeof(buf)) : gmp_write(r->fd, buf, sizeof(buf));
		if (n <= 0)
			break;
	}
	CHECK(n == -ECANCELED || n == -EBADF || n == 0 || n == -EPIPE || n == -ECONNRESET);
	add(r->ended);
}

static void set_until_closed(void *arg)
{
	struct race *r = arg;
	uint64_t when = gmp_now() + 1000 * MS;

	while (gmp_set_deadline(r->fd, when++) == 0)
		gmp_yield();
	add(r->ended);
}

GTEST(close_in_the_middle_of_everything)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0");
	uint64_t rng = gmptest_seed();
	int fds = count_fds();

	for (int round = 0; round < 200; round++) {
		struct pair p = connect_via(l);
		uint32_t ended = 0;
		struct race a = { p.a, &ended }, b = { p.b, &ended };
		bool closed = false;

		for (int i = 0; i < 4; i++) {
			CHECK(gmp_go(use_until_closed, &a) > 1);
			CHECK(gmp_go(use_until_closed, &b) > 1);
		}
		CHECK(gmp_go(set_until_closed, &a) > 1);
		for (uint32_t i = gmptest_rand(&rng) % 50; i; i--)
			gmp_yield();
		if (round % 3 == 0)
			gmp_sleep(gmptest_rand(&rng) % 300000);
		CHECK_EQ(gmp_close(p.a), 0);
		CHECK_EQ(gmp_close(p.a), -EBADF);
		if (round % 2) {
			CHECK_EQ(gmp_close(p.b), 0);
			closed = true;
		}
		until(&ended, 9);
		if (!closed)
			CHECK_EQ(gmp_close(p.b), 0);
	}
	fds_come_to(fds);
	CHECK_EQ(gmp_close(l), 0);
}

static uint32_t winners;

static void close_it(void *arg)
{
	struct race *r = arg;
	int err = gmp_close(r->fd);

	CHECK(err == 0 || err == -EBADF);
	if (!err)
		add(&winners);
	add(r->ended);
}

GTEST(one_of_many_closes_it)
{
	for (uint32_t round = 1; round <= 100; round++) {
		struct pair p = tcp_pair();
		uint32_t ended = 0;
		struct race r = { p.a, &ended };

		for (int i = 0; i < 8; i++)
			CHECK(gmp_go(close_it, &r) > 1);
		until(&ended, 8);
		CHECK_EQ(get(&winners), round);
		CHECK_EQ(gmp_close(p.b), 0);
	}
}

static void *open_and_close(void *l)
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);
	char c;

	for (int i = 0; i < 500; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		struct linger now = { 1, 0 };

		CHECK(getsockname(gmp_fd_num(l), (struct sockaddr *)&in, &len) == 0);
		CHECK(connect(fd, (struct sockaddr *)&in, len) == 0);
		CHECK(write(fd, "x", 1) == 1);
		if (i % 3 == 0)
			CHECK(read(fd, &c, 1) >= 0);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(fd);
	}
	return NULL;
}

static void answer_once(void *fd)
{
	char c;

	if (gmp_read(fd, &c, 1) == 1)
		gmp_write(fd, &c, 1);
	CHECK_EQ(gmp_close(fd), 0);
}

static void serve_all(void *l)
{
	struct gmp_fd *fd;

	while (gmp_accept(l, &fd) == 0)
		CHECK(gmp_go(answer_once, fd) > 1);
}

/* Connections of other threads come, are reset and go; no descriptor is lost. */
GTEST(connections_come_and_go)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0");
	pthread_t t[2];
	int fds = count_fds();

	CHECK(gmp_go(serve_all, l) > 1);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&t[i], NULL, open_and_close, l) == 0);
	gmp_syscall_begin();
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
	gmp_syscall_end();
	fds_come_to(fds);
	CHECK_EQ(gmp_close(l), 0);
}
