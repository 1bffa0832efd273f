/* SPDX-License-Identifier: MIT */
#ifndef GMP_CMD_H
#define GMP_CMD_H

#include <stdbool.h>
#include <sys/types.h>

/* Exit codes of every verb. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/*
 * A verb: gets its name as argv[0], uses getopt. It prints its usage with usage_of() and ends
 * itself by returning an exit code, never by exit().
 */
int cmd_ps(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

int usage_of(const char *verb, bool asked_for);
int parse_pid(const char *text, pid_t *pid);
int parse_seconds(const char *text, double *seconds);
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
