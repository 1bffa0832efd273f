// SPDX-License-Identifier: MIT
/*
 * slowfs.c - a file system (FUSE) whose one file, of one page, takes 50 ms to read. Helper of handoff_test
 * and kmod/peek_test.
 *
 * usage: slowfs MOUNTPOINT [never], as root; runs until it is told to end or the mount goes. A page fault on a
 * mapping of MOUNTPOINT/page waits in the kernel for this process, as one on a slow disk does. With "never" the
 * page never comes, and only SIGKILL ends this.
 */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME		"/page"
#define SIZE		4096
#define DELAY_NS	50000000

static bool never;

static int slow_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	(void)fi;
	memset(st, 0, sizeof(*st));
	if (!strcmp(path, "/")) {
		st->st_mode = S_IFDIR | 0755;
		st->st_nlink = 2;
		return 0;
	}
	if (strcmp(path, NAME))
		return -ENOENT;
	st->st_mode = S_IFREG | 0444;
	st->st_nlink = 1;
	st->st_size = SIZE;
	return 0;
}

/* No keep_cache: each open() forgets the page. */
static int slow_open(const char *path, struct fuse_file_info *fi)
{
	(void)fi;
	return strcmp(path, NAME) ? -ENOENT : 0;
}

static int slow_read(const char *path, char *buf, size_t n, off_t off, struct fuse_file_info *fi)
{
	struct timespec ts = { .tv_nsec = DELAY_NS };

	(void)path;
	(void)fi;
	while (never)
		pause();
	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
	if (off >= SIZE)
		return 0;
	n = n < (size_t)(SIZE - off) ? n : (size_t)(SIZE - off);
	memset(buf, 's', n);
	return (int)n;
}

static const struct fuse_operations slow_ops = {
	.getattr	= slow_getattr,
	.open		= slow_open,
	.read		= slow_read,
};

int main(int argc, char **argv)
{
	char *args[] = { argv[0], "-f", "-s", argc > 1 ? argv[1] : "", NULL };

	never = argc > 2;
	prctl(PR_SET_PDEATHSIG, never ? SIGKILL : SIGTERM);	/* fuse_main() unmounts, then */
	return fuse_main(4, args, &slow_ops, NULL);
}
