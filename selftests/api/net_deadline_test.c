/* SPDX-License-Identifier: MIT */
/* net_deadline_test.c - deadlines: past, future, moved, cleared; for one side, for all who wait. */
#include <gmprt.h>

#include "net_util.h"

#define LATE	(20000 * MS)	/* a busy machine may be this late; never early */

static uint64_t in(int64_t ms)
{
	return gmp_now() + (uint64_t)(ms * MS);
}

/* It is @when or a little later. */
static void check_time(uint64_t when)
{
	uint64_t now = gmp_now();

	CHECK(now >= when);
	CHECK(now < when + LATE);
}

GTEST(past_deadline_beats_ready_data)
{
	struct pair p = tcp_pair();
	char c;

	CHECK_EQ(gmp_write(p.a, "xy", 2), 2);
	settle();
	CHECK_EQ(gmp_set_read_deadline(p.b, gmp_now()), 0);
	CHECK_EQ(gmp_read(p.b, &c, 1), -ETIMEDOUT);
	CHECK_EQ(gmp_read(p.b, &c, 1), -ETIMEDOUT);
	CHECK_EQ(gmp_write(p.b, "z", 1), 1);		/* only reading is late */
	CHECK_EQ(gmp_set_read_deadline(p.b, 1), 0);
	CHECK_EQ(gmp_read(p.b, &c, 1), -ETIMEDOUT);
	CHECK_EQ(gmp_set_read_deadline(p.b, 0), 0);
	CHECK_EQ(gmp_read(p.b, &c, 1), 1);		/* and nothing is lost */
	CHECK_EQ(gmp_set_read_deadline(p.b, in(3600000)), 0);
	CHECK_EQ(gmp_read(p.b, &c, 1), 1);
	CHECK_EQ(c, 'y');
	CHECK_EQ(gmp_set_write_deadline(p.b, 1), 0);
	CHECK_EQ(gmp_write(p.b, "z", 1), -ETIMEDOUT);
	CHECK_EQ(gmp_set_deadline(p.b, 1), 0);
	CHECK_EQ(gmp_read(p.b, &c, 1), -ETIMEDOUT);
	CHECK_EQ(gmp_write(p.b, "z", 1), -ETIMEDOUT);
	CHECK_EQ(gmp_set_deadline(p.b, UINT64_MAX), 0);
	CHECK_EQ(gmp_write(p.b, "z", 1), 1);
	close_pair(p);
}

GTEST(read_times_out)
{
	struct pair p = tcp_pair();
	char c;

	for (int ms = 1; ms <= 32; ms *= 2) {
		uint64_t when = in(ms);

		CHECK_EQ(gmp_set_read_deadline(p.b, when), 0);
		CHECK_EQ(gmp_read(p.b, &c, 1), -ETIMEDOUT);
		check_time(when);
	}
	CHECK_EQ(gmp_set_deadline(p.b, 0), 0);
	CHECK_EQ(gmp_write(p.a, "x", 1), 1);
	CHECK_EQ(gmp_read(p.b, &c, 1), 1);
	close_pair(p);
}

GTEST(accept_times_out)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0"), *fd, *client;
	uint64_t when = in(10);

	CHECK_EQ(gmp_set_deadline(l, when), 0);
	CHECK_EQ(gmp_accept(l, &fd), -ETIMEDOUT);
	check_time(when);
	CHECK_EQ(gmp_set_deadline(l, 0), 0);
	client = dial_to(l);
	CHECK_EQ(gmp_accept(l, &fd), 0);
	CHECK_EQ(gmp_close(fd), 0);
	CHECK_EQ(gmp_close(client), 0);
	CHECK_EQ(gmp_close(l), 0);
}

GTEST(write_times_out_and_says_how_far_it_got)
{
	static char data[16 << 20];
	struct pair p = tcp_pair();
	size_t done, at = 0;
	char buf[65536];
	uint64_t when;
	ssize_t n;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i >> 10);
	when = in(30);
	CHECK_EQ(gmp_set_write_deadline(p.a, when), 0);
	CHECK_EQ(gmp_write_n(p.a, data, sizeof(data), &done), -ETIMEDOUT);
	check_time(when);
	CHECK(done > 0 && done < sizeof(data));
	CHECK_EQ(gmp_shutdown(p.a, SHUT_WR), 0);
	while ((n = gmp_read(p.b, buf, sizeof(buf))) > 0) {
		CHECK(memcmp(buf, data + at, (size_t)n) == 0);
		at += (size_t)n;
	}
	CHECK_EQ(at, done);
	close_pair(p);
}

struct late {
	struct gmp_fd *fd;
	uint64_t when;
	uint32_t *ended;
};

static void read_late(void *arg)
{
	struct late *l = arg;
	char c;

	CHECK_EQ(gmp_read(l->fd, &c, 1), -ETIMEDOUT);
	CHECK(gmp_now() >= l->when);
	add(l->ended);
}

