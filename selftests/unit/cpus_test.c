/* SPDX-License-Identifier: MIT */
/*
 * cpus_test.c - os/cpus.c: what the cgroups allow, read from made-up files under a root of our own;
 * and that the number of Ps of a running program follows them.
 */
#include "os/cpus.h"

#include <gmprt.h>

#include <sched.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "gmptest.h"

static char root[] = "/tmp/gmp-cpus-XXXXXX";

/* ---- a made-up root --------------------------------------------------------------------------------- */

static void make_parents(char *path)
{
	for (char *p = path + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = 0;
		mkdir(path, 0755);
		*p = '/';
	}
}

static void put(const char *file, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(const char *file, const char *fmt, ...)
{
	char path[2048];
	va_list ap;
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", root, file);
	make_parents(path);
	f = fopen(path, "w");
	CHECK(f);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fclose(f);
}

static void begin(void)
{
	CHECK(mkdtemp(root));
	rt_cpus_root = root;
}

static uint32_t quota(void)
{
	struct rt_cpus c;

	rt_cpus_find(&c);
	return rt_cpus_quota(&c);
}

static void done(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -r '%s'", root);
	CHECK_EQ(system(cmd), 0);
}

#define NO_LIMIT	(~0u)
#define CHECK_QUOTA(want) \
	do { \
		uint32_t got_ = quota(); \
		if (got_ != (want)) \
			done(); \
		CHECK_EQ(got_, want); \
	} while (0)

/* ---- version 2 ------------------------------------------------------------------------------------------ */

static const char mounts_v2[] =
	"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
	"23 22 0:21 / /proc rw,nosuid - proc proc rw\n"
	"29 22 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:9 master:3 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(no_files_no_limit)
{
	begin();
	CHECK_QUOTA(NO_LIMIT);
	put("/proc/self/mountinfo", "%s", mounts_v2);
	CHECK_QUOTA(NO_LIMIT);
	put("/proc/self/cgroup", "0::/a\n");
	CHECK_QUOTA(NO_LIMIT);
	done();
}

TEST(v2_is_rounded_up)
{
	static const struct {
		const char *text;
		uint32_t want;
	} t[] = {
		{ "max 100000\n", NO_LIMIT }, { "100000 100000\n", 1 }, { "100001 100000\n", 2 },
		{ "250000 100000\n", 3 }, { "1000 100000\n", 1 }, { "400000 100000\n", 4 },
		{ "50000 25000\n", 2 }, { "", NO_LIMIT }, { "0 100000\n", NO_LIMIT },
		{ "-1 100000\n", NO_LIMIT }, { "100000 0\n", NO_LIMIT }, { "100000\n", NO_LIMIT },
		{ "9223372036854775807 1000\n", NO_LIMIT }, { "rubbish\n", NO_LIMIT },
		{ "200000 100000", 2 },
	};

	begin();
	put("/proc/self/mountinfo", "%s", mounts_v2);
	put("/proc/self/cgroup", "0::/app.slice/x.service\n");
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		put("/sys/fs/cgroup/app.slice/x.service/cpu.max", "%s", t[i].text);
		CHECK_QUOTA(t[i].want);
	}
	done();
}

