// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/capability.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include <asm/memtype.h>

#include <drm/drm_drv.h>
#include <drm/drm_exec.h>
#include <drm/drm_gem.h>
#include <drm/drm_mode.h>
#include <drm/drm_utils.h>
#include <drm/drm_vma_manager.h>

#include <kunit/visibility.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_drv.h"
#include "ferry_fault.h"
#include "ferry_insert.h"
#include "ferry_job.h"
#include "ferry_migrate.h"
#include "ferry_prime.h"
#include "ferry_reclaim.h"
#include "ferry_ttm.h"

/**
 * DOC: Locking
 *
 * One lock orders everything that concerns a BO: its reservation, dma_resv. It
 * covers the placement, the pages and every page table entry that is inserted
 * for the BO, so a fault sees a BO before or after a move and never during one.
 * Whoever needs several reservations at a time takes them through drm_exec.
 *
 * Order, outermost first:
 *
 * 1. mmap_lock of a process. A fault arrives with it and tries the reservation.
 *    If it is taken, the first attempt drops mmap_lock before it waits, and the
 *    second one waits with it. Nothing that holds a reservation may copy to or
 *    from user memory.
 * 2. dma_resv of the BO that is worked on, with a ww ticket outside of faults.
 * 3. drm_dev_enter(), where the aperture gets a new BO.
 * 4. dma_resv of BOs that are evicted: tried, or taken with the same ticket.
 * 5. &ferry_vram_mgr.lock, the aperture allocator. Innermost.
 *
 * A BO with a resource in the aperture proves that the aperture is mapped:
 * removing the device first stops new placements (drm_dev_unplug() waits for
 * step 3), then moves every BO out under its reservation, then unmaps. That is
 * why the fault handler needs the reservation only.
 */

/* Registers of the display address at most 16 bits of lines: stay low enough */
#define FERRY_BO_SCANOUT_END SZ_64M

/* How long to go on when other evictions are in the way */
#define FERRY_BO_RETRY_JIFFIES HZ

static unsigned int ferry_bo_aperture_only = 50;
module_param_named(aperture_only, ferry_bo_aperture_only, uint, 0444);
MODULE_PARM_DESC(aperture_only,
		 "Percent of the aperture that BOs which may be nowhere else can fill, without CAP_SYS_ADMIN (default 50)");

static void ferry_bo_gem_free(struct drm_gem_object *obj)
{
	ferry_compat_bo_fini(&gem_to_ferry_bo(obj)->base);
}

static const struct drm_gem_object_funcs ferry_bo_gem_funcs = {
	.free = ferry_bo_gem_free,
	.export = ferry_prime_export,
	.pin = ferry_prime_pin,
	.unpin = ferry_prime_unpin,
	.get_sg_table = ferry_prime_get_sg_table,
	.vmap = ferry_prime_vmap,
	.vunmap = ferry_prime_vunmap,
	.mmap = ferry_fault_gem_mmap,
	.vm_ops = &ferry_fault_vm_ops,
};

static void ferry_bo_account_home(struct ferry_bo *bo, s64 bytes)
{
	struct ferry_device *ferry = to_ferry_device(bo->base.base.dev);

	if (bo->placements == DRM_FERRY_PLACEMENT_APERTURE)
		atomic64_add(bytes, &ferry->vram_mgr.home);
}

/*
 * May this process keep more of the aperture from everybody else? It takes no lock: two
 * that ask at the same time may both be told yes.
 */
static bool ferry_bo_may_live_there(struct ferry_device *ferry, u32 placements, u64 size)
{
	u64 share = div_u64(ferry->aperture.size * min(ferry_bo_aperture_only, 100U), 100);

	return placements != DRM_FERRY_PLACEMENT_APERTURE || capable(CAP_SYS_ADMIN) ||
	       atomic64_read(&ferry->vram_mgr.home) + size <= share;
}

static void ferry_bo_destroy(struct ttm_buffer_object *tbo)
{
	struct ferry_device *ferry = ttm_to_ferry_device(tbo->bdev);
	struct ferry_bo *bo = ttm_to_ferry_bo(tbo);

	ferry_bo_account_home(bo, -(s64)tbo->base.size);
	ferry_ttm_drop_kept(bo);
	ferry_reclaim_forget(bo);
	drm_gem_object_release(&tbo->base);
	kfree(bo);
	atomic64_dec(&ferry->stats.bos);
}

