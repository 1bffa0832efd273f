// SPDX-License-Identifier: GPL-2.0-only
/*
 * cause_test.c - what a thread blocked on is counted, each time, under the right name.
 *
 * Every block is provoked and seen before it is ended: the other side acts only when the module says
 * that the thread is off its CPU in that very system call (/proc/<tid>/syscall). So the counts are
 * exact, not about right.
 */
#include "kmod_harness.h"
#include "uffd.h"
#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/socket.h>

#define TIMES	rounds(30)
#define PAGE	4096

struct blocker {
	struct dev	*d;
	int		slot;
	void		(*block)(struct blocker *b, int i);
	void		(*release)(struct blocker *b, int i);
	const char	*cause;
	int		times;

	volatile pid_t	tid;
	int		go[2];
	pthread_t	thread;
	/* what it blocks on */
	int		fd[2];
	int		word;
	char		*pages;
};

FIXTURE(cause)
{
	struct dev d;
	struct blocker b;
};

FIXTURE_SETUP(cause)
{
	ASSERT_TRUE(WAIT_FOR(stat_value("ms") == 0));
	ASSERT_EQ(0, dev_attach(&self->d, 16, 1));
	self->b = (struct blocker) { .d = &self->d, .slot = 3, .times = TIMES };
}

FIXTURE_TEARDOWN(cause)
{
	dev_unmap(&self->d);
	close(self->d.fd);
}

/* ---- reading the files ------------------------------------------------------------------------ */

struct causes {
	long long n, ns;	/* of one cause */
	long long all_n, all_ns;
};

/* The rows of one thread; tid 0: of those that have gone. */
static struct causes causes_of(pid_t tid, const char *cause)
{
	struct causes c = { 0, 0, 0, 0 };
	char path[64], name[32];
	struct table t;
	int i;

	proc_path(path, sizeof(path), getpid(), "causes");
	if (table_read(&t, path))
		return (struct causes) { -1, -1, -1, -1 };
	for (i = 0; i < t.rows; i++) {
		if (table_value(&t, i, "tid") != tid)
			continue;
		c.all_n += table_value(&t, i, "blocked");
		c.all_ns += table_value(&t, i, "blocked_ns");
		if (!table_field(&t, i, "cause", name, sizeof(name)) || strcmp(name, cause))
			continue;
		c.n += table_value(&t, i, "blocked");
		c.ns += table_value(&t, i, "blocked_ns");
	}
	table_free(&t);
	return c;
}

/* Sums of a column of `hist`. */
static long long hist_sum(const char *column, long long from)
{
	long long sum = 0;
	char path[64];
	struct table t;
	int i;

	proc_path(path, sizeof(path), getpid(), "hist");
	if (table_read(&t, path))
		return -1;
	for (i = 0; i < t.rows; i++)
		if (table_value(&t, i, "from_ns") >= from)
			sum += table_value(&t, i, column);
	table_free(&t);
	return sum;
}

static long long total_of(const char *cause, const char *suffix)
{
	char name[64];

	snprintf(name, sizeof(name), "blocked_%s%s", cause, suffix);
	return stat_value(name);
}

/* ---- a thread that blocks, and who releases it --------------------------------------------------- */

static void *blocker_thread(void *arg)
{
	struct blocker *b = arg;
	char c;
	int i;

	if (dev_register(b->d->fd, b->slot, b->slot))
		return (void *)1;
	b->tid = gettid_();
	/* recv, not read: starting is counted apart */
	for (i = 0; i < b->times; i++)
		b->block(b, i);
	while (recv(b->go[0], &c, 1, 0) < 0 && errno == EINTR)
		;
	return NULL;
}

/* It has gone to sleep once more than @before, and sleeps. */
static bool sleeps_again(const struct blocker *b, ull before)
{
	struct gmp_m_kern k = read_kern(&b->d->k[b->slot]);

	return k.blocked > before && task_is(getpid(), b->tid, "state", "blocked");
}

