// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz.c - anything at all, at random, for a while; then: does the kernel still stand, and did nothing
 * stay behind? What the kernel says meanwhile is looked at by the runner.
 *
 * T= is for how many seconds (12; on a machine so busy that not everything worked by then, it goes on
 * for three times as long), SEED= repeats a run as far as threads can be repeated. See fuzz.h.
 */
#include "fuzz.h"
#include <dirent.h>
#include <sys/prctl.h>
#undef ARRAY_SIZE
#include "kselftest.h"

#define VICTIMS		3
#define READERS		2
#define SHARED_FD	90	/* outlives exec */

struct fuzz_shared *shared;

static const char *const op_name[] = {
#define FUZZ_NAME_(name, must)	#name,
	FUZZ_OPS(FUZZ_NAME_)
};

static const bool op_must[] = {
#define FUZZ_MUST_(name, must)	must,
	FUZZ_OPS(FUZZ_MUST_)
};

static int map_shared(bool create)
{
	int fd = create ? (int)syscall(SYS_memfd_create, "gmp_fuzz", 0) : SHARED_FD;

	if (create && (ftruncate(fd, sizeof(*shared)) || dup2(fd, SHARED_FD) < 0 || close(fd)))
		return -errno;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, SHARED_FD, 0);
	return shared == MAP_FAILED ? -errno : 0;
}

/*
 * Every number that a file which is not attached answers with something else than ENOTTY, or with
 * EINVAL for the size. So commands that came after this was written are tried with their right size.
 */
static void find_commands(void)
{
	unsigned int dir, nr, size, cmd;
	int fd = dev_open(), err;

	for (nr = 0; nr < 64; nr++)
		for (dir = 0; dir < 4; dir++)
			for (size = 0; size <= 256; size += 4) {
				cmd = _IOC(dir, GMP_IOC_MAGIC, nr, size);
				err = do_ioctl(fd, cmd, (void *)8);
				if (err != -ENOTTY && err != -EINVAL && shared->commands < COMMANDS)
					shared->command[shared->commands++] = cmd;
			}
	close(fd);
}

static pid_t start_victim(struct rnd *r, unsigned int number)
{
	struct rnd own = rnd_child(r, number);
	pid_t pid = fork();

	if (!pid)
		victim_main(&own);
	return pid;
}

static pid_t start_reader(struct rnd *r, unsigned int number)
{
	struct rnd own = rnd_child(r, 1000000000 + number);
	pid_t pid = fork();

	if (!pid)
		reader_main(&own, number % 2);
	return pid;
}

static unsigned int lives, odd_deaths;

/*
 * Has it died? Whoever does must have been killed, or single-stepped (fuzz_world.c): the trap of the last
 * step may come after its tracer has let go. The stop of a tracee is no death.
 */
static bool has_died(pid_t pid, int flags)
{
	int status;

	if (waitpid(pid, &status, flags | __WALL) != pid || WIFSTOPPED(status))
		return false;
	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTRAP))
		return true;
	ksft_print_msg("process %d ended with status %#x\n", pid, status);
	odd_deaths++;
	return true;
}

static void kill_child(pid_t pid)
{
	kill(pid, SIGKILL);
	while (!has_died(pid, 0))
		;
}

/* What has not worked yet, or NULL. */
static const char *idle_op(void)
{
	int i;

	for (i = 0; i < OPS; i++)
		if (op_must[i] && !shared->done[i])
			return op_name[i];
	return NULL;
}

static void run(struct rnd *r, ull ns)
{
	ull begin = now_ns();
	struct rnd world = rnd_child(r, 2000000000);
	pid_t victim[VICTIMS], reader[READERS];
	unsigned int i;

	for (i = 0; i < READERS; i++)
		reader[i] = start_reader(r, i);
	for (i = 0; i < VICTIMS; i++)
		victim[i] = start_victim(r, ++lives);
	while (now_ns() < begin + ns || (idle_op() && now_ns() < begin + 3 * ns)) {
		world_step(&world, victim, VICTIMS);
		for (i = 0; i < VICTIMS; i++)
			if (has_died(victim[i], WNOHANG))
				victim[i] = start_victim(r, ++lives);
	}
	world_settle();
	for (i = 0; i < VICTIMS; i++)
		kill_child(victim[i]);
	for (i = 0; i < READERS; i++)
		kill_child(reader[i]);
}

static void print_ops(void)
{
	int i;

	for (i = 0; i < OPS; i++)
		ksft_print_msg("%-12s %9lu tried %9lu done\n", op_name[i], shared->tried[i], shared->done[i]);
}

/* A round trip through all that may have been bent. */
static int use_once(void *arg)
{
	struct dev d;

	(void)arg;
	if (dev_attach(&d, 4, 1) || dev_register(d.fd, 2, 2))
		return 1;
	carry(&d.u[2], 5, 0);
	sleep_ms(2);
	if (d.k[2].last_goid != 5 || status_value(getpid(), "Ms") != 1)
		return 2;
	return dev_unregister(d.fd) ? 3 : 0;
}

/* ---- knobs: who is killed in the midst of turning one does not put it back --------------------- */

#define KNOBS		32

static struct {
	char path[400];
	char *was;
} knob[KNOBS];

static void note_knobs(void)
{
	DIR *dir = opendir(PARAMETERS);
	struct dirent *e;
	int n = 0;

	while (dir && n < KNOBS && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(knob[n].path, sizeof(knob[n].path), PARAMETERS "/%s", e->d_name);
		knob[n].was = read_file(knob[n].path);
		n++;
	}
	if (dir)
		closedir(dir);
}

static void put_back_knobs(void)
{
	int i;

	for (i = 0; i < KNOBS; i++)
		if (knob[i].was)
			write_file(knob[i].path, knob[i].was);
}

/* Without its figures allocations fail at every turn of fail-nth, and loudly. */
static void prepare_faults(void)
{
	write_file("/sys/kernel/debug/failslab/verbose", "0");
	write_file("/sys/kernel/debug/failslab/ignore-gfp-wait", "0");
	write_file("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "0");
}

int main(int argc, char **argv)
{
	const char *t = getenv("T"), *s = getenv("SEED");
	struct rnd r = { s && *s ? strtoull(s, NULL, 0) : now_ns() ^ (ull)getpid() << 32 };
	ull secs = t && *t ? strtoull(t, NULL, 0) : 12;
	int failed;
	bool gone;

	if (argc > 2 && !strcmp(argv[1], "victim") && !map_shared(false)) {
		r.s = strtoull(argv[2], NULL, 0);
		victim_main(&r);
	}
	ksft_print_header();
	ksft_set_plan(4);
	ksft_print_msg("SEED=%llu T=%llu\n", (ull)r.s, secs);
	fflush(stdout);
	if (map_shared(true))
		ksft_exit_fail_msg("no memory to share: %s\n", strerror(errno));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prepare_faults();
	world_init();
	find_commands();
	note_knobs();
	write_param("handoff", "Y");

	run(&r, secs * 1000000000ull);
	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		;
	put_back_knobs();
	ksft_print_msg("%u commands known, %u victims\n", shared->commands, lives);
	ksft_test_result(!odd_deaths, "whoever died was killed\n");
	print_ops();
	ksft_test_result(!idle_op(), "everything worked now and then (but for %s)\n",
			 idle_op() ?: "nothing");
	gone = WAIT_FOR(stat_value("processes") == 0 && stat_value("ms") == 0);
	ksft_test_result(gone, "nothing stayed behind\n");
	failed = run_child(use_once, NULL);
	ksft_test_result(!failed, "the module still works (%d)\n", failed);
	ksft_finished();
}
