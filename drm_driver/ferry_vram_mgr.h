/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_VRAM_MGR_H_
#define _FERRY_VRAM_MGR_H_

#include <linux/atomic.h>
#include <linux/gpu_buddy.h>
#include <linux/mutex.h>

#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>

struct ferry_device;

/* TTM's name of the aperture */
#define FERRY_PL_APERTURE TTM_PL_VRAM

/**
 * struct ferry_vram_mgr - allocator of the aperture
 */
struct ferry_vram_mgr {
	/** @base: TTM's side */
	struct ttm_resource_manager base;
	/** @mm: the allocator, in byte offsets into the aperture */
	struct gpu_buddy mm;
	/**
	 * @lock: protects @mm. dma_resv cannot: allocations for different BOs
	 * run at the same time. Innermost lock of all.
	 */
	struct mutex lock;
	/** @fixed: bytes held by BOs that no eviction can move: pinned, or at home nowhere else */
	atomic64_t fixed;
	/** @home: bytes of all BOs that may be nowhere else, wherever they are now */
	atomic64_t home;
};

/**
 * struct ferry_vram_resource - a piece of the aperture, held by one BO
 */
struct ferry_vram_resource {
	/** @base: TTM's side; its start is the first page, or 0 if scattered */
	struct ttm_resource base;
	/** @blocks: blocks in the order of the BO's bytes */
	struct list_head blocks;
	/** @contiguous: @blocks follow each other without a gap */
	bool contiguous;
	/** @fixed: counted in &ferry_vram_mgr.fixed for as long as it exists */
	bool fixed;
};

/**
 * struct ferry_vram_cursor - walks over the blocks of a resource
 *
 * Remembers where it was, so that going on upwards costs nothing.
 */
struct ferry_vram_cursor {
	/** @res: the resource */
	const struct ferry_vram_resource *res;
	/** @mm: the allocator that its blocks are of */
	struct gpu_buddy *mm;
	/** @block: current block */
	struct gpu_buddy_block *block;
	/** @first: byte offset into the BO where @block begins */
	u64 first;
	/** @end: byte offset into the BO where @block ends */
	u64 end;
};

static inline struct ferry_vram_resource *
to_ferry_vram_resource(struct ttm_resource *res)
{
	return container_of(res, struct ferry_vram_resource, base);
}

int ferry_vram_mgr_init(struct ferry_device *ferry);
u64 ferry_vram_mgr_free_bytes(struct ferry_vram_mgr *mgr);
void ferry_vram_mgr_print(struct ferry_vram_mgr *mgr, struct drm_printer *p);
void ferry_vram_mgr_print_blocks(struct ttm_resource *res, struct drm_printer *p);
void ferry_vram_cursor_init(struct ferry_vram_cursor *cursor, struct ttm_resource *res);
u64 ferry_vram_cursor_seek(struct ferry_vram_cursor *cursor, u64 offset);

#endif /* _FERRY_VRAM_MGR_H_ */
