/* SPDX-License-Identifier: MIT */
/* A seeded fault: a goroutine reads what another has freed. ASan and Valgrind must say so. */
#include <gmprt.h>
#include <stdlib.h>

static void reader(void *arg)
{
	if (*(volatile int *)arg == 42)
		gmp_yield();
}

static int run(void *arg)
{
	struct gmp_wg wg = { 0 };
	int *block = malloc(sizeof(*block));

	(void)arg;
	*block = 1;
	gmp_nopreempt_begin();
	gmp_wg_go(&wg, reader, block);
	free(block);
	gmp_nopreempt_end();
	gmp_wg_wait(&wg);
	return 0;
}

int main(void)
{
	gmp_maxprocs(1);	/* so the reader runs when this one waits, not before */
	return gmp_run(run, NULL);
}
