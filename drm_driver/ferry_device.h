/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_DEVICE_H_
#define _FERRY_DEVICE_H_

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include <drm/drm_crtc.h>
#include <drm/drm_device.h>
#include <drm/drm_encoder.h>
#include <drm/drm_gem.h>
#include <drm/drm_plane.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>

#include "ferry_bar.h"
#include "ferry_compose.h"
#include "ferry_connector.h"
#include "ferry_crc.h"
#include "ferry_dispi.h"
#include "ferry_dumb.h"
#include "ferry_scanout.h"
#include "ferry_shrinker.h"
#include "ferry_tt.h"
#include "ferry_vblank.h"
#include "ferry_vram_mgr.h"

struct dma_buf;
struct workqueue_struct;

/**
 * struct ferry_stats - counters of a device since the driver probed it
 *
 * Counters only ever grow, except @bos and @scanout_bytes. They are read without a lock.
 */
struct ferry_stats {
	/** @bos: number of BOs that exist */
	atomic64_t bos;
	/** @moves_to_aperture: moves from system memory to the aperture */
	atomic64_t moves_to_aperture;
	/** @moves_to_system: moves from the aperture to system memory */
	atomic64_t moves_to_system;
	/** @moves_within: moves inside the aperture, to make a BO contiguous */
	atomic64_t moves_within;
	/** @bytes_to_aperture: bytes copied or cleared by @moves_to_aperture */
	atomic64_t bytes_to_aperture;
	/** @bytes_to_system: bytes copied by @moves_to_system */
	atomic64_t bytes_to_system;
	/** @move_ns_to_aperture: nanoseconds spent in copies of @moves_to_aperture */
	atomic64_t move_ns_to_aperture;
	/** @move_ns_to_system: nanoseconds spent in copies of @moves_to_system */
	atomic64_t move_ns_to_system;
	/** @evictions: moves to system memory that freed space for another BO */
	atomic64_t evictions;
	/** @purged: BOs whose contents were dropped after DRM_FERRY_MADV_DONTNEED */
	atomic64_t purged;
	/** @flips: frames of the display that were shown without a copy */
	atomic64_t flips;
	/** @copied_bytes: bytes of frames that were copied to the scanout buffer */
	atomic64_t copied_bytes;
	/** @scanout_bytes: bytes of scanout buffers that exist */
	atomic64_t scanout_bytes;
	/** @faults: page faults handled */
	atomic64_t faults;
	/** @fault_pages: pages mapped by @faults */
	atomic64_t fault_pages;
	/** @faults_2m: faults that inserted one PMD of 2 MiB */
	atomic64_t faults_2m;
	/** @faults_oom: faults that failed to allocate memory */
	atomic64_t faults_oom;
};

/**
 * struct ferry_kms - the display of a device with DISPI registers
 */
struct ferry_kms {
	/** @plane: the one primary plane */
	struct drm_plane plane;
	/** @cursor: the one cursor plane */
	struct drm_plane cursor;
	/** @crtc: the one CRTC */
	struct drm_crtc crtc;
	/** @encoder: the one encoder */
	struct drm_encoder encoder;
	/** @connector: the one connector */
	struct ferry_connector connector;
	/** @vblank: the vblank timer */
	struct ferry_vblank vblank;
	/** @dispi: the registers */
	struct ferry_dispi dispi;
	/** @scanout: the memory that the display reads */
	struct ferry_scanout scanout;
	/** @crc: checksums of frames */
	struct ferry_crc crc;
	/** @dumb: where dumb buffers are placed */
	struct ferry_dumb dumb;
	/** @compose: copies frames that cannot be scanned out */
	struct ferry_compose compose;
};

/**
 * struct ferry_device - a device that ferry drives
 */
