/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_GEM_H_
#define _FERRY_GEM_H_

#include <linux/types.h>

struct drm_device;
struct drm_ferry_bo_create;
struct drm_ferry_bo_query;
struct drm_file;
struct ferry_bo;
struct ferry_client;
struct ferry_device;

struct ferry_bo *ferry_gem_create(struct ferry_device *ferry, struct ferry_client *client,
				  const struct drm_ferry_bo_create *args);
void ferry_gem_query_reserved(struct ferry_bo *bo, struct drm_ferry_bo_query *args);
int ferry_gem_query(struct ferry_bo *bo, struct drm_ferry_bo_query *args);
int ferry_gem_wait(struct ferry_bo *bo, s64 timeout_ns);
int ferry_gem_madvise(struct ferry_bo *bo, u32 madv, u32 *retained);
u64 ferry_gem_max_size(struct ferry_device *ferry);

#endif /* _FERRY_GEM_H_ */
