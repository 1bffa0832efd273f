/* SPDX-License-Identifier: MIT */
/*
 * code.c - see code.h: libdw's answer, else the file's own symbol table, remembered for next time.
 *
 * A thousand goroutines stand in a dozen places: a small table that forgets on collision is enough.
 * When libdw crashes or hangs once (rt_guarded()), it is not asked again.
 */
#include "debug/code.h"

#include <string.h>
#include <sys/mman.h>

#include "debug/guard.h"

#define SLOTS		512u
#define ASK_SECONDS	5

static struct rt_code *table;	/* NULL: no memory, nothing is remembered */
static bool have_dw;

static void init_dw(void *arg)
{
	*(bool *)arg = rt_dwsym_init();
}

bool rt_code_init(unsigned int seconds)
{
	void *p = mmap(NULL, SLOTS * sizeof(*table), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	table = p == MAP_FAILED ? NULL : p;
	if (rt_guarded(init_dw, &have_dw, seconds))
		return true;
	have_dw = false;
	return false;
}

static void ask_dw(void *arg)
{
	struct rt_code *c = arg;

	rt_dwsym(c->at, &c->dw);
}

static void ask_elf(void *arg)
{
	struct rt_code *c = arg;

	rt_elfsym(c->at, &c->elf);
}

static void find(struct rt_code *c, uintptr_t at)
{
	memset(c, 0, sizeof(*c));
	c->at = at;
	if (!rt_guarded(ask_elf, c, ASK_SECONDS))
		c->elf = (struct rt_elfsym){ 0 };
	if (have_dw && !rt_guarded(ask_dw, c, ASK_SECONDS)) {
		c->dw = (struct rt_dwsym){ 0 };
		have_dw = false;
	}
	/* A separate debug file knows names that were stripped from the file itself. */
	if (c->dw.symbol && (!c->elf.name || c->dw.start > c->elf.start)) {
		c->elf.name = c->dw.symbol;
		c->elf.start = c->dw.start;
	}
}

const struct rt_code *rt_code_at(uintptr_t at)
{
	static struct rt_code one;
	struct rt_code *c = table ? &table[(at ^ at >> 9) % SLOTS] : &one;

	if (c->at != at || !table)
		find(c, at);
	return c;
}
