// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/slab.h>

#include <asm/memtype.h>

#include <drm/drm_gem.h>
#include <drm/ferry_drm.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_tt.h>

#include <kunit/visibility.h>

#include "ferry_bo.h"
#include "ferry_device.h"
#include "ferry_tt.h"
#include "ferry_vram_mgr.h"

/**
 * DOC: Locking
 *
 * The reservation of a BO, dma_resv, protects everything that concerns the BO: its
 * resource, its pages, and every PTE and PMD that is inserted for it. So a page fault sees a
 * BO before or after a move, and never during one. Code that needs several reservations
 * takes them through drm_exec.
 *
 * Order, outermost first:
 *
 * 1. mmap_lock of a process, or the lock of one VMA. A page fault holds it and tries the
 *    reservation. If another thread holds the reservation, the first attempt of the fault
 *    drops mmap_lock before it waits, and the second attempt waits with mmap_lock held.
 *    Code that holds a reservation must not copy to or from user memory.
 * 2. dma_resv of the BO that is worked on; with a ww ticket, except in page faults.
 * 3. drm_dev_enter(), when a BO is placed in the aperture.
 * 4. dma_resv of BOs that are evicted: tried, or taken with the same ww ticket.
 * 5. &ferry_vram_mgr.lock, the lock of the aperture's allocator.
 * 6. Direct reclaim (fs_reclaim): the allocator allocates memory under its lock. The
 *    shrinker only tries reservations, and skips BOs in the aperture, because freeing their
 *    resource would take &ferry_vram_mgr.lock again.
 * 7. &ferry_tt_mgr.lock, the lock of the lists that the shrinker walks. Takes nothing.
 *
 * Outside of this order: &ferry_device.bos_lock protects the list of all BOs; the
 * spinlock of a job's fence is taken by dma_fence_signal() and takes nothing. Each is held
 * for a few instructions only.
 *
 * Removing the device first stops new placements in the aperture, because drm_dev_unplug()
 * waits for step 3, and then moves every BO to system memory under its reservation, and waits for
 * all jobs. devres unmaps the BAR after that, or not yet if another driver has pinned a BO in
 * the aperture. So a BO that is reserved and has a resource in the aperture may be accessed
 * there without drm_dev_enter().
 */

/**
 * ferry_bo_destroy - free a BO
 * @tbo: the TTM BO of a &struct ferry_bo, without users
 *
 * TTM's destroy callback, also after a failed creation.
 */
void ferry_bo_destroy(struct ttm_buffer_object *tbo)
{
	struct ferry_device *ferry = ttm_to_ferry_device(tbo->bdev);
	struct ferry_bo *bo = ttm_to_ferry_bo(tbo);

	if (bo->allowed_placements == DRM_FERRY_PLACEMENT_APERTURE)
		ferry_vram_mgr_unaccount_only(ferry, tbo->base.size);
	ferry_tt_drop_kept(bo);
	ferry_tt_remove_lru(bo);
	drm_gem_object_release(&tbo->base);
	kfree(bo);
	atomic64_dec(&ferry->stats.bos);
}

/**
 * ferry_bo_from_ttm - convert a TTM BO that may be a ghost BO
 * @tbo: the TTM BO
 *
 * While a job copies the contents of a BO, TTM keeps the old resource in a ghost BO: a TTM
 * BO that is not embedded in a &struct ferry_bo. TTM can pass one to any callback.
 *
 * Return: the BO, or NULL for a ghost BO.
 */
struct ferry_bo *ferry_bo_from_ttm(struct ttm_buffer_object *tbo)
{
	return tbo->destroy == ferry_bo_destroy ? ttm_to_ferry_bo(tbo) : NULL;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_bo_from_ttm);

/**
 * ferry_bo_put - drop a reference
 * @bo: the BO
 */
void ferry_bo_put(struct ferry_bo *bo)
{
	drm_gem_object_put(&bo->base.base);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_bo_put);

/**
 * ferry_bo_lookup - look up the BO of a handle
 * @file: client that owns the handle
 * @handle: the handle
 *
 * Return: the BO with a new reference, or NULL.
 */
struct ferry_bo *ferry_bo_lookup(struct drm_file *file, u32 handle)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, handle);

	return obj ? gem_to_ferry_bo(obj) : NULL;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_bo_lookup);

/**
 * ferry_bo_add - add a BO to the list of its device
 * @bo: the BO, which TTM has initialized
 */
void ferry_bo_add(struct ferry_bo *bo)
{
	struct ferry_device *ferry = ferry_bo_device(bo);

	spin_lock(&ferry->bos_lock);
	list_add_tail(&bo->node, &ferry->bos);
	spin_unlock(&ferry->bos_lock);
}

