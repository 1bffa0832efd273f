/* SPDX-License-Identifier: MIT */
/*
 * tied.pml - goroutines that were stopped where they did not ask for it (lib/sched/tied.c) as a model. Each
 * takes a lock of a library that knows nothing of us, may be stopped while it has it, and gives it back.
 * Checked: all of them end.
 *
 * One P, with the kernel's handoff: who waits for the lock sleeps with its thread and lets the P go; when it
 * has the lock and its P was taken, it is tied to its thread as LOST. One that is stopped by a signal is
 * tied as STOPPED. An M that was given the P runs its tied goroutine first; after that it gives way when
 * there is more to do. An M that sleeps idle takes a free P when something is queued (the standby, rt_m_start()).
 *
 * Seeded: BUG_SHARE_LOST, BUG_SHARE_STOPPED (another goroutine runs on the thread of such a one: it may wait
 * for the lock there, and the one that has it never goes on), BUG_NOT_SERVED (an M that waits with a tied
 * goroutine is not work for who has the P).
 */
#define GS	3
#define MS	4	/* a thread for each, and a standby */
#define NONE	255
#define STOPPED	1
#define LOST	2

byte owner = NONE;		/* the M that has the P; NONE: it is idle, or blocked and so takeable */
byte lock_of = NONE;
bool queued[GS], done[GS];
byte tied[MS] = NONE, kind[MS];
bool granted[MS];

#define any_queued	(queued[0] || queued[1] || queued[2])
#define waits(m)	(tied[m] != NONE && owner != m)
#define any_waits	(waits(0) || waits(1) || waits(2) || waits(3))
#define all_done	(done[0] && done[1] && done[2])

inline pick(g)
{
	if
	:: queued[0] -> queued[0] = false; g = 0
	:: queued[1] -> queued[1] = false; g = 1
	:: queued[2] -> queued[2] = false; g = 2
	fi
}

/* May others run on this thread? */
bool shares_lost, shares_stopped;
#define shares(m)	((kind[m] == LOST && shares_lost) || (kind[m] == STOPPED && shares_stopped))

proctype m(byte me)
{
	byte g, stops;

idle:	/* or waiting with a tied goroutine; a thread that runs nothing holds nothing */
	atomic {
		if
#ifndef BUG_NOT_SERVED
		:: owner == NONE && tied[me] != NONE -> owner = me; granted[me] = true
#endif
		:: owner == NONE && tied[me] == NONE && any_queued -> owner = me
		:: all_done -> goto out
		fi
	}
sched:	atomic {
		if
		:: tied[me] != NONE && (granted[me] || (!any_queued && !any_waits)) ->
			g = tied[me]; tied[me] = NONE; granted[me] = false; goto holds
		:: tied[me] != NONE && !granted[me] && (any_queued || any_waits) && !shares(me) ->
			owner = NONE; goto idle		/* leave_to_others() */
		:: tied[me] != NONE && shares(me) && any_queued -> pick(g)
		:: tied[me] == NONE && any_queued -> pick(g)
		:: tied[me] == NONE && (!any_queued || any_waits) ->
			owner = NONE; goto idle		/* nothing to do, or serve_tied() */
		fi
	}
	atomic {			/* pthread_mutex_lock() */
		if
		:: lock_of == NONE -> lock_of = g; goto holds
		:: else -> owner = NONE		/* sleeps: the P may go */
		fi
	}
	atomic { lock_of == NONE -> lock_of = g };
back:	atomic {			/* awake: is the P still there? */
		if
		:: owner == NONE -> owner = me
		:: owner != NONE && tied[me] == NONE -> tied[me] = g; kind[me] = LOST; goto idle
		fi
	}
holds:	atomic {
		assert(lock_of == g);
		if
		:: stops < 2 && tied[me] == NONE ->
			stops++; tied[me] = g; kind[me] = STOPPED; goto sched
		:: stops < 2 && tied[me] == NONE ->
			stops++; owner = NONE; goto back	/* sleeps with the lock */
		:: lock_of = NONE; done[g] = true; goto sched
		fi
	}
out:	skip
}

init
{
	atomic {
		byte i = 0;
#ifdef BUG_SHARE_LOST
		shares_lost = true;
#endif
#ifdef BUG_SHARE_STOPPED
		shares_stopped = true;
#endif
		do
		:: i < GS -> queued[i] = true; i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < MS -> run m(i); i++
		:: else -> break
		od
	}
}
