// SPDX-License-Identifier: MIT
/*
 * allm.c - the Ms of a process by reading its memory: the way without BPF.
 *
 * Walks the list allm and reads the TLS block of each M. The process goes on meanwhile and may be
 * lying: an M is believed when its block carries the magic and names that M and its thread. The
 * list is followed for as many steps as the process has threads, and some more for those that
 * came meanwhile, so a cycle ends.
 *
 * Not here: whether the thread exists; the caller looks at /proc for its state anyhow.
 */
#include <errno.h>
#include <string.h>

#include "common/allm.h"
#include "common/procfs.h"
#include "common/remote.h"

#define M_SLACK		64
#define M_MAX_OFFSET	4096u	/* a field of struct rt_m lies below */

static int read_u64(pid_t pid, uint64_t addr, uint64_t *v)
{
	return remote_read(pid, addr, v, sizeof(*v));
}

/* 0: it is an M in working order and *tls is its block. */
static int read_m(pid_t pid, const struct gmp_rt_layout *layout, uint64_t m, struct gmp_tls *tls)
{
	uint64_t addr;
	uint32_t tid;

	/*
	 * Where struct rt_m keeps the address of its block is the one thing the layout has no field
	 * for; a zero there means what is true: the first member.
	 */
	if (read_u64(pid, m + layout->m_off_tls, &addr) || remote_read(pid, addr, tls, sizeof(*tls)) ||
	    remote_read(pid, m + layout->m_off_tid, &tid, sizeof(tid)))
		return -EFAULT;
	return tls->magic == GMP_TLS_MAGIC && tls->m == m && tls->tid == tid ? 0 : -ENOENT;
}

/**
 * allm_read() - call a function for each M
 * @pid: the process
 * @layout: its layout; not trusted
 * @fn: gets the TLS block as it is now; not 0 ends the walk
 *
 * Return: 0; what @fn returned; -ESRCH, -EPERM as remote_read(); -EFAULT the list cannot be read.
 */
int allm_read(pid_t pid, const struct gmp_rt_layout *layout, allm_fn fn, void *arg)
{
	int left = proc_count_tasks(pid), err;
	struct gmp_tls tls;
	uint64_t m;

	if (left < 0)
		return left;
	if (layout->m_off_alllink > M_MAX_OFFSET || layout->m_off_tid > M_MAX_OFFSET ||
	    layout->m_off_tls > M_MAX_OFFSET)
		return -EFAULT;
	err = read_u64(pid, layout->allm, &m);
	for (left += M_SLACK; !err && m && left > 0; left--) {
		if (!read_m(pid, layout, m, &tls))
			err = fn(&tls, arg);
		if (!err)
			err = read_u64(pid, m + layout->m_off_alllink, &m);
	}
	return err;
}
