/* SPDX-License-Identifier: MIT */
/* chan.h, sync.h, time.h and context.h with arguments that make no sense: those that answer. */
#include "badinput_util.h"

EVERYWHERE(channels)
{
	struct gmp_chan *c;
	uint64_t v = 1;

	IS(gmp_chan_make(8, SIZE_MAX) == NULL, 1);
	IS(gmp_chan_make(SIZE_MAX, 1) == NULL, 1);
	IS(gmp_chan_make(SIZE_MAX / 4, 3) == NULL, 1);
	IS(gmp_chan_make(1ul << 40, 1ul << 40) == NULL, 1);
	IS(gmp_chan_ref(NULL) == NULL, 1);
	gmp_chan_unref(NULL);
	IS(gmp_chan_close(NULL), -EINVAL);
	IS(gmp_chan_try_send(NULL, &v), -EAGAIN);
	IS(gmp_chan_try_recv(NULL, &v), -EAGAIN);
	IS(gmp_chan_len(NULL), 0);
	IS(gmp_chan_cap(NULL), 0);
	if (place != GOROUTINE) {
		IS(gmp_chan_send(NULL, &v), -EWOULDBLOCK);
		IS(gmp_chan_recv(NULL, &v), -EWOULDBLOCK);
	}

	c = gmp_chan_make(sizeof(v), 1);
	IS(gmp_chan_send(c, NULL), -EINVAL);
	IS(gmp_chan_try_send(c, NULL), -EINVAL);
	IS(gmp_chan_send(c, &v), 0);
	IS(gmp_chan_try_send(c, &v), -EAGAIN);
	if (place != GOROUTINE)
		IS(gmp_chan_send(c, &v), -EWOULDBLOCK);
	IS(gmp_chan_close(c), 0);
	IS(gmp_chan_close(c), -EPIPE);
	IS(gmp_chan_send(c, &v), -EPIPE);
	IS(gmp_chan_try_send(c, &v), -EPIPE);
	IS(gmp_chan_recv(c, NULL), 1);
	IS(gmp_chan_recv(c, &v), 0);
	IS(gmp_chan_try_recv(c, NULL), 0);
	IS(v, 0);
	gmp_chan_unref(c);
}

GMP_CHAN_TYPE(words, uint64_t)

/* A typed channel that was never made, or could not be: no other than gmp_chan_ calls of NULL. */
EVERYWHERE(typed_channels)
{
	struct words w = { NULL };
	struct words_tx tx = words_tx(w);
	struct words_rx rx = words_rx(w);
	uint64_t v = 1;
	struct gmp_case k[] = { words_case_send(tx, &v), words_case_recv(rx, &v) };

	IS(tx.c == NULL && rx.c == NULL, 1);
	IS(words_make(SIZE_MAX).c == NULL, 1);
	IS(words_try_send(w, v), -EAGAIN);
	IS(words_try_send(tx, v), -EAGAIN);
	IS(words_try_recv(w, &v), -EAGAIN);
	IS(words_try_recv(rx, NULL), -EAGAIN);
	IS(words_close(w), -EINVAL);
	IS(words_close(tx), -EINVAL);
	IS(words_len(rx) + words_cap(tx) + words_len(w), 0);
	words_ref(w);
	words_unref(tx);
	words_unref(rx);
	IS(gmp_select_try(k, 2), -EAGAIN);
	IS(gmp_select_until(k, 2, 1), -ETIMEDOUT);
	if (place != GOROUTINE) {
		IS(words_send(w, v), -EWOULDBLOCK);
		IS(words_recv(w, &v), -EWOULDBLOCK);
		IS(gmp_select(k, 2), -EWOULDBLOCK);
	}
}

