/* SPDX-License-Identifier: MIT */
/*
 * acct.c - accounting by goroutine: CPU time, time blocked and runnable, carriers.
 *
 * Owns:       cpu_ns and struct gmp_g_acct of the Gs an M carries; mp->acct*; three words of its slot.
 * Invariants: all time of an M since it was registered is a goroutine's or the scheduler's: each switch
 *             charges what went since the last one to who had it, and the clock is what the kernel books
 *             for the thread. So goroutines + scheduler = utime + stime, without a system call.
 * Not here:   the clock itself (kmod/clock.c); where Gs' accounts lie (g.c).
 *
 * The M's clock falls back a little when the kernel sets it anew. Nobody is charged then until it has
 * caught up: no sum ever goes back, and none is charged twice.
 */
#include "sched/acct.h"

#include "sched/hot.h"

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ __volatile__("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

/* As tsc_ns() of kmod/clock.c: nanoseconds since some time before. */
static inline uint64_t tsc_ns(uint64_t mult)
{
	return (uint64_t)((unsigned __int128)rdtsc() * mult >> 32);
}

/*
 * The M's on-CPU time; *@tsc is the same moment on everyone's clock. If the kernel sets the clock
 * between the two reads the counter was read before or after: once more. Same thread: compiler
 * barriers suffice, the kernel's store is seen when the thread runs again.
 */
static inline uint64_t clock_of(const struct gmp_m_kern *k, uint64_t *tsc)
{
	uint64_t off;

	do {
		off = rt_load_rlx(&k->clock_off);
		rt_compiler_barrier();
		*tsc = tsc_ns(k->clock_mult);
		rt_compiler_barrier();
	} while (rt_load_rlx(&k->clock_off) != off);
	return *tsc + off;
}

static void charge(struct rt_m *mp, uint64_t ns, uint64_t blocked)
{
	struct rt_g *gp = mp->acct_g;
	__u64 *sum = gp ? &mp->slot->goroutine_ns : &mp->slot->scheduler_ns;

	rt_own_add(sum, ns);
	if (!gp)
		return;
	rt_own_add(&gp->h.cpu_ns, ns);
	if (gp->acct && blocked)
		rt_own_add(&gp->acct->blocked_ns, blocked);
}

static void begin(struct rt_m *mp, struct rt_g *gp, uint64_t tsc)
{
	struct gmp_g_acct *a = gp->acct;

	if (!a)		/* there was no memory for it */
		return;
	if (a->runnable_at && tsc > a->runnable_at)	/* the counters of two CPUs may differ */
		rt_own_add(&a->runnable_ns, tsc - a->runnable_at);
	rt_store_rlx(&a->runnable_at, 0);
	rt_store_rlx(&a->carriers, a->carriers | 1ull << mp->id % 64);
}

void rt_acct_switch(struct rt_m *mp, struct rt_g *next)
{
	uint64_t tsc, now = clock_of(mp->acct, &tsc);
	uint64_t blocked = rt_load_rlx(&mp->acct->blocked_ns);
	uint64_t at = now > mp->acct_at ? now : mp->acct_at;

	charge(mp, at - mp->acct_at, blocked - mp->acct_blocked);
	__atomic_thread_fence(__ATOMIC_RELEASE);	/* KA-6: before goid; pairs with sample_goroutines() */
	mp->acct_at = at;
	mp->acct_blocked = blocked;
	mp->acct_g = next;
	if (next)
		begin(mp, next, tsc);
}

void rt_acct_runnable(struct rt_g *gp)
{
	if (gp->acct)
		rt_store_rlx(&gp->acct->runnable_at, tsc_ns(rt_sched.acct_mult));
}

void rt_acct_thread_init(struct rt_m *mp)
{
	const struct gmp_m_kern *k = rt_sched.acct ? &rt_sched.m_kern[mp->id] : NULL;
	uint64_t tsc;

	mp->acct = NULL;
	if (!k || !k->clock_mult)
		return;
	rt_store_rlx(&rt_sched.acct_mult, k->clock_mult);	/* the same for all */
	mp->acct_g = NULL;
	mp->acct_at = clock_of(k, &tsc);
	mp->acct_blocked = k->blocked_ns;
	rt_store_rlx(&mp->slot->acct_base, mp->acct_at);
	mp->acct = k;
}
