/* SPDX-License-Identifier: MIT */
/*
 * park.pml - rt_park_unlock() and rt_ready() of lib/sched/wakeup.c as a model: one G that waits for
 * events behind a lock, two Ms that may carry it, two wakers. Checked: its stack is never used by two
 * Ms, it is queued once, each status follows the last one, no event is waited for in vain.
 *
 * The rule of design.rst: a G is found by others only after its context is saved; so the lock of its
 * wait list is released by whoever runs next, which is the step after `saved`.
 *
 * Seeded: BUG_UNLOCK_FIRST (the lock goes before the context is saved), BUG_LOOK_FIRST (the condition
 * is read before the lock is taken), BUG_READY_TWICE (a waker does not take the G off the list).
 */
#define EVENTS	2

mtype = { RUNNABLE, RUNNING, WAITING };
mtype status = RUNNABLE;
bool lock, listed, saved = true;
byte queued = 1, on_stack, events, consumed;

inline acquire()
{
	atomic { !lock -> lock = true }
}

/* On the stack of the G, until it is left. */
inline user_code()
{
	do
#ifdef BUG_LOOK_FIRST
	:: consumed < EVENTS && events > 0 -> acquire(); events--; consumed++; lock = false
	:: consumed < EVENTS && events == 0 -> acquire();
#else
	:: consumed < EVENTS -> acquire();
		if
		:: events > 0 -> events--; consumed++; lock = false; goto more
		:: else
		fi;
#endif
		listed = true;
		status = WAITING;
#ifdef BUG_UNLOCK_FIRST
		lock = false;
		on_stack--; saved = true;
#else
		on_stack--; saved = true;	/* the switch; from here on another stack */
		lock = false;
#endif
		break
	:: consumed == EVENTS -> on_stack--; goto out
more:	skip
	od
}

active [2] proctype m()
{
end:	do
	:: atomic { queued > 0 -> queued-- }
		assert(status == RUNNABLE);
		status = RUNNING;
		assert(saved && on_stack == 0);
		saved = false;
		on_stack++;
		user_code()
	od;
out:	skip
}

active [EVENTS] proctype waker()
{
	acquire();
	if
	:: listed ->
#ifndef BUG_READY_TWICE
		listed = false;
#endif
		events++;
		lock = false;
		assert(status == WAITING);
		status = RUNNABLE;
		atomic { queued++; assert(queued == 1) }
	:: else -> events++; lock = false
	fi
}

active proctype end_state()
{
	timeout;
	assert(consumed == EVENTS)
}
