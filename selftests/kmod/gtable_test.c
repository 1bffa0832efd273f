// SPDX-License-Identifier: GPL-2.0-only
/*
 * gtable_test.c - /proc/gmp/<tgid>/{goroutines,ps,sched}: what a runtime publishes is shown as it is,
 * and what a liar publishes harms nobody. The runtime here is a fake; selftests/kern has the real one.
 */
#include "kmod_harness.h"
#include <stddef.h>
#include <sys/prctl.h>

#define PER_CHUNK	100
#define MAX_CHUNKS	10000

struct fake_g {
	struct gmp_g_head	h;
	char			rest[48];
};

struct fake_p {
	uint32_t	head, tail;
	uint64_t	next, tick;
	uint64_t	counters[GMP_COUNTER_COUNT];
	int64_t		ng;
};

static struct gmp_rt_layout layout;
static uint64_t chunks[MAX_CHUNKS], accts[MAX_CHUNKS], nchunks, allp_array[8], allp;
static struct fake_p fake_ps[8];
static struct gmp_sched_word words[GMP_NOW_COUNT];
static uint64_t nows[GMP_NOW_COUNT];

FIXTURE(gtable)
{
	struct dev d;
	char goroutines[64], ps[64], sched[64];
};

static void fake_layout(void)
{
	int i;

	layout = (struct gmp_rt_layout) {
		.magic = GMP_LAYOUT_MAGIC, .version = GMP_ABI_VERSION, .size = sizeof(layout), .ready = 1,
		.maxprocs = 8, .g_chunks = (unsigned long)chunks, .g_nchunks = (unsigned long)&nchunks,
		.g_per_chunk = PER_CHUNK, .g_size = sizeof(struct fake_g),
		.allp = (unsigned long)&allp,
		.p_off_runqhead = offsetof(struct fake_p, head),
		.p_off_runqtail = offsetof(struct fake_p, tail),
		.p_off_runnext = offsetof(struct fake_p, next),
		.p_off_schedtick = offsetof(struct fake_p, tick),
		.p_off_ng = offsetof(struct fake_p, ng),
		.p_off_counters = offsetof(struct fake_p, counters),
		.nr_p_counters = GMP_COUNTER_COUNT,
		.sched_words = (unsigned long)words, .nr_sched_words = GMP_NOW_COUNT,
		.g_acct = (unsigned long)accts, .g_acct_size = sizeof(struct gmp_g_acct),
	};
	nchunks = 0;
	memset(chunks, 0, sizeof(chunks));
	memset(accts, 0, sizeof(accts));
	allp = (unsigned long)allp_array;
	for (i = 0; i < 8; i++)
		allp_array[i] = (unsigned long)&fake_ps[i];
	for (i = 0; i < GMP_NOW_COUNT; i++)
		words[i] = (struct gmp_sched_word) { (unsigned long)&nows[i], 8, 0 };
}

static struct fake_g *g_at(unsigned int i)
{
	return (struct fake_g *)chunks[i / PER_CHUNK] + i % PER_CHUNK;
}

/* A table of @n Gs, all of them dead. */
static void fake_gs(unsigned int n)
{
	for (; nchunks * PER_CHUNK < n; nchunks++)
		chunks[nchunks] = (unsigned long)calloc(PER_CHUNK, sizeof(struct fake_g));
}

static void free_gs(void)
{
	while (nchunks)
		free((void *)chunks[--nchunks]);
}

static int attach_with_layout(struct dev *d)
{
	int err;

	d->fd = dev_open();
	d->a = (struct gmp_attach) { .size = sizeof(d->a), .nr_m = 64, .nr_p = 8,
				     .layout = (unsigned long)&layout };
	err = do_ioctl(d->fd, GMP_IOC_ATTACH, &d->a);
	return err ? err : dev_map(d);
}

FIXTURE_SETUP(gtable)
{
	ASSERT_TRUE(WAIT_FOR(stat_value("ms") == 0));
	fake_layout();
	ASSERT_EQ(0, attach_with_layout(&self->d));
	proc_path(self->goroutines, sizeof(self->goroutines), getpid(), "goroutines");
	proc_path(self->ps, sizeof(self->ps), getpid(), "ps");
	proc_path(self->sched, sizeof(self->sched), getpid(), "sched");
}

