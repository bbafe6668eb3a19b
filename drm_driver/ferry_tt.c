// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <drm/drm_gem.h>
#include <drm/drm_managed.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_pool.h>
#include <drm/ttm/ttm_tt.h>

#include <kunit/visibility.h>

#include "ferry_compat.h"
#include "ferry_device.h"
#include "ferry_tt.h"

/* Number of pages that one PMD maps */
#define FERRY_TT_HUGE_PAGES (PMD_SIZE >> PAGE_SHIFT)

/**
 * DOC: Kept pages
 *
 * A BO that moves to the aperture keeps its system pages, so that moving it back needs no
 * new ones: neither an eviction nor a suspend has to allocate them, and no page is cleared
 * only to be overwritten. All kept pages together are no larger than the aperture. Their
 * contents are never read again, because a move to system memory writes all of them, and
 * reclaim frees them before anything else.
 *
 * TTM does not know about kept pages. When TTM unpopulates and destroys the ttm_tt of a BO that
 * moves to the aperture, ferry_tt_unpopulate() and ferry_tt_destroy() put it into
 * &ferry_bo.kept instead. When TTM creates a ttm_tt to move the BO back, ferry_tt_take_kept()
 * returns the kept one, and populating it allocates nothing. If that move fails, TTM
 * destroys the ttm_tt again, which puts it back into &ferry_bo.kept.
 */

/**
 * struct ferry_tt - page array of a BO
 */
struct ferry_tt {
	/** @base: TTM's side */
	struct ttm_tt base;
	/** @kept_by: BO in the aperture that keeps the pages when TTM drops them, or NULL */
	struct ferry_bo *kept_by;
	/** @vaddr: kernel address of the pages, or NULL while they are not mapped */
	void *vaddr;
	/** @huge: a bit for each 2 MiB that one PMD can map; valid while populated */
	unsigned long huge[];
};

static struct ferry_tt *to_ferry_tt(struct ttm_tt *tt)
{
	return container_of(tt, struct ferry_tt, base);
}

/*
 * TTM keeps freed write-combining pages in a pool. They count as used memory, but TTM's
 * own shrinker frees them.
 */
static void ferry_tt_count_pages(struct ferry_device *ferry, struct ttm_tt *tt, bool freed)
{
	long pages = freed ? tt->num_pages : -(long)tt->num_pages;
	struct ferry_tt_mgr *mgr = &ferry->tt;

	atomic64_sub(pages, &mgr->system_pages);
	if (FERRY_ESTIMATE_POOLED && tt->caching != ttm_cached &&
	    atomic_long_add_return(pages, &mgr->pooled) < 0)
		atomic_long_set(&mgr->pooled, 0);
}

static void ferry_tt_count_kept(struct ferry_device *ferry, struct ttm_tt *tt, bool kept)
{
	long pages = kept ? tt->num_pages : -(long)tt->num_pages;

	atomic64_add(pages, &ferry->tt.kept_pages);
	atomic64_sub(pages, &ferry->tt.system_pages);
}

/**
 * ferry_tt_array_pages - get the memory that the page array of a BO takes
 * @size: size of the BO in bytes
 *
 * Return: size of the array in pages, rounded down: small arrays are not counted.
 */
unsigned long ferry_tt_array_pages(u64 size)
{
	return (size >> PAGE_SHIFT) * sizeof(struct page *) >> PAGE_SHIFT;
}

static void ferry_tt_count_array(struct ttm_device *ttm, struct ttm_tt *tt, bool freed)
{
	long pages = ferry_tt_array_pages((u64)tt->num_pages << PAGE_SHIFT);

	atomic64_add(freed ? -pages : pages, &ttm_to_ferry_device(ttm)->tt.array_pages);
}

/**
 * ferry_tt_take_kept - take the kept page array of a BO
 * @bo: the BO, reserved
 * @page_flags: TTM_TT_FLAG_* that the array shall have
 *
 * Return: the page array, or NULL if there is none or the BO must read as zeros: the caller
 * overwrites kept pages, and their old contents are not cleared.
 */
struct ttm_tt *ferry_tt_take_kept(struct ferry_bo *bo, u32 page_flags)
{
	struct ttm_tt *tt = bo->kept;

	if (!tt || (page_flags & TTM_TT_FLAG_ZERO_ALLOC))
		return NULL;

	bo->kept = NULL;
	ferry_tt_update_lru(bo);
	return tt;
}

/**
 * ferry_tt_create - create the &struct ttm_tt of a BO
 * @tbo: the TTM BO
 * @bo: the BO that embeds @tbo, reserved; or NULL for a ghost BO
 * @page_flags: TTM_TT_FLAG_*
 *
 * Return: it, without a page array; or NULL if memory is short.
 */
