// SPDX-License-Identifier: MIT
/*
 * pstarget.c - a program with libgmprt whose goroutines stay where they are put, to be looked at.
 *
 *   a goroutine in a declared system call           gstatus syscall
 *   one in a read() the runtime was not told of     running, its thread asleep
 *   one that runs without end                       running, on a CPU
 *   goroutine 1 waits for standard input, and ends the process at its end
 *
 * Wants GMP_MAXPROCS of 4. Prints "ready SYSCALL KERNEL SPIN": the goids, in this order.
 */
#include <gmprt.h>

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int pipes[2][2];
static atomic_int begun;

static void in_syscall(void *arg)
{
	char c;

	(void)arg;
	atomic_fetch_add(&begun, 1);
	gmp_syscall_begin();
	if (read(pipes[0][0], &c, 1) < 0)
		abort();
	gmp_syscall_end();
}

static void in_kernel(void *arg)
{
	char c;

	(void)arg;
	atomic_fetch_add(&begun, 1);
	if (read(pipes[1][0], &c, 1) < 0)
		abort();
}

static void spin(void *arg)
{
	(void)arg;
	atomic_fetch_add(&begun, 1);
	for (;;)
		__asm__ volatile("");
}

static int start(void *arg)
{
	struct gmp_fd *in;
	int64_t goid[3];
	char c;

	(void)arg;
	if (pipe(pipes[0]) || pipe(pipes[1]))
		return 1;
	goid[0] = gmp_go(in_syscall, NULL);
	goid[1] = gmp_go(in_kernel, NULL);
	goid[2] = gmp_go(spin, NULL);
	while (atomic_load(&begun) < 3)
		gmp_sleep(1000000);
	printf("ready %lld %lld %lld\n", (long long)goid[0], (long long)goid[1], (long long)goid[2]);
	fflush(stdout);
	if (gmp_fd_adopt(0, &in))
		return 1;
	while (gmp_read(in, &c, 1) > 0)
		;
	_exit(0);	/* the goroutines in read() are there for ever */
}

int main(void)
{
	return gmp_run(start, NULL);
}
