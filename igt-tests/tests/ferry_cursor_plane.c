// SPDX-License-Identifier: MIT
/**
 * TEST: ferry cursor plane
 * Category: Display
 * Description: The cursor
 */
#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "kms_atomic.h"
#include "kms_picture.h"
#include "kms_pipe.h"
#include "screen.h"

IGT_TEST_DESCRIPTION("The cursor");

/* Width and height of the largest cursor */
#define CURSOR_MAX 512

static uint32_t cursor_plane(const struct kms *kms)
{
	drmModePlaneRes *planes = drmModeGetPlaneResources(kms->fd);
	uint32_t id = 0;
	uint64_t type = 0;

	igt_assert(planes);
	for (uint32_t i = 0; i < planes->count_planes; i++)
		if (property(kms->fd, planes->planes[i], DRM_MODE_OBJECT_PLANE,
			     "type", &type) &&
		    type == DRM_PLANE_TYPE_CURSOR)
			id = planes->planes[i];
	drmModeFreePlaneResources(planes);
	igt_assert(id);
	return id;
}

/* Create a transparent cursor, and map it to draw its image. */
static uint32_t *transparent_cursor(const struct kms *kms, uint32_t *handle)
{
	const size_t size = CURSOR_SIZE * CURSOR_SIZE * 4;

	*handle = ferry_bo_create(kms->fd, size, FERRY_PLACEMENT_BOTH, 0, 0, 0);
	return ferry_bo_mmap(kms->fd, *handle, size);
}

/**
 * SUBTEST: cursor
 * Description: the cursor is blended into the picture wherever it is, and leaves no trace
 */
static void test_cursor(int fd)
{
	struct kms *kms = kms_of(fd);
	int w = kms->mode.hdisplay, h = kms->mode.vdisplay;
	const int places[][2] = {
		{ 100, 100 }, { 110, 90 },	 { 300, 200 },	{ -20, 40 },
		{ -63, -63 }, { w - 10, h - 5 }, { w - 1, 30 }, { 60, h - 1 },
		{ 0, 0 },     { w, h },		 { 500, -64 },	{ 200, 100 },
	};
	char expected[ARRAY_SIZE(places)][128], plain[128];
	uint32_t cursor = cursor_create(kms, CURSOR_SIZE);
	struct fb fb, ref;
	uint64_t bytes;

	screen_require();
	layout_init(&ref, kms, &flipped_layout, 1);
	show_flipped(kms, &ref, plain);
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
		expect_cursor(kms, &ref, places[i][0], places[i][1],
			      CURSOR_SIZE);
		screen_picture(expected[i], sizeof(expected[i]));
	}

	layout_init(&fb, kms, &flipped_layout, 1);
	show_flipped(kms, &fb, expected[ARRAY_SIZE(places) - 1]);
	igt_assert(!strcmp(plain, expected[ARRAY_SIZE(places) - 1]));
	expect_cursor(kms, &ref, 200, 100, CURSOR_SIZE);
	igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc, places[0][0],
					places[0][1]),
		      0);
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, cursor, CURSOR_SIZE,
				       CURSOR_SIZE),
		      0);
	for (unsigned int i = 0; i + 1 < ARRAY_SIZE(places); i++) {
		igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc,
						places[i][0], places[i][1]),
			      0);
		check_picture(expected[i], "cursor");
		if (i & 1)
			continue;
		/* a frame with the cursor in it */
		flip(kms, &fb);
		check_picture(expected[i], "cursor and a new frame");
	}

	/* moving copies no frame */
	igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc, 10, 10), 0);
	bytes = igt_ferry_stat(kms->fd, "copied_bytes");
	for (int i = 0; i < 100; i++)
		igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc, 10 + i,
						10 + i),
			      0);
	igt_assert_eq_u64(igt_ferry_stat(kms->fd, "copied_bytes"), bytes);
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, 0, 0, 0), 0);
	check_picture(plain, "the cursor is hidden");
	flip(kms, &fb);
	check_picture(plain, "a frame without a cursor");
	igt_assert(pinned(&fb));
	gem_close(kms->fd, cursor);
	off(kms);
	fb_fini(&fb);
	fb_fini(&ref);
	errno = 0;
}

