// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <drm/drm_managed.h>
#include <drm/ferry_drm.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_tt.h>

#include <kunit/visibility.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_device.h"
#include "ferry_migrate.h"
#include "ferry_shrinker.h"
#include "ferry_tt.h"
#include "ferry_ttm.h"
#include "ferry_vram_mgr.h"

/**
 * DOC: TTM callbacks
 *
 * TTM can pass a ghost BO to each of its callbacks, see ferry_bo_from_ttm(). A ghost BO
 * holds the old resource of a BO until a job has copied it. It has no settings of ferry's,
 * and its contents need not be saved.
 */

static struct ttm_tt *ferry_ttm_tt_create(struct ttm_buffer_object *tbo, u32 page_flags)
{
	struct ferry_device *ferry = ttm_to_ferry_device(tbo->bdev);
	unsigned long pages = ferry_tt_array_pages(tbo->base.size);
	struct ferry_bo *bo = ferry_bo_from_ttm(tbo);
	struct ttm_tt *tt;
	int ret;

	tt = bo ? ferry_tt_take_kept(bo, page_flags) : NULL;
	if (tt)
		return tt;

	tt = ferry_tt_create(tbo, bo, page_flags);
	/*
	 * If this fails, TTM does not try to evict another BO. So the page array of a BO that
	 * leaves the aperture is allocated with its pages; if its contents are dropped, it needs
	 * none.
	 */
	if (!tt || !bo || ferry_vram_mgr_owns(tbo->resource))
		return tt;

	/* The array is 1/512 of the BO's size, and BOs can be as large as all memory. */
	ret = ferry_shrinker_reserve(ferry, pages);
	if (!ret) {
		ret = ferry_tt_create_array(ferry, tt);
		ferry_shrinker_unreserve(ferry, pages);
	}
	if (ret) {
		ferry_tt_destroy(tbo->bdev, tt);
		return NULL;
	}

	return tt;
}

static int ferry_ttm_tt_populate(struct ttm_device *ttm, struct ttm_tt *tt,
				 struct ttm_operation_ctx *ctx)
{
	struct ferry_device *ferry = ttm_to_ferry_device(ttm);
	unsigned long pages = tt->num_pages;
	int ret;

	if (ferry_tt_reuse_kept(ferry, tt))
		return 0;

	if (!tt->pages)
		pages += ferry_tt_array_pages((u64)tt->num_pages << PAGE_SHIFT);
	ret = ferry_shrinker_reserve(ferry, pages);
	if (ret)
		return ret;

	ret = ferry_tt_populate(ferry, tt, ctx);
	ferry_shrinker_unreserve(ferry, pages);
	return ret;
}

static bool ferry_ttm_eviction_valuable(struct ttm_buffer_object *tbo,
					const struct ttm_place *place)
{
	struct ferry_bo *bo = ferry_bo_from_ttm(tbo);

	if (!bo)
		return ttm_bo_eviction_valuable(tbo, place);
	/* An aperture-only BO must not move to system memory. */
	if (!(bo->allowed_placements & DRM_FERRY_PLACEMENT_SYSTEM))
		return false;
	/*
	 * Evicting system memory means swapping out. BOs marked DONTNEED are purged instead, and
	 * importers hold the addresses of system pages.
	 */
	if (place && place->mem_type == TTM_PL_SYSTEM &&
	    (bo->madv != DRM_FERRY_MADV_WILLNEED || !ferry_shrinker_can_swap() ||
	     !list_empty(&bo->dma_mappings)))
		return false;

	return ttm_bo_eviction_valuable(tbo, place);
}

static void ferry_ttm_evict_flags(struct ttm_buffer_object *tbo,
				  struct ttm_placement *placement)
{
	static const struct ttm_place system = { .mem_type = TTM_PL_SYSTEM };
	struct ferry_bo *bo = ferry_bo_from_ttm(tbo);

	placement->num_placement = 1;
	placement->placement = &system;

	/* Without a placement TTM waits until the BO is idle and drops its contents. */
	if (!bo) {
		placement->num_placement = 0;
	} else if (bo->madv != DRM_FERRY_MADV_WILLNEED &&
		   ferry_bo_is_idle(bo, DMA_RESV_USAGE_BOOKKEEP) && !ferry_tt_prepare_drop(bo)) {
		/*
		 * TTM cannot fail to drop the contents now. A busy BO is moved: TTM's wait can
		 * fail, and then nothing would be dropped.
		 */
		ferry_bo_mark_purged(bo);
		placement->num_placement = 0;
	}
}

VISIBLE_IF_KUNIT const struct ttm_device_funcs ferry_ttm_funcs = {
	.ttm_tt_create = ferry_ttm_tt_create,
	.ttm_tt_populate = ferry_ttm_tt_populate,
	.ttm_tt_unpopulate = ferry_tt_unpopulate,
	.ttm_tt_destroy = ferry_tt_destroy,
	.eviction_valuable = ferry_ttm_eviction_valuable,
	.evict_flags = ferry_ttm_evict_flags,
	.move = ferry_migrate_move,
};
EXPORT_SYMBOL_IF_KUNIT(ferry_ttm_funcs);

static void ferry_ttm_fini(struct drm_device *drm, void *arg)
{
	ttm_device_fini(arg);
}

/**
 * ferry_ttm_init - initialize TTM for a device
 * @ferry: the device
 *
 * TTM exists until the DRM device is released.
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_ttm_init(struct ferry_device *ferry)
{
	struct drm_device *drm = &ferry->drm;
	int ret;

	ret = ferry_compat_ttm_device_init(&ferry->ttm, &ferry_ttm_funcs, drm->dev,
					   drm->anon_inode->i_mapping,
					   drm->vma_offset_manager);
	if (ret)
		return ret;

	return drmm_add_action_or_reset(drm, ferry_ttm_fini, &ferry->ttm);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_ttm_init);
