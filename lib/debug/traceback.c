/* SPDX-License-Identifier: MIT */
/*
 * traceback.c - one goroutine as text, in the form Go prints, so that its readers' tools and eyes fit:
 *
 *   goroutine 7 [chan receive, 3 minutes, locked to thread]: name{key=value}
 *   gmp_chan_recv(...)
 *   	/src/lib/sync/chan.c:214 +0x5c
 *   created by serve in goroutine 1
 *   	/src/server.c:40 +0x1d
 *
 * What is ours stands behind the colon: the name and labels; for one that is carried, M, thread and P.
 * Inlined calls have their own two lines, the second without +0x. Without debug information the
 * second line is "module+0xoffset", which addr2line understands.
 *
 * Frames are collected first (guarded: the stack may be broken) and printed then (naming them is
 * guarded in code.c). Frames of the scheduler are left out at both ends, but for GMP_TRACEBACK=system.
 */
#include "debug/traceback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debug/code.h"
#include "debug/guard.h"
#include "os/textmap.h"
#include "sync/label.h"

#define MINUTE		60000000000ull
#define HEAD		50u	/* innermost frames shown, as Go */
#define TAIL		50u	/* outermost */
#define FRAMES_MAX	1000000u
#define UNWIND_SECONDS	5

/* ---- words --------------------------------------------------------------------------------------------- */

#define TEXT(e, text)	text,
static const char *const wait_text[] = { GMP_WAIT_REASONS(TEXT) };

const char *rt_wait_text(unsigned int reason)
{
	return reason < RT_ARRAY_SIZE(wait_text) ? wait_text[reason] : "?";
}

const char *rt_status_text(unsigned int status)
{
	static const char *const text[] = {
		[GMP_G_IDLE] = "idle", [GMP_G_RUNNABLE] = "runnable", [GMP_G_RUNNING] = "running",
		[GMP_G_SYSCALL] = "syscall", [GMP_G_WAITING] = "waiting", [GMP_G_DEAD] = "dead",
		[GMP_G_COPYSTACK] = "copystack", [GMP_G_PREEMPTED] = "preempted",
	};

	return status < RT_ARRAY_SIZE(text) && text[status] ? text[status] : "?";
}

enum rt_tb_level rt_tb_level(void)
{
	const char *s = getenv("GMP_TRACEBACK");

	if (!s || strcmp(s, "all") == 0)
		return RT_TB_ALL;
	if (strcmp(s, "none") == 0 || strcmp(s, "0") == 0)
		return RT_TB_NONE;
	if (strcmp(s, "single") == 0)
		return RT_TB_SINGLE;
	if (strcmp(s, "system") == 0 || strcmp(s, "2") == 0 || strcmp(s, "crash") == 0)
		return RT_TB_SYSTEM;
	return RT_TB_ALL;
}

/* ---- the header ------------------------------------------------------------------------------------------- */

static void carrier(struct rt_out *o, const struct rt_g *gp)
{
	const struct rt_m *mp = rt_load_rlx(&gp->m);
	const struct rt_p *pp = mp ? rt_load_rlx(&mp->p) : NULL;

	if (!mp)
		return;
	rt_out(o, " m=%u tid=%u", mp->id, mp->tid);
	if (pp)
		rt_out(o, " p=%d", pp->id);
}

void rt_tb_header(struct rt_out *o, const struct rt_g *gp, uint64_t now)
{
	uint32_t status = rt_load_rlx(&gp->h.status);
	const char *what = status == GMP_G_WAITING ? rt_wait_text(rt_load_rlx(&gp->h.wait_reason)) : "";
	bool stands = status == GMP_G_WAITING || status == GMP_G_SYSCALL;
	char name[RT_LABEL_TEXT];

	rt_out(o, "goroutine %llu [%s", (unsigned long long)rt_load_rlx(&gp->h.goid),
	       *what ? what : rt_status_text(status));
	if (stands && gp->h.wait_since && now >= gp->h.wait_since + MINUTE)
		rt_out(o, ", %llu minutes", (unsigned long long)((now - gp->h.wait_since) / MINUTE));
	rt_out(o, "%s]:", rt_load_rlx(&gp->lockedm) ? ", locked to thread" : "");
	rt_label_read(gp, name, sizeof(name));
	if (name[0])
		rt_out(o, " %s", name);
	carrier(o, gp);
	rt_out(o, "\n");
}

