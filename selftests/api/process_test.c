/* SPDX-License-Identifier: MIT */
/*
 * process_test.c - what a goroutine may do to its process: end it, fork it, be interrupted in it; and
 * where gmp_run() runs.
 */
#include <fcntl.h>
#include <gmprt.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "death_util.h"

static void spins(void *arg)
{
	volatile int *p = arg;

	for (;;) {
		++*p;
		gmp_yield();
	}
}

static int spun;

/* ---- exit() -------------------------------------------------------------------------------------------- */

/* Others run on meanwhile, and so may the goroutine that called exit(). */
static void at_exit(void)
{
	gmp_yield();
	gmp_sleep(1000000);
	printf("at exit %d\n", gmp_goid() > 1);
}

static void leaves(void *arg)
{
	(void)arg;
	printf("buffered\n");
	exit(7);
}

static int main_that_waits(void *arg)
{
	(void)arg;
	CHECK(gmp_go(spins, &spun) > 1);
	CHECK(gmp_go(leaves, NULL) > 1);
	return gmp_select(NULL, 0);
}

static void run_and_exit(void *arg)
{
	(void)arg;
	atexit(at_exit);
	gmp_run(main_that_waits, NULL);
}

static void exit_once(void)
{
	struct death d = die(run_and_exit, NULL);

	EXITED(d, 7);
	LIKE(d, "^buffered$");
	LIKE(d, "^at exit 1$");
}

TEST(exit_in_a_goroutine_runs_the_handlers)
{
	for_procs(exit_once);
}

/* ---- fork() -------------------------------------------------------------------------------------------- */

static int status_of(pid_t pid)
{
	int st = -1;

	CHECK(pid > 0);
	while (waitpid(pid, &st, 0) < 0)
		CHECK_EQ(errno, EINTR);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

GTEST(a_child_may_exit_or_exec)
{
	CHECK(gmp_go(spins, &spun) > 1);
	for (int i = 0; i < GMPTEST_SCALE(20); i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(5);
		CHECK_EQ(status_of(pid), 5);
		pid = fork();
		if (pid == 0) {
			execl("/bin/sh", "sh", "-c", "exit 6", (char *)NULL);
			_exit(1);
		}
		CHECK_EQ(status_of(pid), 6);
		gmp_yield();
	}
	CHECK_EQ(WEXITSTATUS(system("exit 4")), 4);
}

/* Makes threads, which end when the run does. */
static void in_a_system_call(void *arg)
{
	(void)arg;
	gmp_syscall_begin();
	usleep(20000);
	gmp_syscall_end();
}

static int makes_threads(void *arg)
{
	(void)arg;
	for (int i = 0; i < 12; i++)
		CHECK(gmp_go(in_a_system_call, NULL) > 1);
	gmp_sleep(60000000);
	return 7;
}

/* Threads that end while the run goes on. */
static void ends_its_thread(void *arg)
{
	gmp_lock_os_thread();
	gmp_wg_done(arg);
}

static int ends_threads(void *arg)
{
	static struct gmp_wg wg;

	for (int i = 0; i < GMPTEST_SCALE(100); i++) {
		gmp_wg_add(&wg, 4);
		for (int k = 0; k < 4; k++)
			CHECK(gmp_go(ends_its_thread, &wg) > 1);
		gmp_wg_wait(&wg);
	}
	return arg ? gmp_select(NULL, 0) : 7;
}

/* The child has the memory of all that the parent's runs left, and none of its threads. */
static void forks_after(int (*fn)(void *), int times)
{
	for (int i = 0; i < times; i++) {
		pid_t pid;

		CHECK_EQ(gmp_run(fn, NULL), 7);
		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			alarm(40);
			_exit(gmp_run(fn, NULL));
		}
		CHECK_EQ(status_of(pid), 7);
	}
}

static void fork_between_runs(void)
{
	forks_after(makes_threads, 10);
	forks_after(ends_threads, 2);
}

TEST(a_child_between_two_runs_may_run)
{
	for_procs(fork_between_runs);
}

static int waits_for_ever(void *arg)
{
	(void)arg;
	return gmp_select(NULL, 0);
}

