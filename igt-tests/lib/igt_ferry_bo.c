// SPDX-License-Identifier: MIT
#include <errno.h>

#include "igt.h"

#include "igt_ferry.h"

const struct igt_ferry_kind igt_ferry_single_kinds[] = {
	{ "system", DRM_FERRY_PLACEMENT_SYSTEM, 0, DRM_FERRY_CACHING_CACHED,
	  0 },
	{ "system-wc", DRM_FERRY_PLACEMENT_SYSTEM, 0, DRM_FERRY_CACHING_WC, 0 },
	{ "aperture", DRM_FERRY_PLACEMENT_APERTURE, 0, DRM_FERRY_CACHING_CACHED,
	  0 },
	{ "aperture-contiguous", DRM_FERRY_PLACEMENT_APERTURE, 0,
	  DRM_FERRY_CACHING_CACHED, DRM_FERRY_BO_CONTIGUOUS },
	{ NULL, 0, 0, 0, 0 },
};

const struct igt_ferry_kind igt_ferry_movable_kinds[] = {
	{ "cached", FERRY_PLACEMENT_BOTH, 0, DRM_FERRY_CACHING_CACHED, 0 },
	{ "wc", FERRY_PLACEMENT_BOTH, 0, DRM_FERRY_CACHING_WC, 0 },
	{ "cached-contiguous", FERRY_PLACEMENT_BOTH, 0,
	  DRM_FERRY_CACHING_CACHED, DRM_FERRY_BO_CONTIGUOUS },
	{ "wc-contiguous", FERRY_PLACEMENT_BOTH, 0, DRM_FERRY_CACHING_WC,
	  DRM_FERRY_BO_CONTIGUOUS },
	{ NULL, 0, 0, 0, 0 },
};

int __igt_ferry_bo_init(struct igt_ferry_bo *bo, int fd, size_t size,
			const struct igt_ferry_kind *kind)
{
	static uint32_t last_id;
	int err;

	memset(bo, 0, sizeof(*bo));
	err = __ferry_bo_create(fd, size, kind->allowed_placements,
				kind->placement, kind->caching, kind->flags,
				&bo->handle);
	if (err)
		return err;
	bo->fd = fd;
	bo->size = ALIGN(size, FERRY_PAGE_SIZE);
	bo->id = ++last_id & 0xffff;
	return 0;
}

/**
 * igt_ferry_bo_init - create and map a BO, whose contents are zero
 */
void igt_ferry_bo_init(struct igt_ferry_bo *bo, int fd, size_t size,
		       const struct igt_ferry_kind *kind)
{
	int err = __igt_ferry_bo_init(bo, fd, size, kind);

	igt_assert_f(!err, "creating a %s BO of %zu bytes: %s\n", kind->name,
		     size, strerror(-err));
	bo->map = ferry_bo_mmap(fd, bo->handle, bo->size);
}

void igt_ferry_bo_fini(struct igt_ferry_bo *bo)
{
	if (bo->map)
		igt_assert_eq(munmap(bo->map, bo->size), 0);
	gem_close(bo->fd, bo->handle);
	memset(bo, 0, sizeof(*bo));
}

/* Write the next generation of contents. */
void igt_ferry_bo_fill(struct igt_ferry_bo *bo)
{
	igt_ferry_fill(bo->map, 0, bo->size / FERRY_PAGE_SIZE, bo->id,
		       ++bo->gen);
}

void igt_ferry_bo_check(const struct igt_ferry_bo *bo)
{
	if (bo->gen)
		igt_ferry_check(bo->map, 0, bo->size / FERRY_PAGE_SIZE, bo->id,
				bo->gen);
	else
		igt_ferry_check_zero(bo->map, bo->size);
}

/* Mark a BO in system memory as DONTNEED, and wait until the shrinker has purged it. */
void igt_ferry_bo_purge(struct igt_ferry_bo *bo)
{
	igt_assert(
		ferry_bo_madvise(bo->fd, bo->handle, DRM_FERRY_MADV_DONTNEED));
	/* the kernel may stop before it asks the shrinker of ferry for everything */
	for (int i = 0; i < 50; i++) {
		igt_ferry_drop_caches();
		if (ferry_bo_madv(bo->fd, bo->handle) == DRM_FERRY_MADV_PURGED)
			return;
		usleep(10000);
	}
	igt_assert_f(false, "the BO was not purged\n");
}

/**
 * igt_ferry_aperture_fill - fill the aperture with BOs of @size that are not allowed elsewhere
 * @size: size of each BO in bytes
 * @handles: their handles, for igt_ferry_close_all()
 *
 * Return: the number of BOs, until BO_CREATE fails with ENOSPC.
 */
unsigned int igt_ferry_aperture_fill(int fd, size_t size, uint32_t **handles)
{
	struct drm_ferry_device_query query;
	unsigned int count = 0, most;
	int err;

	ferry_device_query(fd, &query);
	most = query.aperture_size / size + 1;
	*handles = calloc(most, sizeof(**handles));
	igt_assert(*handles);

	for (;;) {
		err = __ferry_bo_create(fd, size, DRM_FERRY_PLACEMENT_APERTURE,
					0, DRM_FERRY_CACHING_CACHED, 0,
					&(*handles)[count]);
		if (err)
			break;
		igt_assert_f(
			++count < most,
			"%u BOs of %zu bytes are larger than the aperture\n",
			count, size);
	}
	igt_assert_eq(err, -ENOSPC);
	return count;
}

void igt_ferry_close_all(int fd, uint32_t *handles, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		gem_close(fd, handles[i]);
	free(handles);
}

void igt_ferry_mmap_refused(int fd, uint64_t offset, size_t size, int prot,
			    int flags, int err)
{
	void *map = mmap(NULL, size, prot, flags, fd, offset);
	int got = errno;

	igt_assert_f(map == MAP_FAILED,
		     "size %#zx offset %#" PRIx64
		     " prot %#x flags %#x: mapped\n",
		     size, offset, prot, flags);
	igt_assert_f(got == err,
		     "size %#zx offset %#" PRIx64
		     " prot %#x flags %#x: %s, not %s\n",
		     size, offset, prot, flags, strerror(got), strerror(err));
	errno = 0;
}

/**
 * igt_ferry_import - import a dma-buf, and return the handle
 */
uint32_t igt_ferry_import(int fd, int prime)
{
	uint32_t handle = 0;

	igt_assert_f(drmPrimeFDToHandle(fd, prime, &handle) == 0,
		     "importing: %s\n", strerror(errno));
	igt_assert_neq_u32(handle, 0);
	return handle;
}
