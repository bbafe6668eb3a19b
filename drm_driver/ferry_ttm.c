// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <drm/drm_gem.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_pool.h>
#include <drm/ttm/ttm_tt.h>

#include <kunit/visibility.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_drv.h"
#include "ferry_kms.h"
#include "ferry_migrate.h"
#include "ferry_reclaim.h"
#include "ferry_ttm.h"

/* How often to try what has to be done */
#define FERRY_TTM_TRIES 10

/* Pages of a 2 MiB entry */
#define FERRY_TTM_RUN (PMD_SIZE >> PAGE_SHIFT)

/**
 * DOC: Kept pages
 *
 * A BO that goes up keeps its system pages, so its way down needs no new ones: neither an
 * eviction nor a suspend has to find them, and nothing is allocated and cleared only to
 * be written over. They are a cache no larger than the aperture: their bytes are never
 * read again, a move down writes all of them, and memory pressure takes them before
 * anything else.
 *
 * TTM knows nothing of it. When it drops the pages of a BO that is in the aperture, its
 * callbacks put them aside, and when it asks for pages to move the BO down to, it gets
 * them back. If such a move fails they are put aside again.
 */

/**
 * struct ferry_tt - system pages of a BO
 */
struct ferry_tt {
	/** @base: TTM's side */
	struct ttm_tt base;
	/** @keeper: the BO, in the aperture, that keeps the pages when TTM drops them, or NULL */
	struct ferry_bo *keeper;
	/** @runs: a bit for each 2 MiB: its pages are one aligned run; while populated */
	unsigned long runs[];
};

static struct ferry_tt *to_ferry_tt(struct ttm_tt *tt)
{
	return container_of(tt, struct ferry_tt, base);
}

static struct ttm_tt *ferry_ttm_tt_create(struct ttm_buffer_object *tbo, u32 page_flags)
{
	struct ferry_bo *bo = ttm_to_ferry_bo(tbo);
	enum ttm_caching caching = ttm_cached;
	struct ferry_tt *tt;

	/* what a move will write over; what shall read as zeros must be new */
	if (bo->kept && !(page_flags & TTM_TT_FLAG_ZERO_ALLOC)) {
		tt = to_ferry_tt(bo->kept);
		bo->kept = NULL;
		ferry_reclaim_sort(bo);
		return &tt->base;
	}

	if (bo->caching == DRM_FERRY_CACHING_WC)
		caching = ttm_write_combined;

	tt = kvzalloc(struct_size(tt, runs, BITS_TO_LONGS(tbo->base.size / PMD_SIZE)),
		      GFP_KERNEL);
	if (!tt)
		return NULL;

	if (ttm_tt_init(&tt->base, tbo, page_flags, caching, 0)) {
		kvfree(tt);
		return NULL;
	}

	return &tt->base;
}

static bool ferry_ttm_pages_run(struct page **pages)
{
	pgoff_t i;

	if (!IS_ALIGNED(page_to_pfn(pages[0]), FERRY_TTM_RUN))
		return false;

	for (i = 1; i < FERRY_TTM_RUN; i++)
		if (page_to_pfn(pages[i]) != page_to_pfn(pages[0]) + i)
			return false;

	return true;
}

/* Finds out once what each fault would have to find out again. */
static int ferry_ttm_tt_populate(struct ttm_device *ttm, struct ttm_tt *tt,
				 struct ttm_operation_ctx *ctx)
{
	struct ferry_device *ferry = ttm_to_ferry_device(ttm);
	pgoff_t run;
	int ret;

	if (to_ferry_tt(tt)->keeper) {
		ferry_reclaim_count_kept(ferry, tt, false);
		return 0;
	}

	ret = ferry_reclaim_make_room(ferry, tt->num_pages);
	if (ret)
		return ret;

	ret = ttm_pool_alloc(&ttm->pool, tt, ctx);
	/* so set_pages_array_wc() says that there is no memory for its bookkeeping */
	if (ret == -EINVAL)
		ret = -ENOMEM;
	if (ret)
		return ret;

	ferry_reclaim_count_pages(ferry, tt, false);

	for (run = 0; run < tt->num_pages / FERRY_TTM_RUN; run++)
		__assign_bit(run, to_ferry_tt(tt)->runs,
			     ferry_ttm_pages_run(&tt->pages[run * FERRY_TTM_RUN]));

	return 0;
}

static void ferry_ttm_tt_unpopulate(struct ttm_device *ttm, struct ttm_tt *tt)
{
	struct ferry_device *ferry = ttm_to_ferry_device(ttm);

	if (to_ferry_tt(tt)->keeper) {
		ferry_reclaim_count_kept(ferry, tt, true);
		return;
	}

	ttm_pool_free(&ttm->pool, tt);
	ferry_reclaim_count_pages(ferry, tt, true);
}

/**
 * ferry_ttm_is_run - can one huge entry map these pages?
 * @tt: populated pages of a BO
 * @page: the first of 2 MiB of pages that the BO has
 *
 * Return: true if they are one run, aligned to its size. Only runs that begin at a
 * multiple of 2 MiB of the BO are known.
 */
bool ferry_ttm_is_run(struct ttm_tt *tt, pgoff_t page)
{
	return IS_ALIGNED(page, FERRY_TTM_RUN) &&
	       test_bit(page / FERRY_TTM_RUN, to_ferry_tt(tt)->runs);
}

static void ferry_ttm_tt_destroy(struct ttm_device *ttm, struct ttm_tt *tt)
{
	struct ferry_bo *keeper = to_ferry_tt(tt)->keeper;

	if (keeper) {
		keeper->kept = tt;
		ferry_reclaim_sort(keeper);
		return;
	}

	ttm_tt_fini(tt);
	kvfree(to_ferry_tt(tt));
}

