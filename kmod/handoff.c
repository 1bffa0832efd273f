// SPDX-License-Identifier: GPL-2.0-only
/*
 * handoff.c - an M that goes to sleep lets its P go, and finds out when it comes back.
 *
 * Owns:       the edges of a P word that the kernel makes; grp->how.
 * Invariants: w->p_word is not 0 exactly from a sched_out that made the P of @w takeable to the next
 *             sched_in of @w. A task executes user code only with w->p_word == 0.
 * Locks:      none: the word changes by compare and exchange, here as in user space.
 * Not here:   who is woken (standby.c); who runs next (the runtime decides); the word's meaning
 *             (gmp_abi.h).
 *
 *   the M, blocking                      an irq_work, or a timer       a standby M
 *   sched_out                                                          in GMP_IOC_STANDBY
 *     word RUNNING(m) -> SYSCALL(m, s)
 *     has anybody use for the P?  -----> is the word still so?
 *                                        event for a standby M ------> returns to user mode,
 *   sched_in                             none: m is unserved             takes the P: SYSCALL -> IDLE
 *     SYSCALL(m, s) -> RUNNING(m)
 *     failed: u->lost = 1, task_work
 *   on the way to user mode
 *     SIGURG to itself: the runtime's handler queues the goroutine until there is a P again
 *
 * The kernel never takes a P: it says that one may be taken. So it need not know the runtime's
 * queues, a lie in a shared word costs its process alone, and a wake-up too many does no harm.
 *
 * When a P must not go is decided by where the thread was in user mode. In the runtime's own code
 * (text_lo .. text_hi, or crit set around its calls of other libraries) it may hold one of the
 * runtime's locks, or be half through a change of its run queue. A signal handler of the program may
 * have interrupted the runtime: there the signal mask is another one. All three are looked at in
 * sched_out, on the CPU that executed the thread: what it stored last is seen.
 *
 * Considered and not taken: waiting for a P here, in task_work. Somebody would have to give it, and
 * the runtime knows who waits only if it is told by the thread itself; and signals, SIGSTOP, ptrace,
 * the freezer would each need a way out of that sleep. In the runtime's handler all of them just
 * work. Rewriting the user's registers: the red zone and the whole state would be ours to save; a
 * signal frame does. Setting crit at every entry of the runtime: two stores on each call, for what
 * the instruction pointer tells for nothing.
 */
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/signal.h>
#include <linux/task_work.h>
#include <linux/uaccess.h>

#include <asm/syscall.h>
#include <asm/unistd.h>

#include "internal.h"
#include "trace.h"

static bool handoff = true;
module_param(handoff, bool, 0644);
MODULE_PARM_DESC(handoff, "An M that blocks lets its P go (default Y); N: nobody's, from now on");

/*
 * About what a needless handoff costs, so that at worst twice of that is lost: a block that is shorter
 * costs nothing, one that is longer waits this long.
 */
static unsigned int handoff_delay_us = 10;
module_param(handoff_delay_us, uint, 0644);
MODULE_PARM_DESC(handoff_delay_us,
		 "Microseconds an M must sleep before a standby M is woken, up to 1 s (default 10)");

#define MAX_DELAY_NS	NSEC_PER_SEC

#define HANDLERS_STACK	SZ_1M

/* Somebody may have been in way_out() since the module was loaded. */
static bool back_used;

/* ---- may the P of the calling task go? ----------------------------------------------------- */

/* The mask it will have in user mode: ppoll() and the like change it for their own duration. */
static sigset_t *user_mask(void)
{
	return test_restore_sigmask() ? &current->saved_sigmask : &current->blocked;
}

static bool in_runtime(const struct gmp_worker *w, struct pt_regs *regs)
{
	unsigned long ip = instruction_pointer(regs);

	return READ_ONCE(w->u->crit) || (ip >= w->grp->how.text_lo && ip < w->grp->how.text_hi);
}

/*
 * One that has begun is over when the thread has its old mask; or, if it has just that mask, when it is above
 * where the signal found it, or far below, on another stack: no handler needs that much, and none may park.
 */
