// SPDX-License-Identifier: GPL-2.0-only
/*
 * limits_test.c - what all processes and one user may have; that it is given back whichever way a
 * process goes; that it is charged to its memory control group.
 *
 * Every test begins and ends with /proc/gmp/stat saying that nobody is there.
 */
#include "kmod_harness.h"
#include "uffd.h"
#include <sys/prctl.h>

#define SOMEBODY	65533	/* another user than NOBODY */
#define EXEC_IMAGE	"GMP_LIMITS_IMAGE"

static bool all_gone(void)
{
	return WAIT_FOR(!stat_value("processes") && !stat_value("ms") && !stat_value("bytes"));
}

/* Sets a parameter, and what it was when the test ends, however it ends. */
struct knob {
	const char *name;
	char was[32];
};

FIXTURE(limits)
{
	struct knob knob[4];
	int n;
};

FIXTURE_SETUP(limits)
{
	self->n = 0;
	ASSERT_TRUE(all_gone());
}

FIXTURE_TEARDOWN(limits)
{
	while (self->n--)
		EXPECT_EQ(0, write_param(self->knob[self->n].name, self->knob[self->n].was));
	EXPECT_TRUE(all_gone());
}

static int set(FIXTURE_DATA(limits) *self, const char *name, const char *value)
{
	struct knob *k = &self->knob[self->n];
	char path[128], *was;

	snprintf(path, sizeof(path), "/sys/module/gmp/parameters/%s", name);
	was = read_file(path);
	if (!was)
		return -errno;
	k->name = name;
	snprintf(k->was, sizeof(k->was), "%s", was);
	free(was);
	self->n++;
	return write_param(name, value);
}

/* ---- members of a crowd --------------------------------------------------------------------- */

struct member {
	uid_t uid;		/* 0: stays root */
	unsigned int nr_m;
	int threads;		/* to register, itself included */
	int answer[2], go[2];
};

/* A thread that registers itself when it may, and stays. */
struct hand {
	int fd, slot;
	int *may;		/* atomic */
	int err;		/* atomic; 1: not yet */
};

static void *hand_main(void *arg)
{
	struct hand *h = arg;
	int err;

	while (!__atomic_load_n(h->may, __ATOMIC_ACQUIRE))
		sleep_ms(1);
	err = dev_register(h->fd, h->slot, h->slot);
	__atomic_store_n(&h->err, err, __ATOMIC_RELEASE);
	while (!err)
		pause();
	return NULL;
}

static struct hand *hand_start(int fd, int slot, int *may)
{
	struct hand *h = malloc(sizeof(*h));
	pthread_t t;

	*h = (struct hand) { .fd = fd, .slot = slot, .may = may, .err = 1 };
	if (pthread_create(&t, NULL, hand_main, h))
		h->err = -ENOMEM;
	return h;
}

/* What it was told. */
static int hand_wait(struct hand *h)
{
	int err;

	while ((err = __atomic_load_n(&h->err, __ATOMIC_ACQUIRE)) == 1)
		sleep_ms(1);
	return err;
}

/* The errno of the first thing that is refused. */
static char member_attach(struct member *m)
{
	struct dev d = { .fd = dev_open() };
	int i, err = dev_attach_fd(d.fd, &d.a, m->nr_m, 1), may = 1;

	for (i = 1; i < m->threads && !err; i++)
		err = hand_wait(hand_start(d.fd, i, &may));
	if (!err && m->threads)
		err = dev_register(d.fd, 0, 0);
	return -err;
}

/* Attaches, says what came of it, stays until told to go. */
static int member_main(void *arg)
{
	struct member *m = arg;
	char answer;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (m->uid && become_user(m->uid))
		return 1;
	answer = member_attach(m);
	if (write(m->answer[1], &answer, 1) != 1)
		return 2;
	hear(m->go[0]);
	return 0;
}

/* What the new member said; -1 if it said nothing. */
static int member_start(struct member *m, pid_t *pid)
{
	char answer;

	if (!m->answer[1] && (pipe(m->answer) || pipe(m->go)))
		return -1;
	*pid = start_child(member_main, m);
	return read(m->answer[0], &answer, 1) == 1 ? answer : -1;
}

