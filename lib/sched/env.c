/* SPDX-License-Identifier: MIT */
/* env.c - see env.h. Unknown words are named on stderr and ignored: a typing error must not be silent. */
#include "sched/env.h"

#include <stdlib.h>
#include <string.h>

#include "base/throw.h"
#include "os/cpus.h"
#include "sched/runtime.h"

struct rt_env rt_env;
static uint32_t maxprocs_set;	/* by gmp_maxprocs() before a run */

static bool number(const char *s, uint32_t max, uint32_t *out)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (end == s || *end || v > max)
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool flag(const char *v, bool *out)
{
	uint32_t n;

	if (!number(v, 1, &n))
		return false;
	*out = n == 1;
	return true;
}

/* A flag that is on by default: @out says that it is off. */
static bool unset(const char *v, bool *out)
{
	bool on;

	if (!flag(v, &on))
		return false;
	*out = !on;
	return true;
}

static bool set_kern(const char *v)
{
	rt_env.no_ko = strcmp(v, "none") == 0;
	rt_env.only_ko = strcmp(v, "ko") == 0;
	return rt_env.no_ko || rt_env.only_ko || strcmp(v, "auto") == 0;
}

static bool set_delay(const char *v)
{
	uint32_t us;

	if (!number(v, 1000000, &us))
		return false;
	rt_env.handoff_ns = us * 1000ll;
	return true;
}

static bool set(const char *key, const char *v)
{
	if (strcmp(key, "kern") == 0)
		return set_kern(v);
	if (strcmp(key, "stats") == 0)
		return flag(v, &rt_env.stats);
	if (strcmp(key, "asyncpreemptoff") == 0)
		return flag(v, &rt_env.asyncpreemptoff);
	if (strcmp(key, "updatemaxprocs") == 0)
		return unset(v, &rt_env.no_update);
	if (strcmp(key, "acct") == 0)
		return flag(v, &rt_env.acct);
	if (strcmp(key, "handoff") == 0)
		return unset(v, &rt_env.nohandoff);
	if (strcmp(key, "handoffdelay") == 0)
		return set_delay(v);
	if (strcmp(key, "sysmon") == 0)
		return unset(v, &rt_env.nosysmon);
	if (strcmp(key, "stackguards") == 0)
		return rt_env.few_guards = number(v, UINT32_MAX, &rt_env.guards);
	if (strcmp(key, "scheddetail") == 0)
		return flag(v, &rt_env.scheddetail);
	if (strcmp(key, "schedtrace") == 0)
		return number(v, 3600000, &rt_env.schedtrace_ms);
	return false;
}

static void read_debug(const char *text)
{
	char buf[256];
	char *save, *word;

	if (!text)
		return;
	strncpy(buf, text, sizeof(buf) - 1);
	buf[sizeof(buf) - 1] = 0;
	for (word = strtok_r(buf, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
		char *eq = strchr(word, '=');

		if (eq)
			*eq = 0;
		if (!set(word, eq ? eq + 1 : "1"))
			rt_say("gmprt: GMP_DEBUG: ignored: %s%s%s\n", word, eq ? "=" : "", eq ? eq + 1 : "");
	}
}

void rt_env_read(void)
{
	rt_env = (struct rt_env){ .handoff_ns = -1 };
	read_debug(getenv("GMP_DEBUG"));
}

/* GMP_MAXPROCS, 0 when it is not set to a number that will do. */
static uint32_t from_environment(bool tell)
{
	const char *s = getenv("GMP_MAXPROCS");
	uint32_t n;

	if (!s || !*s)
		return 0;
	if (number(s, RT_MAX_P, &n) && n > 0)
		return n;
	if (tell)
		rt_say("gmprt: GMP_MAXPROCS=%s is not 1 to %u: ignored\n", s, RT_MAX_P);
	return 0;
}

static uint32_t from_cpus(void)
{
	struct rt_cpus cpus;
	uint32_t n;

	rt_cpus_find(&cpus);
	n = rt_cpus_allowed(&cpus);
	return n > RT_MAX_P ? RT_MAX_P : n;
}

uint32_t rt_env_maxprocs(uint32_t set_to)
{
	uint32_t old = maxprocs_set ? maxprocs_set : from_environment(true);

	if (!old)
		old = from_cpus();
	if (set_to)
		maxprocs_set = set_to;
	return old;
}

bool rt_env_fixed(void)
{
	return rt_env.no_update || maxprocs_set || from_environment(false);
}
