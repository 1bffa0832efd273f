/* SPDX-License-Identifier: MIT */
/*
 * sched_steal_test.c - where an M without a goroutine looks, and in what order: sources, victims, passes,
 * who may spin, and whom the one that found work wakes.
 *
 * find.c once more, under other names: its doors to thieves and to rt_wakep() lead through here, so that each
 * visit of a victim is counted. One goroutine looks, in a world that stands still: nothing depends on time.
 */
#include <gmprt.h>
#include <pthread.h>

#include "alone.h"
#include "sched/hot.h"
#include "sched/time.h"

#define rt_may_spin		twin_may_spin
#define rt_poller_until		twin_poller_until
#define rt_find_runnable	twin_find_runnable
#define rt_runq_steal		visit
#define rt_wakep		chain

bool twin_may_spin(const struct rt_m *mp);
void twin_poller_until(uint64_t when);
struct rt_g *twin_find_runnable(struct rt_m *mp);
static struct rt_g *visit(struct rt_p *pp, struct rt_p *victim, bool last);
static void chain(void);

#include "sched/find.c"

#undef rt_runq_steal

enum { MAX_VISITS = 64 };

static struct {
	struct rt_p *victim;
	bool last;
} visits[MAX_VISITS];
static int nvisits, chained;

static struct rt_g *visit(struct rt_p *pp, struct rt_p *victim, bool last)
{
	CHECK(nvisits < MAX_VISITS);
	visits[nvisits].victim = victim;
	visits[nvisits++].last = last;
	return rt_runq_steal(pp, victim, last);
}

static void chain(void)
{
	chained++;
}

/* ---- a world that stands still, in which this M looks around ------------------------------------------- */

static uint32_t ended;		/* atomic */
static uint32_t spawned;

static void ends(void *arg)
{
	(void)arg;
	rt_add_rlx(&ended, 1);
}

static struct rt_m *me;
static struct rt_p *mine;
static struct rt_g *self;

/* Those that lost their P to the stop, or had given it up, may still be on their way. */
static bool others_sleep(void)
{
	bool so;

	rt_lock(&rt_sched.lock);
	so = rt_sched.nmidle + 1 == rt_sched.mcount;
	rt_unlock(&rt_sched.lock);
	return so && !rt_load_acq(&rt_sched.nmspinning);
}

/*
 * The other Ps are in GCSTOP, no M but ours has one. Who asks whether the world stops is told that it does not,
 * for find.c would wait. No P is idle, so that nothing made here wakes anybody.
 */
static void stand_still(void)
{
	CHECK_EQ(gmp_stop_world("numbers"), 0);
	while (!others_sleep())
		usleep(100);
	rt_store_rel(&rt_sched.gcwaiting, 0);
	me = rt_getm();
	mine = me->p;
	self = rt_getg();
	CHECK_EQ(rt_load_rlx(&rt_sched.npidle), 0);
	nvisits = chained = 0;
	me->rng = 20261121;
}

static void put_global(struct rt_g *gp)
{
	rt_lock(&rt_sched.lock);
	rt_globq_put(gp);
	rt_unlock(&rt_sched.lock);
}

/* Who spins shows that it carries nobody. */
static void carry_on(void)
{
	rt_publish(me, self, self->h.goid, GMP_G_RUNNING, GMP_M_RUNNING);
}

/* The world goes on; what was made here runs to its end. */
static void go_on(void)
{
	struct rt_g *gp;

	carry_on();
	for (uint32_t i = 0; i < rt_sched.maxprocs; i++)
		while ((gp = rt_runq_get(rt_sched.allp[i])) != NULL)
			put_global(gp);
	rt_store_rel(&rt_sched.gcwaiting, 1);
	CHECK_EQ(gmp_start_world(), 0);
	while (rt_load_rlx(&ended) < spawned || gmp_num_goroutine() > 1)
		gmp_yield();
}

/* A RUNNABLE one on no queue: it must get to one before the world goes on. */
static struct rt_g *make(void)
{
	struct rt_g *gp;

	carry_on();
	CHECK(gmp_go(ends, NULL) > 1);
	spawned++;
	gp = rt_runnext_take(mine);
	CHECK(gp != NULL);
	return gp;
}

