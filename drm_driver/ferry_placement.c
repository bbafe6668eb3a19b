// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/wait_bit.h>

#include <drm/drm_drv.h>
#include <drm/drm_exec.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>

#include <kunit/visibility.h>

#include "ferry_bo.h"
#include "ferry_drv.h"
#include "ferry_job.h"
#include "ferry_placement.h"

/* Registers of the display address at most 16 bits of lines: stay low enough */
#define FERRY_PLACEMENT_SCANOUT_END SZ_64M

/* How long to go on when other evictions are in the way */
#define FERRY_PLACEMENT_RETRY_JIFFIES HZ

static int ferry_placement_validate(struct ferry_bo *bo, const struct ttm_place *place,
				struct ttm_operation_ctx *ctx)
{
	struct ttm_placement placement = { .num_placement = 1, .placement = place };
	int ret;

	bo->no_space = false;
	ret = ttm_bo_validate(&bo->base, &placement, ctx);
	if (ret == -ENOMEM && bo->no_space)
		ret = -ENOSPC;

	return ret;
}

static int ferry_placement_in_aperture(struct ferry_bo *bo, struct ttm_place *place,
				   struct ttm_operation_ctx *ctx)
{
	struct ferry_device *ferry = ttm_to_ferry_device(bo->base.bdev);
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
 * ferry_placement_bo - move a BO
 * @bo: the BO, reserved and not pinned
 * @placement: one of DRM_FERRY_PLACEMENT_*
 * @ctx: how to wait
 *
 * Return: 0, -ENOSPC, -ENOMEM, -ENODEV or -ERESTARTSYS.
 */
int ferry_placement_bo(struct ferry_bo *bo, u32 placement, struct ttm_operation_ctx *ctx)
{
	struct ttm_place place = { .mem_type = TTM_PL_SYSTEM };

	if (placement == DRM_FERRY_PLACEMENT_APERTURE)
		return ferry_placement_in_aperture(bo, &place, ctx);

	return ferry_placement_validate(bo, &place, ctx);
}

/* If it is in the aperture, no eviction can take it out. */
static bool ferry_placement_is_fixed(struct ferry_bo *bo)
{
	return bo->base.pin_count || !(bo->allowed_placements & DRM_FERRY_PLACEMENT_SYSTEM);
}

/* Can @count targets be in the aperture together, beside what cannot leave it? */
static bool ferry_placement_fits(struct ferry_device *ferry,
			     const struct ferry_placement_target *targets, unsigned int count)
{
	u64 need = atomic64_read(&ferry->vram_mgr.fixed);
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct ferry_bo *bo = targets[i].bo;

		if (targets[i].placement != DRM_FERRY_PLACEMENT_APERTURE)
			continue;
		if (ferry_bo_placement(bo) != DRM_FERRY_PLACEMENT_APERTURE ||
		    !ferry_placement_is_fixed(bo))
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

static int ferry_placement_one(struct ferry_device *ferry, struct ferry_placement_target *target,
			   struct ttm_operation_ctx *ctx, struct ferry_async *async)
{
	struct ferry_bo *bo = target->bo;
	int ret;

	bo->async = async;
	ret = ferry_placement_bo(bo, target->placement, ctx);
	/* a move that a job does took it: else earlier work is left to wait for */
	if (!ret && bo->async)
		ret = ferry_job_follow(async, ferry, bo->base.base.resv);
	bo->async = NULL;

	return ret;
}

static int ferry_placement_all_at(struct ferry_device *ferry, struct ferry_placement_target *targets,
			      unsigned int count, u32 placement, struct ferry_async *async,
			      u32 *failed)
{
	struct ttm_operation_ctx ctx = { .interruptible = true, .gfp_retry_mayfail = true };
	unsigned int i;
	int ret;

	for (i = 0; i < count; i++) {
		if (targets[i].placement != placement)
			continue;
		ret = ferry_placement_one(ferry, &targets[i], &ctx, async);
		if (ret) {
			*failed = i;
			return ret;
		}
	}

	return 0;
}

static int ferry_placement_try_all(struct ferry_device *ferry, struct ferry_placement_target *targets,
			       unsigned int count, struct ferry_async *async, u32 *failed,
			       bool *fits)
{
	struct drm_exec exec;
	unsigned int i;
	int ret = 0;

	*fits = false;
	*failed = count;
	drm_exec_init(&exec, DRM_EXEC_INTERRUPTIBLE_WAIT, count);
	drm_exec_until_all_locked(&exec) {
		for (i = 0; i < count; i++) {
			ret = drm_exec_lock_obj(&exec, &targets[i].bo->base.base);
			drm_exec_retry_on_contention(&exec);
			if (ret)
				goto out_failed;
		}
	}

	for (i = 0; i < count; i++) {
		ret = ferry_placement_check(&targets[i]);
		if (ret)
			goto out_failed;
	}

	*fits = ferry_placement_fits(ferry, targets, count);
	if (!*fits) {
		ret = -ENOSPC;
		goto out_unlock;
	}

	/* who leaves the aperture makes room for who goes there */
	ret = ferry_placement_all_at(ferry, targets, count, DRM_FERRY_PLACEMENT_SYSTEM, async,
				 failed);
	if (!ret)
		ret = ferry_placement_all_at(ferry, targets, count, DRM_FERRY_PLACEMENT_APERTURE,
					 async, failed);
	goto out_unlock;

out_failed:
	*failed = i;
out_unlock:
	drm_exec_fini(&exec);
	return ret == -EALREADY ? -EINVAL : ret;
}

/*
 * Two evictions that need each other's BOs do not wait for each other: TTM makes
 * one of them fail as if there were no space. It has dropped its reservations by
 * then, so let the other finish and try again.
 */
static bool ferry_placement_retry(int ret, bool fits, unsigned long deadline)
{
	if (ret != -ENOSPC || !fits || time_after(jiffies, deadline) || signal_pending(current))
		return false;

	usleep_range(100, 1000);
	return true;
}

/**
 * ferry_placement_all - move BOs
 * @ferry: the device
 * @targets: BOs and their new placements
 * @count: number of targets
 * @async: the call whose jobs carry the bytes, or NULL to wait for them
 * @failed: set to the index of the target that an error is about, or to @count
 *
 * Checks all of them before it moves the first.
 *
 * Return: 0, -EINVAL if a BO is named twice, -EBUSY if one is pinned
 * elsewhere, -ENODATA if one was purged, -EIO if one cannot be read back from swap,
 * -ENOSPC, -ENOMEM, -ENODEV or -ERESTARTSYS.
 */
int ferry_placement_all(struct ferry_device *ferry, struct ferry_placement_target *targets,
		    unsigned int count, struct ferry_async *async, u32 *failed)
{
	unsigned long deadline = jiffies + FERRY_PLACEMENT_RETRY_JIFFIES;
	bool fits;
	int ret;

	do {
		ret = ferry_placement_try_all(ferry, targets, count, async, failed, &fits);
	} while (ferry_placement_retry(ret, fits, deadline));

	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_placement_all);

/* A pin makes a difference to the aperture if the BO is there and could leave. */
static void ferry_placement_account_pin(struct ferry_bo *bo, s64 bytes)
{
	struct ferry_device *ferry = ttm_to_ferry_device(bo->base.bdev);

	if (!ferry_placement_is_fixed(bo) && ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE)
		atomic64_add(bytes, &ferry->vram_mgr.fixed);
}

/**
 * ferry_placement_pin - keep a BO where it is
 * @bo: the BO, reserved
 */
void ferry_placement_pin(struct ferry_bo *bo)
{
	ferry_placement_account_pin(bo, bo->base.base.size);
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
	ferry_placement_account_pin(bo, -(s64)bo->base.base.size);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_placement_unpin);

static int ferry_placement_try_pin_scanout(struct ferry_bo *bo, u64 *offset, bool *fits)
{
	struct ferry_placement_target target = { .bo = bo, .placement = DRM_FERRY_PLACEMENT_APERTURE };
	struct ttm_place place = {
		.flags = TTM_PL_FLAG_CONTIGUOUS,
		.lpfn = FERRY_PLACEMENT_SCANOUT_END >> PAGE_SHIFT,
	};
	struct ferry_device *ferry = ttm_to_ferry_device(bo->base.bdev);
	struct ttm_operation_ctx ctx = { .gfp_retry_mayfail = true };
	struct drm_exec exec;
	int ret = 0;

	*fits = false;
	drm_exec_init(&exec, 0, 1);
	drm_exec_until_all_locked(&exec) {
		ret = drm_exec_lock_obj(&exec, &bo->base.base);
		drm_exec_retry_on_contention(&exec);
		if (ret)
			goto out_unlock;
	}

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
 * ferry_placement_pin_scanout - put a BO where the display can read it, and keep it there
 * @bo: the BO
 * @offset: set to its byte offset into the aperture
 *
 * Return: 0, -EINVAL if the BO may not be in the aperture or its contents are not
 * needed, -ENODATA if they are gone, -EIO if they cannot be read back from swap, -EBUSY
 * if another device uses it in system memory, -ENOSPC, -ENOMEM or -ENODEV.
 */
int ferry_placement_pin_scanout(struct ferry_bo *bo, u64 *offset)
{
	unsigned long deadline = jiffies + FERRY_PLACEMENT_RETRY_JIFFIES;
	bool fits;
	int ret;

	if (!(bo->allowed_placements & DRM_FERRY_PLACEMENT_APERTURE))
		return -EINVAL;

	do {
		ret = ferry_placement_try_pin_scanout(bo, offset, &fits);
	} while (ferry_placement_retry(ret, fits, deadline));

	return ret;
}

/**
 * ferry_placement_unpin_scanout - undo ferry_placement_pin_scanout()
 * @bo: the BO
 */
void ferry_placement_unpin_scanout(struct ferry_bo *bo)
{
	struct ferry_device *ferry = ttm_to_ferry_device(bo->base.bdev);

	dma_resv_lock(bo->base.base.resv, NULL);
	ferry_placement_unpin(bo);
	ttm_bo_unreserve(&bo->base);

	if (atomic_dec_and_test(&ferry->scanout_pins))
		wake_up_var(&ferry->scanout_pins);
}
