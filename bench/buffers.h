/* SPDX-License-Identifier: MIT */
/*
 * Buffers of a size, made and mapped by single system calls: BOs of ferry, and dumb buffers.
 */
#ifndef FERRY_BENCH_BUFFERS_H
#define FERRY_BENCH_BUFFERS_H

#include "common.h"

#include <drm.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <xf86drm.h>

static inline uint32_t buffer_create_ferry(int fd, size_t size,
					   uint32_t placement)
{
	struct drm_ferry_bo_create create = {
		.size = size,
		.allowed_placements = APERTURE | SYSTEM,
		.placement = placement,
	};

	if (drmIoctl(fd, DRM_IOCTL_FERRY_BO_CREATE, &create))
		die("cannot create a BO of %zu bytes", size);
	return create.handle;
}

static inline uint32_t buffer_create_dumb(int fd, size_t size)
{
	struct drm_mode_create_dumb create = {
		.width = PAGE / 4,
		.height = size / PAGE,
		.bpp = 32,
	};

	if (drmIoctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &create))
		die("cannot create a dumb buffer of %zu bytes", size);
	return create.handle;
}

static inline uint8_t *buffer_map(int fd, uint32_t handle, size_t size,
				  bool is_ferry)
{
	struct drm_ferry_bo_mmap_offset bo = { .handle = handle };
	struct drm_mode_map_dumb dumb = { .handle = handle };
	void *p;

	if (is_ferry && drmIoctl(fd, DRM_IOCTL_FERRY_BO_MMAP_OFFSET, &bo))
		die("cannot get the BO's offset");
	if (!is_ferry && drmIoctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &dumb))
		die("cannot get the offset of the dumb buffer");
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 is_ferry ? bo.offset : dumb.offset);
	if (p == MAP_FAILED)
		die("cannot map %zu bytes", size);
	return p;
}

#endif
