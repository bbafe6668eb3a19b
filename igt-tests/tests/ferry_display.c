// SPDX-License-Identifier: MIT
/**
 * TEST: ferry display
 * Category: Display
 * Description: Framebuffers that are copied to the screen: formats, layouts, damage and imports
 */
#include <fcntl.h>

#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "igt_ferry_exporter.h"
#include "kms_atomic.h"
#include "kms_picture.h"
#include "kms_pipe.h"
#include "screen.h"

IGT_TEST_DESCRIPTION(
	"Framebuffers that are copied to the screen: formats, layouts, damage and imports");

static const struct layout layouts[] = {
	{ "in system memory only", SYSTEM_KIND, DRM_FORMAT_XRGB8888, 0, 0 },
	{ "in write-combined system memory", WC_KIND, DRM_FORMAT_XRGB8888, 0,
	  0 },
	{ "ARGB8888", BOTH_KIND, DRM_FORMAT_ARGB8888, 0, 0 },
	{ "RGB565", BOTH_KIND, DRM_FORMAT_RGB565, 0, 0 },
	{ "XRGB2101010", BOTH_KIND, DRM_FORMAT_XRGB2101010, 0, 0 },
	{ "XBGR8888", BOTH_KIND, DRM_FORMAT_XBGR8888, 0, 0 },
	{ "ABGR8888", BOTH_KIND, DRM_FORMAT_ABGR8888, 0, 0 },
	{ "pitch of whole pixels", BOTH_KIND, DRM_FORMAT_XRGB8888, 12, 0 },
	{ "odd pitch", BOTH_KIND, DRM_FORMAT_XRGB8888, 3, 0 },
	{ "odd pitch of RGB565", SYSTEM_KIND, DRM_FORMAT_RGB565, 1, 0 },
	{ "offset of one page", BOTH_KIND, DRM_FORMAT_XRGB8888, 0, 4096 },
	{ "odd offset", BOTH_KIND, DRM_FORMAT_XRGB8888, 0, 13 },
};

/**
 * SUBTEST: layouts
 * Description: framebuffers in each format, with odd pitches and offsets and in system memory show the same picture as one that is scanned out
 */
static void test_layouts(int fd)
{
	struct kms *kms = kms_of(fd);
	char expected[128], other[128];
	struct fb fb;

	screen_require();
	layout_init(&fb, kms, &flipped_layout, 1);
	show_flipped(kms, &fb, expected);
	fb_fini(&fb);
	for (unsigned int i = 0; i < ARRAY_SIZE(layouts); i++) {
		layout_init(&fb, kms, &layouts[i], 2);
		igt_assert_f(show(kms, &fb, &kms->mode) == 0, "%s: %s\n",
			     layouts[i].what, strerror(errno));
		screen_picture(other, sizeof(other));
		igt_assert(strcmp(expected, other));
		fb_fini(&fb);
		layout_init(&fb, kms, &layouts[i], 1);
		igt_assert_eq(show(kms, &fb, &kms->mode), 0);
		check_picture(expected, layouts[i].what);
		flip(kms, &fb);
		check_picture(expected, layouts[i].what);
		fb_fini(&fb);
	}
	off(kms);
	errno = 0;
}

/**
 * SUBTEST: damage
 * Description: DIRTYFB copies the damaged rectangles of a framebuffer that is copied, and no others
 */
