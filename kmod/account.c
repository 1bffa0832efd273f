// SPDX-License-Identifier: GPL-2.0-only
/*
 * account.c - what a switch out and a switch in of a registered M do.
 *
 * Owns:       the numbers: struct gmp_m_kern, gmp_totals, the out_* fields of a worker, its tally.
 * Invariants: on-CPU time is task->se.sum_exec_runtime, run-queue time task->sched_info.run_delay:
 *             the words /proc/<pid>/task/<tid>/schedstat prints, so that both always agree. The
 *             rest is counted here. oncpu + runq + blocked = time since registration, but for what
 *             the task does right now and for the few cycles the scheduler books nowhere.
 * Locks:      none. A slot's kernel words have one writer at a time: while the worker is BOUND the
 *             task itself in sched_out (run queue lock, interrupts off) and sched_in (preemption
 *             off); before that who registers it, after that who reaps it.
 * Ordering:   k->seq is a sequence counter, odd while the words change. KA-1: kern_begin() and
 *             kern_end() pair with read_kern(), and with any reader in user space.
 * Not here:   what made a task block, and the histograms (cause.c).
 * Cost:       a switch out is some thirty loads and stores and two reads of a clock, a wake-up none;
 *             nothing is shared with another CPU. Tasks that are not registered never come
 *             here.
 */
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>

#include "internal.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

DEFINE_PER_CPU(struct gmp_sums, gmp_totals);

static void kern_begin(struct gmp_m_kern *k)
{
	WRITE_ONCE(k->seq, k->seq + 1);
	smp_wmb();	/* KA-1: the odd number is seen before any word changes */
}

static void kern_end(struct gmp_m_kern *k)
{
	smp_wmb();	/* KA-1: all words are seen before the even number */
	WRITE_ONCE(k->seq, k->seq + 1);
}

/* A word that only this context writes, and others read under k->seq. */
static void add_to(u64 *word, u64 n)
{
	WRITE_ONCE(*word, *word + n);
}

static u64 task_oncpu(const struct task_struct *t)
{
	return READ_ONCE(t->se.sum_exec_runtime);
}

static u64 task_runq(const struct task_struct *t)
{
	return READ_ONCE(t->sched_info.run_delay);
}

/**
 * gmp_account_open() - start the books of an M
 * @w: new worker of the calling task; its slot is its own, its notifier not yet registered
 *
 * Context: process.
 */
void gmp_account_open(struct gmp_worker *w)
{
	struct gmp_m_kern *k = w->k;
	u32 seq = k->seq | 1;

	w->base_oncpu = task_oncpu(w->task);
	w->base_runq = task_runq(w->task);
	w->out_oncpu = w->base_oncpu;
	w->out_runq = w->base_runq;

	preempt_disable();	/* readers wait while seq is odd */
	WRITE_ONCE(k->seq, seq);
	smp_wmb();	/* KA-1 */
	memset((void *)k + sizeof(k->seq), 0, sizeof(*k) - sizeof(k->seq));
	k->tid = pid_vnr(w->tid);
	k->attached_ns = w->attached_ns;
	k->oncpu_ns = w->base_oncpu;
	k->runq_ns = w->base_runq;
	k->last_cpu = raw_smp_processor_id();
	if (w->grp->acct)
		gmp_clock_open(k);
	smp_wmb();	/* KA-1 */
	WRITE_ONCE(k->seq, seq + 1);
	preempt_enable();
}

static void count_out(struct gmp_worker *w, enum gmp_why why, u64 ran)
{
	this_cpu_add(gmp_totals.oncpu_ns, ran);
	if (why == GMP_WHY_PREEMPTED) {
		add_to(&w->k->preempted, 1);
		this_cpu_inc(gmp_totals.preempted);
	} else if (why != GMP_WHY_DEAD) {
		add_to(&w->k->blocked, 1);
		this_cpu_inc(gmp_totals.blocked);
		w->cause = gmp_cause_now(why);
		gmp_tally_blocked(&w->tally, w->cause);
	}
	if (why == GMP_WHY_STOPPED) {
		WRITE_ONCE(w->stopped, w->stopped + 1);
		this_cpu_inc(gmp_totals.stopped);
	}
}