/* The others, in the order of their numbers. */
static struct rt_p *other(uint32_t i)
{
	return rt_sched.allp[i + (i >= (uint32_t)mine->id)];
}

static void stop_spin(void)
{
	if (!me->spinning)
		return;
	rt_store_rlx(&me->spinning, false);
	rt_sub_ar(&rt_sched.nmspinning, 1);
}

/* ---- order of the victims -------------------------------------------------------------------------------- */

/* The three others, as a number with a digit for each. */
static int order_of(int first)
{
	int order = 0;

	for (int i = first; i < first + 3; i++)
		order = order * 10 + visits[i].victim->id + 1;
	return order;
}

static void each_once(int first)
{
	uint32_t seen = 0;

	for (int i = first; i < first + 3; i++) {
		CHECK(visits[i].victim != mine);
		seen |= 1u << visits[i].victim->id;
	}
	CHECK_EQ(__builtin_popcount(seen), 3);
}

static int add_order(int *orders, int n, int order)
{
	for (int i = 0; i < n; i++)
		if (orders[i] == order)
			return n;
	orders[n] = order;
	return n + 1;
}

/* Start and stride are random: of three victims all six orders come, two passes in a row are seldom the same. */
ON(4, a_pass_visits_each_victim_once_in_a_random_order)
{
	int orders[6], n = 0, repeats = 0, before = 0;

	stand_still();
	for (int pass = 0; pass < 100; pass++) {
		nvisits = 0;
		CHECK(steal_pass(me, mine, false, rt_now()) == NULL);
		CHECK_EQ(nvisits, 3);
		each_once(0);
		n = add_order(orders, n, order_of(0));
		repeats += order_of(0) == before;
		before = order_of(0);
	}
	CHECK_EQ(n, 6);
	CHECK(repeats < 50);
	go_on();
}

/* ---- passes ------------------------------------------------------------------------------------------ */

ON(4, four_passes_and_runnext_on_the_last)
{
	struct rt_g *gp;

	stand_still();
	CHECK(steal(me, mine, 0) == NULL);	/* nothing to be had: all of it */
	CHECK_EQ(nvisits, 4 * 3);
	for (int i = 0; i < nvisits; i++)
		CHECK_EQ(visits[i].last, i >= 3 * 3);
	for (int pass = 0; pass < 4; pass++)
		each_once(3 * pass);
	for (uint32_t i = 0; i < 3; i++) {
		nvisits = 0;
		gp = make();
		other(i)->runnext = gp;
		CHECK(steal(me, mine, 0) == gp);
		CHECK(other(i)->runnext == NULL);
		CHECK(nvisits > 3 * 3 && nvisits <= 4 * 3);
		CHECK(visits[nvisits - 1].victim == other(i));
		CHECK_EQ(mine->c.stolen_runnext, i + 1);
		put_global(gp);
	}
	go_on();
}

/* What lies in a ring is taken on the first pass, before anybody's runnext. */
ON(4, rings_before_runnext)
{
	struct rt_g *ring, *next;

	stand_still();
	ring = make();
	next = make();
	rt_runq_put(other(0), next, true);
	rt_runq_put(other(2), ring, false);
	CHECK(steal(me, mine, 0) == ring);
	CHECK(nvisits <= 3);
	CHECK(steal(me, mine, 0) == next);
	put_global(ring);
	put_global(next);
	go_on();
}

/* ---- order of the sources ---------------------------------------------------------------------------- */

static struct rt_g *from_poll;

static void test_poll(int64_t delay, struct rt_gqueue *q)
{
	CHECK_EQ(delay, 0);
	rt_gqueue_push(q, from_poll);
	from_poll = NULL;
}

static void test_wake(void)
{
}

static uint32_t test_waiters(void)
{
	return from_poll != NULL;
}

static const struct rt_netpoll_ops test_ops = { test_poll, test_wake, test_waiters, test_wake };

static bool stays_asleep(struct rt_g *gp, void *arg)
{
	(void)arg;
	rt_store_rel(&from_poll, gp);
	return true;
}

static void sleeps(void *arg)
{
	rt_park(stays_asleep, NULL, GMP_WAIT_IO);
	ends(arg);
}

/* One that waits for the network, which the next poll finds ready. */
static void let_one_sleep(void)
{
	CHECK(gmp_go(sleeps, NULL) > 1);
	spawned++;
	while (!rt_load_acq(&from_poll))
		gmp_yield();
}

