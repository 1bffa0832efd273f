/* SPDX-License-Identifier: MIT */
/*
 * go_macro_test.c - GMP_GO(): arguments of every class of the psABI, converted and copied.
 * Compiled without optimization as well (go_macro_O0_test.c): there compilers treat nested functions,
 * blocks and static chains otherwise.
 */
#include <complex.h>
#include <stdarg.h>
#include <gmprt.h>

#include "gmptest.h"

static uint32_t done;

static void count(void)
{
	__atomic_add_fetch(&done, 1, __ATOMIC_RELEASE);
}

static void wait_for(uint32_t n)
{
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < n)
		gmp_yield();
}

struct pair { double x; char text[40]; };
struct two { long a; double b; };
struct big { int v[500]; };
typedef int vec8 __attribute__((vector_size(16)));

static void mixed(int a, double b, const char *c, struct pair d, char e, long f, float g, unsigned short h)
{
	CHECK_EQ(a, -1);
	CHECK(b == 2.0);
	CHECK_EQ(strcmp(c, "three"), 0);
	CHECK(d.x == 4.5 && strcmp(d.text, "pair") == 0);
	CHECK_EQ(e, 'e');
	CHECK_EQ(f, 6);
	CHECK(g == 7.25f);
	CHECK_EQ(h, 8);
	count();
}

GTEST(converts_and_copies)
{
	struct pair d = { 4.5, "pair" };
	char three[] = "three";

	CHECK(GMP_GO(mixed, -1, 2, three, d, 'e', 6, 7.25, 8) > 1);
	memset(&d, 0, sizeof(d));
	wait_for(1);
}

static void eight_ints(long a, long b, long c, long d, long e, long f, long g, long h)
{
	CHECK_EQ(a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h, 204);
	count();
}

static void eight_doubles(double a, double b, double c, double d, double e, double f, double g, double h)
{
	CHECK(a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h == 204);
	count();
}

static void eight_long_doubles(long double a, long double b, long double c, long double d, long double e,
			       long double f, long double g, long double h)
{
	CHECK(a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h == 204);
	count();
}

GTEST(registers_and_stack)
{
	CHECK(GMP_GO(eight_ints, 1, 2, 3, 4, 5, 6, 7, 8) > 1);
	CHECK(GMP_GO(eight_doubles, 1, 2, 3, 4, 5, 6, 7, 8) > 1);
	CHECK(GMP_GO(eight_long_doubles, 1, 2, 3, 4, 5, 6, 7, 8) > 1);
	wait_for(3);
}

static void structs(struct two a, struct big b, vec8 c, double complex d, long double e)
{
	CHECK(a.a == 1 && a.b == 2.5);
	for (int i = 0; i < 500; i++)
		CHECK_EQ(b.v[i], i);
	CHECK(c[0] == 5 && c[3] == 8);
	CHECK(creal(d) == 3 && cimag(d) == 4);
	CHECK(e == 9.5L);
	count();
}

GTEST(structs_vectors_and_complex)
{
	struct two a = { 1, 2.5 };
	struct big b;
	vec8 c = { 5, 6, 7, 8 };

	for (int i = 0; i < 500; i++)
		b.v[i] = i;
	for (uint32_t i = 1; i <= 20; i++) {
		CHECK(GMP_GO(structs, a, b, c, 3 + 4 * I, 9.5) > 1);
		wait_for(i);
	}
}

struct bits { unsigned a : 3; int b : 5; };

static void plain(unsigned a, int b, const char *none, int *items, const char *text)
{
	CHECK_EQ(a, 5);
	CHECK_EQ(b, -3);
	CHECK(none == NULL);
	CHECK_EQ(items[1], 2);
	CHECK_EQ(strcmp(text, "text"), 0);
	count();
}

/* A constant 0 is a null pointer where one is wanted, arrays are pointers: as in a call. */
GTEST(bit_fields_null_pointers_and_arrays)
{
	struct bits b = { 5, -3 };
	int items[3] = { 1, 2, 3 };

	CHECK(GMP_GO(plain, b.a, b.b, 0, items, "text") > 1);
	wait_for(1);
	CHECK(GMP_GO(&plain, 5, -3, NULL, &items[0], "text") > 1);
	wait_for(2);
}

