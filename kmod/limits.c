// SPDX-License-Identifier: GPL-2.0-only
/*
 * limits.c - how much of this module all processes, and those of one user, may use.
 *
 * Owns:       struct gmp_user; what is charged, in all and to each; the parameters max_*.
 * Invariants: what is charged in all is the sum of what is charged to each user; a user is there while
 *             a group of his is.
 * Locks:      the table's own, a spinlock: who gets no CPU time cannot keep it, and memory is found with
 *             it dropped. The charges are atomic: no lock is needed to give one back.
 * Not here:   when something is charged: a process until its group is retired, its bytes for as long as
 *             the group is there (group.c), a thread from its registration until it is reaped
 *             (worker.c).
 *
 * A user is a real user id when the process attaches, or whoever answers for it (user_now()); as with
 * other limits of the kernel, CAP_SYS_RESOURCE exempts from those of the user, and nothing from those of
 * the module.
 *
 * Bytes are what the two regions of a process can come to, not what it has touched so far: a process that
 * was let in never finds a page missing later, where all that could be said to it is SIGBUS. What it has
 * touched is charged to its memory control group, page by page (pages.c).
 *
 * Considered and not taken: ucounts, which do the like for limits of the kernel; modules do not get them.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <linux/workqueue.h>

#include "internal.h"

/*
 * The retirement of each dead process may wait for a reader, in a work item of its own (group.c), and a
 * workqueue runs so many at a time: with one more, other users' dead processes would wait for him, too.
 */
#define MOST_PROCESSES	(WQ_MAX_ACTIVE - 12)

static unsigned int max_processes = MOST_PROCESSES;
module_param(max_processes, uint, 0644);
MODULE_PARM_DESC(max_processes, "Processes that may be attached at a time (default and at most 500)");

static unsigned int max_user_processes = 128;
module_param(max_user_processes, uint, 0644);
MODULE_PARM_DESC(max_user_processes,
		 "The same per user; CAP_SYS_RESOURCE exempts (default 128)");

static unsigned int max_threads = 65536;
module_param(max_threads, uint, 0644);
MODULE_PARM_DESC(max_threads, "Threads that may be registered at a time (default 65536)");

static unsigned int max_user_threads = 32768;
module_param(max_user_threads, uint, 0644);
MODULE_PARM_DESC(max_user_threads,
		 "The same per user; CAP_SYS_RESOURCE exempts (default 32768)");

static unsigned int max_kbytes = 4096 * 1024;
module_param(max_kbytes, uint, 0644);
MODULE_PARM_DESC(max_kbytes,
		 "KiB that what processes share with the module may come to (default 4194304)");

static unsigned int max_user_kbytes = 1024 * 1024;
module_param(max_user_kbytes, uint, 0644);
MODULE_PARM_DESC(max_user_kbytes,
		 "The same per user; CAP_SYS_RESOURCE exempts (default 1048576)");

/* The parameters of a resource, how much one of them stands for, and what they count for at most. */
static const struct {
	const unsigned int	*in_all;
	const unsigned int	*per_user;
	unsigned int		unit;
	unsigned int		most;
} limits[GMP_RESOURCES] = {
	[GMP_R_PROCESSES]	= { &max_processes, &max_user_processes, 1, MOST_PROCESSES },
	[GMP_R_THREADS]		= { &max_threads, &max_user_threads, 1, UINT_MAX },
	[GMP_R_BYTES]		= { &max_kbytes, &max_user_kbytes, 1024, UINT_MAX },
};

static atomic_long_t charged[GMP_RESOURCES];

/* User id to user. Changed and read under its own lock. */
static DEFINE_XARRAY(users);

/* ---- users --------------------------------------------------------------------------------- */

/*
 * A user may have 65536 subordinate user ids (newuidmap): what runs under them in a user namespace he made
 * counts as his. One that root made, as for a container, counts as whoever is root in it. If that is nobody
 * or root itself, what made it was a set-uid program (a sandbox), or a service, and the id says who runs it.
 *
 * Known and left: who makes a file set-uid to such an id, in his namespace, and executes it outside of it,
 * has that id there as a user of its own. What ids are whose is written in /etc/subuid only.
 */
