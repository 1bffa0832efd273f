/* SPDX-License-Identifier: MIT */
/*
 * gocall.c - the C half of GMP_GO(): from the caught call to a new goroutine.
 *
 * The macro cannot know how many bytes of arguments lie on the stack, only how many at most; so some of
 * the caller's frame may be copied along, which nobody looks at. Alignment: the copy is replayed on a
 * stack aligned to 64, as arguments of types aligned that much would be.
 */
#include "sched/gocall.h"

#include <errno.h>
#include <string.h>

#include "gmprt/proc.h"
#include "sched/hot.h"

bool rt_go_have_avx;	/* written once, before main() */

__attribute__((constructor)) static void look_for_avx(void)
{
	rt_go_have_avx = __builtin_cpu_supports("avx") != 0;
}

void rt_go_captured(struct gmp_go_call *call, const struct rt_go_regs *regs, const void *stack, void *pc);

static size_t round_up(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

/* Where the caller's stack ends nobody knows; the room left above a goroutine's first frame does. */
static size_t stack_bytes(struct gmp_go_call *call, const void *stack)
{
	struct rt_g *gp = rt_getg();
	size_t n = call->stack_bytes;
	uintptr_t at = (uintptr_t)stack;

	if (gp && at > gp->stack_lo && at < gp->stack_hi && n > gp->stack_hi - at)
		n = gp->stack_hi - at;
	return n;
}

void rt_go_captured(struct gmp_go_call *call, const struct rt_go_regs *regs, const void *stack, void *pc)
{
	size_t n = stack_bytes(call, stack);
	struct rt_go_pack head = {
		.fn = call->fn, .stack_bytes = round_up(n), .ret_bytes = round_up(call->ret_bytes),
		.regs = *regs,
	};
	struct rt_go_parts parts = { &head, sizeof(head), stack, n, head.ret_bytes };

	call->goid = call->fn ? rt_go_pack(&parts, (void (*)(void *))(uintptr_t)call->fn, pc) : -EINVAL;
}

void rt_go_run_pack(void *arg)
{
	struct rt_go_pack *pack = arg;

	if (pack->ret_bytes)
		pack->regs.rdi = (uintptr_t)pack - pack->ret_bytes;
	rt_go_replay(pack->fn, &pack->regs, pack->stack, pack->stack_bytes);
}
