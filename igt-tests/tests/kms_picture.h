/* SPDX-License-Identifier: MIT */
/*
 * Framebuffers with a test picture, in several formats and layouts, and a cursor.
 */
#ifndef KMS_PICTURE_H
#define KMS_PICTURE_H

#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "kms_pipe.h"
#include "screen.h"

/* Width and height of the cursor of most tests */
#define CURSOR_SIZE 64

/* A pixel of the test picture, as 8 bits of each colour that 5 and 6 bits can express */
static inline uint32_t pixel(unsigned int x, unsigned int y, unsigned int seed)
{
	uint32_t r = (x / 8 + seed) & 0x1f, g = (y / 4 + seed * 3) & 0x3f,
		 b = ((x ^ y) / 16 + seed) & 0x1f;

	return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | b << 3 |
	       b >> 2;
}

static inline void put_pixel(uint8_t *at, uint32_t format, uint32_t rgb)
{
	uint32_t r = rgb >> 16 & 0xff, g = rgb >> 8 & 0xff, b = rgb & 0xff;
	uint32_t value = rgb;
	uint16_t value16;

	switch (format) {
	case DRM_FORMAT_RGB565:
		value16 = r >> 3 << 11 | g >> 2 << 5 | b >> 3;
		memcpy(at, &value16, 2);
		return;
	case DRM_FORMAT_XRGB2101010:
		value = (r << 2 | 3) << 20 | (g << 2 | 2) << 10 | (b << 2 | 1);
		break;
	case DRM_FORMAT_XBGR8888:
	case DRM_FORMAT_ABGR8888:
		value = b << 16 | g << 8 | r;
		break;
	}
	memcpy(at, &value, 4);
}

/**
 * struct layout - how a framebuffer lies in its BO
 * @what: description
 * @kind: its BO
 * @format: DRM_FORMAT_*
 * @more: bytes of the pitch beyond those of a line
 * @offset: byte offset of the first pixel
 */
struct layout {
	const char *what;
	struct igt_ferry_kind kind;
	uint32_t format;
	uint32_t more;
	uint32_t offset;
};

#define BOTH_KIND                                          \
	{                                                  \
		"both", FERRY_PLACEMENT_BOTH, SYSTEM, 0, 0 \
	}
#define SYSTEM_KIND                            \
	{                                      \
		"system", SYSTEM, SYSTEM, 0, 0 \
	}
#define WC_KIND                                               \
	{                                                     \
		"wc", SYSTEM, SYSTEM, DRM_FERRY_CACHING_WC, 0 \
	}

static const struct layout flipped_layout = { "flipped", BOTH_KIND,
					      DRM_FORMAT_XRGB8888, 0, 0 };
static const struct layout system_layout = { "in system memory only",
					     SYSTEM_KIND, DRM_FORMAT_XRGB8888,
					     0, 0 };
/* Create a framebuffer of the preferred mode's size and draw the test picture into it. */
static inline void layout_init(struct fb *fb, const struct kms *kms,
			       const struct layout *layout, unsigned int seed)
{
	uint32_t cpp = layout->format == DRM_FORMAT_RGB565 ? 2 : 4;
	uint32_t width = kms->mode.hdisplay, height = kms->mode.vdisplay;
	struct drm_mode_fb_cmd2 cmd = {
		.width = width,
		.height = height,
		.pixel_format = layout->format,
		.pitches = { width * cpp + layout->more },
		.offsets = { layout->offset },
	};

	fb->pitch = cmd.pitches[0];
	igt_ferry_bo_init(&fb->bo, kms->fd,
			  (fb->pitch * height + layout->offset + PAGE - 1) /
				  PAGE * PAGE,
			  &layout->kind);
	/* what is beside the picture must not be on the screen */
	memset(fb->bo.map, 0xee, fb->bo.size);
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++)
			put_pixel((uint8_t *)fb->bo.map + layout->offset +
					  y * fb->pitch + x * cpp,
				  layout->format, pixel(x, y, seed));
	cmd.handles[0] = fb->bo.handle;
	igt_assert_eq(__ferry_ioctl(kms->fd, DRM_IOCTL_MODE_ADDFB2, &cmd), 0);
	fb->id = cmd.fb_id;
}

