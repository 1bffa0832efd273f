/* SPDX-License-Identifier: MIT */
/*
 * select_queue_test.c - select: its places in the queues, duplicates, defaults, limits of time.
 *
 * What Go's own tests check, and where it is checked here:
 *   runtime/chan_test.go  TestNonblockSelectRace      default_is_not_taken_while_one_is_ready
 *                         TestNonblockSelectRace2     a_close_is_not_missed
 *                         TestSelfSelect              send_and_receive_on_one_channel
 *                         TestSelectDuplicateChannel  one_channel_twice_in_the_queue
 *   test/chan/select2.go       no_memory_is_kept
 *   test/chan/select6.go       waiters_behind_a_loser_are_not_lost
 *   test/chan/select7.go       meets_every_kind_of_partner
 */
#include <malloc.h>

#include "select_util.h"

/* ---- duplicates and oneself ---------------------------------------------------------------------------------- */

struct pair {
	struct gmp_chan *c, *d, *e;
	struct gmp_wg wg;
	int cap, id;
};

static void self_select(void *arg)
{
	struct pair *p = arg;
	int id = __atomic_fetch_add(&p->id, 1, __ATOMIC_RELAXED);

	for (int i = 0; i < 1000; i++) {
		int v = -1;
		struct gmp_case k[] = { GMP_CASE_SEND(p->c, &id), GMP_CASE_RECV(p->c, &v) };
		struct gmp_case rev[] = { GMP_CASE_RECV(p->c, &v), GMP_CASE_SEND(p->c, &id) };
		int r = id == 0 || i % 2 == 0 ? gmp_select(k, 2) : 1 - gmp_select(rev, 2);

		CHECK(r == 0 || r == 1);
		if (p->cap == 0 && r == 1)
			CHECK(v != id);		/* not from oneself */
	}
}

GTEST(send_and_receive_on_one_channel)
{
	for (int cap = 0; cap <= 10; cap += 10) {
		struct pair p = { .c = make((size_t)cap), .cap = cap };

		CHECK(gmp_wg_go(&p.wg, self_select, &p) > 0);
		CHECK(gmp_wg_go(&p.wg, self_select, &p) > 0);
		gmp_wg_wait(&p.wg);
		gmp_chan_unref(p.c);
	}
}

static void twice_in_queue(void *arg)
{
	struct pair *p = arg;
	int v;
	struct gmp_case k[] = { GMP_CASE_RECV(p->c, &v), GMP_CASE_RECV(p->c, &v), GMP_CASE_RECV(p->d, &v) };

	CHECK_EQ(gmp_select(k, 3), 2);
	CHECK_EQ(v, 7);
	gmp_chan_send(p->e, &v);
}

static void recv_c(void *arg)
{
	struct pair *p = arg;
	int v;

	CHECK_EQ(gmp_chan_recv(p->c, &v), 1);
	CHECK_EQ(v, 8);
}

GTEST(one_channel_twice_in_the_queue)
{
	for (int i = 0; i < 50; i++) {
		struct pair p = { .c = make(0), .d = make(0), .e = make(0) };
		int seven = 7, eight = 8, v;

		CHECK(gmp_wg_go(&p.wg, twice_in_queue, &p) > 0);
		let_run();
		CHECK(gmp_wg_go(&p.wg, recv_c, &p) > 0);
		let_run();
		CHECK_EQ(gmp_chan_send(p.d, &seven), 0);
		CHECK_EQ(gmp_chan_recv(p.e, &v), 1);
		CHECK_EQ(gmp_chan_send(p.c, &eight), 0);
		gmp_wg_wait(&p.wg);
		gmp_chan_unref(p.c);
		gmp_chan_unref(p.d);
		gmp_chan_unref(p.e);
	}
}

/* ---- select6.go, select7.go ------------------------------------------------------------------------------------- */

static void recv_c_any(void *arg)
{
	CHECK_EQ(gmp_chan_recv(((struct pair *)arg)->c, NULL), 1);
}

static void lose_c_win_d(void *arg)
{
	struct pair *p = arg;
	struct gmp_case k[] = { GMP_CASE_RECV(p->c, NULL), GMP_CASE_RECV(p->d, NULL) };
	int v = 1;

	CHECK_EQ(gmp_select(k, 2), 1);
	gmp_chan_send(p->e, &v);
	CHECK_EQ(gmp_chan_recv(p->c, NULL), 1);
}

static void send_d(void *arg)
{
	int v = 1;

	gmp_chan_send(((struct pair *)arg)->d, &v);
}

