/* SPDX-License-Identifier: MIT */
/*
 * m.c - the Ms: threads, their making, sleeping, waking and end.
 *
 * Owns:       allm, the idle list, the numbers of Ms, sched.mdead.
 * Invariants: an M sleeps in rt_m_stop() only without a P and on the idle list; whoever takes it off
 *             that list sets nextp and wakes it, once. At most sched.maxmcount Ms.
 * Locks:      sched.lock. allm is an RCU list: readers need no lock, an M is freed a grace period
 *             after it left the list.
 * Ordering:   MO-9: nextp and spinning are written before rt_note_wake(), read after the sleep. nextp is
 *             released by itself, too: at the end rt_m_wake_all() may wake an M to which a P is on its way.
 */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "debug/signal.h"
#include "os/futex.h"
#include "os/kern.h"
#include "sched/eh.h"
#include "sched/hot.h"
#include "sched/preempt.h"
#include "sched/rcu.h"

#define IDLE_KEEP	4u			/* idle Ms that stay for ever */
#define IDLE_NS		(5 * 1000000000ll)	/* others end after this long */

static void give_back(struct rt_p *pp, bool spinning, struct rt_g *gp);

__thread struct gmp_tls rt_tls __attribute__((tls_model("initial-exec"), aligned(64)));

uint32_t rt_rcu_thread;
char rt_rcu_seen;

struct m_node {
	struct rt_m m;			/* first */
	struct rcu_head rcu;
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

/* ---- making ----------------------------------------------------------------------------------------- */

static void free_node(struct rcu_head *head)
{
	rt_rcu_freed(head);
	free(rt_container_of(head, struct m_node, rcu));
}

/*
 * As Go: what needs so many threads has lost control of its system calls, and would take the machine
 * with it. A thread that cannot be made for lack of memory is another matter: start_failed().
 */
static rt_cold _Noreturn void exhausted(void)
{
	rt_say("runtime: program exceeds %u-thread limit\n", rt_sched.maxmcount);
	rt_throw("thread exhaustion");
}

/* A new M on allm, not yet a thread. NULL: no memory, or the run is over. */
static struct rt_m *m_alloc(void)
{
	struct m_node *node = aligned_alloc(64, (sizeof(*node) + 63) & ~63ul);
	struct rt_m *mp;
	int64_t id = -1;
	bool ending;

