// SPDX-License-Identifier: GPL-2.0-only
/*
 * handoff_abi_test.c - GMP_IOC_HANDOFF, STANDBY, KICK, PREEMPT by hand: what the kernel does to a P word
 * when a thread sleeps, when it must leave it alone, and what it answers to nonsense.
 */
#include "handoff_abi.h"
#include "tracefs.h"

/* ---- wrong calls --------------------------------------------------------------------------- */

TEST(not_attached)
{
	struct gmp_handoff h = how();
	int fd = dev_open();
	unsigned int p;

	EXPECT_EQ(-ENOTCONN, do_ioctl(fd, GMP_IOC_HANDOFF, &h));
	EXPECT_EQ(-ENOTCONN, standby(fd, 0, &p));
	EXPECT_EQ(-ENOTCONN, do_ioctl(fd, GMP_IOC_KICK, (void *)0));
	EXPECT_EQ(-ENOTCONN, do_ioctl(fd, GMP_IOC_PREEMPT, (void *)0));
	close(fd);
}

TEST_F(handoff, nonsense)
{
	struct gmp_handoff h = how();
	int fd = self->d.fd;

	h.size--;
	EXPECT_EQ(-EINVAL, do_ioctl(fd, GMP_IOC_HANDOFF, &h));
	h = how();
	h.flags = 1;
	EXPECT_EQ(-EINVAL, do_ioctl(fd, GMP_IOC_HANDOFF, &h));
	h = how();
	h.delay_ns = -2;
	EXPECT_EQ(-EINVAL, do_ioctl(fd, GMP_IOC_HANDOFF, &h));
	h.delay_ns = 1000000001;
	EXPECT_EQ(-EINVAL, do_ioctl(fd, GMP_IOC_HANDOFF, &h));
	h = how();
	h.text_lo = 2;
	h.text_hi = 1;
	EXPECT_EQ(-EINVAL, do_ioctl(fd, GMP_IOC_HANDOFF, &h));
	EXPECT_EQ(-EFAULT, do_ioctl(fd, GMP_IOC_HANDOFF, NULL));
	EXPECT_EQ(-EFAULT, do_ioctl(fd, GMP_IOC_STANDBY, NULL));
	EXPECT_EQ(-EINVAL, do_ioctl(fd, _IOW(GMP_IOC_MAGIC, 0x04, char[8]), &h));
	EXPECT_EQ(-EINVAL, do_ioctl(fd, _IOWR(GMP_IOC_MAGIC, 0x05, char[8]), &h));
	EXPECT_EQ(-ENOENT, do_ioctl(fd, GMP_IOC_KICK, (void *)3));
	EXPECT_EQ(-ENOENT, do_ioctl(fd, GMP_IOC_KICK, (void *)-1ul));
	EXPECT_EQ(-ENOENT, do_ioctl(fd, GMP_IOC_PREEMPT, (void *)8));
	EXPECT_EQ(0, do_ioctl(fd, GMP_IOC_HANDOFF, &self->how));
	EXPECT_EQ(-EBUSY, do_ioctl(fd, GMP_IOC_HANDOFF, &self->how));
}

TEST_F(handoff, standby_of_a_stranger)
{
	unsigned int p;

	EXPECT_EQ(0, dev_unregister(self->d.fd));
	EXPECT_EQ(-ENOENT, standby(self->d.fd, 0, &p));
}

TEST_F(handoff, standby_ends)
{
	unsigned int p;

	self->d.u[0].goid = 0;
	EXPECT_EQ(-ETIMEDOUT, standby(self->d.fd, 0, &p));
	EXPECT_EQ(-ETIMEDOUT, standby(self->d.fd, 2000000, &p));
	EXPECT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_KICK, (void *)0));
	EXPECT_EQ(1, standby(self->d.fd, -1, &p));
	EXPECT_EQ(-ETIMEDOUT, standby(self->d.fd, 1000000, &p));
}

/* ---- the word ------------------------------------------------------------------------------ */

TEST_F(handoff, goes_and_comes)
{
	EXPECT_EQ(0, times_let_go(&self->d));
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	EXPECT_EQ(1, is_let_go(&self->d));
	EXPECT_EQ(RUNNING(0, 6), self->d.p[1].word);
	EXPECT_EQ(0, self->d.u[0].lost);
	EXPECT_LT(0, self->d.k[0].p_blocked);
	EXPECT_EQ(0, self->d.k[0].p_lost);
}

