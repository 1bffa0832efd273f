/* SPDX-License-Identifier: MIT */
/*
 * handoff_test.c - a goroutine blocks in code that knows nothing of us; the others go on at once.
 * In the guest, as root, with gmp.ko. One P and no sysmon: nobody but the module can have done it.
 */
#include <fcntl.h>
#include <gmprt.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "gmptest.h"

#define BLOCK_NS	50000000ll
#define TRIES		60		/* a host may be busy: the least of so many counts */

/* The goroutine that blocks, and the other one. */
static struct {
	void (*block)(void);
	_Atomic uint64_t began, ended;
	uint64_t gap;		/* from the block to the first look of the other one */
	int tries;
	uint64_t enough;	/* no further tries are needed */
	uint64_t least;		/* of several tries: the machine may be busy with something else */
	struct gmp_wg wg;
} run;

/* From here on the other one should run. */
static void begin(void)
{
	run.began = gmp_now();
}

/* ---- ways to block for BLOCK_NS -------------------------------------------------------------------------- */

static void nap(int64_t ns)
{
	struct timespec ts = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	nanosleep(&ts, NULL);
}

static int pipe_fd[2];

static void *pipe_writer(void *arg)
{
	while (!run.began)
		nap(100000);
	nap(BLOCK_NS);
	CHECK_EQ(write(pipe_fd[1], "x", 1), 1);
	return arg;
}

static void by_read(void)
{
	pthread_t t;
	char c;

	CHECK_EQ(pthread_create(&t, NULL, pipe_writer, NULL), 0);
	begin();
	CHECK_EQ(read(pipe_fd[0], &c, 1), 1);
	CHECK_EQ(pthread_join(t, NULL), 0);
}

static void by_nanosleep(void)
{
	struct timespec ts = { .tv_nsec = BLOCK_NS };

	begin();
	CHECK_EQ(nanosleep(&ts, NULL), 0);
}

static uint32_t futex_word;

static void by_futex(void)
{
	struct timespec ts = { .tv_nsec = BLOCK_NS };

	begin();
	CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0) < 0);
	CHECK_EQ(errno, ETIMEDOUT);
}

static void by_vfork(void)
{
	struct timespec ts = { .tv_nsec = BLOCK_NS };
	pid_t pid;
	int status;

	begin();
	pid = vfork();
	if (pid == 0) {
		syscall(SYS_nanosleep, &ts, NULL);
		_exit(7);
	}
	CHECK(pid > 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 7);
}

/* SIGCHLD is blocked meanwhile: no handler runs for all that. */
static void by_system(void)
{
	begin();
	CHECK_EQ(WEXITSTATUS(system("sleep 0.05; exit 3")), 3);
}

static void by_wait(void)
{
	int go[2], status;
	pid_t pid;
	char c;

	CHECK(pipe(go) == 0);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(read(go[0], &c, 1), 1);
		nap(BLOCK_NS);
		_exit(5);
	}
	begin();
	CHECK_EQ(write(go[1], "x", 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 5);
	close(go[0]);
	close(go[1]);
}

/* ---- a page fault on a file in a slow file system (slowfs.c) ------------------------------------------------- */

#define SLOWFS	"/tmp/gmp_slowfs"

static pid_t slowfs_pid;

static bool is_mounted(void)
{
	return access(SLOWFS "/page", R_OK) == 0;
}

static void slowfs_start(void)
{
	char path[512] = "", *slash;

	CHECK(readlink("/proc/self/exe", path, sizeof(path) - 16) > 0);
	slash = strrchr(path, '/');
	memcpy(slash, "/slowfs", sizeof("/slowfs"));
	(void)!system("modprobe fuse");
	umount2(SLOWFS, MNT_DETACH);		/* of a run that was killed */
	CHECK(mkdir(SLOWFS, 0755) == 0 || errno == EEXIST);
	slowfs_pid = fork();
	if (slowfs_pid == 0) {
		execl(path, path, SLOWFS, NULL);
		_exit(127);
	}
	for (int i = 0; i < 4000 && !is_mounted(); i++)
		nap(5000000);
	CHECK(is_mounted());
}

