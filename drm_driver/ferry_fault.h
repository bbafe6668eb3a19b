/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_FAULT_H_
#define _FERRY_FAULT_H_

#include <linux/mm.h>

struct drm_gem_object;

extern const struct vm_operations_struct ferry_fault_vm_ops;

int ferry_fault_mmap(struct file *filp, struct vm_area_struct *vma);
int ferry_fault_gem_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma);

#endif /* _FERRY_FAULT_H_ */
