/* SPDX-License-Identifier: MIT */
/*
 * select.c - the first of several sends and receives that can proceed.
 *
 * Owns:       nothing that outlives the call.
 * Invariants: while a select is parked it has one sudog in the queue of each of its channels, and
 *             gp->select_done says whether it is won. Who wins it (MO-C3) moves the element, names the
 *             sudog in gp->param and wakes it; the timer of a limit wins it with gp->param = NULL.
 * Locks:      all its channels, by address, while it enqueues itself; one by one to leave the queues.
 *             The heap of a timer (rank TIMERS) inside them.
 *
 * In three steps, the first of which is often the last:
 *   1. look   without locks which cases seem ready, pick one, lock its channel, try
 *   2. queue  lock all; look again; enqueue; park (the locks are released when the context is saved)
 *   3. leave  take the sudogs of the losers off
 * Step 1 decides only for a case, never for "none ready": that takes all locks, since channels may
 * take turns in being ready. In step 3 a loser's waker may be taking our sudog off right now; it holds
 * that channel's lock, so after we held it nobody knows our sudog.
 *
 * The choice is uniform among what is ready: all are looked at, then one random number is drawn, if
 * there are two (Go walks a random permutation in each select). Rejected: enqueueing one channel at a
 * time, without all locks: two selects that meet each other would have to be won both at once.
 */
#include "sync/chan.h"

#include <stdlib.h>

#include "arch/x86_64/gobuf.h"
#include "gmprt/time.h"
#include "sched/time.h"

#define FEW	16	/* cases that need no allocation */

struct select {
	struct gmp_case *cases;		/* const */
	int n;				/* const */
	int nlocks;
	bool twice;			/* a channel is in more than one case */
	struct gmp_chan **locks;	/* distinct channels, by address */
	struct rt_sudog *sg;		/* one a case */
	uint64_t deadline;		/* 0 = none */
	struct rt_timer timer;
};

struct room {
	struct rt_sudog sg[FEW];
	struct gmp_chan *locks[FEW];
};

/* ---- 1. look ------------------------------------------------------------------------------------ */

/* Outside of goroutines each thread has its own. */
static uint32_t outside_rand(void)
{
	static __thread uint64_t x __attribute__((tls_model("initial-exec")));

	if (!x)
		x = rt_now() ^ (uintptr_t)&x;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 16);
}

/* 0 .. n - 1, uniform but for one part in 2^32 / n. */
static uint32_t below(uint32_t n)
{
	struct rt_m *mp = rt_getm();
	uint32_t r = mp ? rt_rand(mp) : outside_rand();

	return (uint32_t)((uint64_t)r * n >> 32);
}

static inline bool seems_ready(const struct gmp_case *k)
{
	if (!k->c)
		return false;
	return k->op == GMP_RECV ? rt_chan_can_recv(k->c) : rt_chan_can_send(k->c);
}

/* Any number: the k-th that seems ready takes the place of the pick with probability 1/k. */
static rt_noinline int pick_of_many(const struct gmp_case *cases, int n)
{
	uint32_t ready = 0;
	int at = -1;

	for (int i = 0; i < n; i++) {
		if (!seems_ready(&cases[i]))
			continue;
		if (++ready == 1 || below(ready) == 0)
			at = i;
	}
	return at;
}

/* One of those that seem ready, or -1. */
static inline int pick(const struct gmp_case *cases, int n)
{
	unsigned char at[FEW];
	uint32_t ready = 0;

	if (unlikely(n > FEW))
		return pick_of_many(cases, n);
	for (int i = 0; i < n; i++) {
		at[ready] = (unsigned char)i;
		ready += seems_ready(&cases[i]);
	}
	if (ready <= 1)
		return ready ? at[0] : -1;
	return at[below(ready)];
}

/* The channel is locked. True: done, .ok is set. */
static inline bool proceed(struct gmp_case *k, struct rt_g **wake)
{
	int r = k->op == GMP_RECV ? rt_chan_recv_now(k->c, k->recv, wake) :
				    rt_chan_send_now(k->c, k->send, wake);

	if (r == RT_CHAN_WAIT)
		return false;
	k->ok = k->op == GMP_SEND && r == 0 ? 1 : r;
	return true;
}

/* -1: what seemed ready was taken by others, or nothing did. */
static int look(struct gmp_case *cases, int n)
{
	int i = pick(cases, n);
	struct rt_g *wake = NULL;
	bool done;

	if (i < 0)
		return -1;
	rt_lock(&cases[i].c->lock);
	done = proceed(&cases[i], &wake);
	rt_unlock(&cases[i].c->lock);
	if (wake)
		rt_chan_wake(wake);
	return done ? i : -1;
}

