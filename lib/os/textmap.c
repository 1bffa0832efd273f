/* SPDX-License-Identifier: MIT */
/*
 * textmap.c - see textmap.h.
 *
 * Owns:       two small tables of address ranges, written once per gmp_run() before other Ms exist. Signal
 *             handlers read them: who was sent the signal afterwards, which sanitizers do not see.
 *
 * The runtime's own code lies in one section (lib/Makefile renames .text to gmprt_text), whose bounds
 * the linker gives. A program linked statically with libc has libc's code in its own text, where it
 * cannot be told apart: then nothing is its own, and goroutines are preempted at their calls only.
 */
#include "os/textmap.h"

#include <errno.h>
#include <link.h>
#include <string.h>

#include "base/sanitize.h"

#define MAX_RANGES	64u

struct range {
	uintptr_t lo, hi;
};

static struct range own[MAX_RANGES];
static uint32_t nr_own;
static struct range runtime;

extern const char __start_gmprt_text[] __attribute__((weak, visibility("hidden")));
extern const char __stop_gmprt_text[] __attribute__((weak, visibility("hidden")));

static void add_text(struct dl_phdr_info *info)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X) || nr_own == MAX_RANGES)
			continue;
		own[nr_own].lo = info->dlpi_addr + ph->p_vaddr;
		own[nr_own].hi = own[nr_own].lo + ph->p_memsz;
		nr_own++;
	}
}

static const ElfW(Dyn) *dynamic_of(struct dl_phdr_info *info)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			return (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	}
	return NULL;
}

/* Is @name among the objects this one was linked with? */
static bool needs(struct dl_phdr_info *info, const char *name)
{
	const ElfW(Dyn) *dyn = dynamic_of(info), *d;
	const char *strings = NULL;

	for (d = dyn; d && d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_STRTAB)
			strings = (const char *)d->d_un.d_ptr;
	}
	if (!strings || (uintptr_t)strings < info->dlpi_addr)
		return false;
	for (d = dyn; d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_NEEDED && strncmp(strings + d->d_un.d_val, name, strlen(name)) == 0)
			return true;
	}
	return false;
}

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
	bool first = *(bool *)arg;

	(void)size;
	*(bool *)arg = false;
	if (first ? needs(info, "libc.so") : needs(info, "libgmprt.so"))
		add_text(info);
	return 0;
}

bool rt_textmap_bounds(uintptr_t *lo, uintptr_t *hi)
{
	*lo = (uintptr_t)__start_gmprt_text;
	*hi = (uintptr_t)__stop_gmprt_text;
	return *lo != *hi;
}

int rt_textmap_init(void)
{
	bool first = true;

	nr_own = 0;
	if (!rt_textmap_bounds(&runtime.lo, &runtime.hi))
		return -ENOSYS;		/* not built by our Makefile: our code cannot be told apart */
	dl_iterate_phdr(look, &first);
	if (nr_own && !rt_textmap_own(rt_san_runtime()))
		return 0;
	return -ENOSYS;		/* or a sanitizer's code, full of locks, lies among the program's */
}

rt_not_sanitized bool rt_textmap_own(uintptr_t pc)
{
	if (pc >= runtime.lo && pc < runtime.hi)
		return false;
	for (uint32_t i = 0; i < nr_own; i++) {
		if (pc >= own[i].lo && pc < own[i].hi)
			return true;
	}
	return false;
}

rt_not_sanitized bool rt_textmap_runtime(uintptr_t pc)
{
	return runtime.lo == runtime.hi || (pc >= runtime.lo && pc < runtime.hi);
}
