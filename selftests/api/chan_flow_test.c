/* SPDX-License-Identifier: MIT */
/*
 * chan_flow_test.c - channels: many goroutines, whole programs, threads outside, several runs.
 *
 * What Go's own tests check, and where it is checked here:
 *   runtime/chan_test.go     TestMultiConsumer  multi_consumer
 *   test/chan/fifo.go        fifo_asynchronous fifo_synchronous
 *   test/chan/goroutines.go  chain_of_goroutines
 *   test/chan/nonblock.go    try_on_all_kinds
 *   test/chan/sieve1.go, sieve2.go  sieve
 *   test/chan/powser1.go, 2  power_series (its streams, on the series of log(1 / (1 - x)))
 */
#include "chan_util.h"

#include <sched.h>

/* ---- references ------------------------------------------------------------------------------------------ */

GTEST(last_unref_frees_queued_values)
{
	for (int i = 0; i < 200; i++) {
		struct gmp_chan *c = make(1 << 16, 8), *d = gmp_chan_ref(c);
		static char big[1 << 16];

		CHECK(c == d);
		for (int k = 0; k < 5; k++)
			CHECK_EQ(gmp_chan_send(c, big), 0);
		gmp_chan_unref(c);
		CHECK_EQ(gmp_chan_len(d), 5);
		gmp_chan_unref(d);
	}
}

static void make_and_drop(void *arg)
{
	struct ends *e = arg;

	for (int i = 0; i < 300; i++) {
		struct gmp_chan *mine = make(sizeof(int), (size_t)i % 8), *other;

		CHECK_EQ(gmp_chan_send(e->a, &mine), 0);
		CHECK_EQ(gmp_chan_recv(e->a, &other), 1);
		gmp_chan_unref(other);
	}
}

/* Made on one P, dropped on another, back and forth. */
GTEST(channels_migrate)
{
	struct ends e = { .a = make(sizeof(struct gmp_chan *), 64) };

	for (int i = 0; i < 20; i++)
		CHECK(gmp_wg_go(&e.wg, make_and_drop, &e) > 0);
	gmp_wg_wait(&e.wg);
	CHECK_EQ(gmp_chan_len(e.a), 0);
	gmp_chan_unref(e.a);
}

static void send_and_drop(void *arg)
{
	struct gmp_chan *c = arg;

	send_int(c, 1);
	gmp_chan_unref(c);
}

/* Who is woken may free the channel while the waker still lets go of its lock. */
GTEST(free_right_after_the_wake_up)
{
	struct gmp_wg wg = { 0 };

	for (int i = 0; i < 5000; i++) {
		struct gmp_chan *c = make(sizeof(int), 0);

		CHECK(gmp_wg_go(&wg, send_and_drop, gmp_chan_ref(c)) > 0);
		CHECK_EQ(recv_int(c), 1);
		gmp_chan_unref(c);
	}
	gmp_wg_wait(&wg);
}

/* ---- FIFO ------------------------------------------------------------------------------------------------- */

GTEST(fifo_asynchronous)
{
	struct gmp_chan *c = make(sizeof(int), 10);

	for (int i = 0; i < 10; i++)
		send_int(c, i);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(recv_int(c), i);
	gmp_chan_unref(c);
}

struct link {
	struct gmp_chan *c, *in, *out;
	int i;
};

static void chentry(void *arg)
{
	struct link *l = arg;

	gmp_chan_recv(l->in, NULL);
	CHECK_EQ(recv_int(l->c), l->i);
	gmp_chan_send(l->out, &l->i);
	gmp_chan_unref(l->in);
	free(l);
}

/* Ten receivers queue up one after the other and are served in that order. */
GTEST(fifo_synchronous)
{
	struct gmp_chan *c = make(sizeof(int), 0), *in = make(sizeof(int), 1), *first = in;
	int one = 1;

	for (int i = 0; i < 10; i++) {
		struct link *l = malloc(sizeof(*l));
		struct gmp_chan *out = make(sizeof(int), 1);

		*l = (struct link){ c, in, gmp_chan_ref(out), i };
		if (i == 0)
			gmp_chan_ref(first);
		gmp_go(chentry, l);
		in = out;
	}
	for (int i = 0; i < 10; i++) {
		if (i == 0)
			gmp_chan_send(first, &one);
		send_int(c, i);
	}
	gmp_chan_recv(in, NULL);
}

