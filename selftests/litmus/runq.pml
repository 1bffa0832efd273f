/* SPDX-License-Identifier: MIT */
/*
 * runq.pml - lib/sched/runq.c as a model: the owner's ring and runnext against a thief, on a ring of
 * four, and against two, on a ring of two. Checked: each G is taken once and by one, none is lost, none is taken from a slot that
 * is not written, the ring never holds more than it can.
 *
 * Steps are those of the code: head and tail read one after the other, slots copied one by one, then
 * the exchange of head. What a thief or an overflow took counts as taken: it is that M's alone.
 *
 * Also with: -DLEN=2 -DGS=3 -DTHIEVES=2 -DPASSES=1
 *
 * Seeded: BUG_TAIL_FIRST (MO-4: the slot is not there yet), BUG_HEAD_FIRST (MO-5: the slot is used
 * again while it is copied), BUG_PLAIN_HEAD (a thief stores head instead of exchanging it),
 * BUG_PLAIN_RUNNEXT (so does the owner with runnext).
 */
#ifndef LEN
#define LEN	4
#define GS	5
#define THIEVES	1
#endif
#ifndef PASSES
#define PASSES	2	/* of a thief */
#endif

byte head, tail, runnext, ring[LEN], taken[GS + 1];

inline take(g)
{
	atomic { assert(g != 0); taken[g]++; assert(taken[g] == 1) }
}

/* Sets ok; two at most: half of the ring, rounded up. */
inline advance(h, n)
{
#ifdef BUG_PLAIN_HEAD
	ok = (head == h);
	if :: ok -> head = h + n :: else fi
#else
	atomic { ok = (head == h); if :: ok -> head = h + n :: else fi }
#endif
}

/* The newcomer and the older half to the global queue. */
inline overflow(g)
{
	a = ring[h % LEN];
	if :: LEN == 4 -> b = ring[(h + 1) % LEN] :: else fi;
	advance(h, LEN / 2);
	if
	:: ok -> take(a); if :: b -> take(b) :: else fi; take(g); break
	:: else -> h = head
	fi
}

inline push(g)
{
	h = head;
	do
	:: tail - h >= LEN -> overflow(g)
	:: else ->
		assert(tail - head < LEN);
#ifdef BUG_TAIL_FIRST
		tail++;
		ring[(tail - 1) % LEN] = g;
#else
		ring[tail % LEN] = g;
		tail++;
#endif
		break
	od
}

inline push_next(g)
{
	atomic { old = runnext; runnext = g }
	if :: old -> push(old) :: else fi
}

/* runnext, else the ring; a is what it was, or 0. */
inline pop()
{
	a = runnext;
	ok = false;
	if
	:: a ->
#ifdef BUG_PLAIN_RUNNEXT
		runnext = 0; ok = true
#else
		atomic { ok = (runnext == a); if :: ok -> runnext = 0 :: else fi }
#endif
	:: else
	fi;
	do
	:: ok -> break
	:: else ->
		h = head;
		if
		:: tail == h -> a = 0; ok = true
		:: else -> a = ring[h % LEN]; advance(h, 1)
		fi
	od;
	if :: a -> take(a) :: else fi
}

/* Fewer states: what is not read again is the same everywhere. */
inline forget()
{
	d_step { h = 0; a = 0; b = 0; old = 0; ok = false }
}

active proctype owner()
{
	byte made, h, a, b, old;
	bool ok;

	do
	:: made < GS -> made++; push(made); forget()
	:: made < GS -> made++; push_next(made); forget()
	:: pop(); if :: a == 0 && made == GS -> break :: else fi; forget()
	od
}

active [THIEVES] proctype thief()
{
	byte h, t, n, a, b, pass;
	bool ok;

again:	h = head;
	t = tail;
	n = t - h;
	n = n - n / 2;
	if
	:: t < h || n > LEN / 2 -> goto again	/* not of one moment */
	:: n == 0 && t >= h ->		/* the last pass */
		a = runnext;
		if
		:: a ->
			atomic { ok = (runnext == a); if :: ok -> runnext = 0 :: else fi }
			if :: ok -> take(a) :: else fi
		:: else
		fi
	:: else ->
#ifdef BUG_HEAD_FIRST
		advance(h, n);
		if
		:: ok ->
			a = ring[h % LEN];
			b = ring[(h + 1) % LEN]
		:: else
		fi;
#else
		a = ring[h % LEN];
		b = ring[(h + 1) % LEN];
		advance(h, n);
#endif
		if
		:: ok -> take(a); if :: n == 2 -> take(b) :: else fi
		:: else
		fi
	fi;
	d_step { pass++; h = 0; t = 0; n = 0; a = 0; b = 0; ok = false };
	if :: pass < PASSES -> goto again :: else fi
}

active proctype end_state()
{
	byte g;

	timeout;
	for (g : 1 .. GS) {
		assert(taken[g] == 1)
	}
}
