// SPDX-License-Identifier: GPL-2.0-only
/*
 * group.c - one group per attached process: registry, limits, lifetime.
 *
 * Owns:       struct gmp_group; the registry.
 * Invariants: a process has at most one group that is not dead; a group is in the registry from
 *             gmp_group_publish() until its retirement at the latest; dead is set before it leaves.
 * Locks:      the registry's own, a spinlock, for its changes; RCU + refcount for look-ups.
 * Not here:   its Ms (worker.c), its pages (pages.c), its directory (proc.c), what it may have (limits.c).
 *
 *           gmp_group_create()       gmp_group_publish()
 *   (none) ---------------------> NEW -------------> ALIVE
 *                                                      | dead = 1, once:
 *                                                      |   last close of the file and its mappings
 *                                                      |   exec (hooks.c)
 *                                                      |   the process is gone: seen when its last
 *                                                      |   mapping or M goes, or a reader looks
 *                                                      v
 *                                                    DEAD: readers get ENOENT, ioctls ENOTCONN,
 *                                                      |   sched_out counts no more
 *                                                      | retire_work(): /proc, registry
 *                                                      v
 *                                                    freed with the last reference: file (held
 *                                                    by every mapping), workers, readers
 *
 * A file that is closed while threads are registered leaves these bound to a dead group: a preempt
 * notifier can only be taken out by its own task. They cost a test per switch, go when their thread
 * exits, executes another program or registers anew, and pin the module until then.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "internal.h"

static unsigned int max_slots = GMP_MAX_M;
module_param(max_slots, uint, 0644);
MODULE_PARM_DESC(max_slots, "Slots for threads a process may ask for (default and at most 10000)");

/* How long a release waits for the readers of its directory. */
#define RETIRE_WAIT	HZ

/*
 * Number of the process in the initial pid namespace to group. Changed under its own lock, with the memory
 * found before: all processes that attach or go come by, and who gets no CPU time keeps a mutex (gone.c).
 */
static DEFINE_XARRAY(registry);

/* Only work that may wait for a reader of /proc; never what a task's death waits for. */
static struct workqueue_struct *retire_wq;

atomic_long_t gmp_nr_attached = ATOMIC_LONG_INIT(0);	/* attached ever */

static void retire_work(struct work_struct *work);

/* ---- life ---------------------------------------------------------------------------------- */

static bool attach_is_sane(const struct gmp_attach *a)
{
	if (!a->nr_m || a->nr_m > min(READ_ONCE(max_slots), GMP_MAX_M))
		return false;
	if (!a->nr_p || a->nr_p > GMP_MAX_P)
		return false;
	return IS_ALIGNED(a->layout, sizeof(u64)) && a->layout < TASK_SIZE;
}

static int group_regions(struct gmp_group *grp)
{
	u64 shared = grp->p_off + grp->nr_p * sizeof(struct gmp_p_shared);
	u64 kern = (u64)grp->nr_m * sizeof(struct gmp_m_kern);
	u64 bytes = PAGE_ALIGN(shared) + PAGE_ALIGN(kern);
	int err;

	err = gmp_charge(grp->charged_to, GMP_R_BYTES, bytes);
	if (err)
		return err;
	grp->bytes = bytes;
	err = gmp_region_init(&grp->user, shared, GMP_MMAP_USER, true);
	return err ?: gmp_region_init(&grp->kern, kern, GMP_MMAP_KERN, false);
}

/* Whoever found a worker under RCU (kfunc.c) may still be looking into its slots. */
static void group_free_rcu(struct rcu_head *rcu)
{
	struct gmp_group *grp = container_of(rcu, struct gmp_group, rcu);

	gmp_region_destroy(&grp->user);
	gmp_region_destroy(&grp->kern);
	kfree(grp);
}

