/* SPDX-License-Identifier: MIT */
/*
 * contract_test.c - every call, type, macro and constant of the public headers once, as a program that
 * was written from the manual uses them. Valid C11 and C++17: harness/contract_test.sh builds it as both,
 * with gcc and clang and all warnings. What each call means is in the other tests of this folder.
 */
#include <gmprt.h>
#include <stdbool.h>

#include "gmptest.h"

#define MS	1000000

struct point { int x, y; };

GMP_CHAN_TYPE(ints, int)
GMP_CHAN_TYPE(points, struct point)
GMP_CHAN_TYPE(texts, const char *)

static void increment(void *p)
{
	__atomic_add_fetch((int *)p, 1, __ATOMIC_RELAXED);
}

static void send_token(void *c)
{
	gmp_chan_send((struct gmp_chan *)c, NULL);
}

/* ---- proc.h -------------------------------------------------------------------------------------------- */

static struct gmp_chan *told;
static int result;

static void eight(int *to, char a, short b, long c, double d, struct point e, const char *f, unsigned char g)
{
	*to = a + b + (int)c + (int)d + e.x + e.y + (int)strlen(f) + g;
	send_token(told);
}

static void one(int *to)
{
	*to = 1;
	send_token(told);
}

__attribute__((warn_unused_result)) static int checked(int *to)
{
	one(to);
	return 0;
}

static int inner_main(void *arg)
{
	(void)arg;
	return 0;
}

GTEST(goroutines)
{
	struct gmp_go_attr a = { sizeof(a), "name", 65536, 0 };
	struct point e = { 6, 7 };

	CHECK_EQ(gmp_goid(), 1);
	CHECK_EQ(gmp_run(inner_main, NULL), -EBUSY);
	told = gmp_chan_make(0, 0);
	CHECK(gmp_go(send_token, told) > 1);
	CHECK_EQ(gmp_chan_recv(told, NULL), 1);
	CHECK(gmp_go_attr(&a, send_token, told) > 1);
	CHECK_EQ(gmp_chan_recv(told, NULL), 1);
	a.name = NULL;
	a.max_stack = 0;
	CHECK(gmp_go_attr(&a, send_token, told) > 1);
	CHECK_EQ(gmp_chan_recv(told, NULL), 1);
	CHECK(GMP_GO(one, &result) > 1);
	CHECK_EQ(gmp_chan_recv(told, NULL), 1);
	CHECK_EQ(result, 1);
	CHECK(GMP_GO(eight, &result, 1, 2, 3, 4.5, e, "five", 6) > 1);
	CHECK_EQ(gmp_chan_recv(told, NULL), 1);
	CHECK_EQ(result, 33);
	CHECK(GMP_GO(checked, &result) > 1);
	CHECK_EQ(gmp_chan_recv(told, NULL), 1);
	CHECK_EQ(result, 1);
	gmp_chan_unref(told);
}

static void leaves(void *arg)
{
	gmp_defer(increment, arg);
	gmp_defer(increment, arg);
	gmp_goexit();
}

GTEST(ends_and_limits)
{
	static int left;
	int procs = gmp_maxprocs(0);
	size_t stack = gmp_set_max_stack(0);

	left = 0;
	CHECK(gmp_go(leaves, &left) > 1);
	while (gmp_num_goroutine() > 1)
		gmp_yield();
	CHECK_EQ(__atomic_load_n(&left, __ATOMIC_RELAXED), 2);
	CHECK_EQ(gmp_maxprocs(3), procs);
	CHECK_EQ(gmp_maxprocs(-1), 3);
	CHECK_EQ(gmp_maxprocs(procs), 3);
	CHECK_EQ(stack, 256 << 10);
	CHECK_EQ(gmp_set_max_stack(1 << 20), stack);
	CHECK_EQ(gmp_set_max_stack(stack), 1 << 20);
	gmp_lock_os_thread();
	gmp_unlock_os_thread();
	CHECK_EQ(gmp_set_name("main"), 0);
	CHECK_EQ(gmp_set_label("key", "value"), 0);
	gmp_nopreempt_begin();
	gmp_nopreempt_end();
	gmp_syscall_begin();
	gmp_syscall_end();
	CHECK_EQ(gmp_stop_world("why"), 0);
	CHECK_EQ(gmp_start_world(), 0);
}