static void look_for_handlers(struct gmp_worker *w, unsigned long sp)
{
	/* Not just there: the kernel may sleep in a page fault while it writes the handler's frame. */
	if (sp != w->signalled_sp && sigequalsets(user_mask(), &w->base_mask))
		w->signalled = false;
	if (w->unmasked_sp - sp > HANDLERS_STACK)
		w->unmasked_sp = 0;
}

/*
 * A handler of the program runs with a mask of its own, mostly. Another mask alone tells nothing: system(3)
 * waits for its child with SIGCHLD blocked. But who has SIGURG blocked cannot be told that its P is gone.
 */
static bool in_handler(const struct gmp_worker *w, unsigned long sp)
{
	if (__on_sig_stack(sp))
		return true;
	if (sigequalsets(user_mask(), &w->base_mask))
		return w->unmasked_sp;
	return w->signalled || sigismember(user_mask(), SIGURG);
}

static bool may_go(struct gmp_worker *w, enum gmp_why why)
{
	struct pt_regs *regs = task_pt_regs(current);

	if (why == GMP_WHY_DEAD)
		return true;	/* whatever it was in: it will not come back to it */
	if (current->mm && current->mm != w->grp->mm)
		return false;	/* within execve(): the new program's registers and memory */
	if (why != GMP_WHY_BLOCKED)
		return false;
	look_for_handlers(w, user_stack_pointer(regs));
	if (!READ_ONCE(handoff) || !READ_ONCE(w->u->goid))
		return false;
	if (READ_ONCE(current->__state) & TASK_RTLOCK_WAIT)
		return false;	/* a spinlock of a PREEMPT_RT kernel: held for a moment */
	return !in_runtime(w, regs) && !in_handler(w, user_stack_pointer(regs));
}

/* It was sent by the runtime, to its own handler; one that has lost what it carries is not told apart. */
static bool is_the_runtimes(const struct gmp_worker *w, int sig, const struct kernel_siginfo *info,
			    const struct k_sigaction *ka)
{
	return sig == SIGURG && smp_load_acquire(&w->grp->handoff) &&	/* KA-3 */
	       (unsigned long)ka->sa.sa_handler == w->grp->how.handler &&
	       info->si_code == SI_QUEUE && (unsigned long)info->si_ptr == w->grp->how.cookie;
}

/* Is the mask it will have no other than the thread's first one? */
static bool runs_unmasked(const struct gmp_worker *w, int sig, const struct k_sigaction *ka)
{
	sigset_t mask;

	sigorsets(&mask, &current->blocked, &ka->sa.sa_mask);
	if (!(ka->sa.sa_flags & SA_NODEFER))
		sigaddset(&mask, sig);
	return sigequalsets(&mask, &w->base_mask);
}

/**
 * gmp_handoff_signalled() - a signal handler is about to run in the calling task
 * @sig: the signal
 * @info: what it carries
 * @ka: how it is handled
 *
 * The runtime's own are left out: such a handler is runtime, and the goroutine may be stopped in it for long.
 *
 * Context: tracepoint signal_deliver: interrupts off, locks of the kernel held.
 */
void gmp_handoff_signalled(int sig, const struct kernel_siginfo *info, const struct k_sigaction *ka)
{
	struct gmp_worker *w = gmp_worker_current();

	if (!w || is_the_runtimes(w, sig, info, ka))
		return;
	w->signalled = true;
	w->signalled_sp = user_stack_pointer(task_pt_regs(current));
	if (!w->unmasked_sp && runs_unmasked(w, sig, ka))
		w->unmasked_sp = w->signalled_sp;
}

/* ---- has anybody use for it? --------------------------------------------------------------- */

/* The calling task is still in its address space here, also in sched_out. */
static bool word_says_work(u64 tagged)
{
	void __user *at = (void __user *)(unsigned long)(tagged & ~GMP_WORK_U32);
	size_t size = tagged & GMP_WORK_U32 ? sizeof(u32) : sizeof(u64);
	u64 v = 0;

	if (!tagged)
		return false;
	return copy_from_user_nofault(&v, at, size) || v;
}