	if (!node)
		return NULL;
	memset(node, 0, sizeof(*node));
	mp = &node->m;
	mp->slot = &mp->own_slot;
	rt_lock(&rt_sched.lock);
	ending = rt_load_acq(&rt_sched.ending);
	if (!ending)
		id = id_take();
	if (id >= 0) {
		mp->id = (uint32_t)id;
		rt_own_add(&rt_sched.mcount, 1);
		rt_own_add(&rt_sched.mcreated, 1);
		mp->alllink = rt_sched.allm;
		rt_store_rel(&rt_sched.allm, mp);
	}
	rt_unlock(&rt_sched.lock);
	if (id >= 0)
		return mp;
	free(node);
	if (!ending)
		exhausted();
	return NULL;
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
static void m_unlink(struct rt_m *mp)
{
	rt_m_disown(mp);
	id_put(mp->id);
}

static void m_free(struct rt_m *mp)
{
	rt_call_rcu(&rt_container_of(mp, struct m_node, m)->rcu, free_node);
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

/*
 * With the signal mask that it is to have: to the module another one means that a handler runs. So not
 * before inherit_from_m0().
 */
static void register_m(struct rt_m *mp)
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

/* Joins threads that ended; anyone, no lock held. */
void rt_m_reap(void)
{
	struct rt_m *mp;

	rt_lock(&rt_sched.lock);
	mp = rt_sched.mdead;
	rt_sched.mdead = NULL;
	rt_unlock(&rt_sched.lock);
	while (mp) {
		struct rt_m *next = mp->schedlink;

		pthread_join(mp->thread, NULL);
		m_free(mp);
		mp = next;
	}
}

/* What a thread has of its maker: the mask was all signals until here, the slack may be sysmon's. */
static void inherit_from_m0(struct rt_m *mp)
{
	mp->sigmask = rt_sched.sigmask;
	prctl(PR_SET_TIMERSLACK, rt_sched.timerslack);
	pthread_sigmask(SIG_SETMASK, &mp->sigmask, NULL);
}

static void *m_thread(void *arg)
{
	struct rt_m *mp = arg;

	rt_m_thread_init(mp);
	inherit_from_m0(mp);
	register_m(mp);
	if (mp->nextp)
		rt_p_acquire(mp, mp->nextp);
	mp->nextp = NULL;
	rt_schedule();
	rt_m_thread_exit(mp);
	rt_lock(&rt_sched.lock);
	m_unlink(mp);
	mp->schedlink = rt_sched.mdead;
	rt_store_rlx(&rt_sched.mdead, mp);
	if (rt_sched.sysmonwait)
		rt_sysmon_wake();	/* to join us: what a thread leaves behind is its stack */
	rt_unlock(&rt_sched.lock);
	return NULL;
}

/* Takes back what m_alloc() did, for one that never became a thread. */
static void m_unmake(struct rt_m *mp)
{
	rt_lock(&rt_sched.lock);
	m_unlink(mp);
	rt_unlock(&rt_sched.lock);
	m_free(mp);
}

/* Signals are the program's: none is delivered to a thread of ours before it is set up. */
int rt_m_clone(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	sigset_t all, was;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	err = pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return -err;
}

static int m_clone(struct rt_m *mp)
{
	int err = rt_m_clone(&mp->thread, m_thread, mp);

	if (err)
		m_unmake(mp);
	return err;
}

/*
 * A thread is a copy of its maker: name, affinity, credentials, namespaces, seccomp filters. Goroutines
 * lock themselves to threads to change such things, and foreign threads are whatever the program made
 * them: Ms are not made there. sysmon, which m0 made before any goroutine ran, makes them instead.
 */
static bool odd_maker(void)
{
	struct rt_m *mp = rt_getm();

	if (!rt_sysmon_runs())
		return false;		/* an odd thread is better than none */
	if (!mp)
		return rt_tls.mstate != GMP_M_SYSMON;
	return mp->lockedg || mp->end_thread;	/* the latter: its goroutine ended locked */
}

/* Leaves the making to sysmon. False: the run is over, nobody will. */
static bool m_order(struct rt_m *mp)
{
	rt_lock(&rt_sched.lock);
	if (rt_load_acq(&rt_sched.ending)) {
		rt_unlock(&rt_sched.lock);
		m_unmake(mp);
		return false;
	}
	mp->schedlink = rt_sched.mwanted;
	rt_store_rlx(&rt_sched.mwanted, mp);
	rt_unlock(&rt_sched.lock);
	rt_sysmon_call();
	return true;
}

static struct rt_m *wanted_get(void)
{
	struct rt_m *mp;

	if (!rt_load_rlx(&rt_sched.mwanted))
		return NULL;
	rt_lock(&rt_sched.lock);
	mp = rt_sched.mwanted;
	if (mp)
		rt_store_rlx(&rt_sched.mwanted, mp->schedlink);
	rt_unlock(&rt_sched.lock);
	return mp;
}

/* sysmon: makes those that were ordered. */
void rt_m_make_wanted(void)
{
	struct rt_m *mp;

	while ((mp = wanted_get()) != NULL) {
		struct rt_g *gp = mp->picked;
		struct rt_p *pp = mp->nextp;
		bool spinning = mp->spinning;

		if (m_clone(mp))
			give_back(pp, spinning, gp);
	}
}

/* The end, after sysmon: nobody will make them. */
void rt_m_forget_wanted(void)
{
	struct rt_m *mp;

	while ((mp = wanted_get()) != NULL)
		m_unmake(mp);
}

static int m_create(struct rt_p *pp, bool spinning, struct rt_g *picked)
{
	struct rt_m *mp = m_alloc();

	if (!mp)
		return -EAGAIN;
	mp->created = true;
	rt_store_rlx(&mp->nextp, pp);
	rt_store_rlx(&mp->spinning, spinning);
	mp->picked = picked;
	if (odd_maker())
		return m_order(mp) ? 0 : -EAGAIN;
	return m_clone(mp);
}

int rt_m_start_idle(void)
{
	return m_create(NULL, false, NULL);
}

int rt_m_init_main(void)
{
	struct rt_m *mp = m_alloc();

	if (!mp)
		return -ENOMEM;
	rt_sched.m0 = mp;
	rt_m_thread_init(mp);
	register_m(mp);
	rt_sched.sigmask = mp->sigmask;
	rt_sched.timerslack = (uint32_t)prctl(PR_GET_TIMERSLACK);
	return 0;
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

void rt_m_end_main(void)
{
	struct rt_m *mp = rt_sched.m0;

	rt_m_thread_exit(mp);
	rt_lock(&rt_sched.lock);
	m_unlink(mp);
	rt_unlock(&rt_sched.lock);
	rt_sched.m0 = NULL;
	free(rt_container_of(mp, struct m_node, m));
}

/* ---- idle list; sched.lock held ---------------------------------------------------------------------- */

/* The last to sleep is the first to wake, but for m0: gmp_run() returns there, it had best be free. */
static void idle_put(struct rt_m *mp)
{
	struct rt_m **at = &rt_sched.midle;

	while (!mp->created && *at)
		at = &(*at)->schedlink;
	mp->idle = true;
	mp->schedlink = *at;
	*at = mp;
	rt_own_add(&rt_sched.nmidle, 1);
}

static struct rt_m *idle_get(void)
{
	struct rt_m *mp = rt_sched.midle;

	if (!mp)
		return NULL;
	rt_sched.midle = mp->schedlink;
	rt_own_add(&rt_sched.nmidle, -1);
	mp->idle = false;
	return mp;
}

static void idle_remove(struct rt_m *mp)
{
	struct rt_m **p = &rt_sched.midle;

	while (*p != mp)
		p = &(*p)->schedlink;
	*p = mp->schedlink;
	rt_own_add(&rt_sched.nmidle, -1);
	mp->idle = false;
}

bool rt_m_unidle(struct rt_m *mp)
{
	if (!mp->idle)
		return false;
	idle_remove(mp);
	return true;
}

/* ---- Ms with tied goroutines; sched.lock held ---------------------------------------------------------- */

/* Such an M is work for whoever has a P: its goroutines can run nowhere else. */
static void tied_put(struct rt_m *mp)
{
	mp->wants_p = true;
	mp->schedlink = NULL;
	if (rt_sched.mtied_tail)
		rt_sched.mtied_tail->schedlink = mp;
	else
		rt_sched.mtied = mp;
	rt_sched.mtied_tail = mp;
	rt_store_rel(&rt_sched.nmtied, rt_sched.nmtied + 1);
}

/* @mp was just put at the end. */
static void tied_remove(struct rt_m *mp)
{
	struct rt_m *last = NULL;

	for (struct rt_m *m = rt_sched.mtied; m != mp; m = m->schedlink)
		last = m;
	if (last)
		last->schedlink = NULL;
	else
		rt_sched.mtied = NULL;
	rt_sched.mtied_tail = last;
	rt_store_rel(&rt_sched.nmtied, rt_sched.nmtied - 1);
	mp->wants_p = false;
}

struct rt_m *rt_m_tied_get(void)
{
	struct rt_m *mp = rt_sched.mtied;

	if (!mp)
		return NULL;
	rt_sched.mtied = mp->schedlink;
	if (!rt_sched.mtied)
		rt_sched.mtied_tail = NULL;
	rt_store_rel(&rt_sched.nmtied, rt_sched.nmtied - 1);
	mp->wants_p = false;
	return mp;
}

/* Ends the sleep of an M without a P. Where it sleeps is decided before: it may be gone afterwards. */
static void m_wake(struct rt_m *mp)
{
	uint32_t id = mp->id;

	if (!rt_standby_uses(mp))
		rt_note_wake(&mp->park);	/* MO-9 */
	else if (rt_xchg_ar(&mp->park.key, 1) == 0)
		rt_sched.kern->kick(id);	/* MO-9; the module remembers it when it comes too early */
}

/* @mp sleeps and was taken off its list: it goes on with @pp. */
void rt_m_give_p(struct rt_m *mp, struct rt_p *pp, bool spinning)
{
	rt_inject_at(RT_INJ_M_START);
	rt_store_rlx(&mp->spinning, spinning);
	rt_store_rel(&mp->nextp, pp);	/* MO-9 */
	m_wake(mp);
}

/* ---- start and stop ------------------------------------------------------------------------------------ */

/* A P without an M and without work of its own goes where it is wanted. sched.lock held. */
static void place(struct rt_p *pp)
{
	struct rt_m *mp;

	if (rt_load_rlx(&rt_sched.gcwaiting)) {
		rt_p_stop(pp, GMP_P_IDLE);
		rt_gcstop_taken(pp);
		return;
	}
	mp = rt_m_tied_get();
	if (!mp && rt_sched.globq.n)
		mp = idle_get();
	if (mp)
		rt_m_give_p(mp, pp, false);
	else
		rt_p_idle_put(pp);
}

/*
 * No M could be made for @pp. One may have gone to sleep meanwhile, which found no idle P: it gets this
 * one. Else @pp is idle again and its work waits for whoever looks next: an M, or sysmon.
 */
static void start_failed(struct rt_p *pp, bool spinning)
{
	struct rt_g *gp;

	rt_lock(&rt_sched.lock);
	while ((gp = rt_runq_get(pp)) != NULL)
		rt_globq_put(gp);
	rt_yieldq_flush(pp);
	if (!rt_load_acq(&rt_sched.ending))
		place(pp);
	rt_unlock(&rt_sched.lock);
	if (spinning)
		rt_sub_ar(&rt_sched.nmspinning, 1);
}

/* The same with @gp, if not NULL, which the M was to run first. */
static void give_back(struct rt_p *pp, bool spinning, struct rt_g *gp)
{
	if (gp) {
		rt_lock(&rt_sched.lock);
		rt_globq_put(gp);
		rt_unlock(&rt_sched.lock);
	}
	start_failed(pp, spinning);
}

int rt_m_start(struct rt_p *pp, bool spinning)
{
	struct rt_m *mp;
	int err;

	rt_lock(&rt_sched.lock);
	if (!pp)
		pp = rt_p_idle_get();
	if (!pp) {
		rt_unlock(&rt_sched.lock);
		if (spinning)
			rt_sub_ar(&rt_sched.nmspinning, 1);
		return 0;
	}
	mp = rt_m_tied_get();
	if (!mp)
		mp = idle_get();
	rt_unlock(&rt_sched.lock);
	if (mp) {
		rt_m_give_p(mp, pp, spinning);
		return 0;
	}
	err = m_create(pp, spinning, NULL);
	if (err)
		start_failed(pp, spinning);
	return err;
}

/* As rt_m_start(), for an M without tied goroutines, which is to run @gp first; m0 only for main. */
void rt_m_start_with(struct rt_p *pp, struct rt_g *gp)
{
	struct rt_m *mp = NULL;

	rt_lock(&rt_sched.lock);
	if (rt_sched.midle && (rt_sched.midle->created || gp->h.goid == 1))
		mp = idle_get();
	rt_unlock(&rt_sched.lock);
	if (mp) {
		mp->picked = gp;
		rt_m_give_p(mp, pp, false);
	} else if (m_create(pp, false, gp)) {
		give_back(pp, false, gp);
	}
}

/* An M that slept long and is one of many ends; false: somebody just took it off the list. */
static bool retire(struct rt_m *mp)
{
	bool gone = false;

	rt_lock(&rt_sched.lock);
	if (mp->idle && mp->created && rt_sched.nmidle > IDLE_KEEP) {
		idle_remove(mp);
		gone = true;
	}
	rt_unlock(&rt_sched.lock);
	return gone;
}

/* Sleeps on the M's note; true when woken, false when it is to end. */
static bool sleep_idle(struct rt_m *mp)
{
	int64_t ns = mp->created ? IDLE_NS : -1;

	while (!(rt_standby_uses(mp) ? rt_standby_sleep(mp, ns) : rt_note_sleep_for(&mp->park, ns))) {
		if (retire(mp))
			return false;
	}
	return true;
}

/* After the sleep: takes the P it was given. False: it was woken without one, to end. */
static bool resumed(struct rt_m *mp)
{
	struct rt_p *pp = rt_load_acq(&mp->nextp);	/* MO-9 */

	rt_note_clear(&mp->park);
	rt_publish_m(mp, GMP_M_SCHED);
	if (!pp)
		return false;
	rt_store_rlx(&rt_sched.coarse_now, rt_now());	/* nobody may have looked at the clock meanwhile */
	rt_store_rlx(&mp->nextp, NULL);
	mp->served = false;
	rt_p_acquire(mp, pp);
	return true;
}

/*
 * Sleeps until given a P, or until the end. Context: g0, no P. Return: false when this M is to end.
 */
bool rt_m_stop(struct rt_m *mp)
{
	struct rt_p *pp;
	bool woken;

	rt_inject_at(RT_INJ_M_STOP);
	rt_lock(&rt_sched.lock);
	if (rt_load_acq(&rt_sched.ending)) {
		rt_unlock(&rt_sched.lock);
		return false;
	}
	pp = mp->tied.n && !rt_load_rlx(&rt_sched.gcwaiting) ? rt_p_idle_get() : NULL;
	if (pp) {
		rt_unlock(&rt_sched.lock);
		mp->served = false;
		rt_p_acquire(mp, pp);
		return true;
	}
	if (mp->tied.n)
		tied_put(mp);
	else
		idle_put(mp);
	pp = mp->wants_p ? rt_handoff_any() : NULL;
	if (pp) {
		tied_remove(mp);
		rt_unlock(&rt_sched.lock);
		mp->served = false;
		rt_p_acquire(mp, pp);
		return true;
	}
	rt_checkdead();
	rt_unlock(&rt_sched.lock);
	rt_publish_m(mp, GMP_M_IDLE);
	rt_rcu_offline();
	rt_inject_at(RT_INJ_M_SLEEP);
	woken = sleep_idle(mp);
	rcu_thread_online();
	woken = woken && resumed(mp);
	if (woken && rt_sched.handoff && !rt_load_rlx(&rt_sched.nmidle))
		rt_m_start_idle();	/* the next M that blocks needs one, too; without it, sysmon helps */
	return woken;
}

/* The M waits for its locked goroutine: whoever schedules that gives it a P. g0, no P. */
bool rt_m_stop_locked(struct rt_m *mp)
{
	rt_lock(&rt_sched.lock);
	if (rt_load_acq(&rt_sched.ending)) {
		rt_unlock(&rt_sched.lock);
		return false;
	}
	rt_own_add(&rt_sched.nmidlelocked, 1);
	rt_checkdead();
	rt_unlock(&rt_sched.lock);
	rt_publish_m(mp, GMP_M_LOCKED);
	rt_rcu_offline();
	rt_note_sleep(&mp->park);
	rcu_thread_online();
	return resumed(mp);
}

/* Gives P @pp to @mp, which waits in rt_m_stop_locked(). */
void rt_m_start_locked(struct rt_m *mp, struct rt_p *pp)
{
	rt_lock(&rt_sched.lock);
	rt_own_add(&rt_sched.nmidlelocked, -1);	/* may be before its ++: the sum is what counts */
	rt_unlock(&rt_sched.lock);
	rt_store_rel(&mp->nextp, pp);	/* MO-9 */
	rt_note_wake(&mp->park);
}

/* The end: wakes all. They find no P and leave; who sleeps later sees `ending` first. */
void rt_m_wake_all(void)
{
	rt_lock(&rt_sched.lock);
	while (idle_get() || rt_m_tied_get())
		;
	for (struct rt_m *mp = rt_sched.allm; mp; mp = mp->alllink)
		rt_note_wake(&mp->park);
	if (rt_sched.handoff) {
		for (struct rt_m *mp = rt_sched.allm; mp; mp = mp->alllink)
			rt_sched.kern->kick(mp->id);
	}
	rt_unlock(&rt_sched.lock);
}
