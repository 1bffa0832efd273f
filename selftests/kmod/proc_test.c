// SPDX-License-Identifier: GPL-2.0-only
/*
 * proc_test.c - /proc/gmp says what Documentation/ABI/testing/procfs-gmp says it does, what it says
 * is true, and it says it only to those who may know.
 */
#include "kmod_harness.h"
#include "uffd.h"
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#define OTHER_USER	65533

FIXTURE(proc)
{
	struct dev d;
	pid_t pid;
	char status[64], tasks[64];
};

FIXTURE_SETUP(proc)
{
	self->pid = getpid();
	ASSERT_TRUE(WAIT_FOR(stat_value("ms") == 0));
	ASSERT_EQ(0, dev_attach(&self->d, 1024, 8));
	proc_path(self->status, sizeof(self->status), self->pid, "status");
	proc_path(self->tasks, sizeof(self->tasks), self->pid, "tasks");
}

FIXTURE_TEARDOWN(proc)
{
	dev_unmap(&self->d);
	close(self->d.fd);
}

/* ---- what the kernel says by other ways ---------------------------------------------------- */

struct schedstat {
	ull oncpu, runq;
};

static struct schedstat schedstat_of(pid_t pid, pid_t tid)
{
	struct schedstat s = { 0, 0 };
	char path[64], *text;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	text = read_file(path);
	if (!text || sscanf(text, "%llu %llu", &s.oncpu, &s.runq) != 2)
		s.oncpu = s.runq = -1;
	free(text);
	return s;
}

static long long ctxt_switches(pid_t tid, bool voluntary)
{
	const char *name = voluntary ? "voluntary_ctxt_switches" : "nonvoluntary_ctxt_switches";
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	return file_value(path, name, ':');
}

/* ---- formats ------------------------------------------------------------------------------- */

TEST_F(proc, version)
{
	char *text = read_file("/proc/gmp/version"), version[32], end;
	int abi;

	ASSERT_NE(NULL, text);
	ASSERT_EQ(3, sscanf(text, "gmp %31s abi %d%c", version, &abi, &end));
	EXPECT_EQ('\n', end);
	EXPECT_EQ(GMP_ABI_VERSION, abi);
	EXPECT_NE(NULL, strchr(version, '.'));
	free(text);
}

/* Every line of a text is one of the names, in this order, with a number behind the separator. */
static int check_names(char *text, const char *const *names, int n, char sep)
{
	char *line, *save = text, *end;
	int i;

	for (i = 0; i < n && (line = strsep(&save, "\n")); i++) {
		size_t len = strlen(names[i]);

		if (strncmp(line, names[i], len) || line[len] != sep)
			return i + 1;
		if (sep == ':' && line[++len] != '\t')
			return i + 1;
		strtoull(line + len + 1, &end, 10);
		if (strcmp(names[i], "Name") && (*end || end == line + len + 1))
			return i + 1;
	}
	return i == n ? 0 : -1;
}

TEST_F(proc, stat_format)
{
	static const char *const names[] = {
		"version", "processes", "ms", "attaches_total", "m_registers_total", "oncpu_ns",
		"runq_ns", "blocked_ns", "blocked", "preempted", "stopped", "woken", "carried",
		"carried_ns",
#define CAUSE_NAMES(e, text) "blocked_" text, "blocked_" text "_ns",
		GMP_CAUSES(CAUSE_NAMES)
#undef CAUSE_NAMES
		"bytes", "p_blocked", "p_woken", "p_lost",
	};
	char *text = read_file("/proc/gmp/stat");

	ASSERT_NE(NULL, text);
	EXPECT_EQ(0, check_names(text, names, ARRAY_SIZE(names), ' '));
	EXPECT_EQ(1, stat_value("version"));
	EXPECT_EQ(1, stat_value("processes"));
	EXPECT_EQ(0, stat_value("ms"));
	free(text);
}

TEST_F(proc, status_format)
{
	static const char *const names[] = {
		"Version", "Name", "Tgid", "Uid", "AttachedNs", "AgeNs", "Slots", "Ms", "MsTotal",
		"Ps", "PsIdle", "PsRunning", "PsSyscall", "PsGcstop", "PsDead", "OnCpuNs", "RunqNs",
		"BlockedNs", "Blocked", "Preempted", "Stopped", "Woken", "Carried", "CarriedNs",
		"Switches", "GoroutineNs", "SchedulerNs", "PBlocked", "PWoken", "PLost",
	};
	char *text = read_file(self->status);
	long long attached, age;

	ASSERT_NE(NULL, text);
	EXPECT_NE(NULL, strstr(text, "\nName:\tproc_test\n"));
	EXPECT_EQ(0, check_names(text, names, ARRAY_SIZE(names), ':'));
	EXPECT_EQ(1, status_value(self->pid, "Version"));
	EXPECT_EQ(self->pid, status_value(self->pid, "Tgid"));
	EXPECT_EQ(0, status_value(self->pid, "Uid"));
	EXPECT_EQ(1024, status_value(self->pid, "Slots"));
	EXPECT_EQ(0, status_value(self->pid, "Ps"));
	EXPECT_EQ(0, status_value(self->pid, "PsIdle"));
	attached = status_value(self->pid, "AttachedNs");
	age = status_value(self->pid, "AgeNs");
	EXPECT_LT(now_ns() - attached, 60000000000ull);
	EXPECT_LE(age, (long long)(now_ns() - attached));
	free(text);
}

