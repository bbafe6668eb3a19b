// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/dma-direction.h>

#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_blend.h>
#include <drm/drm_drv.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_gem_framebuffer_helper.h>

#include "ferry_compat.h"
#include "ferry_compose.h"
#include "ferry_cursor_plane.h"
#include "ferry_device.h"
#include "ferry_plane_state.h"
#include "ferry_scanout.h"

/**
 * DOC: Cursor plane
 *
 * The devices have no cursor. While one is visible, the primary plane is copied to the scanout
 * buffer, and the cursor is blended into it. Moving the cursor or changing its image is an
 * asynchronous update: no vblank is waited for, and the primary plane takes no part. An update
 * that only moves the cursor does not read its framebuffer.
 */

static int ferry_cursor_plane_atomic_check(struct drm_plane *plane,
					   struct ferry_atomic_commit *commit)
{
	struct drm_plane_state *old_state = drm_atomic_get_old_plane_state(commit, plane);
	struct drm_plane_state *state = drm_atomic_get_new_plane_state(commit, plane);
	struct drm_crtc *crtc = state->crtc ?: old_state->crtc;
	struct drm_crtc_state *crtc_state = NULL;
	struct drm_plane_state *primary;
	int ret;

	if (state->crtc)
		crtc_state = drm_atomic_get_new_crtc_state(commit, state->crtc);
	ret = drm_atomic_helper_check_plane_state(state, crtc_state, DRM_PLANE_NO_SCALING,
						  DRM_PLANE_NO_SCALING, true, true);
	if (ret)
		return ret;

	if (state->fb && (state->crtc_w > FERRY_COMPOSE_CURSOR_SIZE ||
			  state->crtc_h > FERRY_COMPOSE_CURSOR_SIZE))
		return -EINVAL;

	/* The primary plane changes between flips and copies. */
	if (crtc && state->visible != old_state->visible) {
		primary = drm_atomic_get_plane_state(commit, crtc->primary);
		if (IS_ERR(primary))
			return PTR_ERR(primary);
	}
	return 0;
}

static int ferry_cursor_plane_prepare_fb(struct drm_plane *plane, struct drm_plane_state *state)
{
	struct ferry_device *ferry = to_ferry_device(plane->dev);
	int ret;

	if (!state->fb)
		return 0;

	ret = ferry_compose_alloc_cursor(ferry, &ferry->kms->compose);
	if (ret)
		return ret;

	ret = ferry_plane_state_map(plane, state);
	if (ret)
		return ret;

	ret = drm_gem_plane_helper_prepare_fb(plane, state);
	if (ret)
		ferry_plane_state_unmap(plane, state);
	return ret;
}

static void ferry_cursor_plane_load(struct ferry_kms *kms, struct drm_plane_state *state)
{
	struct drm_rect src = drm_plane_state_src(state);

	drm_rect_fp_to_int(&src, &src);
	ferry_compose_load_cursor(&kms->compose, state->fb, to_drm_shadow_plane_state(state)->data,
				  &src, ferry_compose_mirror(state->rotation));
}

static void ferry_cursor_plane_draw(struct drm_plane *plane, struct drm_plane_state *state,
				    bool load)
{
	struct ferry_kms *kms = to_ferry_device(plane->dev)->kms;
	int idx;

	load = load && state->visible;
	if (load && (!to_ferry_plane_state(state)->mapped ||
		     drm_gem_fb_begin_cpu_access(state->fb, DMA_FROM_DEVICE)))
		return;

	if (drm_dev_enter(plane->dev, &idx)) {
		mutex_lock(&kms->scanout.lock);
		if (load)
			ferry_cursor_plane_load(kms, state);
		if (state->visible)
			ferry_compose_move_cursor(&kms->compose, state->crtc_x, state->crtc_y);
		else
			ferry_compose_hide_cursor(&kms->compose);
		mutex_unlock(&kms->scanout.lock);
		drm_dev_exit(idx);
	}

	if (load)
		drm_gem_fb_end_cpu_access(state->fb, DMA_FROM_DEVICE);
}