struct ttm_tt *ferry_tt_create(struct ttm_buffer_object *tbo, struct ferry_bo *bo,
			       u32 page_flags)
{
	struct ferry_tt *tt;

	tt = kvzalloc(struct_size(tt, huge, BITS_TO_LONGS(tbo->base.size / PMD_SIZE)),
		      GFP_KERNEL);
	if (!tt)
		return NULL;

	/* As ttm_tt_init(), which also allocates the array. */
	tt->base.num_pages = PAGE_ALIGN(tbo->base.size) >> PAGE_SHIFT;
	tt->base.page_flags = page_flags;
	tt->base.sg = tbo->sg;
	tt->base.caching = ttm_cached;
	if (bo && bo->caching == DRM_FERRY_CACHING_WC)
		tt->base.caching = ttm_write_combined;

	return &tt->base;
}

/**
 * ferry_tt_create_array - allocate the page array, unless it exists
 * @ferry: the device
 * @tt: the &struct ttm_tt
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_tt_create_array(struct ferry_device *ferry, struct ttm_tt *tt)
{
	if (tt->pages)
		return 0;

	tt->pages = kvcalloc(tt->num_pages, sizeof(*tt->pages), GFP_KERNEL);
	if (!tt->pages)
		return -ENOMEM;

	ferry_tt_count_array(&ferry->ttm, tt, false);
	return 0;
}

/**
 * ferry_tt_prepare_drop - let TTM drop the backing store of a BO without allocating memory
 * @bo: the BO, reserved and idle
 *
 * TTM creates a &struct ttm_tt, if the BO has none, before it frees the resource.
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_tt_prepare_drop(struct ferry_bo *bo)
{
	struct ttm_buffer_object *tbo = &bo->base;

	dma_resv_assert_held(tbo->base.resv);

	if (!tbo->ttm)
		tbo->ttm = ferry_tt_create(tbo, bo, TTM_TT_FLAG_ZERO_ALLOC);

	return tbo->ttm ? 0 : -ENOMEM;
}

static bool ferry_tt_pages_are_huge(struct page **pages)
{
	pgoff_t i;

	if (!IS_ALIGNED(page_to_pfn(pages[0]), FERRY_TT_HUGE_PAGES))
		return false;

	for (i = 1; i < FERRY_TT_HUGE_PAGES; i++)
		if (page_to_pfn(pages[i]) != page_to_pfn(pages[0]) + i)
			return false;

	return true;
}

/**
 * ferry_tt_has_kept - check if a page array has kept pages
 * @tt: the page array, not populated
 *
 * Return: true if populating it allocates nothing.
 */
bool ferry_tt_has_kept(struct ttm_tt *tt)
{
	return to_ferry_tt(tt)->kept_by;
}

/**
 * ferry_tt_reuse_kept - populate a page array with its kept pages
 * @ferry: the device
 * @tt: the page array
 *
 * Return: true if the array had kept pages.
 */
bool ferry_tt_reuse_kept(struct ferry_device *ferry, struct ttm_tt *tt)
{
	if (!ferry_tt_has_kept(tt))
		return false;

	ferry_tt_count_kept(ferry, tt, false);
	return true;
}

/**
 * ferry_tt_populate - allocate the pages of a page array, and the array if it does not exist
 * @ferry: the device
 * @tt: the &struct ttm_tt, without kept pages
 * @ctx: TTM's context
 *
 * Also determines which parts one PMD can map, to make page faults cheaper.
 *
 * Return: 0, -ENOMEM, -EINTR or -ERESTARTSYS.
 */
int ferry_tt_populate(struct ferry_device *ferry, struct ttm_tt *tt,
		      struct ttm_operation_ctx *ctx)
{
	pgoff_t i;
	int ret;

	ret = ferry_tt_create_array(ferry, tt);
	if (ret)
		return ret;

	ret = ttm_pool_alloc(&ferry->ttm.pool, tt, ctx);
	/* set_pages_array_wc() returns -EINVAL if it lacks memory to track the pages */
	if (ret == -EINVAL)
		ret = -ENOMEM;
	if (ret)
		return ret;

	ferry_tt_count_pages(ferry, tt, false);
	for (i = 0; i < tt->num_pages / FERRY_TT_HUGE_PAGES; i++)
		__assign_bit(i, to_ferry_tt(tt)->huge,
			     ferry_tt_pages_are_huge(&tt->pages[i * FERRY_TT_HUGE_PAGES]));

	return 0;
}

/**
 * ferry_tt_unpopulate - free or keep the pages of a page array
 * @ttm: TTM's device
 * @tt: the page array, populated
 */
void ferry_tt_unpopulate(struct ttm_device *ttm, struct ttm_tt *tt)
{
	struct ferry_device *ferry = ttm_to_ferry_device(ttm);

	if (to_ferry_tt(tt)->kept_by) {
		ferry_tt_count_kept(ferry, tt, true);
		return;
	}

	vunmap(to_ferry_tt(tt)->vaddr);
	to_ferry_tt(tt)->vaddr = NULL;
	ttm_pool_free(&ttm->pool, tt);
	ferry_tt_count_pages(ferry, tt, true);
}

/**
 * ferry_tt_destroy - free or keep a page array
 * @ttm: TTM's device
 * @tt: the page array, unpopulated
 */
