// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/delay.h>
#include <linux/wait_bit.h>

#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_drv.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/drm_vblank.h>
#include <drm/ferry_drm.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_connector.h"
#include "ferry_device.h"
#include "ferry_dispi.h"
#include "ferry_kms.h"
#include "ferry_panic.h"
#include "ferry_placement.h"
#include "ferry_scanout.h"

/**
 * DOC: Display
 *
 * The Bochs display interface (DISPI) scans out of the aperture. So the BO of a framebuffer
 * is moved to a contiguous range of the aperture, and pinned for as long as the framebuffer
 * is in the state of the plane. A page flip sets a new scanout address and copies nothing.
 */

#define FERRY_KMS_MAX_SIZE	8192
/* Width and height with blanking */
#define FERRY_KMS_MAX_TOTAL	(2 * FERRY_KMS_MAX_SIZE)
/* Lowest and highest refresh rate */
#define FERRY_KMS_MIN_HZ	10
#define FERRY_KMS_MAX_HZ	500
/* How often to try to turn the display off, and the pause after a failure */
#define FERRY_KMS_OFF_TRIES	10
#define FERRY_KMS_OFF_PAUSE_MS	20

/**
 * struct ferry_plane_state - state of the plane
 */
struct ferry_plane_state {
	/** @base: base */
	struct drm_plane_state base;
	/** @offset: byte offset into the aperture of the pinned framebuffer */
	u64 offset;
};

static struct ferry_plane_state *to_ferry_plane_state(struct drm_plane_state *state)
{
	return container_of(state, struct ferry_plane_state, base);
}

/* Plane */

static int ferry_kms_plane_atomic_check(struct drm_plane *plane,
					struct ferry_atomic_commit *commit)
{
	struct drm_plane_state *state = drm_atomic_get_new_plane_state(commit, plane);
	struct drm_crtc_state *crtc_state = NULL;

	if (state->crtc)
		crtc_state = drm_atomic_get_new_crtc_state(commit, state->crtc);

	return drm_atomic_helper_check_plane_state(state, crtc_state,
						   DRM_PLANE_NO_SCALING,
						   DRM_PLANE_NO_SCALING,
						   false, false);
}

static int ferry_kms_plane_prepare_fb(struct drm_plane *plane, struct drm_plane_state *state)
{
	struct ferry_bo *bo;
	int ret;
	u64 end;

	if (!state->fb)
		return 0;

	bo = gem_to_ferry_bo(state->fb->obj[0]);
	end = ferry_dispi_reach(&to_ferry_device(plane->dev)->kms->dispi, state->fb->pitches[0]);
	ret = ferry_placement_pin_scanout(bo, end, &to_ferry_plane_state(state)->offset);
	if (ret)
		return ret;

	/* While the BO is pinned no move adds a fence that the commit would have to wait for. */
	ret = drm_gem_plane_helper_prepare_fb(plane, state);
	if (ret)
		ferry_placement_unpin_scanout(bo);

	return ret;
}

static void ferry_kms_plane_cleanup_fb(struct drm_plane *plane, struct drm_plane_state *state)
{
	if (state->fb)
		ferry_placement_unpin_scanout(gem_to_ferry_bo(state->fb->obj[0]));
}

static void ferry_kms_show(struct ferry_kms *kms, struct drm_plane_state *state)
{
	struct drm_framebuffer *fb = state->fb;
	u32 pitch = fb->pitches[0];
	u64 offset;

	offset = to_ferry_plane_state(state)->offset + fb->offsets[0] +
		 (state->src.y1 >> 16) * (u64)pitch + (state->src.x1 >> 16) * FERRY_DISPI_CPP;
	ferry_dispi_set_scanout(&kms->dispi, offset, pitch);
}

static void ferry_kms_plane_atomic_update(struct drm_plane *plane,
					  struct ferry_atomic_commit *commit)
{
	struct drm_plane_state *state = drm_atomic_get_new_plane_state(commit, plane);
	int idx;

	/* A plane without a framebuffer is turned off together with its CRTC. */
	if (!state->fb || !drm_dev_enter(plane->dev, &idx))
		return;

