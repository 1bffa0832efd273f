/* SPDX-License-Identifier: MIT */
/*
 * elfsym.c - which function an address belongs to, from the symbol table of its file.
 *
 * Owns:       a table of the files asked about so far, mapped for reading.
 * Not here:   files and lines (dwsym.c, which needs libdw and a heap that works).
 *
 * This is what remains when nothing can be trusted: /proc/self/maps says which file an address comes
 * from, .symtab (else .dynsym) which function. dladdr() would take the loader's lock and knows only
 * exported names. Every offset read from a file is checked against its size.
 */
#include "debug/elfsym.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODULES		64
#define PATH_LEN	256

struct module {
	uintptr_t lo, hi;		/* the mapping that was asked about */
	uintptr_t bias;			/* address in this process - address in the file */
	const uint8_t *file;		/* NULL: cannot be read, or is no ELF file */
	size_t size;
	const Elf64_Sym *sym;
	size_t nsym;
	const char *str;
	size_t strsize;
	char path[PATH_LEN];
};

static struct module modules[MODULES];
static unsigned int nmodules;

/* ---- /proc/self/maps ------------------------------------------------------------------------------ */

struct mapping {
	uintptr_t lo, hi, offset;
	char path[PATH_LEN];
};

static const char *hex(const char *s, uintptr_t *v)
{
	for (*v = 0;; s++) {
		unsigned int c = (unsigned char)*s | 0x20;

		if (c >= '0' && c <= '9')
			*v = *v * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			*v = *v * 16 + (c - 'a' + 10);
		else
			return s;
	}
}

/* "lo-hi perms offset dev inode   path" */
static void parse(const char *line, struct mapping *m)
{
	const char *s = hex(line, &m->lo);

	s = hex(*s ? s + 1 : s, &m->hi);
	s = strchr(*s ? s + 1 : s, ' ');
	s = s ? hex(s + 1, &m->offset) : "";
	s = strchr(s, '/');
	m->path[0] = 0;
	if (s && strlen(s) < sizeof(m->path))
		strcpy(m->path, s);
}

struct lines {
	int fd;
	size_t at, n;
	char buf[4096];
};

/* The next line, without its end; false at the end of the file. A longer one than fits is cut. */
static bool next_line(struct lines *l, char *line, size_t size)
{
	size_t n = 0;

	for (;;) {
		if (l->at == l->n) {
			ssize_t got = read(l->fd, l->buf, sizeof(l->buf));

			if (got <= 0)
				return false;
			l->at = 0;
			l->n = (size_t)got;
		}
		if (l->buf[l->at++] == '\n')
			break;
		if (n + 1 < size)
			line[n++] = l->buf[l->at - 1];
	}
	line[n] = 0;
	return true;
}

static bool find_mapping(uintptr_t pc, struct mapping *m)
{
	static struct lines l;
	char line[PATH_LEN + 128];
	bool found = false;

	l = (struct lines){ .fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC) };
	if (l.fd < 0)
		return false;
	while (!found && next_line(&l, line, sizeof(line))) {
		parse(line, m);
		found = pc >= m->lo && pc < m->hi;
	}
	close(l.fd);
	return found;
}

/* ---- the file --------------------------------------------------------------------------------------- */

static const void *inside(const struct module *m, uint64_t off, uint64_t len)
{
	return off <= m->size && len <= m->size - off ? m->file + off : NULL;
}

static const Elf64_Ehdr *elf_header(const struct module *m)
{
	const Elf64_Ehdr *eh = inside(m, 0, sizeof(*eh));

	if (!eh || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 || eh->e_ident[EI_CLASS] != ELFCLASS64)
		return NULL;
	return eh;
}

