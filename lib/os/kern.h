/* SPDX-License-Identifier: MIT */
/*
 * kern.h - help from the kernel, behind one table: kern_ko.c (gmp.ko) or kern_none.c.
 *
 * A backend must supply all of it; kern_none is first-class and the default without /dev/gmp.
 */
#ifndef RT_KERN_H
#define RT_KERN_H

#include "base/compiler.h"
#include "gmp_abi.h"

struct rt_kern_shared {
	struct gmp_m_user *m_user;	/* NULL: no shared memory */
	struct gmp_p_shared *p_shared;
	const struct gmp_m_kern *m_kern;
	uint32_t nr_m, nr_p;
};

struct rt_kern_ops {
	const char *name;		/* "ko" or "none": gmp_kern_backend() */
	/* Once per gmp_run(), before any P exists. 0 and *sh, or -errno: the next backend is tried. */
	int (*attach)(int64_t tls_off, uint64_t layout, struct rt_kern_shared *sh);
	/* By each M for itself. 0 or -errno (the M then runs unregistered). */
	int (*m_register)(uint32_t slot, uint32_t m_id);
	void (*m_unregister)(void);
	/* From now on an M that sleeps in its goroutine's code lets its P go. 0, or -errno: it does not. */
	int (*handoff)(const struct gmp_handoff *how);
	/*
	 * The calling M sleeps, @ns at most (< 0: without limit): 0 and *p, a P that may be taken; 1 kicked;
	 * -EINTR; -ETIMEDOUT. Only after handoff() and m_register() returned 0. Any other error, of this call and of
	 * the two that follow: the program has taken our descriptor, or ioctl(), away.
	 */
	int (*standby)(int64_t ns, uint32_t *p);
	/* The M of @slot returns from standby(), now or the next time. -ENOENT: there is none. */
	int (*kick)(uint32_t slot);
	/* The M of @slot gets a SIGURG on its way to user mode; no system call fails because of it. */
	int (*preempt)(uint32_t slot);
	/* After the last M but m0 is gone; unmaps what attach() mapped. */
	void (*detach)(void);
};

extern const struct rt_kern_ops rt_kern_ko, rt_kern_none;

/* The backend that GMP_DEBUG=kern= and the machine allow; says why not with GMP_DEBUG=stats. */
const struct rt_kern_ops *rt_kern_attach(int64_t tls_off, uint64_t layout, struct rt_kern_shared *sh);
void rt_kern_detach(void);

#endif
