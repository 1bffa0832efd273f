/* SPDX-License-Identifier: MIT */
/*
 * runtime.h - the types of the scheduler: G, M, P, sched. Readable alone; no code that decides.
 *
 * Reading order: Documentation/design.rst, this file, proc.c, wakeup.c.
 *
 * Status of a G (enum gmp_g_status; legal edges in g.c, drawn in Documentation/design.rst):
 *   IDLE      being made by its creator, who alone knows it. No stack, or one nobody runs on.
 *   RUNNABLE  on exactly one run queue (or in the hands of whoever moves it). Its context is saved.
 *   RUNNING   belongs to the M gp->m, which holds a P. The stack is in use. On no queue.
 *   SYSCALL   as RUNNING, but the P may be taken away. Touches nothing of the P.
 *   WAITING   parked: on a wait list whose lock guards it, or referred to by one waker. Whoever
 *             takes it off that list owns it and must rt_ready() it exactly once.
 *   DEAD      on a free list of a P or of sched; the struct stays, its goid is 0.
 *   Never used: COPYSTACK (C stacks do not move), PREEMPTED (who was stopped by a signal is RUNNABLE, in the hands of
 *   the M it is tied to: tied.c).
 *
 * Who may touch a field: "const" after init; "owner" the M that runs it (or, of a P, the M that
 * holds it); "atomic" with the MO-n of Documentation/memory-model.rst; else the named lock.
 */
#ifndef RT_RUNTIME_H
#define RT_RUNTIME_H

#include <pthread.h>
#include <signal.h>

#include "base/atomic.h"
#include "base/inject.h"
#include "base/sanitize.h"
#include "base/throw.h"
#include "gmp_abi.h"
#include "os/clock.h"
#include "os/lock.h"
#include "os/note.h"
#include "os/stack.h"

#define RT_RUNQ_LEN		256u	/* Go's numbers, all of them */
#define RT_GLOBQ_TICK		61u
#define RT_GLOBQ_BATCH_MAX	128u
#define RT_GFREE_HIGH		64
#define RT_GFREE_LOW		32
#define RT_STEAL_TRIES		4
#define RT_MAX_P		GMP_MAX_P
#define RT_GOID_BATCH		16u
#define RT_FORCE_PREEMPT_NS	10000000
#define RT_STACK_CACHE		64	/* free stacks a P keeps */
#define RT_G_PER_CHUNK		1024u

struct rt_m;
struct rt_p;
struct rt_defer;
struct rt_timers;
struct rt_labels;

/* Why a goroutine can go on on its thread only, until it stops by itself: tied.c. */
enum rt_tied {
	RT_TIED_NOT,
	RT_TIED,		/* stopped in the program's own code */
	RT_TIED_ALONE,		/* stopped anywhere, with whatever locks: nothing else runs there */
};

struct rt_g {
	struct gmp_g_head h;	/* public head, atomic; written by the owner, status by rt_g_set_status() */

	/* with the end of the head one cache line: all that a switch needs */
	void *sp;		/* saved context; NULL: has not run, needs a stack. owner */
	struct rt_m *m;		/* carries it; atomic for readers, written by that M */
	struct rt_g *schedlink;	/* next on a queue or free list; guarded by that */
	struct rt_m *lockedm;	/* gmp_lock_os_thread(); owner */
	struct rt_defer *defers;	/* LIFO; owner */
	uint32_t select_done;	/* select: 0 open, 1 won by a waker; atomic */
	uint16_t nopreempt;	/* depth of gmp_nopreempt_begin(); owner */
	uint16_t tied;		/* enum rt_tied: to its M until its next voluntary stop; owner */

	/* when it begins and ends, and in a select */
	uintptr_t stack_lo;	/* 0: no stack yet. owner */
	uintptr_t stack_hi;	/* owner */
	void *arg;		/* owner */
	void *param;		/* what the waker of a select passes; by the waker before rt_ready() */
	struct rt_labels *labels;	/* immutable and counted; owner */
	uint32_t max_stack;	/* wanted size, 0 = the default. const */
	uint32_t ghost;		/* left behind by a run: never used again. written by its thread (ghost.c) */
	struct gmp_g_acct *acct;	/* NULL: nobody accounts; owner */
	uint64_t gap;		/* 1: no guard lies below its stack (os/stackguard.c). owner */
	struct rt_san san;		/* sanitizer builds only; owner */
};

rt_static_assert(sizeof(struct rt_g) - sizeof(struct rt_san) <= 192, "G: three cache lines; a parked one costs a page and this");
rt_static_assert(offsetof(struct rt_g, stack_lo) == 128, "G: a switch touches the first two lines only");

/* A queue of Gs linked through schedlink. */
struct rt_gqueue {
	struct rt_g *head, *tail;
	uint64_t n;
};

