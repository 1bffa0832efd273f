/* SPDX-License-Identifier: MIT */
/*
 * cpus.c - CPUs of the affinity mask and of the cgroup's quota.
 *
 * The quota of any ancestor binds as well, so the path is walked up to the root. Controllers that are
 * mounted elsewhere than /sys/fs/cgroup are not looked for: then only the affinity counts.
 */
#include "os/cpus.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#define ROOT	"/sys/fs/cgroup"

static uint32_t by_affinity(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (uint32_t)CPU_COUNT(&set);
}

/* Path of this process in the hierarchy of @controller ("" = v2), from /proc/self/cgroup. */
static bool cgroup_path(const char *controller, char *path, size_t n)
{
	char line[512];
	bool found = false;
	FILE *f = fopen("/proc/self/cgroup", "re");

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		char *names = strchr(line, ':');
		char *dir = names ? strchr(names + 1, ':') : NULL;

		if (!dir)
			continue;
		*dir++ = 0;
		names++;
		dir[strcspn(dir, "\n")] = 0;
		found = *controller ? strstr(names, controller) != NULL : *names == 0;
		if (found)
			snprintf(path, n, "%s", dir);
	}
	fclose(f);
	return found;
}

static bool read_pair(const char *file, long long *a, long long *b)
{
	char text[64];
	FILE *f = fopen(file, "re");
	bool ok = false;

	if (!f)
		return false;
	if (fgets(text, sizeof(text), f)) {
		ok = sscanf(text, "%lld %lld", a, b) >= 1;
		if (strncmp(text, "max", 3) == 0)
			ok = false;
	}
	fclose(f);
	return ok;
}

static uint32_t quotient(long long quota, long long period)
{
	if (quota <= 0 || period <= 0)
		return ~0u;
	return (uint32_t)((quota + period - 1) / period);
}

static uint32_t quota_v2(const char *dir)
{
	char file[1024];
	long long quota = 0, period = 100000;

	snprintf(file, sizeof(file), ROOT "%s/cpu.max", dir);
	return read_pair(file, &quota, &period) ? quotient(quota, period) : ~0u;
}

static uint32_t quota_v1(const char *dir)
{
	char file[1024];
	long long quota = 0, period = 0, none;

	snprintf(file, sizeof(file), ROOT "/cpu%s/cpu.cfs_quota_us", dir);
	if (!read_pair(file, &quota, &none))
		return ~0u;
	snprintf(file, sizeof(file), ROOT "/cpu%s/cpu.cfs_period_us", dir);
	return read_pair(file, &period, &none) ? quotient(quota, period) : ~0u;
}

/* The least quota of @dir and its ancestors. */
static uint32_t walk(char *dir, uint32_t (*quota)(const char *))
{
	uint32_t least = ~0u;

	for (;;) {
		char *slash;
		uint32_t q = quota(dir);

		if (q < least)
			least = q;
		slash = strrchr(dir, '/');
		if (!slash)
			return least;
		*slash = 0;
	}
}

uint32_t rt_cpus_allowed(void)
{
	uint32_t n = by_affinity();
	char dir[512];
	uint32_t q = ~0u;

	if (cgroup_path("", dir, sizeof(dir)))
		q = walk(dir, quota_v2);
	if (q == ~0u && cgroup_path("cpu", dir, sizeof(dir)))
		q = walk(dir, quota_v1);
	if (q < n)
		n = q;
	return n ? n : 1;
}
