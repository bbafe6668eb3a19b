// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/wait_bit.h>

#include <drm/drm_drv.h>
#include <drm/drm_exec.h>
#include <drm/ferry_drm.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>

#include <kunit/visibility.h>

#include "ferry_bo.h"
#include "ferry_ctx.h"
#include "ferry_device.h"
#include "ferry_job.h"
#include "ferry_placement.h"
#include "ferry_vram_mgr.h"

static int ferry_placement_validate(struct ferry_bo *bo, const struct ttm_place *place,
				    struct ferry_ctx *ctx)
{
	struct ttm_placement placement = { .num_placement = 1, .placement = place };
	int ret;

	bo->no_space = false;
	ctx->no_memory = false;
	ret = ttm_bo_validate(&bo->base, &placement, &ctx->base);
	/* TTM returns -ENOMEM if the allocator has no space, whatever the evictions returned. */
	if (ret == -ENOMEM && bo->no_space && !ctx->no_memory)
		ret = -ENOSPC;

	return ret;
}

static int ferry_placement_in_aperture(struct ferry_bo *bo, struct ttm_place *place,
				       struct ferry_ctx *ctx)
{
	struct ferry_device *ferry = ferry_bo_device(bo);
	int ret, idx;

	if (bo->base.base.size > ferry->bar.size)
		return -ENOSPC;

	if (!drm_dev_enter(&ferry->drm, &idx))
		return -ENODEV;

	place->mem_type = FERRY_PL_APERTURE;
	if (bo->flags & DRM_FERRY_BO_CONTIGUOUS)
		place->flags |= TTM_PL_FLAG_CONTIGUOUS;
	ret = ferry_placement_validate(bo, place, ctx);

	drm_dev_exit(idx);
	return ret;
}

/**
 * ferry_placement_move - move a BO
 * @bo: the BO, reserved and not pinned
 * @placement: one of DRM_FERRY_PLACEMENT_*
 * @ctx: context of the operation
 *
 * Return: 0, -EBUSY if fences of the BO do not signal in time, -EIO if the device does not
 * decode its memory or the BO cannot be read back from swap, -ENOSPC, -ENOMEM, -ENODEV or
 * -ERESTARTSYS.
 */
int ferry_placement_move(struct ferry_bo *bo, u32 placement, struct ferry_ctx *ctx)
{
	struct ttm_place place = { .mem_type = TTM_PL_SYSTEM };

	if (placement == DRM_FERRY_PLACEMENT_APERTURE)
		return ferry_placement_in_aperture(bo, &place, ctx);

	return ferry_placement_validate(bo, &place, ctx);
}

/* Check if all targets fit into the aperture together with the unevictable BOs. */
static bool ferry_placement_fits(struct ferry_device *ferry,
				 const struct ferry_placement_target *targets, u32 count)
{
	u64 need = atomic64_read(&ferry->vram_mgr.unevictable);
	u32 i;

	for (i = 0; i < count; i++) {
		struct ferry_bo *bo = targets[i].bo;

		if (targets[i].placement != DRM_FERRY_PLACEMENT_APERTURE)
			continue;
		/* @need includes unevictable BOs that are in the aperture already. */
		if (ferry_bo_placement(bo) != DRM_FERRY_PLACEMENT_APERTURE ||
		    !ferry_vram_mgr_is_unevictable(bo))
			need += bo->base.base.size;
	}

	return need <= ferry->bar.size;
}

static int ferry_placement_check(const struct ferry_placement_target *target)
{
	struct ferry_bo *bo = target->bo;

	if (bo->madv == DRM_FERRY_MADV_PURGED)
		return -ENODATA;
	if (bo->base.pin_count && ferry_bo_placement(bo) != target->placement)
		return -EBUSY;

	return 0;
}

/* Let the out-syncs wait for earlier work on all targets, also on those that need no move. */
static int ferry_placement_add_deps(const struct ferry_placement_target *targets, u32 count,
				    struct ferry_job_batch *batch)
{
	unsigned int deps = 0;
	u32 i;
	int ret;

	for (i = 0; i < count; i++)
		deps += ferry_job_count_deps(batch, targets[i].bo->base.base.resv);

	ret = ferry_job_new_last(batch, deps);
	if (ret)
		return ret;

	for (i = 0; i < count; i++)
		ferry_job_add_deps(batch, targets[i].bo->base.base.resv);

