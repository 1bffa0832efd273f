// SPDX-License-Identifier: GPL-2.0-only
/*
 * lifetime_test.c - whatever a process, its threads and its descriptors do, nothing stays behind.
 *
 * Every test begins and ends with /proc/gmp/stat saying "processes 0" and "ms 0".
 */
#include "kmod_harness.h"
#include "uffd.h"
#include <sys/prctl.h>
#include <sys/socket.h>

#define IMAGE_ENV	"GMP_LIFETIME_IMAGE"

FIXTURE(life)
{
	int ready[2], go[2];
};

static bool all_gone(void)
{
	return WAIT_FOR(stat_value("processes") == 0 && stat_value("ms") == 0);
}

FIXTURE_SETUP(life)
{
	ASSERT_TRUE(all_gone());
	ASSERT_EQ(0, pipe(self->ready));
	ASSERT_EQ(0, pipe(self->go));
}

FIXTURE_TEARDOWN(life)
{
	EXPECT_TRUE(all_gone());
}

/* ---- threads that do things ---------------------------------------------------------------- */

struct crew {
	struct dev d;
	int threads;
	bool churn;		/* register and unregister all the time */
	int *ready, *go;
};

struct hand {
	struct crew *crew;
	int slot;
};

static void *work(void *arg)
{
	struct hand *h = arg;
	struct crew *c = h->crew;
	uint64_t goid = 1 + h->slot * 1000000ull;

	while (dev_register(c->d.fd, h->slot, h->slot))
		;
	for (;;) {
		carry(&c->d.u[h->slot], ++goid, h->slot);
		if (goid % 7 == 0)
			usleep(goid % 50);
		if (c->churn && goid % 3 == 0) {
			dev_unregister(c->d.fd);
			dev_register(c->d.fd, h->slot, h->slot);
		}
	}
	return NULL;
}

static void start_crew(struct crew *c)
{
	struct hand *h = calloc(c->threads, sizeof(*h));
	pthread_t t;
	int i;

	for (i = 0; i < c->threads; i++) {
		h[i] = (struct hand) { c, i };
		pthread_create(&t, NULL, work, &h[i]);
	}
}

static int crew_process(void *arg)
{
	struct crew *c = arg;

	if (dev_attach(&c->d, 16, 4))
		return 1;
	start_crew(c);
	tell(c->ready[1]);
	pause();
	return 0;
}

static void kill_crews(struct __test_metadata *_metadata, FIXTURE_DATA(life) *self, bool churn)
{
	int i, n = rounds(50);

	for (i = 0; i < n; i++) {
		struct crew c = { .threads = 1 + i % 4, .churn = churn, .ready = self->ready };
		pid_t pid = start_child(crew_process, &c);

		ASSERT_TRUE(hear(self->ready[0]));
		if (i % 3)
			usleep(rand() % 3000);
		kill(pid, SIGKILL);
		ASSERT_EQ(256 + SIGKILL, end_child(pid));
		EXPECT_FALSE(has_dir(pid));
	}
}

TEST_F(life, kill_9)
{
	kill_crews(_metadata, self, false);
}

TEST_F(life, kill_9_in_ioctls)
{
	kill_crews(_metadata, self, true);
}

/* Killed from the first instruction on, wherever it is by then: in open, attach, mmap, clone. */
TEST_F(life, kill_9_at_birth)
{
	int i, n = rounds(100);

	for (i = 0; i < n; i++) {
		struct crew c = { .threads = 3, .churn = true, .ready = self->ready };
		pid_t pid = start_child(crew_process, &c);

		usleep(rand() % 2500);
		kill(pid, SIGKILL);
		ASSERT_EQ(256 + SIGKILL, end_child(pid));
		EXPECT_FALSE(has_dir(pid));
	}
}

static int attach_and_exit(void *arg)
{
	struct dev d;
	int i = *(int *)arg;

	if (dev_attach(&d, 1 + i % GMP_MAX_M, 1 + i % GMP_MAX_P) || dev_register(d.fd, 0, i))
		return 1;
	carry(&d.u[0], i, 0);
	if (i % 2)
		dev_unregister(d.fd);
	if (i % 3 == 0)
		close(d.fd);
	if (i % 5 == 0)
		dev_unmap(&d);
	return 0;
}

