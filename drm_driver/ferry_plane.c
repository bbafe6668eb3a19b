// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/completion.h>
#include <linux/dma-direction.h>
#include <linux/mm.h>

#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_blend.h>
#include <drm/drm_damage_helper.h>
#include <drm/drm_drv.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_print.h>
#include <drm/ferry_drm.h>

#include "ferry_bo.h"
#include "ferry_compat.h"
#include "ferry_compose.h"
#include "ferry_device.h"
#include "ferry_dispi.h"
#include "ferry_panic.h"
#include "ferry_placement.h"
#include "ferry_plane.h"
#include "ferry_plane_state.h"
#include "ferry_scanout.h"

/**
 * DOC: Planes
 *
 * The Bochs display interface (DISPI) scans out of the aperture. There are two ways to show a
 * framebuffer, chosen for each commit:
 *
 * - flip: the BO is moved to a contiguous range of the aperture and pinned there for as long as the
 *   framebuffer is in the state of the plane. A page flip sets a new scanout address and
 *   copies nothing. A BO that has left the screen stays in the aperture until it is evicted.
 * - copy: the damaged rectangles are copied to the scanout buffer. This is for framebuffers that
 *   the device cannot reach or whose format it does not read, for BOs that are in system memory
 *   only or pinned there, while the cursor is visible or a gamma table is set, if the framebuffer
 *   is mirrored or does not fill the screen, and if BOs that cannot be evicted leave no space.
 *   What no framebuffer covers is black. Without any the CRTC can be on, too.
 *
 * If a modeset needs the space of the picture on the screen, which it ends anyway, the screen
 * becomes black before the commit, and shows its picture again if the commit fails. Without a
 * modeset, the framebuffer on the screen moves to system memory, and its range becomes the scanout
 * buffer. So a framebuffer that the checks have accepted can be shown unless the aperture is full
 * of aperture-only BOs, the one on the screen included, or of BOs that other devices have pinned.
 */

/* For how long to try to pin a framebuffer if other moves fail it; then it is copied */
#define FERRY_PLANE_RETRY_JIFFIES	(HZ / 50)

static int ferry_plane_atomic_check(struct drm_plane *plane, struct ferry_atomic_commit *commit)
{
	struct drm_plane_state *state = drm_atomic_get_new_plane_state(commit, plane);
	struct drm_crtc_state *crtc_state = NULL;

	if (state->crtc)
		crtc_state = drm_atomic_get_new_crtc_state(commit, state->crtc);

	return drm_atomic_helper_check_plane_state(state, crtc_state,
						   DRM_PLANE_NO_SCALING,
						   DRM_PLANE_NO_SCALING,
						   true, true);
}

/* Byte offset into the BO of the first pixel on the screen */
static u64 ferry_plane_first_byte(const struct drm_plane_state *state)
{
	return state->fb->offsets[0] + (u64)(state->src.y1 >> 16) * state->fb->pitches[0] +
	       (u64)(state->src.x1 >> 16) * FERRY_DISPI_CPP;
}

/*
 * Get the end of the part of the aperture where the BO can be scanned out: the device must
 * reach its first line, and bochs-display reads the last line up to the pitch. Return 0 if the
 * framebuffer must be copied.
 */
static u64 ferry_plane_flip_end(struct ferry_device *ferry, struct drm_plane_state *state)
{
	const struct drm_framebuffer *fb = state->fb;
	struct ferry_bo *bo = gem_to_ferry_bo(fb->obj[0]);
	u64 size = bo->base.base.size, read, reach;

	if (!ferry_compose_has_format(fb->format->format) || fb->offsets[0] % FERRY_DISPI_CPP)
		return 0;
	if (!(bo->allowed_placements & DRM_FERRY_PLACEMENT_APERTURE))
		return 0;

	reach = ferry_dispi_reach(&ferry->kms->dispi, fb->pitches[0]);
	read = ferry_plane_first_byte(state) +
	       (u64)(drm_rect_height(&state->src) >> 16) * fb->pitches[0];
	if (read > size)
		reach = min(reach, ferry->bar.size - (read - size));

	return ALIGN_DOWN(reach, PAGE_SIZE);
}

