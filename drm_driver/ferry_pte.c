// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/mm.h>

#include <asm/memtype.h>

#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>
#include <drm/ttm/ttm_bo.h>

#include <kunit/visibility.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_device.h"
#include "ferry_pat.h"
#include "ferry_pte.h"
#include "ferry_trace.h"

/**
 * DOC: Page table entries
 *
 * All PTEs and PMDs of a BO are inserted here, under the BO's reservation. So what is
 * checked under the reservation stays true: an empty PMD stays empty, and a page table does
 * not become a huge PMD.
 *
 * One PMD maps 2 MiB where the BO, its resource and the address allow it. Everywhere else
 * one fault inserts the PTEs of the fault-around window: all pages of the 2 MiB around the
 * address that are inside both the BO and the VMA, so that one page table holds the PTEs. PUDs
 * of 1 GiB are not used: when a process unmaps a part of one, Linux 6.12 and 7.2 take it for a
 * page table and crash, and before 7.0 the memory type that PAT tracks is not applied to it.
 *
 * The memory type needs no lookup for each page. The aperture was reserved as a whole when
 * the driver probed the device, and system pages got their type when they were allocated.
 */

/**
 * ferry_pte_page_of - get the page of a BO that an address maps
 * @vma: mapping of the BO
 * @address: address in @vma
 *
 * Return: index of the page in the BO.
 */
pgoff_t ferry_pte_page_of(struct vm_area_struct *vma, unsigned long address)
{
	struct drm_gem_object *obj = vma->vm_private_data;

	return ((address - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff -
	       drm_vma_node_start(&obj->vma_node);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_pte_page_of);

/**
 * ferry_pte_init - prepare to insert entries of a BO
 * @map: filled in
 * @bo: the BO, reserved; populated if it is in system memory
 * @vma: the mapping, or NULL if nothing is inserted
 */
void ferry_pte_init(struct ferry_pte_map *map, struct ferry_bo *bo,
		    struct vm_area_struct *vma)
{
	dma_resv_assert_held(bo->base.base.resv);

	*map = (struct ferry_pte_map) {
		.bo = bo,
		.vma = vma,
		.memtype = ferry_bo_memtype(bo),
	};
	ferry_cursor_init(&map->cursor, bo, bo->base.resource);
	if (vma)
		map->prot = ferry_pat_pgprot(map->memtype, vma->vm_page_prot);
	/* Memory encryption does not apply to the memory of a device. */
	if (ferry_cursor_in_aperture(&map->cursor))
		map->prot = pgprot_decrypted(map->prot);
}

static unsigned long ferry_pte_pfn(struct ferry_pte_map *map, pgoff_t page)
{
	return ferry_cursor_pfn(&map->cursor, (u64)page << PAGE_SHIFT);
}

/* A PMD gets its memory type from PAT's tracking, so without PAT it would be cached. */
static bool ferry_pte_can_huge(void)
{
	return IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) && pat_enabled();
}

/**
 * ferry_pte_page_sizes - get the page sizes that mappings of the aperture can have
 * @ferry: the device
 *
 * Return: sizes in bytes, or'ed together.
 */
u64 ferry_pte_page_sizes(struct ferry_device *ferry)
{
	if (ferry_pte_can_huge() && ferry->bar.size >= PMD_SIZE)
		return PAGE_SIZE | PMD_SIZE;

	return PAGE_SIZE;
}

/**
 * ferry_pte_huge_bytes - get how much of a BO PMDs can map at its current placement
 * @bo: the BO, reserved
 *
 * Return: number of bytes that PMDs map in a mapping that is aligned to 2 MiB; 0 for a BO in
 * system memory without pages.
 */
u64 ferry_pte_huge_bytes(struct ferry_bo *bo)
{
	struct ferry_cursor cursor;
	u64 bytes = 0, offset;

	ferry_cursor_init(&cursor, bo, bo->base.resource);
	if (!ferry_pte_can_huge() || !ferry_cursor_has_memory(&cursor))
		return 0;

	for (offset = 0; offset + PMD_SIZE <= bo->base.base.size; offset += PMD_SIZE)
		if (ferry_cursor_is_huge(&cursor, offset))
			bytes += PMD_SIZE;

	return bytes;
}

/**
 * ferry_pte_map_huge - map the 2 MiB around a fault with one PMD
 * @map: the BO and the mapping
 * @vmf: the fault
 *
 * Return:
 * VM_FAULT_NOPAGE: the PMD was inserted, by this or by another thread. VM_FAULT_FALLBACK: the
 * address, the BO or its resource do not allow a PMD, or a page table exists already.
 */
vm_fault_t ferry_pte_map_huge(struct ferry_pte_map *map, struct vm_fault *vmf)
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
	if (!ferry_cursor_is_huge(&map->cursor, (u64)page << PAGE_SHIFT))
		return VM_FAULT_FALLBACK;

	/* Another thread may have inserted a PMD or a page table before this one. */
	if (pmd_leaf(pmdp_get(vmf->pmd)))
		return VM_FAULT_NOPAGE;
	if (!pmd_none(pmdp_get(vmf->pmd)))
		return VM_FAULT_FALLBACK;

	/* This passes write = false: the PMD is writable if the VMA is. */
	pfn = ferry_pte_pfn(map, page);
	ret = ferry_compat_insert_pmd(vmf, pfn);
	if (ret != VM_FAULT_NOPAGE)
		return ret;

	map->page = page;
	map->window = PMD_SIZE >> PAGE_SHIFT;
	map->count = map->window;
	trace_ferry_insert(map->bo, address, pfn, map->count, PMD_ORDER, map->memtype);
	return VM_FAULT_NOPAGE;
}

