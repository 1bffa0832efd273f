/* SPDX-License-Identifier: MIT */
/* attach_test.c - the library with gmp.ko loaded: what each knows of the other. In the guest, as root. */
#include <fcntl.h>
#include <gmprt.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "gmptest.h"
#include "api/kern_util.h"

GTEST(backend_is_ko)
{
	CHECK_EQ(strcmp(gmp_kern_backend(), "ko"), 0);
}

TEST(kern_decides)
{
	char text[4096];

	run_as("kern=none", 0, text, sizeof(text));
	CHECK(strstr(text, "<none>"));
	run_as("kern=ko", 0, text, sizeof(text));
	CHECK(strstr(text, "<ko>"));
	run_as("stats", 0, text, sizeof(text));
	CHECK_EQ(lines_with(text, "running without the module"), 0);
}

/* A user who may not open the device: the library runs on, and says so when asked. */
TEST(no_access_to_the_device)
{
	char text[4096];
	struct stat st;

	CHECK(stat("/dev/gmp", &st) == 0);
	CHECK(chmod("/dev/gmp", 0600) == 0);
	run_as("stats", 65534, text, sizeof(text));
	CHECK(chmod("/dev/gmp", st.st_mode & 07777) == 0);
	CHECK(strstr(text, "<none>"));
	CHECK_EQ(lines_with(text, "no access to /dev/gmp"), 1);
}

/* ---- limits ------------------------------------------------------------------------------------------ */

static void write_param(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/module/gmp/parameters/%s", name);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0);
	CHECK(write(fd, value, strlen(value)) > 0);
	close(fd);
}

/* At a limit of the module the library runs on without it, and says so, once, when asked. */
TEST(a_limit_on_processes_or_bytes)
{
	char text[2][4096];

	write_param("max_user_processes", "0");
	run_as("stats", 65534, text[0], sizeof(text[0]));
	write_param("max_user_processes", "128");
	write_param("max_kbytes", "1000");
	run_as("stats", 65534, text[1], sizeof(text[1]));
	write_param("max_kbytes", "4194304");
	for (int i = 0; i < 2; i++) {
		CHECK(strstr(text[i], "<none>"));
		CHECK_EQ(lines_with(text[i], "a limit is reached"), 1);
		CHECK_EQ(lines_with(text[i], "running without the module"), 1);
	}
}

static void blocks(void *arg)
{
	gmp_syscall_begin();
	usleep(20000);
	gmp_syscall_end();
	gmp_wg_done(arg);
}

static int makes_threads(void *arg)
{
	struct gmp_wg wg = { 0 };

	(void)arg;
	gmp_wg_add(&wg, 8);
	for (int i = 0; i < 8; i++)
		CHECK(gmp_go(blocks, &wg) > 0);
	gmp_wg_wait(&wg);
	fprintf(stderr, "<%s>\n", gmp_kern_backend());
	return 0;
}

TEST(a_limit_on_threads)
{
	char text[4096];

	write_param("max_user_threads", "2");
	run_main_as(makes_threads, "stats", 65534, text, sizeof(text));
	write_param("max_user_threads", "32768");
	CHECK(strstr(text, "<ko>"));	/* those that are let in have it */
	CHECK_EQ(lines_with(text, "refuses a thread (a limit is reached"), 1);
	run_main_as(makes_threads, "stats", 65534, text, sizeof(text));
	CHECK_EQ(lines_with(text, "refuses a thread"), 0);
}

/* Fewer slots than the library would like: those are what it takes. */
TEST(a_limit_on_slots)
{
	static const char *const slots[] = { "9999", "100", "2" };
	char text[4096];

	for (size_t i = 0; i < 3; i++) {
		write_param("max_slots", slots[i]);
		run_main_as(makes_threads, "stats", 0, text, sizeof(text));
		write_param("max_slots", "10000");
		CHECK(strstr(text, "<ko>"));
		CHECK_EQ(lines_with(text, "running without the module"), 0);
	}
}

/* ---- with the module: what it is told ------------------------------------------------------------------ */

static int read_file(const char *path, char *text, size_t n)
{
	int fd = open(path, O_RDONLY);
	ssize_t got, have = 0;

	if (fd < 0)
		return -errno;
	while ((size_t)have < n - 1 && (got = read(fd, text + have, n - 1 - (size_t)have)) > 0)
		have += got;
	close(fd);
	text[have] = 0;
	return (int)have;
}

static void my_proc_file(char *path, size_t n, const char *name)
{
	snprintf(path, n, "/proc/gmp/%d/%s", getpid(), name);
}

/* The row of the calling thread. */
static void my_row(char *row, size_t n)
{
	char path[64], text[16384], *line, *save;
	long tid = syscall(SYS_gettid);

	my_proc_file(path, sizeof(path), "tasks");
	CHECK(read_file(path, text, sizeof(text)) > 0);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (*line != '#' && strtol(line, NULL, 10) == tid) {
			snprintf(row, n, "%s", line);
			return;
		}
	}
	GMPTEST_FAIL_("no row for thread %ld in %s", tid, path);
}

GTEST(the_kernel_knows_whom_this_thread_carries)
{
	char row[1024];
	long tid, m, p;
	unsigned long long goid;

	for (int i = 0; i < 100; i++) {
		my_row(row, sizeof(row));
		CHECK_EQ(sscanf(row, "%ld %ld %ld %llu", &tid, &m, &p, &goid), 4);
		CHECK_EQ(goid, gmp_goid());
		CHECK(p >= 0 && p < gmp_maxprocs(0));
		gmp_yield();
	}
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

TEST(nothing_is_left_after_the_run)
{
	char path[64];

	my_proc_file(path, sizeof(path), "tasks");
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(gmp_run(nothing, NULL), 0);
		CHECK(access(path, F_OK) < 0);
	}
	CHECK_EQ(strcmp(gmp_kern_backend(), "none"), 0);
}

static int count_ps(void *arg)
{
	char path[64], text[4096], *at;

	(void)arg;
	my_proc_file(path, sizeof(path), "status");
	CHECK(read_file(path, text, sizeof(text)) > 0);
	at = strstr(text, "\nPs:\t");
	CHECK(at);
	CHECK_EQ(strtol(at + 5, NULL, 10), gmp_maxprocs(0));
	return 0;
}

GTEST(status_counts_the_ps)
{
	count_ps(NULL);
	CHECK(gmp_maxprocs(3) > 0);
	count_ps(NULL);
	CHECK(gmp_maxprocs(1) > 0);
	count_ps(NULL);
}
