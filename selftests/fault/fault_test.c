/* SPDX-License-Identifier: MIT */
/*
 * fault_test.c - for each scene and each kind of call: the first, the second, ... the n-th fails.
 *
 * A child runs the scene so often as it makes calls of the kind. It may end well, having been told of
 * errors by negative errnos, or with a fatal message and status 2; no signal, no hang, no other status.
 * In the first case the scene is run once more in the same process, with nothing failing: no error
 * may be left behind. Then the same with every call from the n-th on.
 *
 * FAULT=SCENE:KIND:N[+] does one child only ("chan:malloc:3", "+": all from there on), in the foreground.
 */
#include "fault.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/inject.h"
#include "gmptest.h"

enum kind { MMAP, MALLOC, GUARD, THREAD, EPOLL, FUTEX, MEMBARRIER, KINDS };
static const char *const kind_name[] = { "mmap", "malloc", "guard", "thread", "epoll", "futex", "membarrier" };

#define MOST	16		/* of one kind and scene: the first 9, then every tenth */
#define LIMIT_S	20

static struct {
	enum kind kind;
	uint32_t nth;		/* 0: none */
	bool on;		/* from there on, all */
} fail;
static uint32_t calls[KINDS], failed, errors;	/* atomic */
static int64_t last_error;

/* ---- the calls ------------------------------------------------------------------------------------------- */

static bool hit(enum kind k)
{
	uint32_t n = __atomic_add_fetch(&calls[k], 1, __ATOMIC_RELAXED);
	bool yes = fail.nth && k == fail.kind && (n == fail.nth || (fail.on && n > fail.nth));

	if (yes)
		__atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
	return yes;
}

extern const char __start_gmprt_text[], __stop_gmprt_text[];

#define FROM_LIBRARY()	((const char *)__builtin_return_address(0) >= __start_gmprt_text && \
			 (const char *)__builtin_return_address(0) < __stop_gmprt_text)

#define FAIL_IF(kind_, err, ret)			\
	do {						\
		if (FROM_LIBRARY() && hit(kind_)) {	\
			errno = (err);			\
			return (ret);			\
		}					\
	} while (0)

/* The linker's --wrap=malloc: the library's calls come here, __real_malloc() is libc's. */
void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
int __real_mprotect(void *at, size_t n, int prot);
int __wrap_mprotect(void *at, size_t n, int prot);
int __real_madvise(void *at, size_t n, int advice);
int __wrap_madvise(void *at, size_t n, int advice);
int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);

void *__wrap_malloc(size_t n)
{
	FAIL_IF(MALLOC, ENOMEM, NULL);
	return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	FAIL_IF(MALLOC, ENOMEM, NULL);
	return __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
	FAIL_IF(MALLOC, ENOMEM, NULL);
	return __real_aligned_alloc(align, n);
}

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	FAIL_IF(MMAP, ENOMEM, MAP_FAILED);
	return __real_mmap(at, n, prot, flags, fd, off);
}

int __wrap_mprotect(void *at, size_t n, int prot)
{
	FAIL_IF(GUARD, ENOMEM, -1);
	return __real_mprotect(at, n, prot);
}

int __wrap_madvise(void *at, size_t n, int advice)
{
	FAIL_IF(GUARD, ENOMEM, -1);
	return __real_madvise(at, n, advice);
}

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
	if (FROM_LIBRARY() && hit(THREAD))
		return EAGAIN;
	return __real_pthread_create(t, a, fn, arg);
}

/* Raw system calls; a wait on a futex only ends too early, which the kernel may do. A wake cannot fail. */
static long raw(long nr, long arg2)
{
	switch (nr) {
	case SYS_epoll_create1:
	case SYS_epoll_ctl:
	case SYS_eventfd2:
		return hit(EPOLL) ? -ENOMEM : 0;
	case SYS_futex:
		return (arg2 & FUTEX_CMD_MASK) == FUTEX_WAIT && hit(FUTEX) ? -EINTR : 0;
	case SYS_membarrier:
		return hit(MEMBARRIER) ? -ENOSYS : 0;
	default:
		return 0;
	}
}

/* ---- a child --------------------------------------------------------------------------------------------------- */

_Noreturn void fault_fail(const char *file, int line, const char *what, long long value)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%s:%d: not so: %s (%lld)\n", file, line, what, value);

	if (n < 0 || write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(98);
	_exit(99);
}

void fault_error(int64_t err)
{
	if (err >= 0 || err < -4095)
		fault_fail(__FILE__, __LINE__, "a negative errno", err);
	__atomic_store_n(&last_error, err, __ATOMIC_RELAXED);
	__atomic_add_fetch(&errors, 1, __ATOMIC_RELAXED);
}

