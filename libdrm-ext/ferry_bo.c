// SPDX-License-Identifier: MIT
/* Buffer objects: creation, import and export, references, moves. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include <xf86drm.h>

#include "ferry_priv.h"

#define FERRY_BO_FLAGS                                               \
	(FERRY_BO_WC | FERRY_BO_CONTIGUOUS | FERRY_BO_START_SYSTEM | \
	 FERRY_BO_START_APERTURE)

static void ferry_close_handle(const struct ferry_device *dev, uint32_t handle)
{
	struct drm_gem_close args = { .handle = handle };

	ferry_ioctl(dev, DRM_IOCTL_GEM_CLOSE, &args);
}

/*
 * Create the BO for a handle that is not in the table. The caller holds @dev->lock, and
 * still owns the handle if this fails.
 */
static int ferry_bo_wrap(struct ferry_device *dev, uint32_t handle,
			 uint64_t size, struct ferry_bo **out)
{
	struct ferry_bo *bo;
	int err;

	bo = calloc(1, sizeof(*bo));
	if (!bo)
		return -ENOMEM;

	bo->handle = handle;
	bo->size = size;
	atomic_init(&bo->refs, 1);

	err = ferry_table_insert(&dev->bos, bo);
	if (err) {
		free(bo);
		return err;
	}

	pthread_mutex_init(&bo->map_lock, NULL);
	bo->dev = ferry_device_ref(dev);
	*out = bo;
	return 0;
}

/* Find or create the BO for a handle. The caller holds @dev->lock. */
static int ferry_bo_get(struct ferry_device *dev, uint32_t handle,
			struct ferry_bo **out)
{
	struct drm_ferry_bo_query query = { .handle = handle };
	struct ferry_bo *bo;
	int err;

	bo = ferry_table_find(&dev->bos, handle);
	if (bo) {
		*out = ferry_bo_ref(bo);
		return 0;
	}

	err = ferry_ioctl(dev, DRM_IOCTL_FERRY_BO_QUERY, &query);
	if (err)
		return err;

	return ferry_bo_wrap(dev, handle, query.size, out);
}

ferry_public int ferry_bo_new(struct ferry_device *dev, uint64_t size,
			      uint32_t allowed_placements, uint32_t flags,
			      struct ferry_bo **bo)
{
	struct drm_ferry_bo_create create = {
		.size = size,
		.allowed_placements = allowed_placements,
	};
	int err;

	if (flags & ~FERRY_BO_FLAGS)
		return -EINVAL;

	/* The kernel rejects a placement of two bits, so both start flags are -EINVAL. */
	if (flags & FERRY_BO_START_SYSTEM)
		create.placement |= DRM_FERRY_PLACEMENT_SYSTEM;
	if (flags & FERRY_BO_START_APERTURE)
		create.placement |= DRM_FERRY_PLACEMENT_APERTURE;
	if (flags & FERRY_BO_WC)
		create.caching = DRM_FERRY_CACHING_WC;
	if (flags & FERRY_BO_CONTIGUOUS)
		create.flags |= DRM_FERRY_BO_CONTIGUOUS;

	err = ferry_ioctl(dev, DRM_IOCTL_FERRY_BO_CREATE, &create);
	if (err)
		return err;

	/*
	 * A new handle cannot be in the table, because a BO is removed from the table
	 * before its handle is closed.
	 */
	pthread_mutex_lock(&dev->lock);
	err = ferry_bo_wrap(dev, create.handle, create.size, bo);
	pthread_mutex_unlock(&dev->lock);
	if (err)
		ferry_close_handle(dev, create.handle);
	return err;
}

ferry_public int ferry_bo_from_handle(struct ferry_device *dev, uint32_t handle,
				      struct ferry_bo **bo)
{
	int err;

	pthread_mutex_lock(&dev->lock);
	err = ferry_bo_get(dev, handle, bo);
	pthread_mutex_unlock(&dev->lock);
	return err;
}

ferry_public int ferry_bo_from_dmabuf(struct ferry_device *dev, int fd,
				      struct ferry_bo **bo)
{
	struct drm_prime_handle prime = { .fd = fd };
	int err;

	/*
	 * The import can return the handle of an existing BO. Hold the lock until that
	 * BO has another reference: else another thread could close the handle.
	 */
	pthread_mutex_lock(&dev->lock);
	err = ferry_ioctl(dev, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);
	if (!err) {
		err = ferry_bo_get(dev, prime.handle, bo);
		/* The lookup of an existing BO cannot fail: the handle is a new one. */
		if (err)
			ferry_close_handle(dev, prime.handle);
	}
	pthread_mutex_unlock(&dev->lock);
	return err;
}

