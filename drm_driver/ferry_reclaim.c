// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/workqueue.h>

#include <drm/drm_gem.h>
#include <drm/drm_managed.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_tt.h>

#include <kunit/visibility.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_drv.h"
#include "ferry_reclaim.h"
#include "ferry_ttm.h"

/**
 * DOC: Memory pressure
 *
 * When memory runs short, pages that BOs in the aperture keep go first, then contents
 * that nobody needs, then BOs that are idle are swapped out, by a worker. Nothing here
 * waits: who asks for memory may hold any reservation, so they are only tried, and a BO
 * with a fence that has not signalled is left alone.
 *
 * BOs cannot be killed like a process can: so they leave the last of the memory to
 * others. What would go into that reserve makes room first, in the same order, and
 * fails with ENOMEM if nothing more can go, long before the OOM killer comes. The pages
 * of a BO that is swapped out join those that the kernel can press out, so that it
 * always finds some.
 */

/* The part of all memory that BOs leave free, as a power of two */
#define FERRY_RECLAIM_RESERVE_SHIFT 5

static struct ferry_device *ferry_reclaim_device(struct ferry_bo *bo)
{
	return ttm_to_ferry_device(bo->base.bdev);
}

/**
 * ferry_reclaim_can_swap - is there a place to swap BOs to?
 *
 * Without one, swapping out would only fill other memory.
 *
 * Return: true if there is.
 */
bool ferry_reclaim_can_swap(void)
{
	return get_nr_swap_pages() > 0;
}

/**
 * ferry_reclaim_forget - take a BO from the lists of those that can give memory
 * @bo: the BO, reserved or at its end
 */
void ferry_reclaim_forget(struct ferry_bo *bo)
{
	struct ferry_reclaim *reclaim = &ferry_reclaim_device(bo)->reclaim;

	if (READ_ONCE(bo->base.base.lru))
		ferry_compat_gem_lru_move(&reclaim->others, &bo->base.base, &reclaim->lock);
}

/**
 * ferry_reclaim_sort - put a BO into the list of what it can give
 * @bo: the BO, reserved, as the newest there
 */
void ferry_reclaim_sort(struct ferry_bo *bo)
{
	struct ferry_reclaim *reclaim = &ferry_reclaim_device(bo)->reclaim;

	if (bo->kept)
		ferry_compat_gem_lru_move(&reclaim->kept, &bo->base.base, &reclaim->lock);
	else if (bo->madv == DRM_FERRY_MADV_DONTNEED)
		ferry_compat_gem_lru_move(&reclaim->purgeable, &bo->base.base, &reclaim->lock);
	else
		ferry_reclaim_forget(bo);
}

/**
 * ferry_reclaim_mark_purged - note that a BO's contents are going
 * @bo: the BO, reserved; the caller drops its backing
 *
 * Takes its mappings away.
 */
void ferry_reclaim_mark_purged(struct ferry_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	ttm_bo_unmap_virtual(&bo->base);
	if (bo->madv == DRM_FERRY_MADV_PURGED)
		return;

	bo->madv = DRM_FERRY_MADV_PURGED;
	/* else a job may read them, and they are left for later */
	if (ferry_bo_is_idle(bo, DMA_RESV_USAGE_BOOKKEEP))
		ferry_ttm_drop_kept(bo);
	ferry_reclaim_sort(bo);
	atomic64_inc(&ferry_reclaim_device(bo)->stats.purged);
}

static bool ferry_reclaim_purge(FERRY_GEM_LRU_SHRINK_ARGS)
{
	struct ttm_operation_ctx ctx = { .no_wait_gpu = true };
	struct ferry_bo *bo = gem_to_ferry_bo(obj);
	struct ttm_placement nowhere = {};

	if (bo->madv != DRM_FERRY_MADV_DONTNEED || bo->base.pin_count ||
	    !dma_resv_test_signaled(obj->resv, DMA_RESV_USAGE_BOOKKEEP))
		return false;
	/* it has no pages, or none here: what it keeps of those has gone before */
	if (!bo->base.ttm || !ttm_tt_is_populated(bo->base.ttm))
		return false;

	ferry_reclaim_mark_purged(bo);
	/* idle, and with a ttm: this only frees */
	return !ttm_bo_validate(&bo->base, &nowhere, &ctx);
}

static bool ferry_reclaim_drop_kept(FERRY_GEM_LRU_SHRINK_ARGS)
{
	return dma_resv_test_signaled(obj->resv, DMA_RESV_USAGE_BOOKKEEP) &&
	       ferry_ttm_drop_kept(gem_to_ferry_bo(obj));
}

