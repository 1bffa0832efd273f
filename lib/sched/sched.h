/* SPDX-License-Identifier: MIT */
/*
 * sched.h - what the files of sched/ offer each other and the layers above, grouped by file.
 * Each prototype has the short contract; the long one stands at the definition.
 */
#ifndef RT_SCHED_H
#define RT_SCHED_H

#include "sched/runtime.h"

/* ---- g.c: life of a G ------------------------------------------------------------------- */

/* A new G, IDLE, with a goid. @pp may be NULL (then from the global list). NULL: see rt_g_none(). */
struct rt_g *rt_g_new(struct rt_p *pp);
int rt_g_none(void);					/* after that: -ENOMEM, or -EAGAIN: as many as may be */
void rt_g_free(struct rt_p *pp, struct rt_g *gp);	/* DEAD, back to the list of @pp */
bool rt_g_bind_stack(struct rt_p *pp, struct rt_g *gp);	/* false: no memory */
bool rt_g_cache_stack(struct rt_p *pp, struct rt_g *gp);	/* also the running one's; false: not cacheable */
void rt_g_free_stack(struct rt_g *gp);			/* to the pool; nobody runs on it */
size_t rt_stack_default(size_t bytes);			/* sets (0 = only reads); the previous default */
/* The i-th G ever made, or NULL past the end; any thread, any time. */
struct rt_g *rt_g_nth(uint64_t i);
void rt_g_table(uint64_t *chunks, uint64_t *nchunks, uint64_t *acct);	/* addresses, for gmp_rt_layout */
void rt_g_acct(bool on);	/* before a run: have the Gs accounts? */
void rt_g_purge(struct rt_p *pp);			/* all cached Gs and stacks to the global lists */
void rt_g_release_all(void);				/* end of gmp_run() */

/* ---- spawn.c, rt0.c, and the hooks of sync/label.c ---------------------------------------- */

int64_t rt_num_g(void);		/* Gs neither dead nor of the runtime itself; any thread */
int rt_spawn_system(void (*fn)(void *), void *arg);	/* any thread; 0 or as rt_g_none() */
int rt_spawn_main(void (*fn)(void *), void *arg, struct rt_p *pp);
int64_t rt_go_tail(void (*fn)(void *), void *arg, void *tail, void *pc);
void rt_main_done(struct rt_g *gp);

/* What lies at the top of a new goroutine's stack: @room bytes, then the head, then the tail. */
struct rt_go_parts {
	const void *head;
	size_t head_bytes;	/* a multiple of 64 when there is a tail */
	const void *tail;
	size_t tail_bytes, room;
};
/* A goroutine that runs the struct rt_go_pack in @parts; @fn is what readers are shown. */
int64_t rt_go_pack(const struct rt_go_parts *parts, void (*fn)(void *), void *pc);

/* Set by sync/label.c before the first label or name exists. */
struct rt_label_ops {
	void (*inherit)(struct rt_g *child, struct rt_g *parent);
	void (*drop)(struct rt_g *gp);		/* labels and name of a G that ends */
	int (*set_name)(struct rt_g *gp, const char *name);	/* 0 or -ENOMEM */
};
extern const struct rt_label_ops *rt_label_ops;

/*
 * A thread that is no M, inside a call that touches Gs: gmp_run() does not take things down
 * meanwhile. False: nothing runs (then no rt_ext_leave()). Ms need it not.
 */
bool rt_ext_enter(void);
void rt_ext_leave(void);

/*
 * Around what touches Gs that wait in an object of the program: on a thread that is no M it keeps their
 * stacks in place, if rt_waiters_alive(); else there are none, whatever the object says. Of objects
 * whose lock is taken in between: asked under that lock, so that nobody can have come since.
 */
void rt_ext_hold(void);

static inline void rt_waiters_enter(void)
{
	if (unlikely(!rt_getm()))
		rt_ext_hold();
}

static inline bool rt_waiters_alive(void)
{
	return likely(rt_getm() != NULL) || rt_load_acq(&rt_sched.alive);	/* MO-11 */
}

static inline void rt_waiters_leave(void)
{
	if (unlikely(!rt_getm()))
		rt_ext_leave();
}

