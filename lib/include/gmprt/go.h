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
 * Not supported: vector types over 32 bytes; functions that return a packed struct of up to 16 bytes;
 * __attribute__((noreturn)) with clang before 15 (_Noreturn is fine); with gcc pointers to noreturn, const or pure
 * functions that are variadic or take a float, char or short, and in C23 all such pointers.
 */
#ifndef GMPRT_GO_H
#define GMPRT_GO_H

#include "proc.h"

#ifdef __cplusplus

#if __cplusplus >= 201703L

#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

/* A: what @fn gets; the new goroutine has copies of its own. */
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

/* Whose parameters are known: the caller converts, NULL is a pointer where one is wanted. */
template <class T> struct gmp_go_type_ { typedef std::decay_t<T> type; };

template <class R, class... P>
static inline int64_t gmp_go_(R (*fn)(P...), typename gmp_go_type_<P>::type... a)
{
	return gmp_go_call_<R (*)(P...), std::decay_t<P>...>(fn, std::move(a)...);
}

/* Function objects and variadic functions: as the arguments are. */
template <class T> struct gmp_go_is_function_ : std::false_type { };
template <class R, class... P> struct gmp_go_is_function_<R (*)(P...)> : std::true_type { };
template <class R, class... P> struct gmp_go_is_function_<R (*)(P...) noexcept> : std::true_type { };

template <class Fn, class... A>
static inline std::enable_if_t<!gmp_go_is_function_<Fn>::value, int64_t> gmp_go_(Fn fn, A... a)
{
	return gmp_go_call_<Fn, A...>(std::move(fn), std::move(a)...);
}

#define GMP_GO(fn, ...)	gmp_go_(fn, __VA_ARGS__)

#endif /* C++17 */

#else /* C */

#define GMP_GO_CAT_(a, b)	a##b
#define GMP_GO_CAT(a, b)	GMP_GO_CAT_(a, b)
#define GMP_GO_NTH_(_1, _2, _3, _4, _5, _6, _7, _8, n, ...)	n
#define GMP_GO_COUNT(...)	GMP_GO_NTH_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)

/*
 * Room for an argument: the most that it can take on the stack, whatever scalar type it is converted to.
 * The comma makes arrays and functions pointers, as a call does, and bit-fields plain integers.
 */
#define GMP_GO_PLAIN_(v)	__typeof__(((void)0, (v)))
#define GMP_GO_ROOM_(v) \
	((sizeof(GMP_GO_PLAIN_(v)) > 32 ? (sizeof(GMP_GO_PLAIN_(v)) + 15) / 16 * 16 : 32) + \
	 __alignof__(GMP_GO_PLAIN_(v)))
#define GMP_GO_R1(a)		GMP_GO_ROOM_(a)
#define GMP_GO_R2(a, ...)	GMP_GO_ROOM_(a) + GMP_GO_R1(__VA_ARGS__)
#define GMP_GO_R3(a, ...)	GMP_GO_ROOM_(a) + GMP_GO_R2(__VA_ARGS__)
#define GMP_GO_R4(a, ...)	GMP_GO_ROOM_(a) + GMP_GO_R3(__VA_ARGS__)
#define GMP_GO_R5(a, ...)	GMP_GO_ROOM_(a) + GMP_GO_R4(__VA_ARGS__)
#define GMP_GO_R6(a, ...)	GMP_GO_ROOM_(a) + GMP_GO_R5(__VA_ARGS__)
#define GMP_GO_R7(a, ...)	GMP_GO_ROOM_(a) + GMP_GO_R6(__VA_ARGS__)
#define GMP_GO_R8(a, ...)	GMP_GO_ROOM_(a) + GMP_GO_R7(__VA_ARGS__)

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
 * The type of gmp_f_, but the function returns and has effects: nothing is emitted after a call of a noreturn
 * function, and none for a const one whose result is dropped. In gcc the name of a function has the plain type, a
 * pointer to it does not; ?: drops what only one side says, and a function without a prototype is a side for all
 * whose parameters are not changed by promotion.
 */
#define GMP_GO_BARE_(...)	__typeof__(__typeof__(gmp_f_(__VA_ARGS__)) ())
#define GMP_GO_IS_BARE_(...) \
	__builtin_types_compatible_p(__typeof__(*gmp_f_), GMP_GO_BARE_(__VA_ARGS__))
#define GMP_GO_OTHER_(...) \
	__builtin_choose_expr(GMP_GO_IS_BARE_(__VA_ARGS__), (GMP_GO_BARE_(__VA_ARGS__) *)0, gmp_f_)
#define GMP_GO_NAMED_(fn) \
	__builtin_choose_expr(__builtin_types_compatible_p(__typeof__(fn), __typeof__(gmp_f_)), *gmp_f_, fn)
#define GMP_GO_FN_(fn, ...) \
	__typeof__(__builtin_choose_expr(GMP_GO_IS_BARE_(__VA_ARGS__), \
					 *(1 ? gmp_f_ : GMP_GO_OTHER_(__VA_ARGS__)), GMP_GO_NAMED_(fn)))

/*
 * Through a variable whose value is hidden: gcc refuses a visible cast of one function to another's
 * type, and drops the static chain of a call to a function it knows to have none.
 */
#define GMP_GO_AS_(fn, ...)	((GMP_GO_FN_(fn, __VA_ARGS__) *)gmp_to_)

/*
 * The arguments stand here as they were written, so that each is converted, and warned of, as in the
 * call; all uses but the call itself are unevaluated. That the result is dropped is no mistake.
 */
#define GMP_GO_X_(n, fn, ...) \
	__extension__({ \
		_Pragma("GCC diagnostic push") \
		_Pragma("GCC diagnostic ignored \"-Wunused-result\"") \
		_Pragma("GCC diagnostic ignored \"-Wstrict-prototypes\"") \
		__typeof__(&*(fn)) gmp_f_ = (fn); \
		void (*gmp_to_)(void) = gmp_go_capture_; \
		__asm__("" : "+r"(gmp_to_)); \
		struct gmp_go_call gmp_call_ = { \
			(void (*)(void))gmp_f_, GMP_GO_CAT(GMP_GO_R, n)(__VA_ARGS__), \
			GMP_GO_RETURNS_(gmp_f_(__VA_ARGS__)), 0 \
		}; \
		(void)__builtin_call_with_static_chain(GMP_GO_AS_(fn, __VA_ARGS__)(__VA_ARGS__), &gmp_call_); \
		_Pragma("GCC diagnostic pop") \
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