static void run_blocker(struct __test_metadata *_metadata, struct blocker *b)
{
	ull before = 0;
	int i;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, b->go));
	ASSERT_EQ(0, pthread_create(&b->thread, NULL, blocker_thread, b));
	ASSERT_TRUE(WAIT_FOR(b->tid));
	for (i = 0; i < b->times; i++) {
		ASSERT_TRUE(WAIT_FOR(sleeps_again(b, before)));
		before = read_kern(&b->d->k[b->slot]).blocked;
		sleep_ms(2);
		b->release(b, i);
	}
	ASSERT_TRUE(WAIT_FOR(sleeps_again(b, before)));
}

static void end_blocker(struct __test_metadata *_metadata, struct blocker *b)
{
	void *err;

	EXPECT_EQ(1, send(b->go[1], "x", 1, 0));
	pthread_join(b->thread, &err);
	EXPECT_EQ(NULL, err);
}

/* Each time for 2 ms at least: what it slept for @cause, and how often that fell into buckets so long. */
static void check_times(struct __test_metadata *_metadata, struct blocker *b, long long ns)
{
	long long waited = 0, waits = 0;

	if (sleeps_may_count_as_waits()) {
		waited = task_value(getpid(), b->tid, "runq_ns");
		waits = hist_sum("runq", 1 << 20);
	}
	EXPECT_GE(ns + waited, b->times * 2000000ll);
	EXPECT_LE(hist_sum("blocked", 1 << 20), b->times);
	EXPECT_GE(hist_sum("blocked", 1 << 20) + waits, b->times);
}

/* It blocked b->times for b->cause, and once in recv(), at the end; at least 2 ms each. */
static void check_blocker(struct __test_metadata *_metadata, struct blocker *b)
{
	long long n0 = total_of(b->cause, ""), ns0 = total_of(b->cause, "_ns"), n;
	struct causes c;

	run_blocker(_metadata, b);
	c = causes_of(b->tid, b->cause);
	n = b->times + !strcmp(b->cause, "net");
	EXPECT_EQ(n, c.n);
	check_times(_metadata, b, c.ns);
	EXPECT_EQ(b->times + 1, c.all_n);
	EXPECT_EQ((long long)read_kern(&b->d->k[b->slot]).blocked, c.all_n);
	EXPECT_EQ((long long)read_kern(&b->d->k[b->slot]).blocked_ns, c.all_ns);
	EXPECT_EQ(b->times, hist_sum("blocked", 0));
	EXPECT_GE(hist_sum("runq", 0), b->times);
	EXPECT_GE(total_of(b->cause, "") - n0, n);
	EXPECT_GE(total_of(b->cause, "_ns") - ns0, c.ns);
	end_blocker(_metadata, b);
	/* what it did is still there, of those that have gone */
	EXPECT_TRUE(WAIT_FOR(stat_value("ms") == 0));
	EXPECT_EQ(n, causes_of(0, b->cause).n);
	if (strcmp(b->cause, "net"))
		EXPECT_EQ(c.ns, causes_of(0, b->cause).ns);
	EXPECT_EQ(status_value(getpid(), "Blocked"), causes_of(0, b->cause).all_n);
	EXPECT_EQ(status_value(getpid(), "BlockedNs"), causes_of(0, b->cause).all_ns);
	EXPECT_EQ(status_value(getpid(), "Woken"), hist_sum("blocked", 0));
}

/* ---- the causes ---------------------------------------------------------------------------------- */

/* An eventfd: no mutex in the way that would make a block more. */
static void block_read(struct blocker *b, int i)
{
	uint64_t v;

	(void)i;
	if (read(b->fd[0], &v, sizeof(v)) != sizeof(v))
		abort();
}

static void post_eventfd(struct blocker *b, int i)
{
	uint64_t v = 1;

	(void)i;
	if (write(b->fd[0], &v, sizeof(v)) != sizeof(v))
		abort();
}

