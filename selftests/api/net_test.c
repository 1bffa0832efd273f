/* SPDX-License-Identifier: MIT */
/* net_test.c - TCP: listen, accept, read, write, addresses, halves, limits. */
#include <gmprt.h>

#include <signal.h>
#include <sys/resource.h>

#include "net_util.h"

/* ---- echo -------------------------------------------------------------------------------- */

static uint32_t echoed;

static void echo(void *fd)
{
	char buf[2048];
	ssize_t n;

	while ((n = gmp_read(fd, buf, sizeof(buf))) > 0)
		CHECK_EQ(gmp_write(fd, buf, (size_t)n), n);
	CHECK_EQ(n, 0);
	CHECK_EQ(gmp_close(fd), 0);
}

static void echo_server(void *l)
{
	struct gmp_fd *fd;
	int err;

	while ((err = gmp_accept(l, &fd)) == 0)
		CHECK(gmp_go(echo, fd) > 1);
	CHECK(err == -ECANCELED || err == -EBADF);
	add(&echoed);
}

GTEST(echo)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0");
	struct gmp_fd *fd;
	char buf[6];

	CHECK(gmp_go(echo_server, l) > 1);
	fd = dial_to(l);
	CHECK_EQ(gmp_write(fd, "hello", 6), 6);
	read_full(fd, buf, 6);
	CHECK(strcmp(buf, "hello") == 0);
	CHECK_EQ(gmp_close(fd), 0);
	CHECK_EQ(gmp_close(l), 0);
	until(&echoed, 1);
}

#define CLIENTS	300
#define ROUNDS	20

struct client {
	struct gmp_fd *l;
	uint64_t rng;
	uint32_t *done;
};

static void chatter(void *arg)
{
	struct client *cl = arg;
	struct gmp_fd *fd = dial_to(cl->l);
	char out[4096], in[4096];

	for (int i = 0; i < ROUNDS; i++) {
		size_t n = 1 + gmptest_rand(&cl->rng) % sizeof(out);

		memset(out, (int)gmptest_rand(&cl->rng), n);
		out[0] = (char)i;
		CHECK_EQ(gmp_write(fd, out, n), n);
		read_full(fd, in, n);
		CHECK(memcmp(in, out, n) == 0);
	}
	CHECK_EQ(gmp_close(fd), 0);
	add(cl->done);
}

GTEST(echo_hundreds)
{
	static struct client clients[CLIENTS];
	struct gmp_fd *l = listen_on("127.0.0.1:0");
	uint32_t done = 0;

	CHECK(gmp_go(echo_server, l) > 1);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){ l, gmptest_seed() + (uint64_t)i + 1, &done };
		CHECK(gmp_go(chatter, &clients[i]) > 1);
	}
	until(&done, CLIENTS);
	CHECK_EQ(gmp_close(l), 0);
	until(&echoed, 1);
}

/* ---- addresses --------------------------------------------------------------------------- */

static void check_ends(struct gmp_fd *l)
{
	struct pair p = connect_via(l);
	char a[80], b[80], small[80];
	int n;

	local_text(p.a, a);
	n = gmp_peer_addr(p.b, b, sizeof(b));
	CHECK_EQ(n, strlen(b));
	CHECK(strcmp(a, b) == 0);
	CHECK_EQ(gmp_peer_addr(p.b, small, (size_t)n), -ENOSPC);
	CHECK_EQ(gmp_peer_addr(p.b, small, (size_t)n + 1), n);
	CHECK_EQ(gmp_peer_addr(p.b, NULL, 0), -ENOSPC);
	CHECK_EQ(gmp_peer_addr(l, small, sizeof(small)), -ENOTCONN);
	close_pair(p);
}

GTEST(addresses_of_both_ends)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0");
	char text[80];

	local_text(l, text);
	CHECK(strncmp(text, "127.0.0.1:", 10) == 0);
	CHECK(atoi(text + 10) > 0);
	check_ends(l);
	CHECK_EQ(gmp_close(l), 0);
}

static bool have_v6(void)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&in6, sizeof(in6)) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

