/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_DUMB_H_
#define _FERRY_DUMB_H_

#include <linux/types.h>

struct drm_device;
struct drm_file;
struct drm_mode_create_dumb;
struct ferry_device;

/**
 * struct ferry_dumb - where the dumb buffers of a display are placed
 *
 * Constant once the device is registered.
 */
struct ferry_dumb {
	/** @auto_placement: decide by the measurement */
	bool auto_placement;
	/** @system: dumb buffers stay in system memory, and are copied to the screen */
	bool system;
	/** @system_ns: time to read 4 KiB of cached system memory, in ns */
	u64 system_ns;
	/** @aperture_ns: time to read 4 KiB of the aperture, in ns */
	u64 aperture_ns;
};

int ferry_dumb_choose(struct ferry_device *ferry);
int ferry_dumb_measure(struct ferry_device *ferry);
int ferry_dumb_create(struct drm_file *file, struct drm_device *drm,
		      struct drm_mode_create_dumb *args);

#endif /* _FERRY_DUMB_H_ */
