/* SPDX-License-Identifier: MIT */
/*
 * rwmutex.pml - lib/sync/rwmutex.c as a model. The mutex among writers and the semaphores are taken for
 * granted. Checked: writers alone, nobody left behind, nothing left over; in particular that unlock
 * may let the next writer in before it has woken the readers.
 *
 * Seeded: BUG_WRITER_RUSHES (a writer does not wait for the readers that are inside),
 * BUG_WAKE_NEXT_FIRST (unlock counts the readers it wakes after it let the next writer in).
 */
#define MAX	100
#define READERS	2
#define WRITERS	2
#define ROUNDS	2

bool w;
short readers, leaving, reader_sem, writer_sem;
byte reading, writing, ended;

active [READERS] proctype reader()
{
	short r;
	byte round;

	do
	:: round < ROUNDS ->
		atomic { readers++; r = readers }
		if
		:: r < 0 -> atomic { reader_sem > 0 -> reader_sem-- }
		:: else
		fi;
		reading++;
		assert(writing == 0);
		reading--;
		atomic { readers--; r = readers }
		if
		:: r < 0 ->
			assert(r + 1 != 0 && r + 1 != -MAX);
			atomic { leaving--; r = leaving }
			if :: r == 0 -> writer_sem++ :: else fi
		:: else
		fi;
		round++
	:: else -> break
	od;
	ended++
}

active [WRITERS] proctype writer()
{
	short r;
	byte round;

	do
	:: round < ROUNDS ->
		atomic { !w -> w = true }
		atomic { readers = readers - MAX; r = readers + MAX }
		if
		:: r != 0 ->
#ifdef BUG_WRITER_RUSHES
			leaving = leaving + r; r = 0;
#else
			atomic { leaving = leaving + r; r = leaving }
#endif
			if :: r != 0 -> atomic { writer_sem > 0 -> writer_sem-- } :: else fi
		:: else
		fi;
		writing++;
		assert(writing == 1 && reading == 0);
		writing--;
#ifdef BUG_WAKE_NEXT_FIRST
		w = false;
		atomic { readers = readers + MAX; r = readers }
#else
		atomic { readers = readers + MAX; r = readers }
		assert(r < MAX);
		w = false;
#endif
		do
		:: r > 0 -> reader_sem++; r--
		:: else -> break
		od;
		round++
	:: else -> break
	od;
	ended++
}

active proctype end_state()
{
	ended == READERS + WRITERS;
	assert(readers == 0 && leaving == 0 && reader_sem == 0 && writer_sem == 0 && !w)
}
