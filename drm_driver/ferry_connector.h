/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_CONNECTOR_H_
#define _FERRY_CONNECTOR_H_

#include <drm/drm_connector.h>

struct drm_encoder;
struct ferry_dispi;

/**
 * struct ferry_connector - the connector of a display
 */
struct ferry_connector {
	/** @base: base: always connected */
	struct drm_connector base;
	/** @dispi: the registers, which have the EDID */
	struct ferry_dispi *dispi;
};

int ferry_connector_init(struct ferry_connector *connector, struct drm_encoder *encoder,
			 struct ferry_dispi *dispi);

#endif /* _FERRY_CONNECTOR_H_ */
