/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tracefs.h - an instance of tracefs: what a test switches on there is nobody else's.
 */
#ifndef TRACEFS_H
#define TRACEFS_H

#include "gmp_kmod.h"
#include <sys/mount.h>

#define TRACEFS			"/sys/kernel/tracing"
#define TRACE_INSTANCE(name)	TRACEFS "/instances/" name

/* Makes it, anew if a test that was killed has left it; rmdir() takes it away. */
static inline int make_instance(const char *path)
{
	if (access(TRACEFS "/events", F_OK))
		mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	rmdir(path);
	return mkdir(path, 0755) ? -errno : 0;
}

#endif /* TRACEFS_H */
