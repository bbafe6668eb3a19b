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
#include "ferry_vram_mgr.h"

/**
 * DOC: Sharing
 *
 * While another device has a dma-buf of a BO attached, the BO is pinned in system memory: the
 * scatter-gather table of the attachment holds its system pages, which stay valid when ferry's
 * device is removed. Attaching fails with -EBUSY while the BO is scanned out, because it is
 * then pinned in the aperture, and with -EINVAL if the BO is aperture-only or is not marked
 * DRM_FERRY_MADV_WILLNEED.
 */

static int ferry_prime_to_system(struct ferry_bo *bo)
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

	ret = ttm_bo_wait_ctx(&bo->base, &ctx.base);
	if (ret)
		return ret;

	return ferry_shrinker_populate(&bo->base, &ctx.base);
}

/**
 * ferry_prime_pin - pin a BO in system memory
 * @obj: the BO's GEM object, reserved
 *
 * Return: 0, -EINVAL if the BO is aperture-only or not marked DRM_FERRY_MADV_WILLNEED, -EBUSY
 * if it is pinned in the aperture or its fences do not signal in time, -EIO if it cannot be
 * read back from swap, or -ENOMEM.
 */
int ferry_prime_pin(struct drm_gem_object *obj)
{
	struct ferry_bo *bo = gem_to_ferry_bo(obj);
	int ret;

	dma_resv_assert_held(obj->resv);

	ret = ferry_prime_to_system(bo);
	if (!ret)
		ferry_placement_pin(bo);

	return ret;
}

/**
 * ferry_prime_unpin - undo ferry_prime_pin()
 * @obj: the BO's GEM object, reserved
 */
void ferry_prime_unpin(struct drm_gem_object *obj)
{
	dma_resv_assert_held(obj->resv);

	ferry_placement_unpin(gem_to_ferry_bo(obj));
}

/**
 * ferry_prime_get_sg_table - get a scatter-gather table of a BO's pages
 * @obj: the BO's GEM object, pinned in system memory
 *
 * Return: a new table, or an error pointer.
 */
struct sg_table *ferry_prime_get_sg_table(struct drm_gem_object *obj)
{
	struct ttm_tt *tt = gem_to_ferry_bo(obj)->base.ttm;

	return drm_prime_pages_to_sg(obj->dev, tt->pages, tt->num_pages);
}

/**
 * ferry_prime_vmap - map a BO into kernel addresses, and pin it
 * @obj: the BO's GEM object, reserved
 * @map: set to the mapping
 *
 * A BO in the aperture stays there if it is contiguous and has no dma-buf: the mapping is then
 * a part of the kernel's mapping of the aperture. Any other BO is moved to system memory.
 *
 * Return: 0, or an error of ferry_prime_pin().
 */
int ferry_prime_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct ferry_bo *bo = gem_to_ferry_bo(obj);
	struct ferry_device *ferry = to_ferry_device(obj->dev);
	struct ttm_operation_ctx ctx = {};
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
		ret = ttm_bo_vmap(&bo->base, map);
		if (ret)
			return ret;
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

	if (map->is_iomem)
		iosys_map_clear(map);
	else
		ttm_bo_vunmap(&bo->base, map);
	ferry_placement_unpin(bo);
}
