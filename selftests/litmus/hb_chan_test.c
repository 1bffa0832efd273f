/* SPDX-License-Identifier: MIT */
/* What channels order: send before receive, receive before the send that takes its place, close. */
#include "litmus.h"

#include <pthread.h>

#define N	1000

static struct msg ms[N + 1];
static struct gmp_chan *c, *end;
static size_t cap;

/* ---- a send before the receive that gets it -------------------------------------------------------- */

enum how { PLAIN, TRY, SELECT, UNTIL, HOWS };

/* The other way round in `side`: a receive (op) of the element *k. */
static void pass(enum how how, int op, uint64_t *k)
{
	struct gmp_case cs[2] = {
		{ .c = c, .op = op },
		GMP_CASE_RECV(NULL, NULL),
	};
	int r;

	cs[0].recv = k;
	switch (how) {
	case PLAIN:
		r = op == GMP_SEND ? gmp_chan_send(c, k) : gmp_chan_recv(c, k);
		break;
	case TRY:
		while ((r = op == GMP_SEND ? gmp_chan_try_send(c, k) :
					     gmp_chan_try_recv(c, k)) == -EAGAIN)
			gmp_yield();
		break;
	case SELECT:
		CHECK_EQ(gmp_select(cs, 2), 0);
		r = cs[0].ok - (op == GMP_SEND);
		break;
	default:
		while ((r = gmp_select_until(cs, 2, gmp_now() + 50000)) == -ETIMEDOUT)
			;
		CHECK_EQ(r, 0);
		r = cs[0].ok - (op == GMP_SEND);
	}
	CHECK_EQ(r, op == GMP_SEND ? 0 : 1);
}

static void sender(void *arg)
{
	uint64_t seed = gmptest_seed();

	for (uint64_t k = 1; k <= N; k++) {
		msg_put(&ms[k], k);
		pass((enum how)(uintptr_t)arg, GMP_SEND, &k);
		jitter(&seed);
	}
}

static void receive_all(enum how how)
{
	uint64_t seed = gmptest_seed() + 1;

	for (uint64_t k = 1; k <= N; k++) {
		uint64_t got = 0;

		pass(how, GMP_RECV, &got);
		CHECK_EQ(got, k);
		msg_check(&ms[k], k);
		jitter(&seed);
	}
}

static void send_before_receive(size_t room)
{
	for (int s = PLAIN; s < HOWS; s++) {
		for (int r = PLAIN; r < HOWS; r++) {
			if (room == 0 && s == TRY && r == TRY)
				continue;	/* two that only try never meet */
			c = gmp_chan_make(sizeof(uint64_t), room);
			memset(ms, 0, sizeof(ms));
			CHECK(gmp_go(sender, (void *)(uintptr_t)s) > 1);
			receive_all((enum how)r);
			gmp_chan_unref(c);
		}
	}
}

GTEST(send_before_receive_without_buffer)
{
	send_before_receive(0);
}

GTEST(send_before_receive_with_buffer)
{
	send_before_receive(5);
}

static void *thread_sends(void *arg)
{
	(void)arg;
	for (uint64_t k = 1; k <= N; k++) {
		msg_put(&ms[k], k);
		while (gmp_chan_send(c, &k) == -EWOULDBLOCK)
			;
	}
	return NULL;
}

GTEST(send_of_a_thread_before_receive)
{
	pthread_t th;

	c = gmp_chan_make(sizeof(uint64_t), 3);
	CHECK_EQ(pthread_create(&th, NULL, thread_sends, NULL), 0);
	receive_all(PLAIN);
	CHECK_EQ(pthread_join(th, NULL), 0);
	gmp_chan_unref(c);
}

/* ---- the k-th receive before the end of the (k + capacity)-th send ------------------------------------ */

static void receiver(void *arg)
{
	uint64_t seed = gmptest_seed() + 2;

	(void)arg;
	for (uint64_t k = 1; k <= N; k++) {
		msg_put(&ms[k], k);
		CHECK_EQ(gmp_chan_recv(c, NULL), 1);
		jitter(&seed);
	}
	gmp_chan_send(end, NULL);
}