/*
 * What the context that is switched to must do for the one that was left, once that is saved:
 * let go of the lock that guards its wait list, queue it, ... A G may be found by others only then.
 */
typedef bool (*rt_park_fn)(struct rt_g *gp, void *arg);	/* false: do not park after all */

struct rt_eh {			/* __cxa_eh_globals, which the C++ ABI fixes: see eh.h */
	void *caught;
	unsigned int uncaught;
};

struct rt_m {
	/* owner only: the thread itself */
	struct gmp_tls *tls;		/* const */
	struct rt_p *p;			/* held; atomic for readers */
	struct rt_g *curg;		/* carried; atomic for readers */
	struct rt_g *after_g;		/* left by the last switch, not yet committed */
	struct rt_lock *after_lock;	/* ... its lock to release, or */
	rt_park_fn after_fn;		/* ... its function to call */
	struct rt_eh *eh;		/* of this thread: eh.h; NULL without C++. const */
	struct gmp_m_user *slot;	/* shared with the module, or own_slot. const */
	void *after_arg;		/* of after_fn */
	const struct gmp_m_kern *acct;	/* its clock is there; NULL: nobody accounts. const */
	uint64_t rng;			/* xorshift state */
	bool spinning;			/* atomic for readers */
	bool blocked;			/* sleeps on its note; atomic for readers */
	uint32_t locks;			/* runtime locks held, in RT_DEBUG builds; atomic for readers */
	struct rt_gqueue tied;		/* preempted on this thread, not yet past a scheduling point; owner */
	uint32_t tied_wait;		/* others to be run before the first of them; owner */
	struct rt_g *alone;		/* likewise, stopped in a library: runs before anything else; owner */
	bool wants_p;			/* on sched.mtied; sched.lock */
	bool served;			/* has run a G since it was given its P; owner */
	bool in_library;		/* alone was stopped in one, maybe in malloc(): none is called here; owner */
	bool unowned;			/* goes on without a P: rt_m_rescue(); before park is woken, as nextp */
	bool rescued;			/* it did, and has not come back; owner */
	struct rt_g *picked;		/* taken off a queue, for g0 to deal with */
	bool idle;			/* on the idle list; sched.lock */
	bool end_thread;		/* the thread ends with its goroutine; owner */
	bool stops_world;		/* between rt_world_stop() and rt_world_start() */
	struct rt_p *nextp;		/* given by whoever wakes it: before park is woken; atomic, MO-9 */
	struct rt_p *oldp;		/* P it had when it entered a system call */
	struct rt_g *lockedg;		/* gmp_lock_os_thread() */
	uint32_t locked_depth;

	uint32_t id;			/* const; lowest free number, also its slot */
	uint64_t asked_cpu, asked_sleeps;	/* preempt.c: when it was asked about last; atomic */
	uint32_t tid;			/* const */
	uint32_t marked;		/* a SIGURG was sent, by mark.h, and not seen yet; atomic */
	uint32_t ghost;			/* no M any more (ghost.c); atomic, MO-G1 */
	struct rt_g *acct_g;		/* whose time it is since acct_at; NULL the scheduler's. owner */
	uint64_t acct_at, acct_blocked;	/* its clock, and time blocked, at its last switch; owner */
	struct rt_note park;
	struct rt_m *schedlink;		/* idle list; sched.lock */
	struct rt_m *alllink;		/* allm; RCU list, written under sched.lock */
	pthread_t thread;		/* const */
	sigset_t sigmask;		/* const: of the thread when it became an M */
	bool created;			/* const: a thread of ours, not m0 */
	struct rt_eh eh_before;		/* m0: of the thread that called gmp_run(); owner */
	struct rt_g g0;			/* the thread's own stack, where the scheduler runs */
	struct gmp_m_user own_slot rt_aligned(64);
} rt_aligned(64);

struct rt_p {
	/* owner only */
	int32_t id;			/* const */
	uint32_t nstacks;		/* owner */
	struct rt_m *m;			/* holds it; atomic for readers */
	uint64_t *word;			/* const: its P word (gmp_abi.h), in the shared page if any */
	uint64_t schedtick;		/* plus one at each scheduling; atomic for sysmon */
	uint64_t tick_look;		/* schedtick at which rt_tick_look() is due; owner */
	uint64_t tied_due;		/* schedtick at which an M of sched.mtied is; 0: none. owner */
	uint64_t syscalltick;		/* plus one at each system call; atomic for sysmon */
	uint64_t goid_next, goid_end;	/* cache of goids; owner */
	struct rt_gqueue yieldq;	/* end of the global queue while there is one P; owner */
	int64_t ng;			/* Gs made here less those that ended here: its part of
					   rt_num_g(); owner, atomic for readers */
	struct rt_gqueue gfree;		/* dead Gs; owner */
	struct rt_stack *stacks;	/* free stacks of the default size; owner */
	struct rt_p *link;		/* idle list; sched.lock */

