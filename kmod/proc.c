// SPDX-License-Identifier: GPL-2.0-only
/*
 * proc.c - /proc/gmp: the tree, and who may read what.
 *
 * Owns:       the directories; grp->dir_state, grp->proc_dir.
 * Invariants: a name below /proc/gmp has at most one holder: the group in `names` from before its
 *             directory is made until after it is removed. proc_mkdir() never meets a clash (it
 *             would warn).
 * Locks:      none: a directory is made with memory to be found, by processes that may get no CPU time, and
 *             removed with readers to be waited for, which may sit in a page fault for ever. So whoever
 *             gets grp->dir_state from NONE to MAKING makes it; who removes it waits for that one.
 * Not here:   what the files say (proc_*.c; Documentation/ABI/testing/procfs-gmp).
 *
 * A process can attach anew (after exec, or when a number is used again) while readers still hold
 * up the removal of the old directory of its number. Then it waits a second at most, and otherwise
 * goes without a directory until the old one is gone: whoever removes that makes the new one.
 *
 *   free --gmp_proc_add(A)--> directory of A --gmp_proc_remove(A)--> being removed --> free
 *                                             gmp_proc_add(B) waits -'     `--> directory of B
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/user_namespace.h>

#include "internal.h"

/* How long an attach waits for the directory of its number to be removed. */
#define NAME_WAIT	HZ

static struct proc_dir_entry *root;

enum dir_state {
	DIR_NONE,
	DIR_MAKING,
	DIR_MADE,
};

/* Number of a process to the group whose directory has that name. */
static DEFINE_XARRAY(names);
/* Woken whenever a name becomes free, or a directory is made. */
static DECLARE_WAIT_QUEUE_HEAD(name_free);

/* ---- who may read -------------------------------------------------------------------------- */

static bool reader_has_cap(const struct file *reader, struct user_namespace *ns)
{
	return file_ns_capable(reader, ns, CAP_SYS_PTRACE) ||
	       file_ns_capable(reader, &init_user_ns, CAP_PERFMON) ||
	       file_ns_capable(reader, &init_user_ns, CAP_SYS_ADMIN);
}

/*
 * As in ptrace_may_access(PTRACE_MODE_READ_FSCREDS), which modules do not get: the ids, and, as
 * cap_ptrace_access_check() has it, no capability that the reader has not got himself.
 */
static bool reader_is_owner(const struct file *reader, const struct cred *owner)
{
	const struct cred *cred = reader->f_cred;

	return uid_eq(cred->fsuid, owner->euid) && uid_eq(cred->fsuid, owner->suid) &&
	       uid_eq(cred->fsuid, owner->uid) &&
	       gid_eq(cred->fsgid, owner->egid) && gid_eq(cred->fsgid, owner->sgid) &&
	       gid_eq(cred->fsgid, owner->gid) && cred->user_ns == owner->user_ns &&
	       cap_issubset(owner->cap_permitted, cred->cap_effective);
}

static const struct cred *group_cred(struct gmp_group *grp)
{
	struct task_struct *leader = get_pid_task(grp->tgid, PIDTYPE_TGID);
	const struct cred *cred;

	if (!leader)
		return NULL;
	cred = get_task_cred(leader);
	put_task_struct(leader);
	return cred;
}

/**
 * gmp_proc_pid_nr() - a process or thread as the reader's /proc numbers it
 * @pid: process or thread
 * @reader: file in /proc
 *
 * Return: its number in the pid namespace of the mount the file was opened in, 0 if not visible
 * there.
 */
pid_t gmp_proc_pid_nr(struct pid *pid, const struct file *reader)
{
	return pid_nr_ns(pid, proc_pid_ns(file_inode(reader)->i_sb));
}

