// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/slab.h>

#include <drm/drm_buddy.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_bo.h>

#include <kunit/visibility.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_drv.h"
#include "ferry_vram_mgr.h"

static struct ferry_vram_mgr *to_ferry_vram_mgr(struct ttm_resource_manager *man)
{
	return container_of(man, struct ferry_vram_mgr, base);
}

static u64 ferry_vram_mgr_place_end(const struct ferry_vram_mgr *mgr,
				    const struct ttm_place *place)
{
	u64 end = (u64)place->lpfn << PAGE_SHIFT;

	return end && end < mgr->mm.size ? end : mgr->mm.size;
}

static bool ferry_vram_mgr_blocks_touch(struct gpu_buddy *mm, struct list_head *blocks)
{
	struct gpu_buddy_block *block;
	u64 next = 0;

	list_for_each_entry(block, blocks, link) {
		u64 start = gpu_buddy_block_offset(block);

		if (!list_is_first(&block->link, blocks) && start != next)
			return false;
		next = start + gpu_buddy_block_size(mm, block);
	}

	return true;
}

static int ferry_vram_mgr_alloc(struct ttm_resource_manager *man,
				struct ttm_buffer_object *tbo,
				const struct ttm_place *place,
				struct ttm_resource **res)
{
	struct ferry_vram_mgr *mgr = to_ferry_vram_mgr(man);
	struct ferry_bo *bo = ttm_to_ferry_bo(tbo);
	u64 end = ferry_vram_mgr_place_end(mgr, place);
	struct ferry_vram_resource *vres;
	unsigned long flags = 0;
	int ret;

	vres = kzalloc(sizeof(*vres), GFP_KERNEL);
	if (!vres)
		return -ENOMEM;

	ttm_resource_init(tbo, place, &vres->base);
	INIT_LIST_HEAD(&vres->blocks);

	if (place->flags & TTM_PL_FLAG_CONTIGUOUS)
		flags |= GPU_BUDDY_CONTIGUOUS_ALLOCATION;
	if (end < mgr->mm.size)
		flags |= GPU_BUDDY_RANGE_ALLOCATION;

	mutex_lock(&mgr->lock);
	if (vres->base.size > mgr->mm.avail)
		ret = -ENOSPC;
	else
		ret = gpu_buddy_alloc_blocks(&mgr->mm, 0, end, vres->base.size,
					     PAGE_SIZE, &vres->blocks, flags);
	mutex_unlock(&mgr->lock);
	if (ret)
		goto err_fini;

	vres->contiguous = ferry_vram_mgr_blocks_touch(&mgr->mm, &vres->blocks);
	if (vres->contiguous)
		vres->base.start =
			gpu_buddy_block_offset(list_first_entry(&vres->blocks,
								struct gpu_buddy_block,
								link)) >> PAGE_SHIFT;
	vres->fixed = !(bo->allowed_placements & DRM_FERRY_PLACEMENT_SYSTEM);
	if (vres->fixed)
		atomic64_add(vres->base.size, &mgr->fixed);
	bo->no_space = false;
	*res = &vres->base;
	return 0;

err_fini:
	/* TTM turns "no space" into "no memory": remember which it was */
	bo->no_space = ret == -ENOSPC;
	ttm_resource_fini(man, &vres->base);
	kfree(vres);
	return ret;
}

static void ferry_vram_mgr_free(struct ttm_resource_manager *man, struct ttm_resource *res)
{
	struct ferry_vram_resource *vres = to_ferry_vram_resource(res);
	struct ferry_vram_mgr *mgr = to_ferry_vram_mgr(man);

	mutex_lock(&mgr->lock);
	gpu_buddy_free_list(&mgr->mm, &vres->blocks, 0);
	mutex_unlock(&mgr->lock);
	if (vres->fixed)
		atomic64_sub(res->size, &mgr->fixed);

	ttm_resource_fini(man, res);
	kfree(vres);
}

static bool ferry_vram_mgr_intersects(struct ttm_resource_manager *man,
				      struct ttm_resource *res,
				      const struct ttm_place *place, size_t size)
{
	struct ferry_vram_resource *vres = to_ferry_vram_resource(res);
	struct ferry_vram_mgr *mgr = to_ferry_vram_mgr(man);
	u64 end = ferry_vram_mgr_place_end(mgr, place);
	struct gpu_buddy_block *block;

	list_for_each_entry(block, &vres->blocks, link)
		if (gpu_buddy_block_offset(block) < end)
			return true;

	return false;
}

static bool ferry_vram_mgr_compatible(struct ttm_resource_manager *man,
				      struct ttm_resource *res,
				      const struct ttm_place *place, size_t size)
{
	struct ferry_vram_resource *vres = to_ferry_vram_resource(res);
	struct ferry_vram_mgr *mgr = to_ferry_vram_mgr(man);
	u64 end = ferry_vram_mgr_place_end(mgr, place);
	struct gpu_buddy_block *block;

	if ((place->flags & TTM_PL_FLAG_CONTIGUOUS) && !vres->contiguous)
		return false;

	list_for_each_entry(block, &vres->blocks, link)
		if (gpu_buddy_block_offset(block) + gpu_buddy_block_size(&mgr->mm, block) > end)
			return false;

	return true;
}

