/* SPDX-License-Identifier: MIT */
/*
 * chan.c - channels: make, send, receive, close.
 *
 * Owns:       struct gmp_chan (chan.h, where the invariants are).
 * Locks:      c->lock, rank CHAN: below it SCHED and TIMERS. One channel at a time here (select.c takes
 *             several, by address). A G is made ready after the lock is released.
 * Ordering:   the lock, for all that passes through a channel; MO-C1 closed, MO-C2 the looks without
 *             the lock, MO-C3 select (sudog.h), MO-C4 references.
 * Not here:   select (select.c), memory of the heads (chanmem.c).
 *
 * An operation is one lock. Who finds somebody waiting copies straight from or to the other's variable
 * and makes it ready; who must wait puts a sudog on its own stack into the queue and parks, the lock
 * being released by whatever runs next, when the context is saved.
 */
#include "sync/chan.h"

#include <stdlib.h>

#include "sched/handler.h"
#include "sched/switch.h"

/* ---- life ------------------------------------------------------------------------------------ */

static bool buffer_get(struct gmp_chan *c, size_t bytes)
{
	c->mallocked = bytes > sizeof(c->small);
	c->buf = c->mallocked ? malloc(bytes) : c->small;
	if (!c->buf)
		return false;
	c->end = c->buf + bytes;
	c->sendp = c->recvp = c->buf;
	return true;
}

RT_PUBLIC struct gmp_chan *gmp_chan_make(size_t elem_size, size_t cap)
{
	struct gmp_chan *c;
	size_t bytes;

	if (__builtin_mul_overflow(elem_size, cap, &bytes) || bytes > PTRDIFF_MAX ||
	    elem_size > PTRDIFF_MAX)
		return NULL;
	c = rt_chan_alloc();
	if (!c)
		return NULL;
	if (!buffer_get(c, bytes)) {
		rt_chan_free(c);
		return NULL;
	}
	rt_lock_rank(&c->lock, CHAN);
	c->refs = 1;
	c->closed = 0;
	c->count = 0;
	c->cap = cap;
	c->elem_size = elem_size;
	c->gen = rt_load_rlx(&rt_sched.gen);
	c->recvq = c->sendq = (struct rt_waitq){ 0 };
	return c;
}

RT_PUBLIC struct gmp_chan *gmp_chan_ref(struct gmp_chan *c)
{
	if (c)
		rt_add_rlx(&c->refs, 1);
	return c;
}

RT_PUBLIC void gmp_chan_unref(struct gmp_chan *c)
{
	uint32_t left;

	if (!c)
		return;
	/* MO-C4: what others did before they dropped theirs is done before the last one frees. */
	left = rt_sub_ar(&c->refs, 1);
	if (likely(left != 0)) {
		if (unlikely(left > INT32_MAX))
			rt_throw("gmp_chan_unref: no reference left");
		return;
	}
	if (c->mallocked)
		free(c->buf);
	rt_chan_free(c);
}

/* Those who wait belong to a gmp_run() that is over. Lock held. */
rt_cold void rt_chan_forget(struct gmp_chan *c)
{
	rt_store_rlx(&c->recvq.first, NULL);
	rt_store_rlx(&c->sendq.first, NULL);
	c->recvq.last = c->sendq.last = NULL;
	c->gen = rt_load_rlx(&rt_sched.gen);
}

/*
 * On a thread that is no M: those who wait, and their stacks, are there only until the run is over. If
 * somebody is taken that is not before rt_chan_wake().
 */
rt_cold struct rt_sudog *rt_chan_take_foreign(struct gmp_chan *c, struct rt_waitq *q)
{
	struct rt_sudog *sg;

	rt_waiters_enter();
	if (!rt_waiters_alive()) {
		rt_chan_forget(c);
		rt_waiters_leave();
		return NULL;
	}
	rt_chan_check_gen(c);
	sg = rt_waitq_take(q);
	if (!sg)
		rt_waiters_leave();
	return sg;
}

/* A thread that is no M has kept the run from ending since it took the G. */
rt_cold void rt_chan_wake_slow(struct rt_g *gp)
{
	rt_ready(gp);
	if (!rt_getm())
		rt_ext_leave();
}

/* ---- waiting ----------------------------------------------------------------------------------- */

static bool stay(struct rt_g *gp, void *arg)
{
	(void)gp;
	(void)arg;
	return true;
}

static const char *call_of(enum gmp_wait_reason why)
{
	return why == GMP_WAIT_CHAN_SEND || why == GMP_WAIT_CHAN_SEND_NIL ? "gmp_chan_send" : "gmp_chan_recv";
}

static rt_cold int park_for_ever(enum gmp_wait_reason why)
{
	if (!rt_may_park(call_of(why)))
		return -EWOULDBLOCK;
	for (;;)
		rt_park(stay, NULL, why);
}

/*
 * The lock is held, and released. The answer of the whole call: 0 and -EPIPE to send, 1 and 0 to
 * receive, -EWOULDBLOCK. Called last: the one return after the switch is its own.
 */
static rt_noinline RT_RETURN_BY_JUMP int wait_on(struct gmp_chan *c, struct rt_waitq *q, void *elem,
						 enum gmp_wait_reason why)
{
	struct rt_m *mp = rt_getm();
	struct rt_sudog sg;
	struct rt_g *gp;

