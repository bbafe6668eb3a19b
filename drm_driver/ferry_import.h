/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_IMPORT_H_
#define _FERRY_IMPORT_H_

struct dma_buf;
struct drm_device;
struct drm_gem_object;

struct drm_gem_object *ferry_import_dma_buf(struct drm_device *drm, struct dma_buf *dma_buf);

#endif /* _FERRY_IMPORT_H_ */
