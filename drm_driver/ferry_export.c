// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/dma-buf.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <drm/ferry_drm.h>
#include <drm/ttm/ttm_bo.h>

#include "ferry_device.h"
#include "ferry_export.h"

static const struct dma_buf_ops ferry_export_ops = {
	.attach = drm_gem_map_attach,
	.detach = drm_gem_map_detach,
	.map_dma_buf = drm_gem_map_dma_buf,
	.unmap_dma_buf = drm_gem_unmap_dma_buf,
	.release = drm_gem_dmabuf_release,
	.mmap = drm_gem_dmabuf_mmap,
	.vmap = drm_gem_dmabuf_vmap,
	.vunmap = drm_gem_dmabuf_vunmap,
};

/**
 * ferry_export_bo - export a BO as a dma-buf
 * @obj: the BO's GEM object
 * @flags: mask of DRM_CLOEXEC and DRM_RDWR
 *
 * Return: the dma-buf, or an error pointer: -EINVAL if the BO is not marked
 * DRM_FERRY_MADV_WILLNEED, -ENOMEM or -ERESTARTSYS.
 */
struct dma_buf *ferry_export_bo(struct drm_gem_object *obj, int flags)
{
	struct dma_buf_export_info info = {
		.exp_name = KBUILD_MODNAME,
		.owner = obj->dev->driver->fops->owner,
		.ops = &ferry_export_ops,
		.size = obj->size,
		.flags = flags,
		.resv = obj->resv,
		.priv = obj,
	};
	struct ferry_bo *bo = gem_to_ferry_bo(obj);
	int ret;

	ret = ttm_bo_reserve(&bo->base, true, false, NULL);
	if (ret)
		return ERR_PTR(ret);

	if (bo->madv == DRM_FERRY_MADV_WILLNEED)
		bo->shared = true;
	else
		ret = -EINVAL;
	dma_resv_unlock(obj->resv);
	if (ret)
		return ERR_PTR(ret);

	return drm_gem_dmabuf_export(obj->dev, &info);
}

/**
 * ferry_export_to_gem - get the BO of a dma-buf that a device has exported
 * @drm: the device
 * @dma_buf: a dma-buf
 *
 * Return: the GEM object with a new reference, or NULL if this device did not export the dma-buf.
 */
struct drm_gem_object *ferry_export_to_gem(struct drm_device *drm, struct dma_buf *dma_buf)
{
	struct drm_gem_object *obj = dma_buf->priv;

	if (dma_buf->ops != &ferry_export_ops || obj->dev != drm)
		return NULL;

	drm_gem_object_get(obj);
	return obj;
}

/**
 * ferry_export_can_vmap - check if another device may map a dma-buf into kernel addresses
 * @dma_buf: a dma-buf
 *
 * Return: false for an aperture-only BO: what other devices map must survive the removal of
 * this one.
 */
bool ferry_export_can_vmap(struct dma_buf *dma_buf)
{
	struct drm_gem_object *obj = dma_buf->priv;

	return dma_buf->ops != &ferry_export_ops ||
	       (gem_to_ferry_bo(obj)->allowed_placements & DRM_FERRY_PLACEMENT_SYSTEM);
}