TEST_F(proc, status_name_is_escaped)
{
	char *text;

	ASSERT_EQ(0, prctl(PR_SET_NAME, "a b\nPs:\t\\7", 0, 0, 0));
	text = read_file(self->status);
	ASSERT_NE(NULL, text);
	EXPECT_NE(NULL, strstr(text, "\nName:\ta b\\nPs:\t\\\\7\nTgid:"));
	free(text);
}

TEST_F(proc, tasks_format)
{
	static const char *const names[] = {
		"tid", "m", "p", "goid", "gstatus", "mstate", "state", "cpu", "oncpu_ns", "runq_ns",
		"blocked_ns", "blocked", "preempted", "stopped", "woken", "carried", "carried_ns",
		"switches", "last_goid", "last_why", "state_ns", "attached_ns", "base_oncpu_ns",
		"base_runq_ns", "slot", "goroutine_ns", "scheduler_ns", "p_blocked", "p_woken", "p_lost",
	};
	char *field[MAX_COLUMNS], *row;
	struct table t;
	unsigned int i;

	ASSERT_EQ(0, dev_register(self->d.fd, 12, 34));
	ASSERT_EQ(0, table_read(&t, self->tasks));
	ASSERT_EQ((int)ARRAY_SIZE(names), t.columns);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		EXPECT_STREQ(names[i], t.name[i]);
	ASSERT_EQ(1, t.rows);
	EXPECT_EQ(12, table_value(&t, 0, "slot"));
	EXPECT_EQ(34, table_value(&t, 0, "m"));
	EXPECT_EQ(self->pid, table_value(&t, 0, "tid"));
	EXPECT_EQ(0, table_value(&t, 0, "p"));
	row = strdup(t.row[0]);
	EXPECT_EQ(t.columns, split(row, field, MAX_COLUMNS));
	free(row);
	table_free(&t);

	ASSERT_EQ(0, table_read(&t, "/proc/gmp/tasks"));
	ASSERT_EQ((int)ARRAY_SIZE(names) + 1, t.columns);
	EXPECT_STREQ("tgid", t.name[0]);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		EXPECT_STREQ(names[i], t.name[i + 1]);
	ASSERT_EQ(1, t.rows);
	EXPECT_EQ(self->pid, table_value(&t, 0, "tgid"));
	table_free(&t);
}

TEST_F(proc, what_user_space_says)
{
	struct gmp_m_user *u = &self->d.u[3];
	pid_t tid = gettid_();
	int i;

	ASSERT_EQ(0, dev_register(self->d.fd, 3, 0));
	EXPECT_TRUE(task_is(self->pid, tid, "gstatus", "-"));
	EXPECT_TRUE(task_is(self->pid, tid, "mstate", "none"));
	carry(u, 123456789012345ull, 6);
	EXPECT_EQ(123456789012345ll, task_value(self->pid, tid, "goid"));
	EXPECT_EQ(6, task_value(self->pid, tid, "p"));
	EXPECT_EQ(1, task_value(self->pid, tid, "switches"));
	EXPECT_TRUE(task_is(self->pid, tid, "gstatus", "running"));
	EXPECT_TRUE(task_is(self->pid, tid, "mstate", "running"));
	u->gstatus = GMP_G_SYSCALL;
	u->mstate = GMP_M_NETPOLL;
	u->p = -1;
	EXPECT_TRUE(task_is(self->pid, tid, "gstatus", "syscall"));
	EXPECT_TRUE(task_is(self->pid, tid, "mstate", "netpoll"));
	EXPECT_EQ(-1, task_value(self->pid, tid, "p"));
	/* lies */
	memset(u, 0xff, sizeof(*u));
	EXPECT_TRUE(task_is(self->pid, tid, "gstatus", "?"));
	EXPECT_TRUE(task_is(self->pid, tid, "mstate", "?"));
	EXPECT_TRUE(task_is(self->pid, tid, "goid", "18446744073709551615"));
	u->gstatus = 5;
	EXPECT_TRUE(task_is(self->pid, tid, "gstatus", "?"));
	for (i = 0; i < 8; i++)
		self->d.p[i].word = GMP_P_WORD(i % 5, 1, 7);
	EXPECT_EQ(2, status_value(self->pid, "PsIdle"));
	EXPECT_EQ(2, status_value(self->pid, "PsRunning"));
	EXPECT_EQ(2, status_value(self->pid, "PsSyscall"));
	EXPECT_EQ(1, status_value(self->pid, "PsGcstop"));
	EXPECT_EQ(1, status_value(self->pid, "PsDead"));
	EXPECT_EQ(7, status_value(self->pid, "Ps"));
	memset(self->d.p, 0xff, 8 * sizeof(*self->d.p));
	EXPECT_EQ(0, status_value(self->pid, "PsIdle"));
	EXPECT_EQ(0, status_value(self->pid, "Ps"));
}

/* ---- numbers ------------------------------------------------------------------------------- */

struct sleeper {
	struct dev *d;
	int slot;
	pid_t tid;
	int ready[2], go[2];
	void (*before)(void);
};