/* Until the states are swapped those that are not in the commit are in force. */
static struct drm_crtc_state *ferry_plane_crtc_state(struct ferry_kms *kms,
						     struct drm_plane_state *state)
{
	struct drm_crtc_state *crtc = NULL;

	if (state->state)
		crtc = drm_atomic_get_new_crtc_state(state->state, &kms->crtc);
	return crtc ?: kms->crtc.state;
}

static bool ferry_plane_must_copy(struct ferry_kms *kms, struct drm_plane_state *state)
{
	struct drm_crtc_state *crtc = ferry_plane_crtc_state(kms, state);
	struct drm_plane_state *cursor = NULL;

	if (state->state)
		cursor = drm_atomic_get_new_plane_state(state->state, &kms->cursor);
	cursor = cursor ?: kms->cursor.state;

	/* The core has clipped the rectangle to the screen. */
	return drm_rect_width(&state->dst) != crtc->mode.hdisplay ||
	       drm_rect_height(&state->dst) != crtc->mode.vdisplay ||
	       ferry_compose_mirror(state->rotation) || cursor->visible ||
	       ferry_compose_needs_lut(crtc->gamma_lut);
}

/* Copies read system memory faster than the aperture. */
static void ferry_plane_move_to_system(struct ferry_device *ferry, struct ferry_bo *bo)
{
	struct ferry_placement_target target = {
		.bo = bo, .placement = DRM_FERRY_PLACEMENT_SYSTEM,
	};
	struct ferry_placement_call call = { .uninterruptible = true };

	if (bo->allowed_placements == (DRM_FERRY_PLACEMENT_SYSTEM | DRM_FERRY_PLACEMENT_APERTURE))
		ferry_placement_move_all(ferry, &target, 1, &call);
}

/*
 * Wait until the last commit is complete. Then the framebuffer before the current one is not
 * pinned any more, and nothing but the caller changes the current state.
 */
static int ferry_plane_wait(struct ferry_kms *kms)
{
	struct drm_crtc_commit *commit = kms->crtc.state->commit;
	int ret;

	if (!commit)
		return 0;

	ret = drm_crtc_commit_wait(commit);
	if (!ret && !wait_for_completion_timeout(&commit->cleanup_done, HZ))
		ret = -EBUSY;
	return ret;
}

/* Undo ferry_plane_prepare(); the state need not be prepared. */
static void ferry_plane_release(struct drm_plane *plane, struct drm_plane_state *state)
{
	struct ferry_plane_state *plane_state = to_ferry_plane_state(state);

	ferry_plane_state_unmap(plane, state);
	ferry_scanout_put_buffer(plane_state->buffer);
	plane_state->buffer = NULL;
	if (plane_state->flip)
		ferry_placement_unpin_scanout(gem_to_ferry_bo(state->fb->obj[0]));
	plane_state->flip = false;
}

/* Pin the BO, if the framebuffer can be scanned out. */
static int ferry_plane_pin(struct ferry_device *ferry, struct drm_plane_state *state)
{
	struct ferry_plane_state *plane_state = to_ferry_plane_state(state);
	struct ferry_bo *bo;
	u64 end = 0;
	int ret;

	if (state->visible && !ferry_plane_must_copy(ferry->kms, state))
		end = ferry_plane_flip_end(ferry, state);
	if (!end)
		return -ENOSPC;

	bo = gem_to_ferry_bo(state->fb->obj[0]);
	ret = ferry_placement_pin_scanout(bo, 0, end, 0, &plane_state->offset);
	/* Try harder for the first frame only: while there is no space, each frame comes here. */
	if (ret == -ENOSPC && !to_ferry_plane_state(ferry->kms->plane.state)->buffer) {
		ret = ferry_plane_wait(ferry->kms) ?:
		      ferry_placement_pin_scanout(bo, 0, end, FERRY_PLANE_RETRY_JIFFIES,
						  &plane_state->offset);
	}
	plane_state->flip = !ret;
	return ret;
}

