/* SPDX-License-Identifier: MIT */
/*
 * stackguard.c - what lies below a stack: 68 KiB that must not be touched.
 *
 *   MADV_GUARD_INSTALL (6.13+)  costs no mapping: every stack gets a guard.
 *   mprotect(PROT_NONE)         two mappings a stack. For so many that they take half of what
 *                               vm.max_map_count allows (65530: 16382 stacks), and after that for the lowest
 *                               of each slab, which are larger then, until these take an eighth
 *                               (enough for a million stacks): a recursion without end is stopped before it is out
 *                               of the runtime's memory. The rest is the program's. Also not when the kernel
 *                               refuses, the program having used more.
 *   nothing                     else the 68 KiB are a gap, which nobody touches but an overflow, so that
 *                               a million goroutines fit under the default. An overflow is seen afterwards:
 *                               a page of the gap is there, and not empty. That stays so whatever
 *                               the goroutine does then, so it is found when somebody looks: when the
 *                               goroutine ends, by sysmon, before a SIGSEGV kills, at the end of the
 *                               run (debug/overflow.c). Up to 68 KiB it has hit nobody; beyond, the stacks below.
 *
 * How to look: mincore() says which pages were touched, and touches none itself. It costs 1.4 us with what leads
 * there, at the end of a goroutine on such a stack only; Ps keep those with guards for the next ones. A page
 * may be there for other reasons (mlockall(), a debugger that read it): then it holds zeros, and an overflow
 * leaves return addresses. One that was swapped out since is not seen.
 *
 * Rejected:
 *   a word at the end of the stack     commits a page for each, which doubles what a parked goroutine costs
 *   a word in memory that is committed anyway, the top of the stack below: frames leave many of their words
 *                                      unwritten, and an overflow may miss it
 *   one guard for every k-th stack     and nothing else: the others can still overflow in silence
 *   write protection by userfaultfd    costs no mapping, but a descriptor that the program may close; and filters
 *                                      of containers refuse it, so the gap would be needed all the same
 *   a look at each switch              a load of the G's third line, at every switch on every kernel
 */
#include "os/stackguard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sanitize.h"
#include "os/futex.h"
#include "os/stack.h"
#include "sched/env.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define PAGE		4096u
#define GAP_PAGES	(RT_STACK_GUARD / PAGE)
#define MAPS_DEFAULT	65530u		/* vm.max_map_count, if it cannot be read */
#define MAPS_EACH	2u		/* a guard splits one mapping into three */
#define SHARE		2u		/* of all mappings, one in so many may be for guards, */
#define SHARE_LOWEST	8u		/* and one in so many for those below the lowest stacks */

static struct {
	bool no_madv;		/* the kernel has none */
	uint32_t maps;		/* vm.max_map_count; 0: not read yet */
	uint32_t n, lowest;	/* by mprotect() */
	bool full;		/* the kernel refused one */
} guards;			/* the stack lock */

static unsigned long max_map_count(void)
{
	char text[32] = "";
	int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
	unsigned long n;

	if (fd < 0)
		return MAPS_DEFAULT;
	n = read(fd, text, sizeof(text) - 1) > 0 ? strtoul(text, NULL, 10) : 0;
	close(fd);
	return n && n < UINT32_MAX ? n : MAPS_DEFAULT;
}

/* Where more mappings are allowed than by default it is for the program: each makes fork() dearer. */
static uint32_t most_of(uint32_t share)
{
	unsigned long most;

	if (!guards.maps) {
		most = max_map_count();
		guards.maps = most < MAPS_DEFAULT ? (uint32_t)most : MAPS_DEFAULT;
	}
	return guards.maps / share / MAPS_EACH;
}

static bool by_mapping(void)
{
	return rt_env.few_guards || guards.no_madv;
}

static bool all_used(void)
{
	return guards.n >= (rt_env.few_guards ? rt_env.guards : most_of(SHARE));
}

static enum rt_guard guard_by_mapping(uintptr_t at, bool lowest)
{
	uint32_t *n = all_used() ? &guards.lowest : &guards.n;

	if (guards.full || (n == &guards.lowest && (!lowest || *n >= most_of(SHARE_LOWEST))))
		return RT_GUARD_NONE;
	if (mprotect((void *)at, RT_STACK_GUARD, PROT_NONE) == 0) {
		++*n;
		return RT_GUARD;
	}
	guards.full = true;
	return RT_GUARD_NONE;
}

bool rt_guards_are_out(void)
{
	return by_mapping() && (guards.full || all_used());
}

enum rt_guard rt_guard_at(uintptr_t at, bool lowest)
{
	if (by_mapping())
		return guard_by_mapping(at, lowest);
	if (madvise((void *)at, RT_STACK_GUARD, MADV_GUARD_INSTALL) == 0)
		return RT_GUARD;
	if (errno != EINVAL)
		return RT_GUARD_ERROR;
	guards.no_madv = true;
	return guard_by_mapping(at, lowest);
}

/* Somebody may be writing there just now. */
static rt_not_sanitized bool holds_anything(uintptr_t page)
{
	const volatile uint64_t *w = (const volatile uint64_t *)page;

	for (size_t i = 0; i < PAGE / sizeof(*w); i++)
		if (w[i])
			return true;
	return false;
}

bool rt_gap_written(uintptr_t at)
{
	unsigned char there[GAP_PAGES];
	bool any = false;

	/* without libc: the P of one that waits there could go, and errno is the program's */
	if (rt_syscall6(SYS_mincore, (long)at, RT_STACK_GUARD, (long)there, 0, 0, 0) == 0)
		for (size_t i = 0; i < GAP_PAGES && !any; i++)
			any = (there[i] & 1) && holds_anything(at + i * PAGE);
	return any;
}

void rt_guards_forget(void)
{
	guards.n = guards.lowest = 0;
	guards.full = false;
}
