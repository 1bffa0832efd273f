/* SPDX-License-Identifier: MIT */
/* stats.c - gmp_stats(), gmp_num_goroutine(): sums of counters that their owners write and anyone reads. */
#include <errno.h>
#include <string.h>

#include "debug/reader.h"
#include "gmprt/debug.h"
#include "gmprt/proc.h"

static void add_p(struct gmp_stats *st, struct rt_p *pp)
{
	struct rt_p_counters *c = &pp->c;
	struct rt_g *next = rt_load_rlx(&pp->runnext);

	st->local_queues += rt_load_rlx(&pp->runqtail) - rt_load_rlx(&pp->runqhead) + (next != NULL);
	st->global_queue += rt_load_rlx(&pp->yieldq.n);
	st->spawned += rt_load_rlx(&c->spawns);
	st->switches += rt_load_rlx(&c->switches);
	st->runnext += rt_load_rlx(&c->runnext_hits);
	st->global_ticks += rt_load_rlx(&c->globq_ticks);
	st->global_batches += rt_load_rlx(&c->globq_batches);
	st->overflows += rt_load_rlx(&c->overflows);
	st->overflowed += rt_load_rlx(&c->overflow_gs);
	st->steals += rt_load_rlx(&c->steals);
	st->stolen += rt_load_rlx(&c->stolen);
	st->handoffs += rt_load_rlx(&c->handoffs);
	st->preemptions += rt_load_rlx(&c->preempts);
	st->parks += rt_load_rlx(&c->parks);
	st->readies += rt_load_rlx(&c->readies);
	st->rescues += rt_load_rlx(&c->rescues);
	st->reused_gs += rt_load_rlx(&c->gfree_hits);
	st->reused_stacks += rt_load_rlx(&c->stack_hits);
}

static void add_ps(struct gmp_stats *st)
{
	struct rt_p **allp = rt_all_ps(&st->procs);

	for (uint32_t i = 0; i < st->procs; i++)
		add_p(st, allp[i]);
}

RT_PUBLIC int gmp_num_goroutine(void)
{
	enum rt_reader how;
	int n;

	if (!rt_getm() && !rt_ext_enter())
		return 0;
	how = rt_reader_begin();
	n = (int)rt_num_g();
	rt_reader_end(how);
	if (!rt_getm())
		rt_ext_leave();
	return n;
}

static void collect(struct gmp_stats *st)
{
	enum rt_reader how = rt_reader_begin();

	st->idle_procs = rt_load_rlx(&rt_sched.npidle);
	st->threads = rt_load_rlx(&rt_sched.mcount);
	st->idle_threads = rt_load_rlx(&rt_sched.nmidle);
	st->spinning_threads = rt_load_rlx(&rt_sched.nmspinning);
	st->declared_syscalls = rt_load_rlx(&rt_sched.nsyscall);
	st->threads_created = rt_load_rlx(&rt_sched.mcreated);
	st->goroutines = (uint64_t)rt_num_g();
	st->global_queue = rt_load_rlx(&rt_sched.globq.n);
	rt_stack_stats(&st->stack_bytes, &st->stacks);
	add_ps(st);
	rt_reader_end(how);
}

RT_PUBLIC int gmp_stats(struct gmp_stats *st)
{
	struct gmp_stats all = { 0 };
	size_t size = st ? st->size : 0;

	if (size < sizeof(size) || size > sizeof(all))
		return -EINVAL;
	if (!rt_getm() && !rt_ext_enter())
		return -ESRCH;
	collect(&all);
	if (!rt_getm())
		rt_ext_leave();
	all.size = size;
	memcpy(st, &all, size);
	return 0;
}
