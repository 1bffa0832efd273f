/* SPDX-License-Identifier: MIT */
/*
 * chan_test.c - channels: one operation at a time, on all kinds of them.
 *
 * What Go's own tests check, and where it is checked here:
 *   runtime/chan_test.go  TestChan                  blocks_when_empty blocks_when_full closed_channel
 *                                                   close_wakes_receivers order_is_kept
 *                                                   many_senders_many_receivers len_and_cap
 *                         TestNonblockRecvRace      try_recv_does_not_miss_a_close
 *                         TestChanSendInterface     elements_of_all_sizes
 *                         TestShrinkStackDuring-    not here: our stacks do not move; the direct copy to
 *                         BlockedSend, -WhileParking  a parked stack is elements_of_all_sizes
 *                         TestMultiConsumer         chan_flow_test.c
 *                         the others                select_test.c, select_queue_test.c
 *   test/chan/zerosize.go    zero_size
 *   test/chan/sendstmt.go, perm.go  syntax and types: chan_type_test.c
 *   test/closedchan.go    closed_channel closed_wakes_senders
 */
#include "chan_util.h"

/* ---- bad input -------------------------------------------------------------------------------- */

TEST(make_refuses_what_does_not_fit)
{
	CHECK(gmp_chan_make(SIZE_MAX, 2) == NULL);
	CHECK(gmp_chan_make(2, SIZE_MAX) == NULL);
	CHECK(gmp_chan_make(SIZE_MAX / 2, 2) == NULL);
	CHECK(gmp_chan_make(SIZE_MAX, 0) == NULL);
	CHECK(gmp_chan_make(1, (size_t)1 << 63) == NULL);
}

TEST(nil_channel_outside_of_a_run)
{
	int v = 0;

	CHECK_EQ(gmp_chan_send(NULL, &v), -EWOULDBLOCK);
	CHECK_EQ(gmp_chan_recv(NULL, &v), -EWOULDBLOCK);
	CHECK_EQ(gmp_chan_try_send(NULL, &v), -EAGAIN);
	CHECK_EQ(gmp_chan_try_recv(NULL, &v), -EAGAIN);
	CHECK_EQ(gmp_chan_close(NULL), -EINVAL);
	CHECK_EQ(gmp_chan_len(NULL), 0);
	CHECK_EQ(gmp_chan_cap(NULL), 0);
	CHECK(gmp_chan_ref(NULL) == NULL);
	gmp_chan_unref(NULL);
}

TEST(send_of_null)
{
	struct gmp_chan *c = make(4, 1), *z = make(0, 1);

	CHECK_EQ(gmp_chan_send(c, NULL), -EINVAL);
	CHECK_EQ(gmp_chan_try_send(c, NULL), -EINVAL);
	CHECK_EQ(gmp_chan_send(z, NULL), 0);
	CHECK_EQ(gmp_chan_recv(z, NULL), 1);
	gmp_chan_unref(c);
	gmp_chan_unref(z);
}

TEST(unref_too_many_is_fatal)
{
	struct gmp_chan *c = make(4, 1);

	gmp_chan_unref(c);
	DEATH(gmp_chan_unref(c), "no reference left");
}

/* ---- outside of a run: what need not wait works ------------------------------------------------- */

TEST(works_without_a_run)
{
	struct gmp_chan *c = make(sizeof(int), 2);
	int v = 7;

	CHECK_EQ(gmp_chan_recv(c, &v), -EWOULDBLOCK);
	CHECK_EQ(gmp_chan_try_recv(c, &v), -EAGAIN);
	send_int(c, 1);
	send_int(c, 2);
	CHECK_EQ(gmp_chan_send(c, &v), -EWOULDBLOCK);
	CHECK_EQ(gmp_chan_try_send(c, &v), -EAGAIN);
	CHECK_EQ(gmp_chan_len(c), 2);
	CHECK_EQ(recv_int(c), 1);
	CHECK_EQ(gmp_chan_close(c), 0);
	CHECK_EQ(recv_int(c), 2);
	CHECK_EQ(gmp_chan_recv(c, &v), 0);
	CHECK_EQ(v, 0);
	gmp_chan_unref(c);
}

/* ---- TestChan ------------------------------------------------------------------------------------- */

static void recv_two(void *arg)
{
	struct ends *e = arg;

	for (int i = 0; i < 2; i++) {
		int v = -1;

		gmp_chan_recv(e->a, &v);
		hit(e);
	}
}

