/* SPDX-License-Identifier: MIT */
/*
 * m.c - the Ms: all of them, their numbers, how a thread becomes one and is none any more.
 *
 * Owns:       allm, the numbers of Ms, sched.mdead, sched.munmade.       Not here: m_make.c, m_idle.c.
 * Invariants: at most sched.maxmcount Ms.
 * Locks:      sched.lock. allm is an RCU list: readers need no lock, an M is freed a grace period
 *             after it left the list.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "debug/signal.h"
#include "os/futex.h"
#include "os/kern.h"
#include "sched/eh.h"
#include "sched/hot.h"
#include "sched/m.h"
#include "sched/preempt.h"
#include "sched/rcu.h"

__thread struct gmp_tls rt_tls __attribute__((tls_model("initial-exec"), aligned(64)));

struct m_node {
	struct rt_m m;			/* first */
	struct rt_later later;
};

/* ---- numbers; sched.lock held --------------------------------------------------------------------- */

static int64_t id_take(void)
{
	for (uint32_t i = 0; i < RT_ARRAY_SIZE(rt_sched.mids); i++) {
		uint64_t free = ~rt_sched.mids[i];
		uint32_t id;

		if (!free)
			continue;
		id = i * 64 + (uint32_t)__builtin_ctzll(free);
		if (id >= rt_sched.maxmcount)
			return -1;
		rt_sched.mids[i] |= 1ull << (id % 64);
		return id;
	}
	return -1;
}

static void id_put(uint32_t id)
{
	rt_sched.mids[id / 64] &= ~(1ull << (id % 64));
}

/* ---- allm --------------------------------------------------------------------------------------------- */

/*
 * As Go: what needs so many threads has lost control of its system calls, and would take the machine
 * with it. A thread that cannot be made for lack of memory is another matter: start_failed().
 */
static rt_cold _Noreturn void exhausted(void)
{
	rt_say("runtime: program exceeds %u-thread limit\n", rt_sched.maxmcount);
	rt_throw("thread exhaustion");
}

/* sched.lock held */
static void count_new(void)
{
	rt_own_add(&rt_sched.mcount, 1);
	rt_own_add(&rt_sched.mcreated, 1);
}

/* One for which no thread could be made. sched.lock held. */
static struct rt_m *unmade_get(void)
{
	struct rt_m *mp = rt_sched.munmade;

	if (!mp)
		return NULL;
	rt_sched.munmade = mp->schedlink;
	mp->schedlink = NULL;
	count_new();
	return mp;
}

/*
 * @mp, which is new, gets a number and stands on allm. False: the run is over, or there are too many.
 * sched.lock held.
 */
static bool m_add(struct rt_m *mp)
{
	int64_t id = rt_load_acq(&rt_sched.ending) ? -1 : id_take();

	if (id < 0)
		return false;
	mp->id = (uint32_t)id;
	count_new();
	mp->alllink = rt_sched.allm;
	rt_store_rel(&rt_sched.allm, mp);
	return true;
}

static struct rt_m *m_new(void)
{
	struct m_node *node = aligned_alloc(64, (sizeof(*node) + 63) & ~63ul);
	bool added, ending;

	if (!node)
		return NULL;
	memset(node, 0, sizeof(*node));
	node->m.slot = &node->m.own_slot;
	rt_lock(&rt_sched.lock);
	ending = rt_load_acq(&rt_sched.ending);
	added = m_add(&node->m);
	rt_unlock(&rt_sched.lock);
	if (added)
		return &node->m;
	free(node);
	if (!ending)
		exhausted();
	return NULL;
}

/* An M on allm, not yet a thread. NULL: no memory, or the run is over. */
struct rt_m *rt_m_alloc(void)
{
	struct rt_m *mp;

	rt_lock(&rt_sched.lock);
	mp = rt_load_acq(&rt_sched.ending) ? NULL : unmade_get();
	rt_unlock(&rt_sched.lock);
	return mp ? mp : m_new();
}

