// SPDX-License-Identifier: GPL-2.0-only
/*
 * worker.c - one worker per registered M: binding a task to a slot, and every way out of it.
 *
 * Owns:       struct gmp_worker; the preempt notifier; the hash of workers by task; slots.
 * Invariants: a task has at most one worker that is BOUND, and that one is in the hash; a slot
 *             holds at most one worker; a worker in a slot has its two pages. States: drawing in
 *             internal.h.
 * Locks:      grp->lock where the number of Ms and their sums change; a slot is entered before that,
 *             as memory may have to be found, with its books not open. gmp_tasks_lock for changes of
 *             the hash. RCU for look-ups, of both.
 * Not here:   what a switch counts (account.c); what it does to a P (handoff.c).
 *
 * A notifier can be put in and taken out only by its own task, with preemption off, and not from
 * within a callback. Nobody but the task ever unbinds it; all others wait for its last switch.
 */
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "internal.h"
#include "trace.h"

/* How long M_REGISTER waits for the last switch of a thread that is exiting in its slot. */
#define SLOT_WAIT	HZ

static DEFINE_RAW_SPINLOCK(gmp_tasks_lock);
static DEFINE_HASHTABLE(tasks, 10);

static struct workqueue_struct *reap_wq;

atomic_long_t gmp_nr_registered = ATOMIC_LONG_INIT(0);	/* registered ever */

/* ---- states -------------------------------------------------------------------------------- */

static bool edge_is_legal(enum gmp_worker_state from, enum gmp_worker_state to)
{
	switch (to) {
	case GMP_W_BOUND:
		return from == GMP_W_NEW;
	case GMP_W_UNBOUND:
	case GMP_W_DEAD:
		return from == GMP_W_BOUND;
	case GMP_W_GONE:
		return from == GMP_W_UNBOUND || from == GMP_W_DEAD;
	default:
		return false;
	}
}

/* By the task itself up to UNBOUND or DEAD, then by its reaper: never two at once. */
static void set_state(struct gmp_worker *w, enum gmp_worker_state to)
{
	WARN_ON_ONCE(!edge_is_legal(w->state, to));
	WRITE_ONCE(w->state, to);
}

/* By the task itself, in whatever context it stops being an M. */
static void trace_detach(const struct gmp_worker *w, enum gmp_detach why)
{
	s64 lived_ns;

	if (!trace_gmp_m_detach_enabled())
		return;
	lived_ns = ktime_get_mono_fast_ns() - w->attached_ns;	/* may be off by some ns */
	trace_gmp_m_detach(task_tgid_nr(current), task_pid_nr(current), w->m_id, w->slot, why,
			   max_t(s64, lived_ns, 0));
}

/* ---- the scheduler's callbacks ------------------------------------------------------------- */

/* A task that waits for a spinlock of a PREEMPT_RT kernel is off the run queue: blocked, too. */
static enum gmp_why why_out(const struct task_struct *t)
{
	unsigned int state = READ_ONCE(t->__state);

	if (gmp_task_is_runnable(t))
		return GMP_WHY_PREEMPTED;
	if (state & TASK_DEAD)
		return GMP_WHY_DEAD;
	return state & (__TASK_STOPPED | __TASK_TRACED) ? GMP_WHY_STOPPED : GMP_WHY_BLOCKED;
}

static void sched_out(struct preempt_notifier *pn, struct task_struct *next)
{
	struct gmp_worker *w = container_of(pn, struct gmp_worker, notifier);
	enum gmp_why why = why_out(current);

	lockdep_assert_irqs_disabled();
	if (likely(!gmp_group_is_dead(w->grp))) {
		gmp_account_out(w, why);
		if (READ_ONCE(w->grp->handoff))
			gmp_handoff_out(w, why);
	}
	if (unlikely(why == GMP_WHY_DEAD)) {
		/* Runs on this CPU once interrupts are on: the switch is done by then. */
		trace_detach(w, GMP_DETACH_EXIT);
		set_state(w, GMP_W_DEAD);
		irq_work_queue(&w->died);
	}
}

