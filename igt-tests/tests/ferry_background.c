// SPDX-License-Identifier: MIT
/**
 * TEST: ferry background
 * Category: Display
 * Description: Screens that no framebuffer fills
 */
#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "kms_atomic.h"
#include "kms_picture.h"
#include "kms_pipe.h"
#include "screen.h"

IGT_TEST_DESCRIPTION("Screens that no framebuffer fills");

/* Commit properties of the CRTC and its connector: on, or off. */
static void add_crtc(drmModeAtomicReq *req, const struct kms *kms,
		     uint32_t mode)
{
	atomic_add(req, kms->fd, kms->connector->connector_id,
		   DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID", mode ? kms->crtc : 0);
	atomic_add(req, kms->fd, kms->crtc, DRM_MODE_OBJECT_CRTC, "MODE_ID",
		   mode);
	atomic_add(req, kms->fd, kms->crtc, DRM_MODE_OBJECT_CRTC, "ACTIVE",
		   !!mode);
}

/**
 * struct place - where a part of a framebuffer is on the screen
 * @x: left column of the screen
 * @y: top line of the screen
 * @width: columns
 * @height: lines
 * @src_x: left column of the framebuffer, in units of 1 / 0x10000
 * @src_y: top line of the framebuffer, in the same units
 */
struct place {
	int x, y;
	uint32_t width, height, src_x, src_y;
};

static void add_plane(drmModeAtomicReq *req, const struct kms *kms,
		      const struct fb *fb, const struct place *place)
{
	const struct {
		const char *name;
		uint64_t value;
	} values[] = {
		{ "FB_ID", fb ? fb->id : 0 },
		{ "CRTC_ID", fb ? kms->crtc : 0 },
		{ "CRTC_X", place->x },
		{ "CRTC_Y", place->y },
		{ "CRTC_W", place->width },
		{ "CRTC_H", place->height },
		{ "SRC_X", place->src_x },
		{ "SRC_Y", place->src_y },
		{ "SRC_W", (uint64_t)place->width << 16 },
		{ "SRC_H", (uint64_t)place->height << 16 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++)
		atomic_add(req, kms->fd, kms->plane, DRM_MODE_OBJECT_PLANE,
			   values[i].name, values[i].value);
}

static int commit(const struct kms *kms, drmModeAtomicReq *req)
{
	int err = drmModeAtomicCommit(kms->fd, req,
				      DRM_MODE_ATOMIC_ALLOW_MODESET, NULL);

	drmModeAtomicFree(req);
	errno = 0;
	return err;
}

/* Turn the CRTC on with the mode in @blob, or off with 0, without naming the plane. */
static void set_crtc(const struct kms *kms, uint32_t blob)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();

	igt_assert(req);
	add_crtc(req, kms, blob);
	igt_assert_eq(commit(kms, req), 0);
}

static void set_plane(const struct kms *kms, const struct fb *fb,
		      const struct place *place)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();

	igt_assert(req);
	add_plane(req, kms, fb, place);
	igt_assert_eq(commit(kms, req), 0);
}

static uint32_t mode_blob(const struct kms *kms)
{
	uint32_t blob = 0;

	igt_assert_eq(drmModeCreatePropertyBlob(kms->fd, &kms->mode,
						sizeof(kms->mode), &blob),
		      0);
	return blob;
}

static void check_on(const struct kms *kms, uint32_t fb)
{
	drmModeCrtc *crtc = drmModeGetCrtc(kms->fd, kms->crtc);

	igt_assert(crtc && crtc->mode_valid);
	igt_assert_eq_u32(crtc->buffer_id, fb);
	drmModeFreeCrtc(crtc);
}

/* Get the checksum of a black screen, of the mode's size. */
static void black_picture(struct kms *kms, char *sum)
{
	struct fb fb;

	layout_init(&fb, kms, &flipped_layout, 0);
	memset(fb.bo.map, 0, fb.bo.size);
	show_flipped(kms, &fb, sum);
	off(kms);
	fb_fini(&fb);
}

static const struct place nowhere = {};

/**
 * SUBTEST: none
 * Description: the CRTC can be on without a framebuffer: the screen is black, and shows the cursor
 */
