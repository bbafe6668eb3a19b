/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Differences in the kernel's API between the versions that ferry builds for, and nothing
 * else. FERRY_HAVE_X is defined if the function probe_X() of probes/probes.c compiles, so that
 * kernels with backported changes work. Each comment names the first version with the new API.
 */
#ifndef _FERRY_COMPAT_H_
#define _FERRY_COMPAT_H_

#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/sched/mm.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>

#include <asm/msr.h>

#include <drm/drm_gem.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_resource.h>
#include <drm/ttm/ttm_tt.h>

#include <ferry_features.h>

#ifdef FERRY_HAVE_CGROUP_DMEM
#include <linux/cgroup_dmem.h>

#include <drm/drm_drv.h>
#endif

/*
 * 7.0: the buddy allocator is independent of DRM, and its functions have other names. Linux 6.12
 * has that from one of its stable releases on.
 */
#ifdef FERRY_HAVE_GPU_BUDDY
#include <linux/gpu_buddy.h>
#else
#include <drm/drm_buddy.h>
#define GPU_BUDDY_CONTIGUOUS_ALLOCATION DRM_BUDDY_CONTIGUOUS_ALLOCATION
#define GPU_BUDDY_RANGE_ALLOCATION DRM_BUDDY_RANGE_ALLOCATION
#define gpu_buddy drm_buddy
#define gpu_buddy_alloc_blocks drm_buddy_alloc_blocks
#define gpu_buddy_block drm_buddy_block
#define gpu_buddy_block_offset drm_buddy_block_offset
#define gpu_buddy_block_size drm_buddy_block_size
#define gpu_buddy_fini drm_buddy_fini
#define gpu_buddy_free_list drm_buddy_free_list
#define gpu_buddy_init drm_buddy_init
#endif

/* 6.14: struct drm_driver has no member date */
#ifdef FERRY_HAVE_DRIVER_DATE
#define FERRY_DRIVER_DATE .date = "20261120",
#else
#define FERRY_DRIVER_DATE
#endif

/* 6.14: the header of drm_client_setup() is in another directory */
#ifdef FERRY_HAVE_CLIENTS_DIRECTORY
#include <drm/clients/drm_client_setup.h>
#else
#include <drm/drm_client_setup.h>
#endif

/* 6.17: system_dfl_wq replaces system_unbound_wq; from 7.0 on, queueing work on the latter warns */
#ifdef FERRY_HAVE_SYSTEM_DFL_WQ
#define ferry_unbound_wq system_dfl_wq
#else
#define ferry_unbound_wq system_unbound_wq
#endif

/* 7.0: struct drm_atomic_state is called struct drm_atomic_commit */
#ifdef FERRY_HAVE_ATOMIC_COMMIT
#define ferry_atomic_commit drm_atomic_commit
#else
#define ferry_atomic_commit drm_atomic_state
#endif

/*
 * 6.17: &drm_mode_config_funcs.fb_create has a parameter for the format information, and passes it
 * to drm_gem_fb_create_with_funcs(). The other parameters are drm, file and cmd in all versions.
 */
#ifdef FERRY_HAVE_FB_CREATE_INFO
#define FERRY_FB_CREATE_ARGS struct drm_device *drm, struct drm_file *file, \
	const struct drm_format_info *info, const struct drm_mode_fb_cmd2 *cmd
#define ferry_compat_gem_fb_create(funcs) \
	drm_gem_fb_create_with_funcs(drm, file, info, cmd, funcs)
#else
#define FERRY_FB_CREATE_ARGS struct drm_device *drm, struct drm_file *file, \
	const struct drm_mode_fb_cmd2 *cmd
#define ferry_compat_gem_fb_create(funcs) \
	drm_gem_fb_create_with_funcs(drm, file, cmd, funcs)
#endif

/* 6.16: &drm_plane_helper_funcs.atomic_async_check is told if it is a page flip */
#ifdef FERRY_HAVE_ASYNC_CHECK_FLIP
#define FERRY_ASYNC_CHECK_ARGS struct drm_plane *plane, struct ferry_atomic_commit *commit, \
	bool flip
#else
#define FERRY_ASYNC_CHECK_ARGS struct drm_plane *plane, struct ferry_atomic_commit *commit
#endif

