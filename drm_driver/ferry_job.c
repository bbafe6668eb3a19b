// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/cpumask.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <kunit/visibility.h>

#include "ferry_client.h"
#include "ferry_copy.h"
#include "ferry_device.h"
#include "ferry_job.h"

/**
 * DOC: Jobs
 *
 * An ioctl with out-syncs does everything that can fail, allocates memory or takes a
 * reservation before it returns. By then each BO that a job copies has its new resource, and
 * its dma_resv holds the fence of the job. The job only copies. Until the fence signals, the
 * source of the copy stays valid: TTM holds the old resource in a ghost BO, or the BO keeps
 * its system pages.
 *
 * A job depends on the fences that its BO had when the job was created, on the in-fences of
 * its ioctl, and on the job that the same client started before it. It waits by fence
 * callbacks, so no worker sleeps. A job is started before its fence is added to a reservation
 * or to a syncobj: all of its dependencies are fixed before another job can depend on it, so
 * there is no cycle. Until it signals its fence, the worker allocates no memory and takes no
 * lock but that of the fence.
 *
 * The fence of an ioctl's last job is the one that its out-syncs get. This job depends on the
 * fences of all BOs of the ioctl, also of those that need no copy. The fences are collected,
 * and the memory for them is allocated, before the first job is started.
 *
 * Jobs of one client end in the order in which they were started, so one in-fence can keep
 * all of them pending. The memory of pending jobs is therefore limited: an ioctl adds the
 * number of its BOs and syncs to &ferry_client.pending, and its last job subtracts them. At
 * the limit the next ioctl waits, like for a full ring of a GPU, before it takes a
 * reservation. All memory of jobs is accounted to the memory cgroup of the client.
 *
 * Why not drm_sched: when an entity is killed, drm_sched drops its jobs and signals their
 * fences with an error. A job of ferry must always copy, even if its client was killed or an
 * in-fence failed: the BO already has its new resource, and its contents are still in the old
 * one. There is no ring or credit limit to schedule for either. The error of a failed in-fence
 * is only passed on to the out-syncs.
 */

/* How often ferry_job_wait_all() reports that it still waits */
#define FERRY_JOB_REPORT_JIFFIES (15 * HZ)

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
	/*
	 * Until here the fence's ops, which are in this module, could be called. From here to the
	 * end of this function ferry_drv_exit() keeps the code.
	 */
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops ferry_job_fence_ops = {
	.get_driver_name = ferry_job_driver_name,
	.get_timeline_name = ferry_job_timeline_name,
	.release = ferry_job_release,
};

/* A fence that has signaled may have lost its ops: it then counts as another driver's. */
static bool ferry_job_is_own(struct dma_fence *fence)
{
	return (__force const void *)READ_ONCE(fence->ops) == &ferry_job_fence_ops;
}

/*
 * Jobs of one client end in the order in which they were started, so a job needs no dependency
 * on one that its own client has started before.
 */
static bool ferry_job_is_dep(const struct ferry_job_batch *batch, struct dma_fence *fence)
{
	if (ferry_job_is_own(fence) && to_ferry_job(fence)->client == batch->client)
		return false;

	return !dma_fence_is_signaled(fence);
}

static int ferry_job_error(struct ferry_job *job)
{
	unsigned int i;
	int status;

	if (job->cut)
		return -ECANCELED;

	for (i = 0; i < job->inputs; i++) {
		if (!job->deps[i].fence)
			continue;
		/* A fence chain does not have the error of the fence that it contains. */
		status = dma_fence_get_status(dma_fence_chain_contained(job->deps[i].fence));
		if (status < 0)
			return status;
	}

	return 0;
}

static void ferry_job_put_fences(struct ferry_job *job)
{
	unsigned int i;

	for (i = 0; i < job->count; i++) {
		dma_fence_put(job->deps[i].fence);
		job->deps[i].fence = NULL;
	}
}

static void ferry_job_uncharge(struct ferry_device *ferry, struct ferry_client *client,
			       unsigned int entries)
{
	if (!entries)
		return;

	atomic_sub(entries, &client->pending);
	wake_up_all(&ferry->pending_wait);
}

