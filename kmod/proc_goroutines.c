// SPDX-License-Identifier: GPL-2.0-only
/*
 * proc_goroutines.c - /proc/gmp/<tgid>/goroutines: a row per goroutine, also of a process that hangs.
 *
 * Owns:       struct g_iter. Columns are described in Documentation/ABI/testing/procfs-gmp: they are
 *             only ever appended to, and a change here is a change there.
 * Locks:      none. The Gs are read from the process itself (peek.c), a few dozen at a time: nothing is
 *             allocated but two buffers per open file, however many there are.
 *
 * The position in the file is the place in the table: 0 the header, else one more than the index of
 * the G. Gs never move and chunks never go, so a reader goes on exactly where it was. The table is
 * bounded by GMP_PEEK_MAX_GS, whatever the process says; on the way a reader gives way and can be
 * killed.
 *
 * A row is what the process wrote, at some moment between its two reads: the Gs of a process that
 * runs may be seen in the midst of a change. It can lie about itself here, and nowhere else.
 */
#include <linux/ctype.h>
#include <linux/fs.h>
#include <linux/nospec.h>
#include <linux/proc_fs.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "internal.h"

#define NAME_MAX_SHOWN	128

/**
 * struct g_iter - a reader on its way through the Gs of a process
 * @grp: constant; it stays while the reader is inside
 * @pk: open between start and stop
 * @total: Gs in the table, as of start
 * @first: index of the first G in @gs
 * @n: how many are there
 * @chunk: address of their chunk, 0 if it is not known
 * @has_acct: their accounts are in @acct
 * @at: index of the current row
 * @gs: copies of Gs, each pk.l.g_size bytes
 * @acct: the same of their accounts, if there are any
 */
struct g_iter {
	struct gmp_group	*grp;
	struct gmp_peek		pk;
	u64			total;
	u64			first;
	u32			n;
	u64			chunk;
	bool			has_acct;
	u64			at;
	u8			gs[GMP_PEEK_BUF];
	struct gmp_g_acct	acct[GMP_PEEK_BUF / sizeof(struct gmp_g_head)];
};

/* ---- the table ------------------------------------------------------------------------------- */

static u64 count_gs(const struct gmp_peek *pk)
{
	u64 chunks;

	if (!gmp_peek_read(pk, pk->l.g_nchunks, &chunks, sizeof(chunks)))
		return 0;
	chunks = min_t(u64, chunks, GMP_PEEK_MAX_CHUNKS);
	return min_t(u64, chunks * pk->l.g_per_chunk, GMP_PEEK_MAX_GS);
}

/* The address of the chunk of element @i in a table of chunks, or 0. */
static u64 chunk_of(const struct gmp_peek *pk, u64 table, u64 i)
{
	u64 chunk;

	return gmp_peek_read(pk, table + i / pk->l.g_per_chunk * sizeof(chunk), &chunk,
			     sizeof(chunk)) ? chunk : 0;
}

/* The accounts of the Gs at hand; a process that does not account has none: zeroes. */
static void fetch_acct(struct g_iter *it)
{
	const struct gmp_rt_layout *l = &it->pk.l;
	u64 addr = 0;

	it->has_acct = true;
	if (l->g_acct && l->g_acct_size == sizeof(*it->acct))
		addr = chunk_of(&it->pk, l->g_acct, it->first);
	addr = addr ? addr + it->first % l->g_per_chunk * sizeof(*it->acct) : 0;
	if (!addr || !gmp_peek_read(&it->pk, addr, it->acct, it->n * sizeof(*it->acct)))
		memset(it->acct, 0, it->n * sizeof(*it->acct));
}

/* Gs from @i on, as many as fit and their chunk has. False: this chunk cannot be read. */
static bool fetch(struct g_iter *it, u64 i)
{
	const struct gmp_rt_layout *l = &it->pk.l;
	u32 at = i % l->g_per_chunk;

	if (!at || !it->chunk)
		it->chunk = chunk_of(&it->pk, l->g_chunks, i);
	it->first = i;
	it->n = min_t(u32, GMP_PEEK_BUF / l->g_size, l->g_per_chunk - at);
	it->has_acct = false;
	if (!it->chunk || !gmp_peek_read(&it->pk, it->chunk + (u64)at * l->g_size, it->gs,
					 it->n * l->g_size)) {
		it->n = 0;
		return false;
	}
	return true;
}

