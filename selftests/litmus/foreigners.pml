/* SPDX-License-Identifier: MIT */
/*
 * foreigners.pml - threads from outside against the end of a run (lib/sched/rt0.c rt_ext_hold(),
 * rt_ext_enter(), expel_foreigners()) as a model; `running` stands for either of its two words. MO-11. Checked: no thread is inside while the end takes the Gs away;
 * the end does not wait for one that is not there.
 *
 * Both store, fence, and read what the other stored. The count is changed by a locked instruction, so
 * on x86 only the store of `running` can lie in a buffer.
 *
 * Also with: -DN=3
 *
 * Seeded: BUG_NO_FENCE (the end reads the count with its store still in the buffer), BUG_COUNT_LATE (the
 * thread looks before it counts itself), BUG_NO_LOOK (it does not look), BUG_NO_LEAVE (who was
 * turned away stays counted).
 */
#ifndef N
#define N	2
#endif

bool running = true, buffered, torn_down;
byte foreigners, inside;

active proctype buffers()
{
end:	do
	:: atomic { buffered -> buffered = false; running = false }
	od
}

active [N] proctype foreigner()
{
	bool may;

#ifdef BUG_COUNT_LATE
	may = running;
	foreigners++;
#else
	foreigners++;
#ifdef BUG_NO_LOOK
	may = true;
#else
	may = running;
#endif
#endif
	if
	:: may -> inside++; assert(!torn_down); inside--; foreigners--
	:: else ->
#ifndef BUG_NO_LEAVE
		foreigners--
#else
		skip
#endif
	fi
}

active proctype end_of_run()
{
	buffered = true;
#ifndef BUG_NO_FENCE
	atomic { if :: buffered -> buffered = false; running = false :: else fi }
#endif
	foreigners == 0;
	atomic { torn_down = true; assert(inside == 0) }
}
