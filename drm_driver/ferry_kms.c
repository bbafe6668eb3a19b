// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/delay.h>
#include <linux/wait_bit.h>

#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_blend.h>
#include <drm/drm_color_mgmt.h>
#include <drm/drm_damage_helper.h>
#include <drm/drm_drv.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/drm_vblank.h>

#include "ferry_compat.h"
#include "ferry_compose.h"
#include "ferry_cursor_plane.h"
#include "ferry_connector.h"
#include "ferry_device.h"
#include "ferry_dispi.h"
#include "ferry_dumb.h"
#include "ferry_kms.h"
#include "ferry_plane.h"
#include "ferry_scanout.h"

#define FERRY_KMS_MAX_SIZE	8192
/* Width and height with blanking */
#define FERRY_KMS_MAX_TOTAL	(2 * FERRY_KMS_MAX_SIZE)
/* Lowest and highest refresh rate */
#define FERRY_KMS_MIN_HZ	10
#define FERRY_KMS_MAX_HZ	500
/* How often to try to turn the display off, and the pause after a failure */
#define FERRY_KMS_OFF_TRIES	10
#define FERRY_KMS_OFF_PAUSE_MS	20

/* CRTC */

static enum drm_mode_status ferry_kms_mode_fits(struct ferry_device *ferry,
						const struct drm_display_mode *mode)
{
	u64 bytes = (u64)mode->hdisplay * mode->vdisplay * FERRY_DISPI_CPP;

	if (mode->hdisplay > FERRY_KMS_MAX_SIZE || mode->vdisplay > FERRY_KMS_MAX_SIZE)
		return MODE_VIRTUAL_X;
	if (!ferry_dispi_has_width(&ferry->kms->dispi, mode->hdisplay))
		return MODE_H_ILLEGAL;
	if (PAGE_ALIGN(bytes) + ferry->kms->scanout.black.size > ferry->bar.size)
		return MODE_MEM;
	/* The DRM core multiplies these in 16 bits, and its frame duration can become 0. */
	if (mode->flags & DRM_MODE_FLAG_INTERLACE)
		return MODE_NO_INTERLACE;
	if (mode->flags & DRM_MODE_FLAG_DBLSCAN)
		return MODE_NO_DBLESCAN;
	if (mode->vscan > 1)
		return MODE_NO_VSCAN;
	if (mode->htotal > FERRY_KMS_MAX_TOTAL)
		return MODE_BAD_HVALUE;
	if (mode->vtotal > FERRY_KMS_MAX_TOTAL)
		return MODE_BAD_VVALUE;
	/* The vblank timer runs at the refresh rate, and page flips wait for it. */
	if (drm_mode_vrefresh(mode) < FERRY_KMS_MIN_HZ ||
	    drm_mode_vrefresh(mode) > FERRY_KMS_MAX_HZ)
		return MODE_CLOCK_RANGE;

	return MODE_OK;
}

static enum drm_mode_status
ferry_kms_crtc_mode_valid(struct drm_crtc *crtc, const struct drm_display_mode *mode)
{
	return ferry_kms_mode_fits(to_ferry_device(crtc->dev), mode);
}

static int ferry_kms_crtc_atomic_check(struct drm_crtc *crtc,
				       struct ferry_atomic_commit *commit)
{
	struct drm_crtc_state *state = drm_atomic_get_new_crtc_state(commit, crtc);
	int ret;

	if (state->gamma_lut && drm_color_lut_size(state->gamma_lut) != FERRY_COMPOSE_LUT_SIZE)
		return -EINVAL;
	/* Frames with a gamma table are copied, and those without are not. */
	if (state->color_mgmt_changed) {
		ret = drm_atomic_add_affected_planes(commit, crtc);
		if (ret)
			return ret;
	}

	/* Add the primary plane: its state holds the buffer of a black screen, too. */
	if (state->color_mgmt_changed || drm_atomic_crtc_needs_modeset(state))
		return PTR_ERR_OR_ZERO(drm_atomic_get_plane_state(commit, crtc->primary));

	return 0;
}

static void ferry_kms_crtc_atomic_enable(struct drm_crtc *crtc,
					 struct ferry_atomic_commit *commit)
{
	struct ferry_device *ferry = to_ferry_device(crtc->dev);
	const struct drm_display_mode *mode = &crtc->state->mode;
	int idx;

	if (!drm_dev_enter(crtc->dev, &idx))
		return;

	ferry_scanout_set_mode(ferry, mode->hdisplay, mode->vdisplay);
	ferry_compose_reset_cursor(&ferry->kms->compose);
	ferry_vblank_on(&ferry->kms->vblank);
	ferry_crc_resume(crtc);

	drm_dev_exit(idx);
}

static void ferry_kms_crtc_atomic_disable(struct drm_crtc *crtc,
					  struct ferry_atomic_commit *commit)
{
	int idx;