static void sched_in(struct preempt_notifier *pn, int cpu)
{
	struct gmp_worker *w = container_of(pn, struct gmp_worker, notifier);

	lockdep_assert_preemption_disabled();
	if (unlikely(gmp_group_is_dead(w->grp)))
		return;
	gmp_account_in(w, cpu);
	if (w->p_word || unlikely(READ_ONCE(w->u->lost)))
		gmp_handoff_in(w);
}

static struct preempt_ops worker_ops = {
	.sched_out	= sched_out,
	.sched_in	= sched_in,
};

/* ---- the hash ------------------------------------------------------------------------------ */

static void hash_add_worker(struct gmp_worker *w)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&gmp_tasks_lock, flags);
	hash_add_rcu(tasks, &w->hash, (unsigned long)w->task);
	raw_spin_unlock_irqrestore(&gmp_tasks_lock, flags);
}

static void hash_del_worker(struct gmp_worker *w)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&gmp_tasks_lock, flags);
	hash_del_rcu(&w->hash);
	raw_spin_unlock_irqrestore(&gmp_tasks_lock, flags);
}

/**
 * gmp_worker_of_task() - the worker of a task
 * @task: only compared, never looked into
 *
 * Context: any, under RCU.
 * Return: the worker or NULL. It, and its two slots, stay until the caller leaves RCU.
 */
struct gmp_worker *gmp_worker_of_task(const struct task_struct *task)
{
	struct gmp_worker *w;

	RCU_LOCKDEP_WARN(!rcu_read_lock_held(), "gmp: a worker is looked for outside of RCU");
	hash_for_each_possible_rcu(tasks, w, hash, (unsigned long)task)
		if (w->task == task)
			return w;
	return NULL;
}

/**
 * gmp_worker_current() - the calling task's own worker
 *
 * Context: any. It stays: only the task itself can unbind it.
 * Return: the worker, without a reference, or NULL.
 */
struct gmp_worker *gmp_worker_current(void)
{
	struct gmp_worker *w;

	rcu_read_lock();
	w = gmp_worker_of_task(current);
	rcu_read_unlock();
	return w;
}

/* ---- references ---------------------------------------------------------------------------- */

/**
 * gmp_worker_put() - drop a reference
 * @w: worker
 *
 * Context: process, may sleep.
 */
void gmp_worker_put(struct gmp_worker *w)
{
	might_sleep();
	if (!refcount_dec_and_test(&w->refs))
		return;
	put_pid(w->tid);
	put_task_struct(w->task);
	gmp_group_put(w->grp);
	kfree_rcu(w, rcu);
}

/**
 * gmp_worker_find() - the worker with the lowest slot from a given one on
 * @grp: group the caller holds a reference on
 * @slot: in: where to begin, out: its slot
 *
 * Context: process.
 * Return: a worker with a reference for the caller, or NULL.
 */
struct gmp_worker *gmp_worker_find(struct gmp_group *grp, unsigned long *slot)
{
	struct gmp_worker *w;

	rcu_read_lock();
	w = xa_find(&grp->workers, slot, ULONG_MAX, XA_PRESENT);
	while (w && !refcount_inc_not_zero(&w->refs))
		w = xa_find_after(&grp->workers, slot, ULONG_MAX, XA_PRESENT);
	rcu_read_unlock();
	return w;
}

/**
 * gmp_worker_at() - the worker in a slot
 * @grp: group the caller holds a reference on
 * @slot: anything
 *
 * Context: process.
 * Return: the worker with a reference for the caller, or NULL if nobody has the slot.
 */
struct gmp_worker *gmp_worker_at(struct gmp_group *grp, unsigned long slot)
{
	struct gmp_worker *w;

	rcu_read_lock();
	w = xa_load(&grp->workers, slot);
	if (w && !refcount_inc_not_zero(&w->refs))
		w = NULL;
	rcu_read_unlock();
	return w;
}

/* ---- how many ------------------------------------------------------------------------------ */

static void uncount_thread(struct gmp_group *grp)
{
	if (!gmp_uncharge(grp->charged_to, GMP_R_THREADS, 1))
		gmp_notifiers_idle();
}

static int count_thread(struct gmp_group *grp)
{
	int err = gmp_charge(grp->charged_to, GMP_R_THREADS, 1);

	if (!err)
		gmp_notifiers_on();
	return err;
}