static void count_carried(struct gmp_worker *w, u64 ran)
{
	add_to(&w->k->carried, 1);
	add_to(&w->k->carried_ns, ran);
	this_cpu_inc(gmp_totals.carried);
	this_cpu_add(gmp_totals.carried_ns, ran);
}

/**
 * gmp_account_out() - the calling task leaves its CPU
 * @w: its worker
 * @why: enum gmp_why
 *
 * The scheduler has booked the stretch that ends before it calls: sum_exec_runtime is exact here.
 *
 * Context: sched_out: run queue lock held, interrupts off. Takes no lock, touches no user mapping.
 */
void gmp_account_out(struct gmp_worker *w, enum gmp_why why)
{
	struct gmp_m_kern *k = w->k;
	u64 goid = READ_ONCE(w->u->goid);
	u64 oncpu = task_oncpu(current);
	u64 ran = oncpu - w->out_oncpu;

	w->out_clock = local_clock();	/* before anyone can see that it is out */
	kern_begin(k);
	WRITE_ONCE(k->oncpu_ns, oncpu);
	WRITE_ONCE(k->last_goid, goid);
	WRITE_ONCE(k->last_out_ns, ktime_get_mono_fast_ns());
	WRITE_ONCE(k->last_cpu, raw_smp_processor_id());
	WRITE_ONCE(k->last_why, why);
	count_out(w, why, ran);
	if (goid)
		count_carried(w, ran);
	kern_end(k);

	w->out_oncpu = oncpu;
	w->out_runq = task_runq(current);
	if (goid && trace_gmp_carrier_enabled())
		trace_gmp_carrier(task_tgid_nr(current), task_pid_nr(current), w->m_id,
				  READ_ONCE(w->u->p), goid, why, ran);
}

/*
 * How long it slept: from its switch out to its switch in, less what it waited for a CPU once it was
 * awake. All three are of the scheduler's clock and none is "now": a virtual CPU may stand still for
 * milliseconds between any two readings of a clock, and the task has not slept then.
 */
static u64 slept_ns(const struct gmp_worker *w, u64 waited)
{
	s64 slept = current->sched_info.last_arrival - w->out_clock - waited;

	/* Without a stable clock those of two CPUs differ, by up to a tick: never below zero. */
	return max_t(s64, slept, 0);
}

static void count_wakeup(struct gmp_worker *w, u64 waited)
{
	u64 slept = slept_ns(w, waited);

	add_to(&w->k->woken, 1);
	add_to(&w->k->blocked_ns, slept);
	gmp_tally_slept(&w->tally, w->cause, slept);
	this_cpu_inc(gmp_totals.woken);
	this_cpu_add(gmp_totals.blocked_ns, slept);
}

/**
 * gmp_account_in() - the calling task is on a CPU again
 * @w: its worker
 * @cpu: that CPU
 *
 * Context: sched_in: preemption off, interrupts on, run queue lock dropped.
 */
void gmp_account_in(struct gmp_worker *w, int cpu)
{
	struct gmp_m_kern *k = w->k;
	u64 runq = task_runq(current);
	u64 waited = runq - w->out_runq;

	kern_begin(k);
	WRITE_ONCE(k->runq_ns, runq);
	WRITE_ONCE(k->last_cpu, cpu);
	if (k->last_why != GMP_WHY_PREEMPTED)
		count_wakeup(w, waited);
	gmp_tally_waited(&w->tally, waited);
	if (w->grp->acct)
		gmp_clock_anchor(k);
	kern_end(k);
	this_cpu_add(gmp_totals.runq_ns, waited);
}

