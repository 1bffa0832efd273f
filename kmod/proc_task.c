// SPDX-License-Identifier: GPL-2.0-only
/*
 * proc_task.c - /proc/gmp/tasks and /proc/gmp/<tgid>/tasks: a row per M.
 *
 * Owns:       struct task_iter. Columns are described in Documentation/ABI/testing/procfs-gmp: they
 *             are only ever appended to, and a change here is a change there.
 * Locks:      none. A row is found under RCU and printed while a reference is held; nothing is
 *             allocated but the page seq_file prints into, however many Ms there are.
 *
 * The position in the file is the row itself, not a count of rows: 0 the header, else one more than
 * process number and slot. So a reader goes on exactly where it was, whatever came and went
 * meanwhile, and finding its place costs the same at the end as at the beginning.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

#include "internal.h"

#define SLOT_BITS	14
static_assert(GMP_MAX_M <= 1u << SLOT_BITS);

/**
 * struct task_iter - a reader on its way through the rows
 * @only: constant; the group of the directory, or NULL for all; it stays while the reader is inside
 * @grp: group of the current row; holds a reference if @only is NULL
 * @w: worker of the current row; holds a reference
 */
struct task_iter {
	struct gmp_group	*only;
	struct gmp_group	*grp;
	struct gmp_worker	*w;
};

/* ---- finding rows -------------------------------------------------------------------------- */

static loff_t row_pos(unsigned long nr, unsigned long slot)
{
	return ((loff_t)nr << SLOT_BITS | slot) + 1;
}

static void put_row(struct task_iter *it)
{
	if (it->w)
		gmp_worker_put(it->w);
	if (it->grp && !it->only)
		gmp_group_put(it->grp);
	it->w = NULL;
	it->grp = NULL;
}

/* The group at or after @nr the reader may see. */
static struct gmp_group *find_group(struct task_iter *it, const struct file *reader,
				    unsigned long *nr)
{
	struct gmp_group *grp;

	if (it->only) {
		if (*nr > it->only->nr || !gmp_group_is_alive(it->only))
			return NULL;
		*nr = it->only->nr;
		return it->only;
	}
	while ((grp = gmp_group_find(nr))) {
		if (!gmp_proc_may_read(grp, reader))
			return grp;
		gmp_group_put(grp);
		cond_resched();
		++*nr;
	}
	return NULL;
}

/* Makes the row at or after *@pos the current one and sets *@pos to it; NULL at the end. */
static struct task_iter *find_row(struct task_iter *it, const struct file *reader, loff_t *pos)
{
	unsigned long nr = (*pos - 1) >> SLOT_BITS, first = nr;
	unsigned long slot = (*pos - 1) & (BIT(SLOT_BITS) - 1);

	while ((it->grp = find_group(it, reader, &nr))) {
		if (nr != first)
			slot = 0;
		it->w = gmp_worker_find(it->grp, &slot);
		if (it->w) {
			*pos = row_pos(nr, slot);
			return it;
		}
		put_row(it);
		nr++;
	}
	return NULL;
}

/* Of a process that has gone not even the header: an empty table would say that it has no Ms. */
static bool has_gone(const struct task_iter *it)
{
	return it->only && !gmp_group_is_alive(it->only);
}

static void *tasks_start(struct seq_file *m, loff_t *pos)
{
	if (has_gone(m->private))
		return ERR_PTR(-ENOENT);
	return *pos ? find_row(m->private, m->file, pos) : SEQ_START_TOKEN;
}

static void *tasks_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct task_iter *it = m->private;

	put_row(it);
	++*pos;
	if (has_gone(it))
		return ERR_PTR(-ENOENT);
	return find_row(it, m->file, pos);
}

static void tasks_stop(struct seq_file *m, void *v)
{
	put_row(m->private);
}

/* ---- printing them ------------------------------------------------------------------------- */

static const char * const gstatus_names[] = {
	[GMP_G_IDLE]		= "idle",
	[GMP_G_RUNNABLE]	= "runnable",
	[GMP_G_RUNNING]		= "running",
	[GMP_G_SYSCALL]		= "syscall",
	[GMP_G_WAITING]		= "waiting",
	[GMP_G_DEAD]		= "dead",
	[GMP_G_COPYSTACK]	= "copystack",
	[GMP_G_PREEMPTED]	= "preempted",
};

static const char * const mstate_names[] = {
	[GMP_M_NONE]		= "none",
	[GMP_M_RUNNING]		= "running",
	[GMP_M_SCHED]		= "sched",
	[GMP_M_SPINNING]	= "spinning",
	[GMP_M_IDLE]		= "idle",
	[GMP_M_NETPOLL]		= "netpoll",
	[GMP_M_SYSMON]		= "sysmon",
	[GMP_M_LOCKED]		= "locked",
};

static const char * const state_names[] = {
	[GMP_TASK_RUNNING]	= "running",
	[GMP_TASK_RUNNABLE]	= "runnable",
	[GMP_TASK_BLOCKED]	= "blocked",
	[GMP_TASK_STOPPED]	= "stopped",
	[GMP_TASK_DEAD]		= "dead",
};

static const char * const why_names[] = {
	[GMP_WHY_BLOCKED]	= "blocked",
	[GMP_WHY_PREEMPTED]	= "preempted",
	[GMP_WHY_STOPPED]	= "stopped",
	[GMP_WHY_DEAD]		= "dead",
};

/* A word for a number that may be anything: user space wrote it. Masked: what is there is followed. */
static const char *word(const char * const *names, size_t n, u32 value)
{
	const char *name = value < n ? names[array_index_nospec(value, n)] : NULL;

	return name ?: "?";
}

