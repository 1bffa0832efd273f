// SPDX-License-Identifier: MIT
/*
 * doctor.c - gmp doctor: what of the three tiers is there, and the command that gets the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/carrier.h"
#include "common/kernacct.h"
#include "common/procfs.h"
#include "gmp.h"
#include "gmp_abi.h"

static void tier(const char *name, const char *verdict, const char *what)
{
	printf("%-8s %-8s %s\n", name, verdict, what);
}

static void advice(const char *what)
{
	printf("%-17s -> %s\n", "", what);
}

static void check_library(void)
{
	tier("library", "ok", "programs with libgmprt run anywhere, unprivileged");
}

static void check_bpf(void)
{
	char why[128];
	struct carrier *c = carrier_open(why, sizeof(why));

	if (c) {
		tier("bpf", "ok", "gmp ps sees every thread's goroutine and on-CPU time live");
		carrier_close(c);
		return;
	}
	tier("bpf", "missing", why);
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		advice("needs a kernel with CONFIG_DEBUG_INFO_BTF: Debian's have it");
	else if (proc_missing_caps())
		advice("sudo gmp ..., or: sudo setcap cap_bpf,cap_perfmon+ep $(command -v gmp)");
	advice("until then gmp ps reads the process's memory");
}

static void check_device(void)
{
	int fd = open(GMP_DEV_PATH, O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		tier("", "ok", GMP_DEV_PATH " may be opened: programs of this user attach to it");
		close(fd);
		return;
	}
	tier("", "missing", errno == EACCES ? "this user may not open " GMP_DEV_PATH :
		"there is no " GMP_DEV_PATH);
	if (errno == EACCES)
		advice("sudo chmod 666 " GMP_DEV_PATH ", or a udev rule for good");
}

static void check_module(void)
{
	char line[96] = "", path[192];
	FILE *f = fopen(KERNACCT_DIR "/version", "re");
	struct utsname un;

	if (f) {
		if (!fgets(line, sizeof(line), f))
			line[0] = '\0';
		fclose(f);
		line[strcspn(line, "\n")] = '\0';
		tier("gmp.ko", "ok", line);
		check_device();
		return;
	}
	tier("gmp.ko", "missing", "not loaded: no /proc/gmp, no tracepoints, no kernel accounting");
	uname(&un);
	snprintf(path, sizeof(path), "/lib/modules/%s/updates/gmp.ko", un.release);
	if (!access(path, F_OK)) {
		advice("sudo modprobe gmp");
		return;
	}
	snprintf(path, sizeof(path), "/lib/modules/%s/build/Makefile", un.release);
	if (access(path, F_OK)) {
		snprintf(path, sizeof(path), "first this kernel's headers: sudo apt-get install linux-headers-%s",
			 un.release);
		advice(path);
	}
	advice("in the source tree: sudo make install-kmod && sudo modprobe gmp");
}

int cmd_doctor(int argc, char **argv)
{
	int opt = getopt(argc, argv, "h");

	if (opt != -1 || optind < argc)
		return usage_of("doctor", opt == 'h');
	check_library();
	check_bpf();
	check_module();
	return EXIT_OK;
}
