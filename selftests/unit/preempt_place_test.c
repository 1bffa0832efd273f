/* SPDX-License-Identifier: MIT */
/*
 * preempt_place_test.c - where SIGURG stops a goroutine: in the program's own code. Never in libc, the dynamic
 * linker, the runtime, or a gmp_nopreempt_begin() region.
 *
 * One P, so whoever is stopped is seen by another goroutine's turns. A thread sends the runtime's own signal all the
 * time; each goes through watch(), which knows where it met goroutine 1 and whether that was stopped meanwhile.
 * So nothing depends on time: signals are counted, however slowly they come.
 */
#include <gmprt.h>

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <ucontext.h>

#include "gmptest.h"
#include "os/mark.h"
#include "os/textmap.h"
#include "sched/preempt.h"
#include "sched/sched.h"

#define ENOUGH	50u

enum place { OWN, REGION, RUNTIME, LIBC, LINKER, ALTERNATE, OTHER, NR_PLACES };

static const char *const names[NR_PLACES] = { "own", "region", "runtime", "libc", "linker", "alternate", "other" };
static struct { uintptr_t lo, hi; enum place place; } code[8];
static struct sigaction runtime;
static uintptr_t stack_lo, stack_hi;	/* of goroutine 1 */
static volatile bool in_region, watching;
static volatile uint32_t met[NR_PLACES], stopped[NR_PLACES];
static volatile uint64_t turns;
static uint32_t over;		/* atomic */

/* ---- where ------------------------------------------------------------------------------------------- */

static int note_code(struct dl_phdr_info *info, size_t size, void *n)
{
	const char *name = info->dlpi_name;
	enum place place = strstr(name, "/libc.so") ? LIBC : strstr(name, "/ld-linux") ? LINKER : OWN;

	(void)size;
	if (place == OWN && *name)
		return 0;	/* the program itself has no name */
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X))
			continue;
		CHECK(*(int *)n < 8);
		code[*(int *)n].lo = info->dlpi_addr + ph->p_vaddr;
		code[*(int *)n].hi = code[*(int *)n].lo + ph->p_memsz;
		code[(*(int *)n)++].place = place;
	}
	return 0;
}

static rt_not_sanitized enum place place_of(uintptr_t pc)
{
	enum place place = OTHER;

	for (int i = 0; i < 8; i++)
		if (pc >= code[i].lo && pc < code[i].hi)
			place = code[i].place;
	if (place != OWN)
		return place;
	return rt_textmap_runtime(pc) ? RUNTIME : in_region ? REGION : OWN;
}

/* A signal that comes while this one is dealt with is not looked at: it may stop goroutine 1 here, in own code. */
static rt_not_sanitized void watch(int sig, siginfo_t *si, void *ctx)
{
	const greg_t *regs = ((ucontext_t *)ctx)->uc_mcontext.gregs;
	uintptr_t sp = (uintptr_t)__builtin_frame_address(0), met_sp = (uintptr_t)regs[REG_RSP];
	enum place at = place_of((uintptr_t)regs[REG_RIP]);
	uint64_t then;

	if (met_sp < stack_lo || met_sp >= stack_hi) {
		runtime.sa_sigaction(sig, si, ctx);
		return;
	}
	if (sp < stack_lo || sp >= stack_hi)
		at = ALTERNATE;
	if (watching)
		return;
	watching = true;
	then = turns;
	runtime.sa_sigaction(sig, si, ctx);
	met[at]++;
	stopped[at] += turns != then;
	watching = false;
}

/* ---- who sends ----------------------------------------------------------------------------------------- */

static void *sends(void *arg)
{
	struct rt_p *pp = rt_sched.allp[0];

	(void)arg;
	while (!rt_load_acq(&over)) {
		struct rt_m *mp = rt_load_acq(&pp->m);

		rt_or_ar(&pp->attention, RT_ATT_PREEMPT);
		if (mp)
			rt_mark_send(mp->tid, (const void *)rt_preempt_cookie());
		usleep(100);
	}
	return NULL;
}

static void takes_turns(void *arg)
{
	(void)arg;
	for (;;) {
		turns++;
		gmp_yield();
	}
}

