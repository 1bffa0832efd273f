/* SPDX-License-Identifier: MIT */
/*
 * spinning.pml - MO-6 (lib/sched/wakeup.c, find.c) as a model: work is queued on a P whose owner then
 * computes for ever; the other Ps must come and get it. Two submitters, two other Ps. Checked: when
 * nothing moves any more, there is no work in a queue with a P idle.
 *
 * Stores wait in a buffer until their thread's next full fence, or until chance flushes them; so a
 * fence that is missing shows. nmspinning-- waits there too: an acquire-release exchange does not
 * order a later load of something else.
 *
 * Seeded: BUG_NO_S2, BUG_NO_T2 (a fence is missing), BUG_NO_T3 (the queues are not looked at again),
 * BUG_NO_CHAIN (who found work does not start the next).
 */
#define WORK	2
#define OTHERS	2	/* Ms with, at first, a P each: one spins, one sleeps with its P idle */

short work, nmspinning = 1, npidle = OTHERS - 1;
byte wanted;			/* Ms that were started and have to come */
bool put[WORK], left[OTHERS];	/* store buffers: a G in the queue; nmspinning-- */

/* What the hardware does on its own. */
active proctype buffers()
{
	byte i;

end:	do
	:: atomic { put[0] -> put[0] = false; work++ }
	:: atomic { put[1] -> put[1] = false; work++ }
	:: atomic { left[0] -> left[0] = false; nmspinning-- }
	:: atomic { left[1] -> left[1] = false; nmspinning-- }
	od
}

inline wakep()
{
	if
	:: nmspinning == 0 ->
		atomic { ok = (nmspinning == 0); if :: ok -> nmspinning++ :: else fi }
		if :: ok -> wanted++ :: else fi
	:: else
	fi
}

proctype submitter(byte i)
{
	bool ok;

	put[i] = true;			/* S1 */
#ifndef BUG_NO_S2
	!put[i];			/* S2 */
#endif
	if
	:: npidle != 0 -> wakep()	/* S3 */
	:: else
	fi
}

/* With a P, spinning. True in ok: has work, and runs it for ever. */
inline look()
{
	atomic { ok = (work > 0); if :: ok -> work-- :: else fi }
}

proctype m(byte i; bool spinning)
{
	bool ok;

	if :: spinning -> goto spin :: else fi;
sleep:
end:	atomic { wanted > 0 -> wanted-- }
	atomic { ok = (npidle > 0); if :: ok -> npidle-- :: else fi }
	if
	:: !ok -> nmspinning--; goto sleep	/* no P for it */
	:: else
	fi;
spin:	look();
	if
	:: ok ->
		nmspinning--;
#ifndef BUG_NO_CHAIN
		if :: npidle > 0 -> wakep() :: else fi;
#endif
		goto out
	:: else
	fi;
	npidle++;			/* under sched.lock */
	left[i] = true;			/* T1 */
#ifndef BUG_NO_T2
	!left[i];			/* T2 */
#endif
#ifndef BUG_NO_T3
	if
	:: work > 0 ->			/* T3 */
		atomic { ok = (npidle > 0); if :: ok -> npidle-- :: else fi }
		if :: ok -> nmspinning++; goto spin :: else fi
	:: else
	fi;
#endif
	goto sleep;
out:	skip
}

init
{
	atomic { run m(0, true); run m(1, false); run submitter(0); run submitter(1) }
	timeout;
	assert(!(work > 0 && npidle > 0))
}
