// SPDX-License-Identifier: MIT
/*
 * mrows.c - a row for every M of every process that is looked at, from all sources there are.
 *
 *   carrier (BPF) or allm (process memory)   which goroutine, P, state; on-CPU time
 *   /proc/PID/task/TID                       state and CPU of the task; on-CPU time without BPF
 *   /proc/gmp/tasks                          the kernel's accounting, when gmp.ko is loaded
 *
 * They are read one after the other while everything goes on: a row is as consistent as its TLS
 * block (one copy, by one read), and its other columns may be some microseconds younger.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/allm.h"
#include "common/layout.h"
#include "common/mrows.h"
#include "common/remote.h"

/* ---- which processes ----------------------------------------------------------------------- */

static int by_pid(const void *va, const void *vb)
{
	const struct mproc *a = va, *b = vb;

	return (a->pid > b->pid) - (a->pid < b->pid);
}

static struct mproc *find_proc(const struct mreader *r, pid_t pid)
{
	struct mproc key = { .pid = pid };

	return r->nprocs ? bsearch(&key, r->procs, r->nprocs, sizeof(key), by_pid) : NULL;
}

static void drop_proc(struct mreader *r, struct mproc *p)
{
	if (r->bpf)
		carrier_unwatch(r->bpf, p->pid);
	memmove(p, p + 1, (size_t)(&r->procs[--r->nprocs] - p) * sizeof(*p));
}

static int insert_proc(struct mreader *r, const struct mproc *p)
{
	struct mproc *procs = realloc(r->procs, (r->nprocs + 1) * sizeof(*procs));

	if (!procs)
		return -ENOMEM;
	r->procs = procs;
	procs[r->nprocs++] = *p;
	qsort(procs, r->nprocs, sizeof(*procs), by_pid);
	return r->bpf ? carrier_watch(r->bpf, p->pid, p->layout.tls_off) : 0;
}

/**
 * mreader_add() - look at a process
 * @pid: a process, not a thread
 *
 * One that is known already is looked up anew: it may have executed another program.
 * Return: 0, or an error of layout_find().
 */
int mreader_add(struct mreader *r, pid_t pid)
{
	struct mproc *known = find_proc(r, pid), p = { .pid = pid, .seen = true };
	struct proc_task_stat stat;
	struct proc_status st;
	int err = layout_find(pid, &p.layout);

	if (!err)
		err = proc_status(pid, &st);
	if (!err)
		err = proc_task_stat(pid, pid, &stat);
	if (err)
		return err;
	p.start = stat.start;
	memcpy(p.comm, st.comm, sizeof(p.comm));
	if (known && known->start == p.start && known->layout.tls_off == p.layout.tls_off) {
		*known = p;
		return 0;
	}
	if (known)
		drop_proc(r, known);
	return insert_proc(r, &p);
}

static void add_any(pid_t pid, void *arg)
{
	mreader_add(arg, pid);	/* most are none of ours */
}

/**
 * mreader_use_bpf() - read with BPF from now on
 * @c: loaded; closed with the reader
 *
 * Return: 0, or -E2BIG: more processes than the programs can watch.
 */
int mreader_use_bpf(struct mreader *r, struct carrier *c)
{
	int err = 0;

	r->source = MSOURCE_BPF;
	r->bpf = c;
	for (size_t i = 0; !err && i < r->nprocs; i++)
		err = carrier_watch(c, r->procs[i].pid, r->procs[i].layout.tls_off);
	return err;
}

/**
 * mreader_scan() - look at every process with libgmprt that this user may see
 *
 * Return: how many there are, or -errno.
 */
int mreader_scan(struct mreader *r)
{
	int err;

	for (size_t i = 0; i < r->nprocs; i++)
		r->procs[i].seen = false;
	err = proc_each_pid(add_any, r);
	if (err < 0)
		return err;
	for (size_t i = r->nprocs; i-- > 0; ) {
		if (!r->procs[i].seen)
			drop_proc(r, &r->procs[i]);
	}
	return (int)r->nprocs;
}

void mreader_close(struct mreader *r)
{
	carrier_close(r->bpf);
	free(r->procs);
	*r = (struct mreader){ 0 };
}

/* ---- rows ---------------------------------------------------------------------------------- */

static struct mrow *new_row(struct msample *s)
{
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct mrow *rows = realloc(s->rows, room * sizeof(*rows));

		if (!rows)
			return NULL;
		s->rows = rows;
		s->room = room;
	}
	s->rows[s->n] = (struct mrow){ .oncpu_percent = -1 };
	return &s->rows[s->n++];
}

