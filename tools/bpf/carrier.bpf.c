// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * carrier.bpf.c - which goroutine does a task carry, and for how long is it on a CPU.
 *
 * Two programs over one way to find out: fsbase of a thread + tls_off is its struct gmp_tls.
 *
 *   sched_switch  at every switch out of a watched task: what it carried, why it left, how long it
 *                 ran. Costs nothing but one look into `procs` for the tasks of everyone else, and
 *                 one into `stats` when they end.
 *   m_rows        a reader's snapshot: a row for every M of the watched processes as it is now,
 *                 asleep or running, with what sched_switch has summed up of it.
 *
 * Why task->thread.fsbase is right, though a CPU may hold a newer one:
 *   glibc sets a thread's base once, with clone(CLONE_SETTLS) or arch_prctl(ARCH_SET_FS). Both
 *   store it in thread.fsbase at once (arch_prctl in the CPU too). After that it differs only
 *   when user code executes WRFSBASE, and until the next switch out, which saves the register:
 *   __switch_to() does so after the tracepoint. Nobody who uses glibc's thread-locals may do that.
 *   Should it happen, the magic and the tid in the block do not match, and the task is not shown.
 *
 * Why the block can be read: at sched_switch, prev still is current and its address space is
 * loaded; bpf_probe_read_user() takes no fault, so a block that is not in memory (swapped out)
 * counts as `unread`. The iterator sleeps and faults it in.
 *
 * Runs on 6.1 and later: iter.s (5.18), prev_state as an argument of sched_switch (5.18).
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "carrier.h"

#define PF_EXITING	0x00000004	/* linux/sched.h */
#define TASK_STOPPED	0x00000004
#define TASK_TRACED	0x00000008
#define TASK_DEAD	0x00000080

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CARRIER_MAX_PROCS);
	__type(key, __u32);
	__type(value, struct carrier_proc);
} procs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CARRIER_MAX_TASKS);
	__type(key, __u32);
	__type(value, struct carrier_stat);
} stats SEC(".maps");

/* The reader's pid namespace, set by the iterator: it runs in the reader. */
__u64 reader_ns;
__u32 reader_level;

struct carrier_lost lost;

static __always_inline struct upid upid_at(struct pid *pid, __u32 level)
{
	struct upid upid = {};

	/* numbers[] has one element in 6.1's types and none in later ones: no constant index */
	bpf_core_read(&upid, sizeof(upid), (void *)pid + bpf_core_field_offset(struct pid, numbers) +
					   level * bpf_core_type_size(struct upid));
	return upid;
}

/* The task's number as the reader sees it, 0 = it does not. */
static __always_inline __u32 nr_for_reader(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct upid upid;

	if (!pid || BPF_CORE_READ(pid, level) < reader_level)
		return 0;
	upid = upid_at(pid, reader_level);
	return (__u64)upid.ns == reader_ns ? upid.nr : 0;
}

/* What gettid() says in the task itself. */
static __always_inline __u32 own_tid(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	__u32 level;

	if (!pid)
		return 0;	/* has been reaped */
	level = BPF_CORE_READ(pid, level);
	return level ? upid_at(pid, level).nr : BPF_CORE_READ(task, pid);
}

static __always_inline __u32 reader_tid(struct task_struct *task)
{
	return reader_level ? nr_for_reader(task) : task->pid;
}

static __always_inline __u32 reader_tgid(struct task_struct *task)
{
	return reader_level ? nr_for_reader(BPF_CORE_READ(task, group_leader)) : task->tgid;
}

static __always_inline struct carrier_proc *watched(struct task_struct *task)
{
	__u32 tgid = reader_tgid(task);

	return tgid ? bpf_map_lookup_elem(&procs, &tgid) : NULL;
}

static __always_inline void *tls_of(struct task_struct *task, struct carrier_proc *proc)
{
	return (void *)(task->thread.fsbase + proc->tls_off);
}

static __always_inline bool is_m(const struct gmp_tls *tls, struct task_struct *task)
{
	return tls->magic == GMP_TLS_MAGIC && tls->tid == own_tid(task);
}

/* A task without an entry is being switched out, so it has been on the CPU all the time. */
static __always_inline struct carrier_stat *stat_of(struct task_struct *task, __u64 in_ns)
{
	struct carrier_stat fresh = { .in_ns = in_ns, .last_p = -1 };
	__u32 tid = task->pid;
	struct carrier_stat *st = bpf_map_lookup_elem(&stats, &tid);

	if (st)
		return st;
	bpf_map_update_elem(&stats, &tid, &fresh, BPF_NOEXIST);
	st = bpf_map_lookup_elem(&stats, &tid);
	if (!st)
		__sync_fetch_and_add(&lost.dropped, 1);
	return st;
}