static void sample_since(const struct gmp_worker *w, struct gmp_sample *s)
{
	s->since = (struct gmp_sums) {
		.oncpu_ns	= s->k.oncpu_ns - w->base_oncpu,
		.runq_ns	= s->k.runq_ns - w->base_runq,
		.blocked_ns	= s->k.blocked_ns,
		.blocked	= s->k.blocked,
		.preempted	= s->k.preempted,
		.stopped	= READ_ONCE(w->stopped),
		.woken		= s->k.woken,
		.carried	= s->k.carried,
		.carried_ns	= s->k.carried_ns,
		.p_blocked	= s->k.p_blocked,
		.p_woken	= s->k.p_woken,
		.p_lost		= s->k.p_lost,
	};
}

/* KA-1, the other side. Writers are short and cannot be preempted. */
static u32 read_begin(const struct gmp_m_kern *k)
{
	u32 seq;

	while ((seq = READ_ONCE(k->seq)) & 1)
		cpu_relax();
	smp_rmb();	/* KA-1: no word is read before the even number */
	return seq;
}

static bool read_retry(const struct gmp_m_kern *k, u32 seq)
{
	smp_rmb();	/* KA-1: all words are read before the number again */
	return READ_ONCE(k->seq) != seq;
}

static void read_kern(const struct gmp_m_kern *k, struct gmp_m_kern *copy)
{
	u32 seq;

	do {
		seq = read_begin(k);
		data_race(memcpy(copy, k, sizeof(*copy)));	/* torn copies are thrown away */
	} while (read_retry(k, seq));
}

/**
 * gmp_account_tally() - copy an M's blocks by cause and its histograms, consistent in itself
 * @w: worker the caller holds a reference on
 * @t: filled in
 *
 * Once the worker has gone its slot's counter is another's, but then its tally stands still.
 *
 * Context: any task; never waits for the one looked at.
 */
void gmp_account_tally(struct gmp_worker *w, struct gmp_tally *t)
{
	u32 seq;

	do {
		seq = read_begin(w->k);
		data_race(memcpy(t, &w->tally, sizeof(*t)));	/* likewise */
	} while (read_retry(w->k, seq));
}

static enum gmp_task_state task_state(const struct gmp_worker *w, const struct gmp_m_kern *k)
{
	if (READ_ONCE(w->state) == GMP_W_DEAD)
		return GMP_TASK_DEAD;
	if (gmp_task_is_on_cpu(w->task))
		return GMP_TASK_RUNNING;
	if (gmp_task_is_runnable(w->task))
		return GMP_TASK_RUNNABLE;
	return k->last_why == GMP_WHY_STOPPED ? GMP_TASK_STOPPED : GMP_TASK_BLOCKED;
}

static u64 off_cpu_ns(const struct gmp_m_kern *k)
{
	u64 now = ktime_get_mono_fast_ns();

	return k->last_out_ns && now > k->last_out_ns ? now - k->last_out_ns : 0;
}

/*
 * What the M says of its own time, untrusted. What it has not charged to anyone yet is the stretch that
 * goes on, and its goroutine's, or the scheduler's if it has none: it charges before it changes goid.
 * A charge changes one of the two sums, so these need no sequence counter; but if it switches at this
 * very moment, once more, a few times.
 */
static void sample_goroutines(const struct gmp_worker *w, struct gmp_sample *s)
{
	u64 base = READ_ONCE(w->u->acct_base), charged;
	unsigned int tries = 0;

	do {
		s->goroutine_ns = READ_ONCE(w->u->goroutine_ns);
		s->scheduler_ns = READ_ONCE(w->u->scheduler_ns);
		smp_rmb();	/* KA-6: goid no older than the sums; pairs with rt_acct_switch() */
		s->u.goid = READ_ONCE(w->u->goid);
	} while ((READ_ONCE(w->u->goroutine_ns) != s->goroutine_ns ||
		  READ_ONCE(w->u->scheduler_ns) != s->scheduler_ns) && ++tries < 4);
	charged = base + s->goroutine_ns + s->scheduler_ns;
	s->stretch_ns = base && s->k.oncpu_ns > charged ? s->k.oncpu_ns - charged : 0;
	if (s->u.goid)
		s->goroutine_ns += s->stretch_ns;
	else
		s->scheduler_ns += s->stretch_ns;
}

