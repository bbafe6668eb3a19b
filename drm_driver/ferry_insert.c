// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/mm.h>
#include <linux/sizes.h>

#include <asm/memtype.h>

#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_tt.h>

#include "ferry_audit.h"
#include "ferry_bo.h"
#include "ferry_cache.h"
#include "ferry_compat.h"
#include "ferry_drv.h"
#include "ferry_insert.h"
#include "ferry_trace.h"

/**
 * DOC: Page table entries
 *
 * Everything here runs under the BO's reservation, and so does everything else
 * that makes entries for the BO. What is checked under it stays true: an empty
 * PMD stays empty, and a page table does not become a huge entry.
 *
 * Where the BO, its place and the address allow it, one entry maps 2 MiB, or
 * 1 GiB. Everywhere else a fault maps what is left of the 2 MiB around the
 * address in one go. The cache attribute needs no lookup for each page: the
 * aperture was reserved as a whole when the device was probed, and system pages
 * were given theirs when they were allocated.
 */

/* Page of the BO that @address of @vma shows. */
pgoff_t ferry_insert_page_of(struct vm_area_struct *vma, unsigned long address)
{
	struct drm_gem_object *obj = vma->vm_private_data;

	return ((address - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff -
	       drm_vma_node_start(&obj->vma_node);
}

/**
 * ferry_insert_init - look where a BO is
 * @ins: filled in
 * @bo: the BO, reserved; populated if it is in system memory
 * @vma: the mapping
 */
void ferry_insert_init(struct ferry_insert *ins, struct ferry_bo *bo,
		       struct vm_area_struct *vma)
{
	dma_resv_assert_held(bo->base.base.resv);

	*ins = (struct ferry_insert) {
		.bo = bo,
		.vma = vma,
		.aperture = ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE,
		.cache = ferry_bo_cache(bo),
	};
	if (vma)
		ins->prot = ferry_cache_pgprot(ins->cache, vma->vm_page_prot);
	if (ins->aperture) {
		/* memory of a device is never encrypted */
		ins->prot = pgprot_decrypted(ins->prot);
		ferry_vram_cursor_init(&ins->cursor, bo->base.resource);
	}
}

static unsigned long ferry_insert_pfn(struct ferry_insert *ins, pgoff_t page)
{
	struct ferry_device *ferry = ttm_to_ferry_device(ins->bo->base.bdev);

	if (ins->aperture)
		return ferry_aperture_pfn(&ferry->aperture,
					  ferry_vram_cursor_seek(&ins->cursor,
								 (u64)page << PAGE_SHIFT));

	return page_to_pfn(ins->bo->base.ttm->pages[page]);
}

/* Are @pages pages from @page on one run, aligned to its size? */
static bool ferry_insert_is_run(struct ferry_insert *ins, pgoff_t page, pgoff_t pages)
{
	unsigned long pfn;
	pgoff_t i;

	if (page + pages > ins->bo->base.base.size >> PAGE_SHIFT)
		return false;

	pfn = ferry_insert_pfn(ins, page);
	if (!IS_ALIGNED(pfn, pages))
		return false;
	if (ins->aperture)
		return ins->cursor.end >= (u64)(page + pages) << PAGE_SHIFT;

	for (i = 1; i < pages; i++)
		if (ferry_insert_pfn(ins, page + i) != pfn + i)
			return false;

	return true;
}

/* Huge entries get their attribute from PAT's tracking: without it, none. */
static bool ferry_insert_can_huge(int cache, unsigned int order)
{
	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) || !pat_enabled())
		return false;
	if (order == PMD_ORDER)
		return true;

	return order == PUD_ORDER && IS_ENABLED(CONFIG_HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD) &&
	       boot_cpu_has(X86_FEATURE_GBPAGES) &&
	       (FERRY_COMPAT_PUD_HAS_CACHE || cache == DRM_FERRY_CACHE_WB);
}

/**
 * ferry_insert_page_sizes - sizes of entries that mappings of the aperture get
 * @ferry: the device
 *
 * Return: bytes, or'ed together.
 */
u64 ferry_insert_page_sizes(struct ferry_device *ferry)
{
	const struct ferry_aperture *aperture = &ferry->aperture;
	u64 sizes = PAGE_SIZE;

	if (ferry_insert_can_huge(aperture->granted, PMD_ORDER) && aperture->size >= PMD_SIZE)
		sizes |= PMD_SIZE;
	if (ferry_insert_can_huge(aperture->granted, PUD_ORDER) && aperture->size >= PUD_SIZE)
		sizes |= PUD_SIZE;

	return sizes;
}

/**
 * ferry_insert_huge_bytes - how much of a BO huge entries can map where it is now
 * @bo: the BO, reserved
 *
 * Return: bytes that a mapping aligned to 2 MiB gets with entries of 2 MiB or
 * more. A BO in system memory without pages counts as 0.
 */
