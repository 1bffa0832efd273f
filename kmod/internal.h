/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * internal.h - the types of gmp.ko, and what each file offers to the others.
 *
 *   struct gmp_file     an open /dev/gmp                            dev.c
 *   struct gmp_group    an attached process                         group.c
 *   struct gmp_worker   an M: a task_struct bound to a slot         worker.c
 *   struct gmp_region   pages shared with the process               pages.c
 *   struct gmp_user     whom it is charged to                       limits.c
 *
 * Who holds a reference on whom:
 *
 *   mapping --> file --> group <-- worker <-- its task (the preempt notifier)
 *                        | ^  ^        ^
 *                   registry  |        |
 *        a reader of /proc/gmp, for as long as it looks at a row
 *
 * The module is pinned by an open /dev/gmp (file_operations.owner), by an open file in /proc/gmp,
 * by a group from its publication to the end of its retirement, and by a worker until it is reaped.
 *
 * Lock order, outermost first (lockdep asserts where each is needed):
 *
 *   key_lock (mutex)              static key of preempt notifiers           hooks.c
 *   registry, names, users (spin) the locks of these xarrays                group.c, proc.c, limits.c
 *   grp->lock (spin)              sums of Ms that went, number of Ms        worker.c, gone.c
 *   gmp_tasks_lock (raw spin)     hash of workers by task                   worker.c
 *   grp->standby_lock (raw spin)  who waits for whose P; task wake-ups      standby.c
 *
 * Nothing of this is taken by the scheduler's callbacks: sched_out runs under the run queue lock
 * and takes no lock at all (standby_lock is held while tasks are woken: it comes before that one).
 * No lock is held across proc_remove(), which waits for readers, and a reader may be held up by its
 * own page fault for as long as it likes. No reader takes a lock shared with another user's process;
 * and none takes a mutex of its own, which it could keep for long: work items would wait for it, and
 * those are shared (gone.c).
 */
#ifndef GMP_INTERNAL_H
#define GMP_INTERNAL_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/signal_types.h>
#include <linux/spinlock_types.h>
#include <linux/task_work.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <gmp_abi.h>
#include "compat.h"

#ifndef GMP_VERSION
#define GMP_VERSION	"0.1.0"
#endif

struct file;
struct inode;
struct gmp_group;
struct gmp_user;
struct gmp_worker;
struct proc_dir_entry;
struct seq_file;

/* ---- pages.c ------------------------------------------------------------------------------ */

/**
 * struct gmp_region - pages shared with a process, each allocated when it is first needed
 * @pages: constant array of @nr_pages; an element goes from NULL to a page once, by cmpxchg
 * @nr_pages: constant
 * @pgoff: constant, first page offset for mmap()
 * @writable: constant, may the process write?
 */
struct gmp_region {
	struct page	**pages;
	unsigned long	nr_pages;
	unsigned long	pgoff;
	bool		writable;
};

int gmp_region_init(struct gmp_region *r, u64 bytes, u64 mmap_off, bool writable);
void gmp_region_destroy(struct gmp_region *r);
void *gmp_region_get(struct gmp_region *r, u64 off);
void *gmp_region_peek(struct gmp_region *r, u64 off);
int gmp_pages_mmap(struct gmp_group *grp, struct vm_area_struct *vma);

/* ---- limits.c ----------------------------------------------------------------------------- */

/* What is limited. */
enum gmp_resource {
	GMP_R_PROCESSES,
	GMP_R_THREADS,
	GMP_R_BYTES,
	GMP_RESOURCES,
};

/**
 * struct gmp_user - whom a process is charged to
 * @refs: goes to zero under the lock of the table only
 * @uid: constant; its key in the table
 * @charged: atomic; what his processes have, by enum gmp_resource
 */
struct gmp_user {
	refcount_t	refs;
	kuid_t		uid;
	atomic_long_t	charged[GMP_RESOURCES];
};

struct gmp_user *gmp_user_get(void);
void gmp_user_put(struct gmp_user *user);
int gmp_charge(struct gmp_user *user, enum gmp_resource r, long n);
long gmp_uncharge(struct gmp_user *user, enum gmp_resource r, long n);
long gmp_charged(enum gmp_resource r);
void gmp_limits_exit(void);

