// SPDX-License-Identifier: GPL-2.0-only
/*
 * handoff_signal_test.c - the signal to a thread without its P, by hand: whom it must not reach; and signal
 * handlers of the program, in which a P is kept.
 */
#include "handoff_abi.h"
#include "uffd.h"
#include <sys/mman.h>
#include <sys/wait.h>

/* ---- a call that is about to be restarted ---------------------------------------------------- */

/* Once @t has taken the P: its process is stopped and goes on, in a call that is not over. */
static pid_t stop_once(struct taker *t)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (!WAIT_FOR(*(volatile uint64_t *)&t->took_ns))
		_exit(1);
	sleep_ms(50);
	if (kill(getppid(), SIGSTOP))
		_exit(1);
	sleep_ms(50);
	_exit(kill(getppid(), SIGCONT) != 0);
}

/* nanosleep() goes on after SIGCONT; with a handler run in between it would fail. The signal comes at its end. */
TEST_F(handoff, no_signal_before_a_restart)
{
	struct taker *t = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec ts = { .tv_sec = 3 };
	pthread_t thread;
	int status;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, t);
	t->d = &self->d;
	listen_to_urg(&self->how);
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	self->d.u[0].crit = 1;
	pid = stop_once(t);
	pthread_create(&thread, NULL, take, t);
	ASSERT_TRUE(WAIT_FOR(t->ready));
	sleep_ms(20);
	self->d.u[0].crit = 0;
	EXPECT_EQ(0, nanosleep(&ts, NULL));
	self->d.u[0].crit = 1;
	EXPECT_EQ(1, self->d.u[0].lost);
	EXPECT_EQ(1, signals);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, t->ret);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* ---- SIGURG is not ours ------------------------------------------------------------------------ */

/* The P of the calling thread is taken while it sleeps. */
static void lose_p(struct __test_metadata *_metadata, struct dev *d)
{
	struct timespec ts = { .tv_nsec = 300000000 };
	struct taker t = { .d = d };
	pthread_t thread;

	d->u[0].crit = 1;
	pthread_create(&thread, NULL, take, &t);
	ASSERT_TRUE(WAIT_FOR(t.ready));
	sleep_ms(20);
	d->u[0].crit = 0;
	EXPECT_EQ(0, nanosleep(&ts, NULL));
	d->u[0].crit = 1;
	EXPECT_EQ(1, d->u[0].lost);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, t.ret);
}

static volatile sig_atomic_t of_others;

static void on_urg_of_others(int sig)
{
	(void)sig;
	of_others++;
}

TEST_F(handoff, no_signal_to_a_handler_of_others)
{
	listen_to_urg(&self->how);
	signal(SIGURG, on_urg_of_others);
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	lose_p(_metadata, &self->d);
	EXPECT_EQ(0, of_others);
	EXPECT_EQ(0, signals);
}

/* It would stay pending, and come when nobody expects it. */
TEST_F(handoff, no_signal_that_is_blocked)
{
	sigset_t urg, pending;

	listen_to_urg(&self->how);
	sigemptyset(&urg);
	sigaddset(&urg, SIGURG);
	ASSERT_EQ(0, dev_unregister(self->d.fd));
	sigprocmask(SIG_BLOCK, &urg, NULL);	/* before: this is no handler's mask */
	ASSERT_EQ(0, dev_register(self->d.fd, 0, 0));
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	lose_p(_metadata, &self->d);
	sigpending(&pending);
	EXPECT_FALSE(sigismember(&pending, SIGURG));
	EXPECT_EQ(0, signals);
}

/* ---- handlers of the program ------------------------------------------------------------------- */

static struct dev *of_handler;
static volatile unsigned int let_go_there;

static void on_usr1(int sig)
{
	(void)sig;
	let_go_there = times_let_go(of_handler);
}

static void handle_usr1(int flags)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = flags };

	sigaction(SIGUSR1, &sa, NULL);
	let_go_there = ~0u;
	raise(SIGUSR1);
}

static void mask_usr2(int what)
{
	sigset_t usr2;

	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	sigprocmask(what, &usr2, NULL);
}

/* It has a mask of its own, but so may be what it interrupts. */
TEST_F(handoff, stays_in_a_handler)
{
	of_handler = &self->d;
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	handle_usr1(0);
	EXPECT_EQ(0, let_go_there);
	EXPECT_EQ(1, is_let_go(&self->d));
	mask_usr2(SIG_BLOCK);
	EXPECT_EQ(1, is_let_go(&self->d));	/* as system() does */
	handle_usr1(0);
	EXPECT_EQ(0, let_go_there);
	mask_usr2(SIG_UNBLOCK);
	EXPECT_EQ(1, is_let_go(&self->d));
	mask_usr2(SIG_BLOCK);
	EXPECT_EQ(1, is_let_go(&self->d));
}

