/* SPDX-License-Identifier: MIT */
/*
 * fault_test.c - for each scene and each kind of call: the first, the second, ... the n-th fails.
 *
 * A child runs the scene for each of them: the first nine, and as many of those that come later as MOST
 * allows, drawn from all there are (GMP_SEED); on two Ps, and a few of them on one and on four. It may end well,
 * having been told of errors by negative errnos, or, for most kinds, with a fatal message and status 2; no
 * signal, no hang, no other status. In the first case the scene is run once more in the same process, with
 * nothing failing: no error may be left behind. Then the same with every call from the n-th on.
 *
 * FAULT=SCENE:KIND:N[+] does one child only ("chan:malloc:3", "+": all from there on), in the foreground;
 * GMP_MAXPROCS is the number of Ps (2).
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

enum kind {
	MMAP, MALLOC, GUARD, OLD, THREAD, EPOLL, POLL, PWAIT2, PWAIT, SOCKET, FCNTL, OPEN, FUTEX, MEMBARRIER, KINDS
};

static const struct {
	const char *name;
	const char *fatal;	/* the program may end with this message; NULL: it must not */
	bool one;		/* not all from the n-th on: who is interrupted each time spins, that is no fault */
} kinds[] = {
	[MMAP]		= { "mmap", "fatal error: ", false },
	[MALLOC]	= { "malloc", "fatal error: ", false },
	[GUARD]		= { "guard", "fatal error: ", false },
	[OLD]		= { "old", NULL, false },
	[THREAD]	= { "thread", "fatal error: ", false },
	[EPOLL]		= { "epoll", "fatal error: ", false },
	[POLL]		= { "poll", NULL, true },
	[PWAIT2]	= { "pwait2", NULL, false },
	[PWAIT]		= { "pwait", "fatal error: netpoll: epoll_wait: ", false },
	[SOCKET]	= { "socket", NULL, false },
	[FCNTL]		= { "fcntl", NULL, false },
	[OPEN]		= { "open", NULL, false },
	[FUTEX]		= { "futex", NULL, true },
	[MEMBARRIER]	= { "membarrier", "fatal error: ", false },
};

#define MOST	18		/* of one kind and scene */
#define FEW	4		/* with another number of Ps */
#if GMPTEST_SANITIZED
#define LIMIT_S	100
#else
#define LIMIT_S	20
#endif
#define MADV_GUARDS	102		/* MADV_GUARD_INSTALL */

static struct {
	enum kind kind;
	uint32_t nth;		/* 0: none */
	bool on;		/* from there on, all */
} fail;
static uint32_t calls[KINDS], failed, errors;	/* atomic */
static int64_t last_error;

/* ---- the calls ------------------------------------------------------------------------------------------- */

/*
 * The runtime calls these with locks held, and not by the way it calls libc (os/callout.c): to SIGURG they must be
 * runtime, not the program's own code, or a goroutine would be stopped in there.
 */
#define RUNTIME		__attribute__((noinline, section("gmprt_text")))

static RUNTIME bool hit(enum kind k)
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
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
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
	if (advice == MADV_GUARDS)
		FAIL_IF(OLD, EINVAL, -1);	/* as before 6.13 */
	return __real_madvise(at, n, advice);
}

/* The library makes no files: there is no mode. */
int __wrap_open(const char *path, int flags, ...)
{
	FAIL_IF(OPEN, EMFILE, -1);
	return __real_open(path, flags);
}

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
	if (FROM_LIBRARY() && hit(THREAD))
		return EAGAIN;
	return __real_pthread_create(t, a, fn, arg);
}

