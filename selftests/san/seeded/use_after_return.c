/* SPDX-License-Identifier: MIT */
/*
 * A seeded fault: a goroutine leaves a pointer to a local variable of a function that has returned,
 * and reads through it after it has been parked. AddressSanitizer must say so.
 */
#include <gmprt.h>

static int *volatile kept;

static __attribute__((noinline)) void leave(int v)
{
	int local = v, *p = &local;

	__asm__("" : "+r"(p));		/* else the compiler finds it, too */
	kept = p;
}

static void reader(void *arg)
{
	leave(42);
	gmp_yield();
	*(volatile int *)arg = *kept;
}

static int run(void *arg)
{
	struct gmp_wg wg = { 0 };
	static int got;

	(void)arg;
	gmp_wg_go(&wg, reader, &got);
	gmp_wg_wait(&wg);
	return 0;
}

int main(void)
{
	return gmp_run(run, NULL);
}
