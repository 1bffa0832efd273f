// SPDX-License-Identifier: GPL-2.0-only
/*
 * gone.c - what the Ms of a process have done, those that have gone included.
 *
 * Owns:       struct gmp_gone; the way a reader sums over a process.
 * Invariants: an M that goes passes its sums on to the run of slots its own is in, and is out of its
 *             slot, in one go. So a reader that looks at a run at a time, and at each run once, counts
 *             every M once, however many come and go meanwhile; what it sums up never goes back.
 * Locks:      grp->lock, for a run at a time. What waits for it waits for GMP_GONE_SLOTS Ms.
 * Not here:   what is passed on (account.c), what a file shows of it (proc_status.c, proc_cause.c).
 *
 * Considered and not taken: a mutex over all Ms of the process. Who sits in a control group with little
 * CPU time may keep a mutex for minutes; each of its threads that exits meanwhile has a work item that
 * waits for it, and those of all users have one queue. A spinlock is not kept so (but on PREEMPT_RT), and
 * ten thousand Ms are too long for one. A sequence counter over all Ms, and once more from the beginning
 * when it changed: threads that come and go all the time would keep a reader from ever being right.
 */
#include <linux/sched.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * gmp_gone_get() - where an M in a slot passes its sums on when it goes
 * @grp: group of the calling process
 * @slot: less than grp->nr_m
 *
 * Context: process, may sleep.
 * Return: sums that stay until the group is freed, or NULL without memory.
 */
struct gmp_gone *gmp_gone_get(struct gmp_group *grp, u32 slot)
{
	struct gmp_gone **at = &grp->gone[slot / GMP_GONE_SLOTS];
	struct gmp_gone *fresh, *there = READ_ONCE(*at);

	if (there)
		return there;
	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);
	if (!fresh)
		return NULL;
	there = cmpxchg(at, NULL, fresh);
	if (!there)
		return fresh;
	kfree(fresh);
	return there;
}

/**
 * gmp_gone_free() - free what gmp_gone_get() made
 * @grp: group without workers and readers
 */
void gmp_gone_free(struct gmp_group *grp)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(grp->gone); i++)
		kfree(grp->gone[i]);
}

static void sum_run(struct gmp_group *grp, unsigned int run, gmp_add_gone_fn *add_gone,
		    gmp_add_worker_fn *add_worker, void *sum)
{
	unsigned long slot, first = (unsigned long)run * GMP_GONE_SLOTS;
	const struct gmp_gone *gone = READ_ONCE(grp->gone[run]);
	struct gmp_worker *w;

	if (!gone)
		return;
	spin_lock(&grp->lock);
	add_gone(sum, gone);
	if (add_worker)
		xa_for_each_range(&grp->workers, slot, w, first, first + GMP_GONE_SLOTS - 1)
			add_worker(sum, w);
	spin_unlock(&grp->lock);
}

/**
 * gmp_gone_sum() - sum over every M a process ever had
 * @grp: group the caller holds a reference on
 * @add_gone: adds what those that have gone from a run of slots have done; grp->lock is held
 * @add_worker: adds what an M does that is in its slot, its books maybe not open yet; likewise.
 *              NULL: only those that have gone
 * @sum: handed to both
 *
 * No snapshot: each run of slots is as of the moment it is looked at.
 *
 * Context: process, may sleep.
 */
void gmp_gone_sum(struct gmp_group *grp, gmp_add_gone_fn *add_gone, gmp_add_worker_fn *add_worker,
		  void *sum)
{
	unsigned int run;

	for (run = 0; run < ARRAY_SIZE(grp->gone); run++) {
		sum_run(grp, run, add_gone, add_worker, sum);
		cond_resched();
	}
}