static bool queue_has_work(const struct gmp_p_shared *ps)
{
	void __user *head = (void __user *)(unsigned long)READ_ONCE(ps->runq_head);
	void __user *tail = (void __user *)(unsigned long)READ_ONCE(ps->runq_tail);
	u32 h, t;

	if (!head || !tail)
		return false;
	return copy_from_user_nofault(&h, head, sizeof(h)) ||
	       copy_from_user_nofault(&t, tail, sizeof(t)) || h != t;
}

static bool has_work(const struct gmp_group *grp, const struct gmp_p_shared *ps)
{
	unsigned int i;

	if (queue_has_work(ps))
		return true;
	for (i = 0; i < ARRAY_SIZE(ps->work); i++)
		if (word_says_work(READ_ONCE(ps->work[i])))
			return true;
	for (i = 0; i < ARRAY_SIZE(grp->how.work); i++)
		if (word_says_work(grp->how.work[i]))
			return true;
	return false;
}

/* ---- the M blocks -------------------------------------------------------------------------- */

static u64 delay_ns(const struct gmp_group *grp)
{
	if (grp->how.delay_ns >= 0)
		return grp->how.delay_ns;
	return min_t(u64, (u64)READ_ONCE(handoff_delay_us) * NSEC_PER_USEC, MAX_DELAY_NS);
}

/* The shared words of the P it says it has, if there is such a P and it was ever used. */
static struct gmp_p_shared *its_p(struct gmp_worker *w, u32 *nr)
{
	*nr = READ_ONCE(w->u->p);	/* untrusted; -1 is out of range, too */
	if (*nr >= w->grp->nr_p)
		return NULL;
	return gmp_region_peek(&w->grp->user, w->grp->p_off + *nr * sizeof(struct gmp_p_shared));
}

static bool word_to_blocked(struct gmp_worker *w, u64 *at)
{
	u64 old = READ_ONCE(*at);
	u64 blocked = GMP_P_WORD(GMP_P_SYSCALL, w->slot + 1, (u32)(GMP_P_WORD_SEQ(old) + 1));

	if ((u32)old != (u32)GMP_P_WORD(GMP_P_RUNNING, w->slot + 1, 0))
		return false;		/* not its own: it says anything */
	/* KA-4: releases what the M did to its P; pairs with the exchange of whoever takes it */
	if (cmpxchg(at, old, blocked) != old)
		return false;
	WRITE_ONCE(w->p_at, at);
	smp_store_release(&w->p_word, blocked);	/* KA-5: pairs with is_blocked() */
	return true;
}

/**
 * gmp_handoff_out() - the calling task leaves its CPU: its P may go
 * @w: its worker; its group has GMP_IOC_HANDOFF behind it
 * @why: enum gmp_why
 *
 * Context: sched_out: run queue lock held, interrupts off. Takes no lock, does not fault.
 */
void gmp_handoff_out(struct gmp_worker *w, enum gmp_why why)
{
	struct gmp_p_shared *ps;
	u64 delay;
	u32 nr;

	if (!smp_load_acquire(&w->grp->handoff) || !may_go(w, why))	/* KA-3 */
		return;
	ps = its_p(w, &nr);
	if (!ps)
		return;
	WRITE_ONCE(w->p_nr, nr);
	if (!word_to_blocked(w, &ps->word))
		return;
	gmp_count(&w->k->p_blocked);
	this_cpu_inc(gmp_totals.p_blocked);
	trace_gmp_block(w->grp->nr, w->m_id, nr, READ_ONCE(w->u->goid));
	if (why != GMP_WHY_DEAD && !has_work(w->grp, ps))
		return;
	delay = delay_ns(w->grp);
	if (delay && why != GMP_WHY_DEAD)
		hrtimer_start(&w->delay, ns_to_ktime(delay), HRTIMER_MODE_REL_PINNED_HARD);
	else
		irq_work_queue(&w->wake);
}

/* ---- the M comes back ---------------------------------------------------------------------- */

/*
 * The thread was stopped in a call that goes on where it was (nanosleep(), poll()), and is about to make
 * restart_syscall() for that. After a handler that call fails. SYSCALL has two bytes and leaves the
 * address of what follows in cx: so a result of 219 is not taken for it.
 */
static bool is_rewound(const struct pt_regs *regs)
{
	return regs->ax == __NR_restart_syscall && regs->cx == regs->ip + 2;
}