/* Registers, does something, says so, sleeps until told; three times. */
static void *sleep_thread(void *arg)
{
	struct sleeper *s = arg;
	int i;

	s->tid = gettid_();
	if (dev_register(s->d->fd, s->slot, s->slot))
		return NULL;
	for (i = 0; i < 3; i++) {
		if (s->before)
			s->before();
		tell(s->ready[1]);
		hear(s->go[0]);
	}
	return NULL;
}

static void start_sleeper(struct sleeper *s, struct dev *d, int slot, void (*before)(void),
			  pthread_t *t)
{
	*s = (struct sleeper) { .d = d, .slot = slot, .before = before };
	if (pipe(s->ready) || pipe(s->go) || pthread_create(t, NULL, sleep_thread, s))
		abort();
}

static void burn(void)
{
	spin_ms(30);
}

static bool is_asleep(pid_t pid, pid_t tid)
{
	return WAIT_FOR(task_is(pid, tid, "state", "blocked"));
}

/* Of a task that sleeps, both files say the same, to the nanosecond. */
TEST_F(proc, equals_schedstat_asleep)
{
	struct sleeper s;
	struct schedstat st;
	pthread_t t;
	int i;

	start_sleeper(&s, &self->d, 1, burn, &t);
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(hear(s.ready[0]));
		ASSERT_TRUE(is_asleep(self->pid, s.tid));
		st = schedstat_of(self->pid, s.tid);
		EXPECT_EQ(st.oncpu, (ull)task_value(self->pid, s.tid, "oncpu_ns"));
		EXPECT_EQ(st.runq, (ull)task_value(self->pid, s.tid, "runq_ns"));
		EXPECT_EQ(st.oncpu, read_kern(&self->d.k[1]).oncpu_ns);
		EXPECT_EQ(st.runq, read_kern(&self->d.k[1]).runq_ns);
		EXPECT_GE(st.oncpu, 25000000ull * (i + 1));
		tell(s.go[1]);
	}
	pthread_join(t, NULL);
}

static volatile bool stop_spinning;

static void *spin_thread(void *arg)
{
	struct sleeper *s = arg;

	s->tid = gettid_();
	if (dev_register(s->d->fd, s->slot, s->slot))
		return NULL;
	tell(s->ready[1]);
	while (!stop_spinning)
		;
	return NULL;
}

/* Of a task that runs, what we say lies between what schedstat says before and after. */
TEST_F(proc, equals_schedstat_running)
{
	struct sleeper s = { .d = &self->d, .slot = 2 };
	struct schedstat before, after;
	long long ours, last = 0;
	pthread_t t;
	int i;

	ASSERT_EQ(0, pipe(s.ready));
	pthread_create(&t, NULL, spin_thread, &s);
	ASSERT_TRUE(hear(s.ready[0]));
	for (i = 0; i < 50; i++) {
		before = schedstat_of(self->pid, s.tid);
		ours = task_value(self->pid, s.tid, "oncpu_ns");
		after = schedstat_of(self->pid, s.tid);
		EXPECT_LE(before.oncpu, (ull)ours);
		EXPECT_GE(after.oncpu, (ull)ours);
		sleep_ms(2);
	}
	/* it is never switched out, but its on-CPU time goes on */
	last = task_value(self->pid, s.tid, "oncpu_ns");
	sleep_ms(100);
	EXPECT_GT(task_value(self->pid, s.tid, "oncpu_ns"), last + 20000000);
	stop_spinning = true;
	pthread_join(t, NULL);
}

TEST_F(proc, hundred_sleeps)
{
	struct gmp_m_kern a, b;
	long long voluntary;
	int i;

	ASSERT_EQ(0, dev_register(self->d.fd, 0, 0));
	usleep(1000);
	voluntary = ctxt_switches(self->pid, true);
	a = read_kern(&self->d.k[0]);
	for (i = 0; i < 100; i++)
		usleep(3000);
	b = read_kern(&self->d.k[0]);
	voluntary = ctxt_switches(self->pid, true) - voluntary;
	EXPECT_EQ((ull)voluntary, b.blocked - a.blocked);
	EXPECT_EQ((ull)voluntary, b.woken - a.woken);
	/* an emulated guest that stands still may find its timer expired before it sleeps */
	EXPECT_LE(b.blocked - a.blocked, 100);
	EXPECT_GE(b.blocked - a.blocked, 95);
	EXPECT_GE(b.blocked_ns - a.blocked_ns, 95 * 2700000ull);
	EXPECT_EQ(GMP_WHY_BLOCKED, b.last_why);
	EXPECT_GT(b.last_out_ns, a.last_out_ns);
	EXPECT_EQ((long long)b.blocked, task_value(self->pid, self->pid, "blocked"));
}

TEST_F(proc, one_second_of_work)
{
	struct gmp_m_kern a, b;
	long long involuntary;

	ASSERT_EQ(0, dev_register(self->d.fd, 0, 0));
	usleep(1000);
	a = read_kern(&self->d.k[0]);
	involuntary = ctxt_switches(self->pid, false);
	spin_ms(1000);
	involuntary = ctxt_switches(self->pid, false) - involuntary;
	b = read_kern(&self->d.k[0]);
	EXPECT_EQ(0, b.blocked - a.blocked);
	/* reading the status file itself may add one */
	EXPECT_GE(b.preempted - a.preempted + 1, (ull)involuntary);
	EXPECT_LE(b.preempted - a.preempted, (ull)involuntary + 1);
	EXPECT_GE(task_value(self->pid, self->pid, "oncpu_ns") +
		  task_value(self->pid, self->pid, "runq_ns"), 950000000);
}

