/* SPDX-License-Identifier: MIT */
/*
 * gmprt/chan.h - channels and select. Since 0.1.
 *
 * A channel carries elements of one size, first in first out; those who wait, to send or to receive,
 * are served first come first served. With capacity 0 a send and a receive meet. NULL is the nil
 * channel: never ready.
 *
 * What happens before what: a send before the end of the receive that gets the element; the k-th
 * receive before the end of the (k + capacity)-th send; a close before a receive that answers 0.
 *
 * Channels are counted. A call needs its caller's reference until it returns, parked or not. Elements
 * are copied as bytes.
 *
 * On a thread that is not in a goroutine everything that need not wait works; what would have to wait
 * answers -EWOULDBLOCK.
 *
 * Not for signal handlers (proc.h): fatal when it would have to wait, else it may wait for a lock that the
 * handler has interrupted.
 */
#ifndef GMPRT_CHAN_H
#define GMPRT_CHAN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gmp_chan;

/**
 * gmp_chan_make() - a channel, with one reference
 * @elem_size: bytes of an element; 0 is allowed
 * @cap: elements it holds for those who have not received yet
 *
 * Context: any thread, any time; does not park.
 * Return: NULL when out of memory, or when elem_size * cap is more than half the address space.
 * Since: 0.1
 */
struct gmp_chan *gmp_chan_make(size_t elem_size, size_t cap);

/**
 * gmp_chan_ref() - one more reference
 * Context: any thread; does not park. Return: @c (NULL for NULL).
 * Since: 0.1
 */
struct gmp_chan *gmp_chan_ref(struct gmp_chan *c);

/**
 * gmp_chan_unref() - drop a reference; with the last one the channel and what is queued in it go
 * Context: any thread; does not park. NULL is ignored. Fatal when there was none left.
 * Since: 0.1
 */
void gmp_chan_unref(struct gmp_chan *c);

/**
 * gmp_chan_send() - send a copy of *@elem
 * @elem: may be NULL when the element size is 0
 *
 * Context: parks until there is room or a receiver. @c NULL parks for ever.
 * Return: 0; -EPIPE closed, also while it waited; -EINVAL no element; -EWOULDBLOCK it would have to
 * park and this is no goroutine.
 * Since: 0.1
 */
int gmp_chan_send(struct gmp_chan *c, const void *elem);

/**
 * gmp_chan_recv() - receive into *@elem
 * @elem: NULL: the element is thrown away
 *
 * Context: parks until there is an element or the channel is closed. @c NULL parks for ever.
 * Return: 1 an element; 0 closed and nothing left, *elem is zeroed; -EWOULDBLOCK as above.
 * Since: 0.1
 */
int gmp_chan_recv(struct gmp_chan *c, void *elem);

/**
 * gmp_chan_try_send(), gmp_chan_try_recv() - the same without waiting
 * Context: any thread; does not park. Return: as above, or -EAGAIN (always for NULL).
 * Since: 0.1
 */
int gmp_chan_try_send(struct gmp_chan *c, const void *elem);
int gmp_chan_try_recv(struct gmp_chan *c, void *elem);

/**
 * gmp_chan_close() - no more sends; receivers get what is queued, then 0
 * Context: any thread; does not park. Return: 0; -EPIPE closed already; -EINVAL @c is NULL.
 * Since: 0.1
 */
int gmp_chan_close(struct gmp_chan *c);

/**
 * gmp_chan_len(), gmp_chan_cap() - elements queued now (a snapshot), and at most
 * Context: any thread; does not park. Return: 0 for NULL.
 * Since: 0.1
 */
size_t gmp_chan_len(const struct gmp_chan *c);
size_t gmp_chan_cap(const struct gmp_chan *c);

/* ---- select ----------------------------------------------------------------------------------- */

enum gmp_case_op { GMP_SEND = 1, GMP_RECV = 2 };

/* One case of a select. The same channel may be in several, also in both directions. */
struct gmp_case {
	struct gmp_chan *c;	/* NULL: never ready */
	int op;			/* GMP_SEND, GMP_RECV */
	int ok;			/* of the chosen case: as the call answers: recv 1, 0 closed; send 1, -EPIPE */
	union {
		const void *send;	/* what to send */
		void *recv;		/* where to put it, or NULL */
	};
};