FIXTURE_TEARDOWN(gtable)
{
	dev_unmap(&self->d);
	close(self->d.fd);
}

static void check_columns(struct __test_metadata *_metadata, const struct table *t,
			  const char *const *names, int n)
{
	int i;

	ASSERT_EQ(n, t->columns);
	for (i = 0; i < n; i++)
		EXPECT_STREQ(names[i], t->name[i]);
}

static bool is_word(const struct table *t, int row, const char *name, const char *expect)
{
	char word[256];

	return table_field(t, row, name, word, sizeof(word)) && !strcmp(word, expect);
}

static int rows_of(const char *path)
{
	struct table t;
	int rows = table_read(&t, path) ? -1 : t.rows;

	table_free(&t);
	return rows;
}

/* ---- goroutines ------------------------------------------------------------------------------- */

TEST_F(gtable, goroutines_format)
{
	static const char *const names[] = {
		"goid", "status", "wait", "since", "m", "tid", "runs", "cpu_ns", "blocked_ns",
		"runnable_ns", "parent", "start_pc", "create_pc", "kind", "carriers", "name",
	};
	struct gmp_g_acct acct[PER_CHUNK] = {
		[3] = { .blocked_ns = 11, .runnable_ns = 12, .carriers = 1 | 1ull << 63 },
	};
	char *field[MAX_COLUMNS], *row;
	struct gmp_g_head *h;
	struct table t;

	fake_gs(PER_CHUNK);
	accts[0] = (unsigned long)acct;
	h = &g_at(3)->h;
	*h = (struct gmp_g_head) {
		.goid = 7, .status = GMP_G_WAITING, .wait_reason = GMP_WAIT_CHAN_RECV_NIL,
		.wait_since = 123, .start_pc = 0x1234, .create_pc = 0x5678, .parent = 1, .runs = 9,
		.cpu_ns = 10, .m_id = 5, .name = (unsigned long)"a b\\\n\xc3\xa4",
	};
	*&g_at(99)->h = (struct gmp_g_head) {
		.goid = 8, .status = GMP_G_RUNNING, .flags = GMP_GF_SYSTEM, .wait_since = 456,
		.m_id = ~0u,
	};
	ASSERT_EQ(0, dev_register(self->d.fd, 5, 5));
	ASSERT_EQ(0, table_read(&t, self->goroutines));
	check_columns(_metadata, &t, names, ARRAY_SIZE(names));
	ASSERT_EQ(2, t.rows);
	row = strdup(t.row[0]);
	EXPECT_EQ(t.columns, split(row, field, MAX_COLUMNS));
	free(row);
	EXPECT_EQ(7, table_value(&t, 0, "goid"));
	EXPECT_TRUE(is_word(&t, 0, "status", "waiting"));
	EXPECT_TRUE(is_word(&t, 0, "wait", "chan_receive_(nil_chan)"));
	EXPECT_EQ(123, table_value(&t, 0, "since"));
	EXPECT_EQ(5, table_value(&t, 0, "m"));
	EXPECT_EQ(gettid_(), table_value(&t, 0, "tid"));
	EXPECT_EQ(9, table_value(&t, 0, "runs"));
	EXPECT_EQ(10, table_value(&t, 0, "cpu_ns"));
	EXPECT_EQ(11, table_value(&t, 0, "blocked_ns"));
	EXPECT_EQ(12, table_value(&t, 0, "runnable_ns"));
	EXPECT_EQ(1, table_value(&t, 0, "parent"));
	EXPECT_TRUE(is_word(&t, 0, "start_pc", "0x1234"));
	EXPECT_TRUE(is_word(&t, 0, "create_pc", "0x5678"));
	EXPECT_TRUE(is_word(&t, 0, "kind", "-"));
	EXPECT_TRUE(is_word(&t, 0, "carriers", "0,63"));
	EXPECT_TRUE(is_word(&t, 0, "name", "a\\040b\\134\\012\\303\\244"));
	EXPECT_TRUE(is_word(&t, 1, "status", "running"));
	EXPECT_TRUE(is_word(&t, 1, "wait", "-"));
	EXPECT_EQ(0, table_value(&t, 1, "since"));
	EXPECT_EQ(-1, table_value(&t, 1, "m"));
	EXPECT_EQ(0, table_value(&t, 1, "tid"));
	EXPECT_TRUE(is_word(&t, 1, "kind", "runtime"));
	EXPECT_TRUE(is_word(&t, 1, "carriers", "-"));
	EXPECT_TRUE(is_word(&t, 1, "name", "-"));
	table_free(&t);
	free_gs();
}

