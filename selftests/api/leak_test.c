/* SPDX-License-Identifier: MIT */
/*
 * leak_test.c - gmp_goroutines(), gmp_leak_check(): who is there, what it does, who made it.
 */
#include <gmprt.h>
#include <pthread.h>

#include "death_util.h"

static struct gmp_chan *never, *leave;
static struct gmp_wg wg;

static void waits(void *arg)
{
	int v;

	if (arg)
		gmp_set_name(arg);
	gmp_wg_done(&wg);
	gmp_chan_recv(leave, &v);
}

static void set_up(void)
{
	never = gmp_chan_make(sizeof(int), 0);
	leave = gmp_chan_make(sizeof(int), 0);
}

static void start(int n, const char *name)
{
	gmp_wg_add(&wg, n);
	for (int i = 0; i < n; i++)
		CHECK(gmp_go(waits, (void *)(uintptr_t)name) > 0);
	gmp_wg_wait(&wg);
	settle(n);
}

/* ---- the tour ------------------------------------------------------------------------------------------ */

struct seen {
	int n, stop_at;
	int waiting, named;
	uint64_t sum;
	struct gmp_goroutine last;
};

static int see(const struct gmp_goroutine *g, void *arg)
{
	struct seen *s = arg;

	s->n++;
	s->sum += g->goid;
	s->waiting += strcmp(g->wait_reason, "chan receive") == 0;
	s->named += strcmp(g->name, "worker") == 0;
	s->last = *g;
	return s->stop_at && s->n >= s->stop_at;
}

GTEST(all_of_them)
{
	struct seen s = { 0 };

	set_up();
	start(10, "worker");
	CHECK_EQ(gmp_goroutines(see, &s), 11);
	CHECK_EQ(s.n, 11);
	CHECK_EQ(s.waiting, 10);
	CHECK_EQ(s.named, 10);
	CHECK_EQ(gmp_goroutines(NULL, NULL), 11);
	CHECK_EQ(gmp_num_goroutine(), 11);
	gmp_chan_close(leave);
}

GTEST(the_tour_can_be_ended)
{
	struct seen s = { .stop_at = 3 };

	set_up();
	start(10, NULL);
	CHECK_EQ(gmp_goroutines(see, &s), 3);
	CHECK_EQ(s.n, 3);
	gmp_chan_close(leave);
}

static int see_one(const struct gmp_goroutine *g, void *arg)
{
	struct gmp_goroutine *want = arg;

	if (g->goid != want->goid)
		return 0;
	*want = *g;
	return 1;
}

static int in_function(uintptr_t pc, uintptr_t fn)
{
	return pc >= fn && pc < fn + 512;
}

GTEST(what_is_told)
{
	struct gmp_goroutine g = { 0 };

	set_up();
	gmp_wg_add(&wg, 1);
	g.goid = (uint64_t)gmp_go(waits, "one");
	settle(1);
	gmp_sleep(40000000);
	CHECK(gmp_goroutines(see_one, &g) > 0);
	CHECK_EQ(g.parent, 1);
	CHECK_EQ(g.status, 4);
	CHECK_EQ(strcmp(g.status_text, "waiting"), 0);
	CHECK_EQ(strcmp(g.wait_reason, "chan receive"), 0);
	CHECK_EQ(strcmp(g.name, "one"), 0);
	CHECK(g.wait_ns > 5000000 && g.wait_ns < 10000000000ull);
	CHECK_EQ(g.start_pc, (uintptr_t)waits);
	CHECK(in_function(g.create_pc, (uintptr_t)gmptest_what_is_told));
	CHECK(g.runs >= 1 && g.thread >= 0 && !g.locked);
	gmp_chan_close(leave);
}

GTEST(about_the_caller)
{
	struct gmp_goroutine g = { .goid = 1 };

	gmp_lock_os_thread();
	CHECK_EQ(gmp_goroutines(see_one, &g), 1);
	CHECK_EQ(strcmp(g.status_text, "running"), 0);
	CHECK_EQ(strcmp(g.wait_reason, ""), 0);
	CHECK_EQ(g.wait_ns, 0);
	CHECK_EQ(g.parent, 0);
	CHECK(g.locked);
	gmp_unlock_os_thread();
}

/* ---- leaks ------------------------------------------------------------------------------------------------ */

GTEST(leaks_are_counted)
{
	struct seen s = { 0 };

	set_up();
	CHECK_EQ(gmp_leak_check(NULL, NULL), 0);
	start(5, "worker");
	CHECK_EQ(gmp_leak_check(see, &s), 5);
	CHECK_EQ(s.named, 5);
	CHECK_EQ(s.last.start_pc, (uintptr_t)waits);
	gmp_chan_close(leave);
	while (gmp_leak_check(NULL, NULL) > 0)
		gmp_sleep(1000000);
	CHECK_EQ(gmp_num_goroutine(), 1);
}

static void checks(void *arg)
{
	*(int *)arg = gmp_leak_check(NULL, NULL);
	gmp_wg_done(&wg);
}

/* Goroutine 1 and the caller are left out, whoever calls. */
GTEST(from_another_goroutine)
{
	int n = -1;

	set_up();
	start(2, NULL);
	gmp_wg_add(&wg, 1);
	gmp_go(checks, &n);
	gmp_wg_wait(&wg);
	CHECK_EQ(n, 2);
	gmp_chan_close(leave);
}

static void *thread(void *arg)
{
	int *n = arg;

	n[0] = gmp_goroutines(NULL, NULL);
	n[1] = gmp_leak_check(NULL, NULL);
	return NULL;
}

GTEST(from_a_foreign_thread)
{
	int n[2] = { 0 };
	pthread_t t;

	set_up();
	start(2, NULL);
	CHECK_EQ(pthread_create(&t, NULL, thread, n), 0);
	gmp_syscall_begin();
	pthread_join(t, NULL);
	gmp_syscall_end();
	CHECK_EQ(n[0], 3);
	CHECK_EQ(n[1], 2);
	gmp_chan_close(leave);
}

TEST(outside_of_a_run)
{
	CHECK_EQ(gmp_goroutines(NULL, NULL), -ESRCH);
	CHECK_EQ(gmp_leak_check(NULL, NULL), -ESRCH);
}

/* ---- while they come and go ----------------------------------------------------------------------------------- */

static int bad;

static int plausible(const struct gmp_goroutine *g, void *arg)
{
	(void)arg;
	if (!g->goid || !g->start_pc || !g->status_text || !g->wait_reason || g->status == 6 ||
	    strlen(g->name) >= sizeof(g->name))
		bad++;
	return 0;
}

static void short_life(void *arg)
{
	(void)arg;
	gmp_set_name("short");
	gmp_yield();
}

GTEST(while_they_come_and_go)
{
	for (int i = 0; i < 200; i++) {
		for (int j = 0; j < 20; j++)
			gmp_go(short_life, NULL);
		gmp_goroutines(plausible, NULL);
		gmp_yield();
	}
	CHECK_EQ(bad, 0);
}
