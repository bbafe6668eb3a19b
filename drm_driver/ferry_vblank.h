/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_VBLANK_H_
#define _FERRY_VBLANK_H_

#include <linux/hrtimer.h>

struct drm_crtc;

/**
 * struct ferry_vblank - vblank timer of a display without a vblank interrupt
 */
struct ferry_vblank {
	/** @crtc: the CRTC */
	struct drm_crtc *crtc;
	/** @timer: runs while vblank interrupts are enabled */
	struct hrtimer timer;
	/** @frame: duration of a frame of the current mode */
	ktime_t frame;
	/** @start: time of the first vblank of the current mode */
	ktime_t start;
	/** @on: timestamps are multiples of @frame after @start */
	bool on;
};

int ferry_vblank_init(struct ferry_vblank *vblank, struct drm_crtc *crtc);
int ferry_vblank_enable(struct ferry_vblank *vblank);
void ferry_vblank_disable(struct ferry_vblank *vblank);
bool ferry_vblank_get_timestamp(struct ferry_vblank *vblank, int *max_error, ktime_t *time);
void ferry_vblank_on(struct ferry_vblank *vblank);
void ferry_vblank_off(struct ferry_vblank *vblank);
void ferry_vblank_flush(struct drm_crtc *crtc);

#endif /* _FERRY_VBLANK_H_ */