static inline int check(const struct gmp_case *cases, int n)
{
	if (n < 0 || (n > 0 && !cases))
		return -EINVAL;
	for (int i = 0; i < n; i++) {
		const struct gmp_case *k = &cases[i];

		if (k->op == GMP_RECV)
			continue;
		if (k->op != GMP_SEND || (!k->send && k->c && k->c->elem_size))
			return -EINVAL;
	}
	return 0;
}

/* ---- 2. queue ------------------------------------------------------------------------------------- */

/* By address, each once. Shell's sort: insertion for the few, no worse than n^1.5 for the many. */
static void order_locks(struct select *s)
{
	struct gmp_chan **a = s->locks;
	int n = 0, m = 0, gap = 1;

	for (int i = 0; i < s->n; i++)
		if (s->cases[i].c)
			a[n++] = s->cases[i].c;
	while (gap < n / 9)
		gap = 3 * gap + 1;
	for (; gap > 0; gap /= 3)
		for (int i = gap; i < n; i++) {
			struct gmp_chan *c = a[i];
			int j = i;

			for (; j >= gap && (uintptr_t)a[j - gap] > (uintptr_t)c; j -= gap)
				a[j] = a[j - gap];
			a[j] = c;
		}
	for (int i = 0; i < n; i++)
		if (i == 0 || a[i] != a[i - 1])
			a[m++] = a[i];
	s->nlocks = m;
	s->twice = m < n;
}

static void lock_all(struct select *s)
{
	for (int i = 0; i < s->nlocks; i++)
		rt_lock(&s->locks[i]->lock);
}

/* Nothing of *s is read after the last unlock: see parked(). */
static void unlock_all(struct select *s)
{
	struct gmp_chan **c = s->locks, **end = c + s->nlocks;

	while (c < end)
		rt_unlock(&(*c++)->lock);
}

/* All locked: the choice is exact now. A queue of dead sudogs looked ready; trying emptied it. */
static int choose(struct select *s, struct rt_g **wake)
{
	int i;

	while ((i = pick(s->cases, s->n)) >= 0)
		if (proceed(&s->cases[i], wake))
			return i;
	return -1;
}

static void enqueue_one(struct select *s, int i, struct rt_g *gp, uint32_t ticket)
{
	struct gmp_case *k = &s->cases[i];
	struct rt_sudog *sg = &s->sg[i];

	sg->c = k->c;
	if (!k->c)
		return;
	sg->g = gp;
	sg->elem = k->recv;
	sg->ticket = ticket;
	sg->select = true;
	rt_chan_check_gen(k->c);
	rt_waitq_add(k->op == GMP_RECV ? &k->c->recvq : &k->c->sendq, sg);
}

/* Cases of one channel become ready together: which of them is first in its queue is a choice, too. */
static rt_cold void shuffle(struct select *s)
{
	for (int i = 0; i < s->n; i++) {
		uint32_t j = below((uint32_t)i + 1);

		s->sg[i].order = s->sg[j].order;
		s->sg[j].order = (uint32_t)i;
	}
}

static void enqueue(struct select *s, struct rt_g *gp)
{
	uint32_t ticket = rt_select_open(gp);

	s->timer.seq = ticket;
	if (unlikely(s->twice))
		shuffle(s);
	for (int i = 0; i < s->n; i++)
		enqueue_one(s, unlikely(s->twice) ? (int)s->sg[i].order : i, gp, ticket);
}

/* Detached: the select may be over, its stack another's. The G is not (Gs are never freed). */
static void time_is_up(const void *name, void *arg, uintptr_t ticket, uint64_t now)
{
	struct rt_g *gp = arg;

	(void)name;
	(void)now;
	if (!rt_select_win(gp, (uint32_t)ticket))
		return;
	rt_inject_at(RT_INJ_SELECT_WON);
	gp->param = NULL;
	rt_ready(gp);
}

/*
 * On another stack; the G is saved. The first unlock may let a waker in, and the G run elsewhere; but
 * it must take all locks but one, each by itself, before *s goes: *s is there until the last unlock.
 * The timer comes first, for the same reason; without any channel *s may be gone once it is set.
 */
static bool parked(struct rt_g *gp, void *arg)
{
	struct select *s = arg;
	bool none = s->nlocks == 0;

	(void)gp;
	if (s->deadline)
		rt_timer_set(&s->timer, s->deadline, 0);
	if (!none)
		unlock_all(s);
	return true;
}

