/* SPDX-License-Identifier: MIT */
/*
 * go.h - GMP_GO(fn, a, b, ...): a goroutine that calls fn(a, b, ...).
 *
 * One to eight arguments of any complete type. As for Go's statement, fn and the arguments are
 * evaluated by the caller, converted as in a call, and copied into the new goroutine.
 * Value: the goid, or a negative errno as of gmp_go(). Since: 0.1
 *
 * C: the call is made by the compiler as if to fn, with its conversions, but to gmp_go_capture_(), which
 * finds the arguments where fn would (registers and stack) and has them replayed in the new goroutine.
 * No function has to be made for it: nested functions want an executable stack at -O0, blocks a flag.
 * Not supported: vector types over 32 bytes; functions that return a packed struct of up to 16 bytes.
 */
#ifndef GMPRT_GO_H
#define GMPRT_GO_H

#ifdef __cplusplus

#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

template <class Fn, class... A>
static inline int64_t gmp_go_call_(Fn fn, A... a)
{
	typedef std::tuple<Fn, A...> Pack;
	struct Run {
		static void call(void *p)
		{
			Pack pack(std::move(**static_cast<Pack **>(p)));

			delete *static_cast<Pack **>(p);
			std::apply([](Fn &f, A &...x) { f(std::forward<A>(x)...); }, pack);
		}
	};
	Pack *pack = new (std::nothrow) Pack(std::move(fn), std::move(a)...);
	int64_t goid;

	if (!pack)
		return -12;		/* -ENOMEM */
	goid = gmp_go_copy(Run::call, &pack, sizeof(pack));
	if (goid < 0)
		delete pack;
	return goid;
}

#define GMP_GO(fn, ...)	gmp_go_call_(fn, __VA_ARGS__)

#else /* C */

#define GMP_GO_CAT_(a, b)	a##b
#define GMP_GO_CAT(a, b)	GMP_GO_CAT_(a, b)
#define GMP_GO_NTH_(_1, _2, _3, _4, _5, _6, _7, _8, n, ...)	n
#define GMP_GO_COUNT(...)	GMP_GO_NTH_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)

/* __auto_type makes arrays and functions pointers, as a call does. */
#define GMP_GO_V1(a)		__auto_type gmp_v1_ = (a);
#define GMP_GO_V2(a, ...)	__auto_type gmp_v2_ = (a); GMP_GO_V1(__VA_ARGS__)
#define GMP_GO_V3(a, ...)	__auto_type gmp_v3_ = (a); GMP_GO_V2(__VA_ARGS__)
#define GMP_GO_V4(a, ...)	__auto_type gmp_v4_ = (a); GMP_GO_V3(__VA_ARGS__)
#define GMP_GO_V5(a, ...)	__auto_type gmp_v5_ = (a); GMP_GO_V4(__VA_ARGS__)
#define GMP_GO_V6(a, ...)	__auto_type gmp_v6_ = (a); GMP_GO_V5(__VA_ARGS__)
#define GMP_GO_V7(a, ...)	__auto_type gmp_v7_ = (a); GMP_GO_V6(__VA_ARGS__)
#define GMP_GO_V8(a, ...)	__auto_type gmp_v8_ = (a); GMP_GO_V7(__VA_ARGS__)

#define GMP_GO_A1	gmp_v1_
#define GMP_GO_A2	gmp_v2_, GMP_GO_A1
#define GMP_GO_A3	gmp_v3_, GMP_GO_A2
#define GMP_GO_A4	gmp_v4_, GMP_GO_A3
#define GMP_GO_A5	gmp_v5_, GMP_GO_A4
#define GMP_GO_A6	gmp_v6_, GMP_GO_A5
#define GMP_GO_A7	gmp_v7_, GMP_GO_A6
#define GMP_GO_A8	gmp_v8_, GMP_GO_A7

/* The most that an argument can take on the stack, whatever scalar type it is converted to. */
#define GMP_GO_ROOM_(v)	((sizeof(v) > 32 ? (sizeof(v) + 15) / 16 * 16 : 32) + __alignof__(v))
#define GMP_GO_R1	GMP_GO_ROOM_(gmp_v1_)
#define GMP_GO_R2	GMP_GO_ROOM_(gmp_v2_) + GMP_GO_R1
#define GMP_GO_R3	GMP_GO_ROOM_(gmp_v3_) + GMP_GO_R2
#define GMP_GO_R4	GMP_GO_ROOM_(gmp_v4_) + GMP_GO_R3
#define GMP_GO_R5	GMP_GO_ROOM_(gmp_v5_) + GMP_GO_R4
#define GMP_GO_R6	GMP_GO_ROOM_(gmp_v6_) + GMP_GO_R5
#define GMP_GO_R7	GMP_GO_ROOM_(gmp_v7_) + GMP_GO_R6
#define GMP_GO_R8	GMP_GO_ROOM_(gmp_v8_) + GMP_GO_R7

/* What gmp_go_capture_() is told besides the arguments. */
struct gmp_go_call {
	void (*fn)(void);
	uint64_t stack_bytes;	/* at most so many of the caller's stack are arguments */
	uint64_t ret_bytes;	/* fn returns a struct through memory of this size; 0 = it does not */
	int64_t goid;		/* result */
};

/* Called only through pointers of other types. */
void gmp_go_capture_(void);

/* struct, union */
#define GMP_GO_RECORD_(x)	(__builtin_classify_type(x) == 12 || __builtin_classify_type(x) == 13)

/*
 * Through a variable whose value is hidden: gcc refuses a visible cast of one function to another's
 * type, and drops the static chain of a call to a function it knows to have none.
 */
#define GMP_GO_AS_(fn)	((__typeof__(&*(fn)))gmp_to_)

#define GMP_GO_X_(n, fn, ...) \
	__extension__({ \
		__typeof__(&*(fn)) gmp_f_ = (fn); \
		void (*gmp_to_)(void) = gmp_go_capture_; \
		__asm__("" : "+r"(gmp_to_)); \
		GMP_GO_CAT(GMP_GO_V, n)(__VA_ARGS__) \
		struct gmp_go_call gmp_call_ = { \
			(void (*)(void))gmp_f_, GMP_GO_CAT(GMP_GO_R, n), \
			GMP_GO_RETURNS_(gmp_f_(GMP_GO_CAT(GMP_GO_A, n))), 0 \
		}; \
		(void)__builtin_call_with_static_chain( \
			GMP_GO_AS_(fn)(GMP_GO_CAT(GMP_GO_A, n)), &gmp_call_); \
		gmp_call_.goid; \
	})

/* In a typeof, so that the call is not made. void has no values: int stands for it. */
#define GMP_GO_RETURNED_(call) \
	(*__builtin_choose_expr(__builtin_types_compatible_p(__typeof__(call), void), (int *)0, \
				(__typeof__(call) *)0))
#define GMP_GO_RETURNS_(call) \
	(sizeof(GMP_GO_RETURNED_(call)) > 16 && GMP_GO_RECORD_(GMP_GO_RETURNED_(call)) ? \
	 sizeof(GMP_GO_RETURNED_(call)) : 0)

/* One more step, so that the count is expanded before it is pasted. */
#define GMP_GO_(n, ...)	GMP_GO_X_(n, __VA_ARGS__)
#define GMP_GO(fn, ...)	GMP_GO_(GMP_GO_COUNT(__VA_ARGS__), fn, __VA_ARGS__)

#endif /* C */

#endif