static void ferry_job_run(struct work_struct *work)
{
	struct ferry_job *job = container_of(work, struct ferry_job, work);
	struct ferry_device *ferry = job->ferry;
	bool cookie;
	int error;

	cookie = dma_fence_begin_signalling();
	spin_lock(&ferry->jobs_lock);
	list_del(&job->node);
	spin_unlock(&ferry->jobs_lock);
	if (job->copy.size && !atomic_xchg(&job->claimed, 1))
		ferry_copy_run(ferry, &job->copy);
	error = ferry_job_error(job);
	if (error)
		dma_fence_set_error(&job->fence, error);
	dma_fence_signal(&job->fence);
	dma_fence_end_signalling(cookie);

	ferry_job_put_fences(job);
	ferry_job_uncharge(ferry, job->client, job->charge);
	ferry_client_put(job->client);
	dma_fence_put(&job->fence);
	/* The device can be released as soon as the count is 0. */
	if (atomic_dec_and_test(&ferry->jobs))
		wake_up_var(&ferry->jobs);
}

/**
 * ferry_job_new - create a job
 * @ferry: the device
 * @inputs: number of entries of &ferry_job.deps, from the first, that the caller fills in and
 * whose errors the job's fence inherits; 1 if ferry_job_start() shall fill in the in-fence job
 * @others: number of entries after them that the caller fills in
 *
 * Return: the job, or NULL if memory is short.
 */
struct ferry_job *ferry_job_new(struct ferry_device *ferry, unsigned int inputs,
				unsigned int others)
{
	unsigned int count = inputs + others + 1;
	struct ferry_job *job;

	job = kvzalloc(struct_size(job, deps, count), GFP_KERNEL_ACCOUNT);
	if (!job)
		return NULL;

	__module_get(THIS_MODULE);
	job->inputs = inputs;
	job->count = count;
	job->ferry = ferry;
	INIT_WORK(&job->work, ferry_job_run);
	spin_lock_init(&job->lock);
	/* Jobs do not signal in the order of their creation: each has its own fence context. */
	dma_fence_init(&job->fence, &ferry_job_fence_ops, &job->lock,
		       dma_fence_context_alloc(1), 1);
	return job;
}

static void ferry_job_fill(const struct ferry_job_batch *batch, struct ferry_job_dep *deps,
			   unsigned int count, struct dma_resv *resv)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	unsigned int i = 0;

	/* There are at most @count, and fewer if a fence has signaled since they were counted. */
	dma_resv_for_each_fence(&cursor, resv, DMA_RESV_USAGE_BOOKKEEP, fence)
		if (i < count && ferry_job_is_dep(batch, fence))
			deps[i++].fence = dma_fence_get(fence);
}

/**
 * ferry_job_new_for - create a job for a BO
 * @batch: the ioctl
 * @resv: the BO's reservation, held; the job depends on all fences that it has now
 *
 * Return: the job or an error pointer: -ENOMEM.
 */
struct ferry_job *ferry_job_new_for(const struct ferry_job_batch *batch, struct dma_resv *resv)
{
	unsigned int deps = ferry_job_count_deps(batch, resv);
	struct ferry_job *job;

	job = ferry_job_new(batch->ferry, 1, deps);
	if (!job)
		return ERR_PTR(-ENOMEM);

	/* Each fence is a dependency of its own, so that ferry_job_cut() can tell them apart. */
	ferry_job_fill(batch, &job->deps[job->inputs], deps, resv);
	return job;
}

/**
 * ferry_job_put - drop the creator's reference to a job
 * @job: the job, or NULL; freed if it was not started
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
	if (atomic_dec_and_test(&job->pending))
		queue_work(job->ferry->jobs_wq, &job->work);
}

static void ferry_job_fence_done(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	ferry_job_ready(container_of(cb, struct ferry_job_dep, cb)->job);
}

/* Check if a dependency is a fence that ferry_job_cut() removes: one that is no job of ferry. */
static bool ferry_job_is_foreign(struct ferry_job_dep *dep)
{
	return dep->fence && !ferry_job_is_own(dep->fence) && !dma_fence_is_signaled(dep->fence);
}

static void ferry_job_queue(struct ferry_job *job, struct ferry_client *client)
{
	struct ferry_device *ferry = job->ferry;
	unsigned int i;
	bool cookie;

	/*
	 * The next job of this client can depend on this one as soon as it is the client's
	 * last job. From there to its signal nothing may fail or allocate memory.
	 */
	cookie = dma_fence_begin_signalling();
	job->started = true;
	job->client = ferry_client_get(client);
	dma_fence_get(&job->fence);
	atomic_inc(&ferry->jobs);
	job->deps[job->count - 1].fence = xchg(&client->last, dma_fence_get(&job->fence));

	atomic_set(&job->pending, 1);
	spin_lock(&ferry->jobs_lock);
	list_add_tail(&job->node, &ferry->jobs_list);
	for (i = 0; i < job->count; i++) {
		struct ferry_job_dep *dep = &job->deps[i];

		dep->job = job;
		if (!dep->fence)
			continue;
		if (ferry->jobs_cut && ferry_job_is_foreign(dep)) {
			job->cut |= i < job->inputs;
			INIT_LIST_HEAD(&dep->cb.node);
			continue;
		}
		atomic_inc(&job->pending);
		if (dma_fence_add_callback(dep->fence, &dep->cb, ferry_job_fence_done))
			ferry_job_ready(job);
	}
	spin_unlock(&ferry->jobs_lock);
	ferry_job_ready(job);
	dma_fence_end_signalling(cookie);
}

