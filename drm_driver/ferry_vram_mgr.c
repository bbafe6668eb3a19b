// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/capability.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <drm/drm_buddy.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_bo.h>

#include <kunit/visibility.h>

#include "ferry_compat.h"
#include "ferry_device.h"
#include "ferry_vram_mgr.h"

static unsigned int aperture_only = 50;
module_param(aperture_only, uint, 0444);
MODULE_PARM_DESC(aperture_only,
		 "Percent of the aperture that aperture-only BOs may fill without CAP_SYS_ADMIN (default 50)");

static struct ferry_vram_mgr *to_ferry_vram_mgr(struct ttm_resource_manager *man)
{
	return container_of(man, struct ferry_vram_mgr, base);
}

static u64 ferry_vram_mgr_place_start(const struct ttm_place *place)
{
	return (u64)place->fpfn << PAGE_SHIFT;
}

static u64 ferry_vram_mgr_place_end(const struct ferry_vram_mgr *mgr,
				    const struct ttm_place *place)
{
	u64 end = (u64)place->lpfn << PAGE_SHIFT;

	return end && end < mgr->mm.size ? end : mgr->mm.size;
}

static bool ferry_vram_mgr_is_contiguous(struct gpu_buddy *mm, struct list_head *blocks)
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
	u64 start = ferry_vram_mgr_place_start(place);
	u64 end = ferry_vram_mgr_place_end(mgr, place);
	struct ferry_vram_resource *vres;
	unsigned long flags = 0;
	int ret;

	vres = kzalloc(sizeof(*vres), GFP_KERNEL);
	if (!vres)
		return -ENOMEM;

	ttm_resource_init(tbo, place, &vres->base);
	INIT_LIST_HEAD(&vres->blocks);
	vres->users = 1;

	if (place->flags & TTM_PL_FLAG_CONTIGUOUS)
		flags |= GPU_BUDDY_CONTIGUOUS_ALLOCATION;
	if (start || end < mgr->mm.size)
		flags |= GPU_BUDDY_RANGE_ALLOCATION;

	mutex_lock(&mgr->lock);
	if (mgr->blocked)
		ret = -EIO;
	else if (vres->base.size > mgr->mm.avail)
		ret = -ENOSPC;
	else
		ret = gpu_buddy_alloc_blocks(&mgr->mm, start, end, vres->base.size,
					     PAGE_SIZE, &vres->blocks, flags);
	mutex_unlock(&mgr->lock);
	if (ret)
		goto err_fini;

	vres->contiguous = ferry_vram_mgr_is_contiguous(&mgr->mm, &vres->blocks);
	if (vres->contiguous)
		vres->base.start =
			gpu_buddy_block_offset(list_first_entry(&vres->blocks,
								struct gpu_buddy_block,
								link)) >> PAGE_SHIFT;
	vres->unevictable = !(bo->allowed_placements & DRM_FERRY_PLACEMENT_SYSTEM);
	if (vres->unevictable)
		atomic64_add(vres->base.size, &mgr->unevictable);
	bo->no_space = false;
	*res = &vres->base;
	return 0;

err_fini:
	/* TTM replaces -ENOSPC by -ENOMEM: remember which error it was. */
	bo->no_space = ret == -ENOSPC;
	ttm_resource_fini(man, &vres->base);
	kfree(vres);
	return ret;
}

/**
 * ferry_vram_mgr_hold - keep the blocks of a resource allocated
 * @mgr: the manager
 * @vres: the resource of a BO that is reserved
 */
void ferry_vram_mgr_hold(struct ferry_vram_mgr *mgr, struct ferry_vram_resource *vres)
{
	mutex_lock(&mgr->lock);
	vres->users++;
	mutex_unlock(&mgr->lock);
}

/**
 * ferry_vram_mgr_drop - undo ferry_vram_mgr_hold(), or free a resource for TTM
 * @mgr: the manager
 * @vres: the resource
 *
 * Until the last user has dropped them, the blocks of a resource that TTM has freed are
 * unevictable.
 */
