/* SPDX-License-Identifier: MIT */
/*
 * registers_test.c - what a switch keeps: the six registers that a called function must leave as they were, of
 * each goroutine its own. What it does not keep: the rounding modes, which are the thread's.
 */
#include <gmprt.h>

#include "gmptest.h"

enum { REGS = 6 };

/* Calls @fn(@arg) with the values of @in in rbx, rbp, r12 to r15; what is in them afterwards is in @out. */
void call_with_registers(void (*fn)(void *), void *arg, const uint64_t *in, uint64_t *out);

__asm__(".text\n"
	"call_with_registers:\n"
	"	pushq	%rbx\n"
	"	pushq	%rbp\n"
	"	pushq	%r12\n"
	"	pushq	%r13\n"
	"	pushq	%r14\n"
	"	pushq	%r15\n"
	"	pushq	%rcx\n"
	"	movq	%rdi, %rax\n"
	"	movq	%rsi, %rdi\n"
	"	movq	0(%rdx), %rbx\n"
	"	movq	8(%rdx), %rbp\n"
	"	movq	16(%rdx), %r12\n"
	"	movq	24(%rdx), %r13\n"
	"	movq	32(%rdx), %r14\n"
	"	movq	40(%rdx), %r15\n"
	"	call	*%rax\n"
	"	popq	%rcx\n"
	"	movq	%rbx, 0(%rcx)\n"
	"	movq	%rbp, 8(%rcx)\n"
	"	movq	%r12, 16(%rcx)\n"
	"	movq	%r13, 24(%rcx)\n"
	"	movq	%r14, 32(%rcx)\n"
	"	movq	%r15, 40(%rcx)\n"
	"	popq	%r15\n"
	"	popq	%r14\n"
	"	popq	%r13\n"
	"	popq	%r12\n"
	"	popq	%rbp\n"
	"	popq	%rbx\n"
	"	ret\n");

static struct gmp_wg wg;
static struct gmp_chan *c;

static void yields(void *arg)
{
	(void)arg;
	gmp_yield();
}

static void sleeps(void *arg)
{
	(void)arg;
	gmp_sleep(10000);
}

static void sends(void *arg)
{
	CHECK_EQ(gmp_chan_send(c, &arg), 0);
}

static void receives(void *arg)
{
	CHECK_EQ(gmp_chan_recv(c, &arg), 1);
}

static void keeps(void (*fn)(void *), uint64_t mine)
{
	uint64_t in[REGS], out[REGS] = { 0 };

	for (int i = 0; i < REGS; i++)
		in[i] = mine * 0x0101010101010101ull + (uint64_t)i;
	call_with_registers(fn, NULL, in, out);
	for (int i = 0; i < REGS; i++)
		CHECK_EQ(out[i], in[i]);
}

static void by_turns(void *arg)
{
	uint64_t mine = (uint64_t)(uintptr_t)arg;

	for (int i = 0; i < 100; i++) {
		keeps(yields, mine);
		keeps(mine % 2 ? sends : receives, mine);
		if (i % 10 == 0)
			keeps(sleeps, mine);
	}
	gmp_wg_done(&wg);
}

GTEST(each_goroutine_keeps_its_own)
{
	c = gmp_chan_make(sizeof(void *), 0);
	gmp_wg_add(&wg, 8);
	for (uintptr_t i = 1; i <= 8; i++)
		CHECK(gmp_go(by_turns, (void *)i) > 1);
	gmp_wg_wait(&wg);
	gmp_chan_unref(c);
}

/* ---- rounding ------------------------------------------------------------------------------------------- */

#define SSE_ROUNDING	0x6000u
#define X87_ROUNDING	0x0c00u
#define DOWN_SSE	0x2000u
#define DOWN_X87	0x0400u

static uint32_t sse_control(void)
{
	uint32_t v;

	__asm__ __volatile__("stmxcsr %0" : "=m"(v));
	return v;
}

static uint16_t x87_control(void)
{
	uint16_t v;

	__asm__ __volatile__("fnstcw %0" : "=m"(v));
	return v;
}

static void set_control(uint32_t sse, uint16_t x87)
{
	__asm__ __volatile__("ldmxcsr %0; fldcw %1" : : "m"(sse), "m"(x87));
}

static int sees;

/* On the same thread, after the switch: as the one before left it. */
static void looks(void *arg)
{
	(void)arg;
	CHECK_EQ(sse_control() & SSE_ROUNDING, DOWN_SSE);
	CHECK_EQ(x87_control() & X87_ROUNDING, DOWN_X87);
	sees++;
}

static int rounds_down(void *arg)
{
	uint32_t sse = sse_control();
	uint16_t x87 = x87_control();

	(void)arg;
	set_control((sse & ~SSE_ROUNDING) | DOWN_SSE, (uint16_t)((x87 & ~X87_ROUNDING) | DOWN_X87));
	CHECK(gmp_go(looks, NULL) > 1);
	gmp_yield();
	CHECK_EQ(sees, 1);
	CHECK_EQ(sse_control() & SSE_ROUNDING, DOWN_SSE);
	CHECK_EQ(x87_control() & X87_ROUNDING, DOWN_X87);
	set_control(sse, x87);
	return 0;
}

TEST(rounding_is_the_thread_s)
{
	setenv("GMP_MAXPROCS", "1", 1);
	setenv("GMP_DEBUG", "sysmon=0", 1);
	CHECK_EQ(gmp_run(rounds_down, NULL), 0);
}