/**
 * ferry_job_cancel - keep a job from copying
 * @job: the job, started
 *
 * If the copy has begun already, wait until it is done: this takes no longer than a copy
 * without a job. The job signals after its dependencies in any case.
 */
void ferry_job_cancel(struct ferry_job *job)
{
	if (atomic_xchg(&job->claimed, 1))
		dma_fence_wait(&job->fence, false);
}

/**
 * ferry_job_start - start a job, which runs once its dependencies have signaled
 * @job: the job
 * @batch: the ioctl that the job belongs to
 */
void ferry_job_start(struct ferry_job *job, struct ferry_job_batch *batch)
{
	struct ferry_job *in_job = batch->in_job;

	batch->started = true;
	if (in_job) {
		if (!in_job->started)
			ferry_job_queue(in_job, batch->client);
		job->deps[0].fence = dma_fence_get(&in_job->fence);
	}

	ferry_job_queue(job, batch->client);
}

/**
 * ferry_job_count_deps - count the fences of a BO that the last job of an ioctl must wait for
 * @batch: the ioctl
 * @resv: the BO's reservation, held; until it is dropped the number can only decrease
 *
 * Return: the number.
 */
unsigned int ferry_job_count_deps(const struct ferry_job_batch *batch, struct dma_resv *resv)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	unsigned int deps = 0;

	dma_resv_for_each_fence(&cursor, resv, DMA_RESV_USAGE_BOOKKEEP, fence)
		deps += ferry_job_is_dep(batch, fence);

	return deps;
}

/**
 * ferry_job_new_last - create the last job of an ioctl
 * @batch: the ioctl; a last job that is not started is replaced
 * @deps: for how many calls of ferry_job_add_deps(), in fences, there shall be room
 *
 * The fence of the last job represents all jobs of the ioctl.
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_job_new_last(struct ferry_job_batch *batch, unsigned int deps)
{
	struct ferry_job *last = ferry_job_new(batch->ferry, 1, deps);

	if (!last)
		return -ENOMEM;

	last->charge = batch->charge;
	ferry_job_put(batch->last);
	batch->last = last;
	batch->deps = 0;
	return 0;
}

/**
 * ferry_job_add_deps - make the last job of an ioctl wait for the fences of a BO
 * @batch: the ioctl
 * @resv: the BO's reservation, held since ferry_job_count_deps()
 */
void ferry_job_add_deps(struct ferry_job_batch *batch, struct dma_resv *resv)
{
	unsigned int count = ferry_job_count_deps(batch, resv);
	struct ferry_job *last = batch->last;

	ferry_job_fill(batch, &last->deps[last->inputs + batch->deps], count, resv);
	batch->deps += count;
}

static bool ferry_job_try_charge(struct ferry_client *client, unsigned int entries)
{
	int pending = atomic_read(&client->pending);

	do {
		/* A client without pending jobs may start the largest ioctl. */
		if (pending && pending + entries > FERRY_JOB_MAX_PENDING)
			return false;
	} while (!atomic_try_cmpxchg(&client->pending, &pending, pending + entries));

	return true;
}

/**
 * ferry_job_batch_begin - begin an asynchronous ioctl
 * @batch: the ioctl
 * @entries: number of its BOs, in-syncs and out-syncs, for which it allocates memory
 *
 * Waits until the client has less than %FERRY_JOB_MAX_PENDING pending entries. The caller
 * holds no reservation, and has changed nothing yet.
 *
 * Return: 0, -ENODEV or -ERESTARTSYS.
 */
int ferry_job_batch_begin(struct ferry_job_batch *batch, unsigned int entries)
{
	struct ferry_device *ferry = batch->ferry;
	bool charged = false;
	int ret;

	ret = wait_event_interruptible(ferry->pending_wait,
				       (charged = ferry_job_try_charge(batch->client, entries)) ||
				       drm_dev_is_unplugged(&ferry->drm));
	if (ret)
		return ret;
	if (!charged)
		return -ENODEV;

	batch->charge = entries;
	return 0;
}

