/* SPDX-License-Identifier: MIT */
/*
 * badinput_util.h - the same bad arguments from every place a call can be made.
 *
 *   EVERYWHERE(id) { ... }     the body holds before gmp_run(), in a goroutine, in a thread that is no M
 *                              while gmp_run() runs, and after it: once each, on P = 1, 2 and 4
 *   IS(call, result)           one line of the table
 *
 * tools/dev/check-badinput.sh sees to it that every public call occurs in one of badinput_*_test.c.
 */
#ifndef BADINPUT_UTIL_H
#define BADINPUT_UTIL_H

#include <gmprt.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>

#include "gmptest.h"

enum place { BEFORE, GOROUTINE, THREAD, AFTER, PLACES };

/* Where the body runs now: for results that differ. */
static enum place place;

static inline bool runs(void)
{
	return place == GOROUTINE || place == THREAD;
}

#define IS(call, want) \
	do { \
		long long is_got_ = (long long)(call), is_want_ = (long long)(want); \
		if (is_got_ != is_want_) \
			GMPTEST_FAIL_("place %d: %s is %lld, not %lld", place, #call, is_got_, is_want_); \
	} while (0)

#define KERNEL_SAYS(call, want)	GMPTEST_UNCHECKED(IS(call, want))

struct badinput {
	void (*fn)(void);
	struct gmp_chan *done;
};

static inline void *badinput_thread(void *arg)
{
	struct badinput *b = arg;

	b->fn();
	CHECK_EQ(gmp_chan_send(b->done, NULL), 0);
	return NULL;
}

static inline int badinput_main(void *arg)
{
	struct badinput *b = arg;
	pthread_t th;

	place = GOROUTINE;
	b->fn();
	place = THREAD;
	CHECK_EQ(pthread_create(&th, NULL, badinput_thread, b), 0);
	CHECK_EQ(gmp_chan_recv(b->done, NULL), 1);
	CHECK_EQ(pthread_join(th, NULL), 0);
	return 0;
}

static inline void badinput_everywhere(void (*fn)(void))
{
	struct badinput b = { fn, gmp_chan_make(0, 1) };
	static const char *const procs[] = { "1", "2", "4" };

	place = BEFORE;
	fn();
	for (int i = 0; i < 3; i++) {
		setenv("GMP_MAXPROCS", procs[i], 1);
		CHECK_EQ(gmp_run(badinput_main, &b), 0);
		place = AFTER;
		fn();
	}
	gmp_chan_unref(b.done);
}

#define EVERYWHERE(id) \
	static void badinput_##id(void); \
	TEST(id) \
	{ \
		badinput_everywhere(badinput_##id); \
	} \
	static void badinput_##id(void)

static inline void badinput_nothing(void *arg)
{
	(void)arg;
}

static inline int badinput_zero(void *arg)
{
	(void)arg;
	return 0;
}

#endif
