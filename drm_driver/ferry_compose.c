// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>

#include <drm/drm_blend.h>
#include <drm/drm_color_mgmt.h>
#include <drm/drm_format_helper.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_managed.h>
#include <drm/drm_property.h>

#include "ferry_bar.h"
#include "ferry_compose.h"
#include "ferry_device.h"
#include "ferry_dispi.h"
#include "ferry_scanout.h"

/**
 * DOC: Composition
 *
 * A framebuffer that cannot be scanned out is copied to the scanout buffer, only its damaged
 * rectangles. The cursor is blended into the same buffer. What it covers is kept, so that
 * moving it copies two rectangles of the cursor's size and does not need the framebuffer.
 * Compositors use cursors of the largest size with an image in one corner: only the
 * rectangle that is not transparent is blended.
 *
 * The helpers of the DRM core copy frames whose format is that of the scanout buffer. They
 * convert from XRGB8888 only, and do not blend, so lines in other formats, mirrored, with a gamma
 * table or under the cursor are converted here, one after the other.
 *
 * There is no writeback connector. It would be one more copy of each frame, from memory that is
 * slow to read, and the clients that run on a virtual machine read their own framebuffers.
 */

static void ferry_compose_convert_rgb565(u32 *dst, const void *src, unsigned int pixels)
{
	const __le16 *in = src;
	unsigned int i;

	for (i = 0; i < pixels; i++) {
		u32 p = le16_to_cpu(in[i]), r = p >> 11, g = p >> 5 & 0x3f, b = p & 0x1f;

		dst[i] = (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | b << 3 | b >> 2;
	}
}

static void ferry_compose_convert_xrgb2101010(u32 *dst, const void *src, unsigned int pixels)
{
	const __le32 *in = src;
	unsigned int i;

	for (i = 0; i < pixels; i++) {
		u32 p = le32_to_cpu(in[i]);

		dst[i] = (p >> 6 & 0xff0000) | (p >> 4 & 0xff00) | (p >> 2 & 0xff);
	}
}

static void ferry_compose_convert_xbgr8888(u32 *dst, const void *src, unsigned int pixels)
{
	const __le32 *in = src;
	unsigned int i;

	for (i = 0; i < pixels; i++) {
		u32 p = le32_to_cpu(in[i]);

		dst[i] = (p & 0xff) << 16 | (p & 0xff00) | (p >> 16 & 0xff);
	}
}

static void ferry_compose_convert(u32 *dst, u32 format, const void *src, unsigned int pixels)
{
	switch (format) {
	case DRM_FORMAT_RGB565:
		ferry_compose_convert_rgb565(dst, src, pixels);
		break;
	case DRM_FORMAT_XRGB2101010:
		ferry_compose_convert_xrgb2101010(dst, src, pixels);
		break;
	case DRM_FORMAT_XBGR8888:
	case DRM_FORMAT_ABGR8888:
		ferry_compose_convert_xbgr8888(dst, src, pixels);
		break;
	default:
		memcpy(dst, src, pixels * FERRY_DISPI_CPP);
	}
}

/**
 * ferry_compose_has_format - check if the display reads pixels of a format as they are
 * @format: DRM_FORMAT_*
 *
 * Return: true for the format of the scanout buffer; alpha is ignored.
 */
bool ferry_compose_has_format(u32 format)
{
	return format == DRM_FORMAT_XRGB8888 || format == DRM_FORMAT_ARGB8888;
}

static void __iomem *ferry_compose_vaddr(const struct ferry_compose *compose, int x, int y)
{
	const struct ferry_scanout *scanout = compose->scanout;

	return ferry_bar_vaddr(scanout->bar, compose->offset +
					     (u64)y * ferry_scanout_pitch(scanout) +
					     (u64)x * FERRY_DISPI_CPP);
}

static void ferry_compose_apply_lut(const struct ferry_compose *compose, u32 *line,
				    unsigned int pixels)
{
	unsigned int i;

	if (!compose->has_lut)
		return;

	for (i = 0; i < pixels; i++)
		line[i] = (line[i] & 0xff000000) |
			  compose->lut[0][line[i] >> 16 & 0xff] << 16 |
			  compose->lut[1][line[i] >> 8 & 0xff] << 8 |
			  compose->lut[2][line[i] & 0xff];
}

/* Apply the gamma table to premultiplied pixels. */
static void ferry_compose_apply_lut_alpha(const struct ferry_compose *compose, u32 *line,
					  unsigned int pixels)
{
	u32 alpha, value, result;
	unsigned int i, c, shift;

	for (i = 0; compose->has_lut && i < pixels; i++) {
		alpha = line[i] >> 24;
		if (!alpha)
			continue;
		result = alpha << 24;
		for (c = 0, shift = 16; c < 3; c++, shift -= 8) {
			value = min((line[i] >> shift & 0xff) * 255 / alpha, 255U);
			result |= DIV_ROUND_CLOSEST(compose->lut[c][value] * alpha, 255) << shift;
		}
		line[i] = result;
	}
}

static void ferry_compose_reverse(u32 *line, unsigned int pixels)
{
	unsigned int i;

	for (i = 0; i < pixels / 2; i++)
		swap(line[i], line[pixels - 1 - i]);
}

static u32 ferry_compose_blend_channel(u32 above, u32 below, unsigned int shift)
{
	u32 alpha = 255 - (above >> 24);
	u32 value = above >> shift & 0xff;

	value += DIV_ROUND_CLOSEST(alpha * (below >> shift & 0xff), 255);
	/* The image may have values above its alpha. */
	return min(value, 255U) << shift;
}

static u32 ferry_compose_blend(u32 above, u32 below)
{
	/* nearly all pixels of a cursor */
	if (!above)
		return below & 0xffffff;
	if (above >> 24 == 255)
		return above & 0xffffff;

	return ferry_compose_blend_channel(above, below, 16) |
	       ferry_compose_blend_channel(above, below, 8) |
	       ferry_compose_blend_channel(above, below, 0);
}

/* Get the pixels of the cursor's image for a place on the screen. */
static const u32 *ferry_compose_image(const struct ferry_compose *compose, int x, int y)
{
	return compose->image + (y - compose->y) * FERRY_COMPOSE_CURSOR_SIZE + x - compose->x;
}

/* Blend the cursor into a line of the screen that begins at @x, and keep what it covers. */
static void ferry_compose_add_cursor(struct ferry_compose *compose, u32 *line, int x, int y,
				     int pixels)
{
	struct ferry_compose_cursor *cursor = compose->cursor;
	const struct drm_rect *rect = &cursor->rect;
	int i;

	if (y < rect->y1 || y >= rect->y2)
		return;

	for (i = max(x, rect->x1); i < min(x + pixels, rect->x2); i++) {
		cursor->under[(y - rect->y1) * drm_rect_width(rect) + i - rect->x1] = line[i - x];
		line[i - x] = ferry_compose_blend(*ferry_compose_image(compose, i, y), line[i - x]);
	}
}

/**
 * ferry_compose_mirror - tell how a framebuffer is mirrored
 * @rotation: DRM_MODE_ROTATE_0 or DRM_MODE_ROTATE_180, and DRM_MODE_REFLECT_*
 *
 * Return: DRM_MODE_REFLECT_* that have the same effect.
 */
unsigned int ferry_compose_mirror(unsigned int rotation)
{
	return drm_rotation_simplify(rotation, DRM_MODE_ROTATE_0 | DRM_MODE_REFLECT_MASK) &
	       DRM_MODE_REFLECT_MASK;
}

/**
 * ferry_compose_rect - copy a rectangle of a framebuffer to the scanout buffer
 * @compose: the state, with &ferry_scanout.lock held
 * @fb: the framebuffer
 * @data: its pixels
 * @clip: the rectangle, in pixels of the framebuffer
 * @x: left column of the rectangle on the screen
 * @y: top line of the rectangle on the screen
 * @mirror: DRM_MODE_REFLECT_* to mirror the rectangle
 */
void ferry_compose_rect(struct ferry_compose *compose, const struct drm_framebuffer *fb,
			const struct iosys_map *data, const struct drm_rect *clip,
			int x, int y, unsigned int mirror)
{
	unsigned int dst_pitch = ferry_scanout_pitch(compose->scanout);
	unsigned int pixels = drm_rect_width(clip), cpp = fb->format->cpp[0];
	struct drm_rect screen = DRM_RECT_INIT(x, y, pixels, drm_rect_height(clip));
	struct drm_rect covered = compose->cursor->rect;
	struct iosys_map dst;
	int i;

	lockdep_assert_held(&compose->scanout->lock);

	if (!compose->has_lut && !mirror && ferry_compose_has_format(fb->format->format) &&
	    !drm_rect_intersect(&covered, &screen)) {
		iosys_map_set_vaddr_iomem(&dst, ferry_compose_vaddr(compose, x, y));
		drm_fb_memcpy(&dst, &dst_pitch, data, fb, clip);
		return;
	}

	for (i = 0; i < drm_rect_height(clip); i++, y++) {
		int line = mirror & DRM_MODE_REFLECT_Y ? clip->y2 - 1 - i : clip->y1 + i;
		size_t offset = (size_t)line * fb->pitches[0] + clip->x1 * cpp;
		const void *src = compose->raw;

		if (data->is_iomem)
			memcpy_fromio(compose->raw, data->vaddr_iomem + offset, pixels * cpp);
		else
			src = data->vaddr + offset;
		ferry_compose_convert(compose->line, fb->format->format, src, pixels);
		if (mirror & DRM_MODE_REFLECT_X)
			ferry_compose_reverse(compose->line, pixels);
		ferry_compose_apply_lut(compose, compose->line, pixels);
		ferry_compose_add_cursor(compose, compose->line, x, y, pixels);
		memcpy_toio(ferry_compose_vaddr(compose, x, y), compose->line,
			    pixels * FERRY_DISPI_CPP);
	}
}

/* Make the pixels of a line from column @x1 to column @x2 black. */
static void ferry_compose_fill(struct ferry_compose *compose, int x1, int x2, int y)
{
	int pixels = x2 - x1;

	if (pixels <= 0)
		return;

	memset(compose->line, 0, pixels * FERRY_DISPI_CPP);
	ferry_compose_apply_lut(compose, compose->line, pixels);
	ferry_compose_add_cursor(compose, compose->line, x1, y, pixels);
	memcpy_toio(ferry_compose_vaddr(compose, x1, y), compose->line, pixels * FERRY_DISPI_CPP);
}

/**
 * ferry_compose_background - make all of the scanout buffer black but a rectangle
 * @compose: the state, with &ferry_scanout.lock held
 * @rect: the rectangle, within the screen; may be empty
 */
void ferry_compose_background(struct ferry_compose *compose, const struct drm_rect *rect)
{
	const struct ferry_scanout *scanout = compose->scanout;
	int y;

	lockdep_assert_held(&compose->scanout->lock);

	for (y = 0; y < scanout->height; y++) {
		if (y < rect->y1 || y >= rect->y2) {
			ferry_compose_fill(compose, 0, scanout->width, y);
			continue;
		}
		ferry_compose_fill(compose, 0, rect->x1, y);
		ferry_compose_fill(compose, rect->x2, scanout->width, y);
	}
}

/* Show again what the cursor has covered, except where the next cursor is. */
static void ferry_compose_restore(struct ferry_compose *compose)
{
	const struct ferry_compose_cursor *cursor = compose->cursor;
	const struct drm_rect *rect = &cursor->rect, *next = &compose->next->rect;
	int width = drm_rect_width(rect), y, left, right;
	const u32 *under;

	for (y = rect->y1; y < rect->y2; y++) {
		under = cursor->under + (y - rect->y1) * width;
		left = width;
		right = 0;
		if (y >= next->y1 && y < next->y2) {
			left = clamp(next->x1 - rect->x1, 0, width);
			right = clamp(rect->x2 - next->x2, 0, width - left);
		}
		memcpy_toio(ferry_compose_vaddr(compose, rect->x1, y), under,
			    left * FERRY_DISPI_CPP);
		memcpy_toio(ferry_compose_vaddr(compose, rect->x2 - right, y),
			    under + width - right, right * FERRY_DISPI_CPP);
	}
}

/* Blend the next cursor into the scanout buffer, which still has the present one. */
static void ferry_compose_draw_next(struct ferry_compose *compose)
{
	const struct drm_rect *old = &compose->cursor->rect;
	struct ferry_compose_cursor *next = compose->next;
	int left = max(old->x1, next->rect.x1), right = min(old->x2, next->rect.x2);
	int width = drm_rect_width(&next->rect), x, y;
	u32 *under, *line = compose->line;
	const u32 *image;

	for (y = next->rect.y1; y < next->rect.y2; y++) {
		image = ferry_compose_image(compose, next->rect.x1, y);
		under = next->under + (y - next->rect.y1) * width;
		memcpy_fromio(under, ferry_compose_vaddr(compose, next->rect.x1, y),
			      width * FERRY_DISPI_CPP);
		/* Where both positions overlap, the present cursor has the pixels below it. */
		if (y >= old->y1 && y < old->y2 && left < right)
			memcpy(under + left - next->rect.x1,
			       compose->cursor->under + (y - old->y1) * drm_rect_width(old) +
			       left - old->x1, (right - left) * FERRY_DISPI_CPP);
		for (x = 0; x < width; x++)
			line[x] = ferry_compose_blend(image[x], under[x]);
		memcpy_toio(ferry_compose_vaddr(compose, next->rect.x1, y), line,
			    width * FERRY_DISPI_CPP);
	}
}

/* Draw the cursor at its next position before it is removed, so that it does not flicker. */
static void ferry_compose_draw_cursor(struct ferry_compose *compose)
{
	/* A framebuffer that is scanned out directly has no cursor in it. */
	if (compose->scanout->buffer) {
		ferry_compose_draw_next(compose);
		ferry_compose_restore(compose);
	}
	swap(compose->cursor, compose->next);
}

/* Extend a rectangle to all pixels of a line that are not transparent. */
static void ferry_compose_extend_box(struct drm_rect *box, const u32 *line, int width, int y)
{
	int left = 0, right = width;

	while (left < width && !line[left])
		left++;
	if (left == width)
		return;
	while (!line[right - 1])
		right--;

	box->x1 = min(box->x1, left);
	box->x2 = max(box->x2, right);
	box->y1 = min(box->y1, y);
	box->y2 = y + 1;
}

/**
 * ferry_compose_load_cursor - copy the image of the cursor
 * @compose: the state, with &ferry_scanout.lock held, after ferry_compose_alloc_cursor()
 * @fb: the cursor's framebuffer, in ARGB8888
 * @data: its pixels
 * @src: the image, in pixels of the framebuffer; not larger than FERRY_COMPOSE_CURSOR_SIZE
 * @mirror: DRM_MODE_REFLECT_* to mirror the image
 *
 * Must be followed by ferry_compose_move_cursor() before the lock is dropped.
 */
void ferry_compose_load_cursor(struct ferry_compose *compose, const struct drm_framebuffer *fb,
			       const struct iosys_map *data, const struct drm_rect *src,
			       unsigned int mirror)
{
	int width = drm_rect_width(src), height = drm_rect_height(src), y, from;
	u32 *line = compose->image;

	lockdep_assert_held(&compose->scanout->lock);

	compose->box = (struct drm_rect) { .x1 = width, .y1 = height };
	for (y = 0; y < height; y++, line += FERRY_COMPOSE_CURSOR_SIZE) {
		from = mirror & DRM_MODE_REFLECT_Y ? src->y2 - 1 - y : src->y1 + y;
		iosys_map_memcpy_from(line, data, (size_t)from * fb->pitches[0] +
				      src->x1 * FERRY_DISPI_CPP, width * FERRY_DISPI_CPP);
		if (mirror & DRM_MODE_REFLECT_X)
			ferry_compose_reverse(line, width);
		ferry_compose_apply_lut_alpha(compose, line, width);
		ferry_compose_extend_box(&compose->box, line, width, y);
	}
}

/**
 * ferry_compose_move_cursor - show the cursor at a position
 * @compose: the state, with &ferry_scanout.lock held
 * @x: column of the screen where the image begins
 * @y: line of the screen where the image begins
 */
void ferry_compose_move_cursor(struct ferry_compose *compose, int x, int y)
{
	struct drm_rect screen = DRM_RECT_INIT(0, 0, compose->scanout->width,
					       compose->scanout->height);
	struct drm_rect *rect = &compose->next->rect;

	lockdep_assert_held(&compose->scanout->lock);

	compose->x = x;
	compose->y = y;
	*rect = compose->box;
	drm_rect_translate(rect, x, y);
	if (!drm_rect_intersect(rect, &screen))
		*rect = (struct drm_rect) {};
	ferry_compose_draw_cursor(compose);
}

/**
 * ferry_compose_hide_cursor - show no cursor
 * @compose: the state, with &ferry_scanout.lock held
 */
void ferry_compose_hide_cursor(struct ferry_compose *compose)
{
	lockdep_assert_held(&compose->scanout->lock);

	compose->next->rect = (struct drm_rect) {};
	ferry_compose_draw_cursor(compose);
}

static void ferry_compose_free_cursor(struct drm_device *drm, void *arg)
{
	kvfree(arg);
}

/**
 * ferry_compose_alloc_cursor - allocate memory for the first cursor
 * @ferry: the device
 * @compose: the state; the caller holds the lock of the cursor plane
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_compose_alloc_cursor(struct ferry_device *ferry, struct ferry_compose *compose)
{
	u32 *pixels;
	int ret;

	if (compose->image)
		return 0;

	pixels = kvmalloc_array(3 * FERRY_COMPOSE_CURSOR_PIXELS, sizeof(*pixels), GFP_KERNEL);
	if (!pixels)
		return -ENOMEM;
	ret = drmm_add_action_or_reset(&ferry->drm, ferry_compose_free_cursor, pixels);
	if (ret)
		return ret;

	compose->image = pixels;
	compose->cursors[0].under = pixels + FERRY_COMPOSE_CURSOR_PIXELS;
	compose->cursors[1].under = pixels + 2 * FERRY_COMPOSE_CURSOR_PIXELS;
	return 0;
}

/**
 * ferry_compose_reset_cursor - forget the cursor, after a modeset
 * @compose: the state; the scanout buffer is black
 */
void ferry_compose_reset_cursor(struct ferry_compose *compose)
{
	mutex_lock(&compose->scanout->lock);
	compose->cursor->rect = (struct drm_rect) {};
	mutex_unlock(&compose->scanout->lock);
}

/**
 * ferry_compose_needs_lut - check if a gamma table changes any pixel
 * @blob: property blob with FERRY_COMPOSE_LUT_SIZE entries, or NULL
 *
 * Clients that have used a gamma table, and X servers, leave an identity table behind.
 *
 * Return: true if frames must be copied because of the table.
 */
bool ferry_compose_needs_lut(const struct drm_property_blob *blob)
{
	const struct drm_color_lut *lut = blob ? blob->data : NULL;
	unsigned int i;

	for (i = 0; lut && i < FERRY_COMPOSE_LUT_SIZE; i++)
		if (drm_color_lut_extract(lut[i].red, 8) != i ||
		    drm_color_lut_extract(lut[i].green, 8) != i ||
		    drm_color_lut_extract(lut[i].blue, 8) != i)
			return true;

	return false;
}

/**
 * ferry_compose_set_lut - set the gamma table
 * @compose: the state, with &ferry_scanout.lock held
 * @blob: property blob with FERRY_COMPOSE_LUT_SIZE entries, or NULL
 */
void ferry_compose_set_lut(struct ferry_compose *compose, const struct drm_property_blob *blob)
{
	const struct drm_color_lut *lut;
	unsigned int i;

	lockdep_assert_held(&compose->scanout->lock);

	compose->has_lut = ferry_compose_needs_lut(blob);
	for (i = 0; compose->has_lut && i < FERRY_COMPOSE_LUT_SIZE; i++) {
		lut = (const struct drm_color_lut *)blob->data + i;
		compose->lut[0][i] = drm_color_lut_extract(lut->red, 8);
		compose->lut[1][i] = drm_color_lut_extract(lut->green, 8);
		compose->lut[2][i] = drm_color_lut_extract(lut->blue, 8);
	}
}

/**
 * ferry_compose_init - allocate what composition needs
 * @ferry: the device
 * @compose: the state; embedded in &struct ferry_kms
 * @width: width of the widest mode
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_compose_init(struct ferry_device *ferry, struct ferry_compose *compose, u32 width)
{
	compose->scanout = &ferry->kms->scanout;
	compose->cursor = &compose->cursors[0];
	compose->next = &compose->cursors[1];
	compose->raw = drmm_kmalloc(&ferry->drm, width * FERRY_DISPI_CPP, GFP_KERNEL);
	compose->line = drmm_kmalloc(&ferry->drm, width * FERRY_DISPI_CPP, GFP_KERNEL);

	if (!compose->raw || !compose->line)
		return -ENOMEM;
	return 0;
}
