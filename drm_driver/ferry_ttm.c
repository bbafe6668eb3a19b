// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/slab.h>
#include <linux/wait_bit.h>

#include <drm/drm_gem.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_tt.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_drv.h"
#include "ferry_migrate.h"
#include "ferry_ttm.h"

static struct ttm_tt *ferry_ttm_tt_create(struct ttm_buffer_object *tbo, u32 page_flags)
{
	enum ttm_caching caching = ttm_cached;
	struct ttm_tt *tt;

	if (ttm_to_ferry_bo(tbo)->caching == DRM_FERRY_CACHING_WC)
		caching = ttm_write_combined;

	tt = kzalloc(sizeof(*tt), GFP_KERNEL);
	if (!tt)
		return NULL;

	if (ttm_tt_init(tt, tbo, page_flags, caching, 0)) {
		kfree(tt);
		return NULL;
	}

	return tt;
}

static void ferry_ttm_tt_destroy(struct ttm_device *ttm, struct ttm_tt *tt)
{
	ttm_tt_fini(tt);
	kfree(tt);
}

static bool ferry_ttm_eviction_valuable(struct ttm_buffer_object *tbo,
					const struct ttm_place *place)
{
	/* what may be in the aperture only has nowhere to go */
	if (!(ttm_to_ferry_bo(tbo)->placements & DRM_FERRY_PLACEMENT_SYSTEM))
		return false;

	return ttm_bo_eviction_valuable(tbo, place);
}

static void ferry_ttm_evict_flags(struct ttm_buffer_object *tbo,
				  struct ttm_placement *placement)
{
	static const struct ttm_place system = { .mem_type = TTM_PL_SYSTEM };

	/* no placement at all tells TTM to drop the contents */
	placement->num_placement = ttm_to_ferry_device(tbo->bdev)->discard ? 0 : 1;
	placement->placement = &system;
}

static const struct ttm_device_funcs ferry_ttm_funcs = {
	.ttm_tt_create = ferry_ttm_tt_create,
	.ttm_tt_destroy = ferry_ttm_tt_destroy,
	.eviction_valuable = ferry_ttm_eviction_valuable,
	.evict_flags = ferry_ttm_evict_flags,
	.move = ferry_migrate_move,
	.access_memory = ferry_migrate_access,
};

static void ferry_ttm_fini(struct drm_device *drm, void *arg)
{
	ttm_device_fini(arg);
}

/**
 * ferry_ttm_init - start TTM
 * @ferry: the device
 *
 * Ends when the last user of the DRM device is gone.
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

/**
 * ferry_ttm_evict_all - move every BO out of the aperture
 * @ferry: the device, with its display off
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_ttm_evict_all(struct ferry_device *ferry)
{
	return ttm_resource_manager_evict_all(&ferry->ttm, &ferry->vram_mgr.base);
}

/**
 * ferry_ttm_vacate - move every BO out of the aperture, for good
 * @ferry: the device, unplugged, with its display off
 *
 * Afterwards nothing refers to the aperture. The contents go to system memory,
 * where existing mappings find them.
 */
void ferry_ttm_vacate(struct ferry_device *ferry)
{
	/* a page flip that was under way may hold its framebuffer a moment longer */
	if (!wait_var_event_timeout(&ferry->scanout_pins, !atomic_read(&ferry->scanout_pins),
				    10 * HZ))
		drm_err(&ferry->drm, "a framebuffer is still pinned\n");

	if (!ferry_ttm_evict_all(ferry))
		return;

	drm_err(&ferry->drm, "out of memory: contents of the aperture are lost\n");
	ferry->discard = true;
	ferry_ttm_evict_all(ferry);
}