static __always_inline void note_carried(struct carrier_stat *st, struct task_struct *prev,
					 struct carrier_proc *proc, __u64 ran_ns)
{
	struct gmp_tls tls;

	if (!prev->mm || prev->flags & PF_EXITING)
		return;
	if (bpf_probe_read_user(&tls, sizeof(tls), tls_of(prev, proc))) {
		__sync_fetch_and_add(&lost.unread, 1);
		return;
	}
	if (!is_m(&tls, prev))
		return;		/* a thread that is none of the runtime's */
	st->last_goid = tls.goid;
	st->last_p = tls.p;
	st->last_gstatus = tls.gstatus;
	st->last_mstate = tls.mstate;
	if (tls.goid) {
		st->carried++;
		st->carried_ns += ran_ns;
	}
}

static __always_inline __u32 why_of(bool preempt, unsigned int state)
{
	if (preempt || !state)
		return GMP_WHY_PREEMPTED;
	if (state & TASK_DEAD)
		return GMP_WHY_DEAD;
	return state & (TASK_STOPPED | TASK_TRACED) ? GMP_WHY_STOPPED : GMP_WHY_BLOCKED;
}

/*
 * Whether it was watched cannot be asked any more: who ends by itself, or was waited for just now, has
 * given back its numbers in all pid namespaces but this.
 */
static __always_inline void forget(struct task_struct *prev)
{
	__u32 tid = prev->pid;

	bpf_map_delete_elem(&stats, &tid);
}

static __always_inline void switched_out(struct task_struct *prev, __u32 why, __u64 now)
{
	struct carrier_proc *proc = watched(prev);
	struct carrier_stat *st;
	__u64 ran_ns = 0;

	if (!proc)
		return;
	st = stat_of(prev, proc->since_ns);
	if (!st)
		return;
	if (st->in_ns && now > st->in_ns)
		ran_ns = now - st->in_ns;
	st->oncpu_ns += ran_ns;
	st->in_ns = 0;
	st->last_why = why;
	st->last_cpu = bpf_get_smp_processor_id();
	if (why == GMP_WHY_PREEMPTED)
		st->preempted++;
	else
		st->blocked++;
	note_carried(st, prev, proc, ran_ns);
}

static __always_inline void switched_in(struct task_struct *next, __u64 now)
{
	struct carrier_stat *st;

	if (!watched(next))
		return;
	st = stat_of(next, now);
	if (st)
		st->in_ns = now;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 why = why_of(preempt, prev_state);

	if (why == GMP_WHY_DEAD)
		forget(prev);
	else
		switched_out(prev, why, now);
	switched_in(next, now);
	return 0;
}

static __always_inline void set_reader(void)
{
	struct pid *pid = BPF_CORE_READ(bpf_get_current_task_btf(), thread_pid);

	reader_level = BPF_CORE_READ(pid, level);
	reader_ns = (__u64)upid_at(pid, reader_level).ns;
}

/* On-CPU time until now. A running task that sched_switch has not seen has run all the time. */
static __always_inline void fill_oncpu(struct carrier_row *row, struct task_struct *task,
				       struct carrier_proc *proc)
{
	struct carrier_stat *st;
	bool running = BPF_CORE_READ(task, on_cpu);	/* before the look-up: it may just come on */
	__u32 tid = task->pid;
	__u64 in_ns;

	st = bpf_map_lookup_elem(&stats, &tid);
	row->now_ns = bpf_ktime_get_ns();
	if (st) {
		row->stat = *st;
		row->seen = 1;
		row->oncpu_ns = row->stat.oncpu_ns;
		in_ns = row->stat.in_ns;
	} else {
		in_ns = running ? proc->since_ns : 0;
	}
	if (in_ns && row->now_ns > in_ns)
		row->oncpu_ns += row->now_ns - in_ns;
}

SEC("iter.s/task")
int m_rows(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct carrier_row row = {};
	struct carrier_proc *proc;

	if (!task)
		return 0;
	set_reader();
	proc = watched(task);
	if (!proc || task->flags & PF_EXITING)
		return 0;
	if (bpf_copy_from_user_task(&row.tls, sizeof(row.tls), tls_of(task, proc), task, 0)) {
		__sync_fetch_and_add(&lost.rows, 1);
		return 0;
	}
	if (!is_m(&row.tls, task))
		return 0;
	row.tgid = reader_tgid(task);
	row.tid = reader_tid(task);
	row.cpu = task->thread_info.cpu;
	fill_oncpu(&row, task, proc);
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

/* The helpers that read kernel memory are for GPL-compatible programs. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";
