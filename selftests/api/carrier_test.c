/* SPDX-License-Identifier: MIT */
/* G -> M -> task_struct as the program itself sees it: which thread carries which goroutine, and when. */
#include <gmprt.h>
#include <sched.h>
#include <sys/syscall.h>

#include "gmptest.h"

static int my_tid(void)
{
	return (int)syscall(SYS_gettid);
}

static uint32_t threads(void)
{
	struct gmp_stats st = { .size = sizeof(st) };

	CHECK_EQ(gmp_stats(&st), 0);
	return st.threads;
}

static void spin_for(uint64_t ns)
{
	for (uint64_t end = gmp_now() + ns; gmp_now() < end;)
		;
}

static struct gmp_wg wg;
static int over;	/* atomic */

static void keeps_a_p_busy(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		spin_for(100000);
		gmp_yield();
	}
}

static int moves(void *arg)
{
	int first = my_tid(), tids = 1;
	uint64_t limit = gmp_now() + 20000000000ull;

	(void)arg;
	for (int i = 0; i < 6; i++)
		CHECK(gmp_wg_go(&wg, keeps_a_p_busy, NULL) > 1);
	while (tids < 2 && gmp_now() < limit) {
		gmp_yield();
		tids += my_tid() != first;
		CHECK_EQ(gmp_goid(), 1);
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
	gmp_wg_wait(&wg);
	CHECK_EQ(tids, 2);
	return 0;
}

/* One goroutine, several task_structs in its life. */
TEST(a_goroutine_is_carried_by_several_threads)
{
	setenv("GMP_MAXPROCS", "4", 1);
	CHECK_EQ(gmp_run(moves, NULL), 0);
}

/* No thread of its own for anybody: ten thousand that park and go on are carried by a few. */
static struct gmp_chan *c;

static void parks_a_lot(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++)
		CHECK_EQ(gmp_chan_recv(c, NULL), 1);
}

GTEST(ten_thousand_goroutines_a_few_threads)
{
	int procs = gmp_maxprocs(0), n = GMPTEST_SCALE(10000);

	c = gmp_chan_make(0, 0);
	for (int i = 0; i < n; i++)
		CHECK(gmp_wg_go(&wg, parks_a_lot, NULL) > 1);
	CHECK_EQ(gmp_num_goroutine(), n + 1);
	for (int i = 0; i < n * 10; i++)
		CHECK_EQ(gmp_chan_send(c, NULL), 0);
	gmp_wg_wait(&wg);
	CHECK(threads() <= (uint32_t)procs + 4);
	gmp_chan_unref(c);
}

/* ---- blocking calls: more threads than Ps ----------------------------------------------------------- */

static int gate[2];

static void blocks(void *arg)
{
	char byte;
	long n;

	(void)arg;
	gmp_syscall_begin();
	n = read(gate[0], &byte, 1);
	gmp_syscall_end();
	CHECK_EQ(n, 1);
}

GTEST(blocking_calls_have_threads_of_their_own)
{
	uint64_t before = gmp_now();

	CHECK_EQ(pipe(gate), 0);
	for (int i = 0; i < 12; i++)
		CHECK(gmp_wg_go(&wg, blocks, NULL) > 1);
	while (threads() < 12) {	/* each sits in one; all the same this goroutine goes on */
		gmp_yield();
		CHECK(gmp_now() - before < 20000000000ull);
	}
	CHECK(threads() > (uint32_t)gmp_maxprocs(0));
	CHECK_EQ(write(gate[1], "xxxxxxxxxxxx", 12), 12);
	gmp_wg_wait(&wg);
	close(gate[0]);
	close(gate[1]);
}

/* ---- locked to a thread -------------------------------------------------------------------------------- */

static void locked(void *arg)
{
	int tid;

	(void)arg;
	gmp_lock_os_thread();
	tid = my_tid();
	gmp_lock_os_thread();
	gmp_unlock_os_thread();		/* nested: still locked */
	for (int i = 0; i < 200; i++) {
		gmp_yield();
		CHECK_EQ(my_tid(), tid);
	}
	gmp_unlock_os_thread();
}

GTEST(locks_to_a_thread_nest)
{
	over = 0;
	CHECK(gmp_go(keeps_a_p_busy, NULL) > 1);
	for (int i = 0; i < 4; i++)
		CHECK(gmp_wg_go(&wg, locked, NULL) > 1);
	gmp_wg_wait(&wg);
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
}
