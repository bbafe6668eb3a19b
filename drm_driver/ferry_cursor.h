/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_CURSOR_H_
#define _FERRY_CURSOR_H_

#include <linux/mm.h>

#include <drm/ttm/ttm_tt.h>

#include "ferry_bar.h"
#include "ferry_vram_mgr.h"

struct drm_printer;
struct ferry_bo;

/**
 * struct ferry_cursor - finds the memory of each byte of a BO
 *
 * For one resource and one page array, which must stay valid while the cursor is used. The
 * cursor remembers the last block that it found, so ascending offsets need no search.
 */
struct ferry_cursor {
	/** @bar: the BAR, for addresses in the aperture */
	const struct ferry_bar *bar;
	/** @res: the resource in the aperture, or NULL */
	const struct ferry_vram_resource *res;
	/** @tt: the populated system pages, or NULL; not used if there is @res */
	struct ttm_tt *tt;
	/** @mm: allocator of the blocks of @res */
	struct gpu_buddy *mm;
	/** @block: current block of @res */
	struct gpu_buddy_block *block;
	/** @first: byte offset into the BO where @block begins */
	u64 first;
	/** @end: byte offset into the BO where @block ends; 0 before the first block was found */
	u64 end;
};

void ferry_cursor_init(struct ferry_cursor *cursor, struct ferry_bo *bo,
		       struct ttm_resource *res);
void ferry_cursor_find_block(struct ferry_cursor *cursor, u64 offset);
bool ferry_cursor_is_huge(struct ferry_cursor *cursor, u64 offset);
void ferry_cursor_print_blocks(struct ferry_bo *bo, struct drm_printer *p);

static inline bool ferry_cursor_in_aperture(const struct ferry_cursor *cursor)
{
	return cursor->res;
}

static inline bool ferry_cursor_has_memory(const struct ferry_cursor *cursor)
{
	return cursor->res || cursor->tt;
}

/* Byte offset into the aperture of byte @offset of a BO in the aperture. */
static inline u64 ferry_cursor_seek(struct ferry_cursor *cursor, u64 offset)
{
	if (offset < cursor->first || offset >= cursor->end)
		ferry_cursor_find_block(cursor, offset);

	return gpu_buddy_block_offset(cursor->block) + offset - cursor->first;
}

static inline struct page *ferry_cursor_page(const struct ferry_cursor *cursor, u64 offset)
{
	return cursor->tt->pages[offset >> PAGE_SHIFT];
}

static inline unsigned long ferry_cursor_pfn(struct ferry_cursor *cursor, u64 offset)
{
	if (cursor->res)
		return ferry_bar_pfn(cursor->bar, ferry_cursor_seek(cursor, offset));

	return page_to_pfn(ferry_cursor_page(cursor, offset));
}

/* The CPU reads and writes the aperture like memory, so __iomem is dropped. */
static inline void *ferry_cursor_vaddr(struct ferry_cursor *cursor, u64 offset)
{
	if (cursor->res)
		return (void __force *)ferry_bar_vaddr(cursor->bar,
						       ferry_cursor_seek(cursor, offset));

	return page_address(ferry_cursor_page(cursor, offset)) + offset_in_page(offset);
}

/* End, as a byte offset into the BO, of the contiguous PFN range that @offset is in. */
static inline u64 ferry_cursor_contiguous_end(struct ferry_cursor *cursor, u64 offset)
{
	if (!cursor->res)
		return ALIGN_DOWN(offset, PAGE_SIZE) + PAGE_SIZE;

	ferry_cursor_seek(cursor, offset);
	return cursor->end;
}

#endif /* _FERRY_CURSOR_H_ */