/* 7.0: ttm_device_init() takes a mask of flags instead of two booleans */
static inline int ferry_compat_ttm_device_init(struct ttm_device *bdev,
					       const struct ttm_device_funcs *funcs,
					       struct device *dev,
					       struct address_space *mapping,
					       struct drm_vma_offset_manager *vma)
{
#ifdef FERRY_HAVE_TTM_DEVICE_FLAGS
	return ttm_device_init(bdev, funcs, dev, mapping, vma, 0);
#else
	return ttm_device_init(bdev, funcs, dev, mapping, vma, false, false);
#endif
}

/* 7.0: TTM BOs have no reference count of their own: ttm_bo_fini() replaces ttm_bo_put() */
static inline void ferry_compat_bo_fini(struct ttm_buffer_object *bo)
{
#ifdef FERRY_HAVE_TTM_BO_FINI
	ttm_bo_fini(bo);
#else
	ttm_bo_put(bo);
#endif
}

/* 6.15: ttm_bo_populate() replaces ttm_tt_populate(), and takes the BO */
static inline int ferry_compat_bo_populate(struct ttm_buffer_object *bo,
					   struct ttm_operation_ctx *ctx)
{
#ifdef FERRY_HAVE_TTM_BO_POPULATE
	return ttm_bo_populate(bo, ctx);
#else
	return ttm_tt_populate(bo->bdev, bo->ttm, ctx);
#endif
}

/* 6.15: ttm_tt_is_swapped() replaces a test of the flag in struct ttm_tt */
static inline bool ferry_compat_tt_is_swapped(const struct ttm_tt *tt)
{
#ifdef FERRY_HAVE_TTM_TT_IS_SWAPPED
	return ttm_tt_is_swapped(tt);
#else
	return tt->page_flags & TTM_TT_FLAG_SWAPPED;
#endif
}

/* 7.0: vmf_insert_pfn_pmd() takes an unsigned long instead of a pfn_t */
#ifdef FERRY_HAVE_INSERT_PMD_PFN
#define ferry_compat_insert_pmd(vmf, pfn) vmf_insert_pfn_pmd(vmf, pfn, false)
#else
#include <linux/pfn_t.h>
#define ferry_compat_insert_pmd(vmf, pfn) \
	vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(pfn, PFN_DEV), false)
#endif

/* 7.0: mm_get_unmapped_area() always uses the mm of the current process */
static inline unsigned long
ferry_compat_get_unmapped_area(struct file *filp, unsigned long addr, unsigned long len,
			       unsigned long pgoff, unsigned long flags)
{
#ifdef FERRY_HAVE_UNMAPPED_AREA_CURRENT
	return mm_get_unmapped_area(filp, addr, len, pgoff, flags);
#else
	return mm_get_unmapped_area(current->mm, filp, addr, len, pgoff, flags);
#endif
}

/* 7.3: vma_is_cow_mapping() replaces is_cow_mapping(), and takes the VMA */
static inline bool ferry_compat_is_cow_mapping(const struct vm_area_struct *vma)
{
#ifdef FERRY_HAVE_VMA_IS_COW_MAPPING
	return vma_is_cow_mapping(vma);
#else
	return is_cow_mapping(vma->vm_flags);
#endif
}

/* 6.18: &page.flags is a structure */
static inline const unsigned long *ferry_compat_page_flags(const struct page *page)
{
#ifdef FERRY_HAVE_PAGE_FLAGS_STRUCT
	return &page->flags.f;
#else
	return &page->flags;
#endif
}

/* 6.13: hrtimer_setup() replaces hrtimer_init(), and also sets the callback */
static inline void
ferry_compat_hrtimer_setup(struct hrtimer *timer,
			   enum hrtimer_restart (*function)(struct hrtimer *))
{
#ifdef FERRY_HAVE_HRTIMER_SETUP
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer->function = function;
#endif
}

/* 6.13: drm_print_memory_stats() prints active BOs only if a flag requests it */
#ifdef FERRY_HAVE_GEM_OBJECT_ACTIVE
#define FERRY_GEM_OBJECT_ACTIVE DRM_GEM_OBJECT_ACTIVE
#else
#define FERRY_GEM_OBJECT_ACTIVE 0
#endif

/* 6.14: the dmem cgroup controller can limit device memory; 7.3: options are in a structure */
static inline int ferry_compat_register_dmem(struct drm_device *drm,
					     struct ttm_resource_manager *man, u64 size)
{
#ifdef FERRY_HAVE_DMEM_INIT
	struct dmem_cgroup_init init = { .size = size };

