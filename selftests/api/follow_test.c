/* SPDX-License-Identifier: MIT */
/*
 * follow_test.c - the number of Ps follows affinity and cgroup quota, unless somebody chose one.
 *
 * The affinity is changed as `taskset -a` does it, thread by thread; the quota, where a cgroup with the
 * cpu controller can be made, by moving this process there. (unit/cpus_test.c has made-up cgroups.)
 */
#include <gmprt.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "gmptest.h"

#define MS	1000000ll

static cpu_set_t all, one;

static void read_affinity(void)
{
	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
}

static int ncpus(void)
{
	return CPU_COUNT(&all);
}

/* All threads, and those that they start meanwhile. */
static void set_affinity(const cpu_set_t *set)
{
	for (int round = 0; round < 2; round++) {
		DIR *d = opendir("/proc/self/task");
		struct dirent *e;

		CHECK(d);
		while ((e = readdir(d)) != NULL)
			if (atoi(e->d_name))
				sched_setaffinity(atoi(e->d_name), sizeof(*set), set);
		closedir(d);
	}
}

/* Until it is @n; false after some looks of sysmon, which looks once a second. */
static int becomes(int n)
{
	for (int i = 0; i < 1000; i++) {
		if (gmp_maxprocs(0) == n)
			return 1;
		gmp_sleep(5 * MS);
	}
	return 0;
}

/* Longer than it takes sysmon to look again. */
static int stays(int n)
{
	for (int i = 0; i < 130; i++) {
		if (gmp_maxprocs(0) != n)
			return 0;
		gmp_sleep(10 * MS);
	}
	return 1;
}

/* ---- affinity ----------------------------------------------------------------------------------------- */

static int follows_main(void *arg)
{
	(void)arg;
	CHECK_EQ(gmp_maxprocs(0), ncpus());
	set_affinity(&one);
	CHECK(becomes(1));
	set_affinity(&all);
	CHECK(becomes(ncpus()));
	return 0;
}

/* With one CPU nothing can be seen: the quota tests are left. */
static void need_cpus(void)
{
	unsetenv("GMP_MAXPROCS");
	read_affinity();
	if (ncpus() < 2)
		SKIP("one CPU: no affinity smaller than this can be set");
}

TEST(affinity_is_followed)
{
	need_cpus();
	CHECK_EQ(gmp_run(follows_main, NULL), 0);
}

static int stop;	/* atomic */

static void tight(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		;
}

static void blocked(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		gmp_syscall_begin();
		usleep(3000);
		gmp_syscall_end();
	}
	gmp_wg_done(arg);
}

/* The stop of the world that it takes finds tight loops and system calls. */
static int under_load_main(void *arg)
{
	static struct gmp_wg wg;

	(void)arg;
	gmp_wg_add(&wg, 2);
	for (int i = 0; i < 3; i++)
		gmp_go(tight, NULL);
	gmp_go(blocked, &wg);
	gmp_go(blocked, &wg);
	set_affinity(&one);
	CHECK(becomes(1));
	set_affinity(&all);
	CHECK(becomes(ncpus()));
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	gmp_wg_wait(&wg);
	return 0;
}

TEST(under_load)
{
	need_cpus();
	CHECK_EQ(gmp_run(under_load_main, NULL), 0);
}

/* ---- somebody chose ------------------------------------------------------------------------------------- */

static int chosen_main(void *arg)
{
	int n = gmp_maxprocs(0);

	if (arg)
		CHECK_EQ(gmp_maxprocs(*(int *)arg), n);
	n = gmp_maxprocs(0);
	set_affinity(&one);
	CHECK(stays(n));
	set_affinity(&all);
	return 0;
}

TEST(not_with_gmp_maxprocs_in_the_environment)
{
	need_cpus();
	setenv("GMP_MAXPROCS", "3", 1);
	CHECK_EQ(gmp_run(chosen_main, NULL), 0);
}

TEST(not_after_gmp_maxprocs)
{
	int n = 3;

	need_cpus();
	CHECK_EQ(gmp_run(chosen_main, &n), 0);
}

/* Also when it chose what was there already. */
TEST(not_after_gmp_maxprocs_of_the_same)
{
	int n;

	need_cpus();
	n = ncpus();
	CHECK_EQ(gmp_run(chosen_main, &n), 0);
}

TEST(not_after_gmp_maxprocs_before_the_run)
{
	need_cpus();
	CHECK(gmp_maxprocs(3) >= 1);
	CHECK_EQ(gmp_run(chosen_main, NULL), 0);
}

TEST(not_with_updatemaxprocs_0)
{
	need_cpus();
	setenv("GMP_DEBUG", "updatemaxprocs=0", 1);
	CHECK_EQ(gmp_run(chosen_main, NULL), 0);
}

/* ---- a real cgroup ---------------------------------------------------------------------------------------- */

static char group[512], home[512];
static int v1;

static int write_to(const char *dir, const char *file, const char *text)
{
	char path[1024];
	int fd, ok;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

static int make_in(const char *dir)
{
	snprintf(home, sizeof(home), "%s", dir);
	snprintf(group, sizeof(group), "%s/gmp-follow-%d", dir, getpid());
	if (mkdir(group, 0755))
		return 0;
	if (write_to(group, v1 ? "cpu.cfs_quota_us" : "cpu.max", v1 ? "-1" : "max 100000"))
		return 1;
	rmdir(group);
	return 0;
}

static int make_group(void)
{
	v1 = 1;
	if (make_in("/sys/fs/cgroup/cpu") || make_in("/sys/fs/cgroup/cpu,cpuacct"))
		return 1;
	v1 = 0;
	write_to("/sys/fs/cgroup", "cgroup.subtree_control", "+cpu");
	return make_in("/sys/fs/cgroup");
}

static int set_quota(int us)
{
	char text[64];

	snprintf(text, sizeof(text), v1 ? "%d" : us < 0 ? "max 100000" : "%d 100000", us);
	return write_to(group, v1 ? "cpu.cfs_quota_us" : "cpu.max", text);
}

static int quota_main(void *arg)
{
	(void)arg;
	CHECK_EQ(gmp_maxprocs(0), 1);	/* 40 % of one, rounded up */
	if (!set_quota(150000) || !becomes(ncpus() < 2 ? ncpus() : 2))
		return 1;
	if (!set_quota(50000) || !becomes(1))
		return 2;
	if (!write_to(home, "cgroup.procs", "0") || !becomes(ncpus()))
		return 3;
	return 0;
}

static int quota_child(void)
{
	return write_to(group, "cgroup.procs", "0") ? gmp_run(quota_main, NULL) : 9;
}

TEST(quota_of_a_cgroup_is_followed)
{
	int status = -1;
	pid_t pid;

	unsetenv("GMP_MAXPROCS");
	read_affinity();
	if (!make_group())
		SKIP("no cgroup with the cpu controller can be made here");
	CHECK(set_quota(40000));
	pid = fork();
	if (pid == 0)
		_exit(quota_child());
	waitpid(pid, &status, 0);
	rmdir(group);
	CHECK(pid > 0 && WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
}
