// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/iosys-map.h>

#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <drm/ferry_drm.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_tt.h>

#include "ferry_bo.h"
#include "ferry_ctx.h"
#include "ferry_device.h"
#include "ferry_placement.h"
#include "ferry_prime.h"
#include "ferry_shrinker.h"
#include "ferry_tt.h"
#include "ferry_vram_mgr.h"

/**
 * ferry_prime_to_system - move a BO to system memory for another device
 * @bo: the BO, reserved
 *
 * Return: 0 if the BO has system pages; their contents can still be behind a fence. -EINVAL if the
 * BO is aperture-only or not marked DRM_FERRY_MADV_WILLNEED, -EBUSY if it is pinned in the
 * aperture or its fences do not signal in time, -EIO if it cannot be read back from swap or the
 * device does not decode its memory, or -ENOMEM.
 */
int ferry_prime_to_system(struct ferry_bo *bo)
{
	struct ferry_ctx ctx = { .base = { .gfp_retry_mayfail = true } };
	int ret;

	if (!(bo->allowed_placements & DRM_FERRY_PLACEMENT_SYSTEM) ||
	    bo->madv != DRM_FERRY_MADV_WILLNEED)
		return -EINVAL;

	/* A BO whose contents were discarded has no resource, and gets one in system memory. */
	if (!bo->base.resource || ferry_bo_placement(bo) != DRM_FERRY_PLACEMENT_SYSTEM) {
		if (bo->base.pin_count)
			return -EBUSY;
		ret = ferry_placement_move(bo, DRM_FERRY_PLACEMENT_SYSTEM, &ctx);
		if (ret)
			return ret;
	}

	return ferry_shrinker_populate(&bo->base, &ctx.base);
}

/**
 * ferry_prime_vmap - map a BO into kernel addresses, and pin it
 * @obj: the BO's GEM object, reserved
 * @map: set to the mapping
 *
 * A BO in the aperture stays there if it is contiguous and was never exported: the mapping is then
 * a part of the kernel's mapping of the aperture. Any other BO is moved to system memory.
 *
 * Return: 0, or an error of ferry_prime_to_system().
 */
int ferry_prime_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct ferry_bo *bo = gem_to_ferry_bo(obj);
	struct ferry_device *ferry = to_ferry_device(obj->dev);
	struct ttm_operation_ctx ctx = {};
	void *vaddr;
	int ret;

	dma_resv_assert_held(obj->resv);

	ret = ttm_bo_wait_ctx(&bo->base, &ctx);
	if (ret)
		return ret;

	if (ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE && !bo->shared &&
	    to_ferry_vram_resource(bo->base.resource)->contiguous) {
		u64 offset = (u64)bo->base.resource->start << PAGE_SHIFT;

		iosys_map_set_vaddr_iomem(map, ferry_bar_vaddr(&ferry->bar, offset));
	} else {
		ret = ferry_prime_to_system(bo);
		if (ret)
			return ret;
		vaddr = ferry_tt_map(bo);
		if (!vaddr)
			return -ENOMEM;
		iosys_map_set_vaddr(map, vaddr);
	}

	ferry_placement_pin(bo);
	return 0;
}

/**
 * ferry_prime_vunmap - undo ferry_prime_vmap()
 * @obj: the BO's GEM object, reserved
 * @map: the mapping
 */
void ferry_prime_vunmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct ferry_bo *bo = gem_to_ferry_bo(obj);

	dma_resv_assert_held(obj->resv);

	/* The mapping of system pages stays, see ferry_tt_map(). */
	iosys_map_clear(map);
	ferry_placement_unpin(bo);
}
