/* SPDX-License-Identifier: MIT */
/* A seeded fault: a goroutine loses the only pointer to a block. ASan and Valgrind must say so. */
#include <gmprt.h>
#include <stdlib.h>

static void *volatile only;

static void loser(void *arg)
{
	(void)arg;
	only = malloc(4321);
	only = NULL;
}

static int run(void *arg)
{
	struct gmp_wg wg = { 0 };

	(void)arg;
	gmp_wg_go(&wg, loser, NULL);
	gmp_wg_wait(&wg);
	return 0;
}

int main(void)
{
	return gmp_run(run, NULL);
}