GTEST(ipv6)
{
	struct gmp_fd *l;
	char text[80];

	if (!have_v6())
		SKIP("no IPv6 here");
	l = listen_on("[::1]:0");
	local_text(l, text);
	CHECK(strncmp(text, "[::1]:", 6) == 0);
	check_ends(l);
	CHECK_EQ(gmp_close(l), 0);
}

GTEST(no_host_serves_both_families)
{
	struct gmp_fd *l = listen_on(":0"), *fd, *peer;
	char text[80], port[80], to[100];

	local_text(l, text);
	strcpy(port, strrchr(text, ':'));
	snprintf(to, sizeof(to), "127.0.0.1%s", port);
	CHECK_EQ(gmp_dial(NULL, "tcp", to, &fd), 0);
	CHECK_EQ(gmp_accept(l, &peer), 0);
	CHECK(gmp_peer_addr(peer, text, sizeof(text)) > 0);
	CHECK(strncmp(text, "127.0.0.1:", 10) == 0);	/* not ::ffff:127.0.0.1 */
	CHECK_EQ(gmp_close(fd), 0);
	CHECK_EQ(gmp_close(peer), 0);
	CHECK_EQ(gmp_dial(NULL, "tcp", port, &fd), 0);	/* this host */
	CHECK_EQ(gmp_accept(l, &peer), 0);
	CHECK_EQ(gmp_close(fd), 0);
	CHECK_EQ(gmp_close(peer), 0);
	if (have_v6()) {
		snprintf(to, sizeof(to), "[::1]%s", port);
		CHECK_EQ(gmp_dial(NULL, "tcp", to, &fd), 0);
		CHECK_EQ(gmp_accept(l, &peer), 0);
		CHECK_EQ(gmp_close(fd), 0);
		CHECK_EQ(gmp_close(peer), 0);
	}
	CHECK_EQ(gmp_close(l), 0);
}

TEST(what_is_no_address_is_refused)
{
	static const char *const bad[] = {
		"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
		"127.0.0.1:1 ", "127.0.0.1:123456", "127.0.0:1", "::1:80", "[::1]", "[::1]80", "[::1:80",
		"[127.0.0.1]:1", "localhost:1", "127.0.0.1:80:80", "[::1]:", "[]:1", " :1", "256.0.0.1:1",
		"[fe80::1%]:1",
		"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff:0:1:2]:1",
	};
	struct gmp_fd *fd;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int err = gmp_listen("tcp", bad[i], &fd);

		if (err != -EINVAL && !(strchr(bad[i], '%') && err == -ENODEV))
			printf("# %s\n", bad[i]);
		CHECK(err == -EINVAL || (strchr(bad[i], '%') && err == -ENODEV));
		err = gmp_dial(NULL, "tcp", bad[i], &fd);
		CHECK(err == -EINVAL || (strchr(bad[i], '%') && err == -ENODEV));
	}
	CHECK_EQ(gmp_listen("tcp", "[fe80::1%nosuchzone]:1", &fd), -ENODEV);
	CHECK_EQ(gmp_listen("sctp", "127.0.0.1:0", &fd), -EPROTONOSUPPORT);
	CHECK_EQ(gmp_listen(NULL, "127.0.0.1:0", &fd), -EINVAL);
	CHECK_EQ(gmp_listen("tcp", NULL, &fd), -EINVAL);
	CHECK_EQ(gmp_listen("tcp", "127.0.0.1:0", NULL), -EINVAL);
	CHECK_EQ(gmp_dial(NULL, "tcp", NULL, &fd), -EINVAL);
	CHECK_EQ(gmp_accept(NULL, NULL), -EINVAL);
	CHECK_EQ(gmp_fd_adopt(0, NULL), -EINVAL);
}

/* ---- sockets as they should be ----------------------------------------------------------- */

static int option(struct gmp_fd *fd, int level, int name)
{
	int v = -1;
	socklen_t n = sizeof(v);

	CHECK(getsockopt(gmp_fd_num(fd), level, name, &v, &n) == 0);
	return v;
}

