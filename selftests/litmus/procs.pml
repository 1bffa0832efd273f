/* SPDX-License-Identifier: MIT */
/*
 * procs.pml - the number of Ps that was chosen against the one that follows the CPUs (lib/sched/world.c
 * gmp_maxprocs(), lib/sched/follow.c) as a model. MO-12. Checked: what was chosen stays.
 *
 * gmp_maxprocs(): procs_fixed set, fence, procs_update read; with an update on its way, or another number, it
 * stops the world. sysmon: procs_update set, fence, procs_fixed read; then a goroutine stops the world, and
 * there looks at procs_fixed again.
 *
 * Stores lie in a buffer until a fence (x86); stopping the world is one.
 *
 * Also with: -DCHOSEN=4
 *
 * Seeded: BUG_NO_FENCE_CHOICE, BUG_NO_LOOK (the follower does not look again with the world stopped),
 * BUG_NOT_BUSY (the same number as now is taken for chosen although an update is on its way).
 * The follower's own fence saves a goroutine made in vain: that look does not rest on it.
 */
#ifndef CHOSEN
#define CHOSEN	2		/* as it is now */
#endif
#define FOLLOWED	3

byte maxprocs = 2;
bool fixed, update, fixed_buffered, update_buffered, world, done;
bool followed;

active proctype buffers()
{
end:	do
	:: atomic { fixed_buffered -> fixed_buffered = false; fixed = true }
	:: atomic { update_buffered -> update_buffered = false; update = true }
	od
}

inline flush_fixed() { atomic { if :: fixed_buffered -> fixed_buffered = false; fixed = true :: else fi } }
inline flush_update() { atomic { if :: update_buffered -> update_buffered = false; update = true :: else fi } }

active proctype chooser()
{
	bool busy;

	fixed_buffered = true;
#ifndef BUG_NO_FENCE_CHOICE
	flush_fixed();
#endif
	busy = update;
	if
#ifdef BUG_NOT_BUSY
	:: maxprocs == CHOSEN -> skip
#else
	:: maxprocs == CHOSEN && !busy -> skip
#endif
	:: else ->
		atomic { !world -> world = true };
		flush_fixed();
		maxprocs = CHOSEN;
		world = false
	fi;
	done = true
}

active proctype follower()
{
	update_buffered = true;
	flush_update();
	if
	:: fixed -> goto over
	:: else
	fi;
	atomic { !world -> world = true };
	flush_update();
#ifndef BUG_NO_LOOK
	if
	:: fixed -> goto start
	:: else
	fi;
#endif
	maxprocs = FOLLOWED;
start:	world = false;
over:	flush_update();
	atomic { update = false; followed = true }
}

init
{
end:	atomic { done && followed && !fixed_buffered; assert(maxprocs == CHOSEN) }
}