EVERYWHERE(selects)
{
	struct gmp_chan *c = gmp_chan_make(8, 1);
	struct gmp_case bad = { .c = c, .op = 7 };
	struct gmp_case null_send = GMP_CASE_SEND(c, NULL);
	struct gmp_case nil = GMP_CASE_RECV(NULL, NULL);

	IS(gmp_select(NULL, -1), -EINVAL);
	IS(gmp_select(NULL, INT_MIN), -EINVAL);
	IS(gmp_select(NULL, 1), -EINVAL);
	IS(gmp_select(&bad, 1), -EINVAL);
	IS(gmp_select(&null_send, 1), -EINVAL);
	IS(gmp_select_try(NULL, -1), -EINVAL);
	IS(gmp_select_try(NULL, 1), -EINVAL);
	IS(gmp_select_try(&bad, 1), -EINVAL);
	IS(gmp_select_try(NULL, 0), -EAGAIN);
	IS(gmp_select_try(&nil, 1), -EAGAIN);
	IS(gmp_select_until(NULL, -1, 1), -EINVAL);
	IS(gmp_select_until(&bad, 1, 1), -EINVAL);
	IS(gmp_select_until(&nil, 1, 1), -ETIMEDOUT);
	IS(gmp_select_until(NULL, 0, 1), -ETIMEDOUT);
	if (place != GOROUTINE) {
		IS(gmp_select(NULL, 0), -EWOULDBLOCK);
		IS(gmp_select(&nil, 1), -EWOULDBLOCK);
		IS(gmp_select_until(&nil, 1, UINT64_MAX), -EWOULDBLOCK);
	}
	gmp_chan_unref(c);
}

EVERYWHERE(semaphores)
{
	struct gmp_sem s = { 0 };

	IS(gmp_sem_acquire(NULL, 1), -EINVAL);
	IS(gmp_sem_acquire(&s, -1), -EINVAL);
	IS(gmp_sem_acquire(&s, INT64_MIN), -EINVAL);
	IS(gmp_sem_acquire(&s, 0), 0);
	IS(gmp_sem_acquire_ctx(NULL, NULL, 1), -EINVAL);
	IS(gmp_sem_acquire_ctx(NULL, &s, -1), -EINVAL);
	IS(gmp_sem_try(NULL, 1), -EINVAL);
	IS(gmp_sem_try(&s, -1), -EINVAL);
	IS(gmp_sem_try(&s, INT64_MAX), -EBUSY);
	IS(gmp_sem_release(NULL, 1), -EINVAL);
	IS(gmp_sem_release(&s, -1), -EINVAL);
	IS(gmp_sem_release(&s, INT64_MAX), -EOVERFLOW);
	IS(gmp_sem_release(&s, GMP_SEM_MAX), 0);
	IS(gmp_sem_release(&s, 1), -EOVERFLOW);
	IS(gmp_sem_try(&s, GMP_SEM_MAX), 0);
	if (place != GOROUTINE) {
		IS(gmp_sem_acquire(&s, 1), -EWOULDBLOCK);
		IS(gmp_sem_acquire_ctx(NULL, &s, 1), -EWOULDBLOCK);
	}
}

EVERYWHERE(pools_and_groups)
{
	struct gmp_pool p = { 0 };
	struct gmp_group g = { 0 };

	IS(gmp_pool_put(NULL, &p), -EINVAL);
	IS(gmp_pool_put(&p, NULL), -EINVAL);
	IS(gmp_pool_get(&p) == NULL, 1);
	gmp_pool_drain(&p, NULL);
	gmp_pool_drain(&p, NULL);

	IS(gmp_group_init(NULL, NULL, 1), -EINVAL);
	IS(gmp_group_go(NULL, badinput_zero, NULL), -EINVAL);
	IS(gmp_group_go(&g, NULL, NULL), -EINVAL);
	IS(gmp_group_try_go(NULL, badinput_zero, NULL), -EINVAL);
	IS(gmp_group_try_go(&g, NULL, NULL), -EINVAL);
	IS(gmp_group_init(&g, NULL, INT_MIN), 0);
	IS(gmp_group_wait(&g), 0);
	gmp_group_destroy(&g);
	gmp_group_destroy(&g);
	gmp_group_destroy(NULL);
	if (!runs()) {
		IS(gmp_group_go(&g, badinput_zero, NULL), -ESRCH);
		IS(gmp_group_wait(&g), 0);
	}
}

