/* SPDX-License-Identifier: MIT */
/*
 * ghost.c - Ms that a run left behind.
 *
 * gmp_run() returns although an M does not come back: its goroutine is in a call that never ends, or
 * computes where it cannot be stopped. Until the next gmp_run() nothing of that run is taken down, and
 * an M that comes back finds `ending` and ends as all others did.
 *
 * The next gmp_run() cannot share its scheduler with such an M. It sends each a signal; the thread
 * itself, in the handler, sees whether it is outside of the runtime, and if so stops being an M: its
 * TLS block names no M and no G any more, it is a *ghost*. To the library it is a foreign thread; and
 * when it asks for what only a goroutine can do (to park, to end a declared call, to return from the
 * goroutine), it stops there for ever. Who cannot be made a ghost makes gmp_run() return -EBUSY.
 *
 * Owns:       the marks GHOST_* in mp->ghost, the handler, the number of ghosts.
 * Invariants: a ghost's struct rt_m, its number, its G and all stacks of its run are never used again:
 *             frames of the library that called the user's function (deferred calls, once) name them.
 * Ordering:   MO-G1: the handler's release of mp->ghost pairs with the acquire in made_all().
 *
 * Rejected: writing another thread's TLS block from here (it may be anywhere in the library); a check
 * of the generation on the way out of each call (a wake-up it does just then would land on the old P,
 * with a goroutine of the new run); waiting for ever (the call may be a read of a terminal).
 */
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "gmprt/proc.h"
#include "os/mark.h"
#include "os/textmap.h"
#include "sched/hot.h"
#include "sched/rcu.h"

#define GHOST_MAGIC	0x74736f6867706d67ull	/* "gmpghost": in the TLS block, instead of the M's */
#define BACK_NS		20000000ll		/* who comes back by itself ends by itself */
#define TRIES		200			/* half a second */
#define PACE_NS		2500000l

enum { GHOST_NO, GHOST_YES };

static const char mark;
static struct sigaction before;
static uint32_t nghosts;	/* atomic */
static uint32_t seen;		/* of those, how many rt_ghosts_make() has told of */

uint32_t rt_ghosts(void)
{
	return rt_load_rlx(&nghosts);
}

/* ---- the ghost's side --------------------------------------------------------------------------------- */

/* Not by memcmp(): sanitizers have their own, and the handler may have interrupted them. */
static rt_not_sanitized bool is_syscall(const unsigned char *insn)
{
	return insn[0] == 0x0f && insn[1] == 0x05;
}

/*
 * In the program's own code, or in a system call that was not made by the runtime: with SA_RESTART the
 * pc stands at the instruction, else behind it. Other code (libc computes) may have been called by us.
 */
static rt_not_sanitized bool outside(uintptr_t pc)
{
	const unsigned char *at = (const unsigned char *)pc;

	if (rt_textmap_runtime(pc))
		return false;
	return rt_textmap_own(pc) || is_syscall(at) || is_syscall(at - 2);
}

static rt_not_sanitized void become_ghost(struct rt_m *mp, struct rt_g *gp)
{
	gp->ghost = true;
	rt_tls = (struct gmp_tls){ .magic = GHOST_MAGIC, .p = -1 };
	rt_compiler_barrier();
	rt_store_rel(&mp->ghost, GHOST_YES);	/* MO-G1 */
}

static rt_not_sanitized void on_mark(int sig, siginfo_t *si, void *ctx)
{
	const ucontext_t *uc = ctx;
	struct rt_m *mp = rt_getm();
	struct rt_g *gp = rt_getg();

	if (!rt_mark_take(si, &mark, mp ? &mp->marked : NULL))
		rt_mark_pass_on(&before, sig, si, ctx);
	else if (mp && gp && outside((uintptr_t)uc->uc_mcontext.gregs[REG_RIP]))
		become_ghost(mp, gp);
}

_Noreturn void rt_ghost_stop(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	rt_rcu_offline();
	for (;;)
		pause();
}

void rt_ghost_check(void)
{
	if (unlikely(rt_tls.magic == GHOST_MAGIC))
		rt_ghost_stop();
}

/* ---- the next run's side -------------------------------------------------------------------------------- */

/* Takes ghosts off allm and asks the others once more. True: none is left. */
static bool made_all(void)
{
	struct rt_m *mp, *next;
	bool all;

	rt_lock(&rt_sched.lock);	/* on allm: its thread is there */
	for (mp = rt_sched.allm; mp; mp = next) {
		next = mp->alllink;
		if (rt_load_acq(&mp->ghost) == GHOST_YES) {	/* MO-G1 */
			rt_m_disown(mp);
			rt_add_rlx(&nghosts, 1);
		} else {
			rt_mark_send_to(mp->tid, &mark, &mp->marked);
		}
	}
	all = rt_sched.allm == NULL;
	rt_unlock(&rt_sched.lock);
	return all;
}

static int make_ghosts(void)
{
	static const struct timespec pace = { .tv_nsec = PACE_NS };
	struct sigaction sa = { .sa_sigaction = on_mark, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
	bool all = false;

	rt_textmap_init();
	if (rt_sigaction(SIGURG, &sa, &before) < 0)
		return -errno;
	for (int i = 0; i < TRIES && !all; i++) {
		if (i)
			nanosleep(&pace, NULL);
		all = made_all();
	}
	rt_sigaction(SIGURG, &before, NULL);
	rt_m_reap();
	return all ? 0 : -EBUSY;
}

/*
 * Before a run, when the last one left Ms behind. 0: they have ended or are ghosts; *made says whether
 * there are any. -EBUSY: somebody is still inside.
 */
int rt_ghosts_make(bool *made)
{
	int err = 0;

	if (rt_m_wait_others(BACK_NS))
		err = make_ghosts();
	if (err)
		return err;
	*made = rt_ghosts() != seen;	/* also by a call that had to give up on others */
	seen = rt_ghosts();
	return 0;
}
