// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_reader.c - a process that reads every file there is below /proc/gmp, in pieces of any size, from
 * any place, and as root turns the module's parameters and its tracepoints on and off meanwhile.
 *
 * It finds the files by itself, so those that come after it was written are read, too.
 */
#include "fuzz.h"
#include <dirent.h>
#include <sys/prctl.h>

#define EVENTS		"/sys/kernel/tracing/events/gmp/enable"

/* Reads on and on, jumps, and now and then leaves the file open while it does something else. */
static bool read_some(const char *path, struct rnd *r)
{
	char buf[5000];
	int i, n = 1 + rnd(r, 20), fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = 0;

	if (fd < 0)
		return false;
	for (i = 0; i < n && got >= 0; i++) {
		if (one_in(r, 6))
			lseek(fd, rnd(r, 20000), one_in(r, 2) ? SEEK_SET : SEEK_CUR);
		if (one_in(r, 10))
			got = pread(fd, buf, 1 + rnd(r, sizeof(buf)), one_in(r, 5) ? rnd64(r) >> 1 : rnd(r, 20000));
		else
			got = read(fd, one_in(r, 50) ? (void *)8 : buf, 1 + rnd(r, sizeof(buf)));
	}
	if (one_in(r, 30))
		usleep(rnd(r, 20000));
	close(fd);
	return true;
}

/* Does the process publish something that is believed? */
static bool is_parsed(const char *sched)
{
	return file_value(sched, "running", ' ') == 1;
}

static void read_tree(const char *path, struct rnd *r, int depth)
{
	struct dirent *e;
	char sub[600];
	DIR *dir = opendir(path);

	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.' || one_in(r, 6))
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
		if (e->d_type == DT_DIR && depth < 4)
			read_tree(sub, r, depth + 1);
		else
			count(OP_read, read_some(sub, r));
		if (!strcmp(e->d_name, "sched"))
			count(OP_parse, is_parsed(sub));
	}
	if (dir)
		closedir(dir);
}

/* A parameter by number, in the order of the folder; put back soon, or nobody could attach any more. */
static bool turn_knob(struct rnd *r)
{
	static const char *const values[] = { "0", "1", "2", "7", "1000", "4294967295", "-1", "x" };
	struct dirent *e, *chosen = NULL;
	char path[400], *old;
	DIR *dir = opendir(PARAMETERS);
	bool ok = false;
	int n = 0;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.' && one_in(r, ++n))
			chosen = e;
	if (!chosen)
		goto out;
	snprintf(path, sizeof(path), PARAMETERS "/%s", chosen->d_name);
	old = read_file(path);
	if (!old)
		goto out;
	ok = !write_file(path, values[rnd(r, ARRAY_SIZE(values))]);
	usleep(rnd(r, 10000));
	ok = !write_file(path, old) && ok;
	free(old);
out:
	if (dir)
		closedir(dir);
	return ok;
}

static bool switch_events(struct rnd *r)
{
	bool ok = !write_file(EVENTS, "1");

	usleep(rnd(r, 20000));
	return !write_file(EVENTS, "0") && ok;
}

void reader_main(struct rnd *r, bool as_nobody)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (as_nobody && become_nobody())
		_exit(1);
	for (;;) {
		read_tree("/proc/gmp", r, 0);
		if (!as_nobody && one_in(r, 4))
			count(OP_knob, turn_knob(r));
		if (!as_nobody && one_in(r, 8))
			count(OP_trace, switch_events(r));
	}
}