TEST_F(life, attach_exit_cycles)
{
	long long attaches = stat_value("attaches_total");
	int i, n = rounds(400);

	for (i = 0; i < n; i++)
		ASSERT_EQ(0, run_child(attach_and_exit, &i));
	EXPECT_EQ(attaches + n, stat_value("attaches_total"));
}

/* ---- exec ---------------------------------------------------------------------------------- */

/*
 * What this program does instead of its tests when it was executed by one of them: says it is
 *                                                                                  there,
 * waits, tries what the words in its environment say.
 */
static int image_main(const char *what)
{
	int ready = atoi(getenv("GMP_READY")), go = atoi(getenv("GMP_GO"));
	const char *fd = getenv("GMP_FD");
	struct dev d;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	tell(ready);
	hear(go);
	if (fd && dev_register(atoi(fd), 0, 0) != -ENOTCONN)
		return 1;
	if (fd && dev_attach_fd(atoi(fd), &d.a, 1, 1) != -EBUSY)
		return 2;
	if (!strcmp(what, "attach")) {
		if (dev_attach(&d, 4, 1) || dev_register(d.fd, 2, 5))
			return 3;
		if (status_value(getpid(), "Ms") != 1 || status_value(getpid(), "Slots") != 4)
			return 4;
	}
	return 0;
}

__attribute__((constructor)) static void maybe_image(void)
{
	const char *what = getenv(IMAGE_ENV);

	if (what)
		exit(image_main(what));
}

static void set_number(const char *name, int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	setenv(name, text, 1);
}

struct exec_arg {
	const char *image;
	int flags;		/* of open() */
	bool registered;
	bool mapped;
	bool other_thread;	/* execs; the first thread is registered, too */
	int *ready, *go;
	int fd;
};

static void *exec_self(void *p)
{
	struct exec_arg *arg = p;
	char *argv[] = { "lifetime_test", NULL };

	if (arg->other_thread && dev_register(arg->fd, 1, 1))
		_exit(102);
	setenv(IMAGE_ENV, arg->image, 1);
	set_number("GMP_READY", arg->ready[1]);
	set_number("GMP_GO", arg->go[0]);
	if (!(arg->flags & O_CLOEXEC))
		set_number("GMP_FD", arg->fd);
	execv("/proc/self/exe", argv);
	_exit(103);
}

static int exec_process(void *p)
{
	struct exec_arg *arg = p;
	struct dev d = { .fd = open(GMP_DEV_PATH, O_RDWR | arg->flags) };
	pthread_t t;

	arg->fd = d.fd;
	if (dev_attach_fd(d.fd, &d.a, 8, 2) || (arg->mapped && dev_map(&d)))
		return 100;
	if (arg->registered && dev_register(d.fd, 0, 0))
		return 101;
	tell(arg->ready[1]);
	hear(arg->go[0]);
	if (!arg->other_thread)
		exec_self(arg);
	pthread_create(&t, NULL, exec_self, arg);
	for (;;)
		usleep(100);
}

static void exec_and_check(struct __test_metadata *_metadata, FIXTURE_DATA(life) *self,
			   struct exec_arg *arg)
{
	pid_t pid;

	arg->ready = self->ready;
	arg->go = self->go;
	pid = start_child(exec_process, arg);
	ASSERT_TRUE(hear(self->ready[0]));
	EXPECT_TRUE(has_dir(pid));
	EXPECT_EQ(arg->registered, status_value(pid, "Ms"));
	tell(self->go[1]);
	ASSERT_TRUE(hear(self->ready[0]));	/* the new program runs */
	EXPECT_EQ(-1, status_value(pid, "Ms"));
	EXPECT_TRUE(WAIT_FOR(!has_dir(pid)));
	EXPECT_TRUE(all_gone());
	tell(self->go[1]);
	EXPECT_EQ(0, end_child(pid));
}

