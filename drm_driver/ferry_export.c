// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <drm/ferry_drm.h>
#include <drm/ttm/ttm_bo.h>

#include "ferry_bo.h"
#include "ferry_device.h"
#include "ferry_dma.h"
#include "ferry_export.h"
#include "ferry_prime.h"

/**
 * DOC: Export
 *
 * The dma-buf of a BO is dynamic: an importer that can be told of moves does not keep the BO from
 * moving. When it maps the BO for DMA, the BO stays in the aperture if the importer reaches it, and
 * moves to system memory first if not. An importer that cannot be told of moves pins the BO in
 * system memory for as long as it is attached. A BO is pinned in the aperture only by importers
 * that can be told of moves and that all reach it.
 *
 * Mapping and pinning fail with -EBUSY for an importer that does not reach the aperture while
 * the BO is pinned there, as on the screen, and with -EINVAL if the BO is aperture-only.
 *
 * &ferry_bo.shared is set at the first export and stays set, and &ferry_bo.dma_buf is valid until
 * the dma-buf is released. &drm_gem_object.dma_buf is cleared earlier, with the last handle.
 */

static struct ferry_bo *ferry_export_bo_of(struct dma_buf *dma_buf)
{
	return gem_to_ferry_bo(dma_buf->priv);
}

static bool ferry_export_reaches(struct dma_buf_attachment *attach)
{
	struct ferry_bo *bo = ferry_export_bo_of(attach->dmabuf);

	/* The DMA mask of the device can have changed since it was attached. */
	return attach->peer2peer && ferry_dma_can_reach(ferry_bo_device(bo), attach->dev);
}

static int ferry_export_attach(struct dma_buf *dma_buf, struct dma_buf_attachment *attach)
{
	attach->peer2peer = ferry_export_reaches(attach);
	return 0;
}

static int ferry_export_place(struct ferry_bo *bo, bool reached)
{
	if (reached && ferry_bo_placement(bo) == DRM_FERRY_PLACEMENT_APERTURE)
		return 0;

	return ferry_prime_to_system(bo);
}

static int ferry_export_pin(struct dma_buf_attachment *attach)
{
	struct dma_buf *dma_buf = attach->dmabuf;
	struct ferry_bo *bo = ferry_export_bo_of(dma_buf);
	struct dma_buf_attachment *each;
	bool reached = true;
	int ret;

	dma_resv_assert_held(dma_buf->resv);

	list_for_each_entry(each, &dma_buf->attachments, node)
		reached = reached && ferry_export_reaches(each);

	ret = ferry_export_place(bo, reached);
	if (ret)
		return ret;

	ret = ferry_dma_pin(bo);
	if (ret == -ENOSPC) {
		ret = ferry_prime_to_system(bo);
		if (!ret)
			ret = ferry_dma_pin(bo);
	}
	return ret;
}

static void ferry_export_unpin(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	ferry_dma_unpin(ferry_export_bo_of(attach->dmabuf));
}

static struct sg_table *ferry_export_map(struct dma_buf_attachment *attach,
					 enum dma_data_direction dir)
{
	struct ferry_bo *bo = ferry_export_bo_of(attach->dmabuf);
	int ret;

	ret = ferry_export_place(bo, ferry_export_reaches(attach));
	if (ret)
		return ERR_PTR(ret);

	return ferry_dma_map(bo, attach->dev, dir);
}

static void ferry_export_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			       enum dma_data_direction dir)
{
	ferry_dma_unmap(ferry_export_bo_of(attach->dmabuf), sgt);
}

static int ferry_export_cpu_access(struct dma_buf *dma_buf, bool begin)
{
	int ret;

	ret = dma_resv_lock_interruptible(dma_buf->resv, NULL);
	if (ret)
		return ret;

	ferry_dma_sync(ferry_export_bo_of(dma_buf), begin);
	dma_resv_unlock(dma_buf->resv);
	return 0;
}

static int ferry_export_begin_cpu_access(struct dma_buf *dma_buf, enum dma_data_direction dir)
{
	return ferry_export_cpu_access(dma_buf, true);
}

static int ferry_export_end_cpu_access(struct dma_buf *dma_buf, enum dma_data_direction dir)
{
	return ferry_export_cpu_access(dma_buf, false);
}

static void ferry_export_release(struct dma_buf *dma_buf)
{
	struct ferry_bo *bo = ferry_export_bo_of(dma_buf);

	/* A new export can have replaced the pointer already. */
	dma_resv_lock(dma_buf->resv, NULL);
	if (bo->dma_buf == dma_buf)
		bo->dma_buf = NULL;
	dma_resv_unlock(dma_buf->resv);
	drm_gem_dmabuf_release(dma_buf);
}

static const struct dma_buf_ops ferry_export_ops = {
	.attach = ferry_export_attach,
	.pin = ferry_export_pin,
	.unpin = ferry_export_unpin,
	.map_dma_buf = ferry_export_map,
	.unmap_dma_buf = ferry_export_unmap,
	.begin_cpu_access = ferry_export_begin_cpu_access,
	.end_cpu_access = ferry_export_end_cpu_access,
	.release = ferry_export_release,
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
	struct dma_buf *dma_buf = NULL;
	int ret;

	ret = ttm_bo_reserve(&bo->base, true, false, NULL);
	if (ret)
		return ERR_PTR(ret);

	if (bo->madv != DRM_FERRY_MADV_WILLNEED)
		dma_buf = ERR_PTR(-EINVAL);
	else if (bo->dma_buf && get_file_active(&bo->dma_buf->file))
		/* The last handle was closed since the export, and a framebuffer gave a new one. */
		dma_buf = bo->dma_buf;
	else
		bo->shared = true;
	dma_resv_unlock(obj->resv);
	if (dma_buf)
		return dma_buf;

	/*
	 * Not under the reservation, which debugfs takes under the lock of the list of dma-bufs.
	 * The DRM core serializes exports.
	 */
	dma_buf = drm_gem_dmabuf_export(obj->dev, &info);
	if (IS_ERR(dma_buf))
		return dma_buf;

	dma_resv_lock(obj->resv, NULL);
	bo->dma_buf = dma_buf;
	dma_resv_unlock(obj->resv);
	return dma_buf;
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
