/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_CRC_H_
#define _FERRY_CRC_H_

#include <drm/drm_vblank_work.h>

struct drm_crtc;
struct ferry_device;

/**
 * struct ferry_crc - checksums of what is on the screen
 */
struct ferry_crc {
	/** @work: computes a checksum at each vblank */
	struct drm_vblank_work work;
	/** @enabled: a client reads the checksums */
	bool enabled;
	/** @next: the frame after the last one with an entry; the worker's, while that can run */
	u64 next;
	/** @line: a line of the screen */
	u64 *line;
};

const char *const *ferry_crc_get_sources(struct drm_crtc *crtc, size_t *count);
int ferry_crc_verify_source(struct drm_crtc *crtc, const char *source, size_t *values);
int ferry_crc_set_source(struct drm_crtc *crtc, const char *source);
void ferry_crc_resume(struct drm_crtc *crtc);
int ferry_crc_init(struct ferry_device *ferry, u32 width);

#endif /* _FERRY_CRC_H_ */
