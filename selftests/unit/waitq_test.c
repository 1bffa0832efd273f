/* SPDX-License-Identifier: MIT */
/*
 * waitq_test.c - the wait queues of sync/sema.c: order, removal anywhere, the tree of addresses.
 *
 * Random operations on one bucket, held against a plain list of what must be waiting; the tree's
 * two orders are checked as it goes. No goroutine runs: the queues do not look at the Gs.
 */
#include "sync/sema.h"

#include "gmptest.h"

#define ADDRESSES	64
#define WAITERS		600
#define STEPS		40000

static struct rt_bucket bucket;
static uint64_t place[ADDRESSES];
static struct rt_waiter waiter[WAITERS];

/* The model: who waits for an address, in order. */
static struct rt_waiter *model[ADDRESSES][WAITERS];
static int n_model[ADDRESSES];
static uint64_t rnd;

static void model_insert(int a, int at, struct rt_waiter *w)
{
	memmove(&model[a][at + 1], &model[a][at], sizeof(w) * (size_t)(n_model[a] - at));
	model[a][at] = w;
	n_model[a]++;
}

static void model_remove(int a, int at)
{
	n_model[a]--;
	memmove(&model[a][at], &model[a][at + 1], sizeof(model[a][0]) * (size_t)(n_model[a] - at));
}

static int tree_check(const struct rt_waiter *w, uintptr_t lo, uintptr_t hi, uint32_t prio)
{
	if (!w)
		return 0;
	CHECK(w->key >= lo && w->key <= hi);
	CHECK(w->prio <= prio);
	CHECK(w->queued && !w->prev);
	return 1 + tree_check(w->left, lo, w->key - 1, w->prio) +
	       tree_check(w->right, w->key + 1, hi, w->prio);
}

static void queue_check(int a)
{
	const struct rt_waiter *w = rt_waiter_first(&bucket, &place[a]);
	const struct rt_waiter *last = NULL;

	for (int i = 0; i < n_model[a]; i++) {
		CHECK(w == model[a][i]);
		CHECK(w->prev == last);
		last = w;
		w = w->next;
	}
	CHECK(!w);
	if (n_model[a])
		CHECK(model[a][0]->tail == last);
}

static int depth(const struct rt_waiter *w)
{
	int l, r;

	if (!w)
		return 0;
	l = depth(w->left);
	r = depth(w->right);
	return 1 + (l > r ? l : r);
}

static void add_one(int a)
{
	int lifo = gmptest_rand(&rnd) % 4 == 0;

	for (int i = 0; i < WAITERS; i++) {
		if (waiter[i].queued)
			continue;
		rt_waiter_add(&bucket, &waiter[i], &place[a], lifo);
		model_insert(a, lifo ? 0 : n_model[a], &waiter[i]);
		return;
	}
}

static void remove_one(int a)
{
	int at;

	if (n_model[a] == 0) {
		CHECK(!rt_waiter_pop(&bucket, &place[a]));
		return;
	}
	at = (int)(gmptest_rand(&rnd) % (uint32_t)n_model[a]);
	if (at == 0)
		CHECK(rt_waiter_pop(&bucket, &place[a]) == model[a][0]);
	else
		rt_waiter_del(&bucket, model[a][at]);
	CHECK(!model[a][at]->queued);
	model_remove(a, at);
}

TEST(random_operations_agree_with_a_list)
{
	rnd = gmptest_seed();
	for (int step = 0; step < STEPS; step++) {
		int a = (int)(gmptest_rand(&rnd) % ADDRESSES), heads = 0;

		/* fills up and empties in turns */
		if (gmptest_rand(&rnd) % 8 < (step / 5000 % 2 ? 3u : 5u))
			add_one(a);
		else
			remove_one(a);
		queue_check(a);
		if (step % 50)
			continue;
		for (int i = 0; i < ADDRESSES; i++) {
			queue_check(i);
			heads += n_model[i] > 0;
		}
		CHECK_EQ(tree_check(bucket.root, 0, UINTPTR_MAX, UINT32_MAX), heads);
	}
}

static uint64_t many[20000];
static struct rt_waiter each[20000];

/* Addresses in order: a tree without balance would be a list. */
TEST(the_tree_stays_low)
{
	for (int i = 0; i < 20000; i++)
		rt_waiter_add(&bucket, &each[i], &many[i], false);
	CHECK_EQ(tree_check(bucket.root, 0, UINTPTR_MAX, UINT32_MAX), 20000);
	CHECK(depth(bucket.root) < 60);
	for (int i = 0; i < 20000; i += 2)
		CHECK(rt_waiter_pop(&bucket, &many[i]) == &each[i]);
	CHECK_EQ(tree_check(bucket.root, 0, UINTPTR_MAX, UINT32_MAX), 10000);
	CHECK(depth(bucket.root) < 60);
	for (int i = 1; i < 20000; i += 2)
		CHECK(rt_waiter_pop(&bucket, &many[i]) == &each[i]);
	CHECK(!bucket.root);
}
