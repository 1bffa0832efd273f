/* SPDX-License-Identifier: MIT */
/*
 * inject.c - see inject.h. Empty but in test builds.
 *
 * The stream of numbers is a thread's own: a shared one would order the very threads whose races it
 * is to provoke. A seed repeats what is decided, not how the kernel schedules.
 */
#include "base/inject.h"

#if RT_INJECT

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"

uint32_t rt_inject_one_in;
uint64_t rt_inject_passed[RT_INJ_POINTS];
long (*rt_inject_hook)(long nr, long arg2);

static uint64_t seed;
static uint32_t only;			/* RT_INJ_NONE: all */
static __thread uint64_t stream __attribute__((tls_model("initial-exec")));

void rt_inject_init(void)
{
	const char *s = getenv("GMP_INJECT");
	unsigned long long want = 0;
	unsigned int one_in = 64, point = RT_INJ_NONE;

	if (s && sscanf(s, "%llu:%u:%u", &want, &one_in, &point) < 1)
		one_in = 0;
	seed = want;
	only = point;
	rt_inject_one_in = s ? one_in : 0;
}

static uint32_t draw(void)
{
	uint64_t x = stream;

	if (!x)
		x = (seed ^ (uint64_t)syscall(SYS_gettid)) * 0x9e3779b97f4a7c15ull | 1;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	stream = x;
	return (uint32_t)((x * 0x2545f4914f6cdd1dull) >> 32);
}

/* Mostly as short as a cache miss, sometimes as long as a lost CPU. A raw call: errno is the G's. */
static void lose_time(uint32_t r)
{
	struct timespec ts = { .tv_nsec = 1000 + (long)(r >> 8) % 60000 };

	switch (r % 16) {
	case 0:
		ts.tv_nsec += 3000000;		/* longer than most time slices */
		/* fall through */
	case 1 ... 4:
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);	/* sets no errno */
		break;
	case 5 ... 9:
		sched_yield();
		break;
	default:
		for (uint32_t i = (r >> 8) % 2000; i > 0; i--)
			rt_cpu_relax();
	}
}

void rt_inject_delay(enum rt_inject_point at)
{
	rt_add_rlx(&rt_inject_passed[at], 1);
	if ((only == RT_INJ_NONE || only == at) && draw() % rt_inject_one_in == 0)
		lose_time(draw());
}

#endif
