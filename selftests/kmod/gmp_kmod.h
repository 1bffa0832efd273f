/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gmp_kmod.h - what the tests of gmp.ko share: the device, /proc/gmp and children.
 *
 * Nothing here asserts; the tests do. Helpers return 0 or -errno, or a value and -1.
 */
#ifndef GMP_KMOD_H
#define GMP_KMOD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gmp_abi.h"

#define NOBODY	65534

typedef unsigned long long ull;

/* ---- time ---------------------------------------------------------------------------------- */

static inline ull now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static inline void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000l };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

static inline void spin_ms(unsigned int ms)
{
	ull end = now_ns() + ms * 1000000ull;

	while (now_ns() < end)
		;
}

/* Waits until cond is true, for ten seconds at most (an emulated guest on a busy host is slow). */
#define WAIT_FOR(cond)					\
({							\
	bool ok_ = false;				\
	for (int i_ = 0; i_ < 2000 && !ok_; i_++) {	\
		ok_ = (cond);				\
		if (!ok_)				\
			sleep_ms(5);			\
	}						\
	ok_;						\
})

/*
 * Since 6.12 (DELAY_DEQUEUE) a task that has gone to sleep may stay on its run queue for a while; one
 * that is moved to another CPU then is booked as waiting, from there on, by the scheduler itself
 * (sched_info_enqueue()), and run_delay is the word that schedstat prints.
 */
static inline bool sleeps_may_count_as_waits(void)
{
	unsigned int major, minor;
	struct utsname u;

	return !uname(&u) && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       major * 1000 + minor >= 6012;
}

/* A kernel with KASAN and lockdep makes system calls some 25 times as slow. */
static inline bool is_slow_kernel(void)
{
	return !access("/proc/lockdep_stats", F_OK);
}

/* Fewer rounds there. */
static inline int rounds(int n)
{
	return is_slow_kernel() ? n / 5 + 1 : n;
}

static inline pid_t gettid_(void)
{
	return syscall(SYS_gettid);
}

/* ---- the device ---------------------------------------------------------------------------- */

struct dev {
	int			fd;
	struct gmp_attach	a;
	struct gmp_m_user	*u;
	struct gmp_p_shared	*p;
	const struct gmp_m_kern	*k;
};

static inline int do_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

static inline int dev_open(void)
{
	return open(GMP_DEV_PATH, O_RDWR | O_CLOEXEC);
}

static inline int dev_attach_fd(int fd, struct gmp_attach *a, unsigned int nr_m, unsigned int nr_p)
{
	*a = (struct gmp_attach) { .size = sizeof(*a), .nr_m = nr_m, .nr_p = nr_p };
	return do_ioctl(fd, GMP_IOC_ATTACH, a);
}

static inline int dev_map(struct dev *d)
{
	int rw = PROT_READ | PROT_WRITE;
	void *u = mmap(NULL, d->a.user_len, rw, MAP_SHARED, d->fd, GMP_MMAP_USER);
	void *k = mmap(NULL, d->a.kern_len, PROT_READ, MAP_SHARED, d->fd, GMP_MMAP_KERN);

	if (u == MAP_FAILED || k == MAP_FAILED)
		return -errno;
	d->u = u;
	d->p = (void *)((char *)u + d->a.p_off);
	d->k = k;
	return 0;
}

static inline int dev_unmap(struct dev *d)
{
	return munmap(d->u, d->a.user_len) || munmap((void *)d->k, d->a.kern_len) ? -errno : 0;
}

/* open, attach, map */
static inline int dev_attach(struct dev *d, unsigned int nr_m, unsigned int nr_p)
{
	int err;

	d->fd = dev_open();
	if (d->fd < 0)
		return -errno;
	err = dev_attach_fd(d->fd, &d->a, nr_m, nr_p);
	return err ? err : dev_map(d);
}

static inline int dev_register(int fd, unsigned int slot, unsigned int m_id)
{
	struct gmp_m_register r = { .size = sizeof(r), .slot = slot, .m_id = m_id };

	return do_ioctl(fd, GMP_IOC_M_REGISTER, &r);
}