	ferry_vblank_off(&to_ferry_device(crtc->dev)->kms->vblank);

	if (drm_dev_enter(crtc->dev, &idx)) {
		ferry_scanout_off(to_ferry_device(crtc->dev));
		drm_dev_exit(idx);
	}

	/* ferry_kms_crtc_atomic_flush() is not called for a CRTC that is off. */
	if (!crtc->state->active)
		ferry_vblank_flush(crtc);
}

static void ferry_kms_crtc_atomic_begin(struct drm_crtc *crtc,
					struct ferry_atomic_commit *commit)
{
	struct ferry_kms *kms = to_ferry_device(crtc->dev)->kms;

	if (crtc->state->color_mgmt_changed || drm_atomic_crtc_needs_modeset(crtc->state)) {
		mutex_lock(&kms->scanout.lock);
		ferry_compose_set_lut(&kms->compose, crtc->state->gamma_lut);
		mutex_unlock(&kms->scanout.lock);
	}

	ferry_plane_update_black(&kms->plane, commit);
}

static int ferry_kms_crtc_enable_vblank(struct drm_crtc *crtc)
{
	return ferry_vblank_enable(&to_ferry_device(crtc->dev)->kms->vblank);
}

static void ferry_kms_crtc_disable_vblank(struct drm_crtc *crtc)
{
	ferry_vblank_disable(&to_ferry_device(crtc->dev)->kms->vblank);
}

static bool ferry_kms_crtc_get_vblank_timestamp(struct drm_crtc *crtc, int *max_error,
						ktime_t *time, bool in_vblank_irq)
{
	return ferry_vblank_get_timestamp(&to_ferry_device(crtc->dev)->kms->vblank, max_error,
					  time);
}

static void ferry_kms_crtc_atomic_flush(struct drm_crtc *crtc,
					struct ferry_atomic_commit *commit)
{
	struct drm_pending_vblank_event *event = crtc->state->event;

	/* An asynchronous page flip is done when the new scanout address is set. */
	if (!crtc->state->async_flip || !event) {
		ferry_vblank_flush(crtc);
		return;
	}

	crtc->state->event = NULL;
	spin_lock_irq(&crtc->dev->event_lock);
	drm_crtc_send_vblank_event(crtc, event);
	spin_unlock_irq(&crtc->dev->event_lock);
}

static const struct drm_crtc_helper_funcs ferry_kms_crtc_helper_funcs = {
	.mode_valid = ferry_kms_crtc_mode_valid,
	.atomic_check = ferry_kms_crtc_atomic_check,
	.atomic_enable = ferry_kms_crtc_atomic_enable,
	.atomic_disable = ferry_kms_crtc_atomic_disable,
	.atomic_begin = ferry_kms_crtc_atomic_begin,
	.atomic_flush = ferry_kms_crtc_atomic_flush,
};

/* See ferry_kms_plane_reset(). */
static void ferry_kms_crtc_reset(struct drm_crtc *crtc)
{
	struct drm_crtc_state *state = kzalloc(sizeof(*state), GFP_KERNEL);

	if (!state)
		return;

	if (crtc->state)
		drm_atomic_helper_crtc_destroy_state(crtc, crtc->state);
	__drm_atomic_helper_crtc_reset(crtc, state);
}

static const struct drm_crtc_funcs ferry_kms_crtc_funcs = {
	.reset = ferry_kms_crtc_reset,
	.destroy = drm_crtc_cleanup,
	.set_config = drm_atomic_helper_set_config,
	.page_flip = drm_atomic_helper_page_flip,
	.atomic_duplicate_state = drm_atomic_helper_crtc_duplicate_state,
	.atomic_destroy_state = drm_atomic_helper_crtc_destroy_state,
	.get_crc_sources = ferry_crc_get_sources,
	.verify_crc_source = ferry_crc_verify_source,
	.set_crc_source = ferry_crc_set_source,
	.enable_vblank = ferry_kms_crtc_enable_vblank,
	.disable_vblank = ferry_kms_crtc_disable_vblank,
	.get_vblank_timestamp = ferry_kms_crtc_get_vblank_timestamp,
};

/* Device */

/*
 * A framebuffer that the device scans out itself needs no copy. The worker of the console, which
 * passes no file, warns about each error. A removed device or a lack of memory is no reason to
 * warn, so return 0 to it.
 */
static int ferry_kms_fb_dirty(struct drm_framebuffer *fb, struct drm_file *file,
			      unsigned int flags, unsigned int color,
			      struct drm_clip_rect *clips, unsigned int count)
{
	struct drm_plane *plane = &to_ferry_device(fb->dev)->kms->plane;
	bool flip;
	int ret;

