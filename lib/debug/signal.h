/* SPDX-License-Identifier: MIT */
/* signal.h - signals the runtime answers with a report: SIGSEGV, SIGQUIT. See signal.c. */
#ifndef RT_SIGNAL_H
#define RT_SIGNAL_H

#include "base/compiler.h"

/* gmp_run(): before the first M exists, after the last has ended. */
void rt_signal_init(void);
void rt_signal_fini(void);

/* Each M's thread, at its begin and end: an alternate signal stack, unless the program gave it one. */
void rt_signal_thread_init(void);
void rt_signal_thread_exit(void);

#endif
