// SPDX-License-Identifier: MIT
/* Buffer objects: creation, import and export, references. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <xf86drm.h>

#include "ferry_priv.h"

/* Flags with these values are those of the kernel, which rejects unknown ones. */
#define FERRY_BO_KERNEL_FLAGS 0xffffu
#define FERRY_BO_FLAGS                                                 \
	(FERRY_BO_KERNEL_FLAGS | FERRY_BO_WC | FERRY_BO_START_SYSTEM | \
	 FERRY_BO_START_APERTURE | FERRY_BO_UNCLEARED)

void ferry_close_handle(const struct ferry_device *dev, uint32_t handle)
{
	struct drm_gem_close args = { .handle = handle };

	ferry_ioctl(dev, DRM_IOCTL_GEM_CLOSE, &args);
}

/* Allocate a BO before its handle exists, so that nothing can fail afterwards. */
static struct ferry_bo *ferry_bo_alloc(struct ferry_device *dev)
{
	struct ferry_bo *bo = calloc(1, sizeof(*bo));

	if (!bo)
		return NULL;

	atomic_init(&bo->refs, 1);
	pthread_mutex_init(&bo->map_lock, NULL);
	bo->dev = ferry_device_ref(dev);
	return bo;
}

static void ferry_bo_free(struct ferry_bo *bo)
{
	struct ferry_device *dev = bo->dev;

	pthread_mutex_destroy(&bo->map_lock);
	free(bo);
	ferry_device_del(dev);
}

/* The caller holds the lock, and looks the handle up again after the wait. */
static void ferry_wait_closed(struct ferry_device *dev)
{
	pthread_cond_wait(&dev->closed, &dev->lock);
}

/*
 * Insert a BO whose handle is new. Another BO can have the same handle: while it is being
 * closed, or if somebody else has closed it. The latter must not close it again.
 */
static void ferry_bo_insert(struct ferry_device *dev, struct ferry_bo *bo)
{
	struct ferry_bo *old;

	while ((old = ferry_table_find(&dev->bos, bo->handle)) && old->closing)
		ferry_wait_closed(dev);
	if (old) {
		ferry_table_remove(&dev->bos, old);
		atomic_store(&old->handle, 0);
	}
	ferry_table_insert(&dev->bos, bo);
}

static void ferry_bo_publish(struct ferry_device *dev, struct ferry_bo *bo)
{
	pthread_mutex_lock(&dev->lock);
	atomic_store(&bo->refs, 1);
	bo->closing = false;
	ferry_bo_insert(dev, bo);
	pthread_mutex_unlock(&dev->lock);
}

ferry_public int ferry_bo_new(struct ferry_device *dev, uint64_t size,
			      uint32_t allowed_placements, uint32_t flags,
			      struct ferry_bo **out)
{
	struct drm_ferry_bo_create create = {
		.size = size,
		.allowed_placements = allowed_placements,
		.flags = flags & FERRY_BO_KERNEL_FLAGS,
	};
	struct ferry_bo *bo;
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

	bo = ferry_cache_get(dev, size, allowed_placements, flags);
	if (bo) {
		ferry_device_ref(dev);
		ferry_bo_publish(dev, bo);
		*out = bo;
		return 0;
	}

	bo = ferry_bo_alloc(dev);
	if (!bo)
		return -ENOMEM;

	err = ferry_ioctl(dev, DRM_IOCTL_FERRY_BO_CREATE, &create);
	if (err) {
		ferry_bo_free(bo);
		return err;
	}
	bo->size = create.size;
	atomic_init(&bo->handle, create.handle);
	bo->allowed_placements = allowed_placements;
	bo->flags = flags & ~FERRY_BO_UNCLEARED;
	/* The aperture is too small to keep unused BOs there. */
	atomic_init(&bo->cacheable,
		    ferry_cache_fits(dev, size) &&
			    allowed_placements & DRM_FERRY_PLACEMENT_SYSTEM &&
			    !(flags & FERRY_BO_START_APERTURE));
	ferry_bo_publish(dev, bo);
	*out = bo;
	return 0;
}

/* Return the BO of a handle with another reference, or NULL. The caller holds the lock. */
static struct ferry_bo *ferry_bo_find(struct ferry_device *dev, uint32_t handle)
{
	struct ferry_bo *bo;

	while ((bo = ferry_table_find(&dev->bos, handle)) && bo->closing)
		ferry_wait_closed(dev);
	return bo ? ferry_bo_ref(bo) : NULL;
}

ferry_public int ferry_bo_from_handle(struct ferry_device *dev, uint32_t handle,
				      struct ferry_bo **out)
{
	struct drm_ferry_bo_query query = { .handle = handle };
	struct ferry_bo *bo, *existing;
	int err;

	err = ferry_device_check(dev);
	if (err)
		return err;

	/* The query can wait for a move of the BO: do not hold the lock. */
	bo = ferry_bo_alloc(dev);
	if (!bo)
		return -ENOMEM;
	err = ferry_ioctl(dev, DRM_IOCTL_FERRY_BO_QUERY, &query);
	if (err) {
		ferry_bo_free(bo);
		return err;
	}
	bo->size = query.size;
	atomic_init(&bo->handle, handle);
	atomic_init(&bo->shared, query.flags & DRM_FERRY_BO_IMPORTED);

