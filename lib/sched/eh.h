/* SPDX-License-Identifier: MIT */
/*
 * eh.h - C++ exceptions that are being thrown or handled belong to the goroutine, not to the thread.
 *
 * The C++ runtime keeps two words per thread: the stack of caught exceptions, and how many are on their
 * way (Itanium C++ ABI, __cxa_eh_globals). A goroutine that parks inside a catch block, or in a
 * destructor that runs because of a throw, would leave its words to whoever runs next there, and find
 * another's where it goes on.
 *
 * Invariant: the words of an M are zero at every switch. Who leaves with others keeps them in a frame
 * on its own stack, and puts them into the words of the M it comes back on (rt_eh_leave()). So nothing
 * is to be done when a G is carried, and a switch pays one load and one branch in a C program, two loads
 * more in one that has a C++ runtime. Rejected: exchanging the words at every switch.
 *
 * The runtime is found through a weak symbol when the first M begins: one that dlopen() brings later is
 * not seen.
 */
#ifndef RT_EH_H
#define RT_EH_H

#include "sched/runtime.h"

/* Of the calling thread; NULL in programs without C++. */
struct rt_eh *rt_eh_here(void);

static rt_always_inline bool rt_eh_busy(const struct rt_m *mp)
{
	return unlikely(mp->eh) && unlikely(mp->eh->caught || mp->eh->uncaught);
}

/* The words of this M, which is about to do something else; *mp's are zero then. */
static inline struct rt_eh rt_eh_take(struct rt_m *mp)
{
	struct rt_eh was = *mp->eh;

	*mp->eh = (struct rt_eh){ 0 };
	return was;
}

#endif
