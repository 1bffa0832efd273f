/* SPDX-License-Identifier: MIT */
/*
 * select_race_test.c - many selects at once; whatever happens, sums and orders hold.
 *
 * What Go's own tests check, and where it is checked here:
 *   runtime/chan_test.go      TestSelectStress  stress
 *   test/chan/doubleselect.go                   no_value_comes_twice
 *
 * The random ones print a seed (GMP_SEED=n repeats the choices, not the interleaving).
 */
#include <gmprt.h>

#include "gmptest.h"

static struct gmp_chan *make(size_t cap)
{
	struct gmp_chan *c = gmp_chan_make(sizeof(long), cap);

	CHECK(c != NULL);
	return c;
}

/* A delay of many kinds, to shift who comes first. */
static void dither(uint64_t *s)
{
	uint32_t r = gmptest_rand(s);

	switch (r % 8) {
	case 0:
		gmp_yield();
		break;
	case 1:
		for (volatile uint32_t i = r >> 24; i > 0; i--)
			;
		break;
	case 2:
		if ((r >> 8) % 64 == 0)
			gmp_sleep((r >> 16) % 50000);
		break;
	default:
		break;
	}
}

/* ---- doubleselect.go ------------------------------------------------------------------------------ */

enum { VALUES = 20000 };

struct fan {
	struct gmp_chan *c[4], *mux;
	struct gmp_wg wg;
};

struct lane {
	struct fan *f;
	int i;
};

static void spread(void *arg)
{
	struct fan *f = arg;

	for (long v = 0; v < VALUES; v++) {
		struct gmp_case k[4];

		for (int i = 0; i < 4; i++)
			k[i] = (struct gmp_case)GMP_CASE_SEND(f->c[i], &v);
		CHECK(gmp_select(k, 4) >= 0);
	}
	for (int i = 0; i < 4; i++)
		gmp_chan_close(f->c[i]);
}

static void forward(void *arg)
{
	struct lane *l = arg;
	long v;

	while (gmp_chan_recv(l->f->c[l->i], &v) == 1)
		CHECK_EQ(gmp_chan_send(l->f->mux, &v), 0);
}

static void close_mux(void *arg)
{
	struct fan *f = arg;

	gmp_wg_wait(&f->wg);
	gmp_chan_close(f->mux);
}

GTEST(no_value_comes_twice)
{
	struct fan f = { .mux = make(0) };
	struct lane l[4];
	char *seen = calloc(VALUES, 1);
	long v, n = 0;

	for (int i = 0; i < 4; i++)
		f.c[i] = make(0);
	CHECK(gmp_go(spread, &f) > 0);
	for (int i = 0; i < 4; i++) {
		l[i] = (struct lane){ &f, i };
		CHECK(gmp_wg_go(&f.wg, forward, &l[i]) > 0);
	}
	CHECK(gmp_go(close_mux, &f) > 0);
	for (; gmp_chan_recv(f.mux, &v) == 1; n++) {
		CHECK(v >= 0 && v < VALUES);
		CHECK_EQ(seen[v], 0);
		seen[v] = 1;
	}
	CHECK_EQ(n, VALUES);
	free(seen);
}

/* ---- TestSelectStress: plain and selecting senders and receivers on four channels ------------------ */

enum { N = 2000 };

struct stress {
	struct gmp_chan *c[4];
	struct gmp_wg wg;
	long sum[2];		/* sent, received */
};

struct role {
	struct stress *s;
	int k;
};

static void add(long *sum, long v)
{
	__atomic_add_fetch(sum, v, __ATOMIC_RELAXED);
}

static void plain_send(void *arg)
{
	struct role *r = arg;

	for (long i = 0; i < N; i++) {
		CHECK_EQ(gmp_chan_send(r->s->c[r->k], &i), 0);
		add(&r->s->sum[0], i);
	}
}

static void plain_recv(void *arg)
{
	struct role *r = arg;

	for (long i = 0; i < N; i++) {
		long v;

		CHECK_EQ(gmp_chan_recv(r->s->c[r->k], &v), 1);
		add(&r->s->sum[1], v);
	}
}