TEST_F(handoff, stays_when_it_must)
{
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	self->d.u[0].crit = 1;
	EXPECT_EQ(0, times_let_go(&self->d));
	self->d.u[0].crit = 0;
	self->d.u[0].goid = 0;
	EXPECT_EQ(0, times_let_go(&self->d));
	self->d.u[0].goid = 7;
	self->d.u[0].p = 4;	/* no such P */
	EXPECT_EQ(0, times_let_go(&self->d));
	self->d.u[0].p = -1;
	EXPECT_EQ(0, times_let_go(&self->d));
	self->d.u[0].p = 1;
	ASSERT_EQ(0, write_param("handoff", "N"));
	EXPECT_EQ(0, times_let_go(&self->d));
	ASSERT_EQ(0, write_param("handoff", "Y"));
	EXPECT_EQ(1, is_let_go(&self->d));
}

TEST_F(handoff, refused_when_off)
{
	ASSERT_EQ(0, write_param("handoff", "N"));
	EXPECT_EQ(-EOPNOTSUPP, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	ASSERT_EQ(0, write_param("handoff", "Y"));
	EXPECT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
}

TEST_F(handoff, stays_in_the_runtime)
{
	self->how.text_lo = 0;
	self->how.text_hi = ~0ull;
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	EXPECT_EQ(0, times_let_go(&self->d));
}

/* A word that is not this thread's RUNNING is never touched, whatever it says. */
TEST_F(handoff, words_of_others)
{
	static const __u64 words[] = {
		0, ~0ull, RUNNING(1, 5), BLOCKED(0, 5), GMP_P_WORD(GMP_P_IDLE, 0, 5),
		GMP_P_WORD(GMP_P_GCSTOP, 0, 5), GMP_P_WORD(GMP_P_RUNNING, 0xffffff, 5),
		GMP_P_WORD(GMP_P_RUNNING, 0, 5), GMP_P_WORD(GMP_P_DEAD, 1, 5),
	};
	unsigned int i;

	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		self->d.p[1].word = words[i];
		sleep_ms(1);
		EXPECT_EQ(words[i], *(volatile __u64 *)&self->d.p[1].word);
	}
	EXPECT_EQ(0, self->d.u[0].lost);
}

/* ---- two threads --------------------------------------------------------------------------- */

TEST_F(handoff, is_offered_and_taken)
{
	struct taker t = { .d = &self->d };
	struct timespec ts = { .tv_nsec = 600000000 };
	pthread_t thread;
	uint64_t t0;

	listen_to_urg(&self->how);
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	self->d.u[0].crit = 1;
	pthread_create(&thread, NULL, take, &t);
	ASSERT_TRUE(WAIT_FOR(t.ready));
	sleep_ms(20);
	self->d.u[0].crit = 0;
	t0 = now_ns();
	EXPECT_EQ(0, nanosleep(&ts, NULL));	/* not interrupted */
	self->d.u[0].crit = 1;
	EXPECT_EQ(1, signals);
	EXPECT_EQ(1, self->d.u[0].lost);
	EXPECT_EQ(RUNNING(1, 6), self->d.p[1].word);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, t.ret);
	EXPECT_EQ(1, t.p);
	EXPECT_LT(t.took_ns - t0, 400000000);
	EXPECT_EQ(1, self->d.k[0].p_lost);
}

/* How often an M let its P go, and how often it was taken: in each file, and still when the M has gone. */
TEST_F(handoff, is_told_in_proc)
{
	static const char *const field[] = { "PBlocked", "PWoken", "PLost" };
	static const char *const column[] = { "p_blocked", "p_woken", "p_lost" };
	struct taker t = { .d = &self->d };
	long long before[3], now[3];
	pid_t pid = getpid();
	pthread_t thread;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		before[i] = stat_value(column[i]);
		EXPECT_EQ(0, status_value(pid, field[i]));
	}
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	pthread_create(&thread, NULL, take, &t);
	ASSERT_TRUE(WAIT_FOR(t.ready));
	sleep_ms(600);
	self->d.u[0].crit = 1;
	pthread_join(thread, NULL);
	ASSERT_TRUE(WAIT_FOR(status_value(pid, "Ms") == 1));
	EXPECT_EQ(1, self->d.k[0].p_lost);
	EXPECT_EQ((long long)self->d.k[0].p_blocked, task_value(pid, gettid_(), column[0]));
	EXPECT_EQ((long long)self->d.k[0].p_woken, task_value(pid, gettid_(), column[1]));
	EXPECT_EQ(1, task_value(pid, gettid_(), column[2]));
	EXPECT_EQ((long long)self->d.k[0].p_woken, status_value(pid, "PWoken"));
	for (i = 0; i < 3; i++) {
		now[i] = status_value(pid, field[i]);
		EXPECT_LE(1, now[i]);
		EXPECT_EQ(now[i], stat_value(column[i]) - before[i]);
	}
	ASSERT_EQ(0, dev_unregister(self->d.fd));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(now[i], status_value(pid, field[i]));
}