/* What the kernel says about any task; false: it has gone. */
static bool fill_task(struct mrow *row)
{
	return !proc_task_stat(row->pid, row->tid, &row->stat);
}

static void fill_wait_reason(struct mrow *row)
{
	struct gmp_g_head g;

	if (row->tls.g && row->tls.gstatus == GMP_G_WAITING &&
	    !remote_read(row->pid, row->tls.g, &g, sizeof(g)) && g.goid == row->tls.goid)
		row->wait_reason = g.wait_reason;
}

static int row_of_bpf(const struct carrier_row *from, void *arg)
{
	struct msample *s = arg;
	struct mrow *row = new_row(s);

	if (!row)
		return -ENOMEM;
	row->pid = (pid_t)from->tgid;
	row->tid = (pid_t)from->tid;
	row->now_ns = from->now_ns;
	row->oncpu_ns = from->oncpu_ns;
	row->tls = from->tls;
	row->has_bpf = true;
	row->bpf = from->stat;
	if (!from->seen)
		row->bpf.last_p = -1;
	if (!fill_task(row))
		s->n--;
	else
		fill_wait_reason(row);
	return 0;
}

struct process_walk {
	struct msample *sample;
	pid_t pid;
	bool inside;		/* of a pid namespace below ours: threads publish numbers of that */
	struct own_tid {
		pid_t own, tid;
	} *tids;		/* by @own */
	size_t ntids, room;
	int err;
};

static int by_own(const void *va, const void *vb)
{
	const struct own_tid *a = va, *b = vb;

	return (a->own > b->own) - (a->own < b->own);
}

static void add_own_tid(pid_t tid, void *arg)
{
	struct process_walk *walk = arg;
	struct proc_status st;

	if (walk->ntids == walk->room) {
		size_t room = walk->room ? 2 * walk->room : 64;
		struct own_tid *tids = realloc(walk->tids, room * sizeof(*tids));

		if (!tids) {
			walk->err = -ENOMEM;
			return;
		}
		walk->tids = tids;
		walk->room = room;
	}
	if (!proc_status(tid, &st) && st.tgid == walk->pid)
		walk->tids[walk->ntids++] = (struct own_tid){ st.own, tid };
}

/* What we call the threads of a process that calls them by other numbers. */
static int find_own_tids(struct process_walk *walk)
{
	struct proc_status st;

	if (proc_status(walk->pid, &st) || !st.inside)
		return 0;
	walk->inside = true;
	proc_each_task(walk->pid, add_own_tid, walk);
	if (walk->ntids)
		qsort(walk->tids, walk->ntids, sizeof(*walk->tids), by_own);
	return walk->err;
}

/* 0: there is no such thread, whatever the process says. */
static pid_t reader_tid(const struct process_walk *walk, pid_t own)
{
	struct own_tid key = { .own = own }, *found;

	if (!walk->inside)
		return own;
	found = walk->ntids ? bsearch(&key, walk->tids, walk->ntids, sizeof(key), by_own) : NULL;
	return found ? found->tid : 0;
}

static int row_of_process(const struct gmp_tls *tls, void *arg)
{
	struct process_walk *walk = arg;
	struct msample *s = walk->sample;
	struct mrow *row = new_row(s);

	if (!row)
		return -ENOMEM;
	row->pid = walk->pid;
	row->tid = reader_tid(walk, (pid_t)tls->tid);
	row->tls = *tls;
	row->now_ns = proc_now();
	if (!fill_task(row) || proc_task_oncpu(row->pid, row->tid, &row->oncpu_ns))
		s->n--;		/* no thread of this process, or not any more */
	else
		fill_wait_reason(row);
	return 0;
}

static int read_process(const struct mproc *p, struct msample *s)
{
	struct process_walk walk = { .sample = s, .pid = p->pid };
	int err = find_own_tids(&walk);

	if (!err)
		err = allm_read(p->pid, &p->layout, row_of_process, &walk);
	free(walk.tids);
	return err;
}

