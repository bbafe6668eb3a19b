/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_PTE_H_
#define _FERRY_PTE_H_

#include <linux/mm.h>

#include "ferry_cursor.h"

struct ferry_bo;
struct ferry_device;

/**
 * struct ferry_pte_map - inserts PTEs and PMDs of a BO into a mapping
 *
 * Valid while the reservation of the BO is held.
 */
struct ferry_pte_map {
	/** @bo: the BO, reserved */
	struct ferry_bo *bo;
	/** @vma: the mapping */
	struct vm_area_struct *vma;
	/** @memtype: memory type of the entries, one of &enum drm_ferry_memtype */
	int memtype;
	/** @prot: protection bits of the entries, with the memory type */
	pgprot_t prot;
	/** @cursor: finds the PFNs */
	struct ferry_cursor cursor;
	/** @page: index into the BO of the first page of the fault-around window */
	pgoff_t page;
	/** @window: number of pages of the fault-around window */
	pgoff_t window;
	/** @count: number of pages of the window that had no entry before */
	unsigned long count;
};

/**
 * struct ferry_pte_range - a range of user addresses
 */
struct ferry_pte_range {
	/** @start: first address */
	unsigned long start;
	/** @end: first address after the range */
	unsigned long end;
};

u64 ferry_pte_page_sizes(struct ferry_device *ferry);
u64 ferry_pte_huge_bytes(struct ferry_bo *bo);
pgoff_t ferry_pte_page_of(struct vm_area_struct *vma, unsigned long address);
void ferry_pte_init(struct ferry_pte_map *map, struct ferry_bo *bo,
		    struct vm_area_struct *vma);
vm_fault_t ferry_pte_map_huge(struct ferry_pte_map *map, struct vm_fault *vmf);
vm_fault_t ferry_pte_map_window(struct ferry_pte_map *map, struct vm_fault *vmf);
#if IS_ENABLED(CONFIG_KUNIT)
struct ferry_pte_range ferry_pte_range(unsigned long address, unsigned long vm_start,
				       unsigned long vm_end, pgoff_t first, pgoff_t pages);
#endif

#endif /* _FERRY_PTE_H_ */
