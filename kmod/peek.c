// SPDX-License-Identifier: GPL-2.0-only
/*
 * peek.c - reading the memory of an attached process: what its runtime publishes of itself.
 *
 * Owns:       struct gmp_peek.
 * Invariants: nothing read is believed: an address is only ever handed to get_user_pages_remote(),
 *             sizes and counts are bounded before they are used, and there is no list to walk, so no
 *             cycle. What a lying process gets shown is what its liar's reader could read anyway.
 * Locks:      none held; takes mmap_lock of the process, and can be killed while it waits for that.
 *             A page that does not come (userfaultfd) is waited for without it, and killably.
 * Not here:   what is read (proc_goroutines.c, proc_sched.c, proc_ps.c).
 *
 * The process may be stopped, hang, or execute another program at any moment:
 *
 *   a reader                                  the process
 *   may read? (when it opened the file)
 *                                             exec of a set-user-id program: a new mm
 *   get_task_mm(task): the new mm!
 *   it is not grp->mm: nothing is read
 *
 * An mm once taken stays what it is, whatever its tasks do; grp->mm alone would not do: it may have no
 * pages any more. (sched_process_exec comes too late for all that.)
 *
 * Whose pages are waited for? A file's are not: its file system may be a program of the same user that
 * never answers (FUSE), and who waits for that cannot always be killed, with or without FAULT_FLAG_KILLABLE.
 * What is there of a file is read; what is not, is not. A runtime has written all it publishes: its
 * variables are there, but for those of .data that were swapped out, and all else is anonymous memory,
 * which comes from swap as for any reader. /proc/<pid>/cmdline draws the same line (FOLL_ANON).
 * Rejected: access_process_vm(), which holds mmap_lock over all of that and cannot be killed.
 */
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
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

/* The page at @addr, with a reference: at once if it is there, else only if no file has it. */
static struct page *get_page_at(struct mm_struct *mm, unsigned long addr)
{
	struct page *page;
	int locked = 1;
	long n;

	if (mmap_read_lock_killable(mm))
		return NULL;
	n = gmp_get_page_remote(mm, addr, FOLL_NOFAULT, &page, NULL);
	if (n != 1)
		n = gmp_get_page_remote(mm, addr, FOLL_ANON, &page, &locked);
	if (locked)
		mmap_read_unlock(mm);
	return n == 1 ? page : NULL;
}

static bool read_in_page(struct mm_struct *mm, unsigned long addr, void *to, size_t len)
{
	struct page *page = get_page_at(mm, addr);

	if (!page)
		return false;
	memcpy_from_page(to, page, offset_in_page(addr), len);
	put_page(page);
	return true;
}

/**
 * gmp_peek_read() - read from the process
 * @pk: from gmp_peek_open()
 * @addr: where, in the process; anything
 * @to: where to
 * @len: how much
 *
 * Context: process, may sleep, and can be killed then; no lock held.
 * Return: true if all of it was read.
 */
bool gmp_peek_read(const struct gmp_peek *pk, u64 addr, void *to, size_t len)
{
	struct mm_struct *mm;
	size_t n;
	bool ok;

	if (!len || len > INT_MAX || addr >= TASK_SIZE_MAX || len > TASK_SIZE_MAX - addr)
		return false;
	mm = get_task_mm(pk->task);
	if (!mm)
		return false;
	for (ok = mm == pk->grp->mm; ok && len; addr += n, to += n, len -= n) {
		n = min_t(size_t, len, PAGE_SIZE - offset_in_page(addr));
		ok = read_in_page(mm, addr, to, n);
	}
	mmput(mm);	/* may be the last: the process ended meanwhile */
	return ok;
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
