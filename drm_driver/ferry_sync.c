// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/dma-fence-chain.h>
#include <linux/dma-fence.h>
#include <linux/slab.h>

#include <drm/drm_file.h>
#include <drm/drm_syncobj.h>
#include <drm/ferry_drm.h>

#include "ferry_array.h"
#include "ferry_job.h"
#include "ferry_sync.h"

static struct drm_ferry_sync *ferry_sync_copy(u64 syncs, u32 count, u32 stride)
{
	struct drm_ferry_sync *copy;
	u32 i;

	copy = ferry_array_copy(syncs, count, stride, sizeof(*copy), sizeof(*copy));
	if (IS_ERR(copy))
		return copy;

	for (i = 0; i < count; i++) {
		if (copy[i].flags) {
			kvfree(copy);
			return ERR_PTR(-EINVAL);
		}
	}

	return copy;
}

/**
 * ferry_sync_in - look up the fences of in-syncs
 * @ferry: the device
 * @file: the client
 * @syncs: user address of &struct drm_ferry_sync
 * @count: number of in-syncs; not 0
 * @stride: bytes from one in-sync to the next
 *
 * Return: a job that depends on the fences and is not started, or an error pointer: -EFAULT,
 * -EINVAL, -E2BIG, -ENOENT or -ENOMEM.
 */
struct ferry_job *ferry_sync_in(struct ferry_device *ferry, struct drm_file *file,
				u64 syncs, u32 count, u32 stride)
{
	struct drm_ferry_sync *copy;
	struct ferry_job *in_job;
	int ret = 0;
	u32 i;

	copy = ferry_sync_copy(syncs, count, stride);
	if (IS_ERR(copy))
		return ERR_CAST(copy);

	in_job = ferry_job_new(ferry, count, 0);
	if (!in_job)
		ret = -ENOMEM;

	for (i = 0; i < count && !ret; i++) {
		ret = drm_syncobj_find_fence(file, copy[i].handle, copy[i].point, 0,
					     &in_job->deps[i].fence);
		/* On some errors this leaves a pointer without a reference: clear it. */
		if (ret)
			in_job->deps[i].fence = NULL;
	}
	kvfree(copy);
	if (ret) {
		ferry_job_put(in_job);
		return ERR_PTR(ret);
	}

	return in_job;
}

/**
 * ferry_sync_wait_in - wait for the fences of in-syncs
 * @in_job: a job that ferry_sync_in() returned
 *
 * Return: 0 or -ERESTARTSYS.
 */
int ferry_sync_wait_in(struct ferry_job *in_job)
{
	unsigned int i;
	long ret;

	for (i = 0; i < in_job->inputs; i++) {
		ret = dma_fence_wait(in_job->deps[i].fence, true);
		if (ret < 0)
			return ret;
	}

	return 0;
}

/**
 * ferry_sync_find_out - look up out-syncs
 * @file: the client
 * @syncs: user address of &struct drm_ferry_sync
 * @count: number of out-syncs; not 0
 * @stride: bytes from one out-sync to the next
 *
 * Allocates all memory that ferry_sync_publish() needs, so that it cannot fail.
 *
 * Return: the syncobjs, or an error pointer: -EFAULT, -EINVAL, -E2BIG, -ENOENT or -ENOMEM.
 */
struct ferry_sync_out *ferry_sync_find_out(struct drm_file *file, u64 syncs, u32 count,
					   u32 stride)
{
	struct drm_ferry_sync *copy;
	struct ferry_sync_out *outs;
	int ret = 0;
	u32 i;

	copy = ferry_sync_copy(syncs, count, stride);
	if (IS_ERR(copy))
		return ERR_CAST(copy);

	outs = kvcalloc(count, sizeof(*outs), GFP_KERNEL_ACCOUNT);
	if (!outs) {
		kvfree(copy);
		return ERR_PTR(-ENOMEM);
	}

	for (i = 0; i < count && !ret; i++) {
		outs[i].point = copy[i].point;
		outs[i].syncobj = drm_syncobj_find(file, copy[i].handle);
		if (!outs[i].syncobj) {
			ret = -ENOENT;
		} else if (copy[i].point) {
			/* As dma_fence_chain_alloc(), which does not account the memory. */
			outs[i].chain = kmalloc(sizeof(*outs[i].chain), GFP_KERNEL_ACCOUNT);
			if (!outs[i].chain)
				ret = -ENOMEM;
		}
	}
	kvfree(copy);
	if (ret) {
		ferry_sync_put_out(outs, count);
		return ERR_PTR(ret);
	}

	return outs;
}

/**
 * ferry_sync_publish - attach a fence to out-syncs
 * @outs: the syncobjs, from ferry_sync_find_out()
 * @count: number of syncobjs
 * @fence: the fence
 */
void ferry_sync_publish(struct ferry_sync_out *outs, u32 count, struct dma_fence *fence)
{
	u32 i;

	for (i = 0; i < count; i++) {
		if (!outs[i].chain) {
			drm_syncobj_replace_fence(outs[i].syncobj, fence);
			continue;
		}
		drm_syncobj_add_point(outs[i].syncobj, outs[i].chain, fence, outs[i].point);
		outs[i].chain = NULL;
	}
}

/**
 * ferry_sync_put_out - undo ferry_sync_find_out()
 * @outs: the syncobjs
 * @count: number of syncobjs
 */
void ferry_sync_put_out(struct ferry_sync_out *outs, u32 count)
{
	u32 i;

	for (i = 0; i < count && outs[i].syncobj; i++) {
		dma_fence_chain_free(outs[i].chain);
		drm_syncobj_put(outs[i].syncobj);
	}
	kvfree(outs);
}
