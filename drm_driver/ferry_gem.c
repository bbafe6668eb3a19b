// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/mm.h>
#include <linux/slab.h>

#include <drm/drm_gem.h>
#include <drm/drm_utils.h>
#include <drm/ferry_drm.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>

#include <kunit/visibility.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_device.h"
#include "ferry_export.h"
#include "ferry_fault.h"
#include "ferry_gem.h"
#include "ferry_placement.h"
#include "ferry_prime.h"
#include "ferry_pte.h"
#include "ferry_tt.h"
#include "ferry_vram_mgr.h"

/* Priorities in TTM's LRU lists: BOs of the lowest are evicted and swapped out first. */
#define FERRY_GEM_PRIORITY_DONTNEED 0
#define FERRY_GEM_PRIORITY_WILLNEED 1

static void ferry_gem_free(struct drm_gem_object *obj)
{
	struct ferry_bo *bo = gem_to_ferry_bo(obj);

	ferry_bo_remove(bo);
	/* Reclaim cannot free its pages any more: do not count them as purgeable. */
	ferry_tt_remove_lru(bo);
	ferry_compat_bo_fini(&bo->base);
}

static const struct drm_gem_object_funcs ferry_gem_funcs = {
	.free = ferry_gem_free,
	.export = ferry_export_bo,
	.vmap = ferry_prime_vmap,
	.vunmap = ferry_prime_vunmap,
	.mmap = ferry_fault_gem_mmap,
	.vm_ops = &ferry_fault_vm_ops,
};

/* Create a BO without memory, accounted and with a placement in system memory. */
static struct ferry_bo *ferry_gem_create_empty(struct ferry_device *ferry,
					       const struct drm_ferry_bo_create *args)
{
	static const struct ttm_place place = { .mem_type = TTM_PL_SYSTEM };
	struct ttm_placement placement = { .num_placement = 1, .placement = &place };
	bool aperture_only = args->allowed_placements == DRM_FERRY_PLACEMENT_APERTURE;
	u64 size = PAGE_ALIGN(args->size);
	struct ferry_bo *bo;
	int ret;

	if (aperture_only) {
		ret = ferry_vram_mgr_account_only(ferry, size);
		if (ret)
			return ERR_PTR(ret);
	}

	bo = kzalloc(sizeof(*bo), GFP_KERNEL_ACCOUNT);
	if (!bo) {
		if (aperture_only)
			ferry_vram_mgr_unaccount_only(ferry, size);
		return ERR_PTR(-ENOMEM);
	}

	INIT_LIST_HEAD(&bo->node);
	INIT_LIST_HEAD(&bo->dma_mappings);
	bo->allowed_placements = args->allowed_placements;
	bo->caching = args->caching;
	bo->flags = args->flags;
	bo->base.priority = FERRY_GEM_PRIORITY_WILLNEED;
	bo->base.base.funcs = &ferry_gem_funcs;
	drm_gem_private_object_init(&ferry->drm, &bo->base.base, size);
	atomic64_inc(&ferry->stats.bos);

	/* On failure this calls ferry_bo_destroy(), which undoes all of the above. */
	ret = ttm_bo_init_validate(&ferry->ttm, &bo->base, ttm_bo_type_device, &placement,
				   0, true, NULL, NULL, ferry_bo_destroy);
	return ret ? ERR_PTR(ret) : bo;
}

/**
 * ferry_gem_create - create a BO
 * @ferry: the device
 * @client: client that copies are accounted to, or NULL
 * @args: arguments of user space, validated
 *
 * Every BO is created in system memory without pages, and moved from there like any other
 * BO, so there is one code path into the aperture. Creation allocates the array of page pointers,
 * which is 1/512 of the BO's size.
 *
 * Return: the BO with one reference, or an error pointer: -ENOMEM, -ENOSPC, -ENODEV or
 * -ERESTARTSYS.
 */
struct ferry_bo *ferry_gem_create(struct ferry_device *ferry, struct ferry_client *client,
				  const struct drm_ferry_bo_create *args)
{
	struct ferry_placement_call call = { .client = client };
	struct ferry_placement_target target;
	int ret;

	target.bo = ferry_gem_create_empty(ferry, args);
	if (IS_ERR(target.bo))
		return target.bo;

	/* Before it can be in the aperture, so that an eviction of all BOs finds it there. */
	ferry_bo_add(target.bo);
	target.placement = args->placement;
	if (!target.placement)
		target.placement = args->allowed_placements & DRM_FERRY_PLACEMENT_SYSTEM ?:
				   DRM_FERRY_PLACEMENT_APERTURE;
	if (target.placement == DRM_FERRY_PLACEMENT_APERTURE) {
		ret = ferry_placement_move_all(ferry, &target, 1, &call);
		if (ret) {
			ferry_bo_put(target.bo);
			return ERR_PTR(ret);
		}
	}

	return target.bo;
}

