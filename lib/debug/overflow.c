/* SPDX-License-Identifier: MIT */
/*
 * overflow.c - a goroutine's stack ran over: whose it is, and the report.
 *
 * With a guard below the stack it is the access that fails. Without one (old kernels, many stacks:
 * os/stackguard.c) it is found afterwards: by the goroutine itself when it ends, by sysmon, by a SIGSEGV that is
 * about to kill, or at the end of the run. Meanwhile the stacks below may have been overwritten.
 */
#include "debug/overflow.h"

#include <string.h>
#include <unistd.h>

#include "base/throw.h"
#include "debug/dump.h"
#include "os/stackguard.h"
#include "sched/rcu.h"

#define LOOK_NS		10000000ull	/* sysmon: how often it looks, */
#define LOOK_FOR_NS	300000ull	/* for how long, */
#define ROUND_NS	1000000000ull	/* and when it begins again at least */

/* Of a goroutine that may end and begin meanwhile, unless it is the caller's. */
static uintptr_t lo_of(const struct rt_g *gp)
{
	return rt_load_rlx(&gp->stack_lo);
}

static uintptr_t hi_of(const struct rt_g *gp)
{
	return rt_load_rlx(&gp->stack_hi);
}

static bool in_guard(const struct rt_g *gp, uintptr_t at)
{
	uintptr_t lo = lo_of(gp);

	return lo && at < lo && at >= lo - RT_STACK_GUARD;
}

/*
 * Whose guard lies at @at. In the middle of a switch the G that is published is not yet the one whose
 * stack is in use: then all are asked.
 */
static const struct rt_g *whose(uintptr_t at)
{
	const struct rt_g *gp = rt_getm() ? rt_getg() : NULL;

	if (gp && in_guard(gp, at))
		return gp;
	for (uint64_t i = 0; (gp = rt_g_nth(i)) != NULL; i++)
		if (in_guard(gp, at))
			return gp;
	return NULL;
}

static bool ran_over(const struct rt_g *gp)
{
	return gp->gap && rt_gap_written(lo_of(gp) - RT_STACK_GUARD);
}

/* The one that runs came from far above, over the stacks of others, to the guard of the lowest. */
static const struct rt_g *culprit(const struct rt_g *victim, uintptr_t at)
{
	const struct rt_g *gp = rt_getg();

	return victim && gp && at < lo_of(gp) && ran_over(gp) ? gp : victim;
}

/* What was asked for; stack.c begins some bytes lower (colours). */
static size_t reserved(const struct rt_g *gp)
{
	return (size_t)RT_STACK_MIN << rt_stack_class(hi_of(gp) - lo_of(gp));
}

static void say_limit(const struct rt_g *gp)
{
	rt_say("runtime: goroutine %llu: stack exceeds %llu-byte limit\n", (unsigned long long)gp->h.goid,
	       (unsigned long long)reserved(gp));
}

/* ---- with a guard -------------------------------------------------------------------------------------- */

void rt_overflow_at(uintptr_t at, const struct rt_regs *regs)
{
	const struct rt_g *gp = rt_getm() ? culprit(whose(at), at) : NULL;
	struct rt_dump d = { .fd = STDERR_FILENO, .dying = true, .exact = true, .first = gp, .regs = regs };

	if (!gp)
		return;
	rt_die_alone();
	say_limit(gp);
	rt_say("runtime: sp=0x%llx stack=[0x%llx, 0x%llx]\n"
	       "fatal error: stack overflow\n\n",
	       (unsigned long long)regs->r[RT_REG_SP], (unsigned long long)lo_of(gp),
	       (unsigned long long)hi_of(gp));
	rt_dump_all(&d);
	rt_die();
}

/* ---- without --------------------------------------------------------------------------------------------- */

static _Noreturn void report_late(const struct rt_g *gp, const struct rt_regs *regs)
{
	struct rt_dump d = { .fd = STDERR_FILENO, .dying = true, .first = gp, .regs = regs };

	rt_die_alone();
	say_limit(gp);
	rt_say("runtime: stack=[0x%llx, 0x%llx] has no guard: found late, the stack below may be overwritten\n"
	       "fatal error: stack overflow\n\n",
	       (unsigned long long)lo_of(gp), (unsigned long long)hi_of(gp));
	rt_dump_all(&d);
	rt_die();
}

rt_noinline void rt_overflow_look(const struct rt_g *gp)
{
	struct rt_regs regs;

	if (!ran_over(gp))
		return;
	rt_regs_here(&regs);
	report_late(gp, &regs);
}

void rt_overflow_look_all(void)
{
	uintptr_t lo = rt_stack_gaps() ? rt_stack_look_all() : 0;
	const struct rt_g *gp = lo ? whose(lo - 1) : NULL;

	if (gp)		/* else it has ended meanwhile, and reports it itself */
		report_late(gp, NULL);
}

/* ---- sysmon's rounds -------------------------------------------------------------------------------------- */

static struct {
	bool begun;
	bool idle, of_idle;			/* nothing ran when this round, the last whole one, began */
	uint64_t switches, of_switches;		/* and so often had Ps switched */
	uint64_t next;				/* when to look */
} look;						/* sysmon's */

void rt_overflow_round_init(void)
{
	memset(&look, 0, sizeof(look));
}

static uint64_t sum_of_switches(void)
{
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += rt_load_rlx(&allp[i]->c.switches);
	return sum;
}

uint64_t rt_overflow_due(uint64_t now)
{
	if (!rt_stack_gaps() || (look.of_idle && look.of_switches == sum_of_switches()))
		return 0;
	return look.next > now ? look.next - now : 1;
}

void rt_overflow_round(uint64_t now, bool idle)
{
	bool found;

	if (now < look.next)
		return;
	if (!look.begun) {
		look.idle = idle;
		look.switches = sum_of_switches();
	}
	look.begun = !rt_stack_look(now + LOOK_FOR_NS, &found);
	if (found)
		rt_overflow_look_all();
	look.next = now + (look.begun ? LOOK_NS : ROUND_NS);
	if (!look.begun) {
		look.of_idle = look.idle;
		look.of_switches = look.switches;
	}
}
