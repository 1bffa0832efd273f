/* SPDX-License-Identifier: MIT */
/* dwsym.h - files, lines and inlined calls from debug information, by libdw. See dwsym.c. */
#ifndef RT_DWSYM_H
#define RT_DWSYM_H

#include "base/compiler.h"

#define RT_DWSYM_LEVELS	8u

struct rt_dwsym {
	const char *symbol;	/* from the symbol table, maybe of a separate debug file; or NULL */
	uintptr_t start;	/* where that begins */
	uint32_t n;		/* levels; 0: no debug information */
	struct {
		const char *func;
		const char *file;	/* never NULL */
		int line;
	} level[RT_DWSYM_LEVELS];	/* the innermost inlined call first, the function itself last */
};

/* Loads libdw. False: not there, or it cannot be used. Context: the helper, one thread, guarded. */
bool rt_dwsym_init(void);
/* What @at is; what it returns stays valid. Context: as above, after rt_dwsym_init() was true. */
void rt_dwsym(uintptr_t at, struct rt_dwsym *out);

#endif
