/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_SCANOUT_H_
#define _FERRY_SCANOUT_H_

#include <linux/types.h>

#include "ferry_dispi.h"
#include "ferry_vram_mgr.h"

struct drm_framebuffer;
struct ferry_device;

/**
 * struct ferry_scanout - memory that the display reads
 */
struct ferry_scanout {
	/** @dispi: the registers */
	struct ferry_dispi *dispi;
	/** @black: range at the start of the aperture that an off display shows */
	struct ferry_vram_range black;
	/** @firmware: range that the firmware's mode shows, until the first modeset */
	struct ferry_vram_range firmware;
};

int ferry_scanout_init(struct ferry_device *ferry, struct ferry_dispi *dispi);
void ferry_scanout_off(struct ferry_device *ferry);
void ferry_scanout_end_firmware(struct ferry_device *ferry);

#endif /* _FERRY_SCANOUT_H_ */
