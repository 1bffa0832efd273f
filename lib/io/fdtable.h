/* SPDX-License-Identifier: MIT */
/*
 * fdtable.h - descriptors and the handles that name them.
 *
 * A `struct gmp_fd *` is no address. It is a number that the library looks up:
 *
 *    63   62                          24 23                 0
 *   +---+-------------------------------+--------------------+
 *   | 1 |  generation, 39 bits          |  index, 24 bits    |
 *   +---+-------------------------------+--------------------+
 *
 * The index names a slot that is never unmapped; the generation is the slot's, plus one for each
 * descriptor that lived there. So a handle kept after gmp_close() is refused for ever: it cannot hit
 * the connection that took the slot, nor freed memory. A slot whose generations run out (5 * 10^11
 * descriptors) is left unused. Bit 63 makes a handle that is dereferenced by mistake fault at once,
 * and tells it from NULL and from any pointer.
 *
 * Rejected: a pointer to a counted object, freed after a grace period (liburcu): the caller may keep
 * his pointer past any grace period, and what is promised of it is -EBADF, not a crash.
 */
#ifndef RT_FDTABLE_H
#define RT_FDTABLE_H

#include "io/fdmutex.h"
#include "io/netpoll.h"

struct gmp_fd;

#define RT_FD_CHUNK_BITS	12
#define RT_FD_INDEX_BITS	24
#define RT_FD_CHUNK		(1u << RT_FD_CHUNK_BITS)	/* slots in a chunk */
#define RT_FD_CHUNKS		(1u << (RT_FD_INDEX_BITS - RT_FD_CHUNK_BITS))
#define RT_FD_HANDLE		(1ull << 63)

/* TCP: made by this library; SOCKET: any that was adopted. */
enum rt_fd_kind { RT_FD_TCP, RT_FD_SOCKET, RT_FD_PIPE, RT_FD_OTHER };

struct rt_netfd {
	struct rt_fdmutex mu;
	int fd;				/* const while open (MO-N1) */
	uint8_t kind;			/* enum rt_fd_kind; likewise */
	uint8_t shared;			/* others may hold duplicates of fd; atomic, only ever set */
	struct rt_polldesc pd;
	struct rt_netfd *link;		/* free list; guarded by its lock */
	uint32_t index;			/* const */
} rt_aligned(64);

rt_static_assert(sizeof(struct rt_netfd) == 192, "three lines; reading and writing touch the first");

extern struct rt_netfd *rt_fdtable_chunks[RT_FD_CHUNKS];	/* each set once; atomic, MO-N7 */

static inline uint64_t rt_handle_gen(uint64_t h)
{
	return (h & ~RT_FD_HANDLE) >> RT_FD_INDEX_BITS;
}

/* The slot a handle names, of whatever generation; NULL when it can be no handle. Any thread. */
static inline struct rt_netfd *rt_fdtable_slot(uint64_t h)
{
	struct rt_netfd *chunk;

	if (unlikely(!(h & RT_FD_HANDLE)))
		return NULL;
	/* MO-N7: acquire pairs with the release in add_chunk(). */
	chunk = rt_load_acq(&rt_fdtable_chunks[(h >> RT_FD_CHUNK_BITS) & (RT_FD_CHUNKS - 1)]);
	return likely(chunk) ? chunk + (h & (RT_FD_CHUNK - 1)) : NULL;
}

/* As above, or NULL when that generation is gone; it may go at any moment. For hints only. */
static inline struct rt_netfd *rt_fdtable_peek(uint64_t h)
{
	struct rt_netfd *f = rt_fdtable_slot(h);

	return f && rt_fdmutex_gen(&f->mu) == rt_handle_gen(h) ? f : NULL;
}

static inline uint64_t rt_netfd_handle(const struct rt_netfd *f)
{
	return RT_FD_HANDLE | rt_fdmutex_gen(&f->mu) << RT_FD_INDEX_BITS | f->index;
}

/* A free slot, poll descriptor reset, not open yet; NULL: no memory. Any thread. */
struct rt_netfd *rt_fdtable_get(void);
/* Back, in the next generation. It is closed and nobody holds a reference. Any thread. */
void rt_fdtable_put(struct rt_netfd *f);
/* End of gmp_run(): descriptors stay open, the calls of goroutines that were in them are forgotten. */
void rt_fdtable_forget(void);

#endif
