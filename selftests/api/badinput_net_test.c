/* SPDX-License-Identifier: MIT */
/* net.h with what is no handle, no address, no buffer. */
#include "badinput_util.h"

#include <fcntl.h>
#include <sys/mman.h>

/* Every call on what is no handle (any more). */
static void all_refuse(struct gmp_fd *f)
{
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct gmp_fd *out = NULL;
	size_t done = 7;
	char buf[64];

	IS(gmp_accept(f, &out), -EBADF);
	IS(out == NULL, 1);
	IS(gmp_read(f, buf, sizeof(buf)), -EBADF);
	IS(gmp_read(f, NULL, 0), -EBADF);
	IS(gmp_write(f, "x", 1), -EBADF);
	IS(gmp_write_n(f, "x", 1, &done), -EBADF);
	IS(done, 0);
	IS(gmp_write_n(f, "x", 1, NULL), -EBADF);
	IS(gmp_readv(f, &iov, 1), -EBADF);
	IS(gmp_writev(f, &iov, 1), -EBADF);
	IS(gmp_local_addr(f, buf, sizeof(buf)), -EBADF);
	IS(gmp_peer_addr(f, buf, sizeof(buf)), -EBADF);
	IS(gmp_set_deadline(f, 1), -EBADF);
	IS(gmp_set_read_deadline(f, 0), -EBADF);
	IS(gmp_set_write_deadline(f, UINT64_MAX), -EBADF);
	IS(gmp_shutdown(f, SHUT_RDWR), -EBADF);
	IS(gmp_fd_num(f), -EBADF);
	IS(gmp_close(f), -EBADF);
}

EVERYWHERE(what_is_no_handle)
{
	struct gmp_fd *f = NULL;

	all_refuse(NULL);
	all_refuse((struct gmp_fd *)1);
	all_refuse((struct gmp_fd *)UINTPTR_MAX);
	all_refuse((struct gmp_fd *)(void *)&f);
	IS(gmp_listen("tcp", "127.0.0.1:0", &f), 0);
	IS(gmp_close(f), 0);
	all_refuse(f);
}

EVERYWHERE(addresses)
{
	static const char *const bad[] = { "", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
					   "127.0.0.1:-1", "127.0.0.1:http", "256.0.0.1:1", "[::1:1",
					   "::1:1", "[]:1x", "localhost:80", "127.0.0.1:1 " };
	struct gmp_fd *f = NULL;
	char *endless = malloc(1 << 20);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		IS(gmp_listen("tcp", bad[i], &f), -EINVAL);
		IS(gmp_dial(NULL, "tcp", bad[i], &f), -EINVAL);
	}
	memset(endless, '1', (1 << 20) - 1);
	endless[(1 << 20) - 1] = 0;
	IS(gmp_listen("tcp", endless, &f), -EINVAL);
	IS(gmp_dial(NULL, "tcp", endless, &f), -EINVAL);
	IS(gmp_listen(endless, "127.0.0.1:0", &f), -EPROTONOSUPPORT);
	IS(gmp_listen("", "127.0.0.1:0", &f), -EPROTONOSUPPORT);
	IS(gmp_dial(NULL, "carrier pigeon", "127.0.0.1:1", &f), -EPROTONOSUPPORT);
	free(endless);

	IS(gmp_listen(NULL, "127.0.0.1:0", &f), -EINVAL);
	IS(gmp_listen("tcp", NULL, &f), -EINVAL);
	IS(gmp_listen("tcp", "127.0.0.1:0", NULL), -EINVAL);
	IS(gmp_dial(NULL, NULL, "127.0.0.1:1", &f), -EINVAL);
	IS(gmp_dial(NULL, "tcp", NULL, &f), -EINVAL);
	IS(gmp_dial(NULL, "tcp", "127.0.0.1:1", NULL), -EINVAL);
	IS(f == NULL, 1);
}

EVERYWHERE(adopting)
{
	struct gmp_fd *f = NULL;
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	IS(gmp_fd_adopt(-1, &f), -EBADF);
	IS(gmp_fd_adopt(INT_MIN, &f), -EBADF);
	IS(gmp_fd_adopt(INT_MAX, &f), -EBADF);
	IS(gmp_fd_adopt(file, &f), -EPERM);
	IS(gmp_fd_adopt(file, NULL), -EINVAL);
	IS(f == NULL, 1);
	IS(close(file), 0);
}

