/* SPDX-License-Identifier: MIT */
/*
 * timers_test.c - the heap of timers against a model, and the contracts of sched/time.h.
 *
 * No scheduler runs in most of these: a P that is made here, a clock that is a number.
 *   time/sleep_test.go  TestOverflowPeriodRuntimeTimer  period_saturates
 *   runtime/time.go     its comments on timerModifiedEarlier, -Later, -Deleted: model, zombies_are_swept
 */
#include <gmprt.h>
#include <pthread.h>

#include "gmptest.h"
#include "sched/timerheap.h"
#include "sync/duration.h"

/* ---- what must hold of a heap -------------------------------------------------------------------- */

static void check_slot(struct rt_timers *h, struct ent e, uint32_t *zombies, char *seen)
{
	uintptr_t v = h->slot[e.slot];
	struct rt_timer *t = timer_of(v);

	CHECK(e.slot < h->cap && !seen[e.slot]);
	seen[e.slot] = 1;
	if (!v) {
		++*zombies;
		return;
	}
	CHECK(!(v & FREE));
	CHECK(t->heap == h && t->slot == e.slot);
	CHECK(v & MOVED ? e.when <= t->when : e.when == t->when);
}

static void check_heap(struct rt_timers *h)
{
	char *seen = calloc(1, h->cap + 1);
	uint32_t zombies = 0, nfree = 0;

	for (uint32_t i = 0; i < h->n; i++) {
		check_slot(h, h->ent[i], &zombies, seen);
		if (i > 0)
			CHECK(h->ent[(i - 1) / HEAP_ARITY].when <= h->ent[i].when);
	}
	CHECK_EQ(zombies, h->zombies);
	for (uint32_t s = h->free; s != NO_SLOT; s = (uint32_t)(h->slot[s] >> 2), nfree++) {
		CHECK(s < h->cap && !seen[s] && (h->slot[s] & FREE));
		seen[s] = 1;
	}
	CHECK_EQ(nfree + h->n, h->cap);
	CHECK_EQ(h->next, h->n ? h->ent[0].when : 0);
	if (h->n)
		CHECK(h->slot[h->ent[0].slot] && !(h->slot[h->ent[0].slot] & MOVED));
	free(seen);
}

static struct rt_p *new_p(int id)
{
	static struct rt_p all[2];
	struct rt_p *pp = &all[id];

	memset(pp, 0, sizeof(*pp));
	pp->id = id;
	CHECK_EQ(rt_timers_init(pp), 0);
	return pp;
}

/* ---- the model ---------------------------------------------------------------------------------------- */

enum { N = 700 };

static struct item {
	struct rt_timer t;
	uint64_t when;		/* 0: not set */
	uint64_t period;
} item[N];

static uint64_t last_fired, clock_now;
static uint32_t fired;

static void item_due(struct rt_timer *t, uint64_t now)
{
	struct item *it = rt_container_of(t, struct item, t);

	CHECK_EQ(now, clock_now);
	CHECK(it->when && it->when <= now);
	CHECK(it->when >= last_fired);
	last_fired = it->when;
	fired++;
	if (it->period)
		it->when += ((now - it->when) / it->period + 1) * it->period;
	else
		it->when = 0;
}

static uint64_t model_next(void)
{
	uint64_t next = 0;

	for (int i = 0; i < N; i++)
		if (item[i].when && (!next || item[i].when < next))
			next = item[i].when;
	return next;
}

static void run_due(struct rt_p *pp)
{
	uint32_t due = 0, before = fired;
	bool ran;

	for (int i = 0; i < N; i++)
		due += item[i].when && item[i].when <= clock_now;
	last_fired = 0;
	CHECK_EQ(rt_timers_run(pp, clock_now, &ran), model_next());
	CHECK_EQ(fired - before, due);
	CHECK_EQ(ran, due > 0);
}

static void one_step(struct rt_p *pp, uint64_t *s, uint32_t range)
{
	struct item *it = &item[gmptest_rand(s) % N];
	uint32_t r = gmptest_rand(s) % 100;
	bool was = it->when != 0;

	if (r < 50) {
		it->when = clock_now + 1 + gmptest_rand(s) % range;
		it->period = gmptest_rand(s) % 8 ? 0 : 1 + gmptest_rand(s) % range;
		it->t.fn = item_due;
		CHECK_EQ(rt_timer_set(&it->t, it->when, it->period), was);
	} else if (r < 90) {
		CHECK_EQ(rt_timer_del(&it->t), was);
		it->when = 0;
	} else {
		clock_now += gmptest_rand(s) % range / 50;
		run_due(pp);
	}
}

