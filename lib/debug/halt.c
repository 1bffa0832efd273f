/* SPDX-License-Identifier: MIT */
/*
 * halt.c - see halt.h.
 *
 * For the time of one dump SIGURG is ours: each M that carries a goroutine gets one with a mark, saves
 * its registers in its handler, and waits there until the helper process, a copy of this one, has
 * been made. A request to preempt does as well as a mark: of two pending signals the kernel keeps the
 * first, and its own handler must not run on a signal stack; it will be repeated. Others go to the
 * handler that was there before, and marks are sent again to who did not come. Whoever has SIGURG
 * blocked, or sleeps uninterruptibly, is shown without a stack.
 *
 * A signal ends some system calls early (EINTR) whatever SA_RESTART says. In a process that dies
 * nobody cares; in one that goes on only those are disturbed that compute, or stand in a call that
 * the kernel restarts: /proc/self/task/TID/syscall tells, without disturbing anyone.
 *
 * Ordering: MO-D1: `users` is raised, full fence, `current` read by the handler; `current` is cleared,
 * full fence, `users` read by rt_halt_end(). So the memory is not given back under a late handler.
 */
#include "debug/halt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os/futex.h"
#include "os/mark.h"
#include "sched/preempt.h"

#define HALT_NS		300000000ull	/* until all have come: a busy machine gives a thread its turn late */
#define AGAIN_NS	30000000ull	/* until a mark is sent again */
#define HOLD_NS		2000000000ull	/* they wait no longer than this, whatever becomes of the dump */

struct halted {
	struct rt_m *mp;	/* set last: release */
	struct rt_regs regs;
};

struct rt_halt {
	struct rt_m *by;	/* the M that dumps is not halted; NULL: a foreign thread. const */
	uint32_t size;		/* room in m[]; const */
	uint32_t wanted;	/* signals sent */
	uint32_t slots;		/* given out; atomic */
	uint32_t arrived;	/* atomic */
	uint32_t released;	/* futex */
	size_t bytes;
	struct halted m[];
};

static struct rt_halt *current;		/* atomic, MO-D1 */
static uint32_t users;			/* handlers inside; atomic, MO-D1 */
static struct sigaction before;
static char mark;			/* its address is the mark */

/* ---- the halted side -------------------------------------------------------------------------------- */

static void hold(struct rt_halt *h)
{
	const struct timespec pace = { .tv_nsec = 10000000 };
	uint64_t end = rt_now() + HOLD_NS;

	while (!rt_load_acq(&h->released) && rt_now() < end)
		rt_futex_wait(&h->released, 0, &pace);
}

static void show(struct rt_halt *h, const ucontext_t *uc)
{
	uint32_t i = rt_add_rlx(&h->slots, 1) - 1;

	if (i < h->size) {
		rt_regs_signal(uc, &h->m[i].regs);
		rt_store_rel(&h->m[i].mp, rt_getm());
	}
	rt_add_ar(&h->arrived, 1);
	hold(h);
}

/* To halt, or to preempt: see above; what carries nothing is ours for this short time. */
static bool marked(const siginfo_t *si)
{
	return rt_mark_is_lost(si) || rt_mark_is(si, &mark) || rt_mark_is(si, (const void *)rt_preempt_cookie());
}

static void on_urg(int sig, siginfo_t *si, void *uc)
{
	int saved = errno;
	struct rt_halt *h;

	if (!marked(si)) {
		rt_mark_pass_on(&before, sig, si, uc);
		errno = saved;
		return;
	}
	rt_add_ar(&users, 1);
	rt_smp_mb();			/* MO-D1 */
	h = rt_load_acq(&current);
	if (h && rt_getm() && rt_getm() != h->by && !rt_halt_regs(h, rt_getm()))
		show(h, uc);
	rt_sub_ar(&users, 1);
	errno = saved;
}

/* ---- whom to signal --------------------------------------------------------------------------------- */

/* The list may change under a caller that is no RCU reader: a copy by the kernel cannot fault. */
static bool peek(const void *at, void *to, size_t n)
{
	struct iovec local = { to, n }, remote = { (void *)(uintptr_t)at, n };

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)n;
}

