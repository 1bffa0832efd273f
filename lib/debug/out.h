/* SPDX-License-Identifier: MIT */
/*
 * out.h - formatted output that needs neither the heap nor stdio's locks.
 *
 * For dumps: on a signal stack, in a process that is broken, in a helper that shares nothing. A line
 * is whole in one write(2) unless it is longer than the buffer.
 */
#ifndef RT_OUT_H
#define RT_OUT_H

#include "base/compiler.h"

struct rt_out {
	int fd;
	bool failed;		/* a write failed: the rest is dropped */
	uint32_t n;
	char buf[1024];
};

static inline void rt_out_init(struct rt_out *o, int fd)
{
	o->fd = fd;
	o->failed = false;
	o->n = 0;
}

/* %-formats of integers and strings only; one call gives at most 512 bytes, the rest is cut. */
void rt_out(struct rt_out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rt_out_flush(struct rt_out *o);

#endif
