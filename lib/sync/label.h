/* SPDX-License-Identifier: MIT */
/* label.h - names and labels of goroutines, for the runtime itself and its dumps. See label.c. */
#ifndef RT_LABEL_H
#define RT_LABEL_H

#include "sched/sched.h"

#define RT_LABEL_TEXT	240	/* bytes at gp->h.name that may be read; the last is always NUL */

/* One more reference; @l may be NULL. */
struct rt_labels *rt_labels_get(struct rt_labels *l);
void rt_labels_put(struct rt_labels *l);

/*
 * "name{key=value,...}" of any G, at any time, into @buf: bounded, NUL-ended, "" without a name or
 * label. Context: any thread, signal handlers; takes no lock. May be torn if the name changes meanwhile.
 */
void rt_label_read(const struct rt_g *gp, char *buf, size_t n);

#endif