/* ---- ways out ------------------------------------------------------------------------------ */

/* Give the slot back and the sums to the group. Drops the reference the binding held. */
static void worker_reap(struct gmp_worker *w)
{
	struct gmp_group *grp = w->grp;

	irq_work_sync(&w->died);
	gmp_standby_close(w);
	spin_lock(&grp->lock);
	gmp_account_close(w);
	set_state(w, GMP_W_GONE);
	xa_erase(&grp->workers, w->slot);
	grp->nr_workers--;
	spin_unlock(&grp->lock);

	wake_up_all(&grp->slot_free);
	uncount_thread(grp);
	gmp_group_check(grp);
	gmp_worker_put(w);
}

/* What reaps from a work item holds the module until the queue is flushed at exit. */
static void reap_work(struct work_struct *work)
{
	struct gmp_worker *w = container_of(work, struct gmp_worker, reap);

	if (w->state == GMP_W_DEAD)
		hash_del_worker(w);
	worker_reap(w);
	module_put(THIS_MODULE);
}

static void died_irq(struct irq_work *work)
{
	struct gmp_worker *w = container_of(work, struct gmp_worker, died);

	queue_work(reap_wq, &w->reap);
}

/* Take the calling task's notifier out. After that nothing but its reaper touches @w. */
static void worker_unbind(struct gmp_worker *w, enum gmp_detach why)
{
	WARN_ON_ONCE(w->task != current);
	trace_detach(w, why);
	hash_del_worker(w);
	preempt_disable();
	preempt_notifier_unregister(&w->notifier);
	set_state(w, GMP_W_UNBOUND);
	preempt_enable();
}

/**
 * gmp_worker_execed() - the calling task runs another program from now on
 *
 * Context: tracepoint sched_process_exec, preemption off.
 */
void gmp_worker_execed(void)
{
	struct gmp_worker *w = gmp_worker_current();

	if (!w)
		return;
	worker_unbind(w, GMP_DETACH_EXEC);
	queue_work(reap_wq, &w->reap);
}

/**
 * gmp_worker_unregister() - unbind the calling thread, synchronously
 * @grp: group of the calling process
 *
 * Context: process, may sleep.
 * Return: 0, or -ENOENT if the thread has no slot of this group.
 */
int gmp_worker_unregister(struct gmp_group *grp)
{
	struct gmp_worker *w = gmp_worker_current();

	if (!w || w->grp != grp)
		return -ENOENT;
	worker_unbind(w, GMP_DETACH_UNREGISTER);
	worker_reap(w);
	module_put(THIS_MODULE);
	return 0;
}

/* ---- the way in ---------------------------------------------------------------------------- */

static struct gmp_worker *worker_create(struct gmp_group *grp, const struct gmp_m_register *r)
{
	struct gmp_worker *w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);

	if (!w)
		return NULL;
	w->u = gmp_region_get(&grp->user, (u64)r->slot * sizeof(*w->u));
	w->k = gmp_region_get(&grp->kern, (u64)r->slot * sizeof(*w->k));
	w->gone = gmp_gone_get(grp, r->slot);
	if (!w->u || !w->k || !w->gone) {
		kfree(w);
		return NULL;
	}
	refcount_set(&w->refs, 1);
	refcount_inc(&grp->refs);
	w->grp = grp;
	w->task = get_task_struct(current);
	w->tid = get_task_pid(current, PIDTYPE_PID);
	w->slot = r->slot;
	w->m_id = r->m_id;
	preempt_notifier_init(&w->notifier, &worker_ops);
	w->died = IRQ_WORK_INIT_HARD(died_irq);
	INIT_WORK(&w->reap, reap_work);
	gmp_handoff_open(w);
	gmp_standby_open(w);
	return w;
}

/* Open the books of a worker that is in its slot, unless its process has given up: then out again. */
static int worker_open(struct gmp_worker *w)
{
	struct gmp_group *grp = w->grp;
	int err = 0;

	spin_lock(&grp->lock);
	if (gmp_group_is_dead(grp)) {
		xa_erase(&grp->workers, w->slot);
		err = -ENOTCONN;
	} else {
		w->attached_ns = ktime_get_ns();
		gmp_account_open(w);
		grp->nr_workers++;
		grp->nr_registered++;
	}
	spin_unlock(&grp->lock);
	if (err)
		wake_up_all(&grp->slot_free);
	return err;
}

