/* SPDX-License-Identifier: MIT */
/*
 * gmprt/sync.h - mutex, read-write mutex, wait group, once, condition, semaphore, pool, group.
 *
 * All types are complete and ready when all bytes are zero (static, or `= {0}`); there is nothing to
 * destroy except where said (pool, group). None may be copied or moved after its first use. The
 * fields are private.
 *
 * Any of them may lie on the stack of a goroutine and is the caller's again as soon as the last call
 * on it has returned - for a mutex and a wait group also while the unlock or done that let the caller
 * go has not yet returned.
 *
 * "Parks" means that the goroutine may wait while others run on its thread. Outside of a goroutine
 * everything that need not wait works; a call that would have to park returns -EWOULDBLOCK if it
 * returns an int, else it is fatal ("gmp_mutex_lock: would park outside a goroutine").
 * NULL and misuse (unlock of unlocked mutex, ...) are fatal unless an errno is named.
 * Not for signal handlers (proc.h). Objects that goroutines held when gmp_run() ended stay as they were.
 */
#ifndef GMPRT_SYNC_H
#define GMPRT_SYNC_H

#include "base.h"

GMP_BEGIN_DECLS

struct gmp_ctx;

/* ---- mutex -------------------------------------------------------------------------------- */

struct gmp_mutex {
	uint32_t state;
	uint32_t run;
};

/**
 * gmp_mutex_lock() - lock, wait while somebody else has it
 *
 * No owner: any goroutine may unlock. Not recursive. Who waits more than 1 ms gets it next (Go's
 * starvation mode). What came before the unlock is seen after the lock.
 * Context: parks; from any thread while it is not contended. Since 0.1.
 */
void gmp_mutex_lock(struct gmp_mutex *m);

/**
 * gmp_mutex_trylock() - lock if it is free
 * Context: any thread; never parks. Return: 0, or -EBUSY. Since 0.1.
 */
int gmp_mutex_trylock(struct gmp_mutex *m);

/**
 * gmp_mutex_unlock() - unlock; fatal "unlock of unlocked mutex" when it is not locked
 * Context: any thread; gives up its turn when it hands the mutex to one that starved. Since 0.1.
 */
void gmp_mutex_unlock(struct gmp_mutex *m);

/* ---- read-write mutex ------------------------------------------------------------------------ */

struct gmp_rwmutex {
	struct gmp_mutex w;
	uint32_t writer_sem, reader_sem;
	int32_t readers, leaving;
};

/**
 * gmp_rwmutex_rlock() - lock for reading, together with other readers
 *
 * A writer that waits holds back new readers: do not lock recursively.
 * Context: parks; from any thread while no writer has it or waits. Since 0.1.
 */
void gmp_rwmutex_rlock(struct gmp_rwmutex *rw);

/**
 * gmp_rwmutex_runlock() - undo one gmp_rwmutex_rlock(); fatal "runlock of unlocked rwmutex"
 * Context: any thread; never parks. Since 0.1.
 */
void gmp_rwmutex_runlock(struct gmp_rwmutex *rw);

/**
 * gmp_rwmutex_lock() - lock for writing: nobody else has it
 * Context: parks; from any thread while nobody has it. Since 0.1.
 */
void gmp_rwmutex_lock(struct gmp_rwmutex *rw);

/**
 * gmp_rwmutex_unlock() - unlock for writing; fatal "unlock of unlocked rwmutex"
 *
 * The readers that wait go first, then the next writer.
 * Context: any thread; as gmp_mutex_unlock(). Since 0.1.
 */
void gmp_rwmutex_unlock(struct gmp_rwmutex *rw);

/**
 * gmp_rwmutex_tryrlock(), gmp_rwmutex_trylock() - lock if that needs no waiting
 * Context: any thread; never park. Return: 0, or -EBUSY. Since 0.1.
 */
int gmp_rwmutex_tryrlock(struct gmp_rwmutex *rw);
int gmp_rwmutex_trylock(struct gmp_rwmutex *rw);

/* ---- wait group -------------------------------------------------------------------------------- */

