/* SPDX-License-Identifier: MIT */
/* net_dial_test.c - gmp_dial(): refused, cancelled, too late; and racing with all of that. */
#include <gmprt.h>

#include "net_util.h"

GTEST(dial_refused)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0"), *fd = NULL;
	char text[80];
	int fds = count_fds();

	local_text(l, text);
	CHECK_EQ(gmp_close(l), 0);
	CHECK_EQ(gmp_dial(NULL, "tcp", text, &fd), -ECONNREFUSED);
	CHECK(fd == NULL);
	CHECK_EQ(count_fds(), fds - 1);
}

/*
 * An address where connections neither succeed nor fail: a listening socket whose queue is full, so
 * that the kernel drops what else knocks.
 */
static int silent_port(char text[80])
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(bind(l, (struct sockaddr *)&in, len) == 0 && listen(l, 0) == 0);
	CHECK(getsockname(l, (struct sockaddr *)&in, &len) == 0);
	for (int i = 0; i < 4; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		connect(fd, (struct sockaddr *)&in, sizeof(in));
	}
	snprintf(text, 80, "127.0.0.1:%u", ntohs(in.sin_port));
	return l;
}

static void cancel_soon(void *ctx)
{
	settle();
	gmp_ctx_cancel(ctx, 0);
	gmp_ctx_unref(ctx);
}

GTEST(dial_cancelled)
{
	struct gmp_ctx *ctx = gmp_ctx_with_cancel(gmp_ctx_background());
	struct gmp_fd *fd;
	char text[80];
	int l = silent_port(text), fds = count_fds();

	CHECK(gmp_go(cancel_soon, gmp_ctx_ref(ctx)) > 1);
	CHECK_EQ(gmp_dial(ctx, "tcp", text, &fd), -ECANCELED);
	CHECK_EQ(gmp_dial(ctx, "tcp", text, &fd), -ECANCELED);	/* has ended already */
	fds_come_to(fds + 2);		/* epoll's */
	gmp_ctx_unref(ctx);
	close(l);
}

GTEST(dial_times_out)
{
	uint64_t began = gmp_now();
	struct gmp_ctx *ctx = gmp_ctx_with_timeout(gmp_ctx_background(), 50 * MS);
	struct gmp_fd *fd;
	char text[80];
	int l = silent_port(text);

	CHECK_EQ(gmp_dial(ctx, "tcp", text, &fd), -ETIMEDOUT);
	CHECK(gmp_now() - began >= 50 * MS);
	gmp_ctx_unref(ctx);
	close(l);
}

/* The context may end while a dial that will succeed is on its way: either way, nothing is left. */
GTEST(dial_races_with_cancel)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0"), *fd, *peer;
	char text[80], c;
	int fds = count_fds();

	local_text(l, text);
	for (int i = 0; i < 200; i++) {
		struct gmp_ctx *ctx = gmp_ctx_with_timeout(gmp_ctx_background(), 1 + i * 500);
		int err = gmp_dial(ctx, "tcp", text, &fd);

		CHECK(err == 0 || err == -ETIMEDOUT);
		gmp_ctx_cancel(ctx, 0);
		if (!err) {
			gmp_yield();
			CHECK_EQ(gmp_write(fd, "x", 1), 1);	/* the context has no say any more */
			CHECK_EQ(gmp_close(fd), 0);
		}
		gmp_ctx_unref(ctx);
	}
	CHECK_EQ(gmp_set_read_deadline(l, gmp_now() + 100 * MS), 0);
	while (gmp_accept(l, &peer) == 0) {
		CHECK(gmp_read(peer, &c, 1) >= 0);
		CHECK_EQ(gmp_close(peer), 0);
	}
	fds_come_to(fds);
	CHECK_EQ(gmp_close(l), 0);
}

/* ":port" is this machine: IPv6 first, where nobody listens, then IPv4. */
GTEST(this_machine_by_either_family)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0"), *a, *b;
	char text[80];

	local_text(l, text);
	CHECK_EQ(gmp_dial(NULL, "tcp", strrchr(text, ':'), &a), 0);
	CHECK_EQ(gmp_accept(l, &b), 0);
	close_pair((struct pair){ a, b });
	CHECK_EQ(gmp_close(l), 0);
}

/* Refused by the kernel at once: a broadcast address is none for TCP. Nothing stays open. */
GTEST(what_cannot_be_reached_at_all)
{
	int before = count_fds();
	struct gmp_fd *fd = NULL;
	int err = gmp_dial(NULL, "tcp", "255.255.255.255:9", &fd);

	CHECK(err == -EACCES || err == -ENETUNREACH);
	CHECK(fd == NULL);
	fds_come_to(before);
}
