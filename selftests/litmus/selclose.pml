/* SPDX-License-Identifier: MIT */
/*
 * selclose.pml - a select that waits for two channels and a limit, twice (lib/sync/select.c, sudog.h),
 * against a close of the one, a sender on the other and the timers of both rounds. Checked: each wait
 * is won once and by its own wakers; an element that was sent was received; nobody looks at a sudog
 * when its select has returned; a close is not waited past.
 *
 * Seeded: BUG_NO_EXCHANGE (MO-C3: who wins is read, then written), BUG_NO_LEAVE_LOCK (the losers'
 * sudogs are taken off without their channels' locks), BUG_NO_TICKET (every select has the same
 * number), BUG_READ_LATER (the locks' list is read after the last unlock).
 */
#define ROUNDS	2
#define NONE	9
#define TIMER	2	/* 0 and 1: the channels */

bool lock[2], queued[2], closed;
bool alive;			/* the sudogs and the lock list: the frame of the select */
byte ticket, won, woken = NONE, ready, round;
byte sent, received;
bool armed[ROUNDS];
byte saved;			/* rounds whose select is off its stack, which others unlock then */

inline acquire(i)
{
	atomic { !lock[i] -> lock[i] = true }
}

/* Sets ok. The sudog named t as the number to win. */
inline win(t)
{
#ifdef BUG_NO_EXCHANGE
	ok = (ticket == t && !won);
	if :: ok -> won = true :: else fi
#else
	atomic { ok = (ticket == t && !won); if :: ok -> won = true :: else fi }
#endif
}

inline wake(by)
{
	atomic { woken = by; ready++; assert(ready == 1) }
}

/* Channel i is locked: is the select in its queue, and ours to wake? */
inline take(i)
{
	ok = false;
	if
	:: queued[i] ->
		assert(alive);
		queued[i] = false;
		win(ticket)
	:: else
	fi;
	if :: ok -> assert(alive) :: else fi
}

active proctype closer()
{
	bool ok;

	acquire(0);
	closed = true;
	take(0);
	lock[0] = false;
	if :: ok -> wake(0) :: else fi
}

/* As a send that finds nobody: it tries again until it is over. */
active proctype sender()
{
	bool ok;

	do
	:: round < ROUNDS ->
		acquire(1);
		take(1);
		if :: ok -> sent++ :: else fi;
		lock[1] = false;
		if :: ok -> wake(1); break :: else fi
	:: break
	od
}

/* Off the heap, then called: a deletion that comes between the two does not stop it. */
active [ROUNDS] proctype timer()
{
	byte mine = _pid - 2;
	bool ok;

end:	atomic { armed[mine] -> armed[mine] = false }
#ifdef BUG_NO_TICKET
	win(1);
#else
	win(mine + 1);
#endif
	if :: ok -> wake(TIMER + mine) :: else fi
}

inline leave(i)
{
#ifdef BUG_NO_LEAVE_LOCK
	if :: queued[i] -> queued[i] = false :: else fi
#else
	if
	:: woken != i -> acquire(i); queued[i] = false; lock[i] = false
	:: else
	fi
#endif
}

/* parked(): what the M does once it has left the select; others may find that at the first unlock. */
active proctype unlocker()
{
	byte n;

end:	do
	:: saved > n ->
		assert(alive);
		lock[0] = false;
		assert(alive);
		lock[1] = false;
#ifdef BUG_READ_LATER
		assert(alive);
#endif
		n++
	od
}

active proctype selector()
{
	do
	:: round < ROUNDS ->
		acquire(0);
		acquire(1);
		if
		:: closed -> lock[0] = false; lock[1] = false; goto next
		:: else
		fi;
#ifdef BUG_NO_TICKET
		atomic { ticket = 1; won = false; alive = true };
#else
		atomic { ticket = round + 1; won = false; alive = true };
#endif
		queued[0] = true;
		queued[1] = true;
		armed[round] = true;
		saved++;
		atomic { ready == 1 -> ready = 0 }
		armed[round] = false;
		if
		:: woken == 0 -> assert(closed)
		:: woken == 1 -> received++
		:: woken >= TIMER -> assert(woken == TIMER + round)
		fi;
		leave(0);
		leave(1);
		alive = false;
		woken = NONE;
next:		round++
	:: else -> break
	od;
	assert(sent == received)
}

active proctype end_state()
{
	timeout;
	assert(round == ROUNDS && ready == 0)
}