TEST(v2_the_least_of_all_ancestors)
{
	begin();
	put("/proc/self/mountinfo", "%s", mounts_v2);
	put("/proc/self/cgroup", "0::/a/b/c\n");
	put("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
	put("/sys/fs/cgroup/a/b/cpu.max", "500000 100000\n");
	CHECK_QUOTA(5);
	put("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
	CHECK_QUOTA(2);
	put("/sys/fs/cgroup/a/b/c/cpu.max", "100000 100000\n");
	CHECK_QUOTA(1);
	put("/sys/fs/cgroup/a/b/c/cpu.max", "900000 100000\n");
	CHECK_QUOTA(2);
	/* in a namespace the mount point itself may have one; what is above it is another file system's */
	put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
	CHECK_QUOTA(1);
	put("/sys/fs/cgroup/cpu.max", "max 100000\n");
	put("/sys/fs/cpu.max", "100000 100000\n");
	CHECK_QUOTA(2);
	done();
}

TEST(v2_moved_between_looks)
{
	struct rt_cpus c;

	begin();
	put("/proc/self/mountinfo", "%s", mounts_v2);
	put("/proc/self/cgroup", "0::/a\n");
	put("/sys/fs/cgroup/a/cpu.max", "300000 100000\n");
	put("/sys/fs/cgroup/b/cpu.max", "700000 100000\n");
	rt_cpus_find(&c);
	CHECK_EQ(rt_cpus_quota(&c), 3);
	put("/proc/self/cgroup", "0::/b\n");
	CHECK_EQ(rt_cpus_quota(&c), 7);
	put("/proc/self/cgroup", "0::/../b\n");		/* outside of the namespace: not to be seen */
	CHECK_EQ(rt_cpus_quota(&c), NO_LIMIT);
	put("/proc/self/cgroup", "0::/\n");
	put("/sys/fs/cgroup/cpu.max", "800000 100000\n");
	CHECK_EQ(rt_cpus_quota(&c), 8);
	done();
}

/* ---- version 1 ------------------------------------------------------------------------------------------ */

static const char mounts_v1[] =
	"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	"30 22 0:27 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
	"31 30 0:28 / /sys/fs/cgroup/cpuset rw shared:10 - cgroup cgroup rw,cpuset\n"
	"32 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:11 - cgroup cgroup rw,cpu,cpuacct\n"
	"33 30 0:30 / /sys/fs/cgroup/unified rw shared:12 - cgroup2 cgroup2 rw\n";

static void put_v1(const char *dir, long quota_us, long period_us)
{
	char file[256];

	snprintf(file, sizeof(file), "/sys/fs/cgroup/%s/cpu.cfs_quota_us", dir);
	put(file, "%ld\n", quota_us);
	snprintf(file, sizeof(file), "/sys/fs/cgroup/%s/cpu.cfs_period_us", dir);
	put(file, "%ld\n", period_us);
}

/* "cpu" is a word of a list, not a part of "cpuset"; the unified hierarchy has no cpu controller then. */
TEST(v1_the_right_hierarchy)
{
	begin();
	put("/proc/self/mountinfo", "%s", mounts_v1);
	put("/proc/self/cgroup", "12:cpuset:/s\n7:cpuacct,cpu:/a/b\n1:name=systemd:/x\n0::/u\n");
	put_v1("cpuset/s", 100000, 100000);
	put("/sys/fs/cgroup/unified/u/cpu.max", "100000 100000\n");
	put_v1("cpu,cpuacct/a/b", -1, 100000);
	CHECK_QUOTA(NO_LIMIT);
	put_v1("cpu,cpuacct/a/b", 350000, 100000);
	CHECK_QUOTA(4);
	put_v1("cpu,cpuacct/a", 20000, 10000);
	CHECK_QUOTA(2);
	done();
}

/* Not all controllers are version 1: cpu may be with version 2 while others are not. */
TEST(v2_beside_v1)
{
	begin();
	put("/proc/self/mountinfo", "%s", mounts_v1);
	put("/proc/self/cgroup", "12:cpuset:/s\n1:name=systemd:/x\n0::/u\n");
	put("/sys/fs/cgroup/unified/u/cpu.max", "600000 100000\n");
	CHECK_QUOTA(6);
	done();
}

/* A container without a namespace: the path is the host's, and the mount shows that very folder. */
TEST(v1_in_a_container)
{
	begin();
	put("/proc/self/mountinfo",
	    "40 30 0:29 /docker/1f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
	put("/proc/self/cgroup", "7:cpu:/docker/1f\n");
	put_v1("cpu", 200000, 100000);
	CHECK_QUOTA(2);
	put("/proc/self/cgroup", "7:cpu:/docker/1f/sub\n");
	put_v1("cpu/sub", 100000, 100000);
	CHECK_QUOTA(1);
	put("/proc/self/cgroup", "7:cpu:/docker/1fe\n");	/* a neighbour */
	CHECK_QUOTA(NO_LIMIT);
	done();
}

/* ---- odd files ------------------------------------------------------------------------------------------- */

TEST(blanks_in_mount_points)
{
	begin();
	put("/proc/self/mountinfo", "29 22 0:26 / /sys/my\\040groups rw - cgroup2 none rw\n");
	put("/proc/self/cgroup", "0::/a b\n");
	put("/sys/my groups/a b/cpu.max", "200000 100000\n");
	CHECK_QUOTA(2);
	done();
}

TEST(lines_longer_than_the_buffer)
{
	static char lower[9000];

	begin();
	memset(lower, 'x', sizeof(lower) - 1);
	put("/proc/self/mountinfo", "20 1 0:9 / /m rw - overlay overlay rw,lowerdir=%s\n%s", lower, mounts_v2);
	put("/proc/self/cgroup", "0::/a\n");
	put("/sys/fs/cgroup/a/cpu.max", "300000 100000\n");
	CHECK_QUOTA(3);
	put("/proc/self/mountinfo", "\n\n-\n - \n1 2 3\n1 2 3 / - cgroup2\n%s", mounts_v2);
	put("/proc/self/cgroup", "\n:\n0:\n0::/a");
	CHECK_QUOTA(3);
	put("/proc/self/cgroup", "0::/%s\n", lower);
	CHECK_QUOTA(NO_LIMIT);
	done();
}

/* ---- the affinity mask -------------------------------------------------------------------------------------- */

TEST(affinity_and_quota_whichever_is_less)
{
	struct rt_cpus c;
	cpu_set_t all, one;
	uint32_t n;

	begin();
	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	n = (uint32_t)CPU_COUNT(&all);
	rt_cpus_find(&c);
	CHECK_EQ(rt_cpus_allowed(&c), n);
	put("/proc/self/mountinfo", "%s", mounts_v2);
	put("/proc/self/cgroup", "0::/\n");
	put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
	rt_cpus_find(&c);
	CHECK_EQ(rt_cpus_allowed(&c), 1);
	put("/sys/fs/cgroup/cpu.max", "max 100000\n");
	CHECK_EQ(rt_cpus_allowed(&c), n);
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	CHECK_EQ(rt_cpus_allowed(&c), 1);
	done();
}

/* ---- followed ------------------------------------------------------------------------------------------------ */

static int becomes(int n)
{
	for (int i = 0; i < 1000; i++) {
		if (gmp_maxprocs(0) == n)
			return 1;
		gmp_sleep(5000000);
	}
	return 0;
}

static int follow_main(void *arg)
{
	(void)arg;
	if (gmp_maxprocs(0) != 1)
		return 1;
	put("/proc/self/cgroup", "0::/wide\n");
	if (!becomes(2))
		return 2;
	put("/sys/fs/cgroup/wide/cpu.max", "1000 100000\n");
	return becomes(1) ? 0 : 3;
}

TEST(a_running_program_follows)
{
	cpu_set_t all;
	int result;

	unsetenv("GMP_MAXPROCS");
	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	if (CPU_COUNT(&all) < 2)
		SKIP("one CPU: no quota can raise the number of Ps");
	begin();
	put("/proc/self/mountinfo", "%s", mounts_v2);
	put("/proc/self/cgroup", "0::/narrow\n");
	put("/sys/fs/cgroup/narrow/cpu.max", "70000 100000\n");
	put("/sys/fs/cgroup/wide/cpu.max", "170000 100000\n");
	result = gmp_run(follow_main, NULL);
	done();
	CHECK_EQ(result, 0);
}
