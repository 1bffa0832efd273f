/* SPDX-License-Identifier: MIT */
/*
 * exception_test.cc - C++ exceptions in goroutines that park while they are thrown and handled.
 *
 * The C++ runtime keeps what is being caught per thread; goroutines change threads and share them.
 */
#include <gmprt.h>

#include <exception>
#include <stdexcept>
#include <string>

#include "gmptest.h"

static const int GS = 40, ROUNDS = 60;

static gmp_wg wg;

static void park(int how)
{
	if (how % 3 == 0)
		gmp_yield();
	else if (how % 3 == 1)
		gmp_sleep(how % 5 * 10000);
}

static void each(void (*fn)(void *))
{
	for (intptr_t i = 0; i < GS; i++)
		CHECK(gmp_wg_go(&wg, fn, (void *)i) > 0);
	gmp_wg_wait(&wg);
	CHECK(!std::current_exception());
	CHECK_EQ(std::uncaught_exceptions(), 0);
}

static std::string name(intptr_t id, int round, const char *what)
{
	return std::to_string(id) + "." + std::to_string(round) + " " + what;
}

static void throws_plainly(void *arg)
{
	intptr_t id = (intptr_t)arg;

	for (int i = 0; i < ROUNDS; i++) {
		try {
			throw std::runtime_error(name(id, i, "plain"));
		} catch (const std::exception &e) {
			CHECK(e.what() == name(id, i, "plain"));
		}
		park(i);
	}
}

GTEST(without_a_park)
{
	each(throws_plainly);
}

/* The object caught is kept by the runtime's list only: `throw;` and current_exception() look there. */
static void parks_in_catch(void *arg)
{
	intptr_t id = (intptr_t)arg;

	for (int i = 0; i < ROUNDS; i++) {
		std::string mine = name(id, i, "caught");
		bool again = false;

		CHECK(!std::current_exception());
		try {
			try {
				throw std::runtime_error(mine);
			} catch (const std::exception &) {
				park(i + (int)id);
				throw;
			}
		} catch (const std::runtime_error &e) {
			again = true;
			CHECK(e.what() == mine);
		}
		CHECK(again);
	}
}

GTEST(with_a_park_inside_catch)
{
	each(parks_in_catch);
}

static void catches_nested(intptr_t id, int round, int depth)
{
	std::string mine = name(id, round * 10 + depth, "nested");

	try {
		throw std::runtime_error(mine);
	} catch (const std::exception &e) {
		park(round + depth);
		if (depth > 0)
			catches_nested(id, round, depth - 1);
		park(round + depth + 1);
		CHECK(e.what() == mine);
		try {
			std::rethrow_exception(std::current_exception());
		} catch (const std::runtime_error &again) {
			park(depth);
			CHECK(again.what() == mine);
		}
	}
}

static void nests(void *arg)
{
	for (int i = 0; i < ROUNDS / 4; i++)
		catches_nested((intptr_t)arg, i, 4);
	CHECK(!std::current_exception());
}

GTEST(nested_with_parks)
{
	each(nests);
}

/* In a destructor that runs because of a throw: one exception is on its way. */
struct parks_when_unwound {
	int how;

	explicit parks_when_unwound(int n) : how(n) {}
	~parks_when_unwound()
	{
		CHECK_EQ(std::uncaught_exceptions(), 1);
		park(how);
		CHECK_EQ(std::uncaught_exceptions(), 1);
	}
};

static void unwinds(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_EQ(std::uncaught_exceptions(), 0);
		try {
			parks_when_unwound p(i + (int)(intptr_t)arg);

			throw i;
		} catch (int n) {
			CHECK_EQ(n, i);
		}
	}
}

GTEST(with_a_park_while_unwinding)
{
	each(unwinds);
}

static void leaves_in_catch(void *arg)
{
	try {
		throw std::runtime_error("left");
	} catch (const std::exception &) {
		park((int)(intptr_t)arg);
		gmp_goexit();
	}
}

GTEST(goexit_inside_catch)
{
	for (intptr_t i = 0; i < GS; i++)
		CHECK(gmp_go(leaves_in_catch, (void *)i) > 0);
	while (gmp_num_goroutine() > 1)
		gmp_yield();
	CHECK(!std::current_exception());
	each(parks_in_catch);
}

static void calls_in_catch(void *arg)
{
	intptr_t id = (intptr_t)arg;

	for (int i = 0; i < 10; i++) {
		try {
			throw std::runtime_error(name(id, i, "call"));
		} catch (const std::exception &e) {
			gmp_syscall_begin();
			usleep(2000);
			gmp_syscall_end();
			CHECK(e.what() == name(id, i, "call"));
			CHECK((bool)std::current_exception());
		}
	}
	CHECK(!std::current_exception());
}

GTEST(declared_calls_inside_catch)
{
	each(calls_in_catch);
}

static int quiet(void *)
{
	CHECK(!std::current_exception());
	each(parks_in_catch);
	return 3;
}

TEST(a_run_inside_catch)
{
	try {
		throw std::runtime_error("outside");
	} catch (const std::exception &e) {
		CHECK_EQ(gmp_run(quiet, NULL), 3);
		CHECK(e.what() == std::string("outside"));
		try {
			throw;
		} catch (const std::runtime_error &again) {
			CHECK(again.what() == std::string("outside"));
		}
	}
	CHECK(!std::current_exception());
}
