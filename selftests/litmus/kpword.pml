/* SPDX-License-Identifier: MIT */
/*
 * kpword.pml - the word of a P when the kernel sees its M block (kmod/handoff.c, lib/sched/handoff.c):
 * one P, three Ms, two goroutines. Goroutine 0 sleeps until the other one got on, in code that knows
 * nothing of us: if its P does not move on at once, nobody ever gets on. There is no sysmon here.
 *
 * Claims: who executes a goroutine's code and was not told that its P is lost holds the P (USER); who
 * touches the P's queue holds it, alone (touching); no wake-up and no P is lost (an end state in which
 * not all goroutines are over is invalid). Two locks: one of the runtime (rlock), and malloc's (heap), which
 * goroutine 0 may hold when it sleeps, and for which the runtime may wait with its P in hand. What follows a lost P is left to chance: the signal on the
 * way back to user mode comes, or cannot be sent, and the thread goes on until it enters the runtime.
 *
 *   spin -a kpword.pml && gcc -O2 -DSAFETY -o pan pan.c && ./pan -m500000
 *
 * Also with: -DBLOCKS=2 -DRUNS=2 -DNOHEAP
 */
#define MS	3
#define NONE	9
#ifndef BLOCKS
#define BLOCKS	1	/* of each goroutine */
#endif
#ifndef RUNS
#define RUNS	3	/* times a goroutine gets to its end, or yields */
#endif

#define IDLE	0
#define RUNNING	1
#define BLOCKED	2	/* GMP_P_SYSCALL */

byte st = RUNNING, owner = 0, seq;	/* the word: changed in one step, as by compare and exchange */
bool inq[2];				/* goroutine in the P's queue */
bool pidle;				/* P on the idle list */
byte touching, progress, over;
byte gblocks[2], gruns[2];

byte rlock = NONE, heap = NONE;	/* who has it: a goroutine */
bool wants_heap;		/* the runtime waits for it, with the P */

bool lost[MS], pblocked[MS], unserved[MS], listed[MS], event[MS], wants[MS], given[MS];
byte pseq[MS];
byte tied[MS] = NONE;

#define queued		(inq[0] || inq[1])
#define somebody_wants	(wants[0] || wants[1] || wants[2])
#define has(m)		(st == RUNNING && owner == m)
#define is_blocked(x)	(pblocked[x] && st == BLOCKED && owner == x && seq == pseq[x])
#define all_over	(over == 2)

/* irq_work or timer: under standby_lock */
inline offer()
{
	atomic {
		if
		:: is_blocked(m) ->
			if
			:: listed[0] -> listed[0] = false; event[0] = true
			:: listed[1] -> listed[1] = false; event[1] = true
			:: listed[2] -> listed[2] = false; event[2] = true
			:: else ->
#ifndef BUG_UNSERVED
				unserved[m] = true
#else
				skip		/* nobody is there: forgotten */
#endif
			fi
		:: else
		fi
	}
}

/* GMP_IOC_STANDBY, under standby_lock */
inline wait_begin()
{
	atomic {
		if
		:: unserved[0] && is_blocked(0) -> unserved[0] = false; event[m] = true
		:: unserved[1] && is_blocked(1) -> unserved[1] = false; event[m] = true
		:: unserved[2] && is_blocked(2) -> unserved[2] = false; event[m] = true
		:: else -> listed[m] = true
		fi
	}
}

/* sched_out: the word, then the look for work, then the irq_work. */
inline sched_out()
{
	atomic {
		if
#ifdef BUG_MASK
		:: has(m) && m == 0 ->	/* only m0 is taken to be outside of signal handlers */
#else
		:: has(m) ->
#endif
			st = BLOCKED; seq++;
			pseq[m] = seq; pblocked[m] = true
		:: else
		fi
	}
	if
	:: pblocked[m] && (queued || somebody_wants) -> offer()
	:: else
	fi
}

/* sched_in */
inline sched_in()
{
	atomic {
		if
		:: pblocked[m] ->
			pblocked[m] = false;
			if
#ifdef BUG_PLAIN
			:: st = RUNNING; owner = m	/* stored, not compared */
#else
			:: st == BLOCKED && owner == m && seq == pseq[m] -> st = RUNNING
			:: else -> lost[m] = true
#endif
			fi
		:: else
		fi
	}
}

