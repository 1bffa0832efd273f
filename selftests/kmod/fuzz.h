/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz.h - what the parts of the fuzzer share.
 *
 *   fuzz.c         begins, ends, judges
 *   fuzz_victim.c  processes that attach and do anything to the device, to the pages and to themselves
 *   fuzz_table.c   what these publish of themselves: a layout, and the tables it points to
 *   fuzz_handoff.c what they do to hand Ps over
 *   fuzz_reader.c  processes that read all of /proc/gmp and turn every knob
 *   fuzz_world.c   what befalls the victims: signals, ptrace, freezer, CPUs that go, rmmod
 *
 * Every thread draws from a stream of its own that follows from SEED and its place in the family, so
 * SEED=n repeats what each of them tries; in what order they meet is the scheduler's business.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "gmp_kmod.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* ---- chance -------------------------------------------------------------------------------- */

struct rnd {
	uint64_t s;
};

static inline uint64_t rnd64(struct rnd *r)
{
	/* splitmix64: any seed is a good one, and neighbours are unlike each other */
	uint64_t z = r->s += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* 0 to n - 1 */
static inline unsigned int rnd(struct rnd *r, unsigned int n)
{
	return (rnd64(r) >> 32) * n >> 32;
}

/* True one time in n. */
static inline bool one_in(struct rnd *r, unsigned int n)
{
	return !rnd(r, n);
}

static inline struct rnd rnd_child(struct rnd *r, uint64_t number)
{
	struct rnd child = { r->s ^ (number + 1) * 0xd6e8feb86659fd93ull };

	rnd64(&child);
	return child;
}

/* ---- what is counted ------------------------------------------------------------------------ */

/* X(name, must it have succeeded in the end?) */
#define FUZZ_OPS(X)							\
	X(open, 1)	X(attach, 1)	X(close, 1)	X(map, 1)	\
	X(unmap, 1)	X(enroll, 1)	X(leave, 1)	X(scribble, 1)	\
	X(p_word, 1)	X(carry, 1)	X(wild_ioctl, 0) X(known_ioctl, 0) \
	X(wild_mmap, 0)	X(change_map, 1) X(block, 1)	X(family, 1)	\
	X(exec, 0)	X(thread_end, 0) X(move, 1)	X(fault, 0)	\
	X(handoff, 1)	X(let_go, 0)	X(standby, 0)	X(poke, 1)	\
	X(table, 1)	X(parse, 1)					\
	X(read, 1)	X(knob, 1)	X(trace, 1)			\
	X(kill, 1)	X(stop, 1)	X(ptrace, 1)	X(freeze, 0)	\
	X(cpu, 0)	X(unload, 0)	X(pressure, 1)

#define FUZZ_ENUM_(name, must)	OP_##name,
enum fuzz_op { FUZZ_OPS(FUZZ_ENUM_) OPS };
#undef FUZZ_ENUM_

#define PARAMETERS	"/sys/module/gmp/parameters"
#define COMMANDS	256

/* In memory that all processes of the run share. */
struct fuzz_shared {
	unsigned long	tried[OPS];
	unsigned long	done[OPS];
	unsigned int	command[COMMANDS];	/* ioctl numbers that the module knows */
	unsigned int	commands;
	bool		may_unload;		/* nothing else than we uses the module */
};

extern struct fuzz_shared *shared;

/* Counts; passes on whether it worked. */
static inline bool count(enum fuzz_op op, bool worked)
{
	__atomic_fetch_add(&shared->tried[op], 1, __ATOMIC_RELAXED);
	if (worked)
		__atomic_fetch_add(&shared->done[op], 1, __ATOMIC_RELAXED);
	return worked;
}

#define SLOTS	10	/* of a victim; twice its threads */

/* A descriptor and a pair of mappings the threads of a victim share. */
struct shared_file {
	volatile int fd;
	struct gmp_attach a;
	void *volatile user;
	void *volatile kern;
};

extern __thread unsigned int my_slot;	/* the one it enrolled for last, ... */
extern __thread struct shared_file *my_file;	/* ... with this one; NULL: never */

bool op_handoff(struct shared_file *f, struct rnd *r);
bool op_let_go(struct shared_file *f, struct rnd *r);
bool op_standby(struct shared_file *f, struct rnd *r);
bool op_poke(struct shared_file *f, struct rnd *r);

bool op_table(struct shared_file *f, struct rnd *r);
uint64_t table_layout(void);				/* what to attach with */

void victim_main(struct rnd *r);			/* never returns */
void reader_main(struct rnd *r, bool as_nobody);	/* never returns */
void world_init(void);
void world_step(struct rnd *r, const pid_t *victims, int n);
void world_settle(void);

#endif /* FUZZ_H */
