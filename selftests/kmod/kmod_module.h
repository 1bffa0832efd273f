/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmod_module.h - loading and unloading gmp.ko from a test. O= is the build folder.
 */
#ifndef KMOD_MODULE_H
#define KMOD_MODULE_H

#include "gmp_kmod.h"
#include <sys/utsname.h>

/* The module without its debug information: loading it is mostly reading it. */
#define STRIPPED	"/tmp/gmp_test.ko"

/* Makes the stripped copy if it is not there. */
static inline int prepare_module(void)
{
	const char *out = getenv("O");
	char command[1024];
	struct utsname u;

	if (!access(STRIPPED, R_OK))
		return 0;
	uname(&u);
	snprintf(command, sizeof(command), "strip --strip-debug -o %s '%s/kmod-%s/gmp.ko'",
		 STRIPPED, out ? out : "build", u.release);
	return system(command) ? -ENOENT : 0;
}

static inline int load_module(const char *params)
{
	int fd, err;

	fd = open(STRIPPED, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = syscall(SYS_finit_module, fd, params, 0) ? -errno : 0;
	close(fd);
	return err;
}

static inline int unload_module(void)
{
	return syscall(SYS_delete_module, "gmp", O_NONBLOCK) ? -errno : 0;
}

#endif /* KMOD_MODULE_H */
