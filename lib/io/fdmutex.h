/* SPDX-License-Identifier: MIT */
/*
 * fdmutex.h - one word that says whether a descriptor lives, who reads, who writes, who uses it.
 *
 *   63            25 24         5  4     3     2     1     0
 *  +----------------+-----------+-----+-----+-----+-----+------+
 *  |  generation    | references|WWAIT|RWAIT|WLOCK|RLOCK| OPEN |
 *  +----------------+-----------+-----+-----+-----+-----+------+
 *
 * A call names the generation it means. Every change is one compare-and-swap of the whole word, so
 * a call with the handle of a connection that is gone cannot touch the one that came after it.
 *
 *   free      not OPEN, no references, the next generation already in place (all zero: generation 0)
 *   open      OPEN; each call in progress holds a reference, a reader RLOCK, a writer WLOCK
 *   closing   not OPEN, references > 0: calls in progress end, no new ones begin
 *
 *   free -> open      rt_fdmutex_open()    the one who took the slot off the free list
 *   open -> closing   rt_fdmutex_close()   once; later calls find it so: -EBADF
 *   closing -> free   rt_fdmutex_retire()  who dropped the last reference (told by `true`)
 */
#ifndef RT_FDMUTEX_H
#define RT_FDMUTEX_H

#include "base/atomic.h"
#include "os/lock.h"

enum rt_io_mode { RT_IO_READ, RT_IO_WRITE };

#define RT_FDMU_GEN_BITS	39
#define RT_FDMU_GEN_SHIFT	25
#define RT_FDMU_GEN_MAX		((1ull << RT_FDMU_GEN_BITS) - 1)

struct rt_fdwait;

struct rt_fdmutex {
	uint64_t state;			/* atomic, MO-N1, MO-N2 */
	struct rt_lock lock;		/* rank FDMUTEX: guards the two lists */
	struct rt_fdwait *tail[2];	/* who waits for RLOCK, WLOCK: FIFO rings, the last one */
};

static inline uint64_t rt_fdmutex_gen(const struct rt_fdmutex *mu)
{
	return rt_load_rlx(&mu->state) >> RT_FDMU_GEN_SHIFT;
}

/* free -> open. What was written before is seen by whoever gets in (MO-N1). Context: any thread. */
void rt_fdmutex_open(struct rt_fdmutex *mu);

/**
 * rt_fdmutex_ref() - keep the descriptor alive for a short call that neither reads nor writes
 * Context: any thread; never parks. Return: 0, -EBADF closed or another generation, -EBUSY a
 * million calls are in progress.
 */
int rt_fdmutex_ref(struct rt_fdmutex *mu, uint64_t gen);

/* Return: true when the descriptor is closed and this was the last: the caller destroys it. */
bool rt_fdmutex_unref(struct rt_fdmutex *mu);

/**
 * rt_fdmutex_lock() - become the one reader or the one writer, with a reference
 * FIFO: the lock is handed over, nobody overtakes. Context: a goroutine parks while another one
 * holds it; no runtime lock held.
 * Return: 0, -EBADF, -EBUSY as above, -ECANCELED closed while waiting, -EWOULDBLOCK cannot park.
 */
int rt_fdmutex_lock(struct rt_fdmutex *mu, uint64_t gen, enum rt_io_mode mode);

/* Return: as rt_fdmutex_unref(). Context: any thread; takes lock, then rank SCHED inside rt_ready(). */
bool rt_fdmutex_unlock(struct rt_fdmutex *mu, enum rt_io_mode mode);

/**
 * rt_fdmutex_close() - open -> closing, with a reference for the caller
 * Those who wait for a lock get -ECANCELED; those who hold one are told by rt_netpoll_evict().
 * Context: any thread; never parks. Return: 0, -EBADF, -EBUSY.
 */
int rt_fdmutex_close(struct rt_fdmutex *mu, uint64_t gen);

/* closing -> free, in the next generation. Return: false when there is none left: do not reuse. */
bool rt_fdmutex_retire(struct rt_fdmutex *mu);

/**
 * rt_fdmutex_reset() - forget the calls of goroutines that no longer exist (end of gmp_run())
 * Return: true when a close was in progress: the caller destroys the descriptor.
 */
bool rt_fdmutex_reset(struct rt_fdmutex *mu);

#endif
