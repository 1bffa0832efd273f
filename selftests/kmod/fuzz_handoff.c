// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_handoff.c - threads that hand Ps over as a runtime does, and as none would.
 *
 * What the other operations do to the words meanwhile makes liars of them often enough.
 */
#include "fuzz.h"

#define PS	4

static volatile unsigned int work = 1;

static struct gmp_m_user *me(struct shared_file *f)
{
	struct gmp_m_user *u = f->user;

	return u ? &u[my_slot % SLOTS] : NULL;
}

static struct gmp_p_shared *a_p(struct shared_file *f, unsigned int p)
{
	char *u = f->user;

	return u ? (struct gmp_p_shared *)(u + f->a.p_off) + p : NULL;
}

/* Any address will do: of a word of ours, of nothing, of what only the kernel may read. */
static uint64_t somewhere(struct rnd *r)
{
	switch (rnd(r, 6)) {
	case 0: return 0;
	case 1: return rnd64(r);
	case 2: return rnd64(r) >> 17;
	case 3: return 1ull << 47 | rnd64(r) % 64;
	case 4: return GMP_WORK((uintptr_t)&work, 64) + rnd(r, 8);
	default: return GMP_WORK((uintptr_t)&work, 32);
	}
}

static void on_urg(int sig)
{
	(void)sig;
}

bool op_handoff(struct shared_file *f, struct rnd *r)
{
	struct gmp_handoff how = {
		.size = sizeof(how),
		.handler = one_in(r, 4) ? rnd64(r) : (uintptr_t)on_urg,
		.cookie = rnd64(r),
		.delay_ns = (int64_t)rnd(r, 50000) - 1,
		.text_hi = one_in(r, 8) ? ~0ull : 0,
		.work = { somewhere(r), somewhere(r) },
	};

	/* often enough it is what listens to SIGURG, and its owner loses a P */
	signal(SIGURG, on_urg);
	return !do_ioctl(f->fd, GMP_IOC_HANDOFF, &how);
}

/* The calling thread carries a goroutine, has a P of its own, and sleeps. True: the P was let go. */
bool op_let_go(struct shared_file *f, struct rnd *r)
{
	volatile struct gmp_m_user *u = me(f = my_file ?: f);
	volatile struct gmp_p_shared *p;
	unsigned int nr = rnd(r, PS), seq = rnd(r, 4);

	p = a_p(f, nr);
	if (!u || !p)
		return false;
	p->runq_head = one_in(r, 2) ? somewhere(r) : (uintptr_t)&work;
	p->runq_tail = somewhere(r);
	p->work[0] = somewhere(r);
	u->crit = 0;
	u->p = nr;
	p->word = GMP_P_WORD(GMP_P_RUNNING, my_slot + 1, seq);
	u->goid = 1 + rnd(r, 5);
	usleep(rnd(r, 400));
	if (one_in(r, 8))
		return false;	/* goes on so, into whatever comes next; into its end, too */
	u->goid = 0;
	if (one_in(r, 2))
		u->lost = 0;
	return GMP_P_WORD_SEQ(p->word) == seq + 1;
}

/* True: it was offered a P. Takes it, or whatever is there by now. */
bool op_standby(struct shared_file *f, struct rnd *r)
{
	struct gmp_standby s = { .size = sizeof(s), .timeout_ns = rnd(r, 2000000) };
	volatile struct gmp_m_user *u = me(f = my_file ?: f);
	volatile struct gmp_p_shared *p;
	uint64_t w;

	if (u && !one_in(r, 4))
		u->goid = 0;
	if (one_in(r, 16))
		s.timeout_ns = -1;	/* until a signal comes, or somebody kicks */
	if (ioctl(f->fd, GMP_IOC_STANDBY, &s))
		return false;
	p = a_p(f, s.p % PS);
	if (!p)
		return true;
	w = p->word;
	__sync_bool_compare_and_swap(&p->word, w,
				     GMP_P_WORD(GMP_P_RUNNING, my_slot + 1, GMP_P_WORD_SEQ(w)));
	return true;
}

/* Somebody else's slot, or our own. */
bool op_poke(struct shared_file *f, struct rnd *r)
{
	unsigned long slot = one_in(r, 16) ? rnd64(r) : rnd(r, SLOTS);

	work = rnd(r, 2);
	return !do_ioctl(f->fd, one_in(r, 2) ? GMP_IOC_KICK : GMP_IOC_PREEMPT, (void *)slot);
}
