/* SPDX-License-Identifier: MIT */
/*
 * dump.c - all goroutines, for gmp_dump(), SIGQUIT and fatal errors.
 *
 * Owns:       the helper process; one dump at a time.
 * Not here:   how a goroutine looks (traceback.c), registers of running ones (halt.c).
 *
 * The work is done by a helper: a copy of this process, with one thread. It sees all stacks as they
 * were at one moment, however broken or locked this process is, can use libdw and its heap without
 * touching ours, and may crash or hang: then its parent says so and prints the rest without stacks.
 * What happens here, in the process itself, is a handful of system calls: no allocation, no lock.
 *
 *   process                                   helper
 *   the other Ms are halted (halt.c)
 *   clone() without CLONE_VM           ->     unwinds, names, prints goroutine by goroutine;
 *   they go on                                counts them in a shared page
 *   waits; kills it when the count stands
 *   still for STALL_NS                 <-     _exit()
 *
 * The helper is no child in the usual sense: without an exit signal neither SIGCHLD nor wait(-1) of
 * the program see it. clone() and not fork(): fork() runs handlers and takes the heap's locks, which
 * a dying thread may hold itself.
 *
 * Rejected: walking and naming in the process (libdw allocates; a goroutine may go on while its stack
 * is read; a broken stack kills a process that only wanted a dump); a helper program (not installed
 * where a static binary runs); stopping the world first (impossible in signal handlers and locks).
 *
 * A lock of the heap or the loader that another thread held at the moment of the copy stays locked
 * in it for ever. libdw then hangs, before anything is printed: another copy is made, some
 * milliseconds or seconds later. A lock the dying thread itself holds costs the lines, no more.
 */
#include "debug/dump.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "debug/code.h"
#include "debug/guard.h"
#include "debug/traceback.h"
#include "gmprt/debug.h"

#define STACK_SIZE	(4ul << 20)	/* libdw recurses */
/*
 * Not longer with a sanitizer: its allocator may have been locked by another thread at the clone(), and the
 * helper then waits for ever, one time in twenty.
 */
#define STALL_NS	((RT_VALGRIND ? 10u : 1u) * 15000000000ull)
#define LOCK_NS		3000000000ull	/* a dying thread waits so long for another's dump */
#define ALL_DONE	UINT64_MAX
#define TRIES		3
#define TRY_AGAIN	77

struct job {
	const struct rt_dump *d;
	enum rt_tb_level level;
	const struct rt_halt *halt;
	uint64_t now;
	uint64_t *done;		/* shared with the helper: Gs of the table it has dealt with; atomic */
	unsigned int try;	/* 1 to TRIES */
	char *stack;		/* the helper's, STACK_SIZE bytes */
};

/* ---- in the helper ----------------------------------------------------------------------------------- */

static bool shown(const struct job *j, const struct rt_g *gp)
{
	return rt_load_rlx(&gp->h.goid) && gp != j->d->first && gp->h.status != GMP_G_DEAD &&
	       gp->h.status != GMP_G_IDLE &&
	       (!(gp->h.flags & GMP_GF_SYSTEM) || j->level == RT_TB_SYSTEM);
}

/* What is asked about first: the goroutine that died, or the scheduler's stack. */
static void print_first(struct rt_tb *tb, const struct rt_dump *d)
{
	if (d->first)
		rt_tb_goroutine(tb, d->first, d->regs, d->exact);
	else if (d->regs && d->dying)
		rt_tb_thread(tb, "runtime stack:", d->regs);
	else
		return;
	rt_out(tb->out, "\n");
	rt_out_flush(tb->out);
}

static void print_rest(struct rt_tb *tb, const struct job *j)
{
	struct rt_g *gp;

	for (uint64_t i = 0; (gp = rt_g_nth(i)) != NULL && !tb->out->failed; i++) {
		if (shown(j, gp)) {
			rt_tb_goroutine(tb, gp, NULL, false);
			rt_out(tb->out, "\n");
			rt_out_flush(tb->out);
		}
		rt_store_rel(j->done, i + 1);
	}
}

static int helper(void *arg)
{
	const struct job *j = arg;
	struct rt_out out;
	struct rt_tb tb = { .out = &out, .level = j->level, .now = j->now, .halt = j->halt };

	rt_san_other_stack((uintptr_t)j->stack, (uintptr_t)j->stack + STACK_SIZE);
	rt_tls.slot = 0;		/* the pages shared with the module are not in this process (callout.c) */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rt_guard_init();
	if (!rt_code_init(j->try) && j->try < TRIES)
		_exit(TRY_AGAIN);
	rt_out_init(&out, j->d->fd);
	print_first(&tb, j->d);
	if (j->level > RT_TB_SINGLE || !j->d->first)
		print_rest(&tb, j);
	rt_store_rel(j->done, ALL_DONE);
	_exit(out.failed ? EIO : 0);
}

