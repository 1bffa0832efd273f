/* SPDX-License-Identifier: MIT */
/*
 * edge_test.c - statuses move along the edges of the two tables, and along no other; a P's are seen, one
 * after the other, in its word.
 */
#include <gmprt.h>

#include "gmptest.h"
#include "sched/hot.h"

static const uint32_t g_status[] = { GMP_G_IDLE, GMP_G_RUNNABLE, GMP_G_RUNNING, GMP_G_SYSCALL,
				     GMP_G_WAITING, GMP_G_DEAD, GMP_G_COPYSTACK, GMP_G_PREEMPTED };
enum { NR_G = sizeof(g_status) / sizeof(g_status[0]), NR_P = GMP_P_DEAD + 1 };

static void move_g(uint32_t from, uint32_t to)
{
	static struct rt_g g;

	g.h.status = from;
	rt_g_set_status(&g, from, to);
}

TEST(illegal_edges_of_a_g_are_fatal)
{
	int legal = 0;

	for (int i = 0; i < NR_G; i++)
		for (int k = 0; k < NR_G; k++) {
			if (rt_g_edge_legal(g_status[i], g_status[k]))
				legal++;
			else
				DEATH(move_g(g_status[i], g_status[k]), "wanted the edge");
		}
	CHECK_EQ(legal, 11);
}

TEST(a_g_must_be_where_it_is_said_to_be)
{
	static struct rt_g g = { .h.status = GMP_G_WAITING };

	DEATH(rt_g_set_status(&g, GMP_G_RUNNABLE, GMP_G_RUNNING), "status 4, wanted the edge 1 -> 2");
}

static void move_p(uint32_t from, uint32_t to, int by_store)
{
	static struct rt_p p;
	uint64_t w = GMP_P_WORD(from, 1, 7);

	p.own_word = w;
	p.word = &p.own_word;
	if (by_store)
		rt_p_store(&p, w, GMP_P_WORD(to, 1, 7));
	else
		rt_p_cas(&p, w, GMP_P_WORD(to, 1, 7));
}

TEST(illegal_edges_of_a_p_are_fatal)
{
	int legal = 0;

	for (uint32_t from = 0; from < NR_P; from++)
		for (uint32_t to = 0; to < NR_P; to++) {
			if (rt_p_edge_legal(from, to)) {
				legal++;
				move_p(from, to, 0);
				continue;
			}
			DEATH(move_p(from, to, 0), "wanted the edge");
			DEATH(move_p(from, to, 1), "wanted the edge");
		}
	CHECK_EQ(legal, 12);
}

/* ---- the statuses of real Ps ---------------------------------------------------------------------------- */

static uint32_t status_of(uint32_t i)
{
	return GMP_P_WORD_STATUS(rt_load_acq(rt_sched.allp[i]->word));
}

static uint32_t mine(void)
{
	return (uint32_t)rt_getm()->p->id;
}

/* Ours is @own, from the first to the @n-th all others are @rest; waited for, as they get there. */
static void ps_are(uint32_t n, uint32_t own, uint32_t rest)
{
	for (uint32_t i = 0; i < n; i++) {
		if (i == mine())
			CHECK_EQ(status_of(i), own);
		while (i != mine() && status_of(i) != rest)
			usleep(100);
	}
}

static int goes_through_all(void *arg)
{
	uint32_t own;

	(void)arg;
	ps_are(4, GMP_P_RUNNING, GMP_P_IDLE);
	CHECK_EQ(gmp_stop_world("statuses"), 0);
	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQ(status_of(i), GMP_P_GCSTOP);
	CHECK_EQ(gmp_start_world(), 0);
	ps_are(4, GMP_P_RUNNING, GMP_P_IDLE);
	own = mine();
	gmp_syscall_begin();
	CHECK_EQ(status_of(own), GMP_P_SYSCALL);	/* nobody takes it: sysmon is off */
	gmp_syscall_end();
	CHECK_EQ(status_of(own), GMP_P_RUNNING);
	CHECK_EQ(gmp_maxprocs(2), 4);
	ps_are(2, GMP_P_RUNNING, GMP_P_IDLE);
	CHECK_EQ(status_of(2), GMP_P_DEAD);
	CHECK_EQ(status_of(3), GMP_P_DEAD);
	CHECK_EQ(gmp_maxprocs(4), 2);
	ps_are(4, GMP_P_RUNNING, GMP_P_IDLE);
	return 0;
}

TEST(ps_go_through_all_statuses)
{
	setenv("GMP_MAXPROCS", "4", 1);
	setenv("GMP_DEBUG", "sysmon=0", 1);
	CHECK_EQ(gmp_run(goes_through_all, NULL), 0);
}