/* How many of @n such processes are let in; all the others must be told EAGAIN. */
static int crowd(struct member m, int n)
{
	pid_t pid[512];
	int i, answer, ok = 0;

	for (i = 0; i < n; i++) {
		answer = member_start(&m, &pid[i]);
		ok += !answer;
		if (answer && answer != EAGAIN)
			ok = -1000;
	}
	for (i = 0; i < n; i++)
		tell(m.go[1]);
	for (i = 0; i < n; i++)
		end_child(pid[i]);
	return all_gone() ? ok : -2000;
}

static long bytes_of(unsigned int nr_m)
{
	struct gmp_attach a;
	int fd = dev_open();

	if (dev_attach_fd(fd, &a, nr_m, 1))
		return -1;
	close(fd);
	return a.user_len + a.kern_len;
}

/* ---- processes ------------------------------------------------------------------------------ */

static const struct member nobody = { .uid = NOBODY, .nr_m = 1 };
static const struct member somebody = { .uid = SOMEBODY, .nr_m = 1 };
static const struct member root = { .nr_m = 1 };

TEST_F(limits, processes_of_a_user)
{
	ASSERT_EQ(0, set(self, "max_user_processes", "3"));
	EXPECT_EQ(3, crowd(nobody, 5));
	EXPECT_EQ(5, crowd(root, 5));	/* is exempt */
	ASSERT_EQ(0, write_param("max_user_processes", "128"));
	EXPECT_EQ(5, crowd(nobody, 5));
}

TEST_F(limits, processes_in_all)
{
	ASSERT_EQ(0, set(self, "max_processes", "2"));
	EXPECT_EQ(2, crowd(root, 4));
	EXPECT_EQ(2, crowd(nobody, 4));
}

/* Each may leave a work item that waits for a reader: no more of them than run at a time. */
TEST_F(limits, processes_at_most)
{
	if (is_slow_kernel())
		SKIP(return, "500 processes, in emulation");
	ASSERT_EQ(0, set(self, "max_processes", "4294967295"));
	EXPECT_EQ(500, crowd(root, 502));
}

/* What one has does not count for the other; what both have counts in all. */
TEST_F(limits, two_users)
{
	struct member a = nobody, b = somebody;
	pid_t pid[5];
	int i;

	ASSERT_EQ(0, set(self, "max_user_processes", "2"));
	ASSERT_EQ(0, set(self, "max_processes", "3"));
	EXPECT_EQ(0, member_start(&a, &pid[0]));
	EXPECT_EQ(0, member_start(&a, &pid[1]));
	EXPECT_EQ(EAGAIN, member_start(&a, &pid[2]));	/* his own limit */
	EXPECT_EQ(0, member_start(&b, &pid[3]));
	EXPECT_EQ(EAGAIN, member_start(&b, &pid[4]));	/* that of all */
	EXPECT_EQ(3, stat_value("processes"));
	for (i = 0; i < 3; i++)
		tell(a.go[1]);
	for (i = 0; i < 2; i++)
		tell(b.go[1]);
	for (i = 0; i < 5; i++)
		EXPECT_EQ(0, end_child(pid[i]));
}

/* ---- users within a user namespace ----------------------------------------------------------- */

/* A user namespace with ids of its own; in it a process for each of them attaches. */
struct space {
	uid_t owner;
	const char *map;	/* of the ids 1 to 4, and perhaps of 0 */
	int made[2], mapped[2], said[2], go[2];
};

/* Its real user id is one that no other member has. */
static int inner_main(const struct space *s, int id)
{
	struct gmp_attach a;
	char answer;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	answer = setresuid(id, id, id) ? 127 : -dev_attach_fd(dev_open(), &a, 1, 1);
	if (write(s->said[1], &answer, 1) != 1)
		return 1;
	hear(s->go[0]);
	return 0;
}

static int space_main(void *arg)
{
	struct space *s = arg;
	pid_t pid[4];
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if ((s->owner && become_user(s->owner)) || unshare(CLONE_NEWUSER))
		return 1;
	tell(s->made[1]);
	hear(s->mapped[0]);
	if (*s->map == '0' && setresuid(0, 0, 0))
		return 2;
	for (i = 0; i < 4; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(inner_main(s, i + 1));
	}
	for (i = 0; i < 4; i++)
		end_child(pid[i]);
	return 0;
}