/* ---- chan.h -------------------------------------------------------------------------------------------- */

GTEST(channels)
{
	struct gmp_chan *c = gmp_chan_make(sizeof(int), 2);
	int x = 5, y = 0;

	CHECK(gmp_chan_ref(c) == c);
	gmp_chan_unref(c);
	CHECK_EQ(gmp_chan_send(c, &x), 0);
	CHECK_EQ(gmp_chan_try_send(c, &x), 0);
	CHECK_EQ(gmp_chan_try_send(c, &x), -EAGAIN);
	CHECK_EQ(gmp_chan_len(c), 2);
	CHECK_EQ(gmp_chan_cap(c), 2);
	CHECK_EQ(gmp_chan_recv(c, NULL), 1);
	CHECK_EQ(gmp_chan_close(c), 0);
	CHECK_EQ(gmp_chan_close(c), -EPIPE);
	CHECK_EQ(gmp_chan_send(c, &x), -EPIPE);
	CHECK_EQ(gmp_chan_try_recv(c, &y), 1);
	CHECK_EQ(y, 5);
	CHECK_EQ(gmp_chan_recv(c, &y), 0);
	CHECK_EQ(y, 0);
	CHECK_EQ(gmp_chan_close(NULL), -EINVAL);
	CHECK_EQ(gmp_chan_try_recv(NULL, &y), -EAGAIN);
	CHECK_EQ(gmp_chan_try_send(NULL, &x), -EAGAIN);
	CHECK_EQ(gmp_chan_len(NULL) + gmp_chan_cap(NULL), 0);
	gmp_chan_unref(c);
}

GTEST(selects)
{
	struct gmp_chan *c = gmp_chan_make(sizeof(int), 1);
	int x = 5, y = 0;
	struct gmp_case cases[] = { GMP_CASE_SEND(c, &x), GMP_CASE_RECV(c, &y) };
	struct gmp_case by_hand[2];

	CHECK_EQ(gmp_select(cases, 2), 0);
	CHECK_EQ(cases[0].ok, 1);
	CHECK_EQ(gmp_select_try(cases, 2), 1);
	CHECK_EQ(cases[1].ok, 1);
	CHECK_EQ(gmp_select_try(cases + 1, 1), -EAGAIN);
	CHECK_EQ(gmp_select_until(cases + 1, 1, gmp_now() + 1), -ETIMEDOUT);
	CHECK_EQ(gmp_select_until(cases, 2, 1), 0);
	memset(by_hand, 0, sizeof(by_hand));
	by_hand[0].c = by_hand[1].c = c;
	by_hand[0].op = GMP_SEND;
	by_hand[0].send = &x;
	by_hand[1].op = GMP_RECV;
	by_hand[1].recv = NULL;
	CHECK_EQ(gmp_select(by_hand, 2), 1);
	CHECK_EQ(gmp_chan_close(c), 0);
	CHECK_EQ(gmp_select(cases, 1), 0);
	CHECK_EQ(cases[0].ok, -EPIPE);
	CHECK_EQ(gmp_select(cases + 1, 1), 0);
	CHECK_EQ(cases[1].ok, 0);
	gmp_chan_unref(c);
}