TEST_F(life, exec_cloexec)
{
	struct exec_arg arg = { .image = "plain", .flags = O_CLOEXEC, .registered = true,
				.mapped = true };

	exec_and_check(_metadata, self, &arg);
}

TEST_F(life, exec_with_the_file_kept)
{
	struct exec_arg arg = { .image = "plain", .registered = true, .mapped = true };

	exec_and_check(_metadata, self, &arg);
}

TEST_F(life, exec_with_only_the_file)
{
	struct exec_arg arg = { .image = "plain" };

	exec_and_check(_metadata, self, &arg);
}

TEST_F(life, exec_and_attach_anew)
{
	struct exec_arg arg = { .image = "attach", .registered = true, .mapped = true };

	exec_and_check(_metadata, self, &arg);
}

TEST_F(life, exec_from_another_thread)
{
	struct exec_arg arg = { .image = "attach", .registered = true, .mapped = true,
				.other_thread = true };

	exec_and_check(_metadata, self, &arg);
}

/* ---- fork, vfork --------------------------------------------------------------------------- */

struct fork_arg {
	struct dev *d;
	pid_t parent;
};

static int forked(void *p)
{
	struct fork_arg *arg = p;
	struct dev own;

	if (has_dir(getpid()) || status_value(arg->parent, "Ms") != 1)
		return 1;
	if (dev_register(arg->d->fd, 1, 1) != -EPERM)
		return 2;
	if (dev_attach(&own, 4, 1) || dev_register(own.fd, 0, 0))
		return 3;
	usleep(1000);
	if (status_value(getpid(), "Ms") != 1 || own.k[0].tid != (unsigned int)getpid())
		return 4;
	return 0;
}

TEST_F(life, fork)
{
	struct dev d;
	struct fork_arg arg = { &d, getpid() };
	unsigned long long blocked;

	ASSERT_EQ(0, dev_attach(&d, 8, 2));
	ASSERT_EQ(0, dev_register(d.fd, 0, 0));
	EXPECT_EQ(0, run_child(forked, &arg));
	EXPECT_EQ(1, status_value(getpid(), "MsTotal"));
	blocked = read_kern(&d.k[0]).blocked;
	sleep_ms(5);
	EXPECT_EQ(blocked + 1, read_kern(&d.k[0]).blocked);
	ASSERT_EQ(0, dev_unregister(d.fd));
	close(d.fd);
	dev_unmap(&d);
}

__attribute__((noinline)) static int vfork_true(void)
{
	pid_t pid = vfork();

	if (!pid) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	return end_child(pid);
}

__attribute__((noinline)) static int vfork_register(int fd)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(-dev_register(fd, 1, 1));
	return -end_child(pid);
}

TEST_F(life, vfork_and_exec)
{
	struct dev d;
	int i, n = rounds(50);

	ASSERT_EQ(0, dev_attach(&d, 8, 2));
	ASSERT_EQ(0, dev_register(d.fd, 0, 0));
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, vfork_true());
		EXPECT_EQ(1, status_value(getpid(), "Ms"));
	}
	EXPECT_GE(read_kern(&d.k[0]).blocked, (unsigned int)n);	/* the parent slept meanwhile */
	EXPECT_EQ(-EPERM, vfork_register(d.fd));
	ASSERT_EQ(0, dev_unregister(d.fd));
	close(d.fd);
	dev_unmap(&d);
}

/* ---- threads that exit --------------------------------------------------------------------- */

static void *register_and_exit(void *arg)
{
	struct hand *h = arg;
	long err = dev_register(h->crew->d.fd, h->slot, h->slot);

	if (!err) {
		carry(&h->crew->d.u[h->slot], 1 + h->slot, 0);
		usleep(50);
	}
	return (void *)err;
}

