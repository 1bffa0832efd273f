// SPDX-License-Identifier: GPL-2.0-only
/*
 * safety_test.c - what others can do to a process that is attached, and what it must not be able to
 * do: everything else in the kernel works on it as on any process.
 *
 * Stops of all kinds, seccomp, a CPU that goes while Ms run on it, a suspend that finds them running.
 * After each the M is still counted exactly, and nothing stays behind.
 */
#include "kmod_harness.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define CGROUP	"/sys/fs/cgroup/gmp_safety"
#define CPU1	"/sys/devices/system/cpu/cpu1/online"

struct worker_arg {
	struct dev d;
	int ready;
};

FIXTURE(safety)
{
	int ready[2];
	pid_t pid;		/* a worker, see below; 0 without one */
	struct worker_arg *arg;	/* its, shared with it */
};

static bool all_gone(void)
{
	return WAIT_FOR(stat_value("processes") == 0 && stat_value("ms") == 0);
}

FIXTURE_SETUP(safety)
{
	ASSERT_TRUE(all_gone());
	ASSERT_EQ(0, pipe(self->ready));
	self->pid = 0;
	self->arg = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->arg);
}

FIXTURE_TEARDOWN(safety)
{
	if (self->pid) {
		kill(self->pid, SIGKILL);
		EXPECT_EQ(256 + SIGKILL, end_child(self->pid));
		EXPECT_FALSE(has_dir(self->pid));
	}
	EXPECT_TRUE(all_gone());
}

/* ---- a process with two Ms: one computes, one sleeps ---------------------------------------- */

#define SPINNER	0
#define SLEEPER	1

static void *sleeper(void *p)
{
	struct worker_arg *arg = p;
	uint64_t goid = 1000;

	if (dev_register(arg->d.fd, SLEEPER, SLEEPER))
		_exit(3);
	tell(arg->ready);
	for (;;) {
		carry(&arg->d.u[SLEEPER], ++goid, 1);
		usleep(500);
	}
	return NULL;
}

/* Its calls are its own to count: the goid of a slot says how far its thread has come. */
static int worker(void *p)
{
	struct worker_arg *arg = p;
	uint64_t goid = 1;
	pthread_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dev_attach(&arg->d, 4, 2) || dev_register(arg->d.fd, SPINNER, SPINNER))
		return 1;
	if (pthread_create(&t, NULL, sleeper, arg))
		return 2;
	tell(arg->ready);
	for (;;)
		carry(&arg->d.u[SPINNER], ++goid, 0);
}

static bool start_worker(FIXTURE_DATA(safety) *self)
{
	self->arg->ready = self->ready[1];
	self->pid = start_child(worker, self->arg);
	return hear(self->ready[0]) && hear(self->ready[0]);
}

/* Both Ms have moved on since their goids were what they were. */
static bool runs(pid_t pid)
{
	struct table t;
	long long before[2] = { -1, -1 }, now;
	char path[64];
	int m, moved = 0, tries;

	proc_path(path, sizeof(path), pid, "tasks");
	for (tries = 0; tries < 2000 && moved != 3; tries++) {
		if (table_read(&t, path) || t.rows != 2)
			return false;
		for (m = 0; m < 2; m++) {
			now = table_value(&t, table_find(&t, "m", m), "goid");
			if (before[m] >= 0 && now != before[m])
				moved |= 1 << m;
			before[m] = now;
		}
		table_free(&t);
		usleep(2000);
	}
	return moved == 3;
}

/* Neither moves for a while. They are frozen, or one of them stopped, a little before their last switch. */
static bool stands_still(pid_t pid)
{
	long long before, after;

	before = status_value(pid, "Carried");
	sleep_ms(30);
	after = status_value(pid, "Carried");
	return before >= 0 && before == after;
}

static long long stopped(pid_t pid)
{
	return task_value(pid, pid, "stopped");
}

static bool in_state(pid_t pid, const char *state)
{
	return task_is(pid, pid, "state", state);
}

