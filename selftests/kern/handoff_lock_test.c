/* SPDX-License-Identifier: MIT */
/*
 * handoff_lock_test.c - a goroutine loses its P while it has the lock of an allocator, and the runtime, which
 * allocates with the P in hand, waits for that lock. In the guest, as root, with gmp.ko.
 */
#include <gmprt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "gmptest.h"

#define HOLD_NS	5000000

void *__libc_malloc(size_t n);

static pthread_mutex_t heap_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool locks;	/* our malloc() takes the lock, as a busy one of libc */
static _Atomic bool held;
static _Atomic int waited;
static struct gmp_wg wg;

void *malloc(size_t n)
{
	if (atomic_exchange(&locks, false)) {
		waited += pthread_mutex_trylock(&heap_lock) != 0 && pthread_mutex_lock(&heap_lock) == 0;
		pthread_mutex_unlock(&heap_lock);
	}
	return __libc_malloc(n);
}

/*
 * As malloc() might, whose new page is slow to come. libc's code is not preempted, and so nor is this: else the
 * other goroutine might wait for the lock on the very thread that this one is tied to.
 */
static void holder(void *arg)
{
	struct timespec ts = { .tv_nsec = HOLD_NS };

	(void)arg;
	gmp_nopreempt_begin();
	pthread_mutex_lock(&heap_lock);
	held = true;
	nanosleep(&ts, NULL);
	pthread_mutex_unlock(&heap_lock);
	gmp_nopreempt_end();
	gmp_wg_done(&wg);
}

static void allocator(void *arg)
{
	struct gmp_chan *c;

	(void)arg;
	while (!held)
		gmp_yield();
	locks = true;
	c = gmp_chan_make(1000, 1000);
	gmp_chan_unref(c);
	gmp_wg_done(&wg);
}

static int both(void *arg)
{
	struct gmp_stats st = { .size = sizeof(st) };

	(void)arg;
	for (int i = 0; i < 10; i++) {
		held = false;
		gmp_wg_add(&wg, 2);
		CHECK(gmp_go(allocator, NULL) > 0);
		CHECK(gmp_go(holder, NULL) > 0);
		gmp_wg_wait(&wg);
	}
	CHECK_EQ(gmp_stats(&st), 0);
	printf("# the runtime met the lock %d times in 10, %llu goroutines went on without a P\n", (int)waited,
	       (unsigned long long)st.rescues);
	CHECK(waited > 0);
	CHECK(st.rescues > 0);
	return 0;
}

TEST(the_allocators_lock)
{
	setenv("GMP_MAXPROCS", "1", 1);
	setenv("GMP_DEBUG", "kern=ko", 1);
	CHECK_EQ(gmp_run(both, NULL), 0);
}
