/* SPDX-License-Identifier: MIT */
/*
 * dump_test.c - gmp_dump(): what it prints, from where it may be called, what it does to the program.
 *
 * Programs are watched from outside: each runs in a child whose output is searched.
 */
#include <dirent.h>
#include <fcntl.h>
#include <gmprt.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "death_util.h"

static struct gmp_chan *never;
static struct gmp_mutex taken;
static _Atomic int stop;
static volatile int blocked_in_read[2];

/* ---- goroutines to look at; noinline and not tail-called, so that each has its frame ------------------- */

static __attribute__((noinline)) void wait_here(void)
{
	int v;

	gmp_chan_recv(never, &v);
	__asm__ volatile("");
}

static void receiver(void *arg)
{
	(void)arg;
	gmp_set_name("receiver");
	gmp_set_label("job", "42");
	wait_here();
	__asm__ volatile("");
}

static void locker(void *arg)
{
	(void)arg;
	gmp_lock_os_thread();
	gmp_mutex_lock(&taken);
	__asm__ volatile("");
}

static _Atomic int running;

static __attribute__((noinline)) void compute(void)
{
	for (running = 1; !stop;)
		__asm__ volatile("");
}

static void until_running(void)
{
	while (!running)
		gmp_sleep(1000000);
}

static void runner(void *arg)
{
	(void)arg;
	compute();
	__asm__ volatile("");
}

static void in_syscall(void *arg)
{
	char c;

	(void)arg;
	gmp_syscall_begin();
	if (read(blocked_in_read[0], &c, 1) < 0)
		perror("read");
	gmp_syscall_end();
}

static void not_yet(void *arg)
{
	(void)arg;
}

static __attribute__((noinline)) void make_all(void)
{
	gmp_go(receiver, NULL);
	gmp_go(locker, NULL);
	gmp_go(in_syscall, NULL);
	__asm__ volatile("");
}

static void set_up(void)
{
	CHECK_EQ(pipe((int *)blocked_in_read), 0);
	never = gmp_chan_make(sizeof(int), 0);
	gmp_mutex_lock(&taken);
	make_all();
	settle(3);
}

static void tear_down(void)
{
	stop = 1;
	close(blocked_in_read[1]);
}

static int run(int (*fn)(void *), void *arg)
{
	int ret = gmp_run(fn, arg);

	fflush(stdout);
	_exit(ret);
}

/* ---- what it prints ---------------------------------------------------------------------------------------- */

static int dump_all(void *arg)
{
	(void)arg;
	set_up();
	if (gmp_maxprocs(0) > 2) {
		gmp_go(runner, NULL);
		until_running();
	}
	gmp_nopreempt_begin();	/* with one P it has not run when the dump is made */
	gmp_go(not_yet, NULL);
	CHECK_EQ(gmp_dump(1), 0);
	gmp_nopreempt_end();
	tear_down();
	return 0;
}

static void run_dump_all(void *arg)
{
	run(dump_all, arg);
}

PTEST(every_goroutine_with_its_stack)
{
	struct death d = die(run_dump_all, NULL);

	EXITED(d, 0);
	LIKE(d, "^goroutine 1 \\[running\\]: m=[0-9]+ tid=[0-9]+ p=[0-9]+$");
	LIKE(d, "^gmp_dump\\(\\.\\.\\.\\)$");
	LIKE(d, "^dump_all\\(\\.\\.\\.\\)$");
	LIKE(d, "^\t.*api/dump_test\\.c:[0-9]+ \\+0x[0-9a-f]+$");
	LIKE(d, "^goroutine [0-9]+ \\[chan receive\\]: receiver\\{job=42\\}$");
	LIKE(d, "^wait_here\\(\\.\\.\\.\\)$");
	LIKE(d, "^receiver\\(\\.\\.\\.\\)$");
	LIKE(d, "^created by make_all in goroutine 1$");
	LIKE(d, "^goroutine [0-9]+ \\[sync\\.Mutex\\.Lock, locked to thread\\]:$");
	LIKE(d, "^locker\\(\\.\\.\\.\\)$");
	LIKE(d, "^goroutine [0-9]+ \\[syscall\\]: m=[0-9]+ tid=[0-9]+$");
	LIKE(d, "^in_syscall\\(\\.\\.\\.\\)$");
	if (atoi(getenv("GMP_MAXPROCS")) == 1) {	/* elsewhere it may run at once */
		LIKE(d, "^goroutine [0-9]+ \\[runnable\\]:$");
		LIKE(d, "^not_yet\\(\\.\\.\\.\\)$");
	}
	LACKS(d, "rt_g_main");
	LACKS(d, "no debug info");
	if (atoi(getenv("GMP_MAXPROCS")) > 2) {
		LIKE(d, "^compute\\(\\.\\.\\.\\)$");
		LIKE(d, "^runner\\(\\.\\.\\.\\)$");
	}
	/* The caller is printed first. */
	CHECK(strncmp(d.text, "goroutine 1 [", 13) == 0);
}

