// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_table.c - what a runtime publishes: a layout that the kernel believes, and tables of Gs, Ps and
 * counters that are sound, but for what was changed in them. Readers (fuzz_reader.c) are in the midst of it.
 */
#include "fuzz.h"
#include <stddef.h>

#define PER_CHUNK	16
#define CHUNKS		4
#define PS		4

struct table_p {
	uint32_t head, tail;
	uint64_t next, tick;
	int64_t ng;
	uint64_t counters[GMP_COUNTER_COUNT];
};

/* One process has one, in a piece: a word of it is as good as any other to be changed. */
static struct {
	struct gmp_rt_layout l;
	uint64_t nchunks, chunks[CHUNKS], accts[CHUNKS], allp, ps[PS];
	struct gmp_sched_word words[GMP_NOW_COUNT];
	struct gmp_g_head g[CHUNKS][PER_CHUNK];
	struct gmp_g_acct acct[CHUNKS][PER_CHUNK];
	struct table_p p[PS];
	char name[32];
} t;

static void make_layout(void)
{
	t.l = (struct gmp_rt_layout) {
		.magic = GMP_LAYOUT_MAGIC, .version = GMP_ABI_VERSION, .size = sizeof(t.l), .ready = 1,
		.maxprocs = PS, .g_chunks = (unsigned long)t.chunks, .g_nchunks = (unsigned long)&t.nchunks,
		.g_per_chunk = PER_CHUNK, .g_size = sizeof(struct gmp_g_head),
		.allp = (unsigned long)&t.allp,
		.p_off_runqhead = offsetof(struct table_p, head),
		.p_off_runqtail = offsetof(struct table_p, tail),
		.p_off_runnext = offsetof(struct table_p, next),
		.p_off_schedtick = offsetof(struct table_p, tick),
		.p_off_ng = offsetof(struct table_p, ng),
		.p_off_counters = offsetof(struct table_p, counters),
		.nr_p_counters = GMP_COUNTER_COUNT,
		.sched_words = (unsigned long)t.words, .nr_sched_words = GMP_NOW_COUNT,
		.g_acct = (unsigned long)t.accts, .g_acct_size = sizeof(struct gmp_g_acct),
	};
}

static void make_tables(struct rnd *r)
{
	int i, k;

	t.nchunks = CHUNKS;
	t.allp = (unsigned long)t.ps;
	strcpy(t.name, "fuzz \\ \001 name");
	for (i = 0; i < CHUNKS; i++) {
		t.chunks[i] = (unsigned long)t.g[i];
		t.accts[i] = (unsigned long)t.acct[i];
		for (k = 0; k < PER_CHUNK; k++)
			t.g[i][k] = (struct gmp_g_head) {
				.goid = i * PER_CHUNK + k, .status = rnd(r, 10), .wait_reason = rnd(r, 60),
				.m_id = rnd(r, SLOTS), .name = one_in(r, 2) ? (unsigned long)t.name : 0,
			};
	}
	for (i = 0; i < PS; i++)
		t.ps[i] = (unsigned long)&t.p[i];
	for (i = 0; i < (int)GMP_NOW_COUNT; i++)
		t.words[i] = (struct gmp_sched_word) { (unsigned long)&t.p[0].counters[i % 4], 4 << i % 2, 0 };
}

/* One of its words, most often of the layout or of the pointers that come next. */
static void change_word(struct rnd *r)
{
	static const uint64_t odd[] = {
		0, 1, 7, PER_CHUNK - 1, PER_CHUNK + 1, 79, 4095, 4096, 4097, 65535, 65536, 65537,
		0x7fffffff, 0x80000000, 0xffffffff, 1ull << 47, ~0ull << 47, ~0ull >> 1, ~7ull, ~0ull,
	};
	size_t room = one_in(r, 4) ? sizeof(t) : offsetof(typeof(t), g);
	volatile uint32_t *at = (uint32_t *)&t + rnd(r, room / 4 - 1);
	uint64_t v = odd[rnd(r, ARRAY_SIZE(odd))];

	if (one_in(r, 6))
		v = rnd64(r) >> rnd(r, 64);
	if (one_in(r, 6))
		v = (unsigned long)&t + 8 * rnd(r, sizeof(t) / 8);	/* a wrong place, but there */
	at[0] = v;
	if (one_in(r, 2))
		at[1] = v >> 32;
}

/* Sound again, or wrong in one more place. Without the first words nothing of it would be read. */
bool op_table(struct shared_file *f, struct rnd *r)
{
	(void)f;
	if (one_in(r, 4)) {
		make_layout();
		make_tables(r);
		return true;
	}
	change_word(r);
	if (!one_in(r, 8)) {
		t.l.magic = GMP_LAYOUT_MAGIC;
		t.l.version = GMP_ABI_VERSION;
		t.l.size = sizeof(t.l);
		t.l.ready = 1;
	}
	return true;
}

uint64_t table_layout(void)
{
	if (!t.l.magic)
		make_layout();
	return (unsigned long)&t.l;
}