/* Insert @count PTEs with contiguous PFNs, from @entry on, where there are none. */
static void ferry_pte_insert_contiguous(struct ferry_pte_map *map, unsigned long address,
					pte_t *pte, pte_t entry, pgoff_t count)
{
	pgoff_t at, end;

	for (at = 0; at < count; at = end + 1) {
		/* Another thread may have inserted some before this one got the reservation. */
		for (end = at; end < count && pte_none(ptep_get(pte + end)); end++)
			;
		if (end == at)
			continue;

		set_ptes(map->vma->vm_mm, address + (at << PAGE_SHIFT), pte + at,
			 pte_advance_pfn(entry, at), end - at);
		map->count += end - at;
	}
}

/*
 * Called once, for the first PTE of the window and with the page table's lock held. The
 * other PTEs of the window follow in the same page table; a call for each of them would
 * cost more than the PTE.
 */
static int ferry_pte_insert_window(pte_t *pte, unsigned long address, void *data)
{
	struct ferry_pte_map *map = data;
	pgoff_t at, page, count;
	pte_t entry;
	u64 end;

	for (at = 0; at < map->window; at += count) {
		page = map->page + at;
		entry = pte_mkspecial(pfn_pte(ferry_pte_pfn(map, page), map->prot));
		end = ferry_cursor_contiguous_end(&map->cursor, (u64)page << PAGE_SHIFT);
		count = min(map->window - at, (pgoff_t)(end >> PAGE_SHIFT) - page);
		ferry_pte_insert_contiguous(map, address + (at << PAGE_SHIFT), pte + at, entry,
					    count);
	}

	return 0;
}

/*
 * Get the fault-around window: the part of the 2 MiB around @address that is inside both the
 * mapping and the BO. Page @first of the BO's @pages is at @vm_start.
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
 * ferry_pte_map_window - map the fault-around window of a fault with PTEs
 * @map: the BO and the mapping
 * @vmf: the fault
 *
 * Return: VM_FAULT_NOPAGE: all pages of the window are mapped. VM_FAULT_OOM: the page table
 * cannot be allocated.
 */
vm_fault_t ferry_pte_map_window(struct ferry_pte_map *map, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct ferry_pte_range range;

	/* Another thread inserted a PMD while this fault waited for the reservation. */
	if (pmd_leaf(pmdp_get(vmf->pmd)))
		return VM_FAULT_NOPAGE;

	range = ferry_pte_range(vmf->address, vma->vm_start, vma->vm_end,
				ferry_pte_page_of(vma, vma->vm_start),
				map->bo->base.base.size >> PAGE_SHIFT);
	map->page = ferry_pte_page_of(vma, range.start);
	map->window = (range.end - range.start) >> PAGE_SHIFT;
	trace_ferry_insert(map->bo, range.start, ferry_pte_pfn(map, map->page), map->window, 0,
			   map->memtype);
	if (apply_to_page_range(vma->vm_mm, range.start, PAGE_SIZE, ferry_pte_insert_window, map))
		return VM_FAULT_OOM;

	return VM_FAULT_NOPAGE;
}