/* ---- frames: collected ---------------------------------------------------------------------------------------- */

struct stack {
	const struct rt_regs *regs;
	uintptr_t lo, hi;
	uintptr_t entry;		/* the goroutine's first function, as the scheduler sees it */
	uint32_t n;			/* frames met */
	bool broken;
	struct rt_frame head[HEAD];
	struct rt_frame tail[TAIL];	/* the last ones, as a ring, of those after HEAD */
};

static bool collect(const struct rt_frame *f, void *arg)
{
	struct stack *s = arg;
	uint32_t i = s->n++;

	if (i < HEAD)
		s->head[i] = *f;
	else
		s->tail[(i - HEAD) % TAIL] = *f;
	return i < FRAMES_MAX;
}

static void walk(void *arg)
{
	struct stack *s = arg;

	if (!rt_unwind(s->regs, s->lo, s->hi, collect, s))
		s->broken = true;
}

static void collect_all(struct stack *s)
{
	if (!rt_guarded(walk, s, UNWIND_SECONDS))
		s->broken = true;
}

static const struct rt_frame *frame(const struct stack *s, uint32_t i)
{
	return i < HEAD ? &s->head[i] : &s->tail[(i - HEAD) % TAIL];
}

/* ---- frames: printed --------------------------------------------------------------------------------------------- */

/* Said once, where it is first missed: a program without -g needs to be told why there are no lines. */
static void place_without_line(struct rt_out *o, const struct rt_code *c)
{
	static bool said;

	if (c->elf.module)
		rt_out(o, "\t%s+0x%llx", c->elf.module, (unsigned long long)c->elf.offset);
	else
		rt_out(o, "\t0x%llx", (unsigned long long)c->at);
	if (!said)
		rt_out(o, " (no debug info)");
	said = true;
}

static void print_function(struct rt_out *o, const char *name, uintptr_t at, const char *end)
{
	if (name)
		rt_out(o, "%s%s\n", name, end);
	else
		rt_out(o, "0x%llx%s\n", (unsigned long long)at, end);
}

static void print_place(struct rt_out *o, const struct rt_code *c, uint32_t level, uintptr_t pc)
{
	if (level < c->dw.n)
		rt_out(o, "\t%s:%d", c->dw.level[level].file, c->dw.level[level].line);
	else
		place_without_line(o, c);
	if (pc && c->elf.name)
		rt_out(o, " +0x%llx", (unsigned long long)(pc - c->elf.start));
	rt_out(o, "\n");
}

static const char *name_of(const struct rt_code *c, uint32_t level)
{
	return level < c->dw.n && c->dw.level[level].func ? c->dw.level[level].func : c->elf.name;
}

/* Two lines for each level; the last one is the function that has the frame. */
static void print_code(struct rt_out *o, uintptr_t at, uintptr_t pc)
{
	const struct rt_code *c = rt_code_at(at);
	uint32_t last = c->dw.n ? c->dw.n - 1 : 0;

	for (uint32_t i = 0; i <= last; i++) {
		print_function(o, name_of(c, i), at, "(...)");
		print_place(o, c, i, i == last ? pc : 0);
	}
}

static bool named(const struct rt_frame *f, const char *prefix)
{
	const struct rt_code *c = rt_code_at(f->at);

	return c->elf.name && strncmp(c->elf.name, prefix, strlen(prefix)) == 0;
}

