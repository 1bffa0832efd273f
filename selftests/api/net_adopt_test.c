/* SPDX-License-Identifier: MIT */
/* net_adopt_test.c - gmp_fd_adopt(): pipes, sockets, eventfd, timerfd, signalfd; what cannot be adopted. */
#include <gmprt.h>

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "net_util.h"

static struct pair pipe_pair(void)		/* a writes, b reads */
{
	struct pair p;
	int fds[2];

	CHECK(pipe2(fds, O_CLOEXEC) == 0);
	CHECK_EQ(gmp_fd_adopt(fds[1], &p.a), 0);
	CHECK_EQ(gmp_fd_adopt(fds[0], &p.b), 0);
	CHECK_EQ(gmp_fd_num(p.a), fds[1]);
	return p;
}

static void write_later(void *fd)
{
	until_waiting(1);
	CHECK_EQ(gmp_write(fd, "late", 4), 4);
	CHECK_EQ(gmp_close(fd), 0);
}

GTEST(pipe)
{
	struct pair p = pipe_pair();
	char buf[8];

	CHECK(gmp_go(write_later, p.a) > 1);
	CHECK_EQ(gmp_read(p.b, buf, sizeof(buf)), 4);
	CHECK(memcmp(buf, "late", 4) == 0);
	CHECK_EQ(gmp_read(p.b, buf, sizeof(buf)), 0);
	CHECK_EQ(gmp_close(p.b), 0);
}

#define LARGE	(1 << 20)

static void write_large(void *fd)
{
	char *data = calloc(1, LARGE);
	struct iovec iov[2] = { { data, LARGE / 2 }, { data + LARGE / 2, LARGE / 2 } };

	CHECK_EQ(gmp_write(fd, data, LARGE), LARGE);
	CHECK_EQ(gmp_writev(fd, iov, 2), LARGE);
	CHECK_EQ(gmp_close(fd), 0);
	free(data);
}

GTEST(pipe_that_is_full)
{
	struct pair p = pipe_pair();
	char buf[5000];
	size_t sum = 0;
	ssize_t n;

	CHECK(gmp_go(write_large, p.a) > 1);
	while ((n = gmp_read(p.b, buf, sizeof(buf))) > 0)
		sum += (size_t)n;
	CHECK_EQ(n, 0);
	CHECK_EQ(sum, 2 * LARGE);
	CHECK_EQ(gmp_close(p.b), 0);
}

/* SIGPIPE has its default action, which would end the test. */
GTEST(broken_pipe)
{
	struct pair p = pipe_pair();
	sigset_t set;

	CHECK_EQ(gmp_close(p.b), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(gmp_write(p.a, "x", 1), -EPIPE);
	CHECK_EQ(gmp_writev(p.a, &(struct iovec){ "xy", 2 }, 1), -EPIPE);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
	CHECK(!sigismember(&set, SIGPIPE));
	CHECK(sigpending(&set) == 0);
	CHECK(!sigismember(&set, SIGPIPE));
	CHECK_EQ(gmp_close(p.a), 0);
}

static void close_reader(void *fd)
{
	until_waiting(1);
	CHECK_EQ(gmp_close(fd), 0);
}

GTEST(pipe_breaks_while_a_write_waits)
{
	static char data[LARGE];
	struct pair p = pipe_pair();
	size_t done;

	CHECK(gmp_go(close_reader, p.b) > 1);
	CHECK_EQ(gmp_write_n(p.a, data, sizeof(data), &done), -EPIPE);
	CHECK(done > 0 && done < sizeof(data));
	CHECK_EQ(gmp_close(p.a), 0);
}

static uint32_t pipe_signals;

static void on_sigpipe(int signo)
{
	(void)signo;
	add(&pipe_signals);
}

/* A program that blocks SIGPIPE itself: its mask, and what is pending, stay as they are. */
GTEST(sigpipe_blocked_by_the_program)
{
	struct pair p = pipe_pair();
	sigset_t set, old;

	gmp_lock_os_thread();
	signal(SIGPIPE, on_sigpipe);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, &old) == 0);
	CHECK_EQ(gmp_close(p.b), 0);
	CHECK_EQ(gmp_write(p.a, "x", 1), -EPIPE);
	CHECK(pthread_sigmask(SIG_BLOCK, NULL, &set) == 0);
	CHECK(sigismember(&set, SIGPIPE));
	CHECK_EQ(get(&pipe_signals), 0);
	CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
	CHECK_EQ(get(&pipe_signals), 1);	/* as with write(2) */
	CHECK_EQ(gmp_write(p.a, "x", 1), -EPIPE);
	CHECK_EQ(get(&pipe_signals), 1);	/* and now none */
	gmp_unlock_os_thread();
	CHECK_EQ(gmp_close(p.a), 0);
}

GTEST(socketpair)
{
	struct pair p;
	int fds[2];
	char c;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	CHECK_EQ(gmp_fd_adopt(fds[0], &p.a), 0);
	CHECK_EQ(gmp_fd_adopt(fds[1], &p.b), 0);
	CHECK(gmp_go(write_later, p.a) > 1);
	CHECK_EQ(gmp_read(p.b, &c, 1), 1);
	CHECK_EQ(gmp_local_addr(p.b, &c, 1), -EAFNOSUPPORT);
	while (gmp_write(p.b, "x", 1) == 1)
		gmp_yield();
	CHECK_EQ(gmp_write(p.b, "x", 1), -EPIPE);
	CHECK_EQ(gmp_close(p.b), 0);
}