static void check_options(struct gmp_fd *fd)
{
	int num = gmp_fd_num(fd);

	CHECK(fcntl(num, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(num, F_GETFD) & FD_CLOEXEC);
	CHECK(option(fd, IPPROTO_TCP, TCP_NODELAY) != 0);
	CHECK(option(fd, SOL_SOCKET, SO_KEEPALIVE) != 0);
	CHECK_EQ(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 15);
}

GTEST(options_of_connections)
{
	struct pair p = tcp_pair();

	check_options(p.a);
	check_options(p.b);
	close_pair(p);
}

GTEST(port_in_use)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0"), *other;
	struct pair p = connect_via(l);
	char text[80];

	local_text(l, text);
	CHECK_EQ(gmp_listen("tcp", text, &other), -EADDRINUSE);
	/* The side that closes first is left in TIME_WAIT, on the port: SO_REUSEADDR. */
	CHECK_EQ(gmp_close(p.b), 0);
	CHECK_EQ(gmp_close(p.a), 0);
	CHECK_EQ(gmp_close(l), 0);
	CHECK_EQ(gmp_listen("tcp", text, &other), 0);
	CHECK_EQ(gmp_close(other), 0);
}

GTEST(what_cannot_be_done_with_a_socket)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0"), *fd;
	struct pair p = connect_via(l);
	char c = 'x';

	CHECK_EQ(gmp_accept(p.a, &fd), -EINVAL);
	CHECK_EQ(gmp_read(l, &c, 1), -ENOTCONN);
	CHECK_EQ(gmp_write(l, &c, 1), -EPIPE);
	CHECK_EQ(gmp_shutdown(l, 17), -EINVAL);
	CHECK_EQ(gmp_write(p.b, &c, 1), 1);
	GMPTEST_UNCHECKED(CHECK_EQ(gmp_read(p.a, NULL, 1), -EFAULT));
	GMPTEST_UNCHECKED(CHECK_EQ(gmp_write(p.a, NULL, 1), -EFAULT));
	close_pair(p);
	CHECK_EQ(gmp_close(l), 0);
}

/* ---- bytes ------------------------------------------------------------------------------- */

#define LARGE	(8u << 20)

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 2654435761u >> 13);
}

static void write_large(void *fd)
{
	unsigned char *buf = malloc(LARGE);

	for (size_t i = 0; i < LARGE; i++)
		buf[i] = pattern(i);
	CHECK_EQ(gmp_write(fd, buf, LARGE), LARGE);
	CHECK_EQ(gmp_shutdown(fd, SHUT_WR), 0);
	free(buf);
}

