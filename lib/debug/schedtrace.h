/* SPDX-License-Identifier: MIT */
/* schedtrace.h - GMP_DEBUG=schedtrace=MS,scheddetail=1. See schedtrace.c. */
#ifndef RT_SCHEDTRACE_H
#define RT_SCHEDTRACE_H

#include "base/compiler.h"

/* Prints when it is time. Context: sysmon, an RCU reader. */
void rt_schedtrace(uint64_t now);

#endif
