/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_KMS_H_
#define _FERRY_KMS_H_

#include <drm/drm_crtc.h>
#include <drm/drm_encoder.h>
#include <drm/drm_plane.h>

#include "ferry_connector.h"
#include "ferry_dispi.h"
#include "ferry_scanout.h"
#include "ferry_vblank.h"

struct ferry_device;

/**
 * struct ferry_kms - the display of a device with DISPI registers
 */
struct ferry_kms {
	/** @plane: the one primary plane */
	struct drm_plane plane;
	/** @crtc: the one CRTC */
	struct drm_crtc crtc;
	/** @encoder: the one encoder */
	struct drm_encoder encoder;
	/** @connector: the one connector */
	struct ferry_connector connector;
	/** @vblank: the vblank timer */
	struct ferry_vblank vblank;
	/** @dispi: the registers */
	struct ferry_dispi dispi;
	/** @scanout: the memory that the display reads */
	struct ferry_scanout scanout;
};

int ferry_kms_probe(struct ferry_device *ferry);
int ferry_kms_start(struct ferry_device *ferry);
void ferry_kms_reset(struct ferry_device *ferry);
void ferry_kms_off(struct ferry_device *ferry);
int ferry_kms_init(struct ferry_device *ferry);

#endif /* _FERRY_KMS_H_ */
