/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_CLIENT_H_
#define _FERRY_CLIENT_H_

#include <linux/kref.h>
#include <linux/types.h>

struct dma_fence;
struct drm_device;
struct drm_file;
struct task_struct;

/**
 * struct ferry_client - an open file
 *
 * Lives until the file is closed and the last of its moves has ended.
 */
struct ferry_client {
	/** @ref: the file's, and one for each move that is left to a job */
	struct kref ref;
	/** @last: fence of the newest job, or NULL; exchanged atomically */
	struct dma_fence *last;
	/** @copy_ns: nanoseconds spent in moves that its calls caused */
	atomic64_t copy_ns;
};

/**
 * struct ferry_client_call - BOs are placed for a client
 */
struct ferry_client_call {
	/** @node: in a list of all */
	struct list_head node;
	/** @task: who does it */
	struct task_struct *task;
	/** @client: for whom */
	struct ferry_client *client;
};

int ferry_client_open(struct drm_device *drm, struct drm_file *file);
void ferry_client_close(struct drm_device *drm, struct drm_file *file);
void ferry_client_begin(struct ferry_client_call *call, struct drm_file *file);
void ferry_client_end(struct ferry_client_call *call);
struct ferry_client *ferry_client_calling(void);
struct ferry_client *ferry_client_get(struct ferry_client *client);
void ferry_client_put(struct ferry_client *client);
void ferry_client_charge(struct ferry_client *client, u64 ns);

#endif /* _FERRY_CLIENT_H_ */
