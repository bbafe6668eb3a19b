// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/dma-buf.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <drm/drm_vma_manager.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_device.h"
#include "ferry_export.h"
#include "ferry_import.h"

/**
 * DOC: Import
 *
 * A dma-buf of another driver or of another device becomes a BO whose memory belongs to its
 * exporter. Such an imported BO is a &struct ferry_bo, so the converters are valid for it, but
 * TTM does not know it: it has no resource, no pages and no allowed placement. So no ioctl
 * moves it, and eviction, shrinker and page fault handlers do not get it.
 *
 * Only the CPU accesses an imported BO: ferry has no DMA engine. So the import attaches to the
 * dma-buf, but does not map it for DMA, which could fail or use bounce buffers. Mappings of user
 * space and of the kernel are made by the exporter. Reservation and fences are those of the
 * dma-buf.
 */

static int ferry_import_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct dma_buf *dma_buf = obj->import_attach->dmabuf;

	/* dma_buf_vmap() warns if the exporter fails: ask ferry's own exporter before. */
	if (!ferry_export_can_vmap(dma_buf))
		return -EINVAL;

	return dma_buf_vmap(dma_buf, map);
}

static void ferry_import_vunmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	dma_buf_vunmap(obj->import_attach->dmabuf, map);
}

/*
 * The mapping becomes one of the dma-buf, with its file and its operations. It has to begin at
 * the first page: the shmem helper of DRM, for one, ignores the offset of a dma-buf's mapping.
 */
static int ferry_import_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	int ret;

	if (ferry_compat_is_cow_mapping(vma) || vma->vm_pgoff != drm_vma_node_start(&obj->vma_node))
		return -EINVAL;

	vma->vm_private_data = NULL;
	vma->vm_ops = NULL;
	/* Not every exporter sets this, and the DRM core warns without it. */
	vm_flags_set(vma, VM_DONTEXPAND);
	ret = dma_buf_mmap(obj->import_attach->dmabuf, vma, 0);
	if (ret)
		return ret;

	/* The mapping holds the dma-buf instead of the BO. */
	drm_gem_object_put(obj);
	return 0;
}

static void ferry_import_release(struct ferry_bo *bo)
{
	struct ferry_device *ferry = ferry_bo_device(bo);

	drm_gem_object_release(&bo->base.base);
	kfree(bo);
	atomic64_dec(&ferry->stats.bos);
}

static void ferry_import_free(struct drm_gem_object *obj)
{
	struct ferry_bo *bo = gem_to_ferry_bo(obj);

	ferry_bo_remove(bo);
	drm_prime_gem_destroy(obj, NULL);
	ferry_import_release(bo);
}

static const struct drm_gem_object_funcs ferry_import_funcs = {
	.free = ferry_import_free,
	.vmap = ferry_import_vmap,
	.vunmap = ferry_import_vunmap,
	.mmap = ferry_import_mmap,
};

/* The exporter keeps what it maps for the CPU in place, and there are no other mappings. */
static void ferry_import_moved(struct dma_buf_attachment *attach)
{
}

static const struct dma_buf_attach_ops ferry_import_attach_ops = {
	.allow_peer2peer = true,
	FERRY_ATTACH_OPS_MOVED(ferry_import_moved),
};

/*
 * Attach to a dma-buf. The core maps a dma-buf for DMA when it is attached if only one of
 * importer and exporter is dynamic: so be like the exporter.
 */
static struct dma_buf_attachment *ferry_import_attach(struct drm_device *drm,
						      struct dma_buf *dma_buf)
{
	if (!dma_buf->ops->pin)
		return dma_buf_attach(dma_buf, drm->dev);

	return dma_buf_dynamic_attach(dma_buf, drm->dev, &ferry_import_attach_ops, NULL);
}

static struct ferry_bo *ferry_import_create(struct drm_device *drm, struct dma_buf *dma_buf)
{
	struct ferry_device *ferry = to_ferry_device(drm);
	struct drm_gem_object *obj;
	struct ferry_bo *bo;
	int ret;

	bo = kzalloc(sizeof(*bo), GFP_KERNEL_ACCOUNT);
	if (!bo)
		return ERR_PTR(-ENOMEM);

	INIT_LIST_HEAD(&bo->node);
	INIT_LIST_HEAD(&bo->dma_mappings);
	bo->shared = true;
	bo->base.bdev = &ferry->ttm;
	obj = &bo->base.base;
	obj->funcs = &ferry_import_funcs;
	obj->resv = dma_buf->resv;
	drm_gem_private_object_init(drm, obj, dma_buf->size);
	atomic64_inc(&ferry->stats.bos);

	ret = drm_gem_create_mmap_offset(obj);
	if (ret) {
		ferry_import_release(bo);
		return ERR_PTR(ret);
	}

	return bo;
}

/**
 * ferry_import_dma_buf - import a dma-buf
 * @drm: the device
 * @dma_buf: the dma-buf
 *
 * Return: the GEM object with a new reference: that of the BO itself if this device exported the
 * dma-buf, else that of a new imported BO. Or an error pointer: -EINVAL for a size that is not
 * a number of whole pages, -ENOMEM, -ENOSPC, or the error with which the exporter refuses.
 */
struct drm_gem_object *ferry_import_dma_buf(struct drm_device *drm, struct dma_buf *dma_buf)
{
	struct dma_buf_attachment *attach;
	struct drm_gem_object *obj;
	struct ferry_bo *bo;

	obj = ferry_export_to_gem(drm, dma_buf);
	if (obj)
		return obj;

	if (!dma_buf->size || !PAGE_ALIGNED(dma_buf->size))
		return ERR_PTR(-EINVAL);

	bo = ferry_import_create(drm, dma_buf);
	if (IS_ERR(bo))
		return ERR_CAST(bo);

	attach = ferry_import_attach(drm, dma_buf);
	if (IS_ERR(attach)) {
		ferry_import_release(bo);
		return ERR_CAST(attach);
	}

	/* drm_prime_gem_destroy() drops this reference. */
	get_dma_buf(dma_buf);
	bo->base.base.import_attach = attach;
	ferry_bo_add(bo);
	return &bo->base.base;
}

FERRY_IMPORT_DMA_BUF;
