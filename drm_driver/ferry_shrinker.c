// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/wait.h>
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
 * The OOM killer cannot free the memory of BOs. So BOs leave 1/32 of all memory in reserve, and
 * hold no more than the part of all memory that the module parameter system_memory allows.
 * An allocation that would use the reserve first frees pages of BOs, in the same order, and
 * fails with -ENOMEM if nothing is left to free, before the OOM killer would run. The pages
 * of a BO that is swapped out become pages of shmem, which the kernel itself can write to
 * swap.
 */

/* The part of all memory that BOs leave free, as a power of two */
#define FERRY_SHRINKER_RESERVE_SHIFT 5

/* For how long an allocation waits for those of other threads to end before it fails */
#define FERRY_SHRINKER_WAIT_JIFFIES HZ

/* A page fault without memory begins to wait anew if that of another access is this long ago. */
#define FERRY_SHRINKER_PAUSE_JIFFIES (5 * HZ)

static unsigned int fault_timeout = 60;
module_param(fault_timeout, uint, 0644);
MODULE_PARM_DESC(fault_timeout,
		 "Seconds that a page fault waits for memory before it raises SIGBUS (default 60)");

static unsigned int system_memory = 75;
module_param(system_memory, uint, 0644);
MODULE_PARM_DESC(system_memory,
		 "Percent of the system memory that the BOs of a device may hold (default 75)");

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
	pages += ferry_compat_pooled(&mgr->pooled);

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
	if (FERRY_ESTIMATE_POOLED)
		atomic_long_set(pooled, atomic_long_read(pooled) / 2);

	done = ferry_shrinker_free_pages(ferry, sc->nr_to_scan);
	if (done < sc->nr_to_scan && ferry_shrinker_can_swap()) {
		atomic_long_set(&ferry->shrinker.swap_pages, sc->nr_to_scan - done);
		queue_work(ferry_unbound_wq, &ferry->shrinker.swap_work);
	}

	return done ?: SHRINK_STOP;
}

/* Get the number of pages of system memory that BOs may hold, with their page arrays. */
static long ferry_shrinker_limit(void)
{
	return mult_frac(totalram_pages(), min(READ_ONCE(system_memory), 100U), 100);
}

/*
 * Get the number of pages that can be allocated without using the reserve, without exceeding
 * the limit, and without freeing memory of BOs; negative if the reserve is in use. Reclaim
 * can free anonymous pages of processes, as far as there is swap space.
 */
