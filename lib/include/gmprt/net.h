/* SPDX-License-Identifier: MIT */
/*
 * net.h - descriptors that park the goroutine, never the thread: TCP, and whatever can be polled.
 *
 * A `struct gmp_fd *` is a handle, not an address: nothing can be read through it, and it may be kept
 * for ever. A call in progress keeps the descriptor alive. After gmp_close() every call on the handle,
 * a second gmp_close() too, returns -EBADF - also when the same number or memory serves another
 * connection by then - and NULL does likewise. Calls that were waiting when it was closed return
 * -ECANCELED.
 *
 * Results are 0 or positive, or a negative errno; errno itself is not touched. Beside those named at a
 * call, each returns what the kernel says of it (-ECONNRESET, -EFAULT, ...). No call ends with -EINTR
 * or raises SIGPIPE. -EBUSY: a million calls are in progress on one descriptor.
 *
 * "Parks" = the goroutine may wait while others run on its thread. Outside of a goroutine all of this
 * works too, but what would park returns -EWOULDBLOCK.
 *
 * Descriptors outlive gmp_run(): they stay open until gmp_close(), and may be used in the next one.
 * The goroutines of a run that ended are gone, and with them their calls in progress and all
 * deadlines. No other thread may be inside one of these calls while gmp_run() ends.
 * Not for signal handlers (proc.h): there what may park is fatal even if it need not wait.
 */
#ifndef GMPRT_NET_H
#define GMPRT_NET_H

#include <sys/socket.h>		/* SHUT_RD, SHUT_WR, SHUT_RDWR */
#include <sys/types.h>
#include <sys/uio.h>

#include "base.h"

GMP_BEGIN_DECLS

struct gmp_fd;
struct gmp_ctx;

/* ---- connections ------------------------------------------------------------------------- */

/**
 * gmp_listen() - a socket that accepts connections
 * @net: "tcp"
 * @addr: "127.0.0.1:8080", "[::1]:8080", "[fe80::1%eth0]:8080"; ":8080" or "[::]:8080" for all addresses
 *        of both families (of IPv4 alone where there is no IPv6). Numbers, no names. Port 0: the kernel
 *        picks one, see gmp_local_addr()
 * @out: the handle
 *
 * SO_REUSEADDR is set. Connections get TCP_NODELAY and keep-alive probes, as Go's do.
 * Context: any thread; never parks. Return: 0; -EINVAL NULL, or not an address; -EPROTONOSUPPORT @net;
 * -ENODEV no such zone; -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -EMFILE, -ENFILE, -ENOMEM.
 * Since: 0.1
 */
int gmp_listen(const char *net, const char *addr, struct gmp_fd **out);

/**
 * gmp_accept() - the next connection
 * @fd: from gmp_listen()
 * @out: the connection
 *
 * Connections that failed before they could be taken are passed over. Several goroutines may wait;
 * they are served in order.
 * Context: parks. Return: 0; -EBADF; -ECANCELED closed meanwhile; -ETIMEDOUT read deadline; -EMFILE,
 * -ENFILE, -ENOBUFS: the connection waits in the kernel, try later; -ENOMEM, -ENOSPC (epoll's limit):
 * it was closed; -EINVAL NULL, or not listening; -EWOULDBLOCK.
 * Since: 0.1
 */
int gmp_accept(struct gmp_fd *fd, struct gmp_fd **out);

/**
 * gmp_dial() - connect
 * @ctx: when it ends before the connection stands, the attempt does; NULL = no limit but the kernel's
 * @net: "tcp"
 * @addr: as in gmp_listen(); without a host, or [::]: this host
 * @out: the connection
 *
 * The context has no say once gmp_dial() has returned.
 * Context: parks. Return: 0; -EINVAL, -EPROTONOSUPPORT, -ENODEV as in gmp_listen(); -ECANCELED,
 * -ETIMEDOUT as gmp_ctx_err(); -ECONNREFUSED, -ENETUNREACH, -EHOSTUNREACH, -ETIMEDOUT as the network
 * answers; -EMFILE, -ENFILE, -ENOMEM; -EWOULDBLOCK.
 * Since: 0.1
 */
int gmp_dial(struct gmp_ctx *ctx, const char *net, const char *addr, struct gmp_fd **out);

/**
 * gmp_local_addr() - the own end as text; gmp_peer_addr() - the other end
 * @buf: gets "host:port" or "[host]:port" and a NUL
 * @n: its size; 64 bytes always suffice but for named zones (80)
 *
 * Context: any thread; never parks. Return: the length without the NUL; -EBADF; -ENOSPC; -ENOTCONN no
 * peer (any more); -ENOTSOCK; -EAFNOSUPPORT neither IPv4 nor IPv6.
 * Since: 0.1
 */
int gmp_local_addr(struct gmp_fd *fd, char *buf, size_t n);
int gmp_peer_addr(struct gmp_fd *fd, char *buf, size_t n);

/* ---- bytes ------------------------------------------------------------------------------- */

