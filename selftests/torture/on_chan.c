/* SPDX-License-Identifier: MIT */
/* on_chan.c - channels and select. Every value that is sent counts in two sums, and so when received. */
#include "torture.h"

static void was_sent(struct torture *t, uint64_t v)
{
	count(&t->n.sent, 1);
	count(&t->n.sent_sum, v);
}

static void was_received(struct torture *t, uint64_t v)
{
	count(&t->n.received, 1);
	count(&t->n.received_sum, v);
}

static struct gmp_chan *any(struct torture *t, uint64_t *rnd)
{
	return t->chan[below(rnd, CHANS)];
}

/* The channels are closed by nobody, `quit` at the end: case 1 means that the round is over. */
void op_send(struct torture *t, uint64_t *rnd)
{
	uint64_t v = draw(rnd);
	struct gmp_case k[] = { GMP_CASE_SEND(any(t, rnd), &v), GMP_CASE_RECV(t->quit, NULL) };
	int r;

	if (below(rnd, 4) == 0)
		r = gmp_chan_try_send(k[0].c, &v);
	else
		r = gmp_select_until(k, 2, soon(rnd));
	MUST(r == 0 || r == 1 || r == -EAGAIN || r == -ETIMEDOUT);
	if (r == 0)
		was_sent(t, v);
}

void op_recv(struct torture *t, uint64_t *rnd)
{
	uint64_t v = 0;
	struct gmp_case k[] = { GMP_CASE_RECV(any(t, rnd), &v), GMP_CASE_RECV(t->quit, NULL) };
	int r;

	if (below(rnd, 4) == 0) {
		r = gmp_chan_try_recv(k[0].c, &v);
		MUST(r == 1 || r == -EAGAIN);
		if (r == 1)
			was_received(t, v);
		return;
	}
	r = below(rnd, 3) ? gmp_select_until(k, 2, soon(rnd)) : gmp_select(k, 2);
	MUST(r == 0 || r == 1 || r == -ETIMEDOUT);
	if (r == 0)
		was_received(t, v);
}

#define WIDE	7

static int wait_for(struct gmp_case *k, int n, uint64_t *rnd)
{
	switch (below(rnd, 3)) {
	case 0:
		return gmp_select_try(k, n);
	case 1:
		return gmp_select_until(k, n, soon(rnd));
	default:
		return gmp_select(k, n);
	}
}

/* Several cases, of channels that may be there twice, or be NULL, or the way out. */
void op_select(struct torture *t, uint64_t *rnd)
{
	int n = 2 + (int)below(rnd, WIDE - 2), r;
	struct gmp_case k[WIDE];
	uint64_t v[WIDE];

	k[0] = (struct gmp_case)GMP_CASE_RECV(t->quit, NULL);
	for (int i = 1; i < n; i++) {
		struct gmp_chan *c = below(rnd, 8) ? any(t, rnd) : NULL;

		v[i] = draw(rnd);
		if (below(rnd, 2))
			k[i] = (struct gmp_case)GMP_CASE_SEND(c, &v[i]);
		else
			k[i] = (struct gmp_case)GMP_CASE_RECV(c, &v[i]);
	}
	r = wait_for(k, n, rnd);
	MUST(r < n && (r >= 0 || r == -EAGAIN || r == -ETIMEDOUT));
	if (r <= 0)
		return;
	MUST(k[r].c && k[r].ok == 1);
	if (k[r].op == GMP_SEND)
		was_sent(t, v[r]);
	else
		was_received(t, v[r]);
}

/* ---- a channel of two, that is closed ----------------------------------------------------------------- */

struct stream {
	struct gmp_chan *c;
	uint32_t n;
};

static void pour(void *arg)
{
	struct stream *s = arg;

	for (uint64_t i = 1; i <= s->n; i++)
		MUST(gmp_chan_send(s->c, &i) == 0);
	MUST(gmp_chan_close(s->c) == 0);
	gmp_chan_unref(s->c);
	free(s);
}

/* All that was sent arrives, in order, before the end does. */
void op_private_chan(struct torture *t, uint64_t *rnd)
{
	struct stream *s = malloc(sizeof(*s));
	struct gmp_chan *c = gmp_chan_make(sizeof(uint64_t), below(rnd, 5));
	uint32_t n = below(rnd, 40);
	uint64_t v, next = 1;

	MUST(s && c);
	(void)t;
	*s = (struct stream){ gmp_chan_ref(c), n };
	MUST(gmp_go(pour, s) > 1);
	while (gmp_chan_recv(c, &v) == 1)
		MUST(v == next++);
	MUST(next == n + 1 && v == 0);
	gmp_chan_unref(c);
}
