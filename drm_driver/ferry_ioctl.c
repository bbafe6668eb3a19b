// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/log2.h>
#include <linux/slab.h>

#include <drm/drm_device.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>
#include <drm/ferry_drm.h>

#include <kunit/visibility.h>

#include "ferry_array.h"
#include "ferry_bo.h"
#include "ferry_device.h"
#include "ferry_fault.h"
#include "ferry_gem.h"
#include "ferry_ioctl.h"
#include "ferry_job.h"
#include "ferry_placement.h"
#include "ferry_pte.h"
#include "ferry_sync.h"
#include "ferry_vram_mgr.h"

#define FERRY_IOCTL_PLACEMENTS (DRM_FERRY_PLACEMENT_SYSTEM | DRM_FERRY_PLACEMENT_APERTURE)

static bool ferry_ioctl_is_placement(u32 placement, u32 allowed)
{
	return is_power_of_2(placement) && (placement & allowed);
}

/**
 * ferry_ioctl_device_query - &DRM_IOCTL_FERRY_DEVICE_QUERY
 * @drm: the device
 * @data: &struct drm_ferry_device_query
 * @file: the client
 *
 * Return: 0 or -EINVAL.
 */
int ferry_ioctl_device_query(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct ferry_device *ferry = to_ferry_device(drm);
	struct drm_ferry_device_query *args = data;

	if (args->flags || args->pad)
		return -EINVAL;

	args->version = DRM_FERRY_UAPI_VERSION;
	args->aperture_memtype = ferry->bar.effective;
	args->aperture_memtype_requested = ferry->bar.requested;
	args->pad2 = 0;
	args->aperture_size = ferry->bar.size;
	args->aperture_free = ferry_vram_mgr_free_bytes(&ferry->vram_mgr);
	args->page_sizes = ferry_pte_page_sizes(ferry);
	args->max_bo_size = ferry_gem_max_size(ferry);
	args->features = ferry->kms ? DRM_FERRY_FEATURE_DISPLAY : 0;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_ioctl_device_query);

/**
 * ferry_ioctl_bo_create - &DRM_IOCTL_FERRY_BO_CREATE
 * @drm: the device
 * @data: &struct drm_ferry_bo_create
 * @file: the client
 *
 * Return: 0, -EINVAL, -ENOSPC, -ENOMEM, -ENODEV or -ERESTARTSYS.
 */
int ferry_ioctl_bo_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct ferry_device *ferry = to_ferry_device(drm);
	struct drm_ferry_bo_create *args = data;
	struct ferry_bo *bo;
	u32 handle;
	u64 size;
	int ret;

	if (!args->allowed_placements || (args->allowed_placements & ~FERRY_IOCTL_PLACEMENTS) ||
	    (args->flags & ~DRM_FERRY_BO_CONTIGUOUS) || args->pad || args->handle ||
	    args->caching > DRM_FERRY_CACHING_WC)
		return -EINVAL;
	if (args->placement && !ferry_ioctl_is_placement(args->placement, args->allowed_placements))
		return -EINVAL;
	if (!args->size || args->size > ferry_gem_max_size(ferry))
		return -EINVAL;
	if (args->allowed_placements == DRM_FERRY_PLACEMENT_APERTURE &&
	    args->size > ferry->bar.size)
		return -EINVAL;

	bo = ferry_gem_create(ferry, file->driver_priv, args);
	if (IS_ERR(bo))
		return PTR_ERR(bo);

	/* As soon as the handle exists, another thread can close it and free the BO. */
	size = bo->base.base.size;
	ret = drm_gem_handle_create(file, &bo->base.base, &handle);
	ferry_bo_put(bo);
	if (ret)
		return ret;

	args->size = size;
	args->handle = handle;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_ioctl_bo_create);

/**
 * ferry_ioctl_bo_mmap_offset - &DRM_IOCTL_FERRY_BO_MMAP_OFFSET
 * @drm: the device
 * @data: &struct drm_ferry_bo_mmap_offset
 * @file: the client
 *
 * Return: 0, -EINVAL or -ENOENT.
 */