/* Raw system calls; a wait on a futex only ends too early, which the kernel may do. A wake cannot fail. */
static RUNTIME long raw(long nr, long arg2)
{
	switch (nr) {
	case SYS_mmap:
		return hit(MMAP) ? -ENOMEM : 0;
	case SYS_epoll_create1:
	case SYS_epoll_ctl:
	case SYS_eventfd2:
		return hit(EPOLL) ? -ENOMEM : 0;
	case SYS_epoll_pwait2:
		return hit(POLL) ? -EINTR : hit(PWAIT2) ? -ENOSYS : 0;
	case SYS_epoll_pwait:
		return hit(POLL) ? -EINTR : hit(PWAIT) ? -ENOSYS : 0;
	case SYS_socket:
	case SYS_accept4:
		return hit(SOCKET) ? -EMFILE : 0;
	case SYS_bind:
	case SYS_listen:
		return hit(SOCKET) ? -EADDRINUSE : 0;
	case SYS_connect:
		return hit(SOCKET) ? -ECONNREFUSED : 0;
	case SYS_setsockopt:
		return hit(SOCKET) ? -ENOBUFS : 0;
	case SYS_fcntl:
		return hit(FCNTL) ? -EBADF : 0;
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

static char said[1 << 16];

/* How the child ended; what it said is shown if that is not as it must be. */
static void judge(const struct scene *s, int status, const char *text)
{
	const char *fatal = kinds[fail.kind].fatal;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (fatal && WIFEXITED(status) && WEXITSTATUS(status) == 2 && strstr(text, fatal))
		return;
	GMPTEST_FAIL_("FAULT=%s:%s:%u%s GMP_MAXPROCS=%s: wait status %#x; it said: %s", s->name,
		      kinds[fail.kind].name, fail.nth, fail.on ? "+" : "", getenv("GMP_MAXPROCS"), status,
		      text);
}

/* The status of a child whose @fail'th call failed; what it said is in said. */
static int one(const struct scene *s)
{
	int fd[2], status;
	pid_t pid = gmptest_fork(fd);

	CHECK(pid >= 0);
	if (pid == 0) {
		dup2(fd[1], STDERR_FILENO);
		alarm(LIMIT_S);
		child(s->fn);
	}
	status = gmptest_collect(fd[0], pid, said, sizeof(said));
	judge(s, status, said);
	return status;
}

/* How many calls of each kind the scene makes when nothing fails. */
static void count_calls(const struct scene *s, uint32_t *n)
{
	int fd[2], status;
	pid_t pid = gmptest_fork(fd);

	CHECK(pid >= 0);
	if (pid == 0) {
		fail.nth = 0;
		rt_inject_hook = raw;
		alarm(LIMIT_S);
		run(s->fn);
		_exit(errors || write(fd[1], calls, sizeof(calls)) != sizeof(calls));
	}
	CHECK_EQ(read(fd[0], n, sizeof(calls)), sizeof(calls));
	close(fd[0]);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
}

/* The next to fail after @n: all of the first half of @most, then the rest spread over all there are. */
static uint32_t next_nth(uint32_t n, uint32_t most, uint32_t calls_made, uint64_t *rnd)
{
	uint32_t stride = most ? 4 * calls_made / most : 1;

	return n < most / 2 ? n + 1 : n + 1 + gmptest_rand(rnd) % (stride ? stride : 1);
}

static void all_of(const struct scene *s, enum kind k, uint32_t calls_made, uint32_t most, uint64_t *rnd)
{
	uint32_t n = 1;

	fail.kind = k;
	for (uint32_t done = 0; n <= calls_made && done < most; done++) {
		fail.nth = n;
		fail.on = false;
		one(s);
		if (!kinds[k].one) {
			fail.on = true;
			one(s);
		}
		n = next_nth(n, most, calls_made, rnd);
	}
}

static void play_on(const struct scene *s, const char *procs, uint32_t most, uint64_t *rnd)
{
	uint32_t n[KINDS];

	setenv("GMP_MAXPROCS", procs, 1);
	count_calls(s, n);
	for (enum kind k = 0; k < KINDS; k++) {
		printf("# P=%s %s: %u\n", procs, kinds[k].name, n[k]);
		all_of(s, k, n[k], most, rnd);
	}
}

static void play(const char *name, int (*fn)(void *))
{
	const struct scene s = { name, fn };
	const char *only = getenv("FAULT");
	char want[32], kind[32], plus = 0;
	uint64_t rnd;
	unsigned int nth;

	if (only && sscanf(only, "%31[^:]:%31[^:]:%u%c", want, kind, &nth, &plus) >= 3) {
		if (strcmp(want, name))
			return;
		while (strcmp(kinds[fail.kind].name, kind))
			CHECK(++fail.kind < KINDS);
		fail.nth = nth;
		fail.on = plus == '+';
		setenv("GMP_MAXPROCS", "2", 0);
		child(fn);
	}
	rnd = gmptest_seed();
	play_on(&s, "2", GMPTEST_SCALE(MOST) + 2, &rnd);
	play_on(&s, "1", GMPTEST_SCALE(FEW), &rnd);
	play_on(&s, "4", GMPTEST_SCALE(FEW), &rnd);
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
SCENE(defer)
SCENE(go_macro)
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

/* A kernel that has no epoll_pwait2(): epoll_pwait() serves. When that fails as well, the message says so. */
TEST(no_call_to_poll_by)
{
	const struct scene s = { "net", scene_net };

	setenv("GMP_MAXPROCS", "2", 1);
	fail.nth = 1;
	fail.on = true;
	fail.kind = PWAIT2;
	CHECK_EQ(one(&s), 0);
	fail.kind = PWAIT;
	CHECK_EQ(one(&s), W_EXITCODE(2, 0));
}
