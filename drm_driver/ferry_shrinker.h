/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_SHRINKER_H_
#define _FERRY_SHRINKER_H_

#include <linux/atomic.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct ferry_bo;
struct ferry_device;
struct shrinker;
struct ttm_buffer_object;
struct ttm_operation_ctx;

/**
 * struct ferry_shrinker - frees system memory of BOs under memory pressure
 */
struct ferry_shrinker {
	/** @base: the registered shrinker */
	struct shrinker *base;
	/** @swap_work: swaps BOs out */
	struct work_struct swap_work;
	/** @swap_pages: number of pages that @swap_work shall free */
	atomic_long_t swap_pages;
	/** @promised: number of pages that ferry_shrinker_reserve() has promised to callers */
	atomic_long_t promised;
	/** @promised_wait: ferry_shrinker_reserve() waits here for @promised to decrease */
	wait_queue_head_t promised_wait;
};

int ferry_shrinker_init(struct ferry_device *ferry);
int ferry_shrinker_reserve(struct ferry_device *ferry, unsigned long pages);
void ferry_shrinker_unreserve(struct ferry_device *ferry, unsigned long pages);
int ferry_shrinker_populate(struct ttm_buffer_object *tbo, struct ttm_operation_ctx *ctx);
bool ferry_shrinker_may_wait(struct ferry_bo *bo, unsigned long start);
void ferry_shrinker_end_wait(struct ferry_bo *bo);
bool ferry_shrinker_can_swap(void);

#endif /* _FERRY_SHRINKER_H_ */
