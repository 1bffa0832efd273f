/* SPDX-License-Identifier: MIT */
/*
 * context_test.c - struct gmp_ctx.
 *
 * Go's context/context_test.go (1.19, with the cause and after-func tests of 1.20 and 1.21)
 *   TestBackground, TestTODO          the_background_never_ends
 *   TestWithCancel                    cancel_ends_it_and_its_children
 *   TestParentFinishesChild           the_parent_ends_the_child
 *   TestChildFinishesFirst            the_child_may_end_first
 *   TestDeadline, TestTimeout         a_deadline_ends_it, deadlines_are_inherited
 *   TestCanceledTimeout               cancel_before_the_deadline
 *   TestValues                        values_of_the_nearest_context
 *   TestAllocs                        (no such promise: a context is one allocation)
 *   TestSimultaneousCancels, TestInterlockedCancels, TestLayersCancel/Timeout, TestCancelRemoves,
 *   TestAfterFunc*                    context_tree_test.c
 *   TestWithCancelCanceledParent      a_child_of_an_ended_context_has_ended
 *   TestWithValueChecksKey            misuse_is_fatal
 *   TestInvalidDerivedFail            null_goes_through
 *   TestDeadlineExceededSupportsTimeout  a_deadline_ends_it (one errno)
 *   TestCustomContext*                (one kind of context here)
 *   TestCause                         causes
 */
#include <gmprt.h>
#include <pthread.h>

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

/* ---- ends ---------------------------------------------------------------------------------------------- */

GTEST(the_background_never_ends)
{
	CHECK(bg() == bg());
	CHECK(gmp_ctx_done(bg()) == NULL);
	gmp_ctx_cancel(bg(), -EIO);
	CHECK_EQ(gmp_ctx_err(bg()), 0);
	CHECK_EQ(gmp_ctx_cause(bg()), 0);
	CHECK_EQ(gmp_ctx_deadline(bg(), NULL), 0);
	CHECK(gmp_ctx_value(bg(), &wg) == NULL);
	CHECK(gmp_ctx_ref(bg()) == bg());
	gmp_ctx_unref(bg());
	gmp_ctx_unref(bg());
	CHECK_EQ(gmp_ctx_err(bg()), 0);
}

GTEST(cancel_ends_it_and_its_children)
{
	struct gmp_ctx *c1 = gmp_ctx_with_cancel(bg());
	struct gmp_ctx *c2 = gmp_ctx_with_value(c1, &wg, &count, NULL);
	struct gmp_ctx *c3 = gmp_ctx_with_cancel(c2);

	CHECK(!is_done(c1) && !is_done(c2) && !is_done(c3));
	gmp_ctx_cancel(c1, 0);
	CHECK(is_done(c1) && is_done(c2) && is_done(c3));
	CHECK_EQ(gmp_ctx_err(c1), -ECANCELED);
	CHECK_EQ(gmp_ctx_err(c3), -ECANCELED);
	gmp_ctx_cancel(c1, -EIO);	/* the first counts */
	CHECK_EQ(gmp_ctx_cause(c1), -ECANCELED);
	CHECK(gmp_ctx_value(c3, &wg) == &count);	/* values stay readable */
	gmp_ctx_unref(c1);
	gmp_ctx_unref(c2);
	CHECK(gmp_ctx_value(c3, &wg) == &count);	/* a child holds its parents */
	gmp_ctx_unref(c3);
}

GTEST(the_parent_ends_the_child)
{
	struct gmp_ctx *parent = gmp_ctx_with_cancel(bg());
	struct gmp_ctx *cancel = gmp_ctx_with_cancel(parent);
	struct gmp_ctx *value = gmp_ctx_with_value(parent, &wg, &wg, NULL);
	struct gmp_ctx *timer = gmp_ctx_with_timeout(value, 10000ll * MS);
	struct gmp_chan *done = gmp_chan_ref(gmp_ctx_done(timer));

	gmp_ctx_cancel(parent, 0);
	CHECK(is_done(cancel) && is_done(value) && is_done(timer));
	gmp_ctx_unref(parent);
	gmp_ctx_unref(cancel);
	gmp_ctx_unref(value);
	gmp_ctx_unref(timer);
	CHECK_EQ(gmp_chan_try_recv(done, NULL), 0);
	gmp_chan_unref(done);
}