struct gmp_wg {
	uint64_t state;
};

/**
 * gmp_wg_add() - add @delta, which may be negative, to the counter
 *
 * At 0 all that wait go on. Fatal "negative waitgroup counter". An add that starts from 0 must
 * happen before the wait it is meant for.
 * Context: any thread; never parks. Since 0.1.
 */
void gmp_wg_add(struct gmp_wg *wg, int delta);

/* gmp_wg_done() - gmp_wg_add(wg, -1). Since 0.1. */
void gmp_wg_done(struct gmp_wg *wg);

/**
 * gmp_wg_wait() - wait until the counter is 0
 *
 * What came before the gmp_wg_done() calls is seen after it. The group may be used again as soon as
 * one wait has returned.
 * Context: parks; from any thread while the counter is 0. Since 0.1.
 */
void gmp_wg_wait(struct gmp_wg *wg);

/**
 * gmp_wg_go() - run fn(arg) in a new goroutine that @wg counts
 *
 * The counter is raised before the goroutine starts and lowered when it ends, also by gmp_goexit().
 * Context: as gmp_go(); never parks.
 * Return: its goid, or -EAGAIN, -ENOMEM as gmp_go() (@wg is then as before). Since 0.1.
 */
int64_t gmp_wg_go(struct gmp_wg *wg, void (*fn)(void *), void *arg);

/* ---- once ---------------------------------------------------------------------------------------- */

struct gmp_once {
	uint32_t done;
	struct gmp_mutex m;
};

/**
 * gmp_once_do() - call fn(arg) unless a call for this @once was made before
 *
 * Returns after that call is complete, whoever made it. If fn ends its goroutine with gmp_goexit(),
 * it counts as made. @fn must not use the same @once.
 * Context: parks while another goroutine runs its function. Since 0.1.
 */
void gmp_once_do(struct gmp_once *once, void (*fn)(void *), void *arg);

/* ---- condition -------------------------------------------------------------------------------------- */

struct gmp_cond {
	uint32_t waiters;
	uint32_t reserved;
};

/**
 * gmp_cond_wait() - unlock @m, wait for a signal, lock @m
 *
 * FIFO, no spurious wake-ups: each signal that finds a waiter lets the one that waits longest go.
 * Waiting begins before @m is unlocked. The condition may have changed before @m is locked again.
 * Context: a goroutine that has locked @m; parks. Since 0.1.
 */
void gmp_cond_wait(struct gmp_cond *c, struct gmp_mutex *m);

/**
 * gmp_cond_signal(), gmp_cond_broadcast() - let one or all that wait now go on
 * Context: any thread, with or without the mutex; never park. Since 0.1.
 */
void gmp_cond_signal(struct gmp_cond *c);
void gmp_cond_broadcast(struct gmp_cond *c);

/* ---- semaphore ---------------------------------------------------------------------------------------- */

#define GMP_SEM_MAX	(INT64_MAX / 2)	/* permits a semaphore can hold */

struct gmp_sem {
	uint64_t state;
};

/**
 * gmp_sem_acquire() - take @n permits at once, wait until they are there
 *
 * {0} has none: release what it is to begin with. FIFO: who wants many is not overtaken by those who
 * want few.
 * Context: parks. Return: 0; -EINVAL NULL or n < 0; -EWOULDBLOCK outside of a goroutine. Since 0.1.
 */
int gmp_sem_acquire(struct gmp_sem *s, int64_t n);

/**
 * gmp_sem_acquire_ctx() - gmp_sem_acquire() that ends when @ctx does
 *
 * A context that is done before the call wins over permits; permits given before the context ends
 * win over that end.
 * Context: parks. Return: as gmp_sem_acquire(); -ECANCELED or -ETIMEDOUT as gmp_ctx_err(), nothing
 * is taken then. @ctx NULL never ends. Since 0.1.
 */
int gmp_sem_acquire_ctx(struct gmp_ctx *ctx, struct gmp_sem *s, int64_t n);

