/* SPDX-License-Identifier: MIT */
/*
 * throw.h - ways to die.
 *
 * Users' mistakes that can be told are returned as negative errnos. What cannot go on ends here:
 * "fatal error: TEXT" on stderr, a dump through the hook that debug/ sets, exit status 2; with
 * GMP_TRACEBACK=crash an abort instead.
 */
#ifndef RT_THROW_H
#define RT_THROW_H

#include "base/compiler.h"

/**
 * rt_throw() - a broken invariant, or misuse that cannot be returned
 * @text: constant text, Go's words where Go has them
 *
 * Context: any thread, any stack, any lock held; allocates nothing. Does not return.
 */
_Noreturn rt_cold void rt_throw(const char *text);

/* As rt_throw(), with "CALL: TEXT". */
_Noreturn rt_cold void rt_throw_call(const char *call, const char *text);

/* As rt_throw(), with "TEXT: what: strerror(err)". @err is a positive or negative errno. */
_Noreturn rt_cold void rt_throw_errno(const char *text, int err);

/* For reports of another form: rt_die_alone() returns to the first thread only, rt_die() ends the process. */
void rt_die_alone(void);
_Noreturn void rt_die(void);

/* Set once by debug/: prints the state of all goroutines to @fd. May be NULL. */
extern void (*rt_throw_dump)(int fd);

/* Writes a text to stderr with one write(2); for what must be said outside stdio. */
void rt_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Three prices: rt_assert always; rt_debug_assert in RT_DEBUG builds; walks in RT_DEBUG > 1. */
#define rt_assert(c)	do { if (unlikely(!(c))) rt_throw("assertion failed: " #c); } while (0)
#if RT_DEBUG
#define rt_debug_assert(c)	rt_assert(c)
#else
#define rt_debug_assert(c)	do { (void)sizeof(c); } while (0)
#endif

#endif
