/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - what differs between the kernels we build for. The only place that knows versions.
 *
 * Each shim carries the name it has for us and says which kernel changed what.
 */
#ifndef GMP_COMPAT_H
#define GMP_COMPAT_H

#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/coredump.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "gmp needs Linux 6.1 or later"
#endif
#ifndef CONFIG_64BIT
#error "gmp needs a 64-bit kernel: it reads 64-bit words of the scheduler without a lock"
#endif
#ifndef CONFIG_PREEMPT_NOTIFIERS
#error "gmp needs CONFIG_PREEMPT_NOTIFIERS (selected by CONFIG_KVM)"
#endif
#ifndef CONFIG_SCHED_INFO
#error "gmp needs CONFIG_SCHED_INFO (selected by CONFIG_SCHEDSTATS)"
#endif

/*
 * May this task run? A task that sleeps is off the run queue; since 6.12 one that is about to be
 * dequeued may stay there for a while (sched_delayed). task->__state says less: a preempted task
 * can have any value there.
 */
static inline bool gmp_task_is_runnable(const struct task_struct *t)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	return READ_ONCE(t->on_rq) && !READ_ONCE(t->se.sched_delayed);
#else
	return READ_ONCE(t->on_rq);
#endif
}

static inline bool gmp_task_is_on_cpu(const struct task_struct *t)
{
#ifdef CONFIG_SMP
	return READ_ONCE(t->on_cpu);
#else
	return t == current;
#endif
}

/* 6.3: vm_flags became read-only but for these two. */
static inline void gmp_vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set, vm_flags_t clear)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

/*
 * 6.5: the argument for vmas went. With @locked the wait for a page can be killed, and is not under
 * mmap_lock: that may have been given up on return, then *@locked is 0.
 */
static inline long gmp_get_page_remote(struct mm_struct *mm, unsigned long addr, unsigned int flags,
				       struct page **page, int *locked)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	return get_user_pages_remote(mm, addr, 1, flags, page, locked);
#else
	return get_user_pages_remote(mm, addr, 1, flags, page, NULL, locked);
#endif
}

/* 6.18: mm->flags changed its type. */
static inline bool gmp_mm_is_dumpable(struct mm_struct *mm)
{
	return get_dumpable(mm) == SUID_DUMP_USER;
}

/* 6.13: hrtimer_setup() took the place of hrtimer_init() and an assignment. */
static inline void gmp_hrtimer_setup(struct hrtimer *t, enum hrtimer_restart (*fn)(struct hrtimer *),
				     clockid_t clock, enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(t, fn, clock, mode);
#else
	hrtimer_init(t, clock, mode);
	t->function = fn;
#endif
}

/* 6.3 to 6.8: how functions for BPF are marked and listed (6.1 has neither, and wants them kept). */
#ifdef __bpf_kfunc
#define gmp_kfunc		__bpf_kfunc
#else
#define gmp_kfunc		__used noinline
#endif
#ifdef BTF_KFUNCS_START
#define GMP_KFUNCS_START(name)	BTF_KFUNCS_START(name)
#define GMP_KFUNCS_END(name)	BTF_KFUNCS_END(name)
#else
#define GMP_KFUNCS_START(name)	BTF_SET8_START(name)
#define GMP_KFUNCS_END(name)	BTF_SET8_END(name)
#endif

#endif /* GMP_COMPAT_H */
