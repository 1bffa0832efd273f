/* SPDX-License-Identifier: MIT */
/*
 * gmprt/time.h - the clock, sleeping, timers, tickers. Since 0.1.
 *
 * Durations are nanoseconds, int64_t; <= 0 is "at once". Times are uint64_t nanoseconds of
 * CLOCK_MONOTONIC. Nothing comes early; how late it comes depends on how busy the Ps are.
 *
 * What gmp_run() leaves behind when it ends: timers are not waiting any more, their functions will
 * not run; channels of gmp_after() and tickers get nothing more.
 *
 * Of all these gmp_now() alone is for signal handlers (proc.h).
 */
#ifndef GMPRT_TIME_H
#define GMPRT_TIME_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gmp_chan;

/**
 * gmp_now() - the time, as deadlines are given in
 * Context: any thread; signal handlers too. Return: nanoseconds, never 0.
 * Since: 0.1
 */
uint64_t gmp_now(void);

/**
 * gmp_sleep() - wait at least @ns nanoseconds
 * @ns: <= 0 returns at once
 *
 * Context: parks. On a thread that is not in a goroutine the thread sleeps.
 * Since: 0.1
 */
void gmp_sleep(int64_t ns);

/* ---- timers ------------------------------------------------------------------------------------- */

/*
 * Ready when all bytes are zero. Lies in the caller's memory, which must be there while the timer
 * waits; may not be copied or moved then. The library does not touch it any more once gmp_timer_stop()
 * has returned, or once the function has begun: both may free it.
 */
struct gmp_timer {
	uint64_t opaque[8];
};

/**
 * gmp_timer_start() - call @fn(@arg) in a new goroutine after @ns nanoseconds
 *
 * Context: any thread while gmp_run() runs; does not park. Of several that start one timer at the
 * same time one succeeds.
 * Return: 0; -EBUSY it is waiting already; -EINVAL NULL; -ENOMEM; -ESRCH gmp_run() does not run.
 * Since: 0.1
 */
int gmp_timer_start(struct gmp_timer *t, int64_t ns, void (*fn)(void *), void *arg);

/**
 * gmp_timer_stop() - the function shall not run
 *
 * Does not wait for a function that has begun.
 * Context: any thread; does not park.
 * Return: 1 it was waiting, and will not run; 0 it was not: never started, stopped, or its function
 * has begun or is about to; -EINVAL NULL.
 * Since: 0.1
 */
int gmp_timer_stop(struct gmp_timer *t);

/**
 * gmp_timer_reset() - wait @ns nanoseconds from now, with the function of the last gmp_timer_start()
 *
 * Also when the timer is not waiting.
 * Context: any thread while gmp_run() runs; does not park.
 * Return: 1 it was waiting (and does so anew), 0 it was not (and does now); -EINVAL NULL, or never
 * started; -ENOMEM (it is as it was); -ESRCH gmp_run() does not run.
 * Since: 0.1
 */
int gmp_timer_reset(struct gmp_timer *t, int64_t ns);

/**
 * gmp_timer_stop_wait() - gmp_timer_stop(), and wait until no function of this timer runs
 *
 * Running means: its goroutine, deferred calls included, has not ended. Called from that goroutine
 * it does not wait for itself. @t must be there until it returns.
 * Context: parks.
 * Return: as gmp_timer_stop(); -EWOULDBLOCK it is stopped, but a function runs and this is no
 * goroutine.
 * Since: 0.1
 */
int gmp_timer_stop_wait(struct gmp_timer *t);

/**
 * gmp_after() - a channel that gets the time, a uint64_t, after @ns nanoseconds
 *
 * Capacity 1; it is not closed. The caller owns one reference and may drop it at any time.
 * Context: any thread while gmp_run() runs; does not park. Return: NULL out of memory, or gmp_run()
 * does not run.
 * Since: 0.1
 */
struct gmp_chan *gmp_after(int64_t ns);

/* ---- tickers -------------------------------------------------------------------------------------- */

struct gmp_tick;

/**
 * gmp_tick_new() - the time, again and again: every @ns nanoseconds
 *
 * Its channel has capacity 1 and carries uint64_t; ticks that find it full are dropped.
 * Context: any thread while gmp_run() runs; does not park. Return: NULL when @ns <= 0, out of memory,
 * or gmp_run() does not run.
 * Since: 0.1
 */
struct gmp_tick *gmp_tick_new(int64_t ns);

/**
 * gmp_tick_chan() - its channel; borrowed: gmp_chan_ref() keeps it beyond gmp_tick_stop()
 * Context: any thread; does not park. Return: NULL for NULL.
 * Since: 0.1
 */
struct gmp_chan *gmp_tick_chan(struct gmp_tick *t);

/**
 * gmp_tick_reset() - tick every @ns from now on, the first time after @ns
 * Context: any thread while gmp_run() runs; does not park. Return: 0; -EINVAL NULL or @ns <= 0;
 * -ENOMEM; -ESRCH gmp_run() does not run.
 * Since: 0.1
 */
int gmp_tick_reset(struct gmp_tick *t, int64_t ns);

/**
 * gmp_tick_stop() - no more ticks; frees @t
 * After it returned no tick is sent. The channel is not closed; a tick that is in it stays.
 * Context: any thread; does not park. NULL is ignored.
 * Since: 0.1
 */
void gmp_tick_stop(struct gmp_tick *t);

#ifdef __cplusplus
}
#endif

#endif