static void ferry_gem_query_imported(struct ferry_bo *bo, struct drm_ferry_bo_query *args)
{
	args->size = bo->base.base.size;
	args->allowed_placements = 0;
	args->placement = 0;
	args->caching = DRM_FERRY_CACHING_CACHED;
	args->flags = DRM_FERRY_BO_IMPORTED;
	args->pinned = 1;
	args->memtype = DRM_FERRY_MEMTYPE_UNKNOWN;
	args->huge_size = 0;
	args->madv = DRM_FERRY_MADV_WILLNEED;
	args->pad2 = 0;
	memset(args->exporter, 0, sizeof(args->exporter));
	strscpy(args->exporter, ferry_bo_exporter(bo), sizeof(args->exporter));
}

/**
 * ferry_gem_query_reserved - report the properties of a BO
 * @bo: the BO, reserved
 * @args: filled in
 */
void ferry_gem_query_reserved(struct ferry_bo *bo, struct drm_ferry_bo_query *args)
{
	if (ferry_bo_is_imported(bo)) {
		ferry_gem_query_imported(bo, args);
		return;
	}

	args->size = bo->base.base.size;
	args->allowed_placements = bo->allowed_placements;
	args->placement = ferry_bo_placement(bo);
	args->caching = bo->caching;
	args->flags = bo->flags;
	args->pinned = !!bo->base.pin_count;
	args->memtype = ferry_bo_memtype(bo);
	args->huge_size = ferry_pte_huge_bytes(bo);
	args->madv = bo->madv;
	args->pad2 = 0;
	memset(args->exporter, 0, sizeof(args->exporter));
}

/**
 * ferry_gem_query - reserve a BO and report its properties
 * @bo: the BO
 * @args: filled in
 *
 * Return: 0 or -ERESTARTSYS.
 */
int ferry_gem_query(struct ferry_bo *bo, struct drm_ferry_bo_query *args)
{
	int ret;

	ret = ttm_bo_reserve(&bo->base, true, false, NULL);
	if (ret)
		return ret;

	ferry_gem_query_reserved(bo, args);
	dma_resv_unlock(bo->base.base.resv);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_gem_query);

/**
 * ferry_gem_wait - wait for the fences that a BO has now
 * @bo: the BO
 * @timeout_ns: absolute time-out in CLOCK_MONOTONIC
 *
 * Return: 0, -ETIME or -ERESTARTSYS.
 */
int ferry_gem_wait(struct ferry_bo *bo, s64 timeout_ns)
{
	long ret;

	ret = dma_resv_wait_timeout(bo->base.base.resv, dma_resv_usage_rw(true), true,
				    drm_timeout_abs_to_jiffies(timeout_ns));
	if (!ret)
		return -ETIME;

	return ret < 0 ? ret : 0;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_gem_wait);

/**
 * ferry_gem_madvise - set whether the contents of a BO are needed
 * @bo: the BO
 * @madv: DRM_FERRY_MADV_WILLNEED or DRM_FERRY_MADV_DONTNEED
 * @retained: set to 1 if the contents are still there, to 0 if they were purged
 *
 * Return: 0, -EBUSY if the BO is pinned or shared, or -ERESTARTSYS.
 */
int ferry_gem_madvise(struct ferry_bo *bo, u32 madv, u32 *retained)
{
	struct drm_gem_object *obj = &bo->base.base;
	int ret;

	ret = ttm_bo_reserve(&bo->base, true, false, NULL);
	if (ret)
		return ret;

	if (madv == DRM_FERRY_MADV_DONTNEED &&
	    (bo->base.pin_count || bo->shared || READ_ONCE(obj->handle_count) > 1)) {
		ret = -EBUSY;
		goto out_unlock;
	}

	if (bo->madv != DRM_FERRY_MADV_PURGED) {
		bo->madv = madv;
		bo->base.priority = madv == DRM_FERRY_MADV_DONTNEED ?
				    FERRY_GEM_PRIORITY_DONTNEED :
				    FERRY_GEM_PRIORITY_WILLNEED;
		ferry_tt_update_lru(bo);
		ttm_bo_move_to_lru_tail_unlocked(&bo->base);
	}
	*retained = bo->madv != DRM_FERRY_MADV_PURGED;

out_unlock:
	dma_resv_unlock(obj->resv);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_gem_madvise);

/**
 * ferry_gem_max_size - get the largest size that a BO can have
 * @ferry: the device
 *
 * Return: size in bytes: that of system memory, or of the aperture if it is larger.
 */
u64 ferry_gem_max_size(struct ferry_device *ferry)
{
	return max((u64)totalram_pages() << PAGE_SHIFT, ferry->bar.size);
}
