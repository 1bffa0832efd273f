/* SPDX-License-Identifier: MIT */
/*
 * context.h - how a parked goroutine hears that its context ended; for sem.c, net and others.
 *
 * A hook without run() lies on the stack of the G that waits, and is forgotten when that G's run is over;
 * one with run() lies in memory that outlives it. Its function runs once, when the context ends, under
 * the context's lock (rank CTX): it may take the lock of a wait queue (rank WAITQ), it may not
 * rt_ready(): it pushes the Gs it lets go on @q, they are readied after the lock is free.
 * After rt_ctx_hook_del() the function neither runs nor will run.
 */
#ifndef RT_CONTEXT_H
#define RT_CONTEXT_H

#include <gmprt/context.h>

#include "sched/runtime.h"

struct rt_ctx_hook {
	struct rt_ctx_hook *next, *prev;	/* the context's lock */
	void (*fn)(struct rt_ctx_hook *h, int err, struct rt_gqueue *q);	/* const */
	void (*run)(struct rt_ctx_hook *h);	/* const; NULL, or called after fn, without the lock */
	bool linked;				/* the context's lock */
};

/* 0, or the context's error when it is done already (@h is not added then). @ctx may be NULL. */
int rt_ctx_hook_add(struct gmp_ctx *ctx, struct rt_ctx_hook *h);
/* True when the function had not run. */
bool rt_ctx_hook_del(struct gmp_ctx *ctx, struct rt_ctx_hook *h);

#endif