#define WORD(names, value)	word(names, ARRAY_SIZE(names), value)

/**
 * gmp_gstatus_name() - a status of a goroutine in words
 * @status: enum gmp_g_status, or anything: user space wrote it
 *
 * Return: its name, or "?".
 */
const char *gmp_gstatus_name(u32 status)
{
	return WORD(gstatus_names, status);
}

static void show_header(struct seq_file *m, const struct task_iter *it)
{
	seq_puts(m, "#v1");
	if (!it->only)
		seq_printf(m, " %7s", "tgid");
	seq_printf(m, " %7s %5s %4s %8s %9s %8s %8s %3s", "tid", "m", "p", "goid", "gstatus",
		   "mstate", "state", "cpu");
	seq_printf(m, " %14s %14s %14s", "oncpu_ns", "runq_ns", "blocked_ns");
	seq_printf(m, " %8s %9s %7s %8s %8s", "blocked", "preempted", "stopped", "woken",
		   "carried");
	seq_printf(m, " %14s %9s %9s %9s", "carried_ns", "switches", "last_goid", "last_why");
	seq_printf(m, " %14s %16s %14s %14s %5s", "state_ns", "attached_ns", "base_oncpu_ns",
		   "base_runq_ns", "slot");
	seq_printf(m, " %14s %14s", "goroutine_ns", "scheduler_ns");
	seq_printf(m, " %9s %8s %8s\n", "p_blocked", "p_woken", "p_lost");
}

static void show_now(struct seq_file *m, const struct gmp_worker *w, const struct gmp_sample *s)
{
	bool carries = s->u.goid != 0;

	seq_printf(m, " %7d %5u %4d %8llu %9s %8s %8s %3u", gmp_proc_pid_nr(w->tid, m->file),
		   w->m_id, s->u.p, s->u.goid, carries ? WORD(gstatus_names, s->u.gstatus) : "-",
		   WORD(mstate_names, s->u.mstate), state_names[s->state], task_cpu(w->task));
}

static void show_account(struct seq_file *m, const struct gmp_worker *w, const struct gmp_sample *s)
{
	seq_printf(m, " %14llu %14llu %14llu", s->k.oncpu_ns, s->k.runq_ns, s->k.blocked_ns);
	seq_printf(m, " %8llu %9llu %7llu %8llu %8llu", s->k.blocked, s->k.preempted,
		   s->since.stopped, s->k.woken, s->k.carried);
	seq_printf(m, " %14llu %9llu %9llu %9s", s->k.carried_ns, s->u.switches, s->k.last_goid,
		   s->k.last_out_ns ? WORD(why_names, s->k.last_why) : "-");
	seq_printf(m, " %14llu %16llu %14llu %14llu %5u", s->state_ns, w->attached_ns,
		   w->base_oncpu, w->base_runq, w->slot);
	seq_printf(m, " %14llu %14llu", s->goroutine_ns, s->scheduler_ns);
	seq_printf(m, " %9llu %8llu %8llu\n", s->k.p_blocked, s->k.p_woken, s->k.p_lost);
}

static int tasks_show(struct seq_file *m, void *v)
{
	struct task_iter *it = m->private;
	struct gmp_sample s;

	if (v == SEQ_START_TOKEN) {
		show_header(m, it);
		return 0;
	}
	if (!gmp_account_read(it->w, &s))
		return SEQ_SKIP;
	seq_puts(m, "   ");
	if (!it->only)
		seq_printf(m, " %7d", gmp_proc_pid_nr(it->grp->tgid, m->file));
	show_now(m, it->w, &s);
	show_account(m, it->w, &s);
	return 0;
}

/**
 * gmp_worker_of_m() - an M by its number
 * @grp: group the caller holds a reference on
 * @m_id: number of the M; anything
 *
 * Return: the worker with a reference for the caller; NULL if it is not registered in the slot of its
 * number, as the Ms of libgmprt are.
 */
struct gmp_worker *gmp_worker_of_m(struct gmp_group *grp, u32 m_id)
{
	struct gmp_worker *w = gmp_worker_at(grp, m_id);

	if (!w || w->m_id == m_id)
		return w;
	gmp_worker_put(w);
	return NULL;
}

/* ---- files --------------------------------------------------------------------------------- */

static const struct seq_operations tasks_seq_ops = {
	.start	= tasks_start,
	.next	= tasks_next,
	.stop	= tasks_stop,
	.show	= tasks_show,
};

static int iter_open(struct file *file, struct gmp_group *only)
{
	struct task_iter *it;
	int err = gmp_proc_pin();

	if (err)
		return err;
	it = __seq_open_private(file, &tasks_seq_ops, sizeof(*it));
	if (!it) {
		gmp_proc_unpin();
		return -ENOMEM;
	}
	it->only = only;
	return 0;
}

static int all_tasks_open(struct inode *inode, struct file *file)
{
	return iter_open(file, NULL);
}

static int tasks_open(struct inode *inode, struct file *file)
{
	struct gmp_group *grp = pde_data(inode);

	return gmp_proc_may_read(grp, file) ?: iter_open(file, grp);
}

static int tasks_release(struct inode *inode, struct file *file)
{
	seq_release_private(inode, file);
	gmp_proc_unpin();
	return 0;
}

const struct proc_ops gmp_proc_all_tasks_ops = {
	.proc_open	= all_tasks_open,
	.proc_read_iter	= seq_read_iter,
	.proc_lseek	= seq_lseek,
	.proc_release	= tasks_release,
};

const struct proc_ops gmp_proc_tasks_ops = {
	.proc_open	= tasks_open,
	.proc_read_iter	= seq_read_iter,
	.proc_lseek	= seq_lseek,
	.proc_release	= tasks_release,
};