/* Moved while somebody waits: earlier, later, into the past. */
GTEST(moved_under_those_who_wait)
{
	struct pair p = tcp_pair();
	uint32_t ended = 0;
	struct late l = { p.b, 0, &ended };

	l.when = in(20);
	CHECK_EQ(gmp_set_read_deadline(p.b, in(3600000)), 0);
	CHECK(gmp_go(read_late, &l) > 1);
	until_waiting(1);
	CHECK_EQ(gmp_set_read_deadline(p.b, l.when), 0);
	until(&ended, 1);
	check_time(l.when);

	l.when = 0;
	CHECK_EQ(gmp_set_read_deadline(p.b, in(3600000)), 0);
	CHECK(gmp_go(read_late, &l) > 1);
	until_waiting(1);
	CHECK_EQ(gmp_set_read_deadline(p.b, 1), 0);
	until(&ended, 2);
	close_pair(p);
}

/* ---- moved in time: what depends on it is tried again on a machine that stood still meanwhile ---------- */

struct moved {
	struct gmp_fd *fd;
	uint64_t due;		/* as set last */
	uint64_t at;		/* when the read was over; by its goroutine, before ended */
	ssize_t got;
	bool late;		/* was set again when it was due already */
	uint32_t ended;
};

static void read_moved(void *arg)
{
	struct moved *m = arg;
	char c;

	m->got = gmp_read(m->fd, &c, 1);
	m->at = gmp_now();
	add(&m->ended);
}

static struct moved begin(struct gmp_fd *fd, uint64_t when)
{
	CHECK_EQ(gmp_set_read_deadline(fd, when), 0);
	return (struct moved){ .fd = fd, .due = when };
}

static void move(struct moved *m, uint64_t when)
{
	CHECK_EQ(gmp_set_read_deadline(m->fd, when), 0);
	m->late |= gmp_now() >= m->due;
	m->due = when;
}

/* It has timed out: true if it counts, and was then right. */
static bool ended_at(struct moved *m, uint64_t when)
{
	until(&m->ended, 1);
	CHECK_EQ(m->got, -ETIMEDOUT);
	if (m->at < when) {
		CHECK(m->late);
		return false;
	}
	check_time(when);
	return true;
}

GTEST(moved_later_under_one_who_waits)
{
	struct pair p = tcp_pair();
	struct moved m;
	uint64_t when;

	do {
		when = in(300);
		m = begin(p.b, in(150));
		CHECK(gmp_go(read_moved, &m) > 1);
		gmp_yield();
		move(&m, when);
	} while (!ended_at(&m, when));
	close_pair(p);
}

GTEST(cleared_under_those_who_wait)
{
	struct pair p = tcp_pair();
	struct moved m;
	char c;

	for (;;) {
		m = begin(p.b, in(150));
		CHECK(gmp_go(read_moved, &m) > 1);
		gmp_yield();
		move(&m, 0);
		gmp_sleep(200 * MS);
		CHECK(m.late || get(&m.ended) == 0);
		CHECK_EQ(gmp_write(p.a, "x", 1), 1);
		until(&m.ended, 1);
		if (m.got == 1)
			break;
		CHECK(m.late);
		CHECK_EQ(gmp_read(p.b, &c, 1), 1);
	}
	close_pair(p);
}

/* What a server does: further away with each request. It fires when the last one says, not before. */
GTEST(moved_further_again_and_again)
{
	struct pair p = tcp_pair();
	struct moved m;
	uint64_t when;

	do {
		m = begin(p.b, in(150));
		when = in(400);
		CHECK(gmp_go(read_moved, &m) > 1);
		while (gmp_now() + 150 * MS < when) {
			move(&m, in(150));
			gmp_sleep(MS);
		}
		move(&m, when);
	} while (!ended_at(&m, when));
	close_pair(p);
}

GTEST(all_in_line_time_out)
{
	struct pair p = tcp_pair();
	uint32_t ended = 0;
	struct late l = { p.b, 0, &ended };

	l.when = in(20);
	for (int i = 0; i < 20; i++)
		CHECK(gmp_go(read_late, &l) > 1);
	gmp_yield();
	CHECK_EQ(gmp_set_read_deadline(p.b, l.when), 0);
	until(&ended, 20);
	check_time(l.when);
	close_pair(p);
}

static void write_late(void *arg)
{
	static char data[16 << 20];
	struct late *l = arg;

	CHECK_EQ(gmp_write(l->fd, data, sizeof(data)), -ETIMEDOUT);
	CHECK(gmp_now() >= l->when);
	add(l->ended);
}

