// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/dma-fence.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include <drm/drm_managed.h>

#include <kunit/visibility.h>

#include "ferry_client.h"
#include "ferry_drv.h"
#include "ferry_job.h"
#include "ferry_migrate.h"

/**
 * DOC: Jobs
 *
 * A migration with out-syncs does everything that can fail, and everything that
 * needs memory or a reservation, before it returns: the BO has its new place then,
 * and its dma_resv carries the fence of a job. What is left to the job is to carry
 * the bytes. TTM keeps the old place until the fence signals.
 *
 * A job waits for the fences that its BO had before, and for the job before it in
 * its client's order. It waits by callbacks: no worker sleeps. Fences that a job waits
 * for are older than itself, so there is no circle, and a job that is published is
 * started at once: nothing in between can wait for it. The worker takes no lock and
 * allocates nothing.
 *
 * A job always carries its bytes, whatever became of the call's in-syncs: the BO has
 * no other place by then. It only passes their error on.
 */

static struct ferry_job *to_ferry_job(struct dma_fence *fence)
{
	return container_of(fence, struct ferry_job, fence);
}

static const char *ferry_job_driver_name(struct dma_fence *fence)
{
	return "ferry";
}

static const char *ferry_job_timeline_name(struct dma_fence *fence)
{
	return "migrate";
}

