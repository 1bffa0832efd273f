/* SPDX-License-Identifier: MIT */
/* A seeded fault: two goroutines count in one plain variable. ThreadSanitizer must say so. */
#include <gmprt.h>

#define ROUNDS	200000

static int count;
static struct gmp_wg wg;

static void bump(void *arg)
{
	volatile int *c = arg;

	for (int i = 0; i < ROUNDS; i++)
		*c = *c + 1;
}

static int run(void *arg)
{
	(void)arg;
	gmp_maxprocs(2);
	gmp_wg_go(&wg, bump, &count);
	gmp_wg_go(&wg, bump, &count);
	gmp_wg_wait(&wg);
	return 0;
}

int main(void)
{
	/* both must be seen to run at the same time: two Ms, several tries */
	for (int i = 0; i < 20; i++)
		gmp_run(run, NULL);
	return 0;
}
