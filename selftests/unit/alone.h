/* SPDX-License-Identifier: MIT */
/*
 * alone.h - a case that one goroutine looks at: on so many Ps, and nobody preempts it or says that a time slice
 * is over, so that the counters of its P move only as the case says.
 */
#ifndef ALONE_H
#define ALONE_H

#include <gmprt.h>

#include "gmptest.h"

static int alone(void *arg)
{
	gmp_nopreempt_begin();
	((void (*)(void))arg)();
	gmp_nopreempt_end();
	return 0;
}

/* TEST(@id) in a run of its own on @procs Ps. */
#define ON(procs, id) \
	static void on_##id(void); \
	TEST(id) \
	{ \
		setenv("GMP_MAXPROCS", #procs, 1); \
		setenv("GMP_DEBUG", "sysmon=0,kern=none", 1); \
		CHECK_EQ(gmp_run(alone, (void *)(uintptr_t)on_##id), 0); \
	} \
	static void on_##id(void)

#endif
