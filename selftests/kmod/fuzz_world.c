// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_world.c - what befalls a victim from outside, one thing at a time, by the main process.
 *
 * Each step undoes what it did before it returns: a victim is always left running, CPU 1 on line and
 * the module loaded.
 */
#include "fuzz.h"
#include <sys/ptrace.h>
#include <sys/utsname.h>

#define FREEZER	"/sys/fs/cgroup/gmp_fuzz"
#define CPU1	"/sys/devices/system/cpu/cpu1/online"

static char module_path[600];

/* By then a stop or a freeze has reached most threads, or it has not: both are wanted. */
static void short_while(struct rnd *r)
{
	usleep(rnd(r, 15000));
}

static bool stop_and_go(struct rnd *r, pid_t pid)
{
	bool ok = !kill(pid, SIGSTOP);

	short_while(r);
	return !kill(pid, SIGCONT) && ok;
}

/* Waits for its next stop, for a while; false if none came. Its death is left for others to see. */
static bool wait_stop(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };
	int i;

	for (i = 0; i < 50 && !info.si_pid; i++) {
		if (waitid(P_PID, pid, &info, WSTOPPED | WNOHANG | __WALL))
			return false;
		if (!info.si_pid)
			usleep(200);
	}
	return info.si_pid;
}

static bool trace(struct rnd *r, pid_t pid)
{
	bool ok;
	int i, tries = 20;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0))
		return false;
	ok = !ptrace(PTRACE_INTERRUPT, pid, 0, 0) && wait_stop(pid);
	for (i = rnd(r, 20); ok && i; i--)
		ok = !ptrace(one_in(r, 2) ? PTRACE_SINGLESTEP : PTRACE_SYSCALL, pid, 0, 0) && wait_stop(pid);
	/* Refused unless it has stopped. One that cannot be let go makes room for another. */
	while (ptrace(PTRACE_DETACH, pid, 0, 0) && tries--) {
		ptrace(PTRACE_INTERRUPT, pid, 0, 0);
		wait_stop(pid);
	}
	if (tries < 0)
		kill(pid, SIGKILL);
	return ok;
}

static bool freeze(struct rnd *r, pid_t pid)
{
	char text[16];
	bool ok;

	snprintf(text, sizeof(text), "%d", pid);
	ok = !write_file(FREEZER "/cgroup.procs", text) && !write_file(FREEZER "/cgroup.freeze", "1");
	short_while(r);
	if (one_in(r, 4))
		kill(pid, SIGKILL);
	return !write_file(FREEZER "/cgroup.freeze", "0") && ok;
}

static bool cpu_goes(struct rnd *r)
{
	bool ok = !write_file(CPU1, "0");

	short_while(r);
	return !write_file(CPU1, "1") && ok;
}

/* As long as anybody uses it this is refused. All who do are killed and not yet gone. */
static bool try_unload(struct rnd *r, const pid_t *victims, int n)
{
	int i;

	if (one_in(r, 2))
		for (i = 0; i < n; i++)
			kill(victims[i], SIGKILL);
	for (i = 0; i < 300; i++) {
		if (!syscall(SYS_delete_module, "gmp", O_NONBLOCK))
			return true;
		usleep(rnd(r, 1000));
	}
	return false;
}

static bool unload(struct rnd *r, const pid_t *victims, int n)
{
	int fd;

	if (!shared->may_unload || !try_unload(r, victims, n))
		return false;
	short_while(r);
	fd = open(module_path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, "handoff=1", 0)) {
		fprintf(stderr, "cannot load %s again: %s\n", module_path, strerror(errno));
		_exit(1);
	}
	close(fd);
	return true;
}

/* The kernel takes back what it can spare. */
static bool pressure(void)
{
	return !write_file("/proc/sys/vm/drop_caches", "2");
}

/* One blow to one of the processes, which may be its last. */
void world_step(struct rnd *r, const pid_t *victims, int n)
{
	pid_t victim = victims[rnd(r, n)];

	usleep(rnd(r, 30000));
	switch (rnd(r, 12)) {
	case 0 ... 1:
		count(OP_stop, stop_and_go(r, victim));
		break;
	case 2 ... 3:
		count(OP_ptrace, trace(r, victim));
		break;
	case 4:
		count(OP_freeze, freeze(r, victim));
		break;
	case 5:
		count(OP_cpu, cpu_goes(r));
		break;
	case 6:
		count(OP_unload, unload(r, victims, n));
		break;
	case 7:
		count(OP_pressure, pressure());
		break;
	default:
		count(OP_kill, !kill(victim, SIGKILL));
	}
}

void world_init(void)
{
	const char *out = getenv("O");
	struct utsname u;

	uname(&u);
	snprintf(module_path, sizeof(module_path), "%s/kmod-%s/gmp.ko", out ? out : "build", u.release);
	shared->may_unload = !access(module_path, R_OK);
	mkdir(FREEZER, 0755);
}

void world_settle(void)
{
	write_file(FREEZER "/cgroup.freeze", "0");
	write_file(CPU1, "1");
	WAIT_FOR(!rmdir(FREEZER) || errno == ENOENT);
}