GTEST(the_child_may_end_first)
{
	struct gmp_ctx *parent = gmp_ctx_with_cancel(bg());
	struct gmp_ctx *child = gmp_ctx_with_cancel(parent);

	gmp_ctx_cancel(child, 0);
	CHECK(is_done(child) && !is_done(parent));
	gmp_ctx_cancel(parent, 0);
	CHECK(is_done(parent));
	gmp_ctx_unref(child);
	gmp_ctx_unref(parent);
}

GTEST(a_value_context_ends_alone)
{
	struct gmp_ctx *parent = gmp_ctx_with_cancel(bg());
	struct gmp_ctx *value = gmp_ctx_with_value(parent, &wg, &wg, NULL);
	struct gmp_ctx *below = gmp_ctx_with_cancel(value);

	gmp_ctx_cancel(value, -EIO);
	CHECK(is_done(value) && is_done(below) && !is_done(parent));
	CHECK_EQ(gmp_ctx_cause(below), -EIO);
	gmp_ctx_unref(below);
	gmp_ctx_unref(value);
	gmp_ctx_unref(parent);
}

GTEST(a_child_of_an_ended_context_has_ended)
{
	struct gmp_ctx *parent = gmp_ctx_with_cancel(bg()), *c;

	gmp_ctx_cancel(parent, -EIO);
	c = gmp_ctx_with_cancel(parent);
	CHECK(is_done(c));
	CHECK_EQ(gmp_ctx_cause(c), -EIO);
	gmp_ctx_unref(c);
	c = gmp_ctx_with_timeout(parent, MS);
	CHECK_EQ(gmp_ctx_err(c), -ECANCELED);
	gmp_ctx_unref(c);
	c = gmp_ctx_with_value(parent, &wg, &wg, NULL);
	CHECK(is_done(c));
	gmp_ctx_unref(c);
	gmp_ctx_unref(parent);
}

GTEST(causes)
{
	struct gmp_ctx *c1 = gmp_ctx_with_cancel(bg());
	struct gmp_ctx *c2 = gmp_ctx_with_cancel(c1);
	struct gmp_ctx *c3 = gmp_ctx_with_timeout(c1, MS);

	CHECK_EQ(gmp_ctx_cause(c1), 0);
	gmp_ctx_cancel(c2, -EPROTO);
	wait_done(c3);
	gmp_ctx_cancel(c3, -EIO);
	gmp_ctx_cancel(c1, -ENOENT);
	CHECK_EQ(gmp_ctx_cause(c1), -ENOENT);
	CHECK_EQ(gmp_ctx_cause(c2), -EPROTO);
	CHECK_EQ(gmp_ctx_cause(c3), -ETIMEDOUT);
	CHECK_EQ(gmp_ctx_err(c2), -ECANCELED);
	gmp_ctx_unref(c3);
	gmp_ctx_unref(c2);
	gmp_ctx_unref(c1);
}

/* ---- deadlines ----------------------------------------------------------------------------------------------- */

static void expect_timeout(struct gmp_ctx *ctx, uint64_t when)
{
	uint64_t d;

	CHECK(ctx);
	CHECK_EQ(gmp_ctx_deadline(ctx, &d), 1);
	CHECK_EQ(d, when);
	wait_done(ctx);
	CHECK(gmp_now() >= when);
	CHECK_EQ(gmp_ctx_err(ctx), -ETIMEDOUT);
	CHECK_EQ(gmp_ctx_cause(ctx), -ETIMEDOUT);
	gmp_ctx_unref(ctx);
}