active [MS] proctype M()
{
	byte m = _pid, g = 0, x;

	if
	:: m == 0 -> inq[1] = true; goto user
	:: else -> goto idle
	fi;

idle:	/* rt_m_stop(): without a P */
	atomic {
		if
		:: tied[m] != NONE && pidle -> pidle = false; owner = m; st = RUNNING; goto sched
#ifndef BUG_LATE
		:: tied[m] != NONE && !pidle && st == BLOCKED ->	/* rt_handoff_any() */
			st = RUNNING; owner = m; seq++; goto sched
		:: tied[m] != NONE && !pidle && st != BLOCKED -> wants[m] = true
#else
		:: tied[m] != NONE && !pidle -> wants[m] = true
#endif
		:: else
		fi
	}
	if
	:: tied[m] != NONE ->
		if
		:: given[m] ->
			atomic { given[m] = false; assert(st == IDLE); st = RUNNING; owner = m };
			goto sched
#ifndef BUG_RESCUE
		:: atomic { wants_heap && wants[m] ->	/* rt_m_rescue(): goes on without */
				wants[m] = false; lost[m] = true; g = tied[m]; tied[m] = NONE };
			goto user
#endif
		fi
	:: else
	fi;
	wait_begin();
	if
	:: event[m]
	:: all_over -> goto end
	fi;
	event[m] = false;
	atomic {	/* under sched.lock; retake and acquire */
		if
		:: st == BLOCKED -> st = RUNNING; owner = m; seq++
		:: else -> goto idle
		fi
	}

sched:	/* g0 with the P */
	assert(has(m));
	atomic {
		if
		:: wants[0] || wants[1] || wants[2] ->
			if
			:: wants[0] -> x = 0
			:: wants[1] -> x = 1
			:: wants[2] -> x = 2
			fi;
			wants[x] = false; given[x] = true; st = IDLE;
			goto idle
		:: else
		fi;
		if
		:: tied[m] != NONE -> g = tied[m]; tied[m] = NONE
		:: tied[m] == NONE && inq[0] -> inq[0] = false; g = 0
		:: tied[m] == NONE && inq[1] -> inq[1] = false; g = 1
		:: tied[m] == NONE && !queued -> st = IDLE; pidle = true; goto idle
		fi
	}

user:	/* the goroutine's code, any library */
	assert(lost[m] || has(m));
	atomic {
		if
		:: heap == g -> heap = NONE
		:: else
		fi
	}
	if
	:: gblocks[g] < BLOCKS -> gblocks[g]++; goto block
	:: goto runtime
	fi;

block:
	if
#ifndef NOHEAP
	:: g == 0 -> heap = 0		/* a page that malloc() touches */
#endif
	:: skip
	fi;
	sched_out();
	if
	:: g == 1 || heap == g		/* ends when it likes */
	:: g == 0 && progress >= gblocks[0]
	fi;
	sched_in();
	if
	:: lost[m] -> goto regain	/* SIGURG */
	:: goto user			/* has it, or no signal could be sent */
	fi;

regain:	/* rt_p_regain(): tied to this thread */
	atomic { lost[m] = false; tied[m] = g };
	goto idle;

runtime:
#ifndef BUG_LOST
	if
	:: lost[m] -> goto regain
	:: else
	fi;
#endif
	atomic { rlock == NONE -> rlock = g };	/* sleeps with the P in hand */
#ifdef BUG_HELPER
	if
	:: skip
	:: atomic { inq[1 - g] ->	/* stopped by a signal, in code that seems to be the program's */
			inq[1 - g] = false; tied[m] = g; g = 1 - g };
		goto user
	fi;
#endif
	atomic { touching++; assert(touching == 1 && has(m)) };
	if
	:: skip
	:: atomic { heap != NONE && heap != g -> wants_heap = true };	/* the same in malloc() */
		atomic { heap == NONE -> wants_heap = false }
	:: atomic {			/* sleeps here: a page fault, malloc(). The pc, or crit, says so */
#ifdef BUG_CRIT
		if
		:: has(m) -> st = BLOCKED; seq++; pseq[m] = seq; pblocked[m] = true
		:: else
		fi
#else
		skip
#endif
	   };
#ifdef BUG_CRIT
	   offer();
	   sched_in();
#endif
	   skip
	fi;
	atomic { assert(has(m)); touching--; rlock = NONE };
	if
	:: g == 1 -> progress++
	:: else
	fi;
	gruns[g]++;
	if
	:: gruns[g] < RUNS -> inq[g] = true
	:: else -> over++
	fi;
	goto sched;

end:	skip
}