/* ---- 3. leave --------------------------------------------------------------------------------------- */

/* @won was taken off by its waker; the others may be, or are still there. */
static void leave(struct select *s, const struct rt_sudog *won)
{
	for (int i = 0; i < s->n; i++) {
		struct rt_sudog *sg = &s->sg[i];
		struct gmp_chan *c = sg->c;

		if (!c || sg == won)
			continue;
		rt_lock(&c->lock);
		if (sg->queued)
			rt_waitq_del(s->cases[i].op == GMP_RECV ? &c->recvq : &c->sendq, sg);
		rt_unlock(&c->lock);
	}
}

static int park(struct select *s, struct rt_g *gp)
{
	const struct rt_sudog *won;
	struct gmp_case *k;

	rt_park(parked, s, s->n ? GMP_WAIT_SELECT : GMP_WAIT_SELECT_NONE);
	won = gp->param;
	gp->param = NULL;
	if (s->deadline && won)
		rt_timer_del(&s->timer);
	leave(s, won);
	if (!won)
		return -ETIMEDOUT;
	k = &s->cases[won - s->sg];
	k->ok = won->ok ? 1 : k->op == GMP_RECV ? 0 : -EPIPE;
	return (int)(won - s->sg);
}

/* ---- the whole -------------------------------------------------------------------------------------- */

/*
 * With memory at hand; mostly parks, hence the kind of return (gobuf.h). @call: which parks when none is
 * ready; NULL: it does not.
 */
static RT_RETURN_BY_JUMP int select_slow(struct select *s, const char *call)
{
	struct rt_g *gp = call ? rt_may_park(call) : NULL, *wake = NULL;
	int r;

	if (!call)
		rt_ghost_check();
	order_locks(s);
	lock_all(s);
	rt_inject_at(RT_INJ_SELECT_LOCKED);
	r = choose(s, &wake);
	if (r < 0 && !call)
		r = -EAGAIN;
	else if (r < 0 && s->deadline && s->deadline <= rt_now())
		r = -ETIMEDOUT;
	else if (r < 0 && !gp)
		r = -EWOULDBLOCK;
	else if (r < 0) {
		enqueue(s, gp);
		rt_inject_at(RT_INJ_SELECT_QUEUED);
		return park(s, gp);
	}
	unlock_all(s);
	if (wake)
		rt_chan_wake(wake);
	return r;
}

static rt_noinline RT_RETURN_BY_JUMP int select_few(struct gmp_case *cases, int n, uint64_t deadline, const char *call)
{
	struct room room;
	struct select s;

	s.cases = cases;
	s.n = n;
	s.sg = room.sg;
	s.locks = room.locks;
	s.deadline = deadline;
	if (deadline)
		s.timer = (struct rt_timer){ .detached = time_is_up, .arg = rt_getg() };
	return select_slow(&s, call);
}

static rt_noinline int select_many(struct gmp_case *cases, int n, uint64_t deadline, const char *call)
{
	struct select s = {
		.cases = cases,
		.n = n,
		.deadline = deadline,
		.timer = { .detached = time_is_up, .arg = rt_getg() },
	};
	int r;

	s.sg = malloc((size_t)n * (sizeof(*s.sg) + sizeof(*s.locks)));
	if (!s.sg)
		return -ENOMEM;
	s.locks = (struct gmp_chan **)(s.sg + n);
	r = select_slow(&s, call);
	free(s.sg);
	return r;
}

static inline int select_any(struct gmp_case *cases, int n, uint64_t deadline, const char *call)
{
	int r = check(cases, n);

	if (unlikely(r < 0))
		return r;
	r = look(cases, n);
	if (r >= 0)
		return r;
	return n <= FEW ? select_few(cases, n, deadline, call) :
			  select_many(cases, n, deadline, call);
}

RT_PUBLIC int gmp_select_until(struct gmp_case *cases, int n, uint64_t deadline)
{
	return select_any(cases, n, deadline, "gmp_select_until");
}

RT_PUBLIC int gmp_select(struct gmp_case *cases, int n)
{
	return select_any(cases, n, 0, "gmp_select");
}

RT_PUBLIC int gmp_select_try(struct gmp_case *cases, int n)
{
	int r;

	if (n != 1)
		return select_any(cases, n, 0, NULL);
	/* One case and a default: most often this, and most often not ready. */
	r = check(cases, n);
	if (unlikely(r < 0))
		return r;
	if (!seems_ready(cases))
		return -EAGAIN;		/* of a single channel that much is certain */
	return look(cases, n) < 0 ? -EAGAIN : 0;
}
