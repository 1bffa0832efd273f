// SPDX-License-Identifier: MIT
/*
 * ps_print.c - gmp ps: its table and its JSON. Fields are described in gmp-ps(8); a program may rely
 * on those of the JSON: names stay, new ones may be added.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/table.h"
#include "ps.h"

/* ---- table --------------------------------------------------------------------------------- */

static const char * const titles[] = {
	"TID", "M", "CPU", "<S", "P", "GOID", "<GSTATE", "<WAIT", "%CPU", "SWITCHES",
	"ONCPU_MS", "RUNQ_MS", "BLOCKED_MS",
};

#define NR_TITLES	(sizeof(titles) / sizeof(*titles))
#define NR_KERN_TITLES	3

static void number_or_dash(struct table *t, bool known, uint64_t value)
{
	if (known)
		table_cell(t, "%" PRIu64, value);
	else
		table_cell(t, "-");
}

static void ms_or_dash(struct table *t, bool known, uint64_t ns)
{
	if (known)
		table_cell(t, "%" PRIu64 ".%" PRIu64, ns / 1000000, ns / 100000 % 10);
	else
		table_cell(t, "-");
}

static void carrier_cells(struct table *t, const struct mrow *row)
{
	const char *wait = mrow_wait(row);

	table_cell(t, "%d", row->tid);
	table_cell(t, "%u", row->tls.m_id);
	table_cell(t, "%d", row->stat.cpu);
	table_cell(t, "%c", row->stat.state);
	number_or_dash(t, row->tls.p >= 0, (uint64_t)row->tls.p);
	number_or_dash(t, row->tls.goid, row->tls.goid);
	table_cell(t, "%s", row->tls.goid ? gstatus_name(row->tls.gstatus) : "-");
	table_cell(t, "%s", wait ? wait : "-");
	if (row->oncpu_percent < 0)
		table_cell(t, "-");
	else
		table_cell(t, "%d.%d", row->oncpu_percent / 10, row->oncpu_percent % 10);
	table_cell(t, "%" PRIu64, (uint64_t)row->tls.switches);
}

static void kern_cells(struct table *t, const struct mrow *row)
{
	ms_or_dash(t, row->has_kern, row->kern.oncpu_ns);
	ms_or_dash(t, row->has_kern, row->kern.runq_ns);
	ms_or_dash(t, row->has_kern, row->kern.blocked_ns);
}

static void print_proc(const struct mreader *r, const struct mproc *p, const struct msample *s)
{
	struct table *t = table_new(titles, NR_TITLES - (s->kern ? 0 : NR_KERN_TITLES));
	unsigned int n = 0;

	if (!t)
		return;
	for (size_t i = 0; i < s->n; i++) {
		if (s->rows[i].pid != p->pid)
			continue;
		n++;
		carrier_cells(t, &s->rows[i]);
		if (s->kern)
			kern_cells(t, &s->rows[i]);
	}
	printf("%s, process %d: %u Ms, %u Ps; from %s%s\n", p->comm, p->pid, n, p->layout.maxprocs,
	       r->source == MSOURCE_BPF ? "BPF" : "its memory", s->kern ? " and gmp.ko" : "");
	table_print(t, stdout);
	table_free(t);
}

void ps_print_table(const struct mreader *r, const struct msample *s)
{
	for (size_t i = 0; i < r->nprocs; i++) {
		if (i)
			putchar('\n');
		print_proc(r, &r->procs[i], s);
	}
	if (r->source == MSOURCE_BPF) {
		struct carrier_lost lost = carrier_losses(r->bpf);

		printf("lost: %" PRIu64 " switches dropped, %" PRIu64 " unread, %" PRIu64 " rows\n",
		       (uint64_t)lost.dropped, (uint64_t)lost.unread, (uint64_t)lost.rows);
	}
}

/* ---- JSON ---------------------------------------------------------------------------------- */

/* Numbers of JSON end at 2^63 here: a process that claims a larger goid gets that one. */
static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)(v <= INT64_MAX ? v : INT64_MAX));
}

static json_t *number_or_null(bool known, uint64_t v)
{
	return known ? number(v) : json_null();
}

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *kern_json(const struct mrow *row)
{
	if (!row->has_kern)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "oncpu_ns", number(row->kern.oncpu_ns),
			 "runq_ns", number(row->kern.runq_ns), "blocked_ns", number(row->kern.blocked_ns));
}

static json_t *bpf_json(const struct mrow *row)
{
	const struct carrier_stat *st = &row->bpf;
	bool left = st->blocked + st->preempted;

	if (!row->has_bpf)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "oncpu_ns", number(row->oncpu_ns), "carried_ns", number(st->carried_ns),
			 "blocked", number(st->blocked), "preempted", number(st->preempted),
			 "carried", number(st->carried),
			 "last_goid", number_or_null(st->last_goid, st->last_goid),
			 "last_p", number_or_null(st->last_p >= 0, (uint64_t)st->last_p),
			 "last_cpu", number_or_null(left, st->last_cpu),
			 "last_why", text_or_null(left ? why_name(st->last_why) : NULL));
}

static json_t *row_json(const struct mrow *row)
{
	char state[2] = { row->stat.state, '\0' };
	json_t *percent = row->oncpu_percent < 0 ? json_null() : json_real(row->oncpu_percent / 10.0);

	return json_pack("{s:i, s:o, s:i, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o}",
			 "tid", row->tid, "m", number(row->tls.m_id), "cpu", row->stat.cpu,
			 "state", state, "p", number_or_null(row->tls.p >= 0, (uint64_t)row->tls.p),
			 "goid", number_or_null(row->tls.goid, row->tls.goid),
			 "gstatus", text_or_null(row->tls.goid ? gstatus_name(row->tls.gstatus) : NULL),
			 "mstate", mstate_name(row->tls.mstate), "wait", text_or_null(mrow_wait(row)),
			 "oncpu_percent", percent, "switches", number(row->tls.switches),
			 "kernel", kern_json(row), "bpf", bpf_json(row));
}

static json_t *proc_json(const struct mproc *p, const struct msample *s)
{
	json_t *ms = json_array();

	for (size_t i = 0; i < s->n; i++) {
		if (s->rows[i].pid == p->pid)
			json_array_append_new(ms, row_json(&s->rows[i]));
	}
	return json_pack("{s:i, s:s, s:o, s:o}", "pid", p->pid, "comm", p->comm,
			 "maxprocs", number(p->layout.maxprocs), "ms", ms);
}

static json_t *lost_json(const struct mreader *r)
{
	struct carrier_lost lost;

	if (r->source != MSOURCE_BPF)
		return json_null();
	lost = carrier_losses(r->bpf);
	return json_pack("{s:o, s:o, s:o}", "dropped", number(lost.dropped),
			 "unread", number(lost.unread), "rows", number(lost.rows));
}

int ps_print_json(const struct mreader *r, const struct msample *s, uint64_t interval_ns)
{
	json_t *procs = json_array(), *root;
	int err;

	for (size_t i = 0; i < r->nprocs; i++)
		json_array_append_new(procs, proc_json(&r->procs[i], s));
	root = json_pack("{s:i, s:o, s:o, s:s, s:o, s:o}", "version", 1, "time_ns", number(s->now_ns),
			 "interval_ns", number(interval_ns),
			 "source", r->source == MSOURCE_BPF ? "bpf" : "process",
			 "lost", lost_json(r), "processes", procs);
	err = root ? json_dumpf(root, stdout, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6)) : -1;
	putchar('\n');
	json_decref(root);
	return err;
}
