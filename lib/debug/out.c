/* SPDX-License-Identifier: MIT */
/* out.c - see out.h. vsnprintf() with integers and strings allocates nothing and takes no lock. */
#include "debug/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PIECE	512

void rt_out_flush(struct rt_out *o)
{
	uint32_t done = 0;

	while (done < o->n && !o->failed) {
		ssize_t got = write(o->fd, o->buf + done, o->n - done);

		if (got > 0)
			done += (uint32_t)got;
		else if (got == 0 || errno != EINTR)
			o->failed = true;
	}
	o->n = 0;
}

void rt_out(struct rt_out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (o->n > sizeof(o->buf) - PIECE)
		rt_out_flush(o);
	va_start(ap, fmt);
	n = vsnprintf(o->buf + o->n, PIECE, fmt, ap);
	va_end(ap);
	if (n > 0)
		o->n += n < PIECE ? (uint32_t)n : PIECE - 1;
}
