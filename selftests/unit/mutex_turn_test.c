/* SPDX-License-Identifier: MIT */
/*
 * mutex_turn_test.c - whom a mutex lets stand before others: who waited already, not who tried to; and
 * to whom it is handed: who has waited for more than a millisecond.
 *
 * mutex.c once more, under other names, with a clock that stands still: what is tested is inside.
 */
#include <gmprt.h>

#include "os/clock.h"
#include "sync/sema.h"

#define rt_now			the_time
#define gmp_mutex_lock		twin_lock
#define gmp_mutex_trylock	twin_trylock
#define gmp_mutex_unlock	twin_unlock
#define rt_mutex_lock		twin_lock_why

void twin_lock(struct gmp_mutex *m);
int twin_trylock(struct gmp_mutex *m);
void twin_unlock(struct gmp_mutex *m);
void twin_lock_why(struct gmp_mutex *m, enum gmp_wait_reason why, const char *text);

static uint64_t the_time(void);

#include "sync/mutex.c"

#include "gmptest.h"

/* Between its look at the state and its turn somebody else came: it queues anew, behind him. */
TEST(who_comes_too_late_to_queue_has_not_waited)
{
	struct gmp_mutex m = { .state = LOCKED | WAITER };
	struct attempt a = { 0 };

	CHECK(!wait_turn(&m, LOCKED, &a, GMP_WAIT_MUTEX));
	CHECK_EQ(m.state, LOCKED | WAITER);
	CHECK_EQ(a.since, 0);
}

/* ---- starvation ---------------------------------------------------------------------------------------- */

static uint64_t clock_ns = 5000000;
static struct gmp_mutex mu;
static uint32_t handed;		/* how often the other one had the lock */

static uint64_t the_time(void)
{
	return clock_ns;
}

static void wants_it(void *arg)
{
	(void)arg;
	twin_lock(&mu);
	handed++;
	twin_unlock(&mu);
}

static void until_it_waits(void)
{
	while (mu.state / WAITER != 1)
		gmp_yield();
}

/* It is woken, but we have the lock again before it runs: it waits once more, since @ns in all. */
static void lose_after(uint64_t ns)
{
	twin_unlock(&mu);
	CHECK_EQ(handed, 0);		/* as long as nobody starves, unlock does not wait for anybody */
	twin_lock(&mu);
	clock_ns = 5000000 + ns;
	until_it_waits();
	CHECK_EQ(handed, 0);
}

static int starves(void *arg)
{
	(void)arg;
	gmp_nopreempt_begin();
	twin_lock(&mu);
	CHECK(gmp_go(wants_it, NULL) > 1);
	until_it_waits();
	lose_after(999999);
	CHECK(!(mu.state & STARVING));
	lose_after(1000000);
	CHECK(!(mu.state & STARVING));
	lose_after(1000001);
	CHECK(mu.state & STARVING);
	twin_unlock(&mu);
	CHECK_EQ(handed, 1);		/* handed over: it had it before unlock came back */
	CHECK_EQ(mu.state, 0);
	gmp_nopreempt_end();
	return 0;
}

TEST(starvation_begins_after_a_millisecond)
{
	setenv("GMP_MAXPROCS", "1", 1);
	setenv("GMP_DEBUG", "sysmon=0", 1);
	CHECK_EQ(gmp_run(starves, NULL), 0);
}
