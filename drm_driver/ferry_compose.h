/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _FERRY_COMPOSE_H_
#define _FERRY_COMPOSE_H_

#include <linux/types.h>

#include <drm/drm_rect.h>

struct drm_framebuffer;
struct drm_property_blob;
struct ferry_device;
struct ferry_scanout;
struct iosys_map;

/* Width and height of the largest cursor */
#define FERRY_COMPOSE_CURSOR_SIZE	64
#define FERRY_COMPOSE_CURSOR_PIXELS	(FERRY_COMPOSE_CURSOR_SIZE * FERRY_COMPOSE_CURSOR_SIZE)

/* Entries of a gamma table */
#define FERRY_COMPOSE_LUT_SIZE		256

/**
 * struct ferry_compose_cursor - the cursor, as it is in the scanout buffer
 */
struct ferry_compose_cursor {
	/** @pixels: the visible part of the image, premultiplied, a line after the other */
	u32 pixels[FERRY_COMPOSE_CURSOR_PIXELS];
	/** @under: pixels of the scanout buffer that the cursor covers, in the layout of @pixels */
	u32 under[FERRY_COMPOSE_CURSOR_PIXELS];
	/** @rect: where the visible part is on the screen; empty if there is no cursor */
	struct drm_rect rect;
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
	/** @cursor: the cursor */
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
void ferry_compose_rect(struct ferry_compose *compose, const struct drm_framebuffer *fb,
			const struct iosys_map *data, const struct drm_rect *clip,
			int left, int top);
void ferry_compose_background(struct ferry_compose *compose, const struct drm_rect *rect);
void ferry_compose_reset_cursor(struct ferry_compose *compose);
void ferry_compose_set_cursor(struct ferry_compose *compose, const struct drm_framebuffer *fb,
			      const struct iosys_map *data, const struct drm_rect *src,
			      const struct drm_rect *dst);

#endif /* _FERRY_COMPOSE_H_ */