GTEST(typed_channels)
{
	struct ints c = ints_make(2);
	struct ints_tx tx = ints_tx(c);
	struct ints_rx rx = ints_rx(c);
	struct points p = points_make(1);
	struct texts t = texts_make(1);
	struct point there = { 1, 2 }, here;
	struct gmp_case cases[2];
	const char *text;
	int x = 4, y = 0;

	CHECK_EQ(ints_send(c, 3) + ints_try_send(tx, 3), 0);
	CHECK_EQ(ints_len(c) + ints_len(tx) + ints_len(rx) + ints_cap(c), 8);
	CHECK_EQ(ints_recv(c, &y) + ints_try_recv(rx, &y), 2);
	cases[0] = ints_case_send(tx, &x);
	cases[1] = ints_case_recv(rx, &y);
	CHECK_EQ(gmp_select(cases, 2), 0);
	CHECK_EQ(gmp_select(cases + 1, 1), 0);
	CHECK_EQ(y, 4);
	CHECK_EQ(ints_close(tx), 0);
	CHECK_EQ(ints_recv(rx, NULL), 0);
	ints_ref(rx);
	ints_unref(rx);
	ints_unref(c);
	CHECK_EQ(points_send(p, there), 0);
	CHECK_EQ(points_recv(p, &here), 1);
	CHECK_EQ(here.y, 2);
	points_unref(p);
	CHECK_EQ(texts_send(t, "text"), 0);
	CHECK_EQ(texts_recv(t, &text), 1);
	CHECK_EQ(strcmp(text, "text"), 0);
	texts_unref(t);
}

/* ---- sync.h -------------------------------------------------------------------------------------------- */

static struct gmp_mutex mutex;
static struct gmp_rwmutex rwmutex;
static struct gmp_wg wg;
static struct gmp_cond cond;
static struct gmp_sem sem;
static struct gmp_pool pool;

GTEST(locks)
{
	gmp_mutex_lock(&mutex);
	CHECK_EQ(gmp_mutex_trylock(&mutex), -EBUSY);
	gmp_mutex_unlock(&mutex);
	CHECK_EQ(gmp_mutex_trylock(&mutex), 0);
	gmp_mutex_unlock(&mutex);
	gmp_rwmutex_rlock(&rwmutex);
	CHECK_EQ(gmp_rwmutex_tryrlock(&rwmutex), 0);
	CHECK_EQ(gmp_rwmutex_trylock(&rwmutex), -EBUSY);
	gmp_rwmutex_runlock(&rwmutex);
	gmp_rwmutex_runlock(&rwmutex);
	gmp_rwmutex_lock(&rwmutex);
	CHECK_EQ(gmp_rwmutex_tryrlock(&rwmutex), -EBUSY);
	gmp_rwmutex_unlock(&rwmutex);
	CHECK_EQ(gmp_rwmutex_trylock(&rwmutex), 0);
	gmp_rwmutex_unlock(&rwmutex);
}

static void wakes(void *arg)
{
	(void)arg;
	gmp_mutex_lock(&mutex);
	gmp_cond_signal(&cond);
	gmp_cond_broadcast(&cond);
	gmp_mutex_unlock(&mutex);
}

GTEST(waiting)
{
	static int done;
	struct gmp_once once;
	struct gmp_ctx *ctx = gmp_ctx_with_timeout(gmp_ctx_background(), MS);

	done = 0;
	memset(&once, 0, sizeof(once));
	gmp_wg_add(&wg, 2);
	gmp_wg_add(&wg, -1);
	gmp_wg_done(&wg);
	CHECK(gmp_wg_go(&wg, increment, &done) > 1);
	gmp_wg_wait(&wg);
	gmp_once_do(&once, increment, &done);
	gmp_once_do(&once, increment, &done);
	CHECK_EQ(done, 2);
	gmp_mutex_lock(&mutex);
	CHECK(gmp_go(wakes, NULL) > 1);
	gmp_cond_wait(&cond, &mutex);
	gmp_mutex_unlock(&mutex);
	CHECK_EQ(gmp_sem_try(&sem, 1), -EBUSY);
	CHECK_EQ(gmp_sem_release(&sem, 3), 0);
	CHECK_EQ(gmp_sem_try(&sem, 1), 0);
	CHECK_EQ(gmp_sem_acquire(&sem, 1), 0);
	CHECK_EQ(gmp_sem_acquire_ctx(gmp_ctx_background(), &sem, 1), 0);
	CHECK_EQ(gmp_sem_acquire_ctx(ctx, &sem, 1), -ETIMEDOUT);
	gmp_ctx_unref(ctx);
}

static int succeeds(void *arg)
{
	(void)arg;
	return 0;
}

