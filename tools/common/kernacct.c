// SPDX-License-Identifier: MIT
/*
 * kernacct.c - the kernel's accounting of every M, from /proc/gmp/tasks.
 *
 * The format is append-only (Documentation/ABI/testing/procfs-gmp): a header "#v1 name name ...", then a
 * line of values a task. Columns are found by their names, so newer modules may add some anywhere.
 * /proc/gmp/tasks rather than /proc/gmp/<tgid>/tasks: one read for all processes, and its tgid
 * column is in the reader's pid namespace, while the names of the folders are the initial one's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/kernacct.h"

enum { COL_TGID, COL_TID, COL_ONCPU, COL_RUNQ, COL_BLOCKED, NR_COLS };

static const char * const col_names[NR_COLS] = {
	[COL_TGID] = "tgid", [COL_TID] = "tid", [COL_ONCPU] = "oncpu_ns", [COL_RUNQ] = "runq_ns",
	[COL_BLOCKED] = "blocked_ns",
};

#define SPACE	" \t\n"

/* Where each of our columns stands; -EPROTO when the header is not one of ours. */
static int parse_header(char *line, int at[NR_COLS])
{
	char *save, *word = strtok_r(line, SPACE, &save);

	if (!word || strcmp(word, "#v1"))
		return -EPROTO;
	for (int c = 0; c < NR_COLS; c++)
		at[c] = -1;
	for (int i = 0; (word = strtok_r(NULL, SPACE, &save)); i++) {
		for (int c = 0; c < NR_COLS; c++) {
			if (!strcmp(word, col_names[c]))
				at[c] = i;
		}
	}
	for (int c = 0; c < NR_COLS; c++) {
		if (at[c] < 0)
			return -EPROTO;
	}
	return 0;
}

static int parse_row(char *line, const int at[NR_COLS], struct kernacct *row)
{
	uint64_t value[NR_COLS] = { 0 };
	char *save, *word = strtok_r(line, SPACE, &save);
	int found = 0;

	for (int i = 0; word; i++, word = strtok_r(NULL, SPACE, &save)) {
		for (int c = 0; c < NR_COLS; c++) {
			if (at[c] == i) {
				value[c] = strtoull(word, NULL, 10);
				found++;
			}
		}
	}
	if (found != NR_COLS)
		return -EPROTO;
	*row = (struct kernacct){
		.tgid = (pid_t)value[COL_TGID], .tid = (pid_t)value[COL_TID],
		.oncpu_ns = value[COL_ONCPU], .runq_ns = value[COL_RUNQ], .blocked_ns = value[COL_BLOCKED],
	};
	return 0;
}

static int compare(const void *va, const void *vb)
{
	const struct kernacct *a = va, *b = vb;

	if (a->tgid != b->tgid)
		return a->tgid < b->tgid ? -1 : 1;
	return (a->tid > b->tid) - (a->tid < b->tid);
}

static int append(struct kernacct_table *t, size_t *room, const struct kernacct *row)
{
	if (t->n == *room) {
		size_t more = *room ? 2 * *room : 64;
		struct kernacct *rows = realloc(t->rows, more * sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		t->rows = rows;
		*room = more;
	}
	t->rows[t->n++] = *row;
	return 0;
}

static int read_rows(FILE *f, struct kernacct_table *t)
{
	struct kernacct row;
	char *line = NULL;
	size_t len = 0, room = 0;
	int at[NR_COLS], err;

	err = getline(&line, &len, f) > 0 ? parse_header(line, at) : -EPROTO;
	while (!err && getline(&line, &len, f) > 0) {
		err = parse_row(line, at, &row);
		if (!err)
			err = append(t, &room, &row);
	}
	free(line);
	return err;
}

/**
 * kernacct_read() - all rows this user may see
 * @t: replaced; to be freed with kernacct_free() whatever is returned
 *
 * Return: 0; -ENOENT gmp.ko is not loaded; -EPROTO its format is not one we know; -ENOMEM.
 */
int kernacct_read(struct kernacct_table *t)
{
	FILE *f = fopen(KERNACCT_DIR "/tasks", "re");
	int err;

	*t = (struct kernacct_table){ 0 };
	if (!f)
		return -errno;
	err = read_rows(f, t);
	fclose(f);
	if (!err)
		qsort(t->rows, t->n, sizeof(*t->rows), compare);
	return err;
}

const struct kernacct *kernacct_lookup(const struct kernacct_table *t, pid_t tgid, pid_t tid)
{
	struct kernacct key = { .tgid = tgid, .tid = tid };

	return t->n ? bsearch(&key, t->rows, t->n, sizeof(key), compare) : NULL;
}

void kernacct_free(struct kernacct_table *t)
{
	free(t->rows);
	*t = (struct kernacct_table){ 0 };
}
