/* SPDX-License-Identifier: MIT */
/*
 * gmprt/context.h - when to give up: cancellation, deadlines and values that go down a tree of calls.
 *
 * A context ends once: by gmp_ctx_cancel(), at its deadline, or when its parent ends. Then its done
 * channel is closed, its error and cause are set, its children end, its after-functions start.
 * What happened before the end is seen by whoever saw it.
 *
 * Contexts are counted: constructors return one reference, gmp_ctx_unref() drops it; a child holds
 * its parent. A context that nobody refers to any more ends nothing and nobody. One with a deadline
 * needs no cancel before the unref. No goroutine and no thread belongs to a context.
 *
 * NULL stands for the background wherever an existing context is passed, but as a parent it makes
 * the constructor return NULL: failures can be checked once, at the end of a chain.
 * All calls: any thread, never park; the free functions of values run in the call that drops the last
 * reference, or in a goroutine of their own. Not for signal handlers (proc.h).
 */
#ifndef GMPRT_CONTEXT_H
#define GMPRT_CONTEXT_H

#include "base.h"

GMP_BEGIN_DECLS

struct gmp_chan;
struct gmp_ctx;
struct gmp_after_func;

/**
 * gmp_ctx_background() - the root: never ends, has no values, need not be unreferenced
 * Since 0.1.
 */
struct gmp_ctx *gmp_ctx_background(void);

/**
 * gmp_ctx_with_cancel() - a child that ends at gmp_ctx_cancel(), or with @parent
 * Return: NULL when there is no memory or @parent is NULL. Since 0.1.
 */
struct gmp_ctx *gmp_ctx_with_cancel(struct gmp_ctx *parent);

/**
 * gmp_ctx_with_deadline() - a child that ends at @when (gmp_now() clock, ns; 0 = none) at the latest
 *
 * Its error is -ETIMEDOUT then. The parent's deadline holds as well. A past @when: it is done already.
 * Return: NULL as gmp_ctx_with_cancel(), or when gmp_run() does not run. Since 0.1.
 */
struct gmp_ctx *gmp_ctx_with_deadline(struct gmp_ctx *parent, uint64_t when);

/* gmp_ctx_with_timeout() - gmp_ctx_with_deadline() @ns from now; <= 0: done already. Since 0.1. */
struct gmp_ctx *gmp_ctx_with_timeout(struct gmp_ctx *parent, int64_t ns);

/**
 * gmp_ctx_with_value() - a child in which gmp_ctx_value(@key) is @value
 * @key: compared as a pointer; not NULL (fatal). The address of a static object of yours is unique
 * @drop: called with @value when the context is freed; NULL: nothing to do
 *
 * Return: NULL as gmp_ctx_with_cancel(); @value is still the caller's then. Since 0.1.
 */
struct gmp_ctx *gmp_ctx_with_value(struct gmp_ctx *parent, const void *key, void *value,
				   void (*drop)(void *value));

/* gmp_ctx_ref() - one more reference; returns @ctx. gmp_ctx_unref() - one less. Since 0.1. */
struct gmp_ctx *gmp_ctx_ref(struct gmp_ctx *ctx);
void gmp_ctx_unref(struct gmp_ctx *ctx);

/**
 * gmp_ctx_cancel() - end @ctx and all its children, with -ECANCELED
 * @cause: what gmp_ctx_cause() is to say; 0: -ECANCELED
 *
 * Does nothing when it has ended already, and on the background. Any context but that can be
 * cancelled, one made for a value too. When several end it at once, all but the first may return
 * before the children have ended. Since 0.1.
 */
void gmp_ctx_cancel(struct gmp_ctx *ctx, int cause);

/**
 * gmp_ctx_done() - a channel that is closed when @ctx ends
 * Return: borrowed, valid while @ctx is; NULL (never ready) for the background. Fatal when there is
 * no memory for it: a NULL would be waited for in vain. Since 0.1.
 */
struct gmp_chan *gmp_ctx_done(struct gmp_ctx *ctx);

/* gmp_ctx_err() - 0 until it ended, then -ECANCELED or -ETIMEDOUT. Since 0.1. */
int gmp_ctx_err(struct gmp_ctx *ctx);

/* gmp_ctx_cause() - 0 until it ended, then the cause given, else as gmp_ctx_err(). Since 0.1. */
int gmp_ctx_cause(struct gmp_ctx *ctx);

/* gmp_ctx_deadline() - 1 and *when (may be NULL) if it has a deadline, its own or inherited; else 0. Since 0.1. */
int gmp_ctx_deadline(struct gmp_ctx *ctx, uint64_t *when);

/**
 * gmp_ctx_value() - the value of @key, of the nearest context up the tree that has that key
 * Return: NULL if none has. Valid while @ctx is referenced, also after it ended. Since 0.1.
 */
void *gmp_ctx_value(struct gmp_ctx *ctx, const void *key);

/**
 * gmp_ctx_after_func() - run fn(arg) in a goroutine of its own when @ctx ends; now if it has ended
 *
 * Return: a handle that must be given to gmp_after_func_stop(), and holds a reference until then;
 * NULL when there is no memory, or no goroutine to be had for a context that has ended. Fatal when no
 * goroutine can be started at the end of @ctx. Since 0.1.
 */
struct gmp_after_func *gmp_ctx_after_func(struct gmp_ctx *ctx, void (*fn)(void *), void *arg);

/**
 * gmp_after_func_stop() - prevent it if that is still possible; frees @h in any case
 *
 * Does not wait for a function that has started. NULL: nothing to do.
 * Return: 1 prevented: it will not run; 0 it was started. Since 0.1.
 */
int gmp_after_func_stop(struct gmp_after_func *h);

GMP_END_DECLS

#endif