static void map_file(struct module *m)
{
	int fd = open(m->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p = MAP_FAILED;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return;
	m->file = p;
	m->size = (size_t)st.st_size;
	if (!elf_header(m))
		m->file = NULL;
}

/* The segment that the mapping shows (code: neighbours may share a page of the file) tells where it is. */
static bool set_bias(struct module *m, const struct mapping *map)
{
	const Elf64_Ehdr *eh = elf_header(m);
	const Elf64_Phdr *ph = inside(m, eh->e_phoff, (uint64_t)eh->e_phnum * sizeof(*ph));

	for (int i = 0; ph && i < eh->e_phnum; i++) {
		uint64_t from = ph[i].p_offset & ~4095ull;

		if (ph[i].p_type != PT_LOAD || !(ph[i].p_flags & PF_X) || map->offset < from ||
		    map->offset >= ph[i].p_offset + ph[i].p_filesz)
			continue;
		m->bias = map->lo - map->offset + ph[i].p_offset - ph[i].p_vaddr;
		return true;
	}
	return false;
}

static void use_symbols(struct module *m, const Elf64_Shdr *sh, const Elf64_Shdr *str)
{
	m->sym = inside(m, sh->sh_offset, sh->sh_size);
	m->nsym = m->sym ? sh->sh_size / sizeof(*m->sym) : 0;
	m->str = inside(m, str->sh_offset, str->sh_size);
	m->strsize = m->str && str->sh_size && !m->str[str->sh_size - 1] ? str->sh_size : 0;
}

static void find_symbols(struct module *m)
{
	const Elf64_Ehdr *eh = elf_header(m);
	const Elf64_Shdr *sh = inside(m, eh->e_shoff, (uint64_t)eh->e_shnum * sizeof(*sh));

	for (int i = 0; sh && i < eh->e_shnum; i++) {
		bool full = sh[i].sh_type == SHT_SYMTAB;

		if ((full || (sh[i].sh_type == SHT_DYNSYM && !m->sym)) && sh[i].sh_link < eh->e_shnum)
			use_symbols(m, &sh[i], &sh[sh[i].sh_link]);
		if (full)
			return;
	}
}

static struct module *module_of(uintptr_t pc)
{
	struct module *m;
	struct mapping map;

	for (unsigned int i = 0; i < nmodules; i++)
		if (pc >= modules[i].lo && pc < modules[i].hi)
			return &modules[i];
	if (!find_mapping(pc, &map) || !map.path[0])
		return NULL;
	m = &modules[nmodules < MODULES ? nmodules++ : MODULES - 1];
	*m = (struct module){ .lo = map.lo, .hi = map.hi };
	strcpy(m->path, map.path);
	m->bias = map.lo - map.offset;
	map_file(m);
	if (m->file && set_bias(m, &map))
		find_symbols(m);
	return m;
}

/* ---- the symbol ---------------------------------------------------------------------------------------- */

/* The nearest function that begins at or before @at and, if its size is known, covers it. */
static const Elf64_Sym *best_symbol(const struct module *m, uintptr_t at)
{
	const Elf64_Sym *best = NULL;

	for (size_t i = 0; i < m->nsym; i++) {
		const Elf64_Sym *s = &m->sym[i];
		int type = ELF64_ST_TYPE(s->st_info);

		if ((type != STT_FUNC && type != STT_NOTYPE && type != STT_GNU_IFUNC) ||
		    s->st_shndx == SHN_UNDEF || s->st_name >= m->strsize || s->st_value > at ||
		    (s->st_size && at >= s->st_value + s->st_size) || !m->str[s->st_name])
			continue;
		if (!best || s->st_value > best->st_value ||
		    (s->st_value == best->st_value && type == STT_FUNC))
			best = s;
	}
	return best;
}

void rt_elfsym(uintptr_t pc, struct rt_elfsym *out)
{
	const struct module *m = module_of(pc);
	const Elf64_Sym *s;

	*out = (struct rt_elfsym){ 0 };
	if (!m)
		return;
	out->module = m->path;
	out->offset = pc - m->bias;
	s = best_symbol(m, out->offset);
	if (!s)
		return;
	out->name = m->str + s->st_name;
	out->start = s->st_value + m->bias;
}