/* oncpu + runq + blocked = the time since registration */
TEST_F(proc, sums_to_the_clock)
{
	/* what the scheduler books nowhere is its own code: some percent where that is slow */
	long long oncpu, runq, wall, sum, percent = is_slow_kernel() ? 10 : 3;
	struct gmp_m_kern k;
	ull begin;
	int i;

	ASSERT_EQ(0, dev_register(self->d.fd, 0, 0));
	for (begin = now_ns(), i = 0; now_ns() - begin < 1500000000; i++) {
		spin_ms(1 + i % 4);
		usleep(i % 3 * 700);
		if (i % 5 == 0)
			sched_yield();
	}
	usleep(1000);	/* so that all is booked */
	k = read_kern(&self->d.k[0]);
	oncpu = k.oncpu_ns - task_value(self->pid, self->pid, "base_oncpu_ns");
	runq = k.runq_ns - task_value(self->pid, self->pid, "base_runq_ns");
	wall = k.last_out_ns - k.attached_ns;
	sum = oncpu + runq + k.blocked_ns;
	TH_LOG("on-CPU %lld + queue %lld + blocked %llu of %lld ns, %+.3f %%", oncpu, runq,
	       (ull)k.blocked_ns, wall, (sum - wall) * 100. / wall);
	EXPECT_GE(sum, wall * (100 - percent) / 100);
	EXPECT_LE(sum, wall * (100 + percent) / 100);
}

TEST_F(proc, carried)
{
	struct gmp_m_kern a, b;
	int i;

	ASSERT_EQ(0, dev_register(self->d.fd, 0, 0));
	for (i = 0; i < 10; i++)
		usleep(500);
	a = read_kern(&self->d.k[0]);
	EXPECT_EQ(0, a.carried);
	EXPECT_EQ(0, a.carried_ns);
	EXPECT_EQ(0, a.last_goid);
	carry(&self->d.u[0], 41, 3);
	usleep(500);
	a = read_kern(&self->d.k[0]);
	for (i = 0; i < 20; i++) {
		spin_ms(2);
		usleep(500);
	}
	b = read_kern(&self->d.k[0]);
	EXPECT_EQ(41, b.last_goid);
	EXPECT_EQ(b.blocked + b.preempted - a.blocked - a.preempted, b.carried - a.carried);
	EXPECT_EQ(b.oncpu_ns - a.oncpu_ns, b.carried_ns - a.carried_ns);
	carry(&self->d.u[0], 0, -1);
	usleep(500);
	EXPECT_EQ(b.carried, read_kern(&self->d.k[0]).carried);
	EXPECT_EQ(0, task_value(self->pid, self->pid, "last_goid"));
}

/* What the process's Ms did stays in its sums when they go. */
TEST_F(proc, sums_include_the_gone)
{
	long long gone_oncpu = 0, gone_blocked = 0, before;
	struct sleeper s;
	pthread_t t;
	int i, j;

	for (i = 0; i < 4; i++) {
		start_sleeper(&s, &self->d, i, burn, &t);
		for (j = 0; j < 3; j++) {
			ASSERT_TRUE(hear(s.ready[0]));
			ASSERT_TRUE(is_asleep(self->pid, s.tid));
			if (j == 2) {
				gone_oncpu += task_value(self->pid, s.tid, "oncpu_ns");
				gone_oncpu -= task_value(self->pid, s.tid, "base_oncpu_ns");
				gone_blocked += task_value(self->pid, s.tid, "blocked");
				before = status_value(self->pid, "OnCpuNs");
				EXPECT_GE(before, gone_oncpu);
			}
			tell(s.go[1]);
		}
		pthread_join(t, NULL);
	}
	EXPECT_TRUE(WAIT_FOR(status_value(self->pid, "Ms") == 0));
	EXPECT_EQ(4, status_value(self->pid, "MsTotal"));
	TH_LOG("gone Ms: %lld ns before their last block, %lld ns in all", gone_oncpu,
	       status_value(self->pid, "OnCpuNs"));
	EXPECT_GE(status_value(self->pid, "OnCpuNs"), gone_oncpu);
	EXPECT_LE(status_value(self->pid, "OnCpuNs"), gone_oncpu + 200000000);
	EXPECT_GE(status_value(self->pid, "Blocked"), gone_blocked);
	EXPECT_LE(status_value(self->pid, "Blocked"), gone_blocked + 12);
}

/* ---- states -------------------------------------------------------------------------------- */

TEST_F(proc, state_running)
{
	ASSERT_EQ(0, dev_register(self->d.fd, 0, 0));
	EXPECT_TRUE(task_is(self->pid, self->pid, "state", "running"));
	EXPECT_EQ(0, task_value(self->pid, self->pid, "state_ns"));
	EXPECT_GE(task_value(self->pid, self->pid, "cpu"), 0);
}

