// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace_test.c - the tracepoint gmp:gmp_carrier, as tracefs shows it, in an instance of its own.
 */
#include "kmod_harness.h"
#include "tracefs.h"

#define INSTANCE	TRACE_INSTANCE("gmp_trace_test")
#define EVENT		INSTANCE "/events/gmp/gmp_carrier"

FIXTURE(trace)
{
	struct dev d;
	pid_t pid;
};

FIXTURE_SETUP(trace)
{
	ASSERT_EQ(0, make_instance(INSTANCE));
	self->pid = getpid();
	ASSERT_EQ(0, dev_attach(&self->d, 16, 4));
	ASSERT_EQ(0, dev_register(self->d.fd, 5, 77));
	usleep(1000);
	ASSERT_EQ(0, write_file(EVENT "/enable", "1"));
}

FIXTURE_TEARDOWN(trace)
{
	write_file(EVENT "/enable", "0");
	EXPECT_EQ(0, dev_unregister(self->d.fd));
	dev_unmap(&self->d);
	close(self->d.fd);
	EXPECT_EQ(0, rmdir(INSTANCE));
}

struct event {
	pid_t tgid, tid;
	unsigned int m;
	int p;
	ull goid, oncpu_ns;
	char why[16];
};

/* All events so far, in the order of each CPU; @n how many. */
static struct event *events(int *n)
{
	static const char fmt[] = "gmp_carrier: tgid=%d tid=%d m=%u p=%d goid=%llu why=%15s "
				  "oncpu_ns=%llu";
	char *text = read_file(INSTANCE "/trace"), *line, *save = text, *at;
	struct event *e = NULL, *v;

	*n = 0;
	while ((line = strsep(&save, "\n"))) {
		at = strstr(line, "gmp_carrier: ");
		if (line[0] == '#' || !at)
			continue;
		e = realloc(e, (*n + 1) * sizeof(*e));
		v = &e[*n];
		if (sscanf(at, fmt, &v->tgid, &v->tid, &v->m, &v->p, &v->goid, v->why,
			   &v->oncpu_ns) == 7)
			++*n;
	}
	free(text);
	return e;
}

TEST_F(trace, format)
{
	static const char *const fields[] = {
		"field:pid_t tgid;", "field:pid_t tid;", "field:u32 m;", "field:s32 p;",
		"field:u64 goid;", "field:u64 oncpu_ns;", "field:u32 why;",
	};
	char *text = read_file(EVENT "/format"), *at = text;
	unsigned int i;

	ASSERT_NE(NULL, text);
	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		at = strstr(at, fields[i]);
		ASSERT_NE(NULL, at);
	}
	free(text);
}

TEST_F(trace, a_sleep_is_an_event)
{
	struct gmp_m_kern a, b;
	struct event *e;
	ull sum = 0;
	int i, n, blocked = 0;

	carry(&self->d.u[5], 4711, 2);
	a = read_kern(&self->d.k[5]);
	for (i = 0; i < 40; i++) {
		spin_ms(1);
		usleep(3000);
	}
	b = read_kern(&self->d.k[5]);
	carry(&self->d.u[5], 0, -1);
	e = events(&n);
	for (i = 0; i < n; i++) {
		EXPECT_EQ(self->pid, e[i].tgid);
		EXPECT_EQ(gettid_(), e[i].tid);
		EXPECT_EQ(77, e[i].m);
		EXPECT_EQ(2, e[i].p);
		EXPECT_EQ(4711, e[i].goid);
		blocked += !strcmp(e[i].why, "blocked");
		sum += e[i].oncpu_ns;
	}
	EXPECT_EQ((int)(b.blocked - a.blocked), blocked);
	/* an emulated guest that stands still may find its timer expired before it sleeps */
	EXPECT_LE(blocked, 40);
	EXPECT_GE(blocked, 20);
	EXPECT_EQ((int)(b.carried - a.carried), n);
	EXPECT_EQ(b.carried_ns - a.carried_ns, sum);
	EXPECT_EQ(b.oncpu_ns - a.oncpu_ns, sum);
	EXPECT_GE(sum, 40 * 900000ull);
	TH_LOG("%d events, %llu ns; on-CPU by the kernel's own books: %llu ns", n, sum,
	       (ull)(b.oncpu_ns - a.oncpu_ns));
	free(e);
}

