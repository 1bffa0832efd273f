/* SPDX-License-Identifier: MIT */
/*
 * context_tree_test.c - struct gmp_ctx: many at once, and after-functions.
 *
 * Go's context/context_test.go   here (the others: context_test.c)
 *   TestSimultaneousCancels      cancelled_from_everywhere
 *   TestInterlockedCancels       parent_and_child_cancelled_at_once
 *   TestLayersCancel/Timeout     layers_of_values_and_cancels
 *   TestCancelRemoves            a_child_leaves_its_parent
 *   TestAfterFunc*               after_func_*
 */
#include <gmprt.h>

#include "gmptest.h"

#define MS	1000000

static struct gmp_wg wg;
static int32_t count;

static int32_t load(int32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static int32_t add(int32_t *p, int32_t n)
{
	return __atomic_add_fetch(p, n, __ATOMIC_ACQ_REL);
}

static struct gmp_ctx *bg(void)
{
	return gmp_ctx_background();
}

static int is_done(struct gmp_ctx *ctx)
{
	int rc = gmp_chan_try_recv(gmp_ctx_done(ctx), NULL);

	CHECK(rc == 0 || rc == -EAGAIN);
	CHECK_EQ(gmp_ctx_err(ctx) != 0, rc == 0);
	return rc == 0;
}

static void wait_done(struct gmp_ctx *ctx)
{
	CHECK_EQ(gmp_chan_recv(gmp_ctx_done(ctx), NULL), 0);
}

static const char key1;

/* ---- many at once ------------------------------------------------------------------------------------------------ */

static void cancel_one(struct gmp_ctx *ctx)
{
	gmp_ctx_cancel(ctx, 0);
	gmp_ctx_unref(ctx);
	gmp_wg_done(&wg);
}

static void wait_one(struct gmp_ctx *ctx)
{
	wait_done(ctx);
	CHECK(gmp_ctx_err(ctx) != 0);
	gmp_ctx_unref(ctx);
	add(&count, 1);
	gmp_wg_done(&wg);
}

GTEST(cancelled_from_everywhere)
{
	enum { N = 100 };
	struct gmp_ctx *root = gmp_ctx_with_cancel(bg());
	struct gmp_ctx *all[N];

	for (int i = 0; i < N; i++)	/* a heap-shaped tree */
		all[i] = gmp_ctx_with_cancel(i ? all[(i - 1) / 2] : root);
	gmp_wg_add(&wg, 2 * N);
	for (int i = 0; i < N; i++)
		GMP_GO(wait_one, gmp_ctx_ref(all[i]));
	for (int i = 0; i < N; i++)
		GMP_GO(cancel_one, all[i]);
	gmp_wg_wait(&wg);
	CHECK_EQ(load(&count), N);
	CHECK_EQ(gmp_ctx_err(root), 0);
	gmp_ctx_unref(root);
}

GTEST(parent_and_child_cancelled_at_once)
{
	for (int i = 0; i < 500; i++) {
		struct gmp_ctx *parent = gmp_ctx_with_cancel(bg());
		struct gmp_ctx *child = gmp_ctx_with_cancel(parent);

		gmp_wg_add(&wg, 2);
		GMP_GO(cancel_one, gmp_ctx_ref(parent));
		GMP_GO(cancel_one, gmp_ctx_ref(child));
		wait_done(child);
		wait_done(parent);
		if (i % 2) {
			gmp_ctx_unref(parent);
			gmp_ctx_unref(child);
		} else {
			gmp_ctx_unref(child);
			gmp_ctx_unref(parent);
		}
		gmp_wg_wait(&wg);
	}
}

static void make_and_drop(struct gmp_ctx *parent, uint64_t seed)
{
	for (int i = 0; i < 300; i++) {
		struct gmp_ctx *c = gmptest_rand(&seed) % 2 ? gmp_ctx_with_cancel(parent)
				  : gmp_ctx_with_timeout(parent, gmptest_rand(&seed) % 100000);

		if (gmptest_rand(&seed) % 4 == 0)
			gmp_yield();
		if (gmptest_rand(&seed) % 4 == 0)
			gmp_ctx_cancel(c, 0);
		gmp_ctx_unref(c);
	}
	gmp_ctx_unref(parent);
	gmp_wg_done(&wg);
}

GTEST(children_come_and_go_while_the_parent_ends)
{
	uint64_t seed = gmptest_seed();

	for (int round = 0; round < 10; round++) {
		struct gmp_ctx *parent = gmp_ctx_with_cancel(bg());

		gmp_wg_add(&wg, 8);
		for (int i = 1; i <= 8; i++)
			GMP_GO(make_and_drop, gmp_ctx_ref(parent), seed * (uint64_t)i + (uint64_t)round);
		for (int i = 0; i < 5 * round; i++)
			gmp_yield();
		gmp_ctx_cancel(parent, 0);
		gmp_ctx_unref(parent);
		gmp_wg_wait(&wg);
	}
}

/* As Go's TestLayers: layers at random, then the end from above, in time or by hand. */
static void layers(uint64_t seed, int by_timeout)
{
	enum { MOST = 31 };
	struct gmp_ctx *held[MOST], *c = bg();
	const void *keys[MOST];
	int n_held = 0, n_values = 0;
	static char key_space[MOST];

	for (int i = 0; i < MOST; i++) {
		struct gmp_ctx *next;

		switch (gmptest_rand(&seed) % 3) {
		case 0:
			keys[n_values] = &key_space[i];
			next = gmp_ctx_with_value(c, &key_space[i], &key_space[i], NULL);
			n_values++;
			break;
		case 1:
			next = gmp_ctx_with_cancel(c);
			break;
		default:
			next = gmp_ctx_with_timeout(c, 10000ll * MS);
		}
		held[n_held++] = c = next;
	}
	for (int i = 0; i < n_values; i++)
		CHECK(gmp_ctx_value(c, keys[i]) == keys[i]);
	CHECK(!is_done(c));
	if (by_timeout) {
		struct gmp_ctx *t = gmp_ctx_with_timeout(c, MS);

		wait_done(t);
		CHECK_EQ(gmp_ctx_err(t), -ETIMEDOUT);
		gmp_ctx_unref(t);
	} else {
		gmp_ctx_cancel(held[0], 0);
		wait_done(c);
		CHECK_EQ(gmp_ctx_err(c), -ECANCELED);
	}
	for (int i = 0; i < n_values; i++)
		CHECK(gmp_ctx_value(c, keys[i]) == keys[i]);
	while (n_held > 0)
		gmp_ctx_unref(held[--n_held]);
}

GTEST(layers_of_values_and_cancels)
{
	uint64_t seed = gmptest_seed();

	for (uint64_t i = 0; i < 20; i++)
		layers(seed + i, i % 2);
}

/* A parent that lives long and has many children over time must not keep them. */
GTEST(a_child_leaves_its_parent)
{
	struct gmp_ctx *parent = gmp_ctx_with_cancel(bg());

	for (int i = 0; i < 100000; i++) {
		struct gmp_ctx *c = i % 2 ? gmp_ctx_with_cancel(parent)
					  : gmp_ctx_with_timeout(parent, 1000000ll * MS);

		if (i % 3)
			gmp_ctx_cancel(c, 0);
		gmp_ctx_unref(c);
	}
	gmp_ctx_cancel(parent, 0);	/* would find those that are freed */
	gmp_ctx_unref(parent);
}

/* ---- after-functions ------------------------------------------------------------------------------------------------ */

static void count_one(void *arg)
{
	gmp_yield();	/* a goroutine of its own */
	add(arg, 1);
}

static void wait_count(int32_t n)
{
	while (load(&count) != n)
		gmp_yield();
}

GTEST(after_func_runs_at_the_end)
{
	struct gmp_ctx *c = gmp_ctx_with_cancel(bg());
	struct gmp_ctx *below = gmp_ctx_with_value(c, &key1, NULL, NULL);
	struct gmp_after_func *h1 = gmp_ctx_after_func(c, count_one, &count);
	struct gmp_after_func *h2 = gmp_ctx_after_func(below, count_one, &count);

	CHECK(h1 && h2);
	CHECK_EQ(load(&count), 0);
	gmp_ctx_cancel(c, 0);
	wait_count(2);
	CHECK_EQ(gmp_after_func_stop(h1), 0);
	CHECK_EQ(gmp_after_func_stop(h2), 0);
	gmp_ctx_unref(c);
	gmp_ctx_unref(below);
}

GTEST(after_func_runs_after_a_timeout)
{
	struct gmp_ctx *c = gmp_ctx_with_timeout(bg(), MS);
	struct gmp_after_func *h = gmp_ctx_after_func(c, count_one, &count);

	gmp_ctx_unref(c);	/* the handle holds it */
	wait_count(1);
	CHECK_EQ(gmp_after_func_stop(h), 0);
}

GTEST(after_func_runs_at_once_if_ended)
{
	struct gmp_ctx *c = gmp_ctx_with_cancel(bg());
	struct gmp_after_func *h;

	gmp_ctx_cancel(c, 0);
	h = gmp_ctx_after_func(c, count_one, &count);
	wait_count(1);
	CHECK_EQ(gmp_after_func_stop(h), 0);
	gmp_ctx_unref(c);
}

GTEST(after_func_is_stopped)
{
	struct gmp_ctx *c = gmp_ctx_with_cancel(bg());
	struct gmp_after_func *h1 = gmp_ctx_after_func(c, count_one, &count);
	struct gmp_after_func *h2 = gmp_ctx_after_func(c, count_one, &count);
	struct gmp_after_func *never = gmp_ctx_after_func(bg(), count_one, &count);

	CHECK_EQ(gmp_after_func_stop(h1), 1);
	CHECK_EQ(gmp_after_func_stop(never), 1);
	gmp_ctx_cancel(c, 0);
	wait_count(1);
	gmp_sleep(2 * MS);
	CHECK_EQ(load(&count), 1);
	CHECK_EQ(gmp_after_func_stop(h2), 0);
	CHECK_EQ(gmp_after_func_stop(NULL), 0);
	gmp_ctx_unref(c);
}

GTEST(after_func_stopped_while_it_starts)
{
	int prevented = 0, n = 1000;

	for (int i = 0; i < n; i++) {
		struct gmp_ctx *c = gmp_ctx_with_cancel(bg());
		struct gmp_after_func *h = gmp_ctx_after_func(c, count_one, &count);

		gmp_wg_add(&wg, 1);
		GMP_GO(cancel_one, c);
		if (i % 2)
			gmp_yield();
		prevented += gmp_after_func_stop(h);
		gmp_wg_wait(&wg);
	}
	wait_count(n - prevented);
	gmp_sleep(2 * MS);
	CHECK_EQ(load(&count), n - prevented);
}
