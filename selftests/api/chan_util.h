/* SPDX-License-Identifier: MIT */
/* chan_util.h - what the tests of channels share. */
#ifndef CHAN_UTIL_H
#define CHAN_UTIL_H

#include <gmprt.h>
#include <pthread.h>
#include <stdbool.h>

#include "gmptest.h"

struct ends {
	struct gmp_chan *a, *b;
	struct gmp_wg wg;
	long n;
	uint32_t hits;
};

static inline void hit(struct ends *e)
{
	__atomic_add_fetch(&e->hits, 1, __ATOMIC_SEQ_CST);
}

static inline uint32_t hits(struct ends *e)
{
	return __atomic_load_n(&e->hits, __ATOMIC_SEQ_CST);
}

/* Gives everybody who can run the time to do so. */
static inline void let_run(void)
{
	for (int i = 0; i < 20; i++)
		gmp_yield();
	gmp_sleep(1000000);
}

static inline struct gmp_chan *make(size_t size, size_t cap)
{
	struct gmp_chan *c = gmp_chan_make(size, cap);

	CHECK(c != NULL);
	return c;
}

static inline void send_int(struct gmp_chan *c, int v)
{
	CHECK_EQ(gmp_chan_send(c, &v), 0);
}

static inline int recv_int(struct gmp_chan *c)
{
	int v = -1;

	CHECK_EQ(gmp_chan_recv(c, &v), 1);
	return v;
}

static inline void send_100(void *arg)
{
	struct ends *e = arg;

	for (int i = 0; i < 100; i++)
		send_int(e->a, i);
}

#endif
