/* SPDX-License-Identifier: MIT */
/*
 * lock.pml - rt_lock and rt_unlock (lib/os/lock.h, lock.c) as a model: an unlock without a locked
 * instruction, and the fence bought by the one who sleeps. Checked: one holder at a time; nobody
 * sleeps on a lock that is free.
 *
 * Unlock stores the word and then loads `waiters`; the store waits in a buffer meanwhile. membarrier()
 * empties the buffers of all.
 *
 * Seeded: BUG_NO_MEMBARRIER (MO-2), BUG_COUNT_LATE (the waiter counts itself after its fence),
 * BUG_SLEEP_BLINDLY (the kernel does not compare the word before it lets the thread sleep).
 */
#define N	3

bool word, buffered[N];
byte waiters, inside, sleepers, wakeups;

active proctype buffers()
{
end:	do
	:: atomic { buffered[1] -> buffered[1] = false; word = false }
	:: atomic { buffered[2] -> buffered[2] = false; word = false }
	:: atomic { buffered[0] -> buffered[0] = false; word = false }
	od
}

inline futex_wait()
{
	atomic {
		if
#ifdef BUG_SLEEP_BLINDLY
		:: true -> sleepers++
#else
		:: word -> sleepers++
		:: else -> goto awake
#endif
		fi
	}
	atomic { wakeups > 0 -> wakeups-- }
awake:	skip
}

active [N] proctype thread()
{
	byte me = _pid - 1, round;
	bool ok;

	do
	:: round < 2 ->
		do
		:: atomic { ok = !word && !buffered[me]; if :: ok -> word = true :: else fi }
			if
			:: ok -> break
			:: else
			fi;
#ifdef BUG_COUNT_LATE
			atomic { !buffered[0] && !buffered[1] && !buffered[2] };
			waiters++;
#else
			waiters++;			/* W1 */
#ifndef BUG_NO_MEMBARRIER
			atomic { !buffered[0] && !buffered[1] && !buffered[2] };	/* W2 */
#endif
#endif
			futex_wait();			/* W3 */
			waiters--
		od;
		inside++;
		assert(inside == 1);
		inside--;
		buffered[me] = true;			/* U1 */
		if
		:: waiters > 0 ->			/* U2; a system call empties the buffer */
			!buffered[me];
			atomic { if :: sleepers > 0 -> sleepers--; wakeups++ :: else fi }
		:: else
		fi;
		round++
	:: else -> break
	od
}