	/* asks the owner to look at the world at its next scheduling point; atomic */
	uint32_t attention;		/* RT_ATT_* */

	/* the run queue: MO-4, MO-5, see runq.c */
	uint32_t runqhead rt_aligned(64);	/* atomic; consumers */
	uint32_t runqtail rt_aligned(64);	/* atomic; owner */
	struct rt_g *runnext;			/* atomic */
	struct rt_g *runq[RT_RUNQ_LEN];		/* atomic slots */

	struct rt_timers *timers;	/* const; sched/time.c */

	/* sysmon's view of this P; sysmon only */
	uint64_t seen_schedtick, seen_schedwhen;
	uint64_t seen_syscalltick, seen_syscallwhen;
	uint64_t seen_sleep, seen_sleepwhen;
	uint64_t timer_switches, timer_looked;
	uint32_t timer_asked;		/* times in a row, for a timer that is due */

	/* counters, written by the owner, read by anyone: rt_own_add() */
	struct rt_p_counters {
#define RT_COUNTER(field, text)	uint64_t field;
		GMP_SCHED_COUNTERS(RT_COUNTER)	/* gmp_abi.h: outside readers know them by number */
#undef RT_COUNTER
	} c rt_aligned(64);

	uint64_t own_word rt_aligned(64);
} rt_aligned(64);

#define RT_ATT_PREEMPT	1u	/* has run 10 ms: do not let runnext inherit the slice */
#define RT_ATT_STOP	2u	/* stop-the-world, or the end of gmp_run() */
#define RT_ATT_TIMER	4u	/* a timer of this P is due */

struct rt_sched {
	/* read on every scheduling, written rarely */
	uint32_t maxprocs;		/* number of Ps; changed with the world stopped */
	bool single;			/* maxprocs == 1: nobody steals, plain accesses suffice */
	bool acct;			/* accounting by goroutine. const while running */
	uint32_t gcwaiting;		/* the world is to stop; atomic */
	uint32_t ending;		/* main has returned; atomic */
	struct rt_p **allp;		/* RCU-protected array of maxprocs (or more) Ps */
	struct rt_m *allm;		/* RCU-protected list */
	uint64_t coarse_now;		/* a recent rt_now(); atomic, any writer */

	struct rt_lock lock rt_aligned(64);	/* rank SCHED */
	struct rt_gqueue globq;		/* lock; n atomic for readers */
	struct rt_gqueue gfree;		/* lock; n atomic for readers */
	struct rt_m *midle;		/* lock */
	uint32_t nmidle;		/* lock; atomic for readers */
	uint32_t nmidlelocked;		/* lock */
	struct rt_m *mtied, *mtied_tail;	/* lock; Ms that sleep without a P, with tied Gs */
	uint32_t nmtied;		/* lock; atomic for readers */
	uint32_t ntied;			/* Gs in mp->tied of all Ms; atomic */
	uint64_t share_until;		/* rt_tied_share(); atomic */
	uint32_t mcount;		/* lock; Ms in being, sysmon not counted */
	uint64_t mcreated;		/* lock; Ms ever made */
	struct rt_m *mwanted;		/* lock; to be made by sysmon, by schedlink; atomic for a look */
	sigset_t sigmask;		/* const: of m0 when the run began */
	uint32_t timerslack;		/* const: likewise */
	struct rt_m *mdead;		/* lock; ended threads to be joined, by schedlink */
	struct rt_m *munmade;		/* lock; on allm, never were threads: to be used again, by schedlink */
	uint64_t mids[(GMP_MAX_M + 63) / 64];	/* lock; numbers in use */
	uint32_t maxmcount;		/* 10000; tests set less */
	struct rt_p *pidle;		/* lock */
	uint32_t npidle rt_aligned(64);	/* lock; atomic for readers, MO-6 */
	uint32_t nmspinning;		/* atomic, MO-6 */
	uint64_t lastpoll;		/* 0 = somebody sleeps in the poll; atomic */
	uint64_t poll_until;		/* when that sleep ends, 0 = no limit; atomic */
	uint64_t sysmon_until;		/* when sysmon's nap ends; atomic, MO-13 */
	uint64_t goidgen;		/* last goid given to a P's cache; atomic */
	int64_t ng;			/* Gs neither dead nor system, but for those in p->ng; atomic */
	uint32_t nsyscall;		/* declared system calls in progress: no deadlock report; atomic */

	uint32_t external;		/* sources of wake-ups outside the runtime (signals); atomic */