/**
 * ferry_bo_remove - remove a BO from the list of its device
 * @bo: the BO, whose last reference was dropped
 */
void ferry_bo_remove(struct ferry_bo *bo)
{
	struct ferry_device *ferry = ferry_bo_device(bo);

	spin_lock(&ferry->bos_lock);
	list_del_init(&bo->node);
	spin_unlock(&ferry->bos_lock);
}

/**
 * ferry_bo_next - walk over the BOs of a device
 * @ferry: the device
 * @bo: the current BO, whose reference is dropped; NULL to begin
 *
 * Finds BOs from when TTM has initialized them to the last reference. A BO that is created
 * during the walk is found as well.
 *
 * Return: the next BO with a new reference, or NULL at the end.
 */
struct ferry_bo *ferry_bo_next(struct ferry_device *ferry, struct ferry_bo *bo)
{
	struct ferry_bo *next = bo;
	bool found = false;

	spin_lock(&ferry->bos_lock);
	next = bo ?: list_entry(&ferry->bos, struct ferry_bo, node);
	list_for_each_entry_continue(next, &ferry->bos, node) {
		found = kref_get_unless_zero(&next->base.base.refcount);
		if (found)
			break;
	}
	spin_unlock(&ferry->bos_lock);

	if (bo)
		ferry_bo_put(bo);

	return found ? next : NULL;
}

/**
 * ferry_bo_placement - get the current placement of a BO
 * @bo: the BO, reserved
 *
 * Return: one of DRM_FERRY_PLACEMENT_*.
 */
u32 ferry_bo_placement(const struct ferry_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	/* A BO without a resource has no backing store, and gets system pages first. */
	return ferry_vram_mgr_owns(bo->base.resource) ? DRM_FERRY_PLACEMENT_APERTURE :
							DRM_FERRY_PLACEMENT_SYSTEM;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_bo_placement);

/**
 * ferry_bo_memtype - get the memory type of a BO's mappings at its current placement
 * @bo: the BO, reserved
 *
 * Return: one of &enum drm_ferry_memtype.
 */
int ferry_bo_memtype(const struct ferry_bo *bo)
{
	if (ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE)
		return ferry_bo_device(bo)->bar.effective;
	if (bo->caching == DRM_FERRY_CACHING_CACHED)
		return DRM_FERRY_MEMTYPE_WB;

	/* without PAT there is no write-combining */
	return pat_enabled() ? DRM_FERRY_MEMTYPE_WC : DRM_FERRY_MEMTYPE_UC_MINUS;
}

/**
 * ferry_bo_is_resident - check if a BO has memory
 * @bo: the BO, reserved
 *
 * Return: true if the BO is in the aperture or its system pages are populated.
 */
bool ferry_bo_is_resident(const struct ferry_bo *bo)
{
	return ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE ||
	       (bo->base.ttm && ttm_tt_is_populated(bo->base.ttm));
}

/**
 * ferry_bo_is_idle - check if all fences of a BO have signaled
 * @bo: the BO, reserved
 * @usage: which fences; those of moves have DMA_RESV_USAGE_KERNEL
 *
 * Cheaper than dma_resv_test_signaled() if there are no fences, as is the rule.
 *
 * Return: true if all fences have signaled.
 */
bool ferry_bo_is_idle(struct ferry_bo *bo, enum dma_resv_usage usage)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_for_each_fence(&cursor, bo->base.base.resv, usage, fence)
		if (!dma_fence_is_signaled(fence))
			return false;

	return true;
}

/**
 * ferry_bo_mark_purged - mark the contents of a BO as dropped
 * @bo: the BO, reserved; the caller frees its backing store
 *
 * Zaps the mappings of the BO. A later access of a mapping raises SIGBUS.
 */
void ferry_bo_mark_purged(struct ferry_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	ttm_bo_unmap_virtual(&bo->base);
	if (bo->madv == DRM_FERRY_MADV_PURGED)
		return;

	bo->madv = DRM_FERRY_MADV_PURGED;
	/* If the BO is busy, a job may read the kept pages: the final release frees them. */
	if (ferry_bo_is_idle(bo, DMA_RESV_USAGE_BOOKKEEP))
		ferry_tt_drop_kept(bo);
	ferry_tt_update_lru(bo);
	atomic64_inc(&ferry_bo_device(bo)->stats.purged);
}

/**
 * ferry_bo_exporter - get the name of the driver that exported an imported BO
 * @bo: the BO
 *
 * Return: the name, valid as long as the BO.
 */
const char *ferry_bo_exporter(const struct ferry_bo *bo)
{
	return bo->base.base.import_attach->dmabuf->exp_name;
}
