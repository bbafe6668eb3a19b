// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What differs between the kernels that ferry builds for: each function below compiles only
 * where the kernel has what it uses. The makefile compiles this file once, and for each function
 * probe_X() without an error it writes "#define FERRY_HAVE_X 1" to ferry_features.h, for
 * ferry_compat.h. The code never runs and is not part of the module.
 *
 * So kernels with backported changes work, and release candidates. A new probe is one function,
 * used by no other probe, because a compiler may report an unknown function only once.
 */
#include <linux/dma-buf.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sched/mm.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>

#include <asm/msr.h>

#include <drm/drm_atomic.h>
#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_modeset_helper_vtables.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_tt.h>

#if __has_include("linux/cgroup_dmem.h")
#include <linux/cgroup_dmem.h>
#endif

/* These two check the method: the first always compiles, the second never does. */
static __maybe_unused size_t probe_ANYTHING(struct drm_gem_object *obj)
{
	return obj->size;
}

static __maybe_unused size_t probe_NOTHING(struct drm_gem_object *obj)
{
	return obj->ferry_has_no_such_member;
}

/* 7.0, and stable releases of 6.12: the buddy allocator is independent of DRM */
static __maybe_unused int probe_GPU_BUDDY(void)
{
#if __has_include("linux/gpu_buddy.h")
	return 0;
#else
	return there_is_no_such_header;
#endif
}

/* 6.14: memory of devices can be charged to cgroups */
static __maybe_unused int probe_CGROUP_DMEM(void)
{
#if __has_include("linux/cgroup_dmem.h")
	return 0;
#else
	return there_is_no_such_header;
#endif
}

/* 6.14: the header of drm_client_setup() is in another directory */
static __maybe_unused int probe_CLIENTS_DIRECTORY(void)
{
#if __has_include("drm/clients/drm_client_setup.h")
	return 0;
#else
	return there_is_no_such_header;
#endif
}

/* 6.14 drops the member date of struct drm_driver */
static __maybe_unused const char *probe_DRIVER_DATE(const struct drm_driver *driver)
{
	return driver->date;
}

/* 6.17: system_dfl_wq replaces system_unbound_wq; later, queueing work on the latter warns */
static __maybe_unused void probe_SYSTEM_DFL_WQ(struct work_struct *work)
{
	queue_work(system_dfl_wq, work);
}

/* 7.0: struct drm_atomic_state is called struct drm_atomic_commit */
static __maybe_unused struct drm_device *probe_ATOMIC_COMMIT(struct drm_atomic_commit *commit)
{
	return commit->dev;
}

/* 7.0: pages in pools such as TTM's are counted */
static __maybe_unused unsigned long probe_GPU_RECLAIM(void)
{
	return global_node_page_state(NR_GPU_RECLAIM);
}

/* 7.0: the driver core has the driver override of all devices */
static __maybe_unused int probe_DRIVER_OVERRIDE(struct pci_dev *pdev, struct pci_driver *driver)
{
	return device_match_driver_override(&pdev->dev, &driver->driver);
}

/* 6.16: &drm_plane_helper_funcs.atomic_async_check is told if it is a page flip */
static __maybe_unused int probe_ASYNC_CHECK_FLIP(const struct drm_plane_helper_funcs *funcs,
						 struct drm_plane *plane)
{
	return funcs->atomic_async_check(plane, NULL, true);
}

/* 6.17: drm_gem_fb_create() and &drm_mode_config_funcs.fb_create take the format information */
static __maybe_unused void *probe_FB_CREATE_INFO(struct drm_device *drm, struct drm_file *file,
						 const struct drm_format_info *info,
						 const struct drm_mode_fb_cmd2 *cmd)
{
	return drm_gem_fb_create(drm, file, info, cmd);
}

/* 7.0: ttm_device_init() takes a mask of flags instead of two booleans */
static __maybe_unused int probe_TTM_DEVICE_FLAGS(struct ttm_device *bdev)
{
	return ttm_device_init(bdev, NULL, NULL, NULL, NULL, 0);
}