static void slowfs_stop(void)
{
	int status;

	CHECK(kill(slowfs_pid, SIGTERM) == 0);
	CHECK_EQ(waitpid(slowfs_pid, &status, 0), slowfs_pid);
	CHECK(WIFEXITED(status) && !is_mounted());
	rmdir(SLOWFS);
}

/* The file is opened anew: its page is not in memory. open() and mmap() are not what is looked at. */
static void by_fault(void)
{
	int fd = open(SLOWFS "/page", O_RDONLY | O_CLOEXEC);
	volatile const char *page;

	CHECK(fd >= 0);
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(page != MAP_FAILED);
	begin();
	CHECK_EQ(page[100], 's');
	munmap((void *)(uintptr_t)page, 4096);
	close(fd);
}

/* ---- how long the other one stood still -------------------------------------------------------------------- */

static void blocker(void *arg)
{
	uint64_t before = gmp_goid();
	long tid = syscall(SYS_gettid);

	(void)arg;
	run.block();
	CHECK_EQ(syscall(SYS_gettid), tid);	/* compiled code may hold addresses of thread-locals */
	CHECK_EQ(gmp_goid(), before);
	run.ended = gmp_now();
	gmp_wg_done(&run.wg);
}

static void runner(void *arg)
{
	(void)arg;
	while (!run.began)
		gmp_yield();
	run.gap = gmp_now() - run.began;
	while (!run.ended)
		gmp_yield();
	gmp_wg_done(&run.wg);
}

static int both(void *arg)
{
	(void)arg;
	for (int i = 0; i < run.tries && (i < 2 || run.least > run.enough); i++) {
		run.began = run.ended = run.gap = 0;
		gmp_wg_add(&run.wg, 2);
		CHECK(gmp_go(runner, NULL) > 0);
		CHECK(gmp_go(blocker, NULL) > 0);
		gmp_wg_wait(&run.wg);
		CHECK((int64_t)(run.ended - run.began) >= BLOCK_NS / 2);
		run.least = run.gap < run.least ? run.gap : run.least;
	}
	return 0;
}

static uint64_t gap(void (*block)(void), const char *debug, int tries, uint64_t enough)
{
	run.tries = tries;
	run.enough = enough;
	setenv("GMP_MAXPROCS", "1", 1);
	setenv("GMP_DEBUG", debug, 1);
	CHECK(pipe_fd[1] || pipe(pipe_fd) == 0);
	run.block = block;
	run.least = ~0ull;
	CHECK_EQ(gmp_run(both, NULL), 0);
	return run.least;
}

/* ---- beside it: what one futex wake-up costs here ------------------------------------------------------------- */

static _Atomic uint64_t woken_at;

