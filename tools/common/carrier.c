// SPDX-License-Identifier: MIT
/*
 * carrier.c - loads tools/bpf/carrier.bpf.c and reads what it finds.
 *
 * Without the rights to do so, or without BTF, it says which is missing: the tools then read the
 * process instead (allm.c). libbpf's own messages appear with GMP_DEBUG=libbpf.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/carrier.h"
#include "common/procfs.h"
#include "bpf/carrier.skel.h"	/* last: it uses the types of bpf/carrier.h */

#define BTF_PATH	"/sys/kernel/btf/vmlinux"
#define READ_ROWS	256		/* rows a read asks for */

struct carrier {
	struct carrier_bpf *skel;
};

static int print_if_asked(enum libbpf_print_level level, const char *fmt, va_list args)
{
	const char *debug = getenv("GMP_DEBUG");

	(void)level;
	return debug && strstr(debug, "libbpf") ? vfprintf(stderr, fmt, args) : 0;
}

static void say_why(int err, char *why, size_t len)
{
	const char *missing = proc_missing_caps();

	if (missing && err == -EPERM)
		snprintf(why, len, "%s missing", missing);
	else if (access(BTF_PATH, R_OK))
		snprintf(why, len, "%s: %s", BTF_PATH, strerror(errno));
	else if (err == -EPERM)
		snprintf(why, len, "not permitted here: in a container, or locked down");
	else
		snprintf(why, len, "the kernel refused the program: %s", strerror(-err));
}

/* Reads the iterator to its end; @fn may be NULL. */
static int read_all(int fd, carrier_fn fn, void *arg)
{
	static union {
		struct carrier_row rows[READ_ROWS];
		char bytes[READ_ROWS * sizeof(struct carrier_row)];
	} buf;
	size_t have = 0, n;
	ssize_t got;
	int err = 0;

	while (!err) {
		got = read(fd, buf.bytes + have, sizeof(buf) - have);
		if (got == 0)
			return 0;
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;	/* it has gone through a million tasks, and goes on */
		if (got < 0)
			return -errno;
		have += (size_t)got;
		n = have / sizeof(*buf.rows);
		for (size_t i = 0; fn && !err && i < n; i++)
			err = fn(&buf.rows[i], arg);
		have -= n * sizeof(*buf.rows);
		memmove(buf.bytes, &buf.rows[n], have);
	}
	return err;
}

/**
 * carrier_read() - a row for every M of the watched processes, as it is now
 * @fn: not 0 ends the reading
 *
 * Return: 0, what @fn returned, or -errno.
 */
int carrier_read(struct carrier *c, carrier_fn fn, void *arg)
{
	int fd = bpf_iter_create(bpf_link__fd(c->skel->links.m_rows));
	int err;

	if (fd < 0)
		return -errno;
	err = read_all(fd, fn, arg);
	close(fd);
	return err;
}

/* The first read tells the programs whose pid namespace the reader's is. */
static int start(struct carrier *c)
{
	int err = carrier_bpf__load(c->skel);

	if (!err)
		err = carrier_bpf__attach(c->skel);
	return err ? err : carrier_read(c, NULL, NULL);
}

/**
 * carrier_open() - load the programs and attach them
 * @why: on failure, a few words for the user: what is missing
 *
 * Return: NULL when BPF cannot be used here.
 */
struct carrier *carrier_open(char *why, size_t len)
{
	struct carrier *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	libbpf_set_print(print_if_asked);
	if (c && (c->skel = carrier_bpf__open()))
		err = start(c);
	if (err) {
		say_why(err, why, len);
		carrier_close(c);
		return NULL;
	}
	return c;
}

void carrier_close(struct carrier *c)
{
	if (!c)
		return;
	carrier_bpf__destroy(c->skel);
	free(c);
}

/**
 * carrier_watch() - count what the tasks of a process do from now on
 * @tls_off: from its layout
 *
 * Watching it again changes nothing. Return: 0; -E2BIG too many processes.
 */
int carrier_watch(struct carrier *c, pid_t pid, int64_t tls_off)
{
	struct carrier_proc proc = { .tls_off = tls_off, .since_ns = proc_now() };
	int err = bpf_map__update_elem(c->skel->maps.procs, &pid, sizeof(pid), &proc, sizeof(proc),
				       BPF_NOEXIST);

	return err == -EEXIST ? 0 : err;
}

/* A process that has gone; the entries of its tasks went with them. */
void carrier_unwatch(struct carrier *c, pid_t pid)
{
	bpf_map__delete_elem(c->skel->maps.procs, &pid, sizeof(pid), 0);
}

struct carrier_lost carrier_losses(const struct carrier *c)
{
	return c->skel->bss->lost;
}
