// SPDX-License-Identifier: MIT
/*
 * fakert.c - a process that publishes what libgmprt publishes, but by itself: known values for the
 * tools to show, and lies for them to survive.
 *
 * usage: fakert [LIE]
 *
 * Its Ms, besides the main thread (m 0, idle):
 *   m 1  runs without end,   goroutine 7 on P 0, running
 *   m 2  sleeps in a call,   goroutine 9 on P 1, running
 *   m 3  sleeps,             no goroutine, netpoll
 *   m 4  sleeps,             goroutine 11 on P 2, waiting: chan receive
 * Prints "ready" and stays until its standard input is at its end. For each byte of that it starts
 * BRIEF_THREADS threads that end at once, one after the other, and prints "done".
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gmp_abi.h"

#define NR_M		5
#define BRIEF_THREADS	200

/* As the real one in what matters: the address of its block comes first. */
struct fake_m {
	struct gmp_tls *tls;
	uint32_t id, tid;
	struct fake_m *alllink;
	void *curg, *p;
};

extern struct gmp_rt_layout gmp_rt_layout;
struct gmp_rt_layout gmp_rt_layout = {
	.magic = GMP_LAYOUT_MAGIC,
	.version = GMP_ABI_VERSION,
	.size = sizeof(struct gmp_rt_layout),
	.m_off_alllink = offsetof(struct fake_m, alllink),
	.m_off_id = offsetof(struct fake_m, id),
	.m_off_tid = offsetof(struct fake_m, tid),
	.m_off_curg = offsetof(struct fake_m, curg),
	.m_off_p = offsetof(struct fake_m, p),
};

extern int64_t note_distance;
__asm__(".pushsection .note.gmp, \"a\", @note\n\t"
	".balign 4\n\t.long 4\n\t.long 8\n\t.long 1\n\t.asciz \"GMP\"\n"
	"note_distance: .quad gmp_rt_layout - .\n\t"
	".popsection");

static __thread struct gmp_tls tls __attribute__((tls_model("initial-exec"), aligned(64)));
static struct fake_m ms[NR_M];
static struct fake_m *allm = &ms[0];
static struct gmp_g_head waiting = {
	.goid = 11, .status = GMP_G_WAITING, .wait_reason = GMP_WAIT_CHAN_RECV,
};
static const struct gmp_tls wanted[NR_M] = {
	{ .p = -1, .mstate = GMP_M_IDLE, .switches = 100 },
	{ .p = 0, .goid = 7, .gstatus = GMP_G_RUNNING, .mstate = GMP_M_RUNNING, .switches = 101 },
	{ .p = 1, .goid = 9, .gstatus = GMP_G_RUNNING, .mstate = GMP_M_RUNNING, .switches = 102 },
	{ .p = -1, .mstate = GMP_M_NETPOLL, .switches = 103 },
	{ .p = 2, .goid = 11, .gstatus = GMP_G_WAITING, .mstate = GMP_M_RUNNING, .switches = 104 },
};
static pthread_barrier_t barrier;
static const char *lie = "";

static void become_m(int i)
{
	struct fake_m *m = &ms[i];

	tls = wanted[i];
	tls.tid = (uint32_t)syscall(SYS_gettid);
	tls.m_id = (uint32_t)i;
	tls.m = (uintptr_t)m;
	if (wanted[i].gstatus == GMP_G_WAITING)
		tls.g = (uintptr_t)&waiting;
	tls.magic = GMP_TLS_MAGIC;
	m->tls = &tls;
	m->id = tls.m_id;
	m->tid = tls.tid;
	m->alllink = i + 1 < NR_M ? &ms[i + 1] : NULL;
}

static void *run_m(void *arg)
{
	int i = (int)(intptr_t)arg;

	become_m(i);
	pthread_barrier_wait(&barrier);
	for (;;) {
		if (i != 1)
			pause();
	}
	return NULL;
}

static void publish(void)
{
	uint64_t fsbase;

	__asm__("movq %%fs:0, %0" : "=r"(fsbase));
	gmp_rt_layout.tls_off = (int64_t)((uintptr_t)&tls - fsbase);
	gmp_rt_layout.allm = (uintptr_t)&allm;
	gmp_rt_layout.maxprocs = 3;
	gmp_rt_layout.ready = 1;
}

static void spoil_note(void)
{
	uintptr_t page = (uintptr_t)&note_distance & ~4095ul;

	/* code may follow in the next page */
	if (mprotect((void *)page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC))
		exit(2);
	note_distance = INT64_MAX;
}

static void tell_lie(void)
{
	struct gmp_rt_layout *l = &gmp_rt_layout;

	if (!strcmp(lie, "cycle"))
		ms[NR_M - 1].alllink = &ms[1];
	else if (!strcmp(lie, "self"))
		ms[0].alllink = &ms[0];
	else if (!strcmp(lie, "magic"))
		l->magic++;
	else if (!strcmp(lie, "version"))
		l->version++;
	else if (!strcmp(lie, "size"))
		l->size = ~0u;
	else if (!strcmp(lie, "notready"))
		l->ready = 0;
	else if (!strcmp(lie, "allm"))
		l->allm = 0xfffffffffffffff0;
	else if (!strcmp(lie, "offset"))
		l->m_off_alllink = 0xfffffff0;
	else if (!strcmp(lie, "link"))
		ms[2].alllink = (void *)(~0ul / 2 - 7);
	else if (!strcmp(lie, "tls_off"))
		l->tls_off = INT64_MIN;
	else if (!strcmp(lie, "note"))
		spoil_note();
	else if (!strcmp(lie, "words"))
		tls.mstate = 0xffff, tls.goid = ~0ull, tls.gstatus = 0xfffe, tls.p = INT32_MIN;
	else if (!strcmp(lie, "name"))
		prctl(PR_SET_NAME, "\033[31m\n\"\377 x)");
	else if (*lie)
		exit(2);
}

static void *end_at_once(void *arg)
{
	return arg;
}

static void come_and_go(void)
{
	pthread_t thread;

	for (int i = 0; i < BRIEF_THREADS; i++) {
		if (pthread_create(&thread, NULL, end_at_once, NULL) || pthread_join(thread, NULL))
			exit(1);
	}
	puts("done");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	ssize_t n;
	char c;

	if (argc > 1)
		lie = argv[1];
	pthread_barrier_init(&barrier, NULL, NR_M);
	become_m(0);
	for (int i = 1; i < NR_M; i++) {
		if (pthread_create(&thread, NULL, run_m, (void *)(intptr_t)i))
			return 1;
	}
	pthread_barrier_wait(&barrier);
	publish();
	tell_lie();
	puts("ready");
	fflush(stdout);
	while ((n = read(0, &c, 1)) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0)
			come_and_go();
	}
	_exit(0);
}