/* ---- runq.c: queues --------------------------------------------------------------------- */

void rt_runq_put(struct rt_p *pp, struct rt_g *gp, bool next);		/* owner */
struct rt_g *rt_runq_get(struct rt_p *pp);				/* owner */
bool rt_runq_empty(struct rt_p *pp);					/* anyone; a snapshot */
struct rt_g *rt_runq_steal(struct rt_p *pp, struct rt_p *victim, bool runnext);
void rt_runq_put_batch(struct rt_p *pp, struct rt_gqueue *q);		/* owner; the rest to the global queue */
void rt_globq_put(struct rt_g *gp);					/* sched.lock held */
void rt_globq_put_batch(struct rt_gqueue *q);				/* sched.lock held */
struct rt_g *rt_globq_get(struct rt_p *pp, uint32_t max);		/* sched.lock held; 0 = a fair share */
/* Owner; one P, the global queue empty, this not. Up to @max, all but the first to the ring. */
struct rt_g *rt_yieldq_get(struct rt_p *pp, uint64_t max);
void rt_yieldq_flush(struct rt_p *pp);					/* owner; sched.lock held */

/* ---- wakeup.c: park and ready ------------------------------------------------------------ */

/*
 * Parks the running G. @fn runs after the G's context is saved, on another stack, and may not park;
 * false makes the G runnable again at once. Context: a goroutine (else throws).
 */
void rt_park(rt_park_fn fn, void *arg, enum gmp_wait_reason why);
/* As rt_park(): only lets go of @l, which the caller holds and which guards the wait list. */
void rt_park_unlock(struct rt_lock *l, enum gmp_wait_reason why);
/*
 * Makes a WAITING G runnable; the caller owns it. Any thread, any stack, no rank above SCHED held.
 * From an M with a P: next to run there. Else: the global queue. Wakes an idle P when there is one.
 */
void rt_ready(struct rt_g *gp);
void rt_ready_list(struct rt_gqueue *q);	/* many at once (netpoll, timers) */
void rt_yield(struct rt_m *mp, struct rt_g *gp);	/* the running @gp, to the end of the global queue; @mp->p is not NULL */
void rt_wakep(void);				/* another P, if one is idle and nobody spins */
/*
 * The G that may park here, or NULL (then the caller answers -EWOULDBLOCK). No lock held. Fatal in a signal
 * handler (handler.h), for @call, the public one.
 */
struct rt_g *rt_may_park(const char *call);
struct rt_g *rt_must_park(const char *call);	/* where NULL is fatal: "would park outside a goroutine" */
struct rt_g *rt_may_park_locked(void);		/* locks of the program's objects held; handlers not asked about */
void rt_yield_politely(void);			/* gmp_yield() where it need not be */

/* ---- proc.c: the scheduler ---------------------------------------------------------------- */

_Noreturn void rt_g_main(void);			/* first C function of a goroutine */
_Noreturn void rt_g_exit(void);			/* ends the running G */
void rt_schedule(void);				/* g0: returns when this M is to end */
/* Leaves @gp, whose after_* the caller has set, for whatever is next; returns when it is resumed. */
void rt_switch_off(struct rt_m *mp, struct rt_g *gp);
/* The same, always through g0; also without a P. */
void rt_switch_g0(struct rt_m *mp, struct rt_g *gp);
void rt_inject(struct rt_gqueue *q);		/* RUNNABLE Gs, from anywhere */
void rt_execute(struct rt_m *mp, struct rt_g *gp);	/* g0; returns when somebody switches to g0 */
bool rt_may_spin(const struct rt_m *mp);	/* find.c */
struct rt_g *rt_find_runnable(struct rt_m *mp);	/* find.c; g0; NULL: this M is to end */

/* ---- m.c, m_make.c, m_idle.c, p.c --------------------------------------------------------- */

