/* SPDX-License-Identifier: MIT */
/*
 * netpoll.pml - a semaphore of a poll descriptor (lib/io/netpoll.c, drawn in netpoll.h) as a model: one
 * waiter, the poller, and a deadline or close. MO-N4, MO-N5. Checked: a goroutine is readied once, and only
 * when its context is saved; no readiness is lost; nobody waits past a deadline that was set.
 *
 * The waiter blocks until there is a report, or its deadline has come; one that was moved while it woke is
 * none (rt_netpoll_wait()). There is a report, a deadline, or both, and then the deadline is moved away. Stores lie in a buffer until a fence or a locked instruction (x86): `info`. The semaphore
 * is changed by locked instructions only.
 *
 * Seeded: BUG_NO_LOOK (WAIT is set, and info not read after it), BUG_LOOK_FIRST (info is read before),
 * BUG_NO_FENCE_SET (the semaphore is read while info is in the buffer), BUG_PLAIN_COMMIT (the G is put in without a
 * look whether WAIT is still there), BUG_EARLY_COMMIT (... before its context is saved), BUG_PLAIN_END
 * (the last exchange is a read and a store).
 */
#define NIL	0
#define READY	1
#define WAIT	2
#define G	3

byte sem = NIL;
bool info, info_buffered;	/* EXPIRED or CLOSING */
bool saved, parked, readied;	/* of the goroutine */
bool with_data, with_deadline;	/* what there is */
bool chosen, woken;
byte readies;

active proctype buffers()
{
end:	do
	:: atomic { info_buffered -> info_buffered = false; info = true }
	od
}

inline make_ready() { atomic { assert(saved); assert(parked); readies++; assert(readies == 1); readied = true } }

/* rt_netpoll_ready() */
active proctype report()
{
	byte old;

end:	chosen && with_data;
	atomic { old = sem; if :: old == READY :: else -> sem = READY fi };
	if
	:: old == G -> make_ready()
	:: else
	fi
}

/* rt_netpoll_set_deadline(), rt_netpoll_evict() */
active proctype deadline()
{
	byte old;

end:	chosen && with_deadline;
	info_buffered = true;
#ifndef BUG_NO_FENCE_SET
	atomic { if :: info_buffered -> info_buffered = false; info = true :: else fi };
#endif
	/* take_out(): reads; only what is worth it is exchanged */
again:	old = sem;
	if
	:: old == READY || old == NIL
	:: else ->
		atomic { if :: sem == old -> sem = NIL :: else -> goto again fi };
		if
		:: old == G -> make_ready()
		:: else
		fi
	fi;
	/* moved into the future */
	if
	:: with_data -> atomic { info_buffered = false; info = false }
	:: else
	fi
}

inline park()
{
#ifdef BUG_EARLY_COMMIT
	atomic { if :: sem == WAIT -> sem = G; parked = true :: else -> goto unparked fi };
	saved = true;
#else
	saved = true;
#ifdef BUG_PLAIN_COMMIT
	atomic { sem = G; parked = true };
#else
	atomic { if :: sem == WAIT -> sem = G; parked = true :: else -> goto unparked fi };
#endif
#endif
	readied;
unparked:
	atomic { saved = false; parked = false; readied = false; readies = 0 }
}

active proctype waiter()
{
	byte old;
	bool late;

	chosen;
	/* rt_netpoll_wait(), block() */
again:	late = info;
	if
	:: late -> goto out
	:: else
	fi;
	atomic {
		if
		:: sem == NIL -> sem = WAIT
		:: sem == READY -> sem = NIL; goto out
		fi
	};
#ifndef BUG_NO_LOOK
#ifndef BUG_LOOK_FIRST
	late = info;
#endif
#endif
	if
	:: late
	:: else -> park()
	fi;
#ifdef BUG_PLAIN_END
	old = sem;
	sem = NIL;
#else
	atomic { old = sem; sem = NIL };
#endif
	assert(old != G);
	if
	:: old != READY -> goto again
	:: else
	fi;
out:	woken = true
}

init
{
	atomic {
		if
		:: with_data = true
		:: with_deadline = true
		:: with_data = true; with_deadline = true
		fi;
		chosen = true
	};
	woken
}