/* ---- account.c ---------------------------------------------------------------------------- */

/**
 * struct gmp_sums - what is summed over Ms
 * @oncpu_ns: on a CPU, since registration
 * @runq_ns: runnable without a CPU, since registration
 * @blocked_ns: asleep or stopped
 * @blocked: switched out asleep or stopped
 * @preempted: switched out runnable
 * @stopped: that part of @blocked that was SIGSTOP or ptrace
 * @woken: switched in after a block
 * @carried: switched out with a goroutine
 * @carried_ns: on-CPU time of the stretches that ended so
 * @p_blocked: its P became takeable because it went to sleep
 * @p_woken: a standby M was woken for that P
 * @p_lost: it came back and the P was gone
 *
 * Guard: per-CPU for gmp_totals (its own CPU, preemption off); grp->lock in struct gmp_gone.
 */
struct gmp_sums {
	u64	oncpu_ns;
	u64	runq_ns;
	u64	blocked_ns;
	u64	blocked;
	u64	preempted;
	u64	stopped;
	u64	woken;
	u64	carried;
	u64	carried_ns;
	u64	p_blocked;
	u64	p_woken;
	u64	p_lost;
};

DECLARE_PER_CPU(struct gmp_sums, gmp_totals);

/* ---- cause.c ------------------------------------------------------------------------------ */

/*
 * Buckets of the histograms: bucket 0 is 0 .. 1023 ns, bucket i what has its highest bit at 9 + i,
 * the last one (9 min 10 s and more) whatever is longer.
 */
#define GMP_HIST_SHIFT		9
#define GMP_HIST_BUCKETS	32

/**
 * struct gmp_tally - how often and for how long, by cause and by length
 * @n: blocks, by enum gmp_cause; counted when they begin
 * @ns: their time; counted when they end
 * @slept: blocks that ended, by how long they took
 * @waited: stretches on the run queue that ended, by how long they took
 *
 * Guard: of an M as struct gmp_m_kern, under the same sequence counter; grp->lock in struct gmp_gone.
 */
struct gmp_tally {
	u64	n[GMP_CAUSE_COUNT];
	u64	ns[GMP_CAUSE_COUNT];
	u64	slept[GMP_HIST_BUCKETS];
	u64	waited[GMP_HIST_BUCKETS];
};

/**
 * struct gmp_causes - blocks by cause, of every M of every process
 * @n: as in gmp_tally
 * @ns: likewise
 *
 * Guard: its own CPU, preemption off.
 */
struct gmp_causes {
	u64	n[GMP_CAUSE_COUNT];
	u64	ns[GMP_CAUSE_COUNT];
};

enum gmp_cause gmp_cause_now(enum gmp_why why);
const char *gmp_cause_name(enum gmp_cause cause);
u64 gmp_hist_from(unsigned int bucket);
void gmp_tally_blocked(struct gmp_tally *t, enum gmp_cause cause);
void gmp_tally_slept(struct gmp_tally *t, enum gmp_cause cause, u64 ns);
void gmp_tally_waited(struct gmp_tally *t, u64 ns);
void gmp_tally_add(struct gmp_tally *to, const struct gmp_tally *what);
void gmp_causes_read(struct gmp_causes *sum);

/* ---- account.c, what readers get ------------------------------------------------------------ */

/* What a reader is told a task does now. */
enum gmp_task_state {
	GMP_TASK_RUNNING,	/* on a CPU */
	GMP_TASK_RUNNABLE,	/* preempted, or woken and not yet run */
	GMP_TASK_BLOCKED,
	GMP_TASK_STOPPED,
	GMP_TASK_DEAD,
	GMP_TASK_STATES,
};

/**
 * struct gmp_sample - one consistent look at an M, for /proc
 * @k: copy of its kernel words; oncpu_ns and runq_ns are as of now, not of the last switch
 * @u: copy of its own words, untrusted
 * @since: what it did since registration
 * @state: enum gmp_task_state
 * @stretch_ns: on a CPU since its own last switch between goroutines, as far as it accounts
 * @goroutine_ns: CPU time of goroutines, as it says, and the stretch if it carries one
 * @scheduler_ns: of the scheduler, likewise
 * @state_ns: for how long it has been off the CPU, 0 when it is on one
 */
