/* SPDX-License-Identifier: MIT */
/*
 * rcu.c - memory that readers may still see: freed a grace period later, or when the run's threads are gone.
 *
 * Owns:       the list of it, and the thread that waits for grace periods.
 * Invariants: at most one such thread. Most runs need none: sysmon makes it when MANY pieces wait, and it ends
 *             when it has freed them. The end of a run frees the rest, for no reader is left.
 * Locks:      none: anyone pushes, one takes all.
 *
 * Rejected: liburcu's call_rcu(). Its thread outlives the run: after fork() liburcu of the child still waits for
 * that reader, whose stack is used for something else. It is made at the first call, and liburcu
 * aborts the process when no thread is to be had; its handlers for fork() wait for a grace period, and an M that forks
 * is online. start_poll_synchronize_rcu() calls call_rcu(), too. To wait in sysmon: who else would stop
 * the goroutine whose M holds up the grace period?
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "sched/m.h"
#include "sched/rcu.h"

#define MANY		64		/* pieces: Ms of some KB, arrays of Ps */
#define RETRY_NS	100000000ull	/* when the thread could not be made */
#define DRAIN_NS	1000000000ull

/* of the waiter; WAITS stays so in a child of fork(), which has no such thread */
enum { NONE, WAITS, DONE };

char rt_rcu_seen;

static struct rt_later *later;		/* atomic */
static uint32_t nlater;			/* atomic; a hint */

/* sysmon's; m0's when there is no sysmon */
static struct {
	pthread_t thread;
	struct rt_later *batch;	/* its, until it is DONE */
	uint32_t state;		/* atomic */
	pid_t pid;
	uint64_t retry;
} waiter;

void rt_free_later(struct rt_later *piece, void *what)
{
	struct rt_later *old = rt_load_rlx(&later);

	piece->what = what;
	rt_add_rlx(&nlater, 1);
	while (piece->next = old, !rt_cas_ar(&later, old, piece))
		old = rt_load_rlx(&later);
}

static struct rt_later *take_all(void)
{
	rt_store_rlx(&nlater, 0);
	return rt_xchg_ar(&later, NULL);
}

/* @piece lies in what it names. */
static void free_all(struct rt_later *piece)
{
	rt_san_take(&rt_rcu_seen);
	while (piece) {
		struct rt_later *next = piece->next;

		free(piece->what);
		piece = next;
	}
}

static void *wait_and_free(void *arg)
{
	(void)arg;
	synchronize_rcu();
	free_all(waiter.batch);
	rt_store_rel(&waiter.state, DONE);
	return NULL;
}

static void start_waiter(uint64_t now)
{
	waiter.batch = take_all();
	waiter.pid = getpid();
	rt_store_rlx(&waiter.state, WAITS);
	if (rt_m_clone(&waiter.thread, wait_and_free, NULL) == 0)
		return;
	rt_store_rlx(&waiter.state, NONE);
	waiter.retry = now + RETRY_NS;
	for (struct rt_later *next, *piece = waiter.batch; piece; piece = next) {
		next = piece->next;
		rt_free_later(piece, piece->what);
	}
}

static void join_waiter(void)
{
	if (rt_load_acq(&waiter.state) != DONE)
		return;
	pthread_join(waiter.thread, NULL);
	rt_store_rlx(&waiter.state, NONE);
}

void rt_rcu_round(uint64_t now)
{
	join_waiter();
	if (rt_load_rlx(&nlater) >= MANY && rt_load_rlx(&waiter.state) == NONE && now >= waiter.retry)
		start_waiter(now);
}

/*
 * The waiter has nobody to wait for any more, but for ghosts, and threads of the program that are readers and
 * do not come by a quiescent state: then it stays behind, with its batch.
 */
static void wait_for_waiter(void)
{
	const struct timespec pace = { .tv_nsec = 50000 };
	uint64_t end = rt_now() + (rt_ghosts() ? 0 : DRAIN_NS);

	while (rt_load_acq(&waiter.state) == WAITS && rt_now() < end)
		nanosleep(&pace, NULL);
	join_waiter();
}

void rt_rcu_drain(void)
{
	if (rt_load_acq(&waiter.state) != NONE && waiter.pid != getpid())
		rt_store_rlx(&waiter.state, NONE);	/* it is the parent's; the batch may be half freed */
	wait_for_waiter();
	free_all(take_all());
}
