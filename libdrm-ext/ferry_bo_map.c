// SPDX-License-Identifier: MIT
/* Mappings: one for each BO, created by its first user and removed by its last. */

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include <xf86drm.h>

#include "ferry_priv.h"

/* Offsets of BOs in the device file are above 4 GiB. */
_Static_assert(sizeof(off_t) == 8, "needs -D_FILE_OFFSET_BITS=64");

static int ferry_bo_offset(struct ferry_bo *bo, uint32_t flags,
			   uint64_t *offset)
{
	struct drm_ferry_bo_mmap_offset args = {
		.handle = bo->handle,
		.flags = flags,
	};
	int err;

	err = ferry_ioctl(bo->dev, DRM_IOCTL_FERRY_BO_MMAP_OFFSET, &args);
	if (!err)
		*offset = args.offset;
	return err;
}

ferry_public int ferry_bo_mmap_offset(struct ferry_bo *bo, uint32_t flags,
				      uint64_t *offset)
{
	atomic_store(&bo->cacheable, false);
	return ferry_bo_offset(bo, flags, offset);
}

int ferry_bo_mmap(struct ferry_bo *bo, uint64_t from, uint64_t length,
		  uint32_t flags, void **out)
{
	int protection = PROT_READ | PROT_WRITE;
	uint64_t offset;
	void *map;
	int err;

	if (flags & ~(DRM_FERRY_MMAP_POPULATE | FERRY_MAP_READ_ONLY))
		return -EINVAL;
	if (flags & FERRY_MAP_READ_ONLY)
		protection = PROT_READ;

	/* A BO can be larger than the address space of a 32-bit process. */
	if (length > SIZE_MAX)
		return -ENOMEM;

	err = ferry_bo_offset(bo, flags & DRM_FERRY_MMAP_POPULATE, &offset);
	if (err)
		return err;

	map = mmap(NULL, length, protection, MAP_SHARED, bo->dev->fd,
		   (off_t)(offset + from));
	if (map == MAP_FAILED)
		return -errno;

	*out = map;
	return 0;
}

ferry_public int ferry_bo_map(struct ferry_bo *bo, uint32_t flags, void **ptr)
{
	int err = ferry_device_check(bo->dev);

	if (err)
		return err;
	/* All users of a BO share this mapping, so it is writable. */
	if (flags & ~FERRY_MAP_POPULATE)
		return -EINVAL;

	pthread_mutex_lock(&bo->map_lock);
	if (!bo->map)
		err = ferry_bo_mmap(bo, 0, bo->size, flags, &bo->map);
	if (!err) {
		bo->map_count++;
		*ptr = bo->map;
	}
	pthread_mutex_unlock(&bo->map_lock);
	return err;
}

ferry_public int ferry_bo_map_range(struct ferry_bo *bo, uint64_t offset,
				    uint64_t length, uint32_t flags, void **ptr)
{
	if (!length || offset > bo->size || length > bo->size - offset)
		return -EINVAL;

	/* The caller's mapping can be in use after the BO was dropped. */
	atomic_store(&bo->cacheable, false);
	return ferry_bo_mmap(bo, offset, length, flags, ptr);
}

ferry_public int ferry_bo_unmap(struct ferry_bo *bo)
{
	int err = ferry_device_check(bo->dev);

	if (err)
		return err;

	pthread_mutex_lock(&bo->map_lock);
	if (!bo->map_count)
		err = -EINVAL;
	else if (!--bo->map_count)
		ferry_bo_map_fini(bo);
	pthread_mutex_unlock(&bo->map_lock);
	return err;
}

/* No other thread uses @bo, or the caller holds its lock. */
void ferry_bo_map_fini(struct ferry_bo *bo)
{
	if (bo->map)
		munmap(bo->map, bo->size);
	bo->map = NULL;
	bo->map_count = 0;
}
