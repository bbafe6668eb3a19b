/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_VBLANK_H_
#define _FERRY_VBLANK_H_

#include <linux/hrtimer.h>

struct drm_crtc;
struct ferry_device;

/**
 * struct ferry_vblank - the beat of a display that has none
 */
struct ferry_vblank {
	/** @timer: runs while somebody waits for a vblank */
	struct hrtimer timer;
	/** @frame: duration of a frame of the mode that is set */
	ktime_t frame;
};

int ferry_vblank_init(struct ferry_device *ferry);
int ferry_vblank_enable(struct drm_crtc *crtc);
void ferry_vblank_disable(struct drm_crtc *crtc);
void ferry_vblank_off(struct drm_crtc *crtc);
void ferry_vblank_flush(struct drm_crtc *crtc);

#endif /* _FERRY_VBLANK_H_ */