struct ferry_device {
	/** @drm: base: the DRM device */
	struct drm_device drm;
	/** @ttm: TTM's device */
	struct ttm_device ttm;
	/** @bar: the memory BAR */
	struct ferry_bar bar;
	/** @vram_mgr: allocator of the aperture */
	struct ferry_vram_mgr vram_mgr;
	/** @tt: LRU lists of the shrinker, and counters of pages */
	struct ferry_tt_mgr tt;
	/** @shrinker: frees system memory of BOs under memory pressure */
	struct ferry_shrinker shrinker;
	/** @kms: the display, or NULL if the device has none */
	struct ferry_kms *kms;
	/** @jobs_wq: runs the copies of asynchronous moves */
	struct workqueue_struct *jobs_wq;
	/** @jobs: number of jobs that were started and have not ended */
	atomic_t jobs;
	/** @jobs_lock: protects @jobs_list and @jobs_cut; locks of fences nest inside */
	spinlock_t jobs_lock;
	/** @jobs_list: jobs that were started and do not run yet */
	struct list_head jobs_list;
	/** @jobs_cut: jobs do not wait for fences of others, see ferry_job_cut() */
	bool jobs_cut;
	/** @pending_wait: ioctls that wait for &ferry_client.pending to decrease */
	wait_queue_head_t pending_wait;
	/** @scanout_pins: number of pins held by framebuffers of the display's states */
	atomic_t scanout_pins;
	/** @bos_lock: protects @bos; no other lock is held or taken with it */
	spinlock_t bos_lock;
	/** @bos: BOs that TTM has initialized and whose final release has not begun */
	struct list_head bos;
	/** @stats: counters for debugfs */
	struct ferry_stats stats;
};

/**
 * struct ferry_bo - a buffer object
 *
 * Lives from ferry_gem_create() to the last reference of its GEM object.
 */
struct ferry_bo {
	/** @base: TTM's BO, which embeds the GEM object; first, see ferry_fault.c */
	struct ttm_buffer_object base;
	/** @node: in &ferry_device.bos; empty until creation has succeeded */
	struct list_head node;
	/** @allowed_placements: mask of DRM_FERRY_PLACEMENT_*; constant */
	u32 allowed_placements;
	/** @caching: DRM_FERRY_CACHING_* of system pages; constant */
	u32 caching;
	/** @flags: mask of DRM_FERRY_BO_*; constant */
	u32 flags;
	/** @no_space: the last allocation in the aperture found no space; protected by dma_resv */
	bool no_space;
	/** @shared: the BO is or was exported as a dma-buf; protected by dma_resv */
	bool shared;
	/** @dma_buf: dma-buf of the BO, without a reference, or NULL; protected by dma_resv */
	struct dma_buf *dma_buf;
	/** @dma_mappings: DMA mappings that importers hold; protected by dma_resv */
	struct list_head dma_mappings;
	/** @dma_pins: number of pins for importers; protected by dma_resv */
	unsigned int dma_pins;
	/** @madv: DRM_FERRY_MADV_*; protected by dma_resv */
	u32 madv;
	/** @reported: placement that fdinfo has reported last, or 0; a hint, without a lock */
	u32 reported;
	/** @starved_since: jiffies of the first of repeated page faults without memory, or 0 */
	unsigned long starved_since;
	/** @starved_last: jiffies of the last of them; both protected by dma_resv */
	unsigned long starved_last;
	/** @kept: kept pages of a BO in the aperture, or NULL; protected by dma_resv */
	struct ttm_tt *kept;
};

static inline struct ferry_device *to_ferry_device(struct drm_device *drm)
{
	return container_of(drm, struct ferry_device, drm);
}

static inline struct ferry_device *ttm_to_ferry_device(struct ttm_device *ttm)
{
	return container_of(ttm, struct ferry_device, ttm);
}

/* For a TTM BO that is known to be embedded in a &struct ferry_bo; else ferry_bo_from_ttm(). */
static inline struct ferry_bo *ttm_to_ferry_bo(struct ttm_buffer_object *tbo)
{
	return container_of(tbo, struct ferry_bo, base);
}

static inline struct ferry_bo *gem_to_ferry_bo(struct drm_gem_object *obj)
{
	return container_of(obj, struct ferry_bo, base.base);
}

static inline struct ferry_device *ferry_bo_device(const struct ferry_bo *bo)
{
	return ttm_to_ferry_device(bo->base.bdev);
}

#endif /* _FERRY_DEVICE_H_ */
