// SPDX-License-Identifier: GPL-2.0-only
/*
 * dev_test.c - /dev/gmp answers every wrong call with the errno gmp_abi.h says, and does no more.
 */
#include "kmod_harness.h"
#include <sys/socket.h>

FIXTURE(dev)
{
	int fd;
	struct gmp_attach a;
};

FIXTURE_SETUP(dev)
{
	self->fd = dev_open();
	ASSERT_GE(self->fd, 0);
	self->a = (struct gmp_attach) { .size = sizeof(self->a), .nr_m = 16, .nr_p = 4 };
}

FIXTURE_TEARDOWN(dev)
{
	close(self->fd);
}

/* ---- ioctl numbers and sizes --------------------------------------------------------------- */

TEST_F(dev, unknown_commands)
{
	char arg[256] = { 0 };

	EXPECT_EQ(-ENOTTY, do_ioctl(self->fd, _IO(GMP_IOC_MAGIC, 0x7f), arg));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->fd, _IO(GMP_IOC_MAGIC, 0x00), arg));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->fd, _IO(GMP_IOC_MAGIC + 1, 0x03), arg));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->fd, _IOR(GMP_IOC_MAGIC, 0x01, struct gmp_attach), arg));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->fd, _IOW(GMP_IOC_MAGIC, 0x03, __u32), arg));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->fd, 0x5401 /* TCGETS */, arg));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->fd, 0, NULL));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->fd, ~0u, NULL));
}

TEST_F(dev, resized_commands)
{
	static const unsigned int sizes[] = { 0, 1, 8, 15, 17, 63, 65, 128, 4096, 16383 };
	char arg[16384] = { 0 };
	unsigned int i, cmd;

	memcpy(arg, &self->a, sizeof(self->a));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		cmd = _IOC(_IOC_READ | _IOC_WRITE, GMP_IOC_MAGIC, 1, sizes[i]);
		EXPECT_EQ(-EINVAL, do_ioctl(self->fd, cmd, arg));
		cmd = _IOC(_IOC_WRITE, GMP_IOC_MAGIC, 2, sizes[i]);
		EXPECT_EQ(-EINVAL, do_ioctl(self->fd, cmd, arg));
	}
	EXPECT_EQ(0, do_ioctl(self->fd, GMP_IOC_ATTACH, &self->a));
}

TEST_F(dev, attach_size_field)
{
	static const unsigned int sizes[] = { 0, 1, 63, 65, 128, 0x80000000, ~0u };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		self->a.size = sizes[i];
		EXPECT_EQ(-EINVAL, do_ioctl(self->fd, GMP_IOC_ATTACH, &self->a));
	}
}

#define ATTACH_WITH(field, value)						\
({										\
	struct gmp_attach a_ = self->a;						\
	a_.field = (value);							\
	do_ioctl(self->fd, GMP_IOC_ATTACH, &a_);				\
})

TEST_F(dev, attach_bad_fields)
{
	EXPECT_EQ(-EINVAL, ATTACH_WITH(flags, GMP_ATTACH_ACCT << 1));
	EXPECT_EQ(-EINVAL, ATTACH_WITH(flags, 0x80000000));
	EXPECT_EQ(-EINVAL, ATTACH_WITH(reserved, 1));
	EXPECT_EQ(-EINVAL, ATTACH_WITH(nr_m, 0));
	EXPECT_EQ(-EINVAL, ATTACH_WITH(nr_m, GMP_MAX_M + 1));
	EXPECT_EQ(-EINVAL, ATTACH_WITH(nr_m, ~0u));
	EXPECT_EQ(-EINVAL, ATTACH_WITH(nr_p, 0));
	EXPECT_EQ(-EINVAL, ATTACH_WITH(nr_p, GMP_MAX_P + 1));
	EXPECT_EQ(-EINVAL, ATTACH_WITH(nr_p, ~0u));
	EXPECT_EQ(-EINVAL, ATTACH_WITH(layout, 0x1001));
	EXPECT_EQ(-EINVAL, ATTACH_WITH(layout, 0xffffffff81000000ull));
	EXPECT_EQ(0, do_ioctl(self->fd, GMP_IOC_ATTACH, &self->a));
}