	man->cg = drmm_cgroup_register_region(drm, "aperture", &init);
	return PTR_ERR_OR_ZERO(man->cg);
#elif defined(FERRY_HAVE_CGROUP_DMEM)
	man->cg = drmm_cgroup_register_region(drm, "aperture", size);
	return PTR_ERR_OR_ZERO(man->cg);
#else
	return 0;
#endif
}

/* 7.3: the DRM device has one lock for all its LRUs; before, the driver provides the lock */
#ifdef FERRY_HAVE_GEM_LRU_OF_DEVICE
#define FERRY_GEM_LRU_SHRINK_ARGS struct drm_gem_object *obj, struct ww_acquire_ctx *ticket
#else
#define FERRY_GEM_LRU_SHRINK_ARGS struct drm_gem_object *obj
#endif

static inline void ferry_compat_gem_lru_init(struct drm_gem_lru *lru, struct mutex *lock)
{
#ifdef FERRY_HAVE_GEM_LRU_OF_DEVICE
	drm_gem_lru_init(lru);
#else
	drm_gem_lru_init(lru, lock);
#endif
}

/*
 * Before 7.3 drm_gem_lru_remove() and drm_gem_lru_move_tail() find the lock through the LRU
 * that the object is in. During a scan that is an LRU on the stack of drm_gem_lru_scan(),
 * which may return before they take the lock. So take the lock directly.
 */
static inline void ferry_compat_gem_lru_move(struct drm_gem_lru *lru,
					     struct drm_gem_object *obj, struct mutex *lock)
{
#ifdef FERRY_HAVE_GEM_LRU_OF_DEVICE
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
#ifdef FERRY_HAVE_GEM_LRU_OF_DEVICE
	return drm_gem_lru_scan(drm, lru, pages, remaining, shrink, NULL);
#else
	return drm_gem_lru_scan(lru, pages, remaining, shrink);
#endif
}

/* 7.0: the kernel counts the pages in pools such as TTM's; before, ferry estimates them */
#ifdef FERRY_HAVE_GPU_RECLAIM
#define FERRY_ESTIMATE_POOLED false
#else
#define FERRY_ESTIMATE_POOLED true
#endif

static inline long ferry_compat_pooled(const atomic_long_t *estimate)
{
#ifdef FERRY_HAVE_GPU_RECLAIM
	return global_node_page_state(NR_GPU_RECLAIM);
#else
	return atomic_long_read(estimate);
#endif
}

/* 7.0: the name of a device's driver override is private to the driver core */
static inline bool ferry_compat_is_override(struct pci_dev *pdev, struct pci_driver *driver)
{
#ifdef FERRY_HAVE_DRIVER_OVERRIDE
	int match = device_match_driver_override(&pdev->dev, &driver->driver);

	/* For sparse, which does not see that guard() drops the lock. */
	__release(pdev);
	return match > 0;
#else
	/* The driver core holds the device's lock while it probes it. */
	return pdev->driver_override && !strcmp(pdev->driver_override, driver->name);
#endif
}

/* 6.16: rdmsrq() replaces rdmsrl() */
static inline u64 ferry_compat_rdmsr(u32 msr)
{
	u64 val;

#ifdef FERRY_HAVE_RDMSRQ
	rdmsrq(msr, val);
#else
	rdmsrl(msr, val);
#endif
	return val;
}

/* 7.0: &dma_buf_attach_ops.move_notify is called invalidate_mappings */
#ifdef FERRY_HAVE_MOVE_NOTIFY
#define FERRY_ATTACH_OPS_MOVED(fn) .move_notify = fn
#else
#define FERRY_ATTACH_OPS_MOVED(fn) .invalidate_mappings = fn
#endif

/* 7.0: dma_buf_invalidate_mappings() replaces dma_buf_move_notify() */
#ifdef FERRY_HAVE_MOVE_NOTIFY
#define ferry_compat_invalidate_mappings dma_buf_move_notify
#else
#define ferry_compat_invalidate_mappings dma_buf_invalidate_mappings
#endif

/* 6.13: MODULE_IMPORT_NS() takes a string */
#ifdef FERRY_HAVE_IMPORT_NS_NAME
#define FERRY_IMPORT_KUNIT_EXPORTS MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING)
#define FERRY_IMPORT_DMA_BUF MODULE_IMPORT_NS(DMA_BUF)
#else
#define FERRY_IMPORT_KUNIT_EXPORTS MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING")
#define FERRY_IMPORT_DMA_BUF MODULE_IMPORT_NS("DMA_BUF")
#endif

#endif /* _FERRY_COMPAT_H_ */