/* Let the current framebuffer give its range away, and be a copied one from now on. */
static struct ferry_scanout_buffer *ferry_plane_take_buffer(struct ferry_device *ferry, u64 end)
{
	struct drm_plane_state *state = ferry->kms->plane.state;
	struct ferry_plane_state *plane_state = to_ferry_plane_state(state);
	struct ferry_scanout_buffer *buffer;
	int ret;

	ret = ferry_plane_wait(ferry->kms);
	if (ret)
		return ERR_PTR(ret);

	buffer = ferry_scanout_take_buffer(ferry, gem_to_ferry_bo(state->fb->obj[0]), end);
	if (IS_ERR(buffer))
		return buffer;

	plane_state->flip = false;
	plane_state->buffer = ferry_scanout_get_buffer(buffer);
	return buffer;
}

/* Get the scanout buffer for a state. */
static struct ferry_scanout_buffer *ferry_plane_get_buffer(struct ferry_device *ferry,
							   struct drm_plane_state *state)
{
	struct ferry_plane_state *old = to_ferry_plane_state(ferry->kms->plane.state);
	struct drm_crtc_state *crtc = ferry_plane_crtc_state(ferry->kms, state);
	u32 pitch = crtc->mode.hdisplay * FERRY_DISPI_CPP;
	u64 size = PAGE_ALIGN((u64)pitch * crtc->mode.vdisplay);
	u64 end = ALIGN_DOWN(ferry_dispi_reach(&ferry->kms->dispi, pitch), PAGE_SIZE);
	const struct ferry_vram_range *black = &ferry->kms->scanout.black;
	bool modeset = drm_atomic_crtc_needs_modeset(crtc);
	struct ferry_scanout_buffer *buffer;

	/* A buffer of another mode may be much too large. */
	if (old->buffer && (!modeset || old->buffer->size == size))
		return ferry_scanout_get_buffer(old->buffer);

	/* A black screen is short. Leave the end of the aperture to the picture that follows. */
	if (!state->visible) {
		buffer = ferry_scanout_new_buffer(ferry, size, min(end, black->size + size));
		if (buffer != ERR_PTR(-ENOSPC))
			return buffer;
	}

	buffer = ferry_scanout_new_buffer(ferry, size, end);
	if (buffer == ERR_PTR(-ENOSPC) && !modeset && old->flip)
		buffer = ferry_plane_take_buffer(ferry, end);
	return buffer;
}

static int ferry_plane_prepare_copy(struct ferry_device *ferry, struct drm_plane *plane,
				    struct drm_plane_state *state)
{
	struct ferry_plane_state *plane_state = to_ferry_plane_state(state);
	struct ferry_scanout_buffer *buffer;
	struct ferry_bo *bo;
	int ret;

	buffer = ferry_plane_get_buffer(ferry, state);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);

	plane_state->buffer = buffer;
	if (!state->visible)
		return 0;

	bo = gem_to_ferry_bo(state->fb->obj[0]);
	ferry_plane_move_to_system(ferry, bo);
	ret = ferry_plane_state_map(plane, state);
	if (ret)
		ferry_plane_release(plane, state);
	/* An aperture-only BO that is not contiguous cannot be mapped. */
	return ret == -EINVAL && !ferry_bo_is_imported(bo) ? -ENOSPC : ret;
}

/*
 * Pin the framebuffer of a state, or get a scanout buffer and map the framebuffer, if there is one,
 * for the copy.
 */