ferry_public int ferry_bo_to_dmabuf(struct ferry_bo *bo)
{
	struct drm_prime_handle prime = {
		.handle = bo->handle,
		.flags = DRM_CLOEXEC | DRM_RDWR,
		.fd = -1,
	};
	int err;

	err = ferry_ioctl(bo->dev, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
	return err ? err : prime.fd;
}

ferry_public struct ferry_bo *ferry_bo_ref(struct ferry_bo *bo)
{
	atomic_fetch_add(&bo->refs, 1);
	return bo;
}

ferry_public void ferry_bo_del(struct ferry_bo *bo)
{
	struct ferry_device *dev;

	if (!bo || !ferry_refs_dec_unless_last(&bo->refs))
		return;

	dev = bo->dev;
	pthread_mutex_lock(&dev->lock);
	if (atomic_fetch_sub(&bo->refs, 1) != 1) {
		pthread_mutex_unlock(&dev->lock);
		return;
	}
	ferry_table_remove(&dev->bos, bo);
	ferry_close_handle(dev, bo->handle);
	pthread_mutex_unlock(&dev->lock);

	ferry_bo_map_fini(bo);
	pthread_mutex_destroy(&bo->map_lock);
	free(bo);
	ferry_device_del(dev);
}

ferry_public uint64_t ferry_bo_size(const struct ferry_bo *bo)
{
	return bo->size;
}

ferry_public uint32_t ferry_bo_handle(const struct ferry_bo *bo)
{
	return bo->handle;
}

ferry_public struct ferry_device *ferry_bo_device(const struct ferry_bo *bo)
{
	return bo->dev;
}

ferry_public int ferry_bo_query(struct ferry_bo *bo,
				struct drm_ferry_bo_query *info, size_t size)
{
	struct drm_ferry_bo_query query = { .handle = bo->handle };
	int err;

	err = ferry_ioctl(bo->dev, DRM_IOCTL_FERRY_BO_QUERY, &query);
	if (err)
		return err;

	return ferry_copy_out(info, size, &query, sizeof(query));
}

/* Translate the moves into entries of the ioctl. On failure set @args->failed_entry. */
static int ferry_fill_entries(struct ferry_device *dev,
			      const struct ferry_bo_move *moves,
			      struct drm_ferry_migrate_entry *entries,
			      struct drm_ferry_migrate *args)
{
	for (uint32_t i = 0; i < args->count; i++) {
		if (moves[i].bo->dev != dev || moves[i].flags) {
			args->failed_entry = i;
			return -EINVAL;
		}
		entries[i].handle = moves[i].bo->handle;
		entries[i].placement = moves[i].placement;
	}
	return 0;
}

/* The caller has set the syncs in @args; the other fields are zero. */
static int ferry_migrate(struct ferry_device *dev,
			 const struct ferry_bo_move *moves, uint32_t count,
			 struct drm_ferry_migrate *args, uint32_t *failed)
{
	struct drm_ferry_migrate_entry *entries = NULL;
	int err;

	/* If the device is gone DRM fails the ioctl before ferry can set this field. */
	args->failed_entry = count;
	args->count = count;
	args->entry_stride = sizeof(*entries);
	args->sync_stride = sizeof(struct drm_ferry_sync);

	if (!count || count > DRM_FERRY_MIGRATE_MAX) {
		err = -EINVAL;
		goto out;
	}
	entries = calloc(count, sizeof(*entries));
	if (!entries) {
		err = -ENOMEM;
		goto out;
	}
	args->entries = (uintptr_t)entries;

	err = ferry_fill_entries(dev, moves, entries, args);
	if (!err)
		err = ferry_ioctl(dev, DRM_IOCTL_FERRY_MIGRATE, args);
out:
	free(entries);
	if (failed)
		*failed = args->failed_entry;
	return err;
}

ferry_public int ferry_bo_migrate(struct ferry_bo *bo, uint32_t placement)
{
	struct drm_ferry_migrate_entry entry = {
		.handle = bo->handle,
		.placement = placement,
	};
	struct drm_ferry_migrate args = {
		.entries = (uintptr_t)&entry,
		.count = 1,
		.entry_stride = sizeof(entry),
	};

	return ferry_ioctl(bo->dev, DRM_IOCTL_FERRY_MIGRATE, &args);
}

ferry_public int ferry_bo_migrate_many(struct ferry_device *dev,
				       const struct ferry_bo_move *moves,
				       uint32_t count, uint32_t *failed)
{
	struct drm_ferry_migrate args = { 0 };

	return ferry_migrate(dev, moves, count, &args, failed);
}

ferry_public int ferry_bo_migrate_sync(
	struct ferry_device *dev, const struct ferry_bo_move *moves,
	uint32_t count, const struct drm_ferry_sync *in, uint32_t in_count,
	const struct drm_ferry_sync *out, uint32_t out_count, uint32_t *failed)
{
	struct drm_ferry_migrate args = {
		.in_syncs = (uintptr_t)in,
		.out_syncs = (uintptr_t)out,
		.in_count = in_count,
		.out_count = out_count,
	};

	return ferry_migrate(dev, moves, count, &args, failed);
}

ferry_public int ferry_bo_wait(struct ferry_bo *bo, int64_t timeout_ns)
{
	struct drm_ferry_bo_wait args = {
		.handle = bo->handle,
		.timeout_ns = timeout_ns,
	};

	return ferry_ioctl(bo->dev, DRM_IOCTL_FERRY_BO_WAIT, &args);
}

ferry_public int ferry_bo_madvise(struct ferry_bo *bo, uint32_t madv,
				  uint32_t *retained)
{
	struct drm_ferry_bo_madvise args = {
		.handle = bo->handle,
		.madv = madv,
	};
	int err;

	err = ferry_ioctl(bo->dev, DRM_IOCTL_FERRY_BO_MADVISE, &args);
	if (!err)
		*retained = args.retained;
	return err;
}
