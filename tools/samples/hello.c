/* SPDX-License-Identifier: MIT */
/* hello.c - the first program of README.md: ten goroutines send squares down a channel. */
#include <gmprt.h>
#include <stdio.h>

GMP_CHAN_TYPE(ints, int)

static void square(struct ints c, int i)
{
	ints_send(c, i * i);
}

static int start(void *sum)
{
	struct ints c = ints_make(0);

	for (int i = 1; i <= 10; i++)
		GMP_GO(square, c, i);
	for (int i = 1, v; i <= 10 && ints_recv(c, &v); i++)
		*(int *)sum += v;
	return 0;
}

int main(void)
{
	int sum = 0;

	gmp_run(start, &sum);
	printf("1 + 4 + 9 + ... + 100 = %d\n", sum);
}