static int ferry_plane_prepare(struct drm_plane *plane, struct drm_plane_state *state)
{
	struct ferry_device *ferry = to_ferry_device(plane->dev);
	int ret;

	ret = ferry_plane_pin(ferry, state);
	/* Other errors mean that the contents are lost or cannot be read. */
	if (ret != -ENOSPC && ret != -ENOMEM && ret != -EBUSY)
		return ret;

	/* The commit that turns the CRTC on prepares the framebuffer again. */
	if (!ferry_plane_crtc_state(ferry->kms, state)->active)
		return 0;

	ret = ferry_plane_prepare_copy(ferry, plane, state);
	/* A framebuffer can always be removed: see ferry_plane_show(). */
	return state->visible ? ret : 0;
}

static bool ferry_plane_is_prepared(struct drm_plane_state *state)
{
	struct ferry_plane_state *plane_state = to_ferry_plane_state(state);

	return plane_state->flip || plane_state->buffer;
}

static int ferry_plane_prepare_fb(struct drm_plane *plane, struct drm_plane_state *state)
{
	int ret;

	/* ferry_plane_reserve() prepares it for modesets. */
	if (!ferry_plane_is_prepared(state)) {
		ret = ferry_plane_prepare(plane, state);
		if (ret)
			return ret;
	}

	/* While the BO is pinned no move adds a fence that the commit would have to wait for. */
	ret = drm_gem_plane_helper_prepare_fb(plane, state);
	if (ret)
		ferry_plane_release(plane, state);

	return ret;
}

/* Copy the damaged rectangles of a visible framebuffer. */
static void ferry_plane_copy_damage(struct ferry_device *ferry, struct drm_plane_state *old_state,
				    struct drm_plane_state *state)
{
	unsigned int mirror = ferry_compose_mirror(state->rotation);
	struct drm_atomic_helper_damage_iter iter;
	struct drm_rect clip, src;
	int x, y;

	/* Where the source begins in the middle of a pixel, damage has one pixel too many. */
	drm_rect_fp_to_int(&src, &state->src);
	drm_atomic_helper_damage_iter_init(&iter, old_state, state);
	drm_atomic_for_each_plane_damage(&iter, &clip) {
		if (!drm_rect_intersect(&clip, &src))
			continue;
		x = mirror & DRM_MODE_REFLECT_X ? src.x2 - clip.x2 : clip.x1 - src.x1;
		y = mirror & DRM_MODE_REFLECT_Y ? src.y2 - clip.y2 : clip.y1 - src.y1;
		ferry_compose_rect(&ferry->kms->compose, state->fb,
				   to_drm_shadow_plane_state(state)->data, &clip,
				   state->dst.x1 + x, state->dst.y1 + y, mirror);
		atomic64_add((u64)drm_rect_width(&clip) * drm_rect_height(&clip) *
			     FERRY_DISPI_CPP, &ferry->stats.copied_bytes);
	}
}

static void ferry_plane_copy(struct ferry_device *ferry, struct drm_plane_state *old_state,
			     struct drm_plane_state *state)
{
	struct ferry_scanout_buffer *buffer = to_ferry_plane_state(state)->buffer;
	struct drm_rect dst = state->visible ? state->dst : (struct drm_rect) {};
	struct ferry_kms *kms = ferry->kms;
	bool lost;

	lost = state->visible && drm_gem_fb_begin_cpu_access(state->fb, DMA_FROM_DEVICE);
	mutex_lock(&kms->scanout.lock);
	kms->compose.offset = buffer->offset;
	/* Damage is relative to the last frame, which must be in the buffer, at the same place. */
	if (kms->scanout.buffer != buffer || kms->crtc.state->color_mgmt_changed ||
	    !old_state->visible || !drm_rect_equals(&old_state->dst, &dst) ||
	    old_state->rotation != state->rotation) {
		state->ignore_damage_clips = true;
		ferry_compose_background(&kms->compose, &dst);
	}
	if (state->visible && !lost)
		ferry_plane_copy_damage(ferry, old_state, state);
	ferry_scanout_show_buffer(ferry, buffer);
	/* Copy the next frame as a whole. */
	if (lost)
		kms->scanout.buffer = NULL;
	mutex_unlock(&kms->scanout.lock);

