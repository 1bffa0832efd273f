/* SPDX-License-Identifier: MIT */
/*
 * preempt.c - stopping goroutines that do not stop themselves.
 *
 * A goroutine that has run for 10 ms, or that a stop of the world waits for, is asked twice: by the
 * attention word of its P, which scheduling points read, and by SIGURG to its thread.
 *
 * In C an arbitrary instruction is no safe point. The handler switches away only from the program's
 * own code (textmap.h), on the goroutine's own stack, outside of gmp_nopreempt_begin() regions, and not
 * when the runtime has called that code: an allocator that the program brings (slot->crit, os/callout.c). The
 * rest is left to the next signal. The interrupted registers stay in the signal frame on that stack;
 * coming back is returning from the handler.
 *
 * The goroutine is then *tied*: compiled code may hold the address of a thread-local (errno), so it
 * goes on on this thread only, until its next voluntary scheduling point: tied.c. A goroutine
 * that is about to make a declared system call leaves such an M first (syscall.c).
 * Rejected: rewriting the interrupted pc to a trampoline (the red zone, and the whole register state, would
 * be ours to save).
 *
 * No signal is sent to a thread that sleeps in the kernel: a system call that cannot be restarted
 * would fail with EINTR because of us. Without the module that is a look at /proc (computes()) and then a
 * signal: a thread that enters a system call between the two gets the signal there. SA_RESTART covers most calls;
 * poll, select, epoll_wait, nanosleep and those with a time limit on a socket may return EINTR, rarely,
 * as they may for any signal. gmp_syscall_begin() keeps them out of it: no P, no signal. With the module
 * the thread gets the signal on its way to user mode, where it interrupts nothing.
 */
#include "sched/preempt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "gmprt/proc.h"
#include "os/kern.h"
#include "os/mark.h"
#include "os/textmap.h"
#include "sched/env.h"
#include "sched/handler.h"
#include "sched/hot.h"
#include "sched/rcu.h"

#define RAN_NS		5000	/* CPU time that says: it ran */
#define PERTHREAD_SCHED	6	/* linux/posix-timers.h: CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED */

static struct sigaction before;	/* what the program had installed */
static bool installed;
static bool was_blocked;		/* SIGURG, in the thread of gmp_run() before the run */
static const char mark;			/* its address says: this signal is ours */

/* ---- the handler: on the M that is to be preempted -------------------------------------------------------- */

/*
 * Our frame stays on the stack when it is not used any more, below or in an array that nobody has written yet. The
 * kernel sets uc_link to NULL in each frame that it makes, and reads it in none.
 */
static rt_not_sanitized void tag_own_frame(ucontext_t *uc)
{
	uc->uc_link = (void *)(uintptr_t)&mark;
}

/* Is @at a frame that the kernel made, for a handler that was called on this stack? @now: one that is. */
static rt_not_sanitized bool is_frame(const ucontext_t *at, const ucontext_t *now, uintptr_t hi)
{
	uintptr_t sp = (uintptr_t)at->uc_mcontext.gregs[REG_RSP];

	return at->uc_mcontext.gregs[REG_CSGSFS] == now->uc_mcontext.gregs[REG_CSGSFS] && !at->uc_link &&
	       sp > (uintptr_t)at && sp <= hi;
}

/*
 * Another mask than the thread began with: a signal handler of the program runs, and what that one
 * interrupted may be malloc; or a goroutine has changed it. A handler on this stack has a frame above the
 * interrupted sp, which is looked for. What is left of one that has returned may be mistaken for it: then the
 * goroutine is asked again. Sanitizers call handlers themselves, when it suits them: no frame.
 * The kernel's mask is 8 bytes; so its frame is shorter than a ucontext_t. @uc: sp is on the stack of @gp.
 *
 * Rejected: to take the new mask for this M's. A goroutine that blocks a signal and lets it in again has its
 * handler called with just that mask.
 */
static rt_not_sanitized bool in_handler(struct rt_m *mp, struct rt_g *gp, const ucontext_t *uc)
{
	const uintptr_t size = offsetof(ucontext_t, uc_sigmask) + 8;

	if (memcmp(&uc->uc_sigmask, &mp->sigmask, 8) == 0)
		return false;
	if (RT_SANITIZED || RT_VALGRIND)
		return true;
	for (uintptr_t at = ((uintptr_t)uc->uc_mcontext.gregs[REG_RSP] + 15) & ~15ul; at + size <= gp->stack_hi;
	     at += 16) {
		if (is_frame((const ucontext_t *)at, uc, gp->stack_hi))
			return true;
	}
	return false;
}

/* What was interrupted, and we: a handler of the program that calls ours may be on the alternate stack. */
static bool on_stack_of(struct rt_g *gp, const ucontext_t *uc)
{
	uintptr_t sp = (uintptr_t)uc->uc_mcontext.gregs[REG_RSP], here = (uintptr_t)__builtin_frame_address(0);

	return sp > gp->stack_lo && sp <= gp->stack_hi && here > gp->stack_lo && here <= gp->stack_hi;
}