TEST_F(gtable, without_layout_or_run)
{
	struct table t;

	layout.ready = 0;
	EXPECT_EQ(0, rows_of(self->goroutines));
	EXPECT_EQ(0, file_value(self->sched, "running", ' '));
	ASSERT_EQ(0, table_read(&t, self->ps));
	EXPECT_EQ(0, t.rows);
	table_free(&t);
	layout.ready = 1;
	EXPECT_EQ(1, file_value(self->sched, "running", ' '));
}

/* Whatever the size of the pieces, each G is there once and in order. */
TEST_F(gtable, in_any_piece)
{
	static const size_t pieces[] = { 1, 100, 4095, 65536 };
	unsigned int i, n = 0, gs = 3 * PER_CHUNK;
	struct table t;

	fake_gs(gs);
	for (i = 0; i < gs; i += 1 + i % 7) {
		g_at(i)->h.goid = ++n;
		g_at(i)->h.status = GMP_G_WAITING;
	}
	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		ASSERT_EQ(0, table_parse(&t, read_file_by(self->goroutines, pieces[i])));
		ASSERT_EQ((int)n, t.rows);
		for (int j = 0; j < t.rows; j++)
			EXPECT_EQ(j + 1, table_value(&t, j, "goid"));
		table_free(&t);
	}
	free_gs();
}

/* The last line of a text that ends with a newline. */
static const char *last_line(const char *text)
{
	const char *p = text + strlen(text);

	for (p -= p > text; p > text && p[-1] != '\n'; p--)
		;
	return p;
}

/* A million (less where that takes minutes), most of them dead: no read takes long, none of the others is missed. */
TEST_F(gtable, a_million)
{
	unsigned int i, gs = MAX_CHUNKS / (is_slow_kernel() ? 10 : 1) * PER_CHUNK, lines = 0, expect;
	ull begin, took, longest = 0;
	static char buf[65537], last[16];
	ssize_t n;
	int fd;

	fake_gs(gs);
	for (i = 0, expect = 0; i < gs; i += i < gs / 2 ? 50 : 50000, expect++) {
		g_at(i)->h.goid = i + 1;
		g_at(i)->h.status = GMP_G_RUNNABLE;
	}
	g_at(gs - 1)->h.goid = gs;
	fd = open(self->goroutines, O_RDONLY);
	do {
		begin = now_ns();
		n = read(fd, buf, sizeof(buf) - 1);
		took = now_ns() - begin;
		longest = took > longest ? took : longest;
		ASSERT_GE(n, 0);
		for (ssize_t k = 0; k < n; k++)
			lines += buf[k] == '\n';
		if (n) {
			buf[n] = '\0';
			memmove(last, last_line(buf), 16);
		}
	} while (n > 0);
	close(fd);
	/* the header, and the last one: idle is not dead */
	EXPECT_EQ(expect + 2, lines);
	EXPECT_EQ(gs, strtoull(last, NULL, 10));
	TH_LOG("%u rows of %u; the longest read took %llu us", lines, gs, longest / 1000);
	EXPECT_LT(longest, is_slow_kernel() ? 60000000000ull : 5000000000ull);
	free_gs();
}

static int stop_with_gs(void *arg)
{
	struct dev d;

	(void)arg;
	fake_gs(3);
	for (int i = 0; i < 3; i++) {
		g_at(i)->h.goid = i + 40;
		g_at(i)->h.status = GMP_G_WAITING;
		g_at(i)->h.name = (unsigned long)"stopped";
	}
	if (attach_with_layout(&d))
		return 1;
	raise(SIGSTOP);
	return 0;
}

