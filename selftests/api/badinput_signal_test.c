/* SPDX-License-Identifier: MIT */
/*
 * badinput_signal_test.c - every public call from a signal handler.
 *
 * A row: call, what lets it go on if it waits (NOTHING: it does not park), the call with its arguments.
 * Each row runs in a child of its own: with SA_ONSTACK and without, in a goroutine, before gmp_run(), and in a
 * thread that is no M. It must return, or end with status 2 and "fatal error: CALL". What may park must
 * end so on the alternate stack in a goroutine; what may not must return everywhere.
 *
 * tools/dev/check-badinput.sh sees to it that every public call has a row.
 */
#include "badinput_util.h"

#include <fcntl.h>

struct row {
	const char *call;
	void (*fn)(void);
	void (*let_go)(void);
};

/* ---- what the rows use, made anew in each child ------------------------------------------------------- */

static struct gmp_chan *none_in, *one_in;	/* empty without room; of capacity 1, full */
static struct gmp_mutex locked;
static struct gmp_rwmutex wlocked, rlocked, unlocked;
static struct gmp_wg wg, going;
static struct gmp_once once;
static struct gmp_cond cond;
static struct gmp_sem sem;
static struct gmp_pool pool;
static struct gmp_group group;
static struct gmp_timer timer;
static struct gmp_after_func *after;
static struct gmp_ctx *ctx;
static struct gmp_tick *tick;
static struct gmp_stats stats = { .size = sizeof(stats) };
static struct gmp_fd *from, *to, *listener, *other;
static int null_fd, pipe_fd[2], spare;
static char text[128], byte;
static uintptr_t pcs[4];
static volatile int sink;

static void make_objects(void)
{
	none_in = gmp_chan_make(1, 0);
	one_in = gmp_chan_make(1, 1);
	gmp_chan_try_send(one_in, &byte);
	gmp_mutex_lock(&locked);
	gmp_mutex_lock(&once.m);
	gmp_rwmutex_lock(&wlocked);
	gmp_rwmutex_rlock(&rlocked);
	gmp_wg_add(&wg, 1);
	gmp_group_init(&group, NULL, 1);
	gmp_wg_add(&group.wg, 1);
	ctx = gmp_ctx_with_cancel(gmp_ctx_background());
	after = gmp_ctx_after_func(ctx, badinput_nothing, NULL);
}

static void make_files(void)
{
	int fd[2];

	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK_EQ(pipe(pipe_fd), 0);
	CHECK_EQ(pipe(fd), 0);
	CHECK_EQ(gmp_fd_adopt(pipe_fd[0], &from), 0);
	CHECK_EQ(gmp_fd_adopt(fd[1], &to), 0);
	CHECK_EQ(gmp_listen("tcp", "127.0.0.1:0", &listener), 0);
	CHECK(gmp_local_addr(listener, text, sizeof(text)) > 0);
}

/* ---- what lets those go on that wait -------------------------------------------------------------------- */

#define NOTHING	NULL

static void soon(void)
{
}

static void send_one(void)
{
	gmp_chan_send(none_in, &byte);
}

static void receive_one(void)
{
	gmp_chan_recv(one_in, &byte);
}

static void unlock(void)
{
	gmp_mutex_unlock(&locked);
}

static void unlock_once(void)
{
	gmp_mutex_unlock(&once.m);
}

static void wunlock(void)
{
	gmp_rwmutex_unlock(&wlocked);
}

static void done(void)
{
	gmp_wg_done(&wg);
}

static void release(void)
{
	gmp_sem_release(&sem, 1);
}

static void group_release(void)
{
	gmp_sem_release(&group.sem, 1);
}

static void group_done(void)
{
	gmp_wg_done(&group.wg);
}

static void signal_cond(void)
{
	for (;;) {
		gmp_cond_broadcast(&cond);
		gmp_sleep(100000);
	}
}