/**
 * ferry_bo_is_ghost - is this not a BO of ours?
 * @tbo: a TTM BO
 *
 * While a job carries a BO's bytes, TTM keeps the old place in a BO of its own.
 *
 * Return: true if it is not part of a &struct ferry_bo.
 */
bool ferry_bo_is_ghost(const struct ttm_buffer_object *tbo)
{
	return tbo->destroy != ferry_bo_destroy;
}

/**
 * ferry_bo_put - drop a reference
 * @bo: the BO
 */
void ferry_bo_put(struct ferry_bo *bo)
{
	drm_gem_object_put(&bo->base.base);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_bo_put);

/**
 * ferry_bo_lookup - BO of a handle
 * @file: client that owns the handle
 * @handle: the handle
 *
 * Return: the BO with a new reference, or NULL.
 */
struct ferry_bo *ferry_bo_lookup(struct drm_file *file, u32 handle)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, handle);

	return obj ? gem_to_ferry_bo(obj) : NULL;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_bo_lookup);

/**
 * ferry_bo_next - go through all BOs of a device
 * @ferry: the device
 * @start: where to go on; 0 to begin with
 *
 * Every BO has a fake offset, so the DRM core's tree of them knows all BOs.
 *
 * Return: the next BO with a new reference, or NULL.
 */
struct ferry_bo *ferry_bo_next(struct ferry_device *ferry, u64 *start)
{
	struct drm_vma_offset_manager *mgr = ferry->drm.vma_offset_manager;
	struct drm_mm *mm = &mgr->vm_addr_space_mm;
	struct ferry_bo *found = NULL;
	struct drm_gem_object *obj;
	struct drm_mm_node *node;

	read_lock(&mgr->vm_lock);
	/* the head node begins where the space ends */
	drm_mm_for_each_node_in_range(node, mm, *start, mm->head_node.start) {
		obj = container_of(node, struct drm_gem_object, vma_node.vm_node);
		*start = node->start + node->size;
		if (kref_get_unless_zero(&obj->refcount)) {
			found = gem_to_ferry_bo(obj);
			break;
		}
	}
	read_unlock(&mgr->vm_lock);

	return found;
}

/**
 * ferry_bo_max_size - the largest BO that can be asked for
 * @ferry: the device
 *
 * Return: bytes: all of system memory, or the aperture if that is larger.
 */
u64 ferry_bo_max_size(struct ferry_device *ferry)
{
	return max((u64)totalram_pages() << PAGE_SHIFT, ferry->aperture.size);
}

/**
 * ferry_bo_create - create a BO
 * @ferry: the device
 * @args: what user space asked for, checked already
 *
 * Every BO begins without pages in system memory, and is then placed like any
 * other: so there is one way into the aperture.
 *
 * Return: the BO with one reference, or an error pointer: -ENOMEM, -ENOSPC,
 * -ENODEV or -ERESTARTSYS.
 */
struct ferry_bo *ferry_bo_create(struct ferry_device *ferry,
				 const struct drm_ferry_bo_create *args)
{
	static const struct ttm_place place = { .mem_type = TTM_PL_SYSTEM };
	struct ttm_placement placement = { .num_placement = 1, .placement = &place };
	struct ferry_bo_target target;
	struct ferry_bo *bo;
	int ret;

	if (!ferry_bo_may_live_there(ferry, args->placements, PAGE_ALIGN(args->size)))
		return ERR_PTR(-ENOSPC);

	bo = kzalloc(sizeof(*bo), GFP_KERNEL);
	if (!bo)
		return ERR_PTR(-ENOMEM);

	bo->placements = args->placements;
	bo->caching = args->caching;
	bo->flags = args->flags;
	bo->base.priority = FERRY_RECLAIM_PRIORITY_NEEDED;
	bo->base.base.funcs = &ferry_bo_gem_funcs;
	drm_gem_private_object_init(&ferry->drm, &bo->base.base, PAGE_ALIGN(args->size));

	atomic64_inc(&ferry->stats.bos);
	ferry_bo_account_home(bo, bo->base.base.size);
	/* on failure this ends in ferry_bo_destroy() */
	ret = ttm_bo_init_validate(&ferry->ttm, &bo->base, ttm_bo_type_device, &placement,
				   0, true, NULL, NULL, ferry_bo_destroy);
	if (ret)
		return ERR_PTR(ret);

	target.bo = bo;
	target.placement = args->placement;
	if (!target.placement)
		target.placement = args->placements & DRM_FERRY_PLACEMENT_SYSTEM ?:
				   DRM_FERRY_PLACEMENT_APERTURE;
	if (target.placement == DRM_FERRY_PLACEMENT_APERTURE) {
		ret = ferry_bo_migrate(ferry, &target, 1, NULL);
		if (ret) {
			ferry_bo_put(bo);
			return ERR_PTR(ret);
		}
	}

	return bo;
}

