/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_IOCTL_H_
#define _FERRY_IOCTL_H_

struct drm_device;
struct drm_file;

int ferry_ioctl_device_query(struct drm_device *drm, void *data, struct drm_file *file);
int ferry_ioctl_bo_create(struct drm_device *drm, void *data, struct drm_file *file);
int ferry_ioctl_bo_mmap_offset(struct drm_device *drm, void *data, struct drm_file *file);
int ferry_ioctl_bo_query(struct drm_device *drm, void *data, struct drm_file *file);
int ferry_ioctl_migrate(struct drm_device *drm, void *data, struct drm_file *file);
int ferry_ioctl_bo_wait(struct drm_device *drm, void *data, struct drm_file *file);
int ferry_ioctl_bo_madvise(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _FERRY_IOCTL_H_ */
