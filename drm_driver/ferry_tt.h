/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_TT_H_
#define _FERRY_TT_H_

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include <drm/drm_gem.h>

struct ferry_bo;
struct ferry_device;
struct ttm_buffer_object;
struct ttm_device;
struct ttm_operation_ctx;
struct ttm_tt;

/**
 * struct ferry_tt_mgr - LRU lists of the shrinker, and counters of pages
 */
struct ferry_tt_mgr {
	/**
	 * @lock: protects the lists, as struct drm_gem_lru requires before 7.3. Taken in
	 * direct reclaim, and takes nothing.
	 */
	struct mutex lock;
	/** @purgeable: BOs marked DRM_FERRY_MADV_DONTNEED, the oldest first */
	struct drm_gem_lru purgeable;
	/** @kept: BOs in the aperture with kept pages, the oldest first */
	struct drm_gem_lru kept;
	/** @unlisted: BOs that were in @purgeable or @kept and no longer are */
	struct drm_gem_lru unlisted;
	/** @system_pages: number of pages of system memory that BOs hold, without @kept_pages */
	atomic64_t system_pages;
	/** @kept_pages: number of kept pages of BOs in the aperture */
	atomic64_t kept_pages;
	/** @array_pages: number of pages that page arrays take, see ferry_tt_array_pages() */
	atomic64_t array_pages;
	/**
	 * @pooled: upper bound of the freed write-combining pages in TTM's pool, for
	 * ferry_compat_pooled()
	 */
	atomic_long_t pooled;
};

int ferry_tt_init(struct ferry_device *ferry);
unsigned long ferry_tt_array_pages(u64 size);
struct ttm_tt *ferry_tt_take_kept(struct ferry_bo *bo, u32 page_flags);
struct ttm_tt *ferry_tt_create(struct ttm_buffer_object *tbo, struct ferry_bo *bo,
			       u32 page_flags);
int ferry_tt_create_array(struct ferry_device *ferry, struct ttm_tt *tt);
int ferry_tt_prepare_drop(struct ferry_bo *bo);
bool ferry_tt_has_kept(struct ttm_tt *tt);
bool ferry_tt_reuse_kept(struct ferry_device *ferry, struct ttm_tt *tt);
int ferry_tt_populate(struct ferry_device *ferry, struct ttm_tt *tt,
		      struct ttm_operation_ctx *ctx);
void ferry_tt_unpopulate(struct ttm_device *ttm, struct ttm_tt *tt);
void ferry_tt_destroy(struct ttm_device *ttm, struct ttm_tt *tt);
void *ferry_tt_map(struct ferry_bo *bo);
bool ferry_tt_is_huge(struct ttm_tt *tt, pgoff_t page);
void ferry_tt_set_keep(struct ferry_bo *bo, bool keep);
bool ferry_tt_drop_kept(struct ferry_bo *bo);
void ferry_tt_update_lru(struct ferry_bo *bo);
void ferry_tt_remove_lru(struct ferry_bo *bo);

#endif /* _FERRY_TT_H_ */
