/* SPDX-License-Identifier: MIT */
/*
 * One wrapper for each ioctl of ferry. ferry_x() asserts that the ioctl succeeds;
 * __ferry_x() returns 0 or -errno, for a caller that expects an error. All of them
 * repeat an ioctl that a signal has interrupted.
 */
#ifndef FERRY_IOCTL_H
#define FERRY_IOCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ferry_drm.h"

#define FERRY_PAGE_SIZE 4096ull
#define FERRY_PLACEMENT_BOTH \
	(DRM_FERRY_PLACEMENT_SYSTEM | DRM_FERRY_PLACEMENT_APERTURE)

int __ferry_ioctl(int fd, unsigned long request, void *arg);

void ferry_device_query(int fd, struct drm_ferry_device_query *query);

int __ferry_bo_create(int fd, uint64_t size, uint32_t placements,
		      uint32_t placement, uint32_t caching, uint32_t flags,
		      uint32_t *handle);
uint32_t ferry_bo_create(int fd, uint64_t size, uint32_t placements,
			 uint32_t placement, uint32_t caching, uint32_t flags);
int __ferry_bo_close(int fd, uint32_t handle);

int __ferry_bo_mmap_offset(int fd, uint32_t handle, uint64_t *offset);
uint64_t ferry_bo_mmap_offset(int fd, uint32_t handle);
uint64_t ferry_bo_mmap_offset_populate(int fd, uint32_t handle);
void *__ferry_bo_mmap(int fd, uint32_t handle, size_t size, int prot);
void *ferry_bo_mmap(int fd, uint32_t handle, size_t size);

int __ferry_bo_query(int fd, uint32_t handle, struct drm_ferry_bo_query *query);
void ferry_bo_query(int fd, uint32_t handle, struct drm_ferry_bo_query *query);
uint32_t ferry_bo_placement(int fd, uint32_t handle);

int __ferry_migrate(int fd, const struct drm_ferry_migrate_entry *entries,
		    uint32_t count);
void ferry_migrate(int fd, const struct drm_ferry_migrate_entry *entries,
		   uint32_t count);
int __ferry_bo_migrate(int fd, uint32_t handle, uint32_t placement);
void ferry_bo_migrate(int fd, uint32_t handle, uint32_t placement);

int __ferry_migrate_sync(int fd, const struct drm_ferry_migrate_entry *entries,
			 uint32_t count, const struct drm_ferry_sync *in,
			 uint32_t in_count, const struct drm_ferry_sync *out,
			 uint32_t out_count);
int __ferry_bo_migrate_sync(int fd, uint32_t handle, uint32_t placement,
			    const struct drm_ferry_sync *in,
			    const struct drm_ferry_sync *out);
void ferry_bo_migrate_sync(int fd, uint32_t handle, uint32_t placement,
			   const struct drm_ferry_sync *in,
			   const struct drm_ferry_sync *out);
int __ferry_bo_wait(int fd, uint32_t handle, int64_t timeout_ns);
void ferry_bo_wait(int fd, uint32_t handle);

int __ferry_bo_madvise(int fd, uint32_t handle, uint32_t madv, bool *retained);
bool ferry_bo_madvise(int fd, uint32_t handle, uint32_t madv);
uint32_t ferry_bo_madv(int fd, uint32_t handle);

#endif /* FERRY_IOCTL_H */
