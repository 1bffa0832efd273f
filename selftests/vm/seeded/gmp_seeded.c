// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmp_seeded.c - bugs on purpose, one a load: what a debug kernel does not report of these it would not
 * report of gmp.ko either. For seeded_test.sh alone, in a guest that is thrown away.
 *
 * insmod gmp_seeded.ko bug=NAME; loading fails with ECANCELED when the bug has been committed.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

static char *bug = "";
module_param(bug, charp, 0);

static void *volatile hidden;	/* a compiler that sees through it would drop the bug */

static void use_after_free(void)
{
	char *p = kmalloc(100, GFP_KERNEL);

	hidden = p;
	kfree(p);
	((volatile char *)hidden)[7] = 1;
}

static void out_of_bounds(void)
{
	char *p = kmalloc(100, GFP_KERNEL);

	hidden = p;
	((volatile char *)hidden)[100] = 1;
	kfree(p);
}

static void leak(void)
{
	int i;

	/* the last ones may still be found in a register or on this stack */
	for (i = 0; i < 16; i++)
		hidden = kmalloc(200, GFP_KERNEL);
	hidden = NULL;
}

static void sleep_under_spinlock(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	msleep(1);
	spin_unlock(&lock);
}

static void free_active_work(void)
{
	struct delayed_work *w = kmalloc(sizeof(*w), GFP_KERNEL);

	INIT_DELAYED_WORK(w, NULL);
	schedule_delayed_work(w, 1000 * HZ);
	kfree(w);	/* reported, and taken off the timer, by object debugging */
}

static DEFINE_MUTEX(lock_a);
static DEFINE_MUTEX(lock_b);

/* Never deadlocks here; the order alone is wrong. */
static void lock_inversion(void)
{
	mutex_lock(&lock_a);
	mutex_lock(&lock_b);
	mutex_unlock(&lock_b);
	mutex_unlock(&lock_a);
	mutex_lock(&lock_b);
	mutex_lock(&lock_a);
	mutex_unlock(&lock_a);
	mutex_unlock(&lock_b);
}

static u64 raced;

static int racer(void *done)
{
	int i;

	for (i = 0; i < 200000; i++) {
		raced++;
		if (i % 1000 == 0)
			cond_resched();
	}
	complete(done);
	return 0;
}

static void two_racers(void)
{
	DECLARE_COMPLETION_ONSTACK(one);
	DECLARE_COMPLETION_ONSTACK(two);

	kthread_run(racer, &one, "seeded_one");
	kthread_run(racer, &two, "seeded_two");
	wait_for_completion(&one);
	wait_for_completion(&two);
}

static const struct {
	const char	*name;
	void		(*commit)(void);
} bugs[] = {
	{ "use_after_free", use_after_free },
	{ "out_of_bounds", out_of_bounds },
	{ "leak", leak },
	{ "sleep_under_spinlock", sleep_under_spinlock },
	{ "free_active_work", free_active_work },
	{ "lock_inversion", lock_inversion },
	{ "data_race", two_racers },
};

static int __init seeded_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bugs); i++) {
		if (strcmp(bug, bugs[i].name))
			continue;
		bugs[i].commit();
		return -ECANCELED;
	}
	return -EINVAL;
}

module_init(seeded_init);

MODULE_DESCRIPTION("bugs on purpose, for the tests of the debug kernels");
MODULE_LICENSE("GPL");
