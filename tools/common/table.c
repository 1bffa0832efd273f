// SPDX-License-Identifier: MIT
/*
 * table.c - a table whose columns are as wide as what is in them.
 *
 * A title that begins with '<' makes a column of text, aligned left; the others are of numbers,
 * aligned right. Cells are given row by row. Running out of memory loses cells, nothing else.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/table.h"

struct table {
	const char * const *titles;
	unsigned int ncols;
	int width[TABLE_MAX_COLS];
	char **cells;
	size_t n, room;
};

struct table *table_new(const char * const *titles, unsigned int ncols)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->titles = titles;
	t->ncols = ncols < TABLE_MAX_COLS ? ncols : TABLE_MAX_COLS;
	for (unsigned int c = 0; c < t->ncols; c++)
		t->width[c] = (int)strlen(titles[c]) - (titles[c][0] == '<');
	return t;
}

static void add(struct table *t, char *text)
{
	unsigned int col = t->n % t->ncols;
	int len = (int)strlen(text);

	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 256;
		char **cells = realloc(t->cells, room * sizeof(*cells));

		if (!cells) {
			free(text);
			return;
		}
		t->cells = cells;
		t->room = room;
	}
	t->cells[t->n++] = text;
	if (len > t->width[col])
		t->width[col] = len;
}

/* The next cell: of this row, or the first of the next one. */
void table_cell(struct table *t, const char *fmt, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len >= 0)
		add(t, text);
}

static void print_cell(const struct table *t, unsigned int col, const char *text, FILE *to)
{
	const char *gap = col ? "  " : "";

	if (t->titles[col][0] != '<')
		fprintf(to, "%s%*s", gap, t->width[col], text);
	else if (col + 1 < t->ncols)
		fprintf(to, "%s%-*s", gap, t->width[col], text);
	else
		fprintf(to, "%s%s", gap, text);		/* nothing after it to be aligned */
}

void table_print(const struct table *t, FILE *to)
{
	for (unsigned int c = 0; c < t->ncols; c++)
		print_cell(t, c, t->titles[c] + (t->titles[c][0] == '<'), to);
	fputc('\n', to);
	for (size_t i = 0; i < t->n; i++) {
		print_cell(t, i % t->ncols, t->cells[i], to);
		if ((i + 1) % t->ncols == 0)
			fputc('\n', to);
	}
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}
