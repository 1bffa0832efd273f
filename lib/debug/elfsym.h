/* SPDX-License-Identifier: MIT */
/* elfsym.h - names of functions without the heap and without debug information. See elfsym.c. */
#ifndef RT_ELFSYM_H
#define RT_ELFSYM_H

#include "base/compiler.h"

struct rt_elfsym {
	const char *name;	/* NULL: none covers it */
	uintptr_t start;	/* of that function, in this process */
	const char *module;	/* path of the file, NULL: not from a file */
	uintptr_t offset;	/* in the module, as addr2line wants it */
};

/*
 * What @pc is. Context: one thread at a time (the helper of dump.c); no lock, no allocation but
 * mmap(). What it returns stays valid.
 */
void rt_elfsym(uintptr_t pc, struct rt_elfsym *out);

#endif