u64 ferry_insert_huge_bytes(struct ferry_bo *bo)
{
	const pgoff_t pages = PMD_SIZE >> PAGE_SHIFT;
	struct ferry_insert ins;
	u64 bytes = 0;
	pgoff_t page;

	ferry_insert_init(&ins, bo, NULL);
	if (!ferry_insert_can_huge(ins.cache, PMD_ORDER) ||
	    (!ins.aperture && !(bo->base.ttm && ttm_tt_is_populated(bo->base.ttm))))
		return 0;

	for (page = 0; page + pages <= bo->base.base.size >> PAGE_SHIFT; page += pages)
		if (ferry_insert_is_run(&ins, page, pages))
			bytes += PMD_SIZE;

	return bytes;
}

/**
 * ferry_insert_huge - map 2 MiB or 1 GiB around a fault with one entry
 * @ins: the BO
 * @vmf: the fault
 * @order: PMD_ORDER or PUD_ORDER
 *
 * Return:
 * VM_FAULT_NOPAGE: it is mapped. VM_FAULT_OOM: no memory for the page table that
 * a huge entry keeps in reserve. VM_FAULT_FALLBACK: the address, the BO or the
 * place of its pages do not allow it, or a page table is there already.
 */
vm_fault_t ferry_insert_huge(struct ferry_insert *ins, struct vm_fault *vmf,
			     unsigned int order)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long size = PAGE_SIZE << order;
	unsigned long address = ALIGN_DOWN(vmf->address, size);
	vm_fault_t ret;
	pgoff_t page;

	if (!ferry_insert_can_huge(ins->cache, order))
		return VM_FAULT_FALLBACK;
	if (address < vma->vm_start || address + size > vma->vm_end)
		return VM_FAULT_FALLBACK;

	page = ferry_insert_page_of(vma, address);
	if (!ferry_insert_is_run(ins, page, size >> PAGE_SHIFT))
		return VM_FAULT_FALLBACK;

	/*
	 * Another thread may have been faster with either kind of entry. The
	 * insert functions are told that this is no write: then they leave alone
	 * what they find, and the entry is writable all the same if the VMA is.
	 */
	if (order == PUD_ORDER) {
		if (pud_leaf(READ_ONCE(*vmf->pud)))
			return VM_FAULT_NOPAGE;
		if (!pud_none(READ_ONCE(*vmf->pud)))
			return VM_FAULT_FALLBACK;
		ret = ferry_compat_insert_pud(vmf, ferry_insert_pfn(ins, page));
	} else {
		if (pmd_leaf(pmdp_get(vmf->pmd)))
			return VM_FAULT_NOPAGE;
		if (!pmd_none(pmdp_get(vmf->pmd)))
			return VM_FAULT_FALLBACK;
		ret = ferry_compat_insert_pmd(vmf, ferry_insert_pfn(ins, page));
	}
	if (ret == VM_FAULT_NOPAGE) {
		ins->page = page;
		ins->count = size >> PAGE_SHIFT;
		ferry_audit_insert(ins, vma->vm_mm, address);
		trace_ferry_insert(ins->bo, address, ferry_insert_pfn(ins, page), ins->count,
				   order, ins->cache);
	}

	return ret;
}

static int ferry_insert_pte(pte_t *pte, unsigned long address, void *data)
{
	struct ferry_insert *ins = data;
	unsigned long pfn = ferry_insert_pfn(ins, ins->page++);

	/* another thread may have mapped it before the reservation was ours */
	if (pte_none(ptep_get(pte))) {
		set_pte_at(ins->vma->vm_mm, address, pte,
			   pte_mkspecial(pfn_pte(pfn, ins->prot)));
		ins->count++;
	}

	return 0;
}

/**
 * ferry_insert_window - map the pages around a fault with 4 KiB entries
 * @ins: the BO
 * @vmf: the fault
 *
 * The window is what the BO and the VMA have of the 2 MiB around the address, so
 * it is served by one page table.
 *
 * Return: VM_FAULT_NOPAGE: all of it is mapped. VM_FAULT_OOM: no memory for the
 * page table.
 */
vm_fault_t ferry_insert_window(struct ferry_insert *ins, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	pgoff_t pages = ins->bo->base.base.size >> PAGE_SHIFT;
	unsigned long start, end, limit;

	/* a huge entry came while this fault waited: nothing is left to do */
	if (pmd_leaf(pmdp_get(vmf->pmd)))
		return VM_FAULT_NOPAGE;

	start = max(ALIGN_DOWN(vmf->address, PMD_SIZE), vma->vm_start);
	ins->page = ferry_insert_page_of(vma, start);
	limit = start + ((pages - ins->page) << PAGE_SHIFT);
	end = min3(ALIGN_DOWN(vmf->address, PMD_SIZE) + PMD_SIZE, vma->vm_end, limit);

	trace_ferry_insert(ins->bo, start, ferry_insert_pfn(ins, ins->page),
			   (end - start) >> PAGE_SHIFT, 0, ins->cache);
	if (apply_to_page_range(vma->vm_mm, start, end - start, ferry_insert_pte, ins))
		return VM_FAULT_OOM;

	ins->page -= (end - start) >> PAGE_SHIFT;
	ferry_audit_insert(ins, vma->vm_mm, start);
	return VM_FAULT_NOPAGE;
}