static void ferry_job_release(struct dma_fence *fence)
{
	struct ferry_job *job = to_ferry_job(fence);

	static_assert(offsetof(struct ferry_job, fence) == 0);
	kvfree_rcu(job, fence.rcu);
	/* names of this fence can be asked for as long as somebody holds it */
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops ferry_job_fence_ops = {
	.get_driver_name = ferry_job_driver_name,
	.get_timeline_name = ferry_job_timeline_name,
	.release = ferry_job_release,
};

static int ferry_job_error(struct ferry_job *job)
{
	unsigned int i;
	int status;

	for (i = 0; i < job->inputs; i++) {
		if (!job->after[i].fence)
			continue;
		/* a point of a timeline does not have the error of what it stands for */
		status = dma_fence_get_status(dma_fence_chain_contained(job->after[i].fence));
		if (status < 0)
			return status;
	}

	return 0;
}

static void ferry_job_put_fences(struct ferry_job *job)
{
	unsigned int i;

	for (i = 0; i < job->count; i++) {
		dma_fence_put(job->after[i].fence);
		job->after[i].fence = NULL;
	}
}

static void ferry_job_run(struct work_struct *work)
{
	struct ferry_job *job = container_of(work, struct ferry_job, work);
	struct ferry_device *ferry = job->ferry;
	bool cookie;
	int error;

	cookie = dma_fence_begin_signalling();
	if (job->move.size)
		ferry_migrate_carry(ferry, &job->move);
	error = ferry_job_error(job);
	if (error)
		dma_fence_set_error(&job->fence, error);
	dma_fence_signal(&job->fence);
	dma_fence_end_signalling(cookie);

	ferry_job_put_fences(job);
	ferry_client_put(job->move.client);
	dma_fence_put(&job->fence);
	/* from here on the device may go */
	if (atomic_dec_and_test(&ferry->jobs))
		wake_up_var(&ferry->jobs);
}

/**
 * ferry_job_new - prepare a job
 * @ferry: the device
 * @inputs: fences that the caller puts into @after, from 0 on, whose errors are the
 * job's; 1 to have it filled with the gate's
 *
 * Return: the job, or NULL if there is no memory.
 */
struct ferry_job *ferry_job_new(struct ferry_device *ferry, unsigned int inputs)
{
	unsigned int count = inputs + 2;
	struct ferry_job *job;

	job = kvzalloc(struct_size(job, after, count), GFP_KERNEL);
	if (!job)
		return NULL;

	__module_get(THIS_MODULE);
	job->inputs = inputs;
	job->count = count;
	job->ferry = ferry;
	INIT_WORK(&job->work, ferry_job_run);
	spin_lock_init(&job->lock);
	/* jobs of a client end in order, but are not made in order: one timeline each */
	dma_fence_init(&job->fence, &ferry_job_fence_ops, &job->lock,
		       dma_fence_context_alloc(1), 1);
	return job;
}

/**
 * ferry_job_new_for - prepare a job for a BO
 * @ferry: the device
 * @resv: the BO's reservation, held; the job will wait for all fences it has now
 *
 * Return: the job or an error pointer: -ENOMEM.
 */
struct ferry_job *ferry_job_new_for(struct ferry_device *ferry, struct dma_resv *resv)
{
	struct ferry_job *job;
	int ret;

	job = ferry_job_new(ferry, 1);
	if (!job)
		return ERR_PTR(-ENOMEM);

	ret = dma_resv_get_singleton(resv, DMA_RESV_USAGE_BOOKKEEP,
				     &job->after[job->inputs].fence);
	if (ret) {
		ferry_job_put(job);
		return ERR_PTR(ret);
	}

	return job;
}

/**
 * ferry_job_put - drop the reference of who prepared a job
 * @job: the job, or NULL; if it was not started it ends here
 */
void ferry_job_put(struct ferry_job *job)
{
	if (!job)
		return;

	if (!job->started)
		ferry_job_put_fences(job);
	dma_fence_put(&job->fence);
}

static void ferry_job_ready(struct ferry_job *job)
{
	if (atomic_dec_and_test(&job->waiting))
		queue_work(job->ferry->jobs_wq, &job->work);
}

static void ferry_job_fence_done(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	ferry_job_ready(container_of(cb, struct ferry_job_after, cb)->job);
}

static void ferry_job_queue(struct ferry_job *job, struct ferry_client *client)
{
	unsigned int i;

	job->started = true;
	dma_fence_get(&job->fence);
	atomic_inc(&job->ferry->jobs);
	job->after[job->count - 1].fence = xchg(&client->last, dma_fence_get(&job->fence));

	atomic_set(&job->waiting, 1);
	for (i = 0; i < job->count; i++) {
		struct ferry_job_after *after = &job->after[i];

		after->job = job;
		if (!after->fence)
			continue;
		atomic_inc(&job->waiting);
		if (dma_fence_add_callback(after->fence, &after->cb, ferry_job_fence_done))
			ferry_job_ready(job);
	}
	ferry_job_ready(job);
}

/**
 * ferry_job_start - let a job run when its time has come
 * @job: the job; its fence may be published already, by this caller and just now
 * @async: the call that it belongs to
 */
void ferry_job_start(struct ferry_job *job, struct ferry_async *async)
{
	struct ferry_job *gate = async->gate;

	if (gate) {
		if (!gate->started)
			ferry_job_queue(gate, async->client);
		job->after[0].fence = dma_fence_get(&gate->fence);
	}

	ferry_job_queue(job, async->client);
}

/**
 * ferry_job_follow - let the jobs that come wait for what a BO waits for now
 * @async: the call
 * @ferry: the device
 * @resv: the BO's reservation, held
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_job_follow(struct ferry_async *async, struct ferry_device *ferry,
		     struct dma_resv *resv)
{
	struct ferry_job *job;

	if (dma_resv_test_signaled(resv, DMA_RESV_USAGE_BOOKKEEP))
		return 0;

	job = ferry_job_new_for(ferry, resv);
	if (IS_ERR(job))
		return PTR_ERR(job);

	ferry_job_start(job, async);
	ferry_job_put(job);
	return 0;
}

static void ferry_job_fini(struct drm_device *drm, void *arg)
{
	struct ferry_device *ferry = arg;

	wait_var_event(&ferry->jobs, !atomic_read(&ferry->jobs));
	destroy_workqueue(ferry->jobs_wq);
}

/**
 * ferry_job_init - prepare for jobs
 * @ferry: the device, without TTM yet: its BOs wait for jobs when they end
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_job_init(struct ferry_device *ferry)
{
	/* fences are waited for when memory is reclaimed */
	ferry->jobs_wq = alloc_workqueue("ferry", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!ferry->jobs_wq)
		return -ENOMEM;

	return drmm_add_action_or_reset(&ferry->drm, ferry_job_fini, ferry);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_job_init);
