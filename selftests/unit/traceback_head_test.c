/* SPDX-License-Identifier: MIT */
/*
 * traceback_head_test.c - the first line of a goroutine in a dump, as Go writes it: what it waits for and
 * for how many minutes; and what GMP_TRACEBACK may be.
 *
 * Minutes are not waited for: the line is asked for as it will be then.
 */
#include "debug/traceback.h"
#include "sched/sched.h"

#include <gmprt.h>
#include <sys/mman.h>

#include "gmptest.h"

#define SECOND	1000000000ull
#define MINUTE	(60 * SECOND)

static struct gmp_chan *c;

static void waits(void *arg)
{
	(void)arg;
	gmp_chan_recv(c, NULL);
}

static void waits_locked(void *arg)
{
	gmp_lock_os_thread();
	waits(arg);
}

static const struct rt_g *by_goid(int64_t goid)
{
	struct rt_g *gp;

	for (uint64_t i = 0; (gp = rt_g_nth(i)) != NULL; i++)
		if (rt_load_rlx(&gp->h.goid) == (uint64_t)goid)
			return gp;
	return NULL;
}

/* "goroutine N " is left out. */
static const char *head(const struct rt_g *gp, uint64_t now)
{
	static char text[512];
	int fd = memfd_create("head", 0);
	struct rt_out o;
	ssize_t n;

	CHECK(fd >= 0);
	rt_out_init(&o, fd);
	rt_tb_header(&o, gp, now);
	rt_out_flush(&o);
	n = pread(fd, text, sizeof(text) - 1, 0);
	CHECK(n > 0);
	text[n] = 0;
	close(fd);
	CHECK(strchr(text, '['));
	return strchr(text, '[');
}

#define CHECK_HEAD(gp, now, want) \
	do { \
		const char *got_ = head(gp, now); \
		if (strcmp(got_, want) != 0) \
			GMPTEST_FAIL_("got %s wanted %s", got_, want); \
	} while (0)

static const struct rt_g *parked(void (*fn)(void *), const char *name)
{
	struct gmp_go_attr a = { .size = sizeof(a), .name = name };
	int64_t goid = gmp_go_attr(&a, fn, NULL);
	const struct rt_g *gp = by_goid(goid);

	CHECK(gp);
	while (rt_load_acq(&gp->h.status) != GMP_G_WAITING || rt_load_acq(&gp->m))
		gmp_yield();
	CHECK_EQ(gmp_stop_world("to read what it wrote before"), 0);
	CHECK_EQ(gmp_start_world(), 0);
	return gp;
}

GTEST(minutes_as_go_counts_them)
{
	const struct rt_g *gp;
	uint64_t since;

	c = gmp_chan_make(0, 0);
	gp = parked(waits, NULL);
	since = gp->h.wait_since;
	CHECK(since);
	CHECK_HEAD(gp, since, "[chan receive]:\n");
	CHECK_HEAD(gp, since + MINUTE - 1, "[chan receive]:\n");
	CHECK_HEAD(gp, since + MINUTE, "[chan receive, 1 minutes]:\n");
	CHECK_HEAD(gp, since + 3 * MINUTE - SECOND, "[chan receive, 2 minutes]:\n");
	CHECK_HEAD(gp, since + 1440 * MINUTE, "[chan receive, 1440 minutes]:\n");
	CHECK_HEAD(gp, since - SECOND, "[chan receive]:\n");	/* clocks were read in another order */
}

GTEST(locked_and_named)
{
	const struct rt_g *gp;

	c = gmp_chan_make(0, 0);
	gp = parked(waits_locked, "server");
	CHECK_HEAD(gp, gp->h.wait_since, "[chan receive, locked to thread]: server\n");
	CHECK_HEAD(gp, gp->h.wait_since + 2 * MINUTE,
		   "[chan receive, 2 minutes, locked to thread]: server\n");
}

TEST(levels)
{
	static const struct {
		const char *text;
		enum rt_tb_level level;
	} t[] = {
		{ "none", RT_TB_NONE }, { "0", RT_TB_NONE }, { "single", RT_TB_SINGLE }, { "all", RT_TB_ALL },
		{ "1", RT_TB_ALL }, { "system", RT_TB_SYSTEM }, { "2", RT_TB_SYSTEM }, { "crash", RT_TB_SYSTEM },
		{ "", RT_TB_ALL }, { "nonsense", RT_TB_ALL },
	};

	unsetenv("GMP_TRACEBACK");
	CHECK_EQ(rt_tb_level(), RT_TB_ALL);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		setenv("GMP_TRACEBACK", t[i].text, 1);
		CHECK_EQ(rt_tb_level(), t[i].level);
	}
}

/* ---- since when --------------------------------------------------------------------------------------- */

static struct gmp_chan *first, *second, *over;
static int64_t follower_goid;

static void follower(void *arg)
{
	(void)arg;
	gmp_chan_recv(first, NULL);
	gmp_chan_recv(second, NULL);
}

/* All threads of the runtime sleep for a second; then one is woken, for some microseconds. */
static void *waker(void *arg)
{
	const struct rt_g *gp = by_goid(follower_goid);
	uint64_t sent;

	usleep(1200000);
	sent = rt_now();
	CHECK_EQ(gmp_chan_try_send(first, NULL), 0);
	while (rt_load_rlx(&gp->h.runs) < 2 || rt_load_acq(&gp->h.status) != GMP_G_WAITING)
		usleep(1000);
	printf("# it waits since %lld us after it was woken\n", (long long)(rt_load_rlx(&gp->h.wait_since) - sent) / 1000);
	CHECK(rt_load_rlx(&gp->h.wait_since) + SECOND / 20 > sent);
	CHECK_EQ(gmp_chan_close(over), 0);
	return arg;
}

GTEST(a_wait_does_not_begin_before_the_wake_up)
{
	pthread_t t;

	first = gmp_chan_make(0, 0);
	second = gmp_chan_make(0, 0);
	over = gmp_chan_make(0, 0);
	follower_goid = gmp_go(follower, NULL);
	gmp_yield();
	CHECK(pthread_create(&t, NULL, waker, NULL) == 0);
	CHECK_EQ(gmp_chan_recv(over, NULL), 0);
	pthread_join(t, NULL);
}