TEST_F(proc, state_blocked)
{
	struct sleeper s;
	pthread_t t;
	long long since;
	int i;

	start_sleeper(&s, &self->d, 0, NULL, &t);
	ASSERT_TRUE(hear(s.ready[0]));
	ASSERT_TRUE(is_asleep(self->pid, s.tid));
	EXPECT_TRUE(task_is(self->pid, s.tid, "last_why", "blocked"));
	since = task_value(self->pid, s.tid, "state_ns");
	sleep_ms(20);
	EXPECT_GE(task_value(self->pid, s.tid, "state_ns"), since + 20000000);
	tell(s.go[1]);
	for (i = 0; i < 2; i++) {
		hear(s.ready[0]);
		tell(s.go[1]);
	}
	pthread_join(t, NULL);
}

/* Two that want the same CPU: now and then one runs and the other one could. */
TEST_F(proc, state_runnable)
{
	struct sleeper s[2] = { { .d = &self->d, .slot = 0 }, { .d = &self->d, .slot = 1 } };
	cpu_set_t one;
	pthread_t t[2];
	bool seen = false;
	int i;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pipe(s[i].ready));
		pthread_create(&t[i], NULL, spin_thread, &s[i]);
		pthread_setaffinity_np(t[i], sizeof(one), &one);
		ASSERT_TRUE(hear(s[i].ready[0]));
	}
	for (i = 0; i < 500 && !seen; i++) {
		seen = task_is(self->pid, s[0].tid, "state", "runnable") &&
		       task_value(self->pid, s[0].tid, "preempted") > 0;
		sleep_ms(2);
	}
	EXPECT_TRUE(seen);
	EXPECT_TRUE(WAIT_FOR(task_value(self->pid, s[0].tid, "runq_ns") > 10000000));
	EXPECT_EQ(0, task_value(self->pid, s[0].tid, "blocked_ns"));
	stop_spinning = true;
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
}

static int stop_me(void *arg)
{
	struct dev d;

	(void)arg;
	if (dev_attach(&d, 1, 1) || dev_register(d.fd, 0, 0))
		return 1;
	raise(SIGSTOP);
	raise(SIGSTOP);
	return 0;
}

TEST_F(proc, state_stopped)
{
	pid_t pid = start_child(stop_me, NULL);
	int i, status;

	for (i = 1; i <= 2; i++) {
		ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
		ASSERT_TRUE(WIFSTOPPED(status));
		EXPECT_TRUE(WAIT_FOR(task_is(pid, pid, "state", "stopped")));
		EXPECT_TRUE(task_is(pid, pid, "last_why", "stopped"));
		EXPECT_EQ(i, task_value(pid, pid, "stopped"));
		EXPECT_EQ(i, status_value(pid, "Stopped"));
		kill(pid, SIGCONT);
	}
	EXPECT_EQ(0, end_child(pid));
}

static int trace_me(void *arg)
{
	(void)arg;
	if (ptrace(PTRACE_TRACEME, 0, 0, 0))
		return 3;
	return stop_me(NULL);
}

TEST_F(proc, state_traced)
{
	pid_t pid = start_child(trace_me, NULL);
	int i, status;

	for (i = 1; i <= 2; i++) {
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSTOPPED(status));
		EXPECT_TRUE(WAIT_FOR(task_is(pid, pid, "state", "stopped")));
		EXPECT_TRUE(task_is(pid, pid, "last_why", "stopped"));
		ptrace(PTRACE_CONT, pid, 0, 0);
	}
	EXPECT_EQ(0, end_child(pid));
}

static void *fault_thread(void *arg)
{
	struct sleeper *s = arg;

	s->tid = gettid_();
	if (!dev_register(s->d->fd, s->slot, 0))
		(void)*(volatile char *)s->before;
	return NULL;
}

/* A page fault that waits is a block like any other. */
TEST_F(proc, state_in_page_fault)
{
	struct sleeper s = { .d = &self->d };
	int uffd = uffd_open();
	void *page;
	pthread_t t;

	if (uffd < 0)
		SKIP(return, "no userfaultfd");
	page = uffd_pages(uffd, 4096);
	ASSERT_NE(NULL, page);
	s.before = (void (*)(void))page;
	pthread_create(&t, NULL, fault_thread, &s);
	ASSERT_TRUE(WAIT_FOR(s.tid && task_is(self->pid, s.tid, "state", "blocked") &&
			     task_value(self->pid, s.tid, "state_ns") > 20000000));
	EXPECT_GE(task_value(self->pid, s.tid, "blocked"), 1);
	ASSERT_EQ(0, uffd_fill(uffd, page));
	pthread_join(t, NULL);
	EXPECT_TRUE(WAIT_FOR(status_value(self->pid, "BlockedNs") +
			     (sleeps_may_count_as_waits() ? status_value(self->pid, "RunqNs") : 0) >
			     20000000));
}

/* ---- many rows ----------------------------------------------------------------------------- */

#define CROWD	200

static void *crowd_thread(void *arg)
{
	struct sleeper *s = arg;
	long err = dev_register(s->d->fd, s->slot, s->slot + 5000);

	tell(s->ready[1]);
	hear(s->go[0]);
	return (void *)err;
}

struct crowd {
	struct sleeper s[CROWD];
	pthread_t t[CROWD];
};