/* Blocked with nobody there: who comes later is sent to it at once. */
TEST_F(handoff, late_standby)
{
	struct taker t = { .d = &self->d };
	pthread_t thread;

	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	pthread_create(&thread, NULL, take, &t);
	sleep_ms(200);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, t.ret);
	EXPECT_EQ(1, t.p);
}

/* ---- many that nobody served ------------------------------------------------------------------ */

#define CROWD	150

struct sleeper {
	struct dev *d;
	unsigned int slot;
	int wake;		/* its end of a pipe */
	volatile int ready;
};

static void *sleep_with_p(void *arg)
{
	struct sleeper *s = arg;
	volatile struct gmp_m_user *u = &s->d->u[s->slot];
	char c;

	if (dev_register(s->d->fd, s->slot, s->slot))
		return NULL;
	u->p = s->slot;
	s->d->p[s->slot].word = RUNNING(s->slot, 1);
	u->goid = 1;
	s->ready = 1;
	(void)!read(s->wake, &c, 1);
	u->crit = 1;
	dev_unregister(s->d->fd);
	return NULL;
}

static bool has_let_go(struct dev *d, unsigned int p)
{
	return *(volatile __u64 *)&d->p[p].word == BLOCKED(p, 2);
}

/* All but the last have been taken by somebody else by the time an M comes to wait: it gets that one. */
TEST(the_last_of_many)
{
	static struct sleeper s[CROWD];
	struct gmp_handoff h = how();
	uint64_t work = 1;
	pthread_t t[CROWD];
	unsigned int i, p = -1;
	struct dev d;
	int wake[2];

	h.work[0] = GMP_WORK((uintptr_t)&work, 64);
	ASSERT_EQ(0, pipe(wake));
	ASSERT_EQ(0, dev_attach(&d, CROWD + 1, CROWD));
	ASSERT_EQ(0, dev_register(d.fd, CROWD, CROWD));
	ASSERT_EQ(0, do_ioctl(d.fd, GMP_IOC_HANDOFF, &h));
	for (i = 0; i < CROWD; i++) {
		s[i] = (struct sleeper) { .d = &d, .slot = i, .wake = wake[0] };
		pthread_create(&t[i], NULL, sleep_with_p, &s[i]);
		ASSERT_TRUE(WAIT_FOR(s[i].ready && has_let_go(&d, i)));
	}
	for (i = 0; i < CROWD - 1; i++)
		*(volatile __u64 *)&d.p[i].word = GMP_P_WORD(GMP_P_IDLE, 0, 2);
	EXPECT_EQ(0, standby(d.fd, 10000000000, &p));
	EXPECT_EQ(CROWD - 1, p);
	EXPECT_EQ(-ETIMEDOUT, standby(d.fd, 1000000, &p));
	close(wake[1]);
	for (i = 0; i < CROWD; i++)
		pthread_join(t[i], NULL);
	dev_unregister(d.fd);
	dev_unmap(&d);
	close(d.fd);
}

/* ---- that of a thread that is gone ------------------------------------------------------------ */

struct dying {
	struct dev *d;
	unsigned int slot;
};

/* Ends with P number @slot, and does not say so. */
static void *die_with_p(void *arg)
{
	struct dying *s = arg;
	volatile struct gmp_m_user *u = &s->d->u[s->slot];

	if (dev_register(s->d->fd, s->slot, s->slot))
		return NULL;
	u->crit = 1;		/* it goes at the very end */
	u->p = s->slot;
	s->d->p[s->slot].word = RUNNING(s->slot, 1);
	u->goid = 1;
	return NULL;
}

