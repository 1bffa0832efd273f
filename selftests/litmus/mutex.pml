/* SPDX-License-Identifier: MIT */
/*
 * mutex.pml - lib/sync/mutex.c as a model: mutual exclusion, no waiter left behind, and what the state
 * says is true of the queue. The bucket's lock makes "CAS and queue" one step; popping is another.
 * When a waiter begins to starve, and whether it spins, is left to chance.
 *
 * Seeded: BUG_WOKEN_STAYS (the woken one leaves WOKEN set), BUG_QUEUE_APART (the exchange and the
 * queueing are two steps), BUG_NO_HANDOFF (a starving waiter is woken, not given the lock).
 */
#define N	3	/* goroutines */
#ifndef ROUNDS
#define ROUNDS	2	/* locks each */
#endif
#define LOCKED	1
#define WOKEN	2
#define STARVING 4
#define WAITER	8

byte state, inside, qlen, q[N];
bool granted[N];

inline push(id, lifo)
{
	if
	:: lifo ->
		j = qlen;
		do
		:: j > 0 -> q[j] = q[j - 1]; j--
		:: else -> break
		od;
		q[0] = id
	:: else -> q[qlen] = id
	fi;
	qlen++; j = 0
}

inline pop_and_grant()
{
	assert(qlen > 0);	/* "sync: inconsistent mutex state" */
	granted[q[0]] = true;
	j = 1;
	do
	:: j < qlen -> q[j - 1] = q[j]; j++
	:: else -> break
	od;
	qlen--; j = 0
}

active [N] proctype goroutine()
{
	byte old, new, j, round;
	bool awoke, starving, waited, spun, wake;

again:	atomic {
		if
		:: state == 0 -> state = LOCKED; goto got
		:: else
		fi
	}
slow:	old = state;
	if
	:: (old & (LOCKED | STARVING)) == 0 ->
		new = (old | LOCKED);
#ifndef BUG_WOKEN_STAYS
		if :: awoke -> new = new & 253 :: else fi;
#endif
		atomic {
			if
			:: state == old -> state = new; goto got
			:: else -> goto slow
			fi
		}
	:: (old & LOCKED) && !(old & STARVING) && !spun ->
		spun = true;
		atomic {
			if
			:: !awoke && !(old & WOKEN) && old >= WAITER && state == old ->
				state = old | WOKEN; awoke = true
			:: else
			fi
		}
		goto slow
	:: (old & (LOCKED | STARVING)) != 0 ->
		new = old + WAITER;
		if :: starving && (old & LOCKED) -> new = new | STARVING :: else fi;
		if :: awoke -> new = new & 253 :: else fi;
		atomic {
			if
			:: state == old ->
				state = new; granted[_pid] = false;
#ifndef BUG_QUEUE_APART
				push(_pid, waited)
#endif
			:: else -> goto slow
			fi
		}
#ifdef BUG_QUEUE_APART
		atomic { push(_pid, waited) };
#endif
		granted[_pid];
		if :: starving = true :: skip fi;
		old = state;
		if
		:: old & STARVING ->
			assert(!(old & (LOCKED | WOKEN)) && old >= WAITER);
			new = WAITER - LOCKED;
			if :: !starving || old / WAITER == 1 -> new = new + STARVING :: else fi;
#ifdef BUG_NO_HANDOFF
			goto slow
#else
			atomic { state = state - new; goto got }
#endif
		:: else
		fi;
		awoke = true; waited = true; spun = false;
		goto slow
	fi;

got:	assert(inside == 0 && (state & LOCKED));
	inside++;
	inside--;
unlock:	old = state;
	assert(old & LOCKED);
	new = old - LOCKED;
	wake = (old & STARVING) != 0;
	if
	:: !wake && old >= WAITER && !(old & WOKEN) -> new = (new - WAITER) | WOKEN; wake = true
	:: else
	fi;
	atomic {
		if
		:: state == old -> state = new
		:: else -> goto unlock
		fi
	}
	atomic { if :: wake -> pop_and_grant() :: else fi }
	awoke = false; starving = false; waited = false; spun = false;
	round++;
	if
	:: round < ROUNDS -> goto again
	:: else
	fi
}

/* Nobody parked for ever is spin's invalid end state. */
active proctype end_state()
{
	timeout;
	assert(qlen == 0 && state == 0)
}