static void deadlock_in_a_child(void *arg)
{
	pid_t pid;

	(void)arg;
	CHECK_EQ(gmp_run(makes_threads, NULL), 7);
	pid = fork();
	if (pid == 0) {
		alarm(30);
		_exit(gmp_run(waits_for_ever, NULL));
	}
	_exit(status_of(pid));
}

static void deadlock_after_threads(void *arg)
{
	gmp_run(ends_threads, &arg);
}

static void deadlocks_once(void)
{
	struct death d = die(deadlock_in_a_child, NULL);

	EXITED(d, 2);
	HAS(d, "all goroutines are asleep - deadlock!");
	d = die(deadlock_after_threads, NULL);
	EXITED(d, 2);
	HAS(d, "all goroutines are asleep - deadlock!");
}

TEST(a_deadlock_is_seen_in_such_a_child_and_after_many_threads)
{
	for_procs(deadlocks_once);
}

/* In a chroot without /proc nobody knows whether other threads are there. */
static void waits_without_proc(void *arg)
{
	char dir[] = "/tmp/gmp-process-XXXXXX";
	int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC), inside;

	(void)arg;
	if (tmp < 0 || !mkdtemp(dir))
		_exit(4);
	inside = chroot(dir) == 0;
	unlinkat(tmp, strrchr(dir, '/') + 1, AT_REMOVEDIR);
	if (!inside || chdir("/") < 0)
		_exit(4);
	setenv("GMP_DEBUG", "stats=1", 1);
	alarm(2);
	_exit(gmp_run(waits_for_ever, NULL));
}

TEST(without_proc_a_deadlock_is_not_seen_which_is_said_once)
{
	struct death d = die(waits_without_proc, NULL);

	if (WIFEXITED(d.status) && WEXITSTATUS(d.status) == 4)
		SKIP("chroot() is not allowed here");
	KILLED(d, SIGALRM);
	CHECK_EQ(count(d.text, "no deadlock is reported"), 1);
}

/* No thread more than there are, from a while after the begin. */
static int makes_threads_within_limits(void *arg)
{
	struct rlimit none = { 0 };

	CHECK_EQ(makes_threads(arg), 7);
	if (setrlimit(RLIMIT_NPROC, &none) < 0 || setuid(4242424) < 0)
		_exit(4);
	CHECK_EQ(makes_threads(arg), 7);
	return ends_threads(NULL) == 7 ? 0 : 1;
}

static void run_within_limits(void *arg)
{
	(void)arg;
	_exit(gmp_run(makes_threads_within_limits, NULL));
}

/* When no thread can be made the run goes on with those it has, or says what it lacks. */
static void limits_once(void)
{
	struct death d = die(run_within_limits, NULL);

	if (WIFEXITED(d.status) && WEXITSTATUS(d.status) == 4)
		SKIP("setuid() is not allowed here");
	LACKS(d, "call_rcu");
	if (WIFEXITED(d.status) && WEXITSTATUS(d.status) == 0)
		return;
	EXITED(d, 2);
	LIKE(d, "^fatal error: .*thread");
}

TEST(no_more_threads_to_be_had)
{
	if (getuid() != 0)
		SKIP("needs root: RLIMIT_NPROC of another user");
	for_procs(limits_once);
}

static int main_that_execs(void *arg)
{
	(void)arg;
	CHECK(gmp_go(spins, &spun) > 1);
	gmp_yield();
	execl("/bin/echo", "echo", "another program", (char *)NULL);
	return 1;
}

static void run_and_exec(void *arg)
{
	(void)arg;
	gmp_run(main_that_execs, NULL);
}

static void exec_once(void)
{
	struct death d = die(run_and_exec, NULL);

	EXITED(d, 0);
	LIKE(d, "^another program$");
}

TEST(exec_in_a_goroutine_leaves_nothing)
{
	for_procs(exec_once);
}

/* ---- signals ------------------------------------------------------------------------------------------- */

static volatile uint64_t goid_in_handler;
static volatile int dumped_in_handler;
static int null_fd;

static void handler(int signo)
{
	(void)signo;
	goid_in_handler = gmp_goid();
	dumped_in_handler = gmp_dump(null_fd);
}

