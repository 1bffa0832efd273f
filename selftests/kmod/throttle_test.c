// SPDX-License-Identifier: GPL-2.0-only
/*
 * throttle_test.c - who gets next to no CPU time holds nobody up.
 *
 * Readers of /proc/gmp sit in a control group that may run for a millisecond in a second: wherever they
 * are when it is over, there they stay. Threads of the process they look at exit meanwhile, more of them
 * than there may be work items at a time, and those of another user's process do.
 */
#include "kmod_harness.h"
#include <sys/prctl.h>

#define SOMEBODY	65533	/* another user than NOBODY */
#define CGROUP		"/sys/fs/cgroup/gmp_throttle"
#define MANY		600	/* more than the 256 items a workqueue runs at a time */
#define READERS		8

/* ---- a process whose threads exit when it is told to ------------------------------------------ */

struct crew {
	uid_t uid;
	int threads;
	int answer[2], go[2];
	pid_t pid;
};

struct hand {
	int fd, slot;
};

static int registered, refused;		/* atomic; in the crew's process */
static int door[2];			/* a pipe: they leave when its end is closed */

static void *hand_main(void *arg)
{
	struct hand *h = arg;
	bool ok = !dev_register(h->fd, h->slot, h->slot);

	__atomic_add_fetch(ok ? &registered : &refused, 1, __ATOMIC_RELEASE);
	hear(door[0]);
	return NULL;
}

static int hire(int fd, int n)
{
	struct hand *h = calloc(n, sizeof(*h));
	pthread_attr_t attr;
	pthread_t t;
	int i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (i = 0; i < n; i++) {
		h[i] = (struct hand) { fd, i + 1 };
		if (pthread_create(&t, &attr, hand_main, &h[i]))
			return -1;
		while (__atomic_load_n(&registered, __ATOMIC_ACQUIRE) +
		       __atomic_load_n(&refused, __ATOMIC_ACQUIRE) <= i)
			sleep_ms(1);
	}
	return refused ? -1 : 0;
}

/* Its main thread registers, too, and stays until it is killed. */
static int crew_main(void *arg)
{
	struct crew *c = arg;
	struct dev d;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (become_user(c->uid) || dev_attach(&d, c->threads + 1, 1) || dev_register(d.fd, 0, 0))
		return 1;
	if (pipe(door) || hire(d.fd, c->threads))
		return 2;
	tell(c->answer[1]);
	hear(c->go[0]);
	close(door[1]);
	for (;;)
		pause();
}

static bool crew_start(struct crew *c)
{
	if (pipe(c->answer) || pipe(c->go))
		return false;
	c->pid = start_child(crew_main, c);
	close(c->answer[1]);
	return hear(c->answer[0]);
}

/* ---- readers ---------------------------------------------------------------------------------- */

struct reader {
	pid_t whose;
	const char *file;
	int reads;	/* told when it has read it once */
};

static int reader_main(void *arg)
{
	struct reader *r = arg;
	char path[64];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (become_user(NOBODY))
		return 1;
	proc_path(path, sizeof(path), r->whose, r->file);
	if (try_read(path))
		return 2;
	tell(r->reads);
	while (!try_read(path))
		;
	return 3;
}

FIXTURE(throttle)
{
	pid_t reader[READERS];
	struct crew a, b;
};

FIXTURE_SETUP(throttle)
{
	self->a = (struct crew) { .uid = NOBODY, .threads = MANY };
	self->b = (struct crew) { .uid = SOMEBODY, .threads = 3 };
	memset(self->reader, 0, sizeof(self->reader));
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+cpu");
	ASSERT_FALSE(mkdir(CGROUP, 0755) && errno != EEXIST);
	ASSERT_EQ(0, write_file(CGROUP "/cpu.max", "1000 1000000"));
	ASSERT_TRUE(crew_start(&self->a));
	ASSERT_TRUE(crew_start(&self->b));
}

FIXTURE_TEARDOWN(throttle)
{
	int i;

	EXPECT_EQ(0, write_file(CGROUP "/cpu.max", "max"));
	for (i = 0; i < READERS; i++)
		if (self->reader[i] > 0) {
			kill(self->reader[i], SIGKILL);
			end_child(self->reader[i]);
		}
	kill(self->a.pid, SIGKILL);
	kill(self->b.pid, SIGKILL);
	end_child(self->a.pid);
	end_child(self->b.pid);
	EXPECT_TRUE(WAIT_FOR(!stat_value("ms")));
	EXPECT_TRUE(WAIT_FOR(!rmdir(CGROUP)));
}

/* They read for a while before they are throttled: it is to happen within a read(). */
static bool start_readers(FIXTURE_DATA(throttle) *self, const char *file)
{
	struct reader r = { .whose = self->a.pid, .file = file };
	int i, reads[2];
	char pid[16];

	if (pipe(reads))
		return false;
	r.reads = reads[1];
	for (i = 0; i < READERS; i++) {
		self->reader[i] = start_child(reader_main, &r);
		if (!hear(reads[0]))
			return false;
	}
	for (i = 0; i < READERS; i++) {
		snprintf(pid, sizeof(pid), "%d", self->reader[i]);
		if (write_file(CGROUP "/cgroup.procs", pid))
			return false;
	}
	return true;
}

/* Has the group been stopped in the midst of what it does, a few times? */
static bool throttled(void)
{
	return file_value(CGROUP "/cpu.stat", "nr_throttled", ' ') >= 3;
}

static bool is_alone(pid_t pid)
{
	int i;

	for (i = 0; i < 3; i++)
		if (WAIT_FOR(status_value(pid, "Ms") == 1))
			return true;
	return false;
}

static void scene(struct __test_metadata *_metadata, FIXTURE_DATA(throttle) *self, const char *file)
{
	ASSERT_TRUE(start_readers(self, file));
	ASSERT_TRUE(WAIT_FOR(throttled()));
	tell(self->a.go[1]);
	sleep_ms(3000);		/* they go, and are reaped or wait for it */
	tell(self->b.go[1]);
	ASSERT_TRUE(is_alone(self->b.pid));
	EXPECT_TRUE(is_alone(self->a.pid));
	EXPECT_EQ(MANY + 1, status_value(self->a.pid, "MsTotal"));
}

TEST_F(throttle, readers_of_hist)
{
	scene(_metadata, self, "hist");
}

TEST_F(throttle, readers_of_status)
{
	scene(_metadata, self, "status");
}

TEST_HARNESS_MAIN
