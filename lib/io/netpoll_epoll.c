/* SPDX-License-Identifier: MIT */
/*
 * netpoll_epoll.c - netpoll's backend on epoll: one instance a process, edge-triggered.
 *
 * Owns:       the epoll descriptor, the eventfd that ends a sleep in it.
 *             Not here: what an event does to a goroutine (netpoll.c).
 * Invariants: a report carries a descriptor's handle; one whose generation is gone is dropped, and
 *             one that slips through in that moment only makes somebody try in vain.
 *             wake_sig is 1 from a wake() until the sleeper it ends has read the eventfd.
 * Locks:      init_lock, for the first descriptor.
 * Ordering:   MO-N3 (drawn at poll_wake()).
 *
 * Writability is asked for when a writer first has to wait, not with the descriptor: a new connection
 * is always writable, and saying so would wake a sleeping M for nothing, once a connection.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "io/fdtable.h"
#include "os/futex.h"
#include "sched/sched.h"

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2	441
#endif

#define EVENTS		(EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET)
#define BATCH		128
#define WAKE_TAG	0ull		/* no handle is 0 */
#define LONGEST_NS	1000000000000000ll	/* 11 days, as Go */

static struct rt_lock init_lock = RT_LOCK_INIT(INIT);
static bool initialized;		/* written under init_lock; atomic, MO-N6 */
static int epfd = -1;			/* const once initialized */
static int wakefd = -1;			/* likewise */
static uint32_t wake_sig;		/* atomic, MO-N3 */

/* ---- the table of what is watched -------------------------------------------------------- */

static int ctl(int op, int fd, uint32_t events, uint64_t tag)
{
	struct epoll_event ev = { .events = events, .data.u64 = tag };

	return (int)rt_syscall6(SYS_epoll_ctl, epfd, op, fd, (long)&ev, 0, 0);
}

int rt_netpoll_add(int fd, uint64_t tag)
{
	return ctl(EPOLL_CTL_ADD, fd, EVENTS, tag);
}

int rt_netpoll_arm_out(int fd, uint64_t tag)
{
	return ctl(EPOLL_CTL_MOD, fd, EVENTS | EPOLLOUT, tag);
}

int rt_netpoll_del(int fd)
{
	return ctl(EPOLL_CTL_DEL, fd, 0, 0);
}

/* ---- polling ----------------------------------------------------------------------------- */

/*
 * Ends a sleep in poll_events(), or keeps the next one from beginning.
 *
 *   poll_wake                               poll_events, after its sleep
 *   W1 the reason (a queue, a timer)        P1 read the eventfd
 *   W2 wake_sig 0 -> 1: failed? done        P2 wake_sig = 0        MO-N3: both are exchanges
 *   W3 write the eventfd                    P3 the caller looks for reasons
 *
 * A W2 that fails comes before P2 in the order of wake_sig, so P3 sees W1.
 */
static void poll_wake(void)
{
	static const uint64_t one = 1;

	rt_smp_mb();	/* MO-N3 */
	if (rt_load_rlx(&wake_sig) || !rt_cas_ar(&wake_sig, 0, 1))
		return;
	while (rt_syscall6(SYS_write, wakefd, (long)&one, sizeof(one), 0, 0, 0) == -EINTR)
		;	/* -EAGAIN cannot be: it is read before it is written again */
}

static void woken(void)
{
	uint64_t count;

	rt_syscall6(SYS_read, wakefd, (long)&count, sizeof(count), 0, 0, 0);
	rt_xchg_ar(&wake_sig, 0);	/* MO-N3 */
	rt_smp_mb();
}

static long wait_ms(struct epoll_event *ev, int64_t delay)
{
	int64_t ms = delay <= 0 ? delay : (delay + 999999) / 1000000;

	return rt_syscall6(SYS_epoll_pwait, epfd, (long)ev, BATCH, ms < 0 ? -1 : ms, 0, 0);
}

static long wait_ns(struct epoll_event *ev, int64_t delay)
{
	static bool ms_only = RT_VALGRIND;	/* a kernel, or tool, without epoll_pwait2(); atomic */
	struct timespec ts = { .tv_sec = delay / 1000000000, .tv_nsec = delay % 1000000000 };
	long n;

	if (delay <= 0 || rt_load_rlx(&ms_only))
		return wait_ms(ev, delay);
	n = rt_syscall6(SYS_epoll_pwait2, epfd, (long)ev, BATCH, (long)&ts, 0, 0);
	if (n != -ENOSYS)
		return n;
	rt_store_rlx(&ms_only, true);
	return wait_ms(ev, delay);
}

static void report(const struct epoll_event *ev, struct rt_gqueue *q)
{
	struct rt_netfd *f = rt_fdtable_peek(ev->data.u64);
	unsigned int modes = 0;

	if (ev->events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		modes |= RT_POLL_READ;
	if (ev->events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		modes |= RT_POLL_TRY;
	if (ev->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		modes |= RT_POLL_WRITE;
	if (f)
		rt_netpoll_ready(&f->pd, modes, q);
}

static void poll_events(int64_t delay, struct rt_gqueue *q)
{
	struct epoll_event ev[BATCH];
	long n;

	if (delay > LONGEST_NS)
		delay = LONGEST_NS;
	do {
		n = wait_ns(ev, delay);
	} while (n == -EINTR && delay < 0);	/* else the caller reckons anew */
	if (n < 0 && n != -EINTR)
		rt_throw_errno("netpoll: epoll_wait", (int)n);

	for (long i = 0; i < n; i++) {
		if (ev[i].data.u64 != WAKE_TAG)
			report(&ev[i], q);
		else if (delay != 0)
			woken();	/* one who does not sleep leaves it to the one who does */
	}
}

static const struct rt_netpoll_ops epoll_ops = {
	.poll = poll_events,
	.wake = poll_wake,
	.waiters = rt_netpoll_waiters,
	.teardown = rt_fdtable_forget,
};

/* ---- bring-up ---------------------------------------------------------------------------- */

static int init_locked(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = WAKE_TAG };
	long ep, wk, err;

	ep = rt_syscall6(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0, 0);
	if (ep < 0)
		return (int)ep;
	wk = rt_syscall6(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK, 0, 0, 0, 0);
	if (wk < 0) {
		err = wk;
		goto err_close_epoll;
	}
	err = rt_syscall6(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, wk, (long)&ev, 0, 0);
	if (err)
		goto err_close_wake;
	epfd = (int)ep;
	wakefd = (int)wk;
	rt_netpoll_set(&epoll_ops);
	/* MO-N6: release publishes the two; pairs with the acquire in rt_netpoll_init(). */
	rt_store_rel(&initialized, true);
	return 0;

err_close_wake:
	rt_syscall6(SYS_close, wk, 0, 0, 0, 0, 0);
err_close_epoll:
	rt_syscall6(SYS_close, ep, 0, 0, 0, 0, 0);
	return (int)err;
}

int rt_netpoll_init(void)
{
	int err = 0;

	if (likely(rt_load_acq(&initialized)))	/* MO-N6 */
		return 0;
	rt_lock(&init_lock);
	if (!initialized)
		err = init_locked();
	rt_unlock(&init_lock);
	return err;
}
