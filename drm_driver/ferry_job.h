/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_JOB_H_
#define _FERRY_JOB_H_

#include <linux/dma-fence.h>
#include <linux/workqueue.h>

#include "ferry_migrate.h"

struct dma_resv;
struct ferry_client;
struct ferry_device;

/**
 * struct ferry_job_after - a fence that a job waits for
 */
struct ferry_job_after {
	/** @fence: the fence, with a reference, or NULL */
	struct dma_fence *fence;
	/** @cb: the fence's callback */
	struct dma_fence_cb cb;
	/** @job: the job that waits */
	struct ferry_job *job;
};

/**
 * struct ferry_job - a move whose bytes are carried later, by a worker
 *
 * Ends with the last reference of its fence.
 */
struct ferry_job {
	/** @fence: signals when the bytes are there; first, so that it can be freed */
	struct dma_fence fence;
	/** @lock: the fence's own */
	spinlock_t lock;
	/** @ferry: the device; valid until the fence signals */
	struct ferry_device *ferry;
	/** @work: carries the bytes */
	struct work_struct work;
	/** @move: what is carried; nothing if its size is 0 */
	struct ferry_move move;
	/** @started: it will run */
	bool started;
	/** @waiting: fences that have not signalled, and one for who starts the job */
	atomic_t waiting;
	/** @inputs: entries of @after whose errors are passed on */
	unsigned int inputs;
	/** @count: entries of @after: @inputs, one for the BO, one for the client's order */
	unsigned int count;
	/** @after: fences that signal first */
	struct ferry_job_after after[] __counted_by(count);
};

/**
 * struct ferry_async - what the jobs of one call have in common
 */
struct ferry_async {
	/** @client: who calls; its jobs end in their order */
	struct ferry_client *client;
	/** @gate: waits for the call's in-syncs, or NULL; started with the first other job */
	struct ferry_job *gate;
};

int ferry_job_init(struct ferry_device *ferry);
struct ferry_job *ferry_job_new(struct ferry_device *ferry, unsigned int inputs);
struct ferry_job *ferry_job_new_for(struct ferry_device *ferry, struct dma_resv *resv);
void ferry_job_start(struct ferry_job *job, struct ferry_async *async);
int ferry_job_follow(struct ferry_async *async, struct ferry_device *ferry,
		     struct dma_resv *resv);
void ferry_job_put(struct ferry_job *job);

#endif /* _FERRY_JOB_H_ */
