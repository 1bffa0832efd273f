/* SPDX-License-Identifier: MIT */
/* traceback.h - one goroutine as text, in Go's form. See traceback.c. */
#ifndef RT_TRACEBACK_H
#define RT_TRACEBACK_H

#include "debug/halt.h"
#include "debug/out.h"

/* GMP_TRACEBACK, as Go's GOTRACEBACK. */
enum rt_tb_level {
	RT_TB_NONE,	/* no stacks at all */
	RT_TB_SINGLE,	/* the goroutine that died */
	RT_TB_ALL,	/* the default: all but the runtime's own, without its frames */
	RT_TB_SYSTEM,	/* everything; also for crash, which then aborts */
};
enum rt_tb_level rt_tb_level(void);

/* What the helper knows. */
struct rt_tb {
	struct rt_out *out;
	enum rt_tb_level level;
	uint64_t now;
	const struct rt_halt *halt;
};

const char *rt_wait_text(unsigned int reason);		/* never NULL */
const char *rt_status_text(unsigned int status);	/* never NULL */

/* "goroutine 7 [chan receive, 3 minutes]: name{key=value}" and a line end. Context: any. */
void rt_tb_header(struct rt_out *o, const struct rt_g *gp, uint64_t now);
/*
 * Header, frames, creation site. @regs: where it stands, when the caller knows (else NULL); @exact: it
 * was stopped there by a signal, not in a call of ours. Context: the helper.
 */
void rt_tb_goroutine(struct rt_tb *tb, const struct rt_g *gp, const struct rt_regs *regs, bool exact);
/* A stack that is no goroutine's. Context: the helper. */
void rt_tb_thread(struct rt_tb *tb, const char *title, const struct rt_regs *regs);
/* The same without a stack and without names: for when there is no helper. Context: any. */
void rt_tb_plain(struct rt_out *o, const struct rt_g *gp, uint64_t now);

#endif