static void test_damage(int fd)
{
	struct kms *kms = kms_of(fd);
	int w = kms->mode.hdisplay, h = kms->mode.vdisplay;
	drmModeClip clips[] = {
		{ 0, 0, 1, 1 },
		{ w - 1, h - 1, w, h },
		{ 100, 50, 300, 60 },
		{ 290, 55, 310, 200 },
	};
	char expected[128], before[128];
	struct fb fb, ref;
	uint64_t bytes;

	screen_require();
	layout_init(&ref, kms, &flipped_layout, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(clips); i++)
		draw(&ref, clips[i].x1, clips[i].y1, clips[i].x2, clips[i].y2,
		     2);
	show_flipped(kms, &ref, expected);
	layout_init(&fb, kms, &system_layout, 1);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	screen_picture(before, sizeof(before));
	draw(&fb, 0, 0, w, h, 2);
	check_picture(before, "drawn, and not damaged");
	bytes = igt_ferry_stat(kms->fd, "copied_bytes");
	igt_assert_eq(drmModeDirtyFB(kms->fd, fb.id, clips, ARRAY_SIZE(clips)),
		      0);
	check_picture(expected, "four rectangles are damaged");
	bytes = igt_ferry_stat(kms->fd, "copied_bytes") - bytes;
	igt_assert_lte_u64(4 * (2 + 200 * 10 + 20 * 145), bytes);
	igt_assert_lte_u64(bytes, 4 * (2 + 210 * 150));
	/* a whole frame */
	igt_assert_eq(drmModeDirtyFB(kms->fd, fb.id, NULL, 0), 0);
	draw(&ref, 0, 0, w, h, 2);
	show_flipped(kms, &ref, expected);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	check_picture(expected, "a whole frame");
	off(kms);
	fb_fini(&fb);
	fb_fini(&ref);
	errno = 0;
}

/* Show a framebuffer at the next vblank, in a nonblocking commit. */
static void flip_atomic(const struct kms *kms, const struct fb *fb)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	unsigned int events = 0;

	igt_assert(req);
	atomic_add(req, kms->fd, kms->plane, DRM_MODE_OBJECT_PLANE, "FB_ID",
		   fb->id);
	igt_assert_eq(drmModeAtomicCommit(kms->fd, req,
					  DRM_MODE_ATOMIC_NONBLOCK |
						  DRM_MODE_PAGE_FLIP_EVENT,
					  &events),
		      0);
	drmModeAtomicFree(req);
	wait_flips(kms->fd, &events, 1);
}

/* Show a framebuffer, with one rectangle of damage. */
static int __show_damaged(const struct kms *kms, const struct fb *fb,
			  const struct drm_mode_rect *rect)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	uint32_t blob = 0;
	int err;

	igt_assert(req);
	igt_assert_eq(drmModeCreatePropertyBlob(kms->fd, rect, sizeof(*rect),
						&blob),
		      0);
	atomic_add(req, kms->fd, kms->plane, DRM_MODE_OBJECT_PLANE, "FB_ID",
		   fb->id);
	atomic_add(req, kms->fd, kms->plane, DRM_MODE_OBJECT_PLANE,
		   "FB_DAMAGE_CLIPS", blob);
	err = drmModeAtomicCommit(kms->fd, req, 0, NULL);
	drmModeAtomicFree(req);
	igt_assert_eq(drmModeDestroyPropertyBlob(kms->fd, blob), 0);
	errno = 0;
	return err;
}

/**
 * SUBTEST: damage-invalid
 * Description: damage outside of the framebuffer, empty and inverted, copies no other bytes, and the picture is right
 */
static void test_damage_invalid(int fd)
{
	struct kms *kms = kms_of(fd);
	unsigned short w = kms->mode.hdisplay, h = kms->mode.vdisplay;
	drmModeClip clips[] = {
		{ w, h, w + 100, h + 100 },
		{ 0xffff, 0xffff, 0, 0 },
		{ 100, 100, 50, 50 },
		{ 30, 30, 30, 30 },
		{ w - 1, 0, 0xffff, 0xffff },
		{ 0, h - 1, 0xffff, 0xffff },
		{ 0xfffe, 0xfffe, 0xffff, 0xffff },
	};
	const struct drm_mode_rect rects[] = {
		{ INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX },
		{ -5, -5, -1, -1 },
		{ INT32_MAX, INT32_MAX, INT32_MIN, INT32_MIN },
		{ w, 0, INT32_MAX, h },
		{ -1, -1, 1, 1 },
		{ w - 1, h - 1, w + 1, h + 1 },
	};
	char before[128], expected[128];
	struct fb fb, ref;

	screen_require();
	layout_init(&ref, kms, &flipped_layout, 1);
	show_flipped(kms, &ref, before);
	draw(&ref, 0, 0, w, h, 2);
	screen_picture(expected, sizeof(expected));
	layout_init(&fb, kms, &system_layout, 1);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(clips); i++) {
		int err = drmModeDirtyFB(kms->fd, fb.id, &clips[i], 1);

		igt_assert_f(!err || err == -EINVAL, "clip %u: %s\n", i,
			     strerror(-err));
	}
	check_picture(before, "clips outside, nothing drawn");
	for (unsigned int i = 0; i < ARRAY_SIZE(rects); i++) {
		int err = __show_damaged(kms, &fb, &rects[i]);

		igt_assert_f(!err || err == -EINVAL, "rectangle %u: %s\n", i,
			     strerror(-err));
	}
	check_picture(before, "rectangles outside, nothing drawn");
	draw(&fb, 0, 0, w, h, 2);
	igt_assert_eq(drmModeDirtyFB(kms->fd, fb.id, NULL, 0), 0);
	check_picture(expected, "a whole frame");
	off(kms);
	fb_fini(&fb);
	fb_fini(&ref);
	errno = 0;
}

