/* SPDX-License-Identifier: MIT */
/*
 * cpus.c - CPUs of the affinity mask and of the cgroup's quota.
 *
 * /proc/self/cgroup says where in which hierarchy the process is, /proc/self/mountinfo where that
 * hierarchy can be seen. The mounts are looked up once, the place each time: a process can be
 * moved. The cpu controller is in one hierarchy only: if a version 1 hierarchy has it, version 2 has no
 * cpu.max to say.
 *
 * The quota of any ancestor binds as well, so the path is walked up to the mount point. Above that, a
 * container sees nothing. (Go 1.25 looks at the leaf only.)
 *
 * Rounding: up, as a quota of 2.5 CPUs can keep three threads busy for most of a period; at least 1.
 * (Go 1.25 never goes below 2, for the sake of its garbage collector, which we have not.)
 */
#include "os/cpus.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NO_LIMIT	(~0u)
#define PATH_LEN	1024

const char *rt_cpus_root = "";

/* ---- lines of a file, without stdio: sysmon must not hold the heap's locks every second ----------- */

struct lines {
	int fd;
	size_t at, n;
	char buf[4096];
};

static bool lines_open(struct lines *l, const char *file)
{
	char path[2 * PATH_LEN];

	if ((size_t)snprintf(path, sizeof(path), "%s%s", rt_cpus_root, file) >= sizeof(path))
		return false;
	l->at = l->n = 0;
	l->fd = open(path, O_RDONLY | O_CLOEXEC);
	return l->fd >= 0;
}

/* The next line, without its end; NULL at the end. One longer than the buffer comes in pieces. */
static char *lines_next(struct lines *l)
{
	char *line, *end;

	if (!memchr(l->buf + l->at, '\n', l->n - l->at)) {
		ssize_t got;

		memmove(l->buf, l->buf + l->at, l->n - l->at);
		l->n -= l->at;
		l->at = 0;
		while (l->n < sizeof(l->buf) - 1 && !memchr(l->buf, '\n', l->n)) {
			got = read(l->fd, l->buf + l->n, sizeof(l->buf) - 1 - l->n);
			if (got <= 0)
				break;
			l->n += (size_t)got;
		}
	}
	if (l->at == l->n)
		return NULL;
	line = l->buf + l->at;
	end = memchr(line, '\n', l->n - l->at);
	if (!end)
		end = l->buf + l->n;
	l->at = (size_t)(end - l->buf) + (end < l->buf + l->n);
	*end = 0;
	return line;
}

/* ---- which hierarchies there are ------------------------------------------------------------------- */

/* Is @word one of the words of @list, which commas separate? */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; list; list = strchr(list, ',')) {
		list += *list == ',';
		if (strncmp(list, word, n) == 0 && (list[n] == ',' || list[n] == 0))
			return true;
	}
	return false;
}

/* In mountinfo blanks, tabs, line ends and backslashes stand as \ooo. */
static bool unescape(char *to, size_t n, const char *from)
{
	size_t i = 0;

	for (; *from && i + 1 < n; from++) {
		if (*from == '\\' && from[1] && from[2] && from[3]) {
			to[i++] = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 3;
		} else {
			to[i++] = *from;
		}
	}
	to[i] = 0;
	return !*from;
}

/* "ID PARENT DEV ROOT AT OPTIONS [OPTIONAL...] - TYPE SOURCE SUPER_OPTIONS" */
static void look_at_mount(struct rt_cpus *c, char *line)
{
	char *field[5] = { 0 }, *type, *super, *save = NULL;
	char *tail = strstr(line, " - ");
	struct rt_cpus_mount *h;

	if (!tail)
		return;
	*tail = 0;
	for (int i = 0; i < 5; i++) {
		field[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!field[i])
			return;
	}
	type = strtok_r(tail + 3, " ", &save);
	strtok_r(NULL, " ", &save);
	super = strtok_r(NULL, " ", &save);
	if (type && strcmp(type, "cgroup2") == 0)
		h = &c->v2;
	else if (type && strcmp(type, "cgroup") == 0 && super && has_word(super, "cpu"))
		h = &c->v1;
	else
		return;
	if (h->at[0])
		return;		/* the first one will do */
	if (!unescape(h->root, sizeof(h->root), field[3]) || !unescape(h->at, sizeof(h->at), field[4]))
		h->at[0] = 0;
}

