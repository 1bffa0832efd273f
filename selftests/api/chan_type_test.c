/* SPDX-License-Identifier: MIT */
/*
 * chan_type_test.c - GMP_CHAN_TYPE: typed channels and their directions, in C and C++.
 *
 * What Go's own tests check, and where it is checked here:
 *   test/chan/perm.go      wrong_use_does_not_compile (by running the compiler)
 *   test/chan/sendstmt.go  syntax of Go only
 *   test/chan/zerosize.go  types_of_all_kinds (a struct without members), chan_test.c
 */
#include <gmprt.h>
#include <limits.h>
#include <stdbool.h>

#include "gmptest.h"

struct point {
	double x, y;
};

struct array {
	int v[100];
};

struct nothing {
};

GMP_CHAN_TYPE(ints, int)
GMP_CHAN_TYPE(points, struct point);
GMP_CHAN_TYPE(arrays, struct array)
GMP_CHAN_TYPE(nothings, struct nothing)
GMP_CHAN_TYPE(texts, const char *)
GMP_CHAN_TYPE(functions, int (*)(int))
GMP_CHAN_TYPE(chans, struct ints)

/* ---- values ------------------------------------------------------------------------------------------ */

static int twice(int x)
{
	return 2 * x;
}

TEST(types_of_all_kinds)
{
	struct points p = points_make(1);
	struct arrays a = arrays_make(1);
	struct nothings n = nothings_make(1);
	struct texts t = texts_make(1);
	struct functions f = functions_make(1);
	struct point pt;
	struct array big = { { 0 } };
	struct nothing none;
	const char *text;
	int (*fn)(int);

	CHECK_EQ(points_send(p, (struct point){ 1.5, -2 }), 0);
	CHECK_EQ(points_recv(p, &pt), 1);
	CHECK(pt.x == 1.5 && pt.y == -2);
	big.v[99] = 7;
	CHECK_EQ(arrays_send(a, big), 0);
	big.v[99] = 0;
	CHECK_EQ(arrays_recv(a, &big), 1);
	CHECK_EQ(big.v[99], 7);
	CHECK_EQ(nothings_send(n, (struct nothing){}), 0);
	CHECK_EQ(nothings_recv(n, &none), 1);
	CHECK_EQ(texts_send(t, "hello"), 0);
	CHECK_EQ(texts_recv(t, &text), 1);
	CHECK_EQ(strcmp(text, "hello"), 0);
	CHECK_EQ(functions_send(f, twice), 0);
	CHECK_EQ(functions_recv(f, &fn), 1);
	CHECK_EQ(fn(21), 42);
	points_unref(p);
	arrays_unref(a);
	nothings_unref(n);
	texts_unref(t);
	functions_unref(f);
}

TEST(calls_answer_as_those_without_type)
{
	struct ints c = ints_make(2);
	struct ints_tx tx = ints_tx(c);
	struct ints_rx rx = ints_rx(c);
	int v = 5;

	CHECK(c.c == tx.c && c.c == rx.c);
	CHECK_EQ(ints_cap(c), 2);
	CHECK_EQ(ints_try_recv(rx, &v), -EAGAIN);
	CHECK_EQ(ints_send(tx, 1), 0);
	CHECK_EQ(ints_try_send(c, 2), 0);
	CHECK_EQ(ints_try_send(tx, 3), -EAGAIN);
	CHECK(ints_len(c) == 2 && ints_len(tx) == 2 && ints_len(rx) == 2);
	CHECK_EQ(ints_recv(rx, &v), 1);
	CHECK_EQ(v, 1);
	CHECK_EQ(ints_close(tx), 0);
	CHECK_EQ(ints_close(c), -EPIPE);
	CHECK_EQ(ints_try_recv(c, &v), 1);
	CHECK_EQ(ints_recv(c, &v), 0);
	CHECK_EQ(v, 0);
	ints_ref(tx);
	ints_unref(c);
	ints_unref(rx);
	c = ints_make(SIZE_MAX);
	CHECK(c.c == NULL);
	CHECK_EQ(ints_try_send(c, 1), -EAGAIN);	/* nil, as the others take it */
	ints_unref(c);
}

/* ---- at work --------------------------------------------------------------------------------------------- */

struct stage {
	struct ints_rx in;
	struct ints_tx out;
};

static void double_all(struct stage s)
{
	int v;

	while (ints_recv(s.in, &v) == 1)
		ints_send(s.out, 2 * v);
	ints_close(s.out);
}

GTEST(pipeline)
{
	struct ints a = ints_make(0), b = ints_make(3), c = ints_make(0);
	int v;

	CHECK(GMP_GO(double_all, ((struct stage){ ints_rx(a), ints_tx(b) })) > 0);
	CHECK(GMP_GO(double_all, ((struct stage){ ints_rx(b), ints_tx(c) })) > 0);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(ints_send(a, i), 0);
		CHECK_EQ(ints_recv(c, &v), 1);
		CHECK_EQ(v, 4 * i);
	}
	ints_close(a);
	CHECK_EQ(ints_recv(c, &v), 0);
	ints_unref(a);
	ints_unref(b);
	ints_unref(c);
}

