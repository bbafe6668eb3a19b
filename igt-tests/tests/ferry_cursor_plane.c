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
#include "kms_picture.h"
#include "kms_pipe.h"
#include "screen.h"

IGT_TEST_DESCRIPTION("The cursor");

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
	uint32_t cursor = cursor_create(kms, CURSOR_MAX);
	struct fb fb, ref;
	uint64_t bytes;

	screen_require();
	layout_init(&ref, kms, &flipped_layout, 1);
	show_flipped(kms, &ref, plain);
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
		expect_cursor(kms, &ref, places[i][0], places[i][1],
			      CURSOR_MAX);
		screen_picture(expected[i], sizeof(expected[i]));
	}

	layout_init(&fb, kms, &flipped_layout, 1);
	show_flipped(kms, &fb, expected[ARRAY_SIZE(places) - 1]);
	igt_assert(!strcmp(plain, expected[ARRAY_SIZE(places) - 1]));
	expect_cursor(kms, &ref, 200, 100, CURSOR_MAX);
	igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc, places[0][0],
					places[0][1]),
		      0);
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, cursor, CURSOR_MAX,
				       CURSOR_MAX),
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
 * SUBTEST: cursor-invalid
 * Description: cursors that are too large or that have no BO are refused, and small ones are not
 */
static void test_cursor_invalid(int fd)
{
	struct kms *kms = kms_of(fd);
	uint32_t large = ferry_bo_create(kms->fd, 256 * 256 * 4,
					 FERRY_PLACEMENT_BOTH, 0, 0, 0);
	uint64_t max = 0;
	struct fb fb;

	igt_assert_eq(drmGetCap(kms->fd, DRM_CAP_CURSOR_WIDTH, &max), 0);
	igt_assert_eq_u64(max, CURSOR_MAX);
	igt_assert_eq(drmGetCap(kms->fd, DRM_CAP_CURSOR_HEIGHT, &max), 0);
	igt_assert_eq_u64(max, CURSOR_MAX);
	fb_init(&fb, kms, &fb_aperture, &kms->mode);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	for (int size = 1; size <= 256; size += size < 70 ? 1 : 93) {
		int err =
			drmModeSetCursor(kms->fd, kms->crtc, large, size, size);

		igt_assert_f(err == (size > CURSOR_MAX ? -EINVAL : 0),
			     "size %d: %s\n", size, strerror(-err));
	}
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, large, 65, 1),
		      -EINVAL);
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, large, 1, 65),
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

static const struct igt_ferry_test tests[] = {
	{ "cursor",
	  "the cursor is blended into the picture wherever it is, and leaves no trace",
	  test_cursor },
	{ "cursor-invalid",
	  "cursors that are too large or that have no BO are refused, and small ones are not",
	  test_cursor_invalid },
	{}
};

igt_main
{
	__kms_run_tests(tests, display_begin);
}
