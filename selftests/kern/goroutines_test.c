/* SPDX-License-Identifier: MIT */
/* goroutines_test.c - /proc/gmp/<tgid>/{goroutines,ps,sched} of the real runtime. In the guest, as root. */
#include <fcntl.h>
#include <gmprt.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "gmptest.h"

#define WAITERS	300

static char text[1 << 20];

static void read_proc(pid_t pid, const char *name)
{
	char path[64];
	ssize_t got, have = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/gmp/%d/%s", pid, name);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	while ((got = read(fd, text + have, sizeof(text) - 1 - (size_t)have)) > 0)
		have += got;
	CHECK_EQ(got, 0);
	close(fd);
	text[have] = 0;
}

struct row {
	unsigned long long goid, since, runs, cpu, parent, start_pc, create_pc;
	char status[16], wait[32], kind[16], carriers[256], name[256];
	int m, tid;
};

static bool parse(const char *line, struct row *r)
{
	return sscanf(line, "%llu %15s %31s %llu %d %d %llu %llu %*u %*u %llu %llx %llx %15s %255s %255s",
		      &r->goid, r->status, r->wait, &r->since, &r->m, &r->tid, &r->runs, &r->cpu,
		      &r->parent, &r->start_pc, &r->create_pc, r->kind, r->carriers, r->name) == 14;
}

/* The row of a goroutine in `text`. */
static bool find_row(uint64_t goid, struct row *r)
{
	for (const char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n'))
		if (parse(line + 1, r) && r->goid == goid)
			return true;
	return false;
}

static int count_rows(const char *wait)
{
	struct row r;
	int n = 0;

	for (const char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
		CHECK(parse(line + 1, &r));
		n += strcmp(r.wait, wait) == 0;
	}
	return n;
}

/* ---- goroutines ----------------------------------------------------------------------------------------------- */

static struct gmp_chan *ch;
static uint64_t ids[WAITERS];

static void waiter(void *arg)
{
	int v;

	*(uint64_t *)arg = gmp_goid();
	gmp_chan_recv(ch, &v);
}

static void make_waiters(void)
{
	ch = gmp_chan_make(sizeof(int), 0);
	CHECK(ch);
	memset(ids, 0, sizeof(ids));
	for (int i = 0; i < WAITERS; i++)
		CHECK(gmp_go(waiter, &ids[i]) > 0);
	for (int i = 0; i < WAITERS; i++)
		while (!__atomic_load_n(&ids[i], __ATOMIC_RELAXED))
			gmp_yield();
	for (int n = 0; n < WAITERS;) {
		gmp_yield();
		read_proc(getpid(), "goroutines");
		n = count_rows("chan_receive");
	}
}

GTEST(each_goroutine_has_its_row)
{
	struct row r;

	make_waiters();
	CHECK_EQ(gmp_set_name("the tester"), 0);
	read_proc(getpid(), "goroutines");
	for (int i = 0; i < WAITERS; i++) {
		CHECK(find_row(ids[i], &r));
		CHECK_EQ(strcmp(r.status, "waiting"), 0);
		CHECK_EQ(r.parent, gmp_goid());
		CHECK_EQ(r.start_pc, (uintptr_t)waiter);
		CHECK(r.create_pc > (uintptr_t)make_waiters && r.create_pc < (uintptr_t)make_waiters + 4096);
		CHECK(r.runs >= 1 && r.since > 0 && r.m >= 0);
	}
	CHECK(find_row(gmp_goid(), &r));
	CHECK_EQ(strcmp(r.status, "running"), 0);
	CHECK_EQ(r.tid, syscall(SYS_gettid));
	CHECK_EQ(r.since, 0);
	CHECK_EQ(strcmp(r.name, "the\\040tester"), 0);
	gmp_chan_close(ch);
	while (count_rows("chan_receive")) {
		gmp_yield();
		read_proc(getpid(), "goroutines");
	}
	CHECK(!find_row(ids[0], &r));
	gmp_chan_unref(ch);
}

/* ---- a process that does nothing for its readers ---------------------------------------------------------------- */

static int many_then_stop(void *arg)
{
	(void)arg;
	make_waiters();
	raise(SIGSTOP);
	for (;;)	/* hangs: no scheduling point any more */
		__asm__ __volatile__("" ::: "memory");
	return 0;
}

TEST(a_stopped_and_a_hung_process)
{
	int status, goroutines;
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("GMP_DEBUG", "asyncpreemptoff=1", 1);
		_exit(gmp_run(many_then_stop, NULL));
	}
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	read_proc(pid, "goroutines");
	CHECK_EQ(count_rows("chan_receive"), WAITERS);
	read_proc(pid, "sched");
	CHECK(strstr(text, "running 1\n"));
	CHECK_EQ(sscanf(strstr(text, "\ngoroutines "), "\ngoroutines %d", &goroutines), 1);
	CHECK_EQ(goroutines, WAITERS + 1);
	kill(pid, SIGCONT);
	for (int i = 0; i < 5; i++) {
		read_proc(pid, "goroutines");
		CHECK_EQ(count_rows("chan_receive"), WAITERS);
	}
	read_proc(pid, "ps");
	CHECK(strstr(text, " running "));
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
}

