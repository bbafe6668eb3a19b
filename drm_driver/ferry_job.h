/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_JOB_H_
#define _FERRY_JOB_H_

#include <linux/dma-fence.h>
#include <linux/list.h>
#include <linux/workqueue.h>

#include "ferry_copy.h"

/* Limit of &ferry_client.pending; see Documentation/limits.rst */
#define FERRY_JOB_MAX_PENDING 16384

struct dma_resv;
struct ferry_client;
struct ferry_device;

/**
 * struct ferry_job_dep - a dependency: a fence that a job waits for
 */
struct ferry_job_dep {
	/** @fence: the fence, with a reference, or NULL */
	struct dma_fence *fence;
	/** @cb: callback of the fence */
	struct dma_fence_cb cb;
	/** @job: the job that depends on @fence */
	struct ferry_job *job;
};

/**
 * struct ferry_job - a copy that a worker runs after its dependencies
 *
 * Freed with the last reference of its fence.
 */
struct ferry_job {
	/** @fence: signals when the copy is done; first, so that kvfree_rcu() can free the job */
	struct dma_fence fence;
	/** @lock: lock of @fence */
	spinlock_t lock;
	/** @ferry: the device; valid until @fence signals */
	struct ferry_device *ferry;
	/** @client: client that started the job, with a reference until the job has ended */
	struct ferry_client *client;
	/** @charge: entries that the end of the job subtracts from &ferry_client.pending */
	unsigned int charge;
	/** @node: in &ferry_device.jobs_list, until the job runs */
	struct list_head node;
	/** @cut: a fence that @fence inherits errors of was not waited for */
	bool cut;
	/** @work: runs the copy */
	struct work_struct work;
	/** @copy: the copy; none if its size is 0 */
	struct ferry_copy copy;
	/** @claimed: set by whichever comes first: the worker that copies, or a cancellation */
	atomic_t claimed;
	/** @started: ferry_job_start() was called; the job runs, even if its creator drops it */
	bool started;
	/** @pending: unsignaled dependencies, plus one while callbacks are installed */
	atomic_t pending;
	/** @inputs: number of dependencies, from the first, whose errors @fence inherits */
	unsigned int inputs;
	/** @count: entries of @deps: @inputs, those of BOs, one for the client's last job */
	unsigned int count;
	/** @deps: the dependencies */
	struct ferry_job_dep deps[] __counted_by(count);
};

/**
 * struct ferry_job_batch - the jobs of one asynchronous ioctl
 */
struct ferry_job_batch {
	/** @ferry: the device */
	struct ferry_device *ferry;
	/** @client: the client; its jobs run in the order in which they were started */
	struct ferry_client *client;
	/** @in_job: depends on the in-fences of the ioctl, or NULL; started before the first job */
	struct ferry_job *in_job;
	/** @last: runs after all other jobs of the ioctl; NULL until ferry_job_new_last() */
	struct ferry_job *last;
	/** @deps: entries of @last's dependencies on fences of BOs that are in use */
	unsigned int deps;
	/** @charge: entries that were added to &ferry_client.pending */
	unsigned int charge;
	/** @started: a job of the ioctl was started */
	bool started;
};

int ferry_job_init(struct ferry_device *ferry);
void ferry_job_unplug(struct ferry_device *ferry);
int ferry_job_batch_begin(struct ferry_job_batch *batch, unsigned int entries);
void ferry_job_batch_end(struct ferry_job_batch *batch);
struct ferry_job *ferry_job_new(struct ferry_device *ferry, unsigned int inputs,
				unsigned int others);
struct ferry_job *ferry_job_new_for(const struct ferry_job_batch *batch, struct dma_resv *resv);
void ferry_job_start(struct ferry_job *job, struct ferry_job_batch *batch);
unsigned int ferry_job_count_deps(const struct ferry_job_batch *batch, struct dma_resv *resv);
int ferry_job_new_last(struct ferry_job_batch *batch, unsigned int deps);
void ferry_job_add_deps(struct ferry_job_batch *batch, struct dma_resv *resv);
void ferry_job_cancel(struct ferry_job *job);
void ferry_job_put(struct ferry_job *job);
void ferry_job_cut(struct ferry_device *ferry, bool cut);
void ferry_job_wait_final(struct dma_resv *resv, unsigned long deadline);
void ferry_job_wait_all(struct ferry_device *ferry);

#endif /* _FERRY_JOB_H_ */
