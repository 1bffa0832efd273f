/* SPDX-License-Identifier: MIT */
/* edge_test.c - statuses move along the edges of the two tables, and along no other. */
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
	CHECK_EQ(legal, 13);
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