static void group_free(struct gmp_group *grp)
{
	WARN_ON_ONCE(gmp_xa_has_any(&grp->workers) || grp->proc_dir || atomic_read(&grp->mapped));
	xa_destroy(&grp->workers);
	gmp_gone_free(grp);
	mmdrop(grp->mm);
	put_pid(grp->tgid);
	gmp_uncharge(grp->charged_to, GMP_R_BYTES, grp->bytes);
	gmp_user_put(grp->charged_to);
	call_rcu(&grp->rcu, group_free_rcu);
}

static void group_identify(struct gmp_group *grp)
{
	grp->tgid = get_pid(task_tgid(current));
	grp->uid = current_uid();
	grp->nr = task_tgid_nr(current);
	grp->mm = current->mm;
	mmgrab(grp->mm);
	grp->attached_ns = ktime_get_ns();
}

/**
 * gmp_group_create() - a group for the calling process, not yet published
 * @a: what it asked for, from user space
 *
 * The P words begin on a page of their own, so that no cache line has both a P word and a slot.
 *
 * Context: process, may sleep.
 * Return: the group with one reference; -EINVAL for a number out of range; -EAGAIN if a limit on bytes
 * is reached; -ENOMEM.
 */
struct gmp_group *gmp_group_create(const struct gmp_attach *a)
{
	struct gmp_group *grp;
	int err;

	if (!attach_is_sane(a))
		return ERR_PTR(-EINVAL);
	grp = kzalloc(sizeof(*grp), GFP_KERNEL_ACCOUNT);
	if (!grp)
		return ERR_PTR(-ENOMEM);
	grp->charged_to = gmp_user_get();
	if (!grp->charged_to) {
		kfree(grp);
		return ERR_PTR(-ENOMEM);
	}
	refcount_set(&grp->refs, 1);
	spin_lock_init(&grp->lock);
	xa_init_flags(&grp->workers, XA_FLAGS_ACCOUNT);
	init_waitqueue_head(&grp->slot_free);
	raw_spin_lock_init(&grp->standby_lock);
	INIT_LIST_HEAD(&grp->standbys);
	INIT_LIST_HEAD(&grp->unserved);
	INIT_WORK(&grp->retire, retire_work);
	init_completion(&grp->retired);
	grp->nr_m = a->nr_m;
	grp->nr_p = a->nr_p;
	grp->p_off = PAGE_ALIGN((u64)a->nr_m * sizeof(struct gmp_m_user));
	grp->tls_off = a->tls_off;
	grp->layout = a->layout;
	grp->acct = a->flags & GMP_ATTACH_ACCT;
	group_identify(grp);
	err = group_regions(grp);
	if (err) {
		group_free(grp);
		return ERR_PTR(err);
	}
	return grp;
}

/**
 * gmp_group_put() - drop a reference
 * @grp: group
 *
 * Context: process, may sleep.
 */
void gmp_group_put(struct gmp_group *grp)
{
	might_sleep();
	if (refcount_dec_and_test(&grp->refs))
		group_free(grp);
}

/* ---- registry ------------------------------------------------------------------------------ */

/* Has the process threads that run? It still has after exec: that is what grp->dead is for. */
static bool process_is_alive(struct pid *tgid)
{
	struct task_struct *leader;
	bool alive;

	rcu_read_lock();
	leader = pid_task(tgid, PIDTYPE_TGID);
	alive = leader && atomic_read(&leader->signal->live) > 0;
	rcu_read_unlock();
	return alive;
}

/*
 * An entry under our own number is either our own group (EBUSY), or left over: by the program this
 * process ran before exec, or by a dead process whose number was given to us. It makes room at once;
 * its own retirement finds that the place is another's. The caller gets the reference the place had.
 */
static int registry_clear(const struct gmp_group *grp, struct gmp_group **left)
{
	struct gmp_group *old = xa_load(&registry, grp->nr);

	lockdep_assert_held(&registry.xa_lock);
	if (!old)
		return 0;
	if (old->tgid == grp->tgid && !gmp_group_is_dead(old))
		return -EBUSY;
	gmp_group_kill(old);
	__xa_erase(&registry, grp->nr);
	*left = old;
	return 0;
}

