/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_SYNC_H_
#define _FERRY_SYNC_H_

#include <linux/types.h>

struct dma_fence;
struct dma_fence_chain;
struct drm_file;
struct drm_syncobj;
struct ferry_device;
struct ferry_job;

/**
 * struct ferry_sync_out - an out-sync: a syncobj to attach a fence to
 */
struct ferry_sync_out {
	/** @syncobj: the syncobj, with a reference */
	struct drm_syncobj *syncobj;
	/** @chain: chain node for @point; NULL for a binary syncobj, and once published */
	struct dma_fence_chain *chain;
	/** @point: the point of the timeline, or 0 for a binary syncobj */
	u64 point;
};

struct ferry_job *ferry_sync_in(struct ferry_device *ferry, struct drm_file *file,
				u64 syncs, u32 count, u32 stride);
int ferry_sync_wait_in(struct ferry_job *in_job);
struct ferry_sync_out *ferry_sync_find_out(struct drm_file *file, u64 syncs, u32 count,
					   u32 stride);
void ferry_sync_publish(struct ferry_sync_out *outs, u32 count, struct dma_fence *fence);
void ferry_sync_put_out(struct ferry_sync_out *outs, u32 count);

#endif /* _FERRY_SYNC_H_ */
