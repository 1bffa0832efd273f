/* SPDX-License-Identifier: MIT */
/*
 * acct.h - accounting by goroutine: on only when it was asked for and the module is there (acct.c).
 *
 * Price without: one predicted branch at a switch (mp->acct) and one when a G becomes runnable.
 */
#ifndef RT_ACCT_H
#define RT_ACCT_H

#include "sched/runtime.h"

/* This M gets its clock, once it is registered with the module. */
void rt_acct_thread_init(struct rt_m *mp);

/* From now on the time of @mp is @next's, NULL the scheduler's; what went before was whose it was. */
void rt_acct_switch(struct rt_m *mp, struct rt_g *next);

/* @gp waits for a P from now on. */
void rt_acct_runnable(struct rt_g *gp);

#endif
