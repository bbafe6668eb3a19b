// SPDX-License-Identifier: MIT
/* A picture on a display: two dumb buffers, shown with libdrm's KMS. */

#include <errno.h>
#include <stdlib.h>

#include <xf86drm.h>
#include <xf86drmMode.h>

#include "ferry_priv.h"

#define FERRY_BUFFERS 2

/**
 * struct ferry_display - see the public header
 */
struct ferry_display {
	/** @dev: the device; the display holds a reference to it */
	struct ferry_device *dev;
	/** @lock: protects @shown */
	pthread_mutex_t lock;
	/** @mode: the mode */
	drmModeModeInfo mode;
	/** @connector: object id */
	uint32_t connector;
	/** @crtc: object id */
	uint32_t crtc;
	/** @pitch: bytes from one row of a buffer to the next */
	uint32_t pitch;
	/** @bos: the buffers */
	struct ferry_bo *bos[FERRY_BUFFERS];
	/** @maps: their mappings */
	void *maps[FERRY_BUFFERS];
	/** @fbs: their framebuffers */
	uint32_t fbs[FERRY_BUFFERS];
	/** @shown: index of the buffer on the screen */
	unsigned int shown;
};

/* Choose the mode of a size; for 0x0 the first one, which is the preferred mode. */
static int ferry_display_mode(struct ferry_display *display, uint32_t width,
			      uint32_t height)
{
	drmModeConnectorPtr connector;
	int err = -EINVAL;

	connector = drmModeGetConnector(display->dev->fd, display->connector);
	if (!connector)
		return -errno;
	if (connector->connection != DRM_MODE_CONNECTED)
		err = -ENXIO;
	for (int i = 0; i < connector->count_modes && err == -EINVAL; i++) {
		display->mode = connector->modes[i];
		if (!width || (display->mode.hdisplay == width &&
			       display->mode.vdisplay == height))
			err = 0;
	}
	drmModeFreeConnector(connector);
	return err;
}

/* Devices of ferry have one CRTC and one connector. */
static int ferry_display_find(struct ferry_display *display, uint32_t width,
			      uint32_t height)
{
	drmModeResPtr res = drmModeGetResources(display->dev->fd);
	int err = -ENXIO;

	if (!res)
		return -errno;
	if (res->count_crtcs && res->count_connectors) {
		display->crtc = res->crtcs[0];
		display->connector = res->connectors[0];
		err = ferry_display_mode(display, width, height);
	}
	drmModeFreeResources(res);
	return err;
}

/* The kernel chooses a pitch and a placement that suit the device. */
static int ferry_display_buffer(struct ferry_display *display, unsigned int i)
{
	struct drm_mode_create_dumb dumb = {
		.width = display->mode.hdisplay,
		.height = display->mode.vdisplay,
		.bpp = 32,
	};
	int err;

	err = ferry_ioctl(display->dev, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);
	if (err)
		return err;
	err = ferry_bo_from_handle(display->dev, dumb.handle, &display->bos[i]);
	if (err) {
		ferry_close_handle(display->dev, dumb.handle);
		return err;
	}
	display->pitch = dumb.pitch;
	err = ferry_bo_map(display->bos[i], 0, &display->maps[i]);
	return err ? err :
		     drmModeAddFB(display->dev->fd, dumb.width, dumb.height, 24,
				  dumb.bpp, dumb.pitch, dumb.handle,
				  &display->fbs[i]);
}

/* Wait for the vertical blanking, in which the buffer is shown. The caller holds the lock. */
static int ferry_display_show(struct ferry_display *display, unsigned int i)
{
	int err = drmModeSetCrtc(display->dev->fd, display->crtc,
				 display->fbs[i], 0, 0, &display->connector, 1,
				 &display->mode);

	if (!err)
		display->shown = i;
	return err;
}

ferry_public int ferry_display_new(struct ferry_device *dev, uint32_t width,
				   uint32_t height, uint32_t flags,
				   struct ferry_display **out)
{
	struct ferry_display *display;
	int err = ferry_device_check(dev);

	if (err)
		return err;
	if (flags || !width != !height)
		return -EINVAL;
	if (!(dev->info.features & DRM_FERRY_FEATURE_DISPLAY))
		return -EOPNOTSUPP;

	display = calloc(1, sizeof(*display));
	if (!display)
		return -ENOMEM;
	display->dev = ferry_device_ref(dev);
	pthread_mutex_init(&display->lock, NULL);
	err = ferry_display_find(display, width, height);
	for (unsigned int i = 0; i < FERRY_BUFFERS && !err; i++)
		err = ferry_display_buffer(display, i);
	if (!err)
		err = ferry_display_show(display, 0);
	if (err) {
		ferry_display_del(display);
		return err;
	}
	*out = display;
	return 0;
}

ferry_public void ferry_display_del(struct ferry_display *display)
{
	if (!display)
		return;
	/* Removing the framebuffer on the screen switches the display off. */
	for (unsigned int i = 0; i < FERRY_BUFFERS; i++) {
		if (display->fbs[i] && !ferry_device_check(display->dev))
			drmModeRmFB(display->dev->fd, display->fbs[i]);
		ferry_bo_del(display->bos[i]);
	}
	pthread_mutex_destroy(&display->lock);
	ferry_device_del(display->dev);
	free(display);
}

ferry_public void ferry_display_draw(struct ferry_display *display,
				     struct ferry_display_buffer *buffer)
{
	pthread_mutex_lock(&display->lock);
	*buffer = (struct ferry_display_buffer){
		.pixels = display->maps[!display->shown],
		.width = display->mode.hdisplay,
		.height = display->mode.vdisplay,
		.pitch = display->pitch,
	};
	pthread_mutex_unlock(&display->lock);
}

ferry_public int ferry_display_flip(struct ferry_display *display)
{
	int err = ferry_device_check(display->dev);

	if (err)
		return err;
	pthread_mutex_lock(&display->lock);
	err = ferry_display_show(display, !display->shown);
	pthread_mutex_unlock(&display->lock);
	return err;
}

ferry_public int ferry_display_damage(struct ferry_display *display, uint32_t x,
				      uint32_t y, uint32_t width,
				      uint32_t height)
{
	const drmModeModeInfo *mode = &display->mode;
	drmModeClip clip = { x, y, x + width, y + height };
	uint64_t offset = (uint64_t)y * display->pitch + x * 4ull;
	int err = ferry_device_check(display->dev);

	if (err)
		return err;
	if (x > mode->hdisplay || width > mode->hdisplay - x ||
	    y > mode->vdisplay || height > mode->vdisplay - y)
		return -EINVAL;
	if (!width || !height)
		return 0;

	pthread_mutex_lock(&display->lock);
	err = ferry_bo_copy_rect(display->bos[display->shown], offset,
				 display->pitch, display->bos[!display->shown],
				 offset, display->pitch, width * 4, height);
	if (!err)
		err = drmModeDirtyFB(display->dev->fd,
				     display->fbs[display->shown], &clip, 1);
	pthread_mutex_unlock(&display->lock);
	return err;
}