struct queued {
	struct ends e;
	int order[64];
	uint32_t served;
};

struct turn {
	struct queued *q;
	int i;
};

static void wait_turn(void *arg)
{
	struct turn *t = arg;
	int v = recv_int(t->q->e.a);

	t->q->order[__atomic_fetch_add(&t->q->served, 1, __ATOMIC_SEQ_CST)] = t->i;
	CHECK_EQ(v, t->i);
}

static int is_receiver(const struct gmp_goroutine *g, void *n)
{
	*(int *)n += strcmp(g->wait_reason, "chan receive") == 0;
	return 0;
}

static int receivers(void)
{
	int n = 0;

	CHECK(gmp_goroutines(is_receiver, &n) > 0);
	return n;
}

/* Waiters are served first come, first served: the k-th value goes to the k-th that came. */
GTEST(waiters_are_served_in_order)
{
	struct queued *q = calloc(1, sizeof(*q));
	struct turn t[64];

	q->e.a = make(sizeof(int), 0);
	for (int i = 0; i < 64; i++) {
		t[i] = (struct turn){ q, i };
		CHECK(gmp_wg_go(&q->e.wg, wait_turn, &t[i]) > 0);
		while (receivers() <= i)
			gmp_yield();
	}
	for (int i = 0; i < 64; i++)
		send_int(q->e.a, i);
	gmp_wg_wait(&q->e.wg);
	gmp_chan_unref(q->e.a);
	free(q);
}

/* ---- chains ------------------------------------------------------------------------------------------------ */

static void pass_on(void *arg)
{
	struct ends *e = arg;
	int v = recv_int(e->b);

	send_int(e->a, v + 1);
	gmp_chan_unref(e->a);
	gmp_chan_unref(e->b);
	free(e);
}

GTEST(chain_of_goroutines)
{
	struct gmp_chan *left, *right, *leftmost = make(sizeof(int), 0);

	right = gmp_chan_ref(leftmost);
	for (int i = 0; i < GMPTEST_SCALE(10000); i++) {
		struct ends *e = calloc(1, sizeof(*e));

		left = right;
		right = make(sizeof(int), 0);
		e->a = left;
		e->b = gmp_chan_ref(right);
		CHECK(gmp_go(pass_on, e) > 0);
	}
	send_int(right, 1);
	CHECK_EQ(recv_int(leftmost), GMPTEST_SCALE(10000) + 1);
	gmp_chan_unref(right);
	gmp_chan_unref(leftmost);
}

static void generate(void *arg)
{
	int v = 2;

	while (gmp_chan_send(arg, &v) == 0)
		v++;
	gmp_chan_unref(arg);
}

struct filter {
	struct gmp_chan *in, *out;
	int prime;
};

static void filter(void *arg)
{
	struct filter *f = arg;
	int v;

	while (gmp_chan_recv(f->in, &v) == 1)
		if (v % f->prime && gmp_chan_send(f->out, &v) < 0)
			break;
	gmp_chan_close(f->in);
	gmp_chan_unref(f->in);
	gmp_chan_unref(f->out);
	free(f);
}

GTEST(sieve)
{
	static const int primes[] = { 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61,
				      67, 71, 73, 79, 83, 89, 97 };
	struct gmp_chan *c = make(sizeof(int), 0);

	gmp_go(generate, gmp_chan_ref(c));
	for (size_t i = 0; i < sizeof(primes) / sizeof(primes[0]); i++) {
		struct filter *f = malloc(sizeof(*f));
		struct gmp_chan *next = make(sizeof(int), i % 3);

		CHECK_EQ(recv_int(c), primes[i]);
		*f = (struct filter){ c, gmp_chan_ref(next), primes[i] };
		gmp_go(filter, f);
		c = next;
	}
	gmp_chan_close(c);		/* runs back through all filters to the generator */
	gmp_chan_unref(c);
	while (gmp_num_goroutine() > 1)
		gmp_yield();
}

