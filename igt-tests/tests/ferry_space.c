// SPDX-License-Identifier: MIT
/**
 * TEST: ferry space
 * Category: Display
 * Description: Space in the aperture for framebuffers and for the scanout buffer
 */
#include <fcntl.h>

#include <drm_fourcc.h>
#include <xf86drmMode.h>

#include "igt.h"

#include "igt_ferry.h"
#include "kms_picture.h"
#include "kms_pipe.h"
#include "screen.h"

IGT_TEST_DESCRIPTION(
	"Space in the aperture for framebuffers and for the scanout buffer");

/* Size of the BOs that fill the aperture */
#define FILL_SIZE (64 * PAGE)

static const struct layout aperture_layout = {
	"aperture-only",
	{ "aperture", DRM_FERRY_PLACEMENT_APERTURE, APERTURE,
	  DRM_FERRY_CACHING_CACHED, DRM_FERRY_BO_CONTIGUOUS },
	DRM_FORMAT_XRGB8888,
	0,
	0
};

/* A framebuffer that has to be copied, and that is in several pieces if it has to be */
static const struct layout pieces_layout = {
	"aperture-only, not contiguous",
	{ "aperture", DRM_FERRY_PLACEMENT_APERTURE, APERTURE,
	  DRM_FERRY_CACHING_CACHED, 0 },
	DRM_FORMAT_RGB565,
	0,
	0
};

/* Show two framebuffers of a mode. */
static void check_mode(struct kms *kms, const drmModeModeInfo *mode)
{
	struct fb fb[2];

	for (int i = 0; i < 2; i++) {
		fb_init(&fb[i], kms, &fb_system, mode);
		((uint32_t *)fb[i].bo.map)[0] = i;
	}
	igt_assert_f(show(kms, &fb[0], mode) == 0, "mode %s: %s\n", mode->name,
		     strerror(errno));
	for (int i = 1; i < 4; i++)
		flip(kms, &fb[i & 1]);
	/* the next mode follows this one, with a framebuffer on the screen */
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			fb_fini(&fb[i]);
		else
			igt_ferry_bo_fini(&fb[i].bo);
	}
}

/**
 * SUBTEST: modes-flip
 * Description: each mode can be set and flipped, and follows smaller and larger ones
 */
static void test_modes_flip(int fd)
{
	struct kms *kms = kms_of(fd);
	int count = kms->connector->count_modes;

	for (int i = 0; i < count; i++) {
		check_mode(kms, &kms->connector->modes[i]);
		check_mode(kms, &kms->connector->modes[count - 1 - i]);
	}
	off(kms);
	errno = 0;
}

/**
 * SUBTEST: aperture-full
 * Description: with an aperture full of BOs that cannot be evicted, new framebuffers are copied to the screen
 */
static void test_aperture_full(int fd)
{
	struct kms *kms = kms_of(fd);
	char expected[2][128];
	unsigned int count;
	uint32_t *handles;
	struct fb fb[2];

	screen_require();
	for (int i = 0; i < 2; i++) {
		layout_init(&fb[i], kms, &flipped_layout, i);
		show_flipped(kms, &fb[i], expected[i]);
	}
	off(kms);
	for (int i = 0; i < 2; i++)
		ferry_bo_migrate(kms->fd, fb[i].bo.handle, SYSTEM);
	igt_assert_eq(show(kms, &fb[0], &kms->mode), 0);
	count = igt_ferry_aperture_fill(kms->fd, 64 * PAGE, &handles);
	for (int i = 1; i < 6; i++) {
		flip(kms, &fb[i & 1]);
		check_picture(expected[i & 1], "the aperture is full");
	}
	igt_ferry_close_all(kms->fd, handles, count);
	off(kms);
	for (int i = 0; i < 2; i++)
		fb_fini(&fb[i]);
	errno = 0;
}

static void set_cursor(struct kms *kms, uint32_t cursor, int x, int y)
{
	int size = cursor ? CURSOR_SIZE : 0;

	if (cursor)
		igt_assert_eq(drmModeMoveCursor(kms->fd, kms->crtc, x, y), 0);
	igt_assert_eq(drmModeSetCursor(kms->fd, kms->crtc, cursor, size, size),
		      0);
}