int rt_m_init_main(void);			/* the calling thread becomes m0 */
void rt_m_end_main(void);			/* and is none any more */
int rt_m_start(struct rt_p *pp, bool spinning);	/* an M for @pp (or an idle P); 0 or -errno: @pp is idle again */
int rt_m_start_other(struct rt_p *pp);	/* not one with tied Gs */
bool rt_m_stop(struct rt_m *mp);		/* sleep until given a P; false: the M is to end. g0, no P */
bool rt_m_stop_locked(struct rt_m *mp);		/* the same until its locked G gets one */
void rt_m_start_locked(struct rt_m *mp, struct rt_p *pp);
void rt_m_start_with(struct rt_p *pp, struct rt_g *gp);	/* another M, which runs @gp first */
void rt_tied_granted(struct rt_m *mp);
void rt_tied_push(struct rt_m *mp, struct rt_g *gp);
void rt_tied_alone(struct rt_m *mp, struct rt_g *gp);
struct rt_g *rt_tied_any(struct rt_m *mp);
struct rt_g *rt_tied_next(struct rt_m *mp);
bool rt_tied_shares(const struct rt_m *mp);
void rt_tied_share(void);
void rt_tied_set_due(struct rt_p *pp, uint32_t before);
bool rt_tied_is_due(const struct rt_p *pp);
bool rt_tied_turn(struct rt_p *pp);
void rt_m_tied_put(struct rt_m *mp);		/* these: sched.lock held */
struct rt_m *rt_m_tied_get(void);		/* an M that needs a P for its tied Gs */
struct rt_m *rt_m_tied_get_alone(void);
void rt_m_give_p(struct rt_m *mp, struct rt_p *pp, bool spinning);
void rt_m_thread_init(struct rt_m *mp);
void rt_m_thread_exit(struct rt_m *mp);
void rt_m_reap(void);
int rt_m_clone(pthread_t *thread, void *(*fn)(void *), void *arg);	/* all signals blocked; 0 or -errno */
void rt_m_make_wanted(void);
void rt_m_forget_wanted(void);
void rt_m_free_unmade(void);
void rt_m_wake_all(void);
void rt_m_disown(struct rt_m *mp);		/* sched.lock held */
uint32_t rt_m_wait_others(int64_t ns);
void rt_p_acquire(struct rt_m *mp, struct rt_p *pp);	/* IDLE -> RUNNING */
struct rt_p *rt_p_release(struct rt_m *mp);		/* RUNNING -> IDLE */
void rt_p_forget(struct rt_m *mp);			/* the word already says so */
void rt_p_stop(struct rt_p *pp, uint32_t from);		/* -> GCSTOP */
void rt_p_unstop(struct rt_p *pp);			/* GCSTOP -> IDLE */
void rt_p_resume_own(struct rt_m *mp);			/* GCSTOP -> RUNNING of the stopper */
void rt_p_idle_put(struct rt_p *pp);			/* sched.lock held */
struct rt_p *rt_p_idle_get(void);			/* sched.lock held */
int rt_p_resize(uint32_t n);				/* world stopped, or before it starts */
void rt_p_release_all(void);

/* ---- ghost.c: Ms that a run left behind ---------------------------------------------------- */

int rt_ghosts_make(bool *made);			/* before a run: 0 or -EBUSY */
uint32_t rt_ghosts(void);			/* how many threads are ghosts */
void rt_ghost_check(void);			/* a ghost stops here for ever; no lock held */
_Noreturn void rt_ghost_stop(void);

/* ---- handoff.c: Ps that the kernel lets go -------------------------------------------------- */

void rt_handoff_init(void);		/* asks the module for it */
void rt_handoff_start(void);		/* the last step of bring-up */
void rt_handoff_word(struct rt_p *pp);	/* its word is in the shared page */
void rt_p_lost(struct rt_m *mp);	/* g0, or on the way there: its P was taken */
/*
 * A goroutine whose M has lost its P waits, on this thread, until there is one again; after rt_p_wait() there
 * may be none. No lock held.
 */
void rt_p_wait(struct rt_m *mp, struct rt_g *gp);
void rt_p_wait_tied(struct rt_m *mp, struct rt_g *gp);
void rt_p_regain(struct rt_m *mp, struct rt_g *gp);
struct rt_p *rt_handoff_any(void);	/* a P whose M sleeps, now in transit; sched.lock held */
void rt_handoff_wake(void);		/* the same for new work, if no P is idle */
bool rt_m_rescue(void);			/* an M with tied Gs goes on without a P; false: none waits */
bool rt_standby_uses(struct rt_m *mp);	/* does it sleep in the module when it is idle? */
bool rt_standby_sleep(struct rt_m *mp, int64_t ns);	/* as rt_note_sleep_for(), or with nextp */
void rt_standby_wake(uint32_t id, uint32_t tid, uint32_t *key);	/* ends that of M @id, whose note is set */
bool rt_m_unidle(struct rt_m *mp);	/* m_idle.c; off the idle list, if it is there; sched.lock held */
int rt_m_start_idle(void);		/* m_make.c; another M, without a P; 0 or -errno */