/**
 * ferry_bo_placement - where a BO is
 * @bo: the BO, reserved
 *
 * Return: one of DRM_FERRY_PLACEMENT_*.
 */
u32 ferry_bo_placement(struct ferry_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	/* without a resource it is system memory that has no pages yet */
	if (bo->base.resource && bo->base.resource->mem_type == FERRY_PL_APERTURE)
		return DRM_FERRY_PLACEMENT_APERTURE;

	return DRM_FERRY_PLACEMENT_SYSTEM;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_bo_placement);

/**
 * ferry_bo_cache - cache attribute of a BO's mappings where it is now
 * @bo: the BO, reserved
 *
 * Return: one of &enum drm_ferry_cache.
 */
int ferry_bo_cache(struct ferry_bo *bo)
{
	if (ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE)
		return ttm_to_ferry_device(bo->base.bdev)->aperture.granted;
	if (bo->caching == DRM_FERRY_CACHING_CACHED)
		return DRM_FERRY_CACHE_WB;

	/* without PAT there is no write-combining */
	return pat_enabled() ? DRM_FERRY_CACHE_WC : DRM_FERRY_CACHE_UC_MINUS;
}

/**
 * ferry_bo_is_idle - has everything that a BO's fences stand for been done?
 * @bo: the BO, reserved
 * @usage: which of its fences; DMA_RESV_USAGE_KERNEL are those of its moves
 *
 * As a rule there is no fence at all, and this says so sooner than a wait would.
 *
 * Return: true if nothing is under way.
 */
bool ferry_bo_is_idle(struct ferry_bo *bo, enum dma_resv_usage usage)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_for_each_fence(&cursor, bo->base.base.resv, usage, fence)
		if (!dma_fence_is_signaled(fence))
			return false;

	return true;
}

static int ferry_bo_validate(struct ferry_bo *bo, const struct ttm_place *place,
			     struct ttm_operation_ctx *ctx)
{
	struct ttm_placement placement = { .num_placement = 1, .placement = place };
	int ret;

	bo->no_space = false;
	ret = ttm_bo_validate(&bo->base, &placement, ctx);
	if (ret == -ENOMEM && bo->no_space)
		ret = -ENOSPC;

	return ret;
}

static int ferry_bo_place_in_aperture(struct ferry_bo *bo, struct ttm_place *place,
				      struct ttm_operation_ctx *ctx)
{
	struct ferry_device *ferry = ttm_to_ferry_device(bo->base.bdev);
	int ret, idx;

	if (bo->base.base.size > ferry->aperture.size)
		return -ENOSPC;

	if (!drm_dev_enter(&ferry->drm, &idx))
		return -ENODEV;

	place->mem_type = FERRY_PL_APERTURE;
	if (bo->flags & DRM_FERRY_BO_CONTIGUOUS)
		place->flags |= TTM_PL_FLAG_CONTIGUOUS;
	ret = ferry_bo_validate(bo, place, ctx);

	drm_dev_exit(idx);
	return ret;
}

/**
 * ferry_bo_place - move a BO
 * @bo: the BO, reserved and not pinned
 * @placement: one of DRM_FERRY_PLACEMENT_*
 * @ctx: how to wait
 *
 * Return: 0, -ENOSPC, -ENOMEM, -ENODEV or -ERESTARTSYS.
 */
int ferry_bo_place(struct ferry_bo *bo, u32 placement, struct ttm_operation_ctx *ctx)
{
	struct ttm_place place = { .mem_type = TTM_PL_SYSTEM };

	if (placement == DRM_FERRY_PLACEMENT_APERTURE)
		return ferry_bo_place_in_aperture(bo, &place, ctx);

	return ferry_bo_validate(bo, &place, ctx);
}

/* If it is in the aperture, no eviction can take it out. */
static bool ferry_bo_is_fixed(struct ferry_bo *bo)
{
	return bo->base.pin_count || !(bo->placements & DRM_FERRY_PLACEMENT_SYSTEM);
}