static void write_byte(void)
{
	CHECK_EQ(write(pipe_fd[1], "x", 1), 1);
}

static void connect_once(void)
{
	struct gmp_fd *f;

	CHECK_EQ(gmp_dial(NULL, "tcp", text, &f), 0);
}

/* ---- the rows ---------------------------------------------------------------------------------------------- */

/* Where nobody can wait that is the answer. */
#define WAITS(call, want)	IS(call, place == GOROUTINE ? (want) : -EWOULDBLOCK)
/* Of what needs a run, a goroutine. */
#define RUNS(call, want)	IS(call, runs() ? (want) : -ESRCH)
#define INSIDE(call, want)	IS(call, place == GOROUTINE ? (want) : -EPERM)
#define NEW(call)		IS((call) > 0 ? 1 : (call), runs() ? 1 : -ESRCH)
#define ANY(call)		(sink = (call) != 0)

static void select_one(uint64_t deadline)
{
	struct gmp_case c = GMP_CASE_RECV(none_in, &byte);

	WAITS(deadline ? gmp_select_until(&c, 1, deadline) : gmp_select(&c, 1), 0);
}

static void take_permit(void)
{
	gmp_sem_try(&group.sem, 1);
}

static void start_in_group(void)
{
	int64_t goid;

	take_permit();
	goid = gmp_group_go(&group, badinput_zero, NULL);
	WAITS(goid < 0 ? goid : 0, 0);
}

static void stop_and_start(void)
{
	WAITS(gmp_stop_world("a test"), 0);
	if (place == GOROUTINE)
		IS(gmp_start_world(), 0);
}

static int zero_of(const struct gmp_goroutine *g, void *arg)
{
	(void)g;
	(void)arg;
	return 0;
}

static struct iovec iov = { .iov_base = &byte, .iov_len = 1 };

#define PROC_ROWS(X) \
	X(gmp_run, NOTHING, IS(gmp_run(badinput_zero, NULL), runs() ? -EBUSY : 0)) \
	X(gmp_go, NOTHING, NEW(gmp_go(badinput_nothing, NULL))) \
	X(gmp_go_attr, NOTHING, NEW(gmp_go_attr(NULL, badinput_nothing, NULL))) \
	X(gmp_go_copy, NOTHING, NEW(gmp_go_copy(badinput_nothing, "", 1))) \
	X(gmp_yield, soon, gmp_yield()) \
	X(gmp_goexit, soon, gmp_goexit()) \
	X(gmp_defer, NOTHING, INSIDE(gmp_defer(badinput_nothing, NULL), 0)) \
	X(gmp_maxprocs, soon, ANY(gmp_maxprocs(gmp_maxprocs(0) + 1))) \
	X(gmp_num_goroutine, NOTHING, ANY(gmp_num_goroutine())) \
	X(gmp_goid, NOTHING, IS(gmp_goid() > 1, place == GOROUTINE)) \
	X(gmp_set_name, NOTHING, INSIDE(gmp_set_name("h"), 0)) \
	X(gmp_set_label, NOTHING, INSIDE(gmp_set_label("h", "v"), 0)) \
	X(gmp_get_name, NOTHING, INSIDE(gmp_get_name(text, sizeof(text)), 0)) \
	X(gmp_get_label, NOTHING, INSIDE(gmp_get_label("h", text, sizeof(text)), -ENOENT)) \
	X(gmp_lock_os_thread, soon, gmp_lock_os_thread()) \
	X(gmp_unlock_os_thread, NOTHING, gmp_unlock_os_thread()) \
	X(gmp_set_max_stack, NOTHING, ANY(gmp_set_max_stack(1 << 16))) \
	X(gmp_nopreempt_begin, NOTHING, gmp_nopreempt_begin()) \
	X(gmp_nopreempt_end, NOTHING, gmp_nopreempt_end()) \
	X(gmp_syscall_begin, soon, gmp_syscall_begin(); gmp_syscall_end()) \
	X(gmp_syscall_end, NOTHING, gmp_syscall_end()) \
	X(gmp_stop_world, soon, stop_and_start()) \
	X(gmp_start_world, NOTHING, IS(gmp_start_world(), -EINVAL)) \
	X(gmp_kern_backend, NOTHING, IS(gmp_kern_backend() != NULL, 1)) \
	X(gmp_dump, NOTHING, RUNS(gmp_dump(null_fd), 0)) \
	X(gmp_goroutines, NOTHING, ANY(gmp_goroutines(zero_of, NULL))) \
	X(gmp_leak_check, NOTHING, ANY(gmp_leak_check(zero_of, NULL))) \
	X(gmp_stack_of, soon, ANY(gmp_stack_of(1, pcs, 4))) \
	X(gmp_stats, NOTHING, RUNS(gmp_stats(&stats), 0))