/**
 * SUBTEST: cursor-large
 * Description: cursors larger than 64x64, and not square, are shown wherever they are
 */
static void test_cursor_large(int fd)
{
	struct kms *kms = kms_of(fd);
	static const int sizes[][2] = { { 65, 65 },
					{ 128, 42 },
					{ 256, 256 },
					{ 512, 170 },
					{ 512, 512 } };
	static const int places[][2] = { { 0, 0 }, { -50, 300 }, { 400, -30 } };
	char expected[ARRAY_SIZE(places)][128], plain[128];
	uint32_t cursor;
	struct fb fb, ref;

	screen_require();
	layout_init(&ref, kms, &flipped_layout, 1);
	layout_init(&fb, kms, &flipped_layout, 1);
	show_flipped(kms, &fb, plain);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		show_flipped(kms, &ref, expected[0]);
		for (unsigned int k = 0; k < ARRAY_SIZE(places); k++) {
			expect_cursor_rect(kms, &ref, places[k][0],
					   places[k][1], sizes[i][0],
					   sizes[i][1]);
			screen_picture(expected[k], sizeof(expected[k]));
		}
		igt_assert_eq(show(kms, &fb, &kms->mode), 0);
		cursor = cursor_create(kms, sizes[i][0]);
		igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, cursor,
					       sizes[i][0], sizes[i][1]),
			      0);
		for (unsigned int k = 0; k < ARRAY_SIZE(places); k++) {
			igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc,
							places[k][0],
							places[k][1]),
				      0);
			check_picture(expected[k], "large cursor");
		}
		igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, 0, 0, 0), 0);
		check_picture(plain, "large cursor hidden");
		gem_close(kms->fd, cursor);
	}
	off(kms);
	fb_fini(&fb);
	fb_fini(&ref);
	errno = 0;
}

/**
 * SUBTEST: cursor-redrawn
 * Description: a new image in the same BO is shown when the client sets the cursor again, and moving it shows the same image
 */
static void test_cursor_redrawn(int fd)
{
	struct kms *kms = kms_of(fd);
	uint32_t cursor, *map = transparent_cursor(kms, &cursor);
	char expected[128], plain[128];
	struct fb fb, ref;

	screen_require();
	layout_init(&ref, kms, &flipped_layout, 1);
	show_flipped(kms, &ref, plain);
	expect_cursor(kms, &ref, 90, 80, CURSOR_SIZE);
	screen_picture(expected, sizeof(expected));
	layout_init(&fb, kms, &flipped_layout, 1);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc, 90, 80), 0);
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, cursor, CURSOR_SIZE,
				       CURSOR_SIZE),
		      0);
	check_picture(plain, "transparent cursor");
	for (int y = 0; y < CURSOR_SIZE; y++)
		for (int x = 0; x < CURSOR_SIZE; x++)
			map[y * CURSOR_SIZE + x] = cursor_pixel(x, y);
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, cursor, CURSOR_SIZE,
				       CURSOR_SIZE),
		      0);
	check_picture(expected, "set again");
	igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc, 10, 20), 0);
	igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc, 90, 80), 0);
	check_picture(expected, "moved");
	memset(map, 0, CURSOR_SIZE * CURSOR_SIZE * 4);
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, cursor, CURSOR_SIZE,
				       CURSOR_SIZE),
		      0);
	check_picture(plain, "transparent again");
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, 0, 0, 0), 0);
	munmap(map, CURSOR_SIZE * CURSOR_SIZE * 4);
	gem_close(kms->fd, cursor);
	off(kms);
	fb_fini(&fb);
	fb_fini(&ref);
	errno = 0;
}

