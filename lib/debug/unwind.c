/* SPDX-License-Identifier: MIT */
/*
 * unwind.c - stacks to frames: libgcc's unwinder, started in a context that is not its own.
 *
 * The unwinder of libgcc is linked into every C program anyway, finds its tables without a lock
 * (_dl_find_object) and allocates nothing. It can only begin with the frame that calls it; so
 * rt_unwind_under() below is a function whose unwind rules lie: they say that its caller is the
 * context in the struct rt_regs that rbx points to. The walk passes through it into any stack.
 *
 * Rejected: libdw's unwinder (needs the heap, and a process or core file to attach to); walking
 * frame pointers (compilers leave them out); switching to the other stack and unwinding there (its
 * owner may go on meanwhile).
 */
#include "debug/unwind.h"

#include <unwind.h>

#include "arch/x86_64/gobuf.h"

/* void rt_unwind_under(const struct rt_regs *regs, void (*fn)(void *), void *arg) */
void rt_unwind_under(const struct rt_regs *regs, void (*fn)(void *), void *arg);

/*
 * DW_CFA_def_cfa_expression (0x0f): breg3 56, deref: the stack pointer of the context.
 * DW_CFA_expression (0x10) n: breg3 n*8: where register n of the context lies.
 * A signal frame: the pc of the context is that of the next instruction, not one behind a call.
 */
__asm__(".pushsection .text\n\t"
	".hidden rt_unwind_under\n\t"
	".globl rt_unwind_under\n\t"
	".type rt_unwind_under, @function\n"
	"rt_unwind_under:\n\t"
	".cfi_startproc\n\t"
	".cfi_signal_frame\n\t"
	"pushq %rbx\n\t"
	".cfi_adjust_cfa_offset 8\n\t"
	".cfi_rel_offset %rbx, 0\n\t"
	"movq %rdi, %rbx\n\t"
	"movq %rdx, %rdi\n\t"
	".cfi_remember_state\n\t"
	".cfi_escape 0x0f, 3, 0x73, 56, 0x06\n\t"
	".cfi_escape 0x10, 0, 2, 0x73, 0\n\t"
	".cfi_escape 0x10, 1, 2, 0x73, 8\n\t"
	".cfi_escape 0x10, 2, 2, 0x73, 16\n\t"
	".cfi_escape 0x10, 3, 2, 0x73, 24\n\t"
	".cfi_escape 0x10, 4, 2, 0x73, 32\n\t"
	".cfi_escape 0x10, 5, 2, 0x73, 40\n\t"
	".cfi_escape 0x10, 6, 2, 0x73, 48\n\t"
	".cfi_escape 0x10, 8, 3, 0x73, 0xc0, 0\n\t"
	".cfi_escape 0x10, 9, 3, 0x73, 0xc8, 0\n\t"
	".cfi_escape 0x10, 10, 3, 0x73, 0xd0, 0\n\t"
	".cfi_escape 0x10, 11, 3, 0x73, 0xd8, 0\n\t"
	".cfi_escape 0x10, 12, 3, 0x73, 0xe0, 0\n\t"
	".cfi_escape 0x10, 13, 3, 0x73, 0xe8, 0\n\t"
	".cfi_escape 0x10, 14, 3, 0x73, 0xf0, 0\n\t"
	".cfi_escape 0x10, 15, 3, 0x73, 0xf8, 0\n\t"
	".cfi_escape 0x10, 16, 3, 0x73, 0x80, 1\n\t"
	"call *%rsi\n\t"
	"nop\n\t"			/* the return address is still under these rules */
	".cfi_restore_state\n\t"
	"popq %rbx\n\t"
	".cfi_adjust_cfa_offset -8\n\t"
	".cfi_restore %rbx\n\t"
	"ret\n\t"
	".cfi_endproc\n"
	"rt_unwind_under_end:\n\t"
	".size rt_unwind_under, . - rt_unwind_under\n\t"
	".popsection");
extern const char rt_unwind_under_end[] __attribute__((visibility("hidden")));

struct walk {
	rt_frame_fn fn;
	void *arg;
	uintptr_t lo, hi;
	uintptr_t sp;		/* of the last frame: must grow */
	bool inside;		/* past rt_unwind_under() */
	bool bad;
};

static bool is_start(uintptr_t ip)
{
	return ip > (uintptr_t)rt_unwind_under && ip < (uintptr_t)rt_unwind_under_end;
}

/* A stack that is not known may lead from a signal stack to any other: nothing to compare with. */
static bool sane(struct walk *w, uintptr_t sp)
{
	bool ok = !w->hi || (sp > w->sp && sp >= w->lo && sp <= w->hi);

	w->sp = sp;
	return ok;
}

static _Unwind_Reason_Code step(struct _Unwind_Context *c, void *arg)
{
	struct walk *w = arg;
	int exact = 0;
	uintptr_t ip = _Unwind_GetIPInfo(c, &exact);
	struct rt_frame f = { .pc = ip, .at = ip - !exact };

	if (!w->inside) {
		w->inside = is_start(ip);
		return _URC_NO_REASON;
	}
	if (!ip)
		return _URC_END_OF_STACK;
	if (!sane(w, _Unwind_GetCFA(c))) {
		w->bad = true;
		return _URC_END_OF_STACK;
	}
	return w->fn(&f, w->arg) ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static void walk(void *arg)
{
	_Unwind_Backtrace(step, arg);
	rt_compiler_barrier();		/* no tail call: the unwinder counts on this frame */
}

bool rt_unwind(const struct rt_regs *regs, uintptr_t lo, uintptr_t hi, rt_frame_fn fn, void *arg)
{
	struct walk w = { .fn = fn, .arg = arg, .lo = lo, .hi = hi };

	rt_unwind_under(regs, walk, &w);
	return !w.bad;
}

/* gobuf.h: r15 r14 r13 r12 rbx rbp pc from the saved stack pointer up. */
rt_not_sanitized bool rt_regs_parked(const struct rt_g *gp, struct rt_regs *regs)
{
	const uint64_t *sp = rt_load_rlx(&gp->sp);

	*regs = (struct rt_regs){ 0 };
	if (!sp || !gp->stack_hi || (uintptr_t)sp < gp->stack_lo ||
	    (uintptr_t)sp > gp->stack_hi - RT_SP_OFF_PC - 8)
		return false;
	for (int i = 0; i < 4; i++)
		regs->r[15 - i] = sp[i];
	regs->r[RT_REG_BX] = sp[4];
	regs->r[RT_REG_BP] = sp[RT_SP_OFF_BP / 8];
	regs->r[RT_REG_PC] = sp[RT_SP_OFF_PC / 8];
	regs->r[RT_REG_SP] = (uintptr_t)sp + RT_SP_OFF_PC + 8;
	return true;
}

void rt_regs_signal(const ucontext_t *uc, struct rt_regs *regs)
{
	static const uint8_t of[RT_REG_COUNT] = {
		REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
		REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP,
	};

	for (int i = 0; i < RT_REG_COUNT; i++)
		regs->r[i] = (uint64_t)uc->uc_mcontext.gregs[of[i]];
}
