/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_RECLAIM_H_
#define _FERRY_RECLAIM_H_

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include <drm/drm_gem.h>

struct ferry_bo;
struct ferry_device;
struct shrinker;
struct ttm_tt;

/* Priorities in TTM's lists: the lowest is evicted and swapped out first. */
#define FERRY_RECLAIM_PRIORITY_DONTNEED 0
#define FERRY_RECLAIM_PRIORITY_NEEDED 1

/**
 * struct ferry_reclaim - what memory pressure can take from a device
 */
struct ferry_reclaim {
	/** @lock: protects the lists, as struct drm_gem_lru wants it before 7.3; innermost */
	struct mutex lock;
	/** @purgeable: BOs whose contents nobody needs, the oldest first */
	struct drm_gem_lru purgeable;
	/** @kept: BOs in the aperture that keep their system pages, the oldest first */
	struct drm_gem_lru kept;
	/** @others: BOs that were in @purgeable or @kept once */
	struct drm_gem_lru others;
	/** @pooled: at most so many pages of freed write-combining BOs are in TTM's pool */
	atomic_long_t pooled;
	/** @swap_work: swaps BOs out */
	struct work_struct swap_work;
	/** @wanted: pages that it shall free */
	atomic_long_t wanted;
	/** @shrinker: called when the kernel runs short of memory */
	struct shrinker *shrinker;
};

int ferry_reclaim_init(struct ferry_device *ferry);
int ferry_reclaim_madvise(struct ferry_bo *bo, u32 madv, u32 *retained);
void ferry_reclaim_forget(struct ferry_bo *bo);
void ferry_reclaim_sort(struct ferry_bo *bo);
void ferry_reclaim_mark_purged(struct ferry_bo *bo);
void ferry_reclaim_count_pages(struct ferry_device *ferry, struct ttm_tt *tt, bool freed);
void ferry_reclaim_count_kept(struct ferry_device *ferry, struct ttm_tt *tt, bool kept);
int ferry_reclaim_make_room(struct ferry_device *ferry, unsigned long pages);
bool ferry_reclaim_can_swap(void);

#endif /* _FERRY_RECLAIM_H_ */