	pthread_mutex_lock(&dev->lock);
	existing = ferry_bo_find(dev, handle);
	if (!existing)
		ferry_table_insert(&dev->bos, bo);
	pthread_mutex_unlock(&dev->lock);

	if (existing)
		ferry_bo_free(bo);
	*out = existing ? existing : bo;
	return 0;
}

/*
 * The import can return the handle of an existing BO. Hold the lock until that BO has another
 * reference: else another thread could close the handle. If one closes it already, the
 * handle is not valid any more, or names another buffer: import again.
 */
static int ferry_import(struct ferry_device *dev, int fd, struct ferry_bo *bo,
			struct ferry_bo **out)
{
	struct drm_prime_handle prime = { .fd = fd };
	struct ferry_bo *existing;
	int err;

	for (;;) {
		err = ferry_ioctl(dev, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);
		if (err)
			return err;
		existing = ferry_table_find(&dev->bos, prime.handle);
		if (!existing || !existing->closing)
			break;
		ferry_wait_closed(dev);
	}

	if (existing) {
		atomic_store(&existing->shared, true);
		*out = ferry_bo_ref(existing);
		return 0;
	}
	atomic_init(&bo->handle, prime.handle);
	atomic_init(&bo->shared, true);
	ferry_table_insert(&dev->bos, bo);
	*out = bo;
	return 0;
}

ferry_public int ferry_bo_from_dmabuf(struct ferry_device *dev, int fd,
				      uint32_t flags, struct ferry_bo **out)
{
	struct ferry_bo *bo, *result;
	off_t size;
	int err;

	if (flags)
		return -EINVAL;
	err = ferry_device_check(dev);
	if (err)
		return err;

	bo = ferry_bo_alloc(dev);
	if (!bo)
		return -ENOMEM;
	/* A dma-buf knows its size. A query of the BO could wait for a move of it. */
	size = lseek(fd, 0, SEEK_END);
	bo->size = size < 0 ? 0 : size;

	pthread_mutex_lock(&dev->lock);
	err = ferry_import(dev, fd, bo, &result);
	pthread_mutex_unlock(&dev->lock);

	if (err || result != bo)
		ferry_bo_free(bo);
	if (!err)
		*out = result;
	return err;
}

ferry_public int ferry_bo_to_dmabuf(struct ferry_bo *bo, uint32_t flags)
{
	const bool read_only = flags & FERRY_EXPORT_READ_ONLY;
	struct drm_prime_handle prime = {
		.handle = bo->handle,
		.flags = DRM_CLOEXEC | (read_only ? 0 : DRM_RDWR),
		.fd = -1,
	};
	int err, mode;

	if (flags & ~FERRY_EXPORT_READ_ONLY)
		return -EINVAL;

	atomic_store(&bo->cacheable, false);
	err = ferry_ioctl(bo->dev, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
	if (err)
		return err;

	/* While the BO has a dma-buf, the kernel returns it again, with the access that it has. */
	mode = fcntl(prime.fd, F_GETFL) & O_ACCMODE;
	if (mode != (read_only ? O_RDONLY : O_RDWR)) {
		ferry_close(prime.fd);
		return -EBUSY;
	}
	atomic_store(&bo->shared, true);
	return prime.fd;
}

ferry_public struct ferry_bo *ferry_bo_ref(struct ferry_bo *bo)
{
	atomic_fetch_add(&bo->refs, 1);
	return bo;
}

/* Drop a reference to a BO of a parent process, whose handle it uses. */
static void ferry_bo_del_inherited(struct ferry_bo *bo)
{
	struct ferry_device *dev = bo->dev;

	if (atomic_fetch_sub(&bo->refs, 1) != 1)
		return;
	ferry_bo_map_fini(bo);
	free(bo);
	ferry_device_del(dev);
}

ferry_public void ferry_bo_del(struct ferry_bo *bo)
{
	struct ferry_device *dev;

	if (!bo)
		return;
	dev = bo->dev;
	if (ferry_device_check(dev)) {
		ferry_bo_del_inherited(bo);
		return;
	}
	if (!ferry_refs_dec_unless_last(&bo->refs))
		return;

	pthread_mutex_lock(&dev->lock);
	if (atomic_fetch_sub(&bo->refs, 1) != 1) {
		pthread_mutex_unlock(&dev->lock);
		return;
	}
	bo->closing = true;
	pthread_mutex_unlock(&dev->lock);

	if (ferry_cache_put(dev, bo)) {
		ferry_device_del(dev);
		return;
	}
	ferry_bo_map_fini(bo);
	if (bo->handle) {
		ferry_close_handle(dev, bo->handle);
		pthread_mutex_lock(&dev->lock);
		ferry_table_remove(&dev->bos, bo);
		pthread_cond_broadcast(&dev->closed);
		pthread_mutex_unlock(&dev->lock);
	}
	ferry_bo_free(bo);
}

ferry_public uint64_t ferry_bo_size(const struct ferry_bo *bo)
{
	return bo->size;
}

ferry_public uint32_t ferry_bo_handle(const struct ferry_bo *bo)
{
	/* The program can do anything with it that the library does not know. */
	atomic_store(&((struct ferry_bo *)bo)->cacheable, false);
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