int ferry_ioctl_bo_mmap_offset(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_ferry_bo_mmap_offset *args = data;
	struct ferry_bo *bo;

	if (args->flags & ~DRM_FERRY_MMAP_POPULATE)
		return -EINVAL;

	bo = ferry_bo_lookup(file, args->handle);
	if (!bo)
		return -ENOENT;

	args->offset = drm_vma_node_offset_addr(&bo->base.base.vma_node);
	if (args->flags & DRM_FERRY_MMAP_POPULATE)
		args->offset |= FERRY_FAULT_POPULATE;
	ferry_bo_put(bo);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_ioctl_bo_mmap_offset);

/**
 * ferry_ioctl_bo_query - &DRM_IOCTL_FERRY_BO_QUERY
 * @drm: the device
 * @data: &struct drm_ferry_bo_query
 * @file: the client
 *
 * Return: 0, -EINVAL, -ENOENT or -ERESTARTSYS.
 */
int ferry_ioctl_bo_query(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_ferry_bo_query *args = data;
	struct ferry_bo *bo;
	int ret;

	if (args->pad)
		return -EINVAL;

	bo = ferry_bo_lookup(file, args->handle);
	if (!bo)
		return -ENOENT;

	ret = ferry_gem_query(bo, args);
	ferry_bo_put(bo);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_ioctl_bo_query);

static int ferry_ioctl_lookup_targets(struct drm_file *file,
				      const struct drm_ferry_migrate_entry *entries,
				      struct ferry_placement_target *targets, u32 count,
				      u32 *failed)
{
	u32 i;

	for (i = 0; i < count; i++) {
		struct ferry_placement_target *target = &targets[i];

		*failed = i;
		target->placement = entries[i].placement;
		if (!ferry_ioctl_is_placement(target->placement, FERRY_IOCTL_PLACEMENTS))
			return -EINVAL;

		target->bo = ferry_bo_lookup(file, entries[i].handle);
		if (!target->bo)
			return -ENOENT;
		if (!(target->bo->allowed_placements & target->placement))
			return -EINVAL;
	}

	*failed = count;
	return 0;
}

static int ferry_ioctl_migrate_async(struct ferry_device *ferry, struct drm_file *file,
				     struct drm_ferry_migrate *args,
				     struct ferry_placement_target *targets,
				     struct ferry_job_batch *batch)
{
	struct ferry_placement_call call = { .client = batch->client, .batch = batch };
	struct ferry_sync_out *outs;
	int ret;

	outs = ferry_sync_find_out(file, args->out_syncs, args->out_count, args->sync_stride);
	if (IS_ERR(outs))
		return PTR_ERR(outs);

	ret = ferry_placement_move_all(ferry, targets, args->count, &call);
	args->failed_entry = call.failed;
	if (!ret) {
		ferry_job_start(batch->last, batch);
		ferry_sync_publish(outs, args->out_count, &batch->last->fence);
	}

	ferry_sync_put_out(outs, args->out_count);
	return ret;
}

static int ferry_ioctl_migrate_wait(struct ferry_device *ferry, struct drm_file *file,
				    struct drm_ferry_migrate *args,
				    struct ferry_placement_target *targets,
				    struct ferry_job *in_job)
{
	struct ferry_placement_call call = { .client = file->driver_priv };
	int ret;

	if (in_job) {
		ret = ferry_sync_wait_in(in_job);
		if (ret)
			return ret;
	}

	ret = ferry_placement_move_all(ferry, targets, args->count, &call);
	args->failed_entry = call.failed;
	return ret;
}

static int ferry_ioctl_migrate_targets(struct ferry_device *ferry, struct drm_file *file,
				       struct drm_ferry_migrate *args,
				       struct ferry_placement_target *targets)
{
	struct ferry_job_batch batch = { .ferry = ferry, .client = file->driver_priv };
	struct ferry_job *in_job = NULL;
	int ret;

	if (args->out_count) {
		ret = ferry_job_batch_begin(&batch, args->count + args->in_count +
					    args->out_count);
		if (ret)
			return ret;
	}

