/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_PLANE_H_
#define _FERRY_PLANE_H_

#include <linux/types.h>

#include "ferry_compat.h"

struct drm_framebuffer;
struct drm_plane;
struct ferry_atomic_commit;
struct ferry_device;

void ferry_plane_update_black(struct drm_plane *plane, struct ferry_atomic_commit *commit);
bool ferry_plane_is_flip(struct drm_plane *plane, struct drm_framebuffer *fb);
int ferry_plane_reserve(struct drm_plane *plane, struct ferry_atomic_commit *commit, bool nonblock);
void ferry_plane_undo_reserve(struct drm_plane *plane, struct ferry_atomic_commit *commit);
int ferry_plane_init(struct ferry_device *ferry, struct drm_plane *plane);

#endif /* _FERRY_PLANE_H_ */