struct gmp_sample {
	struct gmp_m_kern	k;
	struct gmp_m_user	u;
	struct gmp_sums		since;
	enum gmp_task_state	state;
	u64			state_ns;
	u64			stretch_ns;
	u64			goroutine_ns;
	u64			scheduler_ns;
};

void gmp_account_open(struct gmp_worker *w);
void gmp_account_out(struct gmp_worker *w, enum gmp_why why);
void gmp_account_in(struct gmp_worker *w, int cpu);
void gmp_account_close(struct gmp_worker *w);
bool gmp_account_read(struct gmp_worker *w, struct gmp_sample *s);
void gmp_account_tally(struct gmp_worker *w, struct gmp_tally *t);
void gmp_sums_add(struct gmp_sums *to, const struct gmp_sums *what);
void gmp_totals_read(struct gmp_sums *sum);

/* ---- gone.c ------------------------------------------------------------------------------- */

/* So many slots pass what their Ms have done on to one place, and are looked at under one lock. */
#define GMP_GONE_SLOTS	64u

/**
 * struct gmp_gone - what the Ms that have gone from a run of slots have done
 * @ms: sums of them
 * @switches: the same of gmp_m_user.switches
 * @goroutine_ns: the same of gmp_sample.goroutine_ns
 * @scheduler_ns: the same of gmp_sample.scheduler_ns
 * @tally: the same by cause and by length
 *
 * Guard: grp->lock.
 */
struct gmp_gone {
	struct gmp_sums		ms;
	u64			switches;
	u64			goroutine_ns;
	u64			scheduler_ns;
	struct gmp_tally	tally;
};

typedef void gmp_add_gone_fn(void *sum, const struct gmp_gone *gone);
typedef void gmp_add_worker_fn(void *sum, struct gmp_worker *w);

struct gmp_gone *gmp_gone_get(struct gmp_group *grp, u32 slot);
void gmp_gone_free(struct gmp_group *grp);
void gmp_gone_sum(struct gmp_group *grp, gmp_add_gone_fn *add_gone, gmp_add_worker_fn *add_worker,
		  void *sum);

/* ---- clock.c ------------------------------------------------------------------------------ */

void gmp_clock_init(void);
void gmp_clock_open(struct gmp_m_kern *k);
void gmp_clock_anchor(struct gmp_m_kern *k);

/* ---- group.c ------------------------------------------------------------------------------ */

/**
 * struct gmp_group - a process that has attached itself
 * @refs: atomic
 * @rcu: for freeing
 * @tgid: constant; the process, and with it every pid namespace that sees it
 * @mm: constant; the address space it attached with, held by mmgrab(): only its flags are looked at
 * @charged_to: constant; holds a reference
 * @bytes: constant; charged to @charged_to for the regions
 * @uid: constant; real user id it attached with
 * @nr: constant; number of @tgid in the initial namespace, its key in the registry
 * @nr_m: constant; slots
 * @nr_p: constant; P words
 * @p_off: constant; where they begin in @user
 * @tls_off: constant; as the process said, for readers
 * @layout: constant; likewise
 * @attached_ns: constant; CLOCK_MONOTONIC
 * @acct: constant; it accounts by goroutine: its Ms have clocks
 * @user: region GMP_MMAP_USER
 * @kern: region GMP_MMAP_KERN
 * @mapped: atomic; mappings of the regions in @mm
 * @dead: atomic, set once: the process is gone, executed another program or closed the device
 * @retire: work item that takes the group out of /proc and the registry
 * @retired: completed by @retire
 * @dir_state: atomic; proc.c, KA-8
 * @proc_dir: directory /proc/gmp/<nr>, NULL before and after; of who makes it, then of who removes it
 * @workers: slot to worker, read under RCU; entered under its own lock, taken out under @lock
 * @lock: guards what follows
 * @nr_workers: @lock; workers in @workers whose books are open
 * @nr_registered: @lock; registrations ever
 * @gone: by run of slots; an element goes from NULL to sums once, by cmpxchg; these: @lock
 * @slot_free: woken whenever a slot becomes free
 * @handoff: set once, with release, after @how (KA-3)
 * @how: constant once @handoff is set; as the process said
 * @standby_lock: guards what follows, and the same of the workers
 * @standbys: workers that wait for a P, by ->standby; the latest first
 * @unserved: workers whose P was worth taking when nobody was there to, by ->unserved
 * @orphans: Ps of such workers that are gone
 */