static void answer(struct chans_rx asks)
{
	struct ints back;

	while (chans_recv(asks, &back) == 1)
		ints_send(back, 42);
}

GTEST(channels_of_channels)
{
	struct chans asks = chans_make(0);
	struct ints back = ints_make(0);
	int v = 0;

	CHECK(GMP_GO(answer, chans_rx(asks)) > 0);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(chans_send(asks, back), 0);
		CHECK_EQ(ints_recv(back, &v), 1);
		CHECK_EQ(v, 42);
	}
	chans_close(asks);
	ints_unref(back);
	chans_unref(asks);
}

GTEST(cases_of_a_select)
{
	struct ints a = ints_make(1), b = ints_make(1);
	const int one = 1;
	int v = 0;
	struct gmp_case k[] = { ints_case_send(ints_tx(a), &one), ints_case_recv(ints_rx(b), &v) };

	CHECK_EQ(gmp_select(k, 2), 0);
	CHECK_EQ(ints_send(b, 9), 0);
	CHECK_EQ(gmp_select(k, 2), 1);
	CHECK_EQ(v, 9);
	k[0] = ints_case_send(b, &one);
	k[1] = ints_case_recv(a, &v);
	CHECK(gmp_select(k, 2) >= 0);
	ints_unref(a);
	ints_unref(b);
}

/* ---- perm.go: what must not compile ------------------------------------------------------------------------- */

static const char preamble[] =
	"#include <gmprt/chan.h>\n"
	"GMP_CHAN_TYPE(ich, int)\n"
	"GMP_CHAN_TYPE(fch, float)\n"
	"int f(struct ich c, struct ich_tx t, struct ich_rx r, struct fch g)\n"
	"{ int v = 0; (void)c; (void)t; (void)r; (void)g; (void)v;\n";

static const struct {
	bool compiles;
	const char *code;
} uses[] = {
	{ true, "ich_send(c, 1); ich_send(t, 1); ich_recv(c, &v); ich_recv(r, &v);" },
	{ true, "ich_close(c); ich_close(t); ich_len(c); ich_len(t); ich_len(r); ich_unref(r);" },
	{ true, "ich_case_send(t, &v); ich_case_recv(r, &v); t = ich_tx(c); r = ich_rx(c);" },
	{ false, "ich_send(r, 1);" },
	{ false, "ich_try_send(r, 1);" },
	{ false, "ich_recv(t, &v);" },
	{ false, "ich_try_recv(t, &v);" },
	{ false, "ich_close(r);" },
	{ false, "ich_case_send(r, &v);" },
	{ false, "ich_case_recv(t, &v);" },
	{ false, "t = r;" },
	{ false, "r = t;" },
	{ false, "c = t;" },
	{ false, "ich_tx(r);" },
	{ false, "ich_rx(t);" },
	{ false, "ich_send(g, 1);" },
	{ false, "g = c;" },
};

static bool has_headers(const char *dir)
{
	char probe[PATH_MAX + 64];

	snprintf(probe, sizeof(probe), "%s/gmprt/chan.h", dir);
	return access(probe, R_OK) == 0;
}

/* This tree's headers: somewhere above this program, or where make was called. */
static bool find_headers(char *dir, size_t n)
{
	char up[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", up, sizeof(up) - 1);

	for (up[len > 0 ? len : 0] = 0; up[0]; *strrchr(up, '/') = 0) {
		snprintf(dir, n, "%s/lib/include", up);
		if (has_headers(dir))
			return true;
	}
	snprintf(dir, n, "lib/include");
	if (has_headers(dir))
		return true;
	snprintf(dir, n, "../lib/include");
	return has_headers(dir);
}

static bool compiles(const char *compiler, const char *flags, const char *dir, const char *code)
{
	char cmd[PATH_MAX + 256];
	FILE *f;

	snprintf(cmd, sizeof(cmd), "%s %s -Wall -Wextra -Werror -fsyntax-only -I'%s' - >/dev/null 2>&1", compiler,
		 flags, dir);
	f = popen(cmd, "w");
	CHECK(f != NULL);
	fprintf(f, "%s%s return 0; }\n", preamble, code);
	return pclose(f) == 0;
}

static void check_uses(const char *compiler, const char *flags)
{
	char dir[PATH_MAX + 16], cmd[256];

	snprintf(cmd, sizeof(cmd), "%s --version >/dev/null 2>&1", compiler);
	if (system(cmd) != 0)
		SKIP("the compiler is not here");
	if (!find_headers(dir, sizeof(dir)))
		SKIP("the headers are not here");
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		if (compiles(compiler, flags, dir, uses[i].code) != uses[i].compiles)
			GMPTEST_FAIL_("%s: %s: %s", compiler, uses[i].compiles ? "does not compile" : "compiles",
				      uses[i].code);
}

TEST(wrong_use_does_not_compile)
{
	check_uses("gcc", "-x c -std=c11");
}

TEST(wrong_use_does_not_compile_clang)
{
	check_uses("clang", "-x c -std=c11");
}

TEST(wrong_use_does_not_compile_cxx)
{
	check_uses("g++", "-x c++ -std=c++17");
}