static struct pair returns_struct(int a)
{
	struct pair p = { a, "returned" };

	CHECK_EQ(a, 12);
	count();
	return p;
}

static double complex returns_complex(double a)
{
	CHECK(a == 12);
	count();
	return a;
}

static int returns_int(struct two t)
{
	CHECK(t.a == 12);
	count();
	return 1;
}

GTEST(results_are_dropped)
{
	struct two t = { 12, 0 };

	CHECK(GMP_GO(returns_struct, 12) > 1);
	CHECK(GMP_GO(returns_complex, 12) > 1);
	CHECK(GMP_GO(returns_int, t) > 1);
	wait_for(3);
}

static _Noreturn void leaves(int a)
{
	CHECK_EQ(a, 12);
	count();
	gmp_goexit();
}

static _Noreturn void leaves_later(float a, ...)
{
	CHECK(a == 12);
	count();
	gmp_goexit();
}

/* Nothing is emitted after a call of such a function, and this one returns. */
GTEST(functions_that_do_not_return)
{
	int64_t goid = GMP_GO(leaves, 12);

	CHECK(goid > 1);
	CHECK(GMP_GO(leaves_later, 12, 1) > 1);
	CHECK(GMP_GO(&leaves, 12) > 1);
	wait_for(3);
}

/* There the type says so: clang 14 has no way to another (go.h). */
#if !defined(__clang__) || __clang_major__ >= 15
GTEST(pointers_to_functions_that_do_not_return)
{
	__attribute__((noreturn)) void (*p)(int) = leaves;

	CHECK(GMP_GO(p, 12) > 1);
	CHECK(GMP_GO(*p, 12) > 1);
	CHECK(GMP_GO(1 ? p : leaves, 12) > 1);
	wait_for(3);
}
#endif

static int const_calls;

static __attribute__((const, noinline)) int const_int(int a)
{
	count();
	return a + const_calls;
}

static __attribute__((const, noinline)) float const_float(float a)
{
	count();
	return a + const_calls;
}

static __attribute__((pure, noinline)) int pure_int(int a)
{
	count();
	return a + const_calls;
}

/* A call whose result is dropped is left out by the compiler. */
GTEST(functions_without_effects)
{
	int (*p)(int) = const_int;

	CHECK(GMP_GO(const_int, 1) > 1);
	CHECK(GMP_GO(const_float, 1) > 1);
	CHECK(GMP_GO(pure_int, 1) > 1);
	CHECK(GMP_GO(&const_int, 1) > 1);
	CHECK(GMP_GO(p, 1) > 1);
	CHECK(GMP_GO(abs, 1) > 1);
	wait_for(5);
}

static void variadic(int n, ...)
{
	va_list ap;

	va_start(ap, n);
	CHECK_EQ(va_arg(ap, int), 2);
	CHECK(va_arg(ap, double) == 3.5);
	CHECK_EQ(strcmp(va_arg(ap, const char *), "four"), 0);
	va_end(ap);
	count();
}

GTEST(variadic_functions_and_pointers)
{
	void (*p)(int, ...) = variadic;

	CHECK(GMP_GO(variadic, 1, 2, 3.5, "four") > 1);
	CHECK(GMP_GO(p, 1, 2, 3.5, "four") > 1);
	CHECK(GMP_GO(*p, 1, 2, 3.5, "four") > 1);
	wait_for(3);
	p = NULL;
	CHECK_EQ(GMP_GO(p, 1), -EINVAL);
}

static int evaluated;

static int eval(int v)
{
	evaluated++;
	gmp_yield();
	return v;
}

static void add(int a, int b)
{
	CHECK_EQ(a, 1);
	CHECK_EQ(b, 2);
	count();
}

static void nested(int64_t goid)
{
	CHECK(goid > 1);
	count();
}

GTEST(arguments_are_evaluated_once_by_the_caller)
{
	int64_t goid;

	CHECK(GMP_GO(add, eval(1), eval(2)) > 1);
	CHECK_EQ(evaluated, 2);
	goid = GMP_GO(add, 1, 2);
	CHECK(GMP_GO(nested, goid) > 1);
	wait_for(3);
}

TEST(without_a_run)
{
	CHECK_EQ(GMP_GO(add, 1, 2), -ESRCH);
}
