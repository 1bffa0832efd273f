/* SPDX-License-Identifier: MIT */
/* netpoll_test.c - waiting itself: many, fair, beside busy goroutines, woken by other threads. */
#include <gmprt.h>

#include <pthread.h>
#include <sys/resource.h>

#include "net_util.h"

/* ---- many -------------------------------------------------------------------------------- */

struct node {
	struct gmp_fd *in, *out;
	uint32_t *ended;
};

static void pass_on(void *arg)
{
	struct node *n = arg;
	char c;

	while (gmp_read(n->in, &c, 1) == 1)
		CHECK_EQ(gmp_write(n->out, &c, 1), 1);
	CHECK_EQ(gmp_shutdown(n->out, SHUT_WR), 0);
	add(n->ended);
}

#define RING	200
#define TOKENS	8
#define LAPS	10

/* A chain of goroutines, a socket between each two: tokens go through all of them, again and again. */
GTEST(tokens_go_round)
{
	static struct pair link[RING + 1];
	static struct node node[RING];
	struct gmp_fd *l = listen_on("127.0.0.1:0");
	uint32_t ended = 0;
	char c;

	for (int i = 0; i <= RING; i++)
		link[i] = connect_via(l);
	for (int i = 0; i < RING; i++) {
		node[i] = (struct node){ link[i].b, link[i + 1].a, &ended };
		CHECK(gmp_go(pass_on, &node[i]) > 1);
	}
	for (int i = 0; i < TOKENS; i++)
		CHECK_EQ(gmp_write(link[0].a, "t", 1), 1);
	for (int i = 0; i < TOKENS * LAPS; i++) {
		read_full(link[RING].b, &c, 1);
		CHECK_EQ(gmp_write(link[0].a, &c, 1), 1);
	}
	for (int i = 0; i < TOKENS; i++)
		read_full(link[RING].b, &c, 1);
	CHECK_EQ(gmp_shutdown(link[0].a, SHUT_WR), 0);
	CHECK_EQ(gmp_read(link[RING].b, &c, 1), 0);
	until(&ended, RING);
	for (int i = 0; i <= RING; i++)
		close_pair(link[i]);
	CHECK_EQ(gmp_close(l), 0);
}

static void wait_for_byte(void *arg)
{
	struct node *n = arg;
	char c;

	CHECK_EQ(gmp_read(n->in, &c, 1), 1);
	add(n->ended);
}

/* More descriptors than a chunk of the table has slots, all parked, all woken at once. */
GTEST(thousands_wait)
{
	enum { N = GMPTEST_SCALE(5000) };
	static struct pair p[N];
	static struct node n[N];
	struct rlimit lim;
	uint32_t ended = 0;

	CHECK(getrlimit(RLIMIT_NOFILE, &lim) == 0);
	lim.rlim_cur = lim.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &lim) == 0);
	if (lim.rlim_max < 2 * N + 100)
		SKIP("not enough descriptors");
	for (int i = 0; i < N; i++) {
		int fds[2];

		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
		CHECK_EQ(gmp_fd_adopt(fds[0], &p[i].a), 0);
		CHECK_EQ(gmp_fd_adopt(fds[1], &p[i].b), 0);
		n[i] = (struct node){ .in = p[i].b, .ended = &ended };
		CHECK(gmp_go(wait_for_byte, &n[i]) > 1);
	}
	until_waiting(N);
	CHECK_EQ(get(&ended), 0);
	for (int i = 0; i < N; i++)
		CHECK_EQ(gmp_write(p[i].a, "x", 1), 1);
	until(&ended, N);
	for (int i = 0; i < N; i++)
		close_pair(p[i]);
}

/* ---- beside others ----------------------------------------------------------------------- */

static uint32_t stop;

static void busy(void *unused)
{
	(void)unused;
	while (!get(&stop))
		gmp_yield();
}

static void echo(void *fd)
{
	char c;

	while (gmp_read(fd, &c, 1) == 1)
		CHECK_EQ(gmp_write(fd, &c, 1), 1);
}

/* Goroutines that always have something to do do not keep others from hearing of their sockets. */
GTEST(busy_goroutines_do_not_starve_io)
{
	struct pair p = tcp_pair();
	char c = 'x';

	for (int i = 0; i < 8; i++)
		CHECK(gmp_go(busy, NULL) > 1);
	CHECK(gmp_go(echo, p.b) > 1);
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(gmp_write(p.a, &c, 1), 1);
		CHECK_EQ(gmp_read(p.a, &c, 1), 1);
	}
	add(&stop);
	close_pair(p);
}