/* @charged: 0, or why the group could not be charged. */
static int registry_insert(struct gmp_group *grp, int charged, struct gmp_group **left)
{
	int err = registry_clear(grp, left) ?: charged;

	if (!err)
		err = xa_err(__xa_store(&registry, grp->nr, grp, GFP_NOWAIT | __GFP_NOWARN));
	if (err)
		return err;
	refcount_inc(&grp->refs);
	__module_get(THIS_MODULE);	/* until retire_work() */
	atomic_long_inc(&gmp_nr_attached);
	return 0;
}

/* -ENOMEM: what was reserved went with the entry of one that was cleared or retired meanwhile. */
static int publish_reserved(struct gmp_group *grp, int charged, struct gmp_group **slot,
			    struct gmp_group **left)
{
	int err;

	xa_lock(&registry);
	err = *slot ? -EBUSY : registry_insert(grp, charged, left);
	if (!err)
		smp_store_release(slot, grp);	/* KA-2: pairs with file_group() in dev.c */
	xa_unlock(&registry);
	return err;
}

/* As will be found out later, with the lock: who need not be charged, even for a moment. */
static bool is_attached(const struct gmp_group *grp, struct gmp_group **slot)
{
	struct gmp_group *old;
	bool is;

	rcu_read_lock();
	old = xa_load(&registry, grp->nr);
	is = READ_ONCE(*slot) || (old && old->tgid == grp->tgid && !gmp_group_is_dead(old));
	rcu_read_unlock();
	return is;
}

static int try_publish(struct gmp_group *grp, struct gmp_group **slot, struct gmp_group **left)
{
	struct gmp_group *cleared;
	int err, charged;

	if (is_attached(grp, slot))
		return -EBUSY;
	charged = gmp_charge(grp->charged_to, GMP_R_PROCESSES, 1);	/* until retire_work() */
	do {
		cleared = NULL;
		err = xa_reserve(&registry, grp->nr, GFP_KERNEL);
		if (err)
			break;
		err = publish_reserved(grp, charged, slot, &cleared);
		if (cleared && *left)
			gmp_group_put(*left);
		*left = cleared ?: *left;
	} while (err == -ENOMEM);
	if (!err)
		return 0;
	xa_release(&registry, grp->nr);
	if (!charged)
		gmp_uncharge(grp->charged_to, GMP_R_PROCESSES, 1);
	return err;
}

/**
 * gmp_group_publish() - enter a new group into the registry and /proc
 * @grp: from gmp_group_create(), by the same process
 * @slot: where the open file keeps its group; filled in, and then owns the caller's reference
 *
 * What a user at his limit has left under this number is waited for, a second at most: a program that
 * executes another one takes its place along.
 *
 * Context: process, may sleep, can be killed.
 * Return: 0; -EBUSY if the file or the process is attached already; -EAGAIN if a limit of the
 * module is reached; -ENOMEM.
 */
int gmp_group_publish(struct gmp_group *grp, struct gmp_group **slot)
{
	struct gmp_group *left = NULL, *none = NULL;
	int err = try_publish(grp, slot, &left);

	if (err == -EAGAIN && left &&
	    wait_for_completion_killable_timeout(&left->retired, RETIRE_WAIT) > 0)
		err = try_publish(grp, slot, &none);
	if (left)
		gmp_group_put(left);
	if (none)
		gmp_group_put(none);
	if (!err)
		gmp_proc_add(grp);
	return err;
}

/*
 * Takes a dead group out of /proc and the registry, once. It is charged as a process for as long as
 * readers hold up the removal of its directory, whoever has its place in the registry by then: so a
 * user's limit is also the limit of what he can clog here.
 */