static int dump_stopped(void *arg)
{
	(void)arg;
	gmp_go(runner, NULL);
	until_running();
	CHECK_EQ(gmp_stop_world("test"), 0);
	CHECK_EQ(gmp_dump(1), 0);
	CHECK_EQ(gmp_start_world(), 0);
	stop = 1;
	return 0;
}

static void run_dump_stopped(void *arg)
{
	run(dump_stopped, arg);
}

/* It was stopped by a signal: that and the scheduler are left out, its own frames are there. */
PTEST(a_goroutine_that_was_preempted)
{
	struct death d = die(run_dump_stopped, NULL);

	EXITED(d, 0);
	LIKE(d, "^goroutine [0-9]+ \\[runnable\\]:");
	LIKE(d, "^compute\\(\\.\\.\\.\\)$");
	LIKE(d, "^runner\\(\\.\\.\\.\\)$");
	LACKS(d, "restore_rt");
}

static _Atomic pid_t runner_tid;

static void runner_with_tid(void *arg)
{
	runner_tid = gettid();
	runner(arg);
}

/* Anybody may send it that signal: nearly always it is in the handler that looks whose it is. */
static void *storm(void *arg)
{
	while (!stop)
		tgkill(getpid(), runner_tid, SIGURG);
	return arg;
}

static int dump_in_handler(void *arg)
{
	pthread_t t;

	(void)arg;
	gmp_go(runner_with_tid, NULL);
	until_running();
	CHECK_EQ(pthread_create(&t, NULL, storm, NULL), 0);
	for (int i = 0; i < 30; i++)
		CHECK_EQ(gmp_dump(1), 0);
	stop = 1;
	pthread_join(t, NULL);
	return 0;
}

static void run_dump_in_handler(void *arg)
{
	setenv("GMP_MAXPROCS", "2", 1);
	run(dump_in_handler, arg);
}

/* Likewise one that was halted when it was in the handler. */
TEST(a_goroutine_in_the_handler)
{
	struct death d = die(run_dump_in_handler, NULL);

	EXITED(d, 0);
	LIKE(d, "^compute\\(\\.\\.\\.\\)$");
	LACKS(d, "restore_rt");
	LACKS(d, "on_sigurg");
}

/* A wait is shown by its place in the source: the line of gmp_chan_recv() above. */
TEST(inlined_calls_and_lines)
{
	struct death d = die(run_dump_all, NULL);
	const char *at = strstr(d.text, "wait_here(...)\n\t");
	int line = 0;

	CHECK(at);
	at = strchr(at + 16, ':');
	CHECK(at && sscanf(at, ":%d", &line) == 1);
	CHECK(line > 20 && line < 40);
}

/* ---- how long it waits --------------------------------------------------------------------------------------- */

static int wait_since(const struct gmp_goroutine *g, void *arg)
{
	if (g->goid != 1)
		*(uint64_t *)arg = g->wait_ns;
	return 0;
}