/**
 * SUBTEST: format-change
 * Description: nonblocking atomic commits change the format, the pitch and the way a framebuffer is shown from frame to frame
 */
static void test_format_change(int fd)
{
	struct kms *kms = kms_of(fd);
	struct fb fb[ARRAY_SIZE(layouts) + 1];
	char expected[128];

	screen_require();
	layout_init(&fb[0], kms, &flipped_layout, 1);
	show_flipped(kms, &fb[0], expected);
	for (unsigned int i = 0; i < ARRAY_SIZE(layouts); i++)
		layout_init(&fb[i + 1], kms, &layouts[i], 1);
	for (unsigned int i = 0; i < 39; i++) {
		unsigned int now = i * 5 % ARRAY_SIZE(fb);

		flip_atomic(kms, &fb[now]);
		if (i % 13 == 0)
			check_picture(expected, "format change");
	}
	off(kms);
	for (unsigned int i = 0; i < ARRAY_SIZE(fb); i++)
		fb_fini(&fb[i]);
	errno = 0;
}

/**
 * SUBTEST: rotation
 * Description: framebuffers can be mirrored and rotated by 180 degrees, and damage is where it is on the screen
 */
static void test_rotation(int fd)
{
	struct kms *kms = kms_of(fd);
	const int w = kms->mode.hdisplay, h = kms->mode.vdisplay;
	static const uint64_t rotations[] = {
		DRM_MODE_ROTATE_180, DRM_MODE_ROTATE_0 | DRM_MODE_REFLECT_X,
		DRM_MODE_ROTATE_0 | DRM_MODE_REFLECT_Y,
		DRM_MODE_ROTATE_180 | DRM_MODE_REFLECT_X
	};
	drmModeClip clip = { 30, 40, 130, 60 };
	char expected[2][128];
	struct fb fb, ref;
	uint32_t id;

	screen_require();
	id = property(kms->fd, kms->plane, DRM_MODE_OBJECT_PLANE, "rotation",
		      NULL);
	igt_assert(id);
	for (unsigned int i = 0; i < ARRAY_SIZE(rotations); i++) {
		bool turned = rotations[i] & DRM_MODE_ROTATE_180;
		bool flip_x = !(rotations[i] & DRM_MODE_REFLECT_X) == turned;
		bool flip_y = !(rotations[i] & DRM_MODE_REFLECT_Y) == turned;

		layout_init(&fb, kms, &flipped_layout, 1);
		layout_init(&ref, kms, &flipped_layout, 1);
		for (int part = 0; part < 2; part++) {
			for (int y = 0; y < h; y++)
				for (int x = 0; x < w; x++)
					((uint32_t *)ref.bo
						 .map)[y * (ref.pitch / 4) +
						       x] = ((uint32_t *)
								     fb.bo.map)
						[(flip_y ? h - 1 - y : y) *
							 (fb.pitch / 4) +
						 (flip_x ? w - 1 - x : x)];
			show_flipped(kms, &ref, expected[part]);
			draw(&fb, clip.x1, clip.y1, clip.x2, clip.y2, 2);
		}
		draw(&fb, 0, 0, w, h, 1);
		igt_assert_eq(show(kms, &fb, &kms->mode), 0);
		igt_assert_eq(drmModeObjectSetProperty(kms->fd, kms->plane,
						       DRM_MODE_OBJECT_PLANE,
						       id, rotations[i]),
			      0);
		check_picture(expected[0], "rotation");
		igt_assert(!pinned(&fb));
		draw(&fb, clip.x1, clip.y1, clip.x2, clip.y2, 2);
		igt_assert_eq(drmModeDirtyFB(kms->fd, fb.id, &clip, 1), 0);
		check_picture(expected[1], "rotation and damage");
		igt_assert_eq(drmModeObjectSetProperty(kms->fd, kms->plane,
						       DRM_MODE_OBJECT_PLANE,
						       id, DRM_MODE_ROTATE_0),
			      0);
		off(kms);
		fb_fini(&fb);
		fb_fini(&ref);
	}
	igt_assert_eq(drmModeObjectSetProperty(kms->fd, kms->plane,
					       DRM_MODE_OBJECT_PLANE, id,
					       DRM_MODE_ROTATE_90),
		      -EINVAL);
	errno = 0;
}