struct gmp_group {
	refcount_t		refs;
	struct rcu_head		rcu;

	struct pid		*tgid;
	struct mm_struct	*mm;
	struct gmp_user		*charged_to;
	u64			bytes;
	kuid_t			uid;
	unsigned long		nr;
	u32			nr_m;
	u32			nr_p;
	u64			p_off;
	s64			tls_off;
	u64			layout;
	u64			attached_ns;
	bool			acct;
	struct gmp_region	user;
	struct gmp_region	kern;

	atomic_t		mapped;
	atomic_t		dead;
	struct work_struct	retire;
	struct completion	retired;

	atomic_t		dir_state;
	struct proc_dir_entry	*proc_dir;

	struct xarray		workers;
	spinlock_t		lock;
	u32			nr_workers;
	u64			nr_registered;
	struct gmp_gone		*gone[DIV_ROUND_UP(GMP_MAX_M, GMP_GONE_SLOTS)];
	wait_queue_head_t	slot_free;

	bool			handoff;
	struct gmp_handoff	how;
	raw_spinlock_t		standby_lock;
	struct list_head	standbys;
	struct list_head	unserved;
	unsigned long		orphans[BITS_TO_LONGS(GMP_MAX_P)];
};

extern atomic_long_t gmp_nr_attached;

struct gmp_group *gmp_group_create(const struct gmp_attach *a);
int gmp_group_publish(struct gmp_group *grp, struct gmp_group **slot);
void gmp_group_retire(struct gmp_group *grp);
void gmp_group_kill(struct gmp_group *grp);
void gmp_group_check(struct gmp_group *grp);
bool gmp_group_is_alive(struct gmp_group *grp);
void gmp_group_put(struct gmp_group *grp);
struct gmp_group *gmp_group_find(unsigned long *nr);
void gmp_group_execed(void);
void gmp_group_exit(void);
int gmp_group_init(void);

static inline bool gmp_group_is_dead(struct gmp_group *grp)
{
	return atomic_read(&grp->dead);
}

/* ---- worker.c ----------------------------------------------------------------------------- */

/*
 * Life of a worker. "Bound" means: its preempt notifier is in the task's list.
 *
 *             gmp_worker_register(), by the task itself
 *   (none) --------------------------------------------> BOUND
 *                                                       /     \
 *          the task itself: M_UNREGISTER, exec, or     /       \  its last switch out, seen in
 *          M_REGISTER after its process had closed    /         \ sched_out: nothing runs in the
 *          the device                                /           \ task after that
 *                                               UNBOUND          DEAD
 *                                                   |              | irq_work, then work item
 *                       the caller, or a work item   \            /
 *                                                     v          v
 *                                        GONE: slot free, sums in the group
 *                                                      | last reference
 *                                                      v
 *                                            freed after a grace period
 *
 * In BOUND only the task changes the worker, in sched_out and sched_in. Kill -9 at any point ends
 * in DEAD: the last switch out always comes.
 */
enum gmp_worker_state {
	GMP_W_NEW,		/* nobody else knows it */
	GMP_W_BOUND,
	GMP_W_UNBOUND,
	GMP_W_DEAD,
	GMP_W_GONE,
};

