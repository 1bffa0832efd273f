/* SPDX-License-Identifier: MIT */
/* layout.h - gmp_rt_layout: where outside readers find everything. */
#ifndef RT_LAYOUT_H
#define RT_LAYOUT_H

#include "base/compiler.h"
#include "gmp_abi.h"

extern struct gmp_rt_layout gmp_rt_layout;

void rt_layout_publish(int64_t tls_off);
void rt_layout_withdraw(void);
void rt_layout_maxprocs(uint32_t n);

#endif
