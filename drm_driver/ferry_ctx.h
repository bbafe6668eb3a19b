/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_CTX_H_
#define _FERRY_CTX_H_

#include <linux/container_of.h>
#include <linux/types.h>

#include <drm/ttm/ttm_bo.h>

struct ferry_bo;
struct ferry_client;
struct ferry_job_batch;

/**
 * struct ferry_ctx - context of a TTM operation that can move a BO
 *
 * Every operation that can move a BO to or from the aperture uses this context: TTM passes
 * @base to ferry_migrate_move(), also for the BOs that it evicts. A plain &struct
 * ttm_operation_ctx is only used for operations in system memory.
 */
struct ferry_ctx {
	/** @base: TTM's context */
	struct ttm_operation_ctx base;
	/** @client: client that the copies are accounted to, or NULL */
	struct ferry_client *client;
	/** @batch: jobs of an asynchronous ioctl, or NULL to copy synchronously */
	struct ferry_job_batch *batch;
	/** @bo: BO that a job of @batch may copy; evicted BOs are copied synchronously */
	struct ferry_bo *bo;
	/** @no_memory: set when a BO could not be evicted for lack of system memory */
	bool no_memory;
	/** @evict: the move frees the aperture, although TTM does not request it as an eviction */
	bool evict;
	/**
	 * @deadline: 0, or a time in jiffies, after ferry_job_cut(): the aperture goes away, so
	 * from then on move the BO although fences of others have not signaled
	 */
	unsigned long deadline;
};

static inline struct ferry_ctx *to_ferry_ctx(struct ttm_operation_ctx *ctx)
{
	return container_of(ctx, struct ferry_ctx, base);
}

#endif /* _FERRY_CTX_H_ */