static int read_processes(struct mreader *r, struct msample *s)
{
	for (size_t i = 0; i < r->nprocs; i++) {
		if (read_process(&r->procs[i], s) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

static void fill_kernacct(struct msample *s)
{
	struct kernacct_table t;

	if (!kernacct_read(&t)) {
		for (size_t i = 0; i < s->n; i++) {
			const struct kernacct *k = kernacct_lookup(&t, s->rows[i].pid, s->rows[i].tid);

			if (!k)
				continue;
			s->rows[i].has_kern = s->kern = true;
			s->rows[i].kern = *k;
		}
	}
	kernacct_free(&t);
}

/* In the order of /proc/gmp/<tgid>/tasks; a lying process may give two Ms one number. */
static int by_m(const void *va, const void *vb)
{
	const struct mrow *a = va, *b = vb;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->tls.m_id != b->tls.m_id)
		return a->tls.m_id < b->tls.m_id ? -1 : 1;
	return (a->tid > b->tid) - (a->tid < b->tid);
}

/* A list may lead to the same M twice while it changes. */
static void drop_twins(struct msample *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (n && by_m(&s->rows[n - 1], &s->rows[i]) == 0)
			continue;
		s->rows[n++] = s->rows[i];
	}
	s->n = n;
}

/**
 * mreader_sample() - one row for each M, now
 * @s: all zero, or an earlier sample, whose rows are replaced
 *
 * Return: 0 (a process that has ended has no rows), or -errno.
 */
int mreader_sample(struct mreader *r, struct msample *s)
{
	int err;

	s->n = 0;
	s->kern = false;
	s->now_ns = proc_now();
	if (r->source == MSOURCE_BPF)
		err = carrier_read(r->bpf, row_of_bpf, s);
	else
		err = read_processes(r, s);
	if (s->n)
		qsort(s->rows, s->n, sizeof(*s->rows), by_m);
	drop_twins(s);
	fill_kernacct(s);
	return err;
}

static void compare_row(struct mrow *row, const struct mrow *old)
{
	uint64_t took = row->now_ns - old->now_ns;
	uint64_t ran = row->oncpu_ns > old->oncpu_ns ? row->oncpu_ns - old->oncpu_ns : 0;

	if (row->now_ns <= old->now_ns)
		return;
	row->oncpu_percent = ran < took ? (int)(ran * 1000 / took) : 1000;
}

/* Fills oncpu_percent of the rows that are in both samples. */
void msample_compare(struct msample *s, const struct msample *before)
{
	for (size_t i = 0; before->n && i < s->n; i++) {
		const struct mrow *old = bsearch(&s->rows[i], before->rows, before->n, sizeof(*old), by_m);

		if (old)
			compare_row(&s->rows[i], old);
	}
}

void msample_free(struct msample *s)
{
	free(s->rows);
	*s = (struct msample){ 0 };
}

/* ---- words --------------------------------------------------------------------------------- */

/* A word for a number that another process wrote and that may be anything. */
static const char *word(const char * const *words, size_t n, unsigned int value)
{
	return value < n && words[value] ? words[value] : "?";
}

#define WORD(words, value)	word(words, sizeof(words) / sizeof(*words), value)

const char *gstatus_name(unsigned int status)
{
	static const char * const names[] = {
		[GMP_G_IDLE] = "idle", [GMP_G_RUNNABLE] = "runnable", [GMP_G_RUNNING] = "running",
		[GMP_G_SYSCALL] = "syscall", [GMP_G_WAITING] = "waiting", [GMP_G_DEAD] = "dead",
		[GMP_G_COPYSTACK] = "copystack", [GMP_G_PREEMPTED] = "preempted",
	};

	return WORD(names, status);
}

const char *mstate_name(unsigned int state)
{
	static const char * const names[] = {
		[GMP_M_NONE] = "none", [GMP_M_RUNNING] = "running", [GMP_M_SCHED] = "sched",
		[GMP_M_SPINNING] = "spinning", [GMP_M_IDLE] = "idle", [GMP_M_NETPOLL] = "netpoll",
		[GMP_M_SYSMON] = "sysmon", [GMP_M_LOCKED] = "locked",
	};

	return WORD(names, state);
}

const char *why_name(unsigned int why)
{
	static const char * const names[] = {
		[GMP_WHY_BLOCKED] = "blocked", [GMP_WHY_PREEMPTED] = "preempted",
		[GMP_WHY_STOPPED] = "stopped", [GMP_WHY_DEAD] = "dead",
	};

	return WORD(names, why);
}

static const char *wait_reason_name(unsigned int reason)
{
#define TEXT(e, text)	[e] = text,
	static const char * const names[] = { GMP_WAIT_REASONS(TEXT) };
#undef TEXT

	return WORD(names, reason);
}

/**
 * mrow_wait() - what an M's goroutine waits for, or what an M without one does
 *
 * Return: NULL when its goroutine is not known to wait for anything.
 */
const char *mrow_wait(const struct mrow *row)
{
	if (!row->tls.goid)
		return mstate_name(row->tls.mstate);
	if (row->tls.gstatus == GMP_G_WAITING)
		return wait_reason_name(row->wait_reason);
	if (row->tls.gstatus == GMP_G_RUNNING && (row->stat.state == 'S' || row->stat.state == 'D'))
		return "in kernel";	/* asleep in a call or a fault the runtime was not told of */
	return NULL;
}