static void receive_before_send(size_t room)
{
	uint64_t seed = gmptest_seed() + 3;

	cap = room;
	c = gmp_chan_make(0, cap);
	end = gmp_chan_make(0, 0);
	memset(ms, 0, sizeof(ms));
	CHECK(gmp_go(receiver, NULL) > 1);
	for (uint64_t k = 1; k <= N; k++) {
		CHECK_EQ(gmp_chan_send(c, NULL), 0);
		if (k > cap)
			msg_check(&ms[k - cap], k - cap);
		jitter(&seed);
	}
	CHECK_EQ(gmp_chan_recv(end, NULL), 1);
	gmp_chan_unref(c);
	gmp_chan_unref(end);
}

GTEST(receive_before_the_send_that_takes_its_place)
{
	receive_before_send(0);
	receive_before_send(1);
	receive_before_send(7);
}

/* A channel of capacity 1 is a mutex: a send locks, a receive unlocks. */
static uint64_t plain;

static void locker(void *arg)
{
	uint64_t seed = gmptest_seed() + (uintptr_t)arg;

	for (int i = 0; i < N; i++) {
		CHECK_EQ(gmp_chan_send(c, NULL), 0);
		plain++;
		jitter(&seed);
		CHECK_EQ(gmp_chan_recv(c, NULL), 1);
	}
	gmp_chan_send(end, NULL);
}

GTEST(a_channel_of_one_is_a_mutex)
{
	c = gmp_chan_make(0, 1);
	end = gmp_chan_make(0, 4);
	plain = 0;
	for (uintptr_t i = 0; i < 4; i++)
		CHECK(gmp_go(locker, (void *)i) > 1);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(gmp_chan_recv(end, NULL), 1);
	CHECK_EQ(plain, 4 * N);
	gmp_chan_unref(c);
	gmp_chan_unref(end);
}

/* ---- a close before what it ends ------------------------------------------------------------------------ */

/* With a reference of its own: who sees the close may be done while this call has yet to return. */
static void closer(void *arg)
{
	uint64_t seed = (uintptr_t)arg * 2 + 1;
	struct gmp_chan *mine = c;

	jitter(&seed);
	msg_put(&ms[0], (uintptr_t)arg);
	CHECK_EQ(gmp_chan_close(mine), 0);
	gmp_chan_unref(mine);
}

static void make_one_that_is_closed(uint64_t k)
{
	c = gmp_chan_make(0, k % 2);
	gmp_chan_ref(c);
	CHECK(gmp_go(closer, (void *)(uintptr_t)k) > 1);
}

static void see_the_close(uint64_t k)
{
	struct gmp_case cs[] = { GMP_CASE_RECV(c, NULL), GMP_CASE_RECV(NULL, NULL) };

	switch (k % 3) {
	case 0:
		CHECK_EQ(gmp_chan_recv(c, NULL), 0);
		break;
	case 1:
		while (gmp_chan_try_recv(c, NULL) != 0)
			gmp_yield();
		break;
	default:
		CHECK_EQ(gmp_select(cs, 2), 0);
		CHECK_EQ(cs[0].ok, 0);
	}
}

GTEST(close_before_a_receive_that_sees_it)
{
	for (uint64_t k = 1; k <= ROUNDS; k++) {
		make_one_that_is_closed(k);
		see_the_close(k);
		msg_check(&ms[0], k);
		gmp_chan_unref(c);
	}
}

GTEST(close_before_a_send_that_is_refused)
{
	for (uint64_t k = 1; k <= ROUNDS; k++) {
		int r;

		make_one_that_is_closed(2 * k);
		if (k % 2)
			r = gmp_chan_send(c, NULL);
		else
			while ((r = gmp_chan_try_send(c, NULL)) == -EAGAIN)
				gmp_yield();
		CHECK_EQ(r, -EPIPE);
		msg_check(&ms[0], 2 * k);
		gmp_chan_unref(c);
	}
}