GTEST(a_deadline_ends_it)
{
	uint64_t when = gmp_now() + 5 * MS;
	struct gmp_ctx *ctx = gmp_ctx_with_deadline(bg(), when), *below;

	below = gmp_ctx_with_value(ctx, &wg, &wg, NULL);
	gmp_ctx_unref(ctx);
	expect_timeout(below, when);
	ctx = gmp_ctx_with_deadline(bg(), gmp_now() - MS);	/* past */
	CHECK(is_done(ctx));
	CHECK_EQ(gmp_ctx_err(ctx), -ETIMEDOUT);
	gmp_ctx_unref(ctx);
	ctx = gmp_ctx_with_timeout(bg(), -5);
	CHECK_EQ(gmp_ctx_err(ctx), -ETIMEDOUT);
	gmp_ctx_unref(ctx);
	ctx = gmp_ctx_with_deadline(bg(), 0);			/* none */
	CHECK_EQ(gmp_ctx_deadline(ctx, NULL), 0);
	CHECK_EQ(gmp_ctx_err(ctx), 0);
	gmp_ctx_unref(ctx);
	ctx = gmp_ctx_with_timeout(bg(), INT64_MAX);
	CHECK_EQ(gmp_ctx_deadline(ctx, NULL), 1);
	CHECK_EQ(gmp_ctx_err(ctx), 0);
	gmp_ctx_unref(ctx);
}

GTEST(deadlines_are_inherited)
{
	uint64_t when = gmp_now() + 5 * MS;
	struct gmp_ctx *parent = gmp_ctx_with_deadline(bg(), when);

	expect_timeout(gmp_ctx_with_deadline(parent, when - MS), when - MS);
	expect_timeout(gmp_ctx_with_deadline(parent, when + 1000 * (uint64_t)MS), when);
	gmp_ctx_unref(parent);
}

GTEST(cancel_before_the_deadline)
{
	struct gmp_ctx *ctx = gmp_ctx_with_timeout(bg(), 200 * MS);

	gmp_ctx_cancel(ctx, 0);
	CHECK_EQ(gmp_ctx_err(ctx), -ECANCELED);
	gmp_sleep(210 * MS);
	CHECK_EQ(gmp_ctx_err(ctx), -ECANCELED);
	gmp_ctx_unref(ctx);
}

static int32_t dropped, drops_in_goroutines;

static void drop_value(void *value)
{
	CHECK_EQ(*(int *)value, 42);
	if (drops_in_goroutines)	/* never in the scheduler: it may park */
		CHECK(gmp_goid() != 0);
	gmp_yield();
	add(&dropped, 1);
	free(value);
}

static int *new_value(void)
{
	int *v = malloc(sizeof(*v));

	*v = 42;
	return v;
}

/* The last unref against the timer function: freed exactly once, whoever does it. */
GTEST(unref_around_the_deadline)
{
	uint64_t rnd = gmptest_seed();
	int n = 1500;

	for (int i = 0; i < n; i++) {
		struct gmp_ctx *v = gmp_ctx_with_value(bg(), &wg, new_value(), drop_value);
		struct gmp_ctx *t = gmp_ctx_with_timeout(v, 1 + gmptest_rand(&rnd) % 40000);
		struct gmp_ctx *c = gmp_ctx_with_cancel(t);
		uint64_t end = gmp_now() + gmptest_rand(&rnd) % 40000;

		gmp_ctx_unref(v);
		while (gmp_now() < end)
			if (i % 2)
				gmp_yield();
		if (i % 3 == 0)
			gmp_ctx_cancel(t, 0);
		gmp_ctx_unref(t);
		gmp_ctx_unref(c);
	}
	for (uint64_t end = gmp_now() + 5000 * (uint64_t)MS; load(&dropped) != n && gmp_now() < end;)
		gmp_yield();
	CHECK_EQ(load(&dropped), n);
}

