// SPDX-License-Identifier: GPL-2.0-only
/*
 * proc_sched.c - /proc/gmp/<tgid>/sched, the scheduler's own counters, and /proc/gmp/<tgid>/ps, its Ps.
 *
 * Owns:       struct p_iter. Formats are described in Documentation/ABI/testing/procfs-gmp: they are
 *             only ever appended to, and a change here is a change there.
 * Locks:      none. The P words are in memory shared with the process; all else is read from the
 *             process itself (peek.c), at most GMP_MAX_P Ps of it.
 *
 * The numbers are the process's own: it can lie about itself here, and nowhere else. What it does not
 * publish, or cannot be read, is `-` in `ps` and has no line in `sched`.
 */
#include <linux/fs.h>
#include <linux/nospec.h>
#include <linux/proc_fs.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>

#include "internal.h"

/* ---- sched ------------------------------------------------------------------------------------- */

#define NOW_NAME(e, text)	[e] = text,
static const char * const now_names[] = { GMP_SCHED_NOWS(NOW_NAME) };
#undef NOW_NAME
#define COUNTER_NAME(e, text)	[GMP_COUNTER_##e] = text,
static const char * const counter_names[] = { GMP_SCHED_COUNTERS(COUNTER_NAME) };
#undef COUNTER_NAME

/* The address of P @i; 0 if there is none. @allp is the address of the array of Ps. */
static u64 p_addr(const struct gmp_peek *pk, u64 allp, u32 i)
{
	u64 p;

	return allp && gmp_peek_read(pk, allp + i * sizeof(p), &p, sizeof(p)) ? p : 0;
}

static u64 allp_addr(const struct gmp_peek *pk)
{
	u64 allp;

	return gmp_peek_read(pk, pk->l.allp, &allp, sizeof(allp)) ? allp : 0;
}

/*
 * A goroutine that ends on another P than it was made on makes a part negative: only the sum means
 * something, and while they run even that may be a few off.
 */
static u64 goroutines_of_ps(const struct gmp_peek *pk)
{
	u32 i, ps = min_t(u32, pk->l.maxprocs, GMP_MAX_P);
	u64 sum = 0, one, p, allp = allp_addr(pk);

	for (i = 0; pk->l.p_off_ng && i < ps && !fatal_signal_pending(current); i++) {
		p = p_addr(pk, allp, i);
		if (p && gmp_peek_read(pk, p + pk->l.p_off_ng, &one, sizeof(one)))
			sum += one;
		cond_resched();
	}
	return sum;
}

static void show_nows(struct seq_file *m, const struct gmp_peek *pk)
{
	struct gmp_sched_word words[GMP_NOW_COUNT];
	u32 i, n = min_t(u32, pk->l.nr_sched_words, GMP_NOW_COUNT);
	u64 value;

	if (!gmp_peek_read(pk, pk->l.sched_words, words, n * sizeof(*words)))
		return;
	for (i = 0; i < n; i++) {
		if (!gmp_peek_word(pk, words[i].addr, words[i].size, &value))
			continue;
		if (i == GMP_NOW_GOROUTINES)
			value = max_t(s64, value + goroutines_of_ps(pk), 0);
		seq_printf(m, "%s %llu\n", now_names[i], value);
	}
}

static void sum_counters(const struct gmp_peek *pk, u64 *sum, u32 n)
{
	u32 i, j, ps = min_t(u32, pk->l.maxprocs, GMP_MAX_P);
	u64 one[GMP_COUNTER_COUNT], p, allp = allp_addr(pk);

	for (i = 0; i < ps && !fatal_signal_pending(current); i++) {
		p = p_addr(pk, allp, i);
		if (!p || !gmp_peek_read(pk, p + pk->l.p_off_counters, one, n * sizeof(*one)))
			continue;
		for (j = 0; j < n; j++)
			sum[j] += one[j];
		cond_resched();
	}
}

static void show_counters(struct seq_file *m, const struct gmp_peek *pk)
{
	u32 i, n = min_t(u32, pk->l.nr_p_counters, GMP_COUNTER_COUNT);
	u64 sum[GMP_COUNTER_COUNT] = { };

	if (!pk->l.p_off_counters)
		return;
	sum_counters(pk, sum, n);
	for (i = 0; i < n; i++)
		seq_printf(m, "%s %llu\n", counter_names[i], sum[i]);
}

static int sched_show(struct seq_file *m, void *v)
{
	struct gmp_group *grp = m->private;
	struct gmp_peek pk;
	int err;

	if (!gmp_group_is_alive(grp))
		return -ENOENT;
	err = gmp_peek_open(&pk, grp);
	if (err && err != -ENODATA)
		return err;
	seq_printf(m, "version 1\nrunning %d\n", !err);
	if (err)
		return 0;
	show_nows(m, &pk);
	show_counters(m, &pk);
	gmp_peek_close(&pk);
	return 0;
}

static int sched_open(struct inode *inode, struct file *file)
{
	struct gmp_group *grp = pde_data(inode);

	return gmp_proc_may_read(grp, file) ?: gmp_proc_single_open(file, sched_show, grp);
}

const struct proc_ops gmp_proc_sched_ops = {
	.proc_open	= sched_open,
	.proc_read_iter	= seq_read_iter,
	.proc_lseek	= seq_lseek,
	.proc_release	= gmp_proc_single_release,
};