	if (unlikely(!mp || !mp->p || (gp = mp->curg) == NULL)) {
		rt_unlock(&c->lock);
		rt_ghost_check();
		return -EWOULDBLOCK;
	}
	if (rt_may_be_handler(mp, gp))
		rt_in_handler(call_of(why));
	rt_chan_check_gen(c);
	sg.g = gp;
	sg.elem = elem;
	sg.c = c;
	sg.select = false;
	rt_waitq_add(q, &sg);
	rt_park_unlock_hot(mp, gp, &c->lock, why);
	if (why == GMP_WAIT_CHAN_RECV)
		return sg.ok;
	return sg.ok ? 0 : -EPIPE;
}

/* ---- send and receive ----------------------------------------------------------------------------- */

static inline int unlock_and_wake(struct gmp_chan *c, struct rt_g *wake, int result)
{
	rt_unlock(&c->lock);
	if (wake)
		rt_chan_wake(wake);
	return result;
}

RT_PUBLIC int gmp_chan_send(struct gmp_chan *c, const void *elem)
{
	struct rt_g *wake = NULL;
	int r;

	if (unlikely(!c))
		return park_for_ever(GMP_WAIT_CHAN_SEND_NIL);
	if (unlikely(!elem && c->elem_size))
		return -EINVAL;
	rt_lock(&c->lock);
	rt_inject_at(RT_INJ_CHAN);
	r = rt_chan_send_now(c, elem, &wake);
	if (likely(r != RT_CHAN_WAIT))
		return unlock_and_wake(c, wake, r);
	return wait_on(c, &c->sendq, (void *)(uintptr_t)elem, GMP_WAIT_CHAN_SEND);
}

RT_PUBLIC int gmp_chan_recv(struct gmp_chan *c, void *elem)
{
	struct rt_g *wake = NULL;
	int r;

	if (unlikely(!c))
		return park_for_ever(GMP_WAIT_CHAN_RECV_NIL);
	rt_lock(&c->lock);
	rt_inject_at(RT_INJ_CHAN);
	r = rt_chan_recv_now(c, elem, &wake);
	if (likely(r != RT_CHAN_WAIT))
		return unlock_and_wake(c, wake, r);
	return wait_on(c, &c->recvq, elem, GMP_WAIT_CHAN_RECV);
}

RT_PUBLIC int gmp_chan_try_send(struct gmp_chan *c, const void *elem)
{
	struct rt_g *wake = NULL;
	int r;

	if (unlikely(!c))
		return -EAGAIN;
	if (unlikely(!elem && c->elem_size))
		return -EINVAL;
	if (!rt_chan_can_send(c))
		return -EAGAIN;
	rt_lock(&c->lock);
	r = rt_chan_send_now(c, elem, &wake);
	return unlock_and_wake(c, wake, r);
}

RT_PUBLIC int gmp_chan_try_recv(struct gmp_chan *c, void *elem)
{
	struct rt_g *wake = NULL;
	int r;

	if (unlikely(!c))
		return -EAGAIN;
	if (rt_chan_empty(c)) {
		if (!rt_load_acq(&c->closed))	/* MO-C1 */
			return -EAGAIN;
		/* All that was sent is seen now, and no more will be: empty once more is the end. */
		if (rt_chan_empty(c)) {
			if (elem)
				memset(elem, 0, c->elem_size);
			return 0;
		}
	}
	rt_lock(&c->lock);
	r = rt_chan_recv_now(c, elem, &wake);
	return unlock_and_wake(c, wake, r);
}

/* ---- close ------------------------------------------------------------------------------------------- */

/* All who wait go on with "closed"; receivers find zeroes. */
static void release(struct gmp_chan *c, struct rt_waitq *q, bool zero, struct rt_gqueue *wake)
{
	struct rt_sudog *sg;

	while ((sg = rt_chan_take(c, q)) != NULL) {
		if (zero && sg->elem)
			memset(sg->elem, 0, c->elem_size);
		rt_gqueue_push(wake, rt_chan_grant(sg, false));
	}
}

static void wake_all(struct rt_gqueue *wake)
{
	uint64_t n = wake->n;

	if (n == 1)
		rt_ready(wake->head);
	else if (n)
		rt_ready_list(wake);
	if (unlikely(n && !rt_getm()))
		while (n-- > 0)
			rt_ext_leave();		/* one for each that was taken */
}

RT_PUBLIC int gmp_chan_close(struct gmp_chan *c)
{
	struct rt_gqueue wake = { 0 };

	if (!c)
		return -EINVAL;
	rt_lock(&c->lock);
	if (c->closed) {
		rt_unlock(&c->lock);
		return -EPIPE;
	}
	/* MO-C1: pairs with gmp_chan_try_recv(): who sees this sees all that was sent before. */
	rt_store_rel(&c->closed, 1);
	release(c, &c->recvq, true, &wake);
	release(c, &c->sendq, false, &wake);
	rt_unlock(&c->lock);
	wake_all(&wake);
	return 0;
}

/* ---- looks -------------------------------------------------------------------------------------------- */

RT_PUBLIC size_t gmp_chan_len(const struct gmp_chan *c)
{
	return c ? rt_load_rlx(&c->count) : 0;
}

RT_PUBLIC size_t gmp_chan_cap(const struct gmp_chan *c)
{
	return c ? c->cap : 0;
}
