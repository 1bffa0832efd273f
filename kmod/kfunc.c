// SPDX-License-Identifier: GPL-2.0-only
/*
 * kfunc.c - what BPF programs (tracing ones) can ask of this module.
 *
 *   extern __u64 bpf_gmp_task_goid(struct task_struct *task) __ksym;
 *   extern __s32 bpf_gmp_task_m(struct task_struct *task) __ksym;
 *   extern __u32 bpf_gmp_task_gstatus(struct task_struct *task) __ksym;
 *
 * Owns:       nothing.
 * Locks:      none: RCU. May be called anywhere such a program runs, under a run queue lock, too. The
 *             task is only compared, never looked into: any pointer will do.
 *
 * They need the module's BTF. 6.1 registers them without complaint where there is none: then nobody can
 * call them, and we say so.
 */
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "internal.h"

/**
 * bpf_gmp_task_goid() - the goroutine a task carries
 * @task: any task
 *
 * Return: its number as the process says, 0 if it carries none or is not registered.
 */
gmp_kfunc u64 bpf_gmp_task_goid(struct task_struct *task)
{
	struct gmp_worker *w;
	u64 goid;

	rcu_read_lock();
	w = gmp_worker_of_task(task);
	goid = w ? READ_ONCE(w->u->goid) : 0;
	rcu_read_unlock();
	return goid;
}

/**
 * bpf_gmp_task_m() - the number of the M a task is
 * @task: any task
 *
 * Return: the number it was registered with, -1 if it is not.
 */
gmp_kfunc s32 bpf_gmp_task_m(struct task_struct *task)
{
	struct gmp_worker *w;
	s32 m;

	rcu_read_lock();
	w = gmp_worker_of_task(task);
	m = w ? (s32)w->m_id : -1;
	rcu_read_unlock();
	return m;
}

/**
 * bpf_gmp_task_gstatus() - the status of the goroutine a task carries
 * @task: any task
 *
 * Return: enum gmp_g_status as the process says; 0 without a goroutine.
 */
gmp_kfunc u32 bpf_gmp_task_gstatus(struct task_struct *task)
{
	struct gmp_worker *w;
	u32 status;

	rcu_read_lock();
	w = gmp_worker_of_task(task);
	status = w && READ_ONCE(w->u->goid) ? READ_ONCE(w->u->gstatus) : 0;
	rcu_read_unlock();
	return status;
}

GMP_KFUNCS_START(gmp_kfunc_ids)
BTF_ID_FLAGS(func, bpf_gmp_task_goid)
BTF_ID_FLAGS(func, bpf_gmp_task_m)
BTF_ID_FLAGS(func, bpf_gmp_task_gstatus)
GMP_KFUNCS_END(gmp_kfunc_ids)

static const struct btf_kfunc_id_set kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &gmp_kfunc_ids,
};

static bool has_btf(void)
{
#ifdef CONFIG_DEBUG_INFO_BTF_MODULES
	return THIS_MODULE->btf_data_size;
#else
	return false;
#endif
}

/**
 * gmp_kfunc_init() - offer the functions; without them all else works
 *
 * There is no counterpart: they go with the module's BTF.
 */
void gmp_kfunc_init(void)
{
	int err = has_btf() ? register_btf_kfunc_id_set(BPF_PROG_TYPE_TRACING, &kfunc_set) : -ENOENT;

	if (err)
		pr_info("gmp: built without BTF of this kernel: no kfuncs for BPF (%d)\n", err);
}