#define CHAN_ROWS(X) \
	X(gmp_chan_make, NOTHING, IS(gmp_chan_make(8, 8) != NULL, 1)) \
	X(gmp_chan_ref, NOTHING, IS(gmp_chan_ref(none_in) == none_in, 1)) \
	X(gmp_chan_unref, NOTHING, gmp_chan_unref(gmp_chan_make(8, 8))) \
	X(gmp_chan_send, receive_one, WAITS(gmp_chan_send(one_in, &byte), 0)) \
	X(gmp_chan_recv, send_one, WAITS(gmp_chan_recv(none_in, &byte), 1)) \
	X(gmp_chan_try_send, NOTHING, IS(gmp_chan_try_send(one_in, &byte), -EAGAIN)) \
	X(gmp_chan_try_recv, NOTHING, IS(gmp_chan_try_recv(none_in, &byte), -EAGAIN)) \
	X(gmp_chan_close, NOTHING, IS(gmp_chan_close(none_in), 0)) \
	X(gmp_chan_len, NOTHING, IS(gmp_chan_len(one_in), 1)) \
	X(gmp_chan_cap, NOTHING, IS(gmp_chan_cap(one_in), 1)) \
	X(gmp_select, send_one, select_one(0)) \
	X(gmp_select_try, NOTHING, IS(gmp_select_try(&(struct gmp_case)GMP_CASE_RECV(none_in, &byte), 1), -EAGAIN)) \
	X(gmp_select_until, send_one, select_one(UINT64_MAX)) \
	X(gmp_now, NOTHING, IS(gmp_now() != 0, 1)) \
	X(gmp_sleep, soon, gmp_sleep(1000)) \
	X(gmp_timer_start, NOTHING, RUNS(gmp_timer_start(&timer, 1000, badinput_nothing, NULL), 0)) \
	X(gmp_timer_stop, NOTHING, IS(gmp_timer_stop(&timer), 0)) \
	X(gmp_timer_reset, NOTHING, IS(gmp_timer_reset(&timer, 1000), -EINVAL)) \
	X(gmp_timer_stop_wait, soon, IS(gmp_timer_stop_wait(&timer), 0)) \
	X(gmp_after, NOTHING, IS(gmp_after(1000) != NULL, runs())) \
	X(gmp_tick_new, NOTHING, IS(gmp_tick_new(1000000) != NULL, runs())) \
	X(gmp_tick_chan, NOTHING, IS(gmp_tick_chan(tick) != NULL, tick != NULL)) \
	X(gmp_tick_reset, NOTHING, IS(gmp_tick_reset(tick, 1000000), tick ? 0 : -EINVAL)) \
	X(gmp_tick_stop, NOTHING, gmp_tick_stop(tick)) \
	X(gmp_ctx_background, NOTHING, IS(gmp_ctx_background() != NULL, 1)) \
	X(gmp_ctx_with_cancel, NOTHING, IS(gmp_ctx_with_cancel(ctx) != NULL, 1)) \
	X(gmp_ctx_with_deadline, NOTHING, IS(gmp_ctx_with_deadline(ctx, gmp_now() + 1000) != NULL, runs())) \
	X(gmp_ctx_with_timeout, NOTHING, IS(gmp_ctx_with_timeout(ctx, 1000) != NULL, runs())) \
	X(gmp_ctx_with_value, NOTHING, IS(gmp_ctx_with_value(ctx, &byte, NULL, NULL) != NULL, 1)) \
	X(gmp_ctx_ref, NOTHING, IS(gmp_ctx_ref(ctx) == ctx, 1)) \
	X(gmp_ctx_unref, NOTHING, gmp_ctx_unref(ctx)) \
	X(gmp_ctx_cancel, NOTHING, gmp_ctx_cancel(ctx, 0)) \
	X(gmp_ctx_done, NOTHING, IS(gmp_ctx_done(ctx) != NULL, 1)) \
	X(gmp_ctx_err, NOTHING, IS(gmp_ctx_err(ctx), 0)) \
	X(gmp_ctx_cause, NOTHING, IS(gmp_ctx_cause(ctx), 0)) \
	X(gmp_ctx_deadline, NOTHING, IS(gmp_ctx_deadline(ctx, NULL), 0)) \
	X(gmp_ctx_value, NOTHING, IS(gmp_ctx_value(ctx, &byte) == NULL, 1)) \
	X(gmp_ctx_after_func, NOTHING, IS(gmp_ctx_after_func(ctx, badinput_nothing, NULL) != NULL, 1)) \
	X(gmp_after_func_stop, NOTHING, IS(gmp_after_func_stop(after), 1))

