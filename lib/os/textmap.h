/* SPDX-License-Identifier: MIT */
/*
 * textmap.h - which code is the program's own.
 *
 * Code that knows it runs in goroutines: the main program and the shared objects linked with
 * libgmprt.so, less the runtime itself. All other code (libc, the dynamic linker, any library) may
 * hold locks that are not recursive, or be half through a change of state of its thread.
 */
#ifndef RT_TEXTMAP_H
#define RT_TEXTMAP_H

#include "base/compiler.h"

/* Looks at what is loaded now; objects loaded later are nobody's own. 0 or -errno. */
int rt_textmap_init(void);
/* Where the runtime's own code lies; false when this build cannot tell. */
bool rt_textmap_bounds(uintptr_t *lo, uintptr_t *hi);
/* Context: signal handlers too. */
bool rt_textmap_own(uintptr_t pc);
/* The runtime's own; also true of all code when it cannot be told. */
bool rt_textmap_runtime(uintptr_t pc);

#endif
