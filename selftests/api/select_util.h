/* SPDX-License-Identifier: MIT */
/* select_util.h - what the tests of select share: a goroutine that is parked in one. */
#ifndef SELECT_UTIL_H
#define SELECT_UTIL_H

#include <gmprt.h>
#include <pthread.h>

#include "gmptest.h"

static inline struct gmp_chan *make(size_t cap)
{
	struct gmp_chan *c = gmp_chan_make(sizeof(int), cap);

	CHECK(c != NULL);
	return c;
}

static inline void let_run(void)
{
	for (int i = 0; i < 20; i++)
		gmp_yield();
	gmp_sleep(1000000);
}

struct park {
	struct gmp_case *k;
	int n, got;
	uint64_t deadline;
	uint32_t done;
};

static inline void select_parked(void *arg)
{
	struct park *p = arg;

	p->got = gmp_select_until(p->k, p->n, p->deadline);
	__atomic_store_n(&p->done, 1, __ATOMIC_RELEASE);
}

static inline void start(struct park *p, struct gmp_case *k, int n)
{
	*p = (struct park){ .k = k, .n = n };
	CHECK(gmp_go(select_parked, p) > 0);
	let_run();
	CHECK_EQ(__atomic_load_n(&p->done, __ATOMIC_ACQUIRE), 0);
}

static inline int finish(struct park *p)
{
	while (!__atomic_load_n(&p->done, __ATOMIC_ACQUIRE))
		gmp_yield();
	return p->got;
}

#endif
