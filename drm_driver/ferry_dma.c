// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/pci-p2pdma.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include <drm/ferry_drm.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_tt.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_cursor.h"
#include "ferry_device.h"
#include "ferry_dma.h"
#include "ferry_placement.h"
#include "ferry_vram_mgr.h"

/**
 * DOC: DMA mappings
 *
 * A DMA mapping is what an importer holds: the addresses at which its device accesses a BO. A
 * BO that moves invalidates its mappings: it tells all importers to map it again. An importer may
 * be late, or ignore this. So the memory behind a mapping is not used for anything else before
 * the importer has unmapped it: blocks of the aperture stay allocated (&ferry_vram_resource.users),
 * and system pages are neither swapped out nor, as kept pages, freed by reclaim.
 *
 * An importer reaches the aperture if it accepts addresses without a struct page, if PCI
 * peer-to-peer transfers between the two devices work according to the kernel, as they do below
 * one switch, and if its DMA mask covers the BAR.
 */

/**
 * struct ferry_dma_mapping - a DMA mapping of a BO
 */
struct ferry_dma_mapping {
	/** @sgt: the table that the importer has */
	struct sg_table sgt;
	/** @node: in &ferry_bo.dma_mappings */
	struct list_head node;
	/** @dev: the importer's device */
	struct device *dev;
	/** @dir: direction of the transfers */
	enum dma_data_direction dir;
	/** @vres: the resource in the aperture, held; NULL for system pages */
	struct ferry_vram_resource *vres;
};

/**
 * ferry_dma_can_reach - check if a device can access the aperture
 * @ferry: the device
 * @dev: the other device
 *
 * Return: true if peer-to-peer transfers work, and the DMA mask of @dev covers the BAR.
 */
bool ferry_dma_can_reach(struct ferry_device *ferry, struct device *dev)
{
	u64 limit = min_not_zero(dma_get_mask(dev), dev->bus_dma_limit);

	if (ferry->bar.base + ferry->bar.size - 1 > limit)
		return false;

	return pci_p2pdma_distance(to_pci_dev(ferry->drm.dev), dev, false) >= 0;
}

/* dma_get_max_seg_size() as a number of whole pages */
static size_t ferry_dma_max_segment(struct device *dev)
{
	size_t limit = min_t(size_t, dma_max_mapping_size(dev), dma_get_max_seg_size(dev));

	return max(ALIGN_DOWN(limit, PAGE_SIZE), PAGE_SIZE);
}

static int ferry_dma_map_pages(struct ferry_dma_mapping *mapping, struct ttm_tt *tt)
{
	int ret;

	ret = sg_alloc_table_from_pages_segment(&mapping->sgt, tt->pages, tt->num_pages, 0,
						(unsigned long)tt->num_pages << PAGE_SHIFT,
						ferry_dma_max_segment(mapping->dev), GFP_KERNEL);
	if (ret)
		return ret;

	ret = dma_map_sgtable(mapping->dev, &mapping->sgt, mapping->dir, 0);
	if (ret)
		sg_free_table(&mapping->sgt);
	return ret;
}

/* Length of the contiguous part of the aperture from @offset on that one entry can have */
static size_t ferry_dma_segment(struct ferry_cursor *cursor, u64 offset, size_t limit)
{
	return min_t(u64, ferry_cursor_contiguous_end(cursor, offset) - offset, limit);
}

static void ferry_dma_unmap_aperture(struct ferry_dma_mapping *mapping)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(&mapping->sgt, sg, i)
		if (sg_dma_len(sg))
			dma_unmap_resource(mapping->dev, sg_dma_address(sg), sg_dma_len(sg),
					   mapping->dir, 0);
	sg_free_table(&mapping->sgt);
}

static int ferry_dma_map_aperture(struct ferry_dma_mapping *mapping, struct ferry_bo *bo)
{
	size_t limit = ALIGN_DOWN(min_t(size_t, dma_get_max_seg_size(mapping->dev), SZ_2G),
				  PAGE_SIZE);
	struct ferry_device *ferry = ferry_bo_device(bo);
	u64 size = bo->base.base.size, offset;
	struct ferry_cursor cursor;
	unsigned int count = 0;
	struct scatterlist *sg;
	size_t length;
	int i, ret;

	ferry_cursor_init(&cursor, bo, bo->base.resource);
	for (offset = 0; offset < size; offset += ferry_dma_segment(&cursor, offset, limit))
		count++;

	ret = sg_alloc_table(&mapping->sgt, count, GFP_KERNEL);
	if (ret)
		return ret;

	offset = 0;
	for_each_sgtable_sg(&mapping->sgt, sg, i) {
		phys_addr_t phys = ferry->bar.base + ferry_cursor_seek(&cursor, offset);
		dma_addr_t addr;

		length = ferry_dma_segment(&cursor, offset, limit);
		addr = dma_map_resource(mapping->dev, phys, length, mapping->dir, 0);
		if (dma_mapping_error(mapping->dev, addr)) {
			ferry_dma_unmap_aperture(mapping);
			return -EIO;
		}
		/* There is no struct page: importers use the DMA address only. */
		sg_set_page(sg, NULL, length, 0);
		sg_dma_address(sg) = addr;
		sg_dma_len(sg) = length;
		offset += length;
	}

	return 0;
}

