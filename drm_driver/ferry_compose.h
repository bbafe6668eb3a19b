/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_COMPOSE_H_
#define _FERRY_COMPOSE_H_

#include <linux/types.h>

#include <drm/drm_mode.h>
#include <drm/drm_rect.h>

struct drm_framebuffer;
struct drm_property_blob;
struct ferry_device;
struct ferry_scanout;
struct iosys_map;

/* Width and height of the largest cursor */
#define FERRY_COMPOSE_CURSOR_SIZE	512
#define FERRY_COMPOSE_CURSOR_PIXELS	(FERRY_COMPOSE_CURSOR_SIZE * FERRY_COMPOSE_CURSOR_SIZE)

/* Rotations of planes */
#define FERRY_COMPOSE_ROTATIONS		(DRM_MODE_ROTATE_0 | DRM_MODE_ROTATE_180 | \
					 DRM_MODE_REFLECT_X | DRM_MODE_REFLECT_Y)

/* Entries of a gamma table */
#define FERRY_COMPOSE_LUT_SIZE		256

/**
 * struct ferry_compose_cursor - the cursor at a position on the screen
 */
struct ferry_compose_cursor {
	/** @rect: what the cursor covers of the screen; empty if there is no cursor */
	struct drm_rect rect;
	/** @under: pixels of the scanout buffer that are covered, line after line of @rect */
	u32 *under;
};

/**
 * struct ferry_compose - copies frames to the scanout buffer
 *
 * Protected by &ferry_scanout.lock.
 */
struct ferry_compose {
	/** @scanout: the scanout memory */
	struct ferry_scanout *scanout;
	/** @offset: byte offset into the aperture of the scanout buffer that is drawn to */
	u64 offset;
	/**
	 * @image: the cursor's image, premultiplied, FERRY_COMPOSE_CURSOR_SIZE pixels a line; NULL
	 * before the first cursor
	 */
	u32 *image;
	/** @box: the part of @image that is not transparent */
	struct drm_rect box;
	/** @x: column of the screen where @image begins; may be outside */
	int x;
	/** @y: line of the screen where @image begins; may be outside */
	int y;
	/** @cursors: the cursor at its present and its next position */
	struct ferry_compose_cursor cursors[2];
	/** @cursor: the cursor at its present position */
	struct ferry_compose_cursor *cursor;
	/** @next: the cursor at its next position */
	struct ferry_compose_cursor *next;
	/** @lut: gamma tables of red, green and blue */
	u8 lut[3][FERRY_COMPOSE_LUT_SIZE];
	/** @has_lut: @lut is used */
	bool has_lut;
	/** @raw: a line of a framebuffer in I/O memory */
	void *raw;
	/** @line: a line in the format of the scanout buffer */
	u32 *line;
};

int ferry_compose_init(struct ferry_device *ferry, struct ferry_compose *compose, u32 width);
bool ferry_compose_has_format(u32 format);
bool ferry_compose_needs_lut(const struct drm_property_blob *blob);
void ferry_compose_set_lut(struct ferry_compose *compose, const struct drm_property_blob *blob);
unsigned int ferry_compose_mirror(unsigned int rotation);
void ferry_compose_rect(struct ferry_compose *compose, const struct drm_framebuffer *fb,
			const struct iosys_map *data, const struct drm_rect *clip,
			int x, int y, unsigned int mirror);
void ferry_compose_background(struct ferry_compose *compose, const struct drm_rect *rect);
void ferry_compose_reset_cursor(struct ferry_compose *compose);
int ferry_compose_alloc_cursor(struct ferry_device *ferry, struct ferry_compose *compose);
void ferry_compose_load_cursor(struct ferry_compose *compose, const struct drm_framebuffer *fb,
			       const struct iosys_map *data, const struct drm_rect *src,
			       unsigned int mirror);
void ferry_compose_move_cursor(struct ferry_compose *compose, int x, int y);
void ferry_compose_hide_cursor(struct ferry_compose *compose);

#endif /* _FERRY_COMPOSE_H_ */
