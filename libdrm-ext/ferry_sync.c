// SPDX-License-Identifier: MIT
/* Order with other devices and with programs: CPU access to shared BOs, syncobjs, fences. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include <linux/dma-buf.h>
#include <xf86drm.h>

#include "ferry_priv.h"

#define FERRY_CPU_FLAGS (FERRY_CPU_READ | FERRY_CPU_WRITE)

_Static_assert(FERRY_CPU_READ == DMA_BUF_SYNC_READ &&
		       FERRY_CPU_WRITE == DMA_BUF_SYNC_WRITE,
	       "the flags are those of the kernel");

/*
 * The file of the open device that has the handle keeps the dma-buf, and returns it again. A
 * descriptor that the library would keep for each shared BO could reach the limit of the process.
 */
static int ferry_bo_cpu(struct ferry_bo *bo, uint32_t flags, uint64_t phase)
{
	struct drm_prime_handle prime = {
		.handle = bo->handle,
		.flags = DRM_CLOEXEC | DRM_RDWR,
		.fd = -1,
	};
	struct dma_buf_sync sync = { .flags = phase | flags };
	int err = ferry_device_check(bo->dev);

	if (err)
		return err;
	if (!flags || flags & ~FERRY_CPU_FLAGS)
		return -EINVAL;
	if (!atomic_load(&bo->shared))
		return 0;

	err = ferry_ioctl(bo->dev, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
	if (err)
		return err;
	err = ferry_ioctl_fd_once(prime.fd, DMA_BUF_IOCTL_SYNC, &sync);
	ferry_close(prime.fd);
	return err;
}

ferry_public int ferry_bo_cpu_begin(struct ferry_bo *bo, uint32_t flags)
{
	return ferry_bo_cpu(bo, flags, DMA_BUF_SYNC_START);
}

ferry_public int ferry_bo_cpu_end(struct ferry_bo *bo, uint32_t flags)
{
	return ferry_bo_cpu(bo, flags, DMA_BUF_SYNC_END);
}

/* Split the syncs into the two arrays of the ioctl, in one allocation. */
static int ferry_split_syncs(const struct drm_ferry_sync *syncs, uint32_t count,
			     struct drm_syncobj_timeline_wait *wait)
{
	uint64_t *points = calloc(count, sizeof(uint64_t) + sizeof(uint32_t));
	uint32_t *handles;

	if (!points)
		return -ENOMEM;
	handles = (uint32_t *)(points + count);
	for (uint32_t i = 0; i < count; i++) {
		if (syncs[i].flags) {
			free(points);
			return -EINVAL;
		}
		points[i] = syncs[i].point;
		handles[i] = syncs[i].handle;
	}
	wait->points = (uintptr_t)points;
	wait->handles = (uintptr_t)handles;
	wait->count_handles = count;
	return 0;
}

ferry_public int ferry_sync_wait(struct ferry_device *dev,
				 const struct drm_ferry_sync *syncs,
				 uint32_t count, uint32_t flags,
				 int64_t timeout_ns)
{
	struct drm_syncobj_timeline_wait wait = {
		.timeout_nsec = timeout_ns,
		.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL | flags,
	};
	int err = ferry_device_check(dev);

	if (err)
		return err;
	if (flags & ~FERRY_WAIT_FOR_FENCE || count > DRM_FERRY_SYNCS_MAX)
		return -EINVAL;
	if (!count)
		return 0;

	err = ferry_split_syncs(syncs, count, &wait);
	if (err)
		return err;
	err = ferry_ioctl_once(dev, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &wait);
	free((void *)(uintptr_t)wait.points);
	return err;
}

static int ferry_syncobj_new(struct ferry_device *dev, uint32_t *handle)
{
	struct drm_syncobj_create create = { 0 };
	int err = ferry_ioctl(dev, DRM_IOCTL_SYNCOBJ_CREATE, &create);

	if (!err)
		*handle = create.handle;
	return err;
}

static void ferry_syncobj_del(struct ferry_device *dev, uint32_t handle)
{
	struct drm_syncobj_destroy destroy = { .handle = handle };

	ferry_ioctl(dev, DRM_IOCTL_SYNCOBJ_DESTROY, &destroy);
}

/* Return the fence of a binary syncobj as a sync file, or an error. */
static int ferry_syncobj_fence(struct ferry_device *dev, uint32_t handle)
{
	struct drm_syncobj_handle args = {
		.handle = handle,
		.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
		.fd = -1,
	};
	int err = ferry_ioctl(dev, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args);

	return err ? err : args.fd;
}

ferry_public int ferry_sync_fence(struct ferry_device *dev,
				  const struct drm_ferry_sync *sync)
{
	struct drm_syncobj_transfer transfer = {
		.src_handle = sync->handle,
		.src_point = sync->point,
	};
	int err;

	if (sync->flags)
		return -EINVAL;
	if (!sync->point)
		return ferry_syncobj_fence(dev, sync->handle);

	/* Sync files are exported from binary syncobjs only. */
	err = ferry_syncobj_new(dev, &transfer.dst_handle);
	if (err)
		return err;
	err = ferry_ioctl(dev, DRM_IOCTL_SYNCOBJ_TRANSFER, &transfer);
	if (!err)
		err = ferry_syncobj_fence(dev, transfer.dst_handle);
	ferry_syncobj_del(dev, transfer.dst_handle);
	return err;
}

ferry_public int ferry_bo_migrate_fence(struct ferry_device *dev,
					const struct ferry_bo_move *moves,
					uint32_t count,
					const struct drm_ferry_sync *in,
					uint32_t in_count, uint32_t *failed)
{
	struct drm_ferry_sync out = { 0 };
	int err = ferry_syncobj_new(dev, &out.handle);

	if (err) {
		if (failed)
			*failed = count;
		return err;
	}
	err = ferry_bo_migrate_sync(dev, moves, count, in, in_count, &out, 1,
				    failed);
	if (!err)
		err = ferry_syncobj_fence(dev, out.handle);
	ferry_syncobj_del(dev, out.handle);
	return err;
}