TEST_F(cause, read)
{
	self->b.fd[0] = eventfd(0, 0);
	self->b.block = block_read;
	self->b.release = post_eventfd;
	self->b.cause = "read";
	check_blocker(_metadata, &self->b);
}

static void block_poll(struct blocker *b, int i)
{
	struct pollfd p = { .fd = b->fd[0], .events = POLLIN };
	uint64_t v;

	(void)i;
	if (poll(&p, 1, -1) != 1 || read(b->fd[0], &v, sizeof(v)) != sizeof(v))
		abort();
}

TEST_F(cause, poll)
{
	self->b.fd[0] = eventfd(0, 0);
	self->b.block = block_poll;
	self->b.release = post_eventfd;
	self->b.cause = "poll";
	check_blocker(_metadata, &self->b);
}

static void block_write(struct blocker *b, int i)
{
	uint64_t v = 1;

	(void)i;
	if (write(b->fd[0], &v, sizeof(v)) != sizeof(v))
		abort();
}

/* The counter is full: a reader makes room. */
static void drain_eventfd(struct blocker *b, int i)
{
	uint64_t v;

	(void)i;
	if (read(b->fd[0], &v, sizeof(v)) != sizeof(v))
		abort();
}

TEST_F(cause, write)
{
	uint64_t full = 0xfffffffffffffffeull;

	self->b.fd[0] = eventfd(0, 0);
	ASSERT_EQ((ssize_t)sizeof(full), write(self->b.fd[0], &full, sizeof(full)));
	self->b.block = block_write;
	self->b.release = drain_eventfd;
	self->b.cause = "write";
	self->b.times = 1;	/* filling it up again would race with the second */
	check_blocker(_metadata, &self->b);
}

static void block_futex(struct blocker *b, int i)
{
	while (__atomic_load_n(&b->word, __ATOMIC_ACQUIRE) == i)
		syscall(SYS_futex, &b->word, FUTEX_WAIT_PRIVATE, i, NULL, NULL, 0);
}

static void wake_futex(struct blocker *b, int i)
{
	__atomic_store_n(&b->word, i + 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &b->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

TEST_F(cause, futex)
{
	self->b.block = block_futex;
	self->b.release = wake_futex;
	self->b.cause = "futex";
	check_blocker(_metadata, &self->b);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void interrupt(struct blocker *b, int i)
{
	(void)i;
	syscall(SYS_tgkill, getpid(), b->tid, SIGUSR1);
}

static void catch_signal(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &sa, NULL);
}

static void block_nanosleep(struct blocker *b, int i)
{
	struct timespec ts = { 1000, 0 };

	(void)b;
	(void)i;
	if (!nanosleep(&ts, NULL) || errno != EINTR)
		abort();
}

/* It ends by a signal: a timer might fire before an emulated guest gets to sleep at all. */
TEST_F(cause, sleep)
{
	catch_signal();
	self->b.block = block_nanosleep;
	self->b.release = interrupt;
	self->b.cause = "sleep";
	check_blocker(_metadata, &self->b);
}

static void block_pause(struct blocker *b, int i)
{
	(void)b;
	(void)i;
	syscall(SYS_pause);
}

TEST_F(cause, signal)
{
	catch_signal();
	self->b.block = block_pause;
	self->b.release = interrupt;
	self->b.cause = "signal";
	check_blocker(_metadata, &self->b);
}

static void block_recv(struct blocker *b, int i)
{
	char c;

	(void)i;
	if (recv(b->fd[0], &c, 1, 0) != 1)
		abort();
}

static void send_one(struct blocker *b, int i)
{
	(void)i;
	if (send(b->fd[1], "x", 1, 0) != 1)
		abort();
}

/* Datagrams: a stream socket has a mutex that readers and writers share. */
TEST_F(cause, net)
{
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, self->b.fd));
	self->b.block = block_recv;
	self->b.release = send_one;
	self->b.cause = "net";
	check_blocker(_metadata, &self->b);
}

static void block_flock(struct blocker *b, int i)
{
	(void)i;
	if (flock(b->fd[0], LOCK_EX) || flock(b->fd[0], LOCK_UN))
		abort();
}