/* 7.0: TTM BOs have no reference count of their own: ttm_bo_fini() replaces ttm_bo_put() */
static __maybe_unused void probe_TTM_BO_FINI(struct ttm_buffer_object *bo)
{
	ttm_bo_fini(bo);
}

/* 6.15: ttm_bo_populate() replaces ttm_tt_populate(), and takes the BO */
static __maybe_unused int probe_TTM_BO_POPULATE(struct ttm_buffer_object *bo,
						struct ttm_operation_ctx *ctx)
{
	return ttm_bo_populate(bo, ctx);
}

/* 6.15: ttm_tt_is_swapped() replaces a test of the flag in struct ttm_tt */
static __maybe_unused bool probe_TTM_TT_IS_SWAPPED(struct ttm_tt *tt)
{
	return ttm_tt_is_swapped(tt);
}

/* 7.0: vmf_insert_pfn_pmd() takes an unsigned long instead of a pfn_t */
static __maybe_unused vm_fault_t probe_INSERT_PMD_PFN(struct vm_fault *vmf, unsigned long pfn)
{
	return vmf_insert_pfn_pmd(vmf, pfn, false);
}

/* 7.0: mm_get_unmapped_area() always uses the mm of the current process */
static __maybe_unused unsigned long probe_UNMAPPED_AREA_CURRENT(struct file *filp)
{
	return mm_get_unmapped_area(filp, 0, PAGE_SIZE, 0, 0);
}

/* 7.3: vma_is_cow_mapping() replaces is_cow_mapping(), and takes the VMA */
static __maybe_unused bool probe_VMA_IS_COW_MAPPING(const struct vm_area_struct *vma)
{
	return vma_is_cow_mapping(vma);
}

/* 6.18: &page.flags is a structure */
static __maybe_unused const unsigned long *probe_PAGE_FLAGS_STRUCT(const struct page *page)
{
	return &page->flags.f;
}

/* 6.13: hrtimer_setup() replaces hrtimer_init(), and also sets the callback */
static __maybe_unused void probe_HRTIMER_SETUP(struct hrtimer *timer)
{
	hrtimer_setup(timer, NULL, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
}

/* 6.13: drm_print_memory_stats() prints active BOs only if a flag requests it */
static __maybe_unused int probe_GEM_OBJECT_ACTIVE(void)
{
	return DRM_GEM_OBJECT_ACTIVE;
}

/* 7.3: the options of drmm_cgroup_register_region() are in a structure */
static __maybe_unused void *probe_DMEM_INIT(struct drm_device *drm)
{
	struct dmem_cgroup_init init = { .size = PAGE_SIZE };

	return drmm_cgroup_register_region(drm, "aperture", &init);
}

/* 7.3: the DRM device has one lock for all its LRUs; before, the driver provides the lock */
static __maybe_unused void probe_GEM_LRU_OF_DEVICE(struct drm_gem_lru *lru)
{
	drm_gem_lru_init(lru);
}

/* 6.16: rdmsrq() replaces rdmsrl() */
static __maybe_unused u64 probe_RDMSRQ(u32 msr)
{
	u64 val;

	rdmsrq(msr, val);
	return val;
}

/* 7.0: &dma_buf_attach_ops.move_notify is called invalidate_mappings */
static __maybe_unused bool probe_MOVE_NOTIFY(const struct dma_buf_attach_ops *ops)
{
	return ops->move_notify;
}

/*
 * Before 6.13 MODULE_IMPORT_NS() takes a name, and makes a string of it. MODULE_INFO() would
 * report a wrong argument in its header, so the probe has its own.
 */
#undef MODULE_INFO
#define MODULE_INFO(tag, info) const char *tag##_text = info

static __maybe_unused const char *probe_IMPORT_NS_NAME(void)
{
	MODULE_IMPORT_NS(ferry_probes);
	return import_ns_text;
}
