/* SPDX-License-Identifier: GPL-2.0-only */
/* handoff_abi.h - for handoff_abi_test.c and handoff_signal_test.c: a thread with a P, and one that takes it. */
#ifndef HANDOFF_ABI_H
#define HANDOFF_ABI_H

#include "kmod_harness.h"
#include <signal.h>

#define RUNNING(m, seq)	GMP_P_WORD(GMP_P_RUNNING, (m) + 1, seq)
#define BLOCKED(m, seq)	GMP_P_WORD(GMP_P_SYSCALL, (m) + 1, seq)

static inline struct gmp_handoff how(void)
{
	return (struct gmp_handoff) { .size = sizeof(struct gmp_handoff), .delay_ns = 0 };
}

static inline int standby(int fd, int64_t ns, unsigned int *p)
{
	struct gmp_standby s = { .size = sizeof(s), .timeout_ns = ns };
	int ret = ioctl(fd, GMP_IOC_STANDBY, &s);

	*p = s.p;
	return ret < 0 ? -errno : ret;
}

FIXTURE(handoff)
{
	struct dev d;
	uint64_t work;
	struct gmp_handoff how;
};

FIXTURE_SETUP(handoff)
{
	ASSERT_EQ(0, dev_attach(&self->d, 8, 4));
	self->how = how();
	ASSERT_EQ(0, dev_register(self->d.fd, 0, 0));
	self->d.u[0].goid = 7;
	self->d.u[0].p = 1;
	self->d.p[1].word = RUNNING(0, 5);
	self->work = 1;
	self->d.p[1].work[0] = GMP_WORK((uintptr_t)&self->work, 64);
}

FIXTURE_TEARDOWN(handoff)
{
	close(self->d.fd);
}

/* ---- one thread ---------------------------------------------------------------------------- */

/* Blocks once. The word afterwards is the thread's own again, and its sequence says whether it was let go. */
static inline unsigned int times_let_go(struct dev *d)
{
	unsigned int before = GMP_P_WORD_SEQ(d->p[1].word);

	sleep_ms(20);
	return GMP_P_WORD_SEQ(*(volatile __u64 *)&d->p[1].word) - before;
}

/* A virtual CPU may stand still for so long that there is nothing left to sleep for. */
static inline unsigned int is_let_go(struct dev *d)
{
	unsigned int i, n = 0;

	for (i = 0; i < 10 && !n; i++)
		n = times_let_go(d);
	return n;
}

/* ---- two threads --------------------------------------------------------------------------- */

struct taker {
	struct dev *d;
	int ret;
	unsigned int p;
	uint64_t took_ns;
	volatile int ready;
};

/* Takes what it is offered for good. */
static inline void *take(void *arg)
{
	struct taker *t = arg;
	__u64 w;

	if (dev_register(t->d->fd, 1, 1))
		return NULL;
	t->ready = 1;
	t->ret = standby(t->d->fd, 2000000000, &t->p);
	t->took_ns = now_ns();
	w = *(volatile __u64 *)&t->d->p[1].word;
	if (!t->ret && GMP_P_WORD_STATUS(w) == GMP_P_SYSCALL)
		__sync_bool_compare_and_swap(&t->d->p[1].word, w, RUNNING(1, GMP_P_WORD_SEQ(w)));
	dev_unregister(t->d->fd);
	return NULL;
}

static volatile sig_atomic_t signals;

static inline void on_urg(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)uc;
	signals += si->si_code == SI_QUEUE && si->si_value.sival_ptr == (void *)0x1234ul;
}

static inline void listen_to_urg(struct gmp_handoff *h)
{
	struct sigaction sa = { .sa_sigaction = on_urg, .sa_flags = SA_SIGINFO };

	sigaction(SIGURG, &sa, NULL);
	h->handler = (uintptr_t)on_urg;
	h->cookie = 0x1234;
	signals = 0;
}

#endif
