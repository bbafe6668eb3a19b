// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sys/mman.h>

#include "igt.h"

#include "ferry_ioctl.h"

int __ferry_ioctl(int fd, unsigned long request, void *arg)
{
	int err = 0;

	if (igt_ioctl(fd, request, arg))
		err = -errno;
	errno = 0;
	return err;
}

void ferry_device_query(int fd, struct drm_ferry_device_query *query)
{
	memset(query, 0, sizeof(*query));
	do_ioctl(fd, DRM_IOCTL_FERRY_DEVICE_QUERY, query);
}

int __ferry_bo_create(int fd, uint64_t size, uint32_t placements,
		      uint32_t placement, uint32_t caching, uint32_t flags,
		      uint32_t *handle)
{
	struct drm_ferry_bo_create create = {
		.size = size,
		.allowed_placements = placements,
		.placement = placement,
		.caching = caching,
		.flags = flags,
	};
	int err = __ferry_ioctl(fd, DRM_IOCTL_FERRY_BO_CREATE, &create);

	if (!err)
		*handle = create.handle;
	return err;
}

uint32_t ferry_bo_create(int fd, uint64_t size, uint32_t placements,
			 uint32_t placement, uint32_t caching, uint32_t flags)
{
	uint32_t handle = 0;

	igt_assert_eq(__ferry_bo_create(fd, size, placements, placement,
					caching, flags, &handle),
		      0);
	igt_assert_neq_u32(handle, 0);
	return handle;
}

int __ferry_bo_close(int fd, uint32_t handle)
{
	struct drm_gem_close close_args = { .handle = handle };

	return __ferry_ioctl(fd, DRM_IOCTL_GEM_CLOSE, &close_args);
}

int __ferry_bo_mmap_offset(int fd, uint32_t handle, uint64_t *offset)
{
	struct drm_ferry_bo_mmap_offset args = { .handle = handle };
	int err = __ferry_ioctl(fd, DRM_IOCTL_FERRY_BO_MMAP_OFFSET, &args);

	if (!err)
		*offset = args.offset;
	return err;
}

uint64_t ferry_bo_mmap_offset(int fd, uint32_t handle)
{
	uint64_t offset = 0;

	igt_assert_eq(__ferry_bo_mmap_offset(fd, handle, &offset), 0);
	igt_assert(offset && offset % FERRY_PAGE_SIZE == 0);
	return offset;
}

uint64_t ferry_bo_mmap_offset_populate(int fd, uint32_t handle)
{
	struct drm_ferry_bo_mmap_offset args = {
		.handle = handle,
		.flags = DRM_FERRY_MMAP_POPULATE,
	};

	igt_assert_eq(__ferry_ioctl(fd, DRM_IOCTL_FERRY_BO_MMAP_OFFSET, &args),
		      0);
	return args.offset;
}

void *__ferry_bo_mmap(int fd, uint32_t handle, size_t size, int prot)
{
	return mmap(NULL, size, prot, MAP_SHARED, fd,
		    ferry_bo_mmap_offset(fd, handle));
}

void *ferry_bo_mmap(int fd, uint32_t handle, size_t size)
{
	void *map = __ferry_bo_mmap(fd, handle, size, PROT_READ | PROT_WRITE);

	igt_assert_f(map != MAP_FAILED, "mmap of handle %u, %zu bytes: %s\n",
		     handle, size, strerror(errno));
	return map;
}

int __ferry_bo_query(int fd, uint32_t handle, struct drm_ferry_bo_query *query)
{
	memset(query, 0, sizeof(*query));
	query->handle = handle;
	return __ferry_ioctl(fd, DRM_IOCTL_FERRY_BO_QUERY, query);
}

void ferry_bo_query(int fd, uint32_t handle, struct drm_ferry_bo_query *query)
{
	igt_assert_eq(__ferry_bo_query(fd, handle, query), 0);
}

uint32_t ferry_bo_placement(int fd, uint32_t handle)
{
	struct drm_ferry_bo_query query;

	ferry_bo_query(fd, handle, &query);
	return query.placement;
}

