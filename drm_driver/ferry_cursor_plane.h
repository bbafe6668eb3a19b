/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_CURSOR_PLANE_H_
#define _FERRY_CURSOR_PLANE_H_

struct drm_plane;
struct ferry_device;

int ferry_cursor_plane_init(struct ferry_device *ferry, struct drm_plane *plane);

#endif /* _FERRY_CURSOR_PLANE_H_ */