struct sources {
	struct rt_g *global, *next, *local, *net, *victim;
};

/* One in each, which has room for one more look at the global queue. */
static struct sources fill(void)
{
	struct sources s = { make(), make(), make(), from_poll, make() };

	put_global(s.global);
	rt_runq_put(mine, s.local, false);
	mine->runnext = s.next;
	rt_runq_put(other(0), s.victim, false);
	rt_store_rlx(&rt_sched.lastpoll, rt_now());
	return s;
}

static void found_is(struct rt_g *want)
{
	CHECK(twin_find_runnable(me) == want);
}

static void look_at_all(uint64_t tick)
{
	struct sources s;

	let_one_sleep();
	stand_still();
	rt_netpoll_set(&test_ops);
	s = fill();
	rt_store_rlx(&mine->schedtick, tick);
	if (tick % 61 == 0)
		found_is(s.global);
	found_is(s.next);
	found_is(s.local);
	if (tick % 61 != 0)
		found_is(s.global);
	found_is(s.net);
	CHECK_EQ(nvisits, 0);
	found_is(s.victim);
	CHECK(nvisits > 0);
	rt_netpoll_set(NULL);
	stop_spin();
	put_global(s.global);
	put_global(s.next);
	put_global(s.local);
	put_global(s.net);
	put_global(s.victim);
	go_on();
}

ON(2, local_global_network_then_others)
{
	look_at_all(61 * 3 + 1);
}

ON(2, at_the_61st_tick_the_global_queue_is_first)
{
	look_at_all(61 * 3);
}

/* One local and one global, at each tick of a round. */
ON(2, every_61st_tick_with_two_ps)
{
	stand_still();
	for (uint64_t tick = 61 * 5 - 30; tick < 61 * 5 + 31; tick++) {
		struct rt_g *local = make(), *global = make();
		uint64_t ticks = mine->c.globq_ticks;

		rt_runq_put(mine, local, false);
		put_global(global);
		rt_store_rlx(&mine->schedtick, tick);
		found_is(tick == 61 * 5 ? global : local);
		CHECK_EQ(mine->c.globq_ticks - ticks, tick == 61 * 5);
		rt_store_rlx(&mine->schedtick, 1);
		found_is(tick == 61 * 5 ? local : global);
		rt_runq_put(other(0), local, false);	/* its ring has room for all */
		rt_runq_put(other(0), global, false);
	}
	CHECK_EQ(nvisits, 0);
	go_on();
}

/* ---- yield with two Ps: switches that do not come by find.c --------------------------------------------- */

static uint32_t inside, leave;	/* atomic */

static void keeps_its_p(void *arg)
{
	(void)arg;
	gmp_nopreempt_begin();
	rt_store_rel(&inside, 1);
	while (!rt_load_acq(&leave))
		rt_cpu_relax();
	gmp_nopreempt_end();
}

static void spawn(int n)
{
	while (n-- > 0) {
		CHECK(gmp_go(ends, NULL) > 1);
		rt_add_rlx(&spawned, 1);
	}
}

static void *spawn_from_outside(void *arg)
{
	spawn((int)(intptr_t)arg);	/* no P: the global queue */
	return NULL;
}

static void run_to_tick(uint64_t rest)
{
	while (rt_getm()->p->schedtick % 61 != rest)
		gmp_yield();
}

/*
 * The other P has its own to do. Behind what is local, and behind what is in the global queue already: in the
 * ring this goroutine would be back before those ten. Then at the 61st tick, before what is local.
 */
ON(2, yield_goes_behind_the_global_queue)
{
	pthread_t th;

	CHECK(gmp_go(keeps_its_p, NULL) > 1);
	while (!rt_load_acq(&inside))
		;
	run_to_tick(1);
	CHECK_EQ(pthread_create(&th, NULL, spawn_from_outside, (void *)10), 0);
	CHECK_EQ(pthread_join(th, NULL), 0);
	CHECK_EQ(rt_load_rlx(&rt_sched.globq.n), 10);
	spawn(20);
	gmp_yield();
	CHECK_EQ(rt_load_rlx(&ended), 30);
	run_to_tick(51);
	spawn(50);
	gmp_yield();
	CHECK_EQ(rt_load_rlx(&ended), 30 + 11);	/* runnext, which is no tick, and 51 to 60 */
	rt_store_rel(&leave, 1);
	while (gmp_num_goroutine() > 1)
		gmp_yield();
}

