// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/workqueue.h>

#include <drm/drm_gem.h>
#include <drm/drm_managed.h>
#include <drm/ferry_drm.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_tt.h>

#include <kunit/visibility.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_device.h"
#include "ferry_shrinker.h"
#include "ferry_tt.h"

/**
 * DOC: Memory pressure
 *
 * Reclaim frees kept pages first, then the pages of BOs that are marked
 * DRM_FERRY_MADV_DONTNEED. After that a worker swaps idle BOs out. The shrinker never waits:
 * the task that allocates memory may hold any reservation, so the shrinker only tries
 * reservations, and it skips BOs with unsignaled fences.
 *
 * The OOM killer cannot free the memory of BOs. So BOs leave 1/32 of all memory in reserve.
 * An allocation that would use the reserve first frees pages of BOs, in the same order, and
 * fails with -ENOMEM if nothing is left to free, before the OOM killer would run. The pages
 * of a BO that is swapped out become pages of shmem, which the kernel itself can write to
 * swap.
 */

/* The part of all memory that BOs leave free, as a power of two */
#define FERRY_SHRINKER_RESERVE_SHIFT 5

/**
 * ferry_shrinker_can_swap - check if there is free swap space
 *
 * Without free swap space, swapping a BO out would only move its contents to pages of shmem.
 *
 * Return: true if there is free swap space.
 */
bool ferry_shrinker_can_swap(void)
{
	return get_nr_swap_pages() > 0;
}

static bool ferry_shrinker_purge(FERRY_GEM_LRU_SHRINK_ARGS)
{
	struct ttm_operation_ctx ctx = { .no_wait_gpu = true };
	struct ferry_bo *bo = gem_to_ferry_bo(obj);
	struct ttm_placement no_placement = {};

	if (bo->madv != DRM_FERRY_MADV_DONTNEED || bo->base.pin_count ||
	    !dma_resv_test_signaled(obj->resv, DMA_RESV_USAGE_BOOKKEEP))
		return false;
	/*
	 * Skip BOs in the aperture, which have no populated pages: freeing their resource
	 * would take &ferry_vram_mgr.lock, which the task in direct reclaim may hold.
	 */
	if (!bo->base.ttm || !ttm_tt_is_populated(bo->base.ttm))
		return false;

	ferry_bo_mark_purged(bo);
	/* The BO is idle and has a ttm_tt, so this frees memory without allocating any. */
	return !ttm_bo_validate(&bo->base, &no_placement, &ctx);
}

static bool ferry_shrinker_drop_kept(FERRY_GEM_LRU_SHRINK_ARGS)
{
	/* An importer that has not unmapped the BO yet may still access the pages. */
	return list_empty(&gem_to_ferry_bo(obj)->dma_mappings) &&
	       dma_resv_test_signaled(obj->resv, DMA_RESV_USAGE_BOOKKEEP) &&
	       ferry_tt_drop_kept(gem_to_ferry_bo(obj));
}

/* Drop kept pages first, then purge BOs marked DONTNEED. */
static unsigned long ferry_shrinker_free_pages(struct ferry_device *ferry, unsigned long pages)
{
	struct ferry_tt_mgr *mgr = &ferry->tt;
	unsigned long freed, remaining = 0;

	freed = ferry_compat_gem_lru_scan(&ferry->drm, &mgr->kept, pages, &remaining,
					  ferry_shrinker_drop_kept);
	if (freed < pages)
		freed += ferry_compat_gem_lru_scan(&ferry->drm, &mgr->purgeable, pages - freed,
						   &remaining, ferry_shrinker_purge);

	return freed;
}

static unsigned long ferry_shrinker_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct ferry_device *ferry = shrinker->private_data;
	struct ferry_tt_mgr *mgr = &ferry->tt;
	unsigned long pages;

	if (ferry_shrinker_can_swap())
		pages = atomic64_read(&mgr->system_pages);
	else
		pages = READ_ONCE(mgr->purgeable.count);
	pages += atomic64_read(&mgr->kept_pages);
	/* TTM's shrinker frees these; count them so that ferry_shrinker_scan() is called. */
	pages += atomic_long_read(&mgr->pooled);

	return pages ?: SHRINK_EMPTY;
}

/* Returns the number of pages of the BO that was swapped out, 0 for none, or an error. */
static int ferry_shrinker_swap_out(struct ferry_device *ferry)
{
	struct ttm_operation_ctx ctx = { .no_wait_gpu = true };

	if (!ferry_shrinker_can_swap())
		return 0;

	return ttm_device_swapout(&ferry->ttm, &ctx, GFP_HIGHUSER);
}

/*
 * Swapping a BO out allocates memory before it frees any. In direct reclaim this memory
 * would come from the last reserves. So swap out in a worker, which may wait for reclaim.
 */
static void ferry_shrinker_swap_work(struct work_struct *work)
{
	struct ferry_shrinker *shrinker = container_of(work, struct ferry_shrinker, swap_work);
	struct ferry_device *ferry = container_of(shrinker, struct ferry_device, shrinker);
	long wanted = atomic_long_xchg(&shrinker->swap_pages, 0);
	int pages;

	while (wanted > 0) {
		pages = ferry_shrinker_swap_out(ferry);
		if (pages <= 0)
			break;
		wanted -= pages;
		cond_resched();
	}
}