/**
 * SUBTEST: cursor-rotation
 * Description: the cursor's image can be mirrored and rotated by 180 degrees
 */
static void test_cursor_rotation(int fd)
{
	struct kms *kms = kms_of(fd);
	uint32_t cursor = cursor_create(kms, CURSOR_SIZE),
		 plane = cursor_plane(kms), id;
	static const uint64_t rotations[] = {
		DRM_MODE_ROTATE_180, DRM_MODE_ROTATE_0 | DRM_MODE_REFLECT_X,
		DRM_MODE_ROTATE_0 | DRM_MODE_REFLECT_Y,
		DRM_MODE_ROTATE_180 | DRM_MODE_REFLECT_X, DRM_MODE_ROTATE_0
	};
	char expected[ARRAY_SIZE(rotations)][128];
	struct fb fb, ref;

	screen_require();
	id = property(kms->fd, plane, DRM_MODE_OBJECT_PLANE, "rotation", NULL);
	igt_assert(id);
	layout_init(&ref, kms, &flipped_layout, 1);
	show_flipped(kms, &ref, expected[0]);
	for (unsigned int i = 0; i < ARRAY_SIZE(rotations); i++) {
		uint64_t turned = rotations[i] & DRM_MODE_ROTATE_180;
		bool flip_x = !(rotations[i] & DRM_MODE_REFLECT_X) == !!turned;
		bool flip_y = !(rotations[i] & DRM_MODE_REFLECT_Y) == !!turned;

		for (int y = 0; y < CURSOR_SIZE; y++)
			for (int x = 0; x < CURSOR_SIZE; x++) {
				uint32_t above = cursor_pixel(
					flip_x ? CURSOR_SIZE - 1 - x : x,
					flip_y ? CURSOR_SIZE - 1 - y : y);

				((uint32_t *)ref.bo
					 .map)[(y + 50) * (ref.pitch / 4) + x +
					       70] =
					blend(above, pixel(x + 70, y + 50, 1));
			}
		screen_picture(expected[i], sizeof(expected[i]));
	}
	layout_init(&fb, kms, &flipped_layout, 1);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc, 70, 50), 0);
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, cursor, CURSOR_SIZE,
				       CURSOR_SIZE),
		      0);
	for (unsigned int i = 0; i < ARRAY_SIZE(rotations); i++) {
		igt_assert_eq(drmModeObjectSetProperty(kms->fd, plane,
						       DRM_MODE_OBJECT_PLANE,
						       id, rotations[i]),
			      0);
		check_picture(expected[i], "rotation of the cursor");
	}
	igt_assert(drmModeObjectSetProperty(kms->fd, plane,
					    DRM_MODE_OBJECT_PLANE, id,
					    DRM_MODE_ROTATE_90) == -EINVAL);
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, 0, 0, 0), 0);
	gem_close(kms->fd, cursor);
	off(kms);
	fb_fini(&fb);
	fb_fini(&ref);
	errno = 0;
}

/**
 * SUBTEST: cursor-invalid
 * Description: cursors that are too large or that have no BO are refused, and small ones are not
 */
