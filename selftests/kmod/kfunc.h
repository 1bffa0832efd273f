/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* kfunc.h - what kfunc.bpf.c tells kfunc_test.c: all of its .bss. */
#ifndef KFUNC_H
#define KFUNC_H

struct kfunc_seen {
	__s32	tid;		/* set by the test: whom to look at */
	__s32	m;		/* what was said of it at its last switch out */
	__u32	gstatus;
	__u32	pad;
	__u64	goid;
	__u64	switches;	/* how many of these */
	__u64	others;		/* switches out of tasks that are not registered */
	__u64	strange;	/* what was said of those, if it was not "nothing" */
};

#endif
