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
 * struct ferry_ctx - a TTM operation, and the call that it belongs to
 *
 * Every operation that can move the contents of a BO runs with one of these: TTM hands
 * @base down to ferry_migrate_move(), also for the BOs that it evicts. TTM's own contexts
 * only get as far as giving a new BO its first resource, which moves nothing.
 */
struct ferry_ctx {
	/** @base: TTM's side */
	struct ttm_operation_ctx base;
	/** @client: client that the copies are charged to, or NULL */
	struct ferry_client *client;
	/** @batch: jobs of an asynchronous call, or NULL to copy before the call returns */
	struct ferry_job_batch *batch;
	/** @bo: BO that @batch may move by a job; evicted BOs are copied at once */
	struct ferry_bo *bo;
	/** @by_job: set when a job copies the contents of @bo */
	bool by_job;
	/** @evict: the move frees the aperture, although TTM does not call it an eviction */
	bool evict;
};

static inline struct ferry_ctx *to_ferry_ctx(struct ttm_operation_ctx *ctx)
{
	return container_of(ctx, struct ferry_ctx, base);
}

#endif /* _FERRY_CTX_H_ */
