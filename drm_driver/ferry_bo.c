// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/capability.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include <asm/memtype.h>

#include <drm/drm_gem.h>
#include <drm/drm_mode.h>
#include <drm/drm_utils.h>
#include <drm/drm_vma_manager.h>

#include <kunit/visibility.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_drv.h"
#include "ferry_fault.h"
#include "ferry_pte.h"
#include "ferry_migrate.h"
#include "ferry_placement.h"
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

	if (bo->allowed_placements == DRM_FERRY_PLACEMENT_APERTURE)
		atomic64_add(bytes, &ferry->vram_mgr.home);
}

/*
 * May this process keep more of the aperture from everybody else? It takes no lock: two
 * that ask at the same time may both be told yes.
 */
static bool ferry_bo_may_live_there(struct ferry_device *ferry, u32 placements, u64 size)
{
	u64 share = div_u64(ferry->bar.size * min(ferry_bo_aperture_only, 100U), 100);

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
	return max((u64)totalram_pages() << PAGE_SHIFT, ferry->bar.size);
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
	struct ferry_placement_target target;
	struct ferry_bo *bo;
	u32 failed;
	int ret;

	if (!ferry_bo_may_live_there(ferry, args->allowed_placements, PAGE_ALIGN(args->size)))
		return ERR_PTR(-ENOSPC);

	bo = kzalloc(sizeof(*bo), GFP_KERNEL);
	if (!bo)
		return ERR_PTR(-ENOMEM);

	bo->allowed_placements = args->allowed_placements;
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
		target.placement = args->allowed_placements & DRM_FERRY_PLACEMENT_SYSTEM ?:
				   DRM_FERRY_PLACEMENT_APERTURE;
	if (target.placement == DRM_FERRY_PLACEMENT_APERTURE) {
		ret = ferry_placement_all(ferry, &target, 1, NULL, &failed);
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
 * Return: one of &enum drm_ferry_memtype.
 */
int ferry_bo_cache(struct ferry_bo *bo)
{
	if (ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE)
		return ttm_to_ferry_device(bo->base.bdev)->bar.effective;
	if (bo->caching == DRM_FERRY_CACHING_CACHED)
		return DRM_FERRY_MEMTYPE_WB;

	/* without PAT there is no write-combining */
	return pat_enabled() ? DRM_FERRY_MEMTYPE_WC : DRM_FERRY_MEMTYPE_UC_MINUS;
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
	args->allowed_placements = bo->allowed_placements;
	args->placement = ferry_bo_placement(bo);
	args->caching = bo->caching;
	args->flags = bo->flags;
	args->pinned = !!bo->base.pin_count;
	args->memtype = ferry_bo_cache(bo);
	args->huge_size = ferry_pte_huge_bytes(bo);
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
		.allowed_placements = DRM_FERRY_PLACEMENT_SYSTEM | DRM_FERRY_PLACEMENT_APERTURE,
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