/**
 * gmp_read() - what is there, at least a byte
 *
 * One reader at a time; others wait in order.
 * Context: parks. Return: number of bytes, at most @n; 0 the other side has ended (or @n is 0); -EBADF;
 * -ECANCELED closed meanwhile; -ETIMEDOUT read deadline; -ECONNRESET; -EWOULDBLOCK; -EFAULT or -EINVAL
 * the kernel takes no such @buf or @n (gmp_write() likewise).
 * Since: 0.1
 */
ssize_t gmp_read(struct gmp_fd *fd, void *buf, size_t n);

/**
 * gmp_write() - all of it, in one piece against other writers
 *
 * One writer at a time from first to last byte; others wait in order.
 * Context: parks. Return: @n; or an error, and then some of it may have been written: gmp_write_n()
 * tells how much. -EBADF; -ECANCELED closed meanwhile; -ETIMEDOUT write deadline; -EPIPE, -ECONNRESET
 * the other side is gone; -EWOULDBLOCK.
 * Since: 0.1
 */
ssize_t gmp_write(struct gmp_fd *fd, const void *buf, size_t n);

/**
 * gmp_write_n() - as gmp_write()
 * @done: bytes written, set in every case; may be NULL
 *
 * Since: 0.1
 */
ssize_t gmp_write_n(struct gmp_fd *fd, const void *buf, size_t n, size_t *done);

/**
 * gmp_readv() - as gmp_read() into several buffers; gmp_writev() - as gmp_write() from several
 * @cnt: 0 to IOV_MAX (1024), else -EINVAL
 *
 * gmp_writev() returns the sum of the lengths.
 * Context: parks.
 * Since: 0.1
 */
ssize_t gmp_readv(struct gmp_fd *fd, const struct iovec *iov, int cnt);
ssize_t gmp_writev(struct gmp_fd *fd, const struct iovec *iov, int cnt);

/* ---- deadlines --------------------------------------------------------------------------- */

/**
 * gmp_set_deadline() - when waiting ends; gmp_set_read_deadline(), gmp_set_write_deadline() - for one side
 * @when: absolute, of the clock of gmp_now(); 0 = none
 *
 * Holds for calls that wait already and for all later ones, until it is set again. With a deadline in
 * the past every read or accept (write) returns -ETIMEDOUT, even if it need not have waited. After a
 * timeout the descriptor is as good as before; set a new deadline and go on.
 * Cheap: moving a deadline further into the future, as a server does with each request, takes no
 * timer operation.
 * Context: any thread; never parks. Return: 0; -EBADF; -ESRCH a deadline in the future while gmp_run()
 * does not run.
 * Since: 0.1
 */
int gmp_set_deadline(struct gmp_fd *fd, uint64_t when);
int gmp_set_read_deadline(struct gmp_fd *fd, uint64_t when);
int gmp_set_write_deadline(struct gmp_fd *fd, uint64_t when);

/* ---- ends -------------------------------------------------------------------------------- */

/**
 * gmp_shutdown() - end one direction of a connection, or both
 * @how: SHUT_RD, SHUT_WR (the other side reads to the end, then 0), SHUT_RDWR
 *
 * Calls that wait are not cancelled; they see what the kernel says (a reader: 0).
 * Context: any thread; never parks. Return: 0; -EBADF; -ENOTCONN; -EINVAL; -ENOTSOCK.
 * Since: 0.1
 */
int gmp_shutdown(struct gmp_fd *fd, int how);

/**
 * gmp_close() - end it
 *
 * Who waits in a call returns -ECANCELED; the kernel's descriptor is closed when the last call in
 * progress has returned. The handle stays valid in the sense that every call on it gives -EBADF.
 * Context: any thread; never parks. Return: 0; -EBADF closed already.
 * Since: 0.1
 */
int gmp_close(struct gmp_fd *fd);

/* ---- other descriptors ------------------------------------------------------------------- */

/**
 * gmp_fd_adopt() - a handle for a descriptor of the kernel's that can be polled
 * @num: socket, pipe, eventfd, timerfd, signalfd, terminal, ...; of any state
 * @out: the handle
 *
 * From now on it belongs to the handle: gmp_close() closes it. O_NONBLOCK is set, which everyone sees
 * who shares the open file (as with a terminal). Adopt a descriptor once.
 * Context: any thread; never parks. Return: 0; or an error and it is still yours, unchanged: -EBADF;
 * -EINVAL @out is NULL; -EPERM cannot be polled (plain files, directories); -EEXIST adopted already;
 * -ENOMEM, -ENOSPC.
 * Since: 0.1
 */
int gmp_fd_adopt(int num, struct gmp_fd **out);

/**
 * gmp_fd_num() - the kernel's number, for setsockopt() and the like
 *
 * Valid until gmp_close(). Do not close it, do not make it block.
 * Context: any thread; never parks. Return: the number; -EBADF.
 * Since: 0.1
 */
int gmp_fd_num(struct gmp_fd *fd);

GMP_END_DECLS

#endif