static void ferry_vram_mgr_debug(struct ttm_resource_manager *man, struct drm_printer *p)
{
	struct ferry_vram_mgr *mgr = to_ferry_vram_mgr(man);

	mutex_lock(&mgr->lock);
	drm_buddy_print(&mgr->mm, p);
	mutex_unlock(&mgr->lock);
}

static const struct ttm_resource_manager_func ferry_vram_mgr_func = {
	.alloc = ferry_vram_mgr_alloc,
	.free = ferry_vram_mgr_free,
	.intersects = ferry_vram_mgr_intersects,
	.compatible = ferry_vram_mgr_compatible,
	.debug = ferry_vram_mgr_debug,
};

static void ferry_vram_mgr_fini(struct drm_device *drm, void *arg)
{
	struct ferry_device *ferry = to_ferry_device(drm);
	struct ferry_vram_mgr *mgr = arg;

	ttm_resource_manager_set_used(&mgr->base, false);
	ttm_resource_manager_cleanup(&mgr->base);
	ttm_set_driver_manager(&ferry->ttm, FERRY_PL_APERTURE, NULL);
	gpu_buddy_fini(&mgr->mm);
	mutex_destroy(&mgr->lock);
}

/**
 * ferry_vram_mgr_init - start to manage the aperture
 * @ferry: the device, with its aperture known
 *
 * Ends when the last user of the DRM device is gone: until then a BO may hold
 * a resource.
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_vram_mgr_init(struct ferry_device *ferry)
{
	struct ferry_vram_mgr *mgr = &ferry->vram_mgr;
	int ret;

	ret = gpu_buddy_init(&mgr->mm, ferry->bar.size, PAGE_SIZE);
	if (ret)
		return ret;

	mutex_init(&mgr->lock);
	mgr->base.func = &ferry_vram_mgr_func;
	ttm_resource_manager_init(&mgr->base, &ferry->ttm, ferry->bar.size);
	ret = ferry_compat_register_dmem(&ferry->drm, &mgr->base, ferry->bar.size);
	if (ret) {
		gpu_buddy_fini(&mgr->mm);
		return ret;
	}

	ttm_set_driver_manager(&ferry->ttm, FERRY_PL_APERTURE, &mgr->base);
	ttm_resource_manager_set_used(&mgr->base, true);

	return drmm_add_action_or_reset(&ferry->drm, ferry_vram_mgr_fini, mgr);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_vram_mgr_init);

/**
 * ferry_vram_mgr_free_bytes - how much of the aperture nobody holds
 * @mgr: the manager
 *
 * Return: bytes.
 */
u64 ferry_vram_mgr_free_bytes(struct ferry_vram_mgr *mgr)
{
	u64 avail;

	mutex_lock(&mgr->lock);
	avail = mgr->mm.avail;
	mutex_unlock(&mgr->lock);

	return avail;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_vram_mgr_free_bytes);

/**
 * ferry_vram_mgr_print - state of the aperture for debugfs
 * @mgr: the manager
 * @p: where to print
 */
void ferry_vram_mgr_print(struct ferry_vram_mgr *mgr, struct drm_printer *p)
{
	ttm_resource_manager_debug(&mgr->base, p);
}

/**
 * ferry_vram_mgr_print_blocks - where a BO lies, for debugfs
 * @res: its resource in the aperture, which stays valid
 * @p: where to print
 *
 * Prints OFFSET+SIZE, in bytes, for each piece.
 */
void ferry_vram_mgr_print_blocks(struct ttm_resource *res, struct drm_printer *p)
{
	struct ferry_vram_cursor cursor;
	u64 offset = 0, at;

	ferry_vram_cursor_init(&cursor, res);
	while (offset < res->size) {
		at = ferry_vram_cursor_seek(&cursor, offset);
		drm_printf(p, "%s0x%llx+0x%llx", offset ? "," : "", at, cursor.end - offset);
		offset = cursor.end;
	}
}

/**
 * ferry_vram_cursor_init - start a walk
 * @cursor: the cursor
 * @res: a resource in the aperture; must stay valid during the walk
 */
void ferry_vram_cursor_init(struct ferry_vram_cursor *cursor, struct ttm_resource *res)
{
	*cursor = (struct ferry_vram_cursor) {
		.res = to_ferry_vram_resource(res),
		.mm = &ttm_to_ferry_device(res->bo->bdev)->vram_mgr.mm,
	};
}
EXPORT_SYMBOL_IF_KUNIT(ferry_vram_cursor_init);

/**
 * ferry_vram_cursor_seek - where a byte of a BO is in the aperture
 * @cursor: the cursor
 * @offset: byte offset into the BO, less than its size
 *
 * The bytes up to @cursor->end follow it in the aperture.
 *
 * Return: byte offset into the aperture.
 */
u64 ferry_vram_cursor_seek(struct ferry_vram_cursor *cursor, u64 offset)
{
	const struct ferry_vram_resource *res = cursor->res;

	if (!cursor->block || offset < cursor->first) {
		cursor->block = list_first_entry(&res->blocks, struct gpu_buddy_block, link);
		cursor->first = 0;
		cursor->end = gpu_buddy_block_size(cursor->mm, cursor->block);
	}
	while (offset >= cursor->end) {
		cursor->block = list_next_entry(cursor->block, link);
		cursor->first = cursor->end;
		cursor->end += gpu_buddy_block_size(cursor->mm, cursor->block);
	}

	return gpu_buddy_block_offset(cursor->block) + offset - cursor->first;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_vram_cursor_seek);