TEST_F(dev, attach_bad_address)
{
	void *ro = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, ro);
	ASSERT_EQ(0, munmap((char *)ro + 4096, 4096));
	EXPECT_EQ(-EFAULT, do_ioctl(self->fd, GMP_IOC_ATTACH, NULL));
	EXPECT_EQ(-EFAULT, do_ioctl(self->fd, GMP_IOC_ATTACH, (void *)0xffff888000000000ul));
	/* the end of a mapping: what is there is right, the rest is not there */
	memcpy((char *)ro + 4096 - 32, &self->a, 32);
	EXPECT_EQ(-EFAULT, do_ioctl(self->fd, GMP_IOC_ATTACH, (char *)ro + 4096 - 32));
	/* the answer cannot be written: nothing has happened */
	memcpy(ro, &self->a, sizeof(self->a));
	ASSERT_EQ(0, mprotect(ro, 4096, PROT_READ));
	EXPECT_EQ(-EFAULT, do_ioctl(self->fd, GMP_IOC_ATTACH, ro));
	EXPECT_EQ(-ENOTCONN, dev_register(self->fd, 0, 0));
	EXPECT_FALSE(has_dir(getpid()));
	EXPECT_EQ(0, do_ioctl(self->fd, GMP_IOC_ATTACH, &self->a));
}

TEST_F(dev, attach_answers)
{
	ASSERT_EQ(0, do_ioctl(self->fd, GMP_IOC_ATTACH, &self->a));
	EXPECT_EQ(GMP_ABI_VERSION, self->a.abi_version);
	EXPECT_EQ(0, self->a.user_len % 4096);
	EXPECT_EQ(0, self->a.kern_len % 4096);
	EXPECT_EQ(0, self->a.p_off % sizeof(struct gmp_p_shared));
	EXPECT_GE(self->a.p_off, 16 * sizeof(struct gmp_m_user));
	EXPECT_GE(self->a.user_len, self->a.p_off + 4 * sizeof(struct gmp_p_shared));
	EXPECT_GE(self->a.kern_len, 16 * sizeof(struct gmp_m_kern));
	EXPECT_EQ(0, self->a.reserved);
}

TEST_F(dev, attach_extremes)
{
	self->a.nr_m = GMP_MAX_M;
	self->a.nr_p = GMP_MAX_P;
	ASSERT_EQ(0, do_ioctl(self->fd, GMP_IOC_ATTACH, &self->a));
	EXPECT_EQ(0, dev_register(self->fd, GMP_MAX_M - 1, 0));
}

TEST_F(dev, attach_twice)
{
	int other = dev_open();
	struct gmp_attach again = self->a;

	ASSERT_EQ(0, do_ioctl(self->fd, GMP_IOC_ATTACH, &self->a));
	EXPECT_EQ(-EBUSY, do_ioctl(self->fd, GMP_IOC_ATTACH, &again));
	EXPECT_EQ(-EBUSY, do_ioctl(other, GMP_IOC_ATTACH, &again));
	close(self->fd);
	EXPECT_EQ(0, do_ioctl(other, GMP_IOC_ATTACH, &again));
	self->fd = other;
}

/* ---- registration -------------------------------------------------------------------------- */

TEST_F(dev, not_attached)
{
	EXPECT_EQ(-ENOTCONN, dev_register(self->fd, 0, 0));
	EXPECT_EQ(-ENOTCONN, dev_unregister(self->fd));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->fd, GMP_MMAP_KERN));
	EXPECT_EQ(ENOTCONN, errno);
}

