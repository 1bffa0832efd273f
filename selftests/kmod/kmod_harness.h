/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmod_harness.h - the kernel's test harness as we use it.
 */
#ifndef KMOD_HARNESS_H
#define KMOD_HARNESS_H

#include "gmp_kmod.h"
#include "kselftest_harness.h"

/* Its 30 s are short for an emulated debug kernel on a busy host. The runner has a limit, too. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	300

#endif /* KMOD_HARNESS_H */
