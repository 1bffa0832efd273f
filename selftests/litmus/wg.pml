/* SPDX-License-Identifier: MIT */
/*
 * wg.pml - lib/sync/waitgroup.c as a model: users that begin the next round as soon as their own wait
 * has returned. Checked: nobody is let go before the counter was 0 since it began to wait, and
 * nobody is left behind.
 *
 * Seeded: BUG_RELEASE_APART (the counter is 0 a step before those who wait are let go: others have begun
 * to wait meanwhile), BUG_QUEUE_APART (the waiter announces itself, and is in the queue only a step later).
 */
#define USERS	2
#define ROUNDS	2

byte counter, zeros, ended;	/* zeros: how often it was 0 (only to check) */
bool wait_bit, waits[USERS], granted[USERS];

inline let_go()
{
	i = 0;
	do
	:: wake && i < USERS ->
		if
		:: waits[i] -> waits[i] = false; granted[i] = true
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0
}

/* Under the lock when somebody waits; else the exchange alone. */
inline done()
{
	atomic {
		counter--;
		wake = false;
		if
		:: counter == 0 ->
			zeros++;
			wake = wait_bit;
			wait_bit = false
		:: else
		fi;
#ifndef BUG_RELEASE_APART
		let_go()
#endif
	}
#ifdef BUG_RELEASE_APART
	atomic {
		let_go()
	}
#endif
}

proctype worker()
{
	byte i;
	bool wake;

	done();
	ended++
}

active [USERS] proctype user()
{
	byte n, before;

	do
	:: n < ROUNDS ->
		counter++;
		run worker();
		before = zeros;
		if
		:: counter == 0 -> skip
		:: true ->
			atomic {	/* the CAS and queueing, under the lock */
				if
				:: counter == 0 -> goto through
				:: else ->
					wait_bit = true;
					granted[_pid] = false;
#ifndef BUG_QUEUE_APART
					waits[_pid] = true
#endif
				fi
			}
#ifdef BUG_QUEUE_APART
			waits[_pid] = true;
#endif
			granted[_pid];
			assert(zeros > before)
		fi;
through:	n++
	:: else -> break
	od;
	ended++
}

active proctype end_state()
{
	ended == USERS + USERS * ROUNDS;
	assert(counter == 0 && !wait_bit)
}
