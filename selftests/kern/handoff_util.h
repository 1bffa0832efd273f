/* SPDX-License-Identifier: MIT */
/* handoff_util.h - to be included by a test: gmp.ko's handoff is on while the program runs. */
#ifndef HANDOFF_UTIL_H
#define HANDOFF_UTIL_H

#include <fcntl.h>
#include <unistd.h>

/* Off by default; for the program as a whole: a case is a child that ends by _exit(). */
static void handoff_is(const char *value)
{
	int fd = open("/sys/module/gmp/parameters/handoff", O_WRONLY);

	if (fd >= 0) {
		(void)!write(fd, value, 1);
		close(fd);
	}
}

static void __attribute__((constructor)) switch_on(void)
{
	handoff_is("Y");
}

static void __attribute__((destructor)) switch_off(void)
{
	handoff_is("N");
}

#endif