/**
 * SUBTEST: imported
 * Description: a framebuffer in memory of another driver shows its newest contents at every commit
 */
static void test_imported(int fd)
{
	struct kms *kms = kms_of(fd);
	uint32_t w = kms->mode.hdisplay, h = kms->mode.vdisplay, id;
	size_t size = (w * h * 4 + PAGE - 1) / PAGE * PAGE;
	const struct igt_ferry_exporter *exporter = igt_ferry_exporters;
	struct igt_ferry_foreign foreign = { .fd = -1 };
	char expected[4][128];
	uint32_t handle;
	struct fb ref, shown;

	screen_require();
	layout_init(&ref, kms, &flipped_layout, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(expected); i++) {
		draw(&ref, 0, 0, w, h, i);
		show_flipped(kms, &ref, expected[i]);
	}
	while (exporter->name && strcmp(exporter->name, "vgem"))
		exporter++;
	igt_assert(exporter->name);
	exporter->create(fd, size, &foreign);
	handle = igt_ferry_import(fd, foreign.prime);
	igt_assert_eq(fb_add(fd, handle, w, h, w * 4, &id), 0);
	shown = (struct fb){ .id = id, .pitch = w * 4 };
	for (unsigned int i = 0; i < ARRAY_SIZE(expected); i++) {
		for (uint32_t y = 0; y < h; y++)
			for (uint32_t x = 0; x < w; x++)
				((uint32_t *)foreign.map)[y * w + x] =
					pixel(x, y, i);
		if (i == 0)
			igt_assert_eq(show(kms, &shown, &kms->mode), 0);
		else if (i == 1)
			igt_assert_eq(drmModeDirtyFB(fd, id, NULL, 0), 0);
		else
			flip(kms, &shown);
		check_picture(expected[i], "imported");
	}
	off(kms);
	igt_assert_eq(drmModeRmFB(fd, id), 0);
	gem_close(fd, handle);
	igt_ferry_foreign_close(&foreign);
	fb_fini(&ref);
	errno = 0;
}

static const struct igt_ferry_test tests[] = {
	{ "layouts",
	  "framebuffers in each format, with odd pitches and offsets and in system memory show the same picture as one that is scanned out",
	  test_layouts },
	{ "damage",
	  "DIRTYFB copies the damaged rectangles of a framebuffer that is copied, and no others",
	  test_damage },
	{ "damage-invalid",
	  "damage outside of the framebuffer, empty and inverted, copies no other bytes, and the picture is right",
	  test_damage_invalid },
	{ "format-change",
	  "nonblocking atomic commits change the format, the pitch and the way a framebuffer is shown from frame to frame",
	  test_format_change },
	{ "rotation",
	  "framebuffers can be mirrored and rotated by 180 degrees, and damage is where it is on the screen",
	  test_rotation },
	{ "imported",
	  "a framebuffer in memory of another driver shows its newest contents at every commit",
	  test_imported },
	{}
};

igt_main
{
	__kms_run_tests(tests, display_begin);
}
