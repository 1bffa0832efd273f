/* SPDX-License-Identifier: MIT */
/*
 * rwmutex.c - gmp_rwmutex.
 *
 * Owns:       the fields of struct gmp_rwmutex. Not here: the mutex among writers (mutex.c), the
 *             queues (sema.c: reader_sem, writer_sem).
 * Invariants: `readers` counts the readers that have it or wait, less MAX while a writer has it or
 *             waits: negative means a writer, and newcomers wait for reader_sem.
 *             `leaving` counts the readers that a waiting writer still waits for; it may be below 0
 *             for a moment, when readers leave before the writer has counted them.
 *             Each waiting reader is given exactly one token of reader_sem, by the next unlock.
 * Locks:      w among writers; the buckets' (rank WAITQ).
 * Ordering:   MO-S5 readers += 1 in rlock (acquire), pairs with MO-S6 in unlock: a reader sees what
 *             writers wrote. MO-S7 readers -= 1 and leaving -= 1 in runlock (release), pair with
 *             MO-S8 in lock: a writer sees that readers are through. Those that park: MO-S0.
 *
 * Go's algorithm, with one change: unlock lets the next writer in before it wakes the readers, so
 * that its last step uses the address of the object as a number only. The next writer counts those
 * readers (they are in `readers`) and waits for them in any case.
 */
#include <errno.h>
#include <gmprt/sync.h>

#include "sched/sched.h"
#include "sync/sema.h"

#define MAX_READERS	(1 << 30)

static inline void check(const struct gmp_rwmutex *rw, const char *text)
{
	if (unlikely(!rw))
		rt_throw(text);
}

RT_PUBLIC void gmp_rwmutex_rlock(struct gmp_rwmutex *rw)
{
	check(rw, "gmp_rwmutex_rlock: NULL rwmutex");
	/* MO-S5: acquire; pairs with MO-S6 in gmp_rwmutex_unlock(). */
	if (likely(rt_add_ar(&rw->readers, 1) >= 0))
		return;
	rt_must_park("gmp_rwmutex_rlock");	/* before any count says that somebody waits */
	rt_semacquire(&rw->reader_sem, false, GMP_WAIT_RWMUTEX_R);
}

RT_PUBLIC int gmp_rwmutex_tryrlock(struct gmp_rwmutex *rw)
{
	int32_t r;

	check(rw, "gmp_rwmutex_tryrlock: NULL rwmutex");
	do {
		r = rt_load_rlx(&rw->readers);
		if (r < 0)
			return -EBUSY;
	} while (!rt_cas_acq(&rw->readers, r, r + 1));	/* MO-S5: pairs with MO-S6 */
	return 0;
}

/* A writer waits, says @r, the count after we left. The last one it waits for lets it go. */
static rt_noinline void runlock_slow(struct gmp_rwmutex *rw, int32_t r)
{
	if (r + 1 == 0 || r + 1 == -MAX_READERS)
		rt_throw("sync: runlock of unlocked rwmutex");
	/* MO-S7: release; pairs with MO-S8 in gmp_rwmutex_lock(). */
	if (rt_sub_ar(&rw->leaving, 1) == 0)
		rt_semrelease(&rw->writer_sem, false);
}

RT_PUBLIC void gmp_rwmutex_runlock(struct gmp_rwmutex *rw)
{
	int32_t r;

	check(rw, "gmp_rwmutex_runlock: NULL rwmutex");
	r = rt_sub_ar(&rw->readers, 1);	/* MO-S7: release; pairs with MO-S8 */
	if (unlikely(r < 0))
		runlock_slow(rw, r);
}

RT_PUBLIC void gmp_rwmutex_lock(struct gmp_rwmutex *rw)
{
	static const char call[] = "gmp_rwmutex_lock";
	int32_t r;

	check(rw, "gmp_rwmutex_lock: NULL rwmutex");
	rt_mutex_lock(&rw->w, GMP_WAIT_RWMUTEX_W, call);
	/* From here newcomers wait. MO-S8: acquire; pairs with MO-S7 in gmp_rwmutex_runlock(). */
	r = rt_sub_ar(&rw->readers, MAX_READERS) + MAX_READERS;
	if (r == 0)
		return;
	rt_must_park(call);
	if (rt_add_ar(&rw->leaving, r) != 0)	/* MO-S8: 0: all have left meanwhile */
		rt_semacquire(&rw->writer_sem, false, GMP_WAIT_RWMUTEX_W);
}

RT_PUBLIC int gmp_rwmutex_trylock(struct gmp_rwmutex *rw)
{
	check(rw, "gmp_rwmutex_trylock: NULL rwmutex");
	if (gmp_mutex_trylock(&rw->w))
		return -EBUSY;
	if (rt_cas_acq(&rw->readers, 0, -MAX_READERS))	/* MO-S8: pairs with MO-S7 */
		return 0;
	gmp_mutex_unlock(&rw->w);
	return -EBUSY;
}

RT_PUBLIC void gmp_rwmutex_unlock(struct gmp_rwmutex *rw)
{
	int32_t r;

	check(rw, "gmp_rwmutex_unlock: NULL rwmutex");
	/* From here newcomers may read. MO-S6: release; pairs with MO-S5 in gmp_rwmutex_rlock(). */
	r = rt_add_ar(&rw->readers, MAX_READERS);
	if (unlikely(r >= MAX_READERS))
		rt_throw("sync: unlock of unlocked rwmutex");
	gmp_mutex_unlock(&rw->w);
	for (; r > 0; r--)	/* those that wait keep *rw alive until they have their token */
		rt_semrelease(&rw->reader_sem, false);
}