static int watched(void *arg)
{
	struct sigaction sa;
	pthread_t sender;
	int n = 0;

	dl_iterate_phdr(note_code, &n);
	stack_lo = rt_getg()->stack_lo;
	stack_hi = rt_getg()->stack_hi;
	CHECK_EQ(rt_sigaction(SIGURG, NULL, &runtime), 0);
	CHECK_EQ((uintptr_t)runtime.sa_sigaction, rt_preempt_handler());
	sa = runtime;
	sa.sa_sigaction = watch;
	CHECK_EQ(rt_sigaction(SIGURG, &sa, NULL), 0);
	CHECK(gmp_go(takes_turns, NULL) > 1);
	CHECK_EQ(pthread_create(&sender, NULL, sends, NULL), 0);
	((void (*)(void))arg)();
	rt_store_rel(&over, 1);
	pthread_join(sender, NULL);
	for (int i = 0; i < NR_PLACES; i++)
		printf("# %s: met %u times, stopped %u\n", names[i], met[i], stopped[i]);
	for (int i = REGION; i < NR_PLACES; i++)
		CHECK_EQ(stopped[i], 0);
	return 0;
}

/* sysmon=0: who stops here are the sender and nobody else. */
#define WATCHED(id) \
	static void watched_##id(void); \
	TEST(id) \
	{ \
		setenv("GMP_MAXPROCS", "1", 1); \
		setenv("GMP_DEBUG", "sysmon=0", 1); \
		CHECK_EQ(gmp_run(watched, (void *)(uintptr_t)watched_##id), 0); \
	} \
	static void watched_##id(void)

/* A tool puts its own functions before those of libc and the linker. */
static bool enough(enum place at)
{
	return met[at] + (GMPTEST_SCALE(100) < 100 ? met[OTHER] : 0) >= ENOUGH;
}

/* ---- the cases ----------------------------------------------------------------------------------------- */

static void computes(void)
{
	for (volatile int i = 0; i < 10000; i++)
		;
}

WATCHED(stopped_in_own_code)
{
	while (stopped[OWN] < ENOUGH)
		computes();
}

static void watch_from(int flags)
{
	struct sigaction sa = runtime;

	sa.sa_sigaction = watch;
	sa.sa_flags |= flags;
	CHECK_EQ(rt_sigaction(SIGURG, &sa, NULL), 0);
}

/* A handler of the program is there, which calls ours: its frames are nobody's to leave. */
WATCHED(not_from_the_alternate_stack)
{
	watch_from(SA_ONSTACK);
	while (!enough(ALTERNATE))
		computes();
	watch_from(0);
	while (!stopped[OWN])
		computes();
}

WATCHED(not_in_a_region)
{
	while (!enough(REGION)) {
		gmp_nopreempt_begin();
		in_region = true;
		computes();
		in_region = false;
		gmp_nopreempt_end();
	}
	while (!stopped[OWN])
		computes();
}

#define BIG	(1u << 20)
#define WORDS	4096

static char a[BIG], b[BIG];
static char words[WORDS][16];

/* Each call is long, and all of it libc's: the comparison of the sort, too. */
static void calls_libc(void)
{
	memset(a, 'a', BIG - 1);
	memset(b, 'a', BIG - 1);
	CHECK(memcmp(a, b, BIG) == 0);
	CHECK(strcoll(a, b) == 0);
	CHECK(strstr(a, "ab") == NULL);
	for (int i = 0; i < WORDS; i++)
		words[i][0] = (char)('a' + i % 26);
	qsort(words, WORDS, sizeof(words[0]), (int (*)(const void *, const void *))(uintptr_t)strcmp);
}

WATCHED(not_in_libc)
{
	while (!enough(LIBC))
		calls_libc();
	while (!stopped[OWN])
		computes();
}

WATCHED(not_in_the_dynamic_linker)
{
	while (!enough(LINKER))
		CHECK(dlsym(RTLD_DEFAULT, "qsort") != NULL);
	while (!stopped[OWN])
		computes();
}

WATCHED(not_in_the_runtime)
{
	struct gmp_mutex mu = { 0 };

	while (!enough(RUNTIME)) {
		for (int i = 0; i < 100; i++) {
			gmp_mutex_lock(&mu);
			gmp_mutex_unlock(&mu);
		}
		gmp_num_goroutine();
	}
	while (!stopped[OWN])
		computes();
}