/* ---- ps ------------------------------------------------------------------------------------------ */

/**
 * struct p_iter - a reader on its way through the Ps of a process
 * @grp: constant; it stays while the reader is inside
 * @pk: open between start and stop, if the process can be read
 * @allp: address of the array of Ps, 0 = unknown
 * @at: number of the current row's P
 */
struct p_iter {
	struct gmp_group	*grp;
	struct gmp_peek		pk;
	u64			allp;
	u32			at;
};

static u64 p_word(struct gmp_group *grp, u32 i)
{
	struct gmp_p_shared *p = gmp_region_peek(&grp->user, grp->p_off + i * sizeof(*p));

	return p ? READ_ONCE(p->word) : 0;
}

/* The first P in being at or after *@pos - 1. A word that is all zero says that there is none. */
static void *find_p(struct p_iter *it, loff_t *pos)
{
	for (; *pos <= it->grp->nr_p; ++*pos) {
		it->at = *pos - 1;
		if (p_word(it->grp, it->at))
			return it;
	}
	return NULL;
}

static void *ps_start(struct seq_file *m, loff_t *pos)
{
	struct p_iter *it = m->private;
	int err;

	if (!gmp_group_is_alive(it->grp))
		return ERR_PTR(-ENOENT);
	err = gmp_peek_open(&it->pk, it->grp);
	if (err && err != -ENODATA)
		return ERR_PTR(err);
	it->allp = err ? 0 : allp_addr(&it->pk);
	return *pos ? find_p(it, pos) : SEQ_START_TOKEN;
}

static void *ps_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	cond_resched();
	return find_p(m->private, pos);
}

static void ps_stop(struct seq_file *m, void *v)
{
	struct p_iter *it = m->private;

	gmp_peek_close(&it->pk);
}

static const char *pstatus_name(u32 status)
{
	static const char * const names[] = {
		[GMP_P_IDLE]	= "idle",
		[GMP_P_RUNNING]	= "running",
		[GMP_P_SYSCALL]	= "syscall",
		[GMP_P_GCSTOP]	= "gcstop",
		[GMP_P_DEAD]	= "dead",
	};

	if (status >= ARRAY_SIZE(names))
		return "?";
	return names[array_index_nospec(status, ARRAY_SIZE(names))];
}

/* What the P itself says, beyond its word. */
static void show_queue(struct seq_file *m, const struct p_iter *it)
{
	const struct gmp_rt_layout *l = &it->pk.l;
	u64 p = p_addr(&it->pk, it->allp, it->at), next, tick;
	u32 head, tail;

	if (!p || !gmp_peek_read(&it->pk, p + l->p_off_runqhead, &head, sizeof(head)) ||
	    !gmp_peek_read(&it->pk, p + l->p_off_runqtail, &tail, sizeof(tail)) ||
	    !gmp_peek_read(&it->pk, p + l->p_off_runnext, &next, sizeof(next)) ||
	    !gmp_peek_read(&it->pk, p + l->p_off_schedtick, &tick, sizeof(tick))) {
		seq_printf(m, " %6s %9s\n", "-", "-");
		return;
	}
	seq_printf(m, " %6u %9llu\n", tail - head + (next != 0), tick);
}

static pid_t tid_of(struct seq_file *m, struct gmp_group *grp, u32 m_id)
{
	struct gmp_worker *w = gmp_worker_of_m(grp, m_id);
	pid_t tid;

	if (!w)
		return 0;
	tid = gmp_proc_pid_nr(w->tid, m->file);
	gmp_worker_put(w);
	return tid;
}

static int ps_show(struct seq_file *m, void *v)
{
	struct p_iter *it = m->private;
	s32 owner;
	u64 word;

	if (v == SEQ_START_TOKEN) {
		seq_printf(m, "#v1 %5s %8s %5s %7s %10s %6s %9s\n", "p", "status", "m", "tid", "seq",
			   "queued", "schedtick");
		return 0;
	}
	word = p_word(it->grp, it->at);
	owner = (s32)GMP_P_WORD_M(word) - 1;
	seq_printf(m, "    %5u %8s %5d %7d %10u", it->at, pstatus_name(GMP_P_WORD_STATUS(word)),
		   owner, tid_of(m, it->grp, owner), GMP_P_WORD_SEQ(word));
	show_queue(m, it);
	return 0;
}

static const struct seq_operations ps_seq_ops = {
	.start	= ps_start,
	.next	= ps_next,
	.stop	= ps_stop,
	.show	= ps_show,
};

static int ps_open(struct inode *inode, struct file *file)
{
	struct gmp_group *grp = pde_data(inode);
	struct p_iter *it;
	int err = gmp_proc_may_read(grp, file) ?: gmp_proc_pin();

	if (err)
		return err;
	it = __seq_open_private(file, &ps_seq_ops, sizeof(*it));
	if (!it) {
		gmp_proc_unpin();
		return -ENOMEM;
	}
	it->grp = grp;
	return 0;
}

static int ps_release(struct inode *inode, struct file *file)
{
	seq_release_private(inode, file);
	gmp_proc_unpin();
	return 0;
}

const struct proc_ops gmp_proc_ps_ops = {
	.proc_open	= ps_open,
	.proc_read_iter	= seq_read_iter,
	.proc_lseek	= seq_lseek,
	.proc_release	= ps_release,
};