void ferry_vram_mgr_drop(struct ferry_vram_mgr *mgr, struct ferry_vram_resource *vres)
{
	bool last;

	mutex_lock(&mgr->lock);
	last = !--vres->users;
	if (last) {
		gpu_buddy_free_list(&mgr->mm, &vres->blocks, 0);
		if (vres->unevictable)
			atomic64_sub(vres->base.size, &mgr->unevictable);
	}
	mutex_unlock(&mgr->lock);
	if (last)
		kfree(vres);
}

static void ferry_vram_mgr_free(struct ttm_resource_manager *man, struct ttm_resource *res)
{
	struct ferry_vram_resource *vres = to_ferry_vram_resource(res);
	struct ferry_vram_mgr *mgr = to_ferry_vram_mgr(man);

	ttm_resource_fini(man, res);
	mutex_lock(&mgr->lock);
	if (vres->users > 1 && !vres->unevictable) {
		vres->unevictable = true;
		atomic64_add(res->size, &mgr->unevictable);
	}
	mutex_unlock(&mgr->lock);
	ferry_vram_mgr_drop(mgr, vres);
}

static bool ferry_vram_mgr_intersects(struct ttm_resource_manager *man,
				      struct ttm_resource *res,
				      const struct ttm_place *place, size_t size)
{
	struct ferry_vram_resource *vres = to_ferry_vram_resource(res);
	struct ferry_vram_mgr *mgr = to_ferry_vram_mgr(man);
	u64 start = ferry_vram_mgr_place_start(place);
	u64 end = ferry_vram_mgr_place_end(mgr, place);
	struct gpu_buddy_block *block;

	list_for_each_entry(block, &vres->blocks, link)
		if (gpu_buddy_block_offset(block) < end &&
		    gpu_buddy_block_offset(block) + gpu_buddy_block_size(&mgr->mm, block) > start)
			return true;

	return false;
}