/* ---- ps, sched ---------------------------------------------------------------------------------------------------- */

/* How many of the rows are this thread's. */
static int my_ps(void)
{
	int p, m, tid, rows = 0, mine = 0;
	char status[16];

	read_proc(getpid(), "ps");
	for (const char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
		CHECK_EQ(sscanf(line + 1, "%d %15s %d %d", &p, status, &m, &tid), 4);
		CHECK_EQ(p, rows);
		if (tid == syscall(SYS_gettid)) {
			CHECK_EQ(strcmp(status, "running"), 0);
			mine++;
		}
		rows++;
	}
	CHECK_EQ(rows, gmp_maxprocs(0));
	CHECK(mine <= 1);
	return mine;
}

/* A reader that slept in its read() may have lost its P there, or go on as another thread's. */
GTEST(ps_has_a_row_for_each)
{
	int tries = 0;

	while (!my_ps())
		CHECK(++tries < 50);
}

static uint64_t value(const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\n%s ", name);
	at = strstr(text, key);
	CHECK(at);
	return strtoull(at + strlen(key), NULL, 10);
}

/* Between two looks of our own, what the file says lies between them. */
GTEST(sched_says_what_gmp_stats_says)
{
	struct gmp_stats a = { .size = sizeof(a) }, b = { .size = sizeof(b) };

	for (int i = 0; i < 50; i++)
		gmp_yield();
	CHECK_EQ(gmp_stats(&a), 0);
	read_proc(getpid(), "sched");
	CHECK_EQ(gmp_stats(&b), 0);
	CHECK_EQ(value("running"), 1);
	CHECK_EQ(value("procs"), a.procs);
	CHECK_EQ(value("goroutines"), a.goroutines);
	CHECK(value("threads_created") >= a.threads_created && value("threads_created") <= b.threads_created);
#define BETWEEN(name, field)	CHECK(value(name) >= a.field && value(name) <= b.field)
	BETWEEN("switches", switches);
	BETWEEN("runnext", runnext);
	BETWEEN("spawned", spawned);
	BETWEEN("parks", parks);
	BETWEEN("readies", readies);
	BETWEEN("steals", steals);
	BETWEEN("stolen", stolen);
	BETWEEN("overflows", overflows);
	BETWEEN("overflowed", overflowed);
	BETWEEN("handoffs", handoffs);
	BETWEEN("reused_gs", reused_gs);
	BETWEEN("reused_stacks", reused_stacks);
	BETWEEN("rescues", rescues);
	CHECK(a.switches >= 50);
}
