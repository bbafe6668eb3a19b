/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_PLACEMENT_H_
#define _FERRY_PLACEMENT_H_

#include <linux/types.h>

struct ferry_async;
struct ferry_bo;
struct ferry_device;
struct ttm_operation_ctx;

/**
 * struct ferry_placement_target - where a BO shall go
 */
struct ferry_placement_target {
	/** @bo: the BO, with a reference */
	struct ferry_bo *bo;
	/** @placement: one of DRM_FERRY_PLACEMENT_* */
	u32 placement;
};

int ferry_placement_bo(struct ferry_bo *bo, u32 placement, struct ttm_operation_ctx *ctx);
int ferry_placement_all(struct ferry_device *ferry, struct ferry_placement_target *targets,
		    unsigned int count, struct ferry_async *async, u32 *failed);
void ferry_placement_pin(struct ferry_bo *bo);
void ferry_placement_unpin(struct ferry_bo *bo);
int ferry_placement_pin_scanout(struct ferry_bo *bo, u64 *offset);
void ferry_placement_unpin_scanout(struct ferry_bo *bo);

#endif /* _FERRY_PLACEMENT_H_ */
