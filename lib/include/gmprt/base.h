/* SPDX-License-Identifier: MIT */
/* base.h - what every public header begins with. */
#ifndef GMPRT_BASE_H
#define GMPRT_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define GMP_BEGIN_DECLS	extern "C" {
#define GMP_END_DECLS	}
#define GMP_NORETURN	[[noreturn]]
#else
#define GMP_BEGIN_DECLS
#define GMP_END_DECLS
#define GMP_NORETURN	_Noreturn
#endif

#endif
