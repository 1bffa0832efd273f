/* SPDX-License-Identifier: MIT */
/*
 * select_test.c - select: results, bad input, the choice.
 *
 * What Go's own tests check, and where it is checked here:
 *   runtime/chan_test.go  TestNonblockSelectRace, 2   select_queue_test.c
 *                         TestSelfSelect              select_queue_test.c
 *                         TestSelectStress            select_race_test.c
 *                         TestSelectFairness          fair_between_two fair_among_many
 *                         TestPseudoRandomSend        choice_between_cases_of_one_channel
 *                         TestSelectDuplicateChannel  select_queue_test.c
 *                         TestSelectStackAdjust       not here: stacks do not move
 *   test/chan/doubleselect.go  select_race_test.c
 *   test/chan/select.go        cases_fall_away_as_nil
 *   test/chan/select3.go       table_of_what_blocks
 *   test/chan/select2.go, 6, 7 select_queue_test.c
 *   test/chan/select4.go, 5    evaluation order: arguments are evaluated by C before the call
 *   test/chan/select8.go       break: not a matter of the library
 */
#include "select_util.h"

/* ---- bad input ------------------------------------------------------------------------------------ */

TEST(refuses_bad_cases)
{
	struct gmp_chan *c = make(1);
	int v = 1;
	struct gmp_case k[] = { GMP_CASE_RECV(c, &v), GMP_CASE_SEND(c, &v) };

	CHECK_EQ(gmp_select(k, -1), -EINVAL);
	CHECK_EQ(gmp_select_try(k, -1), -EINVAL);
	CHECK_EQ(gmp_select_until(k, -1, 1), -EINVAL);
	CHECK_EQ(gmp_select(NULL, 1), -EINVAL);
	CHECK_EQ(gmp_select_try(NULL, 2), -EINVAL);
	k[1].op = 0;
	CHECK_EQ(gmp_select(k, 2), -EINVAL);
	k[1].op = 3;
	CHECK_EQ(gmp_select_try(k, 2), -EINVAL);
	CHECK_EQ(gmp_select_try(k + 1, 1), -EINVAL);
	k[1] = (struct gmp_case)GMP_CASE_SEND(c, NULL);
	CHECK_EQ(gmp_select_until(k, 2, 0), -EINVAL);
	CHECK_EQ(gmp_chan_len(c), 0);
	gmp_chan_unref(c);
}

TEST(outside_of_a_goroutine)
{
	struct gmp_chan *c = make(1), *d = make(1);
	int v = 1, w = 0;
	struct gmp_case k[] = { GMP_CASE_RECV(c, &w), GMP_CASE_RECV(d, &w), GMP_CASE_RECV(NULL, &w) };

	CHECK_EQ(gmp_select(k, 3), -EWOULDBLOCK);
	CHECK_EQ(gmp_select(k, 0), -EWOULDBLOCK);
	CHECK_EQ(gmp_select_try(k, 3), -EAGAIN);
	CHECK_EQ(gmp_select_try(NULL, 0), -EAGAIN);
	CHECK_EQ(gmp_select_until(k, 3, gmp_now() + 1000000000), -EWOULDBLOCK);
	CHECK_EQ(gmp_select_until(k, 3, 1), -ETIMEDOUT);
	CHECK_EQ(gmp_chan_send(d, &v), 0);
	CHECK_EQ(gmp_select(k, 3), 1);
	CHECK_EQ(w, 1);
	CHECK_EQ(k[1].ok, 1);
	gmp_chan_unref(c);
	gmp_chan_unref(d);
}

/* ---- results ---------------------------------------------------------------------------------------- */

GTEST(results_of_a_ready_case)
{
	struct gmp_chan *c = make(1);
	int v = 5, w = 0;
	struct gmp_case s[] = { GMP_CASE_SEND(c, &v), GMP_CASE_SEND(NULL, &v) };
	struct gmp_case r[] = { GMP_CASE_RECV(NULL, &w), GMP_CASE_RECV(c, &w) };

	CHECK_EQ(gmp_select(s, 2), 0);
	CHECK_EQ(s[0].ok, 1);
	CHECK_EQ(gmp_select_try(s, 2), -EAGAIN);
	CHECK_EQ(gmp_select_try(s, 1), -EAGAIN);
	CHECK_EQ(gmp_select(r, 2), 1);
	CHECK_EQ(r[1].ok, 1);
	CHECK_EQ(w, 5);
	CHECK_EQ(gmp_select_try(r, 2), -EAGAIN);
	CHECK_EQ(gmp_chan_close(c), 0);
	CHECK_EQ(gmp_select(r, 2), 1);
	CHECK_EQ(r[1].ok, 0);
	CHECK_EQ(w, 0);
	CHECK_EQ(gmp_select(s, 2), 0);
	CHECK_EQ(s[0].ok, -EPIPE);
	CHECK_EQ(gmp_select_try(s, 1), 0);
	CHECK_EQ(s[0].ok, -EPIPE);
	gmp_chan_unref(c);
}

