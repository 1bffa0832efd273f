/* SPDX-License-Identifier: MIT */
/*
 * Go's numbers, each seen in the counters of a P: every 61st tick, a ring of 256, half of it and one
 * more on overflow, a share of len / procs + 1 and at most 128, half of a victim's ring, runnext on the
 * last pass only, free lists of 64 and 32, the order of one P.
 *
 * Everything is looked at by one goroutine, on one P or in a stopped world: nothing depends on time.
 */
#include <gmprt.h>
#include <pthread.h>

#include "alone.h"
#include "sched/hot.h"

static uint32_t ended;		/* atomic */

static void ends(void *arg)
{
	(void)arg;
	rt_add_rlx(&ended, 1);
}

static struct rt_p *my_p(void)
{
	return rt_getm()->p;
}

static uint32_t ring_len(const struct rt_p *pp)
{
	return pp->runqtail - pp->runqhead;
}

static void spawn(int n)
{
	while (n-- > 0)
		CHECK(gmp_go(ends, NULL) > 1);
}

/* Until all that was spawned here has run. */
static void drain(uint32_t n)
{
	while (rt_load_rlx(&ended) < n)
		gmp_yield();
	while (gmp_num_goroutine() > 1)		/* one that has counted still ends, perhaps elsewhere */
		gmp_yield();
}

/* ---- the ring ------------------------------------------------------------------------------------- */

ON(1, the_ring_holds_256_beside_runnext)
{
	struct rt_p *pp = my_p();

	spawn(257);
	CHECK(pp->runnext != NULL);
	CHECK_EQ(ring_len(pp), 256);
	CHECK_EQ(pp->c.overflows, 0);
	CHECK_EQ(rt_sched.globq.n, 0);
	drain(257);
}

ON(1, overflow_moves_half_and_the_newcomer)
{
	struct rt_p *pp = my_p();

	spawn(258);
	CHECK_EQ(pp->c.overflows, 1);
	CHECK_EQ(pp->c.overflow_gs, 128 + 1);
	CHECK_EQ(ring_len(pp), 128);
	CHECK_EQ(rt_sched.globq.n, 129);
	spawn(128);
	CHECK_EQ(pp->c.overflows, 1);
	spawn(1);
	CHECK_EQ(pp->c.overflows, 2);
	CHECK_EQ(pp->c.overflow_gs, 2 * 129);
	drain(258 + 129);
}

static int order[8], norder;

static void notes(void *arg)
{
	order[norder++] = (int)(intptr_t)arg;
}

/* The last one made runs first; before it was made they were in line. */
ON(1, local_fifo_behind_runnext)
{
	static const int want[] = { 5, 1, 2, 3, 4 };

	for (intptr_t i = 1; i <= 5; i++)
		CHECK(gmp_go(notes, (void *)i) > 1);
	while (norder < 5)
		gmp_yield();
	for (int i = 0; i < 5; i++)
		CHECK_EQ(order[i], want[i]);
}

/* gmp_yield() is the end of the global queue: what is local goes first, but for the 61st tick. */
ON(1, yield_goes_behind_everything_local)
{
	while (my_p()->schedtick % 61 != 1)
		gmp_yield();
	spawn(50);
	gmp_yield();
	CHECK_EQ(rt_load_rlx(&ended), 50);
	while (my_p()->schedtick % 61 != 51)
		gmp_yield();
	spawn(50);
	gmp_yield();
	CHECK_EQ(rt_load_rlx(&ended), 50 + 11);	/* runnext, which is no tick, and 51 to 60 */
	drain(100);
}

/* ---- every 61st tick -------------------------------------------------------------------------------- */

#define LINKS	(61 * 20)

static uint64_t at_tick[LINKS];
static uint32_t chain, seen;

/* The ring is never empty: each starts the next, and one that takes runnext (which is no tick). */
static void link_of_a_chain(void *arg)
{
	(void)arg;
	if (++chain < LINKS) {
		CHECK(gmp_go(link_of_a_chain, NULL) > 1);
		spawn(1);
	}
}

ON(1, the_global_queue_every_61st_tick)
{
	struct rt_p *pp = my_p();
	uint64_t ticks = pp->c.globq_ticks, last = pp->schedtick;

	CHECK(gmp_go(link_of_a_chain, NULL) > 1);
	while (chain < LINKS - 61) {
		gmp_yield();
		at_tick[seen++] = pp->schedtick;
	}
	CHECK(seen >= 18);
	CHECK_EQ(pp->c.globq_ticks - ticks, seen);
	for (uint32_t i = 0; i < seen; i++) {
		CHECK_EQ(at_tick[i] % 61, 1);	/* it was chosen at a multiple, and then counted */
		CHECK(i == 0 || at_tick[i] - at_tick[i - 1] == 61);
		CHECK(at_tick[i] - last <= 61);
		last = at_tick[i];
	}
	while (gmp_num_goroutine() > 1)
		gmp_yield();
}

