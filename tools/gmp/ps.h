/* SPDX-License-Identifier: MIT */
/* ps.h - between ps.c, which collects, and ps_print.c, which shows. */
#ifndef GMP_PS_H
#define GMP_PS_H

#include "common/mrows.h"

void ps_print_table(const struct mreader *r, const struct msample *s);
int ps_print_json(const struct mreader *r, const struct msample *s, uint64_t interval_ns);

#endif