/* When nobody was there to take it, and nobody blocks now: who comes later is told of it all the same. */
TEST_F(handoff, of_one_that_died)
{
	unsigned int p = -1, i;
	pthread_t t;

	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	self->d.u[0].crit = 1;
	for (i = 2; i < 4; i++) {
		struct dying s = { .d = &self->d, .slot = i };

		pthread_create(&t, NULL, die_with_p, &s);
		pthread_join(t, NULL);
		ASSERT_TRUE(WAIT_FOR(do_ioctl(self->d.fd, GMP_IOC_KICK, (void *)(unsigned long)i) == -ENOENT));
		EXPECT_EQ(BLOCKED(i, 2), *(volatile __u64 *)&self->d.p[i].word);
	}
	*(volatile __u64 *)&self->d.p[2].word = GMP_P_WORD(GMP_P_IDLE, 0, 2);	/* somebody took it */
	EXPECT_EQ(0, standby(self->d.fd, 5000000000, &p));
	EXPECT_EQ(3, p);
	EXPECT_EQ(-ETIMEDOUT, standby(self->d.fd, 1000000, &p));
}

TEST_F(handoff, nobody_is_woken_without_work)
{
	struct taker t = { .d = &self->d };
	pthread_t thread;

	self->work = 0;
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	pthread_create(&thread, NULL, take, &t);
	ASSERT_TRUE(WAIT_FOR(t.ready));
	sleep_ms(50);
	EXPECT_EQ(0, self->d.k[0].p_woken);
	EXPECT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_KICK, (void *)1));
	pthread_join(thread, NULL);
	EXPECT_EQ(1, t.ret);
}

/* ---- what gmp_return says -------------------------------------------------------------------- */

#define INSTANCE	TRACE_INSTANCE("gmp_handoff_test")

/* Events of our M with that text. */
static int returns(const char *with)
{
	char *text = read_file(INSTANCE "/trace"), *line, *save = text;
	int n = 0;

	while ((line = strsep(&save, "\n")))
		n += line[0] != '#' && strstr(line, "gmp_return: m=0 p=1") && strstr(line, with);
	free(text);
	return n;
}

/* One that lost its P, found another at once, and blocks again before it was ever switched in without one. */
TEST_F(handoff, lost_is_of_this_return)
{
	struct taker t = { .d = &self->d };
	struct timespec ts = { .tv_nsec = 100000000 };
	pthread_t thread;

	ASSERT_EQ(0, make_instance(INSTANCE));
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	self->d.u[0].crit = 1;
	pthread_create(&thread, NULL, take, &t);
	ASSERT_TRUE(WAIT_FOR(t.ready));
	sleep_ms(20);
	ASSERT_EQ(0, write_file(INSTANCE "/events/gmp/gmp_return/enable", "1"));
	self->d.u[0].crit = 0;
	nanosleep(&ts, NULL);
	/* no call, so no sleep, from here ... */
	self->d.u[0].lost = 0;
	*(volatile __u64 *)&self->d.p[1].word = RUNNING(0, 20);
	/* ... to here. Should the thread be preempted in between, the kernel sees that it knows. */
	nanosleep(&ts, NULL);
	self->d.u[0].crit = 1;
	ASSERT_EQ(0, write_file(INSTANCE "/events/gmp/gmp_return/enable", "0"));
	EXPECT_EQ(RUNNING(0, 21), self->d.p[1].word);
	EXPECT_EQ(1, self->d.k[0].p_lost);
	EXPECT_EQ(1, returns("lost=1"));
	EXPECT_EQ(1, returns("lost=0"));
	EXPECT_EQ(0, rmdir(INSTANCE));
	pthread_join(thread, NULL);
}

/* The parameter counts for who asked for it (-1), from its next sleep on. */
TEST_F(handoff, delay_is_the_parameters)
{
	struct taker t = { .d = &self->d };
	pthread_t thread;

	self->how.delay_ns = -1;
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	ASSERT_EQ(0, write_param("handoff_delay_us", "1000000"));
	pthread_create(&thread, NULL, take, &t);
	ASSERT_TRUE(WAIT_FOR(t.ready));
	sleep_ms(100);
	EXPECT_EQ(0, self->d.k[0].p_woken);
	EXPECT_LT(0, self->d.k[0].p_blocked);
	ASSERT_EQ(0, write_param("handoff_delay_us", "0"));
	EXPECT_TRUE(WAIT_FOR(self->d.k[0].p_woken));
	ASSERT_EQ(0, write_param("handoff_delay_us", "10"));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, t.ret);
	EXPECT_EQ(1, t.p);
}