enum { KIDS = 500, NEAR = 10, ROUNDS = 40 };

static struct gmp_ctx *first, *kids[KIDS], *near[NEAR], *fresh[ROUNDS][NEAR];

/* Busy, on a P of its own if there are two, while the timer functions run on another. */
static void unref_all(void *arg)
{
	struct gmp_ctx **out = arg;

	while (gmp_ctx_err(first) == 0)
		if (gmp_maxprocs(0) == 1)
			gmp_yield();
	for (int i = 0; i < NEAR; i++) {
		gmp_ctx_unref(near[i]);
		out[i] = gmp_ctx_with_cancel(bg());	/* most likely in the same place */
	}
	for (int i = 0; i < KIDS; i++)
		gmp_ctx_unref(kids[i]);
	gmp_ctx_unref(first);
}

static void make_all(uint64_t when)
{
	struct gmp_ctx *v = gmp_ctx_with_value(bg(), &wg, new_value(), drop_value);

	first = gmp_ctx_with_deadline(v, when - 1);
	gmp_ctx_unref(v);
	for (int i = 0; i < KIDS; i++) {
		kids[i] = gmp_ctx_with_cancel(first);
		gmp_ctx_done(kids[i]);
	}
	for (int i = 0; i < NEAR; i++)
		near[i] = gmp_ctx_with_deadline(bg(), when);
}

/*
 * The first deadline has much to end; the others are due at the same time and off the heap already
 * when their contexts lose the last reference. A timer function that came too late would end
 * what lies there now.
 */
GTEST(unref_while_the_deadline_is_handled)
{
	drops_in_goroutines = 1;
	for (int round = 0; round < ROUNDS; round++) {
		make_all(gmp_now() + MS);
		gmp_wg_go(&wg, unref_all, fresh[round]);
		gmp_sleep(MS);
		gmp_wg_wait(&wg);
	}
	while (load(&dropped) != ROUNDS)
		gmp_yield();
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < NEAR; i++) {
			CHECK_EQ(gmp_ctx_err(fresh[round][i]), 0);
			gmp_ctx_unref(fresh[round][i]);
		}
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

static const char key1, key2, key3;

GTEST(values_of_the_nearest_context)
{
	struct gmp_ctx *c1 = gmp_ctx_with_value(bg(), &key1, (void *)"c1k1", NULL);
	struct gmp_ctx *c2 = gmp_ctx_with_value(c1, &key2, (void *)"c2k2", NULL);
	struct gmp_ctx *c3 = gmp_ctx_with_value(c2, &key3, (void *)"c3k3", NULL);
	struct gmp_ctx *c4 = gmp_ctx_with_value(c3, &key1, NULL, NULL);
	struct gmp_ctx *o1 = gmp_ctx_with_cancel(c3);

	CHECK(gmp_ctx_value(c1, &key2) == NULL);
	CHECK_EQ(strcmp(gmp_ctx_value(c2, &key1), "c1k1"), 0);
	CHECK_EQ(strcmp(gmp_ctx_value(c3, &key3), "c3k3"), 0);
	CHECK(gmp_ctx_value(c4, &key1) == NULL);	/* hidden */
	CHECK_EQ(strcmp(gmp_ctx_value(c4, &key2), "c2k2"), 0);
	CHECK_EQ(strcmp(gmp_ctx_value(o1, &key1), "c1k1"), 0);
	CHECK(gmp_ctx_value(o1, NULL) == NULL);
	gmp_ctx_unref(c1);
	gmp_ctx_unref(c2);
	gmp_ctx_unref(c3);
	gmp_ctx_unref(c4);
	gmp_ctx_unref(o1);
}