/* ---- syscall.c, sysmon.c, world.c ---------------------------------------------------------- */

void rt_leave_m(struct rt_g *gp);	/* before blocking or keeping this thread; may park */
void rt_entersyscall(void);
void rt_exitsyscall(void);
bool rt_p_has_queued(struct rt_p *pp);	/* goroutines in its queues or for any P */
bool rt_p_has_work(struct rt_p *pp);	/* these, or an M that needs a P for its own */
bool rt_p_retake(struct rt_p *pp, uint64_t word);	/* SYSCALL -> IDLE by someone else */
void rt_handoff(struct rt_p *pp);		/* an M for a P that has none, if there is use for it */
void rt_poller_until(uint64_t when);		/* somebody must wake at @when */
int rt_sysmon_start(void);			/* 0 or -errno */
void rt_sysmon_wake(void);
bool rt_sysmon_runs(void);
void rt_sysmon_call(void);	/* whatever it is doing: another round, now */
/* What sysmon did since the program began; written by it alone. For tests. */
extern struct rt_sysmon_count {
	uint64_t rounds, netpolls;	/* ..., polls of the network because nobody else did */
	uint64_t told;			/* long naps that ended early because a timer was set */
	uint64_t slices, timers;	/* Ps asked to stop: after 10 ms, for a timer that is due */
} rt_sysmon_count;
uint64_t rt_sysmon_nap(uint64_t ns, uint32_t idle);
void rt_sysmon_tell(uint64_t when);		/* a timer that a busy P may not look at */
void rt_sysmon_stop(void);
void rt_world_stop(void);			/* parks until it is this G's turn; no P runs but ours */
void rt_world_start(void);
void rt_gcstop_m(struct rt_m *mp);		/* g0: this M's P to the stopper */
void rt_gcstop_taken(struct rt_p *pp);		/* @pp went to GCSTOP; sched.lock held */
void rt_world_take_syscall_p(struct rt_p *pp);	/* a P that went into a system call during a stop */
void rt_attention_all(uint32_t what);
void rt_world_reset(void);
uint32_t rt_helper_threads(void);	/* threads of the runtime that are no Ms */
bool rt_checkdead(void);			/* sched.lock held; true: only foreign threads could wake us */
/* The number of Ps; @follows: only if nobody chose one meanwhile. Parks. 0 or -errno. */
int rt_world_set_procs(uint32_t n, bool follows);
void rt_follow_init(uint64_t now);		/* sysmon, at its start */
void rt_follow_cpus(uint64_t now);		/* sysmon, each round */

/* ---- time.c: timers of the runtime; see sched/time.h --------------------------------------- */
/* ---- io/netpoll.c through hooks: sched does not know io ------------------------------------- */

struct rt_netpoll_ops {
	/* Ready Gs into @q. @delay < 0: sleeps until something is ready; 0: at once; else ns at most. */
	void (*poll)(int64_t delay, struct rt_gqueue *q);
	void (*wake)(void);			/* ends a sleep in poll() early; any thread */
	uint32_t (*waiters)(void);		/* Gs parked on descriptors */
	void (*teardown)(void);			/* end of gmp_run(): forgets all waiters */
};
/* Never NULL: sleeping on a note until io/ installs epoll with the first descriptor. */
extern const struct rt_netpoll_ops *rt_netpoll;		/* atomic */

/* Acquire: pairs with rt_netpoll_set(); what it has set up is seen. */
static inline const struct rt_netpoll_ops *rt_poller(void)
{
	return rt_load_acq(&rt_netpoll);
}

void rt_netpoll_set(const struct rt_netpoll_ops *ops);	/* NULL: the note again */

#endif