/* Root maps the ids, as newuidmap does for those who may have them. */
static bool space_start(struct space *s, pid_t *pid)
{
	char path[64];

	if (pipe(s->made) || pipe(s->mapped) || pipe(s->said) || pipe(s->go))
		return false;
	*pid = start_child(space_main, s);
	close(s->made[1]);
	if (!hear(s->made[0]))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/uid_map", *pid);
	if (write_file(path, s->map))
		return false;
	tell(s->mapped[1]);
	return true;
}

/* How many of the four were let in; all the others must have been told EAGAIN. */
static int space_let_in(const struct space *s)
{
	char answer;
	int i, ok = 0;

	for (i = 0; i < 4; i++) {
		if (read(s->said[0], &answer, 1) != 1 || (answer && answer != EAGAIN))
			return -1;
		ok += !answer;
	}
	return ok;
}

static void space_end(const struct space *s, pid_t pid)
{
	int i;

	for (i = 0; i < 4; i++)
		tell(s->go[1]);
	end_child(pid);
}

/* Ids that a user has in his namespace count as he does. */
TEST_F(limits, subordinate_ids_of_a_user)
{
	struct space s = { .owner = NOBODY, .map = "0 100000 10" };
	struct member m = nobody, other = somebody;
	pid_t space, pid[2];

	ASSERT_EQ(0, set(self, "max_user_processes", "2"));
	if (!space_start(&s, &space))
		SKIP(return, "no user namespaces here");
	EXPECT_EQ(2, space_let_in(&s));
	EXPECT_EQ(EAGAIN, member_start(&m, &pid[0]));
	EXPECT_EQ(0, member_start(&other, &pid[1]));
	space_end(&s, space);
	tell(m.go[1]);
	tell(other.go[1]);
	end_child(pid[0]);
	end_child(pid[1]);
}

/* A namespace that root made is its root's: one user, whoever has what ids elsewhere. */
TEST_F(limits, ids_of_a_container)
{
	struct space s[2] = { { .map = "0 100000 10" }, { .map = "0 200000 10" } };
	pid_t space[2];
	int i;

	ASSERT_EQ(0, set(self, "max_user_processes", "2"));
	for (i = 0; i < 2; i++) {
		if (!space_start(&s[i], &space[i]))
			SKIP(return, "no user namespaces here");
		EXPECT_EQ(2, space_let_in(&s[i]));
	}
	EXPECT_EQ(4, stat_value("processes"));
	for (i = 0; i < 2; i++)
		space_end(&s[i], space[i]);
}

/* One without a root, as a set-uid sandbox makes it, and however many of them: its ids are whose they are. */
TEST_F(limits, ids_of_a_sandbox)
{
	static const int let_in[] = { 4, 4, 0 };
	struct space s[3];
	pid_t space[3];
	int i;

	ASSERT_EQ(0, set(self, "max_user_processes", "2"));
	for (i = 0; i < 3; i++) {
		s[i] = (struct space) { .map = "1 100000 4" };
		if (!space_start(&s[i], &space[i]))
			SKIP(return, "no user namespaces here");
		EXPECT_EQ(let_in[i], space_let_in(&s[i]));
	}
	EXPECT_EQ(8, stat_value("processes"));
	for (i = 0; i < 3; i++)
		space_end(&s[i], space[i]);
}

/* Attaches; when its directory is being read attaches anew, in place of what is left there. Its answers. */
static int twice_main(void *arg)
{
	struct member *m = arg;
	char answer;
	int i, fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (become_user(m->uid))
		return 1;
	for (i = 0; i < 2; i++) {
		struct dev d = { .fd = fd = dev_open() };

		answer = -dev_attach_fd(fd, &d.a, m->nr_m, 1);
		if (write(m->answer[1], &answer, 1) != 1)
			return 2;
		hear(m->go[0]);
		close(fd);
	}
	return 0;
}

static int next_answer(struct member *m)
{
	char answer;

	return read(m->answer[0], &answer, 1) == 1 ? answer : -1;
}

/*
 * A process that has gone, but whose directory is being read, has its user's place until that is over,
 * also when another group has its number: work items wait for these readers, and there are not so many.
 */
