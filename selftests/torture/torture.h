/* SPDX-License-Identifier: MIT */
/*
 * torture.h - random programs of goroutines that know what must come out.
 *
 * A round is one gmp_run(): a crowd of actors, each of which draws one small operation after the other
 * until the round is over, and counts what it did. Whatever an operation may wait for, it can also be
 * left by when `quit` is closed or its deadline comes: so a round that does not end has lost a wake-up.
 *
 *   torture_test.c  rounds, the watchdog, what must hold at the end
 *   on_chan.c on_sync.c on_time.c on_sched.c on_net.c    the operations
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <errno.h>
#include <gmprt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANS		5
#define SEM_PERMITS	3

/* What was done; atomic. The sums that must agree stand in check_round(). */
struct tally {
	uint64_t ops;			/* also what the watchdog looks at */
	uint64_t created, ended;
	uint64_t sent, received, sent_sum, received_sum;
	uint64_t locked, unlocked;
	uint64_t timers, fired, stopped;
	uint64_t contexts, after_started, after_ran, after_stopped;
	uint64_t bytes_out, bytes_in;
	uint64_t put, got, dropped;
};

struct torture {
	struct tally n;
	uint64_t seed;
	uint32_t over;			/* atomic: actors leave at their next operation */
	int maxprocs;			/* what op_maxprocs() stays at or below; 0: it does nothing */
	struct gmp_chan *chan[CHANS], *quit;
	struct gmp_wg actors;		/* who counts in created and ended */
	struct gmp_mutex mutex, cond_mutex;
	struct gmp_rwmutex rwmutex;
	struct gmp_sem sem;
	struct gmp_cond cond;
	struct gmp_pool pool;
	uint64_t in_mutex;		/* plain: the mutex guards it */
	int64_t writers, readers, holders;	/* atomic; of rwmutex and sem */
	uint64_t wakes;			/* cond_mutex */
};

typedef void (*torture_op)(struct torture *t, uint64_t *rnd);

/* on_*.c */
void op_send(struct torture *t, uint64_t *rnd);
void op_recv(struct torture *t, uint64_t *rnd);
void op_select(struct torture *t, uint64_t *rnd);
void op_private_chan(struct torture *t, uint64_t *rnd);
void op_mutex(struct torture *t, uint64_t *rnd);
void op_rwmutex(struct torture *t, uint64_t *rnd);
void op_sem(struct torture *t, uint64_t *rnd);
void op_cond(struct torture *t, uint64_t *rnd);
void op_once_pool(struct torture *t, uint64_t *rnd);
void op_group(struct torture *t, uint64_t *rnd);
void op_sleep(struct torture *t, uint64_t *rnd);
void op_timer(struct torture *t, uint64_t *rnd);
void op_ticker(struct torture *t, uint64_t *rnd);
void op_context(struct torture *t, uint64_t *rnd);
void op_after_func(struct torture *t, uint64_t *rnd);
void op_spawn(struct torture *t, uint64_t *rnd);
void op_yield(struct torture *t, uint64_t *rnd);
void op_spin(struct torture *t, uint64_t *rnd);
void op_syscall(struct torture *t, uint64_t *rnd);
void op_lock_thread(struct torture *t, uint64_t *rnd);
void op_maxprocs(struct torture *t, uint64_t *rnd);
void op_stop_world(struct torture *t, uint64_t *rnd);
void op_look(struct torture *t, uint64_t *rnd);
void op_net(struct torture *t, uint64_t *rnd);

/* torture_test.c */
_Noreturn void torture_fail(const char *file, int line, const char *what);
int64_t torture_go(struct torture *t, void (*fn)(struct torture *t, uint64_t *rnd), uint64_t seed);

#define MUST(c)							\
	do {							\
		if (!(c))					\
			torture_fail(__FILE__, __LINE__, #c);	\
	} while (0)

static inline void count(uint64_t *n, uint64_t by)
{
	__atomic_add_fetch(n, by, __ATOMIC_RELAXED);
}

static inline uint64_t counted(uint64_t *n)
{
	return __atomic_load_n(n, __ATOMIC_ACQUIRE);
}

static inline uint32_t draw(uint64_t *rnd)
{
	*rnd ^= *rnd >> 12;
	*rnd ^= *rnd << 25;
	*rnd ^= *rnd >> 27;
	return (uint32_t)((*rnd * 0x2545f4914f6cdd1dull) >> 32);
}

static inline uint32_t below(uint64_t *rnd, uint32_t n)
{
	return draw(rnd) % n;
}

/* A deadline some hundred microseconds off. */
static inline uint64_t soon(uint64_t *rnd)
{
	return gmp_now() + below(rnd, 400000);
}

#endif