static void start_crowd(struct crowd *c, struct dev *d, int n)
{
	pthread_attr_t attr;
	int i, ready[2], go[2];

	if (pipe(ready) || pipe(go))
		abort();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (i = 0; i < n; i++) {
		c->s[i] = (struct sleeper) { .d = d, .slot = i * 5, .ready = { ready[0], ready[1] },
					     .go = { go[0], go[1] } };
		if (pthread_create(&c->t[i], &attr, crowd_thread, &c->s[i]))
			abort();
	}
	for (i = 0; i < n; i++)
		hear(ready[0]);
}

static int end_crowd(struct crowd *c, int n)
{
	int i, failed = 0;
	void *err;

	for (i = 0; i < n; i++)
		tell(c->s[0].go[1]);
	for (i = 0; i < n; i++) {
		pthread_join(c->t[i], &err);
		failed += !!err;
	}
	return failed;
}

TEST_F(proc, many_rows_in_any_piece)
{
	static const size_t chunks[] = { 1, 7, 100, 4095, 4096, 65536 };
	static struct crowd c;
	int n = rounds(CROWD), i, j;
	struct table t;

	start_crowd(&c, &self->d, n);
	for (i = 0; i < (int)ARRAY_SIZE(chunks); i++) {
		ASSERT_EQ(0, table_parse(&t, read_file_by(self->tasks, chunks[i])));
		EXPECT_EQ(n, t.rows);
		for (j = 0; j < t.rows; j++) {
			EXPECT_EQ(5 * j, table_value(&t, j, "slot"));
			EXPECT_EQ(5 * j + 5000, table_value(&t, j, "m"));
		}
		table_free(&t);
	}
	ASSERT_EQ(0, table_read(&t, "/proc/gmp/tasks"));
	EXPECT_EQ(n, t.rows);
	table_free(&t);
	EXPECT_EQ(n, status_value(self->pid, "Ms"));
	EXPECT_EQ(0, end_crowd(&c, n));
}

/* Rows come and go while a reader is on its way: those that stay are there, each once. */
TEST_F(proc, rows_while_others_come_and_go)
{
	static struct crowd c;
	struct sleeper s;
	int n = rounds(60), i, j, row;
	struct table t;
	pthread_t extra;

	start_crowd(&c, &self->d, n);
	for (i = 0; i < 20; i++) {
		start_sleeper(&s, &self->d, 5 * (i * 3 % n) + 1, NULL, &extra);
		hear(s.ready[0]);
		ASSERT_EQ(0, table_parse(&t, read_file_by(self->tasks, 300)));
		for (j = 0; j < n; j++) {
			row = table_find(&t, "slot", 5 * j);
			EXPECT_GE(row, 0);
		}
		EXPECT_GE(t.rows, n);
		EXPECT_LE(t.rows, n + 2);
		table_free(&t);
		for (j = 0; j < 2; j++) {
			tell(s.go[1]);
			hear(s.ready[0]);
		}
		tell(s.go[1]);
		pthread_join(extra, NULL);
	}
	EXPECT_EQ(0, end_crowd(&c, n));
}

TEST_F(proc, seek)
{
	char whole[8192], part[8192];
	int fd = open(self->tasks, O_RDONLY);
	ssize_t n, m;

	ASSERT_EQ(0, dev_register(self->d.fd, 7, 0));
	n = pread(fd, whole, sizeof(whole), 0);
	ASSERT_GT(n, 300);
	m = pread(fd, part, 50, 20);
	EXPECT_EQ(50, m);
	EXPECT_EQ(0, memcmp(whole + 20, part, 50));
	EXPECT_EQ(0, pread(fd, part, sizeof(part), n + 1000));
	EXPECT_EQ(10, lseek(fd, 10, SEEK_SET));
	EXPECT_EQ(5, read(fd, part, 5));
	EXPECT_EQ(0, memcmp(whole + 10, part, 5));
	close(fd);
}

/* ---- who may read -------------------------------------------------------------------------- */

static int set_ids(uid_t uid, gid_t gid)
{
	return setresgid(gid, gid, gid) || setresuid(uid, uid, uid) ? -errno : 0;
}

/* Becomes somebody who has one capability and nothing else. */
static int keep_cap(uid_t uid, int cap)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { 0 } };

	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || set_ids(uid, uid))
		return -errno;
	d[cap / 32].permitted = d[cap / 32].effective = 1u << cap % 32;
	return syscall(SYS_capset, &h, d) ? -errno : 0;
}

struct target_arg {
	uid_t uid;
	gid_t gid;
	int cap;		/* that it keeps, and others of its user have not got; 0 none */
	bool undumpable;
	int ready[2];
};

static int target(void *p)
{
	struct target_arg *arg = p;
	struct dev d;

	if (arg->uid && (arg->cap ? keep_cap(arg->uid, arg->cap) : set_ids(arg->uid, arg->gid)))
		return 1;
	prctl(PR_SET_DUMPABLE, !arg->undumpable, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dev_attach(&d, 4, 1) || dev_register(d.fd, 0, 0))
		return 2;
	/* the process itself always sees itself */
	if (status_value(getpid(), "Ms") != 1 || task_value(getpid(), gettid_(), "m") != 0)
		return 3;
	tell(arg->ready[1]);
	pause();
	return 0;
}

