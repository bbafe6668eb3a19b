/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Differences between the kernels that ferry builds for, and nothing else.
 * Each entry names the first version that has the new form.
 */
#ifndef _FERRY_COMPAT_H_
#define _FERRY_COMPAT_H_

#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#include <asm/msr.h>

#include <drm/drm_gem.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_resource.h>
#include <drm/ttm/ttm_tt.h>

#if KERNEL_VERSION(6, 14, 0) <= LINUX_VERSION_CODE
#include <linux/cgroup_dmem.h>
#include <drm/drm_drv.h>
#endif

#define FERRY_NEW_API (KERNEL_VERSION(7, 0, 0) <= LINUX_VERSION_CODE)

/* 6.14: &drm_driver.date is gone */
#if KERNEL_VERSION(6, 14, 0) <= LINUX_VERSION_CODE
#define FERRY_DRIVER_DATE
#else
#define FERRY_DRIVER_DATE .date = "20261120",
#endif

/* 6.14: the client setup moved */
#if KERNEL_VERSION(6, 14, 0) <= LINUX_VERSION_CODE
#include <drm/clients/drm_client_setup.h>
#else
#include <drm/drm_client_setup.h>
#endif

/* 7.0: the old name of this workqueue is deprecated, and its use is reported */
#if FERRY_NEW_API
#define ferry_unbound_wq system_dfl_wq
#else
#define ferry_unbound_wq system_unbound_wq
#endif

/* 7.0: the state handed to atomic callbacks has another name */
#if FERRY_NEW_API
#define ferry_atomic_commit drm_atomic_commit
#else
#define ferry_atomic_commit drm_atomic_state
#endif

/*
 * 6.17: fb_create gets the format information, and hands it on. The arguments
 * are named drm, file and cmd in both.
 */
#if KERNEL_VERSION(6, 17, 0) <= LINUX_VERSION_CODE
#define FERRY_FB_CREATE_ARGS struct drm_device *drm, struct drm_file *file, \
	const struct drm_format_info *info, const struct drm_mode_fb_cmd2 *cmd
#define ferry_compat_gem_fb_create() drm_gem_fb_create(drm, file, info, cmd)
#else
#define FERRY_FB_CREATE_ARGS struct drm_device *drm, struct drm_file *file, \
	const struct drm_mode_fb_cmd2 *cmd
#define ferry_compat_gem_fb_create() drm_gem_fb_create(drm, file, cmd)
#endif

/* 7.0: allocation flags take the place of two booleans */
static inline int ferry_compat_ttm_device_init(struct ttm_device *bdev,
					       const struct ttm_device_funcs *funcs,
					       struct device *dev,
					       struct address_space *mapping,
					       struct drm_vma_offset_manager *vma)
{
#if FERRY_NEW_API
	return ttm_device_init(bdev, funcs, dev, mapping, vma, 0);
#else
	return ttm_device_init(bdev, funcs, dev, mapping, vma, false, false);
#endif
}

/* 7.0: the last reference of the GEM object ends the TTM object */
static inline void ferry_compat_bo_fini(struct ttm_buffer_object *bo)
{
#if FERRY_NEW_API
	ttm_bo_fini(bo);
#else
	ttm_bo_put(bo);
#endif
}

/* 6.15: populating goes by the BO */
static inline int ferry_compat_bo_populate(struct ttm_buffer_object *bo,
					   struct ttm_operation_ctx *ctx)
{
#if KERNEL_VERSION(6, 15, 0) <= LINUX_VERSION_CODE
	return ttm_bo_populate(bo, ctx);
#else
	return ttm_tt_populate(bo->bdev, bo->ttm, ctx);
#endif
}

/* 6.15: a populated tt can also be backed up to shmem */
static inline bool ferry_compat_tt_is_swapped(const struct ttm_tt *tt)
{
#if KERNEL_VERSION(6, 15, 0) <= LINUX_VERSION_CODE
	return ttm_tt_is_swapped(tt);
#else
	return tt->page_flags & TTM_TT_FLAG_SWAPPED;
#endif
}

/* 7.0: huge entries take a plain PFN */
#if FERRY_NEW_API
#define ferry_compat_insert_pmd(vmf, pfn) vmf_insert_pfn_pmd(vmf, pfn, false)
#else
#include <linux/pfn_t.h>
#define ferry_compat_insert_pmd(vmf, pfn) \
	vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(pfn, PFN_DEV), false)
#endif

/* 7.0: always of the current process */
static inline unsigned long
ferry_compat_get_unmapped_area(struct file *filp, unsigned long addr, unsigned long len,
			       unsigned long pgoff, unsigned long flags)
{
#if FERRY_NEW_API
	return mm_get_unmapped_area(filp, addr, len, pgoff, flags);
#else
	return mm_get_unmapped_area(current->mm, filp, addr, len, pgoff, flags);
#endif
}

