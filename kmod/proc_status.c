// SPDX-License-Identifier: GPL-2.0-only
/*
 * proc_status.c - /proc/gmp/version, /proc/gmp/stat, /proc/gmp/<tgid>/status.
 *
 * Owns:       nothing. Fields are described in Documentation/ABI/testing/procfs-gmp: they are only
 *             ever appended to, and a change here is a change there.
 * Locks:      grp->lock, for a run of slots at a time while the Ms of a process are summed (gone.c), so
 *             that an M that goes meanwhile is counted once. `stat` is for everyone and takes no lock.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/proc_fs.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/string_helpers.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>

#include "internal.h"

/* ---- version, stat ------------------------------------------------------------------------- */

static int version_show(struct seq_file *m, void *v)
{
	seq_printf(m, "gmp %s abi %d\n", GMP_VERSION, GMP_ABI_VERSION);
	return 0;
}

static int version_open(struct inode *inode, struct file *file)
{
	return gmp_proc_single_open(file, version_show, NULL);
}

const struct proc_ops gmp_proc_version_ops = {
	.proc_open	= version_open,
	.proc_read_iter	= seq_read_iter,
	.proc_lseek	= seq_lseek,
	.proc_release	= gmp_proc_single_release,
};

static void stat_line(struct seq_file *m, const char *name, u64 value)
{
	seq_printf(m, "%s %llu\n", name, value);
}

/* Names are made of the causes': a new cause is two new lines. */
static void stat_causes(struct seq_file *m)
{
	struct gmp_causes sum;
	unsigned int i;

	gmp_causes_read(&sum);
	for (i = 0; i < GMP_CAUSE_COUNT; i++) {
		seq_printf(m, "blocked_%s %llu\n", gmp_cause_name(i), sum.n[i]);
		seq_printf(m, "blocked_%s_ns %llu\n", gmp_cause_name(i), sum.ns[i]);
	}
}

static int stat_show(struct seq_file *m, void *v)
{
	struct gmp_sums sum;

	gmp_totals_read(&sum);
	stat_line(m, "version", 1);
	stat_line(m, "processes", gmp_charged(GMP_R_PROCESSES));
	stat_line(m, "ms", gmp_charged(GMP_R_THREADS));
	stat_line(m, "attaches_total", atomic_long_read(&gmp_nr_attached));
	stat_line(m, "m_registers_total", atomic_long_read(&gmp_nr_registered));
	stat_line(m, "oncpu_ns", sum.oncpu_ns);
	stat_line(m, "runq_ns", sum.runq_ns);
	stat_line(m, "blocked_ns", sum.blocked_ns);
	stat_line(m, "blocked", sum.blocked);
	stat_line(m, "preempted", sum.preempted);
	stat_line(m, "stopped", sum.stopped);
	stat_line(m, "woken", sum.woken);
	stat_line(m, "carried", sum.carried);
	stat_line(m, "carried_ns", sum.carried_ns);
	stat_causes(m);
	stat_line(m, "bytes", gmp_charged(GMP_R_BYTES));
	stat_line(m, "p_blocked", sum.p_blocked);
	stat_line(m, "p_woken", sum.p_woken);
	stat_line(m, "p_lost", sum.p_lost);
	return 0;
}

static int stat_open(struct inode *inode, struct file *file)
{
	return gmp_proc_single_open(file, stat_show, NULL);
}

const struct proc_ops gmp_proc_stat_ops = {
	.proc_open	= stat_open,
	.proc_read_iter	= seq_read_iter,
	.proc_lseek	= seq_lseek,
	.proc_release	= gmp_proc_single_release,
};

/* ---- <tgid>/status ------------------------------------------------------------------------- */

/* What is summed over a process. */
struct status_sums {
	struct gmp_sums	ms;
	u64		switches;
	u64		goroutine_ns;
	u64		scheduler_ns;
	u32		nr_ms;
	u64		nr_registered;
	u32		nr_ps;
	u32		ps[GMP_P_DEAD + 1];
};

static void add_gone(void *to, const struct gmp_gone *gone)
{
	struct status_sums *sum = to;

	gmp_sums_add(&sum->ms, &gone->ms);
	sum->switches += gone->switches;
	sum->goroutine_ns += gone->goroutine_ns;
	sum->scheduler_ns += gone->scheduler_ns;
}

static void add_worker(void *to, struct gmp_worker *w)
{
	struct status_sums *sum = to;
	struct gmp_sample s;

	if (!gmp_account_read(w, &s))
		return;
	gmp_sums_add(&sum->ms, &s.since);
	sum->switches += s.u.switches;
	sum->goroutine_ns += s.goroutine_ns;
	sum->scheduler_ns += s.scheduler_ns;
}