/**
 * ferry_dma_map - map a BO for the DMA of another device
 * @bo: the BO, reserved; in the aperture, which @dev can reach, or with system pages
 * @dev: the importer's device
 * @dir: direction of the transfers
 *
 * Return: the table, or an error pointer: -ENOMEM, or -EIO or -EINVAL if the device cannot be
 * given the addresses.
 */
struct sg_table *ferry_dma_map(struct ferry_bo *bo, struct device *dev,
			       enum dma_data_direction dir)
{
	struct ferry_device *ferry = ferry_bo_device(bo);
	struct ferry_dma_mapping *mapping;
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	if (!mapping)
		return ERR_PTR(-ENOMEM);

	mapping->dev = dev;
	mapping->dir = dir;
	if (ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE) {
		ret = ferry_dma_map_aperture(mapping, bo);
		if (!ret) {
			mapping->vres = to_ferry_vram_resource(bo->base.resource);
			ferry_vram_mgr_hold(&ferry->vram_mgr, mapping->vres);
		}
	} else {
		ret = ferry_dma_map_pages(mapping, bo->base.ttm);
	}
	if (ret) {
		kfree(mapping);
		return ERR_PTR(ret);
	}

	list_add_tail(&mapping->node, &bo->dma_mappings);
	return &mapping->sgt;
}

/**
 * ferry_dma_unmap - undo ferry_dma_map()
 * @bo: the BO, reserved; it may have moved since
 * @sgt: the table
 */
void ferry_dma_unmap(struct ferry_bo *bo, struct sg_table *sgt)
{
	struct ferry_dma_mapping *mapping = container_of(sgt, struct ferry_dma_mapping, sgt);

	dma_resv_assert_held(bo->base.base.resv);

	list_del(&mapping->node);
	if (mapping->vres) {
		ferry_dma_unmap_aperture(mapping);
		ferry_vram_mgr_drop(&ferry_bo_device(bo)->vram_mgr, mapping->vres);
	} else {
		dma_unmap_sgtable(mapping->dev, sgt, mapping->dir, 0);
		sg_free_table(sgt);
	}
	kfree(mapping);
}

/**
 * ferry_dma_sync - pass the ownership of mapped system pages between CPU and devices
 * @bo: the BO, reserved
 * @for_cpu: the CPU is going to access the BO; else the devices are
 *
 * Needed where DMA is not coherent, or goes through bounce buffers.
 */
void ferry_dma_sync(struct ferry_bo *bo, bool for_cpu)
{
	struct ferry_dma_mapping *mapping;

	dma_resv_assert_held(bo->base.base.resv);

	list_for_each_entry(mapping, &bo->dma_mappings, node) {
		if (mapping->vres)
			continue;
		if (for_cpu)
			dma_sync_sgtable_for_cpu(mapping->dev, &mapping->sgt, mapping->dir);
		else
			dma_sync_sgtable_for_device(mapping->dev, &mapping->sgt, mapping->dir);
	}
}

/**
 * ferry_dma_invalidate - tell the importers of a BO that it is going to move
 * @bo: the BO, reserved
 *
 * Importers can add fences to the reservation that the move has to wait for.
 */
void ferry_dma_invalidate(struct ferry_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	if (bo->dma_buf)
		ferry_compat_invalidate_mappings(bo->dma_buf);
}

/* A pin for an importer keeps a BO in the aperture that could have been evicted. */
static bool ferry_dma_pin_counts(const struct ferry_bo *bo)
{
	return ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE &&
	       (bo->allowed_placements & DRM_FERRY_PLACEMENT_SYSTEM);
}

/**
 * ferry_dma_pin - pin a BO at its current placement for an importer
 * @bo: the BO, reserved
 *
 * Pins in the aperture count like aperture-only BOs.
 *
 * Return: 0, or -ENOSPC as ferry_vram_mgr_account_only().
 */
int ferry_dma_pin(struct ferry_bo *bo)
{
	int ret;

	if (ferry_dma_pin_counts(bo)) {
		ret = ferry_vram_mgr_account_only(ferry_bo_device(bo), bo->base.base.size);
		if (ret)
			return ret;
	}

	ferry_placement_pin(bo);
	bo->dma_pins++;
	return 0;
}

/**
 * ferry_dma_unpin - undo ferry_dma_pin()
 * @bo: the BO, reserved
 */
void ferry_dma_unpin(struct ferry_bo *bo)
{
	/* ferry_dma_drop_pins() may have dropped the pin. */
	if (!bo->dma_pins)
		return;

	bo->dma_pins--;
	if (ferry_dma_pin_counts(bo))
		ferry_vram_mgr_unaccount_only(ferry_bo_device(bo), bo->base.base.size);
	ferry_placement_unpin(bo);
}

/**
 * ferry_dma_drop_pins - drop the pins of importers that hold a BO in the aperture
 * @bo: the BO, reserved
 *
 * For a device that is removed or reset: the BO has to move. Only importers that are told so
 * when it does can pin a BO in the aperture.
 */
void ferry_dma_drop_pins(struct ferry_bo *bo)
{
	if (ferry_bo_placement(bo) != DRM_FERRY_PLACEMENT_APERTURE)
		return;

	while (bo->dma_pins)
		ferry_dma_unpin(bo);
}