/* N on each of the four; one that has had its N falls away. */
static void select_all(struct stress *s, int op)
{
	struct gmp_chan *c[4];
	long n[4] = { 0 }, v;

	memcpy(c, s->c, sizeof(c));
	for (long i = 0; i < 4 * N; i++) {
		struct gmp_case k[4];
		int r;

		v = i;
		for (int j = 0; j < 4; j++)
			k[j] = (struct gmp_case){ .c = c[(j + op) % 4], .op = op, .send = &v };
		r = gmp_select(k, 4);
		CHECK(r >= 0 && k[r].ok == 1);
		add(&s->sum[op == GMP_RECV], v);
		r = (r + op) % 4;
		if (++n[r] == N)
			c[r] = NULL;
	}
}

static void select_send(void *arg)
{
	select_all(((struct role *)arg)->s, GMP_SEND);
}

static void select_recv(void *arg)
{
	select_all(((struct role *)arg)->s, GMP_RECV);
}

GTEST(stress)
{
	static const size_t caps[] = { 0, 0, 2, 3 };
	struct stress s = { .sum = { 0, 0 } };
	struct role role[4];

	for (int k = 0; k < 4; k++) {
		s.c[k] = make(caps[k]);
		role[k] = (struct role){ &s, k };
	}
	for (int k = 0; k < 4; k++) {
		CHECK(gmp_wg_go(&s.wg, plain_send, &role[k]) > 0);
		CHECK(gmp_wg_go(&s.wg, plain_recv, &role[k]) > 0);
	}
	CHECK(gmp_wg_go(&s.wg, select_send, &role[0]) > 0);
	CHECK(gmp_wg_go(&s.wg, select_recv, &role[0]) > 0);
	gmp_wg_wait(&s.wg);
	CHECK_EQ(s.sum[0], s.sum[1]);
	for (int k = 0; k < 4; k++) {
		CHECK_EQ(gmp_chan_len(s.c[k]), 0);
		gmp_chan_unref(s.c[k]);
	}
}

/* ---- everything at once: random cases, limits, tries ------------------------------------------------ */

enum { CHANS = 6, ACTORS = 12, ROUNDS = 1500 };

struct mix {
	struct gmp_chan *c[CHANS];
	struct gmp_wg wg;
	long sent[CHANS], got[CHANS];		/* sums */
	uint64_t seed;
};

static void count_case(struct mix *m, const int *which, const struct gmp_case *k, int r, long out, long in)
{
	CHECK_EQ(k[r].ok, 1);
	if (k[r].op == GMP_SEND)
		add(&m->sent[which[r]], out);
	else
		add(&m->got[which[r]], in);
}

static void one_select(struct mix *m, uint64_t *s, long out)
{
	int n = 1 + (int)(gmptest_rand(s) % 8), which[8], r;
	struct gmp_case k[8];
	long in = 0;

	for (int i = 0; i < n; i++) {
		which[i] = (int)(gmptest_rand(s) % CHANS);
		k[i] = (struct gmp_case){
			.c = gmptest_rand(s) % 16 ? m->c[which[i]] : NULL,
			.op = gmptest_rand(s) % 2 ? GMP_SEND : GMP_RECV,
		};
		if (k[i].op == GMP_SEND)
			k[i].send = &out;
		else
			k[i].recv = &in;
	}
	if (gmptest_rand(s) % 4 == 0)
		r = gmp_select_try(k, n);
	else
		r = gmp_select_until(k, n, gmp_now() + gmptest_rand(s) % 200000);
	if (r >= 0)
		count_case(m, which, k, r, out, in);
	else
		CHECK(r == -EAGAIN || r == -ETIMEDOUT);
}

static void act(void *arg)
{
	struct mix *m = arg;
	uint64_t s = __atomic_add_fetch(&m->seed, 0x9e3779b97f4a7c15ull, __ATOMIC_RELAXED);

	for (long i = 1; i <= ROUNDS; i++) {
		one_select(m, &s, (long)(s >> 40));
		dither(&s);
	}
}

GTEST(random_selects_lose_nothing)
{
	struct mix m = { .seed = gmptest_seed() };

	for (int i = 0; i < CHANS; i++)
		m.c[i] = make((size_t)i / 2);
	for (int i = 0; i < ACTORS; i++)
		CHECK(gmp_wg_go(&m.wg, act, &m) > 0);
	gmp_wg_wait(&m.wg);
	for (int i = 0; i < CHANS; i++) {
		long v;

		CHECK_EQ(gmp_chan_close(m.c[i]), 0);
		while (gmp_chan_recv(m.c[i], &v) == 1)
			m.got[i] += v;
		CHECK_EQ(m.sent[i], m.got[i]);
		gmp_chan_unref(m.c[i]);
	}
}

