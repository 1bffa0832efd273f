/* SPDX-License-Identifier: MIT */
/*
 * duration.c - when "in @ns" is, at half the price of the clock.
 *
 * Owns:       an anchor per thread (a reading of the clock and the cycle counter before it), and the
 *             length of a cycle.
 * Invariants: now_or_later() is not before rt_now() when it was called.
 * Ordering:   none needed: `cycle` is a number that is right from the moment it is there.
 *
 * Setting a timer costs 10 ns, reading the clock 22, the cycle counter 9. Within a millisecond of the
 * last reading the time is reckoned from the counter, and rounded up by 1/1024 of what has passed: the
 * kernel bends its clock by 1/2000 at most, and the rest is for our own measure of the cycle. So a
 * timer comes up to a microsecond late, never early. Each further reading checks the reckoning; what
 * is outside of the bounds twice (a counter that is not the clock's, a machine that was moved) ends it.
 * Only where the kernel itself counts time with the counter: it has made sure that it is the same on
 * all CPUs. Elsewhere, and until the cycle is known (10 ms), the clock is read.
 */
#include "sync/duration.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SOURCE		"/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define FRESH_NS	1000000u	/* an anchor may be that old */
#define CHECK_NS	100000000u	/* and that old to be checked with */
#define MEASURE_NS	10000000u	/* a cycle is measured over that time, at least */
#define SKEW_NS		100u		/* the counter is not read in order with other things */
#define READ_CYCLES	4000u		/* longer, and we have lost the CPU in between */

enum { UNKNOWN, USABLE, UNUSABLE };

struct anchor {
	uint64_t tsc;			/* 0 = none */
	uint64_t ns;
};

static __thread struct anchor anchor __attribute__((tls_model("initial-exec")));

static struct {
	uint32_t state;			/* atomic */
	uint32_t wrong;			/* reckonings that were; atomic */
	uint64_t cycle;			/* ns * 2^32; 0 = not known; atomic */
	uint64_t fresh;			/* FRESH_NS in cycles; written before `cycle` */
	struct rt_lock lock;		/* rank CLOCK, a leaf */
	struct anchor first;		/* lock */
} tsc = { .lock = RT_LOCK_INIT(CLOCK) };

static inline uint64_t cycles(void)
{
	return __builtin_ia32_rdtsc();
}

static inline uint64_t to_ns(uint64_t n, uint64_t cycle)
{
	return (uint64_t)((unsigned __int128)n * cycle >> 32);
}

static rt_cold uint32_t find_out(void)
{
	char name[8] = "";
	int fd = open(SOURCE, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 && strcmp(name, "tsc\n") == 0 ? USABLE : UNUSABLE;
}

static bool usable(void)
{
	uint32_t state = rt_load_rlx(&tsc.state);

	if (unlikely(state == UNKNOWN)) {
		state = find_out();
		rt_store_rlx(&tsc.state, state);
	}
	return state == USABLE;
}

/* The first reading, and one that is far enough from it, give the length of a cycle. */
static rt_cold void measure(uint64_t at, uint64_t now)
{
	uint64_t cycle = 0;

	rt_lock(&tsc.lock);
	if (!tsc.first.tsc)
		tsc.first = (struct anchor){ at, now };
	else if (now - tsc.first.ns >= MEASURE_NS && at > tsc.first.tsc)
		cycle = (uint64_t)(((unsigned __int128)(now - tsc.first.ns) << 32) / (at - tsc.first.tsc));
	if (cycle >> 28) {		/* less than 16 GHz */
		tsc.fresh = (uint64_t)(((unsigned __int128)FRESH_NS << 32) / cycle);
		rt_store_rel(&tsc.cycle, cycle);
	}
	rt_unlock(&tsc.lock);
}

/* Would we have been early since the last reading? */
static void check(uint64_t at, uint64_t now, uint64_t cycle)
{
	uint64_t passed = to_ns(at - anchor.tsc, cycle);

	if (!anchor.tsc || passed > CHECK_NS || anchor.ns + passed + (passed >> 10) + 10 * SKEW_NS >= now)
		return;
	if (rt_add_rlx(&tsc.wrong, 1) < 2)
		return;
	rt_store_rlx(&tsc.cycle, 0);
	rt_store_rlx(&tsc.state, UNUSABLE);
}

/* Reads the clock, and remembers. */
static rt_noinline uint64_t read_clock(uint64_t cycle)
{
	uint64_t at, now;

	if (!usable())
		return rt_now();
	at = cycles();
	now = rt_now();
	if (cycles() - at > READ_CYCLES) {
		anchor.tsc = 0;
		return now;
	}
	if (cycle)
		check(at, now, cycle);
	else
		measure(at, now);
	anchor = (struct anchor){ at, now };
	return now;
}

static inline uint64_t now_or_later(void)
{
	uint64_t cycle = rt_load_acq(&tsc.cycle), age, passed;

	if (likely(cycle)) {
		age = cycles() - anchor.tsc;
		if (likely(age < tsc.fresh)) {
			passed = age * cycle >> 32;
			return anchor.ns + passed + (passed >> 10) + SKEW_NS;
		}
	}
	return read_clock(cycle);
}

uint64_t rt_from_now(int64_t ns)
{
	uint64_t now = now_or_later(), when;

	if (ns <= 0)
		return now;
	return __builtin_add_overflow(now, (uint64_t)ns, &when) ? UINT64_MAX : when;
}