/* Initialisers: struct gmp_case cs[] = { GMP_CASE_SEND(a, &x), GMP_CASE_RECV(b, &y) }; */
#ifdef __cplusplus
#define GMP_CASE_SEND(c, ptr)	{ (c), GMP_SEND, 0, { (ptr) } }
#define GMP_CASE_RECV(c, ptr)	{ (c), GMP_RECV, 0, { static_cast<void *>(ptr) } }
#else
#define GMP_CASE_SEND(c, ptr)	{ (c), GMP_SEND, 0, { .send = (ptr) } }
#define GMP_CASE_RECV(c, ptr)	{ (c), GMP_RECV, 0, { .recv = (ptr) } }
#endif

/**
 * gmp_select() - wait until one of several sends and receives can proceed, and do that one
 * @cases: @n cases; the chosen one's .ok is set, all else is left as it is
 * @n: 0 parks for ever
 *
 * Among those that are ready the choice is uniform.
 * Context: parks when none is ready.
 * Return: the index of the chosen case; -EINVAL @n < 0, no @cases, an unknown op, a send of NULL where
 * elements have a size; -ENOMEM (more than 16 cases); -EWOULDBLOCK it would have to park and this is
 * no goroutine.
 * Since: 0.1
 */
int gmp_select(struct gmp_case *cases, int n);

/**
 * gmp_select_try() - the same with a default: does not wait
 * There was a moment at which none was ready when it says so.
 * Context: any thread; does not park. Return: as above, or -EAGAIN.
 * Since: 0.1
 */
int gmp_select_try(struct gmp_case *cases, int n);

/**
 * gmp_select_until() - the same with a limit
 * @deadline: gmp_now() at which it gives up; 0 = none. What is ready beats a past deadline.
 * Context: parks when none is ready. Return: as above, or -ETIMEDOUT.
 * Since: 0.1
 */
int gmp_select_until(struct gmp_case *cases, int n, uint64_t deadline);

#ifdef __cplusplus
}
#endif

/* ---- typed channels ------------------------------------------------------------------------------ */

/**
 * GMP_CHAN_TYPE(name, T) - a type of channels of T and of its two directions, at file scope
 * @T: any complete type that may be copied as bytes (for an array: a struct with one)
 *
 * Defines struct name, struct name_tx (to send only) and struct name_rx (to receive only). All three
 * are small values, copied like the pointer they hold (member c); copies share one reference.
 *   struct name name_make(size_t cap)              .c is NULL when out of memory
 *   struct name_tx name_tx(struct name)            struct name_rx name_rx(struct name)
 *   int name_send(both or tx, T)                   name_try_send, name_close(both or tx)
 *   int name_recv(both or rx, T *)                 name_try_recv
 *   size_t name_len(any)                           name_cap, void name_ref(any), name_unref(any)
 *   struct gmp_case name_case_send(both or tx, const T *), name_case_recv(both or rx, T *)
 * The calls answer as their gmp_chan_ counterparts. The wrong direction does not compile.
 *
 * In C that one name takes several types is the work of a transparent union, which -Wpedantic
 * remarks upon; GCC and Clang have it.
 *
 * Since: 0.1
 */