TEST_F(gtable, of_a_stopped_process)
{
	pid_t pid = start_child(stop_with_gs, NULL);
	char path[64];
	struct table t;
	int status;

	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	proc_path(path, sizeof(path), pid, "goroutines");
	ASSERT_EQ(0, table_read(&t, path));
	EXPECT_EQ(3, t.rows);
	EXPECT_EQ(42, table_value(&t, 2, "goid"));
	EXPECT_TRUE(is_word(&t, 2, "name", "stopped"));
	table_free(&t);
	kill(pid, SIGCONT);
	EXPECT_EQ(0, end_child(pid));
}

struct leaderless {
	struct dev d;
	int ready[2];
};

static void *survivor(void *arg)
{
	struct leaderless *l = arg;

	if (!dev_register(l->d.fd, 1, 1))
		tell(l->ready[1]);
	pause();
	return NULL;
}

static int end_leader(void *arg)
{
	struct leaderless *l = arg;
	pthread_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fake_gs(1);
	g_at(0)->h.goid = 5;
	if (attach_with_layout(&l->d) || pthread_create(&t, NULL, survivor, l))
		return 1;
	pthread_exit(NULL);
}

/* The first thread has ended: the others still have the memory. */
TEST_F(gtable, without_its_leader)
{
	struct leaderless l;
	char path[64];
	pid_t pid;

	ASSERT_EQ(0, pipe(l.ready));
	pid = start_child(end_leader, &l);
	ASSERT_TRUE(hear(l.ready[0]));
	proc_path(path, sizeof(path), pid, "goroutines");
	EXPECT_TRUE(WAIT_FOR(rows_of(path) == 1));
	sleep_ms(50);
	EXPECT_EQ(1, rows_of(path));
	kill(pid, SIGKILL);
	EXPECT_EQ(256 + SIGKILL, end_child(pid));
}

/* ---- ps, sched ----------------------------------------------------------------------------------- */

TEST_F(gtable, ps_format)
{
	static const char *const names[] = { "p", "status", "m", "tid", "seq", "queued", "schedtick" };
	static const char *const statuses[] = { "idle", "running", "syscall", "gcstop", "dead" };
	struct table t;
	int i;

	ASSERT_EQ(0, dev_register(self->d.fd, 3, 3));
	for (i = 0; i < 5; i++) {
		self->d.p[i + 1].word = GMP_P_WORD(i, i == 1 ? 4 : 0, 100 + i);
		fake_ps[i + 1] = (struct fake_p) { .head = ~0u, .tail = i, .next = i, .tick = 1000 + i };
	}
	self->d.p[7].word = ~0ull;
	allp_array[7] = 0;
	ASSERT_EQ(0, table_read(&t, self->ps));
	check_columns(_metadata, &t, names, ARRAY_SIZE(names));
	ASSERT_EQ(6, t.rows);
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(i + 1, table_value(&t, i, "p"));
		EXPECT_TRUE(is_word(&t, i, "status", statuses[i]));
		EXPECT_EQ(i == 1 ? 3 : -1, table_value(&t, i, "m"));
		EXPECT_EQ(i == 1 ? gettid_() : 0, table_value(&t, i, "tid"));
		EXPECT_EQ(100 + i, table_value(&t, i, "seq"));
		EXPECT_EQ(i + 1 + !!i, table_value(&t, i, "queued"));
		EXPECT_EQ(1000 + i, table_value(&t, i, "schedtick"));
	}
	EXPECT_TRUE(is_word(&t, 5, "status", "?"));
	EXPECT_EQ(0, table_value(&t, 5, "tid"));
	EXPECT_TRUE(is_word(&t, 5, "queued", "-"));
	table_free(&t);
}