/* The runtime's own code is one section; lib/Makefile sees to that, and textmap.c needs it too. */
extern const char __start_gmprt_text[] __attribute__((weak, visibility("hidden")));
extern const char __stop_gmprt_text[] __attribute__((weak, visibility("hidden")));

static bool ours(const struct rt_frame *f)
{
	return f->at >= (uintptr_t)__start_gmprt_text && f->at < (uintptr_t)__stop_gmprt_text;
}

static bool by_signal(const struct stack *s, uint32_t i)
{
	return i < s->n && frame(s, i)->at == frame(s, i)->pc;
}

/* A fatal error: how it came to be printed says nothing. */
static uint32_t first_told(const struct stack *s)
{
	for (uint32_t i = 0; i < s->n && i < 4; i++)
		if (named(frame(s, i), "rt_throw"))
			return i;
	return 0;
}

/*
 * The inner end: how a goroutine came to stop in a call of ours, or (preempted) in a signal, is left
 * out, but not the public call itself. Compilers jump to what a function calls last: then neither that
 * call nor the goroutine's function need be on the stack (*started = false).
 */
static uint32_t first_shown(const struct stack *s, bool *started)
{
	uint32_t kept = s->n < HEAD ? s->n : HEAD, last = first_told(s);

	*started = true;
	for (uint32_t i = last; i < kept; i++) {
		if (named(frame(s, i), "gmp_"))
			return i;
		if (!ours(frame(s, i)))
			return by_signal(s, i + 1) ? i + 1 : i;
		if (!named(frame(s, i), "rt_") && rt_code_at(frame(s, i)->at)->elf.start != s->entry)
			last = i;
	}
	*started = s->n == 0;
	return last;
}

/*
 * The inner end of one that was halted: it may have been in a handler of ours, as to be preempted, and that in
 * libc. Not if ours has called the program's.
 */
static uint32_t past_handlers(const struct stack *s)
{
	uint32_t kept = s->n < HEAD ? s->n : HEAD, first = 0;

	for (uint32_t i = 1; i < kept && !rt_textmap_own(frame(s, i - 1)->at); i++)
		if (by_signal(s, i + 1) && ours(frame(s, i - 1)))
			first = i + 1;		/* behind libc's frame that returns from the handler */
	return first;
}

/* The outer end: rt_g_main, rt_g_entry, and what of ours called the goroutine's function. */
static uint32_t end_shown(const struct stack *s, uint32_t first)
{
	uint32_t end = s->n;

	while (end > first + 1 && s->n - end < TAIL && ours(frame(s, end - 1)))
		end--;
	return end;
}

static void print_range(struct rt_tb *tb, const struct stack *s, uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++) {
		if (i == HEAD && s->n > HEAD + TAIL) {
			rt_out(tb->out, "...%u frames elided...\n", s->n - HEAD - TAIL);
			i = s->n - TAIL;
		}
		print_code(tb->out, frame(s, i)->at, frame(s, i)->pc);
	}
	if (s->broken)
		rt_out(tb->out, "\tthe stack cannot be followed further\n");
}

/* The program's first function of a goroutine: that of the main one is called by one of ours. */
static uintptr_t start_of(const struct rt_g *gp)
{
	return gp->h.goid == 1 ? (uintptr_t)rt_sched.main_fn : gp->h.start_pc;
}

/* How a goroutine came to stand there: what of ours is between it and that. */
enum how {
	PARKED,		/* a call of ours */
	HALTED,		/* wherever it was; perhaps a handler of ours */
	EXACT,		/* nothing: this is what is wrong */
};

static void print_frames(struct rt_tb *tb, const struct rt_g *gp, const struct stack *s, enum how how)
{
	bool started = true;
	uint32_t first = how == PARKED ? first_shown(s, &started) : how == HALTED ? past_handlers(s) : 0;

	print_range(tb, s, first, end_shown(s, first));
	if (!started)
		print_code(tb->out, start_of(gp), start_of(gp));
}

/* ---- all of it -------------------------------------------------------------------------------------------------------- */

