// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_victim.c - a process whose threads do anything at all to /dev/gmp, to what it shares with the
 * kernel, and to themselves. It lives until somebody kills it.
 *
 * Nothing is synchronised: two threads that close, unmap or scribble on the same thing at a time are
 * the point. A fault on a mapping that has gone puts a page of our own there.
 */
#include "fuzz.h"
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

#define THREADS		(SLOTS / 2)
#define FILES		2	/* descriptors and pairs of mappings the threads share */
#define FIRST_FD	100	/* from here on anybody may close anything: no library has one of these */

__thread unsigned int my_slot;
__thread struct shared_file *my_file;

static struct shared_file files[FILES];
static struct rnd family;
static volatile int births;
static volatile unsigned long places;

static void start_thread(void);

/* ---- the device ---------------------------------------------------------------------------- */

static bool op_open(struct shared_file *f, struct rnd *r)
{
	int fd;

	if (f->fd >= 0 && !one_in(r, 30))	/* lost for good: nobody else closes it */
		return false;
	fd = open(GMP_DEV_PATH, one_in(r, 8) ? O_RDONLY : O_RDWR);
	if (fd < 0)
		return false;
	f->fd = fcntl(fd, one_in(r, 2) ? F_DUPFD_CLOEXEC : F_DUPFD, FIRST_FD);
	close(fd);
	return f->fd >= 0;
}

static bool op_close(struct shared_file *f, struct rnd *r)
{
	int fd = f->fd;

	(void)r;
	f->fd = -1;
	return fd >= FIRST_FD && !close(fd);
}

/* Any address, mostly that of something to read. */
static uint64_t some_layout(struct rnd *r)
{
	if (one_in(r, 4))
		return rnd64(r) >> 17 << 3;
	return one_in(r, 4) ? 0 : table_layout();
}

static uint32_t some_flags(struct rnd *r)
{
	if (one_in(r, 16))
		return rnd64(r) >> rnd(r, 64);
	return one_in(r, 2) ? GMP_ATTACH_ACCT : 0;
}

static bool op_attach(struct shared_file *f, struct rnd *r)
{
	struct gmp_attach a = {
		.size = sizeof(a),
		.nr_m = one_in(r, 8) ? 1 + rnd(r, GMP_MAX_M) : SLOTS,
		.nr_p = one_in(r, 8) ? 1 + rnd(r, GMP_MAX_P) : 1 + rnd(r, 4),
		.layout = some_layout(r),
		.flags = some_flags(r),
		.tls_off = one_in(r, 4) ? (int64_t)rnd64(r) : 0,
	};

	if (do_ioctl(f->fd, GMP_IOC_ATTACH, &a))
		return false;
	f->a = a;
	return true;
}

/*
 * At a place of its own each time, which nobody else is given later: who still scribbles there when it
 * is gone must not hit a stack or the C library.
 */
static void *map_somewhere(struct shared_file *f, size_t len, int prot, off_t off)
{
	unsigned long at = 0x100000000000 + __sync_fetch_and_add(&places, 1) * 0x4000000ul;
	void *p = mmap((void *)at, len, prot, MAP_SHARED | MAP_FIXED_NOREPLACE, f->fd, off);

	return p == MAP_FAILED ? NULL : p;
}

static bool op_map(struct shared_file *f, struct rnd *r)
{
	int rw = PROT_READ | PROT_WRITE;

	if (f->user && !one_in(r, 30))
		return false;
	f->user = map_somewhere(f, f->a.user_len, rw, GMP_MMAP_USER);
	f->kern = map_somewhere(f, f->a.kern_len, PROT_READ, GMP_MMAP_KERN);
	return f->user && f->kern;
}

static bool op_unmap(struct shared_file *f, struct rnd *r)
{
	void *u = f->user, *k = f->kern;

	f->user = NULL;
	f->kern = NULL;
	if (u)
		munmap(u, f->a.user_len);
	if (k && !one_in(r, 8))
		munmap(k, f->a.kern_len);
	return u || k;
}

