/* SPDX-License-Identifier: MIT */
/*
 * runq_empty_test.c - a run queue that is never empty is never said to be.
 *
 * A goroutine may move from runnext to the ring while another M looks: it must not miss it in both. Instead of two
 * threads that hardly ever meet there is one that looks, step by step: after the n-th instruction of the look
 * a trap runs what the owner does. Each n has its turn.
 */
#include <ucontext.h>

#include "gmptest.h"
#include "sched/hot.h"

#define TRAP_FLAG	0x100

static struct rt_p p;
static struct rt_g g[2];
static volatile int step, act_at;	/* instructions of the look; act_at < 0: not at all */
static volatile bool acted;

/* One is in runnext, and the ring is empty; then it is the other way round. */
static void owner_acts(void)
{
	rt_runq_put(&p, &g[1], true);
	if (rt_runq_get(&p) != &g[1])
		_exit(GMPTEST_FAILED);
	acted = true;
}

static void trapped(int sig, siginfo_t *si, void *ctx)
{
	(void)sig;
	(void)si;
	(void)ctx;
	if (step++ == act_at)
		owner_acts();
}

/* Below the red zone. */
static void trap(bool on)
{
	uint64_t flags;

	__asm__ __volatile__("leaq -128(%%rsp), %%rsp\n\tpushfq\n\tpopq %0\n\tleaq 128(%%rsp), %%rsp" : "=r"(flags));
	flags = on ? flags | TRAP_FLAG : flags & ~(uint64_t)TRAP_FLAG;
	__asm__ __volatile__("leaq -128(%%rsp), %%rsp\n\tpushq %0\n\tpopfq\n\tleaq 128(%%rsp), %%rsp"
			     : : "r"(flags) : "memory", "cc");
}

static bool look(int at)
{
	bool empty;

	p.runqhead = p.runqtail = 0;
	p.runnext = &g[0];
	step = 0;
	act_at = at;
	acted = false;
	trap(true);
	empty = rt_runq_empty(&p);
	trap(false);
	return empty;
}

TEST(not_empty_while_one_moves_to_the_ring)
{
	struct sigaction sa = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO };
	int n = 0;

	CHECK_EQ(sigaction(SIGTRAP, &sa, NULL), 0);
	do {
		CHECK_EQ(look(n++), false);
	} while (acted);
	printf("# moved after each of %d instructions\n", n - 1);
	CHECK(n > 10);
	CHECK(rt_runq_get(&p) == &g[0]);
	CHECK(rt_runq_empty(&p));
}