/* 7.3: asked of the mapping */
static inline bool ferry_compat_is_cow_mapping(const struct vm_area_struct *vma)
{
#if KERNEL_VERSION(7, 3, 0) <= LINUX_VERSION_CODE
	return vma_is_cow_mapping(vma);
#else
	return is_cow_mapping(vma->vm_flags);
#endif
}

/* 6.18: page flags are in a structure */
static inline const unsigned long *ferry_compat_page_flags(const struct page *page)
{
#if KERNEL_VERSION(6, 18, 0) <= LINUX_VERSION_CODE
	return &page->flags.f;
#else
	return &page->flags;
#endif
}

/* 6.13: one call sets a timer up */
static inline void
ferry_compat_hrtimer_setup(struct hrtimer *timer,
			   enum hrtimer_restart (*function)(struct hrtimer *))
{
#if KERNEL_VERSION(6, 13, 0) <= LINUX_VERSION_CODE
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer->function = function;
#endif
}

/* 6.13: whether BOs can be active is told; before, it is printed in any case */
#if KERNEL_VERSION(6, 13, 0) <= LINUX_VERSION_CODE
#define FERRY_GEM_OBJECT_ACTIVE DRM_GEM_OBJECT_ACTIVE
#else
#define FERRY_GEM_OBJECT_ACTIVE 0
#endif

/* 6.14: control groups can limit device memory; 7.3: told by a structure */
static inline int ferry_compat_register_dmem(struct drm_device *drm,
					     struct ttm_resource_manager *man, u64 size)
{
#if KERNEL_VERSION(7, 3, 0) <= LINUX_VERSION_CODE
	struct dmem_cgroup_init init = { .size = size };

	man->cg = drmm_cgroup_register_region(drm, "aperture", &init);
	return PTR_ERR_OR_ZERO(man->cg);
#elif KERNEL_VERSION(6, 14, 0) <= LINUX_VERSION_CODE
	man->cg = drmm_cgroup_register_region(drm, "aperture", size);
	return PTR_ERR_OR_ZERO(man->cg);
#else
	return 0;
#endif
}

/* 7.3: one lock for all LRUs of a device; before, an LRU has the driver's */
#if KERNEL_VERSION(7, 3, 0) <= LINUX_VERSION_CODE
#define FERRY_GEM_LRU_SHRINK_ARGS struct drm_gem_object *obj, struct ww_acquire_ctx *ticket
#else
#define FERRY_GEM_LRU_SHRINK_ARGS struct drm_gem_object *obj
#endif

static inline void ferry_compat_gem_lru_init(struct drm_gem_lru *lru, struct mutex *lock)
{
#if KERNEL_VERSION(7, 3, 0) <= LINUX_VERSION_CODE
	drm_gem_lru_init(lru);
#else
	drm_gem_lru_init(lru, lock);
#endif
}

/*
 * Before 7.3 drm_gem_lru_remove(), and drm_gem_lru_move_tail(), find the lock through the
 * LRU that an object is in, which may be one on the stack of a scan that ends meanwhile.
 */
static inline void ferry_compat_gem_lru_move(struct drm_gem_lru *lru,
					     struct drm_gem_object *obj, struct mutex *lock)
{
#if KERNEL_VERSION(7, 3, 0) <= LINUX_VERSION_CODE
	drm_gem_lru_move_tail(lru, obj);
#else
	mutex_lock(lock);
	drm_gem_lru_move_tail_locked(lru, obj);
	mutex_unlock(lock);
#endif
}

static inline unsigned long
ferry_compat_gem_lru_scan(struct drm_device *drm, struct drm_gem_lru *lru,
			  unsigned int pages, unsigned long *remaining,
			  bool (*shrink)(FERRY_GEM_LRU_SHRINK_ARGS))
{
#if KERNEL_VERSION(7, 3, 0) <= LINUX_VERSION_CODE
	return drm_gem_lru_scan(drm, lru, pages, remaining, shrink, NULL);
#else
	return drm_gem_lru_scan(lru, pages, remaining, shrink);
#endif
}

/* 6.16: rdmsrl() is rdmsrq() */
static inline u64 ferry_compat_rdmsr(u32 msr)
{
	u64 val;

#if KERNEL_VERSION(6, 16, 0) <= LINUX_VERSION_CODE
	rdmsrq(msr, val);
#else
	rdmsrl(msr, val);
#endif
	return val;
}

/* 6.13: namespaces are strings */
#if KERNEL_VERSION(6, 13, 0) <= LINUX_VERSION_CODE
#define FERRY_IMPORT_KUNIT_EXPORTS MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING")
#else
#define FERRY_IMPORT_KUNIT_EXPORTS MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING)
#endif

#endif /* _FERRY_COMPAT_H_ */
