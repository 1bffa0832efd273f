/* SPDX-License-Identifier: MIT */
/*
 * lock.c - the slow path of the runtime's lock, and the note.
 *
 * Owns:       nothing beyond the words of lock.h and note.h.
 * Invariants: a thread sleeps on l->word only while l->waiters counts it.
 * Ordering:   MO-1 word acquire/release; MO-2 asymmetric Dekker, drawn below; MO-3 note.
 *
 *   unlock                         lock_slow
 *   U1 word = 0        (release)   W1 waiters++
 *   U2 read waiters                W2 membarrier(): a full fence in every running thread
 *                                  W3 futex_wait(word == 1)
 *
 * The fence lands in the unlocker before U1, between U1 and U2, or after U2. In the first two U2
 * sees the waiter and wakes it; in the last U1 is visible before W3, which then does not sleep. So
 * unlock pays no locked instruction. Rejected: exchange on unlock (2 ns on every channel operation);
 * a sleep with a time limit instead of the fence (a lost wake-up, only shorter).
 */
#include "os/lock.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>

#include "os/clock.h"
#include "os/futex.h"
#include "os/note.h"

#define SPINS		30	/* pauses; a held section is a few dozen instructions */
#define YIELD_NS	20000	/* without membarrier(): poll at this pace, never sleep unwoken */

static bool have_membarrier;	/* atomic: threads outside take locks while a run begins */

static long membarrier(int cmd)
{
	return rt_syscall6(SYS_membarrier, cmd, 0, 0, 0, 0, 0);
}

void rt_lock_init_once(void)
{
	rt_store_rlx(&have_membarrier, membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0);
}

/* Sleeps until somebody unlocks, or a little while where a wake-up cannot be promised. */
static void lock_sleep(struct rt_lock *l)
{
	static const struct timespec pace = { .tv_nsec = YIELD_NS };

	rt_add_rlx(&l->waiters, 1);
	if (rt_load_rlx(&have_membarrier)) {
		membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);	/* MO-2 */
		rt_futex_wait(&l->word, 1, NULL);
	} else {
		rt_futex_wait(&l->word, 1, &pace);
	}
	rt_sub_ar(&l->waiters, 1);
}

rt_cold void rt_lock_slow(struct rt_lock *l)
{
	for (;;) {
		for (int i = 0; i < SPINS; i++) {
			if (rt_trylock(l))
				return;
			rt_cpu_relax();
		}
		/* The holder may have lost its CPU: give it ours before paying for a sleep. */
		sched_yield();
		if (rt_trylock(l))
			return;
		lock_sleep(l);
	}
}

rt_cold void rt_lock_wake(struct rt_lock *l)
{
	rt_futex_wake(&l->word, 1);
}

void rt_note_sleep(struct rt_note *n)
{
	/* MO-3: acquire; pairs with the release in rt_note_wake(). */
	while (rt_load_acq(&n->key) == 0)
		rt_futex_wait(&n->key, 0, NULL);
}

bool rt_note_sleep_for(struct rt_note *n, int64_t ns)
{
	uint64_t end;

	if (ns < 0) {
		rt_note_sleep(n);
		return true;
	}
	end = rt_now() + (uint64_t)ns;
	while (rt_load_acq(&n->key) == 0) {
		uint64_t now = rt_now();
		struct timespec ts;

		if (now >= end)
			return false;
		ts.tv_sec = (time_t)((end - now) / 1000000000u);
		ts.tv_nsec = (long)((end - now) % 1000000000u);
		rt_futex_wait(&n->key, 0, &ts);
	}
	return true;
}

void rt_note_wake(struct rt_note *n)
{
	if (rt_xchg_ar(&n->key, 1) == 0)
		rt_futex_wake(&n->key, 1);
}