/**
 * SUBTEST: buffer
 * Description: the scanout buffer exists only while frames are copied, and its memory is free afterwards
 */
static void test_buffer(int fd)
{
	struct kms *kms = kms_of(fd);
	uint64_t frame = kms->mode.hdisplay * kms->mode.vdisplay * 4;
	uint32_t cursor = cursor_create(kms, CURSOR_SIZE);
	uint16_t table[256] = {}, same[256];
	uint64_t free_bytes;
	struct fb fb, copied;

	for (int i = 0; i < 256; i++)
		same[i] = i * 0x101;
	frame = (frame + PAGE - 1) / PAGE * PAGE;
	layout_init(&fb, kms, &flipped_layout, 1);
	layout_init(&copied, kms, &system_layout, 1);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	igt_assert(pinned(&fb));
	igt_assert_eq_u64(igt_ferry_stat(fd, "scanout_bytes"), 0);
	free_bytes = igt_ferry_aperture_free(fd);

	set_cursor(kms, cursor, 10, 10);
	igt_assert_eq_u64(igt_ferry_stat(fd, "scanout_bytes"), frame);
	check_unpinned(&fb);
	set_cursor(kms, 0, 0, 0);
	igt_ferry_wait_stat(fd, "scanout_bytes", 0);
	igt_assert(pinned(&fb));
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), free_bytes);

	igt_assert_eq(drmModeCrtcSetGamma(kms->fd, kms->crtc, 256, table, table,
					  table),
		      0);
	igt_assert_eq_u64(igt_ferry_stat(fd, "scanout_bytes"), frame);
	igt_assert_eq(drmModeCrtcSetGamma(kms->fd, kms->crtc, 256, same, same,
					  same),
		      0);
	igt_ferry_wait_stat(fd, "scanout_bytes", 0);

	flip(kms, &copied);
	igt_assert_eq_u64(igt_ferry_stat(fd, "scanout_bytes"), frame);
	flip(kms, &fb);
	igt_ferry_wait_stat(fd, "scanout_bytes", 0);
	igt_assert_eq_u64(igt_ferry_aperture_free(fd), free_bytes);

	flip(kms, &copied);
	off(kms);
	igt_ferry_wait_stat(fd, "scanout_bytes", 0);
	gem_close(kms->fd, cursor);
	fb_fini(&fb);
	fb_fini(&copied);
	errno = 0;
}

/**
 * SUBTEST: cursor-full
 * Description: in an aperture that became full while a framebuffer is shown, the cursor can be shown and hidden
 */
static void test_cursor_full(int fd)
{
	struct kms *kms = kms_of(fd);
	uint32_t cursor = cursor_create(kms, CURSOR_SIZE), *handles;
	char plain[128], expected[128];
	struct fb fb, ref;
	unsigned int count;

	screen_require();
	layout_init(&ref, kms, &flipped_layout, 1);
	expect_cursor(kms, &ref, 60, 70, CURSOR_SIZE);
	show_flipped(kms, &ref, expected);
	layout_init(&fb, kms, &flipped_layout, 1);
	show_flipped(kms, &fb, plain);
	ferry_bo_migrate(kms->fd, ref.bo.handle, SYSTEM);
	count = igt_ferry_aperture_fill(kms->fd, FILL_SIZE, &handles);
	for (int i = 0; i < 2; i++) {
		set_cursor(kms, cursor, 60, 70);
		check_picture(expected, "the aperture is full");
		set_cursor(kms, 0, 0, 0);
		check_picture(plain, "the aperture is full, no cursor");
	}
	igt_ferry_close_all(kms->fd, handles, count);
	flip(kms, &fb);
	igt_assert(pinned(&fb));
	check_picture(plain, "the aperture has space again");
	igt_ferry_wait_stat(fd, "scanout_bytes", 0);
	off(kms);
	gem_close(kms->fd, cursor);
	fb_fini(&fb);
	fb_fini(&ref);
	errno = 0;
}

/**
 * SUBTEST: full
 * Description: in an aperture full of aperture-only BOs, one of which is on the screen, other framebuffers fail with ENOSPC, and the old one is shown
 */
