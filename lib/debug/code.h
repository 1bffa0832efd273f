/* SPDX-License-Identifier: MIT */
/* code.h - what an address of code means: function, file, line. See code.c. */
#ifndef RT_CODE_H
#define RT_CODE_H

#include "debug/dwsym.h"
#include "debug/elfsym.h"

struct rt_code {
	uintptr_t at;		/* what was asked */
	struct rt_elfsym elf;
	struct rt_dwsym dw;	/* n == 0: no lines */
};

/*
 * Once, in the helper of dump.c. False: libdw did not come back within @seconds, because a lock it
 * wants (the heap's, the loader's) was held when the process was copied; there will be no lines.
 */
bool rt_code_init(unsigned int seconds);
/* @at lies inside the instruction. Valid until the next call. Context: the helper, one thread. */
const struct rt_code *rt_code_at(uintptr_t at);

#endif