static void retire_work(struct work_struct *work)
{
	struct gmp_group *grp = container_of(work, struct gmp_group, retire);
	bool mine;

	gmp_proc_remove(grp);
	mine = xa_cmpxchg(&registry, grp->nr, grp, NULL, 0) == grp;
	gmp_uncharge(grp->charged_to, GMP_R_PROCESSES, 1);
	if (mine)
		gmp_group_put(grp);	/* not the last reference: the work item has one */
	gmp_proc_inherit(grp->nr);
	complete_all(&grp->retired);
	gmp_group_put(grp);
	module_put(THIS_MODULE);
}

/**
 * gmp_group_kill() - declare a group dead, and retire it soon
 * @grp: group the caller holds a reference on, or found under RCU
 *
 * Context: any but the scheduler's callbacks; does not sleep.
 */
void gmp_group_kill(struct gmp_group *grp)
{
	if (atomic_xchg(&grp->dead, 1))
		return;
	if (refcount_inc_not_zero(&grp->refs))
		queue_work(retire_wq, &grp->retire);
}

/**
 * gmp_group_retire() - declare a group dead, and wait a little until nothing is seen of it
 * @grp: group the caller holds a reference on
 *
 * Waits for the readers of its directory, but a second at most: nobody's exit hangs on another's
 * read.
 *
 * Context: process, may sleep.
 */
void gmp_group_retire(struct gmp_group *grp)
{
	gmp_group_kill(grp);
	wait_for_completion_timeout(&grp->retired, RETIRE_WAIT);
}

/**
 * gmp_group_check() - see whether the process is still there
 * @grp: group the caller holds a reference on
 *
 * Called when something went that may have been the last sign of it.
 *
 * Context: any but the scheduler's callbacks; does not sleep.
 */
void gmp_group_check(struct gmp_group *grp)
{
	if (!process_is_alive(grp->tgid))
		gmp_group_kill(grp);
}

/**
 * gmp_group_is_alive() - may a reader be told of this group?
 * @grp: group the caller holds a reference on
 *
 * A process that died while another holds its file, and that never mapped nor registered anything,
 * is noticed here at the latest.
 *
 * Context: any but the scheduler's callbacks; does not sleep.
 */
bool gmp_group_is_alive(struct gmp_group *grp)
{
	gmp_group_check(grp);
	return !gmp_group_is_dead(grp);
}

/**
 * gmp_group_find() - the group with the lowest number from a given one on
 * @nr: in: where to begin, out: its number
 *
 * Context: process.
 * Return: a group with a reference for the caller, or NULL.
 */
struct gmp_group *gmp_group_find(unsigned long *nr)
{
	struct gmp_group *grp;

	rcu_read_lock();
	grp = xa_find(&registry, nr, ULONG_MAX, XA_PRESENT);
	while (grp && !refcount_inc_not_zero(&grp->refs))
		grp = xa_find_after(&registry, nr, ULONG_MAX, XA_PRESENT);
	rcu_read_unlock();
	return grp;
}

/**
 * gmp_group_execed() - the calling process runs another program from now on
 *
 * Context: tracepoint sched_process_exec, preemption off.
 */
void gmp_group_execed(void)
{
	struct gmp_group *grp;

	rcu_read_lock();
	grp = xa_load(&registry, task_tgid_nr(current));
	if (grp && grp->tgid == task_tgid(current))
		gmp_group_kill(grp);
	rcu_read_unlock();
}

/**
 * gmp_group_init() - what groups need before the first one
 *
 * Return: 0 or -ENOMEM.
 */
int gmp_group_init(void)
{
	retire_wq = alloc_workqueue("gmp_retire", WQ_UNBOUND, WQ_MAX_ACTIVE);
	return retire_wq ? 0 : -ENOMEM;
}

/**
 * gmp_group_exit() - wait for what retires groups
 *
 * Every group pinned the module until it was retired: what runs still are the last instructions.
 */
void gmp_group_exit(void)
{
	destroy_workqueue(retire_wq);
	WARN_ON_ONCE(gmp_xa_has_any(&registry));
	xa_destroy(&registry);
}