/*
 * Would a signal now make a system call fail that otherwise would not? One that is to be restarted;
 * and one that is not over: io_uring and KVM run task_work within theirs, where the result is still
 * -ENOSYS, as it was on entry.
 */
static bool would_interrupt(struct pt_regs *regs)
{
	if (syscall_get_nr(current, regs) == -1)
		return false;		/* an exception or an interrupt */
	if (is_rewound(regs))
		return true;
	switch (syscall_get_return_value(current, regs)) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
	case -ENOSYS:
		return true;
	default:
		return false;
	}
}

static bool is_handled(const struct gmp_worker *w)
{
	/* the calling task's own: it stays while the task runs */
	struct sighand_struct *sighand = rcu_dereference_protected(current->sighand, true);
	bool ours;

	if (!w->grp->how.handler || sigismember(user_mask(), SIGURG) ||
	    sigismember(&current->blocked, SIGURG))
		return false;
	spin_lock_irq(&sighand->siglock);
	ours = (unsigned long)sighand->action[SIGURG - 1].sa.sa_handler == w->grp->how.handler;
	spin_unlock_irq(&sighand->siglock);
	return ours;
}

/* As the runtime's own pthread_sigqueue(): its handler knows it. */
static void bounce(const struct gmp_worker *w)
{
	struct kernel_siginfo info;

	clear_siginfo(&info);
	info.si_signo = SIGURG;
	info.si_code = SI_QUEUE;
	info.si_pid = task_tgid_vnr(current);
	info.si_uid = from_kuid_munged(current_user_ns(), current_uid());
	info.si_ptr = (void __user *)(unsigned long)w->grp->how.cookie;
	send_sig_info(SIGURG, &info, current);
}

/*
 * On the way to user mode. Where no signal can be sent to one without its P nothing is lost but the
 * limit on parallelism, for a while: the runtime looks at u->lost wherever it is entered, and the
 * next sched_in comes here again. One that is to be preempted is asked again by sysmon.
 *
 * Nor is one sent to the runtime, whose handler would do nothing there. That is more than thrift: the
 * handler is the runtime, so a second signal does not come before the first was dealt with. Whoever
 * asks faster than this CPU gets to user mode would otherwise have one frame put on top of the other,
 * until the goroutine's stack is full.
 */
static void way_out(struct gmp_worker *w, bool wanted)
{
	struct pt_regs *regs = task_pt_regs(current);

	/* Its reaper may be at work on one that is not BOUND any more. */
	if (wanted && !(current->flags & PF_EXITING) && READ_ONCE(w->state) == GMP_W_BOUND &&
	    !in_runtime(w, regs) && !would_interrupt(regs) && is_handled(w))
		bounce(w);
	gmp_worker_put(w);
	module_put(THIS_MODULE);
}

static void back_work(struct callback_head *head)
{
	struct gmp_worker *w = container_of(head, struct gmp_worker, back);

	WRITE_ONCE(w->back_queued, false);	/* sched_in may queue it again from here on */
	way_out(w, READ_ONCE(w->u->lost));
}

static void preempt_work(struct callback_head *head)
{
	struct gmp_worker *w = container_of(head, struct gmp_worker, preempt);

	atomic_set(&w->preempt_queued, 0);
	way_out(w, true);
}

/*
 * The worker and the module stay until it has run: it cannot be taken out of the task's list. The
 * caller has a reference, or is the task itself. False: the task is exiting.
 */
static bool queue_work_of(struct gmp_worker *w, struct callback_head *head)
{
	refcount_inc(&w->refs);
	__module_get(THIS_MODULE);
	WRITE_ONCE(back_used, true);
	if (!task_work_add(w->task, head, TWA_RESUME))
		return true;
	refcount_dec(&w->refs);	/* never the last: see above */
	module_put(THIS_MODULE);
	return false;
}

/*
 * Two works, as only the task itself may touch the first: with one, whoever asks for a preemption
 * could have claimed it and not yet queued it, while the task is on its way to user mode.
 */
static void queue_back(struct gmp_worker *w)
{
	if (w->back_queued)
		return;
	WRITE_ONCE(w->back_queued, true);
	if (!queue_work_of(w, &w->back))
		WRITE_ONCE(w->back_queued, false);
}

