// SPDX-License-Identifier: GPL-2.0-only
/*
 * hooks.c - what this module switches on in the rest of the kernel: two tracepoints, one static key.
 *
 * Owns:       the probes on sched_process_exec and signal_deliver; the static key of preempt notifiers.
 * Invariants: the key is on while any worker is, or is about to be, bound.
 * Locks:      key_lock for the key.
 * Not here:   what the notifiers do (worker.c).
 *
 * Tracepoints are not exported to modules by symbol but can be found by name. An exec costs
 * everyone two look-ups in a hash, a signal that has a handler one; a fork, an exit or a switch of a
 * task that is not registered costs nothing but, while the key is on, a look at its empty list of notifiers.
 *
 * Considered and not taken: an mmu_notifier (every munmap of the process would pay); a probe on
 * sched_process_exit (every exit would pay; the last M, the last mapping and the file tell it,
 * too); comparing current->mm in sched_in (sees it late, and the notifier cannot be taken out
 * there).
 *
 * The key is not switched with every first and last worker: that rewrites __schedule() under the
 * feet of all CPUs, with several rounds of interrupts to each. It stays on until no M has been
 * there for a while. (It also spares emulated guests: when code is rewritten while another CPU runs
 * it, QEMU before 8.1 with thread=multi now and then leaves that CPU in an endless breakpoint; fixed
 * by "accel/tcg: Always lock pages before translation".)
 */
#include <linux/binfmts.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/signal.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

#include "internal.h"

/* How long the key stays on without a worker. */
#define KEY_IDLE	(60 * HZ)

/* ---- exec ---------------------------------------------------------------------------------- */

struct lookup {
	const char		*name;
	struct tracepoint	*found;
};

static void on_exec(void *data, struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)
{
	gmp_group_execed();
	gmp_worker_execed();
}

static void on_signal(void *data, int sig, struct kernel_siginfo *info, struct k_sigaction *ka)
{
	if (ka->sa.sa_handler != SIG_DFL && ka->sa.sa_handler != SIG_IGN)
		gmp_handoff_signalled(sig, info, ka);
}

static struct {
	const char		*name;
	void			*probe;
	struct tracepoint	*tp;	/* while it is listened to */
} hooks[] = {
	{ "sched_process_exec", on_exec },
	{ "signal_deliver", on_signal },
};

static void match(struct tracepoint *tp, void *priv)
{
	struct lookup *l = priv;

	if (!strcmp(tp->name, l->name))
		l->found = tp;
}

static struct tracepoint *find_tracepoint(const char *name)
{
	struct lookup l = { .name = name };

	for_each_kernel_tracepoint(match, &l);
	return l.found;
}

/* ---- the key ------------------------------------------------------------------------------- */

static void key_idle(struct work_struct *work);

static DEFINE_MUTEX(key_lock);
static bool key_on;				/* changed under key_lock; KA-7 */
static DECLARE_DELAYED_WORK(key_idle_work, key_idle);

/* Who charges itself now finds it off, and waits for the lock, or is seen here. */
static void key_off(void)
{
	lockdep_assert_held(&key_lock);
	if (!key_on)
		return;
	WRITE_ONCE(key_on, false);
	smp_mb();	/* KA-7: pairs with gmp_charge() before gmp_notifiers_on() */
	if (gmp_charged(GMP_R_THREADS))
		WRITE_ONCE(key_on, true);
	else
		preempt_notifier_dec();
}

static void key_idle(struct work_struct *work)
{
	mutex_lock(&key_lock);
	key_off();
	mutex_unlock(&key_lock);
}

/**
 * gmp_notifiers_on() - make preempt notifiers work
 *
 * The caller is charged as a thread (limits.c): the key stays on until it is counted out.
 *
 * Context: process, may sleep. Takes key_lock if it is off: who gets no CPU time may keep a mutex for long.
 */
void gmp_notifiers_on(void)
{
	if (READ_ONCE(key_on))	/* KA-7: read after the charge, which is a full barrier */
		return;
	mutex_lock(&key_lock);
	if (!key_on) {
		preempt_notifier_inc();
		WRITE_ONCE(key_on, true);
	}
	mutex_unlock(&key_lock);
}

/**
 * gmp_notifiers_idle() - the last worker has gone: unless there is a new one soon, so may the key
 *
 * Context: any.
 */
void gmp_notifiers_idle(void)
{
	mod_delayed_work(system_wq, &key_idle_work, KEY_IDLE);
}

/**
 * gmp_hooks_init() - listen to exec and to signals
 *
 * Return: 0; -EOPNOTSUPP if this kernel has no such tracepoint; or what its registration says.
 */
int gmp_hooks_init(void)
{
	struct tracepoint *tp;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		tp = find_tracepoint(hooks[i].name);
		err = tp ? tracepoint_probe_register(tp, hooks[i].probe, NULL) : -EOPNOTSUPP;
		if (err) {
			gmp_hooks_exit();
			return err;
		}
		hooks[i].tp = tp;
	}
	return 0;
}

/**
 * gmp_hooks_exit() - stop listening; whoever is in a probe has left when this returns
 */
void gmp_hooks_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		if (hooks[i].tp)
			tracepoint_probe_unregister(hooks[i].tp, hooks[i].probe, NULL);
		hooks[i].tp = NULL;
	}
	tracepoint_synchronize_unregister();
}

/**
 * gmp_notifiers_exit() - switch the key off; nobody is left who could call gmp_notifiers_idle()
 */
void gmp_notifiers_exit(void)
{
	cancel_delayed_work_sync(&key_idle_work);
	mutex_lock(&key_lock);
	key_off();
	mutex_unlock(&key_lock);
}
