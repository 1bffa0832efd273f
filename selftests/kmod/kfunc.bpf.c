// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* kfunc.bpf.c - calls the module's functions at each switch; driven by kfunc_test.c. */
#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "kfunc.h"

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

extern __u64 bpf_gmp_task_goid(struct task_struct *task) __ksym;
extern __s32 bpf_gmp_task_m(struct task_struct *task) __ksym;
extern __u32 bpf_gmp_task_gstatus(struct task_struct *task) __ksym;

struct kfunc_seen seen;

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, _Bool preempt, struct task_struct *prev, struct task_struct *next)
{
	if (prev->pid == seen.tid) {
		seen.switches++;
		seen.goid = bpf_gmp_task_goid(prev);
		seen.m = bpf_gmp_task_m(prev);
		seen.gstatus = bpf_gmp_task_gstatus(prev);
	} else if (prev->pid == 0) {
		seen.others++;
		seen.strange += bpf_gmp_task_goid(prev) + bpf_gmp_task_gstatus(prev) +
				(bpf_gmp_task_m(prev) != -1);
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