/* ---- in the process ------------------------------------------------------------------------------------ */

/* No helper, or it died on the way: what can be said without looking at stacks. */
static int print_plain(const struct job *j)
{
	uint64_t i = rt_load_acq(j->done);
	struct rt_out out;
	struct rt_g *gp;

	rt_out_init(&out, j->d->fd);
	rt_out(&out, "gmprt: the process that prints stacks failed; without them:\n");
	if (i == 0 && j->d->first)
		rt_tb_plain(&out, j->d->first, j->now);
	for (; (gp = rt_g_nth(i)) != NULL && !out.failed; i++)
		if (shown(j, gp))
			rt_tb_plain(&out, gp, j->now);
	rt_out_flush(&out);
	return out.failed ? -EIO : 0;
}

/* Waits for the helper as long as it gets on. */
static int await(pid_t pid, const struct job *j)
{
	const struct timespec pace = { .tv_nsec = 2000000 };
	uint64_t seen = 0, end = rt_now() + STALL_NS;
	int status = 0;
	pid_t got;

	while ((got = waitpid(pid, &status, WNOHANG | __WALL)) == 0 || (got < 0 && errno == EINTR)) {
		if (rt_load_acq(j->done) != seen) {
			seen = rt_load_acq(j->done);
			end = rt_now() + STALL_NS;
		}
		if (rt_now() >= end)
			kill(pid, SIGKILL);
		nanosleep(&pace, NULL);
	}
	return status;
}

static void *map(size_t n, int flags)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* clone() gives the helper its own stack: ours may be a signal stack of a few pages. */
static pid_t start_helper(struct job *j, char *stack)
{
	struct rt_halt *halt;
	pid_t pid;

	halt = rt_halt_begin(j->d->dying);
	j->halt = halt;
	j->stack = stack;
	pid = clone(helper, stack + STACK_SIZE, 0, j);
	rt_halt_end(halt);
	return pid;
}

static int run(struct job *j, char *stack)
{
	int status;
	pid_t pid;

	do {
		j->try++;
		pid = start_helper(j, stack);
		status = pid < 0 ? 0 : await(pid, j);
	} while (WIFEXITED(status) && WEXITSTATUS(status) == TRY_AGAIN && j->try < TRIES);
	if (rt_load_acq(j->done) != ALL_DONE)
		return print_plain(j);
	return WIFEXITED(status) && WEXITSTATUS(status) ? -EIO : 0;
}

static uint32_t busy;	/* atomic */

static bool begin(bool dying)
{
	const struct timespec pace = { .tv_nsec = 1000000 };
	uint64_t end = rt_now() + LOCK_NS;

	while (!rt_cas_ar(&busy, 0, 1)) {
		if (!dying)
			return false;
		if (rt_now() >= end)
			return true;
		nanosleep(&pace, NULL);
	}
	return true;
}

int rt_dump_all(const struct rt_dump *d)
{
	struct job j = { .d = d, .level = d->dying ? rt_tb_level() : RT_TB_ALL, .now = rt_now() };
	uint64_t none = 0;
	uint64_t *shared;
	char *stack;
	int err;

	if (j.level == RT_TB_NONE)
		return 0;
	if (!begin(d->dying))
		return -EBUSY;
	shared = map(sizeof(*shared), MAP_SHARED);
	stack = map(STACK_SIZE, MAP_PRIVATE | MAP_NORESERVE | MAP_STACK);
	j.done = shared ? shared : &none;
	err = shared && stack ? run(&j, stack) : print_plain(&j);
	if (shared)
		munmap(shared, sizeof(*shared));
	if (stack)
		munmap(stack, STACK_SIZE);
	rt_store_rel(&busy, 0);
	return err;
}

/* ---- who calls ------------------------------------------------------------------------------------------- */

static rt_noinline void throw_dump(int fd)
{
	struct rt_regs regs;
	struct rt_dump d = { .fd = fd, .dying = true, .first = rt_getg(), .regs = &regs };

	rt_regs_here(&regs);
	rt_dump_all(&d);
	rt_compiler_barrier();		/* this frame stays until the helper has seen it */
}

void rt_dump_init(void)
{
	rt_throw_dump = throw_dump;
}

RT_PUBLIC rt_noinline int gmp_dump(int fd)
{
	struct rt_regs regs;
	struct rt_dump d = { .fd = fd, .first = rt_getg(), .regs = &regs };
	int saved = errno, err;

	if (fd < 0)
		return -EBADF;
	if (!rt_getm() && !rt_load_acq(&rt_sched.running))
		return -ESRCH;		/* a goroutine still has its M while the run ends */
	rt_regs_here(&regs);
	err = rt_dump_all(&d);
	errno = saved;
	return err;
}