	drm_modeset_lock(&plane->mutex, NULL);
	flip = ferry_plane_is_flip(plane, fb);
	drm_modeset_unlock(&plane->mutex);
	if (flip)
		return 0;

	ret = drm_atomic_helper_dirtyfb(fb, file, flags, color, clips, count);
	if (ret && !file) {
		drm_dbg_kms(fb->dev, "the console was not drawn: %d\n", ret);
		return 0;
	}

	return ret;
}

static const struct drm_framebuffer_funcs ferry_kms_fb_funcs = {
	.destroy = drm_gem_fb_destroy,
	.create_handle = drm_gem_fb_create_handle,
	.dirty = ferry_kms_fb_dirty,
};

/* Framebuffers that the display cannot scan out are copied, so accept any that fits its BO. */
static struct drm_framebuffer *
ferry_kms_fb_create(FERRY_FB_CREATE_ARGS)
{
	return ferry_compat_gem_fb_create(&ferry_kms_fb_funcs);
}

static enum drm_mode_status
ferry_kms_mode_valid(struct drm_device *drm, const struct drm_display_mode *mode)
{
	return ferry_kms_mode_fits(to_ferry_device(drm), mode);
}

/*
 * Like drm_atomic_helper_commit_tail_rpm(), but wait for the flip event instead of one more
 * vblank: once the new scanout address is set, the device does not read the old framebuffer.
 */
static void ferry_kms_commit_tail(struct ferry_atomic_commit *commit)
{
	struct drm_device *drm = commit->dev;

	drm_atomic_helper_commit_modeset_disables(drm, commit);
	drm_atomic_helper_commit_modeset_enables(drm, commit);
	/* While the display is off, the scanout address must stay what ferry_scanout_off() set. */
	drm_atomic_helper_commit_planes(drm, commit, DRM_PLANE_COMMIT_ACTIVE_ONLY);
	drm_atomic_helper_commit_hw_done(commit);
	drm_atomic_helper_wait_for_flip_done(drm, commit);
	drm_atomic_helper_cleanup_planes(drm, commit);
}

static int ferry_kms_commit(struct drm_device *drm, struct ferry_atomic_commit *commit,
			    bool nonblock)
{
	struct ferry_kms *kms = to_ferry_device(drm)->kms;
	struct drm_crtc_state *crtc = drm_atomic_get_new_crtc_state(commit, &kms->crtc);
	int ret;

	if (!crtc || !drm_atomic_crtc_needs_modeset(crtc))
		return drm_atomic_helper_commit(drm, commit, nonblock);

	ret = ferry_plane_reserve(&kms->plane, commit, nonblock) ?:
	      drm_atomic_helper_commit(drm, commit, nonblock);
	if (ret)
		ferry_plane_undo_reserve(&kms->plane, commit);
	return ret;
}

static const struct drm_mode_config_helper_funcs ferry_kms_mode_config_helper_funcs = {
	.atomic_commit_tail = ferry_kms_commit_tail,
};

static const struct drm_mode_config_funcs ferry_kms_mode_config_funcs = {
	.fb_create = ferry_kms_fb_create,
	.mode_valid = ferry_kms_mode_valid,
	.atomic_check = drm_atomic_helper_check,
	.atomic_commit = ferry_kms_commit,
};

/**
 * ferry_kms_off - turn the display off
 * @ferry: the device; it may have no display
 *
 * A page flip in progress can pin its framebuffer a moment longer: wait up to a second for
 * it. Turning the display off needs memory, so try again if that fails.
 *
 * An unplugged device can still be there, and its registers are mapped until the driver's remove
 * callback returns, so the registers are written in any case.
 */
void ferry_kms_off(struct ferry_device *ferry)
{
	unsigned int try;

	if (!ferry->kms)
		return;

	for (try = 0; try < FERRY_KMS_OFF_TRIES; try++) {
		drm_atomic_helper_shutdown(&ferry->drm);
		if (wait_var_event_timeout(&ferry->scanout_pins,
					   !atomic_read(&ferry->scanout_pins), HZ))
			break;
		msleep(FERRY_KMS_OFF_PAUSE_MS);
	}

	if (try == FERRY_KMS_OFF_TRIES)
		drm_err(&ferry->drm, "a framebuffer is still pinned\n");
	ferry_scanout_off(ferry);
}

/**
 * ferry_kms_start - take the display over from the firmware
 * @ferry: the device, with a display, its BAR mapped, and nothing allocated in it
 *
 * Return: 0, -ENOSPC if the aperture is too small for a display, or -ENOMEM.
 */
int ferry_kms_start(struct ferry_device *ferry)
{
	struct ferry_kms *kms = ferry->kms;
	int ret;

	ferry_dispi_reset(&kms->dispi);
	ret = ferry_scanout_init(ferry, &kms->dispi);
	if (ret)
		return ret;

	return ferry_dumb_measure(ferry);
}