/* Can @count targets be in the aperture together, beside what cannot leave it? */
static bool ferry_bo_targets_fit(struct ferry_device *ferry,
				 const struct ferry_bo_target *targets, unsigned int count)
{
	u64 need = atomic64_read(&ferry->vram_mgr.fixed);
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct ferry_bo *bo = targets[i].bo;

		if (targets[i].placement != DRM_FERRY_PLACEMENT_APERTURE)
			continue;
		if (ferry_bo_placement(bo) != DRM_FERRY_PLACEMENT_APERTURE ||
		    !ferry_bo_is_fixed(bo))
			need += bo->base.base.size;
	}

	return need <= ferry->aperture.size;
}

static int ferry_bo_check_target(const struct ferry_bo_target *target)
{
	struct ferry_bo *bo = target->bo;

	if (bo->madv == DRM_FERRY_MADV_PURGED)
		return -ENODATA;
	if (bo->base.pin_count && ferry_bo_placement(bo) != target->placement)
		return -EBUSY;

	return 0;
}

static int ferry_bo_migrate_one(struct ferry_device *ferry, struct ferry_bo_target *target,
				struct ttm_operation_ctx *ctx, struct ferry_async *async)
{
	struct ferry_bo *bo = target->bo;
	int ret;

	bo->async = async;
	ret = ferry_bo_place(bo, target->placement, ctx);
	/* a move that a job does took it: else earlier work is left to wait for */
	if (!ret && bo->async)
		ret = ferry_job_follow(async, ferry, bo->base.base.resv);
	bo->async = NULL;

	return ret;
}

static int ferry_bo_migrate_to(struct ferry_device *ferry, struct ferry_bo_target *targets,
			       unsigned int count, u32 placement, struct ferry_async *async)
{
	struct ttm_operation_ctx ctx = { .interruptible = true, .gfp_retry_mayfail = true };
	unsigned int i;
	int ret = 0;

	for (i = 0; i < count && !ret; i++)
		if (targets[i].placement == placement)
			ret = ferry_bo_migrate_one(ferry, &targets[i], &ctx, async);

	return ret;
}

static int ferry_bo_try_migrate(struct ferry_device *ferry, struct ferry_bo_target *targets,
				unsigned int count, struct ferry_async *async, bool *fits)
{
	struct drm_exec exec;
	unsigned int i;
	int ret = 0;

	*fits = false;
	drm_exec_init(&exec, DRM_EXEC_INTERRUPTIBLE_WAIT, count);
	drm_exec_until_all_locked(&exec) {
		for (i = 0; i < count; i++) {
			ret = drm_exec_lock_obj(&exec, &targets[i].bo->base.base);
			drm_exec_retry_on_contention(&exec);
			if (ret)
				goto out_unlock;
		}
	}

	for (i = 0; i < count; i++) {
		ret = ferry_bo_check_target(&targets[i]);
		if (ret)
			goto out_unlock;
	}

	*fits = ferry_bo_targets_fit(ferry, targets, count);
	if (!*fits) {
		ret = -ENOSPC;
		goto out_unlock;
	}

	/* who leaves the aperture makes room for who goes there */
	ret = ferry_bo_migrate_to(ferry, targets, count, DRM_FERRY_PLACEMENT_SYSTEM, async);
	if (!ret)
		ret = ferry_bo_migrate_to(ferry, targets, count, DRM_FERRY_PLACEMENT_APERTURE,
					  async);

out_unlock:
	drm_exec_fini(&exec);
	return ret == -EALREADY ? -EINVAL : ret;
}

/*
 * Two evictions that need each other's BOs do not wait for each other: TTM makes
 * one of them fail as if there were no space. It has dropped its reservations by
 * then, so let the other finish and try again.
 */
static bool ferry_bo_retry(int ret, bool fits, unsigned long deadline)
{
	if (ret != -ENOSPC || !fits || time_after(jiffies, deadline) || signal_pending(current))
		return false;

	usleep_range(100, 1000);
	return true;
}

/**
 * ferry_bo_migrate - move BOs
 * @ferry: the device
 * @targets: BOs and their new placements
 * @count: number of targets
 * @async: the call whose jobs carry the bytes, or NULL to wait for them
 *
 * Checks all of them before it moves the first.
 *
 * Return: 0, -EINVAL if a BO is named twice, -EBUSY if one is pinned
 * elsewhere, -ENODATA if one was purged, -EIO if one cannot be read back from swap,
 * -ENOSPC, -ENOMEM, -ENODEV or -ERESTARTSYS.
 */
