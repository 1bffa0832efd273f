/* SPDX-License-Identifier: MIT */
/*
 * fault.h - small programs of which one call of the runtime to the kernel or to libc fails.
 *
 *   fault_test.c  which call, and how the program must end
 *   scene_*.c     the programs: each uses one part of the library, and lives with every error
 */
#ifndef FAULT_H
#define FAULT_H

#include <errno.h>
#include <gmprt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Main goroutines, for gmp_run(). */
int scene_nothing(void *arg);
int scene_go(void *arg);
int scene_stacks(void *arg);
int scene_chan(void *arg);
int scene_select(void *arg);
int scene_timers(void *arg);
int scene_context(void *arg);
int scene_net(void *arg);
int scene_defer(void *arg);
int scene_go_macro(void *arg);
int scene_group_pool(void *arg);
int scene_labels(void *arg);
int scene_dump(void *arg);
int scene_threads(void *arg);
int scene_procs(void *arg);

_Noreturn void fault_fail(const char *file, int line, const char *what, long long value);
void fault_error(int64_t err);		/* counts one, which must be a negative errno */

#define MUST(c)								\
	do {								\
		if (!(c))						\
			fault_fail(__FILE__, __LINE__, #c, 0);		\
	} while (0)

/* True when @r is no error; an error is counted. For calls that say -errno, and for those that say NULL. */
static inline bool fine(int64_t r)
{
	if (r < 0)
		fault_error(r);
	return r >= 0;
}

static inline bool made(const void *p)
{
	if (!p)
		fault_error(-ENOMEM);
	return p != NULL;
}

#endif