/**
 * ferry_kms_reset - set the registers whose values are lost with the power
 * @ferry: the device, with a display that is off
 */
void ferry_kms_reset(struct ferry_device *ferry)
{
	ferry_dispi_reset(&ferry->kms->dispi);
	ferry_scanout_off(ferry);
}

/**
 * ferry_kms_probe - find the display of a device
 * @ferry: the device
 *
 * Return: 0, -ENODEV if the device has no registers of a Bochs display, -EBUSY if another
 * driver holds them, or -ENOMEM.
 */
int ferry_kms_probe(struct ferry_device *ferry)
{
	struct ferry_kms *kms;
	int ret;

	kms = drmm_kzalloc(&ferry->drm, sizeof(*kms), GFP_KERNEL);
	if (!kms)
		return -ENOMEM;

	ret = ferry_dispi_probe(ferry, &kms->dispi);
	if (ret)
		return ret;

	ferry->kms = kms;
	return 0;
}

static int ferry_kms_init_objects(struct ferry_device *ferry)
{
	struct drm_device *drm = &ferry->drm;
	struct ferry_kms *kms = ferry->kms;
	struct drm_plane *plane;
	int ret;

	ret = ferry_compose_init(ferry, &kms->compose, FERRY_KMS_MAX_SIZE);
	if (ret)
		return ret;

	ret = ferry_plane_init(ferry, &kms->plane);
	if (ret)
		return ret;

	ret = ferry_cursor_plane_init(ferry, &kms->cursor);
	if (ret)
		return ret;

	/* If drmm_crtc_init_with_planes() runs out of memory, the CRTC stays on the list. */
	ret = drm_crtc_init_with_planes(drm, &kms->crtc, &kms->plane, &kms->cursor,
					&ferry_kms_crtc_funcs, NULL);
	if (ret)
		return ret;
	drm_crtc_helper_add(&kms->crtc, &ferry_kms_crtc_helper_funcs);
	kms->plane.possible_crtcs = drm_crtc_mask(&kms->crtc);
	kms->cursor.possible_crtcs = drm_crtc_mask(&kms->crtc);

	/* ARGB8888 has colours that are premultiplied by alpha, as clients expect by default. */
	drm_for_each_plane(plane, drm) {
		ret = drm_plane_create_blend_mode_property(plane, BIT(DRM_MODE_BLEND_PREMULTI));
		if (ret)
			return ret;
	}

	ret = drm_mode_crtc_set_gamma_size(&kms->crtc, FERRY_COMPOSE_LUT_SIZE);
	if (ret)
		return ret;
	drm_crtc_enable_color_mgmt(&kms->crtc, 0, false, FERRY_COMPOSE_LUT_SIZE);

	ret = ferry_vblank_init(&kms->vblank, &kms->crtc);
	if (ret)
		return ret;

	ret = ferry_crc_init(ferry, FERRY_KMS_MAX_SIZE);
	if (ret)
		return ret;

	ret = drmm_encoder_init(drm, &kms->encoder, NULL, DRM_MODE_ENCODER_VIRTUAL, NULL);
	if (ret)
		return ret;
	kms->encoder.possible_crtcs = drm_crtc_mask(&kms->crtc);

	return ferry_connector_init(&kms->connector, &kms->encoder, &kms->dispi);
}

/**
 * ferry_kms_init - initialize the display
 * @ferry: the device, with its display found
 *
 * Return: 0, -EINVAL for a module parameter with an unknown value, or -ENOMEM.
 */
int ferry_kms_init(struct ferry_device *ferry)
{
	struct drm_device *drm = &ferry->drm;
	int ret;

	ret = ferry_dumb_choose(ferry);
	if (ret)
		return ret;

	ret = drmm_mode_config_init(drm);
	if (ret)
		return ret;

	drm->mode_config.max_width = FERRY_KMS_MAX_SIZE;
	drm->mode_config.max_height = FERRY_KMS_MAX_SIZE;
	drm->mode_config.cursor_width = FERRY_COMPOSE_CURSOR_SIZE;
	drm->mode_config.cursor_height = FERRY_COMPOSE_CURSOR_SIZE;
	drm->mode_config.preferred_depth = 24;
	drm->mode_config.async_page_flip = true;
	drm->mode_config.funcs = &ferry_kms_mode_config_funcs;
	drm->mode_config.helper_private = &ferry_kms_mode_config_helper_funcs;

	ret = ferry_kms_init_objects(ferry);
	if (ret)
		return ret;

	drm_mode_config_reset(drm);
	/* The reset cannot report -ENOMEM: check the states that it should have allocated. */
	if (!ferry->kms->plane.state || !ferry->kms->cursor.state ||
	    !ferry->kms->crtc.state || !ferry->kms->connector.base.state)
		return -ENOMEM;
	return 0;
}