static bool ferry_vram_mgr_compatible(struct ttm_resource_manager *man,
				      struct ttm_resource *res,
				      const struct ttm_place *place, size_t size)
{
	struct ferry_vram_resource *vres = to_ferry_vram_resource(res);
	struct ferry_vram_mgr *mgr = to_ferry_vram_mgr(man);
	u64 start = ferry_vram_mgr_place_start(place);
	u64 end = ferry_vram_mgr_place_end(mgr, place);
	struct gpu_buddy_block *block;

	if ((place->flags & TTM_PL_FLAG_CONTIGUOUS) && !vres->contiguous)
		return false;

	list_for_each_entry(block, &vres->blocks, link)
		if (gpu_buddy_block_offset(block) < start ||
		    gpu_buddy_block_offset(block) + gpu_buddy_block_size(&mgr->mm, block) > end)
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
 * ferry_vram_mgr_set_blocked - let allocations fail, or allow them again
 * @mgr: the allocator
 * @blocked: true to let them fail with -EIO
 */
void ferry_vram_mgr_set_blocked(struct ferry_vram_mgr *mgr, bool blocked)
{
	mutex_lock(&mgr->lock);
	mgr->blocked = blocked;
	mutex_unlock(&mgr->lock);
}

/**
 * ferry_vram_mgr_init - register the allocator of the aperture with TTM
 * @ferry: the device, with &ferry_device.bar set up
 *
 * The allocator exists until the DRM device is released: a BO may hold a resource until
 * then.
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
 * ferry_vram_mgr_reserve - reserve a range of the aperture for the driver itself
 * @mgr: the allocator
 * @start: first byte, whole pages
 * @end: end of the range as a byte offset, whole pages
 * @range: the range; its list of blocks is initialized and empty
 *
 * Evicts nothing.
 *
 * Return: 0, -ENOSPC if the range is not free, -EINVAL if it is not inside the aperture, or
 * -ENOMEM.
 */
int ferry_vram_mgr_reserve(struct ferry_vram_mgr *mgr, u64 start, u64 end,
			   struct ferry_vram_range *range)
{
	int ret;

	if (start >= end || end > mgr->mm.size)
		return -EINVAL;

	mutex_lock(&mgr->lock);
	ret = gpu_buddy_alloc_blocks(&mgr->mm, start, end, end - start, PAGE_SIZE,
				     &range->blocks, GPU_BUDDY_RANGE_ALLOCATION);
	mutex_unlock(&mgr->lock);
	if (ret)
		return ret;

	range->size = end - start;
	atomic64_add(range->size, &mgr->unevictable);
	return 0;
}

/**
 * ferry_vram_mgr_release - undo ferry_vram_mgr_reserve()
 * @mgr: the allocator
 * @range: the range; may be empty
 */
void ferry_vram_mgr_release(struct ferry_vram_mgr *mgr, struct ferry_vram_range *range)
{
	if (list_empty(&range->blocks))
		return;

	mutex_lock(&mgr->lock);
	gpu_buddy_free_list(&mgr->mm, &range->blocks, 0);
	mutex_unlock(&mgr->lock);
	atomic64_sub(range->size, &mgr->unevictable);
}

/**
 * ferry_vram_mgr_free_bytes - get the number of free bytes in the aperture
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
 * ferry_vram_mgr_is_unevictable - check if a BO stays in the aperture once it is there
 * @bo: the BO, reserved
 *
 * Return: true if the BO is pinned or aperture-only.
 */
bool ferry_vram_mgr_is_unevictable(const struct ferry_bo *bo)
{
	return bo->base.pin_count || !(bo->allowed_placements & DRM_FERRY_PLACEMENT_SYSTEM);
}

static void ferry_vram_mgr_add_pin(struct ferry_bo *bo, s64 bytes)
{
	if (ferry_vram_mgr_owns(bo->base.resource) && !ferry_vram_mgr_is_unevictable(bo))
		atomic64_add(bytes, &ferry_bo_device(bo)->vram_mgr.unevictable);
}

/**
 * ferry_vram_mgr_account_pin - account for a pin that is about to be taken
 * @bo: the BO, reserved
 *
 * A pin counts if the BO is in the aperture and could have been evicted.
 */
void ferry_vram_mgr_account_pin(struct ferry_bo *bo)
{
	ferry_vram_mgr_add_pin(bo, bo->base.base.size);
}

/**
 * ferry_vram_mgr_unaccount_pin - account for a pin that was dropped
 * @bo: the BO, reserved
 */
void ferry_vram_mgr_unaccount_pin(struct ferry_bo *bo)
{
	ferry_vram_mgr_add_pin(bo, -(s64)bo->base.base.size);
}

/**
 * ferry_vram_mgr_account_only - account for a new aperture-only BO
 * @ferry: the device
 * @size: size of the BO in bytes
 *
 * Return: 0, or -ENOSPC if all aperture-only BOs together would exceed the limit of the
 * module parameter aperture_only and the caller lacks CAP_SYS_ADMIN.
 */
int ferry_vram_mgr_account_only(struct ferry_device *ferry, u64 size)
{
	struct ferry_vram_mgr *mgr = &ferry->vram_mgr;
	u64 limit = div_u64(ferry->bar.size * min(aperture_only, 100U), 100);
	s64 total = atomic64_read(&mgr->aperture_only);

	/* Never count a BO that is refused: another client might be refused for it. */
	do {
		if (size + total > limit && !capable(CAP_SYS_ADMIN))
			return -ENOSPC;
	} while (!atomic64_try_cmpxchg(&mgr->aperture_only, &total, total + size));

	return 0;
}

/**
 * ferry_vram_mgr_unaccount_only - undo ferry_vram_mgr_account_only()
 * @ferry: the device
 * @size: size of the BO in bytes
 */
void ferry_vram_mgr_unaccount_only(struct ferry_device *ferry, u64 size)
{
	atomic64_sub(size, &ferry->vram_mgr.aperture_only);
}

/**
 * ferry_vram_mgr_print - print the state of the aperture for debugfs
 * @mgr: the manager
 * @p: printer
 */
void ferry_vram_mgr_print(struct ferry_vram_mgr *mgr, struct drm_printer *p)
{
	ttm_resource_manager_debug(&mgr->base, p);
}