static const struct gmp_g_head *head_of(const struct g_iter *it, u64 i)
{
	return (const void *)it->gs + (i - it->first) * it->pk.l.g_size;
}

static u64 next_chunk(const struct g_iter *it, u64 i)
{
	return (i / it->pk.l.g_per_chunk + 1) * it->pk.l.g_per_chunk;
}

/* Makes the first G in use at or after @i the current row; false at the end. */
static bool find_g(struct g_iter *it, u64 i)
{
	while (i < it->total) {
		if (i - it->first >= it->n) {
			cond_resched();
			if (fatal_signal_pending(current))
				return false;
			if (!fetch(it, i)) {
				i = next_chunk(it, i);
				continue;
			}
		}
		if (head_of(it, i)->goid && head_of(it, i)->status != GMP_G_DEAD) {
			it->at = i;
			return true;
		}
		i++;
	}
	return false;
}

/* ---- seq_file ---------------------------------------------------------------------------------- */

static void *find(struct g_iter *it, loff_t *pos)
{
	if (!find_g(it, *pos - 1))
		return fatal_signal_pending(current) ? ERR_PTR(-EINTR) : NULL;
	*pos = it->at + 1;
	return it;
}

static void *gs_start(struct seq_file *m, loff_t *pos)
{
	struct g_iter *it = m->private;
	int err;

	if (!gmp_group_is_alive(it->grp))
		return ERR_PTR(-ENOENT);
	err = gmp_peek_open(&it->pk, it->grp);
	it->total = err ? 0 : count_gs(&it->pk);
	it->first = 0;
	it->n = 0;
	it->chunk = 0;
	if (err && err != -ENODATA)
		return ERR_PTR(err);
	return *pos ? find(it, pos) : SEQ_START_TOKEN;
}

static void *gs_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return find(m->private, pos);
}

static void gs_stop(struct seq_file *m, void *v)
{
	struct g_iter *it = m->private;

	gmp_peek_close(&it->pk);
}

/* ---- rows --------------------------------------------------------------------------------------- */

#define WAIT_TEXT(e, text)	[e] = text,
static const char * const wait_texts[] = { GMP_WAIT_REASONS(WAIT_TEXT) };
#undef WAIT_TEXT

/* A field has no blanks: what is not a printing ASCII character, blanks and backslashes become \ooo. */
static void put_escaped(struct seq_file *m, const char *text)
{
	for (; *text; text++) {
		if (isascii(*text) && isgraph(*text) && *text != '\\')
			seq_putc(m, *text);
		else
			seq_printf(m, "\\%03o", (u8)*text);
	}
}

static const char *wait_text(unsigned int reason)
{
	if (reason >= ARRAY_SIZE(wait_texts))
		return "?";
	return wait_texts[array_index_nospec(reason, ARRAY_SIZE(wait_texts))];
}

static void show_wait(struct seq_file *m, const struct gmp_g_head *g)
{
	char text[32], *c;

	if (g->status != GMP_G_WAITING || !g->wait_reason) {
		seq_printf(m, " %-23s", "-");
		return;
	}
	strscpy(text, wait_text(g->wait_reason), sizeof(text));
	for (c = text; *c; c++)
		if (*c == ' ')
			*c = '_';
	seq_printf(m, " %-23s", text);
}

/* The M's numbers, modulo 64; in this form they are one field. */
static void show_carriers(struct seq_file *m, u64 carriers)
{
	const char *sep = " ";
	unsigned int i;

	for (i = 0; i < 64; i++) {
		if (carriers & BIT_ULL(i)) {
			seq_printf(m, "%s%u", sep, i);
			sep = ",";
		}
	}
	if (!carriers)
		seq_puts(m, " -");
}

static bool is_carried(const struct gmp_g_head *g)
{
	return g->status == GMP_G_RUNNING || g->status == GMP_G_SYSCALL;
}

