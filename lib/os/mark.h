/* SPDX-License-Identifier: MIT */
/*
 * mark.h - SIGURG that the runtime sends to one of its own threads.
 *
 * The value it carries is the address of something of the sender's, the mark: it tells the signal from
 * the program's own, and preemption, dumps and ghosts from one another. Whoever has installed a
 * handler passes on what is not marked as his. The handlers may have interrupted a sanitizer's runtime.
 *
 * When the user's RLIMIT_SIGPENDING is used up, the kernel delivers the signal all the same, but without what
 * it carries: as one of kill(), by nobody. The receiver must know otherwise whether it was ours: @sent, a word that
 * is set before. Only thread-directed signals of this process can be taken for ours then, and one for each of ours.
 */
#ifndef RT_MARK_H
#define RT_MARK_H

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/sanitize.h"
#include "os/futex.h"

/* True: sent. False: the thread has ended. Context: any. */
static inline bool rt_mark_send(uint32_t tid, const void *mark)
{
	siginfo_t si;

	memset(&si, 0, sizeof(si));
	si.si_signo = SIGURG;
	si.si_code = SI_QUEUE;
	si.si_pid = getpid();
	si.si_uid = getuid();
	si.si_value.sival_ptr = (void *)mark;
	return rt_syscall6(SYS_rt_tgsigqueueinfo, getpid(), tid, SIGURG, (long)&si, 0, 0) == 0;
}

/* The same to a thread that looks at @sent: it is set first, and the kernel orders it before the handler. */
static inline void rt_mark_send_to(uint32_t tid, const void *mark, uint32_t *sent)
{
	rt_store_rlx(sent, 1u);
	rt_mark_send(tid, mark);
}

static inline rt_not_sanitized bool rt_mark_is(const siginfo_t *si, const void *mark)
{
	return si->si_code == SI_QUEUE && si->si_value.sival_ptr == mark;
}

/* It carries nothing: see above. (From outside of a PID namespace kill() by root looks the same.) */
static inline rt_not_sanitized bool rt_mark_is_lost(const siginfo_t *si)
{
	return si->si_code == SI_USER && si->si_pid == 0 && si->si_uid == 0;
}

/* rt_mark_is(), or what may have become of it; *@sent says that one was sent since. NULL: nobody can tell. */
static inline rt_not_sanitized bool rt_mark_take(const siginfo_t *si, const void *mark, uint32_t *sent)
{
	if (!rt_mark_is(si, mark))
		return sent && rt_mark_is_lost(si) && rt_xchg_ar(sent, 0u) != 0;
	if (sent)
		rt_store_rlx(sent, 0u);
	return true;
}

/* To the handler that was there @before. */
static inline rt_not_sanitized void rt_mark_pass_on(const struct sigaction *before, int sig, siginfo_t *si,
						    void *uc)
{
	if (before->sa_flags & SA_SIGINFO)
		before->sa_sigaction(sig, si, uc);
	else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN)
		before->sa_handler(sig);
}

#endif
