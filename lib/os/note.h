/* SPDX-License-Identifier: MIT */
/*
 * note.h - one-shot sleep and wake-up of a thread (Go's note).
 *
 * One sleeper, any waker. A wake-up before the sleep is not lost: the sleep returns at once.
 * rt_note_clear() only when no wake-up can be on its way.
 */
#ifndef RT_NOTE_H
#define RT_NOTE_H

#include "base/atomic.h"

struct rt_note {
	uint32_t key;		/* 0 clear, 1 woken; atomic, MO-3 */
};

static inline void rt_note_clear(struct rt_note *n)
{
	rt_store_rlx(&n->key, 0);
}

void rt_note_sleep(struct rt_note *n);
/* True when woken, false when @ns nanoseconds went by; @ns < 0 sleeps without limit. */
bool rt_note_sleep_for(struct rt_note *n, int64_t ns);
/* Context: any thread, also signal handlers. Idempotent. */
void rt_note_wake(struct rt_note *n);

#endif
