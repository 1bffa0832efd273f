// SPDX-License-Identifier: MIT
/*
 * ps.c - gmp ps: a row for each M.
 *
 * Two samples an interval apart make a picture: the second one, with how much of the time between them
 * each M was on a CPU. With -i the second is the first of the next picture.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gmp.h"
#include "ps.h"

#define DEFAULT_INTERVAL	0.5
#define PROCESS_ENDED		1

struct options {
	pid_t pid;		/* 0 = all */
	bool json;
	double interval;
	long count;		/* pictures; 0 = without end */
	const char *source;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

/* ---- options ------------------------------------------------------------------------------- */

static int parse_count(const char *text, long *count)
{
	char *end;

	errno = 0;
	*count = strtol(text, &end, 10);
	if (errno || *end || end == text || *count < 1) {
		say("'%s' is not a number of times", text);
		return -EINVAL;
	}
	return 0;
}

static int parse_source(const char *text, const char **source)
{
	if (strcmp(text, "auto") && strcmp(text, "bpf") && strcmp(text, "process")) {
		say("'%s' is not a source: auto, bpf or process", text);
		return -EINVAL;
	}
	*source = text;
	return 0;
}

static int parse_option(int opt, const char *arg, struct options *o)
{
	switch (opt) {
	case 'p':
		return parse_pid(arg, &o->pid);
	case 'j':
		o->json = true;
		return 0;
	case 'i':
		return parse_seconds(arg, &o->interval);
	case 'n':
		return parse_count(arg, &o->count);
	case 's':
		return parse_source(arg, &o->source);
	}
	return -EINVAL;		/* getopt has said why */
}

/* EXIT_OK with *go_on false: help was asked for. */
static int parse_options(int argc, char **argv, struct options *o, bool *go_on)
{
	bool interval = false;
	int opt;

	*go_on = false;
	while ((opt = getopt(argc, argv, "p:ji:n:s:h")) != -1) {
		if (opt == 'h')
			return usage_of("ps", true);
		if (parse_option(opt, optarg, o))
			return usage_of("ps", false);
		interval |= opt == 'i';
	}
	if (optind < argc) {
		say("what is '%s'? A process is named with -p", argv[optind]);
		return usage_of("ps", false);
	}
	if (!o->count && !interval)
		o->count = 1;
	*go_on = true;
	return EXIT_OK;
}

/* ---- what to look at ----------------------------------------------------------------------- */

static int open_source(struct mreader *r, const char *source)
{
	struct carrier *c;
	char why[128];

	if (!strcmp(source, "process"))
		return 0;
	c = carrier_open(why, sizeof(why));
	if (c)
		return mreader_use_bpf(r, c);
	if (!strcmp(source, "bpf")) {
		say("no BPF (%s); `gmp doctor` says what to do", why);
		return -EPERM;
	}
	say("no BPF (%s): reading the process instead", why);
	return 0;
}

static void explain_permission(pid_t pid, const struct proc_status *st)
{
	if (geteuid())
		say("process %d (%s) of user %u is not yours to look into: run it as root (sudo gmp ps -p %d)",
		    pid, st->comm, st->uid, pid);
	else
		say("process %d (%s) may not be looked into even by root: CAP_SYS_PTRACE is missing here",
		    pid, st->comm);
}

static void explain_version(pid_t pid, const struct proc_status *st)
{
	say("process %d (%s) has a libgmprt of another version: use the gmp command that came with it",
	    pid, st->comm);
}

/* One line: what is wrong, and what to do about it. */
static void explain(pid_t pid, const struct proc_status *st, int err)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		explain_permission(pid, st);
		break;
	case -ENOENT:
		say("process %d (%s) does not use libgmprt: `gmp ps` lists those that do", pid, st->comm);
		break;
	case -EPROTO:
		explain_version(pid, st);
		break;
	case -EAGAIN:
		say("process %d (%s) has libgmprt, but is not inside gmp_run(): try again when it is",
		    pid, st->comm);
		break;
	case -ESRCH:
		say("no process %d: it has ended; `gmp ps` lists those there are", pid);
		break;
	default:
		say("process %d (%s) cannot be read: %s", pid, st->comm, strerror(-err));
	}
}