/**
 * struct gmp_worker - an M: a task bound to a slot of its group
 * @notifier: in the task's list while BOUND; changed by the task itself with preemption off
 * @u: constant; the slot the process writes
 * @k: constant; the slot the process reads; written as gmp_account says
 * @out_oncpu: task, in sched_out: sum_exec_runtime at its last switch out
 * @out_runq: task, in sched_out: run_delay at its last switch out
 * @out_clock: task, in sched_out: the scheduler's clock at its last switch out
 * @stopped: task, in sched_out: how many of k->blocked were stops
 * @cause: task, in sched_out: why it blocks, until it is switched in again
 * @tally: task, in sched_out and sched_in, under k->seq
 * @base_oncpu: constant; sum_exec_runtime at registration
 * @base_runq: constant; run_delay at registration
 * @grp: constant; holds a reference
 * @gone: constant; where its sums go when it does
 * @task: constant; holds a reference
 * @tid: constant; holds a reference
 * @slot: constant
 * @m_id: constant; number the process gave
 * @attached_ns: constant; tells this worker's use of the slot from another one's
 * @p_word: task, in sched_out and sched_in; its P's word as its block left it, 0 = no such block.
 *          Read by @wake and @delay
 * @p_at: task, in sched_out; where that word lies. Read likewise
 * @p_nr: task, in sched_out; number of that P. Read likewise
 * @back_queued: task; @back is in its list, with a reference on worker and module
 * @preempt_queued: atomic; the same of @preempt, or about to be
 * @base_mask: constant; its signal mask when it was registered
 * @signalled: task; a signal handler of the program has begun, and its mask was not @base_mask since
 * @signalled_sp: task; where the latest such signal found it
 * @unmasked_sp: task; where one did whose handler has just @base_mask; 0 none, or it was above that since
 * @back: task_work from sched_in: before it returns to user mode without a P
 * @preempt: task_work from anybody of its process
 * @wake: irq_work from sched_out: its P is worth taking
 * @delay: the same, later
 * @standby: grp->standby_lock; in grp->standbys while it waits for a P
 * @unserved: grp->standby_lock; in grp->unserved
 * @event_p: grp->standby_lock; P it is to look at, -1 none
 * @kicked: grp->standby_lock; it is to return from its wait
 * @waits: grp->standby_lock; it is in GMP_IOC_STANDBY
 * @state: enum gmp_worker_state; changed by the task, then by its reaper, see the drawing
 * @died: irq_work from sched_out
 * @reap: work item
 * @hash: gmp_tasks_lock; by @task
 * @refs: atomic
 * @rcu: for freeing
 */
struct gmp_worker {
	struct preempt_notifier	notifier;
	struct gmp_m_user	*u;
	struct gmp_m_kern	*k;
	u64			out_oncpu;
	u64			out_runq;
	u64			out_clock;
	u64			stopped;
	enum gmp_cause		cause;
	struct gmp_tally	tally;

	u64			base_oncpu;
	u64			base_runq;
	struct gmp_group	*grp;
	struct gmp_gone		*gone;
	struct task_struct	*task;
	struct pid		*tid;
	u32			slot;
	u32			m_id;
	u64			attached_ns;

	u64			p_word;
	u64			*p_at;
	u32			p_nr;
	bool			back_queued;
	atomic_t		preempt_queued;
	sigset_t		base_mask;
	bool			signalled;
	unsigned long		unmasked_sp;
	unsigned long		signalled_sp;
	struct callback_head	back;
	struct callback_head	preempt;
	struct irq_work		wake;
	struct hrtimer		delay;
	struct list_head	standby;
	struct list_head	unserved;
	s32			event_p;
	bool			kicked;
	bool			waits;

	enum gmp_worker_state	state;
	struct irq_work		died;
	struct work_struct	reap;
	struct hlist_node	hash;
	refcount_t		refs;
	struct rcu_head		rcu;
};

extern atomic_long_t gmp_nr_registered;

int gmp_worker_register(struct gmp_group *grp, const struct gmp_m_register *r);
int gmp_worker_unregister(struct gmp_group *grp);
struct gmp_worker *gmp_worker_current(void);
struct gmp_worker *gmp_worker_of_task(const struct task_struct *task);
void gmp_worker_execed(void);
struct gmp_worker *gmp_worker_find(struct gmp_group *grp, unsigned long *slot);
struct gmp_worker *gmp_worker_at(struct gmp_group *grp, unsigned long slot);
void gmp_worker_put(struct gmp_worker *w);
int gmp_worker_init(void);
void gmp_worker_exit(void);

/* ---- handoff.c ---------------------------------------------------------------------------- */

void gmp_handoff_open(struct gmp_worker *w);
void gmp_handoff_out(struct gmp_worker *w, enum gmp_why why);
void gmp_handoff_in(struct gmp_worker *w);
int gmp_handoff_set(struct gmp_group *grp, const struct gmp_handoff *how);
int gmp_handoff_preempt(struct gmp_group *grp, unsigned long slot);
void gmp_handoff_signalled(int sig, const struct kernel_siginfo *info, const struct k_sigaction *ka);
void gmp_handoff_exit(void);