static int waits(void *arg)
{
	uint64_t ns = 0;

	(void)arg;
	never = gmp_chan_make(sizeof(int), 0);
	gmp_go(receiver, NULL);
	settle(1);
	gmp_sleep(60000000);
	gmp_goroutines(wait_since, &ns);
	CHECK(ns > 20000000 && ns < 10000000000ull);
	return 0;
}

GTEST(waiting_time)
{
	CHECK_EQ(waits(NULL), 0);
}

/* ---- bad input ----------------------------------------------------------------------------------------------- */

TEST(outside_of_a_run)
{
	CHECK_EQ(gmp_dump(1), -ESRCH);
	CHECK_EQ(gmp_dump(-1), -EBADF);
}

GTEST(bad_descriptors)
{
	int fd[2];

	CHECK_EQ(gmp_dump(-1), -EBADF);
	CHECK_EQ(gmp_dump(10000), -EIO);
	CHECK_EQ(pipe(fd), 0);
	signal(SIGPIPE, SIG_IGN);
	close(fd[0]);
	CHECK_EQ(gmp_dump(fd[1]), -EIO);
	close(fd[1]);
}

/* ---- from where ------------------------------------------------------------------------------------------------ */

static void *foreign(void *arg)
{
	*(int *)arg = gmp_dump(1);
	return NULL;
}

static int dump_from_thread(void *arg)
{
	int ret = 1;
	pthread_t t;

	(void)arg;
	set_up();
	CHECK_EQ(pthread_create(&t, NULL, foreign, &ret), 0);
	gmp_syscall_begin();
	pthread_join(t, NULL);
	gmp_syscall_end();
	tear_down();
	return ret;
}

static void run_dump_from_thread(void *arg)
{
	run(dump_from_thread, arg);
}

PTEST(from_a_foreign_thread)
{
	struct death d = die(run_dump_from_thread, NULL);

	EXITED(d, 0);
	LIKE(d, "^goroutine 1 \\[(running|syscall)\\]:");
	LIKE(d, "^dump_from_thread\\(\\.\\.\\.\\)$");
	LIKE(d, "^wait_here\\(\\.\\.\\.\\)$");
}

static void on_usr1(int sig)
{
	(void)sig;
	if (gmp_dump(1) < 0)
		_exit(3);
}

static int dump_from_handler(void *arg)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = SA_ONSTACK };

	(void)arg;
	set_up();
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	tear_down();
	return 0;
}

static void run_dump_from_handler(void *arg)
{
	run(dump_from_handler, arg);
}

PTEST(from_a_signal_handler)
{
	struct death d = die(run_dump_from_handler, NULL);

	EXITED(d, 0);
	LIKE(d, "^on_usr1\\(\\.\\.\\.\\)$");
	LIKE(d, "^dump_from_handler\\(\\.\\.\\.\\)$");
	LIKE(d, "^wait_here\\(\\.\\.\\.\\)$");
}

/* ---- what it does to the program ---------------------------------------------------------------------------------- */

static volatile sig_atomic_t children;

static void on_chld(int sig)
{
	(void)sig;
	children++;
}

/* But those of /proc: sysmon looks there now and then, as we do here. */
static int descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	char to[6];
	int n = 0;

	while ((e = readdir(dir)) != NULL)
		n += readlinkat(dirfd(dir), e->d_name, to, 6) == 6 && memcmp(to, "/proc/", 6) != 0;
	closedir(dir);
	return n;
}

static int open_null(void)
{
	int fd = open("/dev/null", O_WRONLY);

	CHECK(fd >= 0);
	return fd;
}

GTEST(no_child_no_descriptor_no_errno)
{
	int null = open_null(), before = descriptors();

	signal(SIGCHLD, on_chld);
	for (int i = 0; i < 3; i++) {
		errno = 77;
		CHECK_EQ(gmp_dump(null), 0);
		CHECK_EQ(errno, 77);
	}
	CHECK_EQ(children, 0);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
	CHECK_EQ(errno, ECHILD);
	CHECK_EQ(descriptors(), before);
}

static struct gmp_wg wg;

