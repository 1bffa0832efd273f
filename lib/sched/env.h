/* SPDX-License-Identifier: MIT */
/* env.h - what the environment asks for: GMP_MAXPROCS, GMP_DEBUG. Read at each gmp_run(). */
#ifndef RT_ENV_H
#define RT_ENV_H

#include "base/compiler.h"

struct rt_env {
	bool stats;		/* stats=1: say at the end what was done, and what is missing */
	bool no_ko;		/* kern=none */
	bool only_ko;		/* kern=ko: fail without the module */
	bool asyncpreemptoff;
	bool no_update;		/* updatemaxprocs=0: do not follow the CPUs allowed */
	bool nohandoff;		/* handoff=0: the module only watches */
	int64_t handoff_ns;	/* handoffdelay=US: how long an M sleeps before its P goes; -1: the module's */
	bool nosysmon;		/* sysmon=0: for tests that must not be helped by it */
	bool few_guards;	/* stackguards=N: none that cost no mapping, and N that do; for tests */
	uint32_t guards;
	bool scheddetail;
	bool acct;		/* acct=1: account by goroutine, if the module is there */
	uint32_t schedtrace_ms;	/* 0 = off */
};

extern struct rt_env rt_env;

void rt_env_read(void);
/* Ps the next run begins with. @set > 0 overrules the environment; returns what held before. */
uint32_t rt_env_maxprocs(uint32_t set);
/* Is that a number somebody chose? Else it is what the CPUs allow, and follows them (follow.c). */
bool rt_env_fixed(void);

#endif