/* ---- select against close ------------------------------------------------------------------------------ */

struct closing {
	struct gmp_chan *data, *quit;
	struct gmp_wg wg;
	long sent, got;
	uint64_t seed;
};

static void send_until_closed(void *arg)
{
	struct closing *x = arg;
	uint64_t s = x->seed + 1;

	for (long v = 1;; v++) {
		struct gmp_case k[] = { GMP_CASE_SEND(x->data, &v), GMP_CASE_RECV(x->quit, NULL) };

		if (gmp_select(k, 2) == 1) {
			CHECK_EQ(k[1].ok, 0);
			return;
		}
		CHECK_EQ(k[0].ok, 1);
		add(&x->sent, v);
		dither(&s);
	}
}

static void recv_until_closed(void *arg)
{
	struct closing *x = arg;
	uint64_t s = x->seed + 2;

	for (;;) {
		long v;
		struct gmp_case k[] = { GMP_CASE_RECV(x->quit, NULL), GMP_CASE_RECV(x->data, &v) };

		if (gmp_select(k, 2) == 0) {
			CHECK_EQ(k[0].ok, 0);
			return;
		}
		CHECK_EQ(k[1].ok, 1);
		add(&x->got, v);
		dither(&s);
	}
}

GTEST(select_against_close)
{
	uint64_t s = gmptest_seed();

	for (int i = 0; i < 300; i++) {
		struct closing x = { .data = make((size_t)i % 3), .quit = make(0), .seed = s + (uint64_t)i };
		long v;

		for (int k = 0; k < 3; k++) {
			CHECK(gmp_wg_go(&x.wg, send_until_closed, &x) > 0);
			CHECK(gmp_wg_go(&x.wg, recv_until_closed, &x) > 0);
		}
		for (uint32_t k = gmptest_rand(&s) % 20; k > 0; k--)
			gmp_yield();
		CHECK_EQ(gmp_chan_close(x.quit), 0);
		gmp_wg_wait(&x.wg);
		while (gmp_chan_try_recv(x.data, &v) == 1)
			x.got += v;
		CHECK_EQ(x.sent, x.got);
		gmp_chan_unref(x.data);
		gmp_chan_unref(x.quit);
	}
}

/* ---- a limit that runs out just when a partner comes ------------------------------------------------------ */

struct tight {
	struct gmp_chan *c, *d;
	struct gmp_wg wg;
	long sent, got, late;
	uint64_t seed;
};

static void select_briefly(void *arg)
{
	struct tight *t = arg;
	uint64_t s = t->seed + 5;

	for (int i = 0; i < 4000; i++) {
		long v = 0;
		struct gmp_case k[] = { GMP_CASE_RECV(t->c, &v), GMP_CASE_RECV(t->d, &v) };
		int r = gmp_select_until(k, 2, gmp_now() + gmptest_rand(&s) % 20000);

		if (r >= 0)
			add(&t->got, v);
		else
			add(&t->late, 1);
		CHECK(r >= 0 || (r == -ETIMEDOUT && v == 0));
	}
}

static void try_to_send(void *arg)
{
	struct tight *t = arg;
	uint64_t s = t->seed + 6;

	for (long i = 1; i <= 4000; i++) {
		if (gmp_chan_try_send(gmptest_rand(&s) % 2 ? t->c : t->d, &i) == 0)
			add(&t->sent, i);
		dither(&s);
		gmp_yield();
	}
}

GTEST(limit_against_partner)
{
	struct tight t = { .c = make(0), .d = make(0), .seed = gmptest_seed() };

	for (int i = 0; i < 3; i++) {
		CHECK(gmp_wg_go(&t.wg, select_briefly, &t) > 0);
		CHECK(gmp_wg_go(&t.wg, try_to_send, &t) > 0);
	}
	gmp_wg_wait(&t.wg);
	CHECK_EQ(t.sent, t.got);
	gmp_chan_unref(t.c);
	gmp_chan_unref(t.d);
}