/* Enter the worker into its slot, books open. Who finds it there before learns that they are not. */
static int worker_insert(struct gmp_worker *w)
{
	struct gmp_group *grp = w->grp;

	if (gmp_group_is_dead(grp))
		return -ENOTCONN;
	return xa_insert(&grp->workers, w->slot, w, GFP_KERNEL_ACCOUNT) ?: worker_open(w);
}

/* Is the slot's worker about to leave by itself? */
static bool slot_is_leaving(struct gmp_group *grp, unsigned long slot)
{
	struct gmp_worker *w = gmp_worker_at(grp, slot);
	bool leaving;

	if (!w)
		return true;
	leaving = READ_ONCE(w->state) > GMP_W_BOUND || (READ_ONCE(w->task->flags) & PF_EXITING);
	gmp_worker_put(w);
	return leaving;
}

/*
 * A runtime that has joined a thread gives its slot to another one, but a thread is joined before
 * its last switch. So a slot whose thread is exiting is worth a wait; any other is busy.
 */
static int worker_insert_wait(struct gmp_worker *w)
{
	struct gmp_group *grp = w->grp;
	long left = SLOT_WAIT;
	int err;

	for (;;) {
		err = worker_insert(w);
		if (err != -EBUSY || !left || !slot_is_leaving(grp, w->slot))
			return err;
		left = wait_event_killable_timeout(grp->slot_free,
						   !xa_load(&grp->workers, w->slot), left);
		if (left < 0)
			return -EINTR;
	}
}

static void worker_bind(struct gmp_worker *w)
{
	hash_add_worker(w);
	preempt_disable();
	set_state(w, GMP_W_BOUND);
	preempt_notifier_register(&w->notifier);
	preempt_enable();
	trace_gmp_m_attach(task_tgid_nr(current), task_pid_nr(current), w->m_id, w->slot);
}

/* What the thread has from a group that is dead by now makes room. */
static int drop_stale(struct gmp_group *grp)
{
	struct gmp_worker *w = gmp_worker_current();

	if (!w)
		return 0;
	if (w->grp == grp)
		return -EEXIST;
	return gmp_worker_unregister(w->grp);
}

/**
 * gmp_worker_register() - bind the calling thread to a slot
 * @grp: group of the calling process
 * @r: which slot, and the number to show; from user space
 *
 * Context: process, may sleep, can be killed.
 * Return: 0; -EINVAL slot out of range; -EEXIST the thread has a slot; -EBUSY another has this one;
 * -EAGAIN a limit on threads is reached; -ENOTCONN the group is dead; -ENOMEM; -EINTR.
 */
int gmp_worker_register(struct gmp_group *grp, const struct gmp_m_register *r)
{
	struct gmp_worker *w;
	int err;

	if (r->slot >= grp->nr_m)
		return -EINVAL;
	err = drop_stale(grp);
	if (err)
		return err;
	err = count_thread(grp);
	if (err)
		return err;
	err = -ENOMEM;
	w = worker_create(grp, r);
	if (!w)
		goto err_uncount;
	err = worker_insert_wait(w);
	if (err)
		goto err_put;
	__module_get(THIS_MODULE);
	worker_bind(w);
	atomic_long_inc(&gmp_nr_registered);
	return 0;

err_put:
	gmp_worker_put(w);
err_uncount:
	uncount_thread(grp);
	return err;
}

/**
 * gmp_worker_init() - what workers need before the first one
 *
 * Return: 0 or -ENOMEM.
 */
int gmp_worker_init(void)
{
	reap_wq = alloc_workqueue("gmp_reap", WQ_UNBOUND, 0);
	return reap_wq ? 0 : -ENOMEM;
}

/**
 * gmp_worker_exit() - wait for what reaps workers
 *
 * Every worker pinned the module until it was reaped: what runs still are the last instructions.
 */
void gmp_worker_exit(void)
{
	destroy_workqueue(reap_wq);
	WARN_ON_ONCE(!hash_empty(tasks));
}
