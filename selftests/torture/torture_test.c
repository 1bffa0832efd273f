/* SPDX-License-Identifier: MIT */
/*
 * torture_test.c - rounds of random operations, and what must hold after each.
 *
 *   GMP_SEED=N       repeats what is drawn (printed); the kernel's scheduling it cannot repeat
 *   TORTURE_T=S      seconds for all tests together (60)
 *   TORTURE_ONE_IN=N delays at one in N passes of an injection point (64; 0: none)
 *
 * The library is built with -DRT_INJECT and its assertions. Rounds with a changing number of Ps go on until
 * each point of lib/base/inject.h was passed, at most POINTS_S seconds longer. A round that makes no progress for HANG_S
 * seconds, or does not end, is a lost wake-up: the seed, a dump, exit status 1.
 */
#include "torture.h"

#include <signal.h>
#include <sys/time.h>

#include "base/inject.h"
#include "gmptest.h"

#define ACTORS		24
#define HANG_S		20
#define POINTS_S	60
#define ROUND_NS	700000000ll

static const struct {
	torture_op op;
	uint32_t weight;
} ops[] = {
	{ op_send, 12 }, { op_recv, 12 }, { op_select, 14 }, { op_private_chan, 4 },
	{ op_mutex, 10 }, { op_rwmutex, 10 }, { op_sem, 8 }, { op_cond, 4 }, { op_once_pool, 6 },
	{ op_group, 2 }, { op_sleep, 4 }, { op_timer, 6 }, { op_ticker, 2 }, { op_context, 4 },
	{ op_after_func, 4 }, { op_spawn, 8 }, { op_yield, 10 }, { op_spin, 4 }, { op_syscall, 6 },
	{ op_lock_thread, 3 }, { op_maxprocs, 2 }, { op_stop_world, 2 }, { op_look, 1 }, { op_net, 4 },
};

static struct torture *volatile now;	/* the round that runs, or NULL: for the watchdog */
static bool given_up;			/* main returns: calls may answer that nothing runs; atomic */
static uint64_t first_seed;

/* ---- failing ------------------------------------------------------------------------------------------- */

/* One write, no stdio: a signal handler may be who calls. */
static void say_seed(const char *what, const char *file, int line)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "# %s:%d: %s; GMP_SEED=%llu, round's seed %llu\n", file, line,
			 what, (unsigned long long)first_seed,
			 (unsigned long long)(now ? now->seed : 0));

	if (n > 0 && write(STDOUT_FILENO, text, (size_t)n) < 0)
		return;
}

_Noreturn void torture_fail(const char *file, int line, const char *what)
{
	while (__atomic_load_n(&given_up, __ATOMIC_RELAXED))
		gmp_yield();
	say_seed(what, file, line);
	gmp_dump(STDOUT_FILENO);
	_exit(GMPTEST_FAILED);
}

static void watch(int sig)
{
	static uint64_t seen;
	static int idle;
	uint64_t n = now ? counted(&now->n.ops) : 0;

	(void)sig;
	idle = n == seen ? idle + 1 : 0;
	seen = n;
	if (idle >= HANG_S) {
		given_up = false;
		torture_fail(__FILE__, __LINE__, "no progress");
	}
}