void rt_cpus_find(struct rt_cpus *c)
{
	struct lines l;
	char *line;

	c->v1.at[0] = c->v2.at[0] = 0;
	if (!lines_open(&l, "/proc/self/mountinfo"))
		return;
	while ((line = lines_next(&l)) != NULL)
		look_at_mount(c, line);
	close(l.fd);
}

/* ---- where this process is -------------------------------------------------------------------------- */

/* "ID:CONTROLLERS:PATH"; the one without controllers is version 2. @path gets the place, or "". */
static void place(char *path, size_t n, bool *is_v1)
{
	struct lines l;
	char *line;

	path[0] = 0;
	*is_v1 = false;
	if (!lines_open(&l, "/proc/self/cgroup"))
		return;
	while (!*is_v1 && (line = lines_next(&l)) != NULL) {
		char *names = strchr(line, ':');
		char *at = names ? strchr(names + 1, ':') : NULL;

		if (!at || strlen(at + 1) >= n)
			continue;
		*at++ = 0;
		names++;
		*is_v1 = has_word(names, "cpu");
		if (*is_v1 || !*names)
			strcpy(path, at);
	}
	close(l.fd);
}

/* The folder of @path in @h, and in *top how much of it is the mount point. False: not to be seen. */
static bool folder(const struct rt_cpus_mount *h, const char *path, char *dir, size_t n, size_t *top)
{
	size_t skip = strcmp(h->root, "/") ? strlen(h->root) : 0;

	if (!h->at[0] || strncmp(path, h->root, skip) || (path[skip] && path[skip] != '/'))
		return false;
	if (strncmp(path + skip, "/..", 3) == 0)
		return false;		/* outside of our cgroup namespace */
	*top = strlen(h->at);
	return (size_t)snprintf(dir, n, "%s%s", h->at, strcmp(path + skip, "/") ? path + skip : "") < n;
}

/* ---- the quota ---------------------------------------------------------------------------------------- */

/* Two numbers from the first line of a file; "max" is no number. */
static int numbers(const char *dir, const char *name, long long *a, long long *b)
{
	char file[PATH_LEN + 32];
	struct lines l;
	char *line;
	int n = 0;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	if (!lines_open(&l, file))
		return 0;
	line = lines_next(&l);
	if (line)
		n = sscanf(line, "%lld %lld", a, b);
	close(l.fd);
	return n;
}

static uint32_t rounded_up(long long quota, long long period)
{
	if (quota <= 0 || period <= 0 || (quota - 1) / period >= 1 << 20)
		return NO_LIMIT;
	return (uint32_t)((quota - 1) / period) + 1;
}

static uint32_t quota_at(const char *dir, bool is_v1)
{
	long long quota = 0, period = 0, none;

	if (!is_v1)
		return numbers(dir, "cpu.max", &quota, &period) == 2 ? rounded_up(quota, period) : NO_LIMIT;
	if (numbers(dir, "cpu.cfs_quota_us", &quota, &none) < 1 ||
	    numbers(dir, "cpu.cfs_period_us", &period, &none) < 1)
		return NO_LIMIT;
	return rounded_up(quota, period);
}

uint32_t rt_cpus_quota(const struct rt_cpus *c)
{
	char path[PATH_LEN], dir[PATH_LEN];
	uint32_t least = NO_LIMIT;
	size_t top;
	bool is_v1;

	place(path, sizeof(path), &is_v1);
	if (!path[0] || !folder(is_v1 ? &c->v1 : &c->v2, path, dir, sizeof(dir), &top))
		return NO_LIMIT;
	for (;;) {
		uint32_t q = quota_at(dir, is_v1);
		char *slash = strrchr(dir, '/');

		least = q < least ? q : least;
		if (!slash || (size_t)(slash - dir) < top)
			return least;
		*slash = 0;
	}
}

/* ---- both ---------------------------------------------------------------------------------------------- */

/* The system call itself: cpu_set_t ends at 1024 CPUs, the kernel at 8192. */
static uint32_t by_affinity(void)
{
	uint64_t mask[8192 / 64];
	long n = syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask);
	uint32_t cpus = 0;

	for (long i = 0; i < n / 8; i++)
		cpus += (uint32_t)__builtin_popcountll(mask[i]);
	return cpus;
}

uint32_t rt_cpus_allowed(const struct rt_cpus *c)
{
	uint32_t n = by_affinity(), q = rt_cpus_quota(c);

	if (q < n)
		n = q;
	return n ? n : 1;
}