	return 0;
}

static int ferry_placement_move_one(struct ferry_placement_target *target,
				    struct ferry_placement_call *call)
{
	struct ferry_ctx ctx = {
		.base = { .interruptible = !call->uninterruptible, .gfp_retry_mayfail = true },
		.client = call->client,
		.batch = call->batch,
		.bo = target->bo,
	};

	return ferry_placement_move(target->bo, target->placement, &ctx);
}

static int ferry_placement_move_those_to(struct ferry_placement_target *targets, u32 count,
					 u32 placement, struct ferry_placement_call *call)
{
	u32 i;
	int ret;

	for (i = 0; i < count; i++) {
		if (targets[i].placement != placement)
			continue;
		ret = ferry_placement_move_one(&targets[i], call);
		if (ret) {
			call->failed = i;
			return ret;
		}
	}

	return 0;
}

static int ferry_placement_lock_all(struct drm_exec *exec,
				    const struct ferry_placement_target *targets, u32 count,
				    struct ferry_placement_call *call)
{
	u32 i;
	int ret = 0;

	drm_exec_until_all_locked(exec) {
		for (i = 0; i < count; i++) {
			ret = drm_exec_lock_obj(exec, &targets[i].bo->base.base);
			drm_exec_retry_on_contention(exec);
			if (ret) {
				call->failed = i;
				return ret == -EALREADY ? -EINVAL : ret;
			}
		}
		/* Do not end the loop: that would close the ticket, and evictions need it. */
		break;
	}

	for (i = 0; i < count; i++) {
		ret = ferry_placement_check(&targets[i]);
		if (ret) {
			call->failed = i;
			return ret;
		}
	}

	return 0;
}

static int ferry_placement_try_all(struct ferry_device *ferry,
				   struct ferry_placement_target *targets, u32 count,
				   struct ferry_placement_call *call, bool *fits)
{
	struct drm_exec exec;
	int ret;

	*fits = false;
	call->failed = count;
	drm_exec_init(&exec, call->uninterruptible ? 0 : DRM_EXEC_INTERRUPTIBLE_WAIT, count);
	ret = ferry_placement_lock_all(&exec, targets, count, call);
	if (ret)
		goto out_unlock;

	*fits = ferry_placement_fits(ferry, targets, count);
	if (!*fits) {
		ret = -ENOSPC;
		goto out_unlock;
	}

	if (call->batch) {
		ret = ferry_placement_add_deps(targets, count, call->batch);
		if (ret)
			goto out_unlock;
	}

	/* First free the space of the BOs that leave the aperture. */
	ret = ferry_placement_move_those_to(targets, count, DRM_FERRY_PLACEMENT_SYSTEM, call);
	if (!ret)
		ret = ferry_placement_move_those_to(targets, count, DRM_FERRY_PLACEMENT_APERTURE,
						    call);

out_unlock:
	drm_exec_fini(&exec);
	return ret;
}

/*
 * If each of two threads must evict a BO that the other one has reserved, TTM makes one of
 * them fail as if there were no space. That thread has dropped its reservations when this is
 * called, so give the other thread time to finish, and try again.
 */
static bool ferry_placement_retry(int ret, bool fits, unsigned long deadline)
{
	if (ret != -ENOSPC || !fits || time_after(jiffies, deadline) || signal_pending(current))
		return false;

	usleep_range(100, 1000);
	return true;
}

/**
 * ferry_placement_move_all - move BOs
 * @ferry: the device
 * @targets: BOs and their new placements
 * @count: number of targets
 * @call: client and mode of the moves; &ferry_placement_call.failed is set
 *
 * Checks all targets before it moves the first one.
 *
 * Return: 0, -EINVAL if a BO occurs twice, -EBUSY if a BO is pinned at its current
 * placement or if fences of a BO do not signal in time, -ENODATA if a BO was purged, -EIO
 * as ferry_placement_move(), -ENOSPC, -ENOMEM, -ENODEV or -ERESTARTSYS.
 */
int ferry_placement_move_all(struct ferry_device *ferry, struct ferry_placement_target *targets,
			     u32 count, struct ferry_placement_call *call)
{
	unsigned long deadline = jiffies + FERRY_PLACEMENT_RETRY_JIFFIES;
	bool fits;
	int ret;

	do {
		ret = ferry_placement_try_all(ferry, targets, count, call, &fits);
	} while (ferry_placement_retry(ret, fits, deadline));

	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_placement_move_all);

