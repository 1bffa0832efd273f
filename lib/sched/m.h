/* SPDX-License-Identifier: MIT */
/* m.h - what m.c, m_make.c and m_idle.c have of each other; all others: sched.h. */
#ifndef RT_M_H
#define RT_M_H

#include "sched/sched.h"

/*
 * The module hears of the M. With the signal mask that it is to have: to the module another one means that
 * a handler runs. So not before a new thread has m0's.
 */
void rt_m_register(struct rt_m *mp);
/* A new M on allm, not yet a thread. NULL: no memory, or the run is over. */
struct rt_m *rt_m_alloc(void);
/* Takes back what rt_m_alloc() did, for one that never became a thread; it is used again, and freed at the end. */
void rt_m_unmake(struct rt_m *mp);
void rt_m_unlink_unmade(void);
/* One that ends leaves allm, its number is free; sched.lock held. */
void rt_m_unlink(struct rt_m *mp);
/* A new M, which gets @pp and runs @picked first, if not NULL. 0 or -errno: @pp is the caller's. */
int rt_m_create(struct rt_p *pp, bool spinning, struct rt_g *picked);
/* No M could be made for @pp and @gp: both go where they are found. */
void rt_m_give_back(struct rt_p *pp, bool spinning, struct rt_g *gp);

#endif
