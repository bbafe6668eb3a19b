/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_CLIENT_H_
#define _FERRY_CLIENT_H_

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/types.h>

struct dma_fence;
struct drm_device;
struct drm_file;

/**
 * struct ferry_client - an open file
 *
 * Lives until the file is closed and the last of its jobs has ended.
 */
struct ferry_client {
	/** @ref: one reference of the file, and one of each job */
	struct kref ref;
	/** @last: fence of the newest job, or NULL; exchanged atomically */
	struct dma_fence *last;
	/** @pending: BOs and syncs of ioctls with pending jobs; see ferry_job_batch_begin() */
	atomic_t pending;
	/** @copy_ns: nanoseconds spent in copies that ioctls of this client caused */
	atomic64_t copy_ns;
};

int ferry_client_open(struct drm_device *drm, struct drm_file *file);
void ferry_client_close(struct drm_device *drm, struct drm_file *file);
struct ferry_client *ferry_client_get(struct ferry_client *client);
void ferry_client_put(struct ferry_client *client);
void ferry_client_account(struct ferry_client *client, u64 ns);

#endif /* _FERRY_CLIENT_H_ */
