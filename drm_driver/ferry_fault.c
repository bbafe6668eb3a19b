// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>
#include <drm/ttm/ttm_bo.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_drv.h"
#include "ferry_fault.h"

/**
 * DOC: Mappings
 *
 * Which BO and which page of it a mapping shows is carried by the mmap offset
 * alone. The VMA's flags are set once, in mmap. Page table entries are made in
 * the fault handler only, under the BO's reservation, and carry PFNs without
 * references to pages: a move takes them away and the next touch brings them
 * back at the new place, with the new place's cache attribute.
 */

/* Pages that one fault maps at most: the one touched and those after it. */
#define FERRY_FAULT_PAGES 16

/* vm_private_data is the GEM object for the DRM core and the BO for TTM */
static_assert(offsetof(struct ferry_bo, base.base) == 0);

/* Page of the BO that @address shows. */
static pgoff_t ferry_fault_page(struct vm_area_struct *vma, unsigned long address)
{
	struct drm_gem_object *obj = vma->vm_private_data;

	return ((address - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff -
	       drm_vma_node_start(&obj->vma_node);
}

static vm_fault_t ferry_fault_populate(struct ttm_buffer_object *tbo)
{
	struct ttm_operation_ctx ctx = { .interruptible = true };

	switch (ferry_compat_bo_populate(tbo, &ctx)) {
	case 0:
		return 0;
	case -ENOMEM:
		return VM_FAULT_OOM;
	case -EINTR:
	case -ERESTARTSYS:
	case -EAGAIN:
		return VM_FAULT_NOPAGE;
	default:
		return VM_FAULT_SIGBUS;
	}
}

static vm_fault_t ferry_fault_insert(struct vm_fault *vmf, struct ferry_bo *bo)
{
	struct ferry_device *ferry = ttm_to_ferry_device(bo->base.bdev);
	struct ttm_buffer_object *tbo = &bo->base;
	struct vm_area_struct *vma = vmf->vma;
	unsigned long address = vmf->address;
	pgprot_t prot = vma->vm_page_prot;
	struct ferry_vram_cursor cursor;
	vm_fault_t ret;
	pgoff_t page, first, count;
	bool aperture;

	first = ferry_fault_page(vma, address);
	if (first >= tbo->base.size >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;

	count = min3((pgoff_t)FERRY_FAULT_PAGES, (vma->vm_end - address) >> PAGE_SHIFT,
		     (pgoff_t)(tbo->base.size >> PAGE_SHIFT) - first);

	aperture = ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE;
	if (aperture) {
		prot = ferry_aperture_pgprot(&ferry->aperture, prot);
		ferry_vram_cursor_init(&cursor, tbo->resource);
	} else {
		ret = ferry_fault_populate(tbo);
		if (ret)
			return ret;
		if (tbo->ttm->caching == ttm_write_combined)
			prot = pgprot_writecombine(prot);
	}

	for (page = first; page < first + count; page++, address += PAGE_SIZE) {
		unsigned long pfn;

		if (aperture)
			pfn = ferry_aperture_pfn(&ferry->aperture,
						 ferry_vram_cursor_seek(&cursor,
									(u64)page << PAGE_SHIFT));
		else
			pfn = page_to_pfn(tbo->ttm->pages[page]);

		ret = vmf_insert_pfn_prot(vma, address, pfn, prot);
		if (ret != VM_FAULT_NOPAGE)
			break;
	}

	atomic64_inc(&ferry->stats.faults);
	atomic64_add(page - first, &ferry->stats.fault_pages);

	/* only the page that was touched must be there */
	return page > first ? VM_FAULT_NOPAGE : ret;
}

/**
 * ferry_fault - page fault handler
 * @vmf: the fault
 *
 * Return:
 * VM_FAULT_NOPAGE: the page is mapped, or a signal is pending and the touch is
 * repeated after it. VM_FAULT_RETRY: the BO was reserved by somebody else;
 * mmap_lock is dropped. VM_FAULT_OOM: no memory for the BO's pages or for a
 * page table. VM_FAULT_SIGBUS: the page is outside of the BO, or its contents
 * cannot be read back from swap.
 */
static vm_fault_t ferry_fault(struct vm_fault *vmf)
{
	struct drm_gem_object *obj = vmf->vma->vm_private_data;
	struct ferry_bo *bo = gem_to_ferry_bo(obj);
	vm_fault_t ret;

	ret = ttm_bo_vm_reserve(&bo->base, vmf);
	if (ret)
		return ret;

	ret = ferry_fault_insert(vmf, bo);
	dma_resv_unlock(obj->resv);
	return ret;
}

/* ttm_bo_vm_access() serves ptrace and /proc/PID/mem on any placement */
const struct vm_operations_struct ferry_fault_vm_ops = {
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
	.fault = ferry_fault,
	.access = ttm_bo_vm_access,
};

/**
 * ferry_fault_gem_mmap - set up a mapping of a BO
 * @obj: the BO's GEM object
 * @vma: the mapping, inside the BO
 *
 * Serves the device file and dma-buf files. Private mappings that could ever
 * become writable are refused: there is no page to copy.
 *
 * Return: 0 or -EINVAL.
 */
int ferry_fault_gem_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	if (is_cow_mapping(vma->vm_flags))
		return -EINVAL;

	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	return 0;
}

/**
 * ferry_fault_mmap - mmap of the device file
 * @filp: the file
 * @vma: the mapping; its offset names the BO and the page to begin with
 *
 * Return: 0, -ENODEV, -EACCES if the client has no handle of the BO, -EINVAL
 * if the range is not inside one BO or the mapping is private.
 */
int ferry_fault_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct drm_file *file = filp->private_data;
	struct drm_device *drm = file->minor->dev;
	struct drm_gem_object *obj = NULL;
	struct drm_vma_offset_node *node;
	u64 first;
	int ret;

	if (drm_dev_is_unplugged(drm))
		return -ENODEV;

	drm_vma_offset_lock_lookup(drm->vma_offset_manager);
	node = drm_vma_offset_lookup_locked(drm->vma_offset_manager, vma->vm_pgoff, 1);
	if (node) {
		obj = container_of(node, struct drm_gem_object, vma_node);
		/* its last reference may be gone, and it waits for this lock */
		if (!kref_get_unless_zero(&obj->refcount))
			obj = NULL;
	}
	drm_vma_offset_unlock_lookup(drm->vma_offset_manager);
	if (!obj)
		return -EINVAL;

	first = (u64)(vma->vm_pgoff - drm_vma_node_start(node)) << PAGE_SHIFT;
	if (drm_vma_node_is_allowed(node, file))
		ret = drm_gem_mmap_obj(obj, obj->size - first, vma);
	else
		ret = -EACCES;

	drm_gem_object_put(obj);
	return ret;
}
