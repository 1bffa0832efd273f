/* SPDX-License-Identifier: MIT */
/*
 * target.c - what goroutines_test.sh looks at with gdb: one goroutine of each kind, known by name.
 *
 * usage: target wait     prints "ready", then sleeps until it is killed
 *        target crash    dies of a fatal error: GMP_TRACEBACK=crash makes it a core file
 */
#include <gmprt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct gmp_chan *never;
static struct gmp_mutex mutex;

/* noinline, and not left by a jump: each has its frame. */
#define FRAME	__attribute__((noinline))
#define STAY	__asm__ volatile("")

static FRAME void wait_here(int local_number)
{
	volatile int kept = local_number;
	int v;

	gmp_chan_recv(never, &v);
	__asm__ volatile("" : : "m"(kept));
}

/* What the library takes for no name; a process that is to be looked at may have it as one all the same. */
extern const char rude[];
const char rude[] = "a\033[31m\n\xc3\xa4";

static void receiver(void *arg)
{
	(void)arg;
	gmp_set_name("receiver");
	wait_here(4711);
	STAY;
}

static void sleeper(void *arg)
{
	(void)arg;
	gmp_sleep(3600 * 1000000000ll);
	STAY;
}

static volatile int running;

static FRAME void spin(void)
{
	for (running = 1;;)
		STAY;
}

static void runner(void *arg)
{
	(void)arg;
	spin();
	STAY;
}

static void in_call(void *arg)
{
	(void)arg;
	gmp_syscall_begin();
	pause();
	gmp_syscall_end();
}

/* Ends the tour at one that has not got to where it belongs. */
static int settled(const struct gmp_goroutine *g, void *arg)
{
	(void)arg;
	return g->status == 1 && g->start_pc != (uintptr_t)runner;
}

static FRAME void make_all(void)
{
	gmp_go(receiver, NULL);
	gmp_go(sleeper, NULL);
	gmp_go(in_call, NULL);
	gmp_go(runner, NULL);
	STAY;
}

static int main_g(void *arg)
{
	char **argv = arg;

	never = gmp_chan_make(sizeof(int), 0);
	make_all();
	while (!running)
		gmp_sleep(1000000);
	while (gmp_goroutines(settled, NULL) < 5)	/* a tour that meets all of them */
		gmp_sleep(1000000);
	if (strcmp(argv[1], "crash") == 0)
		gmp_mutex_unlock(&mutex);
	puts("ready");
	fflush(stdout);
	gmp_sleep(3600 * 1000000000ll);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: target wait|crash\n");
		return 2;
	}
	return gmp_run(main_g, argv);
}
