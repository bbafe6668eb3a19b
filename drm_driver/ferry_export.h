/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_EXPORT_H_
#define _FERRY_EXPORT_H_

#include <linux/types.h>

struct dma_buf;
struct drm_device;
struct drm_gem_object;

struct dma_buf *ferry_export_bo(struct drm_gem_object *obj, int flags);
struct drm_gem_object *ferry_export_to_gem(struct drm_device *drm, struct dma_buf *dma_buf);
bool ferry_export_can_vmap(struct dma_buf *dma_buf);

#endif /* _FERRY_EXPORT_H_ */
