/* SPDX-License-Identifier: MIT */
#ifndef COMMON_LAYOUT_H
#define COMMON_LAYOUT_H

#include <stdint.h>
#include <sys/types.h>

#include "gmp_abi.h"

int layout_find(pid_t pid, struct gmp_rt_layout *layout);

#endif