void ferry_tt_destroy(struct ttm_device *ttm, struct ttm_tt *tt)
{
	struct ferry_bo *bo = to_ferry_tt(tt)->kept_by;

	if (bo) {
		bo->kept = tt;
		ferry_tt_update_lru(bo);
		return;
	}

	if (tt->pages)
		ferry_tt_count_array(ttm, tt, true);
	ttm_tt_fini(tt);
	kvfree(to_ferry_tt(tt));
}

/**
 * ferry_tt_map - map the system pages of a BO into kernel addresses
 * @bo: the BO, reserved, in system memory and populated
 *
 * The mapping stays until the pages are freed: a framebuffer that is copied is mapped again for
 * each frame, which would take longer than to copy a small part of it.
 *
 * Return: the address of the first page, or NULL if memory is short.
 */
void *ferry_tt_map(struct ferry_bo *bo)
{
	struct ttm_tt *ttm = bo->base.ttm;
	struct ferry_tt *tt = to_ferry_tt(ttm);

	dma_resv_assert_held(bo->base.base.resv);

	if (!tt->vaddr)
		tt->vaddr = vmap(ttm->pages, ttm->num_pages, 0,
				 ttm_io_prot(&bo->base, bo->base.resource, PAGE_KERNEL));
	return tt->vaddr;
}

/**
 * ferry_tt_is_huge - check if one PMD can map 2 MiB of a page array
 * @tt: the page array, populated
 * @page: index of the first page; the array has 2 MiB from there on
 *
 * Return: true if the pages are one contiguous, aligned PFN range. Known only for multiples
 * of 2 MiB, false for all other indices.
 */
bool ferry_tt_is_huge(struct ttm_tt *tt, pgoff_t page)
{
	return IS_ALIGNED(page, FERRY_TT_HUGE_PAGES) &&
	       test_bit(page / FERRY_TT_HUGE_PAGES, to_ferry_tt(tt)->huge);
}

/**
 * ferry_tt_drop_kept - free the kept pages of a BO
 * @bo: the BO, reserved or in its final release; idle, since a job may still read the pages
 *
 * Return: true if the BO had kept pages.
 */
bool ferry_tt_drop_kept(struct ferry_bo *bo)
{
	struct ttm_device *ttm = bo->base.bdev;
	struct ttm_tt *tt = bo->kept;

	if (!tt)
		return false;

	bo->kept = NULL;
	ferry_tt_update_lru(bo);
	ferry_tt_count_kept(ttm_to_ferry_device(ttm), tt, false);
	to_ferry_tt(tt)->kept_by = NULL;
	ferry_tt_unpopulate(ttm, tt);
	ferry_tt_destroy(ttm, tt);
	return true;
}

/**
 * ferry_tt_set_keep - set whether a BO keeps its pages when TTM drops them
 * @bo: the BO, reserved, with populated pages
 * @keep: true if the BO is idle and moves to the aperture, false if it has left it
 */
void ferry_tt_set_keep(struct ferry_bo *bo, bool keep)
{
	dma_resv_assert_held(bo->base.base.resv);

	/* A BO whose contents were discarded in the aperture still has its old kept pages. */
	if (keep)
		ferry_tt_drop_kept(bo);
	to_ferry_tt(bo->base.ttm)->kept_by = keep ? bo : NULL;
}

/**
 * ferry_tt_update_lru - move a BO to the tail of the LRU list that it belongs to
 * @bo: the BO, reserved
 */
void ferry_tt_update_lru(struct ferry_bo *bo)
{
	struct ferry_tt_mgr *mgr = &ferry_bo_device(bo)->tt;

	if (bo->kept)
		ferry_compat_gem_lru_move(&mgr->kept, &bo->base.base, &mgr->lock);
	else if (bo->madv == DRM_FERRY_MADV_DONTNEED)
		ferry_compat_gem_lru_move(&mgr->purgeable, &bo->base.base, &mgr->lock);
	else
		ferry_tt_remove_lru(bo);
}

/**
 * ferry_tt_remove_lru - remove a BO from the LRU lists of the shrinker
 * @bo: the BO, reserved or in its final release
 */
void ferry_tt_remove_lru(struct ferry_bo *bo)
{
	struct ferry_tt_mgr *mgr = &ferry_bo_device(bo)->tt;

	if (READ_ONCE(bo->base.base.lru))
		ferry_compat_gem_lru_move(&mgr->unlisted, &bo->base.base, &mgr->lock);
}

static void ferry_tt_fini(struct drm_device *drm, void *arg)
{
	struct ferry_tt_mgr *mgr = arg;

	mutex_destroy(&mgr->lock);
}

/**
 * ferry_tt_init - initialize the lists of BOs that reclaim can free pages of
 * @ferry: the device, without TTM: the lists exist until TTM has released the last BO
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_tt_init(struct ferry_device *ferry)
{
	struct ferry_tt_mgr *mgr = &ferry->tt;

	mutex_init(&mgr->lock);
	ferry_compat_gem_lru_init(&mgr->purgeable, &mgr->lock);
	ferry_compat_gem_lru_init(&mgr->kept, &mgr->lock);
	ferry_compat_gem_lru_init(&mgr->unlisted, &mgr->lock);
	return drmm_add_action_or_reset(&ferry->drm, ferry_tt_fini, mgr);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_tt_init);