GTEST(blocks_when_empty)
{
	for (size_t cap = 0; cap < 20; cap++) {
		struct ends e = { .a = make(sizeof(int), cap) };

		CHECK(gmp_wg_go(&e.wg, recv_two, &e) > 0);
		CHECK(gmp_wg_go(&e.wg, recv_two, &e) > 0);
		for (int i = 0; i < 20; i++)
			gmp_yield();
		CHECK_EQ(hits(&e), 0);
		for (int i = 0; i < 4; i++)
			send_int(e.a, i);
		gmp_wg_wait(&e.wg);
		CHECK_EQ(hits(&e), 4);
		CHECK_EQ(gmp_chan_try_recv(e.a, NULL), -EAGAIN);
		gmp_chan_unref(e.a);
	}
}

static void send_one(void *arg)
{
	struct ends *e = arg;

	send_int(e->a, 100);
	hit(e);
}

GTEST(blocks_when_full)
{
	for (size_t cap = 0; cap < 20; cap++) {
		struct ends e = { .a = make(sizeof(int), cap) };
		int v = 9;

		for (size_t i = 0; i < cap; i++)
			CHECK_EQ(gmp_chan_try_send(e.a, &v), 0);
		CHECK_EQ(gmp_chan_try_send(e.a, &v), -EAGAIN);
		CHECK(gmp_wg_go(&e.wg, send_one, &e) > 0);
		let_run();
		CHECK_EQ(hits(&e), 0);
		for (size_t i = 0; i < cap; i++)
			CHECK_EQ(recv_int(e.a), 9);
		CHECK_EQ(recv_int(e.a), 100);
		gmp_wg_wait(&e.wg);
		gmp_chan_unref(e.a);
	}
}

GTEST(closed_channel)
{
	for (size_t cap = 0; cap < 10; cap++) {
		struct gmp_chan *c = make(sizeof(int), cap);
		int v = 5;

		for (size_t i = 0; i < cap; i++)
			send_int(c, (int)i + 1);
		CHECK_EQ(gmp_chan_close(c), 0);
		CHECK_EQ(gmp_chan_close(c), -EPIPE);
		CHECK_EQ(gmp_chan_send(c, &v), -EPIPE);
		CHECK_EQ(gmp_chan_try_send(c, &v), -EPIPE);
		CHECK_EQ(gmp_chan_len(c), cap);
		for (size_t i = 0; i < cap; i++)
			CHECK_EQ(recv_int(c), i + 1);
		for (int i = 0; i < 3; i++) {
			v = 5;
			CHECK_EQ(i ? gmp_chan_recv(c, &v) : gmp_chan_try_recv(c, &v), 0);
			CHECK_EQ(v, 0);
			CHECK_EQ(gmp_chan_recv(c, NULL), 0);
		}
		gmp_chan_unref(c);
	}
}

static void recv_closed(void *arg)
{
	struct ends *e = arg;
	int v = 77;

	CHECK_EQ(gmp_chan_recv(e->a, &v), 0);
	CHECK_EQ(v, 0);
	hit(e);
}

static void send_closed(void *arg)
{
	struct ends *e = arg;
	int v = 77;

	CHECK_EQ(gmp_chan_send(e->a, &v), -EPIPE);
	hit(e);
}

static void close_wakes(void (*fn)(void *), uint32_t n)
{
	struct ends e = { .a = make(sizeof(int), 0) };

	for (uint32_t i = 0; i < n; i++)
		CHECK(gmp_wg_go(&e.wg, fn, &e) > 0);
	let_run();
	CHECK_EQ(hits(&e), 0);
	CHECK_EQ(gmp_chan_close(e.a), 0);
	gmp_wg_wait(&e.wg);
	CHECK_EQ(hits(&e), n);
	gmp_chan_unref(e.a);
}

GTEST(close_wakes_receivers)
{
	close_wakes(recv_closed, 1);
	close_wakes(recv_closed, 50);
}

GTEST(closed_wakes_senders)
{
	close_wakes(send_closed, 1);
	close_wakes(send_closed, 50);
}

GTEST(order_is_kept)
{
	for (size_t cap = 0; cap < 150; cap += 1 + cap / 4) {
		struct ends e = { .a = make(sizeof(int), cap) };

		CHECK(gmp_wg_go(&e.wg, send_100, &e) > 0);
		for (int i = 0; i < 100; i++)
			CHECK_EQ(recv_int(e.a), i);
		gmp_wg_wait(&e.wg);
		gmp_chan_unref(e.a);
	}
}

enum { PAIRS = 4, EACH = 1000 };

static void send_each(void *arg)
{
	struct ends *e = arg;

	for (int i = 0; i < EACH; i++)
		send_int(e->a, i);
}

