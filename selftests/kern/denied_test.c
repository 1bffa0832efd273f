/* SPDX-License-Identifier: MIT */
/*
 * denied_test.c - the module's help ends in the midst of a run: a seccomp filter forbids our ioctl()s, in all
 * threads or in one; or all descriptors are closed, as daemons do. All goes on as it does without the module.
 * In the guest, as root.
 */
#include <errno.h>
#include <fcntl.h>
#include <gmprt.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "gmp_abi.h"
#include "gmptest.h"

#define ROUNDS	20
#define NAPPERS	8

/* ---- ways to lose the module -------------------------------------------------------------------------------- */

/* EPERM for every ioctl() whose type is ours. */
static void forbid(unsigned int flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, _IOC_TYPEMASK << _IOC_TYPESHIFT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, GMP_IOC_MAGIC << _IOC_TYPESHIFT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(*code), .filter = code };

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog), 0);
}

static void forbid_all(void)
{
	forbid(SECCOMP_FILTER_FLAG_TSYNC);
}

static void forbid_this(void)
{
	forbid(0);
}

static void close_all(void)
{
	CHECK_EQ(syscall(SYS_close_range, 3, ~0u, 0), 0);
}

/* Our number belongs to something else afterwards, which is the program's. */
static int others[64];

static void close_all_and_open(void)
{
	close_all();
	for (int i = 0; i < 64; i++)
		CHECK((others[i] = open("/dev/null", O_RDONLY)) >= 0);
}

/* ---- a bit of everything that the module helps with ----------------------------------------------------------- */

static _Atomic int naps, loops;
static _Atomic bool over;
static struct gmp_wg wg;

static void napper(void *arg)
{
	struct timespec ts = { .tv_nsec = 2000000 };

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(nanosleep(&ts, NULL) == 0 || errno == EINTR);
		naps++;
		gmp_yield();
	}
	gmp_wg_done(&wg);
}

static void looper(void *arg)
{
	(void)arg;
	while (!over)
		loops++;
	gmp_wg_done(&wg);
}

static void work(void)
{
	over = false;
	naps = 0;
	gmp_wg_add(&wg, NAPPERS + 1);
	CHECK(gmp_go(looper, NULL) > 0);
	for (int i = 0; i < NAPPERS; i++)
		CHECK(gmp_go(napper, NULL) > 0);
	while (naps < NAPPERS * ROUNDS)
		gmp_sleep(1000000);
	CHECK_EQ(gmp_stop_world("test"), 0);	/* the loop must be stopped, too */
	CHECK_EQ(gmp_start_world(), 0);
	over = true;
	gmp_wg_wait(&wg);
}

static void (*lose)(void);

static int main_fn(void *arg)
{
	(void)arg;
	work();
	gmp_sleep(30000000);	/* Ms sleep in the module, for Ps to come */
	lose();
	work();
	gmp_sleep(30000000);
	work();
	return 0;
}

static void check_lost(void (*how)(void), const char *procs)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		lose = how;
		setenv("GMP_DEBUG", "kern=ko", 1);
		setenv("GMP_MAXPROCS", procs, 1);
		if (gmp_run(main_fn, NULL))
			_exit(1);
		for (int i = 0; i < 64 && others[0]; i++)
			if (fcntl(others[i], F_GETFD) < 0)
				_exit(2);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
}

static void check_lost_each(void (*how)(void))
{
	check_lost(how, "1");
	check_lost(how, "2");
	check_lost(how, "4");
}

TEST(ioctl_forbidden)			{ check_lost_each(forbid_all); }
TEST(ioctl_forbidden_in_one_thread)	{ check_lost_each(forbid_this); }
TEST(descriptors_closed)		{ check_lost_each(close_all); }
TEST(descriptors_of_others)		{ check_lost_each(close_all_and_open); }
