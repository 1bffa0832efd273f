/* SPDX-License-Identifier: MIT */
#ifndef COMMON_CARRIER_H
#define COMMON_CARRIER_H

#include <stddef.h>
#include <sys/types.h>

#include "bpf/carrier.h"

struct carrier;

typedef int (*carrier_fn)(const struct carrier_row *row, void *arg);

struct carrier *carrier_open(char *why, size_t len);
void carrier_close(struct carrier *c);
int carrier_watch(struct carrier *c, pid_t pid, int64_t tls_off);
void carrier_unwatch(struct carrier *c, pid_t pid);
int carrier_read(struct carrier *c, carrier_fn fn, void *arg);
struct carrier_lost carrier_losses(const struct carrier *c);

#endif