static void *futex_sleeper(void *arg)
{
	while (!__atomic_load_n(&futex_word, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	woken_at = gmp_now();
	return arg;
}

static uint64_t futex_wakeup(void)
{
	uint64_t best = ~0ull, t0;
	pthread_t t;

	for (int i = 0; i < 10; i++) {
		futex_word = 0;
		CHECK_EQ(pthread_create(&t, NULL, futex_sleeper, NULL), 0);
		nap(5000000);
		t0 = gmp_now();
		__atomic_store_n(&futex_word, 1, __ATOMIC_RELEASE);
		syscall(SYS_futex, &futex_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		pthread_join(t, NULL);
		best = woken_at - t0 < best ? woken_at - t0 : best;
	}
	futex_word = 0;
	return best;
}

/* A handoff is a futex wake-up and little else: an interrupt, the delay of 10 us, a scheduler that begins. */
static uint64_t soon(uint64_t wakeup)
{
	return 10 * wakeup + 2000000;
}

static void check_block(const char *what, void (*block)(void))
{
	uint64_t wakeup = futex_wakeup();
	uint64_t with = gap(block, "kern=ko,sysmon=0", TRIES, soon(wakeup) / 2);
	uint64_t without = gap(block, "kern=none,sysmon=0", 2, 0);

	printf("# %s of 50 ms, one P: the other stood still for %.3f ms with the module, %.3f ms without; "
	       "a futex wake-up %.3f ms\n", what, (double)with / 1e6, (double)without / 1e6,
	       (double)wakeup / 1e6);
	fflush(stdout);
	CHECK(with < soon(wakeup));
	CHECK((int64_t)without > BLOCK_NS * 8 / 10);
}

TEST(read_of_an_empty_pipe)	{ check_block("read()", by_read); }
TEST(nanosleep_blocks)		{ check_block("nanosleep()", by_nanosleep); }
TEST(futex_wait_blocks)		{ check_block("futex wait", by_futex); }
TEST(vfork_blocks)		{ check_block("vfork()", by_vfork); }
TEST(wait_for_a_child)		{ check_block("waitpid()", by_wait); }

/* While it starts the child it has all signals blocked: that is over before its P may go. */
TEST(system_blocks)
{
	uint64_t with = gap(by_system, "sysmon=0", 3, 0), without = gap(by_system, "kern=none,sysmon=0", 2, 0);

	printf("# system() of 50 ms, one P: the other stood still for %.3f ms with the module, %.3f ms without\n",
	       (double)with / 1e6, (double)without / 1e6);
	CHECK(with < without / 2);
	CHECK((int64_t)without > BLOCK_NS * 8 / 10);
}


TEST(page_fault_blocks)
{
	slowfs_start();
	check_block("page fault on a FUSE file", by_fault);
	slowfs_stop();
}

TEST(handoff_can_be_switched_off)
{
	uint64_t off = gap(by_nanosleep, "kern=ko,sysmon=0,handoff=0", 2, 0);

	CHECK((int64_t)off > BLOCK_NS * 8 / 10);
}

TEST(handoff_delay_is_the_programs)
{
	uint64_t late = gap(by_nanosleep, "kern=ko,sysmon=0,handoffdelay=1000000", 2, 0);

	CHECK((int64_t)late > BLOCK_NS * 8 / 10);
}

/* ---- one after the other: Ms that the runtime made let their Ps go as m0 does ----------------------------------- */

#define LINKS	3

static _Atomic uint64_t link_began[LINKS];

static void chain_link(void *arg)
{
	uintptr_t i = (uintptr_t)arg;

	while (i && !link_began[i - 1])
		gmp_yield();
	link_began[i] = gmp_now();
	nap(BLOCK_NS);
	gmp_wg_done(&run.wg);
}

/* All have begun before the first has ended; and the last lets this one go on. */
static int chain(void *arg)
{
	uint64_t *least = arg;

	for (int tries = 0; tries < TRIES && *least > BLOCK_NS / 50; tries++) {
		uint64_t all;

		gmp_wg_add(&run.wg, LINKS);
		for (uintptr_t i = 0; i < LINKS; i++) {
			link_began[i] = 0;
			CHECK(gmp_go(chain_link, (void *)i) > 0);
		}
		while (!link_began[LINKS - 1])
			gmp_yield();
		all = gmp_now() - link_began[0];
		*least = all < *least ? all : *least;
		gmp_wg_wait(&run.wg);
	}
	return 0;
}

TEST(every_M_lets_its_P_go)
{
	uint64_t least = ~0ull;

	setenv("GMP_MAXPROCS", "1", 1);
	setenv("GMP_DEBUG", "kern=ko,sysmon=0", 1);
	CHECK_EQ(gmp_run(chain, &least), 0);
	printf("# %d blocks of 50 ms, one P: the others went on %.3f ms after the first\n", LINKS, (double)least / 1e6);
	CHECK((int64_t)least < BLOCK_NS / 2);
}

/* ---- many at once ------------------------------------------------------------------------------------------------ */

#define SLEEPERS	20

static _Atomic uint64_t counted;

static void sleeper(void *arg)
{
	for (int i = 0; i < 20; i++) {
		struct timespec ts = { .tv_nsec = 1000000 + (long)(i * 37 + (uintptr_t)arg * 101) % 500 * 1000 };

		CHECK_EQ(nanosleep(&ts, NULL), 0);
		counted++;
	}
	gmp_wg_done(&run.wg);
}

static void locked_sleeper(void *arg)
{
	long tid;

	gmp_lock_os_thread();
	tid = syscall(SYS_gettid);
	for (int i = 0; i < 20; i++) {
		nap(700000);
		CHECK_EQ(syscall(SYS_gettid), tid);
		gmp_yield();
		CHECK_EQ(syscall(SYS_gettid), tid);
	}
	gmp_unlock_os_thread();
	sleeper(arg);
}

static void chatter(void *arg)
{
	struct gmp_chan *c = arg;
	int v;

	while (gmp_chan_recv(c, &v) == 1)
		counted++;
	gmp_wg_done(&run.wg);
}

GTEST(many_sleepers_and_talkers)
{
	struct gmp_chan *c = gmp_chan_make(sizeof(int), 1);

	gmp_wg_add(&run.wg, SLEEPERS + 4);
	for (uintptr_t i = 0; i < SLEEPERS; i++)
		CHECK(gmp_go(i % 5 ? sleeper : locked_sleeper, (void *)i) > 0);
	for (int i = 0; i < 4; i++)
		CHECK(gmp_go(chatter, c) > 0);
	for (int i = 0; i < 2000; i++) {
		CHECK_EQ(gmp_chan_send(c, &i), 0);
		if (i % 100 == 0)
			nap(300000);
	}
	gmp_chan_close(c);
	gmp_wg_wait(&run.wg);
	CHECK_EQ(counted, SLEEPERS * 20 + 2000);
	gmp_chan_unref(c);
}

/* ---- nothing fails because of us ---------------------------------------------------------------------------------- */

#define CALLS	500000	/* of each of two kinds */

static _Atomic int calls_over;

static void looper(void *arg)
{
	(void)arg;
	while (!calls_over)
		__asm__ __volatile__("pause");
	gmp_wg_done(&run.wg);
}

/* What signals interrupt: reads, waits, sleeps, of which some block; in a thread that is preempted all the time. */
static void caller(void *arg)
{
	struct timespec ts = { .tv_nsec = 20000 };
	long failed = 0;
	char c = 'x';
	int fd[2];

	(void)arg;
	CHECK(pipe(fd) == 0);
	for (int i = 0; i < CALLS; i++) {
		failed += write(fd[1], &c, 1) != 1;
		failed += read(fd[0], &c, 1) != 1;
		if (i % 1000 == 0)
			failed += nanosleep(&ts, NULL) != 0;
		if (i % 5000 == 0)
			failed += syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0) != -1 ||
				  errno != ETIMEDOUT;
	}
	CHECK_EQ(failed, 0);
	calls_over = 1;
	gmp_wg_done(&run.wg);
}

/* A stop of the world every millisecond: each asks every M, by whatever means it has. */
static void stopper(void *arg)
{
	(void)arg;
	while (!calls_over) {
		CHECK_EQ(gmp_stop_world("test"), 0);
		CHECK_EQ(gmp_start_world(), 0);
		gmp_sleep(1000000);
	}
	gmp_wg_done(&run.wg);
}

static int a_million_calls(void *arg)
{
	(void)arg;
	gmp_wg_add(&run.wg, 3);
	CHECK(gmp_go(looper, NULL) > 0);
	CHECK(gmp_go(stopper, NULL) > 0);
	CHECK(gmp_go(caller, NULL) > 0);
	gmp_wg_wait(&run.wg);
	return 0;
}

TEST(no_call_fails_with_EINTR)
{
	alarm(300);	/* a million calls, emulated: on a busy host a minute is not enough */
	setenv("GMP_MAXPROCS", "2", 1);
	setenv("GMP_DEBUG", "kern=ko", 1);
	CHECK_EQ(gmp_run(a_million_calls, NULL), 0);
}

/* The world stops and starts, Ps come and go, while goroutines sleep in the kernel. */
GTEST(stop_the_world_meanwhile)
{
	gmp_wg_add(&run.wg, SLEEPERS);
	for (uintptr_t i = 0; i < SLEEPERS; i++)
		CHECK(gmp_go(sleeper, (void *)i) > 0);
	for (int i = 0; i < 20; i++) {
		uint64_t before;

		CHECK_EQ(gmp_stop_world("test"), 0);
		before = counted;
		for (uint64_t until = gmp_now() + 1000000; gmp_now() < until;)
			;
		CHECK_EQ(counted, before);
		CHECK_EQ(gmp_start_world(), 0);
		CHECK(gmp_maxprocs(1 + i % 4) > 0);
		nap(200000);
	}
	gmp_wg_wait(&run.wg);
	CHECK_EQ(counted, SLEEPERS * 20);
}