EVERYWHERE(wait_groups_and_locks)
{
	struct gmp_mutex m = { 0 };
	struct gmp_rwmutex rw = { 0 };
	struct gmp_cond c = { 0 };
	struct gmp_wg wg = { 0 };

	gmp_wg_wait(&wg);
	gmp_wg_add(&wg, 0);
	gmp_wg_add(&wg, INT_MAX);
	gmp_wg_add(&wg, -INT_MAX);
	gmp_wg_wait(&wg);
	IS(gmp_wg_go(&wg, NULL, NULL), -EINVAL);
	gmp_wg_wait(&wg);
	gmp_cond_signal(&c);
	gmp_cond_broadcast(&c);
	gmp_mutex_lock(&m);
	IS(gmp_mutex_trylock(&m), -EBUSY);
	gmp_mutex_unlock(&m);
	gmp_rwmutex_lock(&rw);
	IS(gmp_rwmutex_trylock(&rw), -EBUSY);
	IS(gmp_rwmutex_tryrlock(&rw), -EBUSY);
	gmp_rwmutex_unlock(&rw);
	gmp_rwmutex_rlock(&rw);
	IS(gmp_rwmutex_trylock(&rw), -EBUSY);
	gmp_rwmutex_runlock(&rw);
}

/* ---- time.h ------------------------------------------------------------------------------------------ */

EVERYWHERE(timers)
{
	struct gmp_timer t = { 0 };

	IS(gmp_timer_start(NULL, 1, badinput_nothing, NULL), -EINVAL);
	IS(gmp_timer_start(&t, 1, NULL, NULL), -EINVAL);
	IS(gmp_timer_stop(NULL), -EINVAL);
	IS(gmp_timer_stop(&t), 0);
	IS(gmp_timer_stop_wait(NULL), -EINVAL);
	IS(gmp_timer_stop_wait(&t), 0);
	IS(gmp_timer_reset(NULL, 1), -EINVAL);
	IS(gmp_timer_reset(&t, 1), -EINVAL);
	if (runs()) {
		IS(gmp_timer_start(&t, INT64_MAX, badinput_nothing, NULL), 0);
		IS(gmp_timer_start(&t, INT64_MAX, badinput_nothing, NULL), -EBUSY);
		IS(gmp_timer_reset(&t, INT64_MAX), 1);
		IS(gmp_timer_stop(&t), 1);
		IS(gmp_timer_stop(&t), 0);
	} else {
		IS(gmp_timer_start(&t, 1, badinput_nothing, NULL), -ESRCH);
	}
	gmp_sleep(0);
	gmp_sleep(-1);
	gmp_sleep(INT64_MIN);
	IS(gmp_now() != 0, 1);
}

EVERYWHERE(tickers)
{
	struct gmp_tick *t;
	struct gmp_chan *c;

	IS(gmp_tick_new(0) == NULL, 1);
	IS(gmp_tick_new(INT64_MIN) == NULL, 1);
	IS(gmp_tick_chan(NULL) == NULL, 1);
	IS(gmp_tick_reset(NULL, 1), -EINVAL);
	gmp_tick_stop(NULL);
	t = gmp_tick_new(INT64_MAX);
	c = gmp_after(INT64_MIN);
	IS(t != NULL, runs());
	IS(c != NULL, runs());
	if (t) {
		IS(gmp_tick_reset(t, 0), -EINVAL);
		IS(gmp_tick_reset(t, INT64_MIN), -EINVAL);
		gmp_tick_stop(t);
	}
	gmp_chan_unref(c);
}

