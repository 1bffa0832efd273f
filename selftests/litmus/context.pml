/* SPDX-License-Identifier: MIT */
/*
 * context.pml - the end of a context with a deadline (lib/sync/context.c): two users' unrefs, one of them
 * after a cancel, against the timer function. Checked: freed exactly once, nothing touched after.
 *
 * Seeded: BUG_NO_REAP (MO-S17: the last unref frees although the timer function may be under way),
 * BUG_RAN_EARLY (the timer function says that it is through before it is).
 */
byte refs = 2, freed;
bool heap = true, armed = true, timer_ran, reap, ended, wrong;

#define ALIVE	assert(freed == 0)

inline may_free(yes)
{
	yes = false;
	ALIVE;
	if
	:: !armed -> yes = true
	:: else ->
		atomic { was = heap; heap = false }	/* rt_timer_del() */
		ALIVE;
		if
		:: was -> yes = true
		:: else ->
			if
			:: timer_ran -> yes = true
			:: else ->
				ALIVE;
#ifdef BUG_NO_REAP
				yes = true
#else
				atomic { yes = reap; reap = true }
#endif
			fi
		fi
	fi
}

inline put()
{
	ALIVE;
	atomic { refs--; last = (refs == 0) }
	if
	:: last ->
		may_free(yes);
		if :: yes -> freed++ :: else fi
	:: else
	fi
}

inline end_it()
{
	ALIVE;
	atomic { was = ended; ended = true }
	if
	:: !was ->
		if
		:: armed ->
			ALIVE;
			atomic { was = heap; heap = false }
			if :: was -> armed = false :: else fi
		:: else
		fi
	:: else
	fi
}

active [2] proctype user()
{
	bool was, yes, last;

	if :: end_it() :: skip fi;
	put()
}

active proctype timer()
{
	bool was, yes, last;

	if
	:: atomic { heap -> heap = false }	/* off the heap, then called */
	:: atomic { !heap -> goto out }		/* deleted */
	fi;
	ALIVE;
	atomic { yes = (refs > 0); if :: yes -> refs++ :: else fi }
	if
	:: yes ->
#ifdef BUG_RAN_EARLY
		timer_ran = true; refs--;
		end_it()
#else
		end_it();
		timer_ran = true;
		put()
#endif
	:: else ->
		ALIVE;
		atomic { was = reap; reap = true }
		if :: was -> freed++ :: else fi
	fi;
out:	skip
}

active proctype end_state()
{
	timeout;
	assert(freed == 1)
}
