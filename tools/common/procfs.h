/* SPDX-License-Identifier: MIT */
#ifndef COMMON_PROCFS_H
#define COMMON_PROCFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_COMM_LEN	64	/* the kernel's own threads have long names; ours 16 */

struct proc_task_stat {
	char state;		/* R S D T t Z X I, as in ps(1) */
	int cpu;		/* it is on, or was last on */
	uint64_t start;		/* clock ticks since boot: tells a reused number */
};

/* What /proc/PID/status says; ids are those of the reader. */
struct proc_status {
	char comm[PROC_COMM_LEN];	/* printable ASCII */
	char state;
	pid_t tgid;
	uid_t uid;			/* real */
	bool has_mm;			/* neither a kernel thread nor a zombie */
	bool inside;			/* of a pid namespace below the reader's ... */
	pid_t own;			/* ... where this is its number; else the same as the reader's */
};

int proc_status(pid_t pid, struct proc_status *st);
int proc_task_stat(pid_t pid, pid_t tid, struct proc_task_stat *st);
int proc_task_oncpu(pid_t pid, pid_t tid, uint64_t *oncpu_ns);
int proc_count_tasks(pid_t pid);

typedef void (*proc_pid_fn)(pid_t pid, void *arg);
int proc_each_pid(proc_pid_fn fn, void *arg);
int proc_each_task(pid_t pid, proc_pid_fn fn, void *arg);

const char *proc_missing_caps(void);
uint64_t proc_now(void);
void proc_make_printable(char *text);

#endif