static void test_none(int fd)
{
	struct kms *kms = kms_of(fd);
	const struct place whole = {
		0, 0, kms->mode.hdisplay, kms->mode.vdisplay, 0, 0
	};
	uint32_t cursor = cursor_create(kms, CURSOR_SIZE),
		 blob = mode_blob(kms);
	char black[128], with_cursor[128], expected[128];
	uint32_t *words;
	struct fb fb;

	screen_require();
	black_picture(kms, black);
	layout_init(&fb, kms, &flipped_layout, 1);
	words = fb.bo.map;
	memset(words, 0, fb.bo.size);
	for (int y = 0; y < CURSOR_SIZE; y++)
		for (int x = 0; x < CURSOR_SIZE; x++)
			words[(y + 30) * (fb.pitch / 4) + x + 20] =
				blend(cursor_pixel(x, y), 0);
	show_flipped(kms, &fb, with_cursor);
	draw(&fb, 0, 0, whole.width, whole.height, 1);
	screen_picture(expected, sizeof(expected));
	off(kms);

	for (int round = 0; round < 2; round++) {
		set_crtc(kms, blob);
		check_on(kms, 0);
		check_picture(black, "no framebuffer");
		igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc, 20, 30), 0);
		igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, cursor,
					       CURSOR_SIZE, CURSOR_SIZE),
			      0);
		check_picture(with_cursor, "cursor without a framebuffer");
		igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, 0, 0, 0), 0);
		check_picture(black, "cursor hidden");
		set_plane(kms, &fb, &whole);
		check_picture(expected, "framebuffer");
		igt_assert(pinned(&fb));
		set_plane(kms, NULL, &nowhere);
		check_unpinned(&fb);
		check_picture(black, "framebuffer removed");
		check_on(kms, 0);
		set_crtc(kms, 0);
		igt_ferry_wait_stat(kms->fd, "scanout_bytes", 0);
	}
	drmModeDestroyPropertyBlob(kms->fd, blob);
	gem_close(kms->fd, cursor);
	fb_fini(&fb);
	errno = 0;
}

/**
 * SUBTEST: positions
 * Description: a framebuffer that covers a part of the screen, or nothing of it, is surrounded by black
 */
static void test_positions(int fd)
{
	struct kms *kms = kms_of(fd);
	const int w = kms->mode.hdisplay, h = kms->mode.vdisplay;
	const struct place places[] = {
		{ 0, 0, 64, 64, 0, 0 },
		{ 100, 50, 300, 200, 0, 0 },
		{ w - 70, h - 60, 100, 100, 0, 0 },
		{ -33, -21, 200, 100, 0, 0 },
		{ 10, 20, 101, 99, 30 << 16, 40 << 16 },
		{ 0, 17, w, 33, 0, 5 << 16 },
		{ 0, 0, w, h, 0, 0 },
		{ w, h, 64, 64, 0, 0 },
		{ 9000, 9000, w, h, 0, 0 },
		{ -5, -5, w, h, 0, 0 },
	};
	static const struct layout *const layouts[] = { &flipped_layout,
							&system_layout };
	char expected[ARRAY_SIZE(places)][128];
	uint32_t blob = mode_blob(kms), *words;
	struct fb ref, fb;

	screen_require();
	layout_init(&ref, kms, &flipped_layout, 1);
	words = ref.bo.map;
	igt_assert_eq(show(kms, &ref, &kms->mode), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
		const struct place *at = &places[i];

		for (int y = 0; y < h; y++)
			for (int x = 0; x < w; x++) {
				bool in = x >= at->x && y >= at->y &&
					  x < at->x + (int)at->width &&
					  y < at->y + (int)at->height;

				words[y * (ref.pitch / 4) + x] =
					in ? pixel(x - at->x +
							   (at->src_x >> 16),
						   y - at->y +
							   (at->src_y >> 16),
						   1) :
					     0;
			}
		screen_picture(expected[i], sizeof(expected[i]));
	}
	off(kms);

	for (unsigned int k = 0; k < ARRAY_SIZE(layouts); k++) {
		layout_init(&fb, kms, layouts[k], 1);
		set_crtc(kms, blob);
		for (unsigned int i = 0; i < 3 * ARRAY_SIZE(places); i++) {
			/* 7 and the number of places have no common divisor */
			unsigned int now = i * 7 % ARRAY_SIZE(places);

			set_plane(kms, &fb, &places[now]);
			check_on(kms, fb.id);
			check_picture(expected[now], layouts[k]->what);
		}
		set_plane(kms, NULL, &nowhere);
		off(kms);
		fb_fini(&fb);
	}
	drmModeDestroyPropertyBlob(kms->fd, blob);
	fb_fini(&ref);
	errno = 0;
}

/**
 * SUBTEST: off-and-on
 * Description: the CRTC can be turned off and on again, in another mode too, while its planes keep their framebuffers
 */
