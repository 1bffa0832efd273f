/* SPDX-License-Identifier: MIT */
/*
 * block.c - goroutines that block their thread, or will not give it up.
 *
 * With gmp.ko attached nothing is said about system calls: the kernel sees them. Without it they are
 * declared, as Go's syscall package does. `mode` in the output tells which.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static bool declared;

static void choose_mode(struct bench *b)
{
	declared = strcmp(gmp_kern_backend(), "ko") != 0;
	bench_more(b, "mode=%s", declared ? "declared" : "ko");
}

static inline void enter(void)
{
	if (declared)
		gmp_syscall_begin();
}

static inline void leave(void)
{
	if (declared)
		gmp_syscall_end();
}

/* ---- sysret: what declaring a call costs --------------------------------------------------------------- */

#define BATCHES	50u

static uint64_t call_batch(long n, bool declare)
{
	uint64_t t0 = bench_now();

	for (long i = 0; i < n; i++) {
		if (declare)
			gmp_syscall_begin();
		syscall(SYS_getppid);
		if (declare)
			gmp_syscall_end();
	}
	return bench_now() - t0;
}

/* In batches, with and without by turns: the difference is small beside the call itself. */
int bench_sysret(struct bench *b)
{
	uint64_t with[BATCHES], without[BATCHES];
	double n = (double)(b->arg[0] / BATCHES), bare;

	for (size_t i = 0; i < BATCHES; i++) {
		without[i] = call_batch((long)n, false);
		with[i] = call_batch((long)n, true);
	}
	bare = (double)bench_percentile(without, BATCHES, 50);
	b->value = ((double)bench_percentile(with, BATCHES, 50) - bare) / n;
	bench_more(b, "bare_ns=%.6g", bare / n);
	return 0;
}

/* ---- blocksys: CPU work beside blocking calls ------------------------------------------------------------ */

static struct {
	uint64_t end;
	struct timespec pause;
	atomic_ulong work, calls;
	struct gmp_wg wg;
} bs;

static void compute(void *arg)
{
	unsigned long units = 0;
	volatile uint64_t x = 1;

	(void)arg;
	do {		/* some 10 us between looks at the clock */
		for (int i = 0; i < 5000; i++)
			x = x * 6364136223846793005ull + 1;
		units++;
	} while (bench_now() < bs.end);
	atomic_fetch_add(&bs.work, units);
	gmp_wg_done(&bs.wg);
}

static void blocker(void *arg)
{
	unsigned long calls = 0;

	(void)arg;
	while (bench_now() < bs.end) {
		enter();
		syscall(SYS_nanosleep, &bs.pause, NULL);
		leave();
		calls++;
	}
	atomic_fetch_add(&bs.calls, calls);
	gmp_wg_done(&bs.wg);
}

/* Units of work in @ns, with @blockers beside it. */
static double work_beside(struct bench *b, long blockers, uint64_t ns)
{
	atomic_store(&bs.work, 0);
	atomic_store(&bs.calls, 0);
	gmp_wg_add(&bs.wg, b->procs + (int)blockers);
	bs.end = bench_now() + ns;
	for (long i = 0; i < blockers; i++)
		bench_go(blocker, NULL);
	for (int i = 0; i < b->procs; i++)
		bench_go(compute, NULL);
	gmp_wg_wait(&bs.wg);
	return (double)atomic_load(&bs.work);
}

int bench_blocksys(struct bench *b)
{
	uint64_t ns = (uint64_t)b->arg[2] * 1000000000u;
	double alone, beside;

	choose_mode(b);
	bs.pause = (struct timespec){ b->arg[1] / 1000000, b->arg[1] % 1000000 * 1000 };
	alone = work_beside(b, 0, ns / 2) * 2;
	beside = work_beside(b, b->arg[0], ns);
	b->value = 100 * beside / alone;
	bench_more(b, "calls_per_s=%.6g", (double)atomic_load(&bs.calls) / (double)b->arg[2]);
	bench_more(b, "of=%.6g", (double)b->arg[0] * 1e6 / (double)b->arg[1]);
	return 0;
}

/* ---- handoff: from a call that blocks to the next goroutine ------------------------------------------------- */

struct handoff {
	struct gmp_chan *go;		/* to the other goroutine: now */
	struct gmp_chan *done;
	uint64_t ran;			/* when it ran */
	int fd;				/* where it writes a byte then, or -1 */
};

static void next_to_run(void *arg)
{
	struct handoff *h = arg;
	uint64_t v;

	while (gmp_chan_recv(h->go, &v) == 1) {
		h->ran = bench_now();
		if (h->fd >= 0 && write(h->fd, "", 1) != 1)
			break;
		gmp_chan_send(h->done, &v);
	}
}