/* ---- who spins --------------------------------------------------------------------------------------- */

/* Eight Ms look around with @idle Ps idle, one after the other, and find nothing; how many of them spin. */
static uint32_t spin_all(uint32_t idle)
{
	uint32_t busy = rt_sched.maxprocs - idle, n;

	rt_store_rlx(&rt_sched.npidle, idle);
	for (int i = 0; i < 8; i++) {
		nvisits = 0;
		CHECK(look(me, mine) == NULL);
		CHECK_EQ(nvisits > 0, me->spinning);
		CHECK(2 * rt_load_rlx(&rt_sched.nmspinning) <= busy + 1);
		rt_store_rlx(&me->spinning, false);	/* that was another M, and it still does */
	}
	n = rt_load_rlx(&rt_sched.nmspinning);
	rt_store_rlx(&rt_sched.nmspinning, 0);
	rt_store_rlx(&rt_sched.npidle, 0);
	return n;
}

ON(8, half_of_the_busy_spin_at_most)
{
	struct rt_g *gp;

	stand_still();
	CHECK_EQ(spin_all(0), 4);
	CHECK_EQ(spin_all(4), 2);
	CHECK_EQ(spin_all(6), 1);
	CHECK_EQ(spin_all(7), 1);
	gp = make();
	rt_runq_put(other(3), gp, false);
	rt_store_rlx(&rt_sched.nmspinning, 4);
	CHECK(look(me, mine) == NULL);		/* enough others look for it */
	rt_store_rlx(&rt_sched.nmspinning, 3);
	CHECK(look(me, mine) == gp);
	CHECK(me->spinning);
	stop_spin();
	rt_store_rlx(&rt_sched.nmspinning, 0);
	put_global(gp);
	go_on();
}

/* ---- the chain: who found work lets the next look ---------------------------------------------------- */

/* How often a spinning M that finds @gp wakes another; it spins no more. */
static int found_while_spinning(struct rt_g *gp, uint32_t idle)
{
	rt_runq_put(other(0), gp, false);
	begin_spin(me);
	CHECK_EQ(rt_load_rlx(&rt_sched.nmspinning), 1);
	chained = 0;
	rt_store_rlx(&rt_sched.npidle, idle);
	found_is(gp);
	rt_store_rlx(&rt_sched.npidle, 0);
	CHECK(!me->spinning);
	CHECK_EQ(rt_load_rlx(&rt_sched.nmspinning), 0);
	return chained;
}

ON(4, the_last_spinner_that_finds_work_wakes_the_next)
{
	struct rt_g *gp;

	stand_still();
	gp = make();
	CHECK_EQ(found_while_spinning(gp, 1), 1);
	CHECK_EQ(found_while_spinning(gp, 0), 0);	/* nobody is idle */
	rt_runq_put(mine, gp, false);
	chained = 0;
	rt_store_rlx(&rt_sched.npidle, 1);
	found_is(gp);				/* it did not spin: who queued that has seen to it */
	rt_store_rlx(&rt_sched.npidle, 0);
	CHECK_EQ(chained, 0);
	put_global(gp);
	go_on();
}

/* It has given up its P already when it sees that somebody queued work: it takes a P and goes on spinning. */
ON(4, the_last_look_takes_a_p_again)
{
	struct rt_g *gp;

	stand_still();
	gp = make();
	rt_runq_put(other(1), gp, false);
	begin_spin(me);
	rt_p_resume_own(me);
	rt_lock(&rt_sched.lock);
	rt_p_idle_put(rt_p_release(me));
	rt_unlock(&rt_sched.lock);
	CHECK(stop_spinning(me));
	CHECK(me->p == mine && me->spinning);
	CHECK_EQ(rt_load_rlx(&rt_sched.nmspinning), 1);
	rt_store_rlx(&rt_sched.npidle, 1);
	found_is(gp);
	rt_store_rlx(&rt_sched.npidle, 0);
	CHECK_EQ(chained, 1);
	rt_p_stop(mine, GMP_P_RUNNING);		/* as the others are: rt_world_start() */
	put_global(gp);
	go_on();
}