int ferry_bo_migrate(struct ferry_device *ferry, struct ferry_bo_target *targets,
		     unsigned int count, struct ferry_async *async)
{
	unsigned long deadline = jiffies + FERRY_BO_RETRY_JIFFIES;
	bool fits;
	int ret;

	do {
		ret = ferry_bo_try_migrate(ferry, targets, count, async, &fits);
	} while (ferry_bo_retry(ret, fits, deadline));

	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_bo_migrate);

/**
 * ferry_bo_query - tell what a BO is
 * @bo: the BO
 * @args: filled in
 *
 * Return: 0 or -ERESTARTSYS.
 */
int ferry_bo_query(struct ferry_bo *bo, struct drm_ferry_bo_query *args)
{
	int ret;

	ret = ttm_bo_reserve(&bo->base, true, false, NULL);
	if (ret)
		return ret;

	args->size = bo->base.base.size;
	args->placements = bo->placements;
	args->placement = ferry_bo_placement(bo);
	args->caching = bo->caching;
	args->flags = bo->flags;
	args->pinned = !!bo->base.pin_count;
	args->cache = ferry_bo_cache(bo);
	args->huge_size = ferry_insert_huge_bytes(bo);
	args->madv = bo->madv;
	args->pad2 = 0;

	dma_resv_unlock(bo->base.base.resv);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_bo_query);

/**
 * ferry_bo_wait - wait until the work on a BO that is under way has ended
 * @bo: the BO
 * @timeout_ns: when to give up, in CLOCK_MONOTONIC
 *
 * Return: 0, -ETIME or -ERESTARTSYS.
 */
int ferry_bo_wait(struct ferry_bo *bo, s64 timeout_ns)
{
	long ret;

	ret = dma_resv_wait_timeout(bo->base.base.resv, dma_resv_usage_rw(true), true,
				    drm_timeout_abs_to_jiffies(timeout_ns));
	if (!ret)
		return -ETIME;

	return ret < 0 ? ret : 0;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_bo_wait);

/**
 * ferry_bo_access - read or write a BO for a debugger
 * @bo: the BO
 * @offset: byte offset into the BO
 * @buf: kernel buffer
 * @len: bytes
 * @write: write to the BO, else read from it
 *
 * Return: @len, -EIO for a range outside of the BO or contents that cannot be read back
 * from swap, -ENODATA if it was purged, -ENOMEM or -ERESTARTSYS.
 */
int ferry_bo_access(struct ferry_bo *bo, u64 offset, void *buf, int len, bool write)
{
	struct ttm_operation_ctx ctx = { .interruptible = true, .gfp_retry_mayfail = true };
	int ret;

	if (len < 1 || len > bo->base.base.size || offset > bo->base.base.size - len)
		return -EIO;

	ret = ttm_bo_reserve(&bo->base, true, false, NULL);
	if (ret)
		return ret;

	ret = bo->madv == DRM_FERRY_MADV_PURGED ? -ENODATA : ttm_bo_wait_ctx(&bo->base, &ctx);
	if (!ret && ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_SYSTEM)
		ret = ferry_compat_bo_populate(&bo->base, &ctx);
	if (!ret)
		ferry_migrate_access(bo, offset, buf, len, write);

	dma_resv_unlock(bo->base.base.resv);
	return ret ?: len;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_bo_access);

/* A pin makes a difference to the aperture if the BO is there and could leave. */
static void ferry_bo_account_pin(struct ferry_bo *bo, s64 bytes)
{
	struct ferry_device *ferry = ttm_to_ferry_device(bo->base.bdev);

	if (!ferry_bo_is_fixed(bo) && ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE)
		atomic64_add(bytes, &ferry->vram_mgr.fixed);
}

/**
 * ferry_bo_pin - keep a BO where it is
 * @bo: the BO, reserved
 */
void ferry_bo_pin(struct ferry_bo *bo)
{
	ferry_bo_account_pin(bo, bo->base.base.size);
	ttm_bo_pin(&bo->base);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_bo_pin);

/**
 * ferry_bo_unpin - undo ferry_bo_pin()
 * @bo: the BO, reserved
 */
void ferry_bo_unpin(struct ferry_bo *bo)
{
	ttm_bo_unpin(&bo->base);
	ferry_bo_account_pin(bo, -(s64)bo->base.base.size);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_bo_unpin);

