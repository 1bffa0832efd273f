/* SPDX-License-Identifier: MIT */
/* proc.h and debug.h with arguments that make no sense, and from places where they cannot work. */
#include "badinput_util.h"

#include <fcntl.h>

EVERYWHERE(starting_goroutines)
{
	struct gmp_go_attr a = { .size = sizeof(a) };

	IS(gmp_go(NULL, &a), -EINVAL);
	IS(gmp_go_attr(&a, NULL, NULL), -EINVAL);
	IS(gmp_go_attr(NULL, NULL, NULL), -EINVAL);
	a.size = 0;
	IS(gmp_go_attr(&a, badinput_nothing, NULL), -EINVAL);
	a.size = SIZE_MAX;
	IS(gmp_go_attr(&a, badinput_nothing, NULL), -EINVAL);
	a.size = sizeof(a);
	a.flags = 1;
	IS(gmp_go_attr(&a, badinput_nothing, NULL), -EINVAL);
	a.flags = 0;
	a.max_stack = SIZE_MAX;
	IS(gmp_go_attr(&a, badinput_nothing, NULL), -EINVAL);
	a.max_stack = (1ul << 30) + 1;
	IS(gmp_go_attr(&a, badinput_nothing, NULL), -EINVAL);
	IS(gmp_go_copy(badinput_nothing, NULL, 8), -EINVAL);
	IS(gmp_go_copy(badinput_nothing, "", SIZE_MAX), -ENOMEM);
	IS(gmp_go_copy(NULL, NULL, 0), -EINVAL);
	if (!runs()) {
		IS(gmp_go(badinput_nothing, NULL), -ESRCH);
		IS(gmp_go_attr(NULL, badinput_nothing, NULL), -ESRCH);
		IS(gmp_go_copy(badinput_nothing, "", 1), -ESRCH);
		IS(GMP_GO(badinput_nothing, NULL), -ESRCH);
	}
}

EVERYWHERE(runs_and_their_ends)
{
	IS(gmp_run(NULL, NULL), -EINVAL);
	if (runs())
		IS(gmp_run(badinput_zero, NULL), -EBUSY);
	IS(gmp_defer(NULL, NULL), -EINVAL);
	if (place != GOROUTINE)
		IS(gmp_defer(badinput_nothing, NULL), -EPERM);
}

EVERYWHERE(numbers_of_ps_and_stacks)
{
	int procs = gmp_maxprocs(0);
	size_t stack = gmp_set_max_stack(0);

	IS(procs >= 1, 1);
	IS(gmp_maxprocs(-1), procs);
	IS(gmp_maxprocs(INT_MIN), procs);
	IS(gmp_maxprocs(1025), -EINVAL);
	IS(gmp_maxprocs(INT_MAX), -EINVAL);
	if (place == THREAD)
		IS(gmp_maxprocs(procs + 1), -EWOULDBLOCK);
	IS(gmp_maxprocs(0), procs);

	IS(gmp_set_max_stack(SIZE_MAX), stack);
	IS(gmp_set_max_stack(1), 1ul << 30);
	IS(gmp_set_max_stack(stack), 16384);
	IS(gmp_set_max_stack(0), stack);
}

EVERYWHERE(names_and_labels)
{
	char small[4] = "abc", text[4096];
	int in = place == GOROUTINE;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	IS(gmp_set_name("a\nb"), in ? -EINVAL : -EPERM);
	IS(gmp_set_name(text), in ? -ENAMETOOLONG : -EPERM);
	IS(gmp_set_name(NULL), in ? 0 : -EPERM);
	IS(gmp_set_label(NULL, "v"), -EINVAL);
	IS(gmp_set_label("", "v"), -EINVAL);
	IS(gmp_set_label("a=b", "v"), -EINVAL);
	IS(gmp_set_label("a", "v}"), -EINVAL);
	IS(gmp_set_label("a", text), -ENOSPC);
	IS(gmp_set_label(text, "v"), -ENOSPC);
	text[170] = 0;
	IS(gmp_set_label("a", text), in ? -ENOSPC : -EPERM);
	IS(gmp_set_label("none", NULL), in ? 0 : -EPERM);
	IS(gmp_get_name(NULL, 0), -EINVAL);
	IS(gmp_get_name(NULL, SIZE_MAX), -EINVAL);
	IS(gmp_get_name(small, 0), in ? -ENOSPC : -EPERM);
	IS(gmp_get_label(NULL, small, 4), -EINVAL);
	IS(gmp_get_label("a", NULL, 4), -EINVAL);
	IS(gmp_get_label("a", small, 4), in ? -ENOENT : -EPERM);
	IS(strcmp(small, "abc"), 0);
}

