/* SPDX-License-Identifier: MIT */
/*
 * fdtable.c - slots for descriptors (fdtable.h explains handles).
 *
 * Owns:       the chunks, the free list.       Not here: what a slot means (netfd.c).
 * Invariants: a slot is never unmapped nor used for anything else; a slot on the free list is not
 *             OPEN, has no references and already carries the generation it will be opened in.
 * Locks:      free_lock (rank FDTABLE): free list and number of slots.
 * Ordering:   MO-N7 chunk pointers.   Last in, first out: the slot that is warm is used again.
 */
#include "io/fdtable.h"

#include <sys/mman.h>

#include "io/netfd.h"
#include "os/futex.h"

struct rt_netfd *rt_fdtable_chunks[RT_FD_CHUNKS];

static struct rt_lock free_lock = RT_LOCK_INIT(FDTABLE);
static struct rt_netfd *free_list;	/* free_lock */
static uint32_t nslots;			/* ever handed out; free_lock; atomic for readers */

/* Makes room for the slot with number @nslots. free_lock held. */
static struct rt_netfd *add_chunk(uint32_t chunk)
{
	long mem;

	if (chunk >= RT_FD_CHUNKS)
		return NULL;
	mem = rt_syscall6(SYS_mmap, 0, RT_FD_CHUNK * sizeof(struct rt_netfd), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem < 0)
		return NULL;
	/* MO-N7: release pairs with the acquire in rt_fdtable_slot(). */
	rt_store_rel(&rt_fdtable_chunks[chunk], (struct rt_netfd *)mem);
	return (struct rt_netfd *)mem;
}

/* A slot nobody had before, in generation 1. free_lock held. */
static struct rt_netfd *new_slot(void)
{
	uint32_t index = nslots;
	struct rt_netfd *chunk = rt_load_rlx(&rt_fdtable_chunks[index >> RT_FD_CHUNK_BITS]);
	struct rt_netfd *f;

	if (!chunk)
		chunk = add_chunk(index >> RT_FD_CHUNK_BITS);
	if (!chunk)
		return NULL;
	f = chunk + (index & (RT_FD_CHUNK - 1));
	f->index = index;
	if (!rt_fdmutex_retire(&f->mu))
		rt_throw("fdtable: generation of a new slot");
	rt_store_rlx(&nslots, index + 1);
	return f;
}

struct rt_netfd *rt_fdtable_get(void)
{
	struct rt_netfd *f;

	rt_lock(&free_lock);
	f = free_list;
	if (f)
		free_list = f->link;
	else
		f = new_slot();
	rt_unlock(&free_lock);
	if (f)
		rt_netpoll_reset(&f->pd);
	return f;
}

void rt_fdtable_put(struct rt_netfd *f)
{
	if (!rt_fdmutex_retire(&f->mu))
		return;		/* its generations are used up */
	rt_lock(&free_lock);
	f->link = free_list;
	free_list = f;
	rt_unlock(&free_lock);
}

void rt_fdtable_forget(void)
{
	for (uint32_t i = 0; i < rt_load_rlx(&nslots); i++) {
		struct rt_netfd *f = rt_fdtable_slot(RT_FD_HANDLE | i);

		rt_netpoll_forget(&f->pd);
		if (rt_fdmutex_reset(&f->mu))
			rt_netfd_destroy(f);
	}
	rt_netpoll_forget_waiters();
}