TEST_F(dev, register_bad_fields)
{
	struct gmp_m_register r = { .size = sizeof(r) };

	ASSERT_EQ(0, do_ioctl(self->fd, GMP_IOC_ATTACH, &self->a));
	r.size = 15;
	EXPECT_EQ(-EINVAL, do_ioctl(self->fd, GMP_IOC_M_REGISTER, &r));
	r.size = 17;
	EXPECT_EQ(-EINVAL, do_ioctl(self->fd, GMP_IOC_M_REGISTER, &r));
	r.size = sizeof(r);
	r.flags = 1;
	EXPECT_EQ(-EINVAL, do_ioctl(self->fd, GMP_IOC_M_REGISTER, &r));
	EXPECT_EQ(-EFAULT, do_ioctl(self->fd, GMP_IOC_M_REGISTER, NULL));
	EXPECT_EQ(-EINVAL, dev_register(self->fd, 16, 0));
	EXPECT_EQ(-EINVAL, dev_register(self->fd, ~0u, 0));
	EXPECT_EQ(-EINVAL, dev_register(self->fd, 0x80000000, 0));
	EXPECT_EQ(-ENOENT, dev_unregister(self->fd));
	EXPECT_EQ(0, stat_value("ms"));
	EXPECT_EQ(0, dev_register(self->fd, 15, ~0u));
}

struct slot_arg {
	int fd;
	unsigned int slot;
	int err;
};

static void *try_register(void *p)
{
	struct slot_arg *arg = p;

	arg->err = dev_register(arg->fd, arg->slot, 0);
	return NULL;
}

TEST_F(dev, register_twice)
{
	struct slot_arg same = { self->fd, 3, 1 }, other = { self->fd, 4, 1 };
	pthread_t t;

	ASSERT_EQ(0, do_ioctl(self->fd, GMP_IOC_ATTACH, &self->a));
	ASSERT_EQ(0, dev_register(self->fd, 3, 0));
	EXPECT_EQ(-EEXIST, dev_register(self->fd, 3, 0));
	EXPECT_EQ(-EEXIST, dev_register(self->fd, 4, 0));
	pthread_create(&t, NULL, try_register, &same);
	pthread_join(t, NULL);
	EXPECT_EQ(-EBUSY, same.err);
	pthread_create(&t, NULL, try_register, &other);
	pthread_join(t, NULL);
	EXPECT_EQ(0, other.err);
	EXPECT_EQ(0, dev_unregister(self->fd));
	EXPECT_EQ(-ENOENT, dev_unregister(self->fd));
	EXPECT_EQ(0, dev_register(self->fd, 3, 0));
}

/* ---- another process ----------------------------------------------------------------------- */

/* What a process that did not open the file gets. @arg: the descriptor. Returns what was wrong. */
static int use_foreign(void *arg)
{
	int fd = *(int *)arg;
	struct gmp_attach a;
	int bad = 0;
	void *k;

	bad += dev_attach_fd(fd, &a, 1, 1) != -EPERM;
	bad += dev_register(fd, 0, 0) != -EPERM;
	bad += dev_unregister(fd) != -EPERM;
	k = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, GMP_MMAP_KERN);
	bad += k != MAP_FAILED || errno != EPERM;
	bad += do_ioctl(fd, _IO(GMP_IOC_MAGIC, 0x7f), NULL) != -ENOTTY;
	return bad;
}

TEST_F(dev, inherited)
{
	EXPECT_EQ(0, run_child(use_foreign, &self->fd));
	ASSERT_EQ(0, do_ioctl(self->fd, GMP_IOC_ATTACH, &self->a));
	EXPECT_EQ(0, run_child(use_foreign, &self->fd));
	EXPECT_EQ(0, dev_register(self->fd, 0, 0));
	EXPECT_EQ(0, run_child(use_foreign, &self->fd));
	EXPECT_EQ(1, status_value(getpid(), "Ms"));
}