/* ---- power series: demand-driven streams ---------------------------------------------------------------- */

/* A stream: ask with a message on req, get the next coefficient on dat. */
struct series {
	struct gmp_chan *req, *dat;
};

struct series_arg {
	struct series out, in;
};

static struct series series_new(void)
{
	return (struct series){ make(0, 0), make(sizeof(double), 0) };
}

static double get(struct series s)
{
	double v;

	CHECK_EQ(gmp_chan_send(s.req, NULL), 0);
	CHECK_EQ(gmp_chan_recv(s.dat, &v), 1);
	return v;
}

/* 1, 1, 1, ... : the series of 1 / (1 - x) */
static void ones(void *arg)
{
	struct series_arg *a = arg;
	double one = 1;

	while (gmp_chan_recv(a->out.req, NULL) == 1)
		gmp_chan_send(a->out.dat, &one);
}

/* The integral of a series, from 0. */
static void integrate(void *arg)
{
	struct series_arg *a = arg;

	for (int n = 0; gmp_chan_recv(a->out.req, NULL) == 1; n++) {
		double v = n == 0 ? 0 : get(a->in) / n;

		gmp_chan_send(a->out.dat, &v);
	}
	gmp_chan_close(a->in.req);
}

/* log(1 / (1 - x)) = x + x^2/2 + x^3/3 + ... */
GTEST(power_series)
{
	struct series_arg one = { .out = series_new() };
	struct series_arg log = { .out = series_new(), .in = one.out };
	struct gmp_wg wg = { 0 };

	CHECK(gmp_wg_go(&wg, ones, &one) > 0);
	CHECK(gmp_wg_go(&wg, integrate, &log) > 0);
	CHECK(get(log.out) == 0);
	for (int n = 1; n < 200; n++)
		CHECK(get(log.out) == 1.0 / n);
	gmp_chan_close(log.out.req);
	gmp_wg_wait(&wg);
}

/* ---- TestMultiConsumer --------------------------------------------------------------------------------- */

enum { WORKERS = 23, ITEMS = 2711 };
static const int pn[] = { 2, 3, 7, 11, 13, 17, 19, 23, 27, 31 };

static void worker(void *arg)
{
	struct ends *e = arg;
	int v;

	while (gmp_chan_recv(e->a, &v) == 1) {
		if (pn[v % 10] == v)
			gmp_yield();
		send_int(e->b, v);
	}
}

static void feed(void *arg)
{
	struct ends *e = arg;
	long sum = 0;

	for (int i = 0; i < ITEMS; i++) {
		int v = pn[i % 10];

		sum += v;
		send_int(e->a, v);
	}
	gmp_chan_close(e->a);
	gmp_wg_wait(&e->wg);
	e->n = sum;
	gmp_chan_close(e->b);
}

GTEST(multi_consumer)
{
	struct ends e = { .a = make(sizeof(int), WORKERS), .b = make(sizeof(int), WORKERS * 3) };
	long sum = 0;
	int v, n = 0;

	for (int i = 0; i < WORKERS; i++)
		CHECK(gmp_wg_go(&e.wg, worker, &e) > 0);
	gmp_go(feed, &e);
	for (; gmp_chan_recv(e.b, &v) == 1; n++)
		sum += v;
	CHECK_EQ(n, ITEMS);
	CHECK_EQ(sum, e.n);
}

/* ---- nonblock.go --------------------------------------------------------------------------------------- */

static void recv_later(void *arg)
{
	struct ends *e = arg;

	CHECK_EQ(recv_int(e->a), 123);
	hit(e);
}

static void send_later(void *arg)
{
	struct ends *e = arg;

	send_int(e->a, 234);
	hit(e);
}

