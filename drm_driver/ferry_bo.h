/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_BO_H_
#define _FERRY_BO_H_

#include <linux/dma-resv.h>
#include <linux/types.h>

#include "ferry_device.h"

struct drm_file;

void ferry_bo_destroy(struct ttm_buffer_object *tbo);
struct ferry_bo *ferry_bo_from_ttm(struct ttm_buffer_object *tbo);
void ferry_bo_put(struct ferry_bo *bo);
struct ferry_bo *ferry_bo_lookup(struct drm_file *file, u32 handle);
void ferry_bo_add(struct ferry_bo *bo);
void ferry_bo_remove(struct ferry_bo *bo);
struct ferry_bo *ferry_bo_next(struct ferry_device *ferry, struct ferry_bo *bo);
u32 ferry_bo_placement(const struct ferry_bo *bo);
int ferry_bo_memtype(const struct ferry_bo *bo);
bool ferry_bo_is_resident(const struct ferry_bo *bo);
bool ferry_bo_is_idle(struct ferry_bo *bo, enum dma_resv_usage usage);
void ferry_bo_mark_purged(struct ferry_bo *bo);
const char *ferry_bo_exporter(const struct ferry_bo *bo);

/* Check if the memory of a BO belongs to another device or driver, see ferry_import.c. */
static inline bool ferry_bo_is_imported(const struct ferry_bo *bo)
{
	return !!bo->base.base.import_attach;
}

#endif /* _FERRY_BO_H_ */