/* The thread of its M, if that is registered; what it has run since it was switched to, if it runs. */
static pid_t carrier_of(struct seq_file *m, const struct g_iter *it, const struct gmp_g_head *g,
			u64 *stretch)
{
	struct gmp_worker *w = gmp_worker_of_m(it->grp, g->m_id);
	struct gmp_sample s;
	pid_t tid;

	*stretch = 0;
	if (!w)
		return 0;
	tid = gmp_proc_pid_nr(w->tid, m->file);
	if (is_carried(g) && gmp_account_read(w, &s) && s.u.goid == g->goid)
		*stretch = s.stretch_ns;
	gmp_worker_put(w);
	return tid;
}

/* Up to its end or the end of the page, so that a short one at the end of memory is read, too. */
static void show_name(struct seq_file *m, const struct g_iter *it, u64 addr)
{
	char name[NAME_MAX_SHOWN + 1];
	size_t n = min_t(size_t, NAME_MAX_SHOWN, PAGE_SIZE - offset_in_page(addr));

	seq_putc(m, ' ');
	if (!addr || !gmp_peek_read(&it->pk, addr, name, n)) {
		seq_puts(m, addr ? "?" : "-");
		return;
	}
	name[n] = '\0';
	if (strlen(name) == n && n < NAME_MAX_SHOWN &&
	    !gmp_peek_read(&it->pk, addr + n, name + n, NAME_MAX_SHOWN - n))
		name[n] = '\0';
	name[NAME_MAX_SHOWN] = '\0';
	put_escaped(m, *name ? name : "-");
}

static void show_g(struct seq_file *m, struct g_iter *it)
{
	const struct gmp_g_head *g = head_of(it, it->at);
	const struct gmp_g_acct *acct = &it->acct[it->at - it->first];
	u64 stretch;
	pid_t tid = carrier_of(m, it, g, &stretch);

	if (!it->has_acct)
		fetch_acct(it);
	seq_printf(m, "    %8llu %9s", g->goid, gmp_gstatus_name(g->status));
	show_wait(m, g);
	seq_printf(m, " %16llu %5d %7d %8llu", is_carried(g) ? 0 : g->wait_since, (int)g->m_id, tid,
		   g->runs);
	seq_printf(m, " %14llu %14llu %14llu", g->cpu_ns + stretch, acct->blocked_ns,
		   acct->runnable_ns);
	seq_printf(m, " %8llu %#14llx %#14llx %7s", g->parent, g->start_pc, g->create_pc,
		   g->flags & GMP_GF_SYSTEM ? "runtime" : "-");
	show_carriers(m, acct->carriers);
	show_name(m, it, g->name);
	seq_putc(m, '\n');
}

static int gs_show(struct seq_file *m, void *v)
{
	if (v != SEQ_START_TOKEN) {
		show_g(m, v);
		return 0;
	}
	seq_printf(m, "#v1 %8s %9s %-23s %16s %5s %7s %8s", "goid", "status", "wait", "since", "m",
		   "tid", "runs");
	seq_printf(m, " %14s %14s %14s %8s %14s %14s %7s carriers name\n", "cpu_ns", "blocked_ns",
		   "runnable_ns", "parent", "start_pc", "create_pc", "kind");
	return 0;
}

/* ---- the file ------------------------------------------------------------------------------------ */

static const struct seq_operations gs_seq_ops = {
	.start	= gs_start,
	.next	= gs_next,
	.stop	= gs_stop,
	.show	= gs_show,
};

static int gs_open(struct inode *inode, struct file *file)
{
	struct gmp_group *grp = pde_data(inode);
	struct g_iter *it;
	int err = gmp_proc_may_read(grp, file) ?: gmp_proc_pin();

	if (err)
		return err;
	it = __seq_open_private(file, &gs_seq_ops, sizeof(*it));
	if (!it) {
		gmp_proc_unpin();
		return -ENOMEM;
	}
	it->grp = grp;
	return 0;
}

static int gs_release(struct inode *inode, struct file *file)
{
	seq_release_private(inode, file);
	gmp_proc_unpin();
	return 0;
}

const struct proc_ops gmp_proc_goroutines_ops = {
	.proc_open	= gs_open,
	.proc_read_iter	= seq_read_iter,
	.proc_lseek	= seq_lseek,
	.proc_release	= gs_release,
};