static inline void check_picture(const char *expected, const char *what)
{
	char now[128];

	screen_picture(now, sizeof(now));
	igt_assert_f(!strcmp(expected, now), "%s: another picture\n", what);
}

/* Show a framebuffer without a copy, and return the checksum of its picture. */
static inline void show_flipped(struct kms *kms, struct fb *fb, char *sum)
{
	uint64_t flips = igt_ferry_stat(kms->fd, "flips");

	igt_assert_eq(show(kms, fb, &kms->mode), 0);
	igt_assert(pinned(fb));
	igt_assert_lt_u64(flips, igt_ferry_stat(kms->fd, "flips"));
	screen_picture(sum, 128);
}

static inline void draw(struct fb *fb, int x1, int y1, int x2, int y2,
			unsigned int seed)
{
	for (int y = y1; y < y2; y++)
		for (int x = x1; x < x2; x++)
			((uint32_t *)fb->bo.map)[y * (fb->pitch / 4) + x] =
				pixel(x, y, seed);
}

/* The image of the cursor: premultiplied, with all values of alpha */
static inline uint32_t cursor_pixel(unsigned int x, unsigned int y)
{
	uint32_t alpha = (x * 4 + y) & 0xff;

	return alpha << 24 | (alpha / 2) << 16 | alpha << 8 | alpha / 3;
}

static inline uint32_t blend(uint32_t above, uint32_t below)
{
	uint32_t result = 0, alpha = 255 - (above >> 24);

	for (int shift = 0; shift < 24; shift += 8) {
		uint32_t product = alpha * (below >> shift & 0xff);

		result |= ((above >> shift & 0xff) + (product * 2 + 255) / 510)
			  << shift;
	}
	return result;
}

/* Draw the picture with a cursor at a position into the framebuffer of the expected picture. */
static inline void expect_cursor_rect(struct kms *kms, struct fb *ref, int left,
				      int top, int width, int height)
{
	int w = kms->mode.hdisplay, h = kms->mode.vdisplay;
	uint32_t *words = ref->bo.map;

	draw(ref, 0, 0, w, h, 1);
	for (int y = 0; y < height; y++)
		for (int x = 0; x < width; x++) {
			int at_x = left + x, at_y = top + y;
			uint32_t *at = words + at_y * (ref->pitch / 4) + at_x;

			if (at_x < 0 || at_y < 0 || at_x >= w || at_y >= h)
				continue;
			*at = blend(cursor_pixel(x, y), pixel(at_x, at_y, 1));
		}
}

static inline void expect_cursor(struct kms *kms, struct fb *ref, int left,
				 int top, int size)
{
	expect_cursor_rect(kms, ref, left, top, size, size);
}

static inline uint32_t cursor_create(struct kms *kms, int size)
{
	uint32_t handle = ferry_bo_create(kms->fd, size * size * 4,
					  FERRY_PLACEMENT_BOTH, 0, 0, 0);
	uint32_t *map = ferry_bo_mmap(kms->fd, handle, size * size * 4);

	for (int y = 0; y < size; y++)
		for (int x = 0; x < size; x++)
			map[y * size + x] = cursor_pixel(x, y);
	munmap(map, size * size * 4);
	return handle;
}

/* Start a subtest, with a small mode: each picture is drawn and compared many times. */
static inline int display_begin(int keep)
{
	int fd = kms_begin(keep);

	for (int i = 0; i < the_kms.connector->count_modes; i++) {
		const drmModeModeInfo *mode = &the_kms.connector->modes[i];

		if (mode->hdisplay == 640 && mode->vdisplay == 480)
			the_kms.mode = *mode;
	}
	return fd;
}

#endif /* KMS_PICTURE_H */
