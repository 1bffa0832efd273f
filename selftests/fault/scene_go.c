/* SPDX-License-Identifier: MIT */
/* scene_go.c - goroutines, stacks, deferred calls, threads, the number of Ps, names, dumps. */
#include "fault.h"

#include <fcntl.h>
#include <time.h>

/* Also nobody that a gmp_run() left behind which could not begin. */
int scene_nothing(void *arg)
{
	(void)arg;
	MUST(gmp_goroutines(NULL, NULL) == 1);
	return 0;
}

static void inc(void *arg)
{
	__atomic_add_fetch((int *)arg, 1, __ATOMIC_RELAXED);
	gmp_yield();
}

/* Whoever was started runs. */
int scene_go(void *arg)
{
	struct gmp_wg wg = { 0 };
	int ran = 0, started = 0;

	(void)arg;
	for (int i = 0; i < 1500; i++) {	/* more than a chunk of Gs, far from as many as there may be */
		int64_t goid = gmp_wg_go(&wg, inc, &ran);

		MUST(goid > 1 || goid == -ENOMEM);
		started += goid > 1;
	}
	gmp_wg_wait(&wg);
	MUST(ran == started);
	return 0;
}

static void hold(void *arg)
{
	volatile char deep[40000];

	deep[0] = 1;
	gmp_sleep(1000000);
	deep[sizeof(deep) - 1] = deep[0];
	gmp_wg_done(arg);
}

/* Many at once, of several sizes: slabs, guards. */
int scene_stacks(void *arg)
{
	static const size_t sizes[] = { 0, 64 << 10, 1 << 20, 20 << 20 };
	struct gmp_wg wg = { 0 };

	(void)arg;
	for (int i = 0; i < 100; i++) {
		struct gmp_go_attr a = { .size = sizeof(a), .max_stack = sizes[i % 4], .name = "holder" };

		gmp_wg_add(&wg, 1);
		if (!fine(gmp_go_attr(&a, hold, &wg)))
			gmp_wg_done(&wg);
	}
	gmp_wg_wait(&wg);
	return 0;
}

/* Deferred calls that could be had, of one goroutine. */
struct deferred {
	struct gmp_wg *wg;
	int made, ran;
};

static void in_turn(void *arg)
{
	((struct deferred *)arg)->ran++;
	gmp_yield();
}

/* The first that was deferred is the last that runs: by then all others did. */
static void last_of_all(void *arg)
{
	struct deferred *d = arg;

	MUST(d->ran == d->made);
	gmp_wg_done(d->wg);
}

static void defers(void *arg)
{
	struct deferred *d = arg;

	if (!fine(gmp_defer(last_of_all, d))) {
		gmp_wg_done(d->wg);
		return;
	}
	for (int i = 0; i < 5; i++)
		d->made += fine(gmp_defer(in_turn, d));
	if (d->made % 2)
		gmp_goexit();
}

int scene_defer(void *arg)
{
	struct gmp_wg wg = { 0 };
	struct deferred d[20];

	(void)arg;
	for (int i = 0; i < 20; i++) {
		d[i] = (struct deferred){ .wg = &wg };
		gmp_wg_add(&wg, 1);
		if (!fine(gmp_go(defers, &d[i])))
			gmp_wg_done(&wg);
	}
	gmp_wg_wait(&wg);
	return 0;
}

struct big {
	char text[20000];
};

/* Arguments that are copied, few and many: the stack they lie on is bound at once. */
static void with_arguments(struct gmp_wg *wg, int a, double b, struct big c)
{
	MUST(a == 7 && b == 2.5 && c.text[0] == 'x' && c.text[sizeof(c.text) - 1] == 'y');
	gmp_yield();
	gmp_wg_done(wg);
}

static void with_few(struct gmp_wg *wg, int a)
{
	MUST(a == 8);
	gmp_wg_done(wg);
}

int scene_go_macro(void *arg)
{
	static struct big c;
	struct gmp_wg wg = { 0 };

	(void)arg;
	c.text[0] = 'x';
	c.text[sizeof(c.text) - 1] = 'y';
	for (int i = 0; i < 100; i++) {
		gmp_wg_add(&wg, 2);
		if (!fine(GMP_GO(with_arguments, &wg, 7, 2.5, c)))
			gmp_wg_done(&wg);
		if (!fine(GMP_GO(with_few, &wg, 8)))
			gmp_wg_done(&wg);
	}
	gmp_wg_wait(&wg);
	return 0;
}

static void in_a_call(void *arg)
{
	struct timespec ts = { .tv_nsec = 30000000 };

	gmp_syscall_begin();
	nanosleep(&ts, NULL);
	gmp_syscall_end();
	gmp_wg_done(arg);
}

static void locked(void *arg)
{
	gmp_lock_os_thread();
	gmp_sleep(1000000);
	gmp_yield();
	gmp_wg_done(arg);	/* and ends with its thread */
}

/* More threads are wanted than there are: those that cannot be had only make it slower. */
int scene_threads(void *arg)
{
	struct gmp_wg wg = { 0 };
	int ran = 0, started = 0;

	(void)arg;
	for (int i = 0; i < 12; i++) {
		gmp_wg_add(&wg, 1);
		if (!fine(gmp_go(i % 2 ? locked : in_a_call, &wg)))
			gmp_wg_done(&wg);
		started += fine(gmp_wg_go(&wg, inc, &ran));
	}
	gmp_wg_wait(&wg);
	MUST(ran == started);
	return 0;
}

int scene_procs(void *arg)
{
	static const int ps[] = { 4, 1, 70, 2, 9 };
	struct gmp_wg wg = { 0 };
	int ran = 0, started = 0;

	(void)arg;
	for (int i = 0; i < 5; i++) {
		int before = gmp_maxprocs(0);

		if (fine(gmp_maxprocs(ps[i])))
			MUST(gmp_maxprocs(0) == ps[i]);
		else
			MUST(gmp_maxprocs(0) == before);
		for (int k = 0; k < 20; k++)
			started += fine(gmp_wg_go(&wg, inc, &ran));
		gmp_sleep(10000);
		MUST(gmp_stop_world("fault") == 0);
		MUST(gmp_start_world() == 0);
	}
	gmp_wg_wait(&wg);
	MUST(ran == started);
	return 0;
}

static void named(void *arg)
{
	char text[64];

	for (int i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "value %d", i);
		if (fine(gmp_set_label("key", text)))
			MUST(gmp_get_label("key", text, sizeof(text)) >= 0);
		fine(gmp_set_name(text));
		gmp_yield();
	}
	gmp_wg_done(arg);
}

int scene_labels(void *arg)
{
	struct gmp_wg wg = { 0 };

	(void)arg;
	for (int i = 0; i < 80; i++) {
		gmp_wg_add(&wg, 1);
		if (!fine(gmp_go(named, &wg)))
			gmp_wg_done(&wg);
	}
	gmp_wg_wait(&wg);
	return 0;
}

static int look(const struct gmp_goroutine *g, void *arg)
{
	(void)arg;
	return !g->goid;
}

int scene_dump(void *arg)
{
	struct gmp_stats st = { .size = sizeof(st) };
	struct gmp_wg wg = { 0 };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)arg;
	MUST(null >= 0);
	for (int i = 0; i < 3; i++) {
		gmp_wg_add(&wg, 1);
		if (!fine(gmp_go(locked, &wg)))
			gmp_wg_done(&wg);
	}
	fine(gmp_dump(null));
	MUST(gmp_goroutines(look, NULL) >= 1);
	fine(gmp_stats(&st));
	gmp_wg_wait(&wg);
	close(null);
	return 0;
}
