/* SPDX-License-Identifier: MIT */
/*
 * mutex_turn_test.c - whom a mutex lets stand before others: who waited already, not who tried to.
 *
 * mutex.c once more, under other names: what is tested is inside.
 */
#include <gmprt/sync.h>

#include "sync/sema.h"

#define gmp_mutex_lock		twin_lock
#define gmp_mutex_trylock	twin_trylock
#define gmp_mutex_unlock	twin_unlock
#define rt_mutex_lock		twin_lock_why

void twin_lock(struct gmp_mutex *m);
int twin_trylock(struct gmp_mutex *m);
void twin_unlock(struct gmp_mutex *m);
void twin_lock_why(struct gmp_mutex *m, enum gmp_wait_reason why, const char *text);

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
