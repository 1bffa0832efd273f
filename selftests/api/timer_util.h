/* SPDX-License-Identifier: MIT */
/* timer_util.h - what the tests of timers share: a timer that tells when it fired. */
#ifndef TIMER_UTIL_H
#define TIMER_UTIL_H

#include <gmprt.h>
#include <pthread.h>
#include <stdbool.h>

#include "gmptest.h"

#define MS	1000000ll
#define LATE	(20000 * MS)	/* a hang, not a delay */

struct shot {
	struct gmp_timer t;
	uint32_t fired;
	uint64_t at;
	struct gmp_chan *c;
};

static inline void shoot(void *arg)
{
	struct shot *s = arg;

	s->at = gmp_now();
	__atomic_add_fetch(&s->fired, 1, __ATOMIC_RELEASE);
}

static inline uint32_t fired(struct shot *s)
{
	return __atomic_load_n(&s->fired, __ATOMIC_ACQUIRE);
}

static inline void wait_fired(struct shot *s, uint32_t n)
{
	uint64_t end = gmp_now() + LATE;

	while (fired(s) < n) {
		CHECK(gmp_now() < end);
		gmp_sleep(MS / 10);
	}
}

#endif