static bool op_enroll(struct shared_file *f, struct rnd *r)
{
	unsigned int slot = rnd(r, SLOTS + 1);

	if (dev_register(f->fd, slot, rnd64(r)))
		return false;
	my_slot = slot;
	my_file = f;
	return true;
}

static bool op_leave(struct shared_file *f, struct rnd *r)
{
	(void)r;
	return !dev_unregister(f->fd);
}

/* ---- commands, from nearly right to nonsense ------------------------------------------------ */

/* Fields of 32 and 64 bits with the values that are one off from a limit. */
static void fill(unsigned char *arg, unsigned int size, struct rnd *r)
{
	static const uint64_t odd[] = {
		0, 1, 2, SLOTS - 1, SLOTS, 64, GMP_MAX_P, GMP_MAX_P + 1, GMP_MAX_M, GMP_MAX_M + 1,
		0x7fffffff, 0x80000000, 0xffffffff, 1ull << 47, ~0ull >> 1, ~0ull,
	};
	unsigned int at;
	uint64_t v;

	memset(arg, 0, 512);
	memcpy(arg, &size, 4);	/* our structs begin with their size */
	if (one_in(r, 4))
		return;
	for (at = 4; at + 4 <= size; at += 4) {
		v = one_in(r, 8) ? rnd64(r) : odd[rnd(r, ARRAY_SIZE(odd))];
		if (one_in(r, 3))
			memcpy(arg + at, &v, at + 8 <= size && one_in(r, 2) ? 8 : 4);
	}
	if (one_in(r, 8))
		arg[rnd(r, 4)] = rnd64(r);
}

static bool op_known_ioctl(struct shared_file *f, struct rnd *r)
{
	unsigned int cmd = shared->command[rnd(r, shared->commands)];
	unsigned char arg[512];

	fill(arg, _IOC_SIZE(cmd), r);
	return !do_ioctl(f->fd, cmd, one_in(r, 16) ? (void *)(rnd64(r) >> rnd(r, 64)) : arg);
}

static bool op_wild_ioctl(struct shared_file *f, struct rnd *r)
{
	unsigned char arg[512];
	unsigned int size = rnd(r, 256);

	fill(arg, size, r);
	return !do_ioctl(f->fd, _IOC(rnd(r, 4), one_in(r, 8) ? rnd(r, 256) : GMP_IOC_MAGIC,
				     rnd(r, 32), size), arg);
}

/* ---- the pages ----------------------------------------------------------------------------- */

/* Any bytes. */
static bool op_scribble(struct shared_file *f, struct rnd *r)
{
	volatile unsigned char *u = f->user;
	int n = rnd(r, 64);

	while (u && n--)
		u[rnd(r, 8192)] = rnd64(r);
	return u;
}

/* Words that the kernel has reason to believe: one of our slots, one of our Ps, all the edges. */
static bool op_p_word(struct shared_file *f, struct rnd *r)
{
	volatile char *u = f->user;
	volatile struct gmp_p_shared *p;
	volatile struct gmp_m_user *m;

	if (!u)
		return false;
	p = (void *)(u + f->a.p_off);
	m = (void *)u;
	p[rnd(r, 4)].word = GMP_P_WORD(rnd(r, 6), rnd(r, SLOTS + 2), rnd(r, 4));
	m[rnd(r, SLOTS)].crit = one_in(r, 4);
	m[rnd(r, SLOTS)].p = (int)rnd(r, 6) - 1;
	return true;
}

static bool op_carry(struct shared_file *f, struct rnd *r)
{
	struct gmp_m_user *u = f->user;

	if (!u)
		return false;
	carry(&u[rnd(r, SLOTS)], one_in(r, 4) ? 0 : rnd64(r), (int)rnd(r, 5) - 1);
	return true;
}

static bool op_wild_mmap(struct shared_file *f, struct rnd *r)
{
	static const off_t at[] = { GMP_MMAP_USER, GMP_MMAP_KERN, 0x20000000, 0x80000000, 1ll << 43 };
	size_t len = one_in(r, 4) ? f->a.user_len : (1 + rnd(r, 300)) * 4096;
	off_t off = at[rnd(r, ARRAY_SIZE(at))] + (one_in(r, 3) ? rnd(r, 400) * 4096 : 0);
	void *p = mmap(NULL, len, rnd(r, 8), 1 + rnd(r, 3), f->fd, off);

	return p != MAP_FAILED && !munmap(p, len);
}

