/* SPDX-License-Identifier: MIT */
/*
 * pword.pml - the word of one P (lib/sched/p.c, syscall.c, world.c) as a model: an M that makes system
 * calls, sysmon that takes the P away, a second M that it is given to, one stop of the world. Checked:
 * never two Ms use the P; nobody uses it while the world is stopped; the stop comes about and ends;
 * sysmon takes the P only from the call that it decided about; no P is lost.
 *
 * The store that enters a call waits in a buffer for a while: there is no fence behind it. That is why
 * the stopper looks again and again (world.c).
 *
 * Seeded: BUG_PLAIN_RETURN (MO-8: the word is read, then written, on return), BUG_NO_SEQ (the
 * sequence does not grow), BUG_STOP_ONCE (the stopper looks once), BUG_TAKE_RUNNING (a P that runs is
 * taken as well).
 */
#define CALLS	2

mtype = { IDLE, RUNNING, SYSCALL, GCSTOP };

/* the word: status, whose, of which call; and what of it waits in the buffer of M 1 */
mtype status = RUNNING;
byte owner = 1, seq;
bool entering;

byte call, users = 1, given, waiting;
bool stop, over;

#define IS(st, m, s)	(status == st && owner == m && seq == s)

#ifdef BUG_TAKE_RUNNING
#define TAKEABLE(st)	((st) == SYSCALL || (st) == RUNNING)
#else
#define TAKEABLE(st)	((st) == SYSCALL)
#endif

inline set(st, m)
{
	status = st; owner = m
}

active proctype buffer()
{
end:	do
	:: atomic { entering -> entering = false; set(SYSCALL, 1) }
	od
}

/* g0 of whoever has the P: stops if it must. The P is held, users == 1. */
inline safe_point(m)
{
	if
	:: stop -> atomic { users--; assert(IS(RUNNING, m, seq)); set(GCSTOP, 0) } ; gone = true
	:: else -> gone = false
	fi
}

/* Sleeps until it is given the idle P. */
inline acquire(m)
{
	atomic { status == IDLE && !stop -> set(RUNNING, m); users++; assert(users == 1) }
}

active proctype m1()
{
	bool gone, ok;
	byte mine;

	do
	:: call < CALLS ->
		safe_point(1);
		if :: gone -> acquire(1) :: else fi;
		atomic {
			users--;
			call++;
#ifdef BUG_NO_SEQ
			mine = 0;
#else
			mine = call;
#endif
			seq = mine;	/* nobody looks at it while the status is RUNNING */
			entering = true
		}
		if
		:: stop -> atomic { !entering; if :: IS(SYSCALL, 1, mine) -> set(GCSTOP, 0) :: else fi }
		:: skip
		fi;
		!entering;		/* the call lasts that long at least: own stores come first */
		if
		:: call == CALLS -> goto inside	/* one that does not return */
		:: skip
		fi;
#ifdef BUG_PLAIN_RETURN
		ok = IS(SYSCALL, 1, mine);
		if :: ok -> set(RUNNING, 1); users++; assert(users == 1) :: else fi;
#else
		atomic {
			ok = IS(SYSCALL, 1, mine);
			if :: ok -> set(RUNNING, 1); users++; assert(users == 1) :: else fi
		}
#endif
		if :: !ok -> acquire(1) :: else fi
	:: else -> break
	od;
	safe_point(1);
	if
	:: !gone -> atomic { users--; set(IDLE, 0) }
	:: else
	fi;
inside:	skip
}

/* The one the P is handed to; gives it back when it has nothing to do. */
active proctype m2()
{
	bool gone;

end:	do
	:: atomic { given > 0 -> given-- }
		atomic { status == RUNNING && owner == 2 -> users++; assert(users == 1) }
		safe_point(2);
		if
		:: !gone -> atomic { users--; set(IDLE, 0) }
		:: else
		fi
	od
}

active proctype sysmon()
{
	mtype st;
	byte o, s, during;

end:	do
	:: atomic { (TAKEABLE(status) && !stop) || over; st = status; o = owner; s = seq; during = call }
		if
		:: TAKEABLE(st) && !stop ->
			atomic {
				if
				:: IS(st, o, s) ->
					assert(during == call);
					set(IDLE, 0)
				:: else -> goto end
				fi
			}
			/* handed on, unless the stopper or M 1 came first */
			atomic {
				if
				:: status == IDLE && !stop -> set(RUNNING, 2); given++
				:: else
				fi
			}
		:: else -> if :: over -> break :: else fi
		fi
	od
}

active proctype stopper()
{
	stop = true;
	atomic {			/* looks again until it is so */
		if
		:: status == IDLE || status == SYSCALL -> set(GCSTOP, 0)
		:: status == GCSTOP
#ifdef BUG_STOP_ONCE
		:: else
#endif
		fi
	}
	status == GCSTOP;
	assert(users == 0);
	assert(users == 0 && status == GCSTOP);	/* for as long as it lasts */
	atomic { set(IDLE, 0); stop = false; over = true }
}

active proctype end_state()
{
	timeout;
	assert(call == CALLS && over && users == 0 && (status == IDLE || status == SYSCALL))
}
