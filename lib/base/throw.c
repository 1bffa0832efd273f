/* SPDX-License-Identifier: MIT */
/* throw.c - see throw.h. Allocates nothing and takes no lock: the heap may be what is broken. */
#include "base/throw.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"

void (*rt_throw_dump)(int fd);

void rt_say(const char *fmt, ...)
{
	char buf[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(buf) - 1)
		n = sizeof(buf) - 1;
	if (n > 0 && write(STDERR_FILENO, buf, (size_t)n) < 0)
		return;		/* nothing left to say it with */
}

/* The first thread to die speaks; the others wait for it to end the process. */
void rt_die_alone(void)
{
	static uint32_t dying;

	if (rt_xchg_ar(&dying, 1) == 0)
		return;
	for (;;)
		pause();
}

_Noreturn void rt_die(void)
{
	const char *tb = getenv("GMP_TRACEBACK");

	if (tb && strcmp(tb, "crash") == 0)
		abort();
	_exit(2);
}

static _Noreturn void dump_and_die(void)
{
	if (rt_throw_dump)
		rt_throw_dump(STDERR_FILENO);
	rt_die();
}

_Noreturn void rt_throw(const char *text)
{
	rt_die_alone();
	rt_say("fatal error: %s\n\n", text);
	dump_and_die();
}

_Noreturn void rt_throw_call(const char *call, const char *text)
{
	rt_die_alone();
	rt_say("fatal error: %s: %s\n\n", call, text);
	dump_and_die();
}

_Noreturn void rt_throw_errno(const char *text, int err)
{
	rt_die_alone();
	rt_say("fatal error: %s: %s\n\n", text, strerrordesc_np(err < 0 ? -err : err));
	dump_and_die();
}
