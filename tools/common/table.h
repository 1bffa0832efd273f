/* SPDX-License-Identifier: MIT */
#ifndef COMMON_TABLE_H
#define COMMON_TABLE_H

#include <stdio.h>

#define TABLE_MAX_COLS	16

struct table;

struct table *table_new(const char * const *titles, unsigned int ncols);
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_print(const struct table *t, FILE *to);
void table_free(struct table *t);

#endif
