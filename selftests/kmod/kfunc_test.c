// SPDX-License-Identifier: GPL-2.0-only
/*
 * kfunc_test.c - a BPF program calls bpf_gmp_task_goid(), _m() and _gstatus(), and gets what is so.
 *
 * On 6.1 the kernel registers functions that nobody can call and says nothing: only a program that is
 * loaded and runs shows that they are there.
 */
#include "kmod_harness.h"
#include <bpf/libbpf.h>
#include "kfunc.h"

struct vars {
	struct bpf_object	*obj;
	struct bpf_link		*link;
	struct bpf_map		*bss;
};

static int load(struct vars *v, const char *object)
{
	struct bpf_program *prog;
	int err;

	v->obj = bpf_object__open_file(object, NULL);
	if (!v->obj)
		return -errno;
	err = bpf_object__load(v->obj);
	if (err)
		return err;
	prog = bpf_object__find_program_by_name(v->obj, "on_switch");
	v->link = prog ? bpf_program__attach(prog) : NULL;
	v->bss = bpf_object__find_map_by_name(v->obj, ".bss");
	return v->link && v->bss ? 0 : -EINVAL;
}

TEST(a_program_calls_them)
{
	char object[512] = "", *slash;
	struct vars v = { NULL, NULL, NULL };
	struct dev d;
	struct kfunc_seen *b;

	ASSERT_GT(readlink("/proc/self/exe", object, sizeof(object) - 20), 0);
	slash = strrchr(object, '/');
	strcpy(slash, "/kfunc.bpf.o");
	ASSERT_EQ(0, dev_attach(&d, 16, 1));
	ASSERT_EQ(0, dev_register(d.fd, 3, 33));
	carry(&d.u[3], 4711, 0);
	ASSERT_EQ(0, load(&v, object));
	ASSERT_GE(bpf_map__value_size(v.bss), sizeof(*b));
	b = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(v.bss), 0);
	ASSERT_NE(MAP_FAILED, (void *)b);
	__atomic_store_n(&b->tid, gettid_(), __ATOMIC_SEQ_CST);
	EXPECT_TRUE(WAIT_FOR(__atomic_load_n(&b->switches, __ATOMIC_RELAXED) > 10));
	EXPECT_EQ(4711, b->goid);
	EXPECT_EQ(33, b->m);
	EXPECT_EQ((unsigned int)GMP_G_RUNNING, b->gstatus);
	carry(&d.u[3], 0, 0);
	EXPECT_TRUE(WAIT_FOR(!__atomic_load_n(&b->goid, __ATOMIC_RELAXED)));
	EXPECT_EQ(0, b->gstatus);
	EXPECT_EQ(33, b->m);
	ASSERT_EQ(0, dev_unregister(d.fd));
	EXPECT_TRUE(WAIT_FOR(__atomic_load_n(&b->m, __ATOMIC_RELAXED) == -1));
	EXPECT_GT(b->others, 0);
	EXPECT_EQ(0, b->strange);
	munmap(b, 4096);
	bpf_link__destroy(v.link);
	bpf_object__close(v.obj);
	dev_unmap(&d);
	close(d.fd);
}

TEST_HARNESS_MAIN
