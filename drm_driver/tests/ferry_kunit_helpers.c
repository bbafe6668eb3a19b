// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A ferry device without a PCI device. It uses all of the driver but the probe of the BAR: the
 * aperture is ordinary memory, or has no memory in tests that only use its addresses.
 */

#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sizes.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_kunit_helpers.h>
#include <drm/ferry_drm.h>

#include <kunit/resource.h>
#include <kunit/test.h>

#include "../ferry_bo.h"
#include "../ferry_client.h"
#include "../ferry_compat.h"
#include "../ferry_device.h"
#include "../ferry_fault.h"
#include "../ferry_ioctl.h"
#include "../ferry_job.h"
#include "../ferry_placement.h"
#include "../ferry_shrinker.h"
#include "../ferry_tt.h"
#include "../ferry_ttm.h"
#include "../ferry_vram_mgr.h"
#include "ferry_kunit_helpers.h"

static const struct file_operations ferry_kunit_fops = {
	.owner = THIS_MODULE,
	.open = drm_open,
	.release = drm_release,
	.unlocked_ioctl = drm_ioctl,
	.mmap = ferry_fault_mmap,
	.get_unmapped_area = ferry_fault_get_unmapped_area,
	.fop_flags = FOP_UNSIGNED_OFFSET,
};

static const struct drm_driver ferry_kunit_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER | DRIVER_SYNCOBJ | DRIVER_SYNCOBJ_TIMELINE,
	.open = ferry_client_open,
	.postclose = ferry_client_close,
	.fops = &ferry_kunit_fops,
	.name = "ferry-kunit",
	.desc = "ferry without a PCI device",
	FERRY_DRIVER_DATE
};

static struct ferry_device *ferry_kunit_alloc(struct kunit *test)
{
	struct ferry_device *ferry;
	struct device *dev;

	dev = drm_kunit_helper_alloc_device(test);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);

	ferry = drm_kunit_helper_alloc_drm_device_with_driver(test, dev, struct ferry_device, drm,
							      &ferry_kunit_driver);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ferry);
	ferry->bar.requested = DRM_FERRY_MEMTYPE_WB;
	ferry->bar.effective = DRM_FERRY_MEMTYPE_WB;
	return ferry;
}

/* Initialize the device as the driver's probe does after it has mapped the BAR. */
static void ferry_kunit_start(struct kunit *test, struct ferry_device *ferry)
{
	KUNIT_ASSERT_EQ(test, ferry_job_init(ferry), 0);
	spin_lock_init(&ferry->bos_lock);
	INIT_LIST_HEAD(&ferry->bos);
	KUNIT_ASSERT_EQ(test, ferry_tt_init(ferry), 0);
	KUNIT_ASSERT_EQ(test, ferry_ttm_init(ferry), 0);
	KUNIT_ASSERT_EQ(test, ferry_shrinker_init(ferry), 0);
	KUNIT_ASSERT_EQ(test, ferry_vram_mgr_init(ferry), 0);
}

/**
 * ferry_kunit_device - create a device whose aperture has addresses and no memory
 * @test: the test; the device is released when it ends
 * @aperture_size: size of the aperture in bytes
 *
 * Return: the device.
 */
struct ferry_device *ferry_kunit_device(struct kunit *test, u64 aperture_size)
{
	struct ferry_device *ferry = ferry_kunit_alloc(test);

	ferry->bar.base = SZ_1G;
	ferry->bar.size = aperture_size;
	ferry_kunit_start(test, ferry);
	return ferry;
}

static void ferry_kunit_free_pages(void *data)
{
	struct page *page = data;

	__free_pages(page, page_private(page));
}

/**
 * ferry_kunit_device_with_memory - create a device whose aperture is ordinary memory
 * @test: the test; the device is released when it ends
 * @order: number of pages of the aperture, as a power of two
 *
 * Fills the memory with a nonzero pattern, so that a test can see what the driver clears.
 * Skips the test if there is no contiguous memory of that size.
 *
 * Return: the device.
 */
struct ferry_device *ferry_kunit_device_with_memory(struct kunit *test, unsigned int order)
{
	struct ferry_device *ferry;
	struct page *page;

	page = alloc_pages(GFP_KERNEL | __GFP_NOWARN, order);
	if (!page)
		kunit_skip(test, "no %lu KiB of contiguous memory", PAGE_SIZE << order >> 10);
	set_page_private(page, order);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, ferry_kunit_free_pages, page), 0);
	memset(page_address(page), 0xa5, PAGE_SIZE << order);

	ferry = ferry_kunit_alloc(test);
	ferry->bar.base = page_to_phys(page);
	ferry->bar.size = PAGE_SIZE << order;
	ferry->bar.io.iomem = (void __iomem __force *)page_address(page);
	ferry_kunit_start(test, ferry);
	return ferry;
}

static void ferry_kunit_close(void *file)
{
	__fput_sync(file);
}

/**
 * ferry_kunit_open - open the device as a new client
 * @test: the test; the file is closed when it ends
 * @ferry: the device
 *
 * Return: the file of the client.
 */
struct drm_file *ferry_kunit_open(struct kunit *test, struct ferry_device *ferry)
{
	struct file *file = mock_drm_getfile(ferry->drm.render, O_RDWR);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, ferry_kunit_close, file), 0);
	return file->private_data;
}

/**
 * ferry_kunit_create - create a BO
 * @test: the test
 * @ferry: the device
 * @file: the client
 * @size: size in bytes
 * @placements: allowed placements, a mask of DRM_FERRY_PLACEMENT_*
 * @placement: initial placement, or 0 for the default
 *
 * Return: the handle of the BO.
 */
u32 ferry_kunit_create(struct kunit *test, struct ferry_device *ferry, struct drm_file *file,
		       u64 size, u32 placements, u32 placement)
{
	struct drm_ferry_bo_create args = {
		.size = size,
		.allowed_placements = placements,
		.placement = placement,
	};

	KUNIT_ASSERT_EQ(test, ferry_ioctl_bo_create(&ferry->drm, &args, file), 0);
	KUNIT_ASSERT_NE(test, args.handle, 0);
	return args.handle;
}

static void ferry_kunit_put(void *bo)
{
	ferry_bo_put(bo);
}

/**
 * ferry_kunit_lookup - look up the BO of a handle
 * @test: the test; the reference is dropped when it ends
 * @file: the client
 * @handle: the handle
 *
 * Return: the BO.
 */
struct ferry_bo *ferry_kunit_lookup(struct kunit *test, struct drm_file *file, u32 handle)
{
	struct ferry_bo *bo = ferry_bo_lookup(file, handle);

	KUNIT_ASSERT_NOT_NULL(test, bo);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, ferry_kunit_put, bo), 0);
	return bo;
}

/**
 * ferry_kunit_pin - pin or unpin a BO
 * @bo: the BO, not reserved
 * @pin: true to pin
 */
void ferry_kunit_pin(struct ferry_bo *bo, bool pin)
{
	dma_resv_lock(bo->base.base.resv, NULL);
	if (pin)
		ferry_placement_pin(bo);
	else
		ferry_placement_unpin(bo);
	dma_resv_unlock(bo->base.base.resv);
}

MODULE_DESCRIPTION("KUnit tests of ferry");
MODULE_AUTHOR("The ferry developers");
MODULE_LICENSE("Dual MIT/GPL");
FERRY_IMPORT_KUNIT_EXPORTS;
