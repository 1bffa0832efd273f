/* SPDX-License-Identifier: MIT */
#ifndef COMMON_KERNACCT_H
#define COMMON_KERNACCT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KERNACCT_DIR	"/proc/gmp"

/* What gmp.ko says of one M. */
struct kernacct {
	pid_t tgid;
	pid_t tid;
	uint64_t oncpu_ns;	/* as schedstat's */
	uint64_t runq_ns;
	uint64_t blocked_ns;
};

struct kernacct_table {
	struct kernacct *rows;	/* sorted by tgid, tid */
	size_t n;
};

int kernacct_read(struct kernacct_table *t);
const struct kernacct *kernacct_lookup(const struct kernacct_table *t, pid_t tgid, pid_t tid);
void kernacct_free(struct kernacct_table *t);

#endif
