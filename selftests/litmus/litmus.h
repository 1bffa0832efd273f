/* SPDX-License-Identifier: MIT */
/*
 * litmus.h - what the hb_*_test.c programs share: one case for each line of "What happens before what"
 * in Documentation/memory-model.rst.
 *
 * The message is plain memory on several cache lines: only the edge under test makes it legal to read
 * it on the other side. So a case fails in two ways: a word is stale or torn, here; or, in a build
 * with ThreadSanitizer, the reader is reported, whatever the hardware made of it.
 *
 *   msg_put(&m, k)     one side, before the edge        msg_check(&m, k)   the other, after it
 *   jitter(&seed)      now and then lets the other side come first: parks, yields, spins
 */
#ifndef LITMUS_H
#define LITMUS_H

#include <gmprt.h>

#include "gmptest.h"

#define MSG_WORDS	4
#define ROUNDS		2000

struct msg {
	struct {
		uint64_t v;
		char pad[56];
	} at[MSG_WORDS];
};

/* The first word last and the last first: a reader that comes too early sees it on either side. */
static inline void msg_put(struct msg *m, uint64_t k)
{
	for (int i = MSG_WORDS - 1; i >= 0; i--)
		m->at[i].v = k;
}

static inline void msg_check(const struct msg *m, uint64_t k)
{
	for (int i = 0; i < MSG_WORDS; i++)
		CHECK_EQ(m->at[i].v, k);
}

/* Drawn before any goroutine runs: from then on it is only read. */
__attribute__((constructor)) static void litmus_seed(void)
{
	gmptest_seed();
}

static inline void jitter(uint64_t *seed)
{
	uint32_t r = gmptest_rand(seed);

	if (r % 8 == 0)
		gmp_yield();
	else if (r % 512 == 1)
		gmp_sleep(20000);
	else if (r % 4 == 2)
		for (uint32_t i = 0; i < r % 256; i++)
			__asm__ __volatile__("pause");
}

#endif