	ferry_kms_show(to_ferry_device(plane->dev)->kms, state);

	drm_dev_exit(idx);
}

static int ferry_kms_plane_get_scanout_buffer(struct drm_plane *plane,
					      struct drm_scanout_buffer *buffer)
{
	struct ferry_device *ferry = to_ferry_device(plane->dev);

	return ferry_panic_get_buffer(&ferry->bar, &ferry->kms->dispi, buffer);
}

static const struct drm_plane_helper_funcs ferry_kms_plane_helper_funcs = {
	.prepare_fb = ferry_kms_plane_prepare_fb,
	.cleanup_fb = ferry_kms_plane_cleanup_fb,
	.atomic_check = ferry_kms_plane_atomic_check,
	.atomic_update = ferry_kms_plane_atomic_update,
	.get_scanout_buffer = ferry_kms_plane_get_scanout_buffer,
};

static void ferry_kms_plane_destroy_state(struct drm_plane *plane,
					  struct drm_plane_state *state)
{
	__drm_atomic_helper_plane_destroy_state(state);
	kfree(to_ferry_plane_state(state));
}

static struct drm_plane_state *ferry_kms_plane_duplicate_state(struct drm_plane *plane)
{
	struct ferry_plane_state *state;

	state = kzalloc(sizeof(*state), GFP_KERNEL);
	if (!state)
		return NULL;

	__drm_atomic_helper_plane_duplicate_state(plane, &state->base);
	return &state->base;
}

/*
 * A resume resets the state. Without memory for a new one keep the old one, because the next
 * commit would dereference a NULL state.
 */
static void ferry_kms_plane_reset(struct drm_plane *plane)
{
	struct ferry_plane_state *state = kzalloc(sizeof(*state), GFP_KERNEL);

	if (!state)
		return;

	if (plane->state)
		ferry_kms_plane_destroy_state(plane, plane->state);
	__drm_atomic_helper_plane_reset(plane, &state->base);
}

static const struct drm_plane_funcs ferry_kms_plane_funcs = {
	.update_plane = drm_atomic_helper_update_plane,
	.disable_plane = drm_atomic_helper_disable_plane,
	.destroy = drm_plane_cleanup,
	.reset = ferry_kms_plane_reset,
	.atomic_duplicate_state = ferry_kms_plane_duplicate_state,
	.atomic_destroy_state = ferry_kms_plane_destroy_state,
};

/* CRTC */

static enum drm_mode_status ferry_kms_mode_fits(struct ferry_device *ferry,
						const struct drm_display_mode *mode)
{
	u64 bytes = (u64)mode->hdisplay * mode->vdisplay * FERRY_DISPI_CPP;

	if (!ferry_dispi_has_width(&ferry->kms->dispi, mode->hdisplay))
		return MODE_H_ILLEGAL;
	if (PAGE_ALIGN(bytes) > ferry->bar.size)
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

	if (!state->enable)
		return 0;

	return drm_atomic_helper_check_crtc_primary_plane(state);
}

static void ferry_kms_crtc_atomic_enable(struct drm_crtc *crtc,
					 struct ferry_atomic_commit *commit)
{
	struct ferry_device *ferry = to_ferry_device(crtc->dev);
	const struct drm_display_mode *mode = &crtc->state->mode;
	struct ferry_kms *kms = ferry->kms;
	struct drm_plane_state *plane;
	int idx;

	if (!drm_dev_enter(crtc->dev, &idx))
		return;

	ferry_dispi_set_mode(&kms->dispi, mode->hdisplay, mode->vdisplay);
	/* Setting a mode resets the scanout address: program that of the framebuffer again. */
	plane = drm_atomic_get_new_plane_state(commit, &kms->plane);
	if (plane && plane->fb)
		ferry_kms_show(kms, plane);
	ferry_scanout_end_firmware(ferry);
	ferry_vblank_on(&kms->vblank);

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
	ferry_vblank_flush(crtc);
}

