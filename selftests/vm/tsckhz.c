// SPDX-License-Identifier: GPL-2.0-only
/*
 * tsckhz.c - prints the rate of the cycle counter, in kHz. For run.sh.
 *
 * An emulated guest has the host's counter, and measures it against a timer that, on a busy host, may
 * not tick for a while: some guests have come up with a twentieth of the rate, and with clocks twenty
 * times too fast. Here the two readings are as close to each other as the best of many tries.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct moment {
	uint64_t tsc, ns;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* The counter as of a time, to within the shortest of a thousand readings. */
static struct moment look(void)
{
	struct moment best = { 0, 0 };
	uint64_t before, ns, after, shortest = UINT64_MAX;

	for (int i = 0; i < 1000; i++) {
		before = __rdtsc();
		ns = now_ns();
		after = __rdtsc();
		if (after - before < shortest) {
			shortest = after - before;
			best = (struct moment) { before + shortest / 2, ns };
		}
	}
	return best;
}

int main(void)
{
	struct moment a = look(), b = a;

	while (b.ns - a.ns < 50000000)
		b = look();
	printf("%.0f\n", (b.tsc - a.tsc) * 1e6 / (b.ns - a.ns));
	return 0;
}
