/* SPDX-License-Identifier: MIT */
/* on_sched.c - goroutines that come and go, threads, system calls, the number of Ps, the stopped world. */
#include "torture.h"

#include <sys/syscall.h>
#include <time.h>

/* Some end by return, some by goexit, some as a locked thread, which ends with them. */
static void short_life(struct torture *t, uint64_t *rnd)
{
	(void)t;
	switch (below(rnd, 8)) {
	case 0:
		gmp_lock_os_thread();
		gmp_yield();
		gmp_goexit();
	case 1:
		gmp_goexit();
	case 2:
		gmp_yield();
		break;
	case 3:
		MUST(gmp_set_name("short-lived") == 0 && gmp_set_label("kind", "short") == 0);
		break;
	default:
		break;
	}
}

void op_spawn(struct torture *t, uint64_t *rnd)
{
	for (uint32_t i = 1 + below(rnd, 6); i > 0; i--)
		MUST(torture_go(t, short_life, draw(rnd)) > 1);
}

void op_yield(struct torture *t, uint64_t *rnd)
{
	(void)t;
	for (uint32_t i = below(rnd, 4); i > 0; i--)
		gmp_yield();
}

/* Computes without a call, long enough now and then to be preempted; what a register holds stays. */
void op_spin(struct torture *t, uint64_t *rnd)
{
	uint64_t n = below(rnd, 64) ? below(rnd, 20000) : 30000000, sum = 0;

	(void)t;
	for (uint64_t i = 1; i <= n; i++) {
		sum += i;
		__asm__ volatile("" : "+r"(sum));
	}
	MUST(sum == n * (n + 1) / 2);
}

void op_syscall(struct torture *t, uint64_t *rnd)
{
	struct timespec ts = { .tv_nsec = below(rnd, 200000) };

	(void)t;
	gmp_syscall_begin();
	nanosleep(&ts, NULL);
	gmp_syscall_end();
}

/* While it is locked the goroutine stays on one thread, whatever it waits for. */
void op_lock_thread(struct torture *t, uint64_t *rnd)
{
	long tid;

	gmp_lock_os_thread();
	tid = syscall(SYS_gettid);
	for (uint32_t i = below(rnd, 4); i > 0; i--) {
		switch (below(rnd, 4)) {
		case 0:
			gmp_yield();
			break;
		case 1:
			gmp_sleep(below(rnd, 100000));
			break;
		case 2:
			op_syscall(t, rnd);
			break;
		default:
			gmp_lock_os_thread();
			op_recv(t, rnd);
			gmp_unlock_os_thread();
		}
		MUST(syscall(SYS_gettid) == tid);
	}
	gmp_unlock_os_thread();
}

void op_maxprocs(struct torture *t, uint64_t *rnd)
{
	int was;

	if (!t->maxprocs)
		return;
	was = gmp_maxprocs(1 + (int)below(rnd, (uint32_t)t->maxprocs));
	MUST(was >= 1 && was <= t->maxprocs);
}

/* Nobody else counts while the world stands still. */
void op_stop_world(struct torture *t, uint64_t *rnd)
{
	uint64_t ops, spin;

	if (below(rnd, 8))
		return;
	MUST(gmp_stop_world("torture") == 0);
	ops = counted(&t->n.ops);
	for (spin = below(rnd, 20000); spin > 0; spin--)
		__asm__ volatile("");
	MUST(counted(&t->n.ops) == ops);
	MUST(gmp_stop_world("again") == -EBUSY);
	MUST(gmp_start_world() == 0);
}

static int seen(const struct gmp_goroutine *g, void *arg)
{
	MUST(g->goid > 0 && g->status_text);
	++*(int *)arg;
	return 0;
}

/* What tools read while everything moves. */
void op_look(struct torture *t, uint64_t *rnd)
{
	struct gmp_stats st = { .size = sizeof(st) };
	uintptr_t pcs[8];
	int n = 0;

	(void)t;
	MUST(gmp_stats(&st) == 0);
	MUST(gmp_goroutines(seen, &n) >= 1 && n >= 1);
	MUST(gmp_num_goroutine() >= 1 && gmp_goid() > 0);
	if (below(rnd, 8) == 0)
		gmp_stack_of(1, pcs, 8);
}