#define SYNC_ROWS(X) \
	X(gmp_mutex_lock, unlock, gmp_mutex_lock(&locked)) \
	X(gmp_mutex_trylock, NOTHING, IS(gmp_mutex_trylock(&locked), -EBUSY)) \
	X(gmp_mutex_unlock, NOTHING, gmp_mutex_unlock(&locked)) \
	X(gmp_rwmutex_rlock, wunlock, gmp_rwmutex_rlock(&wlocked)) \
	X(gmp_rwmutex_runlock, NOTHING, gmp_rwmutex_runlock(&rlocked)) \
	X(gmp_rwmutex_lock, wunlock, gmp_rwmutex_lock(&wlocked)) \
	X(gmp_rwmutex_unlock, NOTHING, gmp_rwmutex_unlock(&wlocked)) \
	X(gmp_rwmutex_trylock, NOTHING, IS(gmp_rwmutex_trylock(&wlocked), -EBUSY)) \
	X(gmp_rwmutex_tryrlock, NOTHING, IS(gmp_rwmutex_tryrlock(&unlocked), 0)) \
	X(gmp_wg_add, NOTHING, gmp_wg_add(&wg, 1)) \
	X(gmp_wg_done, NOTHING, gmp_wg_done(&wg)) \
	X(gmp_wg_wait, done, gmp_wg_wait(&wg)) \
	X(gmp_wg_go, NOTHING, NEW(gmp_wg_go(&wg, badinput_nothing, NULL))) \
	X(gmp_once_do, unlock_once, gmp_once_do(&once, badinput_nothing, NULL)) \
	X(gmp_cond_wait, signal_cond, gmp_cond_wait(&cond, &locked)) \
	X(gmp_cond_signal, NOTHING, gmp_cond_signal(&cond)) \
	X(gmp_cond_broadcast, NOTHING, gmp_cond_broadcast(&cond)) \
	X(gmp_sem_acquire, release, WAITS(gmp_sem_acquire(&sem, 1), 0)) \
	X(gmp_sem_acquire_ctx, release, WAITS(gmp_sem_acquire_ctx(ctx, &sem, 1), 0)) \
	X(gmp_sem_try, NOTHING, IS(gmp_sem_try(&sem, 1), -EBUSY)) \
	X(gmp_sem_release, NOTHING, IS(gmp_sem_release(&sem, 1), 0)) \
	X(gmp_pool_get, NOTHING, IS(gmp_pool_get(&pool) == NULL, 1)) \
	X(gmp_pool_put, NOTHING, IS(gmp_pool_put(&pool, &byte), 0)) \
	X(gmp_pool_drain, NOTHING, gmp_pool_drain(&pool, NULL)) \
	X(gmp_group_init, NOTHING, IS(gmp_group_init(&(struct gmp_group){ .limit = 0 }, NULL, 0), 0)) \
	X(gmp_group_ctx, NOTHING, IS(gmp_group_ctx(&group) != NULL, 1)) \
	X(gmp_group_go, group_release, start_in_group()) \
	X(gmp_group_try_go, NOTHING, take_permit(); IS(gmp_group_try_go(&group, badinput_zero, NULL), -EBUSY)) \
	X(gmp_group_wait, group_done, WAITS(gmp_group_wait(&group), 0)) \
	X(gmp_group_destroy, NOTHING, gmp_group_destroy(&group))

