/* SPDX-License-Identifier: MIT */
/*
 * switch.S - the switch between two stacks.
 *
 * It ends in pop and jmp: a ret would be mispredicted each time, for the return stack of the CPU
 * knows the caller of the context that was left (2.1 ns against 7.1 measured).
 */
	.text

	.globl	rt_switch
	.hidden	rt_switch
	.type	rt_switch, @function
	.p2align 4
rt_switch:
	.cfi_startproc
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp		/* same layout: the unwind rules stay true */
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rcx
	jmp	*%rcx
	.cfi_endproc
	.size	rt_switch, . - rt_switch

	/* How functions marked RT_RETURN_BY_JUMP return (gobuf.h); the name is the compiler's. */
	.globl	__x86_return_thunk
	.hidden	__x86_return_thunk
	.type	__x86_return_thunk, @function
	.p2align 4
__x86_return_thunk:
	.cfi_startproc
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rcx
	jmp	*%rcx
	.cfi_endproc
	.size	__x86_return_thunk, . - __x86_return_thunk

	.globl	rt_jump
	.hidden	rt_jump
	.type	rt_jump, @function
	.p2align 4
rt_jump:
	.cfi_startproc
	.cfi_undefined %rip
	movq	%rdi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	popq	%rcx
	jmp	*%rcx
	.cfi_endproc
	.size	rt_jump, . - rt_jump

	.globl	rt_start_on
	.hidden	rt_start_on
	.type	rt_start_on, @function
	.p2align 4
rt_start_on:
	.cfi_startproc
	.cfi_undefined %rip
	leaq	-8(%rdi), %rsp		/* as after a call with no return address ... */
	movq	$0, (%rsp)		/* ... so that unwinders by frame pointer stop here */
	xorl	%ebp, %ebp
	jmp	rt_g_entry
	.cfi_endproc
	.size	rt_start_on, . - rt_start_on

	/* First code on every goroutine's stack; unwinding ends here. rsp = 8 modulo 16. */
	.globl	rt_g_entry
	.hidden	rt_g_entry
	.type	rt_g_entry, @function
	.p2align 4
rt_g_entry:
	.cfi_startproc
	.cfi_undefined %rip
	subq	$136, %rsp		/* the record of a free stack must not meet a live frame */
	call	rt_g_main
	ud2				/* rt_g_main() does not return */
	.cfi_endproc
	.size	rt_g_entry, . - rt_g_entry

	.section .note.GNU-stack, "", @progbits