/* A signal and not a thread: a foreign thread would keep the deadlock report from ever being made. */
static void start_watchdog(void)
{
	struct sigaction sa = { .sa_handler = watch, .sa_flags = SA_RESTART | SA_ONSTACK };
	struct itimerval every = { { 1, 0 }, { 1, 0 } };

	alarm(0);			/* gmptest's own limit is this one's signal */
	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

/* ---- actors ----------------------------------------------------------------------------------------------- */

struct part {
	struct torture *t;
	void (*fn)(struct torture *t, uint64_t *rnd);
	uint64_t seed;
};

static void has_ended(void *arg)
{
	struct part *p = arg;
	struct torture *t = p->t;

	count(&t->n.ended, 1);
	free(p);
	gmp_wg_done(&t->actors);
}

static void begin_part(void *arg)
{
	struct part *p = arg;
	uint64_t rnd = p->seed;

	MUST(gmp_defer(has_ended, p) == 0);	/* goexit must not lose one */
	p->fn(p->t, &rnd);
}

int64_t torture_go(struct torture *t, void (*fn)(struct torture *t, uint64_t *rnd), uint64_t seed)
{
	struct part *p = malloc(sizeof(*p));
	int64_t goid;

	MUST(p);
	*p = (struct part){ t, fn, seed | 1 };
	gmp_wg_add(&t->actors, 1);
	count(&t->n.created, 1);
	goid = gmp_go(begin_part, p);
	MUST(goid > 1);
	return goid;
}

static torture_op pick_op(uint64_t *rnd)
{
	uint32_t sum = 0, at;
	size_t i = 0;

	for (size_t k = 0; k < sizeof(ops) / sizeof(ops[0]); k++)
		sum += ops[k].weight;
	at = below(rnd, sum);
	while (at >= ops[i].weight)
		at -= ops[i++].weight;
	return ops[i].op;
}

static void act(struct torture *t, uint64_t *rnd)
{
	while (!__atomic_load_n(&t->over, __ATOMIC_RELAXED)) {
		pick_op(rnd)(t, rnd);
		count(&t->n.ops, 1);
	}
}

/* ---- a round -------------------------------------------------------------------------------------------------- */

static void set_up(struct torture *t)
{
	static const size_t caps[CHANS] = { 0, 0, 1, 3, 64 };

	for (int i = 0; i < CHANS; i++)
		MUST((t->chan[i] = gmp_chan_make(sizeof(uint64_t), caps[i])) != NULL);
	MUST((t->quit = gmp_chan_make(0, 0)) != NULL);
	MUST(gmp_sem_release(&t->sem, SEM_PERMITS) == 0);
}

static void drop_one(void *obj)
{
	count(&now->n.dropped, 1);
	free(obj);
}

/* What is left in the channels and in the pool counts as received, and got. */
static void drain(struct torture *t)
{
	uint64_t v;

	for (int i = 0; i < CHANS; i++) {
		while (gmp_chan_try_recv(t->chan[i], &v) == 1) {
			t->n.received++;
			t->n.received_sum += v;
		}
		gmp_chan_unref(t->chan[i]);
	}
	gmp_chan_unref(t->quit);
	gmp_pool_drain(&t->pool, drop_one);
}

/* Timers and helpers of operations may still be about to end. */
static void settle(struct torture *t)
{
	uint64_t end = gmp_now() + HANG_S * 1000000000ull;

	while (gmp_num_goroutine() > 1 || counted(&t->n.fired) + counted(&t->n.stopped) < t->n.timers ||
	       counted(&t->n.after_ran) + counted(&t->n.after_stopped) < t->n.after_started) {
		MUST(gmp_now() < end);
		gmp_sleep(100000);
	}
}

static void check_round(struct torture *t)
{
	struct tally *n = &t->n;

	MUST(gmp_leak_check(NULL, NULL) == 0);
	MUST(n->created == n->ended);
	MUST(n->sent == n->received && n->sent_sum == n->received_sum);
	MUST(n->locked == n->unlocked && n->locked == t->in_mutex);
	MUST(n->fired + n->stopped == n->timers);
	MUST(n->after_ran + n->after_stopped == n->after_started);
	MUST(n->bytes_in == n->bytes_out);
	MUST(n->put == n->got + n->dropped);
	MUST(t->holders == 0 && t->readers == 0 && t->writers == 0 && t->wakes == 0);
	MUST(gmp_sem_try(&t->sem, SEM_PERMITS) == 0 && gmp_sem_try(&t->sem, 1) == -EBUSY);
	MUST(gmp_mutex_trylock(&t->mutex) == 0 && gmp_rwmutex_trylock(&t->rwmutex) == 0);
}

static int round_main(void *arg)
{
	struct torture *t = arg;
	uint64_t rnd = t->seed | 1;
	bool abrupt = below(&rnd, 4) == 0;

	set_up(t);
	for (int i = 0; i < ACTORS; i++)
		torture_go(t, act, ((uint64_t)draw(&rnd) << 32) ^ draw(&rnd));
	gmp_sleep(ROUND_NS / 4 + below(&rnd, ROUND_NS));
	if (abrupt) {
		__atomic_store_n(&given_up, true, __ATOMIC_RELAXED);
		return 1;		/* all others are left where they stand */
	}
	__atomic_store_n(&t->over, 1, __ATOMIC_RELAXED);
	MUST(gmp_chan_close(t->quit) == 0);
	gmp_wg_wait(&t->actors);
	settle(t);
	drain(t);
	check_round(t);
	return 0;
}

/* The first point nobody came by so far; RT_INJ_POINTS: none. It stands where nothing goes, or nowhere. */
static uint32_t not_passed(void)
{
	uint32_t at = RT_INJ_NONE + 1;

	while (at < RT_INJ_POINTS && __atomic_load_n(&rt_inject_passed[at], __ATOMIC_RELAXED))
		at++;
	return at;
}

/* @end: when the time is up. */
static bool are_wanted(uint32_t points, uint64_t end)
{
	return not_passed() < points && gmp_now() < end + POINTS_S * 1000000000ull;
}

/*
 * Rounds until the time is up and each point below @points was passed; the memory of an abrupt one may
 * still be somebody's, it stays.
 */
static void torture(const char *procs, int maxprocs, uint32_t one_in, uint32_t points)
{
	const char *limit = getenv("TORTURE_T");
	uint64_t seed = first_seed = gmptest_seed(), rounds = 0, n = 0;
	uint64_t end = gmp_now() + (uint64_t)(limit ? atoi(limit) : 60) * 250000000ull;
	char text[64];

	setenv("GMP_MAXPROCS", procs, 1);
	start_watchdog();
	do {
		struct torture *t = aligned_alloc(64, (sizeof(*t) + 63) & ~63ul);
		int r;

		CHECK(t);
		memset(t, 0, sizeof(*t));
		t->seed = seed;
		t->maxprocs = maxprocs;
		now = t;
		given_up = false;
		snprintf(text, sizeof(text), "%llu:%u", (unsigned long long)seed, one_in);
		setenv("GMP_INJECT", text, 1);
		r = gmp_run(round_main, t);
		CHECK(r == 0 || r == 1);
		n += t->n.ops;
		rounds++;
		draw(&seed);
		now = NULL;		/* the watchdog may come at any time */
		if (r == 0)
			free(t);
	} while (gmp_now() < end || are_wanted(points, end));
	printf("# %llu rounds, %llu operations\n", (unsigned long long)rounds, (unsigned long long)n);
	if (not_passed() < points)
		GMPTEST_FAIL_("point %u of lib/base/inject.h was not passed", not_passed());
}

static uint32_t one_in(void)
{
	const char *s = getenv("TORTURE_ONE_IN");

	return s ? (uint32_t)atoi(s) : 64;
}

TEST(one_processor)
{
	torture("1", 0, one_in(), 0);
}

TEST(two_processors)
{
	torture("2", 0, one_in(), 0);
}

TEST(four_processors)
{
	torture("4", 0, one_in(), 0);
}

TEST(changing_number_of_processors)
{
	torture("2", 6, one_in(), one_in() ? RT_INJ_POINTS : 0);	/* 0: they are not counted */
}

/* ---- goroutines that stand where the runtime stops them, for long ------------------------------------------ */

static _Atomic int computes, enough;

static __attribute__((noinline)) void compute(void)
{
	for (computes = 1; !enough;)
		__asm__ volatile("");
}

static void runner(void *arg)
{
	(void)arg;
	compute();
	__asm__ volatile("");
}

static int dump_often(void *arg)
{
	for (int i = 0; i < 3; i++)
		gmp_go(runner, arg);
	while (!computes)
		gmp_sleep(1000000);
	for (int i = 0; i < 40; i++) {
		gmp_sleep(3000000);
		CHECK_EQ(gmp_dump(2), 0);
	}
	enough = 1;
	return 0;
}

/* It is the runtime's handler that was halted, and the goroutine's own function that is shown. */
TEST(dump_of_one_in_the_handler)
{
	static char said[1 << 20];
	int fd[2];
	pid_t pid = gmptest_fork(fd);

	CHECK(pid >= 0);
	if (pid == 0) {
		dup2(fd[1], 2);
		setenv("GMP_MAXPROCS", "2", 1);
		setenv("GMP_INJECT", "1:1:25", 1);	/* RT_INJ_PREEMPT: it has decided to stop, and is delayed */
		_exit(gmp_run(dump_often, NULL));
	}
	CHECK_EQ(gmptest_collect(fd[0], pid, said, sizeof(said)), 0);
	CHECK(strstr(said, "\ncompute(...)\n"));
	if (strstr(said, "on_sigurg") || strstr(said, "restore_rt"))
		GMPTEST_FAIL_("the handler is shown: %s", said);
}