/* Takes @mp off allm; its number stays taken. sched.lock held. */
void rt_m_disown(struct rt_m *mp)
{
	struct rt_m **p = &rt_sched.allm;

	while (*p != mp)
		p = &(*p)->alllink;
	rt_store_rel(p, mp->alllink);
	rt_own_add(&rt_sched.mcount, -1);
}

/* The same for one that ends; sched.lock held. */
void rt_m_unlink(struct rt_m *mp)
{
	rt_m_disown(mp);
	id_put(mp->id);
}

static void m_free(struct rt_m *mp)
{
	struct m_node *node = rt_container_of(mp, struct m_node, m);

	rt_free_later(&node->later, node);
}

/* At the end it is not to be used again; once. sched.lock held. */
static void unlink_unmade(struct rt_m *mp)
{
	if (!mp->created)
		return;
	mp->created = false;
	rt_own_add(&rt_sched.mcount, 1);	/* which rt_m_unlink() takes off */
	rt_m_unlink(mp);
}

/*
 * Takes back what rt_m_alloc() did, for one that never became a thread. It stays on allm: to free it takes a
 * grace period, and so a thread, and there is none to be had.
 */
void rt_m_unmake(struct rt_m *mp)
{
	rt_lock(&rt_sched.lock);
	mp->schedlink = rt_sched.munmade;
	rt_sched.munmade = mp;
	rt_own_add(&rt_sched.mcount, -1);
	if (rt_load_acq(&rt_sched.ending))
		unlink_unmade(mp);
	rt_unlock(&rt_sched.lock);
}

/* The end: takes them off allm, where only threads are waited for, */
void rt_m_unlink_unmade(void)
{
	rt_lock(&rt_sched.lock);
	for (struct rt_m *mp = rt_sched.munmade; mp; mp = mp->schedlink)
		unlink_unmade(mp);
	rt_unlock(&rt_sched.lock);
}

/* and when no thread is left frees them. */
void rt_m_free_unmade(void)
{
	struct rt_m *mp;

	while ((mp = rt_sched.munmade) != NULL) {
		rt_sched.munmade = mp->schedlink;
		free(rt_container_of(mp, struct m_node, m));
	}
}

/* Where the thread's own stack lies: wanted by sanitizers only, and dear to find out for m0. */
static void bounds_of_g0(struct rt_g *g0)
{
	pthread_attr_t attr;
	void *lo;
	size_t size;

	if (!RT_SANITIZED || pthread_getattr_np(pthread_self(), &attr))
		return;
	if (pthread_attr_getstack(&attr, &lo, &size) == 0) {
		g0->stack_lo = (uintptr_t)lo;
		g0->stack_hi = (uintptr_t)lo + size;
	}
	pthread_attr_destroy(&attr);
}

/* gmp_run() may be called in a catch block: its exceptions are not goroutine 1's. */
static void eh_begin(struct rt_m *mp)
{
	mp->eh = rt_eh_here();
	if (rt_eh_busy(mp))
		mp->eh_before = rt_eh_take(mp);
}

static void eh_end(struct rt_m *mp)
{
	if (mp->eh)
		*mp->eh = mp->eh_before;
}

/* The thread becomes an M for everyone who looks, but for the module: TLS block, shared slot, RCU. */
void rt_m_thread_init(struct rt_m *mp)
{
	struct gmp_tls *t = &rt_tls;

	mp->tls = t;
	mp->tid = (uint32_t)rt_syscall6(SYS_gettid, 0, 0, 0, 0, 0, 0);
	mp->thread = pthread_self();
	mp->rng = (rt_now() ^ ((uint64_t)mp->tid << 32)) | 1;
	mp->g0.m = mp;
	pthread_sigmask(SIG_SETMASK, NULL, &mp->sigmask);
	eh_begin(mp);
	bounds_of_g0(&mp->g0);
	rt_san_init_thread(&mp->g0.san);
	if (rt_sched.m_user && mp->id < rt_sched.nr_m_slots) {
		mp->slot = &rt_sched.m_user[mp->id];
		memset(mp->slot, 0, sizeof(*mp->slot));
	}
	rcu_register_thread();
	rt_locks_show(&mp->locks);
	rt_signal_thread_init();
	*t = (struct gmp_tls){ .tid = mp->tid, .m_id = mp->id, .m = (uintptr_t)mp, .p = -1,
			       .slot = (uintptr_t)mp->slot };
	rt_publish_p(mp, -1);
	rt_publish_m(mp, GMP_M_SCHED);
	rt_store_rel(&t->magic, GMP_TLS_MAGIC);
}

