/* SPDX-License-Identifier: MIT */
/*
 * schedtrace.c - the state of the scheduler as a line, or as a line for each P, M and G.
 *
 * The lines are those of Go 1.21 to the letter, so that what reads Go's reads ours. What has no
 * counterpart here keeps its word and is always 0: needspinning, mallocing, throwing, preemptoff,
 * dying. threads= counts the monitor, as in Go; locks= is 0 but in builds with DEBUG=1.
 *
 * No lock is taken: each number is read by itself, and the lines describe no single moment. Go holds
 * sched.lock over the write; a reader of stderr that is slow would stop the scheduler.
 */
#include "debug/schedtrace.h"

#include <unistd.h>

#include "debug/out.h"
#include "debug/traceback.h"
#include "sched/env.h"
#include "sched/rcu.h"
#include "sched/time.h"

static void number_or_nil(struct rt_out *o, const char *before, bool have, uint64_t v)
{
	if (have)
		rt_out(o, "%s%llu", before, (unsigned long long)v);
	else
		rt_out(o, "%snil", before);
}

static const char *truth(bool b)
{
	return b ? "true" : "false";
}

static uint32_t runq_len(const struct rt_p *pp)
{
	uint32_t h = rt_load_acq(&pp->runqhead), t = rt_load_acq(&pp->runqtail);

	return t - h <= RT_RUNQ_LEN ? t - h : 0;	/* head ran past the tail we read */
}

static uint64_t globq_len(void)
{
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);

	return rt_load_rlx(&rt_sched.globq.n) + (n == 1 ? rt_load_rlx(&allp[0]->yieldq.n) : 0);
}

static void summary(struct rt_out *o, uint64_t ms)
{
	rt_out(o, "SCHED %llums: gomaxprocs=%u idleprocs=%u threads=%u spinningthreads=%u needspinning=0 "
	       "idlethreads=%u runqueue=%llu", (unsigned long long)ms, rt_load_rlx(&rt_sched.maxprocs),
	       rt_load_rlx(&rt_sched.npidle), rt_load_rlx(&rt_sched.mcount) + 1,
	       rt_load_rlx(&rt_sched.nmspinning), rt_load_rlx(&rt_sched.nmidle),
	       (unsigned long long)globq_len());
}

static void queues(struct rt_out *o)
{
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);

	for (uint32_t i = 0; i < n; i++)
		rt_out(o, "%s%u%s", i ? " " : " [", runq_len(allp[i]), i + 1 == n ? "]\n" : "");
}

static void detail_p(struct rt_out *o, const struct rt_p *pp)
{
	const struct rt_m *mp = rt_load_rlx(&pp->m);

	rt_out(o, "  P%d: status=%u schedtick=%llu syscalltick=%llu", pp->id,
	       GMP_P_WORD_STATUS(rt_load_rlx(pp->word)),
	       (unsigned long long)rt_load_rlx(&pp->schedtick),
	       (unsigned long long)rt_load_rlx(&pp->syscalltick));
	number_or_nil(o, " m=", mp, mp ? mp->id : 0);
	rt_out(o, " runqsize=%u gfreecnt=%llu timerslen=%u\n", runq_len(pp),
	       (unsigned long long)rt_load_rlx(&pp->gfree.n), rt_timers_len(pp));
}

static bool sleeps(const struct rt_m *mp)
{
	uint32_t st = rt_load_rlx(&mp->slot->mstate);

	return st == GMP_M_IDLE || st == GMP_M_NETPOLL || st == GMP_M_LOCKED;
}

static void detail_m(struct rt_out *o, const struct rt_m *mp)
{
	const struct rt_p *pp = rt_load_rlx(&mp->p);
	const struct rt_g *gp = rt_load_rlx(&mp->curg), *locked = rt_load_rlx(&mp->lockedg);

	rt_out(o, "  M%u:", mp->id);
	number_or_nil(o, " p=", pp, pp ? (uint64_t)pp->id : 0);
	number_or_nil(o, " curg=", gp, gp ? rt_load_rlx(&gp->h.goid) : 0);
	rt_out(o, " mallocing=0 throwing=0 preemptoff= locks=%u dying=0 spinning=%s blocked=%s",
	       rt_load_rlx(&mp->locks), truth(rt_load_rlx(&mp->spinning)), truth(sleeps(mp)));
	number_or_nil(o, " lockedg=", locked, locked ? rt_load_rlx(&locked->h.goid) : 0);
	rt_out(o, "\n");
}

/* @mp if it is there: a G that a run leaves may name one that has ended. What is on allm stays, by RCU. */
static const struct rt_m *listed(const struct rt_m *mp)
{
	const struct rt_m *m = mp ? rt_load_acq(&rt_sched.allm) : NULL;

	while (m && m != mp)
		m = rt_load_acq(&m->alllink);
	return m;
}

/* @goid was read once: the goroutine may end, and its G be another's, while this looks at it. */
static void detail_g(struct rt_out *o, const struct rt_g *gp, uint64_t goid)
{
	const struct rt_m *mp = listed(rt_load_rlx(&gp->m)), *locked = listed(rt_load_rlx(&gp->lockedm));
	uint32_t status = rt_load_rlx(&gp->h.status);

	rt_out(o, "  G%llu: status=%u(%s)", (unsigned long long)goid, status,
	       status == GMP_G_WAITING ? rt_wait_text(rt_load_rlx(&gp->h.wait_reason)) : "");
	number_or_nil(o, " m=", mp, mp ? mp->id : 0);
	number_or_nil(o, " lockedm=", locked, locked ? locked->id : 0);
	rt_out(o, "\n");
}

static void details(struct rt_out *o)
{
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);
	struct rt_g *gp;

	rt_out(o, " gcwaiting=%s nmidlelocked=%u stopwait=%u sysmonwait=%s\n",
	       truth(rt_load_rlx(&rt_sched.gcwaiting)), rt_load_rlx(&rt_sched.nmidlelocked),
	       rt_load_rlx(&rt_sched.stopwait), truth(rt_load_rlx(&rt_sched.sysmonwait)));
	for (uint32_t i = 0; i < n; i++)
		detail_p(o, allp[i]);
	for (struct rt_m *mp = rt_load_acq(&rt_sched.allm); mp; mp = rt_load_acq(&mp->alllink))
		detail_m(o, mp);
	for (uint64_t i = 0; (gp = rt_g_nth(i)) != NULL; i++) {
		uint64_t goid = rt_load_rlx(&gp->h.goid);

		if (goid)
			detail_g(o, gp, goid);
	}
}

void rt_schedtrace(uint64_t now)
{
	static uint64_t start, last;	/* sysmon's */
	static uint32_t gen;
	struct rt_out out;

	if (!rt_env.schedtrace_ms)
		return;
	if (gen != rt_sched.gen) {
		gen = rt_sched.gen;
		start = now;
	} else if (last + rt_env.schedtrace_ms * 1000000ull > now) {
		return;
	}
	last = now;
	rt_out_init(&out, STDERR_FILENO);
	summary(&out, (now - start) / 1000000);
	if (rt_env.scheddetail)
		details(&out);
	else
		queues(&out);
	rt_out_flush(&out);
}
