/* SPDX-License-Identifier: MIT */
/* scene_sync.c - channels, select, timers, contexts, groups, pools, sockets. */
#include "fault.h"

#include <sys/socket.h>

static void send_three(void *arg)
{
	for (long v = 1; v <= 3; v++)
		MUST(gmp_chan_send(arg, &v) == 0);
	gmp_chan_unref(arg);
}

int scene_chan(void *arg)
{
	struct gmp_chan *kept[300];
	int n = 0;

	(void)arg;
	for (int i = 0; i < 300; i++) {
		struct gmp_chan *c = gmp_chan_make(sizeof(long), (size_t)i % 50);
		long v = 0, sum = 0;

		if (!made(c))
			continue;
		kept[n++] = c;
		if (!fine(gmp_go(send_three, gmp_chan_ref(c)))) {
			gmp_chan_unref(c);
			continue;
		}
		for (int k = 0; k < 3; k++) {
			MUST(gmp_chan_recv(c, &v) == 1);
			sum += v;
		}
		MUST(sum == 6);
	}
	while (n > 0)
		gmp_chan_unref(kept[--n]);
	return 0;
}

#define MANY	200

/* So many cases that a select needs memory. */
int scene_select(void *arg)
{
	struct gmp_case k[MANY];
	long v[MANY];
	int r;

	(void)arg;
	for (int i = 0; i < MANY; i++) {
		k[i] = (struct gmp_case)GMP_CASE_RECV(gmp_chan_make(sizeof(long), 1), &v[i]);
		made(k[i].c);
	}
	r = gmp_select_try(k, MANY);
	MUST(r < 0 && r > -4096);
	r = gmp_select_until(k, MANY, gmp_now() + 1000000);
	MUST(r == -ETIMEDOUT || r == -ENOMEM);
	if (made(k[MANY / 2].c)) {
		long one = 1;

		MUST(gmp_chan_send(k[MANY / 2].c, &one) == 0);
		r = gmp_select(k, MANY);
		MUST(r == MANY / 2 || r == -ENOMEM);
	}
	for (int i = 0; i < MANY; i++)
		gmp_chan_unref(k[i].c);
	return 0;
}

static void fires(void *arg)
{
	__atomic_add_fetch((int *)arg, 1, __ATOMIC_RELAXED);
}

int scene_timers(void *arg)
{
	static struct gmp_timer t[100];
	int fired = 0, want = 0;
	struct gmp_tick *tick;
	struct gmp_chan *c;
	uint64_t v;

	(void)arg;
	memset(t, 0, sizeof(t));
	for (int i = 0; i < 100; i++)
		want += fine(gmp_timer_start(&t[i], 1000 * (i % 7), fires, &fired));
	for (int i = 0; i < 100; i += 3)
		fine(gmp_timer_reset(&t[i], 2000));
	for (int i = 0; i < 100; i++)
		gmp_timer_stop_wait(&t[i]);
	MUST(fired <= want + 34);
	c = gmp_after(1000);
	if (made(c))
		MUST(gmp_chan_recv(c, &v) == 1);
	gmp_chan_unref(c);
	tick = gmp_tick_new(10000);
	if (made(tick)) {
		MUST(gmp_chan_recv(gmp_tick_chan(tick), &v) == 1);
		gmp_tick_stop(tick);
	}
	gmp_sleep(1000);
	return 0;
}

int scene_context(void *arg)
{
	struct gmp_ctx *root = gmp_ctx_background(), *a, *b, *c;
	struct gmp_after_func *h;
	static int ran;		/* static: what was begun is not waited for */
	int key;

	(void)arg;
	a = gmp_ctx_with_cancel(root);
	b = gmp_ctx_with_timeout(a ? a : root, 1000000);
	c = gmp_ctx_with_value(b ? b : root, &key, &ran, NULL);
	if (made(a) && made(b) && made(c)) {
		MUST(gmp_ctx_value(c, &key) == &ran);
		h = gmp_ctx_after_func(c, fires, &ran);
		MUST(gmp_chan_recv(gmp_ctx_done(c), NULL) == 0);
		MUST(gmp_ctx_err(c) == -ETIMEDOUT && gmp_ctx_err(a) == 0);
		if (made(h))
			gmp_after_func_stop(h);
		gmp_ctx_cancel(a, 0);
		MUST(gmp_ctx_err(a) == -ECANCELED);
	}
	gmp_ctx_unref(c);
	gmp_ctx_unref(b);
	gmp_ctx_unref(a);
	return 0;
}

static int member(void *arg)
{
	fires(arg);
	return 0;
}

static void drop(void *obj)
{
	free(obj);
}

int scene_group_pool(void *arg)
{
	struct gmp_pool pool = { 0 };
	struct gmp_group g;
	int ran = 0, started = 0;

	(void)arg;
	if (fine(gmp_group_init(&g, NULL, 3))) {
		for (int i = 0; i < 20; i++)
			started += fine(gmp_group_go(&g, member, &ran));
		MUST(gmp_group_wait(&g) == 0);
		gmp_group_destroy(&g);
		MUST(ran == started);
	}
	for (int i = 0; i < 200; i++) {
		void *p = malloc(8);

		MUST(p);
		if (!fine(gmp_pool_put(&pool, p)))
			free(p);
	}
	for (int i = 0; i < 50; i++)
		free(gmp_pool_get(&pool));
	gmp_pool_drain(&pool, drop);
	return 0;
}

static void echo(void *arg)
{
	struct gmp_fd *conn;
	char buf[16];
	ssize_t n;

	if (fine(gmp_accept(arg, &conn))) {
		while ((n = gmp_read(conn, buf, sizeof(buf))) > 0)
			if (!fine(gmp_write(conn, buf, (size_t)n)))
				break;
		if (n < 0)
			fine(n);
		gmp_close(conn);
	}
	gmp_close(arg);
}

static void talk(struct gmp_fd *conn)
{
	char buf[16];

	fine(gmp_set_deadline(conn, gmp_now() + 2000000000ull));
	if (fine(gmp_write(conn, "hello", 5)) && fine(gmp_read(conn, buf, sizeof(buf))))
		MUST(buf[0] == 'h' || buf[0] == 0);
}

static void over_tcp(void)
{
	struct gmp_fd *l, *conn;
	char addr[64];

	if (!fine(gmp_listen("tcp", "127.0.0.1:0", &l)))
		return;
	MUST(gmp_local_addr(l, addr, sizeof(addr)) > 0);
	if (!fine(gmp_go(echo, l))) {
		gmp_close(l);
		return;
	}
	if (fine(gmp_dial(gmp_ctx_background(), "tcp", addr, &conn))) {
		talk(conn);
		gmp_close(conn);
	} else {
		gmp_close(l);		/* else echo() waits for somebody who does not come */
	}
}

int scene_net(void *arg)
{
	struct gmp_fd *a;
	int fd[2];

	(void)arg;
	over_tcp();
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
	if (fine(gmp_fd_adopt(fd[0], &a))) {
		char c;

		for (int i = 0; i < 5; i++) {	/* each a sleep in the poll, with a timeout */
			if (fine(gmp_set_read_deadline(a, gmp_now() + 300000)))
				MUST(gmp_read(a, &c, 1) < 0);
		}
		gmp_close(a);
	} else {
		close(fd[0]);
	}
	close(fd[1]);
	return 0;
}
