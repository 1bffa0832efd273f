/* SPDX-License-Identifier: MIT */
/*
 * deadlock_test.c - "all goroutines are asleep": when it is said, and when it must not be.
 *
 * Go's runtime/crash_test.go        here
 *   TestSimpleDeadlock              on_a_channel, on_a_mutex, on_a_waitgroup
 *   TestInitDeadlock                on_select_without_cases
 *   TestLockedDeadlock              locked_to_its_thread
 *   TestLockedDeadlock2             another_is_locked
 *   TestGoexitDeadlock              main_left_by_goexit
 *   TestGoexitInPanic, ExternalThread   external_threads_may_wake
 */
#include <gmprt.h>
#include <pthread.h>

#include "death_util.h"

#define ASLEEP	"fatal error: all goroutines are asleep - deadlock!"

static struct gmp_chan *chan;
static struct gmp_mutex mutex;
static struct gmp_wg wg;

static void run_main(void *fn)
{
	int (*main_fn)(void *) = (int (*)(void *))(uintptr_t)fn;

	_exit(gmp_run(main_fn, NULL));
}

static void must_die(int (*fn)(void *), const char *text, const char *state)
{
	struct death d = die(run_main, (void *)(uintptr_t)fn);

	EXITED(d, 2);
	HAS(d, text);
	HAS(d, state);
}

static void must_end(int (*fn)(void *))
{
	struct death d = die(run_main, (void *)(uintptr_t)fn);

	EXITED(d, 0);
	LACKS(d, "fatal error");
}

/* ---- said -------------------------------------------------------------------------------------------- */

static int wait_chan(void *arg)
{
	int v;

	(void)arg;
	chan = gmp_chan_make(sizeof(v), 0);
	return gmp_chan_recv(chan, &v);
}

PTEST(on_a_channel)
{
	must_die(wait_chan, ASLEEP, "goroutine 1 [chan receive]:");
}

static int wait_nil(void *arg)
{
	(void)arg;
	return gmp_chan_recv(NULL, NULL);
}

PTEST(on_a_nil_channel)
{
	must_die(wait_nil, ASLEEP, "goroutine 1 [chan receive (nil chan)]:");
}

static int wait_mutex(void *arg)
{
	(void)arg;
	gmp_mutex_lock(&mutex);
	gmp_mutex_lock(&mutex);
	return 0;
}

PTEST(on_a_mutex)
{
	must_die(wait_mutex, ASLEEP, "goroutine 1 [sync.Mutex.Lock]:");
}

static int wait_wg(void *arg)
{
	(void)arg;
	gmp_wg_add(&wg, 1);
	gmp_wg_wait(&wg);
	return 0;
}

PTEST(on_a_waitgroup)
{
	must_die(wait_wg, ASLEEP, "goroutine 1 [sync.WaitGroup.Wait]:");
}

static int select_none(void *arg)
{
	(void)arg;
	return gmp_select(NULL, 0);
}

PTEST(on_select_without_cases)
{
	must_die(select_none, ASLEEP, "goroutine 1 [select (no cases)]:");
}

static int wait_locked(void *arg)
{
	(void)arg;
	gmp_lock_os_thread();
	return gmp_chan_recv(NULL, NULL);
}

PTEST(locked_to_its_thread)
{
	must_die(wait_locked, ASLEEP, "goroutine 1 [chan receive (nil chan), locked to thread]:");
}

static void locks_and_waits(void *arg)
{
	(void)arg;
	gmp_lock_os_thread();
	gmp_chan_recv(NULL, NULL);
	__asm__ volatile("");
}

static int other_locked(void *arg)
{
	(void)arg;
	gmp_go(locks_and_waits, NULL);
	settle(1);
	return gmp_select(NULL, 0);
}

PTEST(another_is_locked)
{
	must_die(other_locked, ASLEEP, "locked to thread]:");
}

static void waits(void *arg)
{
	(void)arg;
	gmp_chan_recv(NULL, NULL);
	__asm__ volatile("");
}

static int many_wait(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++)
		gmp_go(waits, NULL);
	return gmp_chan_recv(NULL, NULL);
}

PTEST(many)
{
	must_die(many_wait, ASLEEP, "goroutine 100 [");
}

static int goexit_main(void *arg)
{
	(void)arg;
	gmp_goexit();
}

PTEST(main_left_by_goexit)
{
	must_die(goexit_main, "fatal error: no goroutines (main called gmp_goexit) - deadlock!", "runtime stack:");
}

static int goexit_others_wait(void *arg)
{
	gmp_go(waits, arg);
	gmp_goexit();
}

PTEST(main_left_others_wait)
{
	must_die(goexit_others_wait, ASLEEP, "[chan receive (nil chan)]:");
}

