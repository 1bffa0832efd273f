/* SPDX-License-Identifier: MIT */
/* errno.c - errno of programs: a call that their compiler does not know. The runtime's own code uses <errno.h>. */
#include <errno.h>

#include "base/compiler.h"

int *gmp_errno_location_(void);

RT_PUBLIC int *gmp_errno_location_(void)
{
	return &errno;
}
