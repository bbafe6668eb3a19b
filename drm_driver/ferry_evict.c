// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/wait_bit.h>

#include <drm/drm_gem.h>
#include <drm/drm_print.h>
#include <drm/ferry_drm.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>

#include <kunit/visibility.h>

#include "ferry_bo.h"
#include "ferry_ctx.h"
#include "ferry_device.h"
#include "ferry_dma.h"
#include "ferry_evict.h"
#include "ferry_job.h"
#include "ferry_placement.h"
#include "ferry_tt.h"
#include "ferry_vram_mgr.h"

/**
 * DOC: Eviction of all BOs
 *
 * The contents of the aperture do not survive a suspend, hibernation or reset, and cannot be
 * accessed once the driver is unbound. So in these cases every BO moves to system memory, even
 * if system memory is not one of its allowed placements. After a resume or reset aperture-only
 * BOs move back; other BOs move back when an ioctl or the display moves them.
 *
 * If a BO cannot move, an eviction continues with the next one and returns an error at the end.
 * ferry_evict_all(), for suspend and hibernation, succeeds only if no resource, no pin and no
 * job is left in the aperture, and its caller can refuse. ferry_evict_final(), for reset and
 * removal, cannot fail; ferry_bar.c keeps the aperture mapped if another driver has pinned a BO.
 */

/* How often an eviction is repeated that lacks memory, and the pause between two attempts */
#define FERRY_EVICT_TRIES 10
#define FERRY_EVICT_PAUSE_MS 20

/*
 * How long one eviction waits for jobs, and for TTM to release resources. The final eviction
 * waits as long for pins, and for fences that are not those of jobs.
 */
#define FERRY_EVICT_WAIT_JIFFIES (15 * HZ)

/* The BOs whose contents an eviction discards */
enum ferry_evict_discard {
	/* only those of BOs marked DRM_FERRY_MADV_DONTNEED */
	FERRY_EVICT_SAVE_ALL,
	/* also those of BOs without kept pages, because saving them needs memory */
	FERRY_EVICT_SAVE_KEPT,
	/* all */
	FERRY_EVICT_DISCARD_ALL,
};

static bool ferry_evict_discards(const struct ferry_bo *bo, enum ferry_evict_discard discard)
{
	return bo->madv != DRM_FERRY_MADV_WILLNEED || discard == FERRY_EVICT_DISCARD_ALL ||
	       (discard == FERRY_EVICT_SAVE_KEPT && !bo->kept);
}

/* @deadline is 0, or for a final eviction &ferry_ctx.deadline. */
static int ferry_evict_reserved(struct ferry_bo *bo, enum ferry_evict_discard discard,
				unsigned long deadline)
{
	struct ferry_ctx ctx = { .evict = true, .deadline = deadline };
	struct ttm_placement no_placement = {};
	int ret;

	if (!ferry_evict_discards(bo, discard))
		return ferry_placement_move(bo, DRM_FERRY_PLACEMENT_SYSTEM, &ctx);

	if (deadline) {
		ferry_job_wait_final(bo->base.base.resv, deadline);
	} else {
		ret = ttm_bo_wait_ctx(&bo->base, &ctx.base);
		if (ret)
			return ret;
	}

	ret = ferry_tt_prepare_drop(bo);
	if (ret)
		return ret;
	if (bo->madv != DRM_FERRY_MADV_WILLNEED)
		ferry_bo_mark_purged(bo);

	ferry_dma_invalidate(bo);
	/* TTM does not zap the mappings, and kept pages have old contents. */
	ttm_bo_unmap_virtual(&bo->base);
	ferry_tt_drop_kept(bo);
	return ttm_bo_validate(&bo->base, &no_placement, &ctx.base);
}

static int ferry_evict_bo(struct ferry_bo *bo, enum ferry_evict_discard discard,
			  unsigned long deadline)
{
	int ret = 0;

	/* The reservation of an imported BO belongs to its exporter. */
	if (ferry_bo_is_imported(bo))
		return 0;

	dma_resv_lock(bo->base.base.resv, NULL);
	if (ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE)
		ret = bo->base.pin_count ? -EBUSY :
					   ferry_evict_reserved(bo, discard, deadline);
	dma_resv_unlock(bo->base.base.resv);

	return ret;
}

/*
 * Wait for jobs, for the ghost BOs that hold their sources, and for BOs whose final release
 * waits for a fence. TTM releases both kinds from a workqueue of its own.
 */
static int ferry_evict_wait_released(struct ferry_device *ferry)
{
	struct ttm_resource_manager *man = &ferry->vram_mgr.base;
	unsigned long end = jiffies + FERRY_EVICT_WAIT_JIFFIES;

	if (!wait_var_event_timeout(&ferry->jobs, !atomic_read(&ferry->jobs),
				    FERRY_EVICT_WAIT_JIFFIES))
		return -EBUSY;

	while (ttm_resource_manager_usage(man)) {
		if (time_after(jiffies, end))
			return -EBUSY;
		usleep_range(100, 1000);
	}

	return 0;
}

static int ferry_evict_walk(struct ferry_device *ferry, enum ferry_evict_discard discard,
			    unsigned long deadline)
{
	struct ferry_bo *bo = NULL;
	int err = 0, ret;

	/* A page flip in progress can pin its framebuffers a moment longer. */
	wait_var_event_timeout(&ferry->scanout_pins, !atomic_read(&ferry->scanout_pins), HZ);

	while ((bo = ferry_bo_next(ferry, bo))) {
		ret = ferry_evict_bo(bo, discard, deadline);
		/* Prefer other errors: a BO that is busy can be tried again. */
		if (ret && (!err || err == -EBUSY))
			err = ret;
	}

	return err;
}