static void test_cursor_invalid(int fd)
{
	struct kms *kms = kms_of(fd);
	uint32_t large = ferry_bo_create(kms->fd, 600 * 600 * 4,
					 FERRY_PLACEMENT_BOTH, 0, 0, 0);
	uint64_t max = 0;
	struct fb fb;

	igt_assert_eq(drmGetCap(kms->fd, DRM_CAP_CURSOR_WIDTH, &max), 0);
	igt_assert_eq_u64(max, CURSOR_MAX);
	igt_assert_eq(drmGetCap(kms->fd, DRM_CAP_CURSOR_HEIGHT, &max), 0);
	igt_assert_eq_u64(max, CURSOR_MAX);
	fb_init(&fb, kms, &fb_aperture, &kms->mode);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	for (int size = 1; size <= 600;
	     size += size < 70 || (size > 500 && size < 520) ? 1 : 31) {
		int err =
			drmModeSetCursor(kms->fd, kms->crtc, large, size, size);

		igt_assert_f(err == (size > CURSOR_MAX ? -EINVAL : 0),
			     "size %d: %s\n", size, strerror(-err));
	}
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, large, 513, 1),
		      -EINVAL);
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, large, 1, 513),
		      -EINVAL);
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, 0x7fffffff, 64, 64),
		      -ENOENT);
	for (int bit = 0; bit < 31; bit++) {
		igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc, 1 << bit,
						-(1 << bit)),
			      0);
		igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc, -(1 << bit),
						1 << bit),
			      0);
	}
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, 0, 0, 0), 0);
	off(kms);
	fb_fini(&fb);
	gem_close(kms->fd, large);
	errno = 0;
}

/**
 * SUBTEST: gamma-cursor
 * Description: with a gamma table, the transparent part of the cursor changes nothing, and an opaque one has the colours of the table
 */
static void test_gamma_cursor(int fd)
{
	struct kms *kms = kms_of(fd);
	uint32_t cursor, *map = transparent_cursor(kms, &cursor);
	char expected[128], plain[128];
	uint16_t table[256];
	struct fb fb, ref;

	screen_require();
	for (int i = 0; i < 256; i++)
		table[i] = (255 - i) * 0x101;
	layout_init(&ref, kms, &flipped_layout, 1);
	for (uint32_t i = 0; i < ref.bo.size / 4; i++)
		((uint32_t *)ref.bo.map)[i] ^= 0xffffff;
	show_flipped(kms, &ref, plain);
	for (int y = 0; y < 10; y++)
		for (int x = 0; x < 20; x++) {
			((uint32_t *)ref.bo.map)[(y + 35) * (ref.pitch / 4) +
						 x + 43] = 0xedcba9;
			map[(y + 5) * CURSOR_SIZE + x + 3] = 0xff123456;
		}
	screen_picture(expected, sizeof(expected));
	layout_init(&fb, kms, &flipped_layout, 1);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	igt_assert_eq(drmModeCrtcSetGamma(kms->fd, kms->crtc, 256, table, table,
					  table),
		      0);
	igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc, 40, 30), 0);
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, cursor, CURSOR_SIZE,
				       CURSOR_SIZE),
		      0);
	check_picture(expected, "inverted, with a cursor");
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, 0, 0, 0), 0);
	check_picture(plain, "inverted");
	for (int i = 0; i < 256; i++)
		table[i] = i * 0x101;
	igt_assert_eq(drmModeCrtcSetGamma(kms->fd, kms->crtc, 256, table, table,
					  table),
		      0);
	munmap(map, CURSOR_SIZE * CURSOR_SIZE * 4);
	gem_close(kms->fd, cursor);
	off(kms);
	fb_fini(&fb);
	fb_fini(&ref);
	errno = 0;
}

static const struct igt_ferry_test tests[] = {
	{ "cursor",
	  "the cursor is blended into the picture wherever it is, and leaves no trace",
	  test_cursor },
	{ "cursor-large",
	  "cursors larger than 64x64, and not square, are shown wherever they are",
	  test_cursor_large },
	{ "cursor-redrawn",
	  "a new image in the same BO is shown when the client sets the cursor again, and moving it shows the same image",
	  test_cursor_redrawn },
	{ "cursor-rotation",
	  "the cursor's image can be mirrored and rotated by 180 degrees",
	  test_cursor_rotation },
	{ "cursor-invalid",
	  "cursors that are too large or that have no BO are refused, and small ones are not",
	  test_cursor_invalid },
	{ "gamma-cursor",
	  "with a gamma table, the transparent part of the cursor changes nothing, and an opaque one has the colours of the table",
	  test_gamma_cursor },
	{}
};

igt_main
{
	__kms_run_tests(tests, display_begin);
}
