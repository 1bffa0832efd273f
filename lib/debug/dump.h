/* SPDX-License-Identifier: MIT */
/* dump.h - all goroutines as text. See dump.c. */
#ifndef RT_DUMP_H
#define RT_DUMP_H

#include "debug/unwind.h"

struct rt_dump {
	int fd;
	bool dying;			/* the process ends after this */
	bool exact;			/* regs come from a signal */
	const struct rt_g *first;	/* printed first; NULL: none stands out */
	const struct rt_regs *regs;	/* of the calling thread; NULL: not wanted */
};

/**
 * rt_dump_all() - prints the goroutines, as GMP_TRACEBACK says (@d->dying) or all
 * Context: any thread, any stack, signal handlers, any lock held. Return: 0; -EBUSY another thread
 * is at it (never when dying); -EIO the output could not be written.
 */
int rt_dump_all(const struct rt_dump *d);

/* Between rt_sched.running and its end: what rt_throw() prints. */
void rt_dump_init(void);

#endif
