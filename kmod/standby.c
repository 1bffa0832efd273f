// SPDX-License-Identifier: GPL-2.0-only
/*
 * standby.c - who waits for a P, and who is told that there is one.
 *
 * Owns:       grp->standbys, grp->unserved, grp->orphans; of a worker: standby, unserved, event_p,
 *             kicked, waits, wake and delay.
 * Invariants: a worker in grp->standbys sleeps in GMP_IOC_STANDBY, or is about to, and has no event; one in
 *             grp->unserved went to sleep with a P when nobody was there to take it. When it died so,
 *             its P is in grp->orphans.
 * Locks:      grp->standby_lock for all of that; with interrupts off, for interrupts take it.
 * Not here:   when a P is worth taking (handoff.c); taking it (the runtime).
 *
 * A wake-up is not lost: the standby goes to the list, or finds w in unserved, under standby_lock;
 * the irq_work finds a standby, or enters w into unserved, under the same lock.
 */
#include <linux/bitmap.h>
#include <linux/freezer.h>
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/sched/signal.h>

#include "internal.h"
#include "trace.h"

/* How many entries of grp->unserved are looked at with interrupts off; there may be thousands. */
#define POP_MAX		64

/* ---- a standby M is woken ------------------------------------------------------------------ */

static bool is_blocked(struct gmp_worker *w)
{
	/* KA-5: the number and the place of the P were written before the word */
	u64 word = smp_load_acquire(&w->p_word);

	return word && READ_ONCE(*READ_ONCE(w->p_at)) == word;
}

static void wake_waiter(struct gmp_worker *s)
{
	lockdep_assert_held(&s->grp->standby_lock);
	list_del_init(&s->standby);
	wake_up_process(s->task);
}

static void give_p(struct gmp_worker *s, u32 p)
{
	lockdep_assert_held(&s->grp->standby_lock);
	WRITE_ONCE(s->event_p, p);	/* wait_sleep() looks at it without the lock */
	wake_waiter(s);
}

static void give_event(struct gmp_worker *s, struct gmp_worker *w)
{
	u32 p = READ_ONCE(w->p_nr);

	gmp_count(&w->k->p_woken);
	this_cpu_inc(gmp_totals.p_woken);
	trace_gmp_handoff(w->grp->nr, w->m_id, s->m_id, p);
	give_p(s, p);
}

static void offer(struct gmp_worker *w)
{
	struct gmp_group *grp = w->grp;
	struct gmp_worker *s;
	unsigned long flags;

	raw_spin_lock_irqsave(&grp->standby_lock, flags);
	if (is_blocked(w)) {
		s = list_first_entry_or_null(&grp->standbys, struct gmp_worker, standby);
		if (s)
			give_event(s, w);
		else if (list_empty(&w->unserved))
			list_add_tail(&w->unserved, &grp->unserved);
	}
	raw_spin_unlock_irqrestore(&grp->standby_lock, flags);
}

static void wake_irq(struct irq_work *work)
{
	offer(container_of(work, struct gmp_worker, wake));
}

static enum hrtimer_restart wake_timer(struct hrtimer *t)
{
	offer(container_of(t, struct gmp_worker, delay));
	return HRTIMER_NORESTART;
}

/* ---- waiting for a P ----------------------------------------------------------------------- */

/* An M that blocked when nobody was there, and that is blocked still. NULL: none of the first few. */
static struct gmp_worker *pop_unserved(struct gmp_group *grp)
{
	struct gmp_worker *w, *next;
	unsigned int left = POP_MAX;

	lockdep_assert_held(&grp->standby_lock);
	list_for_each_entry_safe(w, next, &grp->unserved, unserved) {
		list_del_init(&w->unserved);
		if (is_blocked(w))
			return w;
		if (!--left)
			break;
	}
	return NULL;
}

/* The P of a worker that died, if nobody else has taken it since; -1: none. */
static int pop_orphan(struct gmp_group *grp)
{
	struct gmp_p_shared *ps;
	unsigned int p;

	lockdep_assert_held(&grp->standby_lock);
	for_each_set_bit(p, grp->orphans, GMP_MAX_P) {
		__clear_bit(p, grp->orphans);
		ps = gmp_region_peek(&grp->user, grp->p_off + p * sizeof(*ps));
		if (ps && GMP_P_WORD_STATUS(READ_ONCE(ps->word)) == GMP_P_SYSCALL)
			return p;
	}
	return -1;
}