TEST_F(gtable, sched_format)
{
#define NOW_NAME(e, text) text,
#define COUNTER_NAME(e, text) text,
	static const char *const names[] = {
		"version", "running", GMP_SCHED_NOWS(NOW_NAME) GMP_SCHED_COUNTERS(COUNTER_NAME)
	};
	char *text, *line, *save;
	unsigned int i, j;

	for (i = 0; i < GMP_NOW_COUNT; i++)
		nows[i] = 1000 + i;
	words[1].size = 4;
	nows[1] = 77ull << 32 | 5;
	for (i = 0; i < 8; i++)
		for (j = 0; j < GMP_COUNTER_COUNT; j++)
			fake_ps[i].counters[j] = j * 10 + i;
	text = save = read_file(self->sched);
	ASSERT_NE(NULL, text);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		line = strsep(&save, "\n");
		ASSERT_NE(NULL, line);
		EXPECT_EQ(0, strncmp(line, names[i], strlen(names[i])));
		EXPECT_EQ(' ', line[strlen(names[i])]);
	}
	EXPECT_STREQ("", save);
	free(text);
	EXPECT_EQ(1, file_value(self->sched, "version", ' '));
	EXPECT_EQ(1000, file_value(self->sched, "procs", ' '));
	EXPECT_EQ(5, file_value(self->sched, "procs_idle", ' '));
	EXPECT_EQ(1000 + GMP_NOW_GOROUTINES, file_value(self->sched, "goroutines", ' '));
	fake_ps[2].ng = 50;	/* made there, and some of them ended elsewhere */
	fake_ps[7].ng = -20;
	EXPECT_EQ(1000 + GMP_NOW_GOROUTINES + 30, file_value(self->sched, "goroutines", ' '));
	fake_ps[7].ng = -100000;
	EXPECT_EQ(0, file_value(self->sched, "goroutines", ' '));
	EXPECT_EQ(28, file_value(self->sched, "switches", ' '));
	EXPECT_EQ((GMP_COUNTER_COUNT - 1) * 80 + 28, file_value(self->sched, "rescues", ' '));
}

/* ---- lies ------------------------------------------------------------------------------------------ */

static void read_all(struct __test_metadata *_metadata, FIXTURE_DATA(gtable) *self)
{
	EXPECT_EQ(0, try_read(self->goroutines));
	EXPECT_EQ(0, try_read(self->ps));
	EXPECT_EQ(0, try_read(self->sched));
}

static const uint64_t bad_addrs[] = {
	0, 1, 8, 0x7fffffffe000ull, 0x7ffffffff000ull, 0x7fffffffffffull, 0x800000000000ull,
	0xffff800000000000ull, 0xffffffff81000000ull, 0xffffffffff600000ull, ~0ull, ~7ull,
};

TEST_F(gtable, bad_addresses)
{
	unsigned int i, j;

	fake_gs(3 * PER_CHUNK);
	g_at(0)->h.goid = g_at(2 * PER_CHUNK)->h.goid = 1;
	for (i = 0; i < ARRAY_SIZE(bad_addrs); i++) {
		struct gmp_rt_layout good = layout;
		uint64_t bad = bad_addrs[i], saved = chunks[1];

		g_at(0)->h.name = bad;
		EXPECT_EQ(2, rows_of(self->goroutines));
		chunks[1] = bad;
		EXPECT_EQ(2, rows_of(self->goroutines));
		accts[0] = bad;
		EXPECT_EQ(2, rows_of(self->goroutines));
		chunks[1] = saved;
		accts[0] = 0;
		__u64 *field[] = { &layout.g_chunks, &layout.g_nchunks, &layout.allp,
				      &layout.sched_words, &layout.g_acct };
		for (j = 0; j < ARRAY_SIZE(field); j++) {
			*field[j] = bad;
			read_all(_metadata, self);
			layout = good;
		}
		words[0].addr = allp_array[0] = bad;
		read_all(_metadata, self);
		words[0].addr = (unsigned long)&nows[0];
		allp_array[0] = (unsigned long)&fake_ps[0];
	}
	g_at(0)->h.name = 0;
	free_gs();
}

TEST_F(gtable, bad_numbers)
{
	static const uint32_t bad[] = { 0, 1, 7, 79, 4097, 65537, 0x7fffffff, 0x80000000, ~0u };
	struct gmp_rt_layout good = layout;
	unsigned int i, j;

	fake_gs(PER_CHUNK);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		uint32_t *field[] = {
			&layout.g_per_chunk, &layout.g_size, &layout.maxprocs, &layout.nr_sched_words,
			&layout.nr_p_counters, &layout.p_off_counters, &layout.p_off_runqhead,
			&layout.p_off_schedtick, &layout.g_acct_size, &layout.size, &layout.version,
			&layout.ready, &words[0].size,
		};

		for (j = 0; j < ARRAY_SIZE(field); j++) {
			*field[j] = bad[i];
			read_all(_metadata, self);
			layout = good;
			words[0].size = 8;
		}
	}
	nchunks = 1;
	free_gs();
}