EVERYWHERE(arguments_of_a_good_handle)
{
	struct iovec iov = { .iov_base = NULL, .iov_len = 8 };
	struct gmp_fd *f = NULL, *l = NULL;
	int p[2];
	char c;

	IS(pipe(p), 0);
	IS(gmp_fd_adopt(p[0], &f), 0);
	IS(write(p[1], "xx", 2), 2);
	KERNEL_SAYS(gmp_read(f, NULL, 8), -EFAULT);
	IS(gmp_read(f, NULL, 0), 0);
	IS(gmp_readv(f, &iov, -1), -EINVAL);
	KERNEL_SAYS(gmp_readv(f, &iov, INT_MAX), -EINVAL);
	IS(gmp_readv(f, NULL, 0), 0);
	KERNEL_SAYS(gmp_readv(f, &iov, 1), -EFAULT);
	IS(gmp_writev(f, &iov, -1), -EINVAL);
	IS(gmp_writev(f, &iov, 1025), -EINVAL);
	IS(gmp_write(f, "x", 1), -EBADF);		/* the reading end */
	IS(gmp_read(f, &c, 1), 1);
	IS(gmp_shutdown(f, SHUT_RD), -ENOTSOCK);
	IS(gmp_local_addr(f, &c, 1), -ENOTSOCK);
	IS(gmp_accept(f, NULL), -EINVAL);
	IS(gmp_set_deadline(f, 1), 0);
	IS(gmp_read(f, &c, 1), -ETIMEDOUT);
	IS(gmp_set_deadline(f, 0), 0);
	IS(gmp_close(f), 0);
	IS(close(p[1]), 0);

	IS(gmp_listen("tcp", "127.0.0.1:0", &l), 0);
	IS(gmp_local_addr(l, &c, 1), -ENOSPC);
	IS(gmp_local_addr(l, NULL, 0), -ENOSPC);
	IS(gmp_peer_addr(l, &c, 1), -ENOTCONN);
	IS(gmp_shutdown(l, 99), -EINVAL);
	IS(gmp_set_deadline(l, UINT64_MAX), runs() ? 0 : -ESRCH);
	if (place != GOROUTINE)
		IS(gmp_accept(l, &f), -EWOULDBLOCK);
	IS(gmp_close(l), 0);
}

/* Lengths that no buffer has, and no buffer: the kernel says so, or stops where memory ends. */
static void lengths(int near, int far, bool is_pipe)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov[2] = { { .iov_base = page, .iov_len = SIZE_MAX / 2 },
				{ .iov_base = page, .iov_len = SIZE_MAX / 2 } };
	struct gmp_fd *f = NULL, *other = NULL;
	size_t done = 7;

	IS(page != MAP_FAILED, 1);
	IS(mprotect(page + 4096, 4096, PROT_NONE), 0);
	IS(gmp_fd_adopt(near, &f), 0);
	IS(gmp_fd_adopt(far, &other), 0);
	IS(gmp_write(f, NULL, 0), 0);
	KERNEL_SAYS(gmp_write(f, NULL, 8), -EFAULT);
	KERNEL_SAYS(gmp_write_n(f, NULL, 8, &done), -EFAULT);
	IS(done, 0);
	KERNEL_SAYS(gmp_write(f, NULL, SIZE_MAX), is_pipe ? -EINVAL : -EFAULT);
	KERNEL_SAYS(gmp_write_n(f, page, SIZE_MAX, &done), is_pipe ? -EINVAL : -EFAULT);
	IS(done <= 4096, 1);
	KERNEL_SAYS(gmp_writev(f, iov, 2), -EFAULT);
	IS(gmp_write(f, "x", 1), 1);
	KERNEL_SAYS(gmp_read(other, NULL, SIZE_MAX), -EFAULT);
	IS(gmp_close(f), 0);
	IS(gmp_close(other), 0);
	IS(munmap(page, 8192), 0);
}

EVERYWHERE(lengths_of_buffers)
{
	int fd[2];

	IS(pipe(fd), 0);
	lengths(fd[1], fd[0], true);
	IS(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	lengths(fd[0], fd[1], false);
}

/* As much as there is, whatever was asked for. Not on the stack: the kernel looks 2 GiB ahead, that may be its own. */
EVERYWHERE(reads_of_more_than_there_may_be)
{
	static char buf[16];
	struct gmp_fd *f = NULL;
	int fd[2];

	IS(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	IS(gmp_fd_adopt(fd[0], &f), 0);
	IS(write(fd[1], "two", 3), 3);
	KERNEL_SAYS(gmp_read(f, buf, SIZE_MAX), 3);
	IS(strcmp(buf, "two"), 0);
	IS(gmp_close(f), 0);
	IS(close(fd[1]), 0);
}