static void recv_each(void *arg)
{
	struct ends *e = arg;
	int *seen = calloc(EACH, sizeof(int));

	for (int i = 0; i < EACH; i++)
		seen[recv_int(e->a)]++;
	CHECK_EQ(gmp_chan_send(e->b, &seen), 0);
}

GTEST(many_senders_many_receivers)
{
	for (size_t cap = 0; cap < 70; cap += 1 + cap / 2) {
		struct ends e = { .a = make(sizeof(int), cap), .b = make(sizeof(int *), cap) };
		int sum[EACH] = { 0 };

		for (int i = 0; i < PAIRS; i++) {
			CHECK(gmp_wg_go(&e.wg, send_each, &e) > 0);
			CHECK(gmp_wg_go(&e.wg, recv_each, &e) > 0);
		}
		for (int i = 0; i < PAIRS; i++) {
			int *seen;

			CHECK_EQ(gmp_chan_recv(e.b, &seen), 1);
			for (int k = 0; k < EACH; k++)
				sum[k] += seen[k];
			free(seen);
		}
		for (int k = 0; k < EACH; k++)
			CHECK_EQ(sum[k], PAIRS);
		gmp_wg_wait(&e.wg);
		gmp_chan_unref(e.a);
		gmp_chan_unref(e.b);
	}
}

GTEST(len_and_cap)
{
	struct gmp_chan *c = make(1, 4);
	char x = 1;

	CHECK_EQ(gmp_chan_cap(c), 4);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 4; i++) {
			CHECK_EQ(gmp_chan_len(c), i);
			CHECK_EQ(gmp_chan_send(c, &x), 0);
		}
		for (size_t i = 4; i > 0; i--) {
			CHECK_EQ(gmp_chan_len(c), i);
			CHECK_EQ(gmp_chan_recv(c, &x), 1);
		}
	}
	gmp_chan_unref(c);
}

/* ---- TestNonblockRecvRace ----------------------------------------------------------------------------- */

static void try_once(void *arg)
{
	struct ends *e = arg;
	int v, r = gmp_chan_try_recv(e->a, &v);

	CHECK(r == 0 || r == 1);	/* there is an element, or it is closed: never "not yet" */
	hit(e);
}

GTEST(try_recv_does_not_miss_a_close)
{
	for (int i = 0; i < 3000; i++) {
		struct ends e = { .a = make(sizeof(int), 1) };

		send_int(e.a, 1);
		CHECK(gmp_wg_go(&e.wg, try_once, &e) > 0);
		gmp_chan_close(e.a);
		gmp_chan_recv(e.a, NULL);
		gmp_wg_wait(&e.wg);
		gmp_chan_unref(e.a);
	}
}

/* Receivers wait; a close takes them: a send that is tried meanwhile sees them or the close. */
static void recv_or_closed(void *arg)
{
	struct ends *e = arg;

	gmp_chan_recv(e->a, NULL);
}

static void close_it(void *arg)
{
	struct ends *e = arg;

	gmp_chan_close(e->a);
}

GTEST(try_send_does_not_miss_a_close)
{
	for (int i = 0; i < 1000; i++) {
		struct ends e = { .a = make(sizeof(int), 0) };
		int r;

		for (int k = 0; k < 3; k++)
			CHECK(gmp_wg_go(&e.wg, recv_or_closed, &e) > 0);
		for (int k = 0; k < 3; k++)
			gmp_yield();
		while (gmp_chan_try_send(e.a, &r) == -EAGAIN)
			gmp_yield();	/* until at least one waits; then two do, in the end */
		CHECK(gmp_wg_go(&e.wg, close_it, &e) > 0);
		do {
			r = gmp_chan_try_send(e.a, &i);
			gmp_yield();
		} while (r != -EPIPE);
		gmp_wg_wait(&e.wg);
		gmp_chan_unref(e.a);
	}
}

/* ---- sizes ---------------------------------------------------------------------------------------------- */

enum { MAX_SIZE = 5000 };

static size_t sizes[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 32, 64, 100, 1000, MAX_SIZE };
#define NSIZES	(sizeof(sizes) / sizeof(sizes[0]))

static void fill(unsigned char *p, size_t n, int seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(seed * 31 + (int)i * 7 + 1);
}

static void send_sized(void *arg)
{
	struct ends *e = arg;
	unsigned char buf[MAX_SIZE];

	for (int i = 0; i < 10; i++) {
		fill(buf, (size_t)e->n, i);
		CHECK_EQ(gmp_chan_send(e->a, buf), 0);
	}
	gmp_chan_close(e->a);
}

