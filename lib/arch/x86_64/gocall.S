/* SPDX-License-Identifier: MIT */
/*
 * gocall.S - GMP_GO(): a call caught half way, and made later on another stack.
 *
 * gmp_go_capture_() is called as if it were the user's function: arguments in rdi rsi rdx rcx r8 r9, in
 * ymm0-7, al (variadic), and above the return address. r10, the static chain, points to struct
 * gmp_go_call. It returns nothing: the caller ignores the result; st(0) and rax hold no struct.
 *
 * struct rt_go_regs (sched/gocall.h): rdi rsi rdx rcx r8 r9 rax unused ymm0-7
 */
#define REGS_YMM	64
#define REGS_SIZE	320

	.text
	.globl	gmp_go_capture_
	.type	gmp_go_capture_, @function
	.p2align 4
gmp_go_capture_:
	.cfi_startproc
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	subq	$REGS_SIZE, %rsp
	movq	%rdi, 0(%rsp)
	movq	%rsi, 8(%rsp)
	movq	%rdx, 16(%rsp)
	movq	%rcx, 24(%rsp)
	movq	%r8, 32(%rsp)
	movq	%r9, 40(%rsp)
	movq	%rax, 48(%rsp)
	cmpb	$0, rt_go_have_avx(%rip)
	je	1f
	vmovdqu	%ymm0, REGS_YMM+0(%rsp)
	vmovdqu	%ymm1, REGS_YMM+32(%rsp)
	vmovdqu	%ymm2, REGS_YMM+64(%rsp)
	vmovdqu	%ymm3, REGS_YMM+96(%rsp)
	vmovdqu	%ymm4, REGS_YMM+128(%rsp)
	vmovdqu	%ymm5, REGS_YMM+160(%rsp)
	vmovdqu	%ymm6, REGS_YMM+192(%rsp)
	vmovdqu	%ymm7, REGS_YMM+224(%rsp)
	vzeroupper
	jmp	2f
1:	movdqu	%xmm0, REGS_YMM+0(%rsp)
	movdqu	%xmm1, REGS_YMM+32(%rsp)
	movdqu	%xmm2, REGS_YMM+64(%rsp)
	movdqu	%xmm3, REGS_YMM+96(%rsp)
	movdqu	%xmm4, REGS_YMM+128(%rsp)
	movdqu	%xmm5, REGS_YMM+160(%rsp)
	movdqu	%xmm6, REGS_YMM+192(%rsp)
	movdqu	%xmm7, REGS_YMM+224(%rsp)
2:	movq	%r10, %rdi		/* struct gmp_go_call */
	movq	%rsp, %rsi		/* struct rt_go_regs */
	leaq	16(%rbp), %rdx		/* arguments on the stack */
	movq	8(%rbp), %rcx		/* where it was called */
	call	rt_go_captured
	leave
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size	gmp_go_capture_, . - gmp_go_capture_

	/*
	 * void rt_go_replay(fn, const struct rt_go_regs *, const void *stack, size_t n): makes the call.
	 * n is a multiple of 64, and @stack was as aligned as the caller's stack was.
	 */
	.globl	rt_go_replay
	.hidden	rt_go_replay
	.type	rt_go_replay, @function
	.p2align 4
rt_go_replay:
	.cfi_startproc
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	movq	%rdi, %r11		/* fn */
	movq	%rsi, %r10		/* registers */
	subq	%rcx, %rsp
	andq	$-64, %rsp
	movq	%rsp, %rdi
	movq	%rdx, %rsi
	shrq	$3, %rcx
	rep movsq
	cmpb	$0, rt_go_have_avx(%rip)
	je	1f
	vmovdqu	REGS_YMM+0(%r10), %ymm0
	vmovdqu	REGS_YMM+32(%r10), %ymm1
	vmovdqu	REGS_YMM+64(%r10), %ymm2
	vmovdqu	REGS_YMM+96(%r10), %ymm3
	vmovdqu	REGS_YMM+128(%r10), %ymm4
	vmovdqu	REGS_YMM+160(%r10), %ymm5
	vmovdqu	REGS_YMM+192(%r10), %ymm6
	vmovdqu	REGS_YMM+224(%r10), %ymm7
	jmp	2f
1:	movdqu	REGS_YMM+0(%r10), %xmm0
	movdqu	REGS_YMM+32(%r10), %xmm1
	movdqu	REGS_YMM+64(%r10), %xmm2
	movdqu	REGS_YMM+96(%r10), %xmm3
	movdqu	REGS_YMM+128(%r10), %xmm4
	movdqu	REGS_YMM+160(%r10), %xmm5
	movdqu	REGS_YMM+192(%r10), %xmm6
	movdqu	REGS_YMM+224(%r10), %xmm7
2:	movq	0(%r10), %rdi
	movq	8(%r10), %rsi
	movq	16(%r10), %rdx
	movq	24(%r10), %rcx
	movq	32(%r10), %r8
	movq	40(%r10), %r9
	movq	48(%r10), %rax
	call	*%r11
	leave
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size	rt_go_replay, . - rt_go_replay

	.section .note.GNU-stack, "", @progbits