/* It says there are more Gs than there can be: a reader looks at some millions, and can be killed. */
TEST_F(gtable, endless_table)
{
	static struct fake_g one[PER_CHUNK];
	uint64_t *same = mmap(NULL, 65536 * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int i, rows;
	ull begin;

	ASSERT_NE(MAP_FAILED, (void *)same);
	for (i = 0; i < 65536; i++)
		same[i] = (unsigned long)one;
	layout.g_chunks = (unsigned long)same;
	nchunks = ~0ull;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(rows_of(self->goroutines));
	}
	sleep_ms(100);
	kill(pid, SIGKILL);
	begin = now_ns();
	i = end_child(pid);
	EXPECT_TRUE(i == 256 + SIGKILL || i == 0);
	EXPECT_LT(now_ns() - begin, 2000000000ull);
	/* chunks that are not there cost one look each */
	memset(same, 0, 65536 * 8);
	rows = rows_of(self->goroutines);
	EXPECT_EQ(0, rows);
	nchunks = 0;
	munmap(same, 65536 * 8);
}

/* A name ends where its page does, or is cut off at 128. */
TEST_F(gtable, names_at_the_edge)
{
	char *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char expect[129];
	struct table t;

	ASSERT_NE(MAP_FAILED, (void *)two);
	memset(two, 'x', 8192);
	memset(expect, 'x', 128);
	expect[128] = '\0';
	fake_gs(1);
	g_at(0)->h.goid = 1;
	g_at(0)->h.name = (unsigned long)two + 4095;	/* goes on in the next page */
	ASSERT_EQ(0, table_read(&t, self->goroutines));
	EXPECT_TRUE(is_word(&t, 0, "name", expect));
	table_free(&t);
	munmap(two + 4096, 4096);
	ASSERT_EQ(0, table_read(&t, self->goroutines));
	EXPECT_TRUE(is_word(&t, 0, "name", "x"));
	table_free(&t);
	two[4095] = '\0';
	ASSERT_EQ(0, table_read(&t, self->goroutines));
	EXPECT_TRUE(is_word(&t, 0, "name", "-"));
	table_free(&t);
	munmap(two, 4096);
	free_gs();
}

/* ---- while all of it changes ------------------------------------------------------------------------- */

static volatile bool stop_scribbling;

static void *scribble(void *arg)
{
	unsigned int seed = 1;

	(void)arg;
	while (!stop_scribbling) {
		uint32_t *u = (uint32_t *)&layout + 4 + rand_r(&seed) % (sizeof(layout) / 4 - 4);
		uint32_t saved = *u;

		*u = rand_r(&seed);
		chunks[rand_r(&seed) % 4] ^= 1ull << rand_r(&seed) % 64;
		nchunks = rand_r(&seed) % 5;
		*u = saved;
	}
	return NULL;
}

TEST_F(gtable, scribbled_on_while_read)
{
	ull end = now_ns() + 2000000000ull;
	pthread_t t;
	int reads;

	fake_gs(4 * PER_CHUNK);
	pthread_create(&t, NULL, scribble, NULL);
	for (reads = 0; now_ns() < end; reads++)
		read_all(_metadata, self);
	stop_scribbling = true;
	pthread_join(t, NULL);
	EXPECT_GT(reads, 5);
}

/* ---- who may ------------------------------------------------------------------------------------------- */

static int as_nobody(void *arg)
{
	FIXTURE_DATA(gtable) *self = arg;

	if (become_nobody())
		return 1;
	return try_read(self->goroutines) == -EACCES && try_read(self->ps) == -EACCES &&
	       try_read(self->sched) == -EACCES ? 0 : 2;
}

TEST_F(gtable, not_for_others)
{
	EXPECT_EQ(0, run_child(as_nobody, self));
}

TEST_HARNESS_MAIN
