// SPDX-License-Identifier: GPL-2.0-only
/*
 * rmmod_test.c - the module goes when nobody uses it, stays when anybody does, and comes back any
 * number of times. It is loaded when this begins and when it ends. O= is the build folder.
 */
#include "kmod_harness.h"
#include "kmod_module.h"
#include <sys/prctl.h>

/* rmmod says EBUSY in words; the system call says EWOULDBLOCK. */
static bool is_refused(void)
{
	return unload_module() == -EWOULDBLOCK && system("rmmod gmp 2>/dev/null") != 0 &&
	       stat_value("version") == 1;
}

static bool can_go(void)
{
	return WAIT_FOR(unload_module() == 0);
}

FIXTURE(rmmod)
{
	int ready[2], go[2];
};

FIXTURE_SETUP(rmmod)
{
	ASSERT_EQ(0, prepare_module());
	ASSERT_EQ(0, pipe(self->ready));
	ASSERT_EQ(0, pipe(self->go));
	if (access("/proc/gmp", F_OK))
		ASSERT_EQ(0, load_module(""));
}

FIXTURE_TEARDOWN(rmmod)
{
	if (access("/proc/gmp", F_OK))
		EXPECT_EQ(0, load_module(""));
	EXPECT_EQ(0, access(GMP_DEV_PATH, F_OK));
}

TEST_F(rmmod, open_file)
{
	int fd = dev_open();

	ASSERT_GE(fd, 0);
	EXPECT_TRUE(is_refused());
	close(fd);
	EXPECT_TRUE(can_go());
	EXPECT_NE(0, access(GMP_DEV_PATH, F_OK));
	EXPECT_NE(0, access("/proc/gmp", F_OK));
}

TEST_F(rmmod, mapping)
{
	struct dev d;

	ASSERT_EQ(0, dev_attach(&d, 4, 1));
	close(d.fd);
	EXPECT_TRUE(is_refused());
	EXPECT_EQ(0, d.k[0].tid);
	dev_unmap(&d);
	EXPECT_TRUE(can_go());
}

TEST_F(rmmod, open_proc_file)
{
	static const char *const paths[] = {
		"/proc/gmp/stat", "/proc/gmp/tasks", "/proc/gmp/version",
	};
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		fd = open(paths[i], O_RDONLY);
		ASSERT_GE(fd, 0);
		EXPECT_TRUE(is_refused());
		close(fd);
	}
	EXPECT_TRUE(can_go());
}

struct thread_arg {
	int fd, *ready, *go;
};

static void *bound_thread(void *p)
{
	struct thread_arg *arg = p;
	long err = dev_register(arg->fd, 0, 0);

	tell(arg->ready[1]);
	hear(arg->go[0]);
	return (void *)err;
}

/* The device is closed, nothing is mapped: one thread is still bound. */
TEST_F(rmmod, bound_thread)
{
	struct thread_arg arg = { .ready = self->ready, .go = self->go };
	struct gmp_attach a;
	pthread_t t;
	void *err;

	arg.fd = dev_open();
	ASSERT_EQ(0, dev_attach_fd(arg.fd, &a, 1, 1));
	pthread_create(&t, NULL, bound_thread, &arg);
	ASSERT_TRUE(hear(self->ready[0]));
	close(arg.fd);
	EXPECT_TRUE(WAIT_FOR(stat_value("processes") == 0));
	EXPECT_TRUE(is_refused());
	tell(self->go[1]);
	pthread_join(t, &err);
	EXPECT_EQ(NULL, err);
	EXPECT_TRUE(can_go());
}

static int busy_process(void *arg)
{
	struct dev d;

	if (dev_attach(&d, 4, 1) || dev_register(d.fd, 2, 2))
		return 1;
	tell(*(int *)arg);
	for (;;)
		carry(&d.u[2], now_ns(), 0);
}

TEST_F(rmmod, killed_process)
{
	pid_t pid = start_child(busy_process, &self->ready[1]);

	ASSERT_TRUE(hear(self->ready[0]));
	EXPECT_TRUE(is_refused());
	kill(pid, SIGKILL);
	end_child(pid);
	EXPECT_TRUE(can_go());
}

TEST_F(rmmod, load_twice)
{
	EXPECT_EQ(-EEXIST, load_module(""));
	EXPECT_EQ(1, stat_value("version"));
}