TEST_F(limits, a_reader_that_stays)
{
	struct member m = nobody;
	struct stuck s[2] = { { .uffd = uffd_open() }, { .uffd = uffd_open() } };
	pid_t pid[3];
	int i;

	ASSERT_EQ(0, set(self, "max_user_processes", "2"));
	ASSERT_EQ(0, pipe(m.answer));
	ASSERT_EQ(0, pipe(m.go));
	for (i = 0; i < 2; i++) {
		pid[i] = start_child(twice_main, &m);
		ASSERT_EQ(0, next_answer(&m));
		ASSERT_TRUE(get_stuck(&s[i], pid[i], "status"));
		tell(m.go[1]);
		EXPECT_EQ(i ? EAGAIN : 0, next_answer(&m));
		tell(m.go[1]);
		end_child(pid[i]);
	}
	EXPECT_EQ(2, stat_value("processes"));
	pid[2] = start_child(twice_main, &m);
	EXPECT_EQ(EAGAIN, next_answer(&m));
	EXPECT_TRUE(get_loose(&s[0]));
	EXPECT_TRUE(get_loose(&s[1]));
	EXPECT_TRUE(all_gone());
	tell(m.go[1]);
	EXPECT_EQ(0, next_answer(&m));
	tell(m.go[1]);
	end_child(pid[2]);
}

/* ---- threads -------------------------------------------------------------------------------- */

TEST_F(limits, threads_of_a_user)
{
	struct member m = { .uid = NOBODY, .nr_m = 8, .threads = 4 };

	ASSERT_EQ(0, set(self, "max_user_threads", "4"));
	EXPECT_EQ(1, crowd(m, 2));
	m.threads = 5;
	EXPECT_EQ(0, crowd(m, 1));
	m.uid = 0;
	EXPECT_EQ(1, crowd(m, 1));	/* is exempt */
}

TEST_F(limits, threads_in_all)
{
	struct member m = { .nr_m = 8, .threads = 5 };

	ASSERT_EQ(0, set(self, "max_threads", "5"));
	EXPECT_EQ(1, crowd(m, 2));
	ASSERT_EQ(0, write_param("max_threads", "4"));
	EXPECT_EQ(0, crowd(m, 1));
}

/* ---- bytes ---------------------------------------------------------------------------------- */

TEST_F(limits, bytes)
{
	struct member m = { .uid = NOBODY, .nr_m = 1000 };
	long bytes = bytes_of(m.nr_m);
	char text[32];

	ASSERT_GT(bytes, 1000 * (long)(sizeof(struct gmp_m_user) + sizeof(struct gmp_m_kern)));
	ASSERT_TRUE(all_gone());
	snprintf(text, sizeof(text), "%ld", 2 * bytes / 1024);
	ASSERT_EQ(0, set(self, "max_user_kbytes", text));
	EXPECT_EQ(2, crowd(m, 3));
	m.uid = 0;
	EXPECT_EQ(3, crowd(m, 3));	/* is exempt */
	ASSERT_EQ(0, set(self, "max_kbytes", text));
	EXPECT_EQ(2, crowd(m, 3));
	m.nr_m = 2500;
	EXPECT_EQ(0, crowd(m, 1));
}

TEST_F(limits, bytes_are_shown)
{
	long bytes = bytes_of(100);
	struct gmp_attach a;
	int fd = dev_open();

	ASSERT_TRUE(all_gone());
	ASSERT_EQ(0, dev_attach_fd(fd, &a, 100, 1));
	EXPECT_EQ(bytes, stat_value("bytes"));
	close(fd);
}

/* ---- nothing at all ------------------------------------------------------------------------- */

static int knob_at_zero(FIXTURE_DATA(limits) *self, const char *name, const struct member *m)
{
	struct member copy = *m;
	pid_t pid;
	int answer;

	if (set(self, name, "0"))
		return -1;
	answer = member_start(&copy, &pid);
	tell(copy.go[1]);
	end_child(pid);
	return answer;
}

TEST_F(limits, none_at_all)
{
	static const struct member m = { .uid = NOBODY, .nr_m = 1, .threads = 1 };
	static const char *const names[] = {
		"max_processes", "max_user_processes", "max_threads", "max_user_threads",
		"max_kbytes", "max_user_kbytes",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		EXPECT_EQ(EAGAIN, knob_at_zero(self, names[i], &m));
		self->n--;
		EXPECT_EQ(0, write_param(names[i], self->knob[0].was));
	}
	EXPECT_EQ(EINVAL, knob_at_zero(self, "max_slots", &m));
}

