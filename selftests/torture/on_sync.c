/* SPDX-License-Identifier: MIT */
/* on_sync.c - locks, semaphore, condition, once, pool, group: nobody is inside together who must not be. */
#include "torture.h"

static void linger(uint64_t *rnd)
{
	switch (below(rnd, 8)) {
	case 0:
		gmp_yield();
		break;
	case 1:
		gmp_sleep(below(rnd, 50000));
		break;
	default:
		break;
	}
}

void op_mutex(struct torture *t, uint64_t *rnd)
{
	uint64_t was;

	if (below(rnd, 4) == 0) {
		if (gmp_mutex_trylock(&t->mutex))
			return;
	} else {
		gmp_mutex_lock(&t->mutex);
	}
	count(&t->n.locked, 1);
	was = t->in_mutex;
	linger(rnd);
	MUST(t->in_mutex == was);
	t->in_mutex = was + 1;
	count(&t->n.unlocked, 1);
	gmp_mutex_unlock(&t->mutex);
}

static void read_lock(struct torture *t, uint64_t *rnd)
{
	if (below(rnd, 4) == 0) {
		if (gmp_rwmutex_tryrlock(&t->rwmutex))
			return;
	} else {
		gmp_rwmutex_rlock(&t->rwmutex);
	}
	__atomic_add_fetch(&t->readers, 1, __ATOMIC_RELAXED);
	linger(rnd);
	MUST(__atomic_load_n(&t->writers, __ATOMIC_RELAXED) == 0);
	__atomic_sub_fetch(&t->readers, 1, __ATOMIC_RELAXED);
	gmp_rwmutex_runlock(&t->rwmutex);
}

void op_rwmutex(struct torture *t, uint64_t *rnd)
{
	if (below(rnd, 4)) {
		read_lock(t, rnd);
		return;
	}
	if (below(rnd, 2)) {
		if (gmp_rwmutex_trylock(&t->rwmutex))
			return;
	} else {
		gmp_rwmutex_lock(&t->rwmutex);
	}
	MUST(__atomic_add_fetch(&t->writers, 1, __ATOMIC_RELAXED) == 1);
	linger(rnd);
	MUST(__atomic_load_n(&t->readers, __ATOMIC_RELAXED) == 0);
	MUST(__atomic_sub_fetch(&t->writers, 1, __ATOMIC_RELAXED) == 0);
	gmp_rwmutex_unlock(&t->rwmutex);
}

static int acquire(struct torture *t, uint64_t *rnd, int64_t n)
{
	struct gmp_ctx *ctx;
	int err;

	switch (below(rnd, 3)) {
	case 0:
		return gmp_sem_try(&t->sem, n);
	case 1:
		return gmp_sem_acquire(&t->sem, n);
	default:
		ctx = gmp_ctx_with_timeout(gmp_ctx_background(), below(rnd, 200000));
		MUST(ctx);
		err = gmp_sem_acquire_ctx(ctx, &t->sem, n);
		gmp_ctx_unref(ctx);
		MUST(err == 0 || err == -ETIMEDOUT);
		return err;
	}
}

void op_sem(struct torture *t, uint64_t *rnd)
{
	int64_t n = 1 + below(rnd, SEM_PERMITS);

	if (acquire(t, rnd, n))
		return;
	MUST(__atomic_add_fetch(&t->holders, n, __ATOMIC_RELAXED) <= SEM_PERMITS);
	linger(rnd);
	__atomic_sub_fetch(&t->holders, n, __ATOMIC_RELAXED);
	MUST(gmp_sem_release(&t->sem, n) == 0);
}

static void wake_one(struct torture *t, uint64_t *rnd)
{
	(void)rnd;
	gmp_mutex_lock(&t->cond_mutex);
	t->wakes++;
	gmp_cond_signal(&t->cond);
	gmp_mutex_unlock(&t->cond_mutex);
}

/* Each waiter brings the goroutine that wakes it, or another: a wake-up too few, and one waits for ever. */
void op_cond(struct torture *t, uint64_t *rnd)
{
	MUST(torture_go(t, wake_one, draw(rnd)) > 1);
	gmp_mutex_lock(&t->cond_mutex);
	while (t->wakes == 0)
		gmp_cond_wait(&t->cond, &t->cond_mutex);
	t->wakes--;
	gmp_mutex_unlock(&t->cond_mutex);
}

static void once(void *arg)
{
	gmp_yield();
	++*(int *)arg;
}

void op_once_pool(struct torture *t, uint64_t *rnd)
{
	struct gmp_once o = { 0 };
	int done = 0;
	void *p;

	gmp_once_do(&o, once, &done);
	gmp_once_do(&o, once, &done);
	MUST(done == 1);
	p = gmp_pool_get(&t->pool);
	count(&t->n.got, p != NULL);
	if (!p)
		p = malloc(16);
	MUST(p);
	*(uint64_t *)p = draw(rnd);		/* two who got the same one: for ASan and TSan */
	if (below(rnd, 8) && gmp_pool_put(&t->pool, p) == 0) {
		count(&t->n.put, 1);
	} else {
		free(p);
	}
}

static int member(void *arg)
{
	uint64_t rnd = (uint64_t)(uintptr_t)arg | 1;

	gmp_sleep(below(&rnd, 50000));
	return below(&rnd, 4) ? 0 : -EIO;
}

void op_group(struct torture *t, uint64_t *rnd)
{
	struct gmp_group g;
	int r;

	(void)t;
	MUST(gmp_group_init(&g, NULL, 1 + (int)below(rnd, 3)) == 0);
	for (uint32_t i = below(rnd, 6); i > 0; i--)
		MUST(gmp_group_go(&g, member, (void *)(uintptr_t)draw(rnd)) > 1);
	r = gmp_group_wait(&g);
	MUST(r == 0 || r == -EIO);
	gmp_group_destroy(&g);
}