/* Each write is a message. */
GTEST(datagrams_keep_their_bounds)
{
	struct pair p;
	int fds[2];
	char buf[10];
	struct iovec iov[2] = { { "ab", 2 }, { "cde", 3 } };

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
	CHECK_EQ(gmp_fd_adopt(fds[0], &p.a), 0);
	CHECK_EQ(gmp_fd_adopt(fds[1], &p.b), 0);
	CHECK_EQ(gmp_write(p.a, "x", 1), 1);
	CHECK_EQ(gmp_writev(p.a, iov, 2), 5);
	CHECK_EQ(gmp_read(p.b, buf, sizeof(buf)), 1);
	CHECK_EQ(gmp_read(p.b, buf, sizeof(buf)), 5);
	CHECK(memcmp(buf, "abcde", 5) == 0);
	close_pair(p);
}

static void signal_event(void *fd)
{
	static const uint64_t five = 5;

	until_waiting(1);
	CHECK_EQ(gmp_write(fd, &five, sizeof(five)), 8);
}

GTEST(eventfd)
{
	struct gmp_fd *fd;
	uint64_t v = 0;

	CHECK_EQ(gmp_fd_adopt(eventfd(0, EFD_CLOEXEC), &fd), 0);
	for (int i = 0; i < 10; i++) {
		CHECK(gmp_go(signal_event, fd) > 1);
		CHECK_EQ(gmp_read(fd, &v, sizeof(v)), 8);
		CHECK_EQ(v, 5);
	}
	CHECK_EQ(gmp_close(fd), 0);
}

GTEST(timerfd)
{
	struct itimerspec it = { .it_value.tv_nsec = 5 * MS, .it_interval.tv_nsec = 5 * MS };
	int num = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t v, began = gmp_now(), sum = 0;
	struct gmp_fd *fd;

	CHECK(timerfd_settime(num, 0, &it, NULL) == 0);
	CHECK_EQ(gmp_fd_adopt(num, &fd), 0);
	while (sum < 4) {
		CHECK_EQ(gmp_read(fd, &v, sizeof(v)), 8);
		sum += v;
	}
	CHECK(gmp_now() - began >= 20 * MS);
	CHECK_EQ(gmp_close(fd), 0);
}

static void raise_usr1(void *unused)
{
	(void)unused;
	until_waiting(1);
	CHECK(kill(getpid(), SIGUSR1) == 0);
}

static int read_signal(void *arg)
{
	struct signalfd_siginfo info;
	struct gmp_fd *fd;

	CHECK_EQ(gmp_fd_adopt(*(int *)arg, &fd), 0);
	CHECK(gmp_go(raise_usr1, NULL) > 1);
	CHECK_EQ(gmp_read(fd, &info, sizeof(info)), sizeof(info));
	CHECK_EQ(info.ssi_signo, SIGUSR1);
	CHECK_EQ(gmp_close(fd), 0);
	return 0;
}

/* Blocked before the run, so that every thread inherits it. */
TEST(signalfd)
{
	sigset_t set;
	int num;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	setenv("GMP_MAXPROCS", "4", 1);
	for (int i = 0; i < 20; i++) {
		num = signalfd(-1, &set, SFD_CLOEXEC);
		CHECK_EQ(gmp_run(read_signal, &num), 0);
	}
}

/* ---- what cannot be adopted, and what is left of it -------------------------------------- */

GTEST(plain_files_are_refused)
{
	char path[] = "/tmp/gmp-adopt-XXXXXX";
	int num = mkstemp(path), flags = fcntl(num, F_GETFL);
	struct gmp_fd *fd = NULL;

	CHECK(num >= 0);
	CHECK_EQ(gmp_fd_adopt(num, &fd), -EPERM);
	CHECK(fd == NULL);
	CHECK_EQ(fcntl(num, F_GETFL), flags);
	CHECK(close(num) == 0 && unlink(path) == 0);
	CHECK_EQ(gmp_fd_adopt(1000, &fd), -EBADF);	/* not @num: sysmon may have it already */
	CHECK_EQ(gmp_fd_adopt(-1, &fd), -EBADF);
	CHECK_EQ(gmp_fd_adopt(INT32_MAX, &fd), -EBADF);
}

GTEST(twice_is_refused)
{
	struct gmp_fd *fd, *again = NULL;
	int num = eventfd(1, EFD_CLOEXEC);
	uint64_t v;

	CHECK_EQ(gmp_fd_adopt(num, &fd), 0);
	CHECK_EQ(gmp_fd_adopt(num, &again), -EEXIST);
	CHECK(again == NULL);
	CHECK_EQ(gmp_read(fd, &v, sizeof(v)), 8);
	CHECK_EQ(gmp_close(fd), 0);
	CHECK_EQ(fcntl(num, F_GETFD), -1);
}

/* A duplicate keeps the open file, and epoll's interest in it, alive: it must not be heard of again. */
GTEST(duplicates_are_no_trouble)
{
	struct gmp_fd *fd;
	int num = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), other = dup(num);
	uint64_t v = 1;

	CHECK_EQ(gmp_fd_adopt(num, &fd), 0);
	CHECK_EQ(gmp_close(fd), 0);
	CHECK(write(other, &v, sizeof(v)) == 8);
	settle();
	CHECK(dup2(other, num) == num);
	CHECK_EQ(gmp_fd_adopt(num, &fd), 0);		/* the same file under the same number */
	CHECK_EQ(gmp_read(fd, &v, sizeof(v)), 8);
	CHECK_EQ(gmp_close(fd), 0);
	close(other);
}