GTEST(waiters_behind_a_loser_are_not_lost)
{
	for (int i = 0; i < 100; i++) {
		struct pair p = { .c = make(0), .d = make(0), .e = make(0) };
		int v = 1;

		CHECK(gmp_wg_go(&p.wg, recv_c_any, &p) > 0);
		CHECK(gmp_wg_go(&p.wg, lose_c_win_d, &p) > 0);
		CHECK(gmp_wg_go(&p.wg, send_d, &p) > 0);
		CHECK_EQ(gmp_chan_recv(p.e, NULL), 1);
		CHECK_EQ(gmp_chan_send(p.c, &v), 0);
		CHECK_EQ(gmp_chan_send(p.c, &v), 0);
		gmp_wg_wait(&p.wg);
		gmp_chan_unref(p.c);
		gmp_chan_unref(p.d);
		gmp_chan_unref(p.e);
	}
}

/* @kind 0 a plain call, 1 a select of one, 2 a select with a case that is never ready. */
static void meet(struct gmp_chan *c, int op, int kind)
{
	struct gmp_chan *never = make(0);
	int v = 1;
	struct gmp_case k[] = { { .c = c, .op = op, .send = &v }, GMP_CASE_RECV(never, NULL) };

	if (kind == 0)
		CHECK(op == GMP_SEND ? gmp_chan_send(c, &v) == 0 : gmp_chan_recv(c, &v) == 1);
	else
		CHECK_EQ(gmp_select(k, kind), 0);
	gmp_chan_unref(never);
}

struct meeting {
	struct gmp_chan *c;
	int kind;
};

static void meet_recv(void *arg)
{
	struct meeting *m = arg;

	meet(m->c, GMP_RECV, m->kind);
}

GTEST(meets_every_kind_of_partner)
{
	for (int i = 0; i < 9; i++)
		for (int first = 0; first < 2; first++) {
			struct meeting m = { make(0), i / 3 };
			struct gmp_wg wg = { 0 };

			CHECK(gmp_wg_go(&wg, meet_recv, &m) > 0);
			if (first)
				gmp_yield();
			meet(m.c, GMP_SEND, i % 3);
			gmp_wg_wait(&wg);
			gmp_chan_unref(m.c);
		}
}

/* ---- races of the default -------------------------------------------------------------------------------------- */

struct race {
	struct gmp_chan *a, *b;
	struct gmp_wg wg;
	int rev;
};

/* One of the two is ready at every moment: a before b is filled, b before a is emptied. */
static void take_either(void *arg)
{
	struct race *r = arg;
	int v;
	struct gmp_case k[] = { GMP_CASE_RECV(r->rev ? r->b : r->a, &v), GMP_CASE_RECV(r->rev ? r->a : r->b, &v) };

	CHECK(gmp_select_try(k, 2) >= 0);
}

GTEST(default_is_not_taken_while_one_is_ready)
{
	for (int i = 0; i < 5000; i++) {
		struct race r = { .a = make(1), .b = make(1), .rev = i & 1 };
		int v = 1;

		gmp_chan_send(r.a, &v);
		CHECK(gmp_wg_go(&r.wg, take_either, &r) > 0);
		gmp_chan_send(r.b, &v);
		gmp_chan_try_recv(r.a, &v);
		gmp_wg_wait(&r.wg);
		gmp_chan_unref(r.a);
		gmp_chan_unref(r.b);
	}
}

GTEST(a_close_is_not_missed)
{
	for (int i = 0; i < 5000; i++) {
		struct race r = { .a = make(1), .b = make(0), .rev = i & 1 };
		int v = 1;

		gmp_chan_send(r.a, &v);
		CHECK(gmp_wg_go(&r.wg, take_either, &r) > 0);
		gmp_chan_close(r.b);
		gmp_chan_try_recv(r.a, &v);
		gmp_wg_wait(&r.wg);
		gmp_chan_unref(r.a);
		gmp_chan_unref(r.b);
	}
}

/* ---- limits of time ----------------------------------------------------------------------------------------------- */

GTEST(deadline_ends_the_wait)
{
	struct gmp_chan *c = make(0), *d = make(0);
	int v = 4;
	struct gmp_case k[] = { GMP_CASE_RECV(c, &v), GMP_CASE_SEND(d, &v), GMP_CASE_RECV(NULL, NULL) };

	for (int n = 0; n <= 3; n++)
		for (int i = 0; i < 3; i++) {
			uint64_t end = gmp_now() + 2000000;

			CHECK_EQ(gmp_select_until(k, n, end), -ETIMEDOUT);
			CHECK(gmp_now() >= end);
			CHECK_EQ(gmp_chan_try_send(c, &v), -EAGAIN);	/* it left the queues */
			CHECK_EQ(gmp_chan_try_recv(d, &v), -EAGAIN);
		}
	CHECK_EQ(v, 4);
	gmp_chan_unref(c);
	gmp_chan_unref(d);
}