/* What costs nothing but time to get back, and then what nobody wants back. */
static unsigned long ferry_reclaim_free_pages(struct ferry_device *ferry, unsigned long pages)
{
	struct ferry_reclaim *reclaim = &ferry->reclaim;
	unsigned long freed, remaining = 0;

	freed = ferry_compat_gem_lru_scan(&ferry->drm, &reclaim->kept, pages, &remaining,
					  ferry_reclaim_drop_kept);
	if (freed < pages)
		freed += ferry_compat_gem_lru_scan(&ferry->drm, &reclaim->purgeable,
						   pages - freed, &remaining,
						   ferry_reclaim_purge);

	return freed;
}

static unsigned long ferry_reclaim_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct ferry_device *ferry = shrinker->private_data;
	unsigned long pages;

	if (ferry_reclaim_can_swap())
		pages = atomic64_read(&ferry->stats.system_pages);
	else
		pages = READ_ONCE(ferry->reclaim.purgeable.count);
	pages += atomic64_read(&ferry->stats.kept_pages);
	/* TTM frees these, but ferry_reclaim_scan() wants to know that it is asked to */
	pages += atomic_long_read(&ferry->reclaim.pooled);

	return pages ?: SHRINK_EMPTY;
}

/* Returns the pages of the BO that went, 0 if none can, or an error. */
static int ferry_reclaim_swap_out(struct ferry_device *ferry)
{
	struct ttm_operation_ctx ctx = { .no_wait_gpu = true };

	if (!ferry_reclaim_can_swap())
		return 0;

	return ttm_device_swapout(&ferry->ttm, &ctx, GFP_HIGHUSER);
}

/*
 * Swapping a BO out takes memory before it gives any. Who frees memory would take that
 * out of the last reserves, so it is left to a worker, who may wait until other pages
 * have gone to swap.
 */
static void ferry_reclaim_swap_work(struct work_struct *work)
{
	struct ferry_reclaim *reclaim = container_of(work, struct ferry_reclaim, swap_work);
	struct ferry_device *ferry = container_of(reclaim, struct ferry_device, reclaim);
	long wanted = atomic_long_xchg(&reclaim->wanted, 0);
	int pages;

	while (wanted > 0) {
		pages = ferry_reclaim_swap_out(ferry);
		if (pages <= 0)
			break;
		wanted -= pages;
		cond_resched();
	}
}

/**
 * ferry_reclaim_count_pages - note that a BO got or lost its pages
 * @ferry: the device
 * @tt: the pages
 * @freed: it lost them
 *
 * TTM keeps write-combining pages in a pool when they are freed. They count as used
 * there, but the kernel gets them back by pressing.
 */
void ferry_reclaim_count_pages(struct ferry_device *ferry, struct ttm_tt *tt, bool freed)
{
	long pages = freed ? tt->num_pages : -(long)tt->num_pages;

	atomic64_sub(pages, &ferry->stats.system_pages);
	if (tt->caching != ttm_cached && atomic_long_add_return(pages, &ferry->reclaim.pooled) < 0)
		atomic_long_set(&ferry->reclaim.pooled, 0);
}

/**
 * ferry_reclaim_count_kept - note that a BO keeps its pages, or does so no longer
 * @ferry: the device
 * @tt: the pages
 * @kept: it keeps them, in the aperture
 */
void ferry_reclaim_count_kept(struct ferry_device *ferry, struct ttm_tt *tt, bool kept)
{
	long pages = kept ? tt->num_pages : -(long)tt->num_pages;

	atomic64_add(pages, &ferry->stats.kept_pages);
	atomic64_sub(pages, &ferry->stats.system_pages);
}

static unsigned long ferry_reclaim_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct ferry_device *ferry = shrinker->private_data;
	struct ferry_reclaim *reclaim = &ferry->reclaim;
	unsigned long done;

	/* who presses here presses TTM's pool as well */
	atomic_long_set(&reclaim->pooled, atomic_long_read(&reclaim->pooled) / 2);

	done = ferry_reclaim_free_pages(ferry, sc->nr_to_scan);
	if (done < sc->nr_to_scan && ferry_reclaim_can_swap()) {
		atomic_long_set(&reclaim->wanted, sc->nr_to_scan - done);
		queue_work(ferry_unbound_wq, &reclaim->swap_work);
	}

	return done ?: SHRINK_STOP;
}