static int fails(void *arg)
{
	(void)arg;
	return -EIO;
}

GTEST(pools_and_groups)
{
	struct gmp_group g;
	int x = 0;

	CHECK(gmp_pool_get(&pool) == NULL);
	gmp_pool_put(&pool, &x);
	CHECK(gmp_pool_get(&pool) == &x);
	gmp_pool_drain(&pool, NULL);
	CHECK_EQ(gmp_group_init(&g, gmp_ctx_background(), 2), 0);
	CHECK_EQ(gmp_ctx_err(gmp_group_ctx(&g)), 0);
	CHECK(gmp_group_go(&g, succeeds, NULL) > 1);
	CHECK(gmp_group_go(&g, fails, NULL) > 1);
	CHECK(gmp_group_go(&g, succeeds, NULL) > 1);
	CHECK_EQ(gmp_group_wait(&g), -EIO);
	CHECK_EQ(gmp_ctx_cause(gmp_group_ctx(&g)), -EIO);
	gmp_group_destroy(&g);
}

/* ---- time.h, context.h --------------------------------------------------------------------------------- */

GTEST(times)
{
	static int ran;
	uint64_t start = gmp_now(), when = 0;
	struct gmp_timer t;
	struct gmp_chan *c;
	struct gmp_tick *tick;

	ran = 0;
	memset(&t, 0, sizeof(t));
	gmp_sleep(-1);
	gmp_sleep(MS);
	CHECK(gmp_now() - start >= MS);
	CHECK_EQ(gmp_timer_start(&t, INT64_MAX, increment, &ran), 0);
	CHECK_EQ(gmp_timer_start(&t, 1, increment, &ran), -EBUSY);
	CHECK_EQ(gmp_timer_reset(&t, INT64_MAX), 1);
	CHECK_EQ(gmp_timer_stop(&t), 1);
	CHECK_EQ(gmp_timer_stop(&t), 0);
	CHECK_EQ(gmp_timer_stop_wait(&t), 0);
	CHECK_EQ(ran, 0);
	c = gmp_after(MS);
	CHECK_EQ(gmp_chan_cap(c), 1);
	CHECK_EQ(gmp_chan_recv(c, &when), 1);
	CHECK(when >= start + 2 * MS);
	gmp_chan_unref(c);
	gmp_chan_unref(gmp_after(INT64_MAX));
	tick = gmp_tick_new(MS);
	c = gmp_chan_ref(gmp_tick_chan(tick));
	CHECK_EQ(gmp_chan_recv(c, &when), 1);
	CHECK_EQ(gmp_tick_reset(tick, 2 * MS), 0);
	CHECK_EQ(gmp_chan_recv(c, NULL), 1);
	gmp_tick_stop(tick);
	gmp_chan_unref(c);
}

GTEST(contexts)
{
	static int key, dropped, ran;
	struct gmp_ctx *a = gmp_ctx_with_cancel(gmp_ctx_background());
	struct gmp_ctx *b = gmp_ctx_with_deadline(a, gmp_now() + 1000ull * MS);
	struct gmp_ctx *c = gmp_ctx_with_timeout(b, INT64_MAX);
	struct gmp_ctx *d = gmp_ctx_with_value(c, &key, &dropped, increment);
	struct gmp_after_func *h = gmp_ctx_after_func(d, increment, &ran);
	uint64_t when = 0;

	dropped = ran = 0;
	CHECK(gmp_ctx_done(gmp_ctx_background()) == NULL);
	CHECK(gmp_ctx_ref(a) == a);
	gmp_ctx_unref(a);
	CHECK_EQ(gmp_ctx_deadline(a, &when), 0);
	CHECK_EQ(gmp_ctx_deadline(d, &when), 1);
	CHECK(when > gmp_now());
	CHECK(gmp_ctx_value(d, &key) == &dropped);
	CHECK_EQ(gmp_after_func_stop(h), 1);
	gmp_ctx_cancel(a, -EIO);
	gmp_ctx_cancel(a, 0);
	CHECK_EQ(gmp_chan_recv(gmp_ctx_done(d), NULL), 0);
	CHECK_EQ(gmp_ctx_err(d), -ECANCELED);
	CHECK_EQ(gmp_ctx_cause(d), -EIO);
	CHECK(gmp_ctx_value(d, &key) == &dropped);
	gmp_ctx_unref(a);
	gmp_ctx_unref(b);
	gmp_ctx_unref(c);
	gmp_ctx_unref(d);
	CHECK_EQ(dropped, 1);
	CHECK_EQ(ran, 0);
}

