// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - bring-up and tear-down of gmp.ko, in this order and no other.
 *
 * The device comes last and goes first: without it there is nobody to serve. Open files, attached
 * processes, bound workers and readers each pin the module, so at exit there are none, and rmmod
 * never waits for anybody. What is left are the last instructions of whoever dropped the last pin:
 *
 *   1. /dev/gmp goes: no new files
 *   2. the exec probe goes, and whoever is in it has left
 *   3. work items that retire groups end
 *   4. work items that reap workers end
 *   5. who was in the last instructions of a task's way back to user mode has left
 *   6. the static key of preempt notifiers goes off
 *   7. /proc/gmp goes, and whoever is in an open or release there has left
 *   8. a grace period, for look-ups under RCU, and what frees groups after one
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>

#include "internal.h"

static int __init gmp_init(void)
{
	int err;

	gmp_clock_init();
	gmp_kfunc_init();
	err = gmp_proc_init();
	if (err)
		return err;
	err = gmp_worker_init();
	if (err)
		goto err_proc;
	err = gmp_group_init();
	if (err)
		goto err_worker;
	err = gmp_hooks_init();
	if (err)
		goto err_group;
	err = gmp_dev_init();
	if (err)
		goto err_hooks;
	pr_info("gmp: %s, abi %d\n", GMP_VERSION, GMP_ABI_VERSION);
	return 0;

err_hooks:
	gmp_hooks_exit();
err_group:
	gmp_group_exit();
err_worker:
	gmp_worker_exit();
err_proc:
	gmp_proc_exit();
	return err;
}

static void __exit gmp_exit(void)
{
	gmp_dev_exit();
	gmp_hooks_exit();
	gmp_group_exit();
	gmp_worker_exit();
	gmp_handoff_exit();
	gmp_notifiers_exit();
	gmp_proc_exit();
	gmp_limits_exit();
	synchronize_rcu();
	rcu_barrier();
}

module_init(gmp_init);
module_exit(gmp_exit);

MODULE_DESCRIPTION("G/M/P: which task carries which goroutine, in /proc/gmp and as tracepoints");
MODULE_AUTHOR("the gmp project");
MODULE_LICENSE("GPL");
MODULE_VERSION(GMP_VERSION);
