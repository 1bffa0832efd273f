/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uffd.h - pages that do not come until the test says so (userfaultfd), and a reader of /proc/gmp that is
 * kept in the middle of its read() by one.
 */
#ifndef UFFD_H
#define UFFD_H

#include "gmp_kmod.h"
#include <linux/userfaultfd.h>

/* ---- pages --------------------------------------------------------------------------------- */

/* A descriptor, or -errno: this kernel has no such thing, or not for us. */
static inline int uffd_open(void)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* @len bytes, none of them there yet; once for a descriptor. NULL: it did not work. */
static inline void *uffd_pages(int fd, size_t len)
{
	void *pages = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register reg = {
		.range = { (unsigned long)pages, len }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_api api = { .api = UFFD_API };

	if (pages == MAP_FAILED || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		return NULL;
	return pages;
}

/* The page comes, and with it whoever waits for it. */
static inline int uffd_fill(int fd, void *page)
{
	struct uffdio_zeropage zero = { .range = { (unsigned long)page, 4096 } };

	return do_ioctl(fd, UFFDIO_ZEROPAGE, &zero);
}

/* ---- a reader that does not come back ------------------------------------------------------ */

struct stuck {
	int uffd;		/* from uffd_open(); closed by get_loose() */
	char path[64];
	void *page;
	pthread_t thread;
	pid_t tid;
	ssize_t n;		/* what read() said in the end */
};

static inline void *stuck_reader(void *arg)
{
	struct stuck *s = arg;
	int fd = open(s->path, O_RDONLY | O_CLOEXEC);

	s->tid = gettid_();
	s->n = read(fd, s->page, 4096);
	close(fd);
	return NULL;
}

/* It waits for a page of userfaultfd(). */
static inline bool in_fault(pid_t tid)
{
	char path[64], *text;
	bool yes;

	snprintf(path, sizeof(path), "/proc/%d/wchan", tid);
	text = read_file(path);
	yes = text && strstr(text, "userfault");
	free(text);
	return yes;
}

/* A thread reads that file of @pid's directory into a page that does not come. */
static inline bool get_stuck(struct stuck *s, pid_t pid, const char *file)
{
	s->page = uffd_pages(s->uffd, 4096);
	if (!s->page)
		return false;
	proc_path(s->path, sizeof(s->path), pid, file);
	return !pthread_create(&s->thread, NULL, stuck_reader, s) &&
	       WAIT_FOR(s->tid && in_fault(s->tid));
}

static inline bool get_loose(struct stuck *s)
{
	bool ok = !uffd_fill(s->uffd, s->page);

	if (ok)
		pthread_join(s->thread, NULL);
	close(s->uffd);
	return ok;
}

#endif /* UFFD_H */