/* What may be done to a mapping that is there; a part of it, mostly. */
static bool op_change_map(struct shared_file *f, struct rnd *r)
{
	char *u = one_in(r, 3) ? f->kern : f->user, *at, byte = 0;
	struct iovec iov = { &byte, 1 }, far;
	size_t len = 4096 * (1 + rnd(r, 3));

	if (!u)
		return false;
	at = u + 4096 * rnd(r, 2);
	far = (struct iovec) { at + rnd(r, 4096), 1 };
	switch (rnd(r, 8)) {
	case 0: return !mprotect(at, len, rnd(r, 8));
	case 1: return !munmap(at, 4096);
	case 2: return !madvise(at, len, MADV_DONTNEED);
	case 3: return !madvise(at, len, one_in(r, 2) ? MADV_DOFORK : MADV_DONTFORK);
	case 4: return mremap(at, len, one_in(r, 2) ? len : 4096 * rnd(r, 8), MREMAP_MAYMOVE) != MAP_FAILED;
	case 5: return !mlock2(at, len, rnd(r, 2)) && !munlock(at, len);
	case 6: return process_vm_writev(getpid(), &iov, 1, &far, 1, 0) == 1;
	default: return !msync(at, len, MS_SYNC) || !madvise(at, len, MADV_REMOVE);
	}
}

/* ---- the thread and the process ------------------------------------------------------------- */

/* Every way to be off the CPU for a moment. */
static bool op_block(struct shared_file *f, struct rnd *r)
{
	char byte;
	int p[2];

	(void)f;
	switch (rnd(r, 5)) {
	case 0:
		usleep(rnd(r, 300));
		break;
	case 1:
		poll(NULL, 0, 1);
		break;
	case 2:
		sched_yield();
		break;
	case 3:
		try_read("/proc/self/maps");	/* mmap_lock, against the mmaps of the others */
		break;
	default:
		if (!pipe2(p, O_NONBLOCK)) {
			(void)!read(p[0], &byte, 1);
			close(p[0]);
			close(p[1]);
		}
	}
	return true;
}

static bool op_family(struct shared_file *f, struct rnd *r)
{
	pid_t pid = one_in(r, 3) ? fork() : vfork();

	if (!pid) {
		if (one_in(r, 4))
			do_ioctl(f->fd, shared->command[rnd(r, shared->commands)], NULL);
		if (one_in(r, 3))
			execl("/bin/true", "true", NULL);
		_exit(0);
	}
	return pid > 0 && end_child(pid) >= 0;
}

static bool op_exec(struct shared_file *f, struct rnd *r)
{
	char stream[32];

	(void)f;
	if (!one_in(r, 20))
		return false;
	snprintf(stream, sizeof(stream), "%llu", (ull)rnd64(r));
	count(OP_exec, true);	/* if it works there is no coming back */
	execl("/proc/self/exe", "fuzz", "victim", stream, NULL);
	return false;
}

static bool op_thread_end(struct shared_file *f, struct rnd *r)
{
	(void)f;
	(void)r;
	count(OP_thread_end, true);
	start_thread();
	syscall(SYS_exit, 0);
	return false;
}

/* Another CPU, another class. */
static bool op_move(struct shared_file *f, struct rnd *r)
{
	static const int policy[] = { SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_OTHER };
	struct sched_param param = { 0 };
	cpu_set_t set;

	(void)f;
	if (one_in(r, 2))
		return !sched_setscheduler(0, policy[rnd(r, 4)], &param);
	CPU_ZERO(&set);
	CPU_SET(rnd(r, 2), &set);
	if (one_in(r, 2))
		memset(&set, 0xff, sizeof(set));
	return !sched_setaffinity(0, sizeof(set), &set);
}