static void sleep_on(void *n)
{
	for (int i = 0; i < 50; i++)
		gmp_sleep(MS / 5);
	add(n);
}

/* The M that sleeps for descriptors sleeps for timers too. */
GTEST(timers_beside_io)
{
	struct pair p = tcp_pair();
	uint64_t began = gmp_now();
	uint32_t done = 0;
	char c = 'x';

	CHECK(gmp_go(echo, p.b) > 1);
	for (int i = 0; i < 20; i++)
		CHECK(gmp_go(sleep_on, &done) > 1);
	while (get(&done) < 20) {
		CHECK_EQ(gmp_write(p.a, &c, 1), 1);
		CHECK_EQ(gmp_read(p.a, &c, 1), 1);
		gmp_sleep(MS);
	}
	CHECK(gmp_now() - began >= 10 * MS);
	CHECK(gmp_now() - began < 3000 * MS);
	close_pair(p);
}

static void echo_with_deadlines(void *fd)
{
	char c;

	while (gmp_set_deadline(fd, gmp_now() + 20000 * (uint64_t)MS) == 0) {
		if (gmp_read(fd, &c, 1) != 1)
			return;
		CHECK_EQ(gmp_write(fd, &c, 1), 1);
	}
}

static void ping(void *arg)
{
	struct node *n = arg;
	char c = 'x';

	while (!get(&stop)) {
		CHECK_EQ(gmp_write(n->in, &c, 1), 1);
		CHECK_EQ(gmp_read(n->in, &c, 1), 1);
	}
	CHECK_EQ(gmp_shutdown(n->in, SHUT_WR), 0);
	add(n->ended);
}

/* Ps come and go, the world stops and starts: those who wait for descriptors or deadlines stay heard. */
GTEST(number_of_ps_changes)
{
	enum { N = 8 };
	struct gmp_fd *l = listen_on("127.0.0.1:0");
	struct pair p[N];
	struct node n[N];
	uint32_t ended = 0;

	for (int i = 0; i < N; i++) {
		p[i] = connect_via(l);
		n[i] = (struct node){ .in = p[i].a, .ended = &ended };
		CHECK(gmp_go(echo_with_deadlines, p[i].b) > 1);
		CHECK(gmp_go(ping, &n[i]) > 1);
	}
	for (int i = 0; i < 60; i++) {
		CHECK(gmp_maxprocs(1 + i % 5) > 0);
		gmp_sleep(MS / 2);
		if (i % 4 == 0) {
			CHECK_EQ(gmp_stop_world("a test"), 0);
			CHECK_EQ(gmp_start_world(), 0);
		}
	}
	add(&stop);
	until(&ended, N);
	for (int i = 0; i < N; i++)
		close_pair(p[i]);
	CHECK_EQ(gmp_close(l), 0);
}

/* ---- other threads ----------------------------------------------------------------------- */

static void *write_from_outside(void *fd)
{
	for (int i = 0; i < 200; i++) {
		usleep(i % 10 ? 50 : 2000);
		CHECK_EQ(gmp_write(fd, "x", 1), 1);
	}
	return NULL;
}

GTEST(other_threads_may_write)
{
	struct pair p = tcp_pair();
	pthread_t t;
	char c;

	CHECK(pthread_create(&t, NULL, write_from_outside, p.a) == 0);
	for (int i = 0; i < 200; i++)
		CHECK_EQ(gmp_read(p.b, &c, 1), 1);
	CHECK(pthread_join(t, NULL) == 0);
	close_pair(p);
}

static uint32_t started;

static void count_start(void *unused)
{
	(void)unused;
	add(&started);
}

static void *start_from_outside(void *unused)
{
	(void)unused;
	for (uint32_t i = 0; i < 100; i++) {
		usleep(i % 10 ? 100 : 3000);
		CHECK(gmp_go(count_start, NULL) > 1);
	}
	return NULL;
}

/* All Ms sleep, one of them in the poll without a limit; gmp_go() by another thread gets one out of it. */
GTEST(other_threads_wake_the_poller)
{
	struct pair p = tcp_pair();
	pthread_t t;
	char c;

	CHECK(pthread_create(&t, NULL, start_from_outside, NULL) == 0);
	while (get(&started) < 100) {
		CHECK_EQ(gmp_set_read_deadline(p.b, gmp_now() + 20 * MS), 0);
		CHECK_EQ(gmp_read(p.b, &c, 1), -ETIMEDOUT);
	}
	CHECK(pthread_join(t, NULL) == 0);
	close_pair(p);
}