static void ferry_cursor_plane_atomic_update(struct drm_plane *plane,
					     struct ferry_atomic_commit *commit)
{
	struct drm_plane_state *state = drm_atomic_get_new_plane_state(commit, plane);

	ferry_cursor_plane_draw(plane, state, true);
	ferry_plane_state_unmap(plane, state);
}

static int ferry_cursor_plane_async_check(FERRY_ASYNC_CHECK_ARGS)
{
	struct drm_plane_state *state = drm_atomic_get_new_plane_state(commit, plane);

	/* Showing and hiding the cursor changes how the primary plane is shown. */
	if (!plane->state->visible || !state->visible || state->crtc != plane->state->crtc)
		return -EINVAL;

	return 0;
}

/* Clients that have changed the image set it again, at the same position. */
static bool ferry_cursor_plane_only_moves(const struct drm_plane_state *old_state,
					  const struct drm_plane_state *state)
{
	return state->fb == old_state->fb && state->rotation == old_state->rotation &&
	       state->src_x == old_state->src_x && state->src_y == old_state->src_y &&
	       state->src_w == old_state->src_w && state->src_h == old_state->src_h &&
	       (state->crtc_x != old_state->crtc_x || state->crtc_y != old_state->crtc_y);
}

static void ferry_cursor_plane_async_update(struct drm_plane *plane,
					    struct ferry_atomic_commit *commit)
{
	struct drm_plane_state *new_state = drm_atomic_get_new_plane_state(commit, plane);
	struct drm_plane_state *state = plane->state;
	bool moves = ferry_cursor_plane_only_moves(state, new_state);

	state->crtc_x = new_state->crtc_x;
	state->crtc_y = new_state->crtc_y;
	state->crtc_w = new_state->crtc_w;
	state->crtc_h = new_state->crtc_h;
	state->src_x = new_state->src_x;
	state->src_y = new_state->src_y;
	state->src_w = new_state->src_w;
	state->src_h = new_state->src_h;
	state->src = new_state->src;
	state->dst = new_state->dst;

	if (state->crtc->state->active)
		ferry_cursor_plane_draw(plane, new_state, !moves);
	/* End the mapping of the new framebuffer while it is in the new state. */
	ferry_plane_state_unmap(plane, new_state);
	swap(state->fb, new_state->fb);
}

static const struct drm_plane_helper_funcs ferry_cursor_plane_helper_funcs = {
	.prepare_fb = ferry_cursor_plane_prepare_fb,
	.cleanup_fb = ferry_plane_state_unmap,
	.atomic_check = ferry_cursor_plane_atomic_check,
	.atomic_update = ferry_cursor_plane_atomic_update,
	.atomic_async_check = ferry_cursor_plane_async_check,
	.atomic_async_update = ferry_cursor_plane_async_update,
};

/**
 * ferry_cursor_plane_init - initialize the cursor plane
 * @ferry: the device
 * @plane: the plane
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_cursor_plane_init(struct ferry_device *ferry, struct drm_plane *plane)
{
	static const u32 formats[] = { DRM_FORMAT_ARGB8888 };
	static const u64 modifiers[] = { DRM_FORMAT_MOD_LINEAR, DRM_FORMAT_MOD_INVALID };
	int ret;

	ret = drm_universal_plane_init(&ferry->drm, plane, 0, &ferry_plane_state_funcs, formats,
				       ARRAY_SIZE(formats), modifiers, DRM_PLANE_TYPE_CURSOR,
				       NULL);
	if (ret)
		return ret;

	drm_plane_helper_add(plane, &ferry_cursor_plane_helper_funcs);
	return drm_plane_create_rotation_property(plane, DRM_MODE_ROTATE_0,
						  FERRY_COMPOSE_ROTATIONS);
}