/**
 * gmp_proc_may_read() - may this file tell of that process?
 * @grp: group the caller holds a reference on, or whose directory it reads
 * @reader: file in /proc; what counts is who opened it, not who reads
 *
 * Context: process; takes no lock.
 * Return: 0; -ENOENT if the process is dead, or not visible in the reader's pid namespace; -EACCES
 * if it is another user's, may more than the reader, or is not dumpable, and the reader has none of
 * CAP_SYS_PTRACE (over the process), CAP_PERFMON and CAP_SYS_ADMIN.
 */
int gmp_proc_may_read(struct gmp_group *grp, const struct file *reader)
{
	const struct cred *owner;
	int err = 0;

	if (!gmp_group_is_alive(grp) || !gmp_proc_pid_nr(grp->tgid, reader))
		return -ENOENT;
	if (task_tgid(current) == grp->tgid)
		return 0;
	owner = group_cred(grp);
	if (!owner)
		return -ENOENT;
	if (!reader_is_owner(reader, owner) && !reader_has_cap(reader, owner->user_ns))
		err = -EACCES;
	else if (!gmp_mm_is_dumpable(grp->mm) && !reader_has_cap(reader, grp->mm->user_ns))
		err = -EACCES;
	put_cred(owner);
	return err;
}

/* ---- open files ----------------------------------------------------------------------------- */

/**
 * gmp_proc_pin() - keep the module for as long as a file in /proc/gmp is open
 *
 * Without this rmmod would wait, and could not be killed, for a reader that sits in a page fault.
 *
 * Context: proc_open; /proc keeps the module's text in place meanwhile.
 * Return: 0, or -ENOENT if the module is on its way out.
 */
int gmp_proc_pin(void)
{
	return try_module_get(THIS_MODULE) ? 0 : -ENOENT;
}

/**
 * gmp_proc_unpin() - the counterpart of gmp_proc_pin()
 *
 * Context: proc_open that failed, proc_release; removing the entry waits for both to return.
 */
void gmp_proc_unpin(void)
{
	module_put(THIS_MODULE);
}

/**
 * gmp_proc_single_open() - single_open() that pins the module
 * @file: being opened
 * @show: prints the whole file
 * @data: for m->private
 *
 * Return: 0, -ENOENT or -ENOMEM.
 */
int gmp_proc_single_open(struct file *file, int (*show)(struct seq_file *m, void *v), void *data)
{
	int err = gmp_proc_pin();

	if (err)
		return err;
	err = single_open(file, show, data);
	if (err)
		gmp_proc_unpin();
	return err;
}

/**
 * gmp_proc_single_release() - the counterpart of gmp_proc_single_open()
 * @inode: of the file
 * @file: being closed
 *
 * Return: 0.
 */
int gmp_proc_single_release(struct inode *inode, struct file *file)
{
	single_release(inode, file);
	gmp_proc_unpin();
	return 0;
}

/* ---- directories --------------------------------------------------------------------------- */

/* Readable for all by mode, as /proc/<pid>/maps is: open() asks gmp_proc_may_read(). */
static struct proc_dir_entry *make_dir(struct gmp_group *grp)
{
	struct proc_dir_entry *dir;
	char name[24];

	snprintf(name, sizeof(name), "%lu", grp->nr);
	dir = proc_mkdir_data(name, 0555, root, grp);
	if (!dir)
		return NULL;
	/* A file may be missing, for want of memory: removing the rest might wait for readers. */
	proc_create_data("status", 0444, dir, &gmp_proc_status_ops, grp);
	proc_create_data("tasks", 0444, dir, &gmp_proc_tasks_ops, grp);
	proc_create_data("causes", 0444, dir, &gmp_proc_causes_ops, grp);
	proc_create_data("hist", 0444, dir, &gmp_proc_hist_ops, grp);
	proc_create_data("ps", 0444, dir, &gmp_proc_ps_ops, grp);
	proc_create_data("sched", 0444, dir, &gmp_proc_sched_ops, grp);
	proc_create_data("goroutines", 0444, dir, &gmp_proc_goroutines_ops, grp);
	return dir;
}