/* The last timer ran, the last system call came back: only then. */
static int after_all(void *arg)
{
	(void)arg;
	gmp_sleep(20000000);
	gmp_syscall_begin();
	usleep(20000);
	gmp_syscall_end();
	return gmp_chan_recv(NULL, NULL);
}

PTEST(after_timers_and_calls)
{
	must_die(after_all, ASLEEP, "goroutine 1 [chan receive (nil chan)]:");
}

/* Nobody goes to sleep any more when these end: only the monitor can notice. */
static int is_main_waiting(const struct gmp_goroutine *g, void *arg)
{
	*(int *)arg += g->goid == 1 && g->status == 4;
	return 0;
}

static void ends_after_main_waits(void *arg)
{
	int waits = 0;

	gmp_lock_os_thread();
	while (!waits) {
		gmp_sleep(1000000);
		gmp_goroutines(is_main_waiting, &waits);
	}
	(void)arg;
}

static int thread_ends_last(void *arg)
{
	CHECK(gmp_go(ends_after_main_waits, arg) > 1);
	return gmp_chan_recv(NULL, NULL);
}

PTEST(the_last_event_is_the_end_of_a_thread)
{
	must_die(thread_ends_last, ASLEEP, "goroutine 1 [chan receive (nil chan)]:");
}

static void *leaves_late(void *arg)
{
	(void)arg;
	usleep(100000);
	return NULL;
}

static int stranger_ends_last(void *arg)
{
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, leaves_late, arg), 0);
	pthread_detach(t);
	return gmp_chan_recv(NULL, NULL);
}

PTEST(the_last_event_is_the_end_of_a_foreign_thread)
{
	must_die(stranger_ends_last, ASLEEP, "goroutine 1 [chan receive (nil chan)]:");
}

/* ---- not said -------------------------------------------------------------------------------------------- */

static int sleeps(void *arg)
{
	(void)arg;
	gmp_sleep(50000000);
	return 0;
}

PTEST(a_timer_is_set)
{
	must_end(sleeps);
}

static void wakes_later(void *arg)
{
	(void)arg;
	gmp_syscall_begin();
	usleep(50000);
	gmp_syscall_end();
	gmp_chan_close(chan);
}

static int other_in_a_call(void *arg)
{
	int v;

	(void)arg;
	chan = gmp_chan_make(sizeof(v), 0);
	gmp_go(wakes_later, NULL);
	return gmp_chan_recv(chan, &v);
}

PTEST(a_system_call_is_made)
{
	must_end(other_in_a_call);
}

static void blocks_silently(void *arg)
{
	(void)arg;
	usleep(50000);
	gmp_chan_close(chan);
}

static int other_blocks(void *arg)
{
	int v;

	(void)arg;
	chan = gmp_chan_make(sizeof(v), 0);
	gmp_go(blocks_silently, NULL);
	return gmp_chan_recv(chan, &v);
}

PTEST(an_undeclared_call_is_made)
{
	must_end(other_blocks);
}

static void *stranger(void *arg)
{
	(void)arg;
	usleep(50000);
	gmp_chan_close(chan);
	return NULL;
}

static int stranger_wakes(void *arg)
{
	pthread_t t;
	int v;

	(void)arg;
	chan = gmp_chan_make(sizeof(v), 0);
	CHECK_EQ(pthread_create(&t, NULL, stranger, NULL), 0);
	CHECK_EQ(gmp_chan_recv(chan, &v), 0);
	pthread_join(t, NULL);
	return 0;
}

PTEST(external_threads_may_wake)
{
	must_end(stranger_wakes);
}

/* Idle threads come and go while others work: no false alarm. */
static int busy_and_idle(void *arg)
{
	struct gmp_chan *c = gmp_chan_make(sizeof(int), 0);
	int v = 0;

	(void)arg;
	gmp_wg_add(&wg, 1);
	for (int i = 0; i < 2000; i++) {
		gmp_go((void (*)(void *))(uintptr_t)gmp_chan_close, gmp_chan_ref(c));
		CHECK_EQ(gmp_chan_recv(c, &v), 0);
		c = gmp_chan_make(sizeof(int), 0);
	}
	return 0;
}

PTEST(work_that_comes_and_goes)
{
	must_end(busy_and_idle);
}

static void run_twice(void *fn)
{
	int (*main_fn)(void *) = (int (*)(void *))(uintptr_t)fn;

	CHECK_EQ(gmp_run(main_fn, NULL), 0);
	run_main((void *)(uintptr_t)wait_nil);
}

/* A second run, with threads of the first gone. */
PTEST(in_a_second_run)
{
	struct death d = die(run_twice, (void *)(uintptr_t)sleeps);

	EXITED(d, 2);
	HAS(d, ASLEEP);
}