static bool may_stop(struct rt_m *mp, struct rt_g *gp, const ucontext_t *uc)
{
	return gp && mp->p && !rt_load_rlx(&mp->slot->crit) &&
	       rt_load_rlx(&gp->h.status) == GMP_G_RUNNING && !gp->nopreempt &&
	       !mp->stops_world && rt_load_rlx(&mp->p->attention) && on_stack_of(gp, uc) &&
	       !in_handler(mp, gp, uc);
}

/*
 * SIGURG is blocked in the handler: who sends faster than it returns would fill the goroutine's stack with frames.
 * It is not when others use the thread, within the handler: they have the mask it had before. One that comes now
 * finds the runtime.
 */
static void let_others(const ucontext_t *uc)
{
	rt_syscall6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&uc->uc_sigmask, 0, RT_KERNEL_SIGSET, 0, 0);
}

/* The G waits for this M; or, if the thread is locked to it, in the global queue like a yield. */
static void stop_self(struct rt_m *mp, struct rt_g *gp)
{
	rt_inject_at(RT_INJ_PREEMPT);
	if (gp->lockedm) {
		rt_yield(mp, gp);
		return;
	}
	if (unlikely(gp->tied == RT_TIED_ALONE))
		rt_p_wait(mp, gp);
	else
		rt_p_wait_tied(mp, gp);
}

/*
 * The goroutine blocked, its P was taken, and the module sent this on the way back: it waits for a P
 * here, whatever library's code it is in. Not in a call the runtime made (crit), nor in a signal
 * handler: what that interrupted may be the runtime. The next block asks again.
 */
static void come_back(const ucontext_t *uc, bool own)
{
	struct rt_m *mp = rt_getm();
	struct rt_g *gp = rt_getg();
	int saved = errno;

	if (!gp || rt_load_rlx(&mp->slot->crit) || !on_stack_of(gp, uc) || in_handler(mp, gp, uc) ||
	    rt_load_rlx(&gp->h.status) != GMP_G_RUNNING || mp->stops_world)
		return;
	/* Who waits for a lock that it has lets its P go, with the module. Else it is not stopped with one. */
	if (!rt_sched.handoff && (!own || gp->nopreempt))
		return;
	let_others(uc);
	if (own && mp->rescued && gp->tied == RT_TIED)
		rt_p_wait_tied(mp, gp);
	else
		rt_p_wait(mp, gp);
	errno = saved;
}

static void in_own_code(const ucontext_t *uc)
{
	struct rt_m *mp = rt_getm();
	struct rt_g *gp = rt_getg();
	int saved;

	if (mp && rt_load_rlx(&mp->slot->lost)) {
		come_back(uc, true);
		return;
	}
	if (!mp || !may_stop(mp, gp, uc))
		return;
	saved = errno;		/* others will use this thread meanwhile */
	let_others(uc);
	stop_self(mp, gp);
	errno = saved;
}

/* The module sends by itself to who lost its P. */
static rt_not_sanitized bool is_ours(const siginfo_t *si)
{
	struct rt_m *mp = rt_getm();

	return rt_mark_take(si, &mark, mp ? &mp->marked : NULL) ||
	       (mp && rt_mark_is_lost(si) && rt_load_rlx(&mp->slot->lost));
}

static rt_not_sanitized void on_sigurg(int sig, siginfo_t *si, void *ctx)
{
	const ucontext_t *uc = ctx;

	if (!is_ours(si)) {
		if (before.sa_flags & SA_NODEFER)
			let_others(uc);
		rt_mark_pass_on(&before, sig, si, ctx);
		return;
	}
	tag_own_frame(ctx);
	/* The pc first: inside the runtime nothing of an M or a G may be looked at. */
	if (rt_textmap_own((uintptr_t)uc->uc_mcontext.gregs[REG_RIP]))
		in_own_code(uc);
	else if (!RT_SANITIZED && !rt_textmap_runtime((uintptr_t)uc->uc_mcontext.gregs[REG_RIP]) &&
		 rt_getm() && rt_load_rlx(&rt_getm()->slot->lost))
		come_back(uc, false);
}

/*
 * As gmp_lock_os_thread() would have it: in the queue behind all others, and its thread waits for it. A tied
 * goroutine has its turn after 61 others at most; one that starts more than these in a slice would start ever more.
 */
static void yield_on_this_m(struct rt_m *mp, struct rt_g *gp)
{
	mp->locked_depth++;
	rt_store_rlx(&mp->lockedg, gp);
	rt_store_rlx(&gp->lockedm, mp);
	rt_yield(mp, gp);
	mp->locked_depth--;
	rt_store_rlx(&mp->lockedg, NULL);
	rt_store_rlx(&gp->lockedm, NULL);
}

