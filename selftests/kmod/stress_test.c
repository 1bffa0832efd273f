// SPDX-License-Identifier: GPL-2.0-only
/*
 * stress_test.c - several processes whose threads do everything at once, at random, while others
 * read all of /proc/gmp and kill them. Nothing is expected but: no call hangs, nothing stays
 * behind, and the kernel has nothing to say (the runner looks at its log).
 *
 * GMP_SEED=n repeats a run as far as threads can be repeated; GMP_STRESS_SECS=n sets its length
 * (10).
 */
#include "gmp_kmod.h"
#include <dirent.h>
#include <sys/prctl.h>
#include "kselftest.h"

#define PROCESSES	2
#define THREADS		4
#define READERS		2
#define FILES		4	/* descriptors and pairs of mappings the threads share */
#define SLOTS		(2 * THREADS)

static unsigned int seed;
static ull end_ns;

/* ---- the shared things --------------------------------------------------------------------- */

/* Changed without a lock: two threads closing or unmapping the same thing is part of the test. */
static struct {
	volatile int fd;
	struct gmp_attach a;
	void *volatile user;
	void *volatile kern;
} file[FILES];

/* Descriptors from here on may be closed by anybody at any time; no library has one of them. */
#define FIRST_FD	100

static void try_open(int i)
{
	int fd = dev_open();

	if (fd < 0)
		return;
	file[i].fd = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
	close(fd);
}

static void try_attach(int i, unsigned int *rnd)
{
	struct gmp_attach a = { .size = sizeof(a), .nr_m = SLOTS, .nr_p = 1 + rand_r(rnd) % 3 };

	if (!do_ioctl(file[i].fd, GMP_IOC_ATTACH, &a))
		file[i].a = a;
}

static void try_map(int i)
{
	struct dev d = { .fd = file[i].fd, .a = file[i].a };

	if (dev_map(&d))
		return;
	file[i].user = d.u;
	file[i].kern = (void *)d.k;
}

static void try_unmap(int i)
{
	void *u = file[i].user, *k = file[i].kern;

	file[i].user = NULL;
	file[i].kern = NULL;
	if (u)
		munmap(u, file[i].a.user_len);
	if (k)
		munmap(k, file[i].a.kern_len);
}

static void try_close(int i)
{
	int fd = file[i].fd;

	file[i].fd = -1;
	if (fd >= FIRST_FD)
		close(fd);
}

/* May hit a mapping that another thread just removed: see replace_page(). */
static void scribble(int i, unsigned int *rnd)
{
	volatile char *u = file[i].user;
	int n = rand_r(rnd) % 64;

	while (u && n--)
		u[rand_r(rnd) % 8192] = rand_r(rnd);
}

static void random_ioctl(int i, unsigned int *rnd)
{
	void *wild = (void *)(unsigned long)rand_r(rnd);
	unsigned int k, size, cmd;
	unsigned char arg[128];

	for (k = 0; k < sizeof(arg); k++)
		arg[k] = rand_r(rnd) % 4 ? 0 : rand_r(rnd);
	arg[0] = rand_r(rnd) % 2 ? sizeof(struct gmp_attach) : sizeof(struct gmp_m_register);
	size = rand_r(rnd) % 2 ? arg[0] : rand_r(rnd) % 200;
	cmd = _IOC(rand_r(rnd) % 4, GMP_IOC_MAGIC, rand_r(rnd) % 5, size);
	do_ioctl(file[i].fd, cmd, rand_r(rnd) % 8 ? arg : wild);
}

static void random_mmap(int i, unsigned int *rnd)
{
	size_t len = (1 + rand_r(rnd) % 8) * 4096;
	void *p = mmap(NULL, len, rand_r(rnd) % 8, rand_r(rnd) % 3, file[i].fd,
		       (rand_r(rnd) % 2 ? GMP_MMAP_KERN : 0) + rand_r(rnd) % 3 * 4096);

	if (p == MAP_FAILED)
		return;
	if (rand_r(rnd) % 2)
		mprotect(p, len, rand_r(rnd) % 8);
	munmap(p, rand_r(rnd) % 3 ? len : 4096);
}

static void spawn_something(unsigned int *rnd)
{
	pid_t pid = rand_r(rnd) % 2 ? fork() : vfork();

	if (!pid) {
		if (rand_r(rnd) % 2)
			execl("/bin/true", "true", NULL);
		_exit(0);
	}
	if (pid > 0)
		end_child(pid);
}

/* ---- processes and threads ----------------------------------------------------------------- */

static volatile int births;

static void start_thread(void);

/* Returns false if the thread is to end, bound to a slot or not. */
static bool random_step(unsigned int *rnd)
{
	int i = rand_r(rnd) % FILES;

	switch (rand_r(rnd) % 100) {
	case 0 ... 4:
		try_open(i);
		break;
	case 5 ... 14:
		try_attach(i, rnd);
		break;
	case 15 ... 24:
		try_map(i);
		break;
	case 25 ... 29:
		try_unmap(i);
		break;
	case 30 ... 32:
		try_close(i);
		break;
	case 33 ... 54:
		dev_register(file[i].fd, rand_r(rnd) % (SLOTS + 1), rand_r(rnd));
		break;
	case 55 ... 69:
		dev_unregister(file[i].fd);
		break;
	case 70 ... 79:
		scribble(i, rnd);
		break;
	case 80 ... 84:
		random_ioctl(i, rnd);
		break;
	case 85 ... 88:
		random_mmap(i, rnd);
		break;
	case 89 ... 95:
		usleep(rand_r(rnd) % 300);
		break;
	case 96:
		sched_yield();
		break;
	case 97:
		spawn_something(rnd);
		break;
	case 98:
		start_thread();
		return false;
	default:
		if (rand_r(rnd) % 20 == 0)
			execl("/proc/self/exe", "stress_test", "again", NULL);
		break;
	}
	return true;
}