/* Two deadlines, one timer: whichever comes first, the other is not forgotten. */
GTEST(each_side_has_its_own)
{
	struct pair p = tcp_pair();
	uint32_t read_ended = 0, write_ended = 0;
	struct late r = { p.b, 0, &read_ended }, w = { p.b, 0, &write_ended };

	for (int i = 0; i < 4; i++) {
		read_ended = write_ended = 0;
		r.when = in(i % 2 ? 10 : 40);
		w.when = in(i % 2 ? 40 : 10);
		CHECK_EQ(gmp_set_deadline(p.b, 0), 0);
		CHECK(gmp_go(read_late, &r) > 1);
		CHECK(gmp_go(write_late, &w) > 1);
		gmp_yield();
		CHECK_EQ(gmp_set_read_deadline(p.b, r.when), 0);
		CHECK_EQ(gmp_set_write_deadline(p.b, w.when), 0);
		until(&read_ended, 1);
		until(&write_ended, 1);
		check_time(r.when > w.when ? r.when : w.when);
	}
	CHECK_EQ(gmp_set_deadline(p.b, 0), 0);
	r.when = in(10);
	CHECK(gmp_go(read_late, &r) > 1);
	CHECK_EQ(gmp_set_deadline(p.b, r.when), 0);
	until(&read_ended, 2);
	close_pair(p);
}

#define MANY	500

GTEST(hundreds_fire_and_none_early)
{
	static struct late late[MANY];
	static struct pair p[MANY];
	struct gmp_fd *l = listen_on("127.0.0.1:0");
	uint64_t rng = gmptest_seed(), last = 0;
	uint32_t ended = 0;

	for (int i = 0; i < MANY; i++) {
		p[i] = connect_via(l);
		late[i] = (struct late){ p[i].a, in(20 + gmptest_rand(&rng) % 50), &ended };
		CHECK_EQ(gmp_set_read_deadline(p[i].a, late[i].when), 0);
		CHECK(gmp_go(read_late, &late[i]) > 1);
		if (late[i].when > last)
			last = late[i].when;
	}
	until(&ended, MANY);
	check_time(last);
	for (int i = 0; i < MANY; i++)
		close_pair(p[i]);
	CHECK_EQ(gmp_close(l), 0);
}

struct torture {
	struct gmp_fd *fd;
	uint64_t rng;
	uint32_t bytes, timeouts, *ended;
};

static void read_through_timeouts(void *arg)
{
	struct torture *t = arg;
	char buf[100];
	ssize_t n;

	while ((n = gmp_read(t->fd, buf, sizeof(buf))) != 0) {
		if (n == -ETIMEDOUT) {
			t->timeouts++;
			gmp_set_read_deadline(t->fd, gmptest_rand(&t->rng) % 4 ? 0 : in(1));
			continue;
		}
		CHECK(n > 0);
		t->bytes += (uint32_t)n;
	}
	add(t->ended);
}

static void disturb(void *arg)
{
	struct torture *t = arg;

	for (int i = 0; i < 3000; i++) {
		int64_t ns = gmptest_rand(&t->rng) % 200000;

		CHECK_EQ(gmp_set_read_deadline(t->fd, gmp_now() + (uint64_t)ns), 0);
		if (gmptest_rand(&t->rng) % 8 == 0)
			gmp_sleep(ns);
		else
			gmp_yield();
	}
	add(t->ended);
}

/* Timeouts come from everywhere while data flows: no byte is lost, nobody sleeps for ever. */
GTEST(deadlines_against_data)
{
	struct pair p = tcp_pair();
	uint32_t ended = 0, sent = 0;
	struct torture r = { .fd = p.b, .rng = gmptest_seed(), .ended = &ended };
	struct torture d = { .fd = p.b, .rng = gmptest_seed() + 1, .ended = &ended };
	uint64_t rng = gmptest_seed() + 2;

	CHECK(gmp_go(read_through_timeouts, &r) > 1);
	CHECK(gmp_go(disturb, &d) > 1);
	while (get(&ended) == 0) {
		CHECK_EQ(gmp_write(p.a, "0123456789", 10), 10);
		sent += 10;
		if (sent % 50 == 0)
			gmp_sleep(gmptest_rand(&rng) % 100000);
	}
	CHECK_EQ(gmp_set_read_deadline(p.b, 0), 0);
	CHECK_EQ(gmp_shutdown(p.a, SHUT_WR), 0);
	until(&ended, 2);
	CHECK_EQ(r.bytes, sent);
	close_pair(p);
}

/* The timer of a descriptor that was closed must not hit the next one in its slot. */
GTEST(timers_of_closed_descriptors)
{
	struct gmp_fd *l = listen_on("127.0.0.1:0");
	char c;

	for (int i = 0; i < 300; i++) {
		struct pair p = connect_via(l), q;

		CHECK_EQ(gmp_set_deadline(p.a, gmp_now() + (uint64_t)i * 1000), 0);
		CHECK_EQ(gmp_set_deadline(p.b, gmp_now() + (uint64_t)i * 1000), 0);
		if (i % 2)
			gmp_yield();
		close_pair(p);
		q = connect_via(l);
		gmp_yield();
		CHECK_EQ(gmp_write(q.a, "x", 1), 1);
		CHECK_EQ(gmp_read(q.b, &c, 1), 1);
		CHECK_EQ(gmp_read(q.b, &c, 0), 0);
		close_pair(q);
	}
	CHECK_EQ(gmp_close(l), 0);
}
