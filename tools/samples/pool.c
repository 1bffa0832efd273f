/* SPDX-License-Identifier: MIT */
/*
 * pool.c - a pool of goroutines: a fixed number of workers take functions off a channel and call them.
 *
 *   pool WORKERS FILE...	counts the lines of each file, as wc -l does
 *
 * A goroutine costs so little that a pool is seldom needed for speed. It is the way to a limit: here no
 * more than WORKERS files are open at any time, whatever the number of arguments. Closing the
 * channel is the end of work: each worker goes on until the channel is closed and empty.
 */
#include <errno.h>
#include <fcntl.h>
#include <gmprt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the pool: nothing here knows of files ------------------------------------------------------- */

struct job {
	void (*fn)(void *arg);
	void *arg;
};
GMP_CHAN_TYPE(jobs, struct job)

struct pool {
	struct jobs jobs;
	struct gmp_wg workers;
};

static void worker(void *arg)
{
	struct pool *p = arg;
	struct job j;

	while (jobs_recv(p->jobs, &j) == 1)
		j.fn(j.arg);
}

/* A capacity of @n: whoever gives work waits only when all are busy and as much again is queued. */
static int pool_start(struct pool *p, int n)
{
	*p = (struct pool){ .jobs = jobs_make((size_t)n) };
	if (!p->jobs.c)
		return -ENOMEM;
	for (int i = 0; i < n; i++) {
		int64_t goid = gmp_wg_go(&p->workers, worker, p);

		if (goid < 0 && i == 0)
			return (int)goid;	/* with fewer than asked for it works too */
	}
	return 0;
}

static int pool_do(struct pool *p, void (*fn)(void *), void *arg)
{
	return jobs_send(p->jobs, (struct job){ fn, arg });
}

/* Returns when all that was given is done. */
static void pool_finish(struct pool *p)
{
	jobs_close(p->jobs);
	gmp_wg_wait(&p->workers);
	jobs_unref(p->jobs);
}

/* ---- the work -------------------------------------------------------------------------------------- */

struct task {
	const char *path;
	long lines;
	int err;
};

static struct {
	struct gmp_mutex lock;
	int now, most;
} open_files;

static void count_open(int by)
{
	gmp_mutex_lock(&open_files.lock);
	open_files.now += by;
	if (open_files.now > open_files.most)
		open_files.most = open_files.now;
	gmp_mutex_unlock(&open_files.lock);
}

/* Files block the thread: the calls are declared, so that others go on meanwhile. */
static ssize_t read_some(int fd, char *buf, size_t n)
{
	ssize_t got;

	gmp_syscall_begin();
	got = read(fd, buf, n);
	if (got < 0)
		got = -errno;		/* before the goroutine may move to another thread */
	gmp_syscall_end();
	return got;
}

static int open_file(const char *path)
{
	int fd;

	gmp_syscall_begin();
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	gmp_syscall_end();
	return fd;
}

static void count_lines(void *arg)
{
	struct task *t = arg;
	char buf[16384];
	int fd = open_file(t->path);
	ssize_t n = fd;

	if (fd >= 0) {
		count_open(1);
		while ((n = read_some(fd, buf, sizeof(buf))) > 0)
			for (const char *p = buf; (p = memchr(p, '\n', (size_t)(buf + n - p))) != NULL; p++)
				t->lines++;
		close(fd);
		count_open(-1);
	}
	t->err = n < 0 ? (int)-n : 0;
}

/* ---- main -------------------------------------------------------------------------------------------- */

struct args {
	int workers, n;
	char **path;
};

static int report(const struct task *t, int n)
{
	long total = 0;
	int rc = 0;

	for (int i = 0; i < n; i++) {
		if (t[i].err) {
			fprintf(stderr, "pool: %s: %s\n", t[i].path, strerror(t[i].err));
			rc = 1;
			continue;
		}
		printf("%ld %s\n", t[i].lines, t[i].path);
		total += t[i].lines;
	}
	printf("%ld total, %d open at most\n", total, open_files.most);
	return rc;
}

static int start(void *arg)
{
	const struct args *a = arg;
	struct task *t = calloc((size_t)a->n, sizeof(*t));
	struct pool p;
	int rc;

	if (!t || pool_start(&p, a->workers) < 0) {
		fprintf(stderr, "pool: out of memory\n");
		free(t);
		return 1;
	}
	for (int i = 0; i < a->n; i++) {
		t[i].path = a->path[i];
		pool_do(&p, count_lines, &t[i]);
	}
	pool_finish(&p);
	rc = report(t, a->n);
	free(t);
	return rc;
}

int main(int argc, char **argv)
{
	struct args a = { .workers = argc > 2 ? atoi(argv[1]) : 0, .n = argc - 2, .path = argv + 2 };

	if (a.workers < 1 || a.workers > 100000) {
		fprintf(stderr, "usage: pool WORKERS FILE...\n");
		return 2;
	}
	return gmp_run(start, &a);
}