GTEST(ready_beats_a_past_deadline)
{
	struct gmp_chan *c = make(1);
	int v = 1;
	struct gmp_case k[] = { GMP_CASE_SEND(c, &v), GMP_CASE_RECV(NULL, NULL) };

	CHECK_EQ(gmp_select_until(k, 2, 1), 0);
	CHECK_EQ(gmp_select_until(k, 2, 1), -ETIMEDOUT);
	CHECK_EQ(gmp_select_until(k, 2, gmp_now()), -ETIMEDOUT);
	CHECK_EQ(gmp_select_until(NULL, 0, 1), -ETIMEDOUT);
	gmp_chan_unref(c);
}

GTEST(far_deadline_is_stopped)
{
	struct gmp_chan *c = make(0);
	int v = 1;
	struct gmp_case k[] = { GMP_CASE_RECV(c, &v), GMP_CASE_RECV(NULL, NULL) };
	struct park p;

	for (int i = 0; i < 100; i++) {
		p = (struct park){ .k = k, .n = 2, .deadline = i & 1 ? UINT64_MAX : gmp_now() + 3600000000000ull };
		CHECK(gmp_go(select_parked, &p) > 0);
		CHECK_EQ(gmp_chan_send(c, &v), 0);
		CHECK_EQ(finish(&p), 0);
	}
	gmp_chan_unref(c);
}

/* ---- many cases ------------------------------------------------------------------------------------------------------ */

static void with_n_cases(int n)
{
	struct gmp_case *k = calloc((size_t)n, sizeof(*k));
	int v = 0, x = 1;
	struct park p;

	for (int i = 0; i < n; i++)
		k[i] = (struct gmp_case)GMP_CASE_RECV(make(0), &v);
	for (int i = 0; i < n; i += 1 + n / 7) {
		start(&p, k, n);
		CHECK_EQ(gmp_chan_send(k[i].c, &x), 0);
		CHECK_EQ(finish(&p), i);
		CHECK_EQ(v, 1);
		v = 0;
	}
	CHECK_EQ(gmp_select_until(k, n, gmp_now() + 1000000), -ETIMEDOUT);
	CHECK_EQ(gmp_select_try(k, n), -EAGAIN);
	for (int i = 0; i < n; i++)
		gmp_chan_unref(k[i].c);
	free(k);
}

GTEST(many_cases)
{
	with_n_cases(2);
	with_n_cases(16);
	with_n_cases(17);
	with_n_cases(100);
	with_n_cases(3000);
}

static void feed_select(void *arg)
{
	struct race *r = arg;
	int v = 1;

	for (int i = 0; i < 20000; i++)
		CHECK_EQ(gmp_chan_send(r->a, &v), 0);
	gmp_chan_close(r->a);
}

GTEST(no_memory_is_kept)
{
	struct race r = { .a = make(0), .b = make(0) };
	struct gmp_case k[] = { GMP_CASE_RECV(r.a, NULL), GMP_CASE_RECV(r.b, NULL) };
	size_t before;

	CHECK(gmp_wg_go(&r.wg, feed_select, &r) > 0);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(gmp_select(k, 2), 0);
	before = mallinfo2().uordblks;
	while (gmp_select(k, 2) == 0 && k[0].ok)
		;
	CHECK(mallinfo2().uordblks < before + 65536);
	gmp_wg_wait(&r.wg);
	gmp_chan_unref(r.a);
	gmp_chan_unref(r.b);
}

/* ---- a thread outside meets a parked select ---------------------------------------------------------------------------- */

static void *send_from_outside(void *arg)
{
	struct race *r = arg;
	int v = 1, w;

	for (int i = 0; i < 500; i++) {
		struct gmp_case k[] = { GMP_CASE_SEND(r->a, &v), GMP_CASE_RECV(r->b, &w) };
		int got;

		while ((got = gmp_select_try(k, 2)) < 0)
			CHECK_EQ(got, -EAGAIN);
	}
	return NULL;
}

GTEST(select_outside_meets_select_inside)
{
	struct race r = { .a = make(0), .b = make(0) };
	int v = 1, w;
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, send_from_outside, &r), 0);
	for (int i = 0; i < 500; i++) {
		struct gmp_case k[] = { GMP_CASE_RECV(r.a, &w), GMP_CASE_SEND(r.b, &v) };
		int got = gmp_select(k, 2);

		CHECK(got == 0 || got == 1);
		CHECK_EQ(k[got].ok, 1);
	}
	pthread_join(t, NULL);
	gmp_chan_unref(r.a);
	gmp_chan_unref(r.b);
}