/* Each M: the second may still be on its way when the first has stopped. */
static bool all_in_state(pid_t pid, const char *state)
{
	struct table t;
	char path[64], word[64];
	int m, n = 0;

	proc_path(path, sizeof(path), pid, "tasks");
	if (!table_read(&t, path) && t.rows == 2)
		for (m = 0; m < 2; m++)
			n += table_field(&t, m, "state", word, sizeof(word)) && !strcmp(word, state);
	table_free(&t);
	return n == 2;
}

/* ---- stops --------------------------------------------------------------------------------- */

TEST_F(safety, sigstop)
{
	int i, n = rounds(20);

	ASSERT_TRUE(start_worker(self));
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, kill(self->pid, SIGSTOP));
		ASSERT_TRUE(WAIT_FOR(all_in_state(self->pid, "stopped")));
		EXPECT_TRUE(WAIT_FOR(stands_still(self->pid)));
		ASSERT_EQ(0, kill(self->pid, SIGCONT));
		ASSERT_TRUE(runs(self->pid));
	}
	EXPECT_EQ(n, stopped(self->pid));
}

TEST_F(safety, killed_while_stopped)
{
	ASSERT_TRUE(start_worker(self));
	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	ASSERT_TRUE(WAIT_FOR(in_state(self->pid, "stopped")));
}

static bool wait_stop(pid_t pid)
{
	int status;

	return waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status);
}

TEST_F(safety, ptrace)
{
	struct user_regs_struct regs;
	int i, n = rounds(200);

	ASSERT_TRUE(start_worker(self));
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, self->pid, 0, 0));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, self->pid, 0, 0));
	ASSERT_TRUE(wait_stop(self->pid));
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, ptrace(PTRACE_SINGLESTEP, self->pid, 0, 0));
		ASSERT_TRUE(wait_stop(self->pid));
		ASSERT_EQ(0, ptrace(PTRACE_GETREGS, self->pid, 0, &regs));
	}
	EXPECT_TRUE(in_state(self->pid, "stopped"));
	EXPECT_EQ(n + 1, stopped(self->pid));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, self->pid, 0, 0));
	EXPECT_TRUE(runs(self->pid));
}

/* A tracer sees what its tracee shares with the kernel, and may write only what that may write. */
TEST_F(safety, ptrace_pokes)
{
	const struct gmp_m_kern *k;
	struct gmp_m_user *u;
	long word;

	ASSERT_TRUE(start_worker(self));
	ASSERT_TRUE(runs(self->pid));
	u = self->arg->d.u;
	k = self->arg->d.k;
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, self->pid, 0, 0));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, self->pid, 0, 0));
	ASSERT_TRUE(wait_stop(self->pid));
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, self->pid, &u[SPINNER].goid, 0);
	EXPECT_GT(word, 1);
	EXPECT_EQ(word, task_value(self->pid, self->pid, "goid"));
	EXPECT_EQ(0, ptrace(PTRACE_POKEDATA, self->pid, &u[3].scheduler_ns, 1));
	word = ptrace(PTRACE_PEEKDATA, self->pid, &k[SPINNER].attached_ns, 0);
	EXPECT_EQ(word, task_value(self->pid, self->pid, "attached_ns"));
	EXPECT_EQ(-1, ptrace(PTRACE_POKEDATA, self->pid, &k[SPINNER].attached_ns, 1));
	EXPECT_EQ(EIO, errno);
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, self->pid, 0, 0));
}

static int join_cgroup(pid_t pid)
{
	char text[16];

	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		return -errno;
	snprintf(text, sizeof(text), "%d", pid);
	return write_file(CGROUP "/cgroup.procs", text);
}

static bool is_frozen(void)
{
	return file_value(CGROUP "/cgroup.events", "frozen", ' ') == 1;
}