/* ---- net.h, debug.h ------------------------------------------------------------------------------------ */

static void echo(void *arg)
{
	struct gmp_fd *l = (struct gmp_fd *)arg, *c = NULL;
	char buf[16];
	ssize_t n;

	CHECK_EQ(gmp_accept(l, &c), 0);
	while ((n = gmp_read(c, buf, sizeof(buf))) > 0)
		CHECK_EQ(gmp_write(c, buf, (size_t)n), n);
	CHECK_EQ(gmp_close(c), 0);
}

GTEST(connections)
{
	struct gmp_fd *l = NULL, *c = NULL;
	char addr[64], buf[16];
	struct iovec v = { buf, 2 };
	size_t done = 9;

	CHECK_EQ(gmp_listen("tcp", "127.0.0.1:0", &l), 0);
	CHECK_EQ(gmp_local_addr(l, addr, 3), -ENOSPC);
	CHECK(gmp_local_addr(l, addr, sizeof(addr)) > 0);
	CHECK(gmp_go(echo, l) > 1);
	CHECK_EQ(gmp_dial(gmp_ctx_background(), "tcp", addr, &c), 0);
	CHECK(gmp_peer_addr(c, buf, sizeof(buf)) > 0 && strcmp(buf, addr) == 0);
	CHECK(gmp_fd_num(c) > 2);
	CHECK_EQ(gmp_write_n(c, "abcd", 4, &done), 4);
	CHECK_EQ(gmp_writev(c, &v, 1), 2);
	for (int got = 0; got < 6;)
		got += (int)gmp_readv(c, &v, 1);
	CHECK_EQ(gmp_set_read_deadline(c, 1), 0);
	CHECK_EQ(gmp_read(c, buf, 1), -ETIMEDOUT);
	CHECK_EQ(gmp_set_write_deadline(c, 1), 0);
	CHECK_EQ(gmp_write_n(c, "x", 1, &done), -ETIMEDOUT);
	CHECK_EQ(done, 0);
	CHECK_EQ(gmp_set_deadline(c, 0), 0);
	CHECK_EQ(gmp_shutdown(c, SHUT_WR), 0);
	CHECK_EQ(gmp_read(c, buf, 1), 0);
	CHECK_EQ(gmp_close(c), 0);
	CHECK_EQ(gmp_close(c), -EBADF);
	CHECK_EQ(gmp_close(l), 0);
}

static int count(const struct gmp_goroutine *g, void *arg)
{
	CHECK(g->goid != 0);
	++*(int *)arg;
	return 0;
}

GTEST(introspection)
{
	struct gmp_stats st;
	struct gmp_fd *f = NULL;
	uintptr_t pcs[8];
	int n = 0, fd[2];

	CHECK_EQ(pipe(fd), 0);
	CHECK_EQ(gmp_fd_adopt(fd[0], &f), 0);
	CHECK_EQ(gmp_dump(fd[1]), 0);
	CHECK_EQ(gmp_close(f), 0);
	close(fd[1]);
	memset(&st, 0, sizeof(st));
	st.size = sizeof(st);
	CHECK_EQ(gmp_stats(&st), 0);
	CHECK(st.procs >= 1);
	CHECK(gmp_goroutines(count, &n) >= 1 && n >= 1);
	CHECK_EQ(gmp_leak_check(count, &n), 0);
	CHECK(gmp_stack_of(gmp_goid(), pcs, 8) > 0);
	CHECK(strcmp(gmp_kern_backend(), "none") == 0 || strcmp(gmp_kern_backend(), "ko") == 0);
}