/* ---- shares of the global queue ------------------------------------------------------------------------ */

static void *spawn_from_outside(void *arg)
{
	spawn((int)(intptr_t)arg);	/* no P: the global queue */
	return NULL;
}

static void fill_globq(int n)
{
	pthread_t th;

	CHECK_EQ(pthread_create(&th, NULL, spawn_from_outside, (void *)(intptr_t)n), 0);
	CHECK_EQ(pthread_join(th, NULL), 0);
}

/* What a P with an empty ring takes at once. */
static uint64_t share(struct rt_p *pp, uint32_t max)
{
	uint64_t got = pp->c.globq_got;
	struct rt_g *gp;

	rt_lock(&rt_sched.lock);
	gp = rt_globq_get(pp, max);
	rt_unlock(&rt_sched.lock);
	CHECK(gp != NULL);
	rt_runq_put(pp, gp, false);
	return pp->c.globq_got - got;
}

static void put_back(struct rt_p *pp)
{
	struct rt_g *gp;

	rt_lock(&rt_sched.lock);
	while ((gp = rt_runq_get(pp)) != NULL)
		rt_globq_put(gp);
	rt_unlock(&rt_sched.lock);
}

ON(4, a_share_is_length_by_procs_and_one)
{
	struct rt_p *pp;

	CHECK_EQ(gmp_stop_world("numbers"), 0);
	pp = my_p();
	put_back(pp);
	fill_globq(10);
	CHECK_EQ(rt_sched.globq.n, 10);
	CHECK_EQ(share(pp, 0), 10 / 4 + 1);
	put_back(pp);
	CHECK_EQ(share(pp, 1), 1);
	put_back(pp);
	fill_globq(390);
	CHECK_EQ(share(pp, 0), 400 / 4 + 1);
	put_back(pp);
	fill_globq(600);
	CHECK_EQ(share(pp, 0), 128);	/* not 251 */
	put_back(pp);
	CHECK_EQ(rt_sched.globq.n, 1000);
	CHECK_EQ(gmp_start_world(), 0);
	drain(1000);
}

/* ---- stealing -------------------------------------------------------------------------------------------- */

/* All of @from to @to, through the thief's door; how many were taken first. */
static uint64_t steal(struct rt_p *to, struct rt_p *from, bool runnext)
{
	uint64_t stolen = to->c.stolen;
	struct rt_g *gp = rt_runq_steal(to, from, runnext);

	if (gp)
		rt_runq_put(to, gp, false);
	return to->c.stolen - stolen;
}

static struct rt_p *other_p(void)
{
	uint32_t n = rt_sched.maxprocs;

	for (uint32_t i = 0; i < n; i++)
		if (rt_sched.allp[i] != my_p())
			return rt_sched.allp[i];
	return NULL;
}

static void everything_to(struct rt_p *to, struct rt_p *from)
{
	while (steal(to, from, true))
		put_back(from == to ? from : to);
}

ON(2, a_thief_takes_half)
{
	static const uint32_t lens[] = { 1, 2, 3, 10, 255, 256 };
	uint32_t spawned = 0;

	for (int i = 0; i < 6; i++) {
		struct rt_p *thief, *victim;

		CHECK_EQ(gmp_stop_world("numbers"), 0);
		thief = other_p();
		victim = my_p();
		put_back(victim);
		spawn((int)lens[i] + 1);		/* one of them is runnext */
		spawned += lens[i] + 1;
		CHECK_EQ(ring_len(victim), lens[i]);
		CHECK_EQ(steal(thief, victim, false), lens[i] - lens[i] / 2);
		CHECK_EQ(ring_len(victim), lens[i] / 2);
		CHECK(victim->runnext != NULL);
		put_back(thief);
		put_back(victim);
		everything_to(thief, victim);
		put_back(thief);
		CHECK_EQ(gmp_start_world(), 0);
		drain(spawned);
	}
}

ON(2, runnext_is_stolen_on_the_last_pass_only)
{
	struct rt_p *thief, *victim;

	CHECK_EQ(gmp_stop_world("numbers"), 0);
	thief = other_p();
	victim = my_p();
	put_back(victim);
	spawn(1);
	CHECK(victim->runnext != NULL);
	CHECK_EQ(steal(thief, victim, false), 0);
	CHECK(victim->runnext != NULL);
	CHECK_EQ(thief->c.stolen_runnext, 0);
	CHECK_EQ(steal(thief, victim, true), 1);
	CHECK_EQ(thief->c.stolen_runnext, 1);
	CHECK(victim->runnext == NULL);
	put_back(thief);
	CHECK_EQ(gmp_start_world(), 0);
	drain(1);
}