static void test_full(int fd)
{
	struct kms *kms = kms_of(fd);
	char expected[128], other[128];
	unsigned int count;
	uint32_t *handles;
	drmModeCrtc *crtc;
	struct fb fb[2];

	screen_require();
	layout_init(&fb[1], kms, &flipped_layout, 2);
	show_flipped(kms, &fb[1], other);
	layout_init(&fb[0], kms, &aperture_layout, 1);
	show_flipped(kms, &fb[0], expected);
	ferry_bo_migrate(kms->fd, fb[1].bo.handle, SYSTEM);
	count = igt_ferry_aperture_fill(kms->fd, FILL_SIZE, &handles);
	igt_assert_eq(show(kms, &fb[1], &kms->mode), -ENOSPC);
	igt_assert_eq(drmModePageFlip(kms->fd, kms->crtc, fb[1].id, 0, NULL),
		      -ENOSPC);
	crtc = drmModeGetCrtc(kms->fd, kms->crtc);
	igt_assert(crtc);
	igt_assert_eq_u32(crtc->buffer_id, fb[0].id);
	drmModeFreeCrtc(crtc);
	igt_assert(pinned(&fb[0]));
	igt_assert(!pinned(&fb[1]));
	check_picture(expected, "after ENOSPC");
	igt_assert_eq_u64(igt_ferry_stat(fd, "scanout_bytes"), 0);

	igt_ferry_close_all(kms->fd, handles, count);
	flip(kms, &fb[1]);
	check_picture(other, "the aperture has space again");
	off(kms);
	for (int i = 0; i < 2; i++)
		fb_fini(&fb[i]);
	errno = 0;
}

static const drmModeModeInfo *largest_mode(const struct kms *kms)
{
	const drmModeModeInfo *modes = kms->connector->modes, *largest = modes;

	for (int i = 1; i < kms->connector->count_modes; i++)
		if (modes[i].hdisplay * modes[i].vdisplay >
		    largest->hdisplay * largest->vdisplay)
			largest = &modes[i];
	return largest;
}

/**
 * SUBTEST: modeset-fails
 * Description: a modeset that finds no space fails with ENOSPC, and the old picture is shown and can be flipped
 */
static void test_modeset_fails(int fd)
{
	struct kms *kms = kms_of(fd);
	const drmModeModeInfo *mode = largest_mode(kms);
	char expected[2][128];
	struct fb fb[2], large;
	unsigned int count;
	uint32_t *handles;

	screen_require();
	for (int i = 0; i < 2; i++) {
		layout_init(&fb[i], kms, &flipped_layout, i);
		show_flipped(kms, &fb[i], expected[i]);
	}
	ferry_bo_migrate(kms->fd, fb[0].bo.handle, SYSTEM);
	fb_init(&large, kms, &fb_system, mode);
	count = igt_ferry_aperture_fill(kms->fd, FILL_SIZE, &handles);
	for (int i = 0; i < 3; i++) {
		igt_assert_eq(show(kms, &large, mode), -ENOSPC);
		check_picture(expected[~i & 1], "after ENOSPC");
		flip(kms, &fb[i & 1]);
		check_picture(expected[i & 1], "flipped after ENOSPC");
	}
	igt_ferry_close_all(kms->fd, handles, count);
	igt_assert_eq(show(kms, &large, mode), 0);
	off(kms);
	fb_fini(&large);
	for (int i = 0; i < 2; i++)
		fb_fini(&fb[i]);
	errno = 0;
}

/**
 * SUBTEST: scattered
 * Description: if the free space is scattered between aperture-only BOs, these are moved and keep their contents
 */
