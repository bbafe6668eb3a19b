/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_VRAM_MGR_H_
#define _FERRY_VRAM_MGR_H_

#include <linux/atomic.h>
#include <linux/mutex.h>

#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>

#include "ferry_compat.h"

struct ferry_bo;
struct ferry_device;

/* TTM's memory type for the aperture */
#define FERRY_PL_APERTURE TTM_PL_VRAM

/**
 * struct ferry_vram_mgr - allocator of the aperture
 */
struct ferry_vram_mgr {
	/** @base: TTM's side */
	struct ttm_resource_manager base;
	/** @mm: the buddy allocator, in byte offsets into the aperture */
	struct gpu_buddy mm;
	/**
	 * @lock: protects @mm and &ferry_vram_resource.users. dma_resv cannot: allocations for
	 * different BOs run concurrently. The allocator allocates memory under it, so direct
	 * reclaim, and with it &ferry_tt_mgr.lock, nest inside.
	 */
	struct mutex lock;
	/** @blocked: allocations fail because the device does not work; protected by @lock */
	bool blocked;
	/** @unevictable: bytes held by pinned or aperture-only BOs and by reserved ranges */
	atomic64_t unevictable;
	/** @aperture_only: total size of aperture-only BOs, wherever they reside */
	atomic64_t aperture_only;
};

/**
 * struct ferry_vram_range - space in the aperture that the driver keeps for itself
 */
struct ferry_vram_range {
	/** @blocks: blocks of the allocator; empty if the range is not reserved */
	struct list_head blocks;
	/** @size: bytes */
	u64 size;
};

/**
 * struct ferry_vram_resource - space in the aperture, held by one BO
 */
struct ferry_vram_resource {
	/** @base: TTM's side; its start is the first page, or 0 if the blocks are scattered */
	struct ttm_resource base;
	/** @blocks: blocks in the order of the BO's bytes */
	struct list_head blocks;
	/**
	 * @users: TTM, until it frees the resource, and the DMA mappings of importers; the last
	 * one frees @blocks. Protected by &ferry_vram_mgr.lock
	 */
	unsigned int users;
	/** @contiguous: @blocks follow each other without a gap */
	bool contiguous;
	/** @unevictable: counted in &ferry_vram_mgr.unevictable for as long as it exists */
	bool unevictable;
};

static inline struct ferry_vram_resource *
to_ferry_vram_resource(struct ttm_resource *res)
{
	return container_of(res, struct ferry_vram_resource, base);
}

/* @res may be NULL: a BO without backing store. */
static inline bool ferry_vram_mgr_owns(const struct ttm_resource *res)
{
	return res && res->mem_type == FERRY_PL_APERTURE;
}

void ferry_vram_mgr_set_blocked(struct ferry_vram_mgr *mgr, bool blocked);
int ferry_vram_mgr_init(struct ferry_device *ferry);
void ferry_vram_mgr_hold(struct ferry_vram_mgr *mgr, struct ferry_vram_resource *vres);
void ferry_vram_mgr_drop(struct ferry_vram_mgr *mgr, struct ferry_vram_resource *vres);
int ferry_vram_mgr_reserve(struct ferry_vram_mgr *mgr, u64 start, u64 end,
			   struct ferry_vram_range *range);
void ferry_vram_mgr_release(struct ferry_vram_mgr *mgr, struct ferry_vram_range *range);
u64 ferry_vram_mgr_free_bytes(struct ferry_vram_mgr *mgr);
bool ferry_vram_mgr_is_unevictable(const struct ferry_bo *bo);
void ferry_vram_mgr_account_pin(struct ferry_bo *bo);
void ferry_vram_mgr_unaccount_pin(struct ferry_bo *bo);
int ferry_vram_mgr_account_only(struct ferry_device *ferry, u64 size);
void ferry_vram_mgr_unaccount_only(struct ferry_device *ferry, u64 size);
void ferry_vram_mgr_print(struct ferry_vram_mgr *mgr, struct drm_printer *p);

#endif /* _FERRY_VRAM_MGR_H_ */
