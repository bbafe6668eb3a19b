/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_PLANE_STATE_H_
#define _FERRY_PLANE_STATE_H_

#include <linux/types.h>

#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_plane.h>

struct ferry_scanout_buffer;

/**
 * struct ferry_plane_state - state of a plane
 */
struct ferry_plane_state {
	/** @base: base: with the mapping of a framebuffer that is copied */
	struct drm_shadow_plane_state base;
	/** @flip: the framebuffer is pinned in the aperture, and scanned out without a copy */
	bool flip;
	/** @mapped: the framebuffer is mapped for a copy */
	bool mapped;
	/** @offset: byte offset into the aperture of the pinned BO */
	u64 offset;
	/** @buffer: the framebuffer is copied to this scanout buffer, with a reference; or NULL */
	struct ferry_scanout_buffer *buffer;
};

static inline struct ferry_plane_state *to_ferry_plane_state(struct drm_plane_state *state)
{
	return container_of(to_drm_shadow_plane_state(state), struct ferry_plane_state, base);
}

extern const struct drm_plane_funcs ferry_plane_state_funcs;

int ferry_plane_state_map(struct drm_plane *plane, struct drm_plane_state *state);
void ferry_plane_state_unmap(struct drm_plane *plane, struct drm_plane_state *state);

#endif /* _FERRY_PLANE_STATE_H_ */