#define STACK		65536
#define MISSING		32768	/* of these, the lower ones */

struct low {
	struct dev *d;
	char *stack;
	pid_t tid;
};

/* Down to where a signal's frame is on a page that is not there, and nothing else yet: no call is made. */
static __attribute__((noinline)) void raise_down_there(const struct low *l, long pid)
{
	char *room = __builtin_alloca((char *)__builtin_frame_address(0) - l->stack - MISSING - 256);
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret) : "a"(SYS_tgkill), "D"(pid), "S"((long)l->tid), "d"(SIGUSR1), "r"(room)
			 : "rcx", "r11", "memory");
}

static void *raises_low(void *arg)
{
	struct low *l = arg;

	if (dev_register(l->d->fd, 2, 2))
		return NULL;
	l->d->u[2].p = 1;
	l->d->u[2].goid = 7;
	l->d->p[1].word = RUNNING(2, 5);
	*(volatile pid_t *)&l->tid = gettid_();
	raise_down_there(l, getpid());
	l->d->u[2].crit = 1;
	return NULL;
}

/* The kernel sleeps in the midst of calling it, with the old mask. */
TEST_F(handoff, stays_in_a_handler_whose_frame_was_waited_for)
{
	struct sigaction sa = { .sa_handler = on_usr1 };
	int uffd = uffd_open(), i;
	struct low l = { .d = &self->d };
	pthread_attr_t attr;
	pthread_t thread;

	ASSERT_LE(0, uffd);
	l.stack = uffd_pages(uffd, STACK);
	ASSERT_NE(NULL, l.stack);
	for (i = MISSING; i < STACK; i += 4096)
		ASSERT_EQ(0, uffd_fill(uffd, l.stack + i));
	self->d.u[0].goid = 0;
	of_handler = &self->d;
	let_go_there = ~0u;
	sigaction(SIGUSR1, &sa, NULL);
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	pthread_attr_init(&attr);
	ASSERT_EQ(0, pthread_attr_setstack(&attr, l.stack, STACK));
	ASSERT_EQ(0, pthread_create(&thread, &attr, raises_low, &l));
	ASSERT_TRUE(WAIT_FOR(*(volatile pid_t *)&l.tid && in_fault(l.tid)));
	for (i = 0; i < MISSING; i += 4096)
		ASSERT_EQ(0, uffd_fill(uffd, l.stack + i));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, let_go_there);
	close(uffd);
}

/* Its mask is the thread's first one: by SA_NODEFER, or as it was let in where it was blocked before. */
TEST_F(handoff, stays_in_a_handler_with_the_old_mask)
{
	of_handler = &self->d;
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	handle_usr1(SA_NODEFER);
	EXPECT_EQ(0, let_go_there);
	EXPECT_EQ(1, is_let_go(&self->d));
	mask_usr2(SIG_BLOCK);
	handle_usr1(SA_NODEFER);
	EXPECT_EQ(0, let_go_there);
}

/* Nobody could tell it that it is without a P. */
TEST_F(handoff, stays_where_its_signal_is_blocked)
{
	sigset_t urg;

	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	sigemptyset(&urg);
	sigaddset(&urg, SIGURG);
	sigprocmask(SIG_BLOCK, &urg, NULL);
	EXPECT_EQ(0, times_let_go(&self->d));
	sigprocmask(SIG_UNBLOCK, &urg, NULL);
	EXPECT_EQ(1, is_let_go(&self->d));
}

/* The program's handler of SIGURG, called by the runtime's. */
static void on_urg_passes_on(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	if (si->si_code != SI_QUEUE)
		on_usr1(sig);
}

TEST_F(handoff, stays_in_a_handler_that_ours_calls)
{
	struct sigaction sa = { .sa_sigaction = on_urg_passes_on, .sa_flags = SA_SIGINFO };

	of_handler = &self->d;
	self->how.handler = (uintptr_t)on_urg_passes_on;
	self->how.cookie = 0x1234;
	sigaction(SIGURG, &sa, NULL);
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	let_go_there = ~0u;
	raise(SIGURG);
	EXPECT_EQ(0, let_go_there);
	EXPECT_EQ(1, is_let_go(&self->d));
}

/* Its mask tells nothing, its stack does. */
TEST_F(handoff, stays_on_the_alternate_stack)
{
	stack_t alt = { .ss_sp = malloc(65536), .ss_size = 65536 };

	of_handler = &self->d;
	ASSERT_EQ(0, sigaltstack(&alt, NULL));
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	handle_usr1(SA_NODEFER | SA_ONSTACK);
	EXPECT_EQ(0, let_go_there);
	EXPECT_EQ(1, is_let_go(&self->d));	/* nothing else has kept it */
}

TEST_HARNESS_MAIN
