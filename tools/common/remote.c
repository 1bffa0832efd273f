// SPDX-License-Identifier: MIT
/*
 * remote.c - the one place that reads another process's memory.
 *
 * All or nothing: a caller never sees half of what it asked for. An address may be anything the
 * other process chose to write; a bad one is -EFAULT here, never a crash.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/remote.h"

#define USER_END	(1ull << 47)	/* x86-64 with four-level page tables; more is not handed out unasked */

/* A seccomp filter (Docker's, by default) may forbid process_vm_readv where this is allowed. */
static int read_proc_mem(pid_t pid, uint64_t addr, void *buf, size_t len)
{
	char path[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = pread(fd, buf, len, (off_t)addr);
	close(fd);
	return n == (ssize_t)len ? 0 : -EFAULT;
}

/**
 * remote_read() - copy memory out of a process
 * @pid: the process, or one of its threads
 * @addr: where, in that process; not trusted
 * @buf: @len bytes; undefined when the call fails
 *
 * Return: 0; -EFAULT not mapped (even in part), -ESRCH no such process, -EPERM or -EACCES not
 * allowed (the rule is that of ptrace: same user and dumpable, or CAP_SYS_PTRACE).
 */
int remote_read(pid_t pid, uint64_t addr, void *buf, size_t len)
{
	struct iovec local = { buf, len };
	struct iovec remote = { (void *)(uintptr_t)addr, len };
	ssize_t n;

	if (addr >= USER_END || len > USER_END - addr)
		return -EFAULT;
	n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
	if (n == (ssize_t)len)
		return 0;
	if (n < 0 && (errno == EPERM || errno == ENOSYS))
		return read_proc_mem(pid, addr, buf, len);
	return n < 0 ? -errno : -EFAULT;
}
