// SPDX-License-Identifier: GPL-2.0-only
/*
 * proc_cause.c - /proc/gmp/<tgid>/causes and /proc/gmp/<tgid>/hist: blocks by cause, and by length.
 *
 * Owns:       struct cause_iter. Columns are described in Documentation/ABI/testing/procfs-gmp: they
 *             are only ever appended to, and a change here is a change there.
 * Locks:      grp->lock, for a run of slots at a time (gone.c), while those that have gone are summed,
 *             or all of them (hist).
 *
 * The position in `causes` is the place itself, as in proc_task.c: 0 the header, 1 the Ms that have
 * gone, else two more than the slot. Those that have gone come first: an M that goes while a reader
 * is on its way may be missed, but is never there twice.
 */
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "internal.h"

#define POS_GONE	1
#define POS_SLOTS	2

/* ---- causes ---------------------------------------------------------------------------------- */

/**
 * struct cause_iter - a reader on its way through the Ms of a process
 * @grp: constant; it stays while the reader is inside
 * @w: worker of the current rows, NULL for those that have gone; holds a reference
 * @t: copy of a tally
 */
struct cause_iter {
	struct gmp_group	*grp;
	struct gmp_worker	*w;
	struct gmp_tally	t;
};

static void *find(struct cause_iter *it, loff_t *pos)
{
	unsigned long slot = *pos - POS_SLOTS;

	if (!gmp_group_is_alive(it->grp))
		return ERR_PTR(-ENOENT);
	if (*pos == POS_GONE)
		return it;
	it->w = gmp_worker_find(it->grp, &slot);
	if (!it->w)
		return NULL;
	*pos = (loff_t)slot + POS_SLOTS;
	return it;
}

static void *causes_start(struct seq_file *m, loff_t *pos)
{
	struct cause_iter *it = m->private;

	if (!gmp_group_is_alive(it->grp))
		return ERR_PTR(-ENOENT);
	return *pos ? find(it, pos) : SEQ_START_TOKEN;
}

static void put(struct cause_iter *it)
{
	if (it->w)
		gmp_worker_put(it->w);
	it->w = NULL;
}

static void *causes_next(struct seq_file *m, void *v, loff_t *pos)
{
	put(m->private);
	++*pos;
	return find(m->private, pos);
}

static void causes_stop(struct seq_file *m, void *v)
{
	put(m->private);
}

static void show_rows(struct seq_file *m, pid_t tid, u32 m_id, const struct gmp_tally *t)
{
	unsigned int i;

	for (i = 0; i < GMP_CAUSE_COUNT; i++)
		if (t->n[i])
			seq_printf(m, "    %7d %5d %8s %9llu %14llu\n", tid, (int)m_id,
				   gmp_cause_name(i), t->n[i], t->ns[i]);
}

static void add_gone(void *sum, const struct gmp_gone *gone)
{
	gmp_tally_add(sum, &gone->tally);
}

static void show_gone(struct seq_file *m, struct cause_iter *it)
{
	it->t = (struct gmp_tally) { };
	gmp_gone_sum(it->grp, add_gone, NULL, &it->t);
	show_rows(m, 0, -1, &it->t);
}

static int causes_show(struct seq_file *m, void *v)
{
	struct cause_iter *it = m->private;

	if (v == SEQ_START_TOKEN) {
		seq_printf(m, "#v1 %7s %5s %8s %9s %14s\n", "tid", "m", "cause", "blocked",
			   "blocked_ns");
		return 0;
	}
	if (!it->w) {
		show_gone(m, it);
		return 0;
	}
	gmp_account_tally(it->w, &it->t);
	show_rows(m, gmp_proc_pid_nr(it->w->tid, m->file), it->w->m_id, &it->t);
	return 0;
}

static const struct seq_operations causes_seq_ops = {
	.start	= causes_start,
	.next	= causes_next,
	.stop	= causes_stop,
	.show	= causes_show,
};

static int causes_open(struct inode *inode, struct file *file)
{
	struct gmp_group *grp = pde_data(inode);
	struct cause_iter *it;
	int err = gmp_proc_may_read(grp, file) ?: gmp_proc_pin();

	if (err)
		return err;
	it = __seq_open_private(file, &causes_seq_ops, sizeof(*it));
	if (!it) {
		gmp_proc_unpin();
		return -ENOMEM;
	}
	it->grp = grp;
	return 0;
}

static int causes_release(struct inode *inode, struct file *file)
{
	seq_release_private(inode, file);
	gmp_proc_unpin();
	return 0;
}

const struct proc_ops gmp_proc_causes_ops = {
	.proc_open	= causes_open,
	.proc_read_iter	= seq_read_iter,
	.proc_lseek	= seq_lseek,
	.proc_release	= causes_release,
};

/* ---- hist -------------------------------------------------------------------------------------- */

/* The first of two tallies is the sum, the second one room for a copy. */
static void add_worker(void *sum, struct gmp_worker *w)
{
	struct gmp_tally *t = sum;

	gmp_account_tally(w, &t[1]);
	gmp_tally_add(&t[0], &t[1]);
}

static void show_hist(struct seq_file *m, const struct gmp_tally *t)
{
	unsigned int i;

	seq_printf(m, "#v1 %14s %9s %9s\n", "from_ns", "blocked", "runq");
	for (i = 0; i < GMP_HIST_BUCKETS; i++)
		seq_printf(m, "    %14llu %9llu %9llu\n", gmp_hist_from(i), t->slept[i],
			   t->waited[i]);
}

static int hist_show(struct seq_file *m, void *v)
{
	struct gmp_group *grp = m->private;
	struct gmp_tally *t;

	if (!gmp_group_is_alive(grp))
		return -ENOENT;
	t = kcalloc(2, sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	gmp_gone_sum(grp, add_gone, add_worker, t);
	show_hist(m, t);
	kfree(t);
	return 0;
}

static int hist_open(struct inode *inode, struct file *file)
{
	struct gmp_group *grp = pde_data(inode);

	return gmp_proc_may_read(grp, file) ?: gmp_proc_single_open(file, hist_show, grp);
}

const struct proc_ops gmp_proc_hist_ops = {
	.proc_open	= hist_open,
	.proc_read_iter	= seq_read_iter,
	.proc_lseek	= seq_lseek,
	.proc_release	= gmp_proc_single_release,
};