GTEST(results_of_a_parked_case)
{
	struct gmp_chan *c = make(0), *d = make(0);
	int v = 5, w = 0, x = 9;
	struct gmp_case k[] = { GMP_CASE_RECV(c, &w), GMP_CASE_SEND(d, &v) };
	struct park p;

	start(&p, k, 2);
	CHECK_EQ(gmp_chan_send(c, &x), 0);
	CHECK_EQ(finish(&p), 0);
	CHECK_EQ(k[0].ok, 1);
	CHECK_EQ(w, 9);
	start(&p, k, 2);
	CHECK_EQ(gmp_chan_recv(d, &x), 1);
	CHECK_EQ(finish(&p), 1);
	CHECK_EQ(k[1].ok, 1);
	CHECK_EQ(x, 5);
	start(&p, k, 2);
	CHECK_EQ(gmp_chan_close(d), 0);
	CHECK_EQ(finish(&p), 1);
	CHECK_EQ(k[1].ok, -EPIPE);
	start(&p, k, 1);
	w = 3;
	CHECK_EQ(gmp_chan_close(c), 0);
	CHECK_EQ(finish(&p), 0);
	CHECK_EQ(k[0].ok, 0);
	CHECK_EQ(w, 0);
	gmp_chan_unref(c);
	gmp_chan_unref(d);
}

GTEST(nobody_is_left_in_the_queues)
{
	struct gmp_chan *c = make(0), *d = make(0);
	int v = 5, w = 0;
	struct gmp_case k[] = { GMP_CASE_RECV(c, &w), GMP_CASE_RECV(d, &w), GMP_CASE_SEND(c, &v) };
	struct park p;

	for (int i = 0; i < 50; i++) {
		start(&p, k, 3);
		CHECK_EQ(gmp_chan_send(d, &v), 0);
		CHECK_EQ(finish(&p), 1);
		CHECK_EQ(gmp_chan_try_send(c, &v), -EAGAIN);
		CHECK_EQ(gmp_chan_try_send(d, &v), -EAGAIN);
		CHECK_EQ(gmp_chan_try_recv(c, &v), -EAGAIN);
	}
	gmp_chan_unref(c);
	gmp_chan_unref(d);
}

static int select_nothing(void *arg)
{
	(void)arg;
	return gmp_select(NULL, 0);
}

TEST(no_cases_park_for_ever)
{
	DEATH(gmp_run(select_nothing, NULL), "all goroutines are asleep - deadlock!");
}

static int select_nil(void *arg)
{
	struct gmp_case k[] = { GMP_CASE_RECV(NULL, NULL), GMP_CASE_SEND(NULL, NULL) };

	(void)arg;
	return gmp_select(k, 2);
}

TEST(nil_cases_park_for_ever)
{
	DEATH(gmp_run(select_nil, NULL), "all goroutines are asleep - deadlock!");
}

/* ---- select.go, select3.go ----------------------------------------------------------------------------- */

static int send_both(struct gmp_chan *a, struct gmp_chan *b)
{
	int n = 0, v = 1;

	for (;; v <<= 1) {
		struct gmp_case k[] = { GMP_CASE_SEND(a, &v), GMP_CASE_SEND(b, &v) };

		switch (gmp_select_try(k, 2)) {
		case 0:
			a = NULL;
			break;
		case 1:
			b = NULL;
			break;
		default:
			return n;
		}
		n++;
	}
}

GTEST(cases_fall_away_as_nil)
{
	struct gmp_chan *a = make(1), *b = make(1);
	int x, y;

	CHECK_EQ(send_both(a, b), 2);
	CHECK_EQ(gmp_chan_recv(a, &x), 1);
	CHECK_EQ(gmp_chan_recv(b, &y), 1);
	CHECK_EQ(x | y, 3);
	CHECK_EQ(send_both(a, NULL), 1);
	gmp_chan_unref(a);
	gmp_chan_unref(b);
}

/* Does it block? With select_until: yes when the time runs out. */
static int blocks(struct gmp_chan *c, int op)
{
	int v = 1;
	struct gmp_case k = { .c = c, .op = op, .send = &v };
	int r = gmp_select_until(&k, 1, gmp_now() + 500000);

	CHECK_EQ(gmp_select_try(&k, 1) == -EAGAIN, r == -ETIMEDOUT);
	return r == -ETIMEDOUT;
}

