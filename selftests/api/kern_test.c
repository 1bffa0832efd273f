/* SPDX-License-Identifier: MIT */
/* kern_test.c - the library where gmp.ko is not loaded. With the module: kern/attach_test.c, in the guest. */
#include <gmprt.h>
#include <pthread.h>

#include "gmptest.h"
#include "kern_util.h"

GTEST(backend_is_none)
{
	CHECK_EQ(strcmp(gmp_kern_backend(), "none"), 0);
}

TEST(kern_none_does_not_attach)
{
	char text[4096];

	run_as("kern=none", 0, text, sizeof(text));
	CHECK(strstr(text, "<none>"));
}

TEST(what_is_missing_is_said_once)
{
	char text[4096];

	run_as("stats", 0, text, sizeof(text));
	CHECK_EQ(lines_with(text, "running without the module"), 1);
	run_as("stats=0", 0, text, sizeof(text));
	CHECK_EQ(lines_with(text, "running without the module"), 0);
}

TEST(kern_ko_without_the_module_is_fatal)
{
	setenv("GMP_DEBUG", "kern=ko", 1);
	DEATH(gmp_run(says_backend, NULL), "GMP_DEBUG=kern=ko: /dev/gmp");
}

TEST(an_unknown_word_is_named)
{
	char text[4096];

	run_as("kern=maybe,stats=0,nonsense=1", 0, text, sizeof(text));
	CHECK_EQ(lines_with(text, "GMP_DEBUG: ignored: "), 2);
	CHECK_EQ(lines_with(text, "GMP_DEBUG: ignored: kern=maybe"), 1);
	CHECK_EQ(lines_with(text, "GMP_DEBUG: ignored: nonsense=1"), 1);
	run_as("stats=0, kern=none", 0, text, sizeof(text));
	CHECK_EQ(lines_with(text, "ignored"), 0);
}