/* A joined thread's slot is free for the next, at once. */
TEST_F(life, thread_exits_without_unregister)
{
	struct crew c;
	struct hand h = { &c, 0 };
	int i, n = rounds(300);
	pthread_t t;
	void *err;

	ASSERT_EQ(0, dev_attach(&c.d, 4, 1));
	for (i = 0; i < n; i++) {
		h.slot = i % 2;
		pthread_create(&t, NULL, register_and_exit, &h);
		pthread_join(t, &err);
		ASSERT_EQ(NULL, err);
	}
	EXPECT_TRUE(WAIT_FOR(stat_value("ms") == 0));
	EXPECT_EQ(0, status_value(getpid(), "Ms"));
	EXPECT_EQ(n, status_value(getpid(), "MsTotal"));
	EXPECT_GE(status_value(getpid(), "Carried"), n);
	EXPECT_EQ(0, c.d.k[0].tid);
	close(c.d.fd);
	dev_unmap(&c.d);
}

TEST_F(life, main_thread_exits_first)
{
	struct crew c = { .threads = 2, .ready = self->ready };
	pid_t pid = fork();
	char path[64];

	if (!pid) {
		if (dev_attach(&c.d, 4, 1) || dev_register(c.d.fd, 3, 3))
			_exit(1);
		start_crew(&c);
		tell(self->ready[1]);
		pthread_exit(NULL);
	}
	ASSERT_TRUE(hear(self->ready[0]));
	/* the first thread's slot is given back */
	EXPECT_TRUE(WAIT_FOR(status_value(pid, "Ms") == 2));
	proc_path(path, sizeof(path), pid, "tasks");
	EXPECT_EQ(0, try_read(path));
	kill(pid, SIGKILL);
	end_child(pid);
	EXPECT_FALSE(has_dir(pid));
}

/* ---- descriptors --------------------------------------------------------------------------- */

TEST_F(life, close_with_mappings)
{
	struct dev d;

	ASSERT_EQ(0, dev_attach(&d, 8, 2));
	ASSERT_EQ(0, dev_register(d.fd, 0, 0));
	close(d.fd);
	/* a mapping holds the file: all goes on */
	EXPECT_EQ(1, status_value(getpid(), "Ms"));
	/* in an emulated guest a short sleep may be over before it begins */
	EXPECT_TRUE(WAIT_FOR(read_kern(&d.k[0]).blocked >= 1));
	EXPECT_EQ(0, dev_unmap(&d));
	EXPECT_FALSE(has_dir(getpid()));
	/* the thread is still bound to what is left; it lets go when it exits */
	EXPECT_EQ(1, stat_value("ms"));
	EXPECT_EQ(0, stat_value("processes"));
	d.fd = dev_open();
	EXPECT_EQ(-ENOTCONN, dev_unregister(d.fd));
	/* or when it registers anew */
	ASSERT_EQ(0, dev_attach(&d, 8, 2));
	ASSERT_EQ(0, dev_register(d.fd, 0, 0));
	EXPECT_EQ(1, stat_value("ms"));
	EXPECT_EQ(-EEXIST, dev_register(d.fd, 0, 0));
	ASSERT_EQ(0, dev_unregister(d.fd));
	dev_unmap(&d);
	close(d.fd);
}

static void *register_and_wait(void *arg)
{
	struct hand *h = arg;

	if (dev_register(h->crew->d.fd, h->slot, h->slot))
		return (void *)1;
	tell(h->crew->ready[1]);
	hear(h->crew->go[0]);
	for (int i = 0; i < 100; i++)
		usleep(10);
	return NULL;
}

TEST_F(life, close_while_threads_are_registered)
{
	struct crew c = { .ready = self->ready, .go = self->go };
	struct hand h[3];
	pthread_t t[3];
	void *err;
	int i;

	c.d.fd = dev_open();
	ASSERT_EQ(0, dev_attach_fd(c.d.fd, &c.d.a, 8, 2));
	for (i = 0; i < 3; i++) {
		h[i] = (struct hand) { &c, i };
		pthread_create(&t[i], NULL, register_and_wait, &h[i]);
		ASSERT_TRUE(hear(self->ready[0]));
	}
	close(c.d.fd);
	EXPECT_FALSE(has_dir(getpid()));
	EXPECT_EQ(3, stat_value("ms"));
	for (i = 0; i < 3; i++)
		tell(self->go[1]);
	for (i = 0; i < 3; i++) {
		pthread_join(t[i], &err);
		EXPECT_EQ(NULL, err);
	}
}

