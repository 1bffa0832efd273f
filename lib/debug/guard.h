/* SPDX-License-Identifier: MIT */
/* guard.h - running code that may crash or hang, in the helper of dump.c. See guard.c. */
#ifndef RT_GUARD_H
#define RT_GUARD_H

#include "base/sanitize.h"

#define RT_GUARD_TIMES	(RT_SANITIZED || RT_VALGRIND ? 10u : 1u)	/* so much slower is a tool */

/* Once, in a process that has one thread and is ours alone: takes SIGSEGV, SIGBUS, SIGALRM, ... */
void rt_guard_init(void);

/*
 * Calls @fn(@arg). False: it crashed, or took longer than @seconds (times RT_GUARD_TIMES), and was left
 * where it stood; what it had in its hands (locks, memory) is lost. Nests; the time limit is that of the
 * innermost.
 */
bool rt_guarded(void (*fn)(void *arg), void *arg, unsigned int seconds);

#endif