/* Lets it through, then takes the lock back for the next round. */
static void lend_lock(struct blocker *b, int i)
{
	(void)i;
	if (flock(b->fd[1], LOCK_UN))
		abort();
}

TEST_F(cause, file)
{
	char path[] = "/tmp/cause_test.XXXXXX";

	self->b.fd[0] = mkstemp(path);
	ASSERT_GE(self->b.fd[0], 0);
	self->b.fd[1] = open(path, O_RDWR);
	ASSERT_EQ(0, flock(self->b.fd[1], LOCK_EX));
	self->b.block = block_flock;
	self->b.release = lend_lock;
	self->b.cause = "file";
	self->b.times = 1;
	check_blocker(_metadata, &self->b);
	unlink(path);
}

static void block_wait(struct blocker *b, int i)
{
	pid_t pid;
	char c;

	(void)i;
	/* vfork blocks itself; this child is made without waiting for it */
	pid = syscall(SYS_fork);
	if (!pid) {
		if (recv(b->fd[0], &c, 1, 0) < 0)
			_exit(1);
		_exit(0);
	}
	if (syscall(SYS_wait4, pid, NULL, 0, NULL) != pid)
		abort();
}

TEST_F(cause, process)
{
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, self->b.fd));
	self->b.block = block_wait;
	self->b.release = send_one;
	self->b.cause = "process";
	self->b.times = 3;
	check_blocker(_metadata, &self->b);
}

struct message {
	long type;
	char text[8];
};

static void block_msgrcv(struct blocker *b, int i)
{
	struct message m;

	(void)i;
	if (msgrcv(b->word, &m, sizeof(m.text), 0, 0) < 0)
		abort();
}

static void send_message(struct blocker *b, int i)
{
	struct message m = { .type = i + 1 };

	if (msgsnd(b->word, &m, sizeof(m.text), 0))
		abort();
}

TEST_F(cause, ipc)
{
	self->b.word = msgget(IPC_PRIVATE, 0600);
	ASSERT_GE(self->b.word, 0);
	self->b.block = block_msgrcv;
	self->b.release = send_message;
	self->b.cause = "ipc";
	check_blocker(_metadata, &self->b);
	msgctl(self->b.word, IPC_RMID, NULL);
}

/* ---- page faults ------------------------------------------------------------------------------------ */

static void block_touch(struct blocker *b, int i)
{
	(void)((volatile char *)b->pages)[i * PAGE];
}

static void fill_page(struct blocker *b, int i)
{
	if (uffd_fill(b->fd[0], b->pages + i * PAGE))
		abort();
}

TEST_F(cause, fault)
{
	self->b.fd[0] = uffd_open();
	if (self->b.fd[0] < 0)
		SKIP(return, "no userfaultfd");
	self->b.pages = uffd_pages(self->b.fd[0], TIMES * PAGE);
	ASSERT_NE(NULL, self->b.pages);
	self->b.block = block_touch;
	self->b.release = fill_page;
	self->b.cause = "fault";
	check_blocker(_metadata, &self->b);
}

/* A fault of the kernel on the caller's memory is part of the call. */
static void block_in_copy(struct blocker *b, int i)
{
	if (pread(b->fd[1], b->pages + i * PAGE, 1, 0) != 1)
		abort();
}

TEST_F(cause, fault_within_a_call)
{
	self->b.fd[0] = uffd_open();
	if (self->b.fd[0] < 0)
		SKIP(return, "no userfaultfd");
	self->b.pages = uffd_pages(self->b.fd[0], TIMES * PAGE);
	ASSERT_NE(NULL, self->b.pages);
	self->b.fd[1] = open("/proc/self/exe", O_RDONLY);
	ASSERT_GE(self->b.fd[1], 0);
	self->b.block = block_in_copy;
	self->b.release = fill_page;
	self->b.cause = "read";
	check_blocker(_metadata, &self->b);
}