/* The child keeps the descriptor of its parent, and only that. */
static int keep_fd(void *arg)
{
	hear(*(int *)arg);
	return 0;
}

struct keep_arg {
	bool mapped, registered;
	int *ready, *go;
};

static int parent_of_keeper(void *p)
{
	struct keep_arg *arg = p;
	struct dev d;
	pid_t pid;

	d.fd = dev_open();
	if (dev_attach_fd(d.fd, &d.a, 8, 2))
		return 1;
	if (arg->mapped && dev_map(&d))
		return 2;
	if (arg->registered && dev_register(d.fd, 0, 0))
		return 3;
	pid = start_child(keep_fd, &arg->go[0]);
	if (write(arg->ready[1], &pid, sizeof(pid)) != sizeof(pid))
		return 4;
	pause();
	return 0;
}

static void die_before_keeper(struct __test_metadata *_metadata, FIXTURE_DATA(life) *self,
			      bool mapped, bool registered)
{
	struct keep_arg arg = { mapped, registered, self->ready, self->go };
	pid_t pid, keeper;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = start_child(parent_of_keeper, &arg);
	ASSERT_EQ(sizeof(keeper), read(self->ready[0], &keeper, sizeof(keeper)));
	EXPECT_TRUE(has_dir(pid));
	kill(pid, SIGKILL);
	ASSERT_EQ(256 + SIGKILL, end_child(pid));
	if (!mapped && !registered)
		try_read("/proc/gmp/tasks");	/* nothing else tells of its death */
	EXPECT_EQ(-1, status_value(pid, "Ms"));
	EXPECT_TRUE(WAIT_FOR(!has_dir(pid)));
	EXPECT_TRUE(all_gone());
	tell(self->go[1]);
	EXPECT_EQ(0, end_child(keeper));
}

TEST_F(life, inherited_fd_outlives_the_process)
{
	die_before_keeper(_metadata, self, true, true);
}

TEST_F(life, inherited_fd_outlives_mappings)
{
	die_before_keeper(_metadata, self, true, false);
}

TEST_F(life, inherited_fd_outlives_threads)
{
	die_before_keeper(_metadata, self, false, true);
}

TEST_F(life, inherited_fd_outlives_nothing)
{
	die_before_keeper(_metadata, self, false, false);
}

/* ---- a reader that does not come back ------------------------------------------------------ */

/*
 * A reader in the middle of read() on the directory of a process, for as long as it likes: the
 * process can exit, its number be used again, others attach; rmmod is refused; and in the end all
 * is well.
 */
TEST_F(life, stuck_reader_holds_up_nobody)
{
	struct exec_arg arg = { .image = "attach", .registered = true, .mapped = true,
				.ready = self->ready, .go = self->go };
	struct stuck s = { .uffd = uffd_open(), .n = -2 };
	struct crew other = { .threads = 1, .ready = self->ready };
	unsigned long long begin;
	pid_t pid, pid2;

	if (s.uffd < 0)
		SKIP(return, "no userfaultfd");
	pid = start_child(exec_process, &arg);
	ASSERT_TRUE(hear(self->ready[0]));
	ASSERT_TRUE(get_stuck(&s, pid, "tasks"));

	/* exec: the old group goes, the new one has to do without a directory */
	begin = now_ns();
	tell(self->go[1]);
	ASSERT_TRUE(hear(self->ready[0]));
	EXPECT_EQ(-1, status_value(pid, "Ms"));

	/* others are not concerned */
	pid2 = start_child(crew_process, &other);
	ASSERT_TRUE(hear(self->ready[0]));
	EXPECT_TRUE(WAIT_FOR(status_value(pid2, "Ms") == 1));
	kill(pid2, SIGKILL);
	end_child(pid2);
	EXPECT_FALSE(has_dir(pid2));
	EXPECT_EQ(-1, syscall(SYS_delete_module, "gmp", O_NONBLOCK));

	kill(pid, SIGKILL);
	end_child(pid);
	EXPECT_LT(now_ns() - begin, 8000000000ull);
	EXPECT_EQ(-2, s.n);

	ASSERT_TRUE(get_loose(&s));
	EXPECT_GT(s.n, 100);
}

