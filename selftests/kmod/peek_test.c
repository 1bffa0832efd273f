// SPDX-License-Identifier: GPL-2.0-only
/*
 * peek_test.c - a process publishes addresses whose pages do not come when they are read: whoever reads its
 * files in /proc/gmp is held up by that for no longer than he likes, and the process itself not at all.
 */
#include "kmod_harness.h"
#include "uffd.h"
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#define SLOWFS		"/tmp/gmp_neverfs"

static const char *const files[] = { "sched", "ps", "goroutines" };

/* ---- the process ----------------------------------------------------------------------------- */

enum where { FUSE_FILE, FUSE_FILE_AT_RANDOM, UFFD };

struct liar {
	enum where where;
	pid_t pid;
	int ask[2], answer[2];
};

/* A page that nobody ever fills. */
static void *never_page(enum where where)
{
	int fd;
	void *page;

	if (where == UFFD) {
		fd = uffd_open();
		return fd < 0 ? NULL : uffd_pages(fd, 4096);
	}
	fd = open(SLOWFS "/page", O_RDONLY | O_CLOEXEC);
	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	/* without read-ahead it is another way in the file system: one that waits for the answer itself */
	if (page != MAP_FAILED && where == FUSE_FILE_AT_RANDOM)
		madvise(page, 4096, MADV_RANDOM);
	return page == MAP_FAILED ? NULL : page;
}

/* Each time it is asked it maps something, for which it needs its own mmap_lock. */
static int lie(void *arg)
{
	struct liar *l = arg;
	void *page = never_page(l->where);
	struct gmp_attach a = { .size = sizeof(a), .nr_m = 4, .nr_p = 1, .layout = (unsigned long)page };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!page || do_ioctl(dev_open(), GMP_IOC_ATTACH, &a))
		return 1;
	do {
		tell(l->answer[1]);
	} while (hear(l->ask[0]) && mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	return 2;
}

static bool answers(const struct liar *l)
{
	struct pollfd p = { .fd = l->answer[0], .events = POLLIN };

	return poll(&p, 1, 10000) == 1 && hear(l->answer[0]);
}

/* ---- its file system ---------------------------------------------------------------------------- */

FIXTURE(peek)
{
	struct liar liar;
	pid_t server;
};

FIXTURE_SETUP(peek)
{
	ASSERT_EQ(0, pipe(self->liar.ask));
	ASSERT_EQ(0, pipe(self->liar.answer));
}

/* Who waits for a server that is killed gets an error. */
FIXTURE_TEARDOWN(peek)
{
	if (self->server) {
		kill(self->server, SIGKILL);
		end_child(self->server);
		umount2(SLOWFS, MNT_DETACH);
	}
	if (self->liar.pid) {
		kill(self->liar.pid, SIGKILL);
		EXPECT_EQ(256 + SIGKILL, end_child(self->liar.pid));
	}
}

static bool start_server(pid_t *server)
{
	char path[512] = "", *slash;

	if (readlink("/proc/self/exe", path, sizeof(path) - 24) < 0)
		return false;
	slash = strrchr(path, '/');
	strcpy(slash, "/../kern/slowfs");
	(void)!system("modprobe fuse");
	if (mkdir(SLOWFS, 0755) && errno != EEXIST)
		return false;
	*server = fork();
	if (!*server) {
		execl(path, path, SLOWFS, "never", NULL);
		_exit(127);
	}
	return WAIT_FOR(!access(SLOWFS "/page", R_OK));
}

/* ---- its reader ----------------------------------------------------------------------------------- */

static int read_it(void *path)
{
	return try_read(path) ? 1 : 0;
}

static bool is_reaped(pid_t pid)
{
	return WAIT_FOR(waitpid(pid, NULL, WNOHANG) == pid);
}

static bool may_be_killed(pid_t reader)
{
	kill(reader, SIGKILL);
	return is_reaped(reader);
}

/*
 * In the end he is killed or done, and the process goes on all the time. A server that never answers makes
 * him wait for nothing; a page of anonymous memory may come at any time.
 */
static void check_reader(struct __test_metadata *_metadata, const struct liar *l, const char *file)
{
	char path[64];
	bool done = false;
	pid_t reader;

	proc_path(path, sizeof(path), l->pid, file);
	reader = start_child(read_it, path);
	if (l->where == UFFD) {
		EXPECT_TRUE(WAIT_FOR(in_fault(reader)));
	} else {
		done = is_reaped(reader);
		EXPECT_TRUE(done) {
			TH_LOG("%s: its reader waits for the file system", file);
		}
	}
	tell(l->ask[1]);
	EXPECT_TRUE(answers(l)) {
		TH_LOG("%s: the process waits for its reader", file);
	}
	EXPECT_TRUE(done || may_be_killed(reader)) {
		TH_LOG("%s: its reader cannot be killed", file);
	}
}

static void check_readers(struct __test_metadata *_metadata, struct liar *l, enum where where)
{
	unsigned int i;

	l->where = where;
	l->pid = start_child(lie, l);
	ASSERT_TRUE(answers(l));
	for (i = 0; i < ARRAY_SIZE(files); i++)
		check_reader(_metadata, l, files[i]);
}

TEST_F(peek, a_file_whose_server_never_answers)
{
	ASSERT_TRUE(start_server(&self->server));
	check_readers(_metadata, &self->liar, FUSE_FILE);
}

TEST_F(peek, the_same_without_read_ahead)
{
	ASSERT_TRUE(start_server(&self->server));
	check_readers(_metadata, &self->liar, FUSE_FILE_AT_RANDOM);
}

TEST_F(peek, memory_that_never_comes)
{
	int fd = uffd_open();

	ASSERT_GE(fd, 0);
	close(fd);
	check_readers(_metadata, &self->liar, UFFD);
}

TEST_HARNESS_MAIN