/* ---- stopped ------------------------------------------------------------------------------------------ */

static int stop_twice(void *arg)
{
	struct dev d;
	int i;

	(void)arg;
	if (dev_attach(&d, 4, 1) || dev_register(d.fd, 0, 0))
		return 1;
	for (i = 0; i < 2; i++)
		raise(SIGSTOP);
	return causes_of(getpid(), "stop").n == 2 && task_value(getpid(), getpid(), "stopped") == 2 ?
		0 : 2;
}

TEST_F(cause, stop)
{
	pid_t pid = start_child(stop_twice, NULL);
	int i, status;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
		ASSERT_TRUE(WIFSTOPPED(status));
		ASSERT_TRUE(WAIT_FOR(task_is(pid, pid, "state", "stopped")));
		kill(pid, SIGCONT);
	}
	EXPECT_EQ(0, end_child(pid));
}

/* ---- formats ------------------------------------------------------------------------------------------ */

TEST_F(cause, causes_format)
{
	static const char *const names[] = { "tid", "m", "cause", "blocked", "blocked_ns" };
	static const char *const causes[] = {
#define TEXT(e, text) text,
		GMP_CAUSES(TEXT)
	};
	char *field[MAX_COLUMNS], *row, path[64];
	struct table t;
	int i, j;

	ASSERT_EQ(0, dev_register(self->d.fd, 5, 77));
	sleep_ms(20);	/* in a guest that stands still a shorter one is over before it begins */
	proc_path(path, sizeof(path), getpid(), "causes");
	ASSERT_EQ(0, table_read(&t, path));
	ASSERT_EQ((int)ARRAY_SIZE(names), t.columns);
	for (i = 0; i < t.columns; i++)
		EXPECT_STREQ(names[i], t.name[i]);
	ASSERT_GE(t.rows, 1);
	for (i = 0; i < t.rows; i++) {
		row = strdup(t.row[i]);
		ASSERT_EQ(t.columns, split(row, field, MAX_COLUMNS));
		EXPECT_EQ(getpid(), atoi(field[0]));
		EXPECT_STREQ("77", field[1]);
		for (j = 0; j < (int)ARRAY_SIZE(causes) && strcmp(field[2], causes[j]); j++)
			;
		EXPECT_LT(j, (int)ARRAY_SIZE(causes));
		EXPECT_GT(atoi(field[3]), 0);
		free(row);
	}
	table_free(&t);
}

TEST_F(cause, hist_format)
{
	static const char *const names[] = { "from_ns", "blocked", "runq" };
	char path[64];
	struct table t;
	int i;

	proc_path(path, sizeof(path), getpid(), "hist");
	ASSERT_EQ(0, table_read(&t, path));
	ASSERT_EQ((int)ARRAY_SIZE(names), t.columns);
	for (i = 0; i < t.columns; i++)
		EXPECT_STREQ(names[i], t.name[i]);
	ASSERT_EQ(32, t.rows);
	EXPECT_EQ(0, table_value(&t, 0, "from_ns"));
	EXPECT_EQ(1024, table_value(&t, 1, "from_ns"));
	for (i = 2; i < t.rows; i++)
		EXPECT_EQ(2 * table_value(&t, i - 1, "from_ns"), table_value(&t, i, "from_ns"));
	EXPECT_EQ(0, hist_sum("blocked", 0) + hist_sum("runq", 0));
	table_free(&t);
}

TEST_F(cause, totals_add_up)
{
	static const char *const causes[] = { GMP_CAUSES(TEXT) };
	long long n = 0, ns = 0;
	unsigned int i;

	/* nobody is registered: nothing changes meanwhile */
	for (i = 0; i < ARRAY_SIZE(causes); i++) {
		n += total_of(causes[i], "");
		ns += total_of(causes[i], "_ns");
	}
	EXPECT_EQ(stat_value("blocked"), n);
	EXPECT_EQ(stat_value("blocked_ns"), ns);
}

TEST_HARNESS_MAIN
