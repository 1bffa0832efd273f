/* SPDX-License-Identifier: MIT */
#ifndef COMMON_ALLM_H
#define COMMON_ALLM_H

#include <sys/types.h>

#include "gmp_abi.h"

typedef int (*allm_fn)(const struct gmp_tls *tls, void *arg);

int allm_read(pid_t pid, const struct gmp_rt_layout *layout, allm_fn fn, void *arg);

#endif
