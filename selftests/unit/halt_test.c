/* SPDX-License-Identifier: MIT */
/* halt_test.c - while threads are halted for a dump, nobody is preempted on a signal stack. */
#include <gmprt.h>
#include <pthread.h>

#include "debug/halt.h"
#include "gmptest.h"
#include "os/mark.h"
#include "sched/preempt.h"

static uint32_t begun, stop, ran, sent, go_on;	/* atomic */
static struct rt_m *target;

static void tight(void *arg)
{
	(void)arg;
	rt_store_rlx(&begun, 1);
	while (!rt_load_rlx(&stop))
		;
}

static void is_run(void *arg)
{
	(void)arg;
	rt_store_rlx(&ran, 1);
}

/* What sysmon does when a slice is over. */
static void *preempts(void *arg)
{
	while (!rt_load_acq(&go_on))
		usleep(100);
	for (int i = 0; i < 50; i++) {
		rt_or_ar(&rt_load_rlx(&target->p)->attention, RT_ATT_PREEMPT);
		rt_mark_send(target->tid, (const void *)rt_preempt_cookie());
		usleep(200);
	}
	rt_store_rel(&sent, 1);
	return arg;
}

/* Seldom anywhere else: it is here that it would be stopped. */
static void spin_until(const uint32_t *word)
{
	while (!rt_load_acq(word))
		for (volatile int i = 0; i < 10000; i++)
			;
}

/* With a goroutine that waits to run; on a busy machine a slice may end before all are halted. */
static struct rt_halt *halt_all(void)
{
	struct rt_halt *h;

	for (;;) {
		CHECK(gmp_go(is_run, NULL) > 1);
		h = rt_halt_begin(false);
		CHECK(h);
		if (!rt_load_rlx(&ran))
			return h;
		rt_halt_end(h);
		rt_store_rlx(&ran, 0);
	}
}

static int halts_the_other(void *arg)
{
	struct rt_halt *h;
	pthread_t t;

	(void)arg;
	CHECK(gmp_go(tight, NULL) > 1);
	while (!rt_load_rlx(&begun))
		gmp_yield();
	CHECK_EQ(pthread_create(&t, NULL, preempts, NULL), 0);
	h = halt_all();
	target = rt_getm();
	rt_store_rel(&go_on, 1);
	spin_until(&sent);
	CHECK_EQ(rt_load_rlx(&ran), 0);
	rt_halt_end(h);
	pthread_join(t, NULL);
	spin_until(&ran);		/* and now it is: the request was not lost */
	rt_store_rlx(&stop, 1);
	return 0;
}

TEST(a_request_to_preempt_waits_for_the_end)
{
	setenv("GMP_MAXPROCS", "2", 1);
	CHECK_EQ(gmp_run(halts_the_other, NULL), 0);
}