enum reader { ROOT, SAME, SAME_OTHER_GID, OTHER, PTRACE, PERFMON, SYS_ADMIN, DAC, READERS };

static int become(enum reader who)
{
	switch (who) {
	case SAME:
		return set_ids(NOBODY, NOBODY);
	case SAME_OTHER_GID:
		return set_ids(NOBODY, OTHER_USER);
	case OTHER:
		return set_ids(OTHER_USER, OTHER_USER);
	case PTRACE:
		return keep_cap(OTHER_USER, CAP_SYS_PTRACE);
	case PERFMON:
		return keep_cap(OTHER_USER, 38 /* CAP_PERFMON */);
	case SYS_ADMIN:
		return keep_cap(OTHER_USER, CAP_SYS_ADMIN);
	case DAC:
		return keep_cap(OTHER_USER, CAP_DAC_OVERRIDE);
	default:
		return 0;
	}
}

struct reader_arg {
	enum reader who;
	pid_t pid;
};

/* 0 nothing, 3 everything: bit 0 the directory, bit 1 the rows. 100 and up: something else. */
static int reader(void *p)
{
	struct reader_arg *arg = p;
	char status[64], tasks[64];
	struct table t;
	int seen = 0, err;

	if (become(arg->who))
		return 100;
	proc_path(status, sizeof(status), arg->pid, "status");
	proc_path(tasks, sizeof(tasks), arg->pid, "tasks");
	err = try_read(status);
	if (err != try_read(tasks))
		return 101;
	if (err && err != -EACCES)
		return 102;
	seen |= !err;
	if (try_read("/proc/gmp/version") || try_read("/proc/gmp/stat"))
		return 103;
	if (table_read(&t, "/proc/gmp/tasks"))
		return 104;
	seen |= (table_find(&t, "tgid", arg->pid) >= 0) << 1;
	return seen;
}

static void check_matrix(struct __test_metadata *_metadata, struct target_arg *target_arg,
			 const int *expect)
{
	struct reader_arg arg;
	pid_t pid;

	ASSERT_EQ(0, pipe(target_arg->ready));
	pid = start_child(target, target_arg);
	ASSERT_TRUE(hear(target_arg->ready[0]));
	for (arg = (struct reader_arg) { .pid = pid }; arg.who < READERS; arg.who++) {
		EXPECT_EQ(expect[arg.who], run_child(reader, &arg)) {
			TH_LOG("reader %d", arg.who);
		}
	}
	kill(pid, SIGKILL);
	EXPECT_EQ(256 + SIGKILL, end_child(pid));
}

TEST_F(proc, readers_of_a_user)
{
	struct target_arg arg = { .uid = NOBODY, .gid = NOBODY };
	static const int expect[READERS] = {
		[ROOT] = 3, [SAME] = 3, [PTRACE] = 3, [PERFMON] = 3, [SYS_ADMIN] = 3,
	};

	check_matrix(_metadata, &arg, expect);
}

/* One who may more than others of his user is not theirs to look into: as ptrace has it. */
TEST_F(proc, readers_of_the_capable)
{
	struct target_arg arg = { .uid = NOBODY, .gid = NOBODY, .cap = CAP_NET_RAW };
	static const int expect[READERS] = { [ROOT] = 3, [PTRACE] = 3, [PERFMON] = 3, [SYS_ADMIN] = 3 };

	check_matrix(_metadata, &arg, expect);
}

TEST_F(proc, readers_of_root)
{
	struct target_arg arg = { .uid = 0 };
	static const int expect[READERS] = { [ROOT] = 3, [PTRACE] = 3, [PERFMON] = 3, [SYS_ADMIN] = 3 };

	check_matrix(_metadata, &arg, expect);
}

TEST_F(proc, readers_of_the_undumpable)
{
	struct target_arg arg = { .uid = NOBODY, .gid = NOBODY, .undumpable = true };
	static const int expect[READERS] = { [ROOT] = 3, [PTRACE] = 3, [PERFMON] = 3, [SYS_ADMIN] = 3 };

	check_matrix(_metadata, &arg, expect);
}

/* What counts is who opened the file. */
TEST_F(proc, opener_counts)
{
	struct target_arg arg = { .uid = NOBODY, .gid = NOBODY };
	char path[64], buf[8192] = "";
	int as_root, as_other;
	struct table t;
	pid_t pid;

	ASSERT_EQ(0, pipe(arg.ready));
	pid = start_child(target, &arg);
	ASSERT_TRUE(hear(arg.ready[0]));
	as_root = open("/proc/gmp/tasks", O_RDONLY);
	proc_path(path, sizeof(path), pid, "status");
	ASSERT_EQ(0, setresgid(OTHER_USER, OTHER_USER, 0));
	ASSERT_EQ(0, setresuid(OTHER_USER, OTHER_USER, 0));
	EXPECT_EQ(-EACCES, try_read(path));
	as_other = open("/proc/gmp/tasks", O_RDONLY);
	EXPECT_GT(pread(as_root, buf, sizeof(buf) - 1, 0), 0);
	ASSERT_EQ(0, table_parse(&t, strdup(buf)));
	EXPECT_GE(table_find(&t, "tgid", pid), 0);
	ASSERT_EQ(0, setresuid(0, 0, 0));
	ASSERT_EQ(0, setresgid(0, 0, 0));
	memset(buf, 0, sizeof(buf));
	EXPECT_GT(pread(as_other, buf, sizeof(buf) - 1, 0), 0);
	table_free(&t);
	ASSERT_EQ(0, table_parse(&t, strdup(buf)));
	EXPECT_EQ(-1, table_find(&t, "tgid", pid));
	table_free(&t);
	kill(pid, SIGKILL);
	end_child(pid);
}

