// SPDX-License-Identifier: MIT
/*
 * main.c - the gmp command: picks the verb. Each verb is a file; see gmp.h for what one owes.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gmp.h"
#include "gmp_abi.h"

#ifndef GMP_VERSION
#define GMP_VERSION	"unknown"
#endif

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
	const char *usage;	/* options, a line each */
};

static const struct verb verbs[] = {
	{ "ps", cmd_ps, "the Ms of a process: their threads, Ps and goroutines",
	  "[-p PID] [-j] [-i SECS] [-n COUNT] [-s SOURCE]\n"
	  "  -p PID     this process; without it, every process with libgmprt you may look into\n"
	  "  -j         JSON, an object a line; the fields are in gmp-ps(8)\n"
	  "  -i SECS    again and again, every SECS seconds (may be a fraction)\n"
	  "  -n COUNT   this many times\n"
	  "  -s SOURCE  bpf: do not fall back; process: do not use BPF; auto: what works" },
	{ "doctor", cmd_doctor, "what this machine offers: library, BPF, gmp.ko; and what to do",
	  "" },
};

#define NR_VERBS	(sizeof(verbs) / sizeof(*verbs))

static const char *verb_name = "gmp";

/* One line on stderr: "gmp ps: ...". */
void say(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs(verb_name, stderr);
	fputs(": ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < NR_VERBS; i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	}
	return NULL;
}

/* Usage of one verb: on stdout when it was asked for, else on stderr as an error. */
int usage_of(const char *name, bool asked_for)
{
	const struct verb *v = find_verb(name);

	fprintf(asked_for ? stdout : stderr, "usage: gmp %s%s%s\n", v->name, *v->usage ? " " : "", v->usage);
	return asked_for ? EXIT_OK : EXIT_USAGE;
}

static int usage(bool asked_for)
{
	FILE *to = asked_for ? stdout : stderr;

	fprintf(to, "usage: gmp VERB [OPTION...]\n\n");
	for (size_t i = 0; i < NR_VERBS; i++)
		fprintf(to, "  %-8s  %s\n", verbs[i].name, verbs[i].what);
	fprintf(to, "\n  gmp help VERB    what a verb takes\n  gmp --version\n");
	return asked_for ? EXIT_OK : EXIT_USAGE;
}

static int help(int argc, char **argv)
{
	if (argc < 3)
		return usage(true);
	if (find_verb(argv[2]))
		return usage_of(argv[2], true);
	say("no verb '%s'; see gmp help", argv[2]);
	return EXIT_USAGE;
}

static int version(void)
{
	printf("gmp %s abi %d\n", GMP_VERSION, GMP_ABI_VERSION);	/* as /proc/gmp/version */
	return EXIT_OK;
}

/* A process number; says what is wrong with another text. */
int parse_pid(const char *text, pid_t *pid)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || *end || end == text || n < 1 || n > 1 << 22) {
		say("'%s' is not a process number", text);
		return -EINVAL;
	}
	*pid = (pid_t)n;
	return 0;
}

int parse_seconds(const char *text, double *seconds)
{
	char *end;

	*seconds = strtod(text, &end);
	if (*end || end == text || !(*seconds >= 0 && *seconds <= 86400)) {
		say("'%s' is not a number of seconds from 0 to 86400", text);
		return -EINVAL;
	}
	return 0;
}

static int run_verb(const struct verb *v, int argc, char **argv)
{
	char name[32];
	int code;

	snprintf(name, sizeof(name), "gmp %s", v->name);
	verb_name = argv[0] = name;	/* argv[0] is what getopt puts before its messages */
	code = v->run(argc, argv);
	verb_name = "gmp";
	if (fflush(stdout) || ferror(stdout)) {
		say("cannot write: %s", strerror(errno));
		return EXIT_FAILED;
	}
	return code;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	const struct verb *v = find_verb(word);

	if (v && argc > 2 && !strcmp(argv[2], "--help"))
		return usage_of(word, true);
	if (v)
		return run_verb(v, argc - 1, argv + 1);
	if (!strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h"))
		return help(argc, argv);
	if (!strcmp(word, "version") || !strcmp(word, "--version") || !strcmp(word, "-V"))
		return version();
	if (*word)
		say("no verb '%s'", word);
	return usage(false);
}
