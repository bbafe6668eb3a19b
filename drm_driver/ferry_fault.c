// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/task_work.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_tt.h>

#include <kunit/visibility.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_drv.h"
#include "ferry_fault.h"
#include "ferry_pte.h"
#include "ferry_trace.h"

/**
 * DOC: Mappings
 *
 * Which BO and which page of it a mapping shows is carried by the mmap offset
 * alone. The VMA's flags are set once, in mmap. Page table entries are made in
 * the fault handlers only, under the BO's reservation, and carry PFNs without
 * references to pages: a move takes them away and the next touch brings them
 * back at the new place, with the new place's cache attribute.
 *
 * mmap() itself makes no entries, not even for an eager mapping: until the VMA is
 * in the file's tree of mappings a move would not find them. An eager mapping
 * faults its pages in on the way back to user space, when the VMA is there.
 */

/* How long a fault without memory waits before it is repeated */
#define FERRY_FAULT_OOM_JIFFIES (HZ / 10)

/* vm_private_data is the GEM object for the DRM core and the BO for TTM */
static_assert(offsetof(struct ferry_bo, base.base) == 0);

static vm_fault_t ferry_fault_populate(struct ferry_bo *bo)
{
	struct ttm_operation_ctx ctx = { .interruptible = true, .gfp_retry_mayfail = true };

	if (bo->madv == DRM_FERRY_MADV_PURGED)
		return VM_FAULT_SIGBUS;
	if (ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE)
		return 0;
	if (bo->base.ttm && ttm_tt_is_populated(bo->base.ttm))
		return 0;

	switch (ferry_compat_bo_populate(&bo->base, &ctx)) {
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

static void ferry_fault_count(struct ferry_device *ferry, struct ferry_pte_map *ins,
			      unsigned int order, vm_fault_t ret)
{
	struct ferry_stats *stats = &ferry->stats;

	if (ret == VM_FAULT_FALLBACK)
		return;

	atomic64_inc(&stats->faults);
	atomic64_add(ins->count, &stats->fault_pages);
	if (ret == VM_FAULT_OOM)
		atomic64_inc(&stats->faults_oom);
	else if (order && ret == VM_FAULT_NOPAGE)
		atomic64_inc(&stats->faults_2m);
}

/* Map around the address with entries of @order, or if it is 0 with what fits best. */
static vm_fault_t ferry_fault_reserved(struct vm_fault *vmf, struct ferry_bo *bo,
				       unsigned int order)
{
	struct ferry_device *ferry = ttm_to_ferry_device(bo->base.bdev);
	pgoff_t page = ferry_pte_page_of(vmf->vma, vmf->address);
	struct ferry_pte_map ins = {};
	unsigned int done = order;
	vm_fault_t ret;

	ret = VM_FAULT_SIGBUS;
	if (page >= bo->base.base.size >> PAGE_SHIFT)
		goto out;

	ret = ferry_fault_populate(bo);
	if (ret)
		goto out;

	ferry_pte_init(&ins, bo, vmf->vma);
	if (order) {
		ret = ferry_pte_map_huge(&ins, vmf);
		goto out;
	}

	/* the huge fault gave up if the BO was busy then: it may fit all the same */
	done = PMD_ORDER;
	ret = ferry_pte_map_huge(&ins, vmf);
	if (ret == VM_FAULT_FALLBACK) {
		done = 0;
		ret = ferry_pte_map_window(&ins, vmf);
	}
out:
	ferry_fault_count(ferry, &ins, done, ret);
	if (trace_ferry_fault_enabled())
		trace_ferry_fault(bo, page, order, ferry_bo_placement(bo), ferry_bo_cache(bo), ret);
	return ret;
}

/*
 * Wait until the bytes are where the BO is, and without mmap_lock if that is possible.
 * VM_FAULT_RETRY: reservation and mmap_lock are dropped.
 */
static vm_fault_t ferry_fault_wait(struct vm_fault *vmf, struct drm_gem_object *obj)
{
	long ret;

	if (ferry_bo_is_idle(gem_to_ferry_bo(obj), DMA_RESV_USAGE_KERNEL))
		return 0;

	if (fault_flag_allow_retry_first(vmf->flags)) {
		if (!(vmf->flags & FAULT_FLAG_RETRY_NOWAIT)) {
			drm_gem_object_get(obj);
			mmap_read_unlock(vmf->vma->vm_mm);
			dma_resv_unlock(obj->resv);
			dma_resv_wait_timeout(obj->resv, DMA_RESV_USAGE_KERNEL, true,
					      MAX_SCHEDULE_TIMEOUT);
			drm_gem_object_put(obj);
		} else {
			dma_resv_unlock(obj->resv);
		}
		return VM_FAULT_RETRY;
	}

	ret = dma_resv_wait_timeout(obj->resv, DMA_RESV_USAGE_KERNEL, true,
				    MAX_SCHEDULE_TIMEOUT);
	if (ret < 0) {
		dma_resv_unlock(obj->resv);
		return VM_FAULT_NOPAGE;
	}

	return 0;
}

/*
 * The kernel repeats a fault that ended with VM_FAULT_OOM, at once and for as long as it
 * takes. Give others the time to make room, and hold no lock meanwhile.
 */
static vm_fault_t ferry_fault_no_memory(struct vm_fault *vmf)
{
	if (!fault_flag_allow_retry_first(vmf->flags) || (vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		return VM_FAULT_OOM;

	mmap_read_unlock(vmf->vma->vm_mm);
	schedule_timeout_killable(FERRY_FAULT_OOM_JIFFIES);
	return VM_FAULT_RETRY;
}

/**
 * ferry_fault - page fault handler
 * @vmf: the fault
 *
 * Return:
 * VM_FAULT_NOPAGE: the page is mapped, or a signal is pending and the touch is
 * repeated after it. VM_FAULT_RETRY: the BO was reserved by somebody else, its
 * bytes were on their way, or there was no memory at the first attempt; mmap_lock is
 * dropped. VM_FAULT_OOM: no memory for the BO's pages or for a page table.
 * VM_FAULT_SIGBUS: the page is outside of the BO, the BO was purged, or its contents
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

	ret = ferry_fault_wait(vmf, obj);
	if (ret)
		return ret;

	ret = ferry_fault_reserved(vmf, bo, 0);
	/* what is used is evicted last */
	ttm_bo_unreserve(&bo->base);
	return ret == VM_FAULT_OOM ? ferry_fault_no_memory(vmf) : ret;
}

/**
 * ferry_fault_huge - page fault handler for huge entries
 * @vmf: the fault
 * @order: how many pages, as a power of two; 2 MiB are served
 *
 * Runs under the lock of the VMA alone, so it may not wait for the reservation:
 * whoever waits there would keep mmap_lock's writers out.
 *
 * Return:
 * VM_FAULT_FALLBACK: try a smaller entry: this one is not possible, the BO is reserved
 * by somebody else, its bytes are on their way, or there is no memory for them. And as
 * ferry_fault(), but for VM_FAULT_RETRY.
 */
static vm_fault_t ferry_fault_huge(struct vm_fault *vmf, unsigned int order)
{
	struct drm_gem_object *obj = vmf->vma->vm_private_data;
	vm_fault_t ret;

	if (order != PMD_ORDER || obj->size < PMD_SIZE)
		return VM_FAULT_FALLBACK;
	if (!dma_resv_trylock(obj->resv))
		return VM_FAULT_FALLBACK;

	if (!ferry_bo_is_idle(gem_to_ferry_bo(obj), DMA_RESV_USAGE_KERNEL)) {
		dma_resv_unlock(obj->resv);
		return VM_FAULT_FALLBACK;
	}

	ret = ferry_fault_reserved(vmf, gem_to_ferry_bo(obj), order);
	ttm_bo_unreserve(&gem_to_ferry_bo(obj)->base);
	/* ferry_fault() knows what to do without memory */
	return ret == VM_FAULT_OOM ? VM_FAULT_FALLBACK : ret;
}

/*
 * ptrace and /proc/PID/mem, on any placement. Both are let through to here even if
 * the mapping is read-only, where the core would refuse them for ordinary pages.
 */
static int ferry_fault_access(struct vm_area_struct *vma, unsigned long addr, void *buf,
			      int len, int write)
{
	struct drm_gem_object *obj = vma->vm_private_data;
	u64 offset = addr - vma->vm_start +
		     ((vma->vm_pgoff - drm_vma_node_start(&obj->vma_node)) << PAGE_SHIFT);

	if (write && !(vma->vm_flags & VM_WRITE))
		return -EACCES;

	return ferry_bo_access(gem_to_ferry_bo(obj), offset, buf, len, write);
}

const struct vm_operations_struct ferry_fault_vm_ops = {
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
	.fault = ferry_fault,
	.huge_fault = ferry_fault_huge,
	.access = ferry_fault_access,
};

/**
 * struct ferry_fault_eager - an eager mapping on its way to user space
 */
struct ferry_fault_eager {
	/** @work: runs when the process returns from mmap() */
	struct callback_head work;
	/** @file: the mapped file; holds the device and this module */
	struct file *file;
	/** @bo: what is mapped, with a reference */
	struct ferry_bo *bo;
	/** @start: first address of the mapping */
	unsigned long start;
	/** @end: first address after it */
	unsigned long end;
};

static bool ferry_fault_is_resident(struct ferry_bo *bo)
{
	bool resident;

	if (ttm_bo_reserve(&bo->base, true, false, NULL))
		return false;

	resident = ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE ||
		   (bo->base.ttm && ttm_tt_is_populated(bo->base.ttm));
	dma_resv_unlock(bo->base.base.resv);
	return resident;
}

/* Each fault serves the 2 MiB that its address is in. */
static void ferry_fault_map_all(struct ferry_fault_eager *eager)
{
	struct mm_struct *mm = current->mm;
	unsigned long address = eager->start;
	struct vm_area_struct *vma;
	bool unlocked;

	mmap_read_lock(mm);
	while (address < eager->end) {
		/* another thread may have unmapped it by now */
		vma = vma_lookup(mm, address);
		if (!vma || vma->vm_ops != &ferry_fault_vm_ops ||
		    vma->vm_private_data != eager->bo)
			break;
		if (fixup_user_fault(mm, address, 0, &unlocked))
			break;
		address = ALIGN(address + 1, PMD_SIZE);
	}
	mmap_read_unlock(mm);
}

static void ferry_fault_eager_work(struct callback_head *work)
{
	struct ferry_fault_eager *eager = container_of(work, struct ferry_fault_eager, work);

	if (current->mm && ferry_fault_is_resident(eager->bo))
		ferry_fault_map_all(eager);

	ferry_bo_put(eager->bo);
	fput(eager->file);
	kfree(eager);
}

/* Only speed is lost if this fails: the pages are mapped when they are touched. */
static void ferry_fault_queue_eager(struct vm_area_struct *vma)
{
	struct ferry_fault_eager *eager;

	eager = kmalloc(sizeof(*eager), GFP_KERNEL);
	if (!eager)
		return;

	eager->file = get_file(vma->vm_file);
	eager->bo = gem_to_ferry_bo(vma->vm_private_data);
	eager->start = vma->vm_start;
	eager->end = vma->vm_end;
	drm_gem_object_get(&eager->bo->base.base);
	init_task_work(&eager->work, ferry_fault_eager_work);
	if (task_work_add(current, &eager->work, TWA_RESUME))
		ferry_fault_eager_work(&eager->work);
}

/* The BO whose fake offsets @pgoff is among, with a reference, or NULL. */
static struct drm_gem_object *ferry_fault_lookup(struct drm_device *drm, unsigned long pgoff)
{
	struct drm_vma_offset_manager *mgr = drm->vma_offset_manager;
	struct drm_gem_object *obj = NULL;
	struct drm_vma_offset_node *node;

	drm_vma_offset_lock_lookup(mgr);
	node = drm_vma_offset_lookup_locked(mgr, pgoff, 1);
	if (node) {
		obj = container_of(node, struct drm_gem_object, vma_node);
		/* its last reference may be gone, and it waits for this lock */
		if (!kref_get_unless_zero(&obj->refcount))
			obj = NULL;
	}
	drm_vma_offset_unlock_lookup(mgr);

	return obj;
}

/**
 * ferry_fault_get_unmapped_area - choose the address of a mapping
 * @filp: the file
 * @addr: a wish, or with MAP_FIXED a must
 * @len: bytes
 * @pgoff: fake offset, in pages
 * @flags: MAP_*
 *
 * Puts 2 MiB of the BO at a multiple of 2 MiB, where the mapping is that long. Fake
 * offsets themselves are not aligned.
 *
 * Return: the address, or an error.
 */
unsigned long ferry_fault_get_unmapped_area(struct file *filp, unsigned long addr,
					    unsigned long len, unsigned long pgoff,
					    unsigned long flags)
{
	struct drm_file *file = filp->private_data;
	unsigned long lazy = pgoff & ~(FERRY_FAULT_POPULATE >> PAGE_SHIFT);
	struct drm_device *drm = file->minor->dev;
	unsigned long offset, padded;
	struct drm_gem_object *obj;

	if (!addr && len >= PMD_SIZE) {
		obj = ferry_fault_lookup(drm, lazy);
		if (obj) {
			offset = (lazy - drm_vma_node_start(&obj->vma_node)) << PAGE_SHIFT;
			drm_gem_object_put(obj);

			padded = ferry_compat_get_unmapped_area(filp, 0, len + PMD_SIZE, 0, flags);
			if (!IS_ERR_VALUE(padded))
				return padded + ((offset - padded) & (PMD_SIZE - 1));
		}
	}

	return ferry_compat_get_unmapped_area(filp, addr, len, pgoff, flags);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_fault_get_unmapped_area);

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
	if (ferry_compat_is_cow_mapping(vma))
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
	bool eager = vma->vm_pgoff & (FERRY_FAULT_POPULATE >> PAGE_SHIFT);
	struct drm_gem_object *obj;
	u64 first;
	int ret;

	if (drm_dev_is_unplugged(drm))
		return -ENODEV;

	/* moves look for mappings at the BO's own offsets */
	vma->vm_pgoff &= ~(FERRY_FAULT_POPULATE >> PAGE_SHIFT);
	obj = ferry_fault_lookup(drm, vma->vm_pgoff);
	if (!obj)
		return -EINVAL;

	first = (u64)(vma->vm_pgoff - drm_vma_node_start(&obj->vma_node)) << PAGE_SHIFT;
	if (drm_vma_node_is_allowed(&obj->vma_node, file))
		ret = drm_gem_mmap_obj(obj, obj->size - first, vma);
	else
		ret = -EACCES;
	if (!ret && eager)
		ferry_fault_queue_eager(vma);

	drm_gem_object_put(obj);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_fault_mmap);
