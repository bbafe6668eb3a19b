// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/slab.h>

#include <drm/drm_atomic_helper.h>
#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_plane.h>

#include "ferry_plane_state.h"

static void ferry_plane_state_destroy(struct drm_plane *plane, struct drm_plane_state *state)
{
	struct ferry_plane_state *plane_state = to_ferry_plane_state(state);

	__drm_gem_destroy_shadow_plane_state(&plane_state->base);
	kfree(plane_state);
}

static struct drm_plane_state *ferry_plane_state_duplicate(struct drm_plane *plane)
{
	struct ferry_plane_state *plane_state;

	plane_state = kzalloc(sizeof(*plane_state), GFP_KERNEL);
	if (!plane_state)
		return NULL;

	/* Pins, mappings and scanout buffers are those of one state: the copy has none. */
	__drm_gem_duplicate_shadow_plane_state(plane, &plane_state->base);
	/* Set for one frame by the primary plane. */
	plane_state->base.base.ignore_damage_clips = false;
	return &plane_state->base.base;
}

/*
 * A resume resets the state. Without memory for a new one keep the old one, because the next
 * commit would dereference a NULL state.
 */
static void ferry_plane_state_reset(struct drm_plane *plane)
{
	struct ferry_plane_state *plane_state = kzalloc(sizeof(*plane_state), GFP_KERNEL);

	if (!plane_state)
		return;

	if (plane->state)
		ferry_plane_state_destroy(plane, plane->state);
	__drm_gem_reset_shadow_plane(plane, &plane_state->base);
}

const struct drm_plane_funcs ferry_plane_state_funcs = {
	.update_plane = drm_atomic_helper_update_plane,
	.disable_plane = drm_atomic_helper_disable_plane,
	.destroy = drm_plane_cleanup,
	.reset = ferry_plane_state_reset,
	.atomic_duplicate_state = ferry_plane_state_duplicate,
	.atomic_destroy_state = ferry_plane_state_destroy,
};

/**
 * ferry_plane_state_map - map the framebuffer of a state, to copy it
 * @plane: the plane
 * @state: its new state, with a framebuffer
 *
 * Pins the BO at its present placement until ferry_plane_state_unmap().
 *
 * Return: 0 or an error of &drm_gem_object_funcs.vmap.
 */
int ferry_plane_state_map(struct drm_plane *plane, struct drm_plane_state *state)
{
	int ret;

	ret = drm_gem_begin_shadow_fb_access(plane, state);
	if (!ret)
		to_ferry_plane_state(state)->mapped = true;
	return ret;
}

/**
 * ferry_plane_state_unmap - undo ferry_plane_state_map()
 * @plane: the plane
 * @state: its state; the framebuffer need not be mapped
 */
void ferry_plane_state_unmap(struct drm_plane *plane, struct drm_plane_state *state)
{
	if (!to_ferry_plane_state(state)->mapped)
		return;

	drm_gem_end_shadow_fb_access(plane, state);
	to_ferry_plane_state(state)->mapped = false;
}