GTEST(large_write_arrives)
{
	struct pair p = tcp_pair();
	unsigned char buf[10000];
	size_t at = 0;
	ssize_t n;

	CHECK(gmp_go(write_large, p.a) > 1);
	while ((n = gmp_read(p.b, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ(buf[i], pattern(at + (size_t)i));
		at += (size_t)n;
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(at, LARGE);
	close_pair(p);
}

#define WRITERS	16
#define BLOCK	50000
#define BLOCKS	8

struct writer {
	struct gmp_fd *fd;
	int id;
};

static void write_blocks(void *arg)
{
	struct writer *w = arg;
	char *block = malloc(BLOCK);
	const size_t half = BLOCK / 2;
	struct iovec iov[3] = { { block, 1 }, { block + 1, half }, { block + 1 + half, half - 1 } };

	memset(block, w->id, BLOCK);
	for (int i = 0; i < BLOCKS; i++) {
		if (i % 2)
			CHECK_EQ(gmp_write(w->fd, block, BLOCK), BLOCK);
		else
			CHECK_EQ(gmp_writev(w->fd, iov, 3), BLOCK);
	}
	free(block);
}

GTEST(writers_do_not_mix)
{
	struct writer w[WRITERS];
	struct pair p = tcp_pair();
	char *block = malloc(BLOCK);
	int seen[WRITERS] = { 0 };

	set_buffers(p.a, 8192);
	for (int i = 0; i < WRITERS; i++) {
		w[i] = (struct writer){ p.a, i };
		CHECK(gmp_go(write_blocks, &w[i]) > 1);
	}
	for (int i = 0; i < WRITERS * BLOCKS; i++) {
		read_full(p.b, block, BLOCK);
		for (int k = 1; k < BLOCK; k++)
			CHECK_EQ(block[k], block[0]);
		seen[(int)block[0]]++;
	}
	for (int i = 0; i < WRITERS; i++)
		CHECK_EQ(seen[i], BLOCKS);
	free(block);
	close_pair(p);
}

struct reader {
	struct gmp_fd *fd;
	uint32_t bytes;
	uint32_t *ended;
};

static void read_bytes(void *arg)
{
	struct reader *r = arg;
	char c;

	while (gmp_read(r->fd, &c, 1) == 1)
		r->bytes++;
	add(r->ended);
}

/* They stand in line: each gets its turn. On several Ps one may be late to stand there again. */
GTEST(readers_take_turns)
{
	struct reader r[8];
	struct pair p = tcp_pair();
	uint32_t ended = 0, sum = 0;

	for (int i = 0; i < 8; i++) {
		r[i] = (struct reader){ p.b, 0, &ended };
		CHECK(gmp_go(read_bytes, &r[i]) > 1);
	}
	until_waiting(8);
	for (int i = 0; i < 800; i++)
		CHECK_EQ(gmp_write(p.a, "x", 1), 1);
	CHECK_EQ(gmp_shutdown(p.a, SHUT_WR), 0);
	until(&ended, 8);
	for (int i = 0; i < 8; i++) {
		sum += r[i].bytes;
		CHECK(r[i].bytes == 100 || gmp_maxprocs(0) > 1);
	}
	CHECK_EQ(sum, 800);
	close_pair(p);
}

static void writev_all_sizes(void *fd)
{
	static char data[100000];
	struct iovec iov[1024];
	size_t at = 0;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)pattern(i);
	for (int i = 0; i < 1024; i++) {	/* every seventh is empty, the last too */
		size_t n = i % 7 == 1 || i == 1023 ? 0 : 113;

		iov[i] = (struct iovec){ data + at, n };
		at += n;
	}
	CHECK(at < sizeof(data));
	for (int i = 0; i < 10; i++)
		CHECK_EQ(gmp_writev(fd, iov, 1024), at);
	CHECK_EQ(gmp_writev(fd, iov, 0), 0);
	CHECK_EQ(gmp_writev(fd, iov, 1025), -EINVAL);
	CHECK_EQ(gmp_writev(fd, iov, -1), -EINVAL);
	CHECK_EQ(gmp_writev(fd, iov + 1, 1), 0);
	CHECK_EQ(gmp_shutdown(fd, SHUT_WR), 0);
}

GTEST(vectors)
{
	struct pair p = tcp_pair();
	char a[300], b[700];
	struct iovec iov[3] = { { a, sizeof(a) }, { NULL, 0 }, { b, sizeof(b) } };
	const size_t piece = 113 * (1024 - 146 - 1);
	size_t at = 0;
	ssize_t n;

	set_buffers(p.a, 4096);
	CHECK(gmp_go(writev_all_sizes, p.a) > 1);
	while ((n = gmp_readv(p.b, iov, 3)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			char got = i < 300 ? a[i] : b[i - 300];

			CHECK_EQ(got, (char)pattern((at + (size_t)i) % piece));
		}
		at += (size_t)n;
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(at, 10 * piece);
	CHECK_EQ(gmp_readv(p.b, iov, -1), -EINVAL);
	close_pair(p);
}

GTEST(nothing_to_write_or_read)
{
	struct pair p = tcp_pair();
	size_t done = 7;
	char c;

	CHECK_EQ(gmp_write(p.a, "", 0), 0);
	CHECK_EQ(gmp_write_n(p.a, "", 0, &done), 0);
	CHECK_EQ(done, 0);
	CHECK_EQ(gmp_write_n(p.a, "", 0, NULL), 0);
	CHECK_EQ(gmp_write_n(p.a, "ab", 2, &done), 2);
	CHECK_EQ(done, 2);
	CHECK_EQ(gmp_read(p.b, &c, 0), 0);
	CHECK_EQ(gmp_read(p.b, &c, 1), 1);
	CHECK_EQ(c, 'a');
	close_pair(p);
}

GTEST(half_close)
{
	struct pair p = tcp_pair();
	char buf[4];

	CHECK_EQ(gmp_write(p.a, "ask", 3), 3);
	CHECK_EQ(gmp_shutdown(p.a, SHUT_WR), 0);
	CHECK_EQ(gmp_write(p.a, "x", 1), -EPIPE);
	read_full(p.b, buf, 3);
	CHECK_EQ(gmp_read(p.b, buf, 1), 0);
	CHECK_EQ(gmp_read(p.b, buf, 1), 0);
	CHECK_EQ(gmp_write(p.b, "yes", 3), 3);
	read_full(p.a, buf, 3);
	CHECK(memcmp(buf, "yes", 3) == 0);
	close_pair(p);
}

static void shut_reading(void *fd)
{
	until_waiting(1);
	CHECK_EQ(gmp_shutdown(fd, SHUT_RD), 0);
}

GTEST(shutdown_ends_a_parked_read)
{
	struct pair p = tcp_pair();
	char c;

	CHECK(gmp_go(shut_reading, p.a) > 1);
	CHECK_EQ(gmp_read(p.a, &c, 1), 0);
	close_pair(p);
}

/* SIGPIPE has its default action: it would end the test. */
GTEST(reset_by_peer)
{
	struct pair p = tcp_pair();
	struct linger now = { 1, 0 };
	char c = 0;

	CHECK(setsockopt(gmp_fd_num(p.b), SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
	CHECK_EQ(gmp_close(p.b), 0);
	settle();
	CHECK_EQ(gmp_read(p.a, &c, 1), -ECONNRESET);
	CHECK_EQ(gmp_write(p.a, "x", 1), -EPIPE);
	CHECK_EQ(gmp_writev(p.a, &(struct iovec){ &c, 1 }, 1), -EPIPE);
	CHECK_EQ(gmp_close(p.a), 0);
}

static void drop(void *fd)
{
	char buf[1000];

	until_waiting(1);
	read_full(fd, buf, sizeof(buf));
	CHECK_EQ(gmp_close(fd), 0);	/* with data unread: a reset */
}

GTEST(reset_while_a_write_waits)
{
	struct pair p = tcp_pair();
	static char data[4 << 20];
	size_t done;
	ssize_t n;

	set_buffers(p.a, 8192);
	CHECK(gmp_go(drop, p.b) > 1);
	n = gmp_write_n(p.a, data, sizeof(data), &done);
	CHECK(n == -ECONNRESET || n == -EPIPE);
	CHECK(done >= 1000 && done < sizeof(data));
	CHECK_EQ(gmp_close(p.a), 0);
}

/* ---- limits ------------------------------------------------------------------------------ */

GTEST(out_of_descriptors)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0"), *fd, *more;
	struct gmp_fd *client = dial_to(l);
	struct rlimit lim;
	int lowest, fds;

	CHECK(getrlimit(RLIMIT_NOFILE, &lim) == 0);
	lowest = dup(0);
	CHECK(lowest >= 0);
	close(lowest);
	lim.rlim_cur = (rlim_t)lowest;
	fds = count_fds();
	CHECK(setrlimit(RLIMIT_NOFILE, &lim) == 0);
	CHECK_EQ(gmp_accept(l, &fd), -EMFILE);
	CHECK_EQ(gmp_listen("tcp", "127.0.0.1:0", &more), -EMFILE);
	CHECK_EQ(gmp_dial(NULL, "tcp", "127.0.0.1:1", &more), -EMFILE);
	CHECK_EQ(gmp_accept(l, &fd), -EMFILE);
	lim.rlim_cur = (rlim_t)lowest + 1;
	CHECK(setrlimit(RLIMIT_NOFILE, &lim) == 0);
	CHECK_EQ(gmp_accept(l, &fd), 0);	/* it has waited in the kernel */
	CHECK_EQ(gmp_close(fd), 0);
	lim.rlim_cur = lim.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &lim) == 0);
	CHECK_EQ(count_fds(), fds);
	CHECK_EQ(gmp_close(client), 0);
	CHECK_EQ(gmp_close(l), 0);
}

/* The first descriptor brings up the poller, which needs two of the kernel's; without them: later. */
TEST(no_room_for_the_poller)
{
	struct gmp_fd *l = NULL;
	struct rlimit lim;
	int lowest = dup(0), fds;

	CHECK(lowest >= 0 && close(lowest) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &lim) == 0);
	fds = count_fds();
	for (rlim_t room = 0; room < 3; room++) {	/* a socket, and with it epoll, an eventfd */
		lim.rlim_cur = (rlim_t)lowest + room;
		CHECK(setrlimit(RLIMIT_NOFILE, &lim) == 0);
		CHECK_EQ(gmp_listen("tcp", "127.0.0.1:0", &l), -EMFILE);
		CHECK(l == NULL);
	}
	lim.rlim_cur = lim.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &lim) == 0);
	CHECK_EQ(count_fds(), fds);
	l = listen_on("127.0.0.1:0");
	CHECK_EQ(count_fds(), fds + 3);
	CHECK_EQ(gmp_close(l), 0);
}