/* What the process says overrules the parameter. */
TEST_F(handoff, delay_is_its_own)
{
	struct taker t = { .d = &self->d };
	pthread_t thread;
	uint64_t t0;
	__u64 woken;

	ASSERT_EQ(0, write_param("handoff_delay_us", "0"));
	self->how.delay_ns = 1000000000;
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	pthread_create(&thread, NULL, take, &t);
	ASSERT_TRUE(WAIT_FOR(t.ready));
	t0 = now_ns();
	sleep_ms(100);
	woken = self->d.k[0].p_woken;
	EXPECT_TRUE(woken == 0 || now_ns() - t0 > 900000000);
	ASSERT_EQ(0, write_param("handoff_delay_us", "10"));
	sleep_ms(1500);
	EXPECT_EQ(1, self->d.k[0].p_woken);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, t.ret);
}

/* ---- preemption ---------------------------------------------------------------------------- */

static void *ask(void *arg)
{
	struct dev *d = arg;
	int i;

	for (i = 0; i < 200; i++) {
		do_ioctl(d->fd, GMP_IOC_PREEMPT, (void *)0);
		sleep_ms(1);
	}
	return NULL;
}

TEST_F(handoff, preemption_interrupts_nothing)
{
	struct timespec ts = { .tv_nsec = 150000000 };
	pthread_t thread;
	uint64_t end;
	int asleep;

	listen_to_urg(&self->how);
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	self->d.u[0].crit = 1;
	pthread_create(&thread, NULL, ask, &self->d);
	EXPECT_EQ(0, nanosleep(&ts, NULL));
	self->d.u[0].crit = 0;
	asleep = signals;
	EXPECT_LT(asleep, 50);	/* before and after its sleep, in which some 100 are asked for */
	for (end = now_ns() + 3000000000ull; signals < asleep + 5 && now_ns() < end;)
		;
	EXPECT_LE(asleep + 5, signals);	/* computing, it gets them */
	pthread_join(thread, NULL);
}

/* The handler lies in what is said to be the runtime, as the runtime's does. */
extern const char __start_runtime_text[], __stop_runtime_text[];
static volatile sig_atomic_t handled;
static uintptr_t deepest;

static void __attribute__((section("runtime_text"), noinline)) on_urg_deep(int sig, siginfo_t *si, void *uc)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	(void)sig, (void)si, (void)uc;
	if (here < deepest)
		deepest = here;
	handled++;
}

static volatile bool asking;

static void *ask_ever(void *arg)
{
	struct dev *d = arg;

	while (asking)
		do_ioctl(d->fd, GMP_IOC_PREEMPT, (void *)0);
	return NULL;
}

/*
 * Asked again before it has executed one instruction of the handler: no frame is put on top of the other. A
 * goroutine's stack would be full after some hundred of them.
 */
TEST_F(handoff, preemption_fills_no_stack)
{
	struct sigaction sa = { .sa_sigaction = on_urg_deep, .sa_flags = SA_SIGINFO | SA_NODEFER };
	uintptr_t top = (uintptr_t)__builtin_frame_address(0);
	uint64_t end = now_ns() + 1000000000ull;
	pthread_t thread[3];
	int i;

	sigaction(SIGURG, &sa, NULL);
	deepest = top;
	self->how.handler = (uintptr_t)on_urg_deep;
	self->how.text_lo = (uintptr_t)__start_runtime_text;
	self->how.text_hi = (uintptr_t)__stop_runtime_text;
	ASSERT_EQ(0, do_ioctl(self->d.fd, GMP_IOC_HANDOFF, &self->how));
	asking = true;
	for (i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, ask_ever, &self->d);
	while (now_ns() < end)
		;
	asking = false;
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	EXPECT_GT(handled, 10);
	TH_LOG("%d signals, %lu bytes of stack", (int)handled, (unsigned long)(top - deepest));
	EXPECT_LT(top - deepest, 32768);
}

TEST_HARNESS_MAIN
