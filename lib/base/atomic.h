/* SPDX-License-Identifier: MIT */
/*
 * atomic.h - the only file that names a memory order.
 *
 * The order is part of each operation's name. Every acquire and release in the library says
 * "MO-n: pairs with f()"; Documentation/memory-model.rst has a row for each n.
 *
 *   _rlx  relaxed: no tearing, no order            _acq  acquire: later accesses stay later
 *   _rel  release: earlier accesses stay earlier   _ar   both
 *
 * They work on plain objects, so that public structures stay plain C and C++.
 */
#ifndef RT_ATOMIC_H
#define RT_ATOMIC_H

#include "base/compiler.h"

#define rt_load_rlx(p)		__atomic_load_n((p), __ATOMIC_RELAXED)
#define rt_load_acq(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define rt_store_rlx(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define rt_store_rel(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define rt_xchg_acq(p, v)	__atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define rt_xchg_ar(p, v)	__atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define rt_add_rlx(p, v)	__atomic_add_fetch((p), (v), __ATOMIC_RELAXED)
#define rt_add_ar(p, v)		__atomic_add_fetch((p), (v), __ATOMIC_ACQ_REL)
#define rt_sub_ar(p, v)		__atomic_sub_fetch((p), (v), __ATOMIC_ACQ_REL)
#define rt_or_ar(p, v)		__atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)
#define rt_and_ar(p, v)		__atomic_fetch_and((p), (v), __ATOMIC_ACQ_REL)

/* Compare and exchange: true when *p was `old` and is now `new`. Strong; on failure acquire. */
#define rt_cas_ar(p, old, new) \
	({ \
		__typeof__(*(p)) rt_old_ = (old); \
		__atomic_compare_exchange_n((p), &rt_old_, (new), false, __ATOMIC_ACQ_REL, \
					    __ATOMIC_ACQUIRE); \
	})
#define rt_cas_acq(p, old, new) \
	({ \
		__typeof__(*(p)) rt_old_ = (old); \
		__atomic_compare_exchange_n((p), &rt_old_, (new), false, __ATOMIC_ACQUIRE, \
					    __ATOMIC_RELAXED); \
	})

/*
 * A counter only its owner writes and anyone reads: no locked instruction, no tearing.
 * Two writers would lose counts; the owner is named at the field.
 */
#define rt_own_add(p, v)	rt_store_rlx((p), rt_load_rlx(p) + (v))

/* Full fence, StoreLoad included. ThreadSanitizer has no model of fences; see sanitize.h. */
static inline void rt_smp_mb(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
