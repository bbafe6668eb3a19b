// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/slab.h>

#include <drm/drm_atomic_state_helper.h>
#include <drm/drm_connector.h>
#include <drm/drm_drv.h>
#include <drm/drm_edid.h>
#include <drm/drm_encoder.h>
#include <drm/drm_mode_config.h>
#include <drm/drm_modes.h>
#include <drm/drm_modeset_helper_vtables.h>
#include <drm/drm_probe_helper.h>

#include "ferry_connector.h"
#include "ferry_dispi.h"

/* preferred mode without an EDID */
#define FERRY_CONNECTOR_WIDTH	1280
#define FERRY_CONNECTOR_HEIGHT	800

static struct ferry_connector *to_ferry_connector(struct drm_connector *connector)
{
	return container_of(connector, struct ferry_connector, base);
}

/* Without an EDID fail, because the helpers log an error for a block of zeros. */
static int ferry_connector_read_block(void *data, u8 *buf, unsigned int block, size_t len)
{
	struct ferry_dispi *dispi = data;

	if (!ferry_dispi_has_edid(dispi))
		return -ENXIO;

	return ferry_dispi_edid_block(dispi, buf, block, len);
}

static bool ferry_connector_mode_fits(struct drm_connector *connector,
				      const struct drm_display_mode *mode)
{
	struct drm_device *drm = connector->dev;

	return drm->mode_config.funcs->mode_valid(drm, mode) == MODE_OK;
}

static struct drm_display_mode *ferry_connector_find_preferred(struct drm_connector *connector)
{
	struct drm_display_mode *mode, *preferred = NULL;

	list_for_each_entry(mode, &connector->probed_modes, head) {
		if (!(mode->type & DRM_MODE_TYPE_PREFERRED))
			continue;
		if (ferry_connector_mode_fits(connector, mode))
			return mode;
		if (!preferred)
			preferred = mode;
	}

	return preferred;
}

/*
 * The device may be unable to show the preferred mode of the EDID, which is then removed from
 * the list. Prefer the nearest mode that fits, or clients choose the largest mode.
 *
 * Return: number of modes added.
 */
static int ferry_connector_prefer_nearest(struct drm_connector *connector)
{
	struct drm_display_mode *preferred, *added, *mode, *nearest = NULL;
	int distance, least = INT_MAX;

	preferred = ferry_connector_find_preferred(connector);
	if (!preferred || ferry_connector_mode_fits(connector, preferred))
		return 0;

	/* Offer the preferred mode in a width that the device can show. */
	added = drm_cvt_mode(connector->dev,
			     ferry_dispi_round_width(to_ferry_connector(connector)->dispi,
						     preferred->hdisplay),
			     preferred->vdisplay, drm_mode_vrefresh(preferred), false, false,
			     false);
	if (added)
		drm_mode_probed_add(connector, added);

	list_for_each_entry(mode, &connector->probed_modes, head) {
		distance = abs(mode->hdisplay - preferred->hdisplay) +
			   abs(mode->vdisplay - preferred->vdisplay);
		if (distance >= least || !ferry_connector_mode_fits(connector, mode))
			continue;
		least = distance;
		nearest = mode;
	}
	if (nearest)
		nearest->type |= DRM_MODE_TYPE_PREFERRED;

	return added ? 1 : 0;
}

static int ferry_connector_get_modes(struct drm_connector *connector)
{
	const struct drm_mode_config *config = &connector->dev->mode_config;
	const struct drm_edid *edid;
	int count, idx;

	if (!drm_dev_enter(connector->dev, &idx))
		return 0;

	edid = drm_edid_read_custom(connector, ferry_connector_read_block,
				    to_ferry_connector(connector)->dispi);
	drm_edid_connector_update(connector, edid);
	count = drm_edid_connector_add_modes(connector);
	drm_edid_free(edid);
	if (!count) {
		count = drm_add_modes_noedid(connector, config->max_width, config->max_height);
		drm_set_preferred_mode(connector, FERRY_CONNECTOR_WIDTH, FERRY_CONNECTOR_HEIGHT);
	}
	count += ferry_connector_prefer_nearest(connector);

	drm_dev_exit(idx);
	return count;
}

static const struct drm_connector_helper_funcs ferry_connector_helper_funcs = {
	.get_modes = ferry_connector_get_modes,
};

/*
 * A resume resets the state. Without memory for a new one keep the old one, because the next
 * commit would dereference a NULL state.
 */
static void ferry_connector_reset(struct drm_connector *connector)
{
	struct drm_connector_state *state = kzalloc(sizeof(*state), GFP_KERNEL);

	if (!state)
		return;

	if (connector->state)
		drm_atomic_helper_connector_destroy_state(connector, connector->state);
	__drm_atomic_helper_connector_reset(connector, state);
}

static const struct drm_connector_funcs ferry_connector_funcs = {
	.fill_modes = drm_helper_probe_single_connector_modes,
	.reset = ferry_connector_reset,
	.atomic_duplicate_state = drm_atomic_helper_connector_duplicate_state,
	.atomic_destroy_state = drm_atomic_helper_connector_destroy_state,
};

/**
 * ferry_connector_init - initialize the connector of a display
 * @connector: the connector
 * @encoder: its encoder, initialized
 * @dispi: the registers
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_connector_init(struct ferry_connector *connector, struct drm_encoder *encoder,
			 struct ferry_dispi *dispi)
{
	int ret;

	connector->dispi = dispi;
	ret = drmm_connector_init(encoder->dev, &connector->base, &ferry_connector_funcs,
				  DRM_MODE_CONNECTOR_VIRTUAL, NULL);
	if (ret)
		return ret;
	drm_connector_helper_add(&connector->base, &ferry_connector_helper_funcs);
	drm_connector_attach_edid_property(&connector->base);

	return drm_connector_attach_encoder(&connector->base, encoder);
}