/* ---- spinning: at most half as many as there are busy Ps ------------------------------------------------ */

static bool may_spin(uint32_t idle, uint32_t spinning)
{
	rt_store_rlx(&rt_sched.npidle, idle);
	rt_store_rlx(&rt_sched.nmspinning, spinning);
	return rt_may_spin(rt_getm());
}

/* The numbers are made up while the world stands still, and put back. */
ON(8, spinning_is_limited_to_half_of_the_busy)
{
	uint32_t idle, spinning;

	CHECK_EQ(gmp_stop_world("numbers"), 0);
	idle = rt_sched.npidle;
	spinning = rt_sched.nmspinning;
	CHECK(may_spin(0, 0) && may_spin(0, 3) && !may_spin(0, 4) && !may_spin(0, 8));
	CHECK(may_spin(4, 1) && !may_spin(4, 2));
	CHECK(may_spin(6, 0) && !may_spin(6, 1));
	CHECK(may_spin(7, 0) && !may_spin(7, 1));
	rt_getm()->spinning = true;		/* who does already may go on */
	CHECK(may_spin(7, 1) && may_spin(0, 4));
	rt_getm()->spinning = false;
	rt_store_rlx(&rt_sched.npidle, idle);
	rt_store_rlx(&rt_sched.nmspinning, spinning);
	CHECK_EQ(gmp_start_world(), 0);
}

static struct rt_m sleeper;	/* stands first on the idle list; no thread will ever be woken */

static void fall_asleep(struct rt_p *pp)
{
	rt_lock(&rt_sched.lock);
	rt_p_idle_put(pp);
	if (!sleeper.idle) {
		sleeper.idle = true;
		sleeper.schedlink = rt_sched.midle;
		rt_sched.midle = &sleeper;
		rt_sched.nmidle++;
	}
	rt_unlock(&rt_sched.lock);
}

/* Was it given @pp, and to spin? */
static bool was_started(struct rt_p *pp, bool spinning)
{
	bool so = sleeper.nextp == pp && sleeper.spinning == spinning;

	sleeper.nextp = NULL;
	return so;
}

/* The idle P and the idle M are there for whoever wants them, in a world that else stands still. */
ON(2, who_is_woken_to_look_spins_who_is_started_for_work_does_not)
{
	struct rt_gqueue q = { 0 };
	struct rt_p *pp;

	CHECK_EQ(gmp_stop_world("numbers"), 0);
	sleeper.slot = &sleeper.own_slot;
	pp = other_p();
	spawn(1);
	rt_gqueue_push(&q, rt_runq_get(my_p()));
	rt_p_unstop(pp);
	fall_asleep(pp);
	rt_wakep();
	CHECK(was_started(pp, true));
	CHECK_EQ(rt_sched.nmspinning, 1);
	fall_asleep(pp);
	rt_wakep();			/* one looks already */
	CHECK(sleeper.idle && sleeper.nextp == NULL);
	rt_store_rlx(&rt_sched.nmspinning, 0);
	rt_inject(&q);
	CHECK(was_started(pp, false));
	CHECK_EQ(rt_sched.nmspinning, 0);
	CHECK_EQ(rt_sched.globq.n, 1);
	rt_p_stop(pp, GMP_P_IDLE);
	CHECK_EQ(gmp_start_world(), 0);
	drain(1);
}

/* ---- free lists ---------------------------------------------------------------------------------------------- */

ON(1, free_gs_64_a_p_and_32_after_giving_away)
{
	struct rt_p *pp = my_p();
	uint32_t most = 0;

	spawn(200);
	for (uint32_t had = 0; had < 200; had = rt_load_rlx(&ended)) {
		gmp_yield();
		most = pp->gfree.n > most ? (uint32_t)pp->gfree.n : most;
	}
	CHECK(most < 64);
	CHECK(pp->gfree.n >= 32 && pp->gfree.n < 64);
	CHECK_EQ(RT_GFREE_HIGH, 64);
	CHECK_EQ(RT_GFREE_LOW, 32);
	for (int i = 0; i < 3; i++) {		/* they are used again, not made */
		uint64_t hits = pp->c.gfree_hits, n = pp->gfree.n;

		spawn((int)n);
		CHECK_EQ(pp->c.gfree_hits - hits, n);
		CHECK_EQ(pp->gfree.n, 0);
		drain(rt_load_rlx(&ended) + (uint32_t)n);
	}
}

TEST(limits_of_ps_and_ms)
{
	CHECK_EQ(RT_MAX_P, 1024);
	CHECK_EQ(GMP_MAX_M >= 10000, 1);
	CHECK_EQ(RT_STEAL_TRIES, 4);
	CHECK_EQ(RT_FORCE_PREEMPT_NS, 10000000);
}
