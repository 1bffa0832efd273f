/* SPDX-License-Identifier: MIT */
/* go_macro_O0_test.c - go_macro_test.c, compiled without optimization. */
#include "go_macro_test.c"
