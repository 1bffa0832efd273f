/* SPDX-License-Identifier: MIT */
/*
 * guard.c - see guard.h.
 *
 * The helper looks at stacks that may be broken, with a library whose heap and locks were copied in
 * whatever state they were in. A crash or a hang there must cost a line of the dump, not the dump.
 */
#include "debug/guard.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static sigjmp_buf *armed;	/* the innermost; one thread */

static void caught(int sig)
{
	if (armed)
		siglongjmp(*armed, sig);
	_exit(128 + sig);
}

void rt_guard_init(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGALRM };
	struct sigaction sa = { .sa_handler = caught, .sa_flags = SA_NODEFER };
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&set);
	for (size_t i = 0; i < RT_ARRAY_SIZE(sigs); i++) {
		sigaction(sigs[i], &sa, NULL);
		sigaddset(&set, sigs[i]);
	}
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

bool rt_guarded(void (*fn)(void *arg), void *arg, unsigned int seconds)
{
	sigjmp_buf here;
	sigjmp_buf *volatile outer = armed;
	unsigned int left = alarm(0);
	int sig = sigsetjmp(here, 1);

	if (!sig) {
		armed = &here;
		alarm(seconds * RT_GUARD_TIMES);
		fn(arg);
	}
	alarm(left);		/* not shortened by what the inner call took: it is a limit against hangs */
	armed = outer;
	return sig == 0;
}