static void ping(void *arg)
{
	struct gmp_chan **c = arg;
	int v = 0;

	while (gmp_chan_recv(c[0], &v) == 1 && gmp_chan_send(c[1], &v) == 0)
		;
	gmp_wg_done(&wg);
}

/* Stacks that change while they are looked at: nothing breaks, everything goes on. */
GTEST(while_everything_moves)
{
	int null = open_null(), v = 1;
	struct gmp_chan *c[8];

	for (int i = 0; i < 8; i++)
		c[i] = gmp_chan_make(sizeof(int), 1);
	gmp_wg_add(&wg, 4);
	for (int i = 0; i < 4; i++)
		gmp_go(ping, c + 2 * i);
	for (int n = 0; n < 4; n++) {
		for (int i = 0; i < 4; i++)
			gmp_chan_send(c[2 * i], &v);
		CHECK_EQ(gmp_dump(null), 0);
		for (int i = 0; i < 4; i++)
			CHECK_EQ(gmp_chan_recv(c[2 * i + 1], &v), 1);
	}
	for (int i = 0; i < 4; i++)
		gmp_chan_close(c[2 * i]);
	gmp_wg_wait(&wg);
}

static void *dump_often(void *arg)
{
	int null = *(int *)arg, ok = 0;

	for (int i = 0; i < 3; i++) {
		int ret = gmp_dump(null);

		CHECK(ret == 0 || ret == -EBUSY);
		ok += ret == 0;
	}
	return (void *)(intptr_t)ok;
}

GTEST(two_at_once)
{
	int null = open_null();
	void *a, *b;
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, dump_often, &null), 0);
	a = dump_often(&null);
	pthread_join(t, &b);
	CHECK((intptr_t)a + (intptr_t)b > 0);
}

static void sleeps(void *arg)
{
	struct timespec ts = { .tv_nsec = 300000000 };

	int r = nanosleep(&ts, NULL) == 0 ? 1 : -errno;		/* not restarted after a signal */

	__atomic_store_n((int *)arg, r, __ATOMIC_RELEASE);
}

/* A dump must not make a system call of the program fail. */
GTEST(no_eintr)
{
	int null = open_null(), done = 0;

	if (gmp_maxprocs(0) < 2)
		gmp_maxprocs(2);
	gmp_go(sleeps, &done);
	for (int i = 0; i < 3; i++) {
		gmp_sleep(10000000);
		CHECK_EQ(gmp_dump(null), 0);
	}
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE))
		gmp_sleep(1000000);
	CHECK_EQ(done, 1);
}

/* ---- without what it would like to have ----------------------------------------------------------------------------- */

/* A libdw that is none: names come from the symbol table, and it says why there are no lines. */
TEST(without_libdw)
{
	char dir[] = "/tmp/gmptest-XXXXXX", path[64], self[512] = "";
	struct death d;

	CHECK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/libdw.so.1", dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	setenv("LD_LIBRARY_PATH", dir, 1);
	if (!getenv("GMPTEST_AGAIN")) {
		char *argv[] = { self, "without_libdw", NULL };

		CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);	/* Valgrind's is Valgrind */
		setenv("GMPTEST_AGAIN", "1", 1);
		if (fork() == 0)
			execv(argv[0], argv);
		CHECK(wait(&d.status) > 0 && WIFEXITED(d.status));
		CHECK_EQ(WEXITSTATUS(d.status), 0);
	} else {
		d = die(run_dump_all, NULL);
		EXITED(d, 0);
		LIKE(d, "^wait_here\\(\\.\\.\\.\\)$");
		LIKE(d, "^\t/.*\\+0x[0-9a-f]+( \\(no debug info\\))? \\+0x[0-9a-f]+$");
		CHECK_EQ(count(d.text, "(no debug info)"), 1);
		LACKS(d, "dump_test.c:");
	}
	unlink(path);
	rmdir(dir);
}