/**
 * gmp_sem_try() - take @n permits if they are there and nobody waits
 * Context: any thread; never parks. Return: 0; -EBUSY; -EINVAL NULL or n < 0. Since 0.1.
 */
int gmp_sem_try(struct gmp_sem *s, int64_t n);

/**
 * gmp_sem_release() - give @n permits
 * Context: any thread; never parks.
 * Return: 0; -EINVAL NULL or n < 0; -EOVERFLOW there would be more than GMP_SEM_MAX. Since 0.1.
 */
int gmp_sem_release(struct gmp_sem *s, int64_t n);

/* ---- pool ------------------------------------------------------------------------------------------------ */

struct gmp_pool {
	uintptr_t root;
};

/**
 * gmp_pool_get() - take an object out, preferably one that was put on the same P last
 * Context: any thread; never parks. Return: an object, or NULL when the pool is empty. Since 0.1.
 */
void *gmp_pool_get(struct gmp_pool *p);

/**
 * gmp_pool_put() - put @obj in; one gmp_pool_get() will return it
 * Context: any thread; never parks. Keeps all it is given: there is no collector to empty it.
 * Return: 0; -EINVAL NULL; -ENOMEM: @obj is still the caller's. Since 0.1.
 */
int gmp_pool_put(struct gmp_pool *p, void *obj);

/**
 * gmp_pool_drain() - give each object in the pool to @drop (NULL: forget them), free the pool's memory
 * Context: nobody else uses the pool; it may be used again afterwards. @drop may park. Since 0.1.
 */
void gmp_pool_drain(struct gmp_pool *p, void (*drop)(void *obj));

/* ---- group ------------------------------------------------------------------------------------------------- */

struct gmp_group {
	struct gmp_wg wg;
	struct gmp_sem sem;
	struct gmp_ctx *ctx;
	int32_t limit;
	int32_t err;
};

/**
 * gmp_group_init() - goroutines that end together: the first error of any is the group's
 * @ctx: parent of the group's context, which the first error and the end of gmp_group_wait() cancel.
 *       NULL: as {0}, no context unless gmp_group_ctx() asks for one
 * @limit: of goroutines at a time; <= 0: none
 *
 * A group {0} is ready as well. Return: 0; -EINVAL NULL group; -ENOMEM. Since 0.1.
 */
int gmp_group_init(struct gmp_group *g, struct gmp_ctx *ctx, int limit);

/**
 * gmp_group_ctx() - the group's context: borrowed, valid until gmp_group_destroy()
 * Return: NULL when there is no memory for it. Since 0.1.
 */
struct gmp_ctx *gmp_group_ctx(struct gmp_group *g);

/**
 * gmp_group_go() - run fn(arg) in a new goroutine of the group
 *
 * A negative result of fn is an error; the first cancels the context with that cause.
 * gmp_goexit() in fn counts as a return of 0.
 * Context: parks while the group is at its limit.
 * Return: its goid; -EAGAIN, -ENOMEM as gmp_go(); -EWOULDBLOCK at the limit outside of a goroutine;
 * -EINVAL NULL. Since 0.1.
 */
int64_t gmp_group_go(struct gmp_group *g, int (*fn)(void *), void *arg);

/**
 * gmp_group_try_go() - gmp_group_go() that never parks
 * Return: as gmp_group_go(), or -EBUSY at the limit. Since 0.1.
 */
int64_t gmp_group_try_go(struct gmp_group *g, int (*fn)(void *), void *arg);

/**
 * gmp_group_wait() - wait until all goroutines of the group have ended; cancels the context
 * Context: parks. Return: the first negative result, or 0; -EWOULDBLOCK outside of a goroutine while any
 * has not ended (and the context is not cancelled). Since 0.1.
 */
int gmp_group_wait(struct gmp_group *g);

/**
 * gmp_group_destroy() - drop the group's context, after gmp_group_wait(); nothing to do without one
 * Context: any thread, nobody uses the group. It is {0} afterwards. Since 0.1.
 */
void gmp_group_destroy(struct gmp_group *g);

GMP_END_DECLS

#endif