/* ---- edges ------------------------------------------------------------------------------- */

struct race {
	struct gmp_fd *fd;
	uint32_t rounds;
	uint64_t rng;
	uint32_t *ended;
};

static void write_in_bursts(void *arg)
{
	struct race *r = arg;
	char buf[64] = { 0 };

	for (uint32_t i = 0; i < r->rounds; i++) {
		CHECK_EQ(gmp_write(r->fd, buf, 1 + gmptest_rand(&r->rng) % sizeof(buf)) > 0, 1);
		if (gmptest_rand(&r->rng) % 4 == 0)
			gmp_yield();
	}
	CHECK_EQ(gmp_shutdown(r->fd, SHUT_WR), 0);
	add(r->ended);
}

static void drain(void *arg)
{
	struct race *r = arg;
	char buf[48];

	while (gmp_read(r->fd, buf, 1 + gmptest_rand(&r->rng) % sizeof(buf)) > 0) {
		if (gmptest_rand(&r->rng) % 4 == 0)
			gmp_yield();
	}
	add(r->ended);
}

/* Edge-triggered reports come while the reader is between its try and its wait: none may be lost. */
GTEST(no_edge_is_lost)
{
	enum { N = 16 };
	static struct race w[N], r[N];
	struct gmp_fd *l = listen_on("127.0.0.1:0");
	struct pair p[N];
	uint32_t ended = 0;

	for (int i = 0; i < N; i++) {
		p[i] = connect_via(l);
		w[i] = (struct race){ p[i].a, 3000, gmptest_seed() + (uint64_t)i, &ended };
		r[i] = (struct race){ p[i].b, 0, gmptest_seed() + 100 + (uint64_t)i, &ended };
		CHECK(gmp_go(write_in_bursts, &w[i]) > 1);
		CHECK(gmp_go(drain, &r[i]) > 1);
	}
	until(&ended, 2 * N);
	for (int i = 0; i < N; i++)
		close_pair(p[i]);
	CHECK_EQ(gmp_close(l), 0);
}

/* Both sides of a descriptor wait at the same time, for different things. */
GTEST(reader_and_writer_wait_together)
{
	struct pair p = tcp_pair();
	uint32_t ended = 0;
	static char data[2 << 20], buf[65536];
	struct node n = { .in = p.a, .ended = &ended };
	size_t sum = 0;

	set_buffers(p.a, 8192);
	CHECK(gmp_go(wait_for_byte, &n) > 1);
	until_waiting(1);
	CHECK_EQ(gmp_set_write_deadline(p.a, gmp_now() + 30 * MS), 0);
	CHECK_EQ(gmp_write_n(p.a, data, sizeof(data), &sum), -ETIMEDOUT);
	CHECK_EQ(get(&ended), 0);
	CHECK_EQ(gmp_write(p.b, "x", 1), 1);
	until(&ended, 1);
	while (sum)
		sum -= (size_t)gmp_read(p.b, buf, sizeof(buf));
	CHECK_EQ(gmp_set_write_deadline(p.a, 0), 0);
	CHECK_EQ(gmp_write(p.a, "y", 1), 1);
	CHECK_EQ(gmp_read(p.b, buf, 2), 1);
	close_pair(p);
}

/* ---- reads that are not tried (in_vain() in rw.c) ---------------------------------------- */

/* Data and the end of the stream in one edge, a read between that takes the data only. */
GTEST(end_of_stream_behind_a_short_read)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0");
	char buf[64];

	for (int i = 0; i < 300; i++) {
		struct pair p = connect_via(l);

		CHECK_EQ(gmp_write(p.a, "data", 4), 4);
		if (i % 2)
			CHECK_EQ(gmp_close(p.a), 0);
		else
			CHECK_EQ(gmp_shutdown(p.a, SHUT_WR), 0);
		if (i % 3 == 0)
			gmp_yield();
		if (i % 10 == 0)
			gmp_sleep(MS);
		CHECK_EQ(gmp_read(p.b, buf, sizeof(buf)), 4);
		if (i % 20 == 0)
			gmp_sleep(MS);
		CHECK_EQ(gmp_read(p.b, buf, sizeof(buf)), 0);
		CHECK_EQ(gmp_read(p.b, buf, sizeof(buf)), 0);
		CHECK_EQ(gmp_close(p.b), 0);
		if (i % 2 == 0)
			CHECK_EQ(gmp_close(p.a), 0);
	}
	CHECK_EQ(gmp_close(l), 0);
}