#define GMP_CHAN_TYPE(name, ...)								\
	typedef __typeof__(__VA_ARGS__) name##_elem_t;						\
	GMP_CHAN_TYPES_(name)									\
	GMP_CHAN_FN_ struct name name##_make(size_t cap)					\
	{											\
		struct name c;									\
												\
		c.c = gmp_chan_make(sizeof(name##_elem_t), cap);				\
		return c;									\
	}											\
	GMP_CHAN_FN_ struct name##_tx name##_tx(struct name c)					\
	{											\
		struct name##_tx tx;								\
												\
		tx.c = c.c;									\
		return tx;									\
	}											\
	GMP_CHAN_FN_ struct name##_rx name##_rx(struct name c)					\
	{											\
		struct name##_rx rx;								\
												\
		rx.c = c.c;									\
		return rx;									\
	}											\
	GMP_CHAN_FN_ int name##_send(GMP_CHAN_TX_(name) c, name##_elem_t v)			\
	{											\
		return gmp_chan_send(GMP_CHAN_PTR_(c), &v);					\
	}											\
	GMP_CHAN_FN_ int name##_try_send(GMP_CHAN_TX_(name) c, name##_elem_t v)			\
	{											\
		return gmp_chan_try_send(GMP_CHAN_PTR_(c), &v);					\
	}											\
	GMP_CHAN_FN_ int name##_recv(GMP_CHAN_RX_(name) c, name##_elem_t *v)			\
	{											\
		return gmp_chan_recv(GMP_CHAN_PTR_(c), v);					\
	}											\
	GMP_CHAN_FN_ int name##_try_recv(GMP_CHAN_RX_(name) c, name##_elem_t *v)		\
	{											\
		return gmp_chan_try_recv(GMP_CHAN_PTR_(c), v);					\
	}											\
	GMP_CHAN_FN_ int name##_close(GMP_CHAN_TX_(name) c)					\
	{											\
		return gmp_chan_close(GMP_CHAN_PTR_(c));					\
	}											\
	GMP_CHAN_FN_ size_t name##_len(GMP_CHAN_ANY_(name) c)					\
	{											\
		return gmp_chan_len(GMP_CHAN_PTR_(c));						\
	}											\
	GMP_CHAN_FN_ size_t name##_cap(GMP_CHAN_ANY_(name) c)					\
	{											\
		return gmp_chan_cap(GMP_CHAN_PTR_(c));						\
	}											\
	GMP_CHAN_FN_ void name##_ref(GMP_CHAN_ANY_(name) c)					\
	{											\
		gmp_chan_ref(GMP_CHAN_PTR_(c));							\
	}											\
	GMP_CHAN_FN_ void name##_unref(GMP_CHAN_ANY_(name) c)					\
	{											\
		gmp_chan_unref(GMP_CHAN_PTR_(c));						\
	}											\
	GMP_CHAN_FN_ struct gmp_case name##_case_send(GMP_CHAN_TX_(name) c,			\
						      const name##_elem_t *v)			\
	{											\
		struct gmp_case k = GMP_CASE_SEND(GMP_CHAN_PTR_(c), v);				\
												\
		return k;									\
	}											\
	GMP_CHAN_FN_ struct gmp_case name##_case_recv(GMP_CHAN_RX_(name) c, name##_elem_t *v)	\
	{											\
		struct gmp_case k = GMP_CASE_RECV(GMP_CHAN_PTR_(c), v);				\
												\
		return k;									\
	}

#define GMP_CHAN_FN_	static inline __attribute__((unused))

#ifdef __cplusplus
/* struct name turns into either direction by itself; the third takes all of them. */
#define GMP_CHAN_TYPES_(name)									\
	static_assert(__is_trivially_copyable(name##_elem_t), "elements are copied as bytes");	\
	struct name##_tx { struct gmp_chan *c; };						\
	struct name##_rx { struct gmp_chan *c; };						\
	struct name {										\
		struct gmp_chan *c;								\
		operator struct name##_tx() const { return { c }; }				\
		operator struct name##_rx() const { return { c }; }				\
	};											\
	struct name##_any_ {									\
		struct gmp_chan *c;								\
		name##_any_(struct name x) : c(x.c) {}						\
		name##_any_(struct name##_tx x) : c(x.c) {}					\
		name##_any_(struct name##_rx x) : c(x.c) {}					\
	};
#define GMP_CHAN_TX_(name)	struct name##_tx
#define GMP_CHAN_RX_(name)	struct name##_rx
#define GMP_CHAN_ANY_(name)	struct name##_any_
#define GMP_CHAN_PTR_(x)	((x).c)
#else
#define GMP_CHAN_TYPES_(name)									\
	struct name { struct gmp_chan *c; };							\
	struct name##_tx { struct gmp_chan *c; };						\
	struct name##_rx { struct gmp_chan *c; };						\
	typedef union { struct name both; struct name##_tx tx; }				\
		name##_tx_arg_ __attribute__((transparent_union));				\
	typedef union { struct name both; struct name##_rx rx; }				\
		name##_rx_arg_ __attribute__((transparent_union));				\
	typedef union { struct name both; struct name##_tx tx; struct name##_rx rx; }		\
		name##_any_arg_ __attribute__((transparent_union));
#define GMP_CHAN_TX_(name)	name##_tx_arg_
#define GMP_CHAN_RX_(name)	name##_rx_arg_
#define GMP_CHAN_ANY_(name)	name##_any_arg_
#define GMP_CHAN_PTR_(x)	((x).both.c)
#endif

#endif
