/* SPDX-License-Identifier: MIT */
/* No fault: what the others do, done right. No tool may say anything. */
#include <gmprt.h>
#include <stdlib.h>

#define ROUNDS	20000

static struct gmp_mutex lock;
static int count;

static void bump(void *arg)
{
	int *block = malloc(sizeof(*block));

	(void)arg;
	for (*block = 0; *block < ROUNDS; ++*block) {
		gmp_mutex_lock(&lock);
		count++;
		gmp_mutex_unlock(&lock);
	}
	gmp_yield();
	free(block);
}

static int run(void *arg)
{
	struct gmp_wg wg = { 0 };

	(void)arg;
	gmp_maxprocs(2);
	for (int i = 0; i < 4; i++)
		gmp_wg_go(&wg, bump, NULL);
	gmp_wg_wait(&wg);
	return count == 4 * ROUNDS ? 0 : 1;
}

int main(void)
{
	return gmp_run(run, NULL);
}