static void test_scattered(int fd)
{
	struct kms *kms = kms_of(fd);
	const unsigned int pages = FILL_SIZE / PAGE;
	uint64_t within = igt_ferry_stat(fd, "moves_within");
	uint32_t *handles;
	unsigned int count;
	struct fb fb;

	layout_init(&fb, kms, &system_layout, 1);
	count = igt_ferry_aperture_fill(kms->fd, FILL_SIZE, &handles);
	for (unsigned int i = 0; i < count; i++) {
		void *map = ferry_bo_mmap(fd, handles[i], FILL_SIZE);

		igt_ferry_fill(map, 0, pages, i, 1);
		munmap(map, FILL_SIZE);
	}
	for (unsigned int i = 0; i < count; i += 2)
		gem_close(fd, handles[i]);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	igt_assert_lt_u64(within, igt_ferry_stat(fd, "moves_within"));
	for (unsigned int i = 1; i < count; i += 2) {
		void *map = ferry_bo_mmap(fd, handles[i], FILL_SIZE);

		igt_ferry_check(map, 0, pages, i, 1);
		munmap(map, FILL_SIZE);
		gem_close(fd, handles[i]);
	}
	free(handles);
	off(kms);
	fb_fini(&fb);
	errno = 0;
}

/**
 * SUBTEST: pieces
 * Description: an aperture-only BO in several pieces that would have to be copied is not shown, with ENOSPC, and the old picture stays
 */
static void test_pieces(int fd)
{
	struct kms *kms = kms_of(fd);
	unsigned int count;
	char expected[128];
	struct fb fb, pieces;
	uint32_t *handles;

	screen_require();
	layout_init(&fb, kms, &flipped_layout, 1);
	show_flipped(kms, &fb, expected);
	count = igt_ferry_aperture_fill(kms->fd, FILL_SIZE, &handles);
	for (unsigned int i = 0; i < count; i += 2)
		gem_close(fd, handles[i]);
	layout_init(&pieces, kms, &pieces_layout, 2);
	igt_assert_eq(show(kms, &pieces, &kms->mode), -ENOSPC);
	check_picture(expected, "a modeset with a BO in pieces");
	flip(kms, &fb);
	for (unsigned int i = 1; i < count; i += 2)
		gem_close(fd, handles[i]);
	free(handles);
	off(kms);
	fb_fini(&fb);
	fb_fini(&pieces);
	errno = 0;
}

/*
 * Its framebuffer has 2 MiB, up to the last pixel. The display reads the last line up to the
 * pitch, which is 848 bytes more.
 */
#define SHORT_SIZE (2ul << 20)
#define SHORT_PITCH 4196
static const drmModeModeInfo short_mode = {
	.clock = 19968,
	.hdisplay = 512,
	.hsync_start = 528,
	.hsync_end = 544,
	.htotal = 640,
	.vdisplay = 500,
	.vsync_start = 504,
	.vsync_end = 508,
	.vtotal = 520,
	.name = "512x500",
};

static void short_init(struct fb *fb, struct kms *kms)
{
	igt_ferry_bo_init(&fb->bo, kms->fd, SHORT_SIZE, &fb_aperture);
	for (uint32_t y = 0; y < short_mode.vdisplay; y++)
		for (uint32_t x = 0; x < short_mode.hdisplay; x++)
			put_pixel((uint8_t *)fb->bo.map + y * SHORT_PITCH +
					  x * 4,
				  DRM_FORMAT_XRGB8888, pixel(x, y, 1));
	igt_assert_eq(fb_add(kms->fd, fb->bo.handle, short_mode.hdisplay,
			     short_mode.vdisplay, SHORT_PITCH, &fb->id),
		      0);
}

/**
 * SUBTEST: short-last-line
 * Description: a BO that ends before the last pitch of its framebuffer is not scanned out at the end of the aperture
 */
static void test_short_last_line(int fd)
{
	struct kms *kms = kms_of(fd);
	struct drm_ferry_device_query device;
	char first[128], now[128];
	struct fb fb[32];
	unsigned int count;

	screen_require();
	igt_assert_lt_u64(SHORT_SIZE,
			  (uint64_t)SHORT_PITCH * short_mode.vdisplay);
	ferry_device_query(fd, &device);
	count = device.aperture_size / SHORT_SIZE;
	if (count > ARRAY_SIZE(fb))
		count = ARRAY_SIZE(fb);
	/* one of them is at the end of the aperture */
	for (unsigned int i = 0; i < count; i++)
		short_init(&fb[i], kms);
	for (unsigned int i = 0; i < count; i++) {
		igt_assert_eq(show(kms, &fb[i], &short_mode), 0);
		screen_picture(i ? now : first, sizeof(now));
		igt_assert_f(!i || !strcmp(first, now),
			     "framebuffer %u has another picture\n", i);
	}
	off(kms);
	for (unsigned int i = 0; i < count; i++)
		fb_fini(&fb[i]);
	errno = 0;
}