/* The second of a pair without the first. */
EVERYWHERE(ends_without_a_beginning)
{
	gmp_unlock_os_thread();
	gmp_nopreempt_end();
	gmp_syscall_end();
	IS(gmp_start_world(), -EINVAL);
	if (place == GOROUTINE) {
		IS(gmp_stop_world(NULL), 0);
		IS(gmp_stop_world("twice"), -EBUSY);
		IS(gmp_maxprocs(gmp_maxprocs(0) + 1), -EBUSY);
		gmp_yield();		/* nowhere to go: ignored */
		IS(gmp_start_world(), 0);
		IS(gmp_start_world(), -EINVAL);
		gmp_yield();
	} else {
		IS(gmp_stop_world(NULL), -EWOULDBLOCK);
		gmp_yield();
		gmp_lock_os_thread();
		gmp_lock_os_thread();
		gmp_unlock_os_thread();
		gmp_nopreempt_begin();
		gmp_syscall_begin();
		gmp_syscall_end();
		gmp_nopreempt_end();
		gmp_unlock_os_thread();
		IS(gmp_goid(), 0);
	}
	IS(gmp_num_goroutine(), runs() ? 1 : 0);
}

/* ---- debug.h --------------------------------------------------------------------------------------- */

static int ends_the_tour(const struct gmp_goroutine *g, void *arg)
{
	(void)g;
	return ++*(int *)arg;
}

EVERYWHERE(looking_at_goroutines)
{
	uintptr_t pcs[4];
	int n = 0;

	IS(gmp_goroutines(NULL, NULL), runs() ? 1 : -ESRCH);
	IS(gmp_goroutines(ends_the_tour, &n), runs() ? 1 : -ESRCH);
	IS(gmp_leak_check(NULL, NULL), runs() ? 0 : -ESRCH);
	IS(gmp_stack_of(1, NULL, 4), -EINVAL);
	IS(gmp_stack_of(0, pcs, 4), -ESRCH);
	IS(gmp_stack_of(UINT64_MAX, pcs, 4), place == GOROUTINE ? -ESRCH : -EWOULDBLOCK);
	IS(gmp_stack_of(1, pcs, 0), place == GOROUTINE ? 0 : -EWOULDBLOCK);
	IS(gmp_kern_backend() != NULL, 1);
}

EVERYWHERE(statistics_and_dumps)
{
	struct gmp_stats st = { .size = 0 };
	int ro = open("/dev/null", O_RDONLY | O_CLOEXEC);

	IS(gmp_stats(NULL), -EINVAL);
	IS(gmp_stats(&st), -EINVAL);
	st.size = sizeof(st) + 1;
	IS(gmp_stats(&st), -EINVAL);
	st.size = SIZE_MAX;
	IS(gmp_stats(&st), -EINVAL);
	st.size = sizeof(st);
	IS(gmp_stats(&st), runs() ? 0 : -ESRCH);
	IS(gmp_dump(-1), -EBADF);
	IS(gmp_dump(INT_MIN), -EBADF);
	IS(gmp_dump(1000000), runs() ? -EIO : -ESRCH);
	IS(gmp_dump(ro), runs() ? -EIO : -ESRCH);
	close(ro);
}

/* ---- signal handlers: gmp_goid(), gmp_now() and gmp_dump() alone ------------------------------------------ */

static volatile uint64_t in_handler[2];
static volatile int dumped = 1, null_fd;

static void handler(int sig)
{
	(void)sig;
	in_handler[0] = gmp_goid();
	in_handler[1] = gmp_now();
	dumped = gmp_dump(null_fd);
}

static void with_handler(uint64_t goid)
{
	in_handler[1] = 0;
	dumped = 1;
	raise(SIGUSR1);
	IS(in_handler[0], goid);
	IS(in_handler[1] != 0, 1);
	IS(dumped, runs() ? 0 : -ESRCH);
}

EVERYWHERE(signal_handlers)
{
	struct sigaction sa = { .sa_handler = handler };

	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	sigaction(SIGUSR1, &sa, NULL);
	with_handler(place == GOROUTINE ? 1 : 0);
	sa.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR1, &sa, NULL);
	with_handler(place == GOROUTINE ? 1 : 0);
	close(null_fd);
}
