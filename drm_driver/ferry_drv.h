/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_DRV_H_
#define _FERRY_DRV_H_

#include <linux/atomic.h>

#include <drm/drm_device.h>
#include <drm/ttm/ttm_device.h>

#include "ferry_bar.h"
#include "ferry_reclaim.h"
#include "ferry_vram_mgr.h"

struct ferry_kms;
struct workqueue_struct;

/**
 * struct ferry_stats - what the device has done since it was probed
 *
 * Counters only ever grow, but for @bos, @system_pages and @kept_pages. They are read
 * without a lock.
 */
struct ferry_stats {
	/** @bos: BOs that exist now */
	atomic64_t bos;
	/** @moves_to_aperture: moves from system memory to the aperture */
	atomic64_t moves_to_aperture;
	/** @moves_to_system: moves from the aperture to system memory */
	atomic64_t moves_to_system;
	/** @moves_within: moves inside the aperture, to make a BO contiguous */
	atomic64_t moves_within;
	/** @bytes_to_aperture: bytes moved or cleared by @moves_to_aperture */
	atomic64_t bytes_to_aperture;
	/** @bytes_to_system: bytes moved by @moves_to_system */
	atomic64_t bytes_to_system;
	/** @move_ns_to_aperture: nanoseconds spent in copies of @moves_to_aperture */
	atomic64_t move_ns_to_aperture;
	/** @move_ns_to_system: nanoseconds spent in copies of @moves_to_system */
	atomic64_t move_ns_to_system;
	/** @evictions: moves down that made room for another BO */
	atomic64_t evictions;
	/** @purged: BOs whose contents were dropped, because nobody needed them */
	atomic64_t purged;
	/** @system_pages: pages of system memory that BOs hold now, but for @kept_pages */
	atomic64_t system_pages;
	/** @kept_pages: pages that BOs in the aperture keep for their way down */
	atomic64_t kept_pages;
	/** @faults: page faults handled */
	atomic64_t faults;
	/** @fault_pages: pages mapped by them */
	atomic64_t fault_pages;
	/** @faults_2m: faults that ended with one 2 MiB entry */
	atomic64_t faults_2m;
	/** @faults_oom: faults that found no memory */
	atomic64_t faults_oom;
};

/**
 * struct ferry_device - a device that ferry drives
 */
struct ferry_device {
	/** @drm: base */
	struct drm_device drm;
	/** @ttm: TTM's half of the memory manager */
	struct ttm_device ttm;
	/** @aperture: the memory BAR */
	struct ferry_bar bar;
	/** @vram_mgr: who is where in the aperture */
	struct ferry_vram_mgr vram_mgr;
	/** @kms: the display, or NULL if the device has none */
	struct ferry_kms *kms;
	/** @jobs_wq: carries the bytes of migrations that nobody waits for */
	struct workqueue_struct *jobs_wq;
	/** @jobs: jobs that were started and have not ended */
	atomic_t jobs;
	/** @reclaim: what memory pressure can take */
	struct ferry_reclaim reclaim;
	/** @scanout_pins: pins held by framebuffers on screen or on their way there */
	atomic_t scanout_pins;
	/**
	 * @discard: contents of the aperture cannot be saved any more: 1 drops those of BOs
	 * that have no pages to go to, 2 all
	 */
	unsigned int discard;
	/** @stats: counters for debugfs */
	struct ferry_stats stats;
};

static inline struct ferry_device *to_ferry_device(struct drm_device *drm)
{
	return container_of(drm, struct ferry_device, drm);
}

static inline struct ferry_device *ttm_to_ferry_device(struct ttm_device *ttm)
{
	return container_of(ttm, struct ferry_device, ttm);
}

#endif /* _FERRY_DRV_H_ */