static const struct drm_crtc_helper_funcs ferry_kms_crtc_helper_funcs = {
	.mode_valid = ferry_kms_crtc_mode_valid,
	.atomic_check = ferry_kms_crtc_atomic_check,
	.atomic_enable = ferry_kms_crtc_atomic_enable,
	.atomic_disable = ferry_kms_crtc_atomic_disable,
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
	.enable_vblank = ferry_kms_crtc_enable_vblank,
	.disable_vblank = ferry_kms_crtc_disable_vblank,
	.get_vblank_timestamp = ferry_kms_crtc_get_vblank_timestamp,
};

/* Device */

static struct drm_framebuffer *
ferry_kms_fb_create(FERRY_FB_CREATE_ARGS)
{
	struct drm_framebuffer *fb;

	if (cmd->offsets[0] % FERRY_DISPI_CPP ||
	    !ferry_dispi_reach(&to_ferry_device(drm)->kms->dispi, cmd->pitches[0]))
		return ERR_PTR(-EINVAL);

	fb = ferry_compat_gem_fb_create();
	if (IS_ERR(fb))
		return fb;

	if (!(gem_to_ferry_bo(fb->obj[0])->allowed_placements & DRM_FERRY_PLACEMENT_APERTURE)) {
		drm_framebuffer_put(fb);
		return ERR_PTR(-EINVAL);
	}

	return fb;
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

static const struct drm_mode_config_helper_funcs ferry_kms_mode_config_helper_funcs = {
	.atomic_commit_tail = ferry_kms_commit_tail,
};

static const struct drm_mode_config_funcs ferry_kms_mode_config_funcs = {
	.fb_create = ferry_kms_fb_create,
	.mode_valid = ferry_kms_mode_valid,
	.atomic_check = drm_atomic_helper_check,
	.atomic_commit = drm_atomic_helper_commit,
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

	ferry_dispi_reset(&kms->dispi);
	return ferry_scanout_init(ferry, &kms->dispi);
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
	static const u32 formats[] = { DRM_FORMAT_XRGB8888 };
	struct drm_device *drm = &ferry->drm;
	struct ferry_kms *kms = ferry->kms;
	int ret;

	ret = drm_universal_plane_init(drm, &kms->plane, 0, &ferry_kms_plane_funcs, formats,
				       ARRAY_SIZE(formats), NULL, DRM_PLANE_TYPE_PRIMARY, NULL);
	if (ret)
		return ret;
	drm_plane_helper_add(&kms->plane, &ferry_kms_plane_helper_funcs);

	/* If drmm_crtc_init_with_planes() runs out of memory, the CRTC stays on the list. */
	ret = drm_crtc_init_with_planes(drm, &kms->crtc, &kms->plane, NULL,
					&ferry_kms_crtc_funcs, NULL);
	if (ret)
		return ret;
	drm_crtc_helper_add(&kms->crtc, &ferry_kms_crtc_helper_funcs);

	ret = ferry_vblank_init(&kms->vblank, &kms->crtc);
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
 * @ferry: the device, with its display found and its aperture mapped
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_kms_init(struct ferry_device *ferry)
{
	struct drm_device *drm = &ferry->drm;
	int ret;

	ret = drmm_mode_config_init(drm);
	if (ret)
		return ret;

	drm->mode_config.max_width = FERRY_KMS_MAX_SIZE;
	drm->mode_config.max_height = FERRY_KMS_MAX_SIZE;
	drm->mode_config.preferred_depth = 24;
	drm->mode_config.prefer_shadow = 1;
	drm->mode_config.funcs = &ferry_kms_mode_config_funcs;
	drm->mode_config.helper_private = &ferry_kms_mode_config_helper_funcs;

	ret = ferry_kms_init_objects(ferry);
	if (ret)
		return ret;

	drm_mode_config_reset(drm);
	/* The reset cannot report -ENOMEM: check the states that it should have allocated. */
	if (!ferry->kms->plane.state || !ferry->kms->crtc.state ||
	    !ferry->kms->connector.base.state)
		return -ENOMEM;
	return 0;
}