#define NET_ROWS(X) \
	X(gmp_listen, NOTHING, IS(gmp_listen("tcp", "127.0.0.1:0", &other), 0)) \
	X(gmp_accept, connect_once, WAITS(gmp_accept(listener, &other), 0)) \
	X(gmp_dial, soon, IS(gmp_dial(NULL, "udp", text, &other), -EPROTONOSUPPORT)) \
	X(gmp_local_addr, NOTHING, IS(gmp_local_addr(listener, text, sizeof(text)) > 0, 1)) \
	X(gmp_peer_addr, NOTHING, IS(gmp_peer_addr(listener, text, sizeof(text)), -ENOTCONN)) \
	X(gmp_read, write_byte, WAITS(gmp_read(from, &byte, 1), 1)) \
	X(gmp_readv, write_byte, WAITS(gmp_readv(from, &iov, 1), 1)) \
	X(gmp_write, soon, IS(gmp_write(to, &byte, 1), 1)) \
	X(gmp_write_n, soon, IS(gmp_write_n(to, &byte, 1, NULL), 1)) \
	X(gmp_writev, soon, IS(gmp_writev(to, &iov, 1), 1)) \
	X(gmp_set_deadline, NOTHING, IS(gmp_set_deadline(from, 0), 0)) \
	X(gmp_set_read_deadline, NOTHING, IS(gmp_set_read_deadline(from, 0), 0)) \
	X(gmp_set_write_deadline, NOTHING, IS(gmp_set_write_deadline(from, 0), 0)) \
	X(gmp_shutdown, NOTHING, IS(gmp_shutdown(from, SHUT_RD), -ENOTSOCK)) \
	X(gmp_close, NOTHING, IS(gmp_close(from), 0)) \
	X(gmp_fd_adopt, NOTHING, IS(gmp_fd_adopt(spare, &other), -EPERM)) \
	X(gmp_fd_num, NOTHING, IS(gmp_fd_num(from), pipe_fd[0]))

#define FN(name, let_go, ...) \
	static void call_##name(void) \
	{ \
		__VA_ARGS__; \
	}
#define ROW(name, let_go, ...)	{ #name, call_##name, let_go },

/* ---- one row, in a child ------------------------------------------------------------------------------------- */

static const struct row *row;
static volatile int handled;

static void handler(int sig)
{
	(void)sig;
	row->fn();
	handled = 1;
}

static void install(int flags)
{
	static char stack[1 << 16];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) }, old;
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	CHECK_EQ(sigaction(SIGUSR1, &sa, NULL), 0);
	if (place != GOROUTINE) {	/* Ms have theirs */
		CHECK_EQ(sigaltstack(NULL, &old), 0);
		if (old.ss_flags & SS_DISABLE)
			CHECK_EQ(sigaltstack(&ss, NULL), 0);
	}
}