static int send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0);
}

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd = -1;

	if (recvmsg(sock, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static int receive_and_use(void *arg)
{
	int fd = receive_fd(*(int *)arg);

	return fd < 0 ? 100 : use_foreign(&fd);
}

TEST_F(dev, passed_on)
{
	int sock[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	pid = start_child(receive_and_use, &sock[1]);
	self->fd = dev_open();	/* opened after the fork: it can only come through the socket */
	ASSERT_EQ(0, do_ioctl(self->fd, GMP_IOC_ATTACH, &self->a));
	ASSERT_EQ(1, send_fd(sock[0], self->fd));
	EXPECT_EQ(0, end_child(pid));
}

/* ---- mmap ---------------------------------------------------------------------------------- */

static int try_map(int fd, size_t len, int prot, int flags, off_t off)
{
	return mmap(NULL, len, prot, flags, fd, off) == MAP_FAILED ? -errno : 0;
}

#define R		PROT_READ
#define RW		(PROT_READ | PROT_WRITE)
#define X		PROT_EXEC
#define SHARED		MAP_SHARED
#define PRIVATE		MAP_PRIVATE
#define USER		GMP_MMAP_USER
#define KERN		GMP_MMAP_KERN

TEST_F(dev, mmap_length_and_offset)
{
	size_t user, kern;
	int fd = self->fd;

	ASSERT_EQ(0, do_ioctl(fd, GMP_IOC_ATTACH, &self->a));
	user = self->a.user_len;
	kern = self->a.kern_len;
	EXPECT_EQ(-EINVAL, try_map(fd, user + 4096, RW, SHARED, USER));
	EXPECT_EQ(-EINVAL, try_map(fd, user - 4096, RW, SHARED, USER));
	EXPECT_EQ(-EINVAL, try_map(fd, user, RW, SHARED, USER + 4096));
	EXPECT_EQ(-EINVAL, try_map(fd, kern + 4096, R, SHARED, KERN));
	EXPECT_EQ(-EINVAL, try_map(fd, kern, R, SHARED, KERN + 4096));
	EXPECT_EQ(-EINVAL, try_map(fd, kern, R, SHARED, KERN - 4096));
	EXPECT_EQ(-EINVAL, try_map(fd, kern, R, SHARED, 2 * KERN));
	EXPECT_EQ(-EINVAL, try_map(fd, kern, R, SHARED, 0x7ffffffff000));
	EXPECT_EQ(0, try_map(fd, user, RW, SHARED, USER));
	EXPECT_EQ(0, try_map(fd, kern, R, SHARED, KERN));
}

TEST_F(dev, mmap_protection)
{
	size_t user, kern;
	int fd = self->fd;

	ASSERT_EQ(0, do_ioctl(fd, GMP_IOC_ATTACH, &self->a));
	user = self->a.user_len;
	kern = self->a.kern_len;
	EXPECT_EQ(-EACCES, try_map(fd, kern, RW, SHARED, KERN));
	EXPECT_EQ(-EACCES, try_map(fd, kern, R | X, SHARED, KERN));
	EXPECT_EQ(-EACCES, try_map(fd, kern, PROT_NONE, SHARED, KERN));
	EXPECT_EQ(-EINVAL, try_map(fd, kern, R, PRIVATE, KERN));
	EXPECT_EQ(-EINVAL, try_map(fd, kern, RW, PRIVATE, KERN));
	EXPECT_EQ(-EINVAL, try_map(fd, user, RW, PRIVATE, USER));
	EXPECT_EQ(-EACCES, try_map(fd, user, R, SHARED, USER));
	EXPECT_EQ(-EACCES, try_map(fd, user, RW | X, SHARED, USER));
}

TEST_F(dev, mmap_cannot_be_changed)
{
	struct dev d;
	void *k;

	ASSERT_EQ(0, dev_attach(&d, 16, 4));
	k = (void *)d.k;
	EXPECT_EQ(-1, mprotect(k, d.a.kern_len, RW));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(k, d.a.kern_len, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(d.u, d.a.user_len, RW | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, mremap(k, d.a.kern_len, d.a.kern_len + 4096, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	close(d.fd);
}

static int touch(void *arg)
{
	return *(volatile char *)arg;
}

TEST_F(dev, mmap_is_not_inherited)
{
	struct dev d;

	ASSERT_EQ(0, dev_attach(&d, 16, 4));
	ASSERT_EQ(0, dev_register(d.fd, 0, 0));
	EXPECT_EQ(256 + SIGSEGV, run_child(touch, d.u));
	EXPECT_EQ(256 + SIGSEGV, run_child(touch, (void *)d.k));
	ASSERT_EQ(0, madvise(d.u, d.a.user_len, MADV_DOFORK));
	ASSERT_EQ(0, madvise((void *)d.k, d.a.kern_len, MADV_DOFORK));
	EXPECT_EQ(256 + SIGBUS, run_child(touch, d.u));
	EXPECT_EQ(256 + SIGBUS, run_child(touch, (void *)d.k));
	close(d.fd);
}

TEST_F_SIGNAL(dev, kernel_words_cannot_be_written, SIGSEGV)
{
	struct dev d;

	ASSERT_EQ(0, dev_attach(&d, 16, 4));
	*(volatile __u32 *)&d.k[0].tid = 1;
}

TEST_F(dev, kernel_words_cannot_be_forced)
{
	int mem = open("/proc/self/mem", O_RDWR);
	struct dev d;
	__u64 lie = 1;

	ASSERT_EQ(0, dev_attach(&d, 16, 4));
	ASSERT_EQ(0, dev_register(d.fd, 0, 0));
	EXPECT_EQ(sizeof(lie), pread(mem, &lie, sizeof(lie), (off_t)&d.k[0].attached_ns));
	EXPECT_EQ(d.k[0].attached_ns, lie);
	EXPECT_EQ(-1, pwrite(mem, &lie, sizeof(lie), (off_t)&d.k[0].blocked_ns));
	close(mem);
	close(d.fd);
}

TEST_F(dev, pages_stay)
{
	void *moved, *to = (void *)0x200000000000;
	struct dev d;

	ASSERT_EQ(0, dev_attach(&d, 1000, 4));
	ASSERT_EQ(0, dev_register(d.fd, 999, 0));
	carry(&d.u[999], 77, 2);
	EXPECT_EQ(0, madvise(d.u, d.a.user_len, MADV_DONTNEED));
	EXPECT_EQ(77, d.u[999].goid);
	moved = mremap(d.u, d.a.user_len, d.a.user_len, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	ASSERT_NE(MAP_FAILED, moved);
	EXPECT_EQ(77, ((struct gmp_m_user *)moved)[999].goid);
	d.u = moved;
	/* part of it goes, the rest stays */
	ASSERT_EQ(0, munmap(moved, 4096));
	EXPECT_EQ(77, d.u[999].goid);
	sleep_ms(5);
	EXPECT_EQ(77, d.k[999].last_goid);
	EXPECT_EQ((__u32)getpid(), d.k[999].tid);
	close(d.fd);
}

static long long rss_of(void *addr)
{
	char *text = read_file("/proc/self/smaps"), start[32], *at;
	long long rss = -1;

	snprintf(start, sizeof(start), "\n%lx-", (unsigned long)addr);
	at = text ? strstr(text, start) : NULL;
	at = at ? strstr(at, "\nRss:") : NULL;
	if (at)
		rss = strtoll(at + 5, NULL, 10);
	free(text);
	return rss;
}

TEST_F(dev, slots_cost_nothing_until_used)
{
	struct dev d;

	ASSERT_EQ(0, dev_attach(&d, GMP_MAX_M, GMP_MAX_P));
	EXPECT_EQ(0, rss_of(d.u));
	EXPECT_EQ(0, rss_of((void *)d.k));
	ASSERT_EQ(0, dev_register(d.fd, 5000, 0));
	carry(&d.u[5000], 1, 0);
	EXPECT_EQ(4, rss_of(d.u));
	EXPECT_EQ((__u32)gettid_(), d.k[5000].tid);
	EXPECT_EQ(4, rss_of((void *)d.k));
	close(d.fd);
}

static int charged_child(void *arg)
{
	const char *group = arg;
	char path[128];
	struct dev d;
	long long before, after;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	if (write_file(path, "0"))
		return 1;
	snprintf(path, sizeof(path), "%s/memory.stat", group);
	if (dev_attach(&d, GMP_MAX_M, 1))
		return 2;
	before = file_value(path, "kernel", ' ');
	memset(d.u, 0, d.a.user_len);
	for (size_t i = 0; i < d.a.kern_len; i += 4096)
		(void)((volatile char *)d.k)[i];
	after = file_value(path, "kernel", ' ');
	/* batched: a few pages are charged in advance, or late */
	return after - before < (long long)(d.a.user_len + d.a.kern_len) * 9 / 10 ? 3 : 0;
}

TEST_F(dev, memory_is_charged)
{
	char group[] = "/sys/fs/cgroup/gmp_dev_test";

	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(group, 0755) || access("/sys/fs/cgroup/gmp_dev_test/memory.stat", F_OK))
		SKIP(return, "no memory controller");
	EXPECT_EQ(0, run_child(charged_child, group));
	EXPECT_TRUE(WAIT_FOR(!rmdir(group)));
}

/* ---- other ways to the file ---------------------------------------------------------------- */

TEST_F(dev, read_only_file)
{
	struct dev d = { .fd = open(GMP_DEV_PATH, O_RDONLY) };

	ASSERT_EQ(0, dev_attach_fd(d.fd, &d.a, 4, 1));
	EXPECT_EQ(-EACCES, try_map(d.fd, d.a.user_len, RW, MAP_SHARED, GMP_MMAP_USER));
	EXPECT_EQ(0, try_map(d.fd, d.a.kern_len, PROT_READ, MAP_SHARED, GMP_MMAP_KERN));
	EXPECT_EQ(0, dev_register(d.fd, 0, 0));
	close(d.fd);
}

TEST_F(dev, no_other_operations)
{
	char byte = 0;

	EXPECT_EQ(-1, read(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pread(self->fd, &byte, 1, 0));
	EXPECT_EQ(-1, ftruncate(self->fd, 0));
	EXPECT_EQ(-1, fallocate(self->fd, 0, 0, 4096));
}

/* ioctl() as a 32-bit program calls it; the address must be below 4 GB. */
static int ioctl32(int fd, unsigned int cmd, void *arg)
{
	int ret;

	asm volatile("int $0x80" : "=a" (ret)
		     : "a" (54), "b" (fd), "c" (cmd), "d" (arg)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

TEST_F(dev, compat)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT;
	struct gmp_attach *low = mmap(NULL, 4096, RW, flags, -1, 0);

	ASSERT_NE(MAP_FAILED, low);
	*low = self->a;
	EXPECT_EQ(-EOPNOTSUPP, ioctl32(self->fd, GMP_IOC_ATTACH, low));
	EXPECT_EQ(-EOPNOTSUPP, ioctl32(self->fd, GMP_IOC_M_UNREGISTER, NULL));
	EXPECT_EQ(-EOPNOTSUPP, ioctl32(self->fd, _IO(GMP_IOC_MAGIC, 0x7f), NULL));
	EXPECT_EQ(0, do_ioctl(self->fd, GMP_IOC_ATTACH, low));
}

/* ---- users and limits ---------------------------------------------------------------------- */

static int use_all(void *arg)
{
	struct dev d;

	if (arg && become_nobody())
		return 1;
	if (dev_attach(&d, 8, 2))
		return 2;
	if (dev_register(d.fd, 1, 1))
		return 3;
	carry(&d.u[1], 9, 0);
	/* in an emulated guest a short sleep may be over before it begins */
	if (!WAIT_FOR(d.k[1].blocked) || d.k[1].last_goid != 9)
		return 4;
	if (dev_unregister(d.fd) || d.k[1].tid)
		return 5;
	return status_value(getpid(), "MsTotal") == 1 ? 0 : 6;
}

TEST_F(dev, unprivileged)
{
	EXPECT_EQ(0, run_child(use_all, self));
}

TEST_HARNESS_MAIN