/* No process can be made: everything but the stacks. */
static int dump_without_helper(void *arg)
{
	struct rlimit none = { 0 };

	(void)arg;
	set_up();
	if (setrlimit(RLIMIT_NPROC, &none) < 0 || setuid(65534) < 0)
		return 4;
	CHECK_EQ(gmp_dump(1), 0);
	_exit(0);
}

static void run_dump_without_helper(void *arg)
{
	run(dump_without_helper, arg);
}

TEST(without_a_helper)
{
	struct death d;

	if (getuid() != 0)
		SKIP("needs root: RLIMIT_NPROC of another user");
	setenv("GMP_MAXPROCS", "1", 1);
	d = die(run_dump_without_helper, NULL);
	if (WIFEXITED(d.status) && WEXITSTATUS(d.status) == 4)
		SKIP("setuid() is not allowed here");
	EXITED(d, 0);
	HAS(d, "without them:");
	LIKE(d, "^goroutine [0-9]+ \\[chan receive\\]: receiver\\{job=42\\}$");
	LIKE(d, "^created by 0x[0-9a-f]+ in goroutine 1$");
}

/* ---- gmp_stack_of() ---------------------------------------------------------------------------------------------------- */

static int in_function(uintptr_t pc, void (*fn)(void))
{
	return pc > (uintptr_t)fn && pc < (uintptr_t)fn + 256;
}

static int find_in(const uintptr_t *pcs, int n, void (*fn)(void))
{
	for (int i = 0; i < n; i++)
		if (in_function(pcs[i], fn))
			return 1;
	return 0;
}

GTEST(stack_of_another)
{
	uintptr_t pcs[64];
	int64_t goid, fresh;
	int n;

	never = gmp_chan_make(sizeof(int), 0);
	goid = gmp_go(receiver, NULL);
	settle(1);
	n = gmp_stack_of((uint64_t)goid, pcs, 64);
	CHECK(n > 3 && n < 30);
	CHECK(find_in(pcs, n, wait_here));
	CHECK_EQ(gmp_stack_of((uint64_t)goid, pcs, 2), 2);
	CHECK_EQ(gmp_stack_of((uint64_t)goid, NULL, 0), 0);
	CHECK_EQ(gmp_stop_world("test"), 0);
	fresh = gmp_go(not_yet, NULL);
	CHECK_EQ(gmp_stack_of((uint64_t)fresh, pcs, 64), 1);
	CHECK_EQ(pcs[0], (uintptr_t)not_yet);
	CHECK_EQ(gmp_start_world(), 0);
}

static __attribute__((noinline)) int own_stack(uintptr_t *pcs, size_t n)
{
	int ret = gmp_stack_of(gmp_goid(), pcs, n);

	__asm__ volatile("");
	return ret;
}

GTEST(stack_of_oneself)
{
	uintptr_t pcs[64];
	int n = own_stack(pcs, 64);

	CHECK(n > 2);
	CHECK(find_in(pcs, n, (void (*)(void))own_stack));
	CHECK_EQ(own_stack(pcs, 1), 1);
}

static void in_a_call(void *arg)
{
	gmp_syscall_begin();
	while (!__atomic_load_n((int *)arg, __ATOMIC_ACQUIRE))
		usleep(1000);
	gmp_syscall_end();
}

GTEST(stack_of_nobody)
{
	static int leave;	/* read once more when this goroutine has ended */
	uintptr_t pc;
	int64_t goid = gmp_go(in_a_call, &leave);

	CHECK_EQ(gmp_stack_of(0, &pc, 1), -ESRCH);
	CHECK_EQ(gmp_stack_of(123456789, &pc, 1), -ESRCH);
	CHECK_EQ(gmp_stack_of(1, NULL, 1), -EINVAL);
	settle(1);
	CHECK_EQ(gmp_stack_of((uint64_t)goid, &pc, 1), -EBUSY);
	__atomic_store_n(&leave, 1, __ATOMIC_RELEASE);
}

TEST(stack_of_outside)
{
	uintptr_t pc;

	CHECK_EQ(gmp_stack_of(1, &pc, 1), -EWOULDBLOCK);
}