/* ---- other threads, other runs ----------------------------------------------------------- */

TEST(without_a_goroutine_what_would_park_does_not)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0"), *fd, *out;
	struct sockaddr_in in;
	socklen_t len = sizeof(in);
	int s = socket(AF_INET, SOCK_STREAM, 0);
	char buf[8];

	CHECK_EQ(gmp_accept(l, &fd), -EWOULDBLOCK);
	CHECK(getsockname(gmp_fd_num(l), (struct sockaddr *)&in, &len) == 0);
	CHECK(connect(s, (struct sockaddr *)&in, len) == 0);
	CHECK_EQ(gmp_accept(l, &fd), 0);
	CHECK_EQ(gmp_read(fd, buf, 8), -EWOULDBLOCK);
	CHECK(write(s, "abc", 3) == 3);
	CHECK_EQ(gmp_read(fd, buf, 8), 3);
	CHECK_EQ(gmp_write(fd, "defg", 4), 4);
	CHECK_EQ(read(s, buf, 8), 4);
	CHECK_EQ(gmp_set_deadline(fd, 1), 0);
	CHECK_EQ(gmp_read(fd, buf, 8), -ETIMEDOUT);
	CHECK_EQ(gmp_set_deadline(fd, UINT64_MAX), -ESRCH);
	CHECK_EQ(gmp_set_deadline(fd, 0), 0);
	CHECK_EQ(gmp_read(fd, buf, 8), -EWOULDBLOCK);
	CHECK_EQ(gmp_dial(NULL, "tcp", "127.0.0.1:1", &out), -ECONNREFUSED);
	CHECK_EQ(gmp_close(fd), 0);
	CHECK_EQ(gmp_close(l), 0);
	CHECK_EQ(gmp_close(l), -EBADF);
	close(s);
}