static void raises(void *arg)
{
	goid_in_handler = 0;
	dumped_in_handler = 1;
	CHECK_EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
	CHECK_EQ(goid_in_handler, gmp_goid());
	CHECK_EQ(dumped_in_handler, 0);
	gmp_chan_send(arg, NULL);
}

GTEST(handlers_may_ask_who_they_interrupted)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	struct gmp_chan *done = gmp_chan_make(0, 0);
	FILE *null = fopen("/dev/null", "w");

	CHECK(null != NULL);
	null_fd = fileno(null);
	CHECK_EQ(sigaction(SIGUSR1, &sa, NULL), 0);
	CHECK(gmp_go(raises, done) > 1);
	CHECK_EQ(gmp_chan_recv(done, NULL), 1);
	fclose(null);
	gmp_chan_unref(done);
}

/* ---- where it runs ------------------------------------------------------------------------------------- */

static long caller;

static int second_main(void *arg)
{
	(void)arg;
	return 1;
}

static void *runs_too(void *result)
{
	*(int *)result = gmp_run(second_main, NULL);
	return NULL;
}

static int first_main(void *arg)
{
	pthread_t th;
	int other = 0;

	(void)arg;
	CHECK_EQ(syscall(SYS_gettid), caller);
	CHECK_EQ(gmp_goid(), 1);
	CHECK_EQ(pthread_create(&th, NULL, runs_too, &other), 0);
	CHECK_EQ(pthread_join(th, NULL), 0);
	CHECK_EQ(other, -EBUSY);
	return 42;
}

static void *runs(void *arg)
{
	(void)arg;
	caller = syscall(SYS_gettid);
	CHECK_EQ(gmp_run(first_main, NULL), 42);
	CHECK_EQ(syscall(SYS_gettid), caller);
	CHECK_EQ(gmp_goid(), 0);
	return NULL;
}

static void run_everywhere(void)
{
	pthread_t th;

	runs(NULL);
	CHECK_EQ(pthread_create(&th, NULL, runs, NULL), 0);
	CHECK_EQ(pthread_join(th, NULL), 0);
}

TEST(goroutine_1_begins_on_the_calling_thread_and_no_other_run)
{
	for_procs(run_everywhere);
}

/* ---- the world, and errno ------------------------------------------------------------------------------ */

static volatile int inside;
static struct gmp_wg wg;

static void stops_again_and_again(void *arg)
{
	(void)arg;
	for (int i = 0; i < GMPTEST_SCALE(60); i++) {
		CHECK_EQ(gmp_stop_world("test"), 0);
		CHECK_EQ(inside++, 0);
		CHECK_EQ(gmp_stop_world("again"), -EBUSY);
		for (volatile int k = 0; k < 5000;)
			k = k + 1;
		CHECK_EQ(--inside, 0);
		CHECK_EQ(gmp_start_world(), 0);
		gmp_yield();
	}
}

GTEST(the_world_is_stopped_by_one_at_a_time)
{
	for (int i = 0; i < 4; i++)
		CHECK(gmp_wg_go(&wg, stops_again_and_again, NULL) > 1);
	gmp_wg_wait(&wg);
	CHECK_EQ(gmp_start_world(), -EINVAL);
}

/* Nothing of this parks: the goroutine stays on its thread, and errno is that thread's. */
GTEST(no_call_answers_through_errno)
{
	struct gmp_chan *c = gmp_chan_make(4, 1);
	struct gmp_fd *f = NULL;

	errno = 77;
	CHECK_EQ(gmp_chan_close(NULL), -EINVAL);
	CHECK_EQ(gmp_chan_try_recv(c, NULL), -EAGAIN);
	CHECK_EQ(gmp_go(NULL, NULL), -EINVAL);
	CHECK_EQ(gmp_listen("tcp", "nowhere", &f), -EINVAL);
	CHECK_EQ(gmp_listen("tcp", "192.0.2.1:1", &f), -EADDRNOTAVAIL);
	CHECK_EQ(gmp_fd_adopt(-1, &f), -EBADF);
	CHECK_EQ(gmp_close(NULL), -EBADF);
	CHECK_EQ(errno, 77);
	gmp_chan_unref(c);
}
