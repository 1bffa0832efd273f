// SPDX-License-Identifier: MIT
/*
 * layout.c - find gmp_rt_layout of a process from outside, stripped or not.
 *
 * Everything is read from the process's memory, nothing from files: the file on disk may have been
 * replaced or deleted since, or lie in another container. The way there:
 *
 *   /proc/PID/maps     each file mapped from its beginning
 *   ELF header         is it one? program headers follow
 *   PT_NOTE            a note "GMP" of type 1: an s64, from its own address to gmp_rt_layout
 *   gmp_rt_layout      magic, version, size must be ours
 *
 * That is the executable, or libgmprt.so, or a shared object that has the library inside. Nothing
 * read on the way is trusted: every count and length has a limit, every address may be bad.
 */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/layout.h"
#include "common/remote.h"

#define MAX_PHDRS	64
#define MAX_NOTES	16384		/* bytes of a note segment looked at */

struct image {
	pid_t pid;
	uint64_t start;			/* where the ELF header is */
	Elf64_Phdr ph[MAX_PHDRS];
	unsigned int nph;
	uint64_t bias;			/* added to p_vaddr */
};

static int read_headers(struct image *img)
{
	Elf64_Ehdr eh;
	int err = remote_read(img->pid, img->start, &eh, sizeof(eh));

	if (err)
		return err;
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_phentsize != sizeof(Elf64_Phdr))
		return -ENOENT;
	img->nph = eh.e_phnum < MAX_PHDRS ? eh.e_phnum : MAX_PHDRS;
	return remote_read(img->pid, img->start + eh.e_phoff, img->ph, img->nph * sizeof(Elf64_Phdr));
}

/* The segment that holds the ELF header says what was added to its address. */
static int find_bias(struct image *img)
{
	for (unsigned int i = 0; i < img->nph; i++) {
		const Elf64_Phdr *ph = &img->ph[i];

		if (ph->p_type != PT_LOAD || ph->p_offset >= 4096)
			continue;
		img->bias = img->start - (ph->p_vaddr - ph->p_offset);
		return 0;
	}
	return -ENOENT;
}

/* Where in @buf (@len bytes of notes) the desc of our note is, or 0. */
static size_t find_desc(const unsigned char *buf, size_t len)
{
	size_t at = 0;

	while (len - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr nh;
		size_t name = at + sizeof(nh), desc, end;

		memcpy(&nh, buf + at, sizeof(nh));
		if (nh.n_namesz > len || nh.n_descsz > len)
			return 0;
		desc = name + ((nh.n_namesz + 3u) & ~3u);
		end = desc + ((nh.n_descsz + 3u) & ~3u);
		if (end > len)
			return 0;
		if (nh.n_type == GMP_NOTE_TYPE && nh.n_descsz == sizeof(int64_t) &&
		    nh.n_namesz == sizeof(GMP_NOTE_NAME) &&
		    !memcmp(buf + name, GMP_NOTE_NAME, sizeof(GMP_NOTE_NAME)))
			return desc;
		at = end;
	}
	return 0;
}

static int read_layout(pid_t pid, uint64_t addr, struct gmp_rt_layout *layout)
{
	int err = remote_read(pid, addr, layout, sizeof(*layout));

	if (err || layout->magic != GMP_LAYOUT_MAGIC)
		return -ENOENT;
	if (layout->version != GMP_ABI_VERSION || layout->size != sizeof(*layout))
		return -EPROTO;
	return layout->ready == 1 ? 0 : -EAGAIN;
}

/* -ENOENT: no note of ours in this segment. */
static int try_notes(const struct image *img, const Elf64_Phdr *ph, struct gmp_rt_layout *layout)
{
	unsigned char buf[MAX_NOTES];
	size_t len = ph->p_filesz < sizeof(buf) ? ph->p_filesz : sizeof(buf);
	uint64_t addr = img->bias + ph->p_vaddr;
	int64_t offset;
	size_t desc;

	if (remote_read(img->pid, addr, buf, len))
		return -ENOENT;
	desc = find_desc(buf, len);
	if (!desc)
		return -ENOENT;
	memcpy(&offset, buf + desc, sizeof(offset));
	return read_layout(img->pid, addr + desc + (uint64_t)offset, layout);
}

/* -ENOENT: what is mapped there is no ELF file, or one without our note. */
static int try_image(pid_t pid, uint64_t start, struct gmp_rt_layout *layout)
{
	struct image img = { .pid = pid, .start = start };
	int err = read_headers(&img);

	if (!err)
		err = find_bias(&img);
	if (err)
		return err == -EFAULT ? -ENOENT : err;
	for (unsigned int i = 0; i < img.nph; i++) {
		if (img.ph[i].p_type != PT_NOTE)
			continue;
		err = try_notes(&img, &img.ph[i], layout);
		if (err != -ENOENT)
			return err;
	}
	return -ENOENT;
}

/* A line of maps: a readable mapping of a file's beginning? */
static bool is_candidate(const char *line, uint64_t *start)
{
	uint64_t offset, inode;
	char prot[5];

	return sscanf(line, "%" SCNx64 "-%*x %4s %" SCNx64 " %*s %" SCNu64,
		      start, prot, &offset, &inode) == 4 &&
	       prot[0] == 'r' && offset == 0 && inode != 0;
}

/**
 * layout_find() - read a process's gmp_rt_layout
 * @pid: a process
 * @layout: its layout; `ready` is 1 and sizes and offsets are as the process says: check them
 *
 * Return: 0;
 * -ESRCH  no such process;
 * -EACCES, -EPERM  this user may not look into it;
 * -ENOENT no libgmprt in it;
 * -EPROTO a libgmprt that this program does not understand (@layout->version, @layout->size);
 * -EAGAIN gmp_run() does not run in it.
 */
int layout_find(pid_t pid, struct gmp_rt_layout *layout)
{
	char path[32], line[512];
	int err = -ENOENT;
	bool whole = true;	/* does the next piece begin a line? paths may be long */
	uint64_t start;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	while (err == -ENOENT && fgets(line, sizeof(line), f)) {
		if (whole && is_candidate(line, &start))
			err = try_image(pid, start, layout);
		whole = strchr(line, '\n');
	}
	if (err == -ENOENT && ferror(f))
		err = -EACCES;
	fclose(f);
	return err;
}