static void test_off_and_on(int fd)
{
	struct kms *kms = kms_of(fd);
	const struct place whole = {
		0, 0, kms->mode.hdisplay, kms->mode.vdisplay, 0, 0
	};
	uint32_t blob = mode_blob(kms), other = 0;
	drmModeModeInfo *large = NULL;
	char expected[128], now[128];
	struct fb fb;

	screen_require();
	layout_init(&fb, kms, &flipped_layout, 1);
	show_flipped(kms, &fb, expected);
	set_crtc(kms, 0);
	check_unpinned(&fb);
	set_plane(kms, &fb, &whole);
	igt_assert(!pinned(&fb));
	set_crtc(kms, blob);
	igt_assert(pinned(&fb));
	check_picture(expected, "on again");

	for (int i = 0; i < kms->connector->count_modes; i++)
		if (kms->connector->modes[i].hdisplay > whole.width)
			large = &kms->connector->modes[i];
	igt_assert(large);
	igt_assert_eq(drmModeCreatePropertyBlob(kms->fd, large, sizeof(*large),
						&other),
		      0);
	set_crtc(kms, other);
	check_on(kms, fb.id);
	screen_picture(now, sizeof(now));
	igt_assert(strcmp(now, expected));
	set_crtc(kms, blob);
	check_picture(expected, "the first mode again");
	set_crtc(kms, 0);
	drmModeDestroyPropertyBlob(kms->fd, blob);
	drmModeDestroyPropertyBlob(kms->fd, other);
	set_plane(kms, NULL, &nowhere);
	fb_fini(&fb);
	errno = 0;
}

/**
 * SUBTEST: fraction
 * Description: a framebuffer that is shown from the middle of a pixel is copied from the whole pixel, and no pixel too many
 */
static void test_fraction(int fd)
{
	struct kms *kms = kms_of(fd);
	const drmModeModeInfo mode = kms->mode;
	const struct place half = { 0,	    0,	   mode.hdisplay, mode.vdisplay,
				    0x8000, 0x8000 };
	uint32_t blob = mode_blob(kms);
	char expected[128];
	struct fb fb, ref;
	uint64_t bytes;

	screen_require();
	layout_init(&ref, kms, &flipped_layout, 1);
	show_flipped(kms, &ref, expected);
	kms->mode.hdisplay += 8;
	kms->mode.vdisplay += 8;
	layout_init(&fb, kms, &system_layout, 1);
	kms->mode = mode;
	bytes = igt_ferry_stat(kms->fd, "copied_bytes");
	set_plane(kms, &fb, &half);
	check_picture(expected, "half a pixel");
	igt_assert_eq_u64(igt_ferry_stat(kms->fd, "copied_bytes") - bytes,
			  4ull * mode.hdisplay * mode.vdisplay);
	off(kms);
	drmModeDestroyPropertyBlob(kms->fd, blob);
	fb_fini(&fb);
	fb_fini(&ref);
	errno = 0;
}

/**
 * SUBTEST: no-memory
 * Description: in an aperture full of aperture-only BOs the framebuffer on the screen can be removed, and another one is shown when there is space
 */
static void test_no_memory(int fd)
{
	static const struct igt_ferry_kind fixed = { "aperture-only", APERTURE,
						     APERTURE,
						     DRM_FERRY_CACHING_CACHED,
						     DRM_FERRY_BO_CONTIGUOUS };
	struct kms *kms = kms_of(fd);
	const struct place whole = {
		0, 0, kms->mode.hdisplay, kms->mode.vdisplay, 0, 0
	};
	char expected[128], black[128], now[128];
	struct fb fb, other;
	unsigned int count;
	uint32_t *handles;

	screen_require();
	off(kms);
	screen_picture(black, sizeof(black));
	layout_init(&other, kms, &system_layout, 1);
	igt_assert_eq(show(kms, &other, &kms->mode), 0);
	screen_picture(expected, sizeof(expected));
	fb_init(&fb, kms, &fixed, &kms->mode);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	count = igt_ferry_aperture_fill(kms->fd, 16 * PAGE, &handles);
	igt_assert_eq(drmModeRmFB(kms->fd, fb.id), 0);
	check_unpinned(&fb);
	check_on(kms, 0);
	screen_picture(now, sizeof(now));
	igt_assert_f(!strcmp(now, black), "the screen is not black\n");
	igt_ferry_close_all(kms->fd, handles, count);
	set_plane(kms, &other, &whole);
	check_picture(expected, "a framebuffer after the black screen");
	off(kms);
	igt_ferry_bo_fini(&fb.bo);
	fb_fini(&other);
	errno = 0;
}

static const struct igt_ferry_test tests[] = {
	{ "none",
	  "the CRTC can be on without a framebuffer: the screen is black, and shows the cursor",
	  test_none },
	{ "positions",
	  "a framebuffer that covers a part of the screen, or nothing of it, is surrounded by black",
	  test_positions },
	{ "off-and-on",
	  "the CRTC can be turned off and on again, in another mode too, while its planes keep their framebuffers",
	  test_off_and_on },
	{ "fraction",
	  "a framebuffer that is shown from the middle of a pixel is copied from the whole pixel, and no pixel too many",
	  test_fraction },
	{ "no-memory",
	  "in an aperture full of aperture-only BOs the framebuffer on the screen can be removed, and another one is shown when there is space",
	  test_no_memory },
	{}
};

igt_main
{
	__kms_run_tests(tests, display_begin);
}