static void queue_preempt(struct gmp_worker *w)
{
	if (atomic_xchg(&w->preempt_queued, 1))
		return;
	if (!queue_work_of(w, &w->preempt))
		atomic_set(&w->preempt_queued, 0);
}

/* True: the P is still its own. */
static bool word_to_running(struct gmp_worker *w)
{
	u64 word = w->p_word;
	u64 running = GMP_P_WORD(GMP_P_RUNNING, w->slot + 1, GMP_P_WORD_SEQ(word));

	WRITE_ONCE(w->p_word, 0);
	/* KA-4: acquires what others did to the P, if anybody had it meanwhile */
	if (likely(cmpxchg(w->p_at, word, running) == word))
		return true;
	WRITE_ONCE(w->u->lost, 1);	/* seen by the thread itself, on this CPU */
	gmp_count(&w->k->p_lost);
	this_cpu_inc(gmp_totals.p_lost);
	return false;
}

/**
 * gmp_handoff_in() - the calling task is on a CPU again
 * @w: its worker
 *
 * Context: sched_in: preemption off, interrupts on, run queue lock dropped.
 */
void gmp_handoff_in(struct gmp_worker *w)
{
	bool kept;

	if (w->p_word) {
		hrtimer_try_to_cancel(&w->delay);	/* one that runs finds the word changed */
		kept = word_to_running(w);
		trace_gmp_return(w->grp->nr, w->m_id, w->p_nr, !kept);
	}
	/* Set here or earlier, or by the runtime: it lets an M go on without a P, for a while. */
	if (unlikely(READ_ONCE(w->u->lost)))
		queue_back(w);
}

/* ---- a preemption without a signal that interrupts ------------------------------------------ */

/**
 * gmp_handoff_preempt() - GMP_IOC_PREEMPT
 * @grp: group of the calling process
 * @slot: whose M is to be signalled on its way to user mode
 *
 * Context: process, may sleep.
 * Return: 0, or -ENOENT if nobody has the slot.
 */
int gmp_handoff_preempt(struct gmp_group *grp, unsigned long slot)
{
	struct gmp_worker *w = gmp_worker_at(grp, slot);

	if (!w)
		return -ENOENT;
	trace_gmp_preempt(w->grp->nr, w->m_id, READ_ONCE(w->u->goid));
	queue_preempt(w);
	gmp_worker_put(w);
	return 0;
}

/* ---- life ---------------------------------------------------------------------------------- */

/**
 * gmp_handoff_set() - GMP_IOC_HANDOFF
 * @grp: group of the calling process
 * @how: what it asks for, from user space
 *
 * Context: process.
 * Return: 0; -EOPNOTSUPP if the module's parameter says so; -EINVAL; -EBUSY if it was done before.
 */
int gmp_handoff_set(struct gmp_group *grp, const struct gmp_handoff *how)
{
	int err = -EBUSY;

	if (!READ_ONCE(handoff))
		return -EOPNOTSUPP;
	if (how->delay_ns < -1 || how->delay_ns > (s64)MAX_DELAY_NS || how->text_lo > how->text_hi)
		return -EINVAL;
	spin_lock(&grp->lock);
	if (!grp->handoff) {
		grp->how = *how;
		smp_store_release(&grp->handoff, true);	/* KA-3: pairs with gmp_handoff_out() */
		err = 0;
	}
	spin_unlock(&grp->lock);
	return err;
}

/**
 * gmp_handoff_open() - the part of a new worker that is used here
 * @w: new worker of the calling task
 */
void gmp_handoff_open(struct gmp_worker *w)
{
	w->base_mask = current->blocked;
	init_task_work(&w->back, back_work);
	init_task_work(&w->preempt, preempt_work);
}

/**
 * gmp_handoff_exit() - wait for the last instructions of way_out()
 *
 * It pinned the module until its last but few: a task that lost its CPU there runs them when it has
 * one again. After this every task has been elsewhere.
 */
void gmp_handoff_exit(void)
{
	if (READ_ONCE(back_used))
		synchronize_rcu_tasks();
}