/**
 * ferry_placement_pin - pin a BO at its current placement
 * @bo: the BO, reserved
 */
void ferry_placement_pin(struct ferry_bo *bo)
{
	ferry_vram_mgr_account_pin(bo);
	ttm_bo_pin(&bo->base);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_placement_pin);

/**
 * ferry_placement_unpin - undo ferry_placement_pin()
 * @bo: the BO, reserved
 */
void ferry_placement_unpin(struct ferry_bo *bo)
{
	ttm_bo_unpin(&bo->base);
	ferry_vram_mgr_unaccount_pin(bo);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_placement_unpin);

/* Reserve one BO, with the ticket that evictions need; drm_exec_fini() ends the reservation. */
static int ferry_placement_lock_one(struct drm_exec *exec, struct ferry_bo *bo)
{
	int ret = 0;

	drm_exec_init(exec, 0, 1);
	drm_exec_until_all_locked(exec) {
		ret = drm_exec_lock_obj(exec, &bo->base.base);
		drm_exec_retry_on_contention(exec);
		/* Do not end the loop: that would close the ticket, and evictions need it. */
		break;
	}

	return ret;
}

static int ferry_placement_try_pin_scanout(struct ferry_bo *bo, u64 start, u64 end,
					   u64 *offset, bool *fits)
{
	struct ferry_placement_target target = {
		.bo = bo,
		.placement = DRM_FERRY_PLACEMENT_APERTURE,
	};
	struct ttm_place place = {
		.flags = TTM_PL_FLAG_CONTIGUOUS,
		.fpfn = start >> PAGE_SHIFT,
		.lpfn = end >> PAGE_SHIFT,
	};
	struct ferry_ctx ctx = { .base = { .gfp_retry_mayfail = true } };
	struct ferry_device *ferry = ferry_bo_device(bo);
	struct drm_exec exec;
	int ret;

	*fits = false;
	ret = ferry_placement_lock_one(&exec, bo);
	if (ret)
		goto out_unlock;

	*fits = ferry_placement_fits(ferry, &target, 1);
	ret = ferry_placement_check(&target);
	if (!ret && bo->madv != DRM_FERRY_MADV_WILLNEED)
		ret = -EINVAL;
	if (!ret)
		ret = ferry_placement_in_aperture(bo, &place, &ctx);
	if (ret)
		goto out_unlock;

	ferry_placement_pin(bo);
	atomic_inc(&ferry->scanout_pins);
	*offset = (u64)bo->base.resource->start << PAGE_SHIFT;

out_unlock:
	drm_exec_fini(&exec);
	return ret;
}

/**
 * ferry_placement_pin_scanout - pin a BO where the display can read it
 * @bo: the BO
 * @start: first byte of the part of the aperture that it may be in, as a byte offset
 * @end: end of that part
 * @timeout: jiffies for which to retry if concurrent evictions make each other fail
 * @offset: set to the BO's byte offset into the aperture
 *
 * Return: 0, -EINVAL if the aperture is no allowed placement of the BO or the BO is marked
 * DRM_FERRY_MADV_DONTNEED, -ENODATA if it was purged, -EIO if it cannot be read back from
 * swap, -EBUSY if it is pinned in system memory for another device, -ENOSPC, -ENOMEM or
 * -ENODEV.
 */
int ferry_placement_pin_scanout(struct ferry_bo *bo, u64 start, u64 end, unsigned long timeout,
				u64 *offset)
{
	unsigned long deadline = jiffies + timeout;
	bool fits;
	int ret;

	if (!(bo->allowed_placements & DRM_FERRY_PLACEMENT_APERTURE))
		return -EINVAL;

	do {
		ret = ferry_placement_try_pin_scanout(bo, start, end, offset, &fits);
	} while (timeout && ferry_placement_retry(ret, fits, deadline));

	return ret;
}

/**
 * ferry_placement_move_behind - move a BO inside the aperture, behind an offset
 * @bo: the BO; a BO that is pinned or not in the aperture is left alone
 * @start: first byte of the part of the aperture where it may be
 *
 * Return: 0, -EBUSY if the BO is pinned, -ENOSPC, -ENOMEM, -EIO or -ENODEV.
 */
