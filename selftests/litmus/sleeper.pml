/* SPDX-License-Identifier: MIT */
/*
 * sleeper.pml - who sleeps until when (lib/sched/sysmon.c nap(), lib/sched/find.c sleep_in_poll(),
 * lib/sched/time.c tell()) as a model. Checked: when all is quiet nobody who has to keep the first
 * deadline sleeps past it.
 *
 * ROLE 2: sysmon in a long nap (MO-13): publishes the end of its nap, fences, reads the timers, sleeps; 0 is
 * awake. ROLE 1: the M that sleeps in the poll for all (MO-10): says so by an exchange (lastpoll), reads the
 * timers, publishes the end of its sleep (0: not said yet), reads the timers once more. The other side
 * publishes a deadline, fences, reads that, and wakes. Deadlines are 1 and 2; FAR is none.
 *
 * A store waits in a buffer of its thread until a fence or a locked instruction, or until the machine
 * pleases (x86).
 *
 * Also with: -DROLE=1
 *
 * Seeded, sysmon: BUG_NO_FENCE_SLEEP, BUG_NO_FENCE_TELL, BUG_NO_LOOK (the timers are not read again),
 * BUG_TELL_FIRST (told before the deadline is published). The poll: BUG_NO_FENCE_POLL (neither the
 * exchange nor the fence before the second look; on x86 one of them would do), BUG_LATER (the end that was
 * published is replaced by a later one: who armed in between relies on the first).
 */
#if !defined(ROLE) && (defined(BUG_NO_FENCE_POLL) || defined(BUG_LATER))
#define ROLE	1
#endif
#ifndef ROLE
#define ROLE	2
#endif
#define FAR	3

/* What all see, and what still lies in its writer's buffer. */
byte deadline = FAR, until;
bool polling;
byte first_buffered;		/* 0: nothing */
bool until_buffered, polling_buffered;
byte until_value;

byte heap = FAR;		/* the timers, under their lock */
bool told, asleep, done[2];
byte wakes_at;

inline flush_first() { atomic { if :: first_buffered -> deadline = first_buffered; first_buffered = 0 :: else fi } }
inline flush_polling() { atomic { if :: polling_buffered -> polling = true; polling_buffered = false :: else fi } }
/* in order */
inline flush_sleeper() { atomic { flush_polling(); if :: until_buffered -> until = until_value; until_buffered = false :: else fi } }
inline publish(value) { atomic { if :: until_buffered -> flush_sleeper() :: else fi; until_value = value; until_buffered = true } }

active proctype buffers()
{
end:	do
	:: atomic { first_buffered -> flush_first() }
	:: atomic { polling_buffered -> flush_polling() }
	:: atomic { until_buffered && !polling_buffered -> flush_sleeper() }
	od
}

/*
 * heap_publish() and tell(). The heap has a lock, and its release is a store in the same buffer: who takes it
 * sees what lay before it there.
 */
proctype armer(byte i; byte when)
{
	byte sleeps_until;
	bool polls;

#ifdef BUG_TELL_FIRST
	polls = polling;
	sleeps_until = until;
#endif
	atomic {
		if
		:: when < heap -> heap = when; flush_first(); first_buffered = when
		:: else -> goto out
		fi
	}
#ifndef BUG_NO_FENCE_TELL
	flush_first();
#endif
#ifndef BUG_TELL_FIRST
	polls = polling;
	sleeps_until = until;
#endif
	if
#if ROLE == 1
	:: polls && (sleeps_until == 0 || sleeps_until > when) -> told = true
#else
	:: sleeps_until > when -> told = true
#endif
	:: else
	fi;
out:	done[i] = true
}

active proctype sleeper()
{
	byte mine, again;

#if ROLE == 1
	polling_buffered = true;
#ifndef BUG_NO_FENCE_POLL
	flush_polling();
#endif
#endif
	mine = deadline;
	publish(mine);
#if ROLE == 1
#ifndef BUG_NO_FENCE_POLL
	flush_sleeper();
#endif
	again = deadline;
	if
	:: again < mine -> mine = again; publish(mine)
#ifdef BUG_LATER
	:: else -> mine = FAR
#else
	:: else
#endif
	fi;
#else
#ifndef BUG_NO_FENCE_SLEEP
	flush_sleeper();
#endif
#ifndef BUG_NO_LOOK
	again = deadline;
	if
	:: again < mine -> goto awake
	:: else
	fi;
#endif
#endif
	atomic { wakes_at = mine; asleep = true }
end:	atomic { told -> asleep = false }
awake:	skip
}

init
{
	atomic { run armer(0, 2); run armer(1, 1) }
	/* quiet: all is out of the buffers, both have told whom they had to tell */
end:	atomic {
		done[0] && done[1] && !first_buffered && !until_buffered && !polling_buffered && asleep && !told;
		assert(wakes_at <= deadline)
	}
}
