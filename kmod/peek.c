// SPDX-License-Identifier: GPL-2.0-only
/*
 * peek.c - reading the memory of an attached process: what its runtime publishes of itself.
 *
 * Owns:       struct gmp_peek.
 * Invariants: nothing read is believed: an address is only ever handed to access_process_vm(), sizes
 *             and counts are bounded before they are used, and there is no list to walk, so no cycle.
 *             What a lying process gets shown is what its liar's reader could read anyway.
 * Locks:      none held; access_process_vm() takes mmap_lock of the process, can be killed while it
 *             waits for that, and may wait for pages as any reader of /proc/<pid>/mem does.
 * Not here:   what is read (proc_goroutines.c, proc_sched.c, proc_ps.c).
 *
 * The process may be stopped, hang, or execute another program at any moment:
 *
 *   a reader                                  the process
 *   may read? (when it opened the file)
 *                                             exec of a set-user-id program: a new mm
 *   access_process_vm(task): the new mm!
 *   task->mm is not grp->mm: thrown away
 *
 * A task goes from the mm it attached with to another one, never back: if it has the old one after
 * the read, then it had the old one all the time. (sched_process_exec comes too late for that.)
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/task.h>

#include "internal.h"

static bool has_mm(struct task_struct *task, const struct mm_struct *mm)
{
	bool same;

	task_lock(task);
	same = task->mm == mm;
	task_unlock(task);
	return same;
}

/* The leader may have ended before its threads; any M will do. */
static struct task_struct *get_task(struct gmp_group *grp)
{
	struct task_struct *task = get_pid_task(grp->tgid, PIDTYPE_TGID);
	struct gmp_worker *w;
	unsigned long slot;

	if (task && has_mm(task, grp->mm))
		return task;
	if (task)
		put_task_struct(task);
	for (slot = 0; (w = gmp_worker_find(grp, &slot)); slot++) {
		task = get_task_struct(w->task);
		gmp_worker_put(w);
		if (has_mm(task, grp->mm))
			return task;
		put_task_struct(task);
		cond_resched();
	}
	return NULL;
}

/**
 * gmp_peek_read() - read from the process
 * @pk: from gmp_peek_open()
 * @addr: where, in the process; anything
 * @to: where to
 * @len: how much
 *
 * Context: process, may sleep; no lock held.
 * Return: true if all of it was read.
 */
bool gmp_peek_read(const struct gmp_peek *pk, u64 addr, void *to, size_t len)
{
	int n;

	if (!len || len > INT_MAX || addr >= TASK_SIZE_MAX || len > TASK_SIZE_MAX - addr)
		return false;
	n = access_process_vm(pk->task, addr, to, len, 0);
	return n == (int)len && has_mm(pk->task, pk->grp->mm);
}

/**
 * gmp_peek_word() - read a number
 * @pk: from gmp_peek_open()
 * @addr: where, in the process; anything
 * @size: 4 or 8 bytes, as the process says; anything else is no number
 * @value: where to
 *
 * Context: process, may sleep; no lock held.
 * Return: true if it was read.
 */
bool gmp_peek_word(const struct gmp_peek *pk, u64 addr, u32 size, u64 *value)
{
	u32 half;

	if (size == sizeof(*value))
		return gmp_peek_read(pk, addr, value, sizeof(*value));
	if (size != sizeof(half) || !gmp_peek_read(pk, addr, &half, sizeof(half)))
		return false;
	*value = half;
	return true;
}

static bool layout_is_sane(const struct gmp_rt_layout *l)
{
	if (l->magic != GMP_LAYOUT_MAGIC || l->version != GMP_ABI_VERSION ||
	    l->size != sizeof(*l) || !l->ready)
		return false;
	if (!l->g_per_chunk || l->g_per_chunk > GMP_PEEK_MAX_PER_CHUNK)
		return false;
	return l->g_size >= sizeof(struct gmp_g_head) && l->g_size <= GMP_PEEK_BUF;
}

/**
 * gmp_peek_open() - begin to read from a process
 * @pk: filled in
 * @grp: group that stays until gmp_peek_close()
 *
 * Context: process, may sleep.
 * Return: 0; -ENODATA if it has not published a layout, or is not in gmp_run(), or cannot be read;
 * -EINTR if the reader was killed.
 */
int gmp_peek_open(struct gmp_peek *pk, struct gmp_group *grp)
{
	pk->grp = grp;
	pk->task = NULL;
	if (!grp->layout)
		return -ENODATA;
	pk->task = get_task(grp);
	if (!pk->task)
		return -ENODATA;
	if (gmp_peek_read(pk, grp->layout, &pk->l, sizeof(pk->l)) && layout_is_sane(&pk->l))
		return 0;
	gmp_peek_close(pk);
	return fatal_signal_pending(current) ? -EINTR : -ENODATA;
}

/**
 * gmp_peek_close() - the counterpart of gmp_peek_open(); harmless when that failed
 * @pk: all zero, or from gmp_peek_open()
 */
void gmp_peek_close(struct gmp_peek *pk)
{
	if (pk->task)
		put_task_struct(pk->task);
	pk->task = NULL;
}