static int take_name(struct gmp_group *grp)
{
	int err = gmp_group_is_dead(grp) ? -ENOENT : xa_insert(&names, grp->nr, grp, GFP_KERNEL);

	if (err)
		return err;
	grp->proc_dir = make_dir(grp);
	if (grp->proc_dir)
		return 0;
	xa_erase(&names, grp->nr);
	return -ENOMEM;
}

/*
 * Returns false if the name is another group's. KA-8: the state and what is asked after it are ordered by
 * full barriers on both sides. A group that dies is seen to be dead, or its gmp_proc_remove() waits. Who
 * frees the name meanwhile finds that we are at it and leaves it to us: then we find it free.
 */
static bool try_add(struct gmp_group *grp)
{
	int err;

	do {
		if (atomic_cmpxchg(&grp->dir_state, DIR_NONE, DIR_MAKING) != DIR_NONE)
			return true;
		err = take_name(grp);
		atomic_xchg(&grp->dir_state, err ? DIR_NONE : DIR_MADE);
		wake_up_all(&name_free);
	} while (err == -EBUSY && !xa_load(&names, grp->nr));
	return err != -EBUSY;
}

/**
 * gmp_proc_add() - make the directory of a group
 * @grp: published group the caller holds a reference on
 *
 * A group without a directory, for want of memory or of the name, is a group all the same.
 *
 * Context: process, may sleep; may wait a second, can be killed.
 */
void gmp_proc_add(struct gmp_group *grp)
{
	if (try_add(grp))
		return;
	wait_event_killable_timeout(name_free, !xa_load(&names, grp->nr) ||
				    atomic_read(&grp->dir_state) == DIR_MADE, NAME_WAIT);
	try_add(grp);
}

/**
 * gmp_proc_remove() - remove the directory of a group, if it has one
 * @grp: dead group the caller holds a reference on
 *
 * When this returns no reader of it is left.
 *
 * Context: retire_work(), once a group; waits for readers, for as long as they like.
 */
void gmp_proc_remove(struct gmp_group *grp)
{
	WARN_ON_ONCE(!gmp_group_is_dead(grp));
	/* KA-8: nobody begins to make it any more */
	wait_event(name_free, atomic_read_acquire(&grp->dir_state) != DIR_MAKING);
	if (!grp->proc_dir)
		return;
	proc_remove(grp->proc_dir);
	grp->proc_dir = NULL;
	xa_erase(&names, grp->nr);
	wake_up_all(&name_free);
}

/**
 * gmp_proc_inherit() - a number is free again: a group that had to do without its directory gets it
 * @nr: number of a process in the initial pid namespace
 *
 * Context: process, may sleep.
 */
void gmp_proc_inherit(unsigned long nr)
{
	unsigned long at = nr;
	struct gmp_group *heir = gmp_group_find(&at);

	if (!heir)
		return;
	if (at == nr)
		try_add(heir);
	gmp_group_put(heir);
}

/**
 * gmp_proc_init() - make /proc/gmp and what is not of one process
 *
 * Return: 0 or -ENOMEM.
 */
int gmp_proc_init(void)
{
	root = proc_mkdir("gmp", NULL);
	if (!root)
		return -ENOMEM;
	if (proc_create("version", 0444, root, &gmp_proc_version_ops) &&
	    proc_create("stat", 0444, root, &gmp_proc_stat_ops) &&
	    proc_create("tasks", 0444, root, &gmp_proc_all_tasks_ops))
		return 0;
	proc_remove(root);
	return -ENOMEM;
}

/**
 * gmp_proc_exit() - remove /proc/gmp; no file in it is open, no group has a directory
 */
void gmp_proc_exit(void)
{
	proc_remove(root);
	WARN_ON_ONCE(gmp_xa_has_any(&names));
	xa_destroy(&names);
}
