// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <drm/drm_print.h>

#include <kunit/visibility.h>

#include "ferry_cursor.h"
#include "ferry_device.h"
#include "ferry_tt.h"

/**
 * ferry_cursor_init - point a cursor at the memory of a BO
 * @cursor: the cursor
 * @bo: the BO, reserved
 * @res: the BO's resource, or the one that it moves to; NULL for a BO without backing store
 *
 * With a resource in system memory the cursor finds the BO's pages, if it is populated.
 * Else ferry_cursor_has_memory() is false.
 */
void ferry_cursor_init(struct ferry_cursor *cursor, struct ferry_bo *bo,
		       struct ttm_resource *res)
{
	struct ferry_device *ferry = ferry_bo_device(bo);
	struct ttm_tt *tt = bo->base.ttm;

	*cursor = (struct ferry_cursor) { .bar = &ferry->bar };
	if (ferry_vram_mgr_owns(res)) {
		cursor->res = to_ferry_vram_resource(res);
		cursor->mm = &ferry->vram_mgr.mm;
	} else if (tt && ttm_tt_is_populated(tt)) {
		cursor->tt = tt;
	}
}
EXPORT_SYMBOL_IF_KUNIT(ferry_cursor_init);

/**
 * ferry_cursor_find_block - find the block of a byte
 * @cursor: the cursor, of a BO in the aperture
 * @offset: byte offset into the BO, less than its size
 */
void ferry_cursor_find_block(struct ferry_cursor *cursor, u64 offset)
{
	if (!cursor->block || offset < cursor->first) {
		cursor->block = list_first_entry(&cursor->res->blocks,
						 struct gpu_buddy_block, link);
		cursor->first = 0;
		cursor->end = gpu_buddy_block_size(cursor->mm, cursor->block);
	}
	while (offset >= cursor->end) {
		cursor->block = list_next_entry(cursor->block, link);
		cursor->first = cursor->end;
		cursor->end += gpu_buddy_block_size(cursor->mm, cursor->block);
	}
}
EXPORT_SYMBOL_IF_KUNIT(ferry_cursor_find_block);

/**
 * ferry_cursor_is_huge - check if one PMD can map 2 MiB of a BO
 * @cursor: the cursor, of a BO with memory
 * @offset: byte offset into the BO, a multiple of the page size
 *
 * Return: true if the 2 MiB from @offset on are inside the BO and are one contiguous PFN
 * range that is aligned to 2 MiB.
 */
bool ferry_cursor_is_huge(struct ferry_cursor *cursor, u64 offset)
{
	const u64 size = cursor->res ? cursor->res->base.size :
				       (u64)cursor->tt->num_pages << PAGE_SHIFT;

	if (offset + PMD_SIZE > size)
		return false;
	if (!cursor->res)
		return ferry_tt_is_huge(cursor->tt, offset >> PAGE_SHIFT);

	return IS_ALIGNED(ferry_cursor_pfn(cursor, offset), PMD_SIZE >> PAGE_SHIFT) &&
	       cursor->end >= offset + PMD_SIZE;
}

/**
 * ferry_cursor_print_blocks - print the blocks of a BO for debugfs
 * @bo: the BO, reserved and in the aperture
 * @p: printer
 *
 * Prints OFFSET+SIZE, in bytes, for each block.
 */
void ferry_cursor_print_blocks(struct ferry_bo *bo, struct drm_printer *p)
{
	struct ferry_cursor cursor;
	u64 offset = 0, at;

	ferry_cursor_init(&cursor, bo, bo->base.resource);
	while (offset < bo->base.base.size) {
		at = ferry_cursor_seek(&cursor, offset);
		drm_printf(p, "%s0x%llx+0x%llx", offset ? "," : "", at, cursor.end - offset);
		offset = cursor.end;
	}
}