static struct pair kept;

static void read_for_ever(void *fd)
{
	char c;

	gmp_read(fd, &c, 1);
	abort();
}

static int leave_readers(void *arg)
{
	(void)arg;
	kept = tcp_pair();
	for (int i = 0; i < 10; i++)	/* one in the poll, the others in line */
		CHECK(gmp_go(read_for_ever, kept.b) > 1);
	CHECK_EQ(gmp_set_deadline(kept.b, gmp_now() + 3600 * 1000 * MS), 0);
	until_waiting(10);
	return 0;
}

static int use_again(void *arg)
{
	char c;

	(void)arg;
	CHECK_EQ(gmp_write(kept.a, "x", 1), 1);
	CHECK_EQ(gmp_read(kept.b, &c, 1), 1);
	CHECK_EQ(gmp_set_read_deadline(kept.b, gmp_now() + 20 * MS), 0);
	CHECK_EQ(gmp_read(kept.b, &c, 1), -ETIMEDOUT);
	return 0;
}

static void test_kept(const char *procs)
{
	setenv("GMP_MAXPROCS", procs, 1);
	CHECK_EQ(gmp_run(leave_readers, NULL), 0);
	CHECK_EQ(gmp_run(use_again, NULL), 0);
	CHECK_EQ(gmp_run(use_again, NULL), 0);
	close_pair(kept);
}

TEST(descriptors_outlive_a_run)
{
	test_kept("1");
	test_kept("4");
}

static struct gmp_fd *early;

static int serve_early(void *arg)
{
	(void)arg;
	close_pair(connect_via(early));
	return 0;
}

TEST(listening_begins_before_the_run)
{
	early = listen_on("127.0.0.1:0");
	CHECK_EQ(gmp_run(serve_early, NULL), 0);
	CHECK_EQ(gmp_run(serve_early, NULL), 0);
	CHECK_EQ(gmp_close(early), 0);
}
