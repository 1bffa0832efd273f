// SPDX-License-Identifier: MIT
/*
 * tracetarget.c - a program that makes each tracepoint of gmp.ko fire, and ends: one P, the handoff on.
 *
 *   a goroutine that sleeps in the kernel, undeclared    gmp_carrier, gmp_block, gmp_handoff, gmp_return
 *   one that runs without a scheduling point             gmp_preempt
 *   the threads of all this                              gmp_m_attach, gmp_m_detach
 *
 * usage: tracetarget [MILLISECONDS]: not less than that; but for half a minute at most until a P was
 * handed over and a goroutine preempted a few times, by the runtime's own counters
 */
#include <gmprt.h>

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static uint64_t least, most;

static int is_over(uint64_t handoffs, uint64_t preemptions)
{
	struct gmp_stats s = { .size = sizeof(s) };
	uint64_t now = gmp_now();

	return gmp_stats(&s) || now > most ||
	       (now > least && s.handoffs >= handoffs && s.preemptions >= preemptions);
}

static void sleeps(void *arg)
{
	struct timespec ts = { .tv_nsec = 3000000 };

	while (!is_over(5, 3))
		nanosleep(&ts, NULL);
	gmp_wg_done(arg);
}

/* First they sleep and run in turn; then this one does not yield any more. */
static void runs(void *arg)
{
	while (!is_over(5, 0))
		gmp_yield();
	while (!is_over(5, 3))
		for (volatile int i = 0; i < 10000000; i++)
			;
	gmp_wg_done(arg);
}

static int both(void *arg)
{
	struct gmp_wg wg = { 0 };

	(void)arg;
	gmp_wg_add(&wg, 2);
	if (gmp_go(sleeps, &wg) < 0 || gmp_go(runs, &wg) < 0)
		return 1;
	gmp_wg_wait(&wg);
	return 0;
}

int main(int argc, char **argv)
{
	setenv("GMP_DEBUG", "kern=ko", 1);
	setenv("GMP_MAXPROCS", "1", 1);
	least = gmp_now() + (argc > 1 ? strtoull(argv[1], NULL, 10) : 0) * 1000000;
	most = least + 30000000000;
	return gmp_run(both, NULL);
}
