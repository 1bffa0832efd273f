/* SPDX-License-Identifier: MIT */
/*
 * wg.pml - lib/sync/waitgroup.c as a model: users that begin the next round as soon as their own wait
 * has returned. Checked: nobody is let go before the counter was 0 since it began to wait, and
 * nobody is left behind.
 *
 * Seeded: BUG_ANY_ROUND (who waits for a later round is let go as well), BUG_QUEUE_APART (the waiter
 * announces itself, and is in the queue only a step later).
 */
#define USERS	2
#define ROUNDS	2

byte counter, round, zeros, ended;	/* zeros: how often it was 0 (only to check) */
bool wait_bit, waits[USERS], granted[USERS];
byte in_round[USERS];

inline done()
{
	atomic {		/* the CAS */
		counter--;
		wake = false;
		if
		:: counter == 0 ->
			zeros++;
			wake = wait_bit;
			if :: wake -> mine = round; round++; wait_bit = false :: else fi
		:: else
		fi
	}
	atomic {		/* release_all(), under the lock */
		i = 0;
		do
		:: wake && i < USERS ->
			if
#ifdef BUG_ANY_ROUND
			:: waits[i] -> waits[i] = false; granted[i] = true
#else
			:: waits[i] && in_round[i] <= mine -> waits[i] = false; granted[i] = true
#endif
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

proctype worker()
{
	byte i, mine;
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
					in_round[_pid] = round;
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