static inline int dev_unregister(int fd)
{
	return do_ioctl(fd, GMP_IOC_M_UNREGISTER, NULL);
}

/* What the runtime stores when it switches to a goroutine. */
static inline void carry(struct gmp_m_user *u, uint64_t goid, int p)
{
	volatile struct gmp_m_user *v = u;

	v->p = p;
	v->gstatus = goid ? GMP_G_RUNNING : 0;
	v->mstate = goid ? GMP_M_RUNNING : GMP_M_SCHED;
	v->switches += goid != 0;
	v->goid = goid;
}

/* A consistent copy of a slot's kernel words. */
static inline struct gmp_m_kern read_kern(const struct gmp_m_kern *k)
{
	struct gmp_m_kern copy;
	uint32_t seq;

	do {
		seq = __atomic_load_n(&k->seq, __ATOMIC_ACQUIRE);
		copy = *(const volatile struct gmp_m_kern *)k;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while ((seq & 1) || __atomic_load_n(&k->seq, __ATOMIC_RELAXED) != seq);
	return copy;
}

/* ---- files --------------------------------------------------------------------------------- */

/* The whole file as a string to be freed, read @chunk bytes at a time; NULL with errno. */
static inline char *read_file_by(const char *path, size_t chunk)
{
	size_t len = 0, size = 65536;
	char *buf = malloc(size);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	while (buf && fd >= 0) {
		if (size - len <= chunk)
			buf = realloc(buf, size *= 2);
		n = read(fd, buf + len, chunk);
		if (n <= 0)
			break;
		len += n;
	}
	if (fd >= 0) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	if (n < 0) {
		free(buf);
		return NULL;
	}
	buf[len] = '\0';
	return buf;
}

static inline char *read_file(const char *path)
{
	return read_file_by(path, 16384);
}

/* What open and read say: 0 or -errno. */
static inline int try_read(const char *path)
{
	char *text = read_file(path);
	int err = text ? 0 : -errno;

	free(text);
	return err;
}

static inline int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (n < 0)
		n = -errno;
	close(fd);
	return n < 0 ? (int)n : 0;
}

static inline int write_param(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/gmp/parameters/%s", name);
	return write_file(path, value);
}

/* "name value" lines; -1 if the file or the name is not there */
static inline long long file_value(const char *path, const char *name, char sep)
{
	char *text = read_file(path), *line, *save = text;
	size_t len = strlen(name);
	long long value = -1;

	while ((line = strsep(&save, "\n")))
		if (!strncmp(line, name, len) && line[len] == sep)
			value = strtoll(line + len + 1, NULL, 10);
	free(text);
	return value;
}

static inline long long stat_value(const char *name)
{
	return file_value("/proc/gmp/stat", name, ' ');
}

static inline void proc_path(char *path, size_t size, pid_t pid, const char *file)
{
	snprintf(path, size, "/proc/gmp/%d%s%s", pid, file ? "/" : "", file ? file : "");
}

static inline long long status_value(pid_t pid, const char *name)
{
	char path[64];

	proc_path(path, sizeof(path), pid, "status");
	return file_value(path, name, ':');
}

static inline bool has_dir(pid_t pid)
{
	char path[64];

	proc_path(path, sizeof(path), pid, NULL);
	return !access(path, F_OK);
}

/* ---- rows of tasks ------------------------------------------------------------------------- */

#define MAX_COLUMNS	64

struct table {
	char	*text;
	char	*name[MAX_COLUMNS];
	int	columns;
	char	**row;		/* start of each row */
	int	rows;
};

static inline int split(char *line, char **field, int max)
{
	char *save = NULL, *f;
	int n = 0;

	for (f = strtok_r(line, " ", &save); f && n < max; f = strtok_r(NULL, " ", &save))
		field[n++] = f;
	return n;
}

static inline void table_free(struct table *t)
{
	free(t->text);
	free(t->row);
	*t = (struct table) { 0 };
}