GTEST(table_of_what_blocks)
{
	struct gmp_chan *unbuffered = make(0), *empty = make(10), *full = make(10), *closed = make(0);
	struct gmp_chan *closed_buffered = make(10);
	int v = 0;

	for (int i = 0; i < 10; i++)
		gmp_chan_send(full, &v);
	gmp_chan_close(closed);
	gmp_chan_send(closed_buffered, &v);
	gmp_chan_close(closed_buffered);
	CHECK(blocks(NULL, GMP_SEND));
	CHECK(blocks(NULL, GMP_RECV));
	CHECK(blocks(unbuffered, GMP_SEND));
	CHECK(blocks(unbuffered, GMP_RECV));
	CHECK(blocks(empty, GMP_RECV));
	CHECK(!blocks(empty, GMP_SEND));
	CHECK(blocks(full, GMP_SEND));
	CHECK(!blocks(full, GMP_RECV));
	CHECK(!blocks(closed, GMP_RECV));
	CHECK(!blocks(closed, GMP_SEND));
	CHECK(!blocks(closed_buffered, GMP_RECV));
	CHECK(!blocks(closed_buffered, GMP_RECV));
	CHECK(!blocks(closed_buffered, GMP_SEND));
}

/* ---- choice ---------------------------------------------------------------------------------------------- */

/* The mean of @n draws with probability @p, six sigma around it. */
static void check_share(int got, int n, double p)
{
	double mean = n * p, var = n * p * (1 - p), d = got - mean;

	if (d * d > 36 * var)
		GMPTEST_FAIL_("%d of %d, wanted about %.0f", got, n, mean);
}

GTEST(fair_between_two)
{
	enum { TRIALS = 10000 };
	struct gmp_chan *a = make(TRIALS), *b = make(TRIALS), *never = make(0);
	int cnt[4] = { 0 }, v = 0;

	for (int i = 0; i < TRIALS; i++) {
		gmp_chan_send(a, &v);
		gmp_chan_send(b, &v);
	}
	for (int i = 0; i < TRIALS; i++) {
		struct gmp_case k[] = { GMP_CASE_RECV(never, &v), GMP_CASE_RECV(never, &v), GMP_CASE_RECV(a, &v),
					GMP_CASE_RECV(b, &v) };
		int r = gmp_select(k, 4);

		CHECK(r == 2 || r == 3);
		cnt[r]++;
	}
	check_share(cnt[2], TRIALS, 0.5);
	gmp_chan_unref(a);
	gmp_chan_unref(b);
	gmp_chan_unref(never);
}

/* Any subset that is ready, few cases and many: each as often as the others. */
static void fair_among(int n, unsigned int every)
{
	enum { TRIALS = 6000 };
	struct gmp_chan *c = make(0), *ready = make(0);
	struct gmp_case *k = calloc((size_t)n, sizeof(*k));
	int *cnt = calloc((size_t)n, sizeof(*cnt)), nready = 0;

	gmp_chan_close(ready);
	for (int i = 0; i < n; i++) {
		int is = (unsigned int)i % every == 0;

		nready += is;
		k[i] = (struct gmp_case)GMP_CASE_RECV(is ? ready : c, NULL);
	}
	for (int i = 0; i < TRIALS; i++) {
		int r = i % 2 ? gmp_select(k, n) : gmp_select_try(k, n);

		CHECK(r >= 0 && r < n && k[r].c == ready);
		cnt[r]++;
	}
	for (int i = 0; i < n; i++)
		if (k[i].c == ready)
			check_share(cnt[i], TRIALS, 1.0 / nready);
	free(k);
	free(cnt);
	gmp_chan_unref(c);
	gmp_chan_unref(ready);
}

GTEST(fair_among_many)
{
	fair_among(3, 1);
	fair_among(4, 3);
	fair_among(7, 2);
	fair_among(16, 5);
	fair_among(50, 7);
}

static void recv_list(void *arg)
{
	struct park *p = arg;

	for (int i = 0; i < p->n; i++) {
		int v;

		gmp_yield();
		CHECK_EQ(gmp_chan_recv(p->k[0].c, &v), 1);
		p->got += v;
	}
	__atomic_store_n(&p->done, 1, __ATOMIC_RELEASE);
}

GTEST(choice_between_cases_of_one_channel)
{
	enum { N = 1000 };

	for (size_t cap = 0; cap <= N; cap += N) {
		struct gmp_chan *c = make(cap);
		int zero = 0, one = 1;
		struct gmp_case k[] = { GMP_CASE_SEND(c, &one), GMP_CASE_SEND(c, &zero) };
		struct park p = { .k = k, .n = N };

		CHECK(gmp_go(recv_list, &p) > 0);
		for (int i = 0; i < N; i++)
			CHECK(gmp_select(k, 2) >= 0);
		finish(&p);
		check_share(p.got, N, 0.5);
		gmp_chan_unref(c);
	}
}