TEST(model)
{
	uint64_t s = gmptest_seed();
	struct rt_p *pp = new_p(0);

	clock_now = 1000;
	for (int i = 0; i < 60000; i++) {
		one_step(pp, &s, 100 + (uint32_t)i % 3 * 5000);
		CHECK_EQ(rt_timers_next(pp), model_next());
		if (i % 64 == 0)
			check_heap(pp->timers);
	}
	clock_now += 1000000;
	for (int i = 0; i < N; i++)
		if (item[i].period && rt_timer_del(&item[i].t))
			item[i].when = 0;
	run_due(pp);
	CHECK_EQ(rt_timers_next(pp), 0);
	check_heap(pp->timers);
	rt_timers_destroy(pp);
}

/* ---- single contracts ------------------------------------------------------------------------------------ */

static void nothing(struct rt_timer *t, uint64_t now)
{
	(void)t;
	(void)now;
}

TEST(arm_and_stop_leave_no_trace)
{
	struct rt_p *pp = new_p(0);
	struct rt_timers *h = pp->timers;
	struct rt_timer far = { .fn = nothing }, t = { .fn = nothing };

	rt_timer_set(&far, 10, 0);
	for (int i = 0; i < 100000; i++) {
		CHECK(!rt_timer_set(&t, 20 + (uint64_t)i, 0));
		CHECK(rt_timer_del(&t));
		CHECK(!rt_timer_del(&t));
	}
	CHECK_EQ(h->n, 1);
	CHECK_EQ(h->cap, HEAP_MIN);
	check_heap(h);
	rt_timers_destroy(pp);
}

/* What is deleted in the middle stays as a zombie, but never in the majority, nor in front. */
TEST(zombies_are_swept)
{
	struct rt_p *pp = new_p(0);
	struct rt_timers *h = pp->timers;
	static struct rt_timer t[1000];

	for (int round = 0; round < 50; round++) {
		for (uint64_t i = 0; i < 1000; i++) {
			t[i].fn = nothing;
			rt_timer_set(&t[i], 1000 + i * 7919 % 1000, 0);
		}
		for (int i = 0; i < 1000; i++) {
			CHECK(rt_timer_del(&t[i * 7 % 1000]));
			CHECK(h->zombies <= HEAP_COMPACT_MIN || h->zombies <= h->n / 2);
			if (i % 50 == 0)
				check_heap(h);
		}
		CHECK_EQ(h->n, 0);
		CHECK_EQ(rt_timers_next(pp), 0);
	}
	CHECK(h->cap < 4 * 1000);
	rt_timers_destroy(pp);
}

/* To a later time: in place. To an earlier one: the old entry goes, sooner or later. */
TEST(moving_does_not_grow)
{
	struct rt_p *pp = new_p(0);
	struct rt_timers *h = pp->timers;
	static struct rt_timer t[100];
	uint64_t s = gmptest_seed();

	for (int i = 0; i < 100; i++) {
		t[i].fn = nothing;
		rt_timer_set(&t[i], 1000000, 0);
	}
	for (int i = 0; i < 100000; i++)
		CHECK(rt_timer_set(&t[i % 100], 1000000 + (uint64_t)i, 0));
	CHECK_EQ(h->n, 100);
	for (int i = 0; i < 100000; i++) {
		CHECK(rt_timer_set(&t[gmptest_rand(&s) % 100], 1000 + gmptest_rand(&s) % 1000000, 0));
		CHECK(h->n < 400);
		if (i % 1000 == 0)
			check_heap(h);
	}
	rt_timers_destroy(pp);
	for (int i = 0; i < 100; i++)
		CHECK(!rt_timer_del(&t[i]));	/* forgotten is not set */
}

static void stop_at_max(struct rt_timer *t, uint64_t now)
{
	(void)now;
	t->seq++;
}

