// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/mm.h>
#include <linux/sizes.h>

#include <asm/memtype.h>

#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_tt.h>

#include <kunit/visibility.h>

#include "ferry_audit.h"
#include "ferry_bo.h"
#include "ferry_pat.h"
#include "ferry_compat.h"
#include "ferry_drv.h"
#include "ferry_pte.h"
#include "ferry_trace.h"
#include "ferry_ttm.h"

/**
 * DOC: Page table entries
 *
 * Everything here runs under the BO's reservation, and so does everything else
 * that makes entries for the BO. What is checked under it stays true: an empty
 * PMD stays empty, and a page table does not become a huge entry.
 *
 * Where the BO, its place and the address allow it, one entry maps 2 MiB.
 * Everywhere else a fault maps what is left of the 2 MiB around the address in one
 * go. There are no entries of 1 GiB: when a process unmaps a part of one, Linux
 * (6.12 and 7.2) looks for a page table in it and crashes, and before 7.0 they do not
 * take PAT's attribute. The cache attribute needs no lookup for each page: the
 * aperture was reserved as a whole when the device was probed, and system pages
 * were given theirs when they were allocated.
 */

/* Page of the BO that @address of @vma shows. */
pgoff_t ferry_pte_page_of(struct vm_area_struct *vma, unsigned long address)
{
	struct drm_gem_object *obj = vma->vm_private_data;

	return ((address - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff -
	       drm_vma_node_start(&obj->vma_node);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_pte_page_of);

/**
 * ferry_pte_init - look where a BO is
 * @ins: filled in
 * @bo: the BO, reserved; populated if it is in system memory
 * @vma: the mapping
 */
void ferry_pte_init(struct ferry_pte_map *ins, struct ferry_bo *bo,
		       struct vm_area_struct *vma)
{
	dma_resv_assert_held(bo->base.base.resv);

	*ins = (struct ferry_pte_map) {
		.bo = bo,
		.vma = vma,
		.aperture = ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE,
		.cache = ferry_bo_cache(bo),
	};
	if (vma)
		ins->prot = ferry_pat_pgprot(ins->cache, vma->vm_page_prot);
	if (ins->aperture) {
		/* memory of a device is never encrypted */
		ins->prot = pgprot_decrypted(ins->prot);
		ferry_vram_cursor_init(&ins->cursor, bo->base.resource);
	}
}

static unsigned long ferry_pte_pfn(struct ferry_pte_map *ins, pgoff_t page)
{
	struct ferry_device *ferry = ttm_to_ferry_device(ins->bo->base.bdev);

	if (ins->aperture)
		return ferry_bar_pfn(&ferry->bar,
					  ferry_vram_cursor_seek(&ins->cursor,
								 (u64)page << PAGE_SHIFT));

	return page_to_pfn(ins->bo->base.ttm->pages[page]);
}

/* Are the 2 MiB from @page on one run of PFNs, aligned to its size? */
static bool ferry_pte_is_run(struct ferry_pte_map *ins, pgoff_t page)
{
	const pgoff_t pages = PMD_SIZE >> PAGE_SHIFT;

	if (page + pages > ins->bo->base.base.size >> PAGE_SHIFT)
		return false;
	if (!ins->aperture)
		return ferry_ttm_is_run(ins->bo->base.ttm, page);

	return IS_ALIGNED(ferry_pte_pfn(ins, page), pages) &&
	       ins->cursor.end >= (u64)(page + pages) << PAGE_SHIFT;
}

/* Huge entries get their attribute from PAT's tracking: without it, none. */
static bool ferry_pte_can_huge(void)
{
	return IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) && pat_enabled();
}

/**
 * ferry_pte_page_sizes - sizes of entries that mappings of the aperture get
 * @ferry: the device
 *
 * Return: bytes, or'ed together.
 */
u64 ferry_pte_page_sizes(struct ferry_device *ferry)
{
	if (ferry_pte_can_huge() && ferry->bar.size >= PMD_SIZE)
		return PAGE_SIZE | PMD_SIZE;

	return PAGE_SIZE;
}

/**
 * ferry_pte_huge_bytes - how much of a BO huge entries can map where it is now
 * @bo: the BO, reserved
 *
 * Return: bytes that a mapping aligned to 2 MiB gets with entries of 2 MiB. A BO in
 * system memory without pages counts as 0.
 */
u64 ferry_pte_huge_bytes(struct ferry_bo *bo)
{
	const pgoff_t pages = PMD_SIZE >> PAGE_SHIFT;
	struct ferry_pte_map ins;
	u64 bytes = 0;
	pgoff_t page;

	ferry_pte_init(&ins, bo, NULL);
	if (!ferry_pte_can_huge() ||
	    (!ins.aperture && !(bo->base.ttm && ttm_tt_is_populated(bo->base.ttm))))
		return 0;

	for (page = 0; page + pages <= bo->base.base.size >> PAGE_SHIFT; page += pages)
		if (ferry_pte_is_run(&ins, page))
			bytes += PMD_SIZE;

	return bytes;
}

/**
 * ferry_pte_map_huge - map the 2 MiB around a fault with one entry
 * @ins: the BO
 * @vmf: the fault
 *
 * Return:
 * VM_FAULT_NOPAGE: it is mapped. VM_FAULT_FALLBACK: the address, the BO or the
 * place of its pages do not allow it, or a page table is there already.
 */
vm_fault_t ferry_pte_map_huge(struct ferry_pte_map *ins, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long address = ALIGN_DOWN(vmf->address, PMD_SIZE);
	unsigned long pfn;
	vm_fault_t ret;
	pgoff_t page;

	if (!ferry_pte_can_huge())
		return VM_FAULT_FALLBACK;
	if (address < vma->vm_start || address + PMD_SIZE > vma->vm_end)
		return VM_FAULT_FALLBACK;

	page = ferry_pte_page_of(vma, address);
	if (!ferry_pte_is_run(ins, page))
		return VM_FAULT_FALLBACK;

	/* another thread may have been faster with either kind of entry */
	if (pmd_leaf(pmdp_get(vmf->pmd)))
		return VM_FAULT_NOPAGE;
	if (!pmd_none(pmdp_get(vmf->pmd)))
		return VM_FAULT_FALLBACK;

	/* told that this is no write: the entry is writable if the VMA is */
	pfn = ferry_pte_pfn(ins, page);
	ret = ferry_compat_insert_pmd(vmf, pfn);
	if (ret != VM_FAULT_NOPAGE)
		return ret;

	ins->page = page;
	ins->window = PMD_SIZE >> PAGE_SHIFT;
	ins->count = ins->window;
	ferry_audit_insert(ins, address);
	trace_ferry_insert(ins->bo, address, pfn, ins->count, PMD_ORDER, ins->cache);
	return VM_FAULT_NOPAGE;
}

/* Entries for @run pages from @entry on, whose PFNs follow each other, where there are none. */
static void ferry_pte_run(struct ferry_pte_map *ins, unsigned long address, pte_t *pte,
			     pte_t entry, pgoff_t run)
{
	pgoff_t at, end;

	for (at = 0; at < run; at = end + 1) {
		/* another thread may have mapped some before the reservation was ours */
		for (end = at; end < run && pte_none(ptep_get(pte + end)); end++)
			;
		if (end == at)
			continue;

		set_ptes(ins->vma->vm_mm, address + (at << PAGE_SHIFT), pte + at,
			 pte_advance_pfn(entry, at), end - at);
		ins->count += end - at;
	}
}

/*
 * Called once, with the first entry of a window and under its page table's lock: the
 * others follow it in the same page table. A call for each costs more than the entry.
 */
static int ferry_pte_ptes(pte_t *pte, unsigned long address, void *data)
{
	struct ferry_pte_map *ins = data;
	pgoff_t at, page, run;
	pte_t entry;

	for (at = 0; at < ins->window; at += run) {
		page = ins->page + at;
		entry = pte_mkspecial(pfn_pte(ferry_pte_pfn(ins, page), ins->prot));
		run = 1;
		if (ins->aperture)
			run = min(ins->window - at, (ins->cursor.end >> PAGE_SHIFT) - page);
		ferry_pte_run(ins, address + (at << PAGE_SHIFT), pte + at, entry, run);
	}

	return 0;
}

/*
 * What the mapping and the BO, whose page @first is at @vm_start, have of the 2 MiB around
 * @address, which is inside of both: one page table serves it.
 */
VISIBLE_IF_KUNIT struct ferry_pte_range
ferry_pte_range(unsigned long address, unsigned long vm_start, unsigned long vm_end,
		   pgoff_t first, pgoff_t pages)
{
	unsigned long table = ALIGN_DOWN(address, PMD_SIZE);

	return (struct ferry_pte_range) {
		.start = max(table, vm_start),
		.end = min3(table + PMD_SIZE, vm_end,
			    vm_start + ((pages - first) << PAGE_SHIFT)),
	};
}
EXPORT_SYMBOL_IF_KUNIT(ferry_pte_range);

/**
 * ferry_pte_map_window - map the pages around a fault with 4 KiB entries
 * @ins: the BO
 * @vmf: the fault
 *
 * The window is what the BO and the VMA have of the 2 MiB around the address, so
 * it is served by one page table.
 *
 * Return: VM_FAULT_NOPAGE: all of it is mapped. VM_FAULT_OOM: no memory for the
 * page table.
 */
vm_fault_t ferry_pte_map_window(struct ferry_pte_map *ins, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct ferry_pte_range range;

	/* a huge entry came while this fault waited: nothing is left to do */
	if (pmd_leaf(pmdp_get(vmf->pmd)))
		return VM_FAULT_NOPAGE;

	range = ferry_pte_range(vmf->address, vma->vm_start, vma->vm_end,
				   ferry_pte_page_of(vma, vma->vm_start),
				   ins->bo->base.base.size >> PAGE_SHIFT);
	ins->page = ferry_pte_page_of(vma, range.start);
	ins->window = (range.end - range.start) >> PAGE_SHIFT;
	trace_ferry_insert(ins->bo, range.start, ferry_pte_pfn(ins, ins->page), ins->window, 0,
			   ins->cache);
	if (apply_to_page_range(vma->vm_mm, range.start, PAGE_SIZE, ferry_pte_ptes, ins))
		return VM_FAULT_OOM;

	ferry_audit_insert(ins, range.start);
	return VM_FAULT_NOPAGE;
}