/**
 * ferry_ttm_drop_kept - free the pages that a BO in the aperture keeps
 * @bo: the BO, reserved or at its end, and idle: a job may read them else
 *
 * Return: true if it had any.
 */
bool ferry_ttm_drop_kept(struct ferry_bo *bo)
{
	struct ttm_device *ttm = bo->base.bdev;
	struct ttm_tt *tt = bo->kept;

	if (!tt)
		return false;

	bo->kept = NULL;
	ferry_reclaim_sort(bo);
	ferry_reclaim_count_kept(ttm_to_ferry_device(ttm), tt, false);
	to_ferry_tt(tt)->keeper = NULL;
	ferry_ttm_tt_unpopulate(ttm, tt);
	ferry_ttm_tt_destroy(ttm, tt);
	return true;
}

/**
 * ferry_ttm_keep - say whether a BO keeps its pages when TTM drops them
 * @bo: the BO, reserved, with populated pages
 * @keep: it goes to the aperture and is idle; false: it has left it
 */
void ferry_ttm_keep(struct ferry_bo *bo, bool keep)
{
	dma_resv_assert_held(bo->base.base.resv);

	/* of before its contents were lost */
	if (keep)
		ferry_ttm_drop_kept(bo);
	to_ferry_tt(bo->base.ttm)->keeper = keep ? bo : NULL;
}

static bool ferry_ttm_eviction_valuable(struct ttm_buffer_object *tbo,
					const struct ttm_place *place)
{
	struct ferry_bo *bo = ttm_to_ferry_bo(tbo);

	if (ferry_bo_is_ghost(tbo))
		return ttm_bo_eviction_valuable(tbo, place);
	/* what may be in the aperture only has nowhere to go */
	if (!(bo->allowed_placements & DRM_FERRY_PLACEMENT_SYSTEM))
		return false;
	/* out of system memory there is only swap; and what can be purged is not kept */
	if (place->mem_type == TTM_PL_SYSTEM &&
	    (bo->madv != DRM_FERRY_MADV_WILLNEED || !ferry_reclaim_can_swap()))
		return false;

	return ttm_bo_eviction_valuable(tbo, place);
}

static void ferry_ttm_evict_flags(struct ttm_buffer_object *tbo,
				  struct ttm_placement *placement)
{
	static const struct ttm_place system = { .mem_type = TTM_PL_SYSTEM };
	struct ferry_bo *bo = ttm_to_ferry_bo(tbo);

	placement->num_placement = 1;
	placement->placement = &system;

	/* no placement at all tells TTM to drop the contents; who keeps pages needs no others */
	if (ttm_to_ferry_device(tbo->bdev)->discard > (bo->kept ? 1 : 0)) {
		placement->num_placement = 0;
	} else if (bo->madv != DRM_FERRY_MADV_WILLNEED) {
		ferry_reclaim_mark_purged(bo);
		placement->num_placement = 0;
	}
}

static const struct ttm_device_funcs ferry_ttm_funcs = {
	.ttm_tt_create = ferry_ttm_tt_create,
	.ttm_tt_populate = ferry_ttm_tt_populate,
	.ttm_tt_unpopulate = ferry_ttm_tt_unpopulate,
	.ttm_tt_destroy = ferry_ttm_tt_destroy,
	.eviction_valuable = ferry_ttm_eviction_valuable,
	.evict_flags = ferry_ttm_evict_flags,
	.move = ferry_migrate_move,
};

static void ferry_ttm_fini(struct drm_device *drm, void *arg)
{
	ttm_device_fini(arg);
}

/**
 * ferry_ttm_init - start TTM
 * @ferry: the device
 *
 * Ends when the last user of the DRM device is gone.
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_ttm_init(struct ferry_device *ferry)
{
	struct drm_device *drm = &ferry->drm;
	int ret;

	ret = ferry_compat_ttm_device_init(&ferry->ttm, &ferry_ttm_funcs, drm->dev,
					   drm->anon_inode->i_mapping,
					   drm->vma_offset_manager);
	if (ret)
		return ret;

	return drmm_add_action_or_reset(drm, ferry_ttm_fini, &ferry->ttm);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_ttm_init);

/**
 * ferry_ttm_evict_all - move every BO out of the aperture
 * @ferry: the device, with its display off
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_ttm_evict_all(struct ferry_device *ferry)
{
	return ttm_resource_manager_evict_all(&ferry->ttm, &ferry->vram_mgr.base);
}

/**
 * ferry_ttm_vacate - turn the display off and move every BO out of the aperture, for good
 * @ferry: the device, unplugged
 *
 * Afterwards nothing refers to the aperture. The contents go to system memory,
 * where existing mappings find them. All this needs memory, and there is no way back:
 * what lacks now may be there a moment later.
 */
void ferry_ttm_vacate(struct ferry_device *ferry)
{
	unsigned int try;
	bool pinned;
	int ret;

	for (try = 0; try < FERRY_TTM_TRIES; try++) {
		pinned = !ferry_kms_off(ferry);
		/* what is pinned is not in its way */
		ret = ferry_ttm_evict_all(ferry);
		if (!pinned && !ret)
			return;
		msleep(20);
	}

	if (pinned)
		drm_err(&ferry->drm, "a framebuffer is still pinned\n");
	if (!ret)
		return;

	drm_err(&ferry->drm, "out of memory: contents of the aperture are lost\n");
	do {
		ferry->discard++;
	} while (ferry_ttm_evict_all(ferry) && ferry->discard < 2);
}