TEST(period_saturates)
{
	struct rt_p *pp = new_p(0);
	struct rt_timer t = { .fn = stop_at_max };
	bool ran;

	rt_timer_set(&t, 5, UINT64_MAX);
	CHECK_EQ(rt_timers_run(pp, 100, &ran), UINT64_MAX);
	CHECK_EQ(t.seq, 1);
	rt_timer_set(&t, 5, 10);
	CHECK_EQ(rt_timers_run(pp, 5, &ran), 15);
	CHECK_EQ(rt_timers_run(pp, 14, &ran), 15);
	CHECK(!ran);
	CHECK_EQ(rt_timers_run(pp, 38, &ran), 45);	/* 15, 25, 35: one call for three */
	CHECK_EQ(t.seq, 3);
	CHECK(rt_timer_del(&t));
	rt_timer_set(&t, 0, 0);				/* 0 is the past like any other */
	CHECK(rt_timers_next(pp) != 0);
	CHECK_EQ(rt_timers_run(pp, 1, &ran), 0);
	CHECK_EQ(t.seq, 4);
	rt_timers_destroy(pp);
}

static struct rt_timer chain[10];

static void set_next(struct rt_timer *t, uint64_t now)
{
	long i = t - chain;

	if (i < 9) {
		chain[i + 1].fn = set_next;
		rt_timer_set(&chain[i + 1], now, 0);
	}
	fired++;
}

TEST(functions_may_set_timers)
{
	struct rt_p *pp = new_p(0);
	bool ran;

	fired = 0;
	chain[0].fn = set_next;
	rt_timer_set(&chain[0], 1, 0);
	CHECK_EQ(rt_timers_run(pp, 50, &ran), 0);
	CHECK_EQ(fired, 10);
	rt_timers_destroy(pp);
}

static void fill_in(struct rt_timer *t, void *arg)
{
	t->fn = nothing;
	t->arg = arg;
}

TEST(start_and_reset_tell_what_was)
{
	struct rt_p *pp = new_p(0);
	struct rt_timer t = { 0 };

	CHECK_EQ(rt_timer_start(&t, 10, 0, fill_in, pp), 0);
	CHECK(t.arg == pp);
	CHECK_EQ(rt_timer_start(&t, 20, 0, fill_in, NULL), -EBUSY);
	CHECK(t.arg == pp);
	CHECK_EQ(rt_timers_next(pp), 10);
	CHECK_EQ(rt_timer_reset(&t, 30, 0), 1);
	CHECK_EQ(rt_timers_next(pp), 30);
	CHECK(rt_timer_del(&t));
	CHECK_EQ(rt_timer_reset(&t, 30, 0), 0);
	CHECK(rt_timer_del(&t));
	rt_timers_destroy(pp);
}

TEST(timers_move_with_a_p_that_goes)
{
	struct rt_p *a = new_p(0), *b = new_p(1);
	static struct rt_timer t[300];
	bool ran;

	fired = 0;
	for (int i = 0; i < 300; i++) {
		t[i].fn = set_next;		/* counts */
		rt_timer_set(&t[i], 100 + (uint64_t)i, 0);
		if (i % 3 == 0)
			rt_timer_del(&t[i]);
		else if (i % 3 == 1)
			rt_timer_set(&t[i], 500 + (uint64_t)i, 0);
	}
	memset(chain, 0, sizeof(chain));
	rt_timers_move(a, b);
	CHECK_EQ(rt_timers_next(a), 0);
	CHECK_EQ(rt_timers_next(b), 102);
	check_heap(a->timers);
	check_heap(b->timers);
	for (int i = 0; i < 300; i += 30)
		CHECK(!rt_timer_del(&t[i]));
	CHECK(rt_timer_del(&t[2]));
	CHECK(rt_timer_del(&t[1]));
	for (int i = 0; i < 300; i++)
		t[i].fn = nothing;
	CHECK_EQ(rt_timers_run(b, 10000, &ran), 0);
	CHECK(ran);
	rt_timers_destroy(a);
	rt_timers_destroy(b);
}

/* ---- the clock that is reckoned ------------------------------------------------------------------------------ */

static void *reckon(void *arg)
{
	uint64_t s = gmptest_seed() + (uintptr_t)arg, late = 0, n = 0;

	for (uint64_t end = rt_now() + 150000000; rt_now() < end; n++) {
		uint64_t before = rt_now(), when = rt_from_now(0);

		if (when < before)
			GMPTEST_FAIL_("%llu ns early", (unsigned long long)(before - when));
		late += when > rt_now();
		if (gmptest_rand(&s) % 1024 == 0)
			usleep(gmptest_rand(&s) % 3000);
		for (volatile uint32_t i = gmptest_rand(&s) % 4096; i > 0; i--)
			;
	}
	return (void *)(uintptr_t)(late * 100 / n);
}

