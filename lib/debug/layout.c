/* SPDX-License-Identifier: MIT */
/*
 * layout.c - gmp_rt_layout and the ELF note that leads to it.
 *
 * Offsets are constants of this build; addresses and `ready` are set while gmp_run() runs. The note
 * holds the distance from itself to the object: no relocation, so it is found in a stripped binary.
 */
#include "debug/layout.h"

#include <string.h>

#include "arch/x86_64/gobuf.h"
#include "sched/sched.h"

#define NOW(number, field) \
	[GMP_NOW_##number] = { .addr = (uintptr_t)&rt_sched.field, .size = sizeof(rt_sched.field) }

/* Its addresses are relocated when the program is loaded: no constants. */
static struct gmp_sched_word now[GMP_NOW_COUNT];

static void fill_words(void)
{
	const struct gmp_sched_word words[] = {
		NOW(PROCS, maxprocs), NOW(PROCS_IDLE, npidle), NOW(THREADS, mcount),
		NOW(THREADS_IDLE, nmidle), NOW(SPINNING, nmspinning), NOW(THREADS_MADE, mcreated),
		NOW(SYSCALLS, nsyscall), NOW(GOROUTINES, ng), NOW(GLOBAL_QUEUE, globq.n),
	};

	rt_static_assert(sizeof(words) == sizeof(now), "a word of enum gmp_sched_now is missing");
	memcpy(now, words, sizeof(now));
}

RT_PUBLIC struct gmp_rt_layout gmp_rt_layout = {
	.magic = GMP_LAYOUT_MAGIC,
	.version = GMP_ABI_VERSION,
	.size = sizeof(struct gmp_rt_layout),
	.g_per_chunk = RT_G_PER_CHUNK,
	.g_size = sizeof(struct rt_g),
	.g_off_sp = offsetof(struct rt_g, sp),
	.g_off_stack_lo = offsetof(struct rt_g, stack_lo),
	.g_off_stack_hi = offsetof(struct rt_g, stack_hi),
	.g_sp_off_pc = RT_SP_OFF_PC,
	.g_sp_off_bp = RT_SP_OFF_BP,
	.m_off_alllink = offsetof(struct rt_m, alllink),
	.m_off_id = offsetof(struct rt_m, id),
	.m_off_tid = offsetof(struct rt_m, tid),
	.m_off_curg = offsetof(struct rt_m, curg),
	.m_off_p = offsetof(struct rt_m, p),
	.m_off_tls = offsetof(struct rt_m, tls),
	.p_off_id = offsetof(struct rt_p, id),
	.p_off_word = offsetof(struct rt_p, word),
	.p_off_m = offsetof(struct rt_p, m),
	.p_off_runqhead = offsetof(struct rt_p, runqhead),
	.p_off_runqtail = offsetof(struct rt_p, runqtail),
	.p_off_runnext = offsetof(struct rt_p, runnext),
	.p_off_schedtick = offsetof(struct rt_p, schedtick),
	.p_off_ng = offsetof(struct rt_p, ng),
	.nr_sched_words = GMP_NOW_COUNT,
	.p_off_counters = offsetof(struct rt_p, c),
	.nr_p_counters = GMP_COUNTER_COUNT,
	.g_acct_size = sizeof(struct gmp_g_acct),
};

rt_static_assert(sizeof(struct rt_p_counters) == GMP_COUNTER_COUNT * sizeof(uint64_t), "a counter of gmp_abi.h is missing");

__asm__(".pushsection .note.gmp, \"a\", @note\n\t"
	".balign 4\n\t"
	".long 4\n\t"			/* strlen("GMP") + 1 */
	".long 8\n\t"
	".long 1\n\t"			/* GMP_NOTE_TYPE */
	".asciz \"GMP\"\n\t"
	"1: .quad gmp_rt_layout_here - 1b\n\t"
	".popsection");
/* A local name: a reference to the exported one could be resolved elsewhere. */
__asm__(".set gmp_rt_layout_here, gmp_rt_layout");

rt_static_assert(GMP_NOTE_TYPE == 1, "the note above says 1");

void rt_layout_maxprocs(uint32_t n)
{
	rt_store_rlx(&gmp_rt_layout.maxprocs, n);
}

void rt_layout_publish(int64_t tls_off)
{
	struct gmp_rt_layout *l = &gmp_rt_layout;
	uint64_t chunks, nchunks, acct;

	l->tls_off = tls_off;
	rt_g_table(&chunks, &nchunks, &acct);
	l->g_acct = acct;
	l->g_chunks = chunks;
	l->g_nchunks = nchunks;
	l->allm = (uintptr_t)&rt_sched.allm;
	l->allp = (uintptr_t)&rt_sched.allp;
	l->globq_len = (uintptr_t)&rt_sched.globq.n;
	fill_words();
	l->sched_words = (uintptr_t)now;
	rt_layout_maxprocs(rt_sched.maxprocs);
	rt_store_rel(&l->ready, 1);
}

void rt_layout_withdraw(void)
{
	rt_store_rel(&gmp_rt_layout.ready, 0);
}