static void check_size(size_t size, size_t cap, bool receiver_first)
{
	struct ends e = { .a = make(size, cap), .n = (long)size };
	unsigned char buf[MAX_SIZE + 8], want[MAX_SIZE];

	CHECK(gmp_wg_go(&e.wg, send_sized, &e) > 0);
	if (!receiver_first)
		for (int i = 0; i < 5; i++)
			gmp_yield();
	for (int i = 0; i < 10; i++) {
		memset(buf, 0xaa, sizeof(buf));
		CHECK_EQ(gmp_chan_recv(e.a, buf), 1);
		fill(want, size, i);
		CHECK_EQ(memcmp(buf, want, size), 0);
		CHECK_EQ(buf[size], 0xaa);
	}
	memset(buf, 0xaa, sizeof(buf));
	CHECK_EQ(gmp_chan_recv(e.a, buf), 0);
	for (size_t i = 0; i < size; i++)
		CHECK_EQ(buf[i], 0);
	CHECK_EQ(buf[size], 0xaa);
	gmp_wg_wait(&e.wg);
	gmp_chan_unref(e.a);
}

GTEST(elements_of_all_sizes)
{
	for (size_t i = 0; i < NSIZES; i++)
		for (size_t cap = 0; cap < 4; cap++) {
			check_size(sizes[i], cap, true);
			check_size(sizes[i], cap, false);
		}
}

GTEST(zero_size)
{
	struct gmp_chan *c = make(0, 3);
	char canary = 42;

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 3; i++)
			CHECK_EQ(gmp_chan_send(c, &canary), 0);
		CHECK_EQ(gmp_chan_try_send(c, NULL), -EAGAIN);
		CHECK_EQ(gmp_chan_len(c), 3);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(gmp_chan_recv(c, &canary), 1);
	}
	CHECK_EQ(canary, 42);
	gmp_chan_unref(c);
	c = make(0, SIZE_MAX);		/* a counter: nothing is stored */
	CHECK_EQ(gmp_chan_send(c, NULL), 0);
	CHECK_EQ(gmp_chan_len(c), 1);
	gmp_chan_unref(c);
}

/* ---- nil ------------------------------------------------------------------------------------------------- */

static void nil_recv(void *arg)
{
	struct ends *e = arg;

	hit(e);
	gmp_chan_recv(NULL, NULL);
	hit(e);
}

static void nil_send(void *arg)
{
	struct ends *e = arg;

	hit(e);
	gmp_chan_send(NULL, NULL);
	hit(e);
}

GTEST(nil_parks_for_ever)
{
	struct ends *e = calloc(1, sizeof(*e));

	gmp_go(nil_recv, e);
	gmp_go(nil_send, e);
	while (hits(e) < 2)
		gmp_yield();
	let_run();
	CHECK_EQ(hits(e), 2);
	free(e);
}

static int recv_nil_main(void *arg)
{
	gmp_chan_recv(arg, NULL);
	return 0;
}

TEST(nil_alone_is_a_deadlock)
{
	DEATH(gmp_run(recv_nil_main, NULL), "all goroutines are asleep - deadlock!");
}

TEST(receive_alone_is_a_deadlock)
{
	struct gmp_chan *c = make(1, 0);

	DEATH(gmp_run(recv_nil_main, c), "all goroutines are asleep - deadlock!");
	gmp_chan_unref(c);
}

/* ---- happens before ------------------------------------------------------------------------------------------ */

static int plain;

static void write_then_close(void *arg)
{
	plain = 42;
	gmp_chan_close(arg);
}

static void write_then_recv(void *arg)
{
	plain = 43;
	gmp_chan_recv(arg, NULL);
}

/* For the sanitizer build; here at least the values are right. */
GTEST(memory_order)
{
	for (int i = 0; i < 500; i++) {
		struct gmp_chan *c = make(0, 0), *d = make(0, 0);
		struct gmp_wg wg = { 0 };

		plain = 0;
		CHECK(gmp_wg_go(&wg, write_then_close, c) > 0);
		CHECK_EQ(gmp_chan_recv(c, NULL), 0);
		CHECK_EQ(plain, 42);
		CHECK(gmp_wg_go(&wg, write_then_recv, d) > 0);
		CHECK_EQ(gmp_chan_send(d, NULL), 0);	/* unbuffered: the receive before the send ends */
		CHECK_EQ(plain, 43);
		gmp_wg_wait(&wg);
		gmp_chan_unref(c);
		gmp_chan_unref(d);
	}
}
