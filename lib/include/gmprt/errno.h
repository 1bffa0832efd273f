/* SPDX-License-Identifier: MIT */
/*
 * errno.h - <errno.h> for goroutines: errno is that of the thread the goroutine is on now.
 *
 * The C library says of its __errno_location() that it always answers the same, so compilers call it once in a
 * function and keep the address, which is another thread's after a call that parks: errno, set by a system call after
 * that, is read where it is not. Here it is asked each time. It comes with <gmprt.h>, before or after
 * <errno.h>.
 *
 * That still leaves errno what a thread has, not a goroutine: read it before anything that parks; and assign to it
 * what is known already (errno = f() may fetch the address first). Where this header is not seen (other libraries
 * never park, so need not), a function that parks must have errno read in another that is not inlined into it.
 */
#ifndef GMPRT_ERRNO_H
#define GMPRT_ERRNO_H

#include <errno.h>

#include "base.h"

GMP_BEGIN_DECLS

/* For errno only: its address, on this thread. */
int *gmp_errno_location_(void);

GMP_END_DECLS

#undef errno
#define errno	(*gmp_errno_location_())

#endif