static unsigned long ferry_shrinker_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct ferry_device *ferry = shrinker->private_data;
	atomic_long_t *pooled = &ferry->tt.pooled;
	unsigned long done;

	/* TTM's pool shrinker runs too: halve the estimate of what the pool still holds. */
	atomic_long_set(pooled, atomic_long_read(pooled) / 2);

	done = ferry_shrinker_free_pages(ferry, sc->nr_to_scan);
	if (done < sc->nr_to_scan && ferry_shrinker_can_swap()) {
		atomic_long_set(&ferry->shrinker.swap_pages, sc->nr_to_scan - done);
		queue_work(ferry_unbound_wq, &ferry->shrinker.swap_work);
	}

	return done ?: SHRINK_STOP;
}

/*
 * Get the number of pages that can be allocated without using the reserve and without
 * freeing memory of BOs; negative if the reserve is in use. Reclaim can free anonymous pages
 * of processes, as far as there is swap space.
 */
static long ferry_shrinker_room(struct ferry_device *ferry)
{
	long reserve = totalram_pages() >> FERRY_SHRINKER_RESERVE_SHIFT;
	long available = si_mem_available() + atomic_long_read(&ferry->tt.pooled);
	long swappable = global_node_page_state(NR_INACTIVE_ANON) +
			 global_node_page_state(NR_ACTIVE_ANON);

	return available + min(swappable, get_nr_swap_pages()) - reserve;
}

static bool ferry_shrinker_has_room(struct ferry_device *ferry, unsigned long pages)
{
	return ferry_shrinker_room(ferry) >= (long)pages;
}

/* Check if @pages could be allocated if all pages of BOs that can be freed were freed. */
static bool ferry_shrinker_is_possible(struct ferry_device *ferry, unsigned long pages)
{
	struct ferry_tt_mgr *mgr = &ferry->tt;
	long freeable = atomic64_read(&mgr->kept_pages);

	freeable += ferry_shrinker_can_swap() ? atomic64_read(&mgr->system_pages) :
						READ_ONCE(mgr->purgeable.count);

	return ferry_shrinker_room(ferry) + freeable >= (long)pages;
}

/**
 * ferry_shrinker_reserve - make sure that system memory for a BO is available
 * @ferry: the device
 * @pages: number of pages to allocate
 *
 * Frees pages of BOs, and swaps BOs out, if the allocation would use the reserve. Swapping
 * out itself needs memory, which the reserve still has at this point, unlike in reclaim.
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_shrinker_reserve(struct ferry_device *ferry, unsigned long pages)
{
	unsigned long freed = 0, more;

	/* si_mem_available() does not include per-CPU free lists: count the freed pages here. */
	while (!ferry_shrinker_has_room(ferry, pages - min(freed, pages))) {
		/* An allocation that cannot succeed takes nothing from other BOs. */
		if (!freed && !ferry_shrinker_is_possible(ferry, pages))
			return -ENOMEM;
		more = ferry_shrinker_free_pages(ferry, pages);
		freed += more;
		if (!more && ferry_shrinker_swap_out(ferry) <= 0)
			return -ENOMEM;
	}

	return 0;
}

/**
 * ferry_shrinker_populate - allocate the system pages of a BO, or read them back from swap
 * @tbo: the TTM BO, reserved, with a page array
 * @ctx: TTM's context
 *
 * If all BOs use more than a part of memory, TTM swaps other BOs out before it calls the
 * driver to allocate pages. So fail here if the allocation cannot succeed.
 *
 * Return: 0, -ENOMEM, -EIO, -EINTR or -ERESTARTSYS.
 */
int ferry_shrinker_populate(struct ttm_buffer_object *tbo, struct ttm_operation_ctx *ctx)
{
	struct ferry_device *ferry = ttm_to_ferry_device(tbo->bdev);
	struct ttm_tt *tt = tbo->ttm;

	if (tt && !ttm_tt_is_populated(tt) && !ferry_tt_has_kept(tt) &&
	    !ferry_shrinker_is_possible(ferry, tt->num_pages))
		return -ENOMEM;

	return ferry_compat_bo_populate(tbo, ctx);
}

static void ferry_shrinker_fini(struct drm_device *drm, void *arg)
{
	struct ferry_shrinker *shrinker = arg;

	shrinker_free(shrinker->base);
	cancel_work_sync(&shrinker->swap_work);
}

/**
 * ferry_shrinker_init - register the shrinker of a device
 * @ferry: the device, with TTM
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_shrinker_init(struct ferry_device *ferry)
{
	struct ferry_shrinker *shrinker = &ferry->shrinker;

	shrinker->base = shrinker_alloc(0, "drm-ferry:%s", dev_name(ferry->drm.dev));
	if (!shrinker->base)
		return -ENOMEM;

	INIT_WORK(&shrinker->swap_work, ferry_shrinker_swap_work);
	shrinker->base->count_objects = ferry_shrinker_count;
	shrinker->base->scan_objects = ferry_shrinker_scan;
	shrinker->base->private_data = ferry;
	shrinker_register(shrinker->base);

	return drmm_add_action_or_reset(&ferry->drm, ferry_shrinker_fini, shrinker);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_shrinker_init);
