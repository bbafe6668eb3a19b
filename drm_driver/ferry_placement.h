/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_PLACEMENT_H_
#define _FERRY_PLACEMENT_H_

#include <linux/jiffies.h>
#include <linux/types.h>

struct ferry_bo;
struct ferry_client;
struct ferry_ctx;
struct ferry_device;
struct ferry_job_batch;
struct ferry_vram_resource;

/* For how long to retry if concurrent evictions make each other fail */
#define FERRY_PLACEMENT_RETRY_JIFFIES HZ

/**
 * struct ferry_placement_target - a BO and the placement that it shall move to
 */
struct ferry_placement_target {
	/** @bo: the BO, with a reference */
	struct ferry_bo *bo;
	/** @placement: one of DRM_FERRY_PLACEMENT_* */
	u32 placement;
};

/**
 * struct ferry_placement_call - client and mode of moves
 */
struct ferry_placement_call {
	/** @client: client that copies are accounted to, or NULL */
	struct ferry_client *client;
	/** @batch: jobs that copy, or NULL to copy synchronously */
	struct ferry_job_batch *batch;
	/** @uninterruptible: no signal ends a wait or a copy */
	bool uninterruptible;
	/** @failed: set to the index of the target that failed, or to the number of targets */
	u32 failed;
};

int ferry_placement_move(struct ferry_bo *bo, u32 placement, struct ferry_ctx *ctx);
int ferry_placement_move_all(struct ferry_device *ferry, struct ferry_placement_target *targets,
			     u32 count, struct ferry_placement_call *call);
void ferry_placement_pin(struct ferry_bo *bo);
void ferry_placement_unpin(struct ferry_bo *bo);
int ferry_placement_pin_scanout(struct ferry_bo *bo, u64 start, u64 end, unsigned long timeout,
				u64 *offset);
void ferry_placement_unpin_scanout(struct ferry_bo *bo);
int ferry_placement_move_behind(struct ferry_bo *bo, u64 start);
struct ferry_vram_resource *ferry_placement_hold_scanout(struct ferry_bo *bo);
int ferry_placement_take_scanout(struct ferry_bo *bo, u64 end,
				 struct ferry_vram_resource **range);
void ferry_placement_drop_scanout(struct ferry_device *ferry, struct ferry_vram_resource *range);

#endif /* _FERRY_PLACEMENT_H_ */