static void *thread_main(void *arg)
{
	unsigned int rnd = (unsigned long)arg;

	while (random_step(&rnd))
		;
	return NULL;
}

static void start_thread(void)
{
	unsigned long rnd = seed * 1000003u + getpid() * 97u + __sync_fetch_and_add(&births, 1);
	pthread_t t;
	int err;

	/* While another thread is in execve() none can be made: copy_fs(), fs->in_exec. */
	while ((err = pthread_create(&t, NULL, thread_main, (void *)rnd)) == EAGAIN)
		usleep(1000);
	if (err)
		_exit(1);
	pthread_detach(t);
}

static void process_main(void)
{
	struct sigaction sa = { .sa_sigaction = replace_page, .sa_flags = SA_SIGINFO | SA_NODEFER };
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	for (i = 0; i < FILES; i++)
		file[i].fd = -1;
	for (i = 0; i < THREADS; i++)
		start_thread();
	for (;;)
		pause();
}

/* ---- readers ------------------------------------------------------------------------------- */

static void read_dir(const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/gmp/%s/status", name);
	try_read(path);
	snprintf(path, sizeof(path), "/proc/gmp/%s/tasks", name);
	try_read(path);
}

static int reader_main(int as_nobody)	/* returns only when it could not begin */
{
	struct dirent *e;
	DIR *dir;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (as_nobody && become_nobody())
		return 1;
	for (;;) {
		try_read("/proc/gmp/stat");
		try_read("/proc/gmp/version");
		free(read_file_by("/proc/gmp/tasks", 1 + rand() % 2000));
		dir = opendir("/proc/gmp");
		while (dir && (e = readdir(dir)))
			if (e->d_name[0] >= '0' && e->d_name[0] <= '9')
				read_dir(e->d_name);
		if (dir)
			closedir(dir);
	}
}

/* ---- the whole ----------------------------------------------------------------------------- */

static pid_t spawn(int (*fn)(int), int arg)
{
	pid_t pid = fork();

	if (!pid)
		_exit(fn(arg));
	return pid;
}

static int spawned_process(int number)
{
	seed += number;
	process_main();
	return 0;
}

/* Not by us: it says how. 256 + the signal, or the exit status. */
static int ended_otherwise(const char *who, int i, int how)
{
	if (how == 256 + SIGKILL)
		return 0;
	ksft_print_msg("%s %d ended with %d\n", who, i, how);
	return 1;
}

static int run(int *lives)
{
	pid_t pid[PROCESSES], reader[READERS];
	unsigned int rnd = seed;
	int i, bad = 0;

	for (i = 0; i < READERS; i++)
		reader[i] = spawn(reader_main, i % 2);
	for (i = 0; i < PROCESSES; i++)
		pid[i] = spawn(spawned_process, i);
	while (now_ns() < end_ns) {
		i = rand_r(&rnd) % PROCESSES;
		usleep(20000 + rand_r(&rnd) % 200000);
		kill(pid[i], SIGKILL);
		end_child(pid[i]);
		pid[i] = spawn(spawned_process, ++*lives);
	}
	for (i = 0; i < PROCESSES; i++) {
		kill(pid[i], SIGKILL);
		bad += ended_otherwise("process", i, end_child(pid[i]));
	}
	for (i = 0; i < READERS; i++) {
		kill(reader[i], SIGKILL);	/* still at it */
		bad += ended_otherwise("reader", i, end_child(reader[i]));
	}
	return bad;
}

int main(int argc, char **argv)
{
	const char *secs = getenv("GMP_STRESS_SECS"), *s = getenv("GMP_SEED");
	int bad, lives = 0;
	bool gone;

	if (argc > 1 && !strcmp(argv[1], "again"))
		process_main();
	ksft_print_header();
	ksft_set_plan(3);
	seed = s ? strtoul(s, NULL, 0) : (unsigned int)now_ns();
	setenv("GMP_SEED", s ? s : "1", 1);
	end_ns = now_ns() + strtoull(secs ? secs : "10", NULL, 0) * 1000000000ull;
	ksft_print_msg("seed %u\n", seed);
	fflush(stdout);
	prctl(PR_SET_CHILD_SUBREAPER, 1);

	bad = run(&lives);
	ksft_test_result(!bad, "survived\n");
	ksft_test_result(lives > 5, "%d processes killed\n", lives);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	ksft_print_msg("%lld attaches, %lld registrations, %lld switches carrying something\n",
		       stat_value("attaches_total"), stat_value("m_registers_total"),
		       stat_value("carried"));
	gone = WAIT_FOR(stat_value("processes") == 0 && stat_value("ms") == 0);
	ksft_test_result(gone, "nothing stayed behind\n");
	ksft_finished();
}