/**
 * ferry_evict_all - move every BO out of the aperture
 * @ferry: the device, with its display off
 *
 * Return: 0, -ENOMEM if there is no memory to save contents to, -EBUSY if a BO is pinned or
 * fences do not signal in time, or -EIO if the device does not decode its memory.
 */
int ferry_evict_all(struct ferry_device *ferry)
{
	return ferry_evict_walk(ferry, FERRY_EVICT_SAVE_ALL, 0) ?:
	       ferry_evict_wait_released(ferry);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_evict_all);

/* The device is removed or reset: no importer can keep a BO in the aperture. */
static void ferry_evict_drop_pins(struct ferry_device *ferry)
{
	struct ferry_bo *bo = NULL;

	while ((bo = ferry_bo_next(ferry, bo))) {
		if (ferry_bo_is_imported(bo))
			continue;
		dma_resv_lock(bo->base.base.resv, NULL);
		ferry_dma_drop_pins(bo);
		dma_resv_unlock(bo->base.base.resv);
	}
}

static void ferry_evict_zap_all(struct ferry_device *ferry)
{
	struct ferry_bo *bo = NULL;

	while ((bo = ferry_bo_next(ferry, bo))) {
		if (ferry_bo_is_imported(bo))
			continue;
		dma_resv_lock(bo->base.base.resv, NULL);
		if (ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE)
			ttm_bo_unmap_virtual(&bo->base);
		dma_resv_unlock(bo->base.base.resv);
	}
}

/* Repeat the eviction while BOs are pinned, until @deadline, and a few times if memory is short. */
static int ferry_evict_retry(struct ferry_device *ferry, enum ferry_evict_discard discard,
			     unsigned long deadline)
{
	unsigned int tries = 0;
	int ret;

	for (;;) {
		ret = ferry_evict_walk(ferry, discard, deadline);
		if (!ret || (ret == -EBUSY && time_after(jiffies, deadline)) ||
		    (ret != -EBUSY && ++tries == FERRY_EVICT_TRIES))
			break;
		msleep(FERRY_EVICT_PAUSE_MS);
	}
	/* Their sources can be in the aperture, also those of BOs that have left it. */
	ferry_job_wait_all(ferry);

	return ret;
}

static bool ferry_evict_finish(struct ferry_device *ferry, enum ferry_evict_discard discard)
{
	unsigned long deadline = (jiffies + FERRY_EVICT_WAIT_JIFFIES) ?: 1;
	int ret;

	ferry_job_cut(ferry, true);
	ret = ferry_evict_retry(ferry, discard, deadline);
	if (ret && ret != -EBUSY) {
		drm_err(&ferry->drm, "%s: contents of the aperture are lost\n",
			ret == -ENOMEM ? "out of memory" : "the device does not respond");
		ret = ferry_evict_walk(ferry, FERRY_EVICT_SAVE_KEPT, deadline);
		if (ret)
			ret = ferry_evict_retry(ferry, FERRY_EVICT_DISCARD_ALL, deadline);
	}
	if (!ret)
		return true;

	drm_err(&ferry->drm, "another driver has pinned BOs in the aperture: their contents are lost\n");
	WRITE_ONCE(ferry->bar.closed, true);
	ferry_evict_zap_all(ferry);
	return false;
}

/**
 * ferry_evict_discard - free the aperture without reading it
 * @ferry: the device, with its display off
 *
 * For a device that does not respond. Contents are lost, and read as zero from then on.
 */
void ferry_evict_discard(struct ferry_device *ferry)
{
	ferry_evict_drop_pins(ferry);
	drm_err(&ferry->drm, "the device does not respond: contents of the aperture are lost\n");
	ferry_evict_finish(ferry, FERRY_EVICT_DISCARD_ALL);
}

/**
 * ferry_evict_final - move every BO out of the aperture before it goes away
 * @ferry: the device, with its display off, and unplugged or about to be reset
 *
 * Contents move to system memory, where existing mappings show them. This needs memory. A
 * shortage of memory can be temporary, so try again for a while before contents are discarded.
 * Jobs no longer wait for the fences of others, see ferry_job_cut(), and this function waits for
 * all jobs, however long they copy. It waits 15 seconds for other fences of a BO in the aperture,
 * and then moves the BO all the same: only ferry and the CPUs access the aperture.
 *
 * A BO that stays pinned for 15 seconds stays in the aperture. Accesses of its mappings raise
 * SIGBUS then.
 *
 * Return: true if no BO is in the aperture and none of its bytes will be accessed.
 */
bool ferry_evict_final(struct ferry_device *ferry)
{
	ferry_evict_drop_pins(ferry);
	return ferry_evict_finish(ferry, FERRY_EVICT_SAVE_ALL);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_evict_final);

/**
 * ferry_evict_restore - move aperture-only BOs back to the aperture
 * @ferry: the device
 */
void ferry_evict_restore(struct ferry_device *ferry)
{
	struct ferry_placement_target target = { .placement = DRM_FERRY_PLACEMENT_APERTURE };
	struct ferry_placement_call call = { .uninterruptible = true };
	int ret;

	/* Undo ferry_evict_final(). */
	ferry_job_cut(ferry, false);
	WRITE_ONCE(ferry->bar.closed, false);
	while ((target.bo = ferry_bo_next(ferry, target.bo))) {
		if (target.bo->allowed_placements != DRM_FERRY_PLACEMENT_APERTURE)
			continue;
		ret = ferry_placement_move_all(ferry, &target, 1, &call);
		if (ret)
			drm_err(&ferry->drm, "cannot move a BO back to the aperture: %d\n", ret);
	}
}
