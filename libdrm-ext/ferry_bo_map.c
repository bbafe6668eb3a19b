// SPDX-License-Identifier: MIT
/* Mappings: one for each BO, created by its first user and removed by its last. */

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include <xf86drm.h>

#include "ferry_priv.h"

/* Offsets of BOs in the device file are above 4 GiB. */
_Static_assert(sizeof(off_t) == 8, "needs -D_FILE_OFFSET_BITS=64");

ferry_public int ferry_bo_mmap_offset(struct ferry_bo *bo, uint32_t flags,
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

/* The caller holds @bo->map_lock, and @bo is not mapped. */
static int ferry_bo_mmap(struct ferry_bo *bo)
{
	uint64_t offset;
	void *map;
	int err;

	/* A BO can be larger than the address space of a 32-bit process. */
	if (bo->size > SIZE_MAX)
		return -ENOMEM;

	err = ferry_bo_mmap_offset(bo, 0, &offset);
	if (err)
		return err;

	map = mmap(NULL, bo->size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   bo->dev->fd, (off_t)offset);
	if (map == MAP_FAILED)
		return -errno;

	bo->map = map;
	return 0;
}

ferry_public int ferry_bo_map(struct ferry_bo *bo, void **ptr)
{
	int err = 0;

	pthread_mutex_lock(&bo->map_lock);
	if (!bo->map_count)
		err = ferry_bo_mmap(bo);
	if (!err) {
		bo->map_count++;
		*ptr = bo->map;
	}
	pthread_mutex_unlock(&bo->map_lock);
	return err;
}

ferry_public int ferry_bo_unmap(struct ferry_bo *bo)
{
	int err = 0;

	pthread_mutex_lock(&bo->map_lock);
	if (!bo->map_count)
		err = -EINVAL;
	else if (!--bo->map_count)
		munmap(bo->map, bo->size);
	pthread_mutex_unlock(&bo->map_lock);
	return err;
}

/* The caller has dropped the last reference: no other thread can use @bo. */
void ferry_bo_map_fini(struct ferry_bo *bo)
{
	if (bo->map_count)
		munmap(bo->map, bo->size);
	bo->map_count = 0;
}