GTEST(drop_comes_with_the_last_reference)
{
	struct gmp_ctx *v = gmp_ctx_with_value(bg(), &key1, new_value(), drop_value);
	struct gmp_ctx *c = gmp_ctx_with_cancel(v);

	gmp_ctx_unref(v);
	gmp_ctx_cancel(c, 0);
	CHECK_EQ(load(&dropped), 0);
	CHECK_EQ(*(int *)gmp_ctx_value(c, &key1), 42);
	gmp_ctx_ref(c);
	gmp_ctx_unref(c);
	CHECK_EQ(load(&dropped), 0);
	gmp_ctx_unref(c);
	CHECK_EQ(load(&dropped), 1);
}

/* Longer than any stack would allow by recursion. */
GTEST(a_chain_of_a_hundred_thousand)
{
	struct gmp_ctx *top = gmp_ctx_with_cancel(bg()), *c = gmp_ctx_ref(top);

	for (int i = 0; i < 100000; i++) {
		struct gmp_ctx *next = i % 2 ? gmp_ctx_with_cancel(c)
					     : gmp_ctx_with_value(c, &key1, &count, NULL);

		CHECK(next);
		gmp_ctx_unref(c);
		c = next;
	}
	gmp_ctx_cancel(top, -EIO);
	CHECK_EQ(gmp_ctx_cause(c), -EIO);
	gmp_ctx_unref(top);
	gmp_ctx_unref(c);
}

/* ---- outside, failure, misuse ------------------------------------------------------------------------------------------ */

static void *thread_cancels(void *arg)
{
	gmp_sleep(MS);
	gmp_ctx_cancel(arg, -EIO);
	gmp_ctx_unref(arg);
	return NULL;
}

GTEST(a_thread_may_cancel)
{
	struct gmp_ctx *c = gmp_ctx_with_cancel(bg());
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, thread_cancels, gmp_ctx_ref(c)), 0);
	wait_done(c);
	CHECK_EQ(gmp_ctx_cause(c), -EIO);
	gmp_ctx_unref(c);
	pthread_join(t, NULL);
}

static struct gmp_ctx *kept;

static int keep_one(void *arg)
{
	struct gmp_ctx *v = gmp_ctx_with_value(bg(), &key1, new_value(), drop_value);

	(void)arg;
	kept = gmp_ctx_with_timeout(v, 1000 * MS);
	gmp_ctx_unref(v);
	return 0;
}

TEST(works_before_and_after_a_run)
{
	struct gmp_ctx *c = gmp_ctx_with_cancel(bg());

	CHECK(gmp_ctx_with_timeout(c, MS) == NULL);	/* nobody to keep the time */
	gmp_ctx_cancel(c, 0);
	CHECK_EQ(gmp_ctx_err(c), -ECANCELED);
	gmp_ctx_unref(c);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(gmp_run(keep_one, NULL), 0);
		if (i)
			gmp_ctx_cancel(kept, 0);
		gmp_ctx_unref(kept);		/* its timer went with the run */
		CHECK_EQ(dropped, i + 1);
	}
}

GTEST(null_goes_through)
{
	struct gmp_ctx *c = gmp_ctx_with_cancel(NULL);

	CHECK(!c);
	CHECK(!gmp_ctx_with_deadline(c, 1) && !gmp_ctx_with_timeout(c, 1));
	CHECK(!gmp_ctx_with_value(c, &key1, NULL, NULL));
	CHECK(!gmp_ctx_ref(NULL));
	gmp_ctx_unref(NULL);
	gmp_ctx_cancel(NULL, 0);
	CHECK(!gmp_ctx_done(NULL));
	CHECK_EQ(gmp_ctx_err(NULL), 0);
	CHECK_EQ(gmp_ctx_cause(NULL), 0);
	CHECK_EQ(gmp_ctx_deadline(NULL, NULL), 0);
	CHECK(!gmp_ctx_value(NULL, &key1));
}

TEST(misuse_is_fatal)
{
	DEATH(gmp_ctx_with_value(bg(), NULL, NULL, NULL), "gmp_ctx_with_value");
	DEATH(gmp_ctx_after_func(bg(), NULL, NULL), "gmp_ctx_after_func");
}
