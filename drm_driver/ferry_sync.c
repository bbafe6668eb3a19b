// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/dma-fence.h>
#include <linux/dma-fence-chain.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

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
 * ferry_sync_in - look in-syncs up
 * @ferry: the device
 * @file: the client
 * @syncs: user address of &struct drm_ferry_sync
 * @count: how many; not 0
 * @stride: bytes from one to the next
 *
 * Return: a job that waits for their fences, not started; or an error pointer:
 * -EFAULT, -EINVAL, -E2BIG, -ENOENT or -ENOMEM.
 */
struct ferry_job *ferry_sync_in(struct ferry_device *ferry, struct drm_file *file,
				u64 syncs, u32 count, u32 stride)
{
	struct drm_ferry_sync *copy;
	struct ferry_job *gate;
	int ret = 0;
	u32 i;

	copy = ferry_sync_copy(syncs, count, stride);
	if (IS_ERR(copy))
		return ERR_CAST(copy);

	gate = ferry_job_new(ferry, count);
	if (!gate)
		ret = -ENOMEM;

	for (i = 0; i < count && !ret; i++) {
		ret = drm_syncobj_find_fence(file, copy[i].handle, copy[i].point, 0,
					     &gate->after[i].fence);
		/* a fence without that point was put, but is still there */
		if (ret)
			gate->after[i].fence = NULL;
	}
	kvfree(copy);
	if (ret) {
		ferry_job_put(gate);
		return ERR_PTR(ret);
	}

	return gate;
}

/**
 * ferry_sync_wait_in - wait for in-syncs
 * @gate: the job of ferry_sync_in()
 *
 * Return: 0 or -ERESTARTSYS.
 */
int ferry_sync_wait_in(struct ferry_job *gate)
{
	unsigned int i;
	long ret;

	for (i = 0; i < gate->inputs; i++) {
		ret = dma_fence_wait(gate->after[i].fence, true);
		if (ret < 0)
			return ret;
	}

	return 0;
}

/**
 * ferry_sync_find_out - look out-syncs up
 * @file: the client
 * @syncs: user address of &struct drm_ferry_sync
 * @count: how many; not 0
 * @stride: bytes from one to the next
 *
 * Return: the syncobjs, all that they need allocated; or an error pointer: -EFAULT,
 * -EINVAL, -E2BIG, -ENOENT or -ENOMEM.
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

	outs = kvcalloc(count, sizeof(*outs), GFP_KERNEL);
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
			outs[i].chain = dma_fence_chain_alloc();
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
 * ferry_sync_publish - give out-syncs their fence
 * @outs: the syncobjs
 * @count: how many
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
 * @count: how many
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