/* A read ends at the mark of urgent data, with more behind it. */
GTEST(urgent_data_behind_a_short_read)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0");
	struct sockaddr_in in;
	socklen_t len = sizeof(in);
	char buf[64];

	CHECK(getsockname(gmp_fd_num(l), (struct sockaddr *)&in, &len) == 0);
	for (int i = 0; i < 100; i++) {
		int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
		struct gmp_fd *fd;
		ssize_t sum = 0, n;

		CHECK(connect(s, (struct sockaddr *)&in, len) == 0);
		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		CHECK_EQ(gmp_accept(l, &fd), 0);
		CHECK(send(s, "ab", 2, 0) == 2 && send(s, "!", 1, MSG_OOB) == 1 && send(s, "cd", 2, 0) == 2);
		if (i % 2)
			gmp_sleep(MS / 2);
		CHECK_EQ(gmp_set_read_deadline(fd, gmp_now() + 20000 * MS), 0);
		while (sum < 4) {
			n = gmp_read(fd, buf, sizeof(buf));
			CHECK(n > 0);
			sum += n;
		}
		close(s);
		CHECK_EQ(gmp_read(fd, buf, sizeof(buf)), 0);
		CHECK_EQ(gmp_close(fd), 0);
	}
	CHECK_EQ(gmp_close(l), 0);
}

/* A read that fails for another reason uses the report up, but not what was reported. */
GTEST(bad_buffer_after_a_short_read)
{
	struct pair p = tcp_pair();
	struct iovec none = { NULL, 1 };
	char buf[8];

	for (int i = 0; i < 20; i++) {
		CHECK_EQ(gmp_write(p.a, "x", 1), 1);
		CHECK_EQ(gmp_read(p.b, buf, sizeof(buf)), 1);
		CHECK_EQ(gmp_write(p.a, "y", 1), 1);
		if (i % 2)
			CHECK_EQ(gmp_read(p.b, NULL, sizeof(buf)), -EFAULT);
		else
			CHECK_EQ(gmp_readv(p.b, &none, 1), -EFAULT);
		CHECK_EQ(gmp_read(p.b, buf, sizeof(buf)), 1);
		CHECK_EQ(buf[0], 'y');
	}
	close_pair(p);
}

/* SHUT_RD and a reset are heard of although the last read took all there was. */
GTEST(ends_without_data_after_a_short_read)
{
	struct pair p = tcp_pair(), q = tcp_pair();
	struct linger now = { 1, 0 };
	char buf[8];

	CHECK_EQ(gmp_write(p.a, "x", 1), 1);
	CHECK_EQ(gmp_read(p.b, buf, sizeof(buf)), 1);
	gmp_sleep(MS);
	CHECK_EQ(gmp_shutdown(p.b, SHUT_RD), 0);
	CHECK_EQ(gmp_read(p.b, buf, sizeof(buf)), 0);
	close_pair(p);
	CHECK_EQ(gmp_write(q.a, "x", 1), 1);
	CHECK_EQ(gmp_read(q.b, buf, sizeof(buf)), 1);
	CHECK(setsockopt(gmp_fd_num(q.a), SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
	CHECK_EQ(gmp_close(q.a), 0);
	CHECK_EQ(gmp_read(q.b, buf, sizeof(buf)), -ECONNRESET);
	CHECK_EQ(gmp_read(q.b, buf, sizeof(buf)), 0);
	CHECK_EQ(gmp_close(q.b), 0);
}

static int receive_one(void *arg)
{
	char buf[8];

	CHECK_EQ(gmp_read(arg, buf, sizeof(buf)), 1);
	return 0;
}

/* What was reported in one run and not taken must not be missed in the next, nor outside of both. */
TEST(short_read_then_another_run)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0"), *fd;
	struct sockaddr_in in;
	socklen_t len = sizeof(in);
	int s = socket(AF_INET, SOCK_STREAM, 0);
	char buf[8];

	CHECK(getsockname(gmp_fd_num(l), (struct sockaddr *)&in, &len) == 0);
	CHECK(connect(s, (struct sockaddr *)&in, len) == 0);
	CHECK_EQ(gmp_accept(l, &fd), 0);
	for (int i = 0; i < 3; i++) {
		CHECK(write(s, "x", 1) == 1);
		CHECK_EQ(gmp_run(receive_one, fd), 0);
		CHECK(write(s, "x", 1) == 1);
		CHECK_EQ(gmp_read(fd, buf, sizeof(buf)), 1);
	}
}
