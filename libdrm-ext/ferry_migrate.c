// SPDX-License-Identifier: MIT
/* Moves of BOs, waits for them, and advice about their contents. */

#include <errno.h>
#include <stdlib.h>

#include <xf86drm.h>

#include "ferry_priv.h"

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
		atomic_store(&moves[i].bo->moved, true);
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

	/* A list of moves can be empty; an out-sync of no move is a mistake. */
	if (!count && !args->in_count && !args->out_count) {
		err = ferry_device_check(dev);
		goto out;
	}
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
	/* Without an out-sync the call waits for the in-syncs, and has no timeout. */
	if (!err && args->in_count && !args->out_count)
		err = ferry_ioctl_once(dev, DRM_IOCTL_FERRY_MIGRATE, args);
	else if (!err)
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

	atomic_store(&bo->moved, true);
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

ferry_public int ferry_bo_wait(struct ferry_bo *bo, uint32_t flags,
			       int64_t timeout_ns)
{
	struct drm_ferry_bo_wait args = {
		.handle = bo->handle,
		.flags = flags,
		.timeout_ns = timeout_ns,
	};

	return ferry_ioctl_once(bo->dev, DRM_IOCTL_FERRY_BO_WAIT, &args);
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
	if (!err && retained)
		*retained = args.retained;
	return err;
}
