/* SPDX-License-Identifier: MIT */
/* halt.h - the registers of threads that run goroutines. See halt.c. */
#ifndef RT_HALT_H
#define RT_HALT_H

#include "debug/unwind.h"

struct rt_halt;

/**
 * rt_halt_begin() - makes the other Ms that carry goroutines show their registers and wait
 * @dying: all of them; else only those that a signal does not disturb
 *
 * Context: any thread, signal handlers; one caller at a time. Takes at most HALT_NS.
 * Return: what came in time, for rt_halt_regs() and rt_halt_end(); NULL: none.
 */
struct rt_halt *rt_halt_begin(bool dying);
/* Lets them go on. @h stays readable in a copy of the process that was made before. */
void rt_halt_end(struct rt_halt *h);
/* The registers of @mp, or NULL. @h may be NULL. */
const struct rt_regs *rt_halt_regs(const struct rt_halt *h, const struct rt_m *mp);

#endif
