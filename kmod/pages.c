// SPDX-License-Identifier: GPL-2.0-only
/*
 * pages.c - the two regions a process shares with the module.
 *
 * Owns:       struct gmp_region; the vm_operations of its mappings; grp->mapped.
 * Invariants: an element of r->pages goes from NULL to a page once and stays until the region goes;
 *             what the process can reach is exactly r->pages; what it must not write it cannot make
 *             writable (VM_MAYWRITE cleared).
 * Locks:      none; mmap_lock is held by the caller of every vm operation.
 * Not here:   what stands in the pages (gmp_abi.h, account.c).
 *
 * Callers' offsets follow from numbers that user space chose, and a page found is looked into: so indexes
 * are masked after they are checked, for a CPU that goes on before it knows the outcome.
 *
 * A slot costs nothing until it is used: a page is allocated by the first fault on it, or by
 * GMP_IOC_M_REGISTER for the slot it binds, whichever comes first. So sched_out, which may neither
 * sleep nor fault, always finds its two pages. The kernel goes through its own mapping
 * (page_address()), never through the process's. Pages are charged to the memory cgroup.
 *
 * Considered and not taken: vmalloc_user() + remap_vmalloc_range(), which allocates all at once and
 * charges nobody; vm_insert_pages() at mmap, which allocates all at once; VM_IO, which would keep
 * MADV_DOFORK out but debuggers and process_vm_readv(), too.
 */
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * gmp_region_init() - set up an empty region
 * @r: region, all zero
 * @bytes: length; rounded up to whole pages
 * @mmap_off: offset for mmap(), page aligned
 * @writable: may the process write?
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int gmp_region_init(struct gmp_region *r, u64 bytes, u64 mmap_off, bool writable)
{
	r->nr_pages = PFN_UP(bytes);
	r->pgoff = PHYS_PFN(mmap_off);
	r->writable = writable;
	r->pages = kvcalloc(r->nr_pages, sizeof(*r->pages), GFP_KERNEL_ACCOUNT);
	return r->pages ? 0 : -ENOMEM;
}

/**
 * gmp_region_destroy() - give the pages back
 * @r: region without mappings, which nobody else looks at; may be all zero
 */
void gmp_region_destroy(struct gmp_region *r)
{
	unsigned long i;

	for (i = 0; r->pages && i < r->nr_pages; i++)
		if (r->pages[i])
			put_page(r->pages[i]);
	kvfree(r->pages);
	r->pages = NULL;
}

/*
 * The page of an index below nr_pages, allocated if need be; NULL without memory. Two may come at
 * once:
 *
 *   fault of thread A          M_REGISTER of thread B
 *   allocate, zero             allocate, zero
 *   cmpxchg NULL -> A's        cmpxchg fails: frees its own, uses A's
 *
 * cmpxchg is a full barrier: who reads the pointer sees the zeroed page.
 */
static struct page *region_page(struct gmp_region *r, unsigned long idx)
{
	struct page *page = READ_ONCE(r->pages[idx]), *first;

	if (page)
		return page;
	page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!page)
		return NULL;
	first = cmpxchg(&r->pages[idx], NULL, page);
	if (!first)
		return page;
	__free_page(page);
	return first;
}

static void *address_in(struct page *page, u64 off)
{
	/* Worked out of its flags where there is no vmemmap: of those that never change. */
	return data_race(page_address(page)) + offset_in_page(off);
}

/**
 * gmp_region_get() - the kernel's address of a place in a region, which will be there from now on
 * @r: region
 * @off: offset in bytes; what lies there must not cross a page
 *
 * Context: process, may sleep.
 * Return: the address, or NULL if there is no memory or @off is outside.
 */
void *gmp_region_get(struct gmp_region *r, u64 off)
{
	unsigned long idx = PHYS_PFN(off);
	struct page *page;

	if (WARN_ON_ONCE(idx >= r->nr_pages))
		return NULL;
	page = region_page(r, array_index_nospec(idx, r->nr_pages));
	return page ? address_in(page, off) : NULL;
}

/**
 * gmp_region_peek() - the kernel's address of a place in a region, if anyone ever used it
 * @r: region
 * @off: offset in bytes
 *
 * Context: any.
 * Return: the address, or NULL: all zero as far as anyone knows.
 */
void *gmp_region_peek(struct gmp_region *r, u64 off)
{
	unsigned long idx = PHYS_PFN(off);
	struct page *page;

	if (WARN_ON_ONCE(idx >= r->nr_pages))
		return NULL;
	page = READ_ONCE(r->pages[array_index_nospec(idx, r->nr_pages)]);
	return page ? address_in(page, off) : NULL;
}

/* The mapping holds the file, the file holds the group: vm_private_data and vm_file stay. */
static struct gmp_region *vma_region(struct gmp_group *grp, unsigned long pgoff)
{
	return pgoff >= grp->kern.pgoff ? &grp->kern : &grp->user;
}

/* MADV_DOFORK lets a child inherit the mapping all the same. It finds nothing there. */
static bool is_inherited(const struct vm_area_struct *vma)
{
	const struct gmp_group *grp = vma->vm_private_data;

	return vma->vm_mm != grp->mm;
}

static vm_fault_t pages_fault(struct vm_fault *vmf)
{
	struct gmp_region *r = vma_region(vmf->vma->vm_private_data, vmf->pgoff);
	unsigned long idx = vmf->pgoff - r->pgoff;
	struct page *page;

	if (is_inherited(vmf->vma) || idx >= r->nr_pages)
		return VM_FAULT_SIGBUS;
	page = region_page(r, array_index_nospec(idx, r->nr_pages));
	if (!page)
		return VM_FAULT_OOM;
	get_page(page);
	vmf->page = page;
	return 0;
}

static void pages_open(struct vm_area_struct *vma)
{
	struct gmp_group *grp = vma->vm_private_data;

	if (!is_inherited(vma))
		atomic_inc(&grp->mapped);
}

/* mmap_lock is held: nothing that waits for readers of /proc may be done here. */
static void pages_close(struct vm_area_struct *vma)
{
	struct gmp_group *grp = vma->vm_private_data;

	if (!is_inherited(vma) && atomic_dec_and_test(&grp->mapped))
		gmp_group_check(grp);
}

static const struct vm_operations_struct pages_vm_ops = {
	.open	= pages_open,
	.close	= pages_close,
	.fault	= pages_fault,
};

static int check_mapping(const struct gmp_region *r, struct vm_area_struct *vma)
{
	vm_flags_t want = VM_READ | (r->writable ? VM_WRITE : 0);

	if (vma->vm_pgoff != r->pgoff || vma_pages(vma) != r->nr_pages)
		return -EINVAL;
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if ((vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC)) != want)
		return -EACCES;
	return 0;
}

/**
 * gmp_pages_mmap() - map one of the regions of a group, whole
 * @grp: group of the calling process
 * @vma: the mapping to be
 *
 * Context: mmap_lock held for writing.
 * Return: 0; -EINVAL for another offset or length than GMP_IOC_ATTACH said, or a private mapping;
 * -EACCES for another protection than gmp_abi.h says.
 */
int gmp_pages_mmap(struct gmp_group *grp, struct vm_area_struct *vma)
{
	struct gmp_region *r = vma_region(grp, vma->vm_pgoff);
	vm_flags_t never = VM_MAYEXEC | (r->writable ? 0 : VM_MAYWRITE);
	int err = check_mapping(r, vma);

	if (err)
		return err;
	gmp_vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP, never);
	vma->vm_private_data = grp;
	vma->vm_ops = &pages_vm_ops;
	pages_open(vma);
	return 0;
}
