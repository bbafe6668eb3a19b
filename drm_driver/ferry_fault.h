/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_FAULT_H_
#define _FERRY_FAULT_H_

#include <linux/bits.h>
#include <linux/mm.h>

struct drm_gem_object;

/*
 * Set in a fake offset to populate the mapping. All fake offsets are below 2^41, and a
 * 32-bit program can pass offsets below 2^44 to mmap().
 */
#define FERRY_FAULT_POPULATE BIT_ULL(43)

extern const struct vm_operations_struct ferry_fault_vm_ops;

unsigned long ferry_fault_get_unmapped_area(struct file *filp, unsigned long addr,
					    unsigned long len, unsigned long pgoff,
					    unsigned long flags);
int ferry_fault_mmap(struct file *filp, struct vm_area_struct *vma);
int ferry_fault_gem_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma);

#endif /* _FERRY_FAULT_H_ */