/* Where the kernel can do it: the n-th allocation of the next call fails. */
static bool op_fault(struct shared_file *f, struct rnd *r)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	char text[8];

	if (fd < 0)
		return false;
	snprintf(text, sizeof(text), "%d", 1 + rnd(r, 12));
	(void)!write(fd, text, strlen(text));
	switch (rnd(r, 4)) {
	case 0: op_open(f, r); break;
	case 1: op_attach(f, r); break;
	case 2: op_enroll(f, r); break;
	default: op_map(f, r);
	}
	(void)!pwrite(fd, "0", 1, 0);
	close(fd);
	return true;
}

/* ---- chance rules ---------------------------------------------------------------------------- */

static const struct {
	enum fuzz_op op;
	bool (*fn)(struct shared_file *f, struct rnd *r);
	unsigned int weight;
} ops[] = {
	{ OP_open, op_open, 8 },		{ OP_close, op_close, 2 },
	{ OP_attach, op_attach, 12 },		{ OP_map, op_map, 12 },
	{ OP_unmap, op_unmap, 3 },		{ OP_enroll, op_enroll, 24 },
	{ OP_leave, op_leave, 12 },		{ OP_known_ioctl, op_known_ioctl, 10 },
	{ OP_wild_ioctl, op_wild_ioctl, 5 },	{ OP_scribble, op_scribble, 8 },
	{ OP_p_word, op_p_word, 16 },		{ OP_carry, op_carry, 16 },
	{ OP_wild_mmap, op_wild_mmap, 5 },	{ OP_change_map, op_change_map, 6 },
	{ OP_block, op_block, 24 },		{ OP_family, op_family, 1 },
	{ OP_exec, op_exec, 1 },		{ OP_thread_end, op_thread_end, 2 },
	{ OP_move, op_move, 4 },		{ OP_fault, op_fault, 3 },
	{ OP_handoff, op_handoff, 4 },		{ OP_let_go, op_let_go, 16 },
	{ OP_standby, op_standby, 8 },		{ OP_poke, op_poke, 8 },
	{ OP_table, op_table, 24 },
};

static void step(struct rnd *r)
{
	unsigned int i, sum = 0, at;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		sum += ops[i].weight;
	at = rnd(r, sum);
	for (i = 0; at >= ops[i].weight; i++)
		at -= ops[i].weight;
	count(ops[i].op, ops[i].fn(&files[rnd(r, FILES)], r));
}

static void *thread_main(void *arg)
{
	struct rnd r = rnd_child(&family, (unsigned long)arg);

	for (;;)
		step(&r);
	return NULL;
}

static void start_thread(void)
{
	unsigned long number = __sync_fetch_and_add(&births, 1);
	pthread_attr_t attr;
	pthread_t t;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 65536);
	/* there is no cloning while another thread is about to exec, which may fail */
	while ((err = pthread_create(&t, &attr, thread_main, (void *)number)) == EAGAIN)
		usleep(1000);
	if (err) {
		fprintf(stderr, "# no thread: %s\n", strerror(err));
		_exit(2);
	}
	pthread_attr_destroy(&attr);
}

static void on_tick(int sig)
{
	(void)sig;
}

/*
 * A signal every few milliseconds gets whoever waits in a call out of it. Neither the timer nor,
 * ignored by default, a signal under way harms the program that comes by exec.
 */
static void set_signals(void)
{
	struct sigaction fault = { .sa_sigaction = replace_page, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sigaction tick = { .sa_handler = on_tick };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGURG };
	struct itimerspec every = { { 0, 7000000 }, { 0, 7000000 } };
	timer_t timer;

	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGURG, &tick, NULL);
	if (!timer_create(CLOCK_MONOTONIC, &ev, &timer))
		timer_settime(timer, 0, &every, NULL);
}

void victim_main(struct rnd *r)
{
	struct rlimit no_core = { 0, 0 };
	int i;

	family = *r;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &no_core);
	if (one_in(r, 3) && geteuid() == 0 && become_nobody())
		_exit(1);
	set_signals();
	for (i = 0; i < FILES; i++)
		files[i].fd = -1;
	for (i = 0; i < THREADS; i++)
		start_thread();
	for (;;)
		pause();
}