int __ferry_migrate(int fd, const struct drm_ferry_migrate_entry *entries,
		    uint32_t count)
{
	struct drm_ferry_migrate args = {
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.entries = to_user_pointer(entries),
		.count = count,
	};

	return __ferry_ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args);
}

void ferry_migrate(int fd, const struct drm_ferry_migrate_entry *entries,
		   uint32_t count)
{
	igt_assert_eq(__ferry_migrate(fd, entries, count), 0);
}

int __ferry_bo_migrate(int fd, uint32_t handle, uint32_t placement)
{
	struct drm_ferry_migrate_entry entry = {
		.handle = handle,
		.placement = placement,
	};

	return __ferry_migrate(fd, &entry, 1);
}

void ferry_bo_migrate(int fd, uint32_t handle, uint32_t placement)
{
	igt_assert_eq(__ferry_bo_migrate(fd, handle, placement), 0);
}

int __ferry_migrate_sync(int fd, const struct drm_ferry_migrate_entry *entries,
			 uint32_t count, const struct drm_ferry_sync *in,
			 uint32_t in_count, const struct drm_ferry_sync *out,
			 uint32_t out_count)
{
	struct drm_ferry_migrate args = {
		.entry_stride = sizeof(struct drm_ferry_migrate_entry),
		.sync_stride = sizeof(struct drm_ferry_sync),
		.entries = to_user_pointer(entries),
		.count = count,
		.in_syncs = to_user_pointer(in),
		.out_syncs = to_user_pointer(out),
		.in_count = in_count,
		.out_count = out_count,
	};

	return __ferry_ioctl(fd, DRM_IOCTL_FERRY_MIGRATE, &args);
}

/* Move one BO; @in is a sync to wait for, @out a sync to signal; either may be NULL. */
int __ferry_bo_migrate_sync(int fd, uint32_t handle, uint32_t placement,
			    const struct drm_ferry_sync *in,
			    const struct drm_ferry_sync *out)
{
	struct drm_ferry_migrate_entry entry = {
		.handle = handle,
		.placement = placement,
	};

	return __ferry_migrate_sync(fd, &entry, 1, in, !!in, out, !!out);
}

void ferry_bo_migrate_sync(int fd, uint32_t handle, uint32_t placement,
			   const struct drm_ferry_sync *in,
			   const struct drm_ferry_sync *out)
{
	igt_assert_eq(__ferry_bo_migrate_sync(fd, handle, placement, in, out),
		      0);
}

int __ferry_bo_wait(int fd, uint32_t handle, int64_t timeout_ns)
{
	struct drm_ferry_bo_wait args = {
		.handle = handle,
		.timeout_ns = timeout_ns,
	};

	return __ferry_ioctl(fd, DRM_IOCTL_FERRY_BO_WAIT, &args);
}

void ferry_bo_wait(int fd, uint32_t handle)
{
	igt_assert_eq(__ferry_bo_wait(fd, handle, INT64_MAX), 0);
}

int __ferry_bo_madvise(int fd, uint32_t handle, uint32_t madv, bool *retained)
{
	struct drm_ferry_bo_madvise args = {
		.handle = handle,
		.madv = madv,
	};
	int err = __ferry_ioctl(fd, DRM_IOCTL_FERRY_BO_MADVISE, &args);

	if (!err) {
		igt_assert_lt_u64(args.retained, 2);
		*retained = args.retained;
	}
	return err;
}

/* Return whether the contents are retained. */
bool ferry_bo_madvise(int fd, uint32_t handle, uint32_t madv)
{
	bool retained = false;

	igt_assert_eq(__ferry_bo_madvise(fd, handle, madv, &retained), 0);
	return retained;
}

uint32_t ferry_bo_madv(int fd, uint32_t handle)
{
	struct drm_ferry_bo_query query;

	ferry_bo_query(fd, handle, &query);
	return query.madv;
}