TEST_F(limits, slots)
{
	struct gmp_attach a;
	int fd = dev_open();

	ASSERT_EQ(0, set(self, "max_slots", "8"));
	EXPECT_EQ(-EINVAL, dev_attach_fd(fd, &a, 9, 1));
	/* no more than GMP_MAX_M all the same */
	ASSERT_EQ(0, write_param("max_slots", "20000"));
	EXPECT_EQ(-EINVAL, dev_attach_fd(fd, &a, GMP_MAX_M + 1, 1));
	ASSERT_EQ(0, write_param("max_slots", "8"));
	EXPECT_EQ(0, dev_attach_fd(fd, &a, 8, 1));
	close(fd);
}

/* ---- whichever way they go ------------------------------------------------------------------ */

/* A user at each of his limits: the next one is let in only when all of it was given back. */
static int at_the_limit(FIXTURE_DATA(limits) *self, struct member *m)
{
	char text[32];

	*m = (struct member) { .uid = NOBODY, .nr_m = 300, .threads = 3 };
	snprintf(text, sizeof(text), "%ld", bytes_of(m->nr_m) / 1024);
	return !all_gone() || set(self, "max_user_processes", "1") ||
	       set(self, "max_user_threads", "3") || set(self, "max_user_kbytes", text);
}

#define GOES(m, pid, how)							\
do {										\
	int i_;									\
	for (i_ = 0; i_ < 5; i_++) {						\
		pid_t other_;							\
		ASSERT_EQ(0, member_start(&(m), &(pid)));			\
		EXPECT_EQ(EAGAIN, member_start(&(m), &other_));			\
		kill(other_, SIGKILL);						\
		end_child(other_);						\
		how;								\
		EXPECT_TRUE(all_gone());					\
	}									\
} while (0)

TEST_F(limits, given_back_by_exit)
{
	struct member m;
	pid_t pid;

	ASSERT_EQ(0, at_the_limit(self, &m));
	GOES(m, pid, { tell(m.go[1]); EXPECT_EQ(0, end_child(pid)); });
}

TEST_F(limits, given_back_by_kill_9)
{
	struct member m;
	pid_t pid;

	ASSERT_EQ(0, at_the_limit(self, &m));
	GOES(m, pid, { kill(pid, SIGKILL); EXPECT_EQ(256 + SIGKILL, end_child(pid)); });
}

/* The program after exec is one that attaches, too: it is let in at once or soon. */
static int exec_main(void *arg)
{
	struct member *m = arg;
	char answer;

	if (become_user(m->uid) || member_attach(m))
		return 1;
	answer = 0;
	if (write(m->answer[1], &answer, 1) != 1)
		return 2;
	hear(m->go[0]);
	setenv(EXEC_IMAGE, "1", 1);
	execl("/proc/self/exe", "limits_test", NULL);
	return 3;
}

static void __attribute__((constructor)) exec_image(void)
{
	struct member m = { .nr_m = 300, .threads = 3 };

	if (!getenv(EXEC_IMAGE))
		return;
	_exit(WAIT_FOR(!member_attach(&m)) ? 0 : 4);
}

TEST_F(limits, given_back_by_exec)
{
	struct member m;
	pid_t pid;
	char answer;
	int i;

	ASSERT_EQ(0, at_the_limit(self, &m));
	for (i = 0; i < 5; i++) {
		ASSERT_FALSE(m.answer[1] == 0 && (pipe(m.answer) || pipe(m.go)));
		pid = start_child(exec_main, &m);
		ASSERT_EQ(1, read(m.answer[0], &answer, 1));
		EXPECT_EQ(1, stat_value("processes"));
		tell(m.go[1]);
		EXPECT_EQ(0, end_child(pid));
		EXPECT_TRUE(all_gone());
	}
}