int ferry_placement_move_behind(struct ferry_bo *bo, u64 start)
{
	struct ttm_place place = { .fpfn = start >> PAGE_SHIFT };
	struct ferry_ctx ctx = { .base = { .gfp_retry_mayfail = true } };
	struct drm_exec exec;
	int ret;

	ret = ferry_placement_lock_one(&exec, bo);
	if (!ret && ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE)
		ret = bo->base.pin_count ? -EBUSY : ferry_placement_in_aperture(bo, &place, &ctx);
	drm_exec_fini(&exec);
	return ret;
}

static void ferry_placement_end_scanout_pin(struct ferry_device *ferry)
{
	if (atomic_dec_and_test(&ferry->scanout_pins))
		wake_up_var(&ferry->scanout_pins);
}

/**
 * ferry_placement_unpin_scanout - undo ferry_placement_pin_scanout()
 * @bo: the BO
 */
void ferry_placement_unpin_scanout(struct ferry_bo *bo)
{
	dma_resv_lock(bo->base.base.resv, NULL);
	ferry_placement_unpin(bo);
	ttm_bo_unreserve(&bo->base);
	ferry_placement_end_scanout_pin(ferry_bo_device(bo));
}

/**
 * ferry_placement_hold_scanout - keep the range of a BO allocated, and unpin the BO
 * @bo: the BO, pinned with ferry_placement_pin_scanout()
 *
 * Return: the range, to be freed with ferry_placement_drop_scanout(). The BO is in it until it is
 * moved or freed.
 */
struct ferry_vram_resource *ferry_placement_hold_scanout(struct ferry_bo *bo)
{
	struct ferry_vram_resource *vres;

	dma_resv_lock(bo->base.base.resv, NULL);
	vres = to_ferry_vram_resource(bo->base.resource);
	ferry_vram_mgr_hold(&ferry_bo_device(bo)->vram_mgr, vres);
	ferry_placement_unpin(bo);
	ttm_bo_unreserve(&bo->base);

	return vres;
}

/**
 * ferry_placement_take_scanout - move a BO to system memory, and keep its range allocated
 * @bo: the BO, pinned once with ferry_placement_pin_scanout()
 * @end: end of the part of the aperture that the range must be in, as a byte offset
 * @range: set to the range, to be freed with ferry_placement_drop_scanout()
 *
 * On failure the BO stays pinned where it is.
 *
 * Return: 0, -ENOSPC if the BO cannot be moved or is outside of that part, -EIO, -ENOMEM or
 * -EBUSY.
 */
int ferry_placement_take_scanout(struct ferry_bo *bo, u64 end,
				 struct ferry_vram_resource **range)
{
	struct ferry_ctx ctx = { .base = { .gfp_retry_mayfail = true } };
	struct ferry_vram_mgr *mgr = &ferry_bo_device(bo)->vram_mgr;
	struct ferry_vram_resource *vres;
	struct drm_exec exec;
	int ret;

	ret = ferry_placement_lock_one(&exec, bo);
	if (ret)
		goto out_unlock;

	vres = to_ferry_vram_resource(bo->base.resource);
	if (!(bo->allowed_placements & DRM_FERRY_PLACEMENT_SYSTEM) || bo->base.pin_count > 1 ||
	    ((u64)vres->base.start << PAGE_SHIFT) + bo->base.base.size > end) {
		ret = -ENOSPC;
		goto out_unlock;
	}

	ferry_vram_mgr_hold(mgr, vres);
	ferry_placement_unpin(bo);
	ret = ferry_placement_move(bo, DRM_FERRY_PLACEMENT_SYSTEM, &ctx);
	if (ret) {
		ferry_placement_pin(bo);
		ferry_vram_mgr_drop(mgr, vres);
	} else {
		*range = vres;
	}

out_unlock:
	drm_exec_fini(&exec);
	return ret;
}

/**
 * ferry_placement_drop_scanout - free a range
 * @ferry: the device
 * @range: the range, from ferry_placement_hold_scanout() or ferry_placement_take_scanout()
 */
void ferry_placement_drop_scanout(struct ferry_device *ferry, struct ferry_vram_resource *range)
{
	ferry_vram_mgr_drop(&ferry->vram_mgr, range);
	ferry_placement_end_scanout_pin(ferry);
}