/* Parses a text that begins with "#v1"; frees it in the end. */
static inline int table_parse(struct table *t, char *text)
{
	char *save = NULL, *line;

	*t = (struct table) { .text = text };
	if (!text)
		return -errno;
	line = strtok_r(text, "\n", &save);
	if (!line || strncmp(line, "#v1 ", 4))
		return -EPROTO;
	t->columns = split(line + 4, t->name, MAX_COLUMNS);
	while ((line = strtok_r(NULL, "\n", &save))) {
		t->row = realloc(t->row, (t->rows + 1) * sizeof(*t->row));
		t->row[t->rows++] = line;
	}
	return 0;
}

static inline int table_read(struct table *t, const char *path)
{
	return table_parse(t, read_file(path));
}

/* A field by name, copied; false if the row or the column is not there. */
static inline bool table_field(const struct table *t, int row, const char *name,
			       char *value, size_t size)
{
	char *field[MAX_COLUMNS], *copy;
	int i, n;
	bool found = false;

	if (row < 0 || row >= t->rows)
		return false;
	copy = strdup(t->row[row]);
	n = split(copy, field, MAX_COLUMNS);
	for (i = 0; i < t->columns && i < n; i++)
		if (!strcmp(t->name[i], name)) {
			snprintf(value, size, "%s", field[i]);
			found = true;
		}
	free(copy);
	return found;
}

static inline long long table_value(const struct table *t, int row, const char *name)
{
	char value[64];

	return table_field(t, row, name, value, sizeof(value)) ? strtoll(value, NULL, 10) : -1;
}

static inline int table_find(const struct table *t, const char *name, long long value)
{
	int i;

	for (i = 0; i < t->rows; i++)
		if (table_value(t, i, name) == value)
			return i;
	return -1;
}

/* One value of one thread's row; -1 if there is none. */
static inline long long task_value(pid_t pid, pid_t tid, const char *name)
{
	struct table t;
	long long value = -1;
	char path[64];

	proc_path(path, sizeof(path), pid, "tasks");
	if (!table_read(&t, path))
		value = table_value(&t, table_find(&t, "tid", tid), name);
	table_free(&t);
	return value;
}

static inline bool task_word(pid_t pid, pid_t tid, const char *name, char *word, size_t size)
{
	struct table t;
	bool found = false;
	char path[64];

	proc_path(path, sizeof(path), pid, "tasks");
	if (!table_read(&t, path))
		found = table_field(&t, table_find(&t, "tid", tid), name, word, size);
	table_free(&t);
	return found;
}

static inline bool task_is(pid_t pid, pid_t tid, const char *name, const char *expect)
{
	char word[64];

	return task_word(pid, tid, name, word, sizeof(word)) && !strcmp(word, expect);
}

/* ---- faults -------------------------------------------------------------------------------- */

/* Handler of SIGSEGV: the page that was touched is gone. Puts another one there, or ends the thread. */
static inline void replace_page(int sig, siginfo_t *info, void *ctx)
{
	void *page = (void *)((unsigned long)info->si_addr & ~4095ul);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

	(void)sig;
	(void)ctx;
	if (mmap(page, 4096, PROT_READ | PROT_WRITE, flags, -1, 0) != page)
		syscall(SYS_exit, 0);
}

/* ---- children ------------------------------------------------------------------------------ */

/* Runs fn(arg) in a child; what it returns is its exit status. */
static inline pid_t start_child(int (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (!pid)
		_exit(fn(arg));
	return pid;
}

/* The child's exit status, or 256 + the signal it died of. */
static inline int end_child(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static inline int run_child(int (*fn)(void *arg), void *arg)
{
	return end_child(start_child(fn, arg));
}

static inline int become_user(uid_t uid)
{
	if (setgid(uid) || setuid(uid))
		return -errno;
	/* setuid() made us undumpable; a daemon that execs afterwards is not */
	return syscall(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0) ? -errno : 0;
}

static inline int become_nobody(void)
{
	return become_user(NOBODY);
}

/* One byte through a pipe: "I am ready", "go on". */
static inline void tell(int fd)
{
	while (write(fd, "x", 1) < 0 && errno == EINTR)
		;
}

static inline bool hear(int fd)
{
	char c;
	ssize_t n;

	do {
		n = read(fd, &c, 1);
	} while (n < 0 && errno == EINTR);
	return n == 1;
}

#endif /* GMP_KMOD_H */
