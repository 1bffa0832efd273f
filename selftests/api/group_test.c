/* SPDX-License-Identifier: MIT */
/*
 * group_test.c - gmp_group.
 *
 * x/sync errgroup_test.go     here
 *   TestZeroGroup             a_zero_group_returns_the_first_error
 *   TestWithContext           the_first_error_cancels_the_context
 *   TestTryGo                 try_go_at_the_limit
 *   TestGoLimit               never_more_than_the_limit
 *   TestCancelCause           the_cause_is_the_first_error
 *   TestPanic, TestGoexit     goexit_counts_as_success
 *   ExampleGroup_pipeline     (tools/samples)
 */
#include <gmprt.h>
#include <pthread.h>

#include "gmptest.h"

static struct gmp_group g;
static int32_t active, peak, ran;

static int32_t load(int32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static int32_t add(int32_t *p, int32_t n)
{
	return __atomic_add_fetch(p, n, __ATOMIC_ACQ_REL);
}

static int result(void *arg)
{
	add(&ran, 1);
	return (int)(long)arg;
}

/* One after the other, so that "first" is certain. */
static void go_and_end(long rc)
{
	int32_t n = load(&ran);

	CHECK(gmp_group_go(&g, result, (void *)rc) > 1);
	while (load(&ran) == n || (rc < 0 && !__atomic_load_n(&g.err, __ATOMIC_ACQUIRE)))
		gmp_yield();
}

GTEST(a_zero_group_returns_the_first_error)
{
	go_and_end(0);
	go_and_end(7);
	CHECK_EQ(gmp_group_wait(&g), 0);
	go_and_end(-EIO);
	go_and_end(-ENOENT);
	go_and_end(0);
	CHECK_EQ(gmp_group_wait(&g), -EIO);
	gmp_group_destroy(&g);
}

static int until_done(void *arg)
{
	CHECK_EQ(gmp_chan_recv(gmp_ctx_done(arg), NULL), 0);
	add(&ran, 1);
	return gmp_ctx_err(arg);
}

GTEST(the_first_error_cancels_the_context)
{
	struct gmp_ctx *ctx;

	CHECK_EQ(gmp_group_init(&g, gmp_ctx_background(), 0), 0);
	ctx = gmp_group_ctx(&g);
	CHECK(ctx && ctx == gmp_group_ctx(&g));
	for (int i = 0; i < 5; i++)
		gmp_group_go(&g, until_done, ctx);
	CHECK_EQ(gmp_ctx_err(ctx), 0);
	gmp_group_go(&g, result, (void *)-EIO);
	CHECK_EQ(gmp_group_wait(&g), -EIO);
	CHECK_EQ(load(&ran), 6);
	CHECK_EQ(gmp_ctx_err(ctx), -ECANCELED);
	gmp_group_destroy(&g);
}

GTEST(the_wait_cancels_the_context)
{
	struct gmp_ctx *ctx;

	CHECK_EQ(gmp_group_init(&g, gmp_ctx_background(), 0), 0);
	ctx = gmp_ctx_ref(gmp_group_ctx(&g));
	gmp_group_go(&g, result, (void *)0);
	CHECK_EQ(gmp_group_wait(&g), 0);
	CHECK_EQ(gmp_ctx_err(ctx), -ECANCELED);
	CHECK_EQ(gmp_ctx_cause(ctx), -ECANCELED);
	gmp_group_destroy(&g);
	CHECK_EQ(gmp_ctx_err(ctx), -ECANCELED);
	gmp_ctx_unref(ctx);
}

GTEST(the_cause_is_the_first_error)
{
	CHECK_EQ(gmp_group_init(&g, gmp_ctx_background(), 0), 0);
	go_and_end(-ENOSPC);
	CHECK_EQ(gmp_ctx_cause(gmp_group_ctx(&g)), -ENOSPC);
	CHECK_EQ(gmp_group_wait(&g), -ENOSPC);
	CHECK_EQ(gmp_ctx_cause(gmp_group_ctx(&g)), -ENOSPC);
	gmp_group_destroy(&g);
}

GTEST(the_parent_ends_the_group_s_context)
{
	struct gmp_ctx *parent = gmp_ctx_with_cancel(gmp_ctx_background());

	CHECK_EQ(gmp_group_init(&g, parent, 0), 0);
	gmp_group_go(&g, until_done, gmp_group_ctx(&g));
	gmp_ctx_cancel(parent, 0);
	CHECK_EQ(gmp_group_wait(&g), -ECANCELED);
	gmp_group_destroy(&g);
	gmp_ctx_unref(parent);
}

/* A group without a parent makes a context when it is asked for one, also after the error. */
GTEST(a_context_on_demand)
{
	go_and_end(-EIO);
	CHECK_EQ(gmp_ctx_err(gmp_group_ctx(&g)), -ECANCELED);
	CHECK_EQ(gmp_ctx_cause(gmp_group_ctx(&g)), -EIO);
	CHECK_EQ(gmp_group_wait(&g), -EIO);
	gmp_group_destroy(&g);
	CHECK(g.ctx == NULL);
}

/* ---- the limit -------------------------------------------------------------------------------------- */

static int be_active(void *arg)
{
	int32_t n = add(&active, 1);

	(void)arg;
	if (n > load(&peak))
		__atomic_store_n(&peak, n, __ATOMIC_RELEASE);
	for (int i = 0; i < 5; i++)
		gmp_yield();
	add(&active, -1);
	return 0;
}

GTEST(never_more_than_the_limit)
{
	CHECK_EQ(gmp_group_init(&g, NULL, 10), 0);
	for (int i = 0; i < 500; i++) {
		CHECK(gmp_group_go(&g, be_active, NULL) > 0);
		CHECK(load(&active) <= 10);
	}
	CHECK_EQ(gmp_group_wait(&g), 0);
	CHECK_EQ(load(&active), 0);
	CHECK(load(&peak) <= 10 && load(&peak) >= 2);
	gmp_group_destroy(&g);
}

static int32_t gate;

static int behind_the_gate(void *arg)
{
	(void)arg;
	while (!load(&gate))
		gmp_yield();
	return 0;
}

GTEST(try_go_at_the_limit)
{
	CHECK_EQ(gmp_group_init(&g, NULL, 3), 0);
	for (int i = 0; i < 3; i++)
		CHECK(gmp_group_try_go(&g, behind_the_gate, NULL) > 0);
	CHECK_EQ(gmp_group_try_go(&g, result, NULL), -EBUSY);
	__atomic_store_n(&gate, 1, __ATOMIC_RELEASE);
	CHECK_EQ(gmp_group_wait(&g), 0);
	CHECK(gmp_group_try_go(&g, result, NULL) > 0);
	CHECK_EQ(gmp_group_wait(&g), 0);
	CHECK_EQ(load(&ran), 1);
	gmp_group_destroy(&g);
}

/* ---- ends ---------------------------------------------------------------------------------------------- */

static int leave(void *arg)
{
	(void)arg;
	add(&ran, 1);
	gmp_goexit();
}

static void note(void *arg)
{
	(void)arg;
	add(&ran, 1);
}

static int defer_and_leave(void *arg)
{
	gmp_defer(note, NULL);
	return leave(arg);
}

GTEST(goexit_counts_as_success)
{
	CHECK_EQ(gmp_group_init(&g, NULL, 2), 0);
	for (int i = 0; i < 20; i++) {
		CHECK(gmp_group_go(&g, leave, NULL) > 0);
		CHECK(gmp_group_go(&g, defer_and_leave, NULL) > 0);
	}
	CHECK_EQ(gmp_group_wait(&g), 0);
	CHECK_EQ(load(&ran), 60);
	gmp_group_destroy(&g);
}

GTEST(on_the_stack_of_the_waiter)
{
	for (int i = 0; i < 1000; i++) {
		struct gmp_group local;

		CHECK_EQ(gmp_group_init(&local, i % 2 ? gmp_ctx_background() : NULL, i % 3), 0);
		for (int k = 0; k < 3; k++)
			CHECK(gmp_group_go(&local, result, (void *)(long)(k == 1 ? -EIO : 0)) > 0);
		CHECK_EQ(gmp_group_wait(&local), -EIO);
		gmp_group_destroy(&local);
		memset(&local, 0xa5, sizeof(local));
	}
	CHECK_EQ(load(&ran), 3000);
}

static int received(void *c)
{
	return gmp_chan_recv(c, NULL) == 1 ? -EIO : 0;
}

static void *waits_outside(void *rc)
{
	*(int *)rc = gmp_group_wait(&g);
	return NULL;
}

static int wait_outside(void)
{
	pthread_t t;
	int rc = 1;

	CHECK_EQ(pthread_create(&t, NULL, waits_outside, &rc), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	return rc;
}

GTEST(a_thread_that_is_no_goroutine_does_not_wait)
{
	struct gmp_chan *c = gmp_chan_make(0, 1);
	struct gmp_ctx *ctx;

	CHECK_EQ(gmp_group_init(&g, gmp_ctx_background(), 0), 0);
	ctx = gmp_group_ctx(&g);
	CHECK_EQ(wait_outside(), 0);
	CHECK_EQ(gmp_ctx_err(ctx), -ECANCELED);
	gmp_group_destroy(&g);

	CHECK_EQ(gmp_group_init(&g, gmp_ctx_background(), 0), 0);
	ctx = gmp_group_ctx(&g);
	CHECK(gmp_group_go(&g, received, c) > 0);
	CHECK_EQ(wait_outside(), -EWOULDBLOCK);
	CHECK_EQ(gmp_ctx_err(ctx), 0);
	gmp_chan_send(c, NULL);
	CHECK_EQ(gmp_group_wait(&g), -EIO);
	CHECK_EQ(wait_outside(), -EIO);
	gmp_group_destroy(&g);
	gmp_chan_unref(c);
}

TEST(bad_arguments)
{
	CHECK_EQ(gmp_group_init(NULL, NULL, 0), -EINVAL);
	CHECK_EQ(gmp_group_init(&g, NULL, -5), 0);
	CHECK_EQ(gmp_group_go(&g, NULL, NULL), -EINVAL);
	CHECK_EQ(gmp_group_go(NULL, result, NULL), -EINVAL);
	CHECK_EQ(gmp_group_try_go(&g, NULL, NULL), -EINVAL);
	CHECK_EQ(gmp_group_try_go(NULL, result, NULL), -EINVAL);
	CHECK_EQ(gmp_group_go(&g, result, NULL), -ESRCH);
	CHECK_EQ(gmp_group_wait(&g), 0);
	gmp_group_destroy(NULL);
	DEATH(gmp_group_wait(NULL), "gmp_group_wait");
	DEATH(gmp_group_ctx(NULL), "gmp_group_ctx");
}
