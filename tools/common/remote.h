/* SPDX-License-Identifier: MIT */
#ifndef COMMON_REMOTE_H
#define COMMON_REMOTE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int remote_read(pid_t pid, uint64_t addr, void *buf, size_t len);

#endif
