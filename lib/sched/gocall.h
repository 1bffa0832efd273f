/* SPDX-License-Identifier: MIT */
/* gocall.h - what GMP_GO() keeps of a call until the new goroutine makes it. See arch/x86_64/gocall.S. */
#ifndef RT_GOCALL_H
#define RT_GOCALL_H

#include "sched/runtime.h"

struct rt_go_regs {
	uint64_t rdi, rsi, rdx, rcx, r8, r9, rax, unused;
	unsigned char ymm[8][32];
};

rt_static_assert(sizeof(struct rt_go_regs) == 320, "arch/x86_64/gocall.S knows the size");

/* At the top of the new goroutine's stack. */
struct rt_go_pack {
	void (*fn)(void);
	uint64_t stack_bytes;		/* a multiple of 64, that follow */
	uint64_t ret_bytes;		/* in front of this, for a struct returned through memory */
	uint64_t unused;
	struct rt_go_regs regs;
	unsigned char stack[];
};

void rt_go_replay(void (*fn)(void), const struct rt_go_regs *regs, const void *stack, size_t n);
/* Runs the call in @arg, a struct rt_go_pack; first code of such a goroutine. */
void rt_go_run_pack(void *arg);
extern bool rt_go_have_avx;

#endif
