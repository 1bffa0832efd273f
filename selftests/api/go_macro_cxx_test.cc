/* SPDX-License-Identifier: MIT */
/* go_macro_cxx_test.cc - GMP_GO() of C++: the caller converts, as in a call, and the goroutine has copies. */
#include <gmprt.h>

#include <atomic>
#include <memory>
#include <string>

#include "gmptest.h"

static gmp_wg wg;

#define GO(...) \
	do { \
		gmp_wg_add(&wg, 1); \
		CHECK(GMP_GO(__VA_ARGS__) > 1); \
		gmp_wg_wait(&wg); \
	} while (0)

static void null(const char *a, void *b, int *c)
{
	CHECK(!a && !b && !c);
	gmp_wg_done(&wg);
}

GTEST(null_pointers)
{
	GO(null, NULL, nullptr, 0);
	GO(&null, nullptr, 0, NULL);
}

static void strings(std::string a, const std::string &b, const char *c)
{
	CHECK(a == "first" && b == "second" && !strcmp(c, "third"));
	gmp_wg_done(&wg);
}

/* Made into a string at once: what it was made of may be gone when the goroutine runs. */
GTEST(converted_by_the_caller)
{
	char first[] = "first";
	std::string second = "second";

	gmp_wg_add(&wg, 1);
	CHECK(GMP_GO(strings, first, second, "third") > 1);
	first[0] = 'x';
	second = "another";
	gmp_wg_wait(&wg);
}

static void owns(std::unique_ptr<int> a, std::unique_ptr<int> &&b)
{
	CHECK_EQ(*a + *b, 7);
	gmp_wg_done(&wg);
}

GTEST(moved)
{
	std::unique_ptr<int> three = std::make_unique<int>(3);

	GO(owns, std::move(three), std::make_unique<int>(4));
	CHECK(!three);
}

static void never(int a) noexcept
{
	CHECK_EQ(a, 5);
	gmp_wg_done(&wg);
}

struct bits { unsigned a : 3; };

static void numbers(char a, float b, long c, const int d[2])
{
	CHECK(a == 'a' && b == 1.5F && c == -1 && d[1] == 2);
	gmp_wg_done(&wg);
}

GTEST(numbers_and_arrays)
{
	bits b = { 5 };
	int d[2] = { 1, 2 };
	void (&reference)(int) noexcept = never;

	GO(never, b.a);
	GO(reference, 5);
	GO(numbers, 97, 1.5, -1, d);
}

struct adds {
	int to;

	void operator()(int x)
	{
		CHECK_EQ(to + x, 9);
		gmp_wg_done(&wg);
	}
};

GTEST(function_objects)
{
	adds four = { 4 };
	int seen = 0;

	GO(four, 5);
	GO([&seen](int x) { seen = x; gmp_wg_done(&wg); }, 3);
	CHECK_EQ(seen, 3);
}

struct counted {
	static std::atomic<int> alive;

	counted() { alive++; }
	counted(const counted &) { alive++; }
	~counted() { alive--; }
};

std::atomic<int> counted::alive;

static void uses(counted)
{
	gmp_wg_done(&wg);
}

/* The goroutine's copy goes with the goroutine, or at once when there is none. */
GTEST(copies_are_destroyed)
{
	{
		counted c;

		for (int i = 0; i < 10; i++)
			GO(uses, c);
	}
	while (gmp_num_goroutine() > 1)
		gmp_yield();
	CHECK_EQ(counted::alive, 0);
}

TEST(without_a_run)
{
	{
		counted c;

		CHECK_EQ(GMP_GO(uses, c), -ESRCH);
	}
	CHECK_EQ(counted::alive, 0);
}
