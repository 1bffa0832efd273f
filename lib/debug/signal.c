/* SPDX-License-Identifier: MIT */
/*
 * signal.c - SIGSEGV and SIGQUIT while gmp_run() runs; the alternate signal stacks of the Ms.
 *
 * SIGSEGV in the guard below a goroutine's stack is reported as "stack overflow" (overflow.c). Every other one is
 * the program's: its handler of before gmp_run() is called as the kernel would have, or the default
 * action is put back and the instruction faults again, so that a core shows it as if we were not here.
 * A handler the program installs while gmp_run() runs replaces ours; it may chain to it.
 *
 * SIGQUIT prints all goroutines and ends with status 2, if the program left it at SIG_DFL, or ignored as it was
 * when the program began: a shell without job control does that to what it starts with &. As Go.
 *
 * Nothing here takes a lock or allocates, but for the stacks, which are made where Ms are made.
 */
#include "debug/signal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "debug/dump.h"
#include "debug/overflow.h"

#define ALT_SIZE	(64ul << 10)	/* AVX-512 and AMX state, a handler of the program, a report */
#define ALT_GUARD	4096ul

static struct sigaction old_segv, old_quit;
static bool have_segv, have_quit;
static bool quit_ignored;	/* SIGQUIT, by who started the program; written once, before main() */

/* ---- alternate stacks --------------------------------------------------------------------------------- */

static __thread void *alt_stack __attribute__((tls_model("initial-exec")));

/* Without memory it goes on without: an overflow then kills in silence. */
void rt_signal_thread_init(void)
{
	stack_t ss = { .ss_size = ALT_SIZE };
	stack_t now;
	char *p;

	if (sigaltstack(NULL, &now) == 0 && !(now.ss_flags & SS_DISABLE))
		return;
	p = mmap(NULL, ALT_GUARD + ALT_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (p == MAP_FAILED)
		return;
	mprotect(p, ALT_GUARD, PROT_NONE);
	ss.ss_sp = p + ALT_GUARD;
	if (sigaltstack(&ss, NULL) == 0)
		alt_stack = p;
	else
		munmap(p, ALT_GUARD + ALT_SIZE);
}

void rt_signal_thread_exit(void)
{
	const stack_t off = { .ss_flags = SS_DISABLE };
	stack_t now;

	if (!alt_stack)
		return;
	if (sigaltstack(NULL, &now) == 0 && now.ss_sp == (char *)alt_stack + ALT_GUARD)
		sigaltstack(&off, NULL);
	if (!RT_VALGRIND)	/* which goes on putting signals onto a stack that was taken away */
		munmap(alt_stack, ALT_GUARD + ALT_SIZE);
	alt_stack = NULL;
}

/* ---- what is not ours ----------------------------------------------------------------------------------- */

static void call_handler(const struct sigaction *sa, int sig, siginfo_t *si, void *uc)
{
	sigset_t saved, self;

	pthread_sigmask(SIG_BLOCK, &sa->sa_mask, &saved);
	if (sa->sa_flags & SA_NODEFER) {
		sigemptyset(&self);
		sigaddset(&self, sig);
		pthread_sigmask(SIG_UNBLOCK, &self, NULL);
	}
	if (sa->sa_flags & SA_SIGINFO)
		sa->sa_sigaction(sig, si, uc);
	else
		sa->sa_handler(sig);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
}

static bool kills(const struct sigaction *sa)
{
	return !(sa->sa_flags & SA_SIGINFO) && (sa->sa_handler == SIG_DFL || sa->sa_handler == SIG_IGN);
}

/* The default action. A fault happens again when we return; what was sent must be sent again. */
static void put_back(const struct sigaction *sa, int sig, siginfo_t *si)
{
	sigaction(sig, sa, NULL);
	if (si->si_code <= 0)
		syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), sig, si);
}

static void pass_on(struct sigaction *sa, int sig, siginfo_t *si, void *uc)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };

	if (!(sa->sa_flags & SA_SIGINFO) && sa->sa_handler == SIG_IGN && si->si_code <= 0)
		return;
	if (kills(sa)) {
		put_back(&dfl, sig, si);	/* a fault cannot be ignored */
		return;
	}
	if (sa->sa_flags & SA_RESETHAND)
		sigaction(sig, &dfl, NULL);
	call_handler(sa, sig, si, uc);
}

/* ---- stack overflow ---------------------------------------------------------------------------------------- */

static void on_segv(int sig, siginfo_t *si, void *uc)
{
	int saved = errno;
	struct rt_regs regs;

	if (si->si_code > 0) {
		rt_regs_signal(uc, &regs);
		rt_overflow_at((uintptr_t)si->si_addr, &regs);
		if (kills(&old_segv))
			rt_overflow_look_all();		/* what it met may be what another stack ran over */
	}
	pass_on(&old_segv, sig, si, uc);
	errno = saved;
}

/* ---- SIGQUIT ---------------------------------------------------------------------------------------------------- */

static void on_quit(int sig, siginfo_t *si, void *uc)
{
	struct rt_m *mp = rt_getm();
	struct rt_regs regs;
	struct rt_dump d = { .fd = STDERR_FILENO, .dying = true, .exact = true,
			     .first = mp ? rt_getg() : NULL };

	(void)sig;
	rt_die_alone();
	rt_regs_signal(uc, &regs);
	if (d.first)
		d.regs = &regs;
	rt_say("SIGQUIT: quit\nPC=0x%llx m=%d sigcode=%d\n\n", (unsigned long long)regs.r[RT_REG_PC],
	       mp ? (int)mp->id : -1, si->si_code);
	rt_dump_all(&d);
	rt_die();
}

/* ---- bring-up and end --------------------------------------------------------------------------------------------- */

/*
 * Not TSan's for SIGQUIT: it holds signals that are sent back until the thread's next call of libc, and
 * an M that sleeps makes none. A fault does not wait.
 */
static int set_action(int sig, const struct sigaction *sa, struct sigaction *old)
{
	return sig == SIGQUIT ? rt_sigaction(sig, sa, old) : sigaction(sig, sa, old);
}

static bool is_action(int sig, void (*fn)(int))
{
	struct sigaction sa;

	return set_action(sig, NULL, &sa) == 0 && !(sa.sa_flags & SA_SIGINFO) && sa.sa_handler == fn;
}

/* Before the constructors of the program, which may ignore it themselves. */
__attribute__((constructor(101))) static void look_at_quit(void)
{
	quit_ignored = is_action(SIGQUIT, SIG_IGN);
}

static bool quit_is_left_alone(void)
{
	return is_action(SIGQUIT, SIG_DFL) || (quit_ignored && is_action(SIGQUIT, SIG_IGN));
}

static bool install(int sig, void (*fn)(int, siginfo_t *, void *), struct sigaction *old)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };

	sigemptyset(&sa.sa_mask);
	return set_action(sig, &sa, old) == 0;
}

/* Only if it is still ours. */
static void uninstall(int sig, void (*fn)(int, siginfo_t *, void *), const struct sigaction *old)
{
	struct sigaction now;

	if (set_action(sig, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == fn)
		set_action(sig, old, NULL);
}

void rt_signal_init(void)
{
	rt_dump_init();
	have_segv = install(SIGSEGV, on_segv, &old_segv);
	have_quit = quit_is_left_alone() && install(SIGQUIT, on_quit, &old_quit);
}

void rt_signal_fini(void)
{
	if (have_segv)
		uninstall(SIGSEGV, on_segv, &old_segv);
	if (have_quit)
		uninstall(SIGQUIT, on_quit, &old_quit);
}
