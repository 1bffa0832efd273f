/* SPDX-License-Identifier: MIT */
/* What timers and contexts order, and what comes before memory is given back. */
#include "litmus.h"

static struct msg m, back;
static struct gmp_chan *ran;

/* ---- timers ---------------------------------------------------------------------------------------- */

static void fires(void *arg)
{
	msg_check(&m, *(uint64_t *)arg);
	CHECK_EQ(gmp_chan_send(ran, NULL), 0);
}

GTEST(start_of_a_timer_before_its_function)
{
	struct gmp_timer t = { 0 };

	ran = gmp_chan_make(0, 0);
	for (uint64_t k = 1; k <= ROUNDS / 2; k++) {
		msg_put(&m, k);
		CHECK_EQ(gmp_timer_start(&t, k % 3 ? 0 : 10000, fires, &k), 0);
		CHECK_EQ(gmp_chan_recv(ran, NULL), 1);
	}
	gmp_chan_unref(ran);
}

GTEST(reset_of_a_timer_before_its_function)
{
	struct gmp_timer t = { 0 };
	uint64_t k = 0;

	ran = gmp_chan_make(0, 0);
	CHECK_EQ(gmp_timer_start(&t, INT64_MAX, fires, &k), 0);
	for (k = 1; k <= ROUNDS / 2; k++) {
		msg_put(&m, k);
		CHECK_EQ(gmp_timer_reset(&t, k % 3 ? 0 : 10000), k == 1);
		CHECK_EQ(gmp_chan_recv(ran, NULL), 1);
	}
	gmp_chan_unref(ran);
}

static void leaves_word(void *arg)
{
	uint64_t seed = *(uint64_t *)arg;

	jitter(&seed);
	msg_put(&back, *(uint64_t *)arg);
}

/* Either it was stopped, and never ran, or all of it is seen. */
GTEST(function_of_a_timer_before_stop_wait_returns)
{
	uint64_t seed = gmptest_seed(), k, before = 0;
	struct gmp_timer t = { 0 };

	msg_put(&back, 0);
	for (k = 1; k <= ROUNDS / 2; k++) {
		CHECK_EQ(gmp_timer_start(&t, 0, leaves_word, &k), 0);
		jitter(&seed);
		if (gmp_timer_stop_wait(&t) == 0)
			before = k;
		msg_check(&back, before);
	}
}

/* ---- contexts ---------------------------------------------------------------------------------------- */

static struct gmp_ctx *ctx;

static void cancels(void *arg)
{
	uint64_t seed = (uintptr_t)arg * 2 + 1;
	struct gmp_ctx *mine = ctx;

	jitter(&seed);
	msg_put(&m, (uintptr_t)arg);
	gmp_ctx_cancel(mine, 0);
	gmp_ctx_unref(mine);
}

static void runs_after(void *arg)
{
	msg_check(&m, (uintptr_t)arg);
	CHECK_EQ(gmp_chan_send(ran, NULL), 0);
}

/* @child is to end because its parent does; each way to learn of it. */
static void learn(struct gmp_ctx *child, uintptr_t k)
{
	struct gmp_after_func *h;

	switch (k % 4) {
	case 0:
		while (gmp_ctx_err(child) == 0)
			gmp_yield();
		break;
	case 1:
		CHECK_EQ(gmp_chan_recv(gmp_ctx_done(child), NULL), 0);
		break;
	case 2:
		h = gmp_ctx_after_func(child, runs_after, (void *)k);
		CHECK_EQ(gmp_chan_recv(ran, NULL), 1);
		CHECK_EQ(gmp_after_func_stop(h), 0);
		break;
	default:
		while (gmp_ctx_cause(child) == 0)
			gmp_yield();
	}
	msg_check(&m, k);
}

GTEST(cancel_before_everything_that_shows_it)
{
	ran = gmp_chan_make(0, 0);
	for (uintptr_t k = 1; k <= ROUNDS; k++) {
		struct gmp_ctx *child;

		ctx = gmp_ctx_with_cancel(gmp_ctx_background());
		child = gmp_ctx_with_cancel(ctx);
		CHECK(child != NULL);
		CHECK(gmp_go(cancels, (void *)k) > 1);
		learn(k % 8 < 4 ? child : ctx, k);
		gmp_ctx_unref(child);
	}
	gmp_chan_unref(ran);
}

static void gives_up(void *arg)
{
	struct gmp_sem never = { 0 };
	struct gmp_ctx *mine = arg;

	CHECK_EQ(gmp_sem_acquire_ctx(mine, &never, 1), -ECANCELED);
	msg_check(&m, (uintptr_t)gmp_ctx_value(mine, &m));
	gmp_ctx_unref(mine);
}

GTEST(cancel_before_a_wait_that_gives_up)
{
	static struct gmp_wg wg;
	uint64_t seed = gmptest_seed();

	for (uintptr_t k = 1; k <= ROUNDS / 2; k++) {
		struct gmp_ctx *c = gmp_ctx_with_value(gmp_ctx_background(), &m, (void *)k, NULL);

		CHECK(gmp_wg_go(&wg, gives_up, gmp_ctx_ref(c)) > 1);
		jitter(&seed);
		msg_put(&m, k);
		gmp_ctx_cancel(c, 0);
		gmp_ctx_unref(c);
		gmp_wg_wait(&wg);
	}
}

/* ---- the end of things: all uses before the free ------------------------------------------------------ */

#define USERS	3

static struct msg by_user[USERS];

static void dropped(void *value)
{
	for (int i = 0; i < USERS; i++)
		msg_check(&by_user[i], (uintptr_t)value);
	CHECK_EQ(gmp_chan_send(ran, NULL), 0);
}

static void uses(void *arg)
{
	uintptr_t i = (uintptr_t)arg;
	struct gmp_ctx *mine = ctx;
	uint64_t seed = (uintptr_t)gmp_ctx_value(mine, &ctx);

	msg_put(&by_user[i], seed);
	jitter(&seed);
	gmp_ctx_unref(mine);
}

/* Nobody but the references orders the users and drop(). */
GTEST(every_unref_before_the_drop_of_the_value)
{
	ran = gmp_chan_make(0, 1);
	for (uintptr_t k = 1; k <= ROUNDS / 4; k++) {
		ctx = gmp_ctx_with_value(gmp_ctx_background(), &ctx, (void *)k, dropped);
		for (uintptr_t i = 0; i < USERS; i++) {
			gmp_ctx_ref(ctx);
			CHECK(gmp_go(uses, (void *)i) > 1);
		}
		gmp_ctx_unref(ctx);
		CHECK_EQ(gmp_chan_recv(ran, NULL), 1);
	}
	gmp_chan_unref(ran);
}