/* A child has the descriptor and maybe the mappings, but is no M and no process of ours. */
static int fork_main(void *arg)
{
	struct member *m = arg;
	int looked[2];
	char answer;
	pid_t pid;

	if (become_user(m->uid) || pipe(looked))
		return 1;
	answer = member_attach(m);
	pid = fork();
	if (!pid) {
		answer = stat_value("processes") == 1 && stat_value("ms") == m->threads ? 0 : 1;
		tell(looked[1]);
		if (write(m->answer[1], &answer, 1) == 1)
			hear(m->go[0]);
		_exit(0);
	}
	hear(looked[0]);
	return answer;
}

TEST_F(limits, given_back_by_fork)
{
	struct member m, next;
	char answer;
	pid_t pid, late;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, at_the_limit(self, &m));
	ASSERT_FALSE(pipe(m.answer) || pipe(m.go));
	pid = start_child(fork_main, &m);
	ASSERT_EQ(1, read(m.answer[0], &answer, 1));
	EXPECT_EQ(0, answer);
	EXPECT_EQ(0, end_child(pid));
	/* the process has gone, and its threads; the memory is there as long as the file is open */
	EXPECT_TRUE(WAIT_FOR(!stat_value("processes") && !stat_value("ms")));
	EXPECT_GT(stat_value("bytes"), 0);
	next = m;
	EXPECT_EQ(EAGAIN, member_start(&next, &late));
	kill(late, SIGKILL);
	end_child(late);
	tell(m.go[1]);
	EXPECT_TRUE(all_gone());
	while (waitpid(-1, NULL, 0) > 0)
		;
	EXPECT_EQ(0, member_start(&next, &late));
	kill(late, SIGKILL);
	end_child(late);
}

/* ---- the memory control group --------------------------------------------------------------- */

#define CGROUP	"/sys/fs/cgroup/gmp_limits"

static long long charged(void)
{
	char *text = read_file(CGROUP "/memory.current");
	long long n = text ? strtoll(text, NULL, 10) : -1;

	free(text);
	return n;
}

static long long kernel_part(void)
{
	return file_value(CGROUP "/memory.stat", "kernel", ' ');
}

#define CHARGED_MS	150

/* Threads become Ms, in slots that share no page; returns what each of them is charged with, or -1. */
static long long charge_of_ms(struct dev *d)
{
	struct hand *hands[CHARGED_MS];
	long long before;
	int i, may = 0;

	for (i = 0; i < CHARGED_MS; i++)
		hands[i] = hand_start(d->fd, i * 64, &may);
	sleep_ms(2500);		/* the kernel adds up every two seconds */
	before = kernel_part();
	__atomic_store_n(&may, 1, __ATOMIC_RELEASE);
	for (i = 0; i < CHARGED_MS; i++)
		if (hand_wait(hands[i]))
			return -1;
	WAIT_FOR(kernel_part() - before >= CHARGED_MS * 2 * 4096);
	return (kernel_part() - before) / CHARGED_MS;
}

static int charged_child(void *arg)
{
	long long each, touched, all;
	volatile const char *at;
	struct dev d;

	(void)arg;
	if (write_file(CGROUP "/cgroup.procs", "0") || dev_attach(&d, GMP_MAX_M, 1024))
		return 1;
	each = charge_of_ms(&d);
	/* the pages that nobody used are charged when they are touched */
	touched = charged();
	for (at = (char *)d.k; at < (char *)d.k + d.a.kern_len; at += 4096)
		(void)*at;
	touched = charged() - touched;
	/* but for the Ms' own, and what each CPU had charged in advance: up to 64 pages */
	all = d.a.kern_len - (CHARGED_MS + 64 * sysconf(_SC_NPROCESSORS_ONLN)) * 4096ll;
	ksft_print_msg("charged: %lld B for each M; %lld B when all was touched, of at least %lld\n",
		       each, touched, all);
	fflush(stdout);
	/* two pages and a worker each */
	return each < 2 * 4096 || each > 4 * 4096 ? 2 : touched < all ? 3 : 0;
}

TEST_F(limits, memory_is_charged)
{
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	ASSERT_FALSE(mkdir(CGROUP, 0755) && errno != EEXIST);
	EXPECT_EQ(0, run_child(charged_child, NULL));
	EXPECT_TRUE(all_gone());
	EXPECT_TRUE(WAIT_FOR(charged() < 1000000));	/* what is left are caches */
	EXPECT_TRUE(WAIT_FOR(!rmdir(CGROUP)));
}

TEST_HARNESS_MAIN