	if (state->visible && !lost)
		drm_gem_fb_end_cpu_access(state->fb, DMA_FROM_DEVICE);
}

static void ferry_plane_show(struct ferry_device *ferry, struct drm_plane_state *old_state,
			     struct drm_plane_state *state)
{
	struct ferry_plane_state *plane_state = to_ferry_plane_state(state);
	const struct drm_display_mode *mode = &ferry->kms->crtc.state->mode;
	struct ferry_scanout *scanout = &ferry->kms->scanout;

	/* Without memory for a black screen show what a display shows that is off. */
	if (!ferry_plane_is_prepared(state)) {
		ferry_scanout_off(ferry);
		return;
	}
	if (scanout->width != mode->hdisplay || scanout->height != mode->vdisplay)
		ferry_scanout_set_mode(ferry, mode->hdisplay, mode->vdisplay);

	if (plane_state->flip) {
		ferry_scanout_show(ferry, plane_state->offset + ferry_plane_first_byte(state),
				   state->fb->pitches[0]);
		atomic64_inc(&ferry->stats.flips);
	} else {
		ferry_plane_copy(ferry, old_state, state);
	}
}

static void ferry_plane_update(struct drm_plane *plane, struct ferry_atomic_commit *commit)
{
	struct drm_plane_state *old_state = drm_atomic_get_old_plane_state(commit, plane);
	struct drm_plane_state *state = drm_atomic_get_new_plane_state(commit, plane);
	int idx;

	if (drm_dev_enter(plane->dev, &idx)) {
		ferry_plane_show(to_ferry_device(plane->dev), old_state, state);
		drm_dev_exit(idx);
	}

	/* The BO can be moved between two commits. */
	ferry_plane_state_unmap(plane, state);
}

static void ferry_plane_atomic_update(struct drm_plane *plane,
				      struct ferry_atomic_commit *commit)
{
	if (drm_atomic_get_new_plane_state(commit, plane)->visible)
		ferry_plane_update(plane, commit);
}

/**
 * ferry_plane_update_black - show a black screen if no framebuffer is visible
 * @plane: the primary plane
 * @commit: a commit that leaves the CRTC on, with its states in place
 *
 * The DRM core does not update a plane that has no framebuffer, and had none.
 */
void ferry_plane_update_black(struct drm_plane *plane, struct ferry_atomic_commit *commit)
{
	struct drm_plane_state *state = drm_atomic_get_new_plane_state(commit, plane);

	if (state && !state->visible)
		ferry_plane_update(plane, commit);
}

/**
 * ferry_plane_is_flip - check if the device reads a framebuffer itself
 * @plane: the primary plane, locked
 * @fb: the framebuffer
 *
 * Return: true if it is on the screen without a copy.
 */
bool ferry_plane_is_flip(struct drm_plane *plane, struct drm_framebuffer *fb)
{
	return plane->state->fb == fb && to_ferry_plane_state(plane->state)->flip;
}

/* Show black pixels instead of the current framebuffer, and free the memory that showed it. */
static void ferry_plane_blank(struct drm_plane *plane)
{
	int idx;

	if (drm_dev_enter(plane->dev, &idx)) {
		ferry_scanout_off(to_ferry_device(plane->dev));
		drm_dev_exit(idx);
	}
	ferry_plane_release(plane, plane->state);
}

/* Undo ferry_plane_blank(). */
static void ferry_plane_unblank(struct drm_plane *plane)
{
	struct ferry_device *ferry = to_ferry_device(plane->dev);
	struct drm_plane_state *state = plane->state;
	int ret, idx;

	if (!ferry->kms->crtc.state->active || ferry_plane_is_prepared(state))
		return;

	ret = ferry_plane_prepare(plane, state);
	if (ret) {
		drm_err(&ferry->drm, "the screen stays black until the next commit: %d\n", ret);
		return;
	}

	if (drm_dev_enter(plane->dev, &idx)) {
		ferry_plane_show(ferry, state, state);
		drm_dev_exit(idx);
	}
	ferry_plane_state_unmap(plane, state);
}