void rt_m_register(struct rt_m *mp)
{
	if (mp->slot != &mp->own_slot && rt_sched.kern->m_register(mp->id, mp->id) < 0) {
		mp->slot = &mp->own_slot;	/* runs on unregistered: limits, or out of memory */
		rt_store_rlx(&mp->tls->slot, (uintptr_t)mp->slot);
	}
	rt_acct_thread_init(mp);
}

void rt_m_thread_exit(struct rt_m *mp)
{
	if (mp->slot != &mp->own_slot)
		rt_sched.kern->m_unregister();
	rt_tls = (struct gmp_tls){ 0 };
	rt_locks_show(NULL);
	eh_end(mp);
	rt_signal_thread_exit();
	rt_rcu_leave();
}

int rt_m_init_main(void)
{
	struct rt_m *mp = rt_m_alloc();

	if (!mp)
		return -ENOMEM;
	rt_sched.m0 = mp;
	rt_preempt_let_through();	/* before its mask is read, by us and by the module */
	rt_m_thread_init(mp);
	rt_m_register(mp);
	rt_sched.sigmask = mp->sigmask;
	rt_sched.timerslack = (uint32_t)prctl(PR_GET_TIMERSLACK);
	return 0;
}

void rt_m_end_main(void)
{
	struct rt_m *mp = rt_sched.m0;

	rt_m_thread_exit(mp);
	rt_preempt_block_again();
	rt_lock(&rt_sched.lock);
	rt_m_unlink(mp);
	rt_unlock(&rt_sched.lock);
	rt_sched.m0 = NULL;
	free(rt_container_of(mp, struct m_node, m));
}

/* ---- ends -------------------------------------------------------------------------------------------- */

/* Joins threads that ended; anyone, no lock held. */
void rt_m_reap(void)
{
	struct rt_m *mp;

	rt_lock(&rt_sched.lock);
	mp = rt_sched.mdead;
	rt_store_rlx(&rt_sched.mdead, NULL);
	rt_unlock(&rt_sched.lock);
	while (mp) {
		struct rt_m *next = mp->schedlink;

		pthread_join(mp->thread, NULL);
		m_free(mp);
		mp = next;
	}
}

/* Those that are neither m0 nor, if not @calls, in a declared system call. sched.lock held. */
static uint32_t others(bool calls)
{
	uint32_t n = 0;

	for (struct rt_m *mp = rt_sched.allm; mp; mp = mp->alllink) {
		struct rt_g *gp = rt_load_rlx(&mp->curg);

		if (mp == rt_sched.m0 || (!calls && gp && rt_load_rlx(&gp->h.status) == GMP_G_SYSCALL))
			continue;
		n++;
	}
	return n;
}

/*
 * The end of gmp_run(): how many threads but m0 are still inside after @ns; a tenth of that for those
 * in declared calls, which nothing can hurry.
 */
uint32_t rt_m_wait_others(int64_t ns)
{
	const struct timespec pace = { .tv_nsec = 50000 };
	uint64_t begin = rt_now(), spent;
	uint32_t left, wanted;

	for (;;) {
		rt_preempt_all(RT_ATT_STOP);	/* those in tight loops */
		rt_preempt_lost();		/* likewise, without a P */
		rt_m_reap();
		spent = rt_now() - begin;
		rt_lock(&rt_sched.lock);
		left = others(true);
		wanted = spent < (uint64_t)ns / 10 ? left : others(false);
		rt_unlock(&rt_sched.lock);
		if (wanted == 0 || spent >= (uint64_t)ns)
			break;
		nanosleep(&pace, NULL);
	}
	rt_m_reap();	/* who ended after the last look: the next run knows nothing of it */
	return left;
}
