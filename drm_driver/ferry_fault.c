// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/err.h>
#include <linux/file.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/task_work.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>
#include <drm/ferry_drm.h>
#include <drm/ttm/ttm_bo.h>

#include <kunit/visibility.h>

#include "ferry_audit.h"
#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_copy.h"
#include "ferry_device.h"
#include "ferry_fault.h"
#include "ferry_pte.h"
#include "ferry_shrinker.h"
#include "ferry_trace.h"

/**
 * DOC: Mappings
 *
 * The mmap offset alone determines which pages of which BO a mapping shows. The flags of
 * the VMA are set once, in mmap(). PTEs and PMDs are inserted only by the page fault
 * handlers, under the BO's reservation, and hold PFNs without page references: a move zaps
 * them, and the next access inserts new ones for the new resource, with its memory type.
 *
 * mmap() itself inserts nothing, not even with %DRM_FERRY_MMAP_POPULATE: a move would not
 * find the entries of a VMA that is not yet in the file's address space. A mapping with
 * %DRM_FERRY_MMAP_POPULATE is faulted in by task work when the process returns to user space.
 *
 * Why not ttm_bo_vm_fault(): it inserts 16 PTEs in one fault, looks up the memory type of
 * each PFN under a global lock, and inserts no huge entries. The first access to each page of
 * 32 MiB causes 512 faults with it, and 16 here.
 */

/* The largest BO that is populated with the lock of the process or VMA held */
#define FERRY_FAULT_LOCKED_SIZE SZ_64M

/* For how long a fault that runs out of memory waits before the kernel repeats it */
#define FERRY_FAULT_OOM_JIFFIES (HZ / 10)

/* vm_private_data is the GEM object for the DRM core and the BO for TTM. */
static_assert(offsetof(struct ferry_bo, base.base) == 0);

