/* SPDX-License-Identifier: MIT */
/* kern_none.c - the backend without a module: nothing to attach to, nothing to tell. */
#include "os/kern.h"

#include <errno.h>

#include "sched/env.h"

static int none_attach(int64_t tls_off, uint64_t layout, struct rt_kern_shared *sh)
{
	(void)tls_off;
	(void)layout;
	*sh = (struct rt_kern_shared){ 0 };
	return 0;
}

static int none_register(uint32_t slot, uint32_t m_id)
{
	(void)slot;
	(void)m_id;
	return 0;
}

static void none_void(void)
{
}

static int none_handoff(const struct gmp_handoff *how)
{
	(void)how;
	return -EOPNOTSUPP;
}

const struct rt_kern_ops rt_kern_none = {
	.name = "none",
	.attach = none_attach,
	.m_register = none_register,
	.m_unregister = none_void,
	.handoff = none_handoff,	/* so nobody calls standby() and kick() */
	.detach = none_void,
};
