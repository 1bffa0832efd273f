/* SPDX-License-Identifier: MIT */
/*
 * netfd.c - life of a descriptor: begin and end of every call, adopt, close, deadlines, shutdown.
 *
 * Owns:       struct rt_netfd from install to destroy.
 *             Not here: bytes (rw.c), connections (listen.c), the slots themselves (fdtable.c).
 * Invariants: f->fd is valid while anyone holds a reference; it is closed in the kernel by whoever
 *             drops the last one after gmp_close(), never under a call in progress.
 * Locks:      none of its own.
 * Ordering:   MO-N1 (open publishes fd and kind), MO-N2 (destroy comes after every call).
 *
 *   gmp_close()                          a call in progress
 *   1 word: not OPEN, +1 reference       holds a reference since before 1
 *   2 wakes who waits for a lock         -> -ECANCELED
 *   3 evict: wakes who waits for I/O     -> -ECANCELED; who comes to wait later: the same
 *   4 drops its reference                drops its own
 *                  whoever drops the last one closes the kernel's descriptor
 */
#include "io/netfd.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "sched/sched.h"

/* ---- life -------------------------------------------------------------------------------- */

int rt_netfd_install(int fd, enum rt_fd_kind kind, struct gmp_fd **out)
{
	int err = rt_netpoll_init();
	struct rt_netfd *f;
	uint64_t handle;

	if (err)
		return err;
	f = rt_fdtable_get();
	if (!f)
		return -ENOMEM;
	f->fd = fd;
	f->kind = (uint8_t)kind;
	rt_store_rlx(&f->shared, 0);
	handle = rt_netfd_handle(f);
	err = rt_netpoll_add(fd, handle);
	if (err) {
		rt_fdtable_put(f);
		return err;
	}
	rt_fdmutex_open(&f->mu);	/* MO-N1 */
	*out = (struct gmp_fd *)(uintptr_t)handle;
	return 0;
}

void rt_netfd_destroy(struct rt_netfd *f)
{
	int fd = f->fd;

	/* The kernel forgets what is closed, unless a duplicate keeps it open. */
	if (rt_load_rlx(&f->shared))
		rt_netpoll_del(fd);
	rt_fdtable_put(f);
	rt_san_close(fd);
	rt_syscall6(SYS_close, fd, 0, 0, 0, 0, 0);	/* EINTR: closed all the same */
}

int rt_netfd_ref(struct gmp_fd *fd, struct rt_netfd **f)
{
	uint64_t h = (uintptr_t)fd;

	*f = rt_fdtable_slot(h);
	return likely(*f) ? rt_fdmutex_ref(&(*f)->mu, rt_handle_gen(h)) : -EBADF;
}

void rt_netfd_unref(struct rt_netfd *f)
{
	if (unlikely(rt_fdmutex_unref(&f->mu)))
		rt_netfd_destroy(f);
}

int rt_netfd_begin(struct gmp_fd *fd, enum rt_io_mode mode, struct rt_netfd **f)
{
	uint64_t h = (uintptr_t)fd;
	int err;

	*f = rt_fdtable_slot(h);
	if (unlikely(!*f))
		return -EBADF;
	err = rt_fdmutex_lock(&(*f)->mu, rt_handle_gen(h), mode);
	if (unlikely(err))
		return err;
	err = rt_netpoll_check(&(*f)->pd, mode);
	if (unlikely(err))
		rt_netfd_end(*f, mode);
	return err;
}

void rt_netfd_end(struct rt_netfd *f, enum rt_io_mode mode)
{
	if (unlikely(rt_fdmutex_unlock(&f->mu, mode)))
		rt_netfd_destroy(f);
}

int rt_netfd_wait(struct rt_netfd *f, enum rt_io_mode mode)
{
	if (mode == RT_IO_WRITE && !f->pd.out_armed) {
		int err = rt_netpoll_arm_out(f->fd, rt_netfd_handle(f));

		if (err)
			return err;
		f->pd.out_armed = 1;
	}
	return rt_netpoll_wait(&f->pd, mode);
}

/* ---- close, shutdown, deadlines ---------------------------------------------------------- */

RT_PUBLIC int gmp_close(struct gmp_fd *fd)
{
	uint64_t h = (uintptr_t)fd;
	struct rt_netfd *f = rt_fdtable_slot(h);
	int err;

	if (!f)
		return -EBADF;
	err = rt_fdmutex_close(&f->mu, rt_handle_gen(h));
	if (err)
		return err;
	rt_netpoll_evict(&f->pd);
	rt_netfd_unref(f);
	return 0;
}

RT_PUBLIC int gmp_shutdown(struct gmp_fd *fd, int how)
{
	struct rt_netfd *f;
	int err = rt_netfd_ref(fd, &f);

	if (err)
		return err;
	err = (int)rt_syscall6(SYS_shutdown, f->fd, how, 0, 0, 0, 0);
	rt_netfd_unref(f);
	return err;
}

static int set_deadline(struct gmp_fd *fd, unsigned int modes, uint64_t when)
{
	struct rt_netfd *f;
	int err = rt_netfd_ref(fd, &f);

	if (err)
		return err;
	err = rt_netpoll_set_deadline(&f->pd, modes, when);
	rt_netfd_unref(f);
	return err == -ECANCELED ? -EBADF : err;	/* closed a moment ago */
}

RT_PUBLIC int gmp_set_deadline(struct gmp_fd *fd, uint64_t when)
{
	return set_deadline(fd, RT_POLL_READ | RT_POLL_WRITE, when);
}

RT_PUBLIC int gmp_set_read_deadline(struct gmp_fd *fd, uint64_t when)
{
	return set_deadline(fd, RT_POLL_READ, when);
}

RT_PUBLIC int gmp_set_write_deadline(struct gmp_fd *fd, uint64_t when)
{
	return set_deadline(fd, RT_POLL_WRITE, when);
}

/* ---- descriptors of the kernel ----------------------------------------------------------- */

static int kind_of(int num)
{
	struct stat st;
	long err = rt_syscall6(SYS_fstat, num, (long)&st, 0, 0, 0, 0);

	if (err)
		return (int)err;
	if (S_ISSOCK(st.st_mode))
		return RT_FD_SOCKET;
	return S_ISFIFO(st.st_mode) ? RT_FD_PIPE : RT_FD_OTHER;
}

RT_PUBLIC int gmp_fd_adopt(int num, struct gmp_fd **out)
{
	int kind = out ? kind_of(num) : -EINVAL;
	long flags, err;

	if (kind < 0)
		return kind;
	flags = rt_syscall6(SYS_fcntl, num, F_GETFL, 0, 0, 0, 0);
	if (flags < 0)
		return (int)flags;
	err = rt_syscall6(SYS_fcntl, num, F_SETFL, flags | O_NONBLOCK, 0, 0, 0);
	if (err)
		return (int)err;
	err = rt_netfd_install(num, (enum rt_fd_kind)kind, out);
	if (err) {
		rt_syscall6(SYS_fcntl, num, F_SETFL, flags, 0, 0, 0);
		return (int)err;
	}
	rt_store_rlx(&rt_fdtable_slot((uintptr_t)*out)->shared, 1);
	return 0;
}

RT_PUBLIC int gmp_fd_num(struct gmp_fd *fd)
{
	struct rt_netfd *f;
	int num = rt_netfd_ref(fd, &f);

	if (num)
		return num;
	num = f->fd;
	rt_store_rlx(&f->shared, 1);
	rt_netfd_unref(f);
	return num;
}