/*
 * Is there memory for so many pages, without what BOs have? Pressing gets the pages of
 * others, as far as there is a place for them.
 */
static bool ferry_reclaim_has_room(struct ferry_device *ferry, unsigned long pages)
{
	long reserve = totalram_pages() >> FERRY_RECLAIM_RESERVE_SHIFT;
	long available = si_mem_available() + atomic_long_read(&ferry->reclaim.pooled);
	long swappable = global_node_page_state(NR_INACTIVE_ANON) +
			 global_node_page_state(NR_ACTIVE_ANON);

	available += min(swappable, get_nr_swap_pages());

	return available - reserve >= (long)pages;
}

/**
 * ferry_reclaim_make_room - may a BO have so much memory?
 * @ferry: the device
 * @pages: what it wants
 *
 * BOs are swapped out here, and not when the kernel presses: that takes memory before
 * it gives any, and the reserve still has it.
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_reclaim_make_room(struct ferry_device *ferry, unsigned long pages)
{
	unsigned long freed = 0, more;

	/* what is freed here is there, though a processor's own lists may hide it */
	while (!ferry_reclaim_has_room(ferry, pages - min(freed, pages))) {
		more = ferry_reclaim_free_pages(ferry, pages);
		freed += more;
		if (!more && ferry_reclaim_swap_out(ferry) <= 0)
			return -ENOMEM;
	}

	return 0;
}

/**
 * ferry_reclaim_madvise - say if a BO's contents are needed
 * @bo: the BO
 * @madv: DRM_FERRY_MADV_WILLNEED or DRM_FERRY_MADV_DONTNEED
 * @retained: set to 1 if the contents are there, to 0 if not
 *
 * Return: 0, -EBUSY if it is pinned or shared, or -ERESTARTSYS.
 */
int ferry_reclaim_madvise(struct ferry_bo *bo, u32 madv, u32 *retained)
{
	struct drm_gem_object *obj = &bo->base.base;
	int ret;

	ret = ttm_bo_reserve(&bo->base, true, false, NULL);
	if (ret)
		return ret;

	if (madv == DRM_FERRY_MADV_DONTNEED &&
	    (bo->base.pin_count || bo->shared || READ_ONCE(obj->handle_count) > 1)) {
		ret = -EBUSY;
		goto out_unlock;
	}

	if (bo->madv != DRM_FERRY_MADV_PURGED) {
		bo->madv = madv;
		bo->base.priority = madv == DRM_FERRY_MADV_DONTNEED ?
				    FERRY_RECLAIM_PRIORITY_DONTNEED :
				    FERRY_RECLAIM_PRIORITY_NEEDED;
		ferry_reclaim_sort(bo);
		ttm_bo_move_to_lru_tail_unlocked(&bo->base);
	}
	*retained = bo->madv != DRM_FERRY_MADV_PURGED;

out_unlock:
	dma_resv_unlock(obj->resv);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_reclaim_madvise);

static void ferry_reclaim_fini(struct drm_device *drm, void *arg)
{
	struct ferry_reclaim *reclaim = arg;

	shrinker_free(reclaim->shrinker);
	cancel_work_sync(&reclaim->swap_work);
	mutex_destroy(&reclaim->lock);
}

/**
 * ferry_reclaim_init - offer memory to the kernel when it runs short
 * @ferry: the device, with TTM
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_reclaim_init(struct ferry_device *ferry)
{
	struct ferry_reclaim *reclaim = &ferry->reclaim;

	reclaim->shrinker = shrinker_alloc(0, "drm-ferry:%s", dev_name(ferry->drm.dev));
	if (!reclaim->shrinker)
		return -ENOMEM;

	mutex_init(&reclaim->lock);
	INIT_WORK(&reclaim->swap_work, ferry_reclaim_swap_work);
	ferry_compat_gem_lru_init(&reclaim->purgeable, &reclaim->lock);
	ferry_compat_gem_lru_init(&reclaim->kept, &reclaim->lock);
	ferry_compat_gem_lru_init(&reclaim->others, &reclaim->lock);
	reclaim->shrinker->count_objects = ferry_reclaim_count;
	reclaim->shrinker->scan_objects = ferry_reclaim_scan;
	reclaim->shrinker->private_data = ferry;
	shrinker_register(reclaim->shrinker);

	return drmm_add_action_or_reset(&ferry->drm, ferry_reclaim_fini, reclaim);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_reclaim_init);
