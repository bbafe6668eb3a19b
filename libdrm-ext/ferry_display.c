// SPDX-License-Identifier: MIT
/* A picture on a display: two dumb buffers, page flips and damage, with libdrm's KMS. */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <drm_fourcc.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "ferry_priv.h"

#define FERRY_BUFFERS 2
/* Nanoseconds to wait for the end of a page flip: many frames of the slowest display. */
#define FERRY_FLIP_TIMEOUT 1000000000ll

/**
 * struct ferry_display - see the public header
 */
struct ferry_display {
	/** @dev: the device; the display holds a reference to it */
	struct ferry_device *dev;
	/** @lock: protects @shown and @flipping */
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
	/** @flipping: a page flip has begun, and its event was not read */
	bool flipping;
};

/* Return the mode of a size; for 0x0 the first one, which is the preferred mode. */
static const drmModeModeInfo *
ferry_choose_mode(const drmModeConnector *connector, uint32_t width,
		  uint32_t height)
{
	for (int i = 0; i < connector->count_modes; i++) {
		const drmModeModeInfo *mode = &connector->modes[i];

		if (!width ||
		    (mode->hdisplay == width && mode->vdisplay == height))
			return mode;
	}
	return NULL;
}

/* Devices of ferry have one CRTC and one connector. */
static int ferry_display_find(struct ferry_display *display, uint32_t width,
			      uint32_t height)
{
	int fd = display->dev->fd, err = 0;
	drmModeConnectorPtr connector;
	const drmModeModeInfo *mode;
	drmModeResPtr res;

	res = drmModeGetResources(fd);
	if (!res)
		return -errno;
	if (res->count_crtcs < 1 || res->count_connectors < 1) {
		drmModeFreeResources(res);
		return -ENXIO;
	}
	display->crtc = res->crtcs[0];
	display->connector = res->connectors[0];
	drmModeFreeResources(res);

	connector = drmModeGetConnector(fd, display->connector);
	if (!connector)
		return -errno;
	mode = ferry_choose_mode(connector, width, height);
	if (connector->connection != DRM_MODE_CONNECTED)
		err = -ENXIO;
	else if (!mode)
		err = -EINVAL;
	else
		display->mode = *mode;
	drmModeFreeConnector(connector);
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
	uint32_t pitches[4] = { 0 }, offsets[4] = { 0 }, handles[4] = { 0 };
	int err;

	err = ferry_ioctl(display->dev, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);
	if (err)
		return err;
	err = ferry_bo_from_handle(display->dev, dumb.handle, &display->bos[i]);
	if (err) {
		ferry_close_handle(display->dev, dumb.handle);
		return err;
	}
	err = ferry_bo_map(display->bos[i], 0, &display->maps[i]);
	if (err)
		return err;
	display->pitch = pitches[0] = dumb.pitch;
	handles[0] = dumb.handle;
	return drmModeAddFB2(display->dev->fd, dumb.width, dumb.height,
			     DRM_FORMAT_XRGB8888, handles, pitches, offsets,
			     &display->fbs[i], 0);
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
		err = drmModeSetCrtc(dev->fd, display->crtc, display->fbs[0], 0,
				     0, &display->connector, 1, &display->mode);
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

/*
 * Read events. drmHandleEvent() would pass the pointer of a display that was deleted before its
 * event arrived.
 */
static int ferry_flip_read(struct ferry_display *display)
{
	union {
		struct drm_event base;
		struct drm_event_vblank flip;
		char bytes[1024];
	} * event, events;
	ssize_t size = read(display->dev->fd, &events, sizeof(events));

	if (size < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	for (ssize_t at = 0; at < size; at += event->base.length) {
		event = (void *)(events.bytes + at);
		if (event->base.type == DRM_EVENT_FLIP_COMPLETE &&
		    event->flip.user_data == (uintptr_t)display)
			display->flipping = false;
	}
	return 0;
}

/* Wait until the last flip is on the screen. The caller holds the lock. */
static int ferry_flip_wait(struct ferry_display *display)
{
	const int64_t end = ferry_now() + FERRY_FLIP_TIMEOUT;
	struct pollfd p = { .fd = display->dev->fd, .events = POLLIN };
	int err = 0;

	while (display->flipping && !err) {
		int64_t left = end - ferry_now();

		if (left <= 0)
			return -ETIME;
		if (poll(&p, 1, left / 1000000 + 1) > 0)
			err = ferry_flip_read(display);
	}
	return err;
}

ferry_public int ferry_display_flip(struct ferry_display *display)
{
	struct ferry_device *dev = display->dev;
	int err = ferry_device_check(dev), state;

	if (err)
		return err;

	state = ferry_cancel_disable();
	pthread_mutex_lock(&display->lock);
	/* An earlier call can have returned -ETIME before its flip was done. */
	err = ferry_flip_wait(display);
	if (!err)
		err = drmModePageFlip(dev->fd, display->crtc,
				      display->fbs[!display->shown],
				      DRM_MODE_PAGE_FLIP_EVENT, display);
	if (!err) {
		display->flipping = true;
		display->shown = !display->shown;
		err = ferry_flip_wait(display);
	}
	pthread_mutex_unlock(&display->lock);
	ferry_cancel_restore(state);
	return err;
}

ferry_public int ferry_display_damage(struct ferry_display *display, uint32_t x,
				      uint32_t y, uint32_t width,
				      uint32_t height)
{
	const drmModeModeInfo *mode = &display->mode;
	drmModeClip clip = {
		.x1 = x, .y1 = y, .x2 = x + width, .y2 = y + height
	};
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