static int attach_and_pause(void *arg)
{
	struct gmp_attach a;
	int fd = dev_open();

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dev_attach_fd(fd, &a, 4, 1) || write(*(int *)arg, &fd, sizeof(fd)) != sizeof(fd))
		return 1;
	pause();
	return 0;
}

/* A copy of a descriptor of @pid, as if that had sent it. */
static int handed(pid_t pid, int fd)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0), copy = syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	close(pidfd);
	return copy;
}

/* Who got such a file from another process does not wait when he closes it, a second each. */
TEST_F(life, stuck_reader_of_a_file_handed_on)
{
	struct stuck s[5];
	int i, fd[5];
	pid_t pid;
	ull begin;

	for (i = 0; i < 5; i++) {
		s[i] = (struct stuck) { .uffd = uffd_open() };
		if (s[i].uffd < 0)
			SKIP(return, "no userfaultfd");
		pid = start_child(attach_and_pause, &self->ready[1]);
		ASSERT_EQ(sizeof(fd[i]), read(self->ready[0], &fd[i], sizeof(fd[i])));
		fd[i] = handed(pid, fd[i]);
		ASSERT_GE(fd[i], 0);
		ASSERT_TRUE(get_stuck(&s[i], pid, "status"));
		kill(pid, SIGKILL);
		end_child(pid);
	}
	begin = now_ns();
	for (i = 0; i < 5; i++)
		close(fd[i]);
	EXPECT_LT(now_ns() - begin, 4000000000ull);
	for (i = 0; i < 5; i++)
		EXPECT_TRUE(get_loose(&s[i]));
	EXPECT_TRUE(all_gone());
}

/* The directory of the new program comes once the old one's last reader has left. */
TEST_F(life, directory_is_inherited)
{
	struct stuck s = { .uffd = uffd_open(), .n = -2 };
	struct dev d;

	if (s.uffd < 0)
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(0, dev_attach(&d, 4, 1));
	ASSERT_TRUE(get_stuck(&s, getpid(), "status"));
	ASSERT_EQ(0, dev_unmap(&d));
	close(d.fd);
	ASSERT_EQ(0, dev_attach(&d, 5, 1));
	ASSERT_EQ(0, dev_register(d.fd, 4, 4));
	EXPECT_EQ(-1, status_value(getpid(), "Slots"));

	ASSERT_TRUE(get_loose(&s));
	EXPECT_TRUE(WAIT_FOR(status_value(getpid(), "Slots") == 5));
	EXPECT_EQ(1, status_value(getpid(), "Ms"));
	ASSERT_EQ(0, dev_unregister(d.fd));
	dev_unmap(&d);
	close(d.fd);
}

/*
 * A process that has gone is no process without Ms. Files go in the order of their names' lengths: a
 * reader in `hist` holds up the removal of those below.
 */
TEST_F(life, read_of_the_dead)
{
	static const char *const files[] = { "tasks", "sched", "causes", "status", "goroutines" };
	struct stuck s = { .uffd = uffd_open(), .n = -2 };
	int fd[ARRAY_SIZE(files)];
	char path[64], buf[256];
	unsigned int i;
	struct dev d;

	if (s.uffd < 0)
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(0, dev_attach(&d, 4, 1));
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		proc_path(path, sizeof(path), getpid(), files[i]);
		fd[i] = open(path, O_RDONLY | O_CLOEXEC);
		EXPECT_LT(0, read(fd[i], buf, sizeof(buf)));
		EXPECT_EQ(0, lseek(fd[i], 0, SEEK_SET));
	}
	ASSERT_TRUE(get_stuck(&s, getpid(), "hist"));
	ASSERT_EQ(0, dev_unmap(&d));
	close(d.fd);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		errno = 0;
		EXPECT_EQ(-1, read(fd[i], buf, sizeof(buf)));
		EXPECT_EQ(ENOENT, errno) {
			TH_LOG("%s", files[i]);
		}
		close(fd[i]);
	}

	ASSERT_TRUE(get_loose(&s));
}

TEST_HARNESS_MAIN