TEST_F(safety, freezer)
{
	int i, n = rounds(10);

	ASSERT_TRUE(start_worker(self));
	ASSERT_EQ(0, join_cgroup(self->pid));
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, write_file(CGROUP "/cgroup.freeze", "1"));
		ASSERT_TRUE(WAIT_FOR(is_frozen()));
		EXPECT_TRUE(WAIT_FOR(stands_still(self->pid)));
		ASSERT_EQ(0, write_file(CGROUP "/cgroup.freeze", "0"));
		ASSERT_TRUE(runs(self->pid));
	}
	/* kill -9 gets through a freeze */
	ASSERT_EQ(0, write_file(CGROUP "/cgroup.freeze", "1"));
	ASSERT_TRUE(WAIT_FOR(is_frozen()));
	kill(self->pid, SIGKILL);
	EXPECT_EQ(256 + SIGKILL, end_child(self->pid));
	EXPECT_FALSE(has_dir(self->pid));
	self->pid = 0;
	ASSERT_EQ(0, write_file(CGROUP "/cgroup.freeze", "0"));
	EXPECT_TRUE(WAIT_FOR(!rmdir(CGROUP)));
}

/* The kernel's own freezer, as far as a suspend goes before it turns to devices. */
TEST_F(safety, suspend)
{
	int i, n = rounds(3);

	ASSERT_TRUE(start_worker(self));
	if (write_file("/sys/power/pm_test", "freezer"))
		SKIP(return, "this kernel has no CONFIG_PM_DEBUG");
	write_file("/sys/module/suspend/parameters/pm_test_delay", "1");
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, write_file("/sys/power/state", "freeze"));
		ASSERT_TRUE(runs(self->pid));
	}
	ASSERT_EQ(0, write_file("/sys/power/pm_test", "none"));
	EXPECT_EQ(2, status_value(self->pid, "Ms"));
}

/* ---- a CPU that goes ------------------------------------------------------------------------ */

TEST_F(safety, cpu_hotplug)
{
	long long oncpu, stat, before;
	int i, n = rounds(10);
	char path[64], *text;

	if (access(CPU1, W_OK))
		SKIP(return, "one CPU");
	ASSERT_TRUE(start_worker(self));
	before = stat_value("carried");
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, write_file(CPU1, "0"));
		ASSERT_TRUE(runs(self->pid));
		ASSERT_EQ(0, write_file(CPU1, "1"));
		ASSERT_TRUE(runs(self->pid));
	}
	/* what was counted on the CPU that went is still in the sum */
	EXPECT_GE(stat_value("carried"), before + n);
	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	ASSERT_TRUE(WAIT_FOR(in_state(self->pid, "stopped")));
	oncpu = task_value(self->pid, self->pid, "oncpu_ns");
	snprintf(path, sizeof(path), "/proc/%d/schedstat", self->pid);
	text = read_file(path);
	stat = text ? strtoll(text, NULL, 10) : -1;
	free(text);
	EXPECT_EQ(stat, oncpu);
}

/* ---- seccomp ------------------------------------------------------------------------------- */

/* ioctl() fails with EPERM from now on; all else is allowed. */
static int forbid_ioctl(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { 4, code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) ? -errno : 0;
}

static int filtered(void *arg)
{
	struct gmp_attach a;
	struct dev d;

	(void)arg;
	if (dev_attach(&d, 4, 1) || dev_register(d.fd, 0, 0))
		return 1;
	if (forbid_ioctl())
		return 77;
	/* it stays what it is, and is counted, but can ask for nothing more */
	carry(&d.u[0], 9, 0);
	sleep_ms(5);
	if (read_kern(&d.k[0]).last_goid != 9)
		return 2;
	if (dev_unregister(d.fd) != -EPERM || dev_attach_fd(dev_open(), &a, 1, 1) != -EPERM)
		return 3;
	return status_value(getpid(), "Ms") == 1 ? 0 : 4;
}

static int strict(void *arg)
{
	struct dev d;

	(void)arg;
	if (dev_attach(&d, 4, 1) || dev_register(d.fd, 0, 0))
		return 1;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return 77;
	carry(&d.u[0], 9, 0);
	dev_unregister(d.fd);	/* not read, write, exit or sigreturn: the end */
	return 2;
}

TEST_F(safety, seccomp)
{
	EXPECT_EQ(0, run_child(filtered, NULL));
	EXPECT_EQ(256 + SIGKILL, run_child(strict, NULL));
}

TEST_HARNESS_MAIN