	if (args->in_count) {
		in_job = ferry_sync_in(ferry, file, args->in_syncs, args->in_count,
				       args->sync_stride);
		if (IS_ERR(in_job)) {
			ret = PTR_ERR(in_job);
			goto out_end;
		}
		batch.in_job = in_job;
	}

	if (args->out_count)
		ret = ferry_ioctl_migrate_async(ferry, file, args, targets, &batch);
	else
		ret = ferry_ioctl_migrate_wait(ferry, file, args, targets, in_job);

out_end:
	ferry_job_batch_end(&batch);
	return ret;
}

/**
 * ferry_ioctl_migrate - &DRM_IOCTL_FERRY_MIGRATE
 * @drm: the device
 * @data: &struct drm_ferry_migrate
 * @file: the client
 *
 * Return: 0, -EINVAL, -E2BIG, -EFAULT, -ENOENT, -EBUSY, -ENODATA, -EIO, -ENOSPC, -ENOMEM,
 * -ENODEV or -ERESTARTSYS.
 */
int ferry_ioctl_migrate(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_ferry_migrate_entry *entries;
	struct drm_ferry_migrate *args = data;
	struct ferry_placement_target *targets;
	int ret;
	u32 i;

	args->failed_entry = args->count;
	if (args->flags || args->pad || !args->count || args->count > DRM_FERRY_MIGRATE_MAX ||
	    args->in_count > DRM_FERRY_SYNCS_MAX || args->out_count > DRM_FERRY_SYNCS_MAX)
		return -EINVAL;

	entries = ferry_array_copy(args->entries, args->count, args->entry_stride,
				   sizeof(*entries), sizeof(*entries));
	if (IS_ERR(entries))
		return PTR_ERR(entries);

	targets = kvcalloc(args->count, sizeof(*targets), GFP_KERNEL_ACCOUNT);
	if (!targets) {
		ret = -ENOMEM;
		goto out_free_entries;
	}

	ret = ferry_ioctl_lookup_targets(file, entries, targets, args->count,
					 &args->failed_entry);
	if (!ret)
		ret = ferry_ioctl_migrate_targets(to_ferry_device(drm), file, args, targets);

	for (i = 0; i < args->count && targets[i].bo; i++)
		ferry_bo_put(targets[i].bo);
	kvfree(targets);
out_free_entries:
	kvfree(entries);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_ioctl_migrate);

/**
 * ferry_ioctl_bo_wait - &DRM_IOCTL_FERRY_BO_WAIT
 * @drm: the device
 * @data: &struct drm_ferry_bo_wait
 * @file: the client
 *
 * Return: 0, -EINVAL, -ENOENT, -ETIME or -ERESTARTSYS.
 */
int ferry_ioctl_bo_wait(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_ferry_bo_wait *args = data;
	struct ferry_bo *bo;
	int ret;

	if (args->flags)
		return -EINVAL;

	bo = ferry_bo_lookup(file, args->handle);
	if (!bo)
		return -ENOENT;

	ret = ferry_gem_wait(bo, args->timeout_ns);
	ferry_bo_put(bo);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_ioctl_bo_wait);

/**
 * ferry_ioctl_bo_madvise - &DRM_IOCTL_FERRY_BO_MADVISE
 * @drm: the device
 * @data: &struct drm_ferry_bo_madvise
 * @file: the client
 *
 * Return: 0, -EINVAL, -ENOENT, -EBUSY or -ERESTARTSYS.
 */
int ferry_ioctl_bo_madvise(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_ferry_bo_madvise *args = data;
	struct ferry_bo *bo;
	int ret;

	if ((args->madv != DRM_FERRY_MADV_WILLNEED && args->madv != DRM_FERRY_MADV_DONTNEED) ||
	    args->retained || args->pad)
		return -EINVAL;

	bo = ferry_bo_lookup(file, args->handle);
	if (!bo)
		return -ENOENT;

	ret = ferry_gem_madvise(bo, args->madv, &args->retained);
	ferry_bo_put(bo);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_ioctl_bo_madvise);