/**
 * gmp_account_read() - look at an M from outside
 * @w: worker the caller holds a reference on
 * @s: filled in
 *
 * On-CPU and run-queue time are read from the task itself and so are what schedstat prints at this
 * moment, also for a task that has been running for a while.
 *
 * Context: any task; never waits for the one looked at.
 * Return: false if the worker is gone and its slot belongs to nobody or to another.
 */
bool gmp_account_read(struct gmp_worker *w, struct gmp_sample *s)
{
	read_kern(w->k, &s->k);
	if (!s->k.tid || s->k.attached_ns != w->attached_ns)
		return false;
	s->u.gstatus = READ_ONCE(w->u->gstatus);
	s->u.mstate = READ_ONCE(w->u->mstate);
	s->u.p = READ_ONCE(w->u->p);
	s->u.switches = READ_ONCE(w->u->switches);
	s->k.oncpu_ns = task_oncpu(w->task);
	s->k.runq_ns = task_runq(w->task);
	s->state = task_state(w, &s->k);
	s->state_ns = s->state == GMP_TASK_RUNNING ? 0 : off_cpu_ns(&s->k);
	sample_goroutines(w, s);
	sample_since(w, s);
	return true;
}

/**
 * gmp_account_close() - close the books of an M: its sums are passed on, its slot is free
 * @w: worker that is no longer BOUND and still in its slot
 *
 * Context: process, grp->lock held (it does not sleep).
 */
void gmp_account_close(struct gmp_worker *w)
{
	struct gmp_sample s;

	lockdep_assert_held(&w->grp->lock);
	if (WARN_ON_ONCE(!gmp_account_read(w, &s)))
		return;
	gmp_sums_add(&w->gone->ms, &s.since);
	gmp_tally_add(&w->gone->tally, &w->tally);
	w->gone->goroutine_ns += s.goroutine_ns;
	w->gone->scheduler_ns += s.scheduler_ns;
	w->gone->switches += s.u.switches;
	if (!gmp_group_is_dead(w->grp))
		this_cpu_add(gmp_totals.oncpu_ns, s.k.oncpu_ns - w->out_oncpu);
	preempt_disable();	/* readers wait while seq is odd */
	kern_begin(w->k);
	WRITE_ONCE(w->k->oncpu_ns, s.k.oncpu_ns);
	WRITE_ONCE(w->k->tid, 0);
	kern_end(w->k);
	preempt_enable();
}

/**
 * gmp_sums_add() - add up
 * @to: what grows; its guard is held
 * @what: by what
 */
void gmp_sums_add(struct gmp_sums *to, const struct gmp_sums *what)
{
	to->oncpu_ns += what->oncpu_ns;
	to->runq_ns += what->runq_ns;
	to->blocked_ns += what->blocked_ns;
	to->blocked += what->blocked;
	to->preempted += what->preempted;
	to->stopped += what->stopped;
	to->woken += what->woken;
	to->carried += what->carried;
	to->carried_ns += what->carried_ns;
	to->p_blocked += what->p_blocked;
	to->p_woken += what->p_woken;
	to->p_lost += what->p_lost;
}

/**
 * gmp_totals_read() - sums over every M of every process since the module was loaded
 * @sum: filled in; as of each M's last switch, and no snapshot: the counters go on meanwhile
 */
void gmp_totals_read(struct gmp_sums *sum)
{
	int cpu;

	*sum = (struct gmp_sums) { };
	for_each_possible_cpu(cpu) {
		/* 64-bit words that only grow: each is whole, together they are no snapshot */
		struct gmp_sums one = data_race(*per_cpu_ptr(&gmp_totals, cpu));

		gmp_sums_add(sum, &one);
	}
}