TEST_F(rmmod, parameters)
{
	char *text;

	ASSERT_TRUE(can_go());
	ASSERT_EQ(0, load_module("max_processes=7 max_user_processes=5 max_threads=11 max_slots=3"));
	text = read_file("/sys/module/gmp/parameters/max_threads");
	ASSERT_NE(NULL, text);
	EXPECT_STREQ("11\n", text);
	free(text);
	ASSERT_TRUE(can_go());
	EXPECT_EQ(-EINVAL, load_module("max_processes=many"));
	/* an unknown one is ignored, with a line in the log, as for every module */
	EXPECT_EQ(0, load_module(""));
}

static int use_once(void *arg)
{
	struct dev d;

	(void)arg;
	if (dev_attach(&d, 4, 1) || dev_register(d.fd, 2, 2))
		return 1;
	carry(&d.u[2], 5, 0);
	usleep(100);
	return status_value(getpid(), "Ms") == 1 ? 0 : 2;
}

TEST_F(rmmod, load_unload_cycles)
{
	int i, n = rounds(50);

	for (i = 0; i < n; i++) {
		ASSERT_TRUE(can_go());
		ASSERT_EQ(0, load_module(""));
		/* rarely: each first registration rewrites __schedule(), see kmod/hooks.c */
		if (i % 25 == 24)
			ASSERT_EQ(0, run_child(use_once, NULL));
	}
}

/* While others open and read all the time. */
static int opener(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = dev_open();

		try_read("/proc/gmp/stat");
		try_read("/proc/gmp/tasks");
		if (fd >= 0)
			close(fd);
	}
	return 0;
}

TEST_F(rmmod, race_with_opens)
{
	pid_t pid = start_child(opener, NULL);
	int i, gone = 0, n = rounds(200);

	for (i = 0; i < n; i++) {
		if (!unload_module()) {
			gone++;
			ASSERT_EQ(0, load_module(""));
		}
		usleep(i % 10 * 100);
	}
	kill(pid, SIGKILL);
	EXPECT_EQ(256 + SIGKILL, end_child(pid));
	TH_LOG("unloaded %d of %d times", gone, n);
}

/* ---- against whole lives ------------------------------------------------------------------------ */

struct lives {
	unsigned int begun, attached, registered;
};

/* As far as it gets: the module may not be there, or just go. */
static int live_once(struct lives *n)
{
	struct gmp_attach a;
	int fd = dev_open();

	if (fd < 0 || dev_attach_fd(fd, &a, 4, 1))
		return 1;
	n->attached++;
	if (n->begun % 2 && !dev_register(fd, 2, 2))
		n->registered++;
	if (n->begun % 5 < 2)
		close(fd);	/* what is registered stays so */
	if (n->begun % 3)
		try_read("/proc/gmp/tasks");
	usleep(n->begun % 4 * 300);
	if (n->begun % 7 == 0)
		execl("/bin/true", "true", NULL);
	return 0;	/* what it has left goes with it */
}

/* One process after the other, with pauses of any length: the module may go in each of them. */
static int lodger(void *arg)
{
	struct lives *n = arg;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		n->begun++;
		pid = fork();
		if (!pid)
			_exit(live_once(n));
		end_child(pid);
		usleep(n->begun % 20 * 100);
	}
}

/* Retirement, reaping and notifiers are over before the text goes. */
TEST_F(rmmod, race_with_lives)
{
	struct lives *n = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = start_child(lodger, n);
	int tries, gone = 0, enough = rounds(30);

	for (tries = 0; tries < 20000 && (gone < enough || !n->registered); tries++) {
		if (!unload_module()) {
			gone++;
			ASSERT_EQ(0, load_module(""));
		}
		usleep(tries % 10 * 1000);
	}
	kill(pid, SIGKILL);
	EXPECT_EQ(256 + SIGKILL, end_child(pid));
	EXPECT_GE(gone, enough);
	EXPECT_GT(n->attached, 0);
	EXPECT_GT(n->registered, 0);
	TH_LOG("unloaded %d of %d times; of %u processes %u attached, %u registered", gone, tries,
	       n->begun, n->attached, n->registered);
	munmap(n, 4096);
}

TEST_HARNESS_MAIN