static bool on_its_stack(const struct rt_g *gp, const struct rt_regs *regs)
{
	uintptr_t sp = regs->r[RT_REG_SP];

	return gp->stack_hi && sp >= gp->stack_lo - RT_STACK_GUARD && sp <= gp->stack_hi;
}

static void print_stack(struct rt_tb *tb, const struct rt_g *gp, const struct rt_regs *regs, enum how how)
{
	static struct stack s;		/* one thread */

	memset(&s, 0, sizeof(s));
	s.regs = regs;
	s.entry = gp->h.start_pc;
	if (on_its_stack(gp, regs)) {
		s.lo = gp->stack_lo - RT_STACK_GUARD;
		s.hi = gp->stack_hi;
	}
	collect_all(&s);
	if (tb->level < RT_TB_SYSTEM)
		print_frames(tb, gp, &s, how);
	else
		print_range(tb, &s, 0, s.n);
}

/* It runs elsewhere and was not halted. */
static void print_missing(struct rt_tb *tb, const struct rt_g *gp)
{
	const struct rt_m *mp = rt_load_rlx(&gp->m);

	if (mp)
		rt_out(tb->out, "\tgoroutine running on M%u, thread %u; stack not available\n", mp->id, mp->tid);
	else
		rt_out(tb->out, "\tgoroutine between two threads; stack not available\n");
}

static void print_where(struct rt_tb *tb, const struct rt_g *gp)
{
	uint32_t status = rt_load_rlx(&gp->h.status);
	struct rt_regs parked;
	const struct rt_regs *regs;

	if (status == GMP_G_RUNNING || status == GMP_G_SYSCALL) {
		regs = rt_halt_regs(tb->halt, rt_load_rlx(&gp->m));
		if (regs)
			print_stack(tb, gp, regs, HALTED);
		else
			print_missing(tb, gp);
	} else if (rt_regs_parked(gp, &parked)) {
		print_stack(tb, gp, &parked, PARKED);
	} else {
		print_code(tb->out, start_of(gp), start_of(gp));	/* has not run yet */
	}
}

/* One level only: what matters is the line that says gmp_go(). */
static void print_creation(struct rt_tb *tb, const struct rt_g *gp)
{
	uintptr_t pc = gp->h.create_pc;
	const struct rt_code *c = rt_code_at(pc - 1);
	char in[48] = "";

	if (!pc || gp->h.goid == 1)
		return;
	if (gp->h.parent)
		snprintf(in, sizeof(in), " in goroutine %llu", (unsigned long long)gp->h.parent);
	rt_out(tb->out, "created by ");
	print_function(tb->out, name_of(c, 0), pc, in);
	print_place(tb->out, c, 0, pc);
}

void rt_tb_goroutine(struct rt_tb *tb, const struct rt_g *gp, const struct rt_regs *regs, bool exact)
{
	rt_tb_header(tb->out, gp, tb->now);
	if (regs)
		print_stack(tb, gp, regs, exact ? EXACT : PARKED);
	else
		print_where(tb, gp);
	print_creation(tb, gp);
}

void rt_tb_thread(struct rt_tb *tb, const char *title, const struct rt_regs *regs)
{
	static struct stack s;

	memset(&s, 0, sizeof(s));
	s.regs = regs;
	rt_out(tb->out, "%s\n", title);
	collect_all(&s);
	print_range(tb, &s, tb->level < RT_TB_SYSTEM ? first_told(&s) : 0, s.n);
}

void rt_tb_plain(struct rt_out *o, const struct rt_g *gp, uint64_t now)
{
	rt_tb_header(o, gp, now);
	rt_out(o, "\t0x%llx (no stack)\n", (unsigned long long)start_of(gp));
	if (gp->h.create_pc && gp->h.goid != 1)
		rt_out(o, "created by 0x%llx in goroutine %llu\n", (unsigned long long)gp->h.create_pc,
		       (unsigned long long)gp->h.parent);
}
