/* SPDX-License-Identifier: MIT */
/* label_test.c - gmp_set_name, gmp_set_label: set, changed, removed, inherited, refused. */
#include <gmprt.h>

#include "gmptest.h"

static struct gmp_wg wg;
static char buf[256];

static int name_is(const char *want)
{
	char b[256];

	return gmp_get_name(b, sizeof(b)) == (int)strlen(want) && strcmp(b, want) == 0;
}

static int label_is(const char *key, const char *want)
{
	char b[256];

	return gmp_get_label(key, b, sizeof(b)) == (int)strlen(want) && strcmp(b, want) == 0;
}

GTEST(a_name_is_set_changed_and_removed)
{
	CHECK(name_is(""));
	CHECK_EQ(gmp_set_name("first"), 0);
	CHECK(name_is("first"));
	CHECK_EQ(gmp_set_name("a {strange} name, =="), 0);
	CHECK(name_is("a {strange} name, =="));
	CHECK_EQ(gmp_set_label("k", "v"), 0);
	CHECK(name_is("a {strange} name, =="));
	CHECK_EQ(gmp_set_name(""), 0);
	CHECK(name_is(""));
	CHECK(label_is("k", "v"));
	CHECK_EQ(gmp_set_name(NULL), 0);
	CHECK_EQ(gmp_set_label("k", NULL), 0);
	CHECK(name_is(""));
}

GTEST(labels_are_set_changed_and_removed)
{
	CHECK_EQ(gmp_get_label("a", buf, sizeof(buf)), -ENOENT);
	CHECK_EQ(gmp_set_label("a", "1"), 0);
	CHECK_EQ(gmp_set_label("ab", "2"), 0);
	CHECK_EQ(gmp_set_label("b", ""), 0);
	CHECK(label_is("a", "1") && label_is("ab", "2") && label_is("b", ""));
	CHECK_EQ(gmp_set_label("a", "one, not two"), -EINVAL);
	CHECK_EQ(gmp_set_label("a", "one: not two"), 0);
	CHECK(label_is("a", "one: not two") && label_is("ab", "2") && label_is("b", ""));
	CHECK_EQ(gmp_set_label("ab", NULL), 0);
	CHECK_EQ(gmp_get_label("ab", buf, sizeof(buf)), -ENOENT);
	CHECK_EQ(gmp_set_label("nosuch", NULL), 0);
	CHECK(label_is("a", "one: not two") && label_is("b", ""));
}

static void child(void *arg)
{
	(void)arg;
	CHECK(name_is(""));
	CHECK(label_is("req", "17"));
	gmp_set_label("req", "18");
	gmp_set_name("child");
	CHECK(label_is("req", "18") && label_is("user", "bob") && name_is("child"));
}

GTEST(children_inherit_labels_not_names)
{
	gmp_set_name("parent");
	gmp_set_label("req", "17");
	gmp_set_label("user", "bob");
	for (int i = 0; i < 500; i++)
		gmp_wg_go(&wg, child, NULL);
	gmp_wg_wait(&wg);
	CHECK(label_is("req", "17") && name_is("parent"));
}

static void named_child(void *arg)
{
	CHECK(name_is(arg));
	CHECK(label_is("req", "17"));
	gmp_wg_done(&wg);
}

GTEST(a_name_for_a_new_goroutine)
{
	struct gmp_go_attr attr = { .size = sizeof(attr), .name = "worker-1" };

	gmp_set_label("req", "17");
	gmp_wg_add(&wg, 1);
	CHECK(gmp_go_attr(&attr, named_child, (void *)"worker-1") > 0);
	gmp_wg_wait(&wg);
	attr.name = "bad\n";
	CHECK_EQ(gmp_go_attr(&attr, named_child, NULL), -EINVAL);
}

GTEST(too_much_is_refused)
{
	char big[300];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	CHECK_EQ(gmp_set_name(big), -ENAMETOOLONG);
	CHECK_EQ(gmp_set_label(big, "v"), -ENOSPC);
	CHECK_EQ(gmp_set_label("k", big), -ENOSPC);
	big[GMP_NAME_MAX] = 0;
	CHECK_EQ(gmp_set_name(big), 0);
	CHECK_EQ(gmp_set_label("a", big), 0);
	CHECK_EQ(gmp_set_label("b", big), 0);
	CHECK_EQ(gmp_set_label("c", big), -ENOSPC);
	CHECK(name_is(big) && label_is("a", big) && label_is("b", big));
	CHECK_EQ(gmp_get_label("c", buf, sizeof(buf)), -ENOENT);
	CHECK_EQ(gmp_get_label("a", buf, GMP_NAME_MAX), -ENOSPC);
	CHECK_EQ(gmp_get_name(buf, GMP_NAME_MAX), -ENOSPC);
}

TEST(bad_arguments)
{
	CHECK_EQ(gmp_set_name("x"), -EPERM);
	CHECK_EQ(gmp_set_label("k", "v"), -EPERM);
	CHECK_EQ(gmp_get_name(buf, sizeof(buf)), -EPERM);
	CHECK_EQ(gmp_get_label("k", buf, sizeof(buf)), -EPERM);
	CHECK_EQ(gmp_get_name(NULL, 1), -EINVAL);
	CHECK_EQ(gmp_get_label(NULL, buf, 1), -EINVAL);
	CHECK_EQ(gmp_set_label(NULL, "v"), -EINVAL);
	CHECK_EQ(gmp_set_label("", "v"), -EINVAL);
	CHECK_EQ(gmp_set_label("a=b", "v"), -EINVAL);
	CHECK_EQ(gmp_set_label("k", "a\tb"), -EINVAL);
}
