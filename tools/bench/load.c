/* SPDX-License-Identifier: MIT */
/*
 * load.c - the other side of `echo`: a plain thread, no goroutines, so that it loads ours and Go's
 * program alike.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define MSG	64

/* The server may need a moment to listen. */
static int connect_to(int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	const struct timespec pause = { 0, 10000000 };
	int one = 1;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < 500; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (fd < 0)
			return -1;
		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			return fd;
		}
		close(fd);
		nanosleep(&pause, NULL);
	}
	return -1;
}

static bool answer(int fd)
{
	char buf[MSG];

	return recv(fd, buf, MSG, MSG_WAITALL) == MSG && send(fd, buf, MSG, MSG_NOSIGNAL) == MSG;
}

static long pump(int ep, uint64_t end)
{
	struct epoll_event ev[256];
	long requests = 0;

	while (bench_now() < end) {
		int n = epoll_wait(ep, ev, 256, 100);

		for (int i = 0; i < n; i++) {
			if (!answer(ev[i].data.fd))
				return -1;
			requests++;
		}
	}
	return requests;
}

/* PORT CONNS MS: each connection sends, waits for the answer, sends again. */
int load_echo(int argc, char **argv)
{
	int port = atoi(argv[0]), conns = argc > 1 ? atoi(argv[1]) : 64;
	int ms = argc > 2 ? atoi(argv[2]) : 1000, ep = epoll_create1(0);
	int *fds = bench_alloc((size_t)conns, sizeof(*fds));
	char buf[MSG] = { 0 };
	uint64_t t0;
	long requests;

	for (int i = 0; i < conns; i++) {
		struct epoll_event ev = { .events = EPOLLIN };

		ev.data.fd = fds[i] = connect_to(port);
		if (fds[i] < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev) < 0) {
			perror("echoload");
			return 1;
		}
	}
	t0 = bench_now();
	for (int i = 0; i < conns; i++)
		if (send(fds[i], buf, MSG, MSG_NOSIGNAL) != MSG)
			return 1;
	requests = pump(ep, t0 + (uint64_t)ms * 1000000u);
	if (requests < 0)
		return 1;
	printf("echoload requests=%ld per_s=%.6g\n", requests,
	       (double)requests * 1e9 / (double)(bench_now() - t0));
	return 0;
}
