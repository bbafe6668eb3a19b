// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <drm/drm_vma_manager.h>
#include <drm/ttm/ttm_bo.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_copy.h"
#include "ferry_ctx.h"
#include "ferry_device.h"
#include "ferry_dma.h"
#include "ferry_job.h"
#include "ferry_migrate.h"
#include "ferry_shrinker.h"
#include "ferry_tt.h"

/**
 * DOC: Moves
 *
 * TTM decides which BO moves, and ferry_migrate_move() moves it. The CPU copies the contents:
 * either under the BO's reservation, or in a job whose fence the reservation holds. TTM
 * has zapped the BO's mappings before the move, and the new resource and its pages exist
 * before the copy begins. So no process sees a page that is only partly copied: the next
 * page fault waits for the reservation and for the fence.
 *
 * A BO that has never had pages is cleared in its new resource instead of copied. In both
 * cases every byte of the new resource is written before a client can read it, so no client
 * sees old data of another client.
 */

/*
 * Assign the new resource to a BO without jobs. A BO that moves to the aperture keeps its pages.
 * TTM would wait for all fences of a BO that leaves the aperture, see &ferry_ctx.deadline.
 */
static void ferry_migrate_finish(struct ferry_bo *bo, struct ferry_copy *copy,
				 struct ttm_resource *to)
{
	if (copy->to.tt) {
		ttm_bo_move_null(&bo->base, to);
		ferry_tt_set_keep(bo, false);
		return;
	}

	if (copy->from.tt)
		ferry_tt_set_keep(bo, true);
	ttm_bo_move_sync_cleanup(&bo->base, to);
}

static int ferry_migrate_wait(struct ferry_bo *bo, struct ferry_ctx *ctx)
{
	if (ferry_bo_is_idle(bo, DMA_RESV_USAGE_BOOKKEEP))
		return 0;
	if (!ctx->deadline)
		return ttm_bo_wait_ctx(&bo->base, &ctx->base);

	ferry_job_wait_final(bo->base.base.resv, ctx->deadline);
	return 0;
}

/* Copy in a job. On success the BO has its new resource, and its dma_resv the job's fence. */
static int ferry_migrate_by_job(struct ferry_device *ferry, struct ferry_bo *bo,
				struct ferry_copy *copy, struct ttm_resource *to,
				struct ferry_ctx *ctx)
{
	/* TTM need not hold the old resource if the BO is idle and keeps its pages. */
	bool keep = !ferry_cursor_in_aperture(&copy->from) &&
		    ferry_bo_is_idle(bo, DMA_RESV_USAGE_BOOKKEEP);
	struct dma_resv *resv = bo->base.base.resv;
	struct ferry_job *job;
	int ret;

	ret = dma_resv_reserve_fences(resv, 1);
	if (ret)
		return ret;

	job = ferry_job_new_for(ctx->batch, resv);
	if (IS_ERR(job))
		return PTR_ERR(job);

	job->copy = *copy;
	/*
	 * Start the job before its fence is published: its last dependency is fixed when it is
	 * started, and other jobs can depend on a fence that the reservation holds.
	 */
	if (keep) {
		ferry_migrate_finish(bo, copy, to);
		ferry_job_start(job, ctx->batch);
		dma_resv_add_fence(resv, &job->fence, DMA_RESV_USAGE_KERNEL);
	} else {
		ferry_job_start(job, ctx->batch);
		ret = ttm_bo_move_accel_cleanup(&bo->base, &job->fence, false, true, to);
		if (ret)
			ferry_job_cancel(job);
		else if (copy->to.tt)
			ferry_tt_set_keep(bo, false);
	}
	ferry_job_put(job);
	return ret;
}

/* A move to system memory needs pages, and a BO in swap is read back first. */
static int ferry_migrate_populate(struct ttm_buffer_object *tbo, bool evict,
				  struct ferry_ctx *ctx, struct ttm_resource *to)
{
	int ret;

	if (ferry_vram_mgr_owns(to) && !(tbo->ttm && ferry_compat_tt_is_swapped(tbo->ttm)))
		return 0;

	ret = ferry_shrinker_populate(tbo, &ctx->base);
	if (ret == -ENOMEM && evict) {
		/* TTM tries to evict the next BO only after -ENOSPC. */
		ctx->no_memory = true;
		return -ENOSPC;
	}

	return ret;
}

/**
 * ferry_migrate_move - move a BO to another resource
 * @tbo: the BO, reserved, without user mappings
 * @evict: the move frees space for another BO
 * @base: base of a &struct ferry_ctx, unless neither resource is in the aperture
 * @to: the new resource
 * @hop: not used: every move is direct
 *
 * TTM's move callback. On failure nothing has changed. If TTM's context is interruptible, a
 * fatal signal ends the copy; copies for suspend, removal and the display always finish.
 *
 * Return: 0, -EBUSY if the fences of the BO do not signal in time, -ENOMEM, -EIO if the device
 * does not decode its memory or the BO cannot be read back from swap, or -ERESTARTSYS.
 */
int ferry_migrate_move(struct ttm_buffer_object *tbo, bool evict,
		       struct ttm_operation_ctx *base, struct ttm_resource *to,
		       struct ttm_place *hop)
{
	struct ferry_device *ferry = ttm_to_ferry_device(tbo->bdev);
	struct ferry_bo *bo = ferry_bo_from_ttm(tbo);
	struct ferry_copy copy;
	struct ferry_ctx *ctx;
	bool by_job;
	int ret;

	dma_resv_assert_held(tbo->base.resv);

	if (!ferry_vram_mgr_owns(tbo->resource) && !ferry_vram_mgr_owns(to)) {
		ttm_bo_move_null(tbo, to);
		return 0;
	}
	/* ferry_ttm_evict_flags() has TTM drop ghost BOs instead of moving them. */
	if (WARN_ON_ONCE(!bo))
		return -EINVAL;

	ctx = to_ferry_ctx(base);
	/* Before the test for fences: importers can add some. */
	ferry_dma_invalidate(bo);
	/*
	 * ttm_bo_move_accel_cleanup() needs an old resource to hold until the fence signals, and
	 * frees system pages then, which an importer can still have mapped.
	 */
	by_job = ctx->batch && ctx->bo == bo && tbo->resource && list_empty(&bo->dma_mappings);
	if (!by_job) {
		ret = ferry_migrate_wait(bo, ctx);
		if (ret)
			return ret;
	}

	ret = ferry_migrate_populate(tbo, evict, ctx, to);
	if (ret)
		return ret;

	copy = (struct ferry_copy) {
		.size = tbo->base.size,
		.offset = drm_vma_node_offset_addr(&tbo->base.vma_node),
		.client = ctx->client,
		.evict = evict || ctx->evict,
		.killable = base->interruptible && !by_job,
	};
	ferry_cursor_init(&copy.from, bo, tbo->resource);
	ferry_cursor_init(&copy.to, bo, to);
	if (by_job)
		return ferry_migrate_by_job(ferry, bo, &copy, to, ctx);

	ret = ferry_copy_run_checked(ferry, &copy);
	if (!ret)
		ferry_migrate_finish(bo, &copy, to);
	return ret;
}
