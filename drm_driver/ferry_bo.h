/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_BO_H_
#define _FERRY_BO_H_

#include <drm/ferry_drm.h>
#include <drm/ttm/ttm_bo.h>

struct drm_device;
struct drm_file;
struct drm_mode_create_dumb;
struct ferry_async;
struct ferry_device;

/**
 * struct ferry_bo - a buffer object
 *
 * Lives from ferry_bo_create() to the last reference of its GEM object.
 */
struct ferry_bo {
	/** @base: TTM's BO, and in it the GEM object; first, see ferry_fault.c */
	struct ttm_buffer_object base;
	/** @allowed_placements: mask of DRM_FERRY_PLACEMENT_*; constant */
	u32 allowed_placements;
	/** @caching: DRM_FERRY_CACHING_* of system pages; constant */
	u32 caching;
	/** @flags: mask of DRM_FERRY_BO_*; constant */
	u32 flags;
	/** @no_space: the last allocation in the aperture found no room; under dma_resv */
	bool no_space;
	/** @shared: it is or was a dma-buf; under dma_resv */
	bool shared;
	/** @madv: DRM_FERRY_MADV_*; under dma_resv */
	u32 madv;
	/** @kept: its system pages while it is in the aperture, or NULL; under dma_resv */
	struct ttm_tt *kept;
	/** @async: what its next move belongs to, if that is not waited for; under dma_resv */
	struct ferry_async *async;
};

static inline struct ferry_bo *ttm_to_ferry_bo(struct ttm_buffer_object *tbo)
{
	return container_of(tbo, struct ferry_bo, base);
}

static inline struct ferry_bo *gem_to_ferry_bo(struct drm_gem_object *obj)
{
	return container_of(obj, struct ferry_bo, base.base);
}

struct ferry_bo *ferry_bo_create(struct ferry_device *ferry,
				 const struct drm_ferry_bo_create *args);
struct ferry_bo *ferry_bo_lookup(struct drm_file *file, u32 handle);
struct ferry_bo *ferry_bo_next(struct ferry_device *ferry, u64 *start);
void ferry_bo_put(struct ferry_bo *bo);
u32 ferry_bo_placement(struct ferry_bo *bo);
int ferry_bo_cache(struct ferry_bo *bo);
bool ferry_bo_is_idle(struct ferry_bo *bo, enum dma_resv_usage usage);
int ferry_bo_access(struct ferry_bo *bo, u64 offset, void *buf, int len, bool write);
int ferry_bo_wait(struct ferry_bo *bo, s64 timeout_ns);
bool ferry_bo_is_ghost(const struct ttm_buffer_object *tbo);
int ferry_bo_query(struct ferry_bo *bo, struct drm_ferry_bo_query *args);
u64 ferry_bo_max_size(struct ferry_device *ferry);
int ferry_bo_dumb_create(struct drm_file *file, struct drm_device *drm,
			 struct drm_mode_create_dumb *args);

#endif /* _FERRY_BO_H_ */