/* In kernel mode a signal must not end the fault, see ferry_fault_may_wait_again(). */
static vm_fault_t ferry_fault_populate(struct ferry_bo *bo, struct vm_fault *vmf)
{
	struct ttm_operation_ctx ctx = {
		.interruptible = vmf->flags & FAULT_FLAG_USER,
		.gfp_retry_mayfail = true,
	};

	if (bo->madv == DRM_FERRY_MADV_PURGED)
		return VM_FAULT_SIGBUS;
	if (READ_ONCE(ferry_bo_device(bo)->bar.closed) &&
	    ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE)
		return VM_FAULT_SIGBUS;
	if (ferry_bo_is_resident(bo))
		return 0;

	switch (ferry_shrinker_populate(&bo->base, &ctx)) {
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

static void ferry_fault_count(struct ferry_device *ferry, struct ferry_pte_map *map,
			      unsigned int order, vm_fault_t ret)
{
	struct ferry_stats *stats = &ferry->stats;

	if (ret == VM_FAULT_FALLBACK)
		return;

	atomic64_inc(&stats->faults);
	atomic64_add(map->count, &stats->fault_pages);
	if (ret == VM_FAULT_OOM)
		atomic64_inc(&stats->faults_oom);
	else if (order && ret == VM_FAULT_NOPAGE)
		atomic64_inc(&stats->faults_2m);
}

/* Insert an entry of @order; or if @order is 0 a PMD if possible, else PTEs. */
static vm_fault_t ferry_fault_reserved(struct vm_fault *vmf, struct ferry_bo *bo,
				       unsigned int order)
{
	struct ferry_device *ferry = ferry_bo_device(bo);
	pgoff_t page = ferry_pte_page_of(vmf->vma, vmf->address);
	struct ferry_pte_map map = {};
	unsigned long start = jiffies;
	unsigned int done = order;
	vm_fault_t ret;

	ret = VM_FAULT_SIGBUS;
	if (page >= bo->base.base.size >> PAGE_SHIFT)
		goto out;

	ret = ferry_fault_populate(bo, vmf);
	if (ret)
		goto out;

	ferry_pte_init(&map, bo, vmf->vma);
	if (order) {
		ret = ferry_pte_map_huge(&map, vmf);
	} else {
		/* ferry_fault_huge() fell back if the BO was busy: a PMD may be possible. */
		done = PMD_ORDER;
		ret = ferry_pte_map_huge(&map, vmf);
		if (ret == VM_FAULT_FALLBACK) {
			done = 0;
			ret = ferry_pte_map_window(&map, vmf);
		}
	}
	if (ret == VM_FAULT_NOPAGE) {
		ferry_audit_check(&map, vmf->address);
		ferry_shrinker_end_wait(bo);
	}
out:
	if (ret == VM_FAULT_OOM && !ferry_shrinker_may_wait(bo, start))
		ret = VM_FAULT_SIGBUS;
	ferry_fault_count(ferry, &map, done, ret);
	if (trace_ferry_fault_enabled())
		trace_ferry_fault(bo, page, order, ferry_bo_placement(bo), ferry_bo_memtype(bo),
				  ret);
	return ret;
}

/*
 * A signal ends an interruptible wait, and the access is repeated once the signal is handled. In
 * kernel mode, as in copy_to_user(), it is not handled before the access has succeeded: the
 * kernel would repeat the fault immediately and without a limit. So only a fatal signal may end
 * the fault there. Sleep before the next attempt, as there are no killable waits for
 * reservations and fences. Returns false if the fault shall end.
 */
static bool ferry_fault_may_wait_again(struct vm_fault *vmf)
{
	if ((vmf->flags & FAULT_FLAG_USER) || fatal_signal_pending(current))
		return false;

	schedule_timeout_killable(1);
	return !fatal_signal_pending(current);
}

/*
 * Drop mmap_lock. Another thread can then unmap the mapping and close the file, which holds the
 * device and this module: so hold the file. Returns it, for fput() at the end of the fault.
 */
static struct file *ferry_fault_unlock(struct vm_fault *vmf)
{
	struct file *file = get_file(vmf->vma->vm_file);

	mmap_read_unlock(vmf->vma->vm_mm);
	return file;
}

/* As ttm_bo_vm_reserve(), which can also drop mmap_lock. */
static vm_fault_t ferry_fault_reserve(struct vm_fault *vmf, struct ferry_bo *bo)
{
	struct file *file;
	vm_fault_t ret;

	if (dma_resv_trylock(bo->base.base.resv))
		return 0;

	file = get_file(vmf->vma->vm_file);
	ret = ttm_bo_vm_reserve(&bo->base, vmf);
	/* If a signal ended the wait, the kernel repeats the fault. */
	if (ret && signal_pending(current) && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		ferry_fault_may_wait_again(vmf);
	fput(file);
	return ret;
}

static long ferry_fault_wait_idle(struct vm_fault *vmf, struct dma_resv *resv)
{
	long ret;

	do {
		ret = dma_resv_wait_timeout(resv, DMA_RESV_USAGE_KERNEL, true,
					    MAX_SCHEDULE_TIMEOUT);
	} while (ret < 0 && ferry_fault_may_wait_again(vmf));

	return ret;
}

/*
 * Wait until the contents are in the BO's current resource; without mmap_lock if the fault
 * allows it. Returns 0, VM_FAULT_RETRY with the reservation dropped (and mmap_lock, unless
 * the fault must not wait), or VM_FAULT_NOPAGE with the reservation dropped.
 */
static vm_fault_t ferry_fault_wait(struct vm_fault *vmf, struct drm_gem_object *obj)
{
	struct file *file;
	long ret;

	if (ferry_bo_is_idle(gem_to_ferry_bo(obj), DMA_RESV_USAGE_KERNEL))
		return 0;

	if (fault_flag_allow_retry_first(vmf->flags)) {
		if (!(vmf->flags & FAULT_FLAG_RETRY_NOWAIT)) {
			drm_gem_object_get(obj);
			file = ferry_fault_unlock(vmf);
			dma_resv_unlock(obj->resv);
			ferry_fault_wait_idle(vmf, obj->resv);
			drm_gem_object_put(obj);
			fput(file);
		} else {
			dma_resv_unlock(obj->resv);
		}
		return VM_FAULT_RETRY;
	}

	ret = ferry_fault_wait_idle(vmf, obj->resv);
	if (ret < 0) {
		dma_resv_unlock(obj->resv);
		return VM_FAULT_NOPAGE;
	}

	return 0;
}

/*
 * Populating a BO takes time in proportion to its size: pages are zeroed or read from swap. A
 * large BO is populated without the lock of the process or VMA, at the cost of one more fault.
 */
static bool ferry_fault_populates_long(struct ferry_bo *bo)
{
	return bo->base.base.size > FERRY_FAULT_LOCKED_SIZE && !ferry_bo_is_resident(bo) &&
	       bo->madv != DRM_FERRY_MADV_PURGED;
}

/*
 * Populate a large BO without mmap_lock if the fault allows it. Returns 0 if there was nothing
 * to do, or VM_FAULT_RETRY with reservation and mmap_lock dropped. An error is left to the
 * repeated fault, but for a lack of memory, for which it would have to wait again.
 */
static vm_fault_t ferry_fault_populate_unlocked(struct vm_fault *vmf, struct ferry_bo *bo)
{
	struct ferry_pte_map none = {};
	struct file *file;
	vm_fault_t ret;

	if (!ferry_fault_populates_long(bo) || !fault_flag_allow_retry_first(vmf->flags) ||
	    (vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		return 0;

	drm_gem_object_get(&bo->base.base);
	file = ferry_fault_unlock(vmf);
	ret = ferry_fault_populate(bo, vmf);
	if (ret == VM_FAULT_OOM)
		ferry_fault_count(ferry_bo_device(bo), &none, 0, ret);
	ttm_bo_unreserve(&bo->base);
	ferry_bo_put(bo);
	if (ret == VM_FAULT_OOM)
		schedule_timeout_killable(FERRY_FAULT_OOM_JIFFIES);
	fput(file);

	return VM_FAULT_RETRY;
}

/*
 * The kernel repeats a fault that returns VM_FAULT_OOM, immediately and without a limit. So
 * wait a little, without locks, and let other tasks free memory.
 */
static vm_fault_t ferry_fault_no_memory(struct vm_fault *vmf)
{
	struct file *file;

	if (!fault_flag_allow_retry_first(vmf->flags) || (vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		return VM_FAULT_OOM;

	file = ferry_fault_unlock(vmf);
	schedule_timeout_killable(FERRY_FAULT_OOM_JIFFIES);
	fput(file);
	return VM_FAULT_RETRY;
}

/**
 * ferry_fault - page fault handler
 * @vmf: the fault
 *
 * Return:
 * VM_FAULT_NOPAGE: the page is mapped, or a signal is pending and the access is repeated
 * after the signal was handled. VM_FAULT_RETRY: at the first attempt another thread held the
 * reservation, a job was copying, a large BO was populated, or memory was lacking; mmap_lock is
 * dropped. A fault that is repeated counts once in &ferry_stats.faults.
 * VM_FAULT_OOM: no memory for the BO's pages or for a page table. VM_FAULT_SIGBUS: the page
 * is outside of the BO, the BO was purged, its contents cannot be read back from swap, the
 * device was removed while another driver has the BO pinned in the aperture, or memory was
 * lacking for too long, see ferry_shrinker_may_wait().
 */
static vm_fault_t ferry_fault(struct vm_fault *vmf)
{
	struct drm_gem_object *obj = vmf->vma->vm_private_data;
	struct ferry_bo *bo = gem_to_ferry_bo(obj);
	vm_fault_t ret;

	ret = ferry_fault_reserve(vmf, bo);
	if (ret)
		return ret;

	ret = ferry_fault_wait(vmf, obj);
	if (ret)
		return ret;

	ret = ferry_fault_populate_unlocked(vmf, bo);
	if (ret)
		return ret;

	ret = ferry_fault_reserved(vmf, bo, 0);
	/* This moves the BO to the tail of the LRU list, so it is evicted last. */
	ttm_bo_unreserve(&bo->base);
	return ret == VM_FAULT_OOM ? ferry_fault_no_memory(vmf) : ret;
}

/**
 * ferry_fault_huge - page fault handler for huge entries
 * @vmf: the fault
 * @order: number of pages, as a power of two; 2 MiB are possible
 *
 * The kernel may call this with the lock of the VMA held instead of mmap_lock, and the handler
 * must not drop either. So it only tries the reservation, and populates no large BO: either
 * would block writers of mmap_lock for long.
 *
 * Return:
 * VM_FAULT_FALLBACK: the kernel shall try a smaller entry, because a PMD is not possible,
 * another thread holds the reservation, a job is copying, a large BO has no pages yet, or
 * memory is lacking. Else as ferry_fault(), except VM_FAULT_RETRY.
 */
static vm_fault_t ferry_fault_huge(struct vm_fault *vmf, unsigned int order)
{
	struct drm_gem_object *obj = vmf->vma->vm_private_data;
	vm_fault_t ret;

	if (order != PMD_ORDER || obj->size < PMD_SIZE)
		return VM_FAULT_FALLBACK;
	if (!dma_resv_trylock(obj->resv))
		return VM_FAULT_FALLBACK;

	if (!ferry_bo_is_idle(gem_to_ferry_bo(obj), DMA_RESV_USAGE_KERNEL) ||
	    ferry_fault_populates_long(gem_to_ferry_bo(obj))) {
		dma_resv_unlock(obj->resv);
		return VM_FAULT_FALLBACK;
	}

	ret = ferry_fault_reserved(vmf, gem_to_ferry_bo(obj), order);
	ttm_bo_unreserve(&gem_to_ferry_bo(obj)->base);
	/* ferry_fault() can wait for memory. */
	return ret == VM_FAULT_OOM ? VM_FAULT_FALLBACK : ret;
}

/*
 * For ptrace and /proc/PID/mem. The kernel does not check VM_WRITE before it calls this to
 * write, so check it here.
 */
static int ferry_fault_access(struct vm_area_struct *vma, unsigned long addr, void *buf,
			      int len, int write)
{
	struct drm_gem_object *obj = vma->vm_private_data;
	u64 offset = addr - vma->vm_start +
		     ((vma->vm_pgoff - drm_vma_node_start(&obj->vma_node)) << PAGE_SHIFT);

	if (write && !(vma->vm_flags & VM_WRITE))
		return -EACCES;

	return ferry_copy_access(gem_to_ferry_bo(obj), offset, buf, len, write);
}

const struct vm_operations_struct ferry_fault_vm_ops = {
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
	.fault = ferry_fault,
	.huge_fault = ferry_fault_huge,
	.access = ferry_fault_access,
};

/**
 * struct ferry_fault_work - task work that populates a new mapping
 */
struct ferry_fault_work {
	/** @base: runs when the process returns from mmap() */
	struct callback_head base;
	/** @file: the mapped file; holds references of the device and of this module */
	struct file *file;
	/** @bo: the mapped BO, with a reference */
	struct ferry_bo *bo;
	/** @start: first address of the mapping */
	unsigned long start;
	/** @end: first address after the mapping */
	unsigned long end;
};

static bool ferry_fault_is_resident(struct ferry_bo *bo)
{
	bool resident;

	if (ttm_bo_reserve(&bo->base, true, false, NULL))
		return false;

	resident = ferry_bo_is_resident(bo);
	dma_resv_unlock(bo->base.base.resv);
	return resident;
}

/* Fault once per 2 MiB: each fault maps all pages of the 2 MiB around its address. */
static void ferry_fault_map_all(struct ferry_fault_work *work)
{
	struct mm_struct *mm = current->mm;
	unsigned long address = work->start;
	struct vm_area_struct *vma;
	bool unlocked;

	mmap_read_lock(mm);
	while (address < work->end) {
		/* Another thread may have unmapped or replaced the mapping. */
		vma = vma_lookup(mm, address);
		if (!vma || vma->vm_ops != &ferry_fault_vm_ops ||
		    vma->vm_private_data != work->bo)
			break;
		if (fixup_user_fault(mm, address, 0, &unlocked))
			break;
		address = ALIGN(address + 1, PMD_SIZE);
	}
	mmap_read_unlock(mm);
}

static void ferry_fault_work_free(struct ferry_fault_work *work)
{
	ferry_bo_put(work->bo);
	fput(work->file);
	kfree(work);
}

static void ferry_fault_work_run(struct callback_head *base)
{
	struct ferry_fault_work *work = container_of(base, struct ferry_fault_work, base);

	if (current->mm && ferry_fault_is_resident(work->bo))
		ferry_fault_map_all(work);

	ferry_fault_work_free(work);
}

/* If this fails the mapping still works: its pages are mapped when they are accessed. */
static void ferry_fault_queue_populate(struct vm_area_struct *vma)
{
	struct ferry_fault_work *work;

	work = kmalloc(sizeof(*work), GFP_KERNEL);
	if (!work)
		return;

	work->file = get_file(vma->vm_file);
	work->bo = gem_to_ferry_bo(vma->vm_private_data);
	work->start = vma->vm_start;
	work->end = vma->vm_end;
	drm_gem_object_get(&work->bo->base.base);
	init_task_work(&work->base, ferry_fault_work_run);
	if (task_work_add(current, &work->base, TWA_RESUME))
		ferry_fault_work_free(work);
}

/*
 * Returns the GEM object that owns the fake offset @pgoff, with a reference, or an error pointer. A
 * client with a handle proves that the creation has ended: TTM frees an object whose creation fails
 * whatever references there are.
 */
static struct drm_gem_object *ferry_fault_lookup(struct drm_file *file, unsigned long pgoff)
{
	struct drm_vma_offset_manager *mgr = file->minor->dev->vma_offset_manager;
	struct drm_gem_object *obj = ERR_PTR(-EINVAL);
	struct drm_vma_offset_node *node;

	drm_vma_offset_lock_lookup(mgr);
	node = drm_vma_offset_lookup_locked(mgr, pgoff, 1);
	if (node && !drm_vma_node_is_allowed(node, file)) {
		obj = ERR_PTR(-EACCES);
	} else if (node) {
		obj = container_of(node, struct drm_gem_object, vma_node);
		/* The final release of the object may have begun, and wait for this lock. */
		if (!kref_get_unless_zero(&obj->refcount))
			obj = ERR_PTR(-EINVAL);
	}
	drm_vma_offset_unlock_lookup(mgr);

	return obj;
}

/**
 * ferry_fault_get_unmapped_area - choose the address of a mapping
 * @filp: the file
 * @addr: address hint; with MAP_FIXED the address
 * @len: size in bytes
 * @pgoff: fake offset, in pages
 * @flags: MAP_*
 *
 * If the mapping has 2 MiB or more, multiples of 2 MiB in the BO get addresses that are
 * multiples of 2 MiB. Fake offsets themselves are not aligned.
 *
 * Return: the address, or an error.
 */
unsigned long ferry_fault_get_unmapped_area(struct file *filp, unsigned long addr,
					    unsigned long len, unsigned long pgoff,
					    unsigned long flags)
{
	unsigned long plain = pgoff & ~(FERRY_FAULT_POPULATE >> PAGE_SHIFT);
	unsigned long offset, padded;
	struct drm_gem_object *obj;

	if (!addr && len >= PMD_SIZE) {
		obj = ferry_fault_lookup(filp->private_data, plain);
		if (!IS_ERR(obj)) {
			offset = (plain - drm_vma_node_start(&obj->vma_node)) << PAGE_SHIFT;
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
 * For mappings of the device file and of dma-bufs. Refuses private mappings that can become
 * writable: copy on write needs a struct page.
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
 * @vma: the mapping; its offset determines the BO and the first page
 *
 * Return: 0, -ENODEV, -EACCES if the client has no handle of the BO, or -EINVAL if the
 * range is not inside one BO or the mapping is private.
 */
int ferry_fault_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct drm_file *file = filp->private_data;
	bool populate = vma->vm_pgoff & (FERRY_FAULT_POPULATE >> PAGE_SHIFT);
	struct drm_gem_object *obj;
	u64 first;
	int ret;

	if (drm_dev_is_unplugged(file->minor->dev))
		return -ENODEV;

	/* To zap mappings, TTM looks for them at the plain offset of the BO. */
	vma->vm_pgoff &= ~(FERRY_FAULT_POPULATE >> PAGE_SHIFT);
	obj = ferry_fault_lookup(file, vma->vm_pgoff);
	if (IS_ERR(obj))
		return PTR_ERR(obj);

	first = (u64)(vma->vm_pgoff - drm_vma_node_start(&obj->vma_node)) << PAGE_SHIFT;
	ret = drm_gem_mmap_obj(obj, obj->size - first, vma);
	if (!ret && populate && !obj->import_attach)
		ferry_fault_queue_populate(vma);

	drm_gem_object_put(obj);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_fault_mmap);