/**
 * ferry_plane_reserve - get the memory for the first frame of a modeset
 * @plane: the primary plane
 * @commit: a commit that has passed the checks and needs a modeset
 * @nonblock: do not wait for a commit that is in progress
 *
 * The memory of the picture on the screen may be needed: then the screen becomes black. Must
 * be followed by ferry_plane_undo_reserve() if the commit fails.
 *
 * Return: 0, -ENOSPC if BOs in the way can be neither evicted nor moved, -EBUSY if another
 * commit is in progress, or another error of a move.
 */
int ferry_plane_reserve(struct drm_plane *plane, struct ferry_atomic_commit *commit, bool nonblock)
{
	struct drm_plane_state *state = drm_atomic_get_new_plane_state(commit, plane);
	struct ferry_kms *kms = to_ferry_device(plane->dev)->kms;
	struct drm_crtc_commit *last = kms->crtc.state->commit;
	int ret;

	if (!state || (!state->fb && !ferry_plane_crtc_state(kms, state)->active))
		return 0;
	if (nonblock && last && !try_wait_for_completion(&last->flip_done))
		return -EBUSY;

	ret = ferry_plane_prepare(plane, state);
	if (ret != -ENOSPC)
		return ret;

	ret = ferry_plane_wait(kms);
	if (ret)
		return ret;

	ferry_plane_blank(plane);
	return ferry_plane_prepare(plane, state);
}

/**
 * ferry_plane_undo_reserve - show the picture again that was on the screen
 * @plane: the primary plane
 * @commit: the commit that failed, after ferry_plane_reserve()
 */
void ferry_plane_undo_reserve(struct drm_plane *plane, struct ferry_atomic_commit *commit)
{
	struct drm_plane_state *state = drm_atomic_get_new_plane_state(commit, plane);

	if (!state)
		return;
	ferry_plane_release(plane, state);
	ferry_plane_unblank(plane);
}

static int ferry_plane_get_scanout_buffer(struct drm_plane *plane,
					  struct drm_scanout_buffer *buffer)
{
	struct ferry_device *ferry = to_ferry_device(plane->dev);

	return ferry_panic_get_buffer(&ferry->bar, &ferry->kms->dispi, buffer);
}

static const struct drm_plane_helper_funcs ferry_plane_helper_funcs = {
	.prepare_fb = ferry_plane_prepare_fb,
	.cleanup_fb = ferry_plane_release,
	.atomic_check = ferry_plane_atomic_check,
	.atomic_update = ferry_plane_atomic_update,
	.get_scanout_buffer = ferry_plane_get_scanout_buffer,
};

/**
 * ferry_plane_init - initialize the primary plane
 * @ferry: the device
 * @plane: the plane
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_plane_init(struct ferry_device *ferry, struct drm_plane *plane)
{
	static const u32 formats[] = {
		DRM_FORMAT_XRGB8888, DRM_FORMAT_ARGB8888, DRM_FORMAT_RGB565,
		DRM_FORMAT_XRGB2101010, DRM_FORMAT_XBGR8888, DRM_FORMAT_ABGR8888,
	};
	static const u64 modifiers[] = { DRM_FORMAT_MOD_LINEAR, DRM_FORMAT_MOD_INVALID };
	int ret;

	ret = drm_universal_plane_init(&ferry->drm, plane, 0, &ferry_plane_state_funcs, formats,
				       ARRAY_SIZE(formats), modifiers, DRM_PLANE_TYPE_PRIMARY,
				       NULL);
	if (ret)
		return ret;

	drm_plane_helper_add(plane, &ferry_plane_helper_funcs);
	drm_plane_enable_fb_damage_clips(plane);
	return drm_plane_create_rotation_property(plane, DRM_MODE_ROTATE_0,
						  FERRY_COMPOSE_ROTATIONS);
}