TEST_F(trace, nothing_without_a_goroutine)
{
	int i, n;

	carry(&self->d.u[5], 0, 1);
	for (i = 0; i < 20; i++)
		usleep(200);
	free(events(&n));
	EXPECT_EQ(0, n);
}

TEST_F(trace, nothing_when_disabled)
{
	int i, n;

	ASSERT_EQ(0, write_file(EVENT "/enable", "0"));
	carry(&self->d.u[5], 9, 1);
	/* counted all the same; a sleep may be over before it began */
	for (i = 0; i < 2000 && read_kern(&self->d.k[5]).carried < 20; i++)
		usleep(1000);
	free(events(&n));
	EXPECT_EQ(0, n);
	EXPECT_GE(read_kern(&self->d.k[5]).carried, 20);
}

static volatile bool stop_spinning;

static void *spin_on_cpu0(void *arg)
{
	cpu_set_t one;

	(void)arg;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
	while (!stop_spinning)
		;
	return NULL;
}

TEST_F(trace, preempted)
{
	const volatile struct gmp_m_kern *k = &self->d.k[5];
	int i, n, preempted = 0;
	struct event *e;
	pthread_t t;
	cpu_set_t one, old;
	uint64_t before;

	pthread_getaffinity_np(pthread_self(), sizeof(old), &old);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	pthread_create(&t, NULL, spin_on_cpu0, NULL);
	pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
	carry(&self->d.u[5], 12, 0);
	before = k->preempted;
	for (i = 0; i < 200 && k->preempted - before < 8; i++)	/* in a slow guest turns are long */
		spin_ms(100);
	carry(&self->d.u[5], 0, -1);
	stop_spinning = true;
	pthread_join(t, NULL);
	pthread_setaffinity_np(pthread_self(), sizeof(old), &old);
	e = events(&n);
	for (i = 0; i < n; i++)
		preempted += !strcmp(e[i].why, "preempted");
	EXPECT_GE(preempted, 5);
	free(e);
}

static void *carry_and_exit(void *arg)
{
	struct dev *d = arg;

	if (!dev_register(d->fd, 6, 78))
		carry(&d->u[6], 99, 3);
	return NULL;
}

TEST_F(trace, dead)
{
	struct event *e = NULL;
	pthread_t t;
	int i, n, dead = 0;

	pthread_create(&t, NULL, carry_and_exit, &self->d);
	pthread_join(t, NULL);
	ASSERT_TRUE(WAIT_FOR(status_value(self->pid, "Ms") == 1));
	e = events(&n);
	for (i = 0; i < n; i++)
		dead += e[i].goid == 99 && e[i].m == 78 && !strcmp(e[i].why, "dead");
	EXPECT_EQ(1, dead);
	free(e);
}

static int exec_as_m(void *arg)
{
	struct dev d;

	(void)arg;
	if (dev_attach(&d, 4, 1) || dev_register(d.fd, 2, 44))
		return 1;
	execl("/bin/true", "true", NULL);
	return 2;
}

/* The thread lives on, but is no M of the program it runs now. */
TEST_F(trace, detach_by_exec)
{
	char expect[128], *text;
	pid_t pid;

	ASSERT_EQ(0, write_file(INSTANCE "/events/gmp/gmp_m_detach/enable", "1"));
	pid = start_child(exec_as_m, NULL);
	EXPECT_EQ(0, end_child(pid));
	ASSERT_EQ(0, write_file(INSTANCE "/events/gmp/gmp_m_detach/enable", "0"));
	snprintf(expect, sizeof(expect), "gmp_m_detach: tgid=%d tid=%d m=44 slot=2 why=exec ", pid, pid);
	text = read_file(INSTANCE "/trace");
	ASSERT_NE(NULL, text);
	EXPECT_NE(NULL, strstr(text, expect));
	free(text);
}

/* Untouched by the process: garbage is passed on as it is, and nothing else happens. */
TEST_F(trace, garbage)
{
	struct event *e;
	int i, n;

	memset(&self->d.u[5], 0xff, sizeof(self->d.u[5]));
	for (i = 0; i < 2000 && !read_kern(&self->d.k[5]).carried; i++)
		usleep(1000);
	self->d.u[5].goid = 0;
	e = events(&n);
	ASSERT_GE(n, 1);
	EXPECT_EQ(~0ull, e[0].goid);
	EXPECT_EQ(-1, e[0].p);
	EXPECT_EQ(77, e[0].m);
	free(e);
}

TEST_HARNESS_MAIN
