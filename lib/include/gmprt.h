/* SPDX-License-Identifier: MIT */
/* gmprt.h - all of libgmprt: Go's goroutines for C. Link with -lgmprt (pkg-config gmprt). */
#ifndef GMPRT_H
#define GMPRT_H

#include "gmprt/errno.h"
#include "gmprt/proc.h"
#include "gmprt/chan.h"
#include "gmprt/sync.h"
#include "gmprt/time.h"
#include "gmprt/context.h"
#include "gmprt/net.h"
#include "gmprt/debug.h"

#endif