/*
 * At a call that does not park: stopped here as it might be by the signal, which a goroutine that is
 * seldom outside of the library would not get. Others that are tied to the thread could not run meanwhile.
 */
rt_noinline void rt_preempt_here(struct rt_m *mp)
{
	struct rt_g *gp = mp->curg;
	int saved = errno;

	if (!gp || gp->nopreempt || mp->stops_world || rt_env.asyncpreemptoff || !rt_may_be_left(mp, gp))
		return;
	if (gp->lockedm || gp->tied == RT_TIED_ALONE || mp->tied.n)
		stop_self(mp, gp);
	else
		yield_on_this_m(mp, gp);
	errno = saved;
}

/* ---- asking ------------------------------------------------------------------------------------------------- */

/* CPU time of a thread of ours, by the clock the kernel names so; 0: it has ended. */
static uint64_t cpu_ns(uint32_t tid)
{
	struct timespec ts;

	if (clock_gettime((clockid_t)(~tid << 3 | PERTHREAD_SCHED), &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Without /proc, or a descriptor to read it with: has it used CPU time while we slept a little? */
static bool computes_meanwhile(uint32_t tid)
{
	static const struct timespec little = { .tv_nsec = 100000 };
	uint64_t then = cpu_ns(tid);

	nanosleep(&little, NULL);
	return cpu_ns(tid) > then;
}

/* The line "@name:" of a status file; NULL: none. */
static const char *value_of(const char *text, const char *name)
{
	const char *p = strstr(text, name);

	return p ? p + strlen(name) + strspn(p + strlen(name), ":\t ") : NULL;
}

/* How often the thread slept so far, from its status in /proc; *runnable: is not asleep now. */
static bool read_sleeps(uint32_t tid, uint64_t *sleeps, bool *runnable)
{
	const char *state, *count;
	char path[64], text[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%u/status", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	state = value_of(text, "State");
	count = value_of(text, "\nvoluntary_ctxt_switches");
	if (!state || !count)
		return false;
	*runnable = *state == 'R';
	*sleeps = strtoull(count, NULL, 10);
	return true;
}

/*
 * Does the thread compute? It is runnable, has run for some microseconds since it was asked about last,
 * and has not slept since. Runnable alone would not do: a thread whose poll() has just timed out is, still
 * in the kernel, and a signal makes that call fail with EINTR; on a busy machine it waits there for its
 * CPU for milliseconds. So the first question about a thread that slept is answered by UNSURE.
 */
static enum rt_asked computes(struct rt_m *mp)
{
	uint64_t cpu = cpu_ns(mp->tid), sleeps, then;
	bool runnable;

	then = rt_xchg_ar(&mp->asked_cpu, cpu);
	if (cpu < then + RAN_NS)
		return RT_ASKED_ASLEEP;
	if (!read_sleeps(mp->tid, &sleeps, &runnable))
		return computes_meanwhile(mp->tid) ? RT_ASKED_COMPUTES : RT_ASKED_ASLEEP;
	then = rt_xchg_ar(&mp->asked_sleeps, sleeps);
	if (!runnable)
		return RT_ASKED_ASLEEP;
	return sleeps == then ? RT_ASKED_COMPUTES : RT_ASKED_UNSURE;
}

/* False: the module is not there, or cannot be asked any more (handoff.c). */
static bool module_preempts(struct rt_m *mp)
{
	if (!rt_sched.handoff || mp->slot == &mp->own_slot)
		return false;
	rt_store_rlx(&mp->marked, 1);
	return rt_sched.kern->preempt(mp->id) == 0;
}

/* Not that it has no CPU: that it waits for something. Reader of RCU. */
bool rt_preempt_sleeps(struct rt_m *mp)
{
	uint64_t sleeps;
	bool runnable;

	if (!read_sleeps(mp->tid, &sleeps, &runnable))
		return !computes_meanwhile(mp->tid);
	return !runnable;
}

/* Reader of RCU: the M may end, its struct stays. A thread of ours that ended is not signalled. */
static enum rt_asked signal_m(struct rt_p *pp)
{
	struct rt_m *mp = rt_load_acq(&pp->m);
	enum rt_asked what;

	if (!installed || !mp || !rt_load_rlx(&mp->curg))
		return RT_ASKED_ASLEEP;
	if (module_preempts(mp))
		return RT_ASKED_COMPUTES;	/* if it does not, it gets no signal */
	what = computes(mp);
	if (what == RT_ASKED_COMPUTES)
		rt_mark_send_to(mp->tid, &mark, &mp->marked);
	return what;
}

enum rt_asked rt_preempt_one(struct rt_p *pp, uint32_t why)
{
	rt_or_ar(&pp->attention, why);
	return signal_m(pp);
}

void rt_preempt_all(uint32_t why)
{
	uint32_t n;
	struct rt_p **allp = rt_all_ps(&n);

	for (uint32_t i = 0; i < n; i++) {
		struct rt_p *pp = allp[i];

		if (GMP_P_WORD_STATUS(rt_load_acq(pp->word)) == GMP_P_RUNNING)
			rt_preempt_one(pp, why);
	}
}

/*
 * Ms without a P whose goroutine computes are to come back to the scheduler: for those that were rescued (sysmon.c),
 * and at the end of a run, when the module may not have seen them since their P was taken. Reader of RCU. True:
 * there are such; or one was rescued and has not gone on yet, for want of a CPU.
 */
bool rt_preempt_lost(void)
{
	bool any = false;

	if (!installed)
		return false;
	for (struct rt_m *mp = rt_load_acq(&rt_sched.allm); mp; mp = rt_load_acq(&mp->alllink)) {
		any = any || rt_load_acq(&mp->unowned);
		if (!rt_load_rlx(&mp->curg) || !rt_load_rlx(&mp->slot->lost))
			continue;
		any = true;
		if (!module_preempts(mp) && computes(mp) == RT_ASKED_COMPUTES)
			rt_mark_send_to(mp->tid, &mark, &mp->marked);
	}
	return any;
}

/* How many of those there are that do not sleep. Reader of RCU. */
uint32_t rt_preempt_lost_awake(void)
{
	uint32_t n = 0;

	for (struct rt_m *mp = rt_load_acq(&rt_sched.allm); mp; mp = rt_load_acq(&mp->alllink)) {
		if (rt_load_rlx(&mp->curg) && rt_load_rlx(&mp->slot->lost) && !rt_preempt_sleeps(mp))
			n++;
	}
	return n;
}

/* A thread of ours that is in no goroutine leaves the system call it sleeps in, if there is a handler. */
void rt_preempt_interrupt(uint32_t tid)
{
	if (installed)
		rt_mark_send(tid, &mark);
}

/* ---- regions ---------------------------------------------------------------------------------------------------- */

RT_PUBLIC void gmp_nopreempt_begin(void)
{
	struct rt_g *gp = rt_getg();

	if (gp)
		gp->nopreempt++;
}

RT_PUBLIC void gmp_nopreempt_end(void)
{
	struct rt_g *gp = rt_getg();

	if (gp && gp->nopreempt)
		gp->nopreempt--;
}

/* ---- bring-up ---------------------------------------------------------------------------------------------------- */

uintptr_t rt_preempt_handler(void)
{
	return installed ? (uintptr_t)on_sigurg : 0;
}

rt_not_sanitized uintptr_t rt_preempt_cookie(void)
{
	return (uintptr_t)&mark;
}

/*
 * A program that takes its signals by sigwait() or signalfd() blocks all of them before it calls us. Every M has
 * m0's mask: it is m0 that unblocks ours, before there are others, and no more of the program's mask.
 */
void rt_preempt_let_through(void)
{
	sigset_t ours, was;

	was_blocked = false;
	if (rt_env.asyncpreemptoff)
		return;
	sigemptyset(&ours);
	sigaddset(&ours, SIGURG);
	pthread_sigmask(SIG_UNBLOCK, &ours, &was);
	was_blocked = sigismember(&was, SIGURG) == 1;
}

/* m0's thread is the program's again. */
void rt_preempt_block_again(void)
{
	sigset_t ours;

	if (!was_blocked)
		return;
	sigemptyset(&ours);
	sigaddset(&ours, SIGURG);
	pthread_sigmask(SIG_BLOCK, &ours, NULL);
}

/*
 * SA_RESTART for calls that can be. No SA_ONSTACK: the frame is the goroutine's. Rejected: SA_NODEFER, which would
 * spare a system call when a goroutine is stopped (let_others()).
 */
int rt_preempt_init(void)
{
	struct sigaction sa = { .sa_sigaction = on_sigurg, .sa_flags = SA_SIGINFO | SA_RESTART };

	installed = false;
	if (rt_env.asyncpreemptoff)
		return 0;
	if (rt_textmap_init() < 0) {
		if (rt_env.stats)
			rt_say("gmprt: the program's code cannot be told from libc's: "
			       "tight loops are not preempted\n");
		return 0;
	}
	sigemptyset(&sa.sa_mask);
	if (rt_sigaction(SIGURG, &sa, &before) < 0)
		return -errno;
	installed = true;
	return 0;
}

/* A handler that the program has put in our place meanwhile stays. */
void rt_preempt_fini(void)
{
	struct sigaction now;

	if (installed && rt_sigaction(SIGURG, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
	    now.sa_sigaction == on_sigurg)
		rt_sigaction(SIGURG, &before, NULL);
	installed = false;
}