/* ---- gone ---------------------------------------------------------------------------------- */

TEST_F(proc, gone_after_exit)
{
	struct target_arg arg = { .uid = 0 };
	char status[64], tasks[64], buf[64];
	int s, t;
	pid_t pid;

	ASSERT_EQ(0, pipe(arg.ready));
	pid = start_child(target, &arg);
	ASSERT_TRUE(hear(arg.ready[0]));
	proc_path(status, sizeof(status), pid, "status");
	proc_path(tasks, sizeof(tasks), pid, "tasks");
	s = open(status, O_RDONLY);
	t = open(tasks, O_RDONLY);
	ASSERT_GE(s, 0);
	ASSERT_GE(t, 0);
	kill(pid, SIGKILL);
	end_child(pid);
	EXPECT_FALSE(has_dir(pid));
	EXPECT_EQ(-ENOENT, try_read(status));
	EXPECT_EQ(-1, read(s, buf, sizeof(buf)));
	EXPECT_EQ(-1, read(t, buf, sizeof(buf)));
	close(s);
	close(t);
}

/* ---- pid and user namespaces --------------------------------------------------------------- */

struct ns_arg {
	pid_t outer;		/* a process outside */
	int ready[2], number[2];
	bool user;
};

/* First process of its pid namespace, with its own /proc. */
static int ns_init(struct ns_arg *arg)
{
	char path[64];
	struct table t;
	struct dev d;
	pid_t own;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", 0, NULL))
		return 1;
	if (dev_attach(&d, 4, 1) || dev_register(d.fd, 1, 7))
		return 2;
	usleep(1000);
	if (getpid() != 1 || d.k[1].tid != 1)
		return 3;
	tell(arg->ready[1]);
	if (read(arg->number[0], &own, sizeof(own)) != sizeof(own))
		return 4;
	if (status_value(own, "Tgid") != 1 || status_value(own, "Ms") != 1)
		return 5;
	if (task_value(own, 1, "m") != 7)
		return 6;
	proc_path(path, sizeof(path), arg->outer, "status");
	if (try_read(path) != -ENOENT)
		return 7;
	proc_path(path, sizeof(path), arg->outer, "tasks");
	if (try_read(path) != -ENOENT)
		return 8;
	if (table_read(&t, "/proc/gmp/tasks") || t.rows != 1 || table_value(&t, 0, "tgid") != 1)
		return 9;
	tell(arg->ready[1]);
	pause();
	return 0;
}

static int ns_parent(void *p)
{
	struct ns_arg *arg = p;
	pid_t pid;

	if (arg->user && (set_ids(NOBODY, NOBODY) || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)))
		return 100;
	if (unshare((arg->user ? CLONE_NEWUSER : 0) | CLONE_NEWPID | CLONE_NEWNS))
		return 77;
	pid = fork();
	if (!pid)
		_exit(ns_init(arg));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(arg->number[1], &pid, sizeof(pid)) != sizeof(pid))
		return 101;
	return end_child(pid);
}

static void check_namespace(struct __test_metadata *_metadata, FIXTURE_DATA(proc) *self, bool user)
{
	struct ns_arg arg = { .outer = self->pid, .user = user };
	struct table t;
	pid_t pid, inner;
	int row;

	ASSERT_EQ(0, dev_register(self->d.fd, 0, 0));
	ASSERT_EQ(0, pipe(arg.ready));
	ASSERT_EQ(0, pipe(arg.number));
	pid = start_child(ns_parent, &arg);
	close(arg.ready[1]);
	if (!hear(arg.ready[0]) || !hear(arg.ready[0])) {
		row = end_child(pid);
		if (row == 77)
			SKIP(return, "cannot make the namespace");
		ASSERT_EQ(0, row);
	}
	ASSERT_EQ(0, table_read(&t, "/proc/gmp/tasks"));
	EXPECT_EQ(2, t.rows);
	row = table_find(&t, "m", 7);
	inner = table_value(&t, row, "tgid");
	EXPECT_GT(inner, pid);
	EXPECT_EQ(inner, table_value(&t, row, "tid"));
	EXPECT_EQ(inner, status_value(inner, "Tgid"));
	EXPECT_EQ(user ? NOBODY : 0, status_value(inner, "Uid"));
	kill(inner, SIGKILL);
	EXPECT_EQ(256 + SIGKILL - 256, end_child(pid) & 0xff);
	EXPECT_FALSE(has_dir(inner));
	table_free(&t);
}

TEST_F(proc, pid_namespace)
{
	check_namespace(_metadata, self, false);
}

TEST_F(proc, user_namespace)
{
	check_namespace(_metadata, self, true);
}

TEST_HARNESS_MAIN