static void sum_ms(struct gmp_group *grp, struct status_sums *sum)
{
	spin_lock(&grp->lock);
	sum->nr_ms = grp->nr_workers;
	sum->nr_registered = grp->nr_registered;
	spin_unlock(&grp->lock);
	gmp_gone_sum(grp, add_gone, add_worker, sum);
}

/* The words are the process's own; zero is no P, a status that is none of ours is not counted. */
static void sum_ps(struct gmp_group *grp, struct status_sums *sum)
{
	u32 i, status;
	u64 word;

	for (i = 0; i < grp->nr_p; i++) {
		struct gmp_p_shared *p = gmp_region_peek(&grp->user, grp->p_off + i * sizeof(*p));

		word = p ? READ_ONCE(p->word) : 0;
		status = GMP_P_WORD_STATUS(word);
		if (word && status < ARRAY_SIZE(sum->ps))
			sum->ps[status]++;
		if (word && status < GMP_P_DEAD)
			sum->nr_ps++;
	}
}

static void status_field(struct seq_file *m, const char *name, u64 value)
{
	seq_printf(m, "%s:\t%llu\n", name, value);
}

static void show_identity(struct seq_file *m, struct gmp_group *grp)
{
	struct task_struct *leader = get_pid_task(grp->tgid, PIDTYPE_TGID);
	char comm[TASK_COMM_LEN] = "";
	kuid_t uid = grp->uid;

	if (leader) {
		get_task_comm(comm, leader);
		uid = task_uid(leader);
		put_task_struct(leader);
	}
	status_field(m, "Version", 1);
	seq_puts(m, "Name:\t");
	seq_escape_str(m, comm, ESCAPE_SPACE | ESCAPE_SPECIAL, "\n\\");
	seq_putc(m, '\n');
	status_field(m, "Tgid", gmp_proc_pid_nr(grp->tgid, m->file));
	status_field(m, "Uid", from_kuid_munged(seq_user_ns(m), uid));
	status_field(m, "AttachedNs", grp->attached_ns);
	status_field(m, "AgeNs", ktime_get_ns() - grp->attached_ns);
}

static void show_numbers(struct seq_file *m, struct gmp_group *grp, const struct status_sums *sum)
{
	status_field(m, "Slots", grp->nr_m);
	status_field(m, "Ms", sum->nr_ms);
	status_field(m, "MsTotal", sum->nr_registered);
	status_field(m, "Ps", sum->nr_ps);
	status_field(m, "PsIdle", sum->ps[GMP_P_IDLE]);
	status_field(m, "PsRunning", sum->ps[GMP_P_RUNNING]);
	status_field(m, "PsSyscall", sum->ps[GMP_P_SYSCALL]);
	status_field(m, "PsGcstop", sum->ps[GMP_P_GCSTOP]);
	status_field(m, "PsDead", sum->ps[GMP_P_DEAD]);
	status_field(m, "OnCpuNs", sum->ms.oncpu_ns);
	status_field(m, "RunqNs", sum->ms.runq_ns);
	status_field(m, "BlockedNs", sum->ms.blocked_ns);
	status_field(m, "Blocked", sum->ms.blocked);
	status_field(m, "Preempted", sum->ms.preempted);
	status_field(m, "Stopped", sum->ms.stopped);
	status_field(m, "Woken", sum->ms.woken);
	status_field(m, "Carried", sum->ms.carried);
	status_field(m, "CarriedNs", sum->ms.carried_ns);
	status_field(m, "Switches", sum->switches);
	status_field(m, "GoroutineNs", sum->goroutine_ns);
	status_field(m, "SchedulerNs", sum->scheduler_ns);
	status_field(m, "PBlocked", sum->ms.p_blocked);
	status_field(m, "PWoken", sum->ms.p_woken);
	status_field(m, "PLost", sum->ms.p_lost);
}

static int status_show(struct seq_file *m, void *v)
{
	struct gmp_group *grp = m->private;
	struct status_sums sum = { };

	if (!gmp_group_is_alive(grp))
		return -ENOENT;
	sum_ms(grp, &sum);
	sum_ps(grp, &sum);
	show_identity(m, grp);
	show_numbers(m, grp, &sum);
	return 0;
}

/* The directory, and with it the group, stays for as long as a reader is in here. */
static int status_open(struct inode *inode, struct file *file)
{
	struct gmp_group *grp = pde_data(inode);
	int err = gmp_proc_may_read(grp, file);

	return err ?: gmp_proc_single_open(file, status_show, grp);
}

const struct proc_ops gmp_proc_status_ops = {
	.proc_open	= status_open,
	.proc_read_iter	= seq_read_iter,
	.proc_lseek	= seq_lseek,
	.proc_release	= gmp_proc_single_release,
};