static void raises(void *flags)
{
	install(*(int *)flags);
	raise(SIGUSR1);
}

static void lets_go(void *arg)
{
	(void)arg;
	row->let_go();
}

static void *thread(void *b)
{
	struct gmp_chan *back = ((void **)b)[0];

	raises(((void **)b)[1]);
	CHECK_EQ(gmp_chan_send(back, NULL), 0);
	return NULL;
}

static void in_a_thread(int *flags)
{
	void *b[] = { gmp_chan_make(0, 1), flags };
	pthread_t th;

	CHECK_EQ(pthread_create(&th, NULL, thread, b), 0);
	CHECK_EQ(gmp_chan_recv(b[0], NULL), 1);
	CHECK_EQ(pthread_join(th, NULL), 0);
}

/* Nobody lets a call go that is to be fatal because it would wait. */
static int run_main(void *flags)
{
	tick = gmp_tick_new(1000000000);
	if (place == THREAD) {
		in_a_thread(flags);
		return 0;
	}
	CHECK(gmp_wg_go(&going, raises, flags) > 0);
	if (row->let_go && !*(int *)flags)
		CHECK(gmp_go(lets_go, NULL) > 0);
	gmp_wg_wait(&going);
	return 0;
}

static _Noreturn void child(int fd, int flags)
{
	dup2(fd, 2);
	alarm(50);
	make_objects();
	make_files();
	if (runs())
		CHECK_EQ(gmp_run(run_main, &flags), 0);
	else
		raises(&flags);
	_exit(handled || strcmp(row->call, "gmp_goexit") == 0 ? 0 : 99);
}

/* ---- and what became of it -------------------------------------------------------------------------------------- */

static void judge(int flags, int status, const char *said)
{
	int fatal = WIFEXITED(status) && WEXITSTATUS(status) == 2;
	char want[128];

	if (row->let_go && place == GOROUTINE && flags) {
		snprintf(want, sizeof(want), "fatal error: %s: called in a signal handler\n", row->call);
		if (fatal && strstr(said, want))
			return;
	} else if (row->let_go && place != GOROUTINE) {
		snprintf(want, sizeof(want), "fatal error: %s%s outside ", row->call,
			 strcmp(row->call, "gmp_goexit") == 0 ? "" : ": would park");
		if (status == 0 || (fatal && strstr(said, want)))
			return;
	} else if (status == 0) {
		return;
	}
	GMPTEST_FAIL_("%s: place %d, flags %#x: wait status %#x: %s", row->call, place, (unsigned int)flags, status,
		      said);
}

static void try_one(int flags)
{
	static char said[1 << 16];
	int fd[2];
	pid_t pid = gmptest_fork(fd);

	CHECK(pid >= 0);
	if (pid == 0)
		child(fd[1], flags);
	judge(flags, gmptest_collect(fd[0], pid, said, sizeof(said)), said);
}

static void try_rows(const struct row *r, size_t n, enum place where)
{
	place = where;
	setenv("GMP_MAXPROCS", "2", 1);
	for (row = r; row < r + n; row++) {
		try_one(0);
		try_one(SA_ONSTACK);
	}
}

#define FROM(id, text, where) \
	TEST(id##_##text) \
	{ \
		try_rows(rows_##id, sizeof(rows_##id) / sizeof(rows_##id[0]), where); \
	}
#define ROWS(id, table) \
	table(FN) \
	static const struct row rows_##id[] = { table(ROW) }; \
	FROM(id, before_a_run, BEFORE) \
	FROM(id, in_a_goroutine, GOROUTINE) \
	FROM(id, in_a_thread, THREAD)

ROWS(goroutines_and_debugging, PROC_ROWS)
ROWS(channels_time_and_contexts, CHAN_ROWS)
ROWS(locks_pools_and_groups, SYNC_ROWS)
ROWS(descriptors, NET_ROWS)