/**
 * ferry_job_batch_end - end an ioctl, and drop its references to jobs
 * @batch: the ioctl; ferry_job_batch_begin() succeeded, or it is synchronous
 */
void ferry_job_batch_end(struct ferry_job_batch *batch)
{
	/* An ioctl that failed after its first move stays pending until its jobs have ended. */
	if (batch->started && !batch->last->started)
		ferry_job_start(batch->last, batch);
	if (!batch->started)
		ferry_job_uncharge(batch->ferry, batch->client, batch->charge);
	ferry_job_put(batch->last);
	ferry_job_put(batch->in_job);
}

/**
 * ferry_job_unplug - let ioctls that wait in ferry_job_batch_begin() return -ENODEV
 * @ferry: the device, unplugged
 */
void ferry_job_unplug(struct ferry_device *ferry)
{
	wake_up_all(&ferry->pending_wait);
}

static void ferry_job_cut_deps(struct ferry_job *job)
{
	unsigned int i;

	for (i = 0; i < job->count; i++) {
		struct ferry_job_dep *dep = &job->deps[i];

		if (!ferry_job_is_foreign(dep) || !dma_fence_remove_callback(dep->fence, &dep->cb))
			continue;
		job->cut |= i < job->inputs;
		ferry_job_ready(job);
	}
}

/**
 * ferry_job_cut - let jobs no longer wait for fences that are not those of jobs
 * @ferry: the device
 * @cut: true to remove these dependencies from all jobs, and to ignore them in new ones; false
 * to stop ignoring them
 *
 * Before the aperture goes away jobs must have copied, however long another driver or a
 * program takes to signal a fence. What a job copies does not depend on such a fence: nothing
 * can write to its source before the job's own fence has signaled. Jobs still run in the same
 * order. Out-syncs whose in-syncs were not waited for signal with -ECANCELED.
 */
void ferry_job_cut(struct ferry_device *ferry, bool cut)
{
	struct ferry_job *job;

	spin_lock(&ferry->jobs_lock);
	ferry->jobs_cut = cut;
	if (cut)
		list_for_each_entry(job, &ferry->jobs_list, node)
			ferry_job_cut_deps(job);
	spin_unlock(&ferry->jobs_lock);
}

/**
 * ferry_job_wait_final - wait for the fences of a BO that must leave the aperture
 * @resv: the BO's reservation, held, after ferry_job_cut()
 * @deadline: until when to wait for fences that are not those of jobs, in jiffies
 */
void ferry_job_wait_final(struct dma_resv *resv, unsigned long deadline)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_for_each_fence(&cursor, resv, DMA_RESV_USAGE_BOOKKEEP, fence) {
		if (ferry_job_is_own(fence))
			dma_fence_wait(fence, false);
		else if (time_before(jiffies, deadline))
			dma_fence_wait_timeout(fence, false, deadline - jiffies);
	}
}

/**
 * ferry_job_wait_all - wait until no job is left
 * @ferry: the device, after ferry_job_cut(): jobs end after a limited time, but a copy of
 * gigabytes to uncached memory takes minutes
 */
void ferry_job_wait_all(struct ferry_device *ferry)
{
	while (!wait_var_event_timeout(&ferry->jobs, !atomic_read(&ferry->jobs),
				       FERRY_JOB_REPORT_JIFFIES))
		drm_info(&ferry->drm, "waiting for %d asynchronous moves to end\n",
			 atomic_read(&ferry->jobs));
}

static void ferry_job_fini(struct drm_device *drm, void *arg)
{
	struct ferry_device *ferry = arg;

	wait_var_event(&ferry->jobs, !atomic_read(&ferry->jobs));
	destroy_workqueue(ferry->jobs_wq);
}

/**
 * ferry_job_init - create the workqueue of jobs
 * @ferry: the device; TTM is initialized later, so that it releases its BOs, which may wait
 * for jobs, before the workqueue is destroyed
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_job_init(struct ferry_device *ferry)
{
	spin_lock_init(&ferry->jobs_lock);
	INIT_LIST_HEAD(&ferry->jobs_list);
	init_waitqueue_head(&ferry->pending_wait);
	/*
	 * Reclaim can wait for the fence of a job. Leave half of the processors to others. No
	 * worker waits for another job, so that a single one is enough for all jobs to end.
	 */
	ferry->jobs_wq = alloc_workqueue("ferry", WQ_UNBOUND | WQ_MEM_RECLAIM,
					 max(1, (int)num_online_cpus() / 2));
	if (!ferry->jobs_wq)
		return -ENOMEM;

	return drmm_add_action_or_reset(&ferry->drm, ferry_job_fini, ferry);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_job_init);