/* Show framebuffers in each way, and look for memory of another client on the screen. */
static void check_hidden(int fd)
{
	struct kms *kms = kms_of(fd);
	int other = igt_ferry_reopen(kms->fd, O_RDWR);
	int w = kms->mode.hdisplay, h = kms->mode.vdisplay;
	uint32_t cursor = cursor_create(kms, CURSOR_SIZE);
	const drmModeModeInfo *largest = largest_mode(kms);
	struct fb fb, copied, large;

	screen_require();
	layout_init(&fb, kms, &flipped_layout, 1);
	layout_init(&copied, kms, &system_layout, 2);
	fb_init(&large, kms, &fb_system, largest);
	igt_assert_eq(show(kms, &fb, &kms->mode), 0);
	screen_check_hidden(other, "flipped");
	set_cursor(kms, cursor, w - 20, h - 30);
	screen_check_hidden(other, "cursor");
	flip(kms, &copied);
	screen_check_hidden(other, "cursor, another framebuffer");
	set_cursor(kms, 0, 0, 0);
	screen_check_hidden(other, "copied");
	flip(kms, &fb);
	screen_check_hidden(other, "flipped again");
	igt_assert_eq(show(kms, &large, largest), 0);
	screen_check_hidden(other, "the largest mode");
	set_cursor(kms, cursor, -20, 30);
	screen_check_hidden(other, "the largest mode, cursor");
	igt_assert_eq(show(kms, &copied, &kms->mode), 0);
	screen_check_hidden(other, "a smaller mode, copied");
	off(kms);
	screen_check_hidden(other, "off");
	gem_close(kms->fd, cursor);
	fb_fini(&fb);
	fb_fini(&copied);
	fb_fini(&large);
	close(other);
	errno = 0;
}

/**
 * SUBTEST: hidden
 * Description: however a framebuffer is shown, with and without a cursor, the screen shows no memory of another client
 */
static void test_hidden(int fd)
{
	check_hidden(fd);
}

/**
 * SUBTEST: hidden-vga
 * Description: the same on a VGA device
 */
static void test_hidden_vga(int fd)
{
	kms_require_vga(fd);
	check_hidden(fd);
}

static const struct igt_ferry_test tests[] = {
	{ "modes-flip",
	  "each mode can be set and flipped, and follows smaller and larger ones",
	  test_modes_flip },
	{ "aperture-full",
	  "with an aperture full of BOs that cannot be evicted, new framebuffers are copied to the screen",
	  test_aperture_full },
	{ "buffer",
	  "the scanout buffer exists only while frames are copied, and its memory is free afterwards",
	  test_buffer },
	{ "cursor-full",
	  "in an aperture that became full while a framebuffer is shown, the cursor can be shown and hidden",
	  test_cursor_full },
	{ "full",
	  "in an aperture full of aperture-only BOs, one of which is on the screen, other framebuffers fail with ENOSPC, and the old one is shown",
	  test_full },
	{ "modeset-fails",
	  "a modeset that finds no space fails with ENOSPC, and the old picture is shown and can be flipped",
	  test_modeset_fails },
	{ "scattered",
	  "if the free space is scattered between aperture-only BOs, these are moved and keep their contents",
	  test_scattered },
	{ "pieces",
	  "an aperture-only BO in several pieces that would have to be copied is not shown, with ENOSPC, and the old picture stays",
	  test_pieces },
	{ "short-last-line",
	  "a BO that ends before the last pitch of its framebuffer is not scanned out at the end of the aperture",
	  test_short_last_line },
	{ "hidden",
	  "however a framebuffer is shown, with and without a cursor, the screen shows no memory of another client",
	  test_hidden },
	{ "hidden-vga", "the same on a VGA device", test_hidden_vga },
	{}
};

igt_main
{
	__kms_run_tests(tests, display_begin);
}
