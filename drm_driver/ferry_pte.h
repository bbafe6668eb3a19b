/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_PTE_H_
#define _FERRY_PTE_H_

#include <linux/mm.h>

#include "ferry_vram_mgr.h"

struct ferry_bo;

/**
 * struct ferry_pte_map - where a BO is, for as long as its reservation is held
 */
struct ferry_pte_map {
	/** @bo: the BO, reserved */
	struct ferry_bo *bo;
	/** @vma: the mapping that gets the entries */
	struct vm_area_struct *vma;
	/** @aperture: the BO is in the aperture, else in system memory */
	bool aperture;
	/** @cache: the &enum drm_ferry_memtype of the entries */
	int cache;
	/** @prot: protection and cache attribute of the entries */
	pgprot_t prot;
	/** @cursor: its blocks, if it is in the aperture */
	struct ferry_vram_cursor cursor;
	/** @page: page of the BO that is mapped first */
	pgoff_t page;
	/** @window: pages from it on that have entries in the end */
	pgoff_t window;
	/** @count: those of them that had none before */
	unsigned long count;
};

/**
 * struct ferry_pte_range - a range of addresses
 */
struct ferry_pte_range {
	/** @start: the first */
	unsigned long start;
	/** @end: the first after it */
	unsigned long end;
};

u64 ferry_pte_page_sizes(struct ferry_device *ferry);
u64 ferry_pte_huge_bytes(struct ferry_bo *bo);
pgoff_t ferry_pte_page_of(struct vm_area_struct *vma, unsigned long address);
void ferry_pte_init(struct ferry_pte_map *ins, struct ferry_bo *bo,
		       struct vm_area_struct *vma);
vm_fault_t ferry_pte_map_huge(struct ferry_pte_map *ins, struct vm_fault *vmf);
vm_fault_t ferry_pte_map_window(struct ferry_pte_map *ins, struct vm_fault *vmf);
#if IS_ENABLED(CONFIG_KUNIT)
struct ferry_pte_range ferry_pte_range(unsigned long address, unsigned long vm_start,
					     unsigned long vm_end, pgoff_t first, pgoff_t pages);
#endif

#endif /* _FERRY_PTE_H_ */