static int ferry_bo_try_pin_scanout(struct ferry_bo *bo, u64 *offset, bool *fits)
{
	struct ferry_bo_target target = { .bo = bo, .placement = DRM_FERRY_PLACEMENT_APERTURE };
	struct ttm_place place = {
		.flags = TTM_PL_FLAG_CONTIGUOUS,
		.lpfn = FERRY_BO_SCANOUT_END >> PAGE_SHIFT,
	};
	struct ferry_device *ferry = ttm_to_ferry_device(bo->base.bdev);
	struct ttm_operation_ctx ctx = { .gfp_retry_mayfail = true };
	struct drm_exec exec;
	int ret = 0;

	*fits = false;
	drm_exec_init(&exec, 0, 1);
	drm_exec_until_all_locked(&exec) {
		ret = drm_exec_lock_obj(&exec, &bo->base.base);
		drm_exec_retry_on_contention(&exec);
		if (ret)
			goto out_unlock;
	}

	*fits = ferry_bo_targets_fit(ferry, &target, 1);
	ret = ferry_bo_check_target(&target);
	if (!ret && bo->madv != DRM_FERRY_MADV_WILLNEED)
		ret = -EINVAL;
	if (!ret)
		ret = ferry_bo_place_in_aperture(bo, &place, &ctx);
	if (ret)
		goto out_unlock;

	ferry_bo_pin(bo);
	atomic_inc(&ferry->scanout_pins);
	*offset = (u64)bo->base.resource->start << PAGE_SHIFT;

out_unlock:
	drm_exec_fini(&exec);
	return ret;
}

/**
 * ferry_bo_pin_scanout - put a BO where the display can read it, and keep it there
 * @bo: the BO
 * @offset: set to its byte offset into the aperture
 *
 * Return: 0, -EINVAL if the BO may not be in the aperture or its contents are not
 * needed, -ENODATA if they are gone, -EIO if they cannot be read back from swap, -EBUSY
 * if another device uses it in system memory, -ENOSPC, -ENOMEM or -ENODEV.
 */
int ferry_bo_pin_scanout(struct ferry_bo *bo, u64 *offset)
{
	unsigned long deadline = jiffies + FERRY_BO_RETRY_JIFFIES;
	bool fits;
	int ret;

	if (!(bo->placements & DRM_FERRY_PLACEMENT_APERTURE))
		return -EINVAL;

	do {
		ret = ferry_bo_try_pin_scanout(bo, offset, &fits);
	} while (ferry_bo_retry(ret, fits, deadline));

	return ret;
}

/**
 * ferry_bo_unpin_scanout - undo ferry_bo_pin_scanout()
 * @bo: the BO
 */
void ferry_bo_unpin_scanout(struct ferry_bo *bo)
{
	struct ferry_device *ferry = ttm_to_ferry_device(bo->base.bdev);

	dma_resv_lock(bo->base.base.resv, NULL);
	ferry_bo_unpin(bo);
	ttm_bo_unreserve(&bo->base);

	if (atomic_dec_and_test(&ferry->scanout_pins))
		wake_up_var(&ferry->scanout_pins);
}

/**
 * ferry_bo_dumb_create - create a buffer for software rendering
 * @file: the client
 * @drm: the device
 * @args: width, height and bits per pixel in; pitch, size and handle out
 *
 * Lives in cached system memory until it is scanned out.
 *
 * Return: 0, -EINVAL for a size that no BO can have, or as ferry_bo_create().
 */
int ferry_bo_dumb_create(struct drm_file *file, struct drm_device *drm,
			 struct drm_mode_create_dumb *args)
{
	struct drm_ferry_bo_create create = {
		.placements = DRM_FERRY_PLACEMENT_SYSTEM | DRM_FERRY_PLACEMENT_APERTURE,
		.flags = DRM_FERRY_BO_CONTIGUOUS,
	};
	struct ferry_device *ferry = to_ferry_device(drm);
	struct ferry_bo *bo;
	u64 pitch, size;
	int ret;

	if (args->flags)
		return -EINVAL;

	/* whole cache lines; cannot overflow: two 32 bit factors, divided */
	pitch = ALIGN(DIV_ROUND_UP_ULL((u64)args->width * args->bpp, 8), 64);
	if (pitch > U32_MAX || check_mul_overflow(pitch, (u64)args->height, &size) ||
	    !size || size > ferry_bo_max_size(ferry))
		return -EINVAL;

	create.size = size;
	bo = ferry_bo_create(ferry, &create);
	if (IS_ERR(bo))
		return PTR_ERR(bo);

	args->pitch = pitch;
	args->size = PAGE_ALIGN(size);
	ret = drm_gem_handle_create(file, &bo->base.base, &args->handle);
	ferry_bo_put(bo);
	return ret;
}
