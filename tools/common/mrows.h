/* SPDX-License-Identifier: MIT */
#ifndef COMMON_MROWS_H
#define COMMON_MROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/carrier.h"
#include "common/kernacct.h"
#include "common/procfs.h"
#include "gmp_abi.h"

/* Where the carrier data comes from. */
enum msource {
	MSOURCE_PROCESS,
	MSOURCE_BPF,
};

/* A process with libgmprt. */
struct mproc {
	pid_t pid;
	uint64_t start;			/* tells a reused pid */
	char comm[PROC_COMM_LEN];
	struct gmp_rt_layout layout;
	bool seen;			/* in the present round of looking for processes */
};

/* One M at one moment. */
struct mrow {
	pid_t pid;
	pid_t tid;
	uint64_t now_ns;
	uint64_t oncpu_ns;		/* for differences between two samples of one source */
	int oncpu_percent;		/* in tenths, since the sample before; -1 unknown */
	uint16_t wait_reason;		/* of the G, 0 unless it waits */
	struct gmp_tls tls;
	struct proc_task_stat stat;
	bool has_kern;
	struct kernacct kern;
	bool has_bpf;
	struct carrier_stat bpf;
};

struct msample {
	uint64_t now_ns;
	struct mrow *rows;		/* sorted by pid, number of the M */
	size_t n, room;
	bool kern;			/* some row has the kernel's accounting */
};

struct mreader {
	enum msource source;
	struct carrier *bpf;		/* NULL with MSOURCE_PROCESS */
	struct mproc *procs;		/* sorted by pid */
	size_t nprocs;
};

int mreader_add(struct mreader *r, pid_t pid);
int mreader_scan(struct mreader *r);
int mreader_use_bpf(struct mreader *r, struct carrier *c);
int mreader_sample(struct mreader *r, struct msample *s);
void mreader_close(struct mreader *r);

void msample_compare(struct msample *s, const struct msample *before);
void msample_free(struct msample *s);

const char *mrow_wait(const struct mrow *row);
const char *gstatus_name(unsigned int status);
const char *mstate_name(unsigned int state);
const char *why_name(unsigned int why);

#endif
