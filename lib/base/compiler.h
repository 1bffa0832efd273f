/* SPDX-License-Identifier: MIT */
/* compiler.h - what the language lacks. No state, no policy. */
#ifndef RT_COMPILER_H
#define RT_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define rt_always_inline inline __attribute__((always_inline))
#define rt_noinline	__attribute__((noinline))
#define rt_cold		__attribute__((cold, noinline))
#define rt_aligned(n)	__attribute__((aligned(n)))
#define RT_CACHELINE	64

/* Everything is hidden by default (-fvisibility=hidden); the public calls are marked. */
#define RT_PUBLIC	__attribute__((visibility("default")))

#define rt_container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
#define RT_ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Keeps the compiler, not the CPU, from moving memory accesses across. */
#define rt_compiler_barrier()	__asm__ __volatile__("" ::: "memory")

#define rt_static_assert	_Static_assert

static inline void rt_cpu_relax(void)
{
	__builtin_ia32_pause();
}

#endif
