// SPDX-License-Identifier: MIT
/*
 * procfs.c - what the tools want from /proc/PID, and from nowhere else.
 *
 * A process may end between any two of these calls: each says so (-ESRCH) and leaves it to the caller.
 * Names are the process's own choice, so they are made printable before anyone sees them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/procfs.h"

/* A whole small file, ended by NUL. Length or -errno; a task that has gone is -ESRCH. */
static ssize_t read_file(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, buf, len - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

uint64_t proc_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Nothing that could steer a terminal or break JSON. */
void proc_make_printable(char *text)
{
	for (; *text; text++) {
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
	}
}

/* Its numbers, from the reader's namespace down to its own. */
static void nspid_line(const char *numbers, struct proc_status *st)
{
	char *end;
	long n;

	for (; (n = strtol(numbers, &end, 10)), end != numbers; numbers = end) {
		st->inside = st->own;
		st->own = (pid_t)n;
	}
}

static void status_line(const char *line, struct proc_status *st)
{
	int value;

	if (sscanf(line, "Name: %63[^\n]", st->comm) == 1)
		proc_make_printable(st->comm);
	else if (sscanf(line, "Tgid: %d", &value) == 1)
		st->tgid = value;
	else if (sscanf(line, "Uid: %d", &value) == 1)
		st->uid = (uid_t)value;
	else if (!strncmp(line, "VmSize:", 7))
		st->has_mm = true;
	else if (!strncmp(line, "NSpid:", 6))
		nspid_line(line + 6, st);
	else
		sscanf(line, "State: %c", &st->state);
}

/**
 * proc_status() - name, owner and kind of a process
 * @pid: of a process, or of any thread
 *
 * Return: 0, or -ESRCH.
 */
int proc_status(pid_t pid, struct proc_status *st)
{
	char path[32], buf[4096], *line, *next;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	n = read_file(path, buf, sizeof(buf));
	if (n < 0)
		return (int)n;
	memset(st, 0, sizeof(*st));
	for (line = buf; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		status_line(line, st);
	}
	return st->tgid ? 0 : -ESRCH;
}

/* Fields 3, 22 and 39. The name before them may hold anything: they begin after the last ')'. */
int proc_task_stat(pid_t pid, pid_t tid, struct proc_task_stat *st)
{
	char path[64], buf[1024], *p;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	n = read_file(path, buf, sizeof(buf));
	if (n < 0)
		return (int)n;
	p = strrchr(buf, ')');
	if (!p || sscanf(p + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
				" %*s %" SCNu64 " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
				" %*s %*s %*s %d", &st->state, &st->start, &st->cpu) != 3)
		return -EPROTO;
	return 0;
}

/* The first field of schedstat; the kernel adds to it at each tick and switch. */
int proc_task_oncpu(pid_t pid, pid_t tid, uint64_t *oncpu_ns)
{
	char path[64], buf[128];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	n = read_file(path, buf, sizeof(buf));
	if (n < 0)
		return (int)n;
	return sscanf(buf, "%" SCNu64, oncpu_ns) == 1 ? 0 : -EPROTO;
}

/* Calls @fn for each number in a folder of numbers; how many there were, or -errno. */
static int each_number(const char *path, proc_pid_fn fn, void *arg)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	int n = 0;

	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((e = readdir(dir))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

		if (pid <= 0)
			continue;
		n++;
		if (fn)
			fn(pid, arg);
	}
	closedir(dir);
	return n;
}

int proc_each_pid(proc_pid_fn fn, void *arg)
{
	return each_number("/proc", fn, arg);
}

int proc_each_task(pid_t pid, proc_pid_fn fn, void *arg)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	return each_number(path, fn, arg);
}

int proc_count_tasks(pid_t pid)
{
	return proc_each_task(pid, NULL, NULL);
}

static uint64_t effective_caps(void)
{
	char buf[4096], *p;

	if (read_file("/proc/self/status", buf, sizeof(buf)) < 0)
		return 0;
	p = strstr(buf, "\nCapEff:");
	return p ? strtoull(p + 8, NULL, 16) : 0;
}

/* Which of the capabilities that BPF programs need this process lacks; NULL: none. */
const char *proc_missing_caps(void)
{
	uint64_t caps = effective_caps();
	bool admin = caps >> CAP_SYS_ADMIN & 1;		/* implies both */
	bool bpf = admin || caps >> CAP_BPF & 1;
	bool perfmon = admin || caps >> CAP_PERFMON & 1;

	if (bpf && perfmon)
		return NULL;
	if (!bpf && !perfmon)
		return "CAP_BPF, CAP_PERFMON";
	return bpf ? "CAP_PERFMON" : "CAP_BPF";
}