/* A thread's number is as good as that of its process. */
static int add_one(struct mreader *r, pid_t *pid)
{
	struct proc_status st = { .comm = "?" };
	int err = proc_status(*pid, &st);

	if (!err) {
		*pid = st.tgid;
		err = st.state == 'Z' || st.state == 'X' ? -ESRCH : mreader_add(r, *pid);
	}
	if (err)
		explain(*pid, &st, err);
	return err;
}

static int add_all(struct mreader *r)
{
	int n = mreader_scan(r);

	if (n < 0)
		say("cannot read /proc: %s", strerror(-n));
	return n < 0 ? n : 0;
}

/* ---- the loop ------------------------------------------------------------------------------ */

static void nap(double seconds)
{
	struct timespec ts = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };

	while (nanosleep(&ts, &ts) && errno == EINTR && !stop)
		;
}

static int show(const struct options *o, const struct mreader *r, const struct msample *s,
		const struct msample *before)
{
	if (o->json)
		return ps_print_json(r, s, s->now_ns - before->now_ns);
	if (!r->nprocs)
		say("no process with libgmprt that you may look into%s",
		    geteuid() ? "; root sees those of other users" : "");
	else
		ps_print_table(r, s);
	return 0;
}

/*
 * A process that is killed loses its memory first and becomes a zombie later, on a busy machine much
 * later: one look cannot tell that from a process that publishes nonsense, so look for a while.
 */
static int explain_no_rows(pid_t pid)
{
	struct proc_status st;

	for (int i = 0; i < 100; i++) {
		if (proc_status(pid, &st) || st.state == 'Z' || st.state == 'X') {
			say("process %d has ended", pid);
			return PROCESS_ENDED;
		}
		if (stop)
			return 0;
		nap(0.01);
	}
	say("the Ms of process %d (%s) cannot be read: what it publishes is not true", pid, st.comm);
	return -EPROTO;
}

/* PROCESS_ENDED: there is nothing more to show of the process that was asked for. */
static int one_picture(const struct options *o, struct mreader *r, struct msample *s,
		       struct msample *before)
{
	int err;

	nap(o->interval);
	if (stop)
		return 0;
	if (!o->pid) {
		err = add_all(r);
		if (err)
			return err;
	}
	err = mreader_sample(r, s);
	if (err) {
		say("cannot read: %s", strerror(-err));
		return err;
	}
	if (o->pid && !s->n)
		return explain_no_rows(o->pid);
	if (o->interval > 0)
		msample_compare(s, before);
	return show(o, r, s, before);
}

static int watch(const struct options *o, struct mreader *r)
{
	struct msample sample[2] = { 0 };
	int err = mreader_sample(r, &sample[0]);

	for (long i = 0; !err && !stop && (!o->count || i < o->count); i++) {
		if (i && !o->json)
			putchar('\n');
		err = one_picture(o, r, &sample[~i & 1], &sample[i & 1]);
		fflush(stdout);
		if (ferror(stdout))
			break;
		if (err == PROCESS_ENDED && i) {	/* it was watched for as long as it lived */
			err = 0;
			break;
		}
	}
	msample_free(&sample[0]);
	msample_free(&sample[1]);
	return err;
}

int cmd_ps(int argc, char **argv)
{
	struct options o = { .interval = DEFAULT_INTERVAL, .source = "auto" };
	struct mreader r = { 0 };
	bool go_on;
	int err = parse_options(argc, argv, &o, &go_on);

	if (!go_on)
		return err;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	err = o.pid ? add_one(&r, &o.pid) : add_all(&r);
	if (!err)
		err = open_source(&r, o.source);
	if (!err)
		err = watch(&o, &r);
	mreader_close(&r);
	return err ? EXIT_FAILED : EXIT_OK;
}
