/* SPDX-License-Identifier: MIT */
/*
 * reader.h - reading under RCU from any thread, also from one that is no M and knows nothing of it.
 *
 * A foreign thread that registered itself with liburcu's QSBR flavour must be online: liburcu does not
 * tell an offline reader from a thread that is none.
 */
#ifndef RT_READER_H
#define RT_READER_H

#include "sched/rcu.h"
#include "sched/sched.h"

enum rt_reader { RT_READER_WAS, RT_READER_ONLINE, RT_READER_REGISTERED };

/* Context: no signal handler (registering takes a mutex); between the two calls nothing may park. */
static inline enum rt_reader rt_reader_begin(void)
{
	if (rcu_read_ongoing())
		return RT_READER_WAS;
	if (rt_getm()) {
		rcu_thread_online();
		return RT_READER_ONLINE;
	}
	rcu_register_thread();
	return RT_READER_REGISTERED;
}

static inline void rt_reader_end(enum rt_reader how)
{
	if (how == RT_READER_ONLINE)
		rt_rcu_offline();
	else if (how == RT_READER_REGISTERED)
		rt_rcu_leave();
}

#endif