static kuid_t user_now(void)
{
	struct user_namespace *ns = current_user_ns();
	kuid_t its_root;

	if (ns == &init_user_ns)
		return current_uid();
	while (ns->parent != &init_user_ns)
		ns = ns->parent;
	if (!uid_eq(ns->owner, GLOBAL_ROOT_UID))
		return ns->owner;
	its_root = make_kuid(ns, 0);
	return uid_valid(its_root) && !uid_eq(its_root, GLOBAL_ROOT_UID) ? its_root : current_uid();
}

static struct gmp_user *user_create(kuid_t uid)
{
	struct gmp_user *user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);

	if (!user)
		return NULL;
	refcount_set(&user->refs, 1);
	user->uid = uid;
	return user;
}

/**
 * gmp_user_get() - the user the calling process is charged to
 *
 * Context: process, may sleep.
 * Return: the user with a reference for the caller, or NULL without memory.
 */
struct gmp_user *gmp_user_get(void)
{
	struct gmp_user *there, *fresh = user_create(user_now());

	if (!fresh)
		return NULL;
	xa_lock(&users);
	there = __xa_cmpxchg(&users, __kuid_val(fresh->uid), NULL, fresh, GFP_KERNEL);
	if (there && !xa_is_err(there))
		refcount_inc(&there->refs);
	xa_unlock(&users);
	if (!there)
		return fresh;
	kfree(fresh);
	return xa_is_err(there) ? NULL : there;
}

/**
 * gmp_user_put() - drop a reference
 * @user: user to whom the caller has nothing charged any more
 *
 * Context: process, may sleep.
 */
void gmp_user_put(struct gmp_user *user)
{
	unsigned int i;
	bool last;

	xa_lock(&users);
	last = refcount_dec_and_test(&user->refs);
	if (last)
		__xa_erase(&users, __kuid_val(user->uid));
	xa_unlock(&users);
	if (!last)
		return;
	for (i = 0; i < GMP_RESOURCES; i++)
		WARN_ON_ONCE(atomic_long_read(&user->charged[i]));
	kfree(user);
}

/* ---- charges ------------------------------------------------------------------------------- */

/* Never above @max, not for a moment: nobody is refused for what another did not get either. */
static bool add_within(atomic_long_t *sum, long n, long max)
{
	long old = atomic_long_read(sum);

	do {
		if (n > max || old > max - n)
			return false;
	} while (!atomic_long_try_cmpxchg(sum, &old, old + n));
	return true;
}

static long limit(const unsigned int *param, enum gmp_resource r)
{
	return (long)min(READ_ONCE(*param), limits[r].most) * limits[r].unit;
}

/**
 * gmp_charge() - take from what a user, and all of them, may have
 * @user: user the caller has a reference on
 * @r: what
 * @n: how much, not negative
 *
 * Context: process. A capability is looked at only when the user's limit is reached.
 * Return: 0, or -EAGAIN when it would be too much.
 */
int gmp_charge(struct gmp_user *user, enum gmp_resource r, long n)
{
	if (!add_within(&user->charged[r], n, limit(limits[r].per_user, r)) &&
	    !(capable(CAP_SYS_RESOURCE) && add_within(&user->charged[r], n, LONG_MAX)))
		return -EAGAIN;
	if (add_within(&charged[r], n, limit(limits[r].in_all, r)))
		return 0;
	atomic_long_sub(n, &user->charged[r]);
	return -EAGAIN;
}

/**
 * gmp_uncharge() - give back what gmp_charge() took
 * @user: the same user
 * @r: what
 * @n: how much
 *
 * Context: any.
 * Return: how much of it is charged to anybody now.
 */
long gmp_uncharge(struct gmp_user *user, enum gmp_resource r, long n)
{
	atomic_long_sub(n, &user->charged[r]);
	return atomic_long_sub_return(n, &charged[r]);
}

/**
 * gmp_charged() - how much is charged to all users
 * @r: of what
 *
 * Context: any.
 */
long gmp_charged(enum gmp_resource r)
{
	return atomic_long_read(&charged[r]);
}

/**
 * gmp_limits_exit() - every user has gone with his last group
 */
void gmp_limits_exit(void)
{
	WARN_ON_ONCE(gmp_xa_has_any(&users));
	xa_destroy(&users);
}