static void run(int (*scene)(void *))
{
	int r = gmp_run(scene, NULL);

	if (r < 0)
		fault_error(r);
	MUST(r <= 0);
}

/* Twice: with the fault, and when it is gone. */
static _Noreturn void child(int (*scene)(void *))
{
	rt_inject_hook = raw;
	run(scene);
	if (errors && !failed)
		fault_fail(__FILE__, __LINE__, "an error, but nothing failed", last_error);
	fail.nth = 0;
	errors = 0;
	run(scene);
	if (errors)
		fault_fail(__FILE__, __LINE__, "an error of the second run", last_error);
	_exit(0);
}

/* ---- the parent ------------------------------------------------------------------------------------------------- */

struct scene {
	const char *name;
	int (*fn)(void *);
};

/* How the child ended; what it said is shown if that is not as it must be. */
static void judge(const struct scene *s, int status, const char *text)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2 && strstr(text, "fatal error: "))
		return;
	GMPTEST_FAIL_("FAULT=%s:%s:%u%s: wait status %#x; it said: %s", s->name, kind_name[fail.kind],
		      fail.nth, fail.on ? "+" : "", status, text);
}

static void one(const struct scene *s)
{
	static char text[1 << 16];
	int fd[2];
	pid_t pid;

	CHECK(pipe2(fd, O_CLOEXEC) == 0);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		dup2(fd[1], STDERR_FILENO);
		alarm(LIMIT_S);
		child(s->fn);
	}
	close(fd[1]);
	judge(s, gmptest_collect(fd[0], pid, text, sizeof(text)), text);
}

/* How many calls of each kind the scene makes when nothing fails. */
static void count_calls(const struct scene *s, uint32_t *n)
{
	int fd[2], status;
	pid_t pid;

	CHECK(pipe2(fd, O_CLOEXEC) == 0);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		rt_inject_hook = raw;
		alarm(LIMIT_S);
		run(s->fn);
		_exit(errors || write(fd[1], calls, sizeof(calls)) != sizeof(calls));
	}
	close(fd[1]);
	CHECK_EQ(read(fd[0], n, sizeof(calls)), sizeof(calls));
	close(fd[0]);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
}

static uint32_t most(void)
{
	return GMPTEST_SCALE(MOST) + 2;
}

static void all_of(const struct scene *s, enum kind k, uint32_t calls_made)
{
	uint32_t n = 1;

	fail.kind = k;
	for (uint32_t done = 0; n <= calls_made && done < most(); done++) {
		fail.nth = n;
		fail.on = false;
		one(s);
		/* each futex that returns at once: that is a spin, not a fault */
		if (k != FUTEX) {
			fail.on = true;
			one(s);
		}
		n += n < most() / 2 ? 1 : 10;
	}
}

static void play(const char *name, int (*fn)(void *))
{
	const struct scene s = { name, fn };
	const char *only = getenv("FAULT");
	uint32_t n[KINDS];
	char want[32], kind[32], plus = 0;
	unsigned int nth;

	setenv("GMP_MAXPROCS", "2", 1);
	if (only && sscanf(only, "%31[^:]:%31[^:]:%u%c", want, kind, &nth, &plus) >= 3) {
		if (strcmp(want, name))
			return;
		while (strcmp(kind_name[fail.kind], kind))
			CHECK(++fail.kind < KINDS);
		fail.nth = nth;
		fail.on = plus == '+';
		child(fn);
	}
	count_calls(&s, n);
	for (enum kind k = 0; k < KINDS; k++) {
		printf("# %s: %u\n", kind_name[k], n[k]);
		all_of(&s, k, n[k]);
	}
}

#define SCENE(name)	TEST(name) { play(#name, scene_##name); }

SCENE(nothing)
SCENE(go)
SCENE(stacks)
SCENE(chan)
SCENE(select)
SCENE(timers)
SCENE(context)
SCENE(net)
SCENE(group_pool)
SCENE(labels)
SCENE(dump)
SCENE(threads)
SCENE(procs)

/*
 * No more threads from the n-th on, and each M loses time where it has found nothing and is not yet asleep:
 * who looks for one to serve a timer then finds neither.
 */
TEST(no_thread_while_ms_go_to_sleep)
{
	const struct scene s = { "threads", scene_threads };

	setenv("GMP_MAXPROCS", "2", 1);
	setenv("GMP_INJECT", "1:1:8", 1);
	fail.kind = THREAD;
	fail.on = true;
	for (uint32_t i = 0; i < GMPTEST_SCALE(12); i++) {
		fail.nth = 7 + i % 3;
		one(&s);
	}
}