	uint32_t stopwait;		/* lock; Ps still to stop */
	struct rt_note stopnote;
	uint32_t sysmonwait;		/* lock; atomic for readers */
	struct rt_note sysmonnote;

	uint32_t procs_fixed;		/* somebody chose the number of Ps: it does not follow the CPUs; atomic, MO-12 */
	uint32_t procs_update;		/* a follower is about to change it; atomic, MO-12 */

	struct rt_m *m0;
	struct rt_g *main_g;
	int (*main_fn)(void *);
	int main_result;
	const struct rt_kern_ops *kern;	/* const while running */
	struct gmp_m_user *m_user;	/* shared slots, or NULL */
	struct gmp_p_shared *p_shared;	/* shared P words, or NULL */
	const struct gmp_m_kern *m_kern;	/* what the module writes, or NULL */
	uint64_t acct_mult;		/* gmp_m_kern.clock_mult; atomic, one value */
	uint32_t nr_m_slots, nr_p_slots;
	bool handoff;			/* the module lets Ps go: sched/handoff.c. const while running */
	uint32_t refused;		/* atomic, MO-3; 1: it did, but cannot be asked any more */

	/* Beyond what a new run sets to zero: threads that are no Ms look here at any time. */
	uint32_t gen;			/* plus one at each gmp_run(); atomic */
	bool running;			/* gmp_run() runs; atomic */
	bool alive;			/* its goroutines' stacks are there; outlasts `running`; atomic, MO-11 */
};

extern struct rt_sched rt_sched;

/* ---- the current M and G --------------------------------------------------------------- */

extern __thread struct gmp_tls rt_tls __attribute__((tls_model("initial-exec")));

/*
 * Opaque to the optimizer and read again after each park: a G may resume on another thread, and
 * compilers fetch the address of a thread-local once for uses before and after a call.
 */
#define RT_TLS_READ(type, field)						\
	({									\
		type rt_v_;							\
		__asm__ __volatile__("movq rt_tls@gottpoff(%%rip), %0\n\t"	\
				     "movq %%fs:%c1(%0), %0"			\
				     : "=&r"(rt_v_)				\
				     : "i"(offsetof(struct gmp_tls, field)));	\
		rt_v_;								\
	})

/* The M of this thread, NULL on a thread that is none. */
static inline struct rt_m *rt_getm(void)
{
	return RT_TLS_READ(struct rt_m *, m);
}

/* The running G; NULL in the scheduler and outside of it. */
static inline struct rt_g *rt_getg(void)
{
	return RT_TLS_READ(struct rt_g *, g);
}

/*
 * The P of the calling M, for code of goroutines. NULL: it has none, or it had one when it blocked in
 * the goroutine's code, and that was taken meanwhile (handoff.c). On g0 mp->p says the truth.
 */
static inline struct rt_p *rt_m_p(struct rt_m *mp)
{
	return likely(!rt_load_rlx(&mp->slot->lost)) ? mp->p : NULL;
}

static inline uint32_t rt_rand(struct rt_m *mp)
{
	uint64_t x = mp->rng;	/* xorshift64* */

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	mp->rng = x;
	return (uint32_t)((x * 0x2545f4914f6cdd1dull) >> 32);
}

static inline uint64_t rt_coarse_now(void)
{
	return rt_load_rlx(&rt_sched.coarse_now);
}

/* ---- queues ---------------------------------------------------------------------------- */

static inline void rt_gqueue_push(struct rt_gqueue *q, struct rt_g *gp)
{
	gp->schedlink = NULL;
	if (q->tail)
		q->tail->schedlink = gp;
	else
		q->head = gp;
	q->tail = gp;
	rt_store_rlx(&q->n, q->n + 1);
}

static inline void rt_gqueue_push_front(struct rt_gqueue *q, struct rt_g *gp)
{
	gp->schedlink = q->head;
	q->head = gp;
	if (!q->tail)
		q->tail = gp;
	rt_store_rlx(&q->n, q->n + 1);
}

static inline struct rt_g *rt_gqueue_pop(struct rt_gqueue *q)
{
	struct rt_g *gp = q->head;

	if (gp) {
		q->head = gp->schedlink;
		if (!q->head)
			q->tail = NULL;
		rt_store_rlx(&q->n, q->n - 1);
	}
	return gp;
}

static inline void rt_gqueue_append(struct rt_gqueue *q, struct rt_gqueue *batch)
{
	if (!batch->head)
		return;
	if (q->tail)
		q->tail->schedlink = batch->head;
	else
		q->head = batch->head;
	q->tail = batch->tail;
	rt_store_rlx(&q->n, q->n + batch->n);
	batch->head = batch->tail = NULL;
	rt_store_rlx(&batch->n, 0);
}

#endif