static long ferry_shrinker_room(struct ferry_device *ferry)
{
	struct ferry_tt_mgr *mgr = &ferry->tt;
	long reserve = totalram_pages() >> FERRY_SHRINKER_RESERVE_SHIFT;
	long available = si_mem_available() + ferry_compat_pooled(&mgr->pooled);
	long swappable = global_node_page_state(NR_INACTIVE_ANON) +
			 global_node_page_state(NR_ACTIVE_ANON);
	long held = atomic64_read(&mgr->system_pages) + atomic64_read(&mgr->kept_pages) +
		    atomic64_read(&mgr->array_pages);

	return min(available + min(swappable, get_nr_swap_pages()) - reserve,
		   ferry_shrinker_limit() - held);
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

static int ferry_shrinker_make_room(struct ferry_device *ferry, unsigned long pages)
{
	struct ferry_shrinker *shrinker = &ferry->shrinker;
	unsigned long freed = 0, more;

	for (;;) {
		long room = ferry_shrinker_room(ferry);
		long promised = atomic_long_read(&shrinker->promised);

		/* si_mem_available() excludes per-CPU free lists: count the freed pages here. */
		if (room >= promised - (long)min(freed, pages))
			return 0;
		/* Bytes promised to other clients may be allocated already: these count twice. */
		if (promised > (long)pages && room >= (long)pages - (long)min(freed, pages)) {
			if (!wait_event_timeout(shrinker->promised_wait,
						atomic_long_read(&shrinker->promised) < promised,
						FERRY_SHRINKER_WAIT_JIFFIES))
				return -ENOMEM;
			continue;
		}
		/* An allocation that cannot succeed takes nothing from other BOs. */
		if (!freed && !ferry_shrinker_is_possible(ferry, pages))
			return -ENOMEM;
		more = ferry_shrinker_free_pages(ferry, pages);
		freed += more;
		if (!more && ferry_shrinker_swap_out(ferry) <= 0)
			return -ENOMEM;
	}
}

/**
 * ferry_shrinker_reserve - make sure that system memory for a BO is available
 * @ferry: the device
 * @pages: number of pages to allocate
 *
 * Frees pages of BOs, and swaps BOs out, if the allocation would use the reserve or exceed the
 * limit. Swapping out itself needs memory, which the reserve still has at this point, unlike in
 * reclaim. The pages count as used until ferry_shrinker_unreserve(), so that of several threads
 * that each find room, no more are let through than there is room for all of them.
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_shrinker_reserve(struct ferry_device *ferry, unsigned long pages)
{
	int ret;

	atomic_long_add(pages, &ferry->shrinker.promised);
	ret = ferry_shrinker_make_room(ferry, pages);
	if (ret)
		ferry_shrinker_unreserve(ferry, pages);

	return ret;
}

/**
 * ferry_shrinker_unreserve - undo ferry_shrinker_reserve()
 * @ferry: the device
 * @pages: the same number of pages, which are allocated or will not be
 */
void ferry_shrinker_unreserve(struct ferry_device *ferry, unsigned long pages)
{
	atomic_long_sub(pages, &ferry->shrinker.promised);
	wake_up_all(&ferry->shrinker.promised_wait);
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

/* Check if there could be memory for the pages of a BO if no other BO had any. */
static bool ferry_shrinker_fits(struct ferry_bo *bo)
{
	long reserve = totalram_pages() >> FERRY_SHRINKER_RESERVE_SHIFT;
	u64 size = bo->base.base.size;

	return ferry_bo_is_resident(bo) ||
	       (long)((size >> PAGE_SHIFT) + ferry_tt_array_pages(size)) <=
	       min((long)totalram_pages() - reserve, ferry_shrinker_limit());
}

/**
 * ferry_shrinker_may_wait - check if a page fault that lacks memory may be repeated
 * @bo: the BO, reserved
 * @start: when this fault began, in jiffies
 *
 * Return: false if there can never be memory for the pages of the BO, or if repeated faults have
 * waited for memory for as long as the module parameter fault_timeout allows.
 */
bool ferry_shrinker_may_wait(struct ferry_bo *bo, unsigned long start)
{
	unsigned long timeout = min(READ_ONCE(fault_timeout), 3600U) * HZ;

	dma_resv_assert_held(bo->base.base.resv);

	if (!ferry_shrinker_fits(bo))
		return false;

	if (!bo->starved_since ||
	    time_after(start, bo->starved_last + FERRY_SHRINKER_PAUSE_JIFFIES))
		bo->starved_since = start ?: 1;
	bo->starved_last = jiffies;
	return time_before(jiffies, bo->starved_since + timeout);
}

/**
 * ferry_shrinker_end_wait - note that a page fault had memory
 * @bo: the BO, reserved
 */
void ferry_shrinker_end_wait(struct ferry_bo *bo)
{
	if (bo->starved_since)
		bo->starved_since = 0;
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

	init_waitqueue_head(&shrinker->promised_wait);
	INIT_WORK(&shrinker->swap_work, ferry_shrinker_swap_work);
	shrinker->base->count_objects = ferry_shrinker_count;
	shrinker->base->scan_objects = ferry_shrinker_scan;
	shrinker->base->private_data = ferry;
	shrinker_register(shrinker->base);

	return drmm_add_action_or_reset(&ferry->drm, ferry_shrinker_fini, shrinker);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_shrinker_init);