/* Not xa_empty(): where memory ran out in the midst of an insertion empty nodes may be left. */
static inline bool gmp_xa_has_any(struct xarray *xa)
{
	unsigned long at = 0;

	return xa_find(xa, &at, ULONG_MAX, XA_PRESENT);
}

/* A counter in gmp_m_kern that has one writer at a time; 64 bits are read whole. */
static inline void gmp_count(u64 *word)
{
	WRITE_ONCE(*word, *word + 1);
}

/* ---- standby.c ---------------------------------------------------------------------------- */

void gmp_standby_open(struct gmp_worker *w);
void gmp_standby_close(struct gmp_worker *w);
int gmp_standby_wait(struct gmp_group *grp, s64 timeout_ns, u32 *p);
int gmp_standby_kick(struct gmp_group *grp, unsigned long slot);

/* ---- hooks.c ------------------------------------------------------------------------------ */

void gmp_notifiers_on(void);
void gmp_notifiers_idle(void);
void gmp_notifiers_exit(void);
int gmp_hooks_init(void);
void gmp_hooks_exit(void);

/* ---- kfunc.c ------------------------------------------------------------------------------ */

void gmp_kfunc_init(void);
u64 bpf_gmp_task_goid(struct task_struct *task);
s32 bpf_gmp_task_m(struct task_struct *task);
u32 bpf_gmp_task_gstatus(struct task_struct *task);

/* ---- dev.c -------------------------------------------------------------------------------- */

int gmp_dev_init(void);
void gmp_dev_exit(void);

/* ---- peek.c ------------------------------------------------------------------------------- */

/*
 * Bounds on what a process says of its table of Gs: libgmprt has 1024 in a chunk and at most 16384
 * chunks. GMP_PEEK_BUF is what is read at once.
 */
#define GMP_PEEK_MAX_PER_CHUNK	65536u
#define GMP_PEEK_MAX_CHUNKS	65536u
#define GMP_PEEK_MAX_GS		BIT(25)
#define GMP_PEEK_BUF		4096u

/**
 * struct gmp_peek - a reader of a process's memory
 * @grp: whose; the caller keeps it
 * @task: one of its tasks; holds a reference, NULL while closed
 * @l: what it published when the reader came; magic, version, size, ready, g_size and g_per_chunk
 *     are checked, nothing else
 */
struct gmp_peek {
	struct gmp_group	*grp;
	struct task_struct	*task;
	struct gmp_rt_layout	l;
};

int gmp_peek_open(struct gmp_peek *pk, struct gmp_group *grp);
void gmp_peek_close(struct gmp_peek *pk);
bool gmp_peek_read(const struct gmp_peek *pk, u64 addr, void *to, size_t len);
bool gmp_peek_word(const struct gmp_peek *pk, u64 addr, u32 size, u64 *value);

/* ---- proc*.c ---------------------------------------------------------------------------------- */

int gmp_proc_init(void);
void gmp_proc_exit(void);
void gmp_proc_add(struct gmp_group *grp);
void gmp_proc_remove(struct gmp_group *grp);
void gmp_proc_inherit(unsigned long nr);
int gmp_proc_may_read(struct gmp_group *grp, const struct file *reader);
pid_t gmp_proc_pid_nr(struct pid *pid, const struct file *reader);
int gmp_proc_pin(void);
void gmp_proc_unpin(void);
int gmp_proc_single_open(struct file *file, int (*show)(struct seq_file *m, void *v), void *data);
int gmp_proc_single_release(struct inode *inode, struct file *file);

extern const struct proc_ops gmp_proc_version_ops;
extern const struct proc_ops gmp_proc_stat_ops;
extern const struct proc_ops gmp_proc_status_ops;
extern const struct proc_ops gmp_proc_all_tasks_ops;
extern const struct proc_ops gmp_proc_tasks_ops;
extern const struct proc_ops gmp_proc_causes_ops;
extern const struct proc_ops gmp_proc_hist_ops;
extern const struct proc_ops gmp_proc_goroutines_ops;
extern const struct proc_ops gmp_proc_sched_ops;
extern const struct proc_ops gmp_proc_ps_ops;

const char *gmp_gstatus_name(u32 status);
struct gmp_worker *gmp_worker_of_m(struct gmp_group *grp, u32 m_id);

#endif /* GMP_INTERNAL_H */