/* False: there are more to look at. */
static bool try_begin(struct gmp_worker *s)
{
	struct gmp_group *grp = s->grp;
	struct gmp_worker *w;
	bool begun = true;
	int p;

	raw_spin_lock_irq(&grp->standby_lock);
	s->waits = true;
	w = s->kicked ? NULL : pop_unserved(grp);
	p = s->kicked || w ? -1 : pop_orphan(grp);
	if (w)
		give_event(s, w);
	else if (p >= 0)
		give_p(s, p);
	else if (!s->kicked && list_empty(&grp->unserved))
		list_add(&s->standby, &grp->standbys);
	else
		begun = s->kicked;
	raw_spin_unlock_irq(&grp->standby_lock);
	return begun;
}

static void wait_begin(struct gmp_worker *s)
{
	while (!try_begin(s))
		cond_resched();
}

/* What happened first counts; a kick stays for the next time when there was an event, too. */
static int wait_end(struct gmp_worker *s, int err, u32 *p)
{
	struct gmp_group *grp = s->grp;

	raw_spin_lock_irq(&grp->standby_lock);
	list_del_init(&s->standby);
	s->waits = false;
	if (s->event_p >= 0) {
		*p = s->event_p;
		s->event_p = -1;
		err = 0;
	} else if (s->kicked) {
		s->kicked = false;
		err = 1;
	}
	raw_spin_unlock_irq(&grp->standby_lock);
	return err;
}

static int wait_sleep(struct gmp_worker *s, s64 timeout_ns)
{
	ktime_t end = ktime_add_safe(ktime_get(), ns_to_ktime(max_t(s64, timeout_ns, 0)));
	int err = 0;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
		if (READ_ONCE(s->event_p) >= 0 || READ_ONCE(s->kicked))
			break;
		if (signal_pending(current)) {
			err = -EINTR;
			break;
		}
		if (!schedule_hrtimeout(timeout_ns < 0 ? NULL : &end, HRTIMER_MODE_ABS)) {
			err = -ETIMEDOUT;
			break;
		}
	}
	__set_current_state(TASK_RUNNING);
	return err;
}

/**
 * gmp_standby_wait() - GMP_IOC_STANDBY
 * @grp: group of the calling process
 * @timeout_ns: how long at most; negative: without limit
 * @p: filled in with 0
 *
 * Context: process; sleeps, can be interrupted and frozen.
 * Return: 0 with a P to look at; 1 kicked; -ENOENT, -EINTR, -ETIMEDOUT.
 */
int gmp_standby_wait(struct gmp_group *grp, s64 timeout_ns, u32 *p)
{
	struct gmp_worker *s = gmp_worker_current();

	if (!s || s->grp != grp)
		return -ENOENT;
	wait_begin(s);
	return wait_end(s, wait_sleep(s, timeout_ns), p);
}

/**
 * gmp_standby_kick() - GMP_IOC_KICK
 * @grp: group of the calling process
 * @slot: whose M is to return from GMP_IOC_STANDBY
 *
 * Context: process, may sleep.
 * Return: 0, or -ENOENT if nobody has the slot.
 */
int gmp_standby_kick(struct gmp_group *grp, unsigned long slot)
{
	struct gmp_worker *s = gmp_worker_at(grp, slot);

	if (!s)
		return -ENOENT;
	raw_spin_lock_irq(&grp->standby_lock);
	WRITE_ONCE(s->kicked, true);	/* likewise */
	if (s->waits)
		wake_waiter(s);
	raw_spin_unlock_irq(&grp->standby_lock);
	gmp_worker_put(s);
	return 0;
}

/* ---- life ---------------------------------------------------------------------------------- */

/**
 * gmp_standby_open() - the part of a new worker that is used here
 * @w: new worker of the calling task
 */
void gmp_standby_open(struct gmp_worker *w)
{
	w->event_p = -1;
	w->wake = IRQ_WORK_INIT_HARD(wake_irq);
	gmp_hrtimer_setup(&w->delay, wake_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	INIT_LIST_HEAD(&w->standby);
	INIT_LIST_HEAD(&w->unserved);
}

/**
 * gmp_standby_close() - the worker is not BOUND any more: nobody finds it here from now on
 * @w: worker
 *
 * Context: process, may sleep.
 */
void gmp_standby_close(struct gmp_worker *w)
{
	unsigned long flags;

	irq_work_sync(&w->wake);
	hrtimer_cancel(&w->delay);
	raw_spin_lock_irqsave(&w->grp->standby_lock, flags);
	list_del_init(&w->standby);
	if (!list_empty(&w->unserved) && is_blocked(w))	/* it died with its P */
		__set_bit(READ_ONCE(w->p_nr), w->grp->orphans);
	list_del_init(&w->unserved);
	raw_spin_unlock_irqrestore(&w->grp->standby_lock, flags);
}
