/* SPDX-License-Identifier: MIT */
/*
 * Misuse that cannot be answered: "fatal error:" with the call's name, or Go's words, and status 2.
 * A row: case, text, from where, statement. IN: in a goroutine; OUT: outside of a run; BOTH.
 */
#include "badinput_util.h"

enum { IN = 1, OUT = 2, BOTH = 3 };

static struct gmp_mutex m;
static struct gmp_rwmutex rw;
static struct gmp_cond cond;
static struct gmp_wg wg;
static struct gmp_once once;
static int key;

/* A call that would have to wait, made where nobody can. */
static void lock_twice(void)
{
	gmp_mutex_lock(&m);
	gmp_mutex_lock(&m);
}

static void rlock_under_a_writer(void)
{
	gmp_rwmutex_lock(&rw);
	gmp_rwmutex_rlock(&rw);
}

static void lock_under_a_reader(void)
{
	gmp_rwmutex_rlock(&rw);
	gmp_rwmutex_lock(&rw);
}

static void wait_for_one(void)
{
	gmp_wg_add(&wg, 1);
	gmp_wg_wait(&wg);
}

static void unref_twice(void)
{
	struct gmp_chan *c = gmp_chan_make(0, 0);

	gmp_chan_unref(c);
	gmp_chan_unref(c);
}

static void too_many(void)
{
	gmp_wg_add(&wg, INT_MAX);
	gmp_wg_add(&wg, 1);
}

#define ROWS(X) \
	X(mutex_lock_of_null, "gmp_mutex_lock", BOTH, gmp_mutex_lock(NULL)) \
	X(mutex_trylock_of_null, "gmp_mutex_trylock", BOTH, gmp_mutex_trylock(NULL)) \
	X(mutex_unlock_of_null, "gmp_mutex_unlock", BOTH, gmp_mutex_unlock(NULL)) \
	X(mutex_unlock_of_unlocked, "unlock of unlocked mutex", BOTH, gmp_mutex_unlock(&m)) \
	X(mutex_lock_would_park, "gmp_mutex_lock: would park", OUT, lock_twice()) \
	X(rwmutex_rlock_of_null, "gmp_rwmutex_rlock", BOTH, gmp_rwmutex_rlock(NULL)) \
	X(rwmutex_tryrlock_of_null, "gmp_rwmutex_tryrlock", BOTH, gmp_rwmutex_tryrlock(NULL)) \
	X(rwmutex_runlock_of_null, "gmp_rwmutex_runlock", BOTH, gmp_rwmutex_runlock(NULL)) \
	X(rwmutex_lock_of_null, "gmp_rwmutex_lock", BOTH, gmp_rwmutex_lock(NULL)) \
	X(rwmutex_trylock_of_null, "gmp_rwmutex_trylock", BOTH, gmp_rwmutex_trylock(NULL)) \
	X(rwmutex_unlock_of_null, "gmp_rwmutex_unlock", BOTH, gmp_rwmutex_unlock(NULL)) \
	X(runlock_of_unlocked, "runlock of unlocked rwmutex", BOTH, gmp_rwmutex_runlock(&rw)) \
	X(unlock_of_unlocked_rwmutex, "unlock of unlocked rwmutex", BOTH, gmp_rwmutex_unlock(&rw)) \
	X(rwmutex_rlock_would_park, "gmp_rwmutex_rlock: would park", OUT, rlock_under_a_writer()) \
	X(rwmutex_lock_would_park, "gmp_rwmutex_lock: would park", OUT, lock_under_a_reader()) \
	X(wg_add_of_null, "gmp_wg_add", BOTH, gmp_wg_add(NULL, 1)) \
	X(wg_done_of_null, "gmp_wg_done", BOTH, gmp_wg_done(NULL)) \
	X(wg_wait_of_null, "gmp_wg_wait", BOTH, gmp_wg_wait(NULL)) \
	X(wg_go_of_null, "gmp_wg_go", BOTH, gmp_wg_go(NULL, badinput_nothing, NULL)) \
	X(wg_negative, "negative waitgroup counter", BOTH, gmp_wg_done(&wg)) \
	X(wg_most_negative, "negative waitgroup counter", BOTH, gmp_wg_add(&wg, INT_MIN)) \
	X(wg_beyond_its_range, "waitgroup counter", BOTH, too_many()) \
	X(wg_wait_would_park, "gmp_wg_wait: would park", OUT, wait_for_one()) \
	X(once_of_null, "gmp_once_do", BOTH, gmp_once_do(NULL, badinput_nothing, NULL)) \
	X(once_without_a_function, "gmp_once_do", BOTH, gmp_once_do(&once, NULL, NULL)) \
	X(cond_wait_of_null, "gmp_cond_wait", BOTH, gmp_cond_wait(NULL, &m)) \
	X(cond_wait_without_a_mutex, "gmp_cond_wait", BOTH, gmp_cond_wait(&cond, NULL)) \
	X(cond_wait_unlocked, "unlock of unlocked mutex", IN, gmp_cond_wait(&cond, &m)) \
	X(cond_wait_would_park, "gmp_cond_wait: would park", OUT, gmp_cond_wait(&cond, &m)) \
	X(cond_signal_of_null, "gmp_cond_signal", BOTH, gmp_cond_signal(NULL)) \
	X(cond_broadcast_of_null, "gmp_cond_broadcast", BOTH, gmp_cond_broadcast(NULL)) \
	X(pool_get_of_null, "gmp_pool_get", BOTH, gmp_pool_get(NULL)) \
	X(pool_drain_of_null, "gmp_pool_drain", BOTH, gmp_pool_drain(NULL, NULL)) \
	X(group_ctx_of_null, "gmp_group_ctx", BOTH, gmp_group_ctx(NULL)) \
	X(group_wait_of_null, "gmp_group_wait", BOTH, gmp_group_wait(NULL)) \
	X(ctx_value_without_a_key, "gmp_ctx_with_value", BOTH, \
	  gmp_ctx_with_value(gmp_ctx_background(), NULL, &key, NULL)) \
	X(ctx_after_func_without_a_function, "gmp_ctx_after_func", BOTH, \
	  gmp_ctx_after_func(gmp_ctx_background(), NULL, NULL)) \
	X(chan_unref_too_many, "gmp_chan_unref", BOTH, unref_twice()) \
	X(goexit_outside, "gmp_goexit outside of a goroutine", OUT, gmp_goexit())

#define FN(id, text, where, statement) \
	static int in_##id(void *arg) \
	{ \
		(void)arg; \
		statement; \
		return 0; \
	}
ROWS(FN)

#define CASE(id, text, where, statement) \
	TEST(id) \
	{ \
		if ((where) & OUT) \
			DEATH(in_##id(NULL), text); \
		if ((where) & IN) { \
			DEATH(gmp_run(in_##id, NULL), "fatal error: "); \
			DEATH(gmp_run(in_##id, NULL), text); \
		} \
	}
ROWS(CASE)

/* ---- a stopped world: what parks there can never go on --------------------------------------------- */

static int parks_while_stopped(void *arg)
{
	struct gmp_chan *c = gmp_chan_make(0, 0);

	(void)arg;
	gmp_stop_world("bad input");
	gmp_chan_recv(c, NULL);
	return 0;
}

TEST(park_in_a_stopped_world)
{
	DEATH(gmp_run(parks_while_stopped, NULL), "park while the world is stopped");
}