/* -1: a page fault. Of those that no signal ends early, the ones a thread may stand in for long. */
static bool restarts(long nr, unsigned long timeout)
{
	switch (nr) {
	case -1: case SYS_mmap: case SYS_munmap: case SYS_mprotect: case SYS_madvise: case SYS_brk:
	case SYS_clone: case SYS_clone3: case SYS_close: case SYS_membarrier: case SYS_sched_yield:
	case SYS_read: case SYS_write: case SYS_pread64: case SYS_pwrite64: case SYS_readv:
	case SYS_writev: case SYS_open: case SYS_openat: case SYS_fsync: case SYS_fdatasync:
	case SYS_flock: case SYS_fcntl: case SYS_wait4: case SYS_waitid: case SYS_sendfile:
		return true;
	case SYS_futex:
		return timeout == 0;
	}
	return false;
}

/* "running", or "NR ARG0 ... ARG5 SP PC" of the system call it sleeps in. */
static bool undisturbed(uint32_t tid)
{
	char path[64], text[256], *s;
	unsigned long arg[4] = { 0 };
	ssize_t n;
	long nr;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%u/syscall", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	if (strncmp(text, "running", 7) == 0)
		return true;
	nr = strtol(text, &s, 10);
	for (int i = 0; i < 4; i++)
		arg[i] = strtoul(s, &s, 16);
	return restarts(nr, arg[3]);
}

/* Each M that carries a G and has not come yet; with @h NULL only counts. */
static uint32_t signal_all(struct rt_halt *h, bool dying)
{
	struct rt_m *mp = rt_load_acq(&rt_sched.allm), *self = rt_getm();
	uint32_t n = 0, tid;
	struct rt_g *gp;

	for (uint32_t i = 0; mp && i < GMP_MAX_M; i++) {
		if (!peek(&mp->curg, &gp, sizeof(gp)) || !peek(&mp->tid, &tid, sizeof(tid)))
			break;
		if (gp && tid && mp != self && !rt_halt_regs(h, mp) && (dying || undisturbed(tid)))
			n += !h || (n < h->size && rt_mark_send(tid, &mark));
		if (!peek(&mp->alllink, &mp, sizeof(mp)))
			break;
	}
	return n;
}

/* ---- the dumper's side -------------------------------------------------------------------------------- */

static struct rt_halt *make(uint32_t n)
{
	size_t bytes = sizeof(struct rt_halt) + n * sizeof(struct halted);
	struct rt_halt *h = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (h == MAP_FAILED)
		return NULL;
	h->by = rt_getm();
	h->size = n;
	h->bytes = bytes;
	return h;
}

static void wait_for_all(struct rt_halt *h, bool dying)
{
	const struct timespec pace = { .tv_nsec = 200000 };
	uint64_t start = rt_now(), again = start + AGAIN_NS, now = start;

	while (rt_load_acq(&h->arrived) < h->wanted && now < start + HALT_NS) {
		nanosleep(&pace, NULL);
		now = rt_now();
		if (now >= again) {
			signal_all(h, dying);
			again = now + AGAIN_NS;
		}
	}
}

struct rt_halt *rt_halt_begin(bool dying)
{
	struct sigaction sa = { .sa_sigaction = on_urg,
				.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
	uint32_t n = signal_all(NULL, dying);
	struct rt_halt *h = n ? make(n) : NULL;

	if (!h)
		return NULL;
	sigfillset(&sa.sa_mask);
	if (rt_sigaction(SIGURG, &sa, &before) < 0) {
		munmap(h, h->bytes);
		return NULL;
	}
	rt_store_rel(&current, h);
	h->wanted = signal_all(h, dying);
	wait_for_all(h, dying);
	return h;
}

void rt_halt_end(struct rt_halt *h)
{
	const struct timespec pace = { .tv_nsec = 100000 };
	uint64_t end = rt_now() + HALT_NS;

	if (!h)
		return;
	rt_store_rel(&current, NULL);
	rt_smp_mb();			/* MO-D1 */
	rt_store_rel(&h->released, 1);
	rt_futex_wake(&h->released, (int)h->size);
	rt_sigaction(SIGURG, &before, NULL);
	while (rt_load_acq(&users) && rt_now() < end)
		nanosleep(&pace, NULL);
	if (!rt_load_acq(&users))
		munmap(h, h->bytes);	/* else somebody lost its CPU in the handler: a page is lost */
}

const struct rt_regs *rt_halt_regs(const struct rt_halt *h, const struct rt_m *mp)
{
	for (uint32_t i = 0; h && mp && i < h->size; i++)
		if (rt_load_acq(&h->m[i].mp) == mp)
			return &h->m[i].regs;
	return NULL;
}