/* ---- context.h ----------------------------------------------------------------------------------------- */

EVERYWHERE(no_context)
{
	struct gmp_after_func *h;
	uint64_t when = 7;
	static int key;

	IS(gmp_ctx_with_cancel(NULL) == NULL, 1);
	IS(gmp_ctx_with_deadline(NULL, 1) == NULL, 1);
	IS(gmp_ctx_with_timeout(NULL, 1) == NULL, 1);
	IS(gmp_ctx_with_value(NULL, &key, &key, NULL) == NULL, 1);
	IS(gmp_ctx_ref(NULL) == NULL, 1);
	gmp_ctx_unref(NULL);
	gmp_ctx_cancel(NULL, -1);
	IS(gmp_ctx_done(NULL) == NULL, 1);
	IS(gmp_ctx_err(NULL), 0);
	IS(gmp_ctx_cause(NULL), 0);
	IS(gmp_ctx_deadline(NULL, NULL), 0);
	IS(gmp_ctx_deadline(NULL, &when), 0);
	IS(gmp_ctx_value(NULL, &key) == NULL, 1);
	IS(gmp_ctx_value(NULL, NULL) == NULL, 1);
	IS(gmp_after_func_stop(NULL), 0);
	h = gmp_ctx_after_func(NULL, badinput_nothing, NULL);
	IS(gmp_after_func_stop(h), 1);
}

EVERYWHERE(contexts)
{
	struct gmp_ctx *bg = gmp_ctx_background(), *ctx = gmp_ctx_with_cancel(bg), *past;
	uint64_t when;

	gmp_ctx_cancel(bg, -EIO);
	IS(gmp_ctx_err(bg), 0);
	gmp_ctx_unref(bg);
	gmp_ctx_cancel(ctx, INT_MIN);
	gmp_ctx_cancel(ctx, -EIO);
	IS(gmp_ctx_err(ctx), -ECANCELED);
	IS(gmp_ctx_cause(ctx), INT_MIN);
	IS(gmp_chan_try_recv(gmp_ctx_done(ctx), NULL), 0);
	past = gmp_ctx_with_timeout(bg, INT64_MIN);
	IS(past != NULL, runs());
	IS(gmp_ctx_err(past), runs() ? -ETIMEDOUT : 0);
	gmp_ctx_unref(past);
	past = gmp_ctx_with_timeout(bg, INT64_MAX);
	IS(gmp_ctx_err(past), 0);
	IS(gmp_ctx_deadline(past, &when), runs());
	gmp_ctx_unref(past);
	gmp_ctx_unref(ctx);
}

/* 0 is none at all, and UINT64_MAX a time that never comes. */
EVERYWHERE(deadlines_of_contexts)
{
	struct gmp_ctx *bg = gmp_ctx_background(), *none, *never, *child;
	uint64_t when = 7;

	none = gmp_ctx_with_deadline(bg, 0);
	IS(none != NULL, 1);
	IS(gmp_ctx_deadline(none, &when), 0);
	IS(gmp_ctx_err(none), 0);
	never = gmp_ctx_with_deadline(none, UINT64_MAX);
	IS(never != NULL, runs());
	IS(gmp_ctx_err(never), 0);
	IS(gmp_ctx_deadline(never, &when), runs());
	IS(when == (runs() ? UINT64_MAX : 7), 1);
	child = gmp_ctx_with_deadline(never, 0);
	IS(gmp_ctx_deadline(child, &when), runs());
	gmp_ctx_unref(child);
	child = gmp_ctx_with_deadline(never, 1);
	IS(gmp_ctx_err(child), runs() ? -ETIMEDOUT : 0);
	gmp_ctx_unref(child);
	gmp_ctx_cancel(none, 0);
	IS(gmp_ctx_err(never), runs() ? -ECANCELED : 0);
	gmp_ctx_unref(never);
	gmp_ctx_unref(none);
}
