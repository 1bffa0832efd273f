/* SPDX-License-Identifier: MIT */
/*
 * dwsym.c - see dwsym.h.
 *
 * libdw is loaded when a dump is made, and only in the helper process: programs need neither link
 * it nor have it, and its faults are not theirs. It finds separate debug files by build id; asking
 * servers for them (debuginfod) is switched off: a dying program does not wait for the network.
 *
 * Without the header at build time, without the library at run time, or in a static program (no
 * dlopen()), rt_dwsym_init() says no, and elfsym.c gives the names of functions alone.
 */
#include "debug/dwsym.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#if __has_include(<elfutils/libdwfl.h>)
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>

#pragma weak dlopen
#pragma weak dlsym

#define FUNCTIONS(X)								\
	X(dwfl_begin) X(dwfl_linux_proc_report) X(dwfl_report_end)		\
	X(dwfl_linux_proc_find_elf) X(dwfl_standard_find_debuginfo)		\
	X(dwfl_addrmodule) X(dwfl_module_addrinfo) X(dwfl_module_addrdie)	\
	X(dwfl_module_nextcu) X(dwarf_haspc) X(dwarf_getsrc_die)		\
	X(dwarf_linesrc) X(dwarf_lineno) X(dwarf_getscopes)			\
	X(dwarf_getscopes_die) X(dwarf_tag) X(dwarf_diename)			\
	X(dwarf_attr) X(dwarf_formudata) X(dwarf_getsrcfiles) X(dwarf_filesrc)

#define MEMBER(f)	__typeof__(&f) f;
static struct {
	FUNCTIONS(MEMBER)
} dw;

static Dwfl *dwfl;

static bool load(void)
{
	void *lib = dlopen ? dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL) : NULL;

	if (!lib)
		return false;
#define LOAD(f)					\
	dw.f = (__typeof__(dw.f))dlsym(lib, #f);	\
	if (!dw.f)				\
		return false;
	FUNCTIONS(LOAD)
	return true;
}

bool rt_dwsym_init(void)
{
	static Dwfl_Callbacks cb;

	if (!load())
		return false;
	unsetenv("DEBUGINFOD_URLS");
	cb.find_elf = dw.dwfl_linux_proc_find_elf;
	cb.find_debuginfo = dw.dwfl_standard_find_debuginfo;
	dwfl = dw.dwfl_begin(&cb);
	return dwfl && dw.dwfl_linux_proc_report(dwfl, getpid()) == 0 &&
	       dw.dwfl_report_end(dwfl, NULL, NULL) == 0;
}

/* The index of addresses may be missing (clang writes none): then each unit is asked. */
static Dwarf_Die *unit_of(Dwfl_Module *mod, uintptr_t at, Dwarf_Addr *bias)
{
	Dwarf_Die *cu = dw.dwfl_module_addrdie(mod, at, bias);

	if (cu)
		return cu;
	while ((cu = dw.dwfl_module_nextcu(mod, cu, bias)) != NULL)
		if (dw.dwarf_haspc(cu, at - *bias) > 0)
			return cu;
	return NULL;
}

static uint64_t number(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attr;
	Dwarf_Word v;

	if (!dw.dwarf_attr(die, name, &attr) || dw.dwarf_formudata(&attr, &v) != 0)
		return 0;
	return v;
}

static void add(struct rt_dwsym *out, const char *func, const char *file, int line)
{
	if (!file || out->n == RT_DWSYM_LEVELS)
		return;
	out->level[out->n].func = func;
	out->level[out->n].file = file;
	out->level[out->n].line = line;
	out->n++;
}

/*
 * From the innermost block outwards: an inlined call stands at the line we are at, and was called
 * from the line its own attributes name. @die: that block; its parents as they are nested in memory.
 */
static void add_levels(Dwarf_Die *cu, Dwarf_Die *die, const char *file, int line, struct rt_dwsym *out)
{
	Dwarf_Die *scopes = NULL;
	Dwarf_Files *files = NULL;
	size_t nfiles = 0;
	int n = dw.dwarf_getscopes_die(die, &scopes);

	dw.dwarf_getsrcfiles(cu, &files, &nfiles);
	for (int i = 0; i < n; i++) {
		int tag = dw.dwarf_tag(&scopes[i]);
		uint64_t f;

		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
			continue;
		add(out, dw.dwarf_diename(&scopes[i]), file, line);
		if (tag == DW_TAG_subprogram)
			break;
		f = number(&scopes[i], DW_AT_call_file);
		file = f < nfiles ? dw.dwarf_filesrc(files, f, NULL, NULL) : NULL;
		line = (int)number(&scopes[i], DW_AT_call_line);
	}
	free(scopes);
}

static void add_lines(Dwfl_Module *mod, uintptr_t at, struct rt_dwsym *out)
{
	Dwarf_Addr bias = 0;
	Dwarf_Die *cu = unit_of(mod, at, &bias), *scopes = NULL;
	Dwarf_Line *l = cu ? dw.dwarf_getsrc_die(cu, at - bias) : NULL;
	const char *file = l ? dw.dwarf_linesrc(l, NULL, NULL) : NULL;
	int line = 0;

	if (!file)
		return;
	dw.dwarf_lineno(l, &line);
	if (dw.dwarf_getscopes(cu, at - bias, &scopes) > 0)
		add_levels(cu, &scopes[0], file, line, out);
	free(scopes);
	if (!out->n)
		add(out, out->symbol, file, line);
}

void rt_dwsym(uintptr_t at, struct rt_dwsym *out)
{
	Dwfl_Module *mod = dw.dwfl_addrmodule(dwfl, at);
	GElf_Off off = 0;
	GElf_Sym sym;

	*out = (struct rt_dwsym){ 0 };
	if (!mod)
		return;
	out->symbol = dw.dwfl_module_addrinfo(mod, at, &off, &sym, NULL, NULL, NULL);
	out->start = at - off;
	add_lines(mod, at, out);
}

#else

bool rt_dwsym_init(void)
{
	return false;
}

void rt_dwsym(uintptr_t at, struct rt_dwsym *out)
{
	(void)at;
	*out = (struct rt_dwsym){ 0 };
}

#endif