static int handoff_init(struct handoff *h, int fd)
{
	*h = (struct handoff){ .go = gmp_chan_make(8, 1), .done = gmp_chan_make(8, 1), .fd = fd };
	if (!h->go || !h->done)
		return -ENOMEM;
	bench_go(next_to_run, h);
	gmp_yield();		/* it waits */
	return 0;
}

static void report(struct bench *b, uint64_t *ns, size_t n, double unit)
{
	b->value = (double)bench_percentile(ns, n, 50) / unit;
	bench_more(b, "p99=%.6g", (double)bench_percentile(ns, n, 99) / unit);
	bench_more(b, "max=%.6g", (double)bench_percentile(ns, n, 100) / unit);
}

int bench_handoff(struct bench *b)
{
	size_t n = (size_t)b->arg[0];
	uint64_t *ns = bench_alloc(n, sizeof(*ns));
	struct handoff h;
	int p[2], err;
	uint64_t v = 0;
	char c;

	choose_mode(b);
	if (pipe(p) < 0)
		return -errno;
	err = handoff_init(&h, p[1]);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++) {
		uint64_t t0;

		gmp_chan_send(h.go, &v);
		t0 = bench_now();
		enter();
		if (read(p[0], &c, 1) != 1)
			err = -EIO;
		leave();
		gmp_chan_recv(h.done, &v);
		ns[i] = h.ran - t0;
	}
	gmp_chan_close(h.go);
	report(b, ns, n, 1e3);
	return err;
}

/* ---- fault: the same, for a page fault that takes long -------------------------------------------------------- */

#define FAULTS	10u
#define PAGE	4096u

/* The file of `gmpbench slowfile MS`: its path, or NULL. *helper stays open as long as it is wanted. */
static char *slow_file(long ms, char *path, int n, FILE **helper)
{
	char command[64];

	snprintf(command, sizeof(command), "exec /proc/%d/exe slowfile %ld", getpid(), ms);
	*helper = popen(command, "r");
	if (!*helper || !fgets(path, n, *helper))
		return NULL;
	path[strcspn(path, "\n")] = 0;
	return path;
}

static char *map_file(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	char *p;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < (off_t)PAGE)
		return NULL;
	*len = (size_t)st.st_size;
	p = mmap(NULL, *len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return NULL;
	madvise(p, *len, MADV_RANDOM);		/* a page a fault */
	return p;
}

/* MS FILE: a file whose pages take MS; without FILE: of a helper of our own, which needs root. */
int bench_fault(struct bench *b)
{
	uint64_t ns[FAULTS], v = 0;
	size_t len, n = 0;
	const volatile char *p;
	FILE *helper = NULL;
	struct handoff h;
	char path[128];
	int err;

	choose_mode(b);
	if (!b->text)
		b->text = slow_file(b->arg[0], path, sizeof(path), &helper);
	if (!b->text)
		return -ENOTSUP;
	p = map_file(b->text, &len);
	if (!p)
		return -errno;
	err = handoff_init(&h, -1);
	if (err)
		return err;
	for (; n < FAULTS && n < len / PAGE; n++) {
		uint64_t t0;

		gmp_chan_send(h.go, &v);
		t0 = bench_now();
		(void)p[n * PAGE];
		gmp_chan_recv(h.done, &v);
		ns[n] = h.ran - t0;
	}
	gmp_chan_close(h.go);
	report(b, ns, n, 1e6);
	return 0;		/* the helper dies with us */
}

/* ---- preempt: a tight loop and a 1 ms ticker ------------------------------------------------------------------- */

#define TICK_NS	1000000

static struct {
	atomic_bool stop;
	uint64_t end;		/* of the loop, in case nobody can stop it */
	struct gmp_wg wg;
} pr;

static void tight(void *arg)
{
	volatile uint64_t x = 1;

	(void)arg;
	while (!atomic_load_explicit(&pr.stop, memory_order_relaxed)) {
		for (int i = 0; i < 200000; i++)
			x = x * 6364136223846793005ull + 1;
		if (bench_now() > pr.end)
			break;
	}
	gmp_wg_done(&pr.wg);
}

int bench_preempt(struct bench *b)
{
	size_t n = 0, max = (size_t)b->arg[0] * 1000;
	uint64_t *late = bench_alloc(max, sizeof(*late));
	uint64_t end = bench_now() + (uint64_t)b->arg[0] * 1000000000u;

	pr.end = end + 2000000000u;
	gmp_wg_add(&pr.wg, b->procs);
	for (int i = 0; i < b->procs; i++)
		bench_go(tight, NULL);
	while (n < max && bench_now() < end) {
		uint64_t due = bench_now() + TICK_NS;

		gmp_sleep(TICK_NS);
		late[n++] = bench_now() - due;
	}
	atomic_store(&pr.stop, true);
	gmp_wg_wait(&pr.wg);
	report(b, late, n, 1e3);
	bench_more(b, "ticks=%zu", n);
	return 0;
}