/* A try that can only succeed once the other side waits. */
GTEST(try_on_all_kinds)
{
	for (size_t cap = 0; cap < 3; cap++) {
		struct ends e = { .a = make(sizeof(int), cap) };
		int v = 123, tries = 0;

		CHECK_EQ(gmp_chan_try_recv(e.a, &v), -EAGAIN);
		CHECK_EQ(v, 123);
		CHECK(gmp_wg_go(&e.wg, recv_later, &e) > 0);
		while (gmp_chan_try_send(e.a, &v) == -EAGAIN) {
			CHECK(++tries < 1000000);
			gmp_yield();
		}
		gmp_wg_wait(&e.wg);
		CHECK(gmp_wg_go(&e.wg, send_later, &e) > 0);
		while (gmp_chan_try_recv(e.a, &v) == -EAGAIN) {
			CHECK(++tries < 1000000);
			gmp_yield();
		}
		CHECK_EQ(v, 234);
		gmp_wg_wait(&e.wg);
		gmp_chan_unref(e.a);
	}
}

/* ---- threads that are no Ms ------------------------------------------------------------------------------ */

#define ITEMS	300	/* each may wait for a CPU: 20 ms on a busy machine */

static void *outside(void *arg)
{
	struct ends *e = arg;
	int v, r;

	for (int i = 1; i <= ITEMS; i++)
		while ((r = gmp_chan_try_send(e->a, &i)) != 0) {
			CHECK_EQ(r, -EAGAIN);
			sched_yield();		/* on a busy machine the other side waits for a CPU */
		}
	for (int i = 1; i <= ITEMS; i++) {
		while ((r = gmp_chan_try_recv(e->b, &v)) != 1) {
			CHECK_EQ(r, -EAGAIN);
			sched_yield();
		}
		CHECK_EQ(v, i);
	}
	CHECK_EQ(gmp_chan_recv(e->b, &v), -EWOULDBLOCK);
	CHECK_EQ(gmp_chan_close(e->a), 0);
	return NULL;
}

static void echo(void *arg)
{
	struct ends *e = arg;
	int v;

	while (gmp_chan_recv(e->a, &v) == 1)
		send_int(e->b, v);
	hit(e);
}

GTEST(threads_outside_may_send_receive_and_close)
{
	for (size_t cap = 0; cap < 5; cap += 2) {
		struct ends e = { .a = make(sizeof(int), cap), .b = make(sizeof(int), ITEMS) };
		pthread_t t;

		CHECK(gmp_wg_go(&e.wg, echo, &e) > 0);
		CHECK_EQ(pthread_create(&t, NULL, outside, &e), 0);
		gmp_wg_wait(&e.wg);
		pthread_join(t, NULL);
		CHECK_EQ(hits(&e), 1);
		gmp_chan_unref(e.a);
		gmp_chan_unref(e.b);
	}
}

/* ---- what an ended run leaves behind ------------------------------------------------------------------------ */

static struct gmp_chan *survivor;

static void wait_on_survivor(void *arg)
{
	int v = 0;

	(void)arg;
	if (arg)
		gmp_chan_send(survivor, &v);
	else
		gmp_chan_recv(survivor, &v);
	CHECK(!"woken by a later run");
}

static int leave_receivers(void *arg)
{
	for (int i = 0; i < 5; i++)
		CHECK(gmp_go(wait_on_survivor, arg) > 0);
	let_run();
	return 0;
}

static int use_survivor(void *arg)
{
	struct ends e = { .a = survivor };

	(void)arg;
	CHECK(gmp_wg_go(&e.wg, send_100, &e) > 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(recv_int(survivor), i);
	gmp_wg_wait(&e.wg);
	return 0;
}

TEST(waiters_of_an_ended_run_are_forgotten)
{
	int v = 3;

	for (int i = 0; i < 10; i++) {
		survivor = make(sizeof(int), 0);
		CHECK_EQ(gmp_run(leave_receivers, i % 2 ? survivor : NULL), 0);
		if (i % 3 == 0) {
			CHECK_EQ(gmp_chan_try_send(survivor, &v), -EAGAIN);
			CHECK_EQ(gmp_chan_try_recv(survivor, &v), -EAGAIN);
		}
		CHECK_EQ(gmp_run(use_survivor, NULL), 0);
		CHECK_EQ(gmp_chan_close(survivor), 0);
		gmp_chan_unref(survivor);
	}
}