/* From before the cycle is known until long after, on several threads. */
TEST(durations_are_never_short)
{
	pthread_t t[3];
	void *late;

	gmptest_seed();
	for (uintptr_t i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, reckon, (void *)i), 0);
	for (int i = 0; i < 3; i++) {
		pthread_join(t[i], &late);
		printf("# %lu of 100 were in the future\n", (unsigned long)(uintptr_t)late);
	}
	CHECK_EQ(rt_from_now(INT64_MIN) >= rt_now() - 1000000000, 1);
	CHECK(rt_from_now(INT64_MAX) > (uint64_t)INT64_MAX);
}

/* ---- threads against threads ------------------------------------------------------------------------------- */

static struct rt_timer shared[16];
static uint32_t calls, sets, dels, stop;

static void count_call(struct rt_timer *t, uint64_t now)
{
	(void)t;
	(void)now;
	__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
}

/* Each timer has one who arms it; anybody deletes. */
static void *arm_and_delete(void *arg)
{
	uint64_t s = gmptest_seed() + (uintptr_t)arg;

	for (int i = 0; i < 40000; i++) {
		struct rt_timer *mine = &shared[(uintptr_t)arg * 4 + gmptest_rand(&s) % 4];

		if (!rt_timer_set(mine, 1 + gmptest_rand(&s) % 1000, 0))
			__atomic_add_fetch(&sets, 1, __ATOMIC_RELAXED);
		if (gmptest_rand(&s) % 2)
			__atomic_add_fetch(&dels, rt_timer_del(&shared[gmptest_rand(&s) % 16]), __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *run_all(void *arg)
{
	uint64_t now = 0;
	bool ran;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		rt_timers_run(arg, 1 + now++ % 1000, &ran);
		rt_timer_quiesce(&shared[now % 16]);
	}
	return NULL;
}

TEST(every_arming_ends_in_one_call_or_one_deletion)
{
	struct rt_p *pp = new_p(0);
	pthread_t arm[4], run[2];
	bool ran;

	for (int i = 0; i < 16; i++)
		shared[i].fn = count_call;
	gmptest_seed();
	for (uintptr_t i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&arm[i], NULL, arm_and_delete, (void *)i), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&run[i], NULL, run_all, pp), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(arm[i], NULL);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(run[i], NULL);
	rt_timers_run(pp, 2000, &ran);
	CHECK_EQ(rt_timers_next(pp), 0);
	CHECK_EQ(calls + dels, sets);
	check_heap(pp->timers);
}

/* ---- contexts: what they leave in the heap -------------------------------------------------------------------- */

#define HOUR	3600000000000ll

static uint32_t timers_set(void)
{
	const struct rt_timers *h = rt_sched.allp[0]->timers;

	return h->n - h->zombies;
}

enum { CONTEXTS = 100 };

static struct gmp_ctx *ctx[CONTEXTS];

static void with_deadlines(struct gmp_ctx *parent)
{
	for (int i = 0; i < CONTEXTS; i++) {
		ctx[i] = gmp_ctx_with_timeout(parent, HOUR + i);
		CHECK(ctx[i] != NULL);
	}
	CHECK_EQ(timers_set(), CONTEXTS);
}

static void unref_all(void)
{
	for (int i = 0; i < CONTEXTS; i++)
		gmp_ctx_unref(ctx[i]);
}

/* Cancelled, cancelled with their parent, let go: the timer goes at once, not when it would be due. */
static int no_timer_is_left(void *arg)
{
	struct gmp_ctx *parent;

	(void)arg;
	with_deadlines(gmp_ctx_background());
	for (uint32_t i = 0; i < CONTEXTS; i++) {
		gmp_ctx_cancel(ctx[i], 0);
		CHECK_EQ(timers_set(), CONTEXTS - 1 - i);
	}
	unref_all();
	parent = gmp_ctx_with_cancel(gmp_ctx_background());
	with_deadlines(parent);
	gmp_ctx_cancel(parent, 0);
	CHECK_EQ(timers_set(), 0);
	unref_all();
	gmp_ctx_unref(parent);
	with_deadlines(gmp_ctx_background());
	unref_all();
	CHECK_EQ(timers_set(), 0);
	return 0;
}

TEST(a_cancelled_context_keeps_no_timer)
{
	setenv("GMP_MAXPROCS", "1", 1);
	CHECK_EQ(gmp_run(no_timer_is_left, NULL), 0);
}
