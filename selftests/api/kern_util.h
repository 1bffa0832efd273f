/* SPDX-License-Identifier: MIT */
/* kern_util.h - for kern_test.c and kern/attach_test.c: what gmp_run() says under GMP_DEBUG. */
#ifndef KERN_UTIL_H
#define KERN_UTIL_H

static inline int says_backend(void *arg)
{
	(void)arg;
	fprintf(stderr, "<%s>\n", gmp_kern_backend());
	return 0;
}

/* What gmp_run(@main_fn) writes to stderr under GMP_DEBUG=@debug as user @uid. */
static inline void run_main_as(int (*main_fn)(void *), const char *debug, uid_t uid, char *text, size_t n)
{
	int fd[2];
	pid_t pid = gmptest_fork(fd);

	CHECK(pid >= 0);
	if (pid == 0) {
		dup2(fd[1], 2);
		setenv("GMP_DEBUG", debug, 1);
		if (uid && setuid(uid))
			_exit(3);
		_exit(gmp_run(main_fn, NULL));
	}
	CHECK_EQ(gmptest_collect(fd[0], pid, text, n), 0);
}

static inline void run_as(const char *debug, uid_t uid, char *text, size_t n)
{
	run_main_as(says_backend, debug, uid, text, n);
}

static inline int lines_with(const char *text, const char *word)
{
	int n = 0;

	for (const char *p = text; (p = strstr(p, word)) != NULL; p += strlen(word))
		n++;
	return n;
}

#endif
