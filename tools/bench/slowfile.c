/* SPDX-License-Identifier: MIT */
/*
 * slowfile.c - for `fault`: a file whose pages take long to read, as on a disk or net that is slow.
 *
 * A FUSE file system that is one regular file, in a mount namespace of its own (and there on a tmpfs
 * of its own): it can be opened as /proc/PID/root/..., and nothing is left when this process has gone.
 * Spoken to without libfuse: four requests matter. Rejected: a userfaultfd, whose faults a signal
 * interrupts (Go's preemption gets its P back then), while one in a file system lasts.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define SIZE	(64u * 4096)

static void reply(int fd, const struct fuse_in_header *in, int error, const void *data, size_t n)
{
	struct fuse_out_header out = { (uint32_t)(sizeof(out) + n), error, in->unique };
	struct iovec iov[] = { { &out, sizeof(out) }, { (void *)(uintptr_t)data, n } };

	if (writev(fd, iov, 2) < 0 && errno != ENOENT)	/* ENOENT: nobody waits for it any more */
		exit(1);
}

static void reply_init(int fd, const struct fuse_in_header *in)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_write = 4096,
	};

	reply(fd, in, 0, &out, sizeof(out));
}

static void reply_attr(int fd, const struct fuse_in_header *in)
{
	struct fuse_attr_out out = {
		.attr_valid = 3600,
		.attr = { .ino = in->nodeid, .size = SIZE, .mode = S_IFREG | 0444, .nlink = 1 },
	};

	reply(fd, in, 0, &out, sizeof(out));
}

static void reply_read(int fd, const struct fuse_in_header *in, const struct timespec *pause)
{
	const struct fuse_read_in *rd = (const void *)(in + 1);
	static char zeros[SIZE];

	nanosleep(pause, NULL);
	reply(fd, in, 0, zeros, rd->size < SIZE ? rd->size : SIZE);
}

static void serve(int fd, const struct timespec *pause)
{
	static char buf[FUSE_MIN_READ_BUFFER * 32] __attribute__((aligned(8)));
	const struct fuse_in_header *in = (const void *)buf;
	struct fuse_open_out opened = { 0 };

	while (read(fd, buf, sizeof(buf)) >= (ssize_t)sizeof(*in)) {
		switch (in->opcode) {
		case FUSE_INIT:
			reply_init(fd, in);
			break;
		case FUSE_GETATTR:
			reply_attr(fd, in);
			break;
		case FUSE_OPEN:
			reply(fd, in, 0, &opened, sizeof(opened));
			break;
		case FUSE_READ:
			reply_read(fd, in, pause);
			break;
		case FUSE_FLUSH:
		case FUSE_RELEASE:
			reply(fd, in, 0, NULL, 0);
			break;
		case FUSE_FORGET:
		case FUSE_BATCH_FORGET:
		case FUSE_INTERRUPT:
			break;		/* want no answer */
		default:
			reply(fd, in, -ENOSYS, NULL, 0);
		}
	}
}

#define PLACE	"/tmp"
#define FILE_AT	PLACE "/slow"

/* Needs root. 0, or an errno. */
static int mount_at(int fd)
{
	char opts[96];
	int file;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", PLACE, "tmpfs", 0, NULL) < 0)
		return errno;
	file = open(FILE_AT, O_CREAT | O_RDWR, 0444);
	if (file < 0)
		return errno;
	close(file);
	snprintf(opts, sizeof(opts), "fd=%d,rootmode=100444,user_id=0,group_id=0,allow_other", fd);
	return mount("slowfile", FILE_AT, "fuse", MS_NOSUID | MS_NODEV, opts) < 0 ? errno : 0;
}

/* MS: prints where the file is, then serves until it is killed, or its parent has died. */
int load_slowfile(int argc, char **argv)
{
	long ms = argc > 0 ? atol(argv[0]) : 50;
	const struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };
	int fd = open("/dev/fuse", O_RDWR), err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	err = fd < 0 ? errno : mount_at(fd);
	if (err) {
		fprintf(stderr, "slowfile: %s\n", strerror(err));
		return 4;
	}
	printf("/proc/%d/root" FILE_AT "\n", getpid());
	fclose(stdout);
	serve(fd, &pause);
	return 0;
}
